//! However long a log is, reading and adding up takes the same memory. `WEIR_SOAK=100` makes it 10 GB.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs};

use weir_logs::{Names, Options, Report, Tally, read};

/// What reading may take, however long a log is: what is remembered of calls, hours and names has bounds, which long logs reach.
const MOST: u64 = 128 << 20;

/// Lines as LiteLLM's table of spend logs has them, one in a thousand of them cut; as many bytes as asked for.
struct Flood {
    left: u64,
    line: Vec<u8>,
    at: usize,
    number: u64,
    damaged: Arc<AtomicU64>,
}

impl Flood {
    fn of(bytes: u64) -> (Self, Arc<AtomicU64>) {
        let damaged = Arc::new(AtomicU64::new(0));
        (Self { left: bytes, line: Vec::new(), at: 0, number: 0, damaged: Arc::clone(&damaged) }, damaged)
    }

    fn next_line(&mut self) {
        self.number += 1;
        let n = self.number;
        // About 30 days for a hundred thousand lines and more of the same after that.
        let second = 1_792_418_400 + n % 100_000 * 25;
        let status = if n.is_multiple_of(17) { "failure" } else { "success" };
        let line = format!(
            concat!(
                r#"{{"request_id":"chatcmpl-{n:012x}","call_type":"acompletion","api_key":"88dc28d0f030c55ed4ab77ed8faf098196cb1c05","#,
                r#""spend":{spend}e-06,"total_tokens":{total},"prompt_tokens":{prompt},"completion_tokens":120,"startTime":{second}.25,"#,
                r#""endTime":{second}.95,"completionStartTime":{second}.5,"model":"gpt-5-mini","model_id":"1f2c","model_group":"route-{route}","#,
                r#""custom_llm_provider":"openai","api_base":"https://api.openai.com/v1/","user":"default_user_id","metadata":{{"#,
                r#""user_api_key_alias":"key-{key}","additional_usage_values":{{"prompt_tokens_details":{{"cached_tokens":64}}}},"#,
                r#""requester_metadata":{{"headers":{{"user-agent":"OpenAI/Python 1.58.1","accept":"*/*"}}}},"usage_object":null}},"#,
                r#""cache_hit":"False","request_tags":["prod","eu"],"end_user":"user-{user}","session_id":"session-{session}","status":"{status}","#,
                r#""messages":[{{"role":"user","content":"question {n}: {prose}"}}],"response":{{"choices":[{{"finish_reason":"stop"}}]}}}}"#
            ),
            n = n,
            spend = n % 900 + 1,
            total = n % 4_000 + 120,
            prompt = n % 4_000,
            second = second,
            route = n % 7,
            key = n % 211,
            user = n % 50_021,
            session = n / 5,
            status = status,
            prose = "what rivers carry by while evening waits and waters pass ".repeat(6),
        );
        self.line.clear();
        if n.is_multiple_of(1_000) {
            self.damaged.fetch_add(1, Ordering::Relaxed);
            self.line.extend_from_slice(&line.as_bytes()[..line.len() / 2]);
        } else {
            self.line.extend_from_slice(line.as_bytes());
        }
        self.line.push(b'\n');
        self.at = 0;
    }
}

impl Read for Flood {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if self.at == self.line.len() {
            if self.left == 0 {
                return Ok(0);
            }
            self.next_line();
            self.left = self.left.saturating_sub(self.line.len() as u64);
        }
        let count = into.len().min(self.line.len() - self.at);
        into[..count].copy_from_slice(&self.line[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

/// The most memory that this process had so far, in bytes.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1_024
}

fn run(bytes: u64) -> Report {
    let (flood, damaged) = Flood::of(bytes);
    let names = Names::default();
    let mut tally = Tally::new(Duration::from_secs(30 * 86_400), None);
    let report = read(flood, Options::new(&names), |call| tally.add(&call), |_| true).unwrap();
    assert_eq!(report.damaged, damaged.load(Ordering::Relaxed));
    assert_eq!(report.calls, report.records - report.damaged);
    assert!(tally.errors().unwrap().requests > 0 && tally.spend().unwrap().tokens > 0);
    report
}

#[test]
fn ten_times_the_log_takes_no_more_memory() {
    let percent = env::var("WEIR_SOAK").ok().and_then(|percent| percent.parse::<u64>().ok());
    let whole = percent.map_or(20_000_000, |percent| percent.max(1) * 100_000_000);
    run(whole / 10);
    let before = peak();
    let began = Instant::now();
    let report = run(whole);
    let took = began.elapsed();
    let more = peak() - before;
    println!(
        "{} MB in {:.1} s, {:.0} MB/s with the making of the lines; {} calls; {} MiB of memory, {} KiB of that more than for a tenth",
        report.bytes / 1_000_000,
        took.as_secs_f64(),
        report.bytes as f64 / 1e6 / took.as_secs_f64(),
        report.calls,
        peak() >> 20,
        more >> 10
    );
    assert!(peak() < MOST, "{} bytes, {more} of them for ten times as much", peak());
}
