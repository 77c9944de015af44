//! What a ledger has of waste, put together for its report: sums from roll-ups, and runs from the requests themselves where
//! roll-ups do not have them.

use std::time::Duration;

use weir_capacity::waste::{By, Kind, Lost, WasteFigures};
use weir_ledger::{Filter, Reader, Series, SeriesBy, SeriesQuery, StoreError, Tally, WASTE, Wasted};
use weir_units::WallTime;

/// Names that are told apart.
const NAMES: usize = 5_000;

/// Reads what of `since..until` was wasted. Runs that roll-ups do not have, or not within `patience`, are read of request by request:
/// `go_on` is told after each how many that were, and says whether to read on; what was not read is said to be unknown.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn waste_figures(
    reader: &Reader,
    (since, until): (WallTime, WallTime),
    patience: Option<Duration>,
    mut go_on: impl FnMut(u64) -> bool,
) -> Result<WasteFigures, StoreError> {
    let mut figures = WasteFigures::of(since, until);
    // What was asked before the range shows that nothing is missing at its beginning.
    figures.first = reader.first_request(WallTime(0), until).await?;
    let keys = series(reader, since, until, SeriesBy::Key).await?;
    add_all(&mut figures, &keys.all.total);
    add(&mut figures, By::Key, &keys);
    add(&mut figures, By::Route, &series(reader, since, until, SeriesBy::Route).await?);
    for kind in Kind::ALL {
        let filter = Filter { since: Some(since), until: Some(until), ..waste(kind) };
        // Of others there is one to a request.
        if kind == Kind::FailedAttempt && keys.all.total.wasted[place(kind)].times > 0 {
            figures.occurred_in(kind, reader.count(&filter, u64::MAX).await?.found);
        }
    }
    if let Some((runs, _, rest)) = reader.wasted_by_run(since, until, NAMES, patience).await? {
        for (run, wasted) in &runs {
            each(wasted, |kind, lost| figures.lost_by(By::Run, run.as_deref(), kind, lost));
        }
        each(&rest, |kind, lost| figures.lost_by(By::Run, Some(weir_capacity::waste::OTHER), kind, lost));
        return Ok(figures);
    }
    // An earlier version counted a part of that time, and knew no runs.
    let (mut read, mut whole) = (0, true);
    let filter = Filter { since: Some(since), until: Some(until), ..Filter::default() };
    reader
        .wasted(&filter, |request| {
            for part in &request.parts {
                let kind = Kind::from_name(part.why).unwrap_or(Kind::Other);
                figures.lost_by(By::Run, request.run.as_deref(), kind, &Lost::once(part.tokens, part.cost));
            }
            read += 1;
            whole = go_on(read);
            whole
        })
        .await?;
    let detail: u64 = keys.all.total.wasted.iter().map(|wasted| wasted.times).sum();
    if !whole {
        let why = format!("only the newest {read} requests were read; `weir waste --by run` reads them all");
        figures.not_known_by(By::Run, &why);
    } else if read == 0 && detail > 0 {
        figures.not_known_by(By::Run, "the requests themselves are older than `retention`, and roll-ups know no runs");
    }
    Ok(figures)
}

async fn series(reader: &Reader, since: WallTime, until: WallTime, by: SeriesBy) -> Result<Series, StoreError> {
    let query = SeriesQuery { filter: Filter::default(), edges: vec![since, until], by: Some(by), top: NAMES };
    reader.series(&query).await
}

fn add_all(figures: &mut WasteFigures, total: &Tally) {
    figures.requests = total.requests.requests;
    figures.unpriced = total.requests.unpriced;
    figures.attempts = total.calls.attempts;
    figures.tokens = total.calls.input.saturating_add(total.calls.output);
    figures.cost = total.cost;
    each(&total.wasted, |kind, lost| figures.lost_of_all(kind, lost));
}

fn add(figures: &mut WasteFigures, by: By, series: &Series) {
    for row in &series.rows {
        each(&row.total.wasted, |kind, lost| figures.lost_by(by, row.name.as_deref(), kind, lost));
    }
    each(&series.rest.1.total.wasted, |kind, lost| {
        figures.lost_by(by, Some(weir_capacity::waste::OTHER), kind, lost);
    });
}

fn each(all: &[Wasted], mut add: impl FnMut(Kind, &Lost)) {
    for kind in Kind::ALL {
        let wasted = &all[place(kind)];
        if wasted.times > 0 {
            let Wasted { times, tokens, cost, unpriced } = *wasted;
            add(kind, &Lost { times, requests: None, tokens, cost, unpriced });
        }
    }
}

/// Where the ledger counts a kind.
fn place(kind: Kind) -> usize {
    WASTE.iter().position(|name| *name == kind.name()).unwrap_or_default()
}

fn waste(kind: Kind) -> Filter {
    Filter { waste: Some(kind.name().to_owned()), ..Filter::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_and_the_ledger_know_the_same_kinds() {
        let mut known: Vec<&str> = Kind::ALL.into_iter().map(Kind::name).collect();
        let mut kept = WASTE.to_vec();
        known.sort_unstable();
        kept.sort_unstable();
        assert_eq!(known, kept);
    }
}
