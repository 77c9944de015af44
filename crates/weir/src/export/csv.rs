//! Requests as rows of CSV (RFC 4180), which spreadsheets open: what one would take for a formula gets a quote before it.

use serde_json::Value;
use weir_units::RequestId;

/// The columns: their names, and where in a record their values are.
const COLUMNS: [(&str, &str); 29] = [
    ("id", "/id"),
    ("started_at", "/started_at"),
    ("ended_at", "/ended_at"),
    ("outcome", "/outcome"),
    ("status", "/status"),
    ("code", "/code"),
    ("refused_by", "/refused_by"),
    ("key", "/key"),
    ("tenant", "/tenant"),
    ("route", "/route"),
    ("model", "/model"),
    ("dialect", "/dialect"),
    ("endpoint", "/endpoint"),
    ("stream", "/stream"),
    ("run", "/run"),
    ("tags", "/tags"),
    ("trace", "/trace/id"),
    ("sdk_retry", "/sdk_retry"),
    ("first_content_ms", "/first_content_ms"),
    ("queued_ms", "/queued_ms"),
    ("overhead_us", "/overhead_us"),
    ("cost_usd", "/cost_usd"),
    ("cost_estimated", "/cost_estimated"),
    ("input", "/usage/input"),
    ("cached_input", "/usage/cached_input"),
    ("output", "/usage/output"),
    ("reasoning", "/usage/reasoning"),
    ("attempts", ""),
    ("deployment", ""),
];

/// The line with the names of the columns.
pub(super) fn header(out: &mut String) {
    let names: Vec<&str> = COLUMNS.iter().map(|(name, _)| *name).collect();
    out.push_str(&names.join(","));
    out.push('\n');
}

/// The row of a record, without the end of its line.
pub(super) fn row(out: &mut String, record: &str) -> Result<(), serde_json::Error> {
    let record: Value = serde_json::from_str(record)?;
    let attempts = record["attempts"].as_array().map_or(&[][..], Vec::as_slice);
    for (place, (name, pointer)) in COLUMNS.iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        match *name {
            "attempts" => cell(out, &attempts.len().to_string()),
            // What was called last: the one that answered, if any did.
            "deployment" => cell(out, attempts.last().and_then(|last| last["deployment"].as_str()).unwrap_or_default()),
            _ => match record.pointer(pointer) {
                None | Some(Value::Null) => {}
                Some(Value::String(text)) => cell(out, text),
                Some(Value::Object(members)) if members.is_empty() => {}
                Some(other) => cell(out, &other.to_string()),
            },
        }
    }
    Ok(())
}

/// The id of a record.
pub(super) fn id(record: &str) -> Option<RequestId> {
    serde_json::from_str::<Value>(record).ok()?["id"].as_str()?.parse().ok()
}

fn cell(out: &mut String, text: &str) {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let quoted = text.contains([',', '"', '\n', '\r']);
    if quoted {
        out.push('"');
    }
    if formula {
        out.push('\'');
    }
    for c in text.chars() {
        if c == '"' {
            out.push('"');
        }
        out.push(c);
    }
    if quoted {
        out.push('"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_quoted_where_it_must_be_and_no_formula() {
        for (text, expected) in [
            ("plain", "plain"),
            ("a,b", "\"a,b\""),
            ("say \"no\"", "\"say \"\"no\"\"\""),
            ("two\nlines", "\"two\nlines\""),
            ("=1+1", "'=1+1"),
            ("+49", "'+49"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("\r=1,2", "\"'\r=1,2\""),
            ("=a,\"b\"", "\"'=a,\"\"b\"\"\""),
        ] {
            let mut out = String::new();
            cell(&mut out, text);
            assert_eq!(out, expected, "{text:?}");
        }
    }

    #[test]
    fn a_row_has_a_cell_for_each_column() {
        let record = r#"{"id":"req_00000000000000000000000007","started_at":"2026-11-18T14:47:03.114Z","outcome":"answered","status":200,
            "key":null,"tenant":"a,b","tags":{"team":"ads"},"stream":true,"trace":{"id":"4bf9"},"cost_usd":"0.00125",
            "usage":{"input":7,"output":9},"attempts":[{"deployment":"a/m"},{"deployment":"b/m"}],"events":[]}"#;
        let mut out = String::new();
        row(&mut out, record).unwrap();
        assert_eq!(
            out,
            "req_00000000000000000000000007,2026-11-18T14:47:03.114Z,,answered,200,,,,\"a,b\",,,,,true,,\"{\"\"team\"\":\"\"ads\"\"}\",4bf9,,,,,\
             0.00125,,7,,9,,2,b/m"
        );
        let mut names = String::new();
        header(&mut names);
        assert_eq!(names.trim_end().split(',').count(), COLUMNS.len());
        assert_eq!(id(record), Some(RequestId(7)));
    }
}
