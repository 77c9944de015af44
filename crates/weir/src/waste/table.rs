//! A waste report: a sentence, tables and remedies for a person; a record a line for a program.

use weir_capacity::waste::{KindReport, Lost, NameReport, WasteReport};
use weir_units::NanoUsd;

use crate::terminal::{aligned, bold, moves, numbers, print, shown};
use crate::top::plain::word;
use crate::top::words;

/// Prints the report.
pub(super) fn show(report: &WasteReport) {
    if moves() {
        print(bold(&shown(&report.headline)));
        print(shown(&person(report).join("\n")));
    } else {
        print(lines(report).join("\n"));
    }
}

/// What is known of the cost, and how often it is not.
fn amount(lost: &Lost) -> String {
    match lost.unpriced {
        0 => numbers::dollars(lost.cost),
        unpriced if lost.cost == NanoUsd::ZERO => format!("{} unpriced", numbers::count(unpriced)),
        unpriced => format!("{} + {} unpriced", numbers::dollars(lost.cost), numbers::count(unpriced)),
    }
}

fn worth(worth: Option<NanoUsd>) -> String {
    worth.map_or_else(|| "—".to_owned(), |worth| format!("≈ {}", numbers::about_dollars(worth)))
}

fn name(name: &str) -> String {
    words::cut(&weir_wire::shown(name), 40)
}

fn person(report: &WasteReport) -> Vec<String> {
    let minute = |at: &str| at.get(..16).unwrap_or(at).replace('T', " ");
    let requests = numbers::counted(report.requests, "request");
    let mut lines = vec![format!("{requests} from {} to {} UTC", minute(&report.since), minute(&report.until))];
    if !report.kinds.is_empty() {
        let head = ["kind", "who", "cost", "tokens", "times", "effort", "worth/year"];
        let mut rows = vec![head.map(str::to_owned).to_vec()];
        for kind in &report.kinds {
            let who = kind.leaders.iter().find(|leader| leader.by == report.by);
            rows.push(vec![
                kind.title.clone(),
                who.map_or_else(|| "—".to_owned(), |leader| name(&leader.name)),
                if kind.room { "—".to_owned() } else { about(kind) },
                if kind.room {
                    format!("{} held", numbers::short(kind.lost.tokens))
                } else {
                    numbers::short(kind.lost.tokens)
                },
                numbers::count(kind.lost.times),
                kind.effort.name().to_owned(),
                worth(kind.worth),
            ]);
        }
        lines.push(String::new());
        lines.extend(aligned(&rows, 2));
        lines.push(String::new());
        for (place, kind) in report.kinds.iter().enumerate() {
            lines.push(format!("{}. {} (effort {})", place + 1, kind.remedy, kind.effort.name()));
            lines.push(format!("   counted: {}", kind.counts));
            lines.push(format!("   not counted: {}", kind.leaves_out));
        }
    }
    if !report.rows.is_empty() {
        let head = [report.by.name(), "most of it", "cost", "tokens", "times", "worth/year"];
        let mut rows = vec![head.map(str::to_owned).to_vec()];
        rows.extend(report.rows.iter().map(of_name));
        if let Some(rest) = &report.rest {
            let cells = [format!("{} more", numbers::count(rest.names)), "—".to_owned()];
            rows.push(cells.into_iter().chain(figures(&rest.lost)).chain(["—".to_owned()]).collect());
        }
        lines.push(String::new());
        lines.extend(aligned(&rows, 2));
    }
    lines.extend(report.not_known.iter().map(|why| format!("? {why}")));
    if report.is_short && report.any() {
        let seen = numbers::micros(report.seen_s.saturating_mul(1_000_000));
        lines.push(format!("? a year's worth is scaled from {seen}: less than a day, so a guess"));
    }
    lines
}

fn about(kind: &KindReport) -> String {
    format!("{}{}", if kind.estimate { "≈ " } else { "" }, amount(&kind.lost))
}

fn figures(lost: &Lost) -> [String; 3] {
    [amount(lost), numbers::short(lost.tokens), numbers::count(lost.times)]
}

fn of_name(row: &NameReport) -> Vec<String> {
    let who = row.name.as_deref().map_or_else(|| "—".to_owned(), name);
    [who, row.most.title().to_owned()].into_iter().chain(figures(&row.lost)).chain([worth(row.worth)]).collect()
}

fn lines(report: &WasteReport) -> Vec<String> {
    let usd = |amount: Option<NanoUsd>| amount.map_or_else(|| "-".to_owned(), |amount| amount.to_string());
    let lost = |lost: &Lost| {
        format!("cost-usd={} cost-unknown={} tokens={} times={}", lost.cost, lost.unpriced, lost.tokens, lost.times)
    };
    let mut lines = vec![format!("# {}", shown(&report.headline))];
    for kind in &report.kinds {
        let requests = kind.lost.requests.unwrap_or(kind.lost.times);
        let leader = kind.leaders.iter().find(|leader| leader.by == report.by);
        lines.push(format!(
            "waste {} {} requests={requests} {}={} effort={} worth-a-year-usd={} remedy={}",
            kind.kind.name(),
            lost(&kind.lost),
            report.by.name(),
            leader.map_or_else(|| "-".to_owned(), |leader| word(&weir_wire::shown(&leader.name))),
            kind.effort.name(),
            usd(kind.worth),
            shown(&kind.remedy),
        ));
    }
    for row in &report.rows {
        let name = row.name.as_deref().map_or_else(|| "-".to_owned(), |name| word(&weir_wire::shown(name)));
        let worth = usd(row.worth);
        let most = row.most.name();
        lines.push(format!("by {}={name} {} most={most} worth-a-year-usd={worth}", report.by.name(), lost(&row.lost)));
    }
    lines.extend(report.rest.iter().map(|rest| format!("rest names={} {}", rest.names, lost(&rest.lost))));
    lines.push(format!(
        "total {} of-cost-usd={} of-cost-unknown={} requests={} attempts={} seen-s={} worth-a-year-usd={}",
        lost(&report.wasted),
        report.cost,
        report.unpriced,
        report.requests,
        report.attempts,
        report.seen_s,
        usd(report.worth)
    ));
    lines.extend(report.not_known.iter().map(|why| format!("? {}", shown(why))));
    lines
}
