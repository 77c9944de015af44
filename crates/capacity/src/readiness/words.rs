//! Availability, times and lists as the answers say them.

use weir_engine::Zone;
use weir_units::WallTime;
pub use weir_units::numbers::percent;

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;
const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// An availability in percent, rounded down to a thousandth: `99.997 %`.
#[must_use]
pub fn availability(share: f64) -> String {
    if share >= 1.0 {
        return "100\u{202f}%".to_owned();
    }
    let thousandths = (share * 100_000.0).floor().max(0.0);
    format!("{:.3}\u{202f}%", thousandths / 1_000.0)
}

/// The day of a time in a zone: `Wed 18 Nov 2026`.
#[must_use]
pub fn day(at: WallTime, zone: &Zone) -> String {
    let (day, (year, month, date), _) = local(at, zone);
    let weekday = DAYS[usize::try_from(day.rem_euclid(7)).unwrap_or_default()];
    let month = MONTHS[usize::try_from(month - 1).unwrap_or_default() % 12];
    format!("{weekday} {date} {month} {year}")
}

/// The day and minute of a time in a zone: `Wed 18 Nov 14:47`.
#[must_use]
pub fn minute(at: WallTime, zone: &Zone) -> String {
    let text = day(at, zone);
    let (_, _, micros) = local(at, zone);
    let minutes = micros / (60 * SECOND);
    let short = text.rsplit_once(' ').map_or(text.as_str(), |(short, _)| short);
    format!("{short} {:02}:{:02}", minutes / 60, minutes % 60)
}

fn local(at: WallTime, zone: &Zone) -> (i64, (i64, i64, i64), i64) {
    let local = at.0.saturating_add(zone.seconds_ahead(at).saturating_mul(SECOND));
    let day = local.div_euclid(DAY);
    (day, WallTime::date_of(day), local.rem_euclid(DAY))
}

/// `a`, `a and b`, `a, b and c`.
#[must_use]
pub fn list(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn availability_is_rounded_down() {
        assert_eq!(availability(0.999_979_9).replace('\u{202f}', " "), "99.997 %");
        assert_eq!(availability(0.999_999_9).replace('\u{202f}', " "), "99.999 %");
        assert_eq!(availability(1.0).replace('\u{202f}', " "), "100 %");
    }

    #[test]
    fn days_are_those_of_the_zone() {
        let at: WallTime = "2026-11-18T23:30:00Z".parse().unwrap();
        assert_eq!(
            (day(at, &Zone::UTC), minute(at, &Zone::UTC)),
            ("Wed 18 Nov 2026".into(), "Wed 18 Nov 23:30".into())
        );
        assert_eq!(minute(at, &Zone::new(3_600, [])), "Thu 19 Nov 00:30");
    }
}
