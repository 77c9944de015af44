//! The fullest hour of each ceiling, from what was asked for minute by minute.

use std::collections::BTreeMap;

use weir_engine::DayStart;
use weir_ledger::DemandRow;
use weir_units::{DeploymentId, Dimension, WallTime};

use super::Peak;
use crate::desk::Ceiling;

const MINUTE: i64 = 60_000_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// Of the sixty minutes of an hour, this many do not exceed the 95th percentile.
const P95: usize = 57;

/// The fullest hour, or day, of each ceiling that anything was asked of.
///
/// Minutes are added up over the deployments that share a ceiling. Hours whose minutes are no longer kept are taken from `hours`: there the 95th
/// percentiles of the deployments are added, which is a little too much where they do not peak together.
#[must_use]
pub fn peaks(ceilings: &[Ceiling], minutes: &[DemandRow], hours: &[DemandRow]) -> Vec<Peak> {
    ceilings.iter().filter_map(|ceiling| peak(ceiling, minutes, hours)).collect()
}

fn peak(ceiling: &Ceiling, minutes: &[DemandRow], hours: &[DemandRow]) -> Option<Peak> {
    let (at, used) =
        if ceiling.dimension.is_daily() { fullest_day(ceiling, hours) } else { fullest_hour(ceiling, minutes, hours) }?;
    let source = match (ceiling.declared, ceiling.stated) {
        (Some(declared), _) if declared == ceiling.limit => "declared",
        (_, Some(_)) => "limit seen in headers",
        _ => "limit in force",
    };
    Some(Peak {
        pool: ceiling.pool.to_string().into(),
        dimension: ceiling.dimension,
        limit: ceiling.limit,
        source: source.to_owned(),
        used,
        at,
    })
}

/// What a row takes from a ceiling; nothing if its deployment is none of those that do.
fn taken(ceiling: &Ceiling, row: &DemandRow, part: fn(&DemandRow) -> &weir_ledger::Demand) -> Option<u64> {
    let (provider, model) = row.deployment.split_once('/')?;
    let deployment = DeploymentId::new(provider, model);
    ceiling.members.hold(&deployment).then(|| ceiling.takes(&deployment, part(row)))
}

fn fullest_hour(ceiling: &Ceiling, minutes: &[DemandRow], hours: &[DemandRow]) -> Option<(WallTime, f64)> {
    let mut by_hour: BTreeMap<i64, [u64; 60]> = BTreeMap::new();
    for row in minutes {
        let Some(taken) = taken(ceiling, row, |row| &row.sum) else { continue };
        let sums = by_hour.entry(row.at.0.div_euclid(HOUR)).or_insert([0; 60]);
        let minute = usize::try_from(row.at.0.rem_euclid(HOUR) / MINUTE).unwrap_or_default();
        if let Some(sum) = sums.get_mut(minute) {
            *sum = sum.saturating_add(taken);
        }
    }
    let mut rolled: BTreeMap<i64, u64> = BTreeMap::new();
    for row in hours.iter().filter(|row| !by_hour.contains_key(&row.at.0.div_euclid(HOUR))) {
        let Some(taken) = taken(ceiling, row, |row| &row.p95) else { continue };
        let sum = rolled.entry(row.at.0.div_euclid(HOUR)).or_default();
        *sum = sum.saturating_add(taken);
    }
    let of_minutes = by_hour.into_iter().map(|(hour, mut sums)| {
        sums.sort_unstable();
        (hour, sums[P95 - 1])
    });
    let (hour, taken) = of_minutes.chain(rolled).max_by_key(|(hour, taken)| (*taken, -hour))?;
    Some((WallTime(hour.saturating_mul(HOUR)), figure(ceiling, taken)))
}

fn fullest_day(ceiling: &Ceiling, hours: &[DemandRow]) -> Option<(WallTime, f64)> {
    // California is eight hours behind, and seven in summer; days begin at its winter's midnight here.
    let behind = if ceiling.day == DayStart::Pacific { 8 * HOUR } else { 0 };
    let mut by_day: BTreeMap<i64, u64> = BTreeMap::new();
    for row in hours {
        let Some(taken) = taken(ceiling, row, |row| &row.sum) else { continue };
        let sum = by_day.entry((row.at.0 - behind).div_euclid(DAY)).or_default();
        *sum = sum.saturating_add(taken);
    }
    let (day, taken) = by_day.into_iter().max_by_key(|(day, taken)| (*taken, -day))?;
    Some((WallTime(day.saturating_mul(DAY) + behind), figure(ceiling, taken)))
}

/// What is taken in the unit of the limit: of what is under way at once, milliseconds of a minute become a number.
#[expect(clippy::cast_precision_loss, reason = "a share for people")]
fn figure(ceiling: &Ceiling, taken: u64) -> f64 {
    if ceiling.dimension == Dimension::ConcurrentRequests { taken as f64 / 60_000.0 } else { taken as f64 }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use weir_engine::{ChargeModel, PoolId};
    use weir_ledger::Demand;

    use super::*;
    use crate::desk::Members;

    const NOON: i64 = 1_795_003_200_000_000;

    fn ceiling(dimension: Dimension, limit: u64) -> Ceiling {
        let provider: Arc<str> = "openai".into();
        Ceiling {
            pool: PoolId::Provider(Arc::clone(&provider)),
            dimension,
            limit,
            declared: Some(limit),
            stated: None,
            members: Members::Provider(Arc::clone(&provider)),
            charges: BTreeMap::from([(provider, ChargeModel::METERED)]),
            day: DayStart::Utc,
        }
    }

    fn row(deployment: &str, at: i64, requests: u64) -> DemandRow {
        let demand = Demand { requests, busy_ms: requests * 6_000, ..Demand::default() };
        DemandRow { deployment: deployment.into(), at: WallTime(at), sum: demand, p95: demand, peak: demand }
    }

    #[test]
    fn the_peak_hour_is_the_one_whose_95th_minute_is_highest_over_all_that_share_the_limit() {
        let mut minutes = Vec::new();
        for minute in 0..60 {
            // A steady hour, both models together 46 a minute, and one with three minutes of 400.
            minutes.push(row("openai/big", NOON + minute * MINUTE, 40));
            minutes.push(row("openai/small", NOON + minute * MINUTE, 6));
            minutes.push(row("other/big", NOON + minute * MINUTE, 900));
            let spike = if minute < 3 { 400 } else { 10 };
            minutes.push(row("openai/big", NOON + HOUR + minute * MINUTE, spike));
        }
        let found = peaks(&[ceiling(Dimension::RequestsPerMinute, 50)], &minutes, &[]);
        assert_eq!((found[0].used, found[0].at, found[0].share()), (46.0, WallTime(NOON), 0.92));
        assert_eq!((found[0].source.as_str(), &*found[0].pool), ("declared", "openai"));
        // In flight: 46 calls a minute of 6 s each are 4.6 at a time.
        let found = peaks(&[ceiling(Dimension::ConcurrentRequests, 10)], &minutes, &[]);
        assert!((found[0].used - 4.6).abs() < 1e-9);
    }

    #[test]
    fn hours_whose_minutes_are_gone_count_as_they_were_rolled_up() {
        let minutes = [row("openai/big", NOON, 4)];
        let hours = [row("openai/big", NOON, 999), row("openai/big", NOON - HOUR, 30), row("openai/x", NOON - HOUR, 8)];
        let found = peaks(&[ceiling(Dimension::RequestsPerMinute, 100)], &minutes, &hours);
        assert_eq!((found[0].used, found[0].at), (38.0, WallTime(NOON - HOUR)));
    }

    #[test]
    fn a_limit_of_a_day_is_held_against_the_fullest_day() {
        let hours: Vec<DemandRow> = (0..48).map(|hour| row("openai/big", NOON + hour * HOUR, 10)).collect();
        let found = peaks(&[ceiling(Dimension::RequestsPerDay, 300)], &[], &hours);
        assert_eq!((found[0].used, found[0].at), (240.0, WallTime(NOON + 12 * HOUR)));
        assert!(peaks(&[ceiling(Dimension::TokensPerDay, 300)], &[], &[]).is_empty());
    }
}
