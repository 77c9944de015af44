//! Times as people write them on the command line.

use std::time::{SystemTime, UNIX_EPOCH};

use weir_units::{WallTime, parse_duration};

/// The calendar's time.
pub(crate) fn now() -> WallTime {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    WallTime(i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX))
}

/// The time that a span like `7d` before now is.
pub(crate) fn ago(span: &str) -> Result<WallTime, String> {
    let span = parse_duration(span).map_err(|error| weir_wire::shown(&error.to_string()))?;
    let micros = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
    Ok(WallTime(now().0.saturating_sub(micros)))
}
