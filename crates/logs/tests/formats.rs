//! Each fixture is read into the calls that are listed beside it. `WEIR_BLESS=1` writes the list anew.
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

use proptest::prelude::{any, prop_assert, proptest};
use weir_logs::{Call, Names, Options, read};

/// A call in a line.
fn told(call: &Call<'_>) -> String {
    let mut line = String::new();
    let text = |text: &Option<weir_logs::Text<'_>>| text.as_deref().unwrap_or("-").to_owned();
    let status = call.status.map_or_else(|| "none".to_owned(), |status| status.to_string());
    let at = call.at.map_or_else(|| "no time".to_owned(), |at| at.to_string());
    let took = call
        .at
        .zip(call.ended)
        .map_or_else(|| "-".to_owned(), |(at, ended)| format!("{} ms", (ended.0 - at.0) / 1_000));
    write!(line, "  {at} {took} {status}{} {}", if call.failed { " failed" } else { "" }, call.deployment()).unwrap();
    if let Some(endpoint) = call.endpoint {
        write!(line, " {}", endpoint.name()).unwrap();
    }
    if let Some(usage) = &call.usage {
        write!(line, " in={} cached={} out={}", usage.input.0, usage.cached_input.0, usage.output.0).unwrap();
    }
    write!(line, " cost={}", call.cost.map_or_else(|| "-".to_owned(), |cost| cost.to_string())).unwrap();
    if let Some(first) = call.first_content {
        write!(line, " first={} ms", first / 1_000).unwrap();
    }
    write!(
        line,
        " route={} key={} user={} run={}",
        text(&call.route),
        text(&call.key),
        text(&call.user),
        text(&call.run)
    )
    .unwrap();
    for (flag, name) in [
        (call.retry.unwrap_or(0) > 0, "retry"),
        (call.from_cache, "cached"),
        (call.truncated, "truncated"),
        (call.abandoned, "abandoned"),
        (call.stream == Some(true), "stream"),
    ] {
        if flag {
            write!(line, " {name}").unwrap();
        }
    }
    if let Some(error) = &call.error {
        write!(line, " error={}", error.chars().take(40).collect::<String>()).unwrap();
    }
    line
}

#[test]
fn every_fixture_is_read_into_its_calls() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut listed = String::new();
    for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension != "txt")) {
        let name = file.file_name().unwrap().to_str().unwrap();
        let names = if name == "own.csv" {
            Names::mapped("at=time,status=code,model=engine,input-tokens=in,output-tokens=out,user=who").unwrap()
        } else {
            Names::default()
        };
        let mut calls = Vec::new();
        let input = fs::File::open(file).unwrap();
        let report = read(input, Options::new(&names), |call| calls.push(told(&call)), |_| true).unwrap();
        let formats: BTreeMap<&str, u64> =
            report.formats.iter().map(|(format, count)| (format.title(), *count)).collect();
        writeln!(
            listed,
            "{name}: {formats:?}, {} elsewhere, {} unknown, {} damaged {:?}",
            report.elsewhere,
            report.unknown,
            report.damaged,
            report.examples.iter().map(|damage| format!("{}: {}", damage.line, damage.why)).collect::<Vec<_>>()
        )
        .unwrap();
        for call in calls {
            writeln!(listed, "{call}").unwrap();
        }
    }
    let expected = folder.join("expected.txt");
    if env::var_os("WEIR_BLESS").is_some() {
        fs::write(&expected, &listed).unwrap();
    }
    let expected = fs::read_to_string(&expected).unwrap();
    assert_eq!(listed, expected);
}

/// The fixtures' bytes.
fn fixtures() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
        .iter()
        .filter(|file| file.extension().is_some_and(|of| of != "txt"))
        .map(|file| fs::read(file).unwrap())
        .collect()
}

/// Calls, and what else became of records.
fn counts(bytes: Vec<u8>) -> (u64, u64) {
    let names = Names::default();
    let mut seen = 0;
    let report = read(std::io::Cursor::new(bytes), Options::new(&names), |_| seen += 1, |_| true).unwrap();
    assert_eq!(seen, report.calls);
    (report.calls, report.damaged)
}

proptest! {
    #[test]
    fn whatever_is_damaged_is_read_to_its_end(which: usize, cut: usize, at: usize, byte in any::<u8>()) {
        let fixtures = fixtures();
        let mut bytes = fixtures[which % fixtures.len()].clone();
        let (whole, _) = counts(bytes.clone());
        let place = at % bytes.len();
        bytes[place] = byte;
        bytes.truncate(cut % bytes.len() + 1);
        // Two lines made of one, or a quote that opens, never make more calls than there were.
        prop_assert!(counts(bytes).0 <= whole + 1);
    }
}

#[test]
fn lines_that_are_alike_are_calls_of_their_own_and_the_same_ones_when_read_again() {
    let line =
        "10.0.0.1 - - [18/Nov/2026:14:47:03 +0000] \"POST /v1/chat/completions HTTP/1.1\" 200 612 \"-\" \"curl\"\n";
    let names = Names::default();
    let ids = || {
        let (mut order, mut ids) = (weir_logs::InOrder::default(), Vec::new());
        for _ in 0..2 {
            let input = std::io::Cursor::new(line.repeat(3).into_bytes());
            let take = |call: Call<'_>| {
                assert!(order.take(&call, &mut |entry| ids.push(entry.id)));
            };
            read(input, Options::new(&names), take, |_| true).unwrap();
        }
        order.finish(&mut |entry| ids.push(entry.id));
        ids.sort();
        ids.dedup();
        ids
    };
    assert_eq!(ids().len(), 3);
    assert_eq!(ids(), ids());
}

#[test]
fn what_lies_in_itself_without_end_is_no_call_and_ends() {
    for (open, close) in
        [("{\"payload\":", "}"), ("{\"data\":[", "]}"), ("{\"log\":", "}"), ("[", "]"), ("{\"a\":1}{\"payload\":", "}")]
    {
        for depth in [20, 120, 5_000] {
            let text = format!("{}{{}}{}\n", open.repeat(depth), close.repeat(depth));
            assert_eq!(counts(text.into_bytes()).0, 0);
        }
    }
}
