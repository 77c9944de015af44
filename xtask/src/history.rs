//! `cargo xtask history`: months of requests that never were, in the form that `weir export` gives, to fill a ledger with.
//!
//! Demand has a day's and, if asked for, a week's shape, a trend, launches and noise; requests come by chance within their minute. What is above a
//! limit gets a 429, as from a provider. It stays small: a request or a few a minute show all that forecasts are made from.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use crate::say;

/// How it is called.
pub(crate) const USAGE: &str = "\
cargo xtask history --out FILE [OPTION VALUE]...

  --seed N             what chance begins with [1]
  --days N             how many days [35]
  --from YYYY-MM-DD    the first of them [2026-10-19, a Monday]
  --busiest N          requests a minute in the busiest hour of the first day, may have a point [2]
  --trend PERCENT      growth a day, compounded [0]
  --week               weekends have less than half
  --launch DAY:FACTOR  from that day on (the first is 0), demand is multiplied; may be given more than once
  --noise PERCENT      how much hours vary [5]
  --throttle N         requests a minute that the provider takes; the others get a 429
  --deployment NAME    provider/model [openai/gpt-4o]
  --route NAME         the route that was asked for [chat]
  --key NAME           the key that asked [app]
  --tokens IN:OUT      tokens of a request, on average [800:200]";

const DAY: i64 = 86_400_000;

/// What is to be made.
#[derive(Debug)]
struct Asked {
    out: String,
    seed: u64,
    days: u32,
    from: i64,
    busiest: f64,
    trend: f64,
    week: bool,
    launches: Vec<(u32, f64)>,
    noise: f64,
    throttle: Option<u32>,
    deployment: String,
    route: String,
    key: String,
    tokens: (f64, f64),
}

/// Writes a history.
pub(crate) fn run(arguments: &[&str]) -> ExitCode {
    let asked = match read(arguments) {
        Ok(asked) => asked,
        Err(why) => {
            say(io::stderr(), format_args!("error: {why}\n\n{USAGE}"));
            return ExitCode::from(2);
        }
    };
    let written = File::create(&asked.out).and_then(|file| {
        let mut out = BufWriter::new(file);
        let count = write(&asked, &mut out)?;
        out.flush().map(|()| count)
    });
    match written {
        Ok((count, refused)) => {
            say(io::stdout(), format_args!("{count} requests in {}, {refused} of them throttled", asked.out));
            ExitCode::SUCCESS
        }
        Err(error) => {
            say(io::stderr(), format_args!("error: write `{}`: {error}", asked.out));
            ExitCode::FAILURE
        }
    }
}

fn read(arguments: &[&str]) -> Result<Asked, String> {
    let mut asked = Asked {
        out: String::new(),
        seed: 1,
        days: 35,
        from: day_of(2026, 10, 19),
        busiest: 2.0,
        trend: 0.0,
        week: false,
        launches: Vec::new(),
        noise: 0.05,
        throttle: None,
        deployment: "openai/gpt-4o".to_owned(),
        route: "chat".to_owned(),
        key: "app".to_owned(),
        tokens: (800.0, 200.0),
    };
    let mut rest = arguments.iter();
    while let Some(option) = rest.next() {
        if *option == "--week" {
            asked.week = true;
            continue;
        }
        let value = rest.next().ok_or_else(|| format!("`{option}` takes a value"))?;
        let wrong = || format!("`{option} {value}` is not what it takes");
        let number = || value.parse::<f64>().ok().filter(|n| n.is_finite()).ok_or_else(wrong);
        match *option {
            "--out" => asked.out = (*value).to_owned(),
            "--seed" => asked.seed = value.parse().map_err(|_| wrong())?,
            "--days" => asked.days = value.parse().map_err(|_| wrong())?,
            "--from" => asked.from = date(value).ok_or_else(wrong)?,
            "--busiest" => asked.busiest = number()?.clamp(0.0, 1e5),
            "--trend" => asked.trend = number()? / 100.0,
            "--noise" => asked.noise = number()?.clamp(0.0, 100.0) / 100.0,
            "--throttle" => asked.throttle = Some(value.parse().map_err(|_| wrong())?),
            "--deployment" if value.contains('/') => asked.deployment = name(value).ok_or_else(wrong)?,
            "--route" => asked.route = name(value).ok_or_else(wrong)?,
            "--key" => asked.key = name(value).ok_or_else(wrong)?,
            "--launch" => asked.launches.push(pair(value).ok_or_else(wrong)?),
            "--tokens" => asked.tokens = pair(value).ok_or_else(wrong)?,
            "--deployment" => return Err(wrong()),
            _ => return Err(format!("there is no option `{option}`")),
        }
    }
    if asked.out.is_empty() { Err("`--out FILE` says where it goes".to_owned()) } else { Ok(asked) }
}

/// A name that needs no escapes.
fn name(text: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@".contains(c);
    (!text.is_empty() && text.chars().all(plain)).then(|| text.to_owned())
}

fn pair<A: std::str::FromStr, B: std::str::FromStr>(text: &str) -> Option<(A, B)> {
    let (a, b) = text.split_once(':')?;
    Some((a.parse().ok()?, b.parse().ok()?))
}

/// Writes request after request, oldest first; how many there are, and how many of them were throttled.
fn write(asked: &Asked, out: &mut impl Write) -> io::Result<(u64, u64)> {
    let mut dice = Dice(asked.seed);
    let (mut count, mut throttled) = (0, 0);
    let mut noise = 1.0;
    for minute in 0..i64::from(asked.days) * 1_440 {
        if minute % 60 == 0 {
            noise = (dice.normal() * asked.noise - asked.noise * asked.noise / 2.0).exp();
        }
        let wanted = dice.count(asked.demand(minute) * noise);
        let mut at: Vec<i64> = (0..wanted).map(|_| (dice.unit() * 60_000.0) as i64).collect();
        at.sort_unstable();
        for (place, offset) in at.iter().enumerate() {
            let refused = asked.throttle.is_some_and(|limit| place >= limit as usize);
            let begin = (asked.from * DAY).saturating_add(minute * 60_000 + offset);
            record(asked, &mut dice, begin, refused, out)?;
            count += 1;
            throttled += u64::from(refused);
        }
    }
    Ok((count, throttled))
}

impl Asked {
    /// Requests a minute that are expected.
    fn demand(&self, minute: i64) -> f64 {
        let day = minute as f64 / 1_440.0;
        let hour = (minute % 1_440) as f64 / 60.0;
        let shape = 0.5 - 0.5 * ((hour - 2.0) / 24.0 * std::f64::consts::TAU).cos();
        // Days are counted from 1970-01-01, a Thursday.
        let weekday = (self.from + minute / 1_440 + 3).rem_euclid(7);
        let week = if self.week && weekday >= 5 { 0.45 } else { 1.0 };
        let launched: f64 =
            self.launches.iter().filter(|(from, _)| day >= f64::from(*from)).map(|(_, by)| by).product();
        self.busiest * (0.35 + 0.65 * shape.powf(1.5)) * week * (1.0 + self.trend).powf(day) * launched
    }
}

/// One request as `weir export` writes it.
fn record(asked: &Asked, dice: &mut Dice, begin: i64, refused: bool, out: &mut impl Write) -> io::Result<()> {
    let spread = |mean: f64, dice: &mut Dice| (mean * (0.5 * dice.normal() - 0.125).exp()).round().max(1.0) as u64;
    let (input, output) = (spread(asked.tokens.0, dice), spread(asked.tokens.1, dice));
    let took = if refused { 60 } else { 300 + i64::try_from(output).unwrap_or(0) * 12 };
    let (id, start, end) = (id(begin, dice), time(begin), time(begin + took));
    let Asked { deployment, route, key, .. } = asked;
    let usage = if refused {
        "null".to_owned()
    } else {
        format!(
            r#"{{"input":{input},"cached_input":0,"cache_write":0,"cache_write_long":0,"output":{output},"reasoning":0}}"#
        )
    };
    let (status, class, message) = match refused {
        true => (429, r#""rate_limited""#, r#""Rate limit reached""#),
        false => (200, "null", "null"),
    };
    let (outcome, code, by, first) = match refused {
        true => (
            "failed",
            r#""rate_limit_exceeded""#,
            format!(r#""{}""#, deployment.split('/').next().unwrap_or_default()),
            "null",
        ),
        false => ("answered", "null", "null".to_owned(), "280"),
    };
    let model = deployment.split_once('/').map_or("", |(_, model)| model);
    let last = if refused {
        format!(r#""Refused","status":429,"code":{code},"by":{by}"#)
    } else {
        r#""Answered","status":200"#.to_owned()
    };
    writeln!(
        out,
        r#"{{"id":"{id}","run":null,"key":"{key}","tenant":null,"tags":{{}},"route":"{route}","model":"{model}","dialect":"openai","endpoint":"chat","stream":false,"trace":null,"sdk_retry":null,"content":null,"outcome":"{outcome}","status":{status},"code":{code},"refused_by":{by},"started_at":"{start}","ended_at":"{end}","first_content_ms":{first},"queued_ms":0,"overhead_us":150,"cost_usd":null,"cost_estimated":false,"usage":{usage},"degraded":[],"attempts":[{{"deployment":"{deployment}","status":{status},"class":{class},"message":{message},"upstream_id":null,"started_at":"{start}","ended_at":"{end}","usage":{usage},"cost_usd":null,"cost_estimated":false}}],"events":[{{"at":"{end}","stage":"settle","fact":{last}}}]}}"#
    )
}

/// An id of the time and chance: 48 bits and 80, in Crockford's base 32.
fn id(millis: i64, dice: &mut Dice) -> String {
    let chance = u128::from(dice.next()) << 64 | u128::from(dice.next());
    let value = (u128::from(millis.unsigned_abs()) & 0xFFFF_FFFF_FFFF) << 80 | (chance >> 48);
    let digit = |place: u32| char::from(b"0123456789abcdefghjkmnpqrstvwxyz"[((value >> (5 * place)) & 31) as usize]);
    format!("req_{}", (0..26).rev().map(digit).collect::<String>())
}

/// RFC 3339 with milliseconds.
fn time(millis: i64) -> String {
    let (day, rest) = (millis.div_euclid(DAY), millis.rem_euclid(DAY));
    let (year, month, of_month) = date_of(day);
    let (hour, minute, second) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1_000 % 60);
    format!("{year:04}-{month:02}-{of_month:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", rest % 1_000)
}

fn date(text: &str) -> Option<i64> {
    let mut parts = text.split('-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let days = day_of(year, month, day);
    (date_of(days) == (year, month, day)).then_some(days)
}

/// Days from 1970-01-01, and back (Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn day_of(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let yoe = y.rem_euclid(400);
    let doy = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    y.div_euclid(400) * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719_468
}

fn date_of(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let (era, doe) = (z.div_euclid(146_097), z.rem_euclid(146_097));
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + i64::from(month <= 2), month, doy - (153 * mp + 2) / 5 + 1)
}

/// Chance from a seed (SplitMix64).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        let (a, b) = (1.0 - self.unit(), self.unit());
        (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
    }

    /// How many come if so many are expected (Poisson; large means by the normal distribution).
    fn count(&mut self, mean: f64) -> u32 {
        if mean > 50.0 {
            return (mean + mean.sqrt() * self.normal()).round().clamp(0.0, 1e6) as u32;
        }
        let (least, mut product, mut count) = ((-mean).exp(), self.unit(), 0);
        while product > least {
            product *= self.unit();
            count += 1;
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(arguments: &[&str]) -> String {
        let mut all = vec!["--out", "x"];
        all.extend(arguments);
        let mut out = Vec::new();
        write(&read(&all).unwrap(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn lines(arguments: &[&str]) -> Vec<serde_json::Value> {
        text(arguments).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn equal_seeds_make_equal_records_in_the_order_of_time() {
        let made = lines(&["--days", "2"]);
        assert_eq!(made, lines(&["--days", "2"]));
        assert_ne!(made, lines(&["--days", "2", "--seed", "2"]));
        let ids: Vec<&str> = made.iter().map(|record| &record["id"].as_str().unwrap()[..14]).collect();
        assert!(ids.is_sorted());
        assert!(made[0]["started_at"].as_str().unwrap().starts_with("2026-10-19T00:"));
        assert_eq!(made[0]["attempts"][0]["usage"], made[0]["usage"]);
        // 2 a minute in the busiest hour, 0.64 of that over the day.
        assert!((3_300..3_900).contains(&made.len()), "{}", made.len());
    }

    #[test]
    fn a_launch_a_week_and_a_trend_are_in_it() {
        let of_day = |made: &str, day: &str| made.matches(&format!(r#","started_at":"{day}T"#)).count() as f64 / 2.0;
        let made = text(&["--days", "15", "--week", "--launch", "7:2", "--noise", "0"]);
        let ratio = of_day(&made, "2026-10-26") / of_day(&made, "2026-10-19");
        assert!((1.9..2.1).contains(&ratio), "{ratio}");
        let ratio = of_day(&made, "2026-10-24") / of_day(&made, "2026-10-23");
        assert!((0.4..0.5).contains(&ratio), "{ratio}");
        let made = text(&["--days", "15", "--trend", "5", "--noise", "0"]);
        let ratio = of_day(&made, "2026-11-02") / of_day(&made, "2026-10-19");
        assert!((1.85..2.1).contains(&ratio), "{ratio}");
    }

    #[test]
    fn what_is_above_the_limit_is_refused_by_the_provider() {
        let made = lines(&["--days", "1", "--busiest", "3", "--throttle", "2"]);
        let refused: Vec<_> = made.iter().filter(|record| record["status"] == 429).collect();
        assert!(refused.len() > 100);
        assert_eq!((&refused[0]["refused_by"], &refused[0]["outcome"]), (&"openai".into(), &"failed".into()));
    }

    #[test]
    fn what_is_asked_wrongly_is_said() {
        assert_eq!(read(&[]).unwrap_err(), "`--out FILE` says where it goes");
        assert_eq!(read(&["--out", "x", "--days"]).unwrap_err(), "`--days` takes a value");
        assert_eq!(read(&["--from", "2026-02-30"]).unwrap_err(), "`--from 2026-02-30` is not what it takes");
        assert_eq!(read(&["--fast", "1"]).unwrap_err(), "there is no option `--fast`");
    }
}
