//! What the desk says in words: why there is no forecast, dates, shares.

use weir_engine::Zone;
use weir_units::WallTime;

use crate::forecast::Unforecast;

const DAY: i64 = 86_400_000_000;
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// `Thu 26 Nov`, with the year where it is another than that of `now`.
#[must_use]
pub fn date(at: WallTime, now: WallTime, zone: &Zone) -> String {
    let day = |at: WallTime| at.0.saturating_add(zone.seconds_ahead(at) * 1_000_000).div_euclid(DAY);
    let (year, month, of_month) = WallTime::date_of(day(at));
    let place = |value: i64, names: usize| usize::try_from(value).unwrap_or(0).min(names - 1);
    // 1970-01-01 was a Thursday.
    let weekday = DAYS[place((day(at) + 3).rem_euclid(7), 7)];
    let month = MONTHS[place(month - 1, 12)];
    let year = if WallTime::date_of(day(now)).0 == year { String::new() } else { format!(" {year}") };
    format!("{weekday} {of_month} {month}{year}")
}

/// `14:20`.
#[must_use]
pub fn clock(at: WallTime, zone: &Zone) -> String {
    let minutes = at.0.saturating_add(zone.seconds_ahead(at) * 1_000_000).rem_euclid(DAY) / 60_000_000;
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

/// The time of day where it is today, else the day: `14:20`, `Thu 26 Nov`.
#[must_use]
pub fn day_or_time(at: WallTime, now: WallTime, zone: &Zone) -> String {
    let (then, today) = (date(at, now, zone), date(now, now, zone));
    if then == today { format!("today {}", clock(at, zone)) } else { then }
}

/// A share of a limit, in whole percent: `94 %`; with a plain space, since sentences go where narrow ones may not be known.
#[must_use]
pub fn percent(share: f64) -> String {
    weir_units::numbers::whole_percent(share).replace('\u{202f}', " ")
}

/// Why there is no forecast.
pub(super) fn no_forecast(why: &Unforecast, now: WallTime, zone: &Zone) -> String {
    match why {
        Unforecast::TooShort { days, need, from } => {
            let days = days.floor().max(0.0);
            let (what, verb) =
                if *need <= crate::forecast::DAYS_FOR_DAYS { ("a forecast", "starts") } else { ("dates", "start") };
            let what = if *need > crate::forecast::DAYS_FOR_DAYS && days < f64::from(crate::forecast::DAYS_FOR_DAYS) {
                "a forecast of weeks"
            } else {
                what
            };
            let verb = if what == "dates" { verb } else { "starts" };
            format!("{days:.0} of {need} days of history; {what} {verb} {}", date(*from, now, zone))
        }
        Unforecast::Gaps { known } => {
            format!("only {} of the hours are known, too few for a forecast", percent(*known))
        }
        Unforecast::Silent { days: 0 } => "nothing has been asked for yet".to_owned(),
        Unforecast::Silent { days } => format!("nothing was asked for in the last {days} days"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Wed 18 Nov 2026, 14:47 UTC.
    const NOW: WallTime = WallTime(1_795_013_220_000_000);

    #[test]
    fn what_is_missing_for_a_forecast_is_said_with_its_day() {
        let from = WallTime(NOW.0 + 8 * DAY);
        let said = |days: f64, need: u32| no_forecast(&Unforecast::TooShort { days, need, from }, NOW, &Zone::UTC);
        assert_eq!(said(6.2, 14), "6 of 14 days of history; dates start Thu 26 Nov");
        assert_eq!(said(1.0, 14), "1 of 14 days of history; a forecast of weeks starts Thu 26 Nov");
        assert_eq!(said(1.0, 3), "1 of 3 days of history; a forecast starts Thu 26 Nov");
        assert_eq!(
            no_forecast(&Unforecast::Gaps { known: 0.41 }, NOW, &Zone::UTC),
            "only 41 % of the hours are known, too few for a forecast"
        );
    }

    #[test]
    fn shares_and_days_are_short() {
        assert_eq!([0.0, 0.001, 0.94, 1.31, 1e9].map(percent), ["0 %", "< 1 %", "94 %", "131 %", "> 9,999 %"]);
        assert_eq!(day_or_time(WallTime(NOW.0 - DAY / 50), NOW, &Zone::UTC), "today 14:18");
        assert_eq!(day_or_time(WallTime(NOW.0 + 60 * DAY), NOW, &Zone::UTC), "Sun 17 Jan 2027");
    }
}
