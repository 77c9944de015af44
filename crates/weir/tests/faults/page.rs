//! docs/faults.md, printed from the table that the matrix is tested by.

use std::fmt::Write as _;
use std::path::Path;

use crate::table::{Again, ROWS, Reaction, Sees, Way};

/// Compares the page with the table; `UPDATE=1` writes it instead.
pub(crate) fn check() -> Result<(), String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/faults.md");
    if std::env::var_os("UPDATE").is_some() {
        return std::fs::write(&path, page()).map_err(|e| e.to_string());
    }
    let written = std::fs::read_to_string(&path).map_err(|e| e.to_string())?;
    if written == page() {
        return Ok(());
    }
    Err("docs/faults.md is stale: run `UPDATE=1 cargo test -p weir --test faults`".to_owned())
}

const INTRODUCTION: &str = "\
<!-- Printed from crates/weir/tests/faults/table.rs: change it there, then run `UPDATE=1 cargo test -p weir --test faults`. -->

# What a provider's faults lead to

Each row is a fault that the mock provider commits on order (`weir mock`; the first column is its word), and what a client of
Weir sees of it: where the route has no other deployment, and where it has a healthy second one. **Calls** are the attempts
upstream: to the first deployment, and to the second. The last column is the fault's class in the request's record.

Each row is tested unary and streamed, with clients and providers of both dialects in all four ways, alone, with a second of
the same dialect and with one of the other. Each of these tests sees to it that

- the client gets the whole answer, or one clean error in its own dialect, and never a false end;
- the calls upstream are as many as the row says;
- the next request on the same gateway is answered by one call, whatever the fault was;
- each request has exactly one record, which holds every attempt with its class.

*whole* is the whole answer, without a trace of the fault. *partial, then CODE* is what had come before the fault, then one
error frame and no end mark. \"Again\" says that the answer carries `x-should-retry: true` and a `retry-after`; every other
error says `x-should-retry: false`.

Names of settings are those of [config.md](config.md). So that the tests end soon, `first-byte` is 2 s in them, `first-content`
1.5 s, `stall` 3 s and `patience` 2 s: the numbers in the faults' words are to be read by these. A retry budget that is spent
makes the calls fewer, never more.

";

const NOTES: &str = "
An answer that broke off after content began is spliced where that is exact; with `after-cut = \"end\"` it ends as it does
alone. A prompt that is too long goes on to a second deployment exactly if that one's context window is known to be larger.
A rate limit or a content filter's refusal is passed on as it came where client and provider speak the same dialect.
";

fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    page.push_str("| fault | what goes wrong | asked | alone | calls | with a second | calls | on record |\n");
    page.push_str("|---|---|---|---|---|---|---|---|\n");
    for row in &ROWS {
        let (fault, what) = (row.fault, row.what);
        if row.unary == row.stream {
            line(&mut page, &format!("`{fault}` | {what} | both"), &row.unary);
        } else {
            line(&mut page, &format!("`{fault}` | {what} | unary"), &row.unary);
            line(&mut page, " | | streamed", &row.stream);
        }
    }
    page.push_str(NOTES);
    page
}

fn line(page: &mut String, begin: &str, reaction: &Reaction) {
    let Reaction { alone, second } = reaction;
    let class = second.class.or(alone.class).map_or_else(|| "–".to_owned(), |class| format!("`{class}`"));
    let cells = [sees(alone), calls(alone), sees(second), calls(second), class];
    // Writing to a string cannot fail.
    let _ = writeln!(page, "| {begin} | {} |", cells.join(" | "));
}

fn sees(way: &Way) -> String {
    match way.sees {
        Sees::Whole => "whole".to_owned(),
        Sees::No(status, code, Again::Never) => format!("{status} `{code}`"),
        Sees::No(status, code, Again::After(seconds)) => format!("{status} `{code}`, again after {seconds} s"),
        Sees::No(status, code, Again::Soon) => format!("{status} `{code}`, again soon"),
        Sees::Broken(_, code) => format!("partial, then `{code}`"),
    }
}

fn calls(way: &Way) -> String {
    match way.calls {
        (first, 0) => format!("{first}"),
        (first, second) => format!("{first} + {second}"),
    }
}
