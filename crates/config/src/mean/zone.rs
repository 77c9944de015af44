//! `server.timezone`: a name in the IANA database, and the offsets from UTC that its clocks have had and will have.

use jiff::Timestamp;
use jiff::tz::{TimeZone, db};
use weir_engine::Zone;
use weir_units::WallTime;

use crate::log::{Log, shown};
use crate::nearest::nearest;
use crate::written::Table;

/// From when to when offsets are looked up, in seconds since 1970: 2020 to 2100.
const FROM: i64 = 1_577_836_800;
const UNTIL: i64 = 4_102_444_800;

/// The zone that periods are of; UTC where its name is at fault.
pub(super) fn zone(server: &Table, log: &mut Log<'_>) -> Zone {
    let Some(name) = server.text("timezone") else { return Zone::UTC };
    if name == "UTC" {
        return Zone::UTC;
    }
    match (TimeZone::get(name), Timestamp::from_second(FROM)) {
        (Ok(zone), Ok(from)) => {
            let first = zone.to_offset(from).seconds();
            let changes = zone.following(from).take_while(|change| change.timestamp().as_second() < UNTIL);
            Zone::new(
                first,
                changes.map(|change| (WallTime(change.timestamp().as_microsecond()), change.offset().seconds())),
            )
        }
        _ => {
            let known: Vec<String> = db().available().map(|zone| zone.as_str().to_owned()).collect();
            let hint = match nearest(name, known.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "write a name of the IANA database, `\"Europe/Berlin\"` or `\"UTC\"`".to_owned(),
            };
            log.fault(server.at("timezone"), format!("`server.timezone` `{}` is no known zone", shown(name)), hint);
            Zone::UTC
        }
    }
}
