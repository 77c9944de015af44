//! `/admin/v1/plan`, and what the page of the same form shows.

use http::{Response, StatusCode, request};
use serde::Serialize;
use serde_json::json as value;
use weir_capacity::plan::{Form, Plan, Verdict, conclude};

use super::{Assumed, Progress, Unprepared, prepare};
use crate::admit::shown;
use crate::body::ReplyBody;
use crate::clock::wall;
use crate::models::percent_decoded;
use crate::reply::{Cause, Refusal, json};
use crate::state::Shared;

/// A plan, and how far its proof is.
pub(crate) struct PlanAnswer {
    pub(crate) plan: Plan,
    pub(crate) assumed: Assumed,
    pub(crate) proof: ProofState,
}

/// How far the proof of a plan is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub(crate) enum ProofState {
    /// It is in the plan.
    Done,
    /// It is being made: ask again.
    Running {
        /// Which share of it is done.
        share: f64,
    },
    /// Another is made first: ask again.
    Waiting,
    /// Nobody wanted one.
    Off,
    /// There is none, and why.
    None {
        /// Why.
        why: String,
    },
}

/// Why there is no plan.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// It was asked wrongly.
    Usage(String),
    /// Too little is known.
    Unknown(String),
    /// The ledger cannot be read.
    Ledger(String),
}

/// Works a question out.
pub(crate) async fn answer(shared: &Shared, form: &Form) -> Result<PlanAnswer, Unanswered> {
    let live = shared.live.load_full();
    let reader = shared.ledger.reader();
    // The hour that runs is not over, and a plan that changes with each look cannot be proved.
    let now = weir_units::WallTime(wall().0.div_euclid(3_600_000_000) * 3_600_000_000);
    let prepared = prepare(&live.config, Some(reader), std::slice::from_ref(form), &[], now).await;
    let prepared = prepared.map_err(|why| match why {
        Unprepared::Usage(why) => Unanswered::Usage(why),
        Unprepared::Unknown(why) => Unanswered::Unknown(why),
        Unprepared::Ledger(why) => Unanswered::Ledger(why),
    })?;
    let formula = conclude(&prepared.question(), None);
    let known = formula.verdict != Verdict::Unknown || formula.formula.missing.is_empty();
    let (plan, proof) = match form.proof {
        false => (formula, ProofState::Off),
        true if !known => (formula, ProofState::None { why: "what is missing would be missing there, too".to_owned() }),
        true => match shared.planning.proof(prepared.trial()) {
            Progress::Done(Ok(proof)) => (conclude(&prepared.question(), Some(proof)), ProofState::Done),
            Progress::Done(Err(why)) => (formula, ProofState::None { why }),
            Progress::Running(thousandths) => (formula, ProofState::Running { share: thousandths as f64 / 1e3 }),
            Progress::Waiting => (formula, ProofState::Waiting),
            Progress::Nobody => (formula, ProofState::None { why: "nobody simulates here".to_owned() }),
        },
    };
    Ok(PlanAnswer { plan, assumed: prepared.assumed, proof })
}

/// Answers the path.
pub(crate) async fn serve(shared: &Shared, parts: &request::Parts) -> Result<Response<ReplyBody>, Refusal> {
    let mut form = Form::default();
    let query = parts.uri.query().unwrap_or_default();
    for (name, text) in query.split('&').filter(|p| !p.is_empty()).map(|p| p.split_once('=').unwrap_or((p, ""))) {
        let text = percent_decoded(text);
        let wrong = |why: String| Refusal::weir(Cause::Malformed, why).param(name);
        let known = form.set(name, &text);
        let known = known.map_err(|expected| wrong(format!("`{}` is not what it takes: {expected}", shown(&text))))?;
        if !known {
            return Err(wrong(format!("`{}` is nothing here: {} are", shown(name), Form::NAMES.join(", "))));
        }
    }
    match answer(shared, &form).await {
        Ok(PlanAnswer { plan, assumed, proof }) => {
            let headline = plan.headline();
            let body = value!({ "headline": headline, "plan": plan, "assumed": assumed, "proof": proof });
            Ok(json(StatusCode::OK, format!("{body}\n")))
        }
        Err(Unanswered::Unknown(why)) => {
            Ok(json(StatusCode::OK, format!("{}\n", value!({ "headline": why, "plan": null, "reason": why }))))
        }
        Err(Unanswered::Usage(why)) => Err(Refusal::weir(Cause::Malformed, why)),
        Err(Unanswered::Ledger(error)) => {
            tracing::error!(%error, "the ledger cannot be read");
            Err(Refusal::weir(Cause::UpstreamError, "the ledger cannot be read at the moment: see the log"))
        }
    }
}
