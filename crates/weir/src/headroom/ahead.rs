//! What will be asked for, in words: each ceiling's peak and forecast, when it is reached, what can be done, and what happens without each
//! provider.

use weir_capacity::desk::{CeilingView, ChoiceView, Desk, date, day_or_time, deadline, percent};
use weir_engine::Zone;
use weir_units::{NanoUsd, WallTime};

use crate::terminal::{aligned, bold, numbers};
use crate::top::plain::word;

/// The whole of it, for a person.
pub(super) fn page(desk: &Desk, zone: &Zone) -> Vec<String> {
    let mut lines = vec![bold(&desk.headline(zone).1), String::new()];
    lines.extend(aligned(&table(desk, zone), 1));
    let mut reasons: Vec<&str> = desk.ceilings.iter().filter_map(|view| view.no_forecast.as_deref()).collect();
    reasons.dedup();
    lines.extend(reasons.into_iter().take(3).map(|why| format!("  {why}")));
    for view in desk.ceilings.iter().filter(|view| is_pressing(view)) {
        lines.push(String::new());
        lines.push(what_to_do(desk, view, zone));
        lines.extend(aligned(&options(view, desk.at, zone), 1));
        lines.extend(view.unknown_options.iter().map(|unknown| format!("  not counted: {unknown}")));
    }
    if !desk.failover.is_empty() {
        lines.push(String::new());
        lines.extend(desk.failover.iter().map(|one| one.words.clone()));
    }
    if !desk.budgets.is_empty() {
        lines.push(String::new());
        lines.extend(desk.budgets.iter().map(|one| budget(one, desk.at, zone)));
    }
    let model = desk.ceilings.iter().find_map(|view| view.model.as_ref());
    if let Some(model) = model {
        lines.push(String::new());
        lines.push(match (model.nights, model.coverage90) {
            (Some(nights), Some(held)) => {
                format!("model: {}; back-tested: the 90 % band held {} in {nights} nights", model.words, percent(held))
            }
            _ => format!("model: {}; too little history to test it on", model.words),
        });
    }
    lines.push(match &desk.owner {
        Some(owner) => format!("owner: {owner}"),
        None => "owner: nobody is named; add [owner] with a name to weir.toml".to_owned(),
    });
    lines
}

/// Whether something is to be done about it.
fn is_pressing(view: &CeilingView) -> bool {
    let near = view.exhaustion.is_some_and(|found| found.p10.is_some());
    !view.options.is_empty() && (view.alarms || near || view.fullest() >= 0.8)
}

fn table(desk: &Desk, zone: &Zone) -> Vec<Vec<String>> {
    let head = ["limit", "in force", "now", "peak 7 d", "forecast", "headroom", "full by (10 %)", "decide by"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    let unknown = || "—".to_owned();
    for view in &desk.ceilings {
        let first = view.exhaustion.and_then(|found| found.p10);
        rows.push(vec![
            weir_wire::shown(&view.name),
            numbers::count(view.limit),
            percent(view.now.share),
            view.peak.map_or_else(unknown, |peak| percent(peak.share)),
            view.busiest.map_or_else(unknown, |busiest| percent(busiest.share)),
            if desk.since.is_some() { percent(view.headroom()) } else { unknown() },
            first.map_or_else(unknown, |at| day_or_time(at, desk.at, zone)),
            view.decide_by.map_or_else(unknown, |by| date(by, desk.at, zone)),
        ]);
    }
    rows
}

fn what_to_do(desk: &Desk, view: &CeilingView, zone: &Zone) -> String {
    let by = view.decide_by.map(|by| format!("decide by {}", deadline(by, desk.at, zone)));
    let ask = view.contact.as_ref().map(|contact| format!("ask {contact}"));
    let tier = view.tier.as_ref().map(|tier| format!("tier {tier}"));
    let more: Vec<String> = [by, tier, ask, view.upgrade_url.clone()].into_iter().flatten().collect();
    let more = if more.is_empty() { String::new() } else { format!(" ({})", more.join("; ")) };
    weir_wire::shown(&format!("{}: what can be done{more}", view.name))
}

fn options(view: &CeilingView, now: WallTime, zone: &Zone) -> Vec<Vec<String>> {
    let head = ["  option", "headroom", "then used", "cost/month", "lead", "by"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for option in &view.options {
        rows.push(vec![
            format!("  {}", weir_wire::shown(&option.what)),
            format!("{:+.0} pp", option.gain * 100.0),
            percent(option.share_after),
            cost(option),
            format!("{} d", option.lead_s / 86_400),
            match option.by {
                None => "any day".to_owned(),
                Some(by) if by <= now => "now".to_owned(),
                Some(by) => date(by, now, zone),
            },
        ]);
    }
    rows
}

fn cost(option: &ChoiceView) -> String {
    match option.cost_per_month_usd {
        None => "—".to_owned(),
        Some(NanoUsd::ZERO) => "$0".to_owned(),
        Some(cost) => {
            let sign = if cost < NanoUsd::ZERO { '−' } else { '+' };
            format!("{sign}{}", numbers::about_dollars(NanoUsd(cost.0.saturating_abs())))
        }
    }
}

fn budget(one: &weir_capacity::desk::BudgetView, now: WallTime, zone: &Zone) -> String {
    let dollars = |dollars: f64| numbers::about_dollars(NanoUsd((dollars * 1e9).clamp(0.0, 9e18) as i64));
    let spent = format!("{} of {} spent", numbers::dollars(one.spent_usd), numbers::dollars(one.limit_usd));
    let ahead = match (&one.period_end, &one.no_forecast) {
        (Some(period), _) => {
            let [low, middle, high] = period.at_end.map(dollars);
            let gone = match period.p50 {
                _ if one.spent_usd >= one.limit_usd => "; used up".to_owned(),
                Some(at) => format!("; used up {}", day_or_time(at, now, zone)),
                None => String::new(),
            };
            let spread = if low == high { String::new() } else { format!(" ({low} – {high})") };
            format!("{middle} expected by the end of the {}{spread}{gone}", one.period)
        }
        (None, Some(why)) => why.clone(),
        (None, None) => "no forecast".to_owned(),
    };
    let unpriced = match one.unpriced {
        0 => String::new(),
        count => format!("; {} unpriced", numbers::counted(count, "request")),
    };
    weir_wire::shown(&format!("budget {}: {spent}; {ahead}{unpriced}", one.name))
}

/// The same for programs: a record a line, unknown as `-`.
pub(super) fn records(desk: &Desk) -> Vec<String> {
    let share = |share: Option<f64>| share.map_or_else(|| "-".to_owned(), |share| format!("{share:.4}"));
    let at = |at: Option<WallTime>| at.map_or_else(|| "-".to_owned(), |at| at.to_string());
    let mut lines = Vec::new();
    for view in &desk.ceilings {
        let found = view.exhaustion.unwrap_or_default();
        lines.push(format!(
            "ceiling {} {} limit={} now={} peak={} peak-at={} forecast={} forecast-at={} headroom={} full-p10={} full-p50={} \
             full-p90={} decide-by={} alarms={} no-forecast={}",
            word(&view.pool),
            view.dimension,
            view.limit,
            share(Some(view.now.share)),
            share(view.peak.map(|peak| peak.share)),
            at(view.peak.map(|peak| peak.at)),
            share(view.busiest.map(|busiest| busiest.share)),
            at(view.busiest.map(|busiest| busiest.at)),
            share(desk.since.map(|_| view.headroom())),
            at(found.p10),
            at(found.p50),
            at(found.p90),
            at(view.decide_by),
            if view.alarms { "yes" } else { "no" },
            view.no_forecast.as_deref().map_or_else(|| "-".to_owned(), word),
        ));
        for option in &view.options {
            let cost = option.cost_per_month_usd.map_or_else(|| "-".to_owned(), |cost| cost.to_string());
            lines.push(format!(
                "option {} {} kind={} gain={:.4} after={:.4} usd-a-month={cost} lead={}d what={}",
                word(&view.pool),
                view.dimension,
                option.kind,
                option.gain,
                option.share_after,
                option.lead_s / 86_400,
                word(&option.what),
            ));
        }
    }
    for one in &desk.failover {
        let holds = one.holds.map_or("-", |holds| if holds { "yes" } else { "no" });
        let (binds, full) =
            one.binds.as_ref().map_or(("-", None), |binds| (binds.name.as_str(), Some(binds.fullest())));
        lines.push(format!(
            "failover without={} holds={holds} stranded={:.4} binds={} share={}",
            word(&one.without),
            one.stranded,
            word(binds),
            share(full),
        ));
    }
    for one in &desk.budgets {
        let period = one.period_end.unwrap_or_default();
        lines.push(format!(
            "budget {} period={} limit={} spent={} expected={:.2} gone-p10={} gone-p50={} unpriced={}",
            word(&one.name),
            one.period,
            one.limit_usd,
            one.spent_usd,
            period.at_end[1],
            at(period.p10),
            at(period.p50),
            one.unpriced,
        ));
    }
    lines.push(format!("owner {}", desk.owner.as_deref().map_or_else(|| "-".to_owned(), word)));
    lines.iter().map(|line| weir_wire::shown(line)).collect()
}
