//! What was asked before, read for a plan: what is asked of deployments already, how long their answers took, and recordings.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use weir_ledger::{CallFigures, DemandRow};
use weir_units::{DeploymentId, Dimension, WallTime};

use super::assess::Existing;
use super::demand::{Demand, P95, Request};
use super::load::{Recorded, Service};
use super::site::Site;

const MINUTES: f64 = 60.0;
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: i64 = 86_400_000_000;
/// Answers that have to be measured before they are believed.
const ENOUGH: u64 = 20;

/// What is asked of each deployment already: its busiest hour of `rows`, which are hours.
#[must_use]
pub fn existing(site: &Site, rows: &[DemandRow]) -> Vec<Existing> {
    let mut by_deployment: BTreeMap<&str, Vec<&DemandRow>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.sum.requests > 0) {
        by_deployment.entry(&row.deployment).or_default().push(row);
    }
    let of = |(name, rows): (&str, Vec<&DemandRow>)| {
        let id = DeploymentId::try_from(name.to_owned()).ok()?;
        // Tokens bind more often than requests do, and both rise together.
        let busiest = rows.iter().max_by_key(|row| (row.sum.input + row.sum.output, row.sum.requests))?;
        let charge = site.charge_of(&id);
        let sum = &busiest.sum;
        let each = |tokens: u64| tokens as f64 / sum.requests as f64;
        let request = Request {
            input: each(sum.input),
            cached: each(sum.cached_input),
            output: each(sum.output),
            max_output: None,
        };
        let mut days: BTreeMap<i64, (f64, f64)> = BTreeMap::new();
        for row in &rows {
            let day = days.entry(row.at.0.div_euclid(DAY)).or_default();
            (day.0, day.1) = (day.0 + row.sum.requests as f64, day.1 + (row.sum.input + row.sum.output) as f64);
        }
        let most = |of: fn(&(f64, f64)) -> f64| days.values().map(of).fold(0.0, f64::max);
        let demand = Dimension::ALL.map(|dimension| {
            // The 95th percentile of the minutes, over their mean, of what the dimension counts.
            let (mean, peak) = match dimension {
                Dimension::RequestsPerDay => return Demand { mean: most(|day| day.0), variance: 0.0 },
                Dimension::TokensPerDay => return Demand { mean: most(|day| day.1), variance: 0.0 },
                Dimension::ConcurrentRequests => (sum.busy_ms as f64 / 1e3 / MINUTES, busiest.p95.busy_ms as f64 / 1e3),
                Dimension::RequestsPerMinute => (sum.requests as f64, busiest.p95.requests as f64),
                Dimension::OutputTokensPerMinute => (sum.output as f64, busiest.p95.output as f64),
                _ => (sum.input as f64, busiest.p95.input as f64),
            };
            let (mean, peak) =
                (mean / MINUTES, if dimension == Dimension::ConcurrentRequests { peak / MINUTES } else { peak });
            let over = if mean > 0.0 { (peak / mean - 1.0).max(0.0) } else { 0.0 };
            let mean = match dimension {
                Dimension::ConcurrentRequests => mean,
                _ => request.cost(charge, dimension) * sum.requests as f64 / MINUTES,
            };
            Demand { mean, variance: (mean * over / P95).powi(2) }
        });
        let service = sum.busy_ms as f64 / 1e3 / sum.requests as f64;
        Some(Existing { deployment: id, demand, per_minute: sum.requests as f64 / MINUTES, request, service })
    };
    by_deployment.into_iter().filter_map(of).collect()
}

/// How long a deployment's answers took, if enough were measured: half came to their first content within so long, and half
/// wrote at least so fast; of answers that were not streams, half took so long in all.
#[must_use]
pub fn service_of(figures: &CallFigures) -> Option<Service> {
    let first = figures.first_content.quantile(0.5);
    let rate = figures.tokens_per_second(0.5).filter(|rate| *rate > 0.0);
    if figures.first_content.count() >= ENOUGH
        && let (Some(first), Some(rate)) = (first, rate)
    {
        return Some(Service { first: first as f64 / 1e3, per_output: 1.0 / rate });
    }
    let whole = figures.duration.quantile(0.5).filter(|_| figures.duration.count() >= ENOUGH)?;
    let output = figures.output as f64 / figures.answered.max(1) as f64;
    Some(Service::of(whole as f64 / 1e3, output))
}

/// The requests of records, as JSON, by time, in their busiest hour; those that used no tokens are left out.
#[must_use]
pub fn recorded(records: &[String]) -> Vec<Recorded> {
    let mut requests: Vec<(WallTime, u64, u64)> = records.iter().filter_map(|record| of_record(record)).collect();
    requests.sort_unstable();
    from_first(&requests)
}

fn of_record(record: &str) -> Option<(WallTime, u64, u64)> {
    let record: Value = serde_json::from_str(record).ok()?;
    let at = record.get("started_at")?.as_str()?.parse().ok()?;
    let usage = record.get("usage")?;
    let tokens = |name: &str| usage.get(name).and_then(Value::as_u64);
    Some((at, tokens("input")?, tokens("output").unwrap_or(0)))
}

fn from_first(requests: &[(WallTime, u64, u64)]) -> Vec<Recorded> {
    let first = requests.first().map_or(0, |(at, ..)| at.0);
    let after = |at: WallTime| Duration::from_micros(u64::try_from(at.0 - first).unwrap_or(0));
    let all = requests.iter().map(|(at, input, output)| Recorded { at: after(*at), input: *input, output: *output });
    busiest_hour(all.collect())
}

/// Of a recording of more than two hours, the hour with the most tokens: what has to fit is not the mean of day and night.
fn busiest_hour(requests: Vec<Recorded>) -> Vec<Recorded> {
    if requests.last().is_none_or(|last| last.at <= 2 * HOUR) {
        return requests;
    }
    let tokens = |one: &Recorded| one.input.saturating_add(one.output).saturating_add(1);
    let (mut best, mut sum, mut end) = ((0, 0..0), 0_u64, 0);
    for (start, first) in requests.iter().enumerate() {
        while end < requests.len() && requests[end].at < first.at + HOUR {
            sum = sum.saturating_add(tokens(&requests[end]));
            end += 1;
        }
        if sum > best.0 {
            best = (sum, start..end);
        }
        sum = sum.saturating_sub(tokens(first));
    }
    let hour = &requests[best.1];
    let begin = hour.first().map_or(Duration::ZERO, |one| one.at);
    hour.iter().map(|one| Recorded { at: one.at - begin, ..*one }).collect()
}

/// What a column may be called, in lower case without what parts its words.
const AT: [&str; 9] = ["at", "time", "timestamp", "t", "tms", "ts", "startedat", "arrivedat", "arrivaltime"];
const INPUT: [&str; 6] = ["input", "inputtokens", "contexttokens", "prompttokens", "in", "tokensin"];
const OUTPUT: [&str; 6] = ["output", "outputtokens", "generatedtokens", "completiontokens", "out", "tokensout"];

/// Reads a recording: CSV with columns for when, input and output, or JSON Lines as `weir export` writes them. Times are
/// RFC 3339, seconds, or milliseconds in a column `t_ms`. Of more than two hours, the busiest is taken.
///
/// # Errors
/// At the first line that cannot be read, and where there is no request at all.
pub fn traced(text: &str) -> Result<Vec<Recorded>, String> {
    let text = text.trim_start_matches('\u{feff}');
    let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let Some((_, header)) = lines.next() else { return Err("nothing is in it".to_owned()) };
    let mut requests = Vec::new();
    if header.trim_start().starts_with('{') {
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            match (of_record(line), serde_json::from_str::<Value>(line)) {
                (Some(request), _) => requests.push(request),
                // A request that used no tokens, as one that was refused.
                (None, Ok(record)) if record.get("started_at").is_some() => {}
                _ => return Err(format!("line {}: no record of `weir export`", number + 1)),
            }
        }
    } else {
        let plain = |name: &str| -> String {
            name.trim()
                .trim_matches('"')
                .chars()
                .filter(char::is_ascii_alphanumeric)
                .map(|c| c.to_ascii_lowercase())
                .collect()
        };
        let names: Vec<String> = header.split(',').map(plain).collect();
        let find = |any: &[&str], what: &str| {
            let place = names.iter().position(|name| any.contains(&&**name));
            place.ok_or_else(|| format!("line 1: no column says {what}: call one `{}`", any[0]))
        };
        let (at, input, output) = (find(&AT, "when")?, find(&INPUT, "input tokens")?, find(&OUTPUT, "output tokens")?);
        let unit = if names[at] == "tms" { 1e3 } else { 1e6 };
        for (number, line) in lines {
            let cells: Vec<&str> = line.split(',').map(|cell| cell.trim().trim_matches('"')).collect();
            let cell = |place: usize| cells.get(place).copied().unwrap_or_default();
            let wrong = |place: usize, what: &str| {
                let shown: String = cell(place).chars().filter(|c| !c.is_control()).take(40).collect();
                format!("line {}: `{shown}` is no {what}", number + 1)
            };
            let tokens = |place: usize| {
                let count = cell(place).parse::<f64>().ok().filter(|count| (0.0..=1e12).contains(count));
                count.map(super::demand::whole).ok_or_else(|| wrong(place, "number of tokens"))
            };
            requests.push((time(cell(at), unit).ok_or_else(|| wrong(at, "time"))?, tokens(input)?, tokens(output)?));
        }
    }
    if requests.is_empty() {
        return Err("no request is in it".to_owned());
    }
    requests.sort_unstable();
    Ok(from_first(&requests))
}

/// A time: a number in some unit of microseconds, or as RFC 3339, with a blank for the `T` and without a zone as well.
fn time(text: &str, unit: f64) -> Option<WallTime> {
    if let Ok(number) = text.parse::<f64>() {
        // Milliseconds since 1970, whatever the column is called.
        let unit = if number > 1e11 { 1e3 } else { unit };
        #[expect(clippy::cast_possible_truncation, reason = "a cast saturates")]
        return number.is_finite().then_some(WallTime((number * unit) as i64));
    }
    let text = text.replacen(' ', "T", 1);
    let zoned = text.ends_with('Z') || text.get(19..).is_some_and(|rest| rest.contains(['+', '-']));
    // Seven digits of a second are more than are kept.
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let digits: String = fraction.chars().take_while(char::is_ascii_digit).take(6).collect();
    let zone = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
    let text = if digits.is_empty() { text.clone() } else { format!("{whole}.{digits}{zone}") };
    if zoned { text.parse().ok() } else { format!("{text}Z").parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_are_read_whatever_their_columns_are_called() {
        let expected = [(0, 374, 44), (4_315, 396, 109)];
        for text in [
            "t_ms,input_tokens,output_tokens\n0,374,44\n4315,396,109\n",
            "at,input,output\n100,374,44\n104.315,396,109\n",
            "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.6805900,374,44\n2023-11-16 18:15:50.9955900,396,109\n",
            "{\"started_at\":\"2026-11-18T14:47:07.429Z\",\"usage\":{\"input\":396,\"output\":109}}\n{\"started_at\":\"2026-11-18T14:47:03.114Z\",\"usage\":{\"input\":374,\"output\":44}}\n{\"started_at\":\"2026-11-18T14:47:03.114Z\",\"usage\":null}\n",
        ] {
            let read = traced(text).unwrap();
            let read: Vec<_> = read.iter().map(|one| (one.at.as_millis(), one.input, one.output)).collect();
            assert_eq!(read, expected, "{text}");
        }
    }

    #[test]
    fn of_a_day_the_busiest_hour_is_taken() {
        // One a minute all day, and one a second from 14:00 to 15:00.
        let quiet = (0..1_440).map(|minute| (minute * 60, 10));
        let busy = (0..3_600).map(|second| (14 * 3_600 + second, 1_000));
        let rows: String = quiet.chain(busy).map(|(second, input)| format!("{second},{input},5\n")).collect();
        let hour = traced(&format!("at,input,output\n{rows}")).unwrap();
        let busy = hour.iter().filter(|one| one.input == 1_000).count();
        assert_eq!((busy, hour.len() - busy), (3_600, 60));
        assert!(hour.iter().all(|one| one.at < HOUR) && hour[0].at == Duration::ZERO);
    }

    #[test]
    fn a_trace_that_cannot_be_read_says_where() {
        for (text, why) in [
            ("", "nothing"),
            ("at,input\n1,2\n", "output tokens"),
            ("at,input,output\n", "no request"),
            ("at,input,output\n1,2,3\nsoon,2,3\n", "line 3: `soon` is no time"),
            ("at,input,output\n1,many,3\n", "number of tokens"),
            ("{\"a\":1}\n", "line 1"),
        ] {
            let error = traced(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn what_is_asked_already_is_its_busiest_hour() {
        let id = DeploymentId::new("openai", "gpt-5.2");
        let row = |hour: i64, requests: u64| DemandRow {
            deployment: id.to_string().into(),
            at: WallTime(hour * 3_600_000_000),
            sum: weir_ledger::Demand {
                requests,
                input: requests * 1_000,
                output: requests * 100,
                busy_ms: requests * 2_000,
                ..weir_ledger::Demand::default()
            },
            p95: weir_ledger::Demand {
                requests: requests / 40,
                input: requests * 25,
                output: requests * 5 / 2,
                busy_ms: requests * 50,
                ..weir_ledger::Demand::default()
            },
            peak: weir_ledger::Demand::default(),
        };
        let of = existing(&Site::default(), &[row(1, 600), row(2, 6_000), row(30, 1_200)]);
        let asked = |dimension: Dimension| of[0].demand[dimension.index()];
        assert_eq!((of.len(), &of[0].deployment, of[0].per_minute, of[0].service), (1, &id, 100.0, 2.0));
        assert_eq!(asked(Dimension::InputTokensPerMinute).mean, 100_000.0);
        assert!((asked(Dimension::InputTokensPerMinute).peak() - 150_000.0).abs() < 1.0);
        assert!((asked(Dimension::ConcurrentRequests).mean - 6_000.0 * 2.0 / 3_600.0).abs() < 1e-9);
        assert_eq!(asked(Dimension::RequestsPerDay).mean, 6_600.0);
    }
}
