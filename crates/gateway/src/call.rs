//! Stage *call*: asks the engine what to do, does it, tells it what came back, until there is an answer or nothing left.

use std::time::Duration;

use http::Response;
use http::header::CONTENT_TYPE;
use weir_engine::{GiveUp, PoolId, Queued, Send, Step};
use weir_units::{Dimension, FaultClass};

use crate::body::ReplyBody;
use crate::budgets::Payment;
use crate::calling::{Calling, collect_within};
use crate::fault::{Fault, refused};
use crate::queue::Sleeping;
use crate::reply::{Cause, Refusal, shutting_down};
use crate::settle::Journey;
use crate::stream::{self, Opened};
use crate::{answer, headers};

/// What one attempt brought.
enum Attempted {
    Whole(Box<answer::Whole>),
    Opened(Box<Opened>),
}

/// Calls until there is an answer, or nothing is left to try.
pub(crate) async fn call(mut calling: Box<Calling>, mut journey: Box<Journey>) -> Response<ReplyBody> {
    let mut faults: Vec<(usize, Fault)> = Vec::new();
    let mut cannot: Option<Refusal> = None;
    let mut unpaid: Vec<usize> = Vec::new();
    let mut too_dear: Option<Refusal> = None;
    loop {
        let (step, sleeping) = calling.next(&mut journey);
        for passed in journey.call().take_passed_over() {
            journey.passed_over(&calling.routed.targets[passed.candidate].name, &passed);
        }
        if !matches!(step, Step::Send(_)) {
            journey.give_back();
        }
        match step {
            Step::Queue(_) if calling.shared.is_draining() => {
                return journey.refuse(&shutting_down(), calling.accepted.endpoint.dialect());
            }
            Step::Queue(queued) => calling.wait_in_line(&mut journey, &queued, sleeping).await,
            Step::Wait { until, why, class } => {
                let began = calling.shared.clock.now();
                tokio::time::sleep_until(calling.shared.clock.instant(until)).await;
                journey.waited(why, class, calling.shared.clock.now().since(began));
            }
            Step::Send(send) => {
                if let Err(refusal) = calling.prepare(send.candidate) {
                    calling.rule_out(&mut journey, &send);
                    cannot = Some(refusal);
                    continue;
                }
                match calling.pay(&mut journey, &send).await {
                    Payment::Held => {}
                    Payment::Waited => continue,
                    Payment::Refused(refusal) => {
                        calling.rule_out(&mut journey, &send);
                        unpaid.push(send.candidate);
                        too_dear = Some(refusal);
                        continue;
                    }
                }
                match calling.attempt(&mut journey, &send).await {
                    Ok(answered) => {
                        calling.note_degraded(&mut journey, send.candidate);
                        return match answered {
                            Attempted::Whole(whole) => answer::whole(&calling, journey, &send, *whole),
                            Attempted::Opened(opened) => stream::respond(calling, journey, send, *opened),
                        };
                    }
                    Err(fault) => {
                        let fault = calling.judged(fault);
                        journey.failed(&calling.shared, &send, &fault, false);
                        faults.push((send.candidate, fault));
                    }
                }
            }
            Step::GiveUp(give_up) => {
                // What rests at the moment may be able to: only where nothing can is it the request that is at fault.
                let cannot = cannot.filter(|_| calling.nobody_can());
                let too_dear = too_dear.filter(|_| calling.nobody_pays(&unpaid));
                let refusal = calling.refusal(&give_up, faults, too_dear.or(cannot));
                if refusal.code == Cause::CapacityExhausted.code() {
                    calling.estimate(&mut journey);
                }
                return journey.refuse(&refusal, calling.accepted.endpoint.dialect());
            }
        }
    }
}

impl Calling {
    /// The engine's next step, with a place to sleep where that is to wait in line.
    fn next(&self, journey: &mut Journey) -> (Step, Option<Sleeping>) {
        let now = self.shared.clock.now();
        journey.decide(&self.shared, |engine, call| {
            let step = engine.next(now, call);
            let sleeping = match (&step, call.ticket()) {
                (Step::Queue(queued), Some(ticket)) => Some(Sleeping::new(&self.shared, ticket, queued)),
                _ => None,
            };
            (step, sleeping)
        })
    }

    /// Notes what the request would use, as long as it has used nothing: what is asked for counts, also where it is not served.
    fn estimate(&self, journey: &mut Journey) {
        if let Some(first) = self.routed.targets.first().filter(|_| journey.attempts() == 0) {
            let (input, output) = self.shared.engine().estimated(journey.call());
            journey.estimated(&first.name, input, output);
        }
    }

    /// Waits in line until there is something to hear.
    async fn wait_in_line(&self, journey: &mut Journey, queued: &Queued, sleeping: Option<Sleeping>) {
        self.estimate(journey);
        journey.queued(&self.routed.targets[queued.candidate].name, queued);
        let began = self.shared.clock.now();
        if let Some(sleeping) = sleeping {
            sleeping.wait().await;
        }
        journey.waited_in_line(self.shared.clock.now().since(began));
    }

    async fn attempt(&mut self, journey: &mut Journey, send: &Send) -> Result<Attempted, Fault> {
        journey.started(&self.routed.targets[send.candidate], &self.accepted, send);
        let streamed = self.accepted.head.stream;
        let limit = if streamed { self.routed.timeouts.first_byte } else { self.whole_within() };
        let mut limit = self.limit(limit);
        let response = self.send(send, journey.attempts(), &mut limit).await?;
        let (parts, body) = response.into_parts();
        journey.known_upstream(&parts.headers);
        journey.stated(&headers::limits(self.routed.targets[send.candidate].upstream.limit_headers, &parts.headers));
        let mut held = self.shared.buffers.load().hold();
        let target = &self.routed.targets[send.candidate];
        if !parts.status.is_success() {
            let body = collect_within(body, &mut limit, &mut held).await.unwrap_or_default();
            return Err(refused(target, parts.status, &parts.headers, body));
        }
        let kind = headers::text(&parts.headers, &CONTENT_TYPE).unwrap_or_default();
        let media = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match (streamed, media.as_str()) {
            (true, "text/event-stream") => {
                stream::open(self, journey, send, parts, body).await.map(|o| Attempted::Opened(Box::new(o)))
            }
            (false, "application/json" | "") => {
                let body = collect_within(body, &mut limit, &mut held).await?;
                answer::read(target, parts, body, held).map(|whole| Attempted::Whole(Box::new(whole)))
            }
            (true, "application/json") => {
                let body = collect_within(body, &mut limit, &mut held).await?;
                let fault = weir_wire::classify_stream_error(target.upstream.kind, &body);
                Err(Fault {
                    class: fault.class,
                    status: Some(parts.status),
                    retry_after: fault.retry_after,
                    limit: fault.limit,
                    message: format!("a JSON body where a stream was asked for: {}", fault.message),
                    body: None,
                    request_id: headers::upstream_id(&parts.headers).map(Box::new),
                    out_of_time: false,
                    ours: None,
                })
            }
            _ => {
                let shown: String = media.chars().filter(char::is_ascii_graphic).take(60).collect();
                let message = format!("200 with content-type `{shown}`, which is no answer");
                Err(Fault { status: Some(parts.status), ..Fault::new(FaultClass::ServerError, message) })
            }
        }
    }

    /// What the client is told when nothing is left.
    fn refusal(&self, give_up: &GiveUp, mut faults: Vec<(usize, Fault)>, cannot: Option<Refusal>) -> Refusal {
        // The engine names the fault that counts: the last one, unless that one only tells of our own credentials.
        let decisive = match give_up {
            GiveUp::Fault { class, .. } => faults.iter().rposition(|(_, fault)| fault.class == *class),
            _ => faults.len().checked_sub(1),
        };
        if let Some(place) = decisive {
            let (candidate, mut fault) = faults.swap_remove(place);
            if let GiveUp::Fault { retry_after, .. } = give_up {
                fault.retry_after = fault.retry_after.or(*retry_after);
            }
            return self.last_word(candidate, fault);
        }
        match (give_up, cannot) {
            (_, Some(cannot)) => cannot,
            (GiveUp::NoDeployment { retry_after }, None) => {
                let seconds = retry_after.as_secs().max(1);
                let message = format!(
                    "every deployment of `{}` rests after failures: try again in {seconds} s",
                    self.routed.route
                );
                Refusal::weir(Cause::NoDeployment, message).retry_after(*retry_after)
            }
            (GiveUp::NoCapacity { retry_after, pool, binding }, None) => {
                Refusal::weir(Cause::CapacityExhausted, no_capacity(&self.routed.route, pool, *binding, *retry_after))
                    .retry_after(*retry_after)
            }
            _ => {
                let message = "the deadline passes before any deployment could answer: allow more time";
                Refusal::weir(Cause::CapacityExhausted, message).retry_after(Duration::from_secs(1))
            }
        }
    }
}

/// Why a request was not even sent, and what helps.
fn no_capacity(route: &str, pool: &PoolId, binding: Dimension, retry_after: Duration) -> String {
    let (seconds, limit) = (retry_after.as_secs().max(1), binding.words());
    format!(
        "no capacity for `{route}` in time: {limit} of {} `{pool}` are used up; try again in {seconds} s, or allow a longer \
         wait with the header `x-weir-deadline`",
        pool.kind()
    )
}
