//! `weir demo --once` end to end: the story it tells is checked by what it reports, and nothing in it is invented.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// Runs the real binary.
fn weir(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(arguments)
        .env_remove("WEIR_CONFIG")
        .env("LC_ALL", "C")
        .output()
        .expect("the binary runs")
}

fn demo(ledger: &Path) -> (Output, Value) {
    let ledger = ledger.to_str().expect("a path in UTF-8");
    let output = weir(&["demo", "--once", "--speed", "8", "--seconds", "14", "--json", "--keep", ledger]);
    let report = serde_json::from_slice(&output.stdout).expect("stdout holds the report alone");
    (output, report)
}

#[test]
fn users_are_answered_through_a_storm_and_an_outage_and_the_ledger_can_tell_how() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let ledger = folder.path().join("demo.db");
    let (output, report) = demo(&ledger);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let number = |value: &Value, pointer: &str| value.pointer(pointer).and_then(Value::as_u64).expect("a count");
    let acts = report["acts"].as_array().expect("acts");
    let names: Vec<&str> = acts.iter().filter_map(|act| act["act"].as_str()).collect();
    assert_eq!(names, ["calm", "storm", "outage", "recovery"]);

    for act in acts {
        let (requests, answered) = (number(act, "/requests"), number(act, "/answered"));
        assert!(requests >= 30, "{act}");
        assert!(answered * 100 >= requests * 99, "users saw {answered} of {requests} answered: {act}");
        // What clients got is what the two providers say that they gave.
        assert!(number(act, "/openai/ok") + number(act, "/anthropic/ok") >= answered, "{act}");
    }
    let [calm, storm, outage, recovery] = acts.as_slice() else { panic!("four acts") };
    assert_eq!(number(calm, "/failovers") + number(calm, "/retries"), 0, "{calm}");
    // Once openai has said for how long, it is left alone for so long, and anthropic serves.
    let refused = number(storm, "/openai/refused_429");
    assert!(refused > 0 && refused < number(storm, "/answered_by_anthropic"), "{storm}");
    assert!(number(outage, "/openai/ok") * 10 < number(outage, "/openai/attempts") * 7, "{outage}");
    assert!(number(outage, "/answered_by_anthropic") > 0, "{outage}");
    assert!(number(recovery, "/openai/ok") > 0, "{recovery}");

    let moved = |to: &str| report["breakers"].as_array().is_some_and(|b| b.iter().any(|moved| moved["to"] == to));
    assert!(moved("open") && moved("half-open") && moved("closed"), "{}", report["breakers"]);
    let last = report["breakers"].as_array().and_then(|b| b.last()).expect("a breaker moved");
    assert_eq!(last["to"], "closed");

    // The loop: without guards it goes on until the scene ends, with them it is halted early.
    let (off, on) = (&report["loop"]["off"], &report["loop"]["on"]);
    let dollars =
        |play: &Value, member: &str| play[member].as_str().and_then(|text| text.parse::<f64>().ok()).expect("dollars");
    assert_eq!((number(off, "/turns"), &off["halted"]), (40, &Value::Null), "{off}");
    assert_eq!((on["halted"]["code"].as_str(), number(on, "/halted/status")), (Some("run_halted"), 422), "{on}");
    assert!(number(on, "/turns") <= 12 && number(on, "/provider_answers") == number(on, "/turns"), "{on}");
    assert!(dollars(on, "cost_usd") * 3.0 < dollars(off, "cost_usd"), "{off} {on}");
    assert!(dollars(on, "projected_week_usd") * 1_000.0 < dollars(off, "projected_week_usd"), "{off} {on}");

    let id = report.pointer("/look_at/0/id").and_then(Value::as_str).expect("a request to look at");
    let trace = weir(&["trace", id, "--ledger", ledger.to_str().expect("a path in UTF-8")]);
    assert!(trace.status.success() && String::from_utf8_lossy(&trace.stdout).contains("attempt 2"), "{id}");
}
