//! The weekly report: what to decide, then what users saw, how full the ceilings are, what it cost, and how all of it was counted.

use weir_engine::Zone;
use weir_ledger::Measured;
use weir_units::numbers::{about_dollars, availability, count, counted, dollars, whole_percent};
use weir_units::{NanoUsd, WallTime};

use super::Document;
use crate::desk::{CeilingView, Desk};
use crate::readiness::words::{day, minute, percent};
use crate::readiness::{Grade, Readiness};
use crate::waste::WasteReport;

/// So many wastes are told.
const WASTES: usize = 5;
/// So many rows of anything that grows.
const ROWS: usize = 20;

/// What the report is made from.
#[derive(Clone, Debug, Default)]
pub struct Weekly {
    /// When the week begins.
    pub since: WallTime,
    /// When it ends.
    pub until: WallTime,
    /// The zone that times are said in.
    pub zone: Option<Zone>,
    /// Its name.
    pub zone_name: String,
    /// Who owns the capacity.
    pub owner: Option<String>,
    /// The ceilings and what becomes of them; none where nothing is known.
    pub desk: Option<Desk>,
    /// What users saw of all routes, then of each.
    pub users: Vec<Seen>,
    /// What each provider answered.
    pub providers: Vec<Seen>,
    /// Limits that changed, oldest first.
    pub moves: Vec<LimitMove>,
    /// What was spent on each model, the dearest first.
    pub spend: Vec<SpendLine>,
    /// What was spent in all.
    pub total: SpendLine,
    /// What was wasted.
    pub waste: Option<WasteReport>,
    /// The seven answers, and those of a week ago.
    pub readiness: Option<(Readiness, Option<Readiness>)>,
    /// The head of the audit log: its sequence number and hash.
    pub chain: Option<(u64, String)>,
}

/// What was answered of what was asked, in the week and in thirty days.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Whose.
    pub name: String,
    /// In the week.
    pub week: Measured,
    /// In thirty days.
    pub month: Measured,
}

/// A limit that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitMove {
    /// When.
    pub at: WallTime,
    /// What changed, as a sentence.
    pub words: String,
}

/// What was spent, beside the week before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpendLine {
    /// On what.
    pub name: String,
    /// Requests.
    pub requests: u64,
    /// What is known of the cost.
    pub cost: NanoUsd,
    /// Requests whose cost is unknown.
    pub unpriced: u64,
    /// The same of the week before.
    pub before: NanoUsd,
}

/// Something that somebody has to decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What.
    pub what: String,
    /// Who.
    pub owner: String,
    /// By when; none is now.
    pub by: Option<WallTime>,
    /// What it brings.
    pub effect: String,
}

impl Weekly {
    fn zone(&self) -> Zone {
        self.zone.clone().unwrap_or(Zone::UTC)
    }

    /// What is to be decided, the most pressing first.
    #[must_use]
    pub fn decisions(&self) -> Vec<Decision> {
        let owner = self.owner.clone().unwrap_or_else(|| "nobody: name one in [owner]".to_owned());
        let mut decisions = Vec::new();
        for ceiling in self.desk.iter().flat_map(|desk| &desk.ceilings) {
            let Some(by) = ceiling.decide_by else { continue };
            let (what, effect) = match ceiling.options.first() {
                Some(option) => {
                    let cost = option.cost_per_month_usd.map_or("cost unknown".to_owned(), monthly);
                    (option.what.clone(), format!("+ {:.0} pp headroom, {cost}", option.gain * 100.0))
                }
                None => ("ask for a higher limit".to_owned(), "effect unknown".to_owned()),
            };
            let what = format!("{}: {what}", ceiling.name);
            decisions.push(Decision { what, owner: owner.clone(), by: Some(by), effect });
        }
        for failover in self.desk.iter().flat_map(|desk| &desk.failover).filter(|one| one.holds == Some(false)) {
            let effect = match &failover.binds {
                Some(binds) if failover.stranded <= 0.001 => format!("else {}", binds.words(percent)),
                _ => format!("else {} of its requests have nowhere to go", percent(failover.stranded)),
            };
            let what = format!("without {}: add room or another provider", failover.without);
            decisions.push(Decision { what, owner: owner.clone(), by: None, effect });
        }
        for answer in self.readiness.iter().flat_map(|(now, _)| &now.answers).filter(|a| a.grade == Grade::Fail) {
            let Some(action) = &answer.action else { continue };
            let effect = format!("question {} passes", answer.question);
            decisions.push(Decision { what: action.clone(), owner: owner.clone(), by: None, effect });
        }
        decisions.sort_by_key(|decision| decision.by.unwrap_or(WallTime(i64::MAX)));
        decisions
    }

    /// The report in one sentence.
    #[must_use]
    pub fn headline(&self) -> String {
        let zone = &self.zone();
        let saw = self.users.first().filter(|seen| seen.week.asked > 0);
        let saw = saw.map_or("Nothing was asked.".to_owned(), |seen| {
            let Measured { answered, asked } = seen.week;
            format!("Users saw {} of {} answered.", availability(answered, asked), counted(asked, "request"))
        });
        let soonest = self.desk.iter().flat_map(|desk| &desk.ceilings).filter(|ceiling| ceiling.decide_by.is_some());
        if let Some(ceiling) = soonest.min_by_key(|ceiling| ceiling.decide_by) {
            let full = ceiling.exhaustion.and_then(|found| found.p50.or(found.p10));
            let full = full.map_or("may be reached".to_owned(), |at| format!("is full by {}", day(at, zone)));
            let by = ceiling.decide_by.map_or(String::new(), |by| {
                let late = if by < self.until { ", which is past" } else { "" };
                format!(": decide by {}{late}", day(by, zone))
            });
            return format!("{} {full}{by}. {saw}", ceiling.name);
        }
        let fails = self.readiness.as_ref().map_or(0, |(now, _)| now.count(Grade::Fail));
        match fails {
            0 => format!("Nothing is to be decided. {saw}"),
            1 => format!("1 question of readiness fails. {saw}"),
            more => format!("{more} questions of readiness fail. {saw}"),
        }
    }

    /// The whole report.
    #[must_use]
    pub fn document(&self) -> Document {
        let zone = &self.zone();
        let mut report = Document::new(format!("Capacity report, week to {}", day(self.until, zone)));
        report.lead(self.headline());
        report.text(format!(
            "{} to {} {}. Owner: {}.",
            minute(self.since, zone),
            minute(self.until, zone),
            self.zone_name,
            self.owner.as_deref().unwrap_or("nobody; name one in `[owner]`")
        ));
        self.decide(&mut report);
        self.availability(&mut report);
        self.headroom(&mut report);
        report.heading("Limits that changed");
        let moves = self.moves.iter().rev().take(ROWS).rev();
        let moves = moves.map(|moved| format!("{}: {}", minute(moved.at, zone), moved.words)).collect::<Vec<_>>();
        if moves.is_empty() {
            report.text("None.");
        }
        report.list(moves);
        self.money(&mut report);
        self.wastes(&mut report);
        self.seven(&mut report);
        self.counted(&mut report);
        report
    }

    fn decide(&self, report: &mut Document) {
        report.heading("Decisions wanted");
        let by = |by: Option<WallTime>| match by {
            None => "now".to_owned(),
            Some(at) if at < self.until => format!("{} (overdue)", day(at, &self.zone())),
            Some(at) => day(at, &self.zone()),
        };
        let rows = self.decisions().into_iter().take(ROWS);
        let rows = rows.map(|one| vec![one.what, one.owner, by(one.by), one.effect]).collect();
        report.table(&["what", "owner", "by", "effect"], 4, rows, "None this week.");
    }

    fn availability(&self, report: &mut Document) {
        report.heading("Availability: what users saw, and what providers did");
        let said = |measured: Measured| availability(measured.answered, measured.asked);
        let row = |what: &str, seen: &Seen| {
            vec![what.to_owned(), seen.name.clone(), said(seen.week), count(seen.week.asked), said(seen.month)]
        };
        let users = self.users.iter().take(ROWS).map(|seen| row("users of", seen));
        let rows = users.chain(self.providers.iter().take(ROWS).map(|seen| row("provider", seen))).collect();
        report.table(&["", "name", "week", "asked", "30 d"], 2, rows, "Nothing was asked.");
        report.text(
            "Users: requests answered with a status below 400. Providers: calls answered, of those that they were to answer; 429s and \
             faults of requests count neither way.",
        );
    }

    fn headroom(&self, report: &mut Document) {
        report.heading("Headroom");
        let ceilings = self.desk.iter().flat_map(|desk| &desk.ceilings).take(ROWS);
        let rows = ceilings.map(|ceiling| self.ceiling(ceiling)).collect();
        let head = ["limit", "of", "now", "peak 7 d", "forecast", "full by (10–90 %)", "decide by"];
        let otherwise = "No limit is known: declare what the accounts have, `limits = { requests-per-minute = … }`.";
        report.table(&head, 1, rows, otherwise);
        let words = self.desk.iter().flat_map(|desk| &desk.failover).map(|failover| failover.words.clone());
        report.list(words.collect());
    }

    fn ceiling(&self, ceiling: &CeilingView) -> Vec<String> {
        let date = |at: WallTime| day(at, &self.zone());
        let unknown = || "—".to_owned();
        let full = ceiling.exhaustion.map(|found| match (found.p10, found.p90) {
            (Some(first), Some(last)) if date(first) == date(last) => date(first),
            (Some(first), Some(last)) => format!("{} – {}", date(first), date(last)),
            (Some(first), None) => format!("{} at the soonest", date(first)),
            _ => format!("not before {}", date(found.until)),
        });
        vec![
            ceiling.name.clone(),
            count(ceiling.limit),
            whole_percent(ceiling.now.share),
            ceiling.peak.map_or_else(unknown, |peak| whole_percent(peak.share)),
            ceiling.busiest.map_or_else(unknown, |busiest| whole_percent(busiest.share)),
            full.or_else(|| ceiling.no_forecast.clone()).unwrap_or_else(unknown),
            ceiling.decide_by.map_or_else(unknown, date),
        ]
    }

    fn money(&self, report: &mut Document) {
        report.heading("Spend");
        let row = |line: &SpendLine| {
            vec![line.name.clone(), count(line.requests), spent(line), dollars(line.before), against(line)]
        };
        let mut rows: Vec<Vec<String>> = self.spend.iter().take(ROWS).map(row).collect();
        if !rows.is_empty() {
            rows.push(row(&SpendLine { name: "all".to_owned(), ..self.total.clone() }));
        }
        report.table(&["model", "requests", "this week", "week before", "change"], 1, rows, "Nothing was spent.");
        let budgets = self.desk.iter().flat_map(|desk| &desk.budgets);
        let budgets = budgets.map(|budget| {
            let used = ratio(budget.spent_usd, budget.limit_usd).map_or("—".to_owned(), percent);
            let end = match budget.period_end.and_then(|end| end.p50) {
                _ if budget.spent_usd >= budget.limit_usd => "; used up".to_owned(),
                Some(at) => format!("; used up {} at this rate", day(at, &self.zone())),
                None => String::new(),
            };
            let unpriced =
                if budget.unpriced > 0 { format!(" + {} unpriced", count(budget.unpriced)) } else { String::new() };
            format!(
                "budget {}: {} of {} for the {} spent ({used}){unpriced}{end}",
                budget.name,
                dollars(budget.spent_usd),
                dollars(budget.limit_usd),
                budget.period
            )
        });
        report.list(budgets.collect());
    }

    fn wastes(&self, report: &mut Document) {
        report.heading("The largest wastes");
        let Some(waste) = &self.waste else { return report.text("Not known.") };
        let mut kinds: Vec<_> = waste.kinds.iter().filter(|kind| !kind.room).collect();
        kinds.sort_by_key(|kind| std::cmp::Reverse((kind.lost.cost, kind.lost.tokens)));
        let rows = kinds.into_iter().take(WASTES).map(|kind| {
            let about = if kind.estimate { "≈ " } else { "" };
            vec![
                kind.title.clone(),
                kind.remedy.clone(),
                format!("{about}{}", dollars(kind.lost.cost)),
                kind.worth.map_or("—".to_owned(), |worth| format!("{about}{}", about_dollars(worth))),
            ]
        });
        report.table(&["kind", "remedy", "this week", "worth a year"], 2, rows.collect(), "Nothing was wasted.");
    }

    fn seven(&self, report: &mut Document) {
        report.heading("Readiness");
        let Some((now, before)) = &self.readiness else { return report.text("Not asked.") };
        report.text(format!("{}.", now.headline()));
        let grade = |grade: Grade| match grade {
            Grade::Pass => "pass",
            Grade::Fail => "fail",
            Grade::Unknown => "not enough data",
        };
        let rows = now.answers.iter().map(|answer| {
            let was = before.as_ref().and_then(|before| before.answers.iter().find(|b| b.question == answer.question));
            let moved = match was {
                Some(was) if was.grade != answer.grade => format!("was: {}", grade(was.grade)),
                Some(_) => "as before".to_owned(),
                None => "—".to_owned(),
            };
            vec![answer.question.to_string(), grade(answer.grade).to_owned(), answer.answer.clone(), moved]
        });
        report.table(&["", "grade", "answer", "a week ago"], 4, rows.collect(), "");
        report.heading("Drills");
        let drills = now.answers.iter().filter(|answer| matches!(answer.question, 2 | 6));
        let lines: Vec<String> = drills.flat_map(|answer| answer.evidence.clone()).take(ROWS).collect();
        if lines.is_empty() {
            report.text("None was simulated, and no secondary was called.");
        }
        report.list(lines);
    }

    fn counted(&self, report: &mut Document) {
        report.heading("How far the forecast was off");
        let models = self.desk.iter().flat_map(|desk| &desk.ceilings).filter_map(|ceiling| {
            let model = ceiling.model.as_ref()?;
            let nights = model.nights?;
            Some(vec![
                ceiling.name.clone(),
                model.words.clone(),
                count(u64::from(nights)),
                model.error.map_or("—".to_owned(), percent),
                model.coverage90.map_or("—".to_owned(), percent),
            ])
        });
        let head = ["limit", "model", "nights", "mean error", "within the 90 % band"];
        report.table(&head, 2, models.take(ROWS).collect(), "Too few nights of history to try it on.");
        report.heading("How it was counted");
        report.text(
            "Demand is what was asked for, whether or not it was served. A peak is the 95th percentile of the minutes of the busiest \
             hour. Dates are the 10th and 90th percentile of simulated futures. An unknown price is counted beside a sum and is not zero \
             in it. What each question of readiness asks is in docs/guide/readiness.md, what to do in docs/runbook.md.",
        );
        if let Some((sequence, hash)) = &self.chain {
            report.text(format!("Audit log: entry {sequence}, {hash}."));
        }
    }
}

fn monthly(cost: NanoUsd) -> String {
    match cost.0 {
        0 => "$0 a month".to_owned(),
        below if below < 0 => format!("−{} a month", about_dollars(NanoUsd(below.saturating_neg()))),
        _ => format!("+{} a month", about_dollars(cost)),
    }
}

fn spent(line: &SpendLine) -> String {
    let unpriced = if line.unpriced > 0 { format!(" + {} unpriced", count(line.unpriced)) } else { String::new() };
    format!("{}{unpriced}", dollars(line.cost))
}

/// What it changed by; unknown where there was nothing before.
fn against(line: &SpendLine) -> String {
    match ratio(line.cost, line.before) {
        Some(ratio) if ratio >= 1.0 => format!("+{}", percent(ratio - 1.0)),
        Some(ratio) => format!("−{}", percent(1.0 - ratio)),
        None => "—".to_owned(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share for people")]
fn ratio(part: NanoUsd, of: NanoUsd) -> Option<f64> {
    (of.0 > 0).then(|| part.0 as f64 / of.0 as f64)
}
