//! A plan's question, word by word: the same names on the command line, in an address and in a form.

use std::time::Duration;

use weir_units::{NanoUsd, parse_duration};

use super::cost::Calendar;
use super::hosting::Hosting;
use super::load::{Arrivals, Load, Recorded, Service, Sizes};

/// The most users, requests a minute and tokens that are taken for meant.
const MOST: f64 = 1e9;

/// A question. Unsaid, it is five hundred users on a Tuesday afternoon.
#[derive(Clone, Debug, PartialEq)]
pub struct Form {
    /// The route; the only one there is, if none is said.
    pub route: Option<String>,
    /// What comes.
    pub kind: Kind,
    /// How many times what was recorded, where that is meant.
    pub times: f64,
    /// Input tokens of a request.
    pub input: f64,
    /// Output tokens of an answer.
    pub output: f64,
    /// The bound on output that requests set.
    pub max_output: Option<u64>,
    /// The share of the input that is in a provider's prompt cache.
    pub cached: f64,
    /// How much sizes differ: the deviation of their logarithm.
    pub sigma: f64,
    /// Seconds that an answer takes; measured or assumed, if it is not said.
    pub latency: Option<f64>,
    /// How long a request may wait for capacity.
    pub deadline: Duration,
    /// How long it goes on.
    pub calendar: Calendar,
    /// Whether what is asked already is left out.
    pub alone: bool,
    /// What an hour of a GPU costs, what it does a second, and how many there are.
    pub gpu: (Option<NanoUsd>, Option<f64>, Option<u64>),
    /// What chance of the simulation is drawn from.
    pub seed: u64,
    /// How many minutes are simulated.
    pub minutes: u64,
    /// Whether it is simulated.
    pub proof: bool,
}

/// What comes.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Users who think so long.
    Users(u32, Duration),
    /// So many requests a minute.
    Rate(f64),
    /// As this route is asked.
    Like(String),
    /// As a recording has it.
    Trace,
}

impl Default for Form {
    fn default() -> Self {
        Self {
            route: None,
            kind: Kind::Users(500, Duration::from_secs(30)),
            times: 1.0,
            input: 3_000.0,
            output: 500.0,
            max_output: None,
            cached: 0.0,
            sigma: 0.0,
            latency: None,
            deadline: Duration::from_secs(20),
            calendar: Calendar::default(),
            alone: false,
            gpu: (None, None, None),
            seed: 7,
            minutes: 60,
            proof: true,
        }
    }
}

impl Form {
    /// Everything that can be said.
    pub const NAMES: [&'static str; 22] = [
        "route",
        "users",
        "think",
        "requests-per-minute",
        "like",
        "times",
        "input-tokens",
        "output-tokens",
        "max-tokens",
        "cached",
        "sigma",
        "latency",
        "deadline",
        "hours",
        "days",
        "alone",
        "gpu-hour",
        "gpu-tokens-per-second",
        "gpus",
        "seed",
        "minutes",
        "proof",
    ];

    /// Takes one thing said. Nothing, said of anything, is as good as unsaid; `false` is a name that means nothing.
    ///
    /// # Errors
    /// What is expected instead.
    pub fn set(&mut self, name: &str, text: &str) -> Result<bool, String> {
        let text = text.trim();
        let known = Self::NAMES.contains(&name) || matches!(name, "tokens-in" | "tokens-out");
        if text.is_empty() || !known {
            return Ok(known);
        }
        match name {
            "route" => self.route = Some(text.to_owned()),
            "users" => {
                let users = count(text)?;
                let users = u32::try_from(users).map_err(|_| "at most four billion".to_owned())?;
                self.kind = Kind::Users(users, self.think());
            }
            "think" => self.kind = Kind::Users(self.users().unwrap_or(500), span(text)?),
            "requests-per-minute" => self.kind = Kind::Rate(number(text, 1e-6, MOST)?),
            "like" => self.kind = Kind::Like(text.to_owned()),
            "times" => self.times = number(text, 1e-3, 1e6)?,
            "input-tokens" | "tokens-in" => self.input = number(text, 0.0, MOST)?,
            "output-tokens" | "tokens-out" => self.output = number(text, 0.0, MOST)?,
            "max-tokens" => self.max_output = Some(count(text)?),
            "cached" => self.cached = share(text)?,
            "sigma" => self.sigma = number(text, 0.0, 3.0)?,
            "latency" => self.latency = Some(span(text)?.as_secs_f64()),
            "deadline" => self.deadline = span(text)?,
            "hours" => self.calendar.hours = number(text, 1e-3, 24.0)?,
            "days" => self.calendar.days = number(text, 1e-3, 31.0)?,
            "alone" => self.alone = flag(text)?,
            "gpu-hour" => {
                let dollars: NanoUsd =
                    text.trim_start_matches('$').parse().map_err(|_| "dollars, like 2.50".to_owned())?;
                self.gpu.0 = Some(dollars);
            }
            "gpu-tokens-per-second" => self.gpu.1 = Some(number(text, 1e-3, MOST)?),
            "gpus" => self.gpu.2 = Some(count(text)?),
            "seed" => self.seed = text.parse().map_err(|_| "a whole number".to_owned())?,
            "minutes" => self.minutes = count(text)?.clamp(1, 24 * 60),
            "proof" => self.proof = flag(text)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// How long users think, if users are meant.
    #[must_use]
    pub fn think(&self) -> Duration {
        match self.kind {
            Kind::Users(_, think) => think,
            _ => Duration::from_secs(30),
        }
    }

    /// How many users, if users are meant.
    #[must_use]
    pub fn users(&self) -> Option<u32> {
        match self.kind {
            Kind::Users(users, _) => Some(users),
            _ => None,
        }
    }

    /// What machines of one's own are compared with, if both of their figures are said.
    #[must_use]
    pub fn hosting(&self) -> Option<Hosting> {
        let (gpu_hour, tokens_per_second, gpus) = self.gpu;
        Some(Hosting { gpu_hour: gpu_hour?, tokens_per_second: tokens_per_second?, gpus })
    }

    /// The load that is meant, of a route, with what was recorded where that is meant, and how long answers were measured to
    /// take.
    #[must_use]
    pub fn load(&self, route: &str, recorded: &[Recorded], measured: Option<Service>) -> Load {
        let arrivals = match &self.kind {
            Kind::Users(users, think) => Arrivals::Users { users: *users, think: *think },
            Kind::Rate(per_minute) => Arrivals::Rate { per_minute: *per_minute },
            Kind::Like(_) | Kind::Trace => Arrivals::Recorded { requests: recorded.into(), times: self.times },
        };
        let sizes = Sizes {
            input: self.input,
            cached: self.cached,
            output: self.output,
            max_output: self.max_output,
            sigma: self.sigma,
        };
        let service = measured.unwrap_or(Service::ASSUMED);
        let mut load = Load { route: route.into(), arrivals, sizes, service, deadline: self.deadline };
        if let Some(latency) = self.latency {
            load.service = Service::of(latency, load.mean_output());
        }
        load
    }
}

/// A number that may have thousands set apart, and a `k` or an `M`.
fn number(text: &str, least: f64, most: f64) -> Result<f64, String> {
    let plain = text.replace(['_', ','], "");
    let (digits, unit) = match plain.as_bytes().last() {
        Some(b'k' | b'K') => (&plain[..plain.len() - 1], 1e3),
        Some(b'm' | b'M') => (&plain[..plain.len() - 1], 1e6),
        _ => (&plain[..], 1.0),
    };
    let number = digits.parse::<f64>().ok().map(|number| number * unit);
    number.filter(|number| (least..=most).contains(number)).ok_or_else(|| format!("a number from {least} to {most}"))
}

fn count(text: &str) -> Result<u64, String> {
    let number = number(text, 1.0, MOST)?;
    if number.fract() != 0.0 {
        return Err("a whole number".to_owned());
    }
    Ok(super::demand::whole(number))
}

/// A span with its unit, or so many seconds.
fn span(text: &str) -> Result<Duration, String> {
    if let Ok(seconds) = text.parse::<f64>()
        && let Ok(span) = Duration::try_from_secs_f64(seconds)
    {
        return Ok(span);
    }
    parse_duration(text).map_err(|error| error.to_string())
}

/// A share: `0.5` or `50%`.
fn share(text: &str) -> Result<f64, String> {
    let share = match text.strip_suffix('%') {
        Some(percent) => percent.trim().parse::<f64>().map(|percent| percent / 100.0),
        None => text.parse(),
    };
    share.ok().filter(|share| (0.0..=1.0).contains(share)).ok_or_else(|| "a share from 0 to 1, or 50%".to_owned())
}

fn flag(text: &str) -> Result<bool, String> {
    match text {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err("true or false".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_taken_and_the_rest_is_a_tuesday_afternoon() {
        let mut form = Form::default();
        for (name, text) in [
            ("users", "1_200"),
            ("think", "45s"),
            ("tokens-in", "3k"),
            ("cached", "40%"),
            ("days", ""),
            ("gpu-hour", "$2.50"),
        ] {
            assert_eq!(form.set(name, text), Ok(true), "{name}");
        }
        assert_eq!(form.kind, Kind::Users(1_200, Duration::from_secs(45)));
        assert_eq!((form.input, form.cached, form.calendar), (3_000.0, 0.4, Calendar { hours: 4.0, days: 22.0 }));
        assert!(form.hosting().is_none(), "what it does a second is not said");
        form.set("like", "chat").unwrap();
        form.set("times", "3").unwrap();
        assert_eq!((&form.kind, form.times), (&Kind::Like("chat".to_owned()), 3.0));
        let load = Form::default().load("smart", &[], None);
        assert!((load.mean_service() - 8.0).abs() < 1e-9 && (load.rate() * 60.0 - 789.47).abs() < 0.01);
    }

    #[test]
    fn what_means_nothing_is_refused() {
        let mut form = Form::default();
        for (name, text) in [
            ("users", "-1"),
            ("users", "1.5"),
            ("users", "many"),
            ("think", "soon"),
            ("cached", "2"),
            ("hours", "25"),
            ("input-tokens", "nan"),
            ("deadline", "-3"),
            ("times", "none"),
            ("alone", "maybe"),
            ("gpu-hour", "cheap"),
        ] {
            assert!(form.set(name, text).is_err(), "{name} {text}");
        }
        assert_eq!(form.set("colour", "red"), Ok(false));
        assert_eq!(form, Form::default());
    }

    #[test]
    fn every_name_is_known() {
        for name in Form::NAMES {
            assert_eq!(Form::default().set(name, ""), Ok(true), "{name}");
        }
    }
}
