//! The report: kinds with the cheapest remedy first, what each is worth in a year, and who is behind it.

use serde::{Deserialize, Serialize};
use weir_units::{NanoUsd, WallTime};

use super::figures::{By, Lost, WasteFigures, dollars, dollars_if_known};
use super::kind::{Effort, Kind};
use super::words;

const DAY: i64 = 86_400_000_000;
const YEAR: i64 = 365 * DAY;
/// A year's worth is never scaled up from less than this.
const LEAST: i64 = 60_000_000;

/// What of a range served nobody.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WasteReport {
    /// The range, in RFC 3339.
    pub since: String,
    /// Its end.
    pub until: String,
    /// How many seconds figures were scaled to a year from: those of the range, from the first request on.
    pub seen_s: u64,
    /// Less than a day was seen, so that what a year is worth is little more than a guess.
    pub is_short: bool,
    /// Requests looked at.
    pub requests: u64,
    /// Calls upstream.
    pub attempts: u64,
    /// Tokens of both kinds.
    pub tokens: u64,
    /// What is known of what they cost.
    #[serde(rename = "cost_usd", with = "dollars")]
    pub cost: NanoUsd,
    /// Requests whose cost is unknown.
    #[serde(rename = "cost_unknown")]
    pub unpriced: u64,
    /// All that was lost, without room of limits.
    pub wasted: Lost,
    /// What that is worth in a year.
    #[serde(rename = "worth_a_year_usd", with = "dollars_if_known")]
    pub worth: Option<NanoUsd>,
    /// What it comes to in one sentence.
    pub headline: String,
    /// The kinds that occurred, the cheapest remedy first.
    pub kinds: Vec<KindReport>,
    /// What rows are told apart by.
    pub by: By,
    /// Who lost the most, first.
    pub rows: Vec<NameReport>,
    /// What is not told one by one.
    pub rest: Option<Rest>,
    /// What is not known, each with its reason, as sentences.
    pub not_known: Vec<String>,
}

/// One kind of waste.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KindReport {
    /// Which.
    pub kind: Kind,
    /// What people call it.
    pub title: String,
    /// What was lost.
    #[serde(flatten)]
    pub lost: Lost,
    /// All of the dollars are estimates.
    pub estimate: bool,
    /// The tokens are room of a limit, and nobody paid for them.
    pub room: bool,
    /// What helps.
    pub remedy: String,
    /// How much work that is.
    pub effort: Effort,
    /// What it is worth in a year; unknown where nothing is known of the cost.
    #[serde(rename = "worth_a_year_usd", with = "dollars_if_known")]
    pub worth: Option<NanoUsd>,
    /// Who lost the most by it: of each sort the first, where there is one.
    pub leaders: Vec<Leader>,
    /// How it is counted.
    pub counts: String,
    /// What it does not count.
    pub leaves_out: String,
}

/// Who lost the most.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leader {
    /// Of which sort the name is.
    pub by: By,
    /// The name.
    pub name: String,
    /// What was lost.
    #[serde(flatten)]
    pub lost: Lost,
}

/// What somebody lost, for all reasons together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameReport {
    /// Who; none for requests that have none.
    pub name: Option<String>,
    /// What was lost, without room of limits.
    #[serde(flatten)]
    pub lost: Lost,
    /// The kind that most of it is of.
    pub most: Kind,
    /// What it is worth in a year.
    #[serde(rename = "worth_a_year_usd", with = "dollars_if_known")]
    pub worth: Option<NanoUsd>,
}

/// Names that are not told one by one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rest {
    /// How many.
    pub names: u64,
    /// What they lost.
    #[serde(flatten)]
    pub lost: Lost,
}

impl WasteReport {
    /// Makes the report. So many names at most are told one by one.
    #[must_use]
    pub fn of(figures: &WasteFigures, by: By, top: usize) -> Self {
        let first = figures.first.unwrap_or(figures.since).max(figures.since);
        let seen = figures.until.0.saturating_sub(first.0).max(LEAST);
        let mut wasted = Lost::default();
        for (_, lost) in figures.kinds().iter().filter(|(kind, _)| !kind.is_room()) {
            wasted.add(lost);
        }
        let mut kinds: Vec<KindReport> = figures
            .kinds()
            .iter()
            .filter(|(_, lost)| lost.times > 0)
            .map(|(k, lost)| kind(figures, *k, lost, seen))
            .collect();
        kinds.sort_by_key(rank);
        let (rows, rest) = rows(figures, by, top, seen);
        let time = |at: WallTime| at.to_string();
        let mut report = Self {
            since: time(figures.since),
            until: time(figures.until),
            seen_s: u64::try_from(seen / 1_000_000).unwrap_or_default(),
            is_short: seen < DAY,
            requests: figures.requests,
            attempts: figures.attempts,
            tokens: figures.tokens,
            cost: figures.cost,
            unpriced: figures.unpriced,
            wasted,
            worth: worth(&wasted, seen),
            headline: String::new(),
            kinds,
            by,
            rows,
            rest,
            not_known: words::not_known(figures, by),
        };
        report.headline = words::headline(&report);
        report
    }

    /// Whether anything was lost that somebody paid for.
    #[must_use]
    pub fn any(&self) -> bool {
        self.wasted.times > 0
    }
}

fn kind(figures: &WasteFigures, kind: Kind, lost: &Lost, seen: i64) -> KindReport {
    let leaders: Vec<Leader> = By::ALL.into_iter().filter_map(|by| leader(figures, by, kind)).collect();
    KindReport {
        kind,
        title: kind.title().to_owned(),
        lost: *lost,
        estimate: kind.is_estimate(),
        room: kind.is_room(),
        remedy: words::remedy(kind, lost, &leaders),
        effort: kind.effort(),
        worth: if kind.is_room() { None } else { worth(lost, seen) },
        leaders,
        counts: kind.counts().to_owned(),
        leaves_out: kind.leaves_out().to_owned(),
    }
}

/// Who lost the most by a kind.
fn leader(figures: &WasteFigures, by: By, kind: Kind) -> Option<Leader> {
    let losses = figures.names(by)?.iter().filter_map(|(name, kinds)| Some((name.as_ref()?, kinds.get(&kind)?)));
    // Of equals the first by name.
    let most = losses.reduce(|most, next| if size(next.1) > size(most.1) { next } else { most })?;
    Some(Leader { by, name: most.0.clone(), lost: *most.1 })
}

fn size(lost: &Lost) -> (NanoUsd, u64, u64) {
    (lost.cost, lost.tokens, lost.times)
}

fn rows(figures: &WasteFigures, by: By, top: usize, seen: i64) -> (Vec<NameReport>, Option<Rest>) {
    let mut rows: Vec<NameReport> = Vec::new();
    for (name, kinds) in figures.names(by).into_iter().flatten() {
        let mut sum = Lost::default();
        let paid = || kinds.iter().filter(|(kind, _)| !kind.is_room());
        paid().for_each(|(_, lost)| sum.add(lost));
        let most = paid().reduce(|most, next| if size(next.1) > size(most.1) { next } else { most });
        if let Some((most, _)) = most.filter(|_| sum.times > 0) {
            rows.push(NameReport { name: name.clone(), lost: sum, most: *most, worth: worth(&sum, seen) });
        }
    }
    // The sort is stable, and names come in order.
    rows.sort_by_key(|row| std::cmp::Reverse(size(&row.lost)));
    let others = rows.split_off(top.min(rows.len()));
    let mut lost = Lost::default();
    others.iter().for_each(|other| lost.add(&other.lost));
    let rest = (!others.is_empty()).then_some(Rest { names: others.len() as u64, lost });
    (rows, rest)
}

/// What a loss comes to in a year, if it goes on as it did; unknown where nothing is known of what it cost.
fn worth(lost: &Lost, seen: i64) -> Option<NanoUsd> {
    if lost.cost == NanoUsd::ZERO && lost.unpriced > 0 {
        return None;
    }
    let nanos = i128::from(lost.cost.0) * i128::from(YEAR) / i128::from(seen);
    Some(NanoUsd(i64::try_from(nanos).unwrap_or(i64::MAX)))
}

/// The most dollars a year for a day of work come first; then, of what has no dollars, the least work and the most tokens.
fn rank(report: &KindReport) -> (std::cmp::Reverse<i64>, i64, std::cmp::Reverse<u64>, Kind) {
    let days = report.effort.days();
    let worth = report.worth.map_or(0, |worth| worth.0 / days);
    (std::cmp::Reverse(worth), days, std::cmp::Reverse(report.lost.tokens), report.kind)
}
