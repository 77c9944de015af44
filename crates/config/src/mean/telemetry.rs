//! `[telemetry]`: where traces and metrics go, from the table and from the variables that every OpenTelemetry SDK knows.
//!
//! The table is over the variables, but for `OTEL_SDK_DISABLED`: it is what operators reach for when telemetry itself does
//! harm. A variable that makes no sense is a warning and never a fault: it may be meant for somebody else's program.

use std::time::Duration;

use super::providers::is_token;
use crate::log::{Log, shown};
use crate::url::Url;
use crate::written::{Table, Value};
use crate::{Environment, Secret, Telemetry};

/// The most pairs that are read of one variable.
const MOST_PAIRS: usize = 128;

/// Where telemetry goes; none if nowhere.
pub(crate) fn telemetry(table: &Table, environment: &dyn Environment, log: &mut Log<'_>) -> Option<Telemetry> {
    let mut variables = Variables { environment, log };
    let traces = variables.endpoint(table, "TRACES");
    let metrics = variables.endpoint(table, "METRICS");
    let headers = variables.headers(table);
    if traces.is_none() && metrics.is_none() {
        if !table.0.is_empty() && variables.log.is_clean() {
            let hint = "add `endpoint = \"http://127.0.0.1:4318\"` under `[telemetry]`".to_owned();
            variables.log.warn(None, "`telemetry` has no `endpoint`, so nothing is sent", hint);
        }
        return None;
    }
    if variables.is_disabled() {
        variables.log.warn(None, "`OTEL_SDK_DISABLED` is set: no traces and no metrics are sent", None);
        return None;
    }
    if table.get("protocol").is_none() && variables.speaks_another_protocol() {
        return None;
    }
    for address in [&traces, &metrics].into_iter().flatten() {
        variables.warn_of_clear_text(address, !headers.is_empty(), table);
    }
    let sample_ppm = match table.get("sample") {
        Some(_) => table.parts_per_million("sample"),
        None => variables.sample_ppm(),
    };
    let gzip = match table.text("compression") {
        Some(word) => word == "gzip",
        None => variables.text("OTEL_EXPORTER_OTLP_COMPRESSION").as_deref() == Some("gzip"),
    };
    let slow = table.optional_span("slow").unwrap_or(Duration::from_secs(30));
    let mut span = |key, variable, default| {
        let span = table.optional_span(key).or_else(|| variables.milliseconds(variable));
        span.unwrap_or(Duration::from_secs(default))
    };
    let timeout = span("timeout", "OTEL_EXPORTER_OTLP_TIMEOUT", 10);
    let interval = span("interval", "OTEL_METRIC_EXPORT_INTERVAL", 60);
    let resource = variables.resource(table);
    Some(Telemetry { traces, metrics, headers, resource, sample_ppm, slow, timeout, interval, gzip })
}

struct Variables<'v, 'l> {
    environment: &'v dyn Environment,
    log: &'v mut Log<'l>,
}

impl Variables<'_, '_> {
    fn text(&self, name: &str) -> Option<String> {
        self.environment.var(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    /// Where one kind of telemetry goes.
    fn endpoint(&mut self, table: &Table, kind: &str) -> Option<String> {
        let lower = kind.to_ascii_lowercase();
        if let Some(whole) = table.text(&format!("{lower}-endpoint")) {
            return Some(whole.to_owned());
        }
        if let Some(base) = table.text("endpoint") {
            return Some(format!("{base}/v1/{lower}"));
        }
        if self.text(&format!("OTEL_{kind}_EXPORTER")).as_deref() == Some("none") {
            return None;
        }
        if let Some(whole) = self.url(&format!("OTEL_EXPORTER_OTLP_{kind}_ENDPOINT")) {
            return Some(whole);
        }
        self.url("OTEL_EXPORTER_OTLP_ENDPOINT").map(|base| format!("{base}/v1/{lower}"))
    }

    fn url(&mut self, name: &str) -> Option<String> {
        let text = self.text(name)?;
        match Url::parse(&text) {
            Ok(url) => Some(url.text.to_owned()),
            Err(why) => {
                self.ignore(name, &format!("`{}` {why}", shown(&text)));
                None
            }
        }
    }

    fn ignore(&mut self, name: &str, why: &str) {
        self.log.warn(None, format!("`{name}` is ignored: {why}"), None);
    }

    fn is_disabled(&self) -> bool {
        self.text("OTEL_SDK_DISABLED").is_some_and(|word| word.eq_ignore_ascii_case("true"))
    }

    /// Whether the environment wants a protocol that is not spoken here.
    fn speaks_another_protocol(&mut self) -> bool {
        let Some(word) = self.text("OTEL_EXPORTER_OTLP_PROTOCOL").filter(|word| word != "http/protobuf") else {
            return false;
        };
        let message = format!(
            "`OTEL_EXPORTER_OTLP_PROTOCOL` is `{}`, and this version speaks `http/protobuf` alone: no traces and no metrics are sent",
            shown(&word)
        );
        let hint = "name the receiver's HTTP port (4318 by convention) under `[telemetry]`, with `protocol = \"http/protobuf\"`";
        self.log.warn(None, message, hint.to_owned());
        true
    }

    fn warn_of_clear_text(&mut self, address: &str, with_headers: bool, table: &Table) {
        if let Ok(url) = Url::parse(address)
            && !url.encrypted
            && !url.is_loopback()
            && with_headers
        {
            let message = format!("the headers of telemetry cross the network in the clear, to `{}`", shown(address));
            self.log.warn(table.at("headers"), message, "use `https://` if it can".to_owned());
        }
    }

    /// The share of traces that the environment asks for.
    fn sample_ppm(&mut self) -> u32 {
        match self.text("OTEL_TRACES_SAMPLER").as_deref() {
            Some("always_on" | "parentbased_always_on") => return 1_000_000,
            Some("always_off" | "parentbased_always_off") => return 0,
            Some(word) if !matches!(word, "traceidratio" | "parentbased_traceidratio") => {
                let why = format!("`{}` is no sampler of this version", shown(word));
                self.ignore("OTEL_TRACES_SAMPLER", &why);
            }
            _ => {}
        }
        let Some(text) = self.text("OTEL_TRACES_SAMPLER_ARG") else { return 1_000_000 };
        match text.parse::<f64>() {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share is from 0 to 1")]
            Ok(share) if (0.0..=1.0).contains(&share) => (share * 1e6).round() as u32,
            _ => {
                self.ignore("OTEL_TRACES_SAMPLER_ARG", &format!("`{}` is no number from 0 to 1", shown(&text)));
                1_000_000
            }
        }
    }

    fn milliseconds(&mut self, name: &str) -> Option<Duration> {
        let text = self.text(name)?;
        match text.parse::<u64>() {
            Ok(count) if count > 0 => Some(Duration::from_millis(count)),
            _ => {
                self.ignore(name, &format!("`{}` is no number of milliseconds", shown(&text)));
                None
            }
        }
    }

    fn headers(&mut self, table: &Table) -> Vec<(String, Secret)> {
        let fits = |name: &str, value: &str| {
            !name.is_empty()
                && name.bytes().all(is_token)
                && value.bytes().all(|byte| byte == b'\t' || byte == b' ' || byte.is_ascii_graphic())
        };
        let mut headers = Vec::new();
        if table.get("headers").is_some() {
            for (name, written) in &table.table("headers").0 {
                let value = match &written.value {
                    Value::Text(text) => Secret::new(text.as_str()),
                    Value::Secret(secret) => secret.clone(),
                    _ => continue,
                };
                if !fits(name, value.expose()) {
                    let message = format!("header `{}` of `telemetry` cannot be sent", shown(name));
                    self.log.fault(written.key_at, message, None);
                }
                headers.push((name.to_ascii_lowercase(), value));
            }
            return headers;
        }
        for (name, value) in self.pairs("OTEL_EXPORTER_OTLP_HEADERS") {
            if fits(&name, &value) {
                headers.push((name.to_ascii_lowercase(), Secret::new(value)));
            } else {
                self.ignore("OTEL_EXPORTER_OTLP_HEADERS", &format!("the header `{}` cannot be sent", shown(&name)));
            }
        }
        headers
    }

    /// What Weir calls itself: the variables' attributes, those of the table over them, and its name.
    fn resource(&mut self, table: &Table) -> Vec<(String, String)> {
        let mut resource = self.pairs("OTEL_RESOURCE_ATTRIBUTES");
        let mut set = |name: &str, value: &str| {
            resource.retain(|(known, _)| known != name);
            resource.push((name.to_owned(), value.to_owned()));
        };
        for (name, written) in &table.table("resource").0 {
            match &written.value {
                Value::Text(text) => set(name, text),
                Value::Secret(secret) => set(name, secret.expose()),
                _ => {}
            }
        }
        let name = table.text("service-name").map(str::to_owned).or_else(|| self.text("OTEL_SERVICE_NAME"));
        match name {
            Some(name) => {
                resource.retain(|(known, _)| known != "service.name");
                resource.insert(0, ("service.name".to_owned(), name));
            }
            None if !resource.iter().any(|(known, _)| known == "service.name") => {
                resource.insert(0, ("service.name".to_owned(), "weir".to_owned()));
            }
            None => {}
        }
        resource
    }

    /// `name=value,name=value`, values with percent escapes.
    fn pairs(&mut self, variable: &str) -> Vec<(String, String)> {
        let Some(text) = self.text(variable) else { return Vec::new() };
        let mut pairs = Vec::new();
        for pair in text.split(',').filter(|pair| !pair.trim().is_empty()).take(MOST_PAIRS) {
            match pair.split_once('=').and_then(|(name, value)| Some((name.trim(), decoded(value.trim())?))) {
                Some((name, value)) if !name.is_empty() => pairs.push((name.to_owned(), value)),
                _ => self.ignore(variable, "a part of it is not `name=value`"),
            }
        }
        pairs
    }
}

/// A text without its percent escapes; none if one is broken.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        if *first == b'%' {
            let digits = std::str::from_utf8(after.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok()
}
