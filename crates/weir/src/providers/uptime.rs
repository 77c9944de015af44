//! Availability as a table for a person, and as a record a line for a program.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};
use weir_gateway::{AskFault, Operator};

use crate::terminal::{aligned, bold, moves, numbers, print, shown};
use crate::top::plain::word;
use crate::top::{not_understood, words};

/// What was measured, and the breakers of the gateway that runs, if one does.
pub(super) struct Answer {
    uptime: Value,
    breakers: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct Deployments {
    deployments: Vec<Deployment>,
}

#[derive(Deserialize)]
struct Deployment {
    deployment: String,
    breaker: String,
    benched: Option<Value>,
}

/// The answer of `/admin/v1/uptime`.
#[derive(Deserialize)]
struct Uptime {
    at: String,
    users: Vec<Measured>,
    routes: Vec<Of>,
    providers: Vec<Of>,
    deployments: Vec<Of>,
}

#[derive(Deserialize)]
struct Of {
    name: String,
    spans: Vec<Measured>,
}

#[derive(Deserialize)]
struct Measured {
    days: u32,
    answered: u64,
    asked: u64,
}

impl Answer {
    pub(super) fn of(uptime: Value, breakers: Option<BTreeMap<String, String>>) -> Self {
        Self { uptime, breakers }
    }

    /// Asks a gateway.
    pub(super) async fn ask(operator: &Operator) -> Result<Self, AskFault> {
        let answer = operator.ask("/admin/v1/uptime").await?;
        let uptime = serde_json::from_slice(&answer).map_err(|error| not_understood(operator, &error))?;
        let answer = operator.ask("/admin/v1/deployments").await?;
        let read: Deployments = serde_json::from_slice(&answer).map_err(|error| not_understood(operator, &error))?;
        let breaker =
            |one: Deployment| (one.deployment, if one.benched.is_some() { "benched".into() } else { one.breaker });
        Ok(Self::of(uptime, Some(read.deployments.into_iter().map(breaker).collect())))
    }

    /// It for programs; breakers are null where no gateway was asked.
    pub(super) fn json(&self) -> Value {
        let mut all = self.uptime.clone();
        all["breakers"] = self.breakers.as_ref().map_or(Value::Null, |breakers| json!(breakers));
        all
    }

    /// Prints it for a person, or line by line; false if there is nothing, or it is not understood.
    pub(super) fn show(&self) -> bool {
        let Ok(uptime) = serde_json::from_value::<Uptime>(self.uptime.clone()) else { return false };
        if uptime.users.iter().all(|span| span.asked == 0) && uptime.deployments.is_empty() {
            return false;
        }
        if moves() {
            print(bold(&shown(&headline(&uptime))));
            print(shown(&self.table(&uptime).join("\n")));
        } else {
            print(self.lines(&uptime).join("\n"));
        }
        true
    }

    fn breaker(&self, deployment: &str) -> String {
        let known = self.breakers.as_ref().and_then(|breakers| breakers.get(deployment));
        known.map_or_else(|| "—".to_owned(), |breaker| weir_wire::shown(breaker))
    }

    fn table(&self, uptime: &Uptime) -> Vec<String> {
        let mut rows =
            vec![["deployment", "breaker", "1 d", "7 d", "30 d", "90 d", "asked, 90 d"].map(str::to_owned).to_vec()];
        let row = |name: String, breaker: String, spans: &[Measured]| {
            let mut row = vec![name, breaker];
            row.extend(spans.iter().map(|span| numbers::availability(span.answered, span.asked)));
            row.push(spans.last().map_or_else(String::new, |span| numbers::count(span.asked)));
            row
        };
        for provider in &uptime.providers {
            rows.push(row(name(&provider.name), String::new(), &provider.spans));
            for deployment in uptime.deployments.iter().filter(|one| is_of(&one.name, &provider.name)) {
                rows.push(row(
                    format!("  {}", name(&deployment.name)),
                    self.breaker(&deployment.name),
                    &deployment.spans,
                ));
            }
        }
        rows.push(row("users saw".to_owned(), String::new(), &uptime.users));
        for route in &uptime.routes {
            rows.push(row(format!("  route {}", name(&route.name)), String::new(), &route.spans));
        }
        aligned(&rows, 2)
    }

    fn lines(&self, uptime: &Uptime) -> Vec<String> {
        let line = |kind: &str, name: &str, spans: &[Measured]| {
            let mut line = format!("at={} kind={kind}", uptime.at);
            if !name.is_empty() {
                line.push_str(&format!(" name={}", word(name)));
            }
            for Measured { days, answered, asked } in spans {
                line.push_str(&format!(" answered_{days}d={answered} asked_{days}d={asked}"));
            }
            line
        };
        let mut lines: Vec<String> =
            uptime.providers.iter().map(|one| line("provider", &one.name, &one.spans)).collect();
        for one in &uptime.deployments {
            let breaker = format!(" breaker={}", word(&self.breaker(&one.name)));
            lines.push(line("deployment", &one.name, &one.spans) + &breaker);
        }
        lines.push(line("users", "", &uptime.users));
        lines.extend(uptime.routes.iter().map(|one| line("route", &one.name, &one.spans)));
        lines
    }
}

fn is_of(deployment: &str, provider: &str) -> bool {
    deployment.split_once('/').is_some_and(|(of, _)| of == provider) || deployment == provider
}

fn name(name: &str) -> String {
    words::cut(&weir_wire::shown(name), 40)
}

/// What users saw in the longest time that has anything, and the provider that did worst in it.
fn headline(uptime: &Uptime) -> String {
    let Some((place, users)) = uptime.users.iter().enumerate().rev().find(|(_, span)| span.asked > 0) else {
        return "Nobody asked for anything in 90 days.".to_owned();
    };
    let share = |span: &Measured| span.answered as f64 / span.asked.max(1) as f64;
    let measured =
        uptime.providers.iter().filter_map(|one| Some((one, one.spans.get(place).filter(|span| span.asked > 0)?)));
    let worst = measured.min_by(|a, b| share(a.1).total_cmp(&share(b.1)));
    let worst = worst.map(|(one, span)| {
        format!(
            "; of the providers, {} did worst with {}",
            name(&one.name),
            numbers::availability(span.answered, span.asked)
        )
    });
    let seen = numbers::availability(users.answered, users.asked);
    let requests = numbers::counted(users.asked, "request");
    format!("{seen} of {requests} in {} days were answered{}.", users.days, worst.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(of: [(u64, u64); 4]) -> Value {
        let days = [1, 7, 30, 90];
        let one = |(days, (answered, asked)): (&u32, &(u64, u64))| json!({ "days": days, "answered": answered, "asked": asked, "share": null });
        days.iter().zip(&of).map(one).collect()
    }

    fn answer() -> Answer {
        let uptime = json!({
            "at": "2026-11-18T14:47:03.114Z", "days": [1, 7, 30, 90],
            "users": spans([(100, 100), (999, 1_000), (9_999, 10_000), (9_999, 10_000)]),
            "routes": [{ "name": "smart", "spans": spans([(100, 100), (999, 1_000), (9_999, 10_000), (9_999, 10_000)]) }],
            "providers": [{ "name": "openai", "spans": spans([(0, 0), (980, 1_000), (9_712, 10_000), (9_712, 10_000)]) }],
            "deployments": [{ "name": "openai/gpt-5", "spans": spans([(0, 0), (980, 1_000), (9_712, 10_000), (9_712, 10_000)]) }],
        });
        Answer::of(uptime, Some(BTreeMap::from([("openai/gpt-5".to_owned(), "half-open".to_owned())])))
    }

    #[test]
    fn a_person_reads_what_users_saw_beside_what_each_provider_did() {
        let uptime: Uptime = serde_json::from_value(answer().uptime).unwrap();
        let plain = |text: String| text.replace('\u{202f}', " ");
        let headline = plain(headline(&uptime));
        assert_eq!(
            headline,
            "99.99 % of 10,000 requests in 90 days were answered; of the providers, openai did worst with 97.1 %."
        );
        let table = plain(answer().table(&uptime).join("\n"));
        let expected = "\
deployment      breaker      1 d      7 d     30 d     90 d  asked, 90 d
openai                         —   98.0 %   97.1 %   97.1 %       10,000
  openai/gpt-5  half-open      —   98.0 %   97.1 %   97.1 %       10,000
users saw                  100 %  99.90 %  99.99 %  99.99 %       10,000
  route smart              100 %  99.90 %  99.99 %  99.99 %       10,000";
        assert_eq!(table, expected);
    }

    #[test]
    fn a_program_reads_a_record_a_line() {
        let uptime: Uptime = serde_json::from_value(answer().uptime).unwrap();
        let lines = answer().lines(&uptime);
        assert_eq!(lines.len(), 4);
        assert!(
            lines[1]
                .starts_with("at=2026-11-18T14:47:03.114Z kind=deployment name=openai/gpt-5 answered_1d=0 asked_1d=0")
        );
        assert!(lines[1].ends_with("answered_90d=9712 asked_90d=10000 breaker=half-open"), "{}", lines[1]);
        assert_eq!(answer().json()["breakers"]["openai/gpt-5"], "half-open");
    }
}
