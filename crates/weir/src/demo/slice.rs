//! The public trace that the demo replays: when requests came to a chat service, how long they were, and their answers.
//!
//! It is built into the binary, so that the demo runs anywhere. Only times and counts are in it, no text.

use std::time::Duration;

/// Azure LLM inference trace 2023, conversation (CC-BY-4.0, © Microsoft): see fixtures/traces/README.md.
const TRACE: &str = include_str!("../../../../fixtures/traces/azure_llm_2023_conv_min00-20.csv");
/// Where the story begins in the trace: its first minute is quieter than the rest.
const BEGIN: u64 = 60_000;
/// Answers are this many times shorter than in the trace, so that a minute is enough for an outage and its end.
const SHORTER: u64 = 8;
/// The longest input that is sent, in tokens; hardly one in a hundred is longer.
const LONGEST_INPUT: u64 = 6_000;

/// One request of the trace.
#[derive(Clone, Copy, Debug)]
struct Row {
    at_ms: u64,
    input: u64,
    output: u64,
}

/// A request that is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Due {
    /// When, counted from the beginning of its act.
    pub(super) after: Duration,
    /// Tokens of its prompt.
    pub(super) input: u64,
    /// Tokens of its answer.
    pub(super) output: u64,
}

/// Reads the trace on and on, from its beginning again when it ends.
pub(super) struct Slice {
    rows: Vec<Row>,
    next: usize,
    /// The trace's time that was read up to.
    cursor_ms: u64,
    speed: u32,
}

impl Slice {
    /// The trace at `speed` times its pace.
    pub(super) fn new(speed: u32) -> Self {
        let rows: Vec<Row> = TRACE.lines().filter_map(row).skip_while(|row| row.at_ms < BEGIN).collect();
        Self { rows, next: 0, cursor_ms: BEGIN, speed: speed.max(1) }
    }

    /// What comes within the next `span`; `from` is when that span begins in the act.
    pub(super) fn take(&mut self, from: Duration, span: Duration) -> Vec<Due> {
        let speed = u64::from(self.speed);
        let mut from_ms = self.cursor_ms;
        let mut end_ms = from_ms + millis(span) * speed;
        let mut due = Vec::new();
        let mut before_ms = 0;
        loop {
            let Some(row) = self.rows.get(self.next) else {
                // The trace is over: what is left of the span is taken from its beginning.
                let (Some(first), Some(last)) = (self.rows.first(), self.rows.last()) else { break };
                let gone = (last.at_ms + 1).max(from_ms) - from_ms;
                before_ms += gone;
                end_ms = first.at_ms + end_ms.saturating_sub(from_ms + gone);
                from_ms = first.at_ms;
                self.next = 0;
                continue;
            };
            if row.at_ms >= end_ms {
                break;
            }
            let after = from + Duration::from_millis(before_ms + row.at_ms.saturating_sub(from_ms)) / self.speed;
            due.push(Due { after, input: row.input.min(LONGEST_INPUT), output: (row.output / SHORTER).max(2) });
            self.next += 1;
        }
        self.cursor_ms = end_ms;
        due
    }
}

fn row(line: &str) -> Option<Row> {
    let mut fields = line.split(',').map(|field| field.trim().parse().ok());
    Some(Row { at_ms: fields.next()??, input: fields.next()??, output: fields.next()?? })
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trace_is_read_whole_in_order_and_again() {
        let mut slice = Slice::new(20);
        let all = slice.rows.len();
        assert!(all > 5_000);
        let second = Duration::from_secs(1);
        let spans: Vec<Vec<Due>> = (0..200).map(|_| slice.take(second * 3, second)).collect();
        for due in spans.iter().flatten() {
            assert!(due.after >= second * 3 && due.after <= second * 4, "{due:?}");
        }
        assert!(spans.iter().all(|span| span.is_sorted_by_key(|due| due.after)));
        assert!(spans.iter().map(Vec::len).sum::<usize>() > all * 3, "200 s at 20 times the pace are 67 minutes");
    }

    #[test]
    fn the_pace_is_the_traces_own_times_the_speed() {
        let minute = |speed| Slice::new(speed).take(Duration::ZERO, Duration::from_secs(60)).len();
        let (own, fourfold) = (minute(1), minute(4));
        assert!((200..400).contains(&own), "{own} requests in a minute");
        assert!((own * 3..own * 5).contains(&fourfold), "{fourfold}");
    }
}
