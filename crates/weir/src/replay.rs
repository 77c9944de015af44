//! `weir simulate --replay`: asks a fresh engine everything that a recorded gateway asked its own, and compares the answers.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::ExitCode;

use serde_json::json;
use weir_sim::{Replay, Replayed};
use weir_units::Moment;

use crate::Common;
use crate::terminal::{NO, USAGE, bold, fail, numbers, print, shown};

/// Replays a tape of `weir serve --record`.
pub(crate) fn run(common: &Common, tape: &Path) -> ExitCode {
    match play(tape) {
        Ok(found) => {
            tell(common, &found);
            if found.different == 0 { ExitCode::SUCCESS } else { ExitCode::from(NO) }
        }
        Err(why) => fail(USAGE, why),
    }
}

fn play(tape: &Path) -> Result<Replayed, String> {
    let name = shown(&tape.display().to_string());
    let file = File::open(tape).map_err(|error| format!("tape `{name}` cannot be read: {error}"))?;
    let mut replay = Replay::default();
    for (place, line) in BufReader::new(file).lines().enumerate() {
        let at = |why: &dyn std::fmt::Display| format!("tape `{name}`, line {}: {why}", place + 1);
        let line = line.map_err(|error| at(&error))?;
        let entry = serde_json::from_str(&line).map_err(|error| {
            at(&format!("{error}\n  hint  a tape is what `weir serve --record FILE` writes; a last line that was cut can be removed"))
        })?;
        replay.play(entry).map_err(|why| at(&why))?;
    }
    Ok(replay.finish())
}

fn tell(common: &Common, found: &Replayed) {
    if common.json {
        let differences: Vec<_> = found
            .differences
            .iter()
            .map(|d| json!({ "entry": d.entry, "at_ns": d.at.0, "question": d.question, "then": d.answers[0], "now": d.answers[1] }))
            .collect();
        let (questions, answers, calls) = (found.questions, found.answers, found.calls);
        print(json!({
            "questions": questions, "answers": answers, "calls": calls, "different": found.different, "differences": differences,
        }));
        return;
    }
    let counts = format!(
        "{} questions about {} requests, {} answers to compare",
        numbers::count(found.questions),
        numbers::count(found.calls),
        numbers::count(found.answers)
    );
    if found.different == 0 {
        print(bold("decided alike: every answer is the same"));
    } else {
        print(bold(&format!("decided otherwise: {} answers differ", numbers::count(found.different))));
    }
    print(counts);
    for difference in &found.differences {
        let seconds = difference.at.since(Moment::ZERO).as_secs_f64();
        print(shown(&format!("line {} at {seconds:.3} s  {}", difference.entry, difference.question)));
        print(shown(&format!("  then  {}\n  now   {}", difference.answers[0], difference.answers[1])));
    }
}
