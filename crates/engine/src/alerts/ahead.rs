//! What is ahead: ceilings and budgets that forecasts say are reached sooner than more could be there.
//!
//! The forecast is made elsewhere, and so is whether it is worth an alarm, with a threshold to begin and a lower one to end. Here it
//! becomes an alert, which is told again when the day comes too near for more to be there in time.

use super::observed::{BudgetAhead, CeilingAhead};
use super::rule::{AlertRule, Severity};
use super::settings::AlertSettings;
use super::symptom::{Evidence, Symptom};
use weir_units::WallTime;

/// Ceilings that will be reached.
pub(super) fn ceilings(now: WallTime, settings: &AlertSettings, seen: &[CeilingAhead]) -> Vec<Symptom> {
    let too_late = now + settings.owner.lead_time;
    let symptom = |one: &CeilingAhead| {
        let late = one.dates[1].is_some_and(|likely| likely <= too_late);
        Symptom {
            rule: AlertRule::CeilingAhead,
            about: format!("{} {}", one.pool, one.dimension.words()).into(),
            severity: Severity::Warning,
            opens: true,
            size: one.share_ppm,
            step: if late { 2 } else { 1 },
            evidence: Evidence::CeilingAhead(Box::new(one.clone())),
        }
    };
    seen.iter().map(symptom).collect()
}

/// Budgets that do not last.
pub(super) fn budgets(seen: &[BudgetAhead]) -> Vec<Symptom> {
    let symptom = |one: &BudgetAhead| Symptom {
        rule: AlertRule::BudgetAhead,
        about: one.name.clone(),
        severity: Severity::Warning,
        opens: true,
        size: u64::from(one.probability_ppm),
        step: 1,
        evidence: Evidence::BudgetAhead(Box::new(one.clone())),
    };
    seen.iter().map(symptom).collect()
}
