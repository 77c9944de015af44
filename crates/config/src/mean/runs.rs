//! `[runs]`, and the guards that a route or a key sets for itself.

use weir_engine::{Guards, Loops, RunsSettings};
use weir_units::{NanoUsd, Tokens};

use crate::GuardsPart;
use crate::written::Table;

/// How much is remembered of runs.
pub(super) fn settings(table: &Table) -> RunsSettings {
    RunsSettings {
        max_runs: table
            .count("max-remembered")
            .map_or(usize::MAX, |count| usize::try_from(count).unwrap_or(usize::MAX)),
        max_firsts: table
            .count("max-first-requests")
            .map_or(usize::MAX, |count| usize::try_from(count).unwrap_or(usize::MAX)),
        max_bytes: table.count("max-memory").unwrap_or(u64::MAX),
        ttl: table.span("forget-after"),
    }
}

/// The guards that are written in a table.
pub(super) fn guards(table: &Table) -> GuardsPart {
    let small = |key| table.count(key).map(|count| u32::try_from(count).unwrap_or(u32::MAX));
    let dollars = |key| table.text(key).and_then(|text| text.parse::<NanoUsd>().ok());
    GuardsPart {
        loops: table.text("loops").and_then(|word| {
            [Loops::Off, Loops::Warn, Loops::Slow, Loops::Halt].into_iter().find(|loops| loops.name() == word)
        }),
        exempt_tools: table
            .get("exempt-tools")
            .map(|_| table.names("exempt-tools").map(|(tool, _)| Box::from(tool)).collect()),
        identical_actions: small("identical-actions"),
        cycles: small("cycles"),
        repeated_errors: small("repeated-errors"),
        no_progress_steps: small("no-progress-steps"),
        no_progress_distinct_ppm: table
            .get("no-progress-distinct")
            .map(|_| table.parts_per_million("no-progress-distinct")),
        no_progress_quiet: small("no-progress-quiet"),
        similar_texts: small("similar-texts"),
        similar_texts_distance: small("similar-texts-distance"),
        ping_pongs: small("ping-pongs"),
        velocity_deviations: small("velocity-deviations"),
        velocity_floor: dollars("velocity-floor"),
        attempts_per_answer: small("attempts-per-answer"),
        attempts_least: small("attempts-least"),
        max_cost: dollars("max-cost"),
        max_requests: small("max-requests"),
        max_age: table.optional_span("max-age"),
        max_depth: small("max-depth"),
        max_context_growth: table.count("max-context-growth").map(Tokens),
    }
}

/// The guards of all runs.
pub(super) fn top(table: &Table) -> Guards {
    guards(table).over(&Guards::default())
}
