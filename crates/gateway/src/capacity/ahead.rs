//! What of the desk's figures somebody is to be told.

use std::sync::Arc;

use weir_capacity::desk::{BudgetView, CeilingView, ChoiceView, Desk};
use weir_engine::alerts::{BudgetAhead, CeilingAhead};
use weir_units::{Dimension, NanoUsd, numbers};

/// From which probability on a budget is expected not to last.
const LIKELY: f64 = 0.5;

/// Ceilings and budgets that are worth an alert.
#[derive(Default)]
pub(crate) struct Ahead {
    pub(crate) ceilings: Vec<CeilingAhead>,
    pub(crate) budgets: Vec<BudgetAhead>,
}

/// What somebody is to be told.
pub(crate) fn ahead(desk: &Desk) -> Ahead {
    let ceilings = desk.ceilings.iter().filter(|view| view.alarms).filter_map(|view| ceiling(desk, view));
    let budgets = desk.budgets.iter().filter_map(budget);
    Ahead { ceilings: ceilings.collect(), budgets: budgets.collect() }
}

fn ceiling(desk: &Desk, view: &CeilingView) -> Option<CeilingAhead> {
    let whole = |amount: f64| amount.round().clamp(0.0, 9e18) as u64;
    let found = view.exhaustion.unwrap_or_default();
    let failover = desk.failover.iter().find(|one| view.providers.contains(&one.without));
    Some(CeilingAhead {
        pool: view.pool.as_str().into(),
        dimension: Dimension::from_name(&view.dimension)?,
        limit: view.limit,
        share_ppm: whole(view.fullest() * 1e6),
        peak: view.peak.map(|peak| whole(peak.amount)),
        ahead: view.busiest.map(|busiest| whole(busiest.p50)),
        dates: [found.p10, found.p50, found.p90],
        decide_by: view.decide_by,
        options: view.options.iter().map(option).collect(),
        failover: failover.map(|one| one.words.as_str().into()),
    })
}

/// An option with what it brings: `spill 20 % of route smart to b/y (+24 pp, +$310 a month)`.
fn option(choice: &ChoiceView) -> Arc<str> {
    let gain = format!("{:+.0} pp", choice.gain * 100.0);
    let cost = match choice.cost_per_month_usd {
        None => "cost unknown".to_owned(),
        Some(NanoUsd::ZERO) => "$0 a month".to_owned(),
        Some(cost) => {
            let sign = if cost < NanoUsd::ZERO { '−' } else { '+' };
            format!("{sign}{} a month", numbers::about_dollars(NanoUsd(cost.0.saturating_abs())))
        }
    };
    let lead = match choice.lead_s / 86_400 {
        0 => String::new(),
        days => format!(", {days} d"),
    };
    format!("{} ({gain}, {cost}{lead})", choice.what).into()
}

fn budget(view: &BudgetView) -> Option<BudgetAhead> {
    let period = view.period_end.filter(|period| period.probability >= LIKELY)?;
    // What is spent already is told by another rule.
    if view.spent_usd >= view.limit_usd {
        return None;
    }
    let nanos = |dollars: f64| NanoUsd((dollars * 1e9).clamp(0.0, 9e18) as i64);
    Some(BudgetAhead {
        name: view.name.as_str().into(),
        limit: view.limit_usd,
        spent: view.spent_usd,
        expected: nanos(period.at_end[1]),
        probability_ppm: (period.probability.clamp(0.0, 1.0) * 1e6) as u32,
        dates: [period.p10, period.p50, period.p90],
        unpriced: view.unpriced,
    })
}

#[cfg(test)]
mod tests {
    use weir_capacity::desk::{ExhaustionView, Failover, PeriodView};
    use weir_units::WallTime;

    use super::*;

    #[test]
    fn only_what_is_due_is_told_with_options_in_words() {
        let at = Some(WallTime(1_795_013_220_000_000));
        let choice = |what: &str, gain, cost: Option<i64>, lead_s| ChoiceView {
            what: what.into(),
            gain,
            cost_per_month_usd: cost.map(NanoUsd),
            lead_s,
            ..ChoiceView::default()
        };
        let view = |alarms| CeilingView {
            pool: "gpt-5".into(),
            dimension: "tokens-per-minute".into(),
            providers: vec!["openai".into()],
            exhaustion: Some(ExhaustionView { p10: at, ..ExhaustionView::default() }),
            options: vec![
                choice("tier upgrade", 0.38, Some(0), 864_000),
                choice("move nightly-eval", 0.11, Some(-420_000_000_000), 0),
                choice("spill", 0.24, None, 0),
            ],
            alarms,
            ..CeilingView::default()
        };
        let failover =
            Failover { without: "openai".into(), words: "without openai: …".into(), ..Failover::default() };
        let desk = Desk { ceilings: vec![view(true), view(false)], failover: vec![failover], ..Desk::default() };
        let told = ahead(&desk).ceilings;
        assert_eq!((told.len(), told[0].dates[0], told[0].failover.as_deref()), (1, at, Some("without openai: …")));
        let options: Vec<&str> = told[0].options.iter().map(|option| &**option).collect();
        assert_eq!(
            options,
            [
                "tier upgrade (+38 pp, $0 a month, 10 d)",
                "move nightly-eval (+11 pp, −$420 a month)",
                "spill (+24 pp, cost unknown)",
            ]
        );
    }

    #[test]
    fn a_budget_is_told_when_it_likely_does_not_last_and_is_not_gone() {
        let view = |probability, spent| BudgetView {
            name: "team-a".into(),
            limit_usd: NanoUsd(100),
            spent_usd: NanoUsd(spent),
            period_end: Some(PeriodView { probability, at_end: [1.0, 2.0, 3.0], ..PeriodView::default() }),
            ..BudgetView::default()
        };
        let budgets = vec![view(0.49, 1), view(0.51, 1), view(1.0, 100)];
        let told = ahead(&Desk { budgets, ..Desk::default() }).budgets;
        assert_eq!((told.len(), told[0].probability_ppm, told[0].expected), (1, 510_000, NanoUsd(2_000_000_000)));
    }
}
