//! Times and spans, as alerts say them: `14:31 UTC`, `Thu 26 Nov`, `21 min`.

use std::time::Duration;

use weir_units::WallTime;

use crate::budgets::Zone;

const MINUTE: i64 = 60_000_000;
const DAY: i64 = 1_440 * MINUTE;
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The time of day if it is today, else the day.
pub(super) fn day_or_time(at: WallTime, now: WallTime, zone: &Zone) -> String {
    if local(at, zone).0 == local(now, zone).0 { format!("at {}", clock(at, zone)) } else { date(at, zone) }
}

/// The time of day, and before it the day if that is not today.
pub(super) fn moment(at: WallTime, now: WallTime, zone: &Zone) -> String {
    if local(at, zone).0 == local(now, zone).0 {
        clock(at, zone)
    } else {
        format!("{} {}", date(at, zone), clock(at, zone))
    }
}

/// `Thu 26 Nov`
pub(super) fn date(at: WallTime, zone: &Zone) -> String {
    let day = local(at, zone).0;
    let (_, month, of_month) = WallTime::date_of(day);
    let place = |value: i64, names: usize| usize::try_from(value).unwrap_or(0).min(names - 1);
    // 1970-01-01 was a Thursday.
    format!("{} {of_month} {}", DAYS[place((day + 3).rem_euclid(7), 7)], MONTHS[place(month - 1, 12)])
}

fn clock(at: WallTime, zone: &Zone) -> String {
    let minutes = local(at, zone).1;
    let ahead = zone.offset(at) / MINUTE;
    let name = match (ahead, ahead % 60) {
        (0, _) => "UTC".to_owned(),
        (_, 0) => format!("UTC{:+}", ahead / 60),
        (_, rest) => format!("UTC{:+}:{:02}", ahead / 60, rest.abs()),
    };
    format!("{:02}:{:02} {name}", minutes / 60, minutes % 60)
}

/// The local day and the minute of it.
fn local(at: WallTime, zone: &Zone) -> (i64, i64) {
    let local = at.0.saturating_add(zone.offset(at));
    (local.div_euclid(DAY), local.rem_euclid(DAY) / MINUTE)
}

/// `38 s`, `21 min`, `1 h 2 min`, `2 d 4 h`, rounded down.
pub(super) fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    let two = |large: u64, l: &str, small: u64, s: &str| match seconds % large / small {
        0 => format!("{} {l}", seconds / large),
        rest => format!("{} {l} {rest} {s}", seconds / large),
    };
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 => two(3_600, "h", 60, "min"),
        _ => two(86_400, "d", 3_600, "h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_the_owners_zone_and_the_day_where_it_is_another() {
        let now = WallTime(1_795_013_223_114_000); // 2026-11-18T14:47:03Z
        let later = now + Duration::from_secs(8 * 86_400);
        let india = Zone::new(19_800, []);
        assert_eq!(moment(now, now, &Zone::UTC), "14:47 UTC");
        assert_eq!(moment(now, later, &Zone::UTC), "Wed 18 Nov 14:47 UTC");
        assert_eq!(moment(now, now, &india), "20:17 UTC+5:30");
        assert_eq!(moment(now, now, &Zone::new(-12_600, [])), "11:17 UTC-3:30");
        assert_eq!(day_or_time(later, now, &Zone::UTC), "Thu 26 Nov");
        assert_eq!(day_or_time(now + Duration::from_secs(4 * 3_600), now, &india), "Thu 19 Nov");
    }

    #[test]
    fn spans_are_said_in_two_units_at_most() {
        for (seconds, said) in
            [(0, "0 s"), (59, "59 s"), (1_290, "21 min"), (3_720, "1 h 2 min"), (3_600, "1 h"), (187_200, "2 d 4 h")]
        {
            assert_eq!(span(Duration::from_secs(seconds)), said);
        }
    }
}
