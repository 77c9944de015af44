//! A plan on a terminal: the answer first, then each limit, the proof, what would do, and what it costs.

use weir_capacity::plan::{Basis, LimitNeed, Plan, Proof, Without, duration, figure, percent, wait};
use weir_gateway::Prepared;
use weir_units::Dimension;

use crate::terminal::{aligned, bold, numbers, print, shown};

/// Prints it.
pub(super) fn show(plan: &Plan, prepared: &Prepared) {
    print(bold(&shown(&plan.headline())));
    if !plan.formula.limits.is_empty() {
        let mut rows = vec![["  limit", "needs", "has", "use", "peak use", ""].map(str::to_owned).to_vec()];
        rows.extend(plan.formula.limits.iter().map(row));
        aligned(&rows, 1).iter().for_each(|line| print(shown(line)));
    }
    for (label, text) in lines(plan, prepared) {
        print(shown(&format!("  {label:<9}{text}")));
    }
}

fn row(limit: &LimitNeed) -> Vec<String> {
    vec![
        format!("  {}", limit.name()),
        if limit.needs < 9.95 { format!("{:.1}", limit.needs) } else { figure(limit.needs) },
        numbers::short(limit.has),
        percent(limit.mean_use),
        percent(limit.peak_use),
        if limit.binds { "binds".to_owned() } else { String::new() },
    ]
}

fn lines(plan: &Plan, prepared: &Prepared) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    let deadline = duration(plan.deadline_s);
    for missing in plan.formula.missing.iter().chain(&plan.cost.unpriced) {
        lines.push(("missing", format!("the {} of {}: {}", missing.what, missing.of, missing.declare)));
    }
    if let Some(proof) = &plan.proof {
        lines.push(("proof", proof_line(proof, &deadline)));
        if let Some(peak) = proof_peaks(proof) {
            lines.push(("", peak));
        }
    }
    if !plan.formula.limits.is_empty() {
        lines.push((
            "formula",
            format!(
                "P(wait) {}, P(wait > {deadline}) {}; {}",
                percent(plan.formula.p_wait),
                percent(plan.formula.p_late),
                wait(plan.formula.wait_p95_s)
            ),
        ));
    }
    match (plan.differs, plan.basis) {
        (true, Basis::Simulation) => lines.push(("", "the two differ: the simulation is believed".to_owned())),
        (_, Basis::FormulaAlone) => {
            let rest =
                "more is asked than the first deployment has: the rest waits and sends less, or goes to the next";
            lines.push(("", rest.to_owned()));
        }
        _ => {}
    }
    if let Some(fits) = plan.fits_at() {
        lines.push(("fits at", fits));
    }
    lines.push(("cost", cost(plan)));
    for without in &plan.failover {
        lines.push(("", without_line(without)));
    }
    if let Some(own) = &plan.self_hosted {
        lines.push(("own", own.sentence()));
    }
    for (place, load) in prepared.assumed.loads.iter().enumerate() {
        let seconds = prepared.assumed.latency_s.get(place).copied().unwrap_or_default();
        let from = prepared.assumed.latency_from.get(place).copied().unwrap_or_default();
        lines
            .push((if place == 0 { "of" } else { "and" }, format!("{load}, {} an answer ({from})", duration(seconds))));
    }
    lines.push(("beside", prepared.assumed.existing.clone()));
    lines
}

fn proof_line(proof: &Proof, deadline: &str) -> String {
    format!(
        "simulated {:.0} min, seed {}: P(wait) {}, P(wait > {deadline}) {}, 429s {}; {}",
        proof.minutes,
        proof.seed,
        percent(proof.p_wait),
        percent(proof.p_late),
        percent(proof.refused_429),
        wait(Some(proof.wait_p95_s)),
    )
}

/// How full limits were in the simulation.
fn proof_peaks(proof: &Proof) -> Option<String> {
    let of = |limit: &weir_capacity::plan::TrialLimit| {
        let words =
            if limit.dimension == Dimension::ConcurrentRequests { "in flight" } else { limit.dimension.words() };
        format!("{} {words} {}", limit.pool, percent(limit.peak / (limit.limit as f64).max(1.0)))
    };
    let all: Vec<String> = proof.limits.iter().map(of).collect();
    (!all.is_empty()).then(|| format!("peak use as simulated: {}", all.join(", ")))
}

fn cost(plan: &Plan) -> String {
    let usd = plan.cost.usd.map_or_else(
        || "—: a price is not known".to_owned(),
        |usd| format!("≈ {} a month", numbers::about_dollars(usd)),
    );
    let calendar = plan.cost.calendar;
    format!("{usd} at {} h on {} days, {} requests", calendar.hours, calendar.days, numbers::short(plan.cost.requests))
}

fn without_line(without: &Without) -> String {
    let what = match (without.fits, &without.binds) {
        (Some(true), Some(binds)) => format!("fits, {} at {}", binds.name(), percent(binds.peak_use)),
        (Some(true), None) => "fits".to_owned(),
        (Some(false), _) if !without.stranded.is_empty() => {
            format!("nobody is left for {}", without.stranded.join(", "))
        }
        (Some(false), Some(binds)) => format!("does not fit: {} at {}", binds.name(), percent(binds.peak_use)),
        (Some(false), None) => "does not fit".to_owned(),
        (None, _) => "not known: a limit is not declared".to_owned(),
    };
    format!("without {}: {what}", without.provider)
}
