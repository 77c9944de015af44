//! One cell of the fault matrix: one fault, one way of asking, one pair of dialects, one set of deployments.
//!
//! A cell has a gateway and providers of its own, so that cells run side by side and none sees what another left behind.

use std::fmt;

use serde_json::Value;
use weir_mock::{Mock, Standing};

use crate::client::Got;
use crate::dialect::{DIALECTS, Dialect};
use crate::table::{Again, ROWS, Row, Sees, Way};
use crate::world::{World, mock, provider};

/// What the healthy answer says: the mock says back what follows `echo`.
pub(crate) const PROMPT: &str = "echo one two three four five";
const ANSWER: &str = "one two three four five";
/// What a client has of it when the fault comes after three tokens.
const BEGINNING: &str = "one two three";

/// What stands beside the deployment that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Beside {
    Nobody,
    /// A healthy second deployment, at a provider of the same dialect.
    Second,
    /// A healthy second deployment, at a provider of the other dialect.
    Other,
    /// A healthy second deployment, and `after-cut = "end"`.
    End,
    /// A healthy second deployment with a larger context window.
    Larger,
}

pub(crate) struct Cell {
    row: &'static Row,
    streamed: bool,
    client: Dialect,
    provider: Dialect,
    beside: Beside,
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = if self.streamed { "stream" } else { "unary" };
        let beside = match self.beside {
            Beside::Nobody => "alone",
            Beside::Second => "second",
            Beside::Other => "other-dialect",
            Beside::End => "after-cut-end",
            Beside::Larger => "larger-window",
        };
        write!(f, "{}/{mode}/{}→{}/{beside}", self.row.fault, self.client.name(), self.provider.name())
    }
}

/// Every cell there is.
pub(crate) fn cells() -> Vec<Cell> {
    let mut cells = Vec::new();
    for row in &ROWS {
        for streamed in [false, true] {
            for client in DIALECTS {
                for provider in DIALECTS {
                    let cell = |beside| Cell { row, streamed, client, provider, beside };
                    cells.extend([Beside::Nobody, Beside::Second, Beside::Other].map(cell));
                    let reaction = if streamed { row.stream } else { row.unary };
                    if matches!(reaction.alone.sees, Sees::Broken(..)) {
                        cells.push(cell(Beside::End));
                    }
                    if row.fault == "context" {
                        cells.push(cell(Beside::Larger));
                    }
                }
            }
        }
    }
    cells
}

impl Cell {
    /// Plays the cell; the error is everything that is not as the table says.
    pub(crate) async fn play(&self) -> Result<(), String> {
        let first = mock("first").await;
        let second = if self.beside == Beside::Nobody { None } else { Some(mock("second").await) };
        let world = World::start(&self.config(&first, second.as_ref())).await;
        first.order(Standing::all(self.row.fault.parse().map_err(|e| format!("{e}"))?));
        let body = self.client.request("smart", PROMPT, self.streamed);
        let got = world.ask(self.client, &body).await?;
        let mut complaints = Vec::new();
        let mut check = |what: &str, result: Result<(), String>| {
            if let Err(why) = result {
                complaints.push(format!("{what}: {why}"));
            }
        };
        let way = self.way();
        check("the answer", self.check_answer(&way, &got));
        check("the calls", check_calls(way.calls, &first, second.as_ref()));
        check("the record", self.check_record(&way, &world.record(&got).await?));

        first.clear();
        let next = world.ask(self.client, &body).await?;
        if self.next_is_told_to_wait() {
            check("the next answer", check_told_to_wait(&next));
            check("the next calls", check_calls(way.calls, &first, second.as_ref()));
        } else {
            check("the next answer", self.check_whole(&next));
            check("the next record", check_clean(&world.record(&next).await?));
        }
        let records = world.records().await?.len();
        check("the ledger", same("records of two requests", &records, &2));
        check("the end", world.end().await);
        if complaints.is_empty() { Ok(()) } else { Err(complaints.join("\n")) }
    }

    fn config(&self, first: &Mock, second: Option<&Mock>) -> String {
        let mut text = provider("first", self.provider, first.address());
        let mut deployments = vec!["first/fast"];
        if let Some(second) = second {
            let dialect = if self.beside == Beside::Other { self.provider.other() } else { self.provider };
            text.push_str(&provider("second", dialect, second.address()));
            deployments.push("second/fast");
        }
        if self.beside == Beside::Larger {
            text.push_str("[providers.first.models.fast]\ncontext-window = 1000\n");
            text.push_str("[providers.second.models.fast]\ncontext-window = 2000\n");
        }
        text.push_str(&format!("[routes.smart]\ndeployments = {deployments:?}\n"));
        if self.beside == Beside::End {
            text.push_str("after-cut = \"end\"\n");
        }
        text
    }

    /// What the table says of this cell.
    fn way(&self) -> Way {
        let reaction = if self.streamed { self.row.stream } else { self.row.unary };
        match self.beside {
            Beside::Nobody | Beside::End => reaction.alone,
            Beside::Second | Beside::Other => reaction.second,
            Beside::Larger => Way { sees: Sees::Whole, calls: (1, 1), ..reaction.second },
        }
    }

    fn check_answer(&self, way: &Way, got: &Got) -> Result<(), String> {
        match way.sees {
            Sees::Whole => self.check_whole(got),
            Sees::No(status, code, again) => self.check_refusal(status, code, again, got),
            Sees::Broken(status, code) => self.check_broken(status, code, got),
        }
    }

    /// Who was told to stay away for longer than a request waits stays away, and says so without asking.
    fn next_is_told_to_wait(&self) -> bool {
        self.row.fault == "429:30" && self.beside == Beside::Nobody
    }

    fn check_whole(&self, got: &Got) -> Result<(), String> {
        same("the status", &got.status, &200)?;
        let said = self.client.read(got, self.streamed)?;
        same("the text", &said.text.as_str(), &ANSWER)?;
        same("the reason to stop", &said.stop.as_deref(), &Some(self.client.end()))?;
        same("the error", &said.error, &None)?;
        same("the end mark", &said.terminated, &true)?;
        same("x-weir-refused-by", &got.header("x-weir-refused-by"), &None)
    }

    fn check_refusal(&self, status: u16, code: &str, again: Again, got: &Got) -> Result<(), String> {
        same("the status", &got.status, &status)?;
        same("the body is whole", &got.whole, &true)?;
        same("content-type", &got.header("content-type"), &Some("application/json"))?;
        same("x-weir-refused-by", &got.header("x-weir-refused-by"), &Some("first"))?;
        let (said, kind, message) = self.client.error(&got.json()?)?;
        // What a provider said itself may have no code in its dialect.
        let as_it_came =
            self.client == self.provider && matches!(self.row.fault, "429" | "429:1" | "429:30" | "filter");
        if !(as_it_came && said.is_none()) {
            same("the code", &said.as_deref(), &Some(code))?;
        }
        if as_it_came && message.contains("first/fast") {
            return Err(format!("the provider did not say it like this: {message}"));
        }
        if let Some(expected) = self.client.kind_of(status) {
            same("the type", &kind.as_str(), &expected)?;
        }
        let wait = got.header("retry-after").map(str::parse::<u64>);
        let truthful = match (again, &wait) {
            (Again::Never, None) => true,
            (Again::After(seconds), Some(Ok(wait))) => *wait == seconds,
            (Again::Soon, Some(Ok(wait))) => (1..=120).contains(wait),
            _ => false,
        };
        if !truthful {
            return Err(format!("retry-after should be {again:?}, and is {wait:?}"));
        }
        let should = if again == Again::Never { "false" } else { "true" };
        same("x-should-retry", &got.header("x-should-retry"), &Some(should))
    }

    fn check_broken(&self, status: u16, code: &str, got: &Got) -> Result<(), String> {
        same("the status", &got.status, &200)?;
        let said = self.client.read(got, true)?;
        same("the text", &said.text.as_str(), &BEGINNING)?;
        same("a false end", &(said.stop.is_some() || said.terminated), &false)?;
        let frame = said.error.ok_or("there is no error frame")?;
        let (saw, kind, _) = self.client.error(&frame)?;
        same("the code", &saw.as_deref(), &Some(code))?;
        match self.client.kind_of(status) {
            Some(expected) => same("the type", &kind.as_str(), &expected),
            None => Ok(()),
        }
    }

    fn check_record(&self, way: &Way, record: &Value) -> Result<(), String> {
        let (outcome, status, code, by) = match way.sees {
            Sees::Whole => ("answered", 200, None, None),
            Sees::No(status, code, _) => ("failed", status, Some(code), Some("first")),
            Sees::Broken(_, code) => ("failed", 200, Some(code), Some("first")),
        };
        same("the outcome", &record["outcome"], &outcome.into())?;
        same("the status", &record["status"], &status.into())?;
        same("the code", &record["code"], &code.into())?;
        same("who refused", &record["refused_by"], &by.into())?;
        let expected: Vec<(&str, Option<&str>)> = std::iter::repeat_n(("first/fast", way.class), way.calls.0)
            .chain(std::iter::repeat_n(("second/fast", None), way.calls.1))
            .collect();
        same("the attempts", &attempts(record), &expected)?;
        let paid = record["usage"]["output"].as_u64();
        match way.sees {
            Sees::Whole if paid.is_none_or(|tokens| tokens < 5) => Err(format!("the usage: {}", record["usage"])),
            Sees::No(..) if !record["usage"].is_null() => Err(format!("a refusal used {}", record["usage"])),
            _ => Ok(()),
        }
    }
}

/// The deployments that were called, each with the class of its fault.
fn attempts(record: &Value) -> Vec<(&str, Option<&str>)> {
    let list = record["attempts"].as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter().map(|a| (a["deployment"].as_str().unwrap_or_default(), a["class"].as_str())).collect()
}

/// What the providers themselves counted.
fn check_calls(expected: (usize, usize), first: &Mock, second: Option<&Mock>) -> Result<(), String> {
    let counted = (first.stats().requests as usize, second.map_or(0, |mock| mock.stats().requests as usize));
    same("as the providers counted them", &counted, &expected)
}

/// The request after a refusal that names a time: told when to come back, and not sent.
fn check_told_to_wait(got: &Got) -> Result<(), String> {
    same("the status", &got.status, &503)?;
    same("x-weir-refused-by", &got.header("x-weir-refused-by"), &Some("weir"))?;
    let wait = got.header("retry-after").and_then(|wait| wait.parse::<u64>().ok());
    if wait.is_some_and(|wait| (1..=120).contains(&wait)) {
        return Ok(());
    }
    Err(format!("retry-after is {wait:?}"))
}

/// The request after the fault: one call, without a fault.
fn check_clean(record: &Value) -> Result<(), String> {
    same("the outcome", &record["outcome"], &"answered".into())?;
    match attempts(record)[..] {
        [(_, None)] => Ok(()),
        ref other => Err(format!("the fault cost it these attempts: {other:?}")),
    }
}

pub(crate) fn same<T: PartialEq + fmt::Debug>(what: &str, saw: &T, expected: &T) -> Result<(), String> {
    if saw == expected { Ok(()) } else { Err(format!("{what}: expected {expected:?}, saw {saw:?}")) }
}
