//! Taking over an answer that was cut: another deployment is asked again from the start, what the client already has is
//! dropped while it matches byte for byte, and the rest goes on as if nothing had happened.
//!
//! At most once per request, and only where it is exact ([`weir_wire::Relay::can_splice`]). A second answer that differs, or
//! fails, changes nothing: the client is told of the first fault, which is the real one.

use std::sync::Arc;

use weir_ledger::{Fact, Stage};
use weir_units::FaultClass;
use weir_wire::{Progress, Relay, SpliceState};

use crate::calling::{Calling, collect_within};
use crate::fault::{Fault, refused};
use crate::settle::Journey;
use crate::stream::{Heard, Taken, Upflow, end_of, said};

/// Asks another deployment for the same answer and brings it to where the first one stopped.
///
/// # Errors
/// What the first answer had said, when nobody could take over.
pub(crate) async fn take_over(calling: &mut Calling, journey: &mut Journey, relay: Relay) -> Result<Taken, Progress> {
    let said_so_far = relay.progress().clone();
    let cut = journey.deployment();
    let send = loop {
        let now = calling.shared.clock.now();
        let found = calling.shared.decide(|engine| engine.splice(now, journey.call()));
        let Some(send) = found else {
            let why = "no other deployment can take over".to_owned();
            journey.note(Stage::Stream, Fact::SpliceFailed { from: cut, to: None, why });
            return Err(said_so_far);
        };
        if calling.prepare(send.candidate).is_ok() && calling.pay_midway(journey, &send).await {
            break send;
        }
        let now = calling.shared.clock.now();
        calling.shared.decide(|engine| engine.rule_out(now, journey.call(), send.candidate));
    };
    let target = &calling.routed.targets[send.candidate];
    let (endpoint, name, model) = (target.endpoint, Arc::clone(&target.name), target.deployment.model.to_string());
    journey.started(target, &calling.accepted, &send);
    let mut limit = calling.limit(calling.routed.timeouts.first_byte);
    let fault = match calling.send(&send, journey.attempts(), &mut limit).await {
        Err(fault) => fault,
        Ok(response) if !response.status().is_success() => {
            let (parts, body) = response.into_parts();
            journey.known_upstream(&parts.headers);
            let mut held = calling.shared.buffers.load().hold();
            let body = collect_within(body, &mut limit, &mut held).await.unwrap_or_default();
            refused(&calling.routed.targets[send.candidate], parts.status, &parts.headers, body)
        }
        Ok(response) => {
            journey.known_upstream(response.headers());
            let stall = calling.patience(calling.routed.timeouts.stall, send.candidate);
            let mut flow = Upflow::new(response.into_body(), stall, end_of(calling));
            let mut taking = relay.splice(endpoint, model);
            let mut ready = Vec::new();
            match catch_up(calling, journey, &send, &mut flow, &mut taking, &mut ready).await {
                Ok(()) => {
                    journey.note(
                        Stage::Stream,
                        Fact::Spliced { from: cut, to: name, matched_bytes: said_so_far.text_bytes },
                    );
                    return Ok(Taken { send, flow, relay: taking, ready });
                }
                Err(fault) => fault,
            }
        }
    };
    let fault = calling.judged(fault);
    journey.failed(&calling.shared, &send, &fault, true);
    journey.note(Stage::Stream, Fact::SpliceFailed { from: cut, to: Some(name), why: fault.message });
    Err(said_so_far)
}

/// Reads until the second answer has said all that the client already has.
async fn catch_up(
    calling: &Calling,
    journey: &mut Journey,
    send: &weir_engine::Send,
    flow: &mut Upflow,
    relay: &mut Relay,
    ready: &mut Vec<bytes::Bytes>,
) -> Result<(), Fault> {
    loop {
        match flow.next().await {
            Heard::Bytes(bytes) => {
                relay.push(bytes, ready);
                journey.progressed(relay.progress());
                flow.progressed();
            }
            Heard::End => {
                relay.end(ready);
                if relay.progress().spliced != Some(SpliceState::Continuing) {
                    return Err(Fault::new(FaultClass::Cut, "the second answer ended before the cut"));
                }
            }
            Heard::Broken(why) => return Err(Fault::new(FaultClass::Cut, format!("the second answer broke: {why}"))),
            Heard::Silence => return Err(Fault::new(FaultClass::Stalled, "the second answer fell silent")),
        }
        let progress = relay.progress();
        if let Some(error) = &progress.error {
            return Err(said(calling, send, error));
        }
        match progress.spliced {
            Some(SpliceState::Continuing) => {
                journey.content(&calling.shared, send);
                return Ok(());
            }
            Some(SpliceState::Mismatch) => {
                return Err(Fault::new(FaultClass::Rejected, "the second answer differs from what was sent"));
            }
            _ => {}
        }
    }
}
