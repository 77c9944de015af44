//! Recorded requests: when they came and how large they were, as CSV.

use std::fmt;
use std::time::Duration;

use weir_units::Tokens;

/// A recording in the order of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    rows: Vec<TraceRow>,
}

/// One recorded request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceRow {
    /// How long after the recording's first request.
    pub at: Duration,
    /// Its input tokens.
    pub input: Tokens,
    /// Its answer's tokens.
    pub output: Tokens,
}

/// Why a text is no trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: String,
}

impl fmt::Display for TraceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl std::error::Error for TraceError {}

const COLUMNS: [&str; 3] = ["t_ms", "input_tokens", "output_tokens"];

impl Trace {
    /// Reads CSV with a header that has `t_ms`, `input_tokens` and `output_tokens`, in any order and among others. Line ends
    /// may be `\r\n`, lines may be blank, cells quoted, times out of order.
    ///
    /// # Errors
    /// At the first line that cannot be read, and where there is no request at all.
    pub fn parse(text: &str) -> Result<Self, TraceError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut lines =
            text.lines().enumerate().map(|(at, line)| (at + 1, line.trim())).filter(|(_, line)| !line.is_empty());
        let Some((line, header)) = lines.next() else {
            return Err(wrong(1, format!("nothing is there; a header is expected: {}", COLUMNS.join(","))));
        };
        let names: Vec<String> = cells(header).map(|cell| cell.to_ascii_lowercase().replace([' ', '-'], "_")).collect();
        let mut places = [0; 3];
        for (place, column) in places.iter_mut().zip(COLUMNS) {
            *place = names.iter().position(|name| name == column).ok_or_else(|| {
                wrong(line, format!("the header has no column `{column}`; it needs {}", COLUMNS.join(", ")))
            })?;
        }
        let mut rows = Vec::new();
        for (line, text) in lines {
            let cells: Vec<&str> = cells(text).collect();
            let number = |column: usize| {
                let cell = cells.get(places[column]).copied().unwrap_or_default();
                let read = cell.parse::<f64>().ok().filter(|n| (0.0..=1e13).contains(n));
                read.ok_or_else(|| {
                    let shown = weir_config::shown(cell);
                    wrong(line, format!("`{}` is `{shown}`: a number of at least 0 is expected", COLUMNS[column]))
                })
            };
            let (at, input, output) = (number(0)?, number(1)?, number(2)?);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 1e13")]
            let row = TraceRow {
                at: Duration::from_nanos((at * 1e6) as u64),
                input: Tokens(input as u64),
                output: Tokens(output as u64),
            };
            rows.push(row);
        }
        // A stable sort: requests of one time keep their order.
        rows.sort_by_key(|row: &TraceRow| row.at);
        let Some(first) = rows.first().map(|row| row.at) else {
            return Err(wrong(line, "there is a header and no request below it".to_owned()));
        };
        rows.iter_mut().for_each(|row| row.at -= first);
        Ok(Self { rows })
    }

    /// A recording of these requests, in whatever order they come; none if there is none.
    #[must_use]
    pub fn of(mut rows: Vec<TraceRow>) -> Option<Self> {
        rows.sort_by_key(|row| row.at);
        let first = rows.first()?.at;
        rows.iter_mut().for_each(|row| row.at -= first);
        Some(Self { rows })
    }

    /// The requests, by time.
    #[must_use]
    pub fn rows(&self) -> &[TraceRow] {
        &self.rows
    }

    /// From the first request to the last, and the mean gap more: when it would begin again.
    #[must_use]
    pub fn length(&self) -> Duration {
        let last = self.rows.last().map_or(Duration::ZERO, |row| row.at);
        let gaps = u32::try_from(self.rows.len().saturating_sub(1)).unwrap_or(u32::MAX);
        (last + last.checked_div(gaps).unwrap_or_default()).max(Duration::from_millis(1))
    }
}

fn wrong(line: usize, what: String) -> TraceError {
    TraceError { line, what }
}

/// The cells of a line; a comma in quotes does not part them.
fn cells(line: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    line.split(move |c| {
        quoted ^= c == '"';
        c == ',' && !quoted
    })
    .map(|cell| cell.trim().trim_matches('"').trim())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn row(ms: u64, input: u64, output: u64) -> TraceRow {
        TraceRow { at: Duration::from_millis(ms), input: Tokens(input), output: Tokens(output) }
    }

    #[test]
    fn a_trace_reads_in_any_order_and_however_its_lines_end() {
        let text = "\u{feff}Output_Tokens,model,t_ms,input-tokens\r\n\r\n10,\"a,b\",2000,300\r\n20,x,1000,400\r\n\r\n5,x,1000.5,1";
        let trace = Trace::parse(text).unwrap();
        let half = Duration::from_micros(500);
        assert_eq!(trace.rows(), [row(0, 400, 20), TraceRow { at: half, ..row(0, 1, 5) }, row(1_000, 300, 10)]);
        assert_eq!(trace.length(), Duration::from_millis(1_500));
    }

    #[test]
    fn what_cannot_be_read_is_named_with_its_line() {
        for (text, line, what) in [
            ("", 1, "nothing is there"),
            ("t_ms,output_tokens\n1,2", 1, "no column `input_tokens`"),
            ("t_ms,input_tokens,output_tokens\n", 1, "no request below"),
            ("t_ms,input_tokens,output_tokens\n0,1,2\n\n3,x,4", 4, "`input_tokens` is `x`"),
            ("t_ms,input_tokens,output_tokens\n0,1", 2, "`output_tokens` is ``"),
            ("t_ms,input_tokens,output_tokens\n-1,1,2", 2, "`t_ms` is `-1`"),
            ("t_ms,input_tokens,output_tokens\nNaN,1,2", 2, "`t_ms` is `NaN`"),
        ] {
            let error = Trace::parse(text).unwrap_err();
            assert_eq!(error.line, line, "{text:?}: {error}");
            assert!(error.what.contains(what), "{error}");
        }
    }

    #[test]
    fn the_public_traces_read_whole() {
        let conversations = include_str!("../../../../fixtures/traces/azure_llm_2023_conv_min00-20.csv");
        assert_eq!(Trace::parse(conversations).unwrap().rows().len(), 5_985);
        let code = include_str!("../../../../fixtures/traces/azure_llm_2023_code_min00-20.csv");
        assert_eq!(Trace::parse(code).unwrap().rows().len(), 3_628);
    }

    proptest! {
        #[test]
        fn no_text_panics_and_what_is_read_is_in_order(text in "(t_ms|input_tokens|output_tokens|,|\n|[0-9.\"-]){0,60}") {
            if let Ok(trace) = Trace::parse(&format!("t_ms,input_tokens,output_tokens\n{text}")) {
                prop_assert!(trace.rows().is_sorted_by_key(|row| row.at));
                prop_assert_eq!(trace.rows()[0].at, Duration::ZERO);
            }
        }
    }
}
