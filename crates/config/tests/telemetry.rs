//! `[telemetry]`, and the variables that every OpenTelemetry SDK knows.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::Duration;

use weir_config::{Environment, Report, Telemetry, from_environment, load};

const FILE: &str = "/etc/weir/weir.toml";

struct World {
    variables: BTreeMap<&'static str, &'static str>,
    text: String,
}

impl Environment for World {
    fn var(&self, name: &str) -> Option<String> {
        self.variables.get(name).map(|value| (*value).to_owned())
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        if path == Path::new(FILE) { Ok(self.text.clone()) } else { Err(io::ErrorKind::NotFound.into()) }
    }
}

fn read(text: &str, variables: &[(&'static str, &'static str)]) -> Report {
    let world = World { variables: variables.iter().copied().collect(), text: text.to_owned() };
    load(Path::new(FILE), &world)
}

fn telemetry(text: &str, variables: &[(&'static str, &'static str)]) -> Option<Telemetry> {
    let report = read(text, variables);
    assert_eq!(report.faults, [], "{text}");
    report.config.expect("a config where nothing is at fault").telemetry
}

fn said(report: &Report) -> String {
    let all = report.faults.iter().map(ToString::to_string).chain(report.warnings.iter().map(|w| w.message.clone()));
    all.collect::<Vec<_>>().join("\n")
}

#[test]
fn with_no_endpoint_nothing_is_sent_and_nothing_said() {
    let report = read("", &[("OTEL_SERVICE_NAME", "gateway")]);
    assert!(!said(&report).contains("telemetry"), "{}", said(&report));
    assert_eq!(report.config.unwrap().telemetry, None);
    let report = read("[telemetry]\nsample = 0.5\n", &[]);
    assert!(said(&report).contains("`telemetry` has no `endpoint`"), "{}", said(&report));
}

#[test]
fn the_table_says_all() {
    let text = "[telemetry]\nendpoint = \"https://collector:4318/\"\nmetrics-endpoint = \"https://metrics/v1/push\"\n\
                headers = { \"X-Token\" = { env = \"TOKEN\" } }\nservice-name = \"edge\"\nresource = { \"cloud.region\" = \"eu\" }\n\
                sample = 0.25\nslow = \"5s\"\ntimeout = \"2s\"\ninterval = \"10s\"\ncompression = \"gzip\"\n\
                protocol = \"http/protobuf\"\n";
    let found = telemetry(text, &[("TOKEN", "s3cret"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://elsewhere")]).unwrap();
    assert_eq!(found.traces.as_deref(), Some("https://collector:4318/v1/traces"));
    assert_eq!(found.metrics.as_deref(), Some("https://metrics/v1/push"));
    assert_eq!((found.headers[0].0.as_str(), found.headers[0].1.expose()), ("x-token", "s3cret"));
    let resource: Vec<(&str, &str)> = found.resource.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    assert_eq!(resource, [("service.name", "edge"), ("cloud.region", "eu")]);
    assert_eq!((found.sample_ppm, found.gzip), (250_000, true));
    let seconds = |span: u64| Duration::from_secs(span);
    assert_eq!((found.slow, found.timeout, found.interval), (seconds(5), seconds(2), seconds(10)));
    assert!(!format!("{found:?}").contains("s3cret"));
}

#[test]
fn what_the_table_does_not_say_the_usual_variables_do() {
    let found = telemetry(
        "",
        &[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:9/traces"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Basic%20eDp5, x-scope = a"),
            ("OTEL_RESOURCE_ATTRIBUTES", "service.name=old,team=ml%2Cops"),
            ("OTEL_SERVICE_NAME", "gateway"),
            ("OTEL_TRACES_SAMPLER_ARG", "0.1"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "2500"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "15000"),
        ],
    );
    let found = found.unwrap();
    assert_eq!(found.traces.as_deref(), Some("http://127.0.0.1:9/traces"));
    assert_eq!(found.metrics.as_deref(), Some("http://127.0.0.1:4318/v1/metrics"));
    let headers: Vec<(&str, &str)> = found.headers.iter().map(|(n, v)| (n.as_str(), v.expose())).collect();
    assert_eq!(headers, [("authorization", "Basic eDp5"), ("x-scope", "a")]);
    let resource: Vec<(&str, &str)> = found.resource.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    assert_eq!(resource, [("service.name", "gateway"), ("team", "ml,ops")]);
    assert_eq!((found.sample_ppm, found.slow), (100_000, Duration::from_secs(30)));
    assert_eq!((found.timeout, found.interval), (Duration::from_millis(2_500), Duration::from_secs(15)));
}

#[test]
fn a_variable_that_makes_no_sense_is_a_warning_and_the_default_holds() {
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318");
    for (name, value) in [
        ("OTEL_TRACES_SAMPLER_ARG", "7"),
        ("OTEL_TRACES_SAMPLER", "jaeger_remote"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "0"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a b=c"),
        ("OTEL_RESOURCE_ATTRIBUTES", "team"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "collector"),
    ] {
        let report = read("", &[endpoint, (name, value)]);
        assert!(said(&report).contains(&format!("`{name}` is ignored: ")), "{name}: {}", said(&report));
        let plain = telemetry("", &[endpoint]);
        assert_eq!(report.config.unwrap().telemetry, plain, "{name}");
    }
}

#[test]
fn sampling_is_by_the_standard_names() {
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318");
    for (sampler, expected) in [
        ("always_on", 1_000_000),
        ("parentbased_always_on", 1_000_000),
        ("always_off", 0),
        ("traceidratio", 20_000),
        ("parentbased_traceidratio", 20_000),
    ] {
        let variables = [endpoint, ("OTEL_TRACES_SAMPLER", sampler), ("OTEL_TRACES_SAMPLER_ARG", "0.02")];
        assert_eq!(telemetry("", &variables).unwrap().sample_ppm, expected, "{sampler}");
    }
}

#[test]
fn what_turns_it_off_is_said() {
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318");
    let text = "[telemetry]\nendpoint = \"http://127.0.0.1:4318\"\n";
    let report = read(text, &[("OTEL_SDK_DISABLED", "true")]);
    assert!(said(&report).contains("`OTEL_SDK_DISABLED` is set"), "{}", said(&report));
    assert_eq!(report.config.unwrap().telemetry, None);
    let grpc = [endpoint, ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")];
    let report = read("", &grpc);
    assert!(said(&report).contains("`http/protobuf` alone"), "{}", said(&report));
    assert_eq!(report.config.unwrap().telemetry, None);
    assert!(
        telemetry("[telemetry]\nprotocol = \"http/protobuf\"\n", &grpc).is_some(),
        "the table is over the variables"
    );
    let report = read("[telemetry]\nendpoint = \"http://x\"\nprotocol = \"grpc\"\n", &[]);
    assert!(report.config.is_none() && said(&report).contains("http/protobuf"), "{}", said(&report));
    let none = telemetry("", &[endpoint, ("OTEL_TRACES_EXPORTER", "none")]).unwrap();
    assert_eq!((none.traces.is_some(), none.metrics.is_some()), (false, true));
}

#[test]
fn without_a_file_the_variables_hold_too_and_warn() {
    let variables = [
        ("HOME", "/home/a"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-token=t"),
    ];
    let report = from_environment(&World { variables: variables.into(), text: String::new() });
    assert!(said(&report).contains("cross the network in the clear"), "{}", said(&report));
    assert_eq!(report.config.unwrap().telemetry.unwrap().traces.as_deref(), Some("http://collector:4318/v1/traces"));
}
