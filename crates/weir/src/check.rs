//! `weir check`: every fault of the configuration at once; with `--live`, one small call to each deployment.

use std::collections::BTreeSet;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};
use weir_config::{Config, ProcessEnvironment, Report};
use weir_gateway::{Probe, probe};
use weir_units::DeploymentId;

use crate::Common;
use crate::serve::{read_config, runtime, start_mocks};
use crate::terminal::{NO, UNREACHABLE, fail, print, say, span};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Also make one small call to each deployment: credential, model, streaming, usage, limits
    #[arg(long)]
    live: bool,
}

/// Checks the configuration.
pub(crate) fn run(common: &Common, arguments: &Arguments) -> ExitCode {
    let report = read_config(common.config.as_deref(), &ProcessEnvironment);
    let sound = report.faults.is_empty();
    let probes = match (&report.config, arguments.live && sound) {
        (Some(config), true) => match runtime() {
            Ok(runtime) => runtime.block_on(probe_all(config.clone(), common.json)),
            Err(error) => return fail(UNREACHABLE, format_args!("the runtime cannot start: {error}")),
        },
        _ => Vec::new(),
    };
    if common.json {
        print(as_json(&report, &probes));
    } else {
        say_report(&report);
    }
    let answered = probes.iter().all(|p| p.fault.is_none());
    if sound && answered { ExitCode::SUCCESS } else { ExitCode::from(NO) }
}

fn say_report(report: &Report) {
    for fault in &report.faults {
        say(fault);
    }
    for warning in &report.warnings {
        say(warning.as_warning());
    }
    let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    match (&report.config, report.faults.len()) {
        (Some(config), 0) => print(format_args!(
            "ok: {}, {}, {}; {}",
            count(config.providers.len(), "provider"),
            count(config.routes.len(), "route"),
            count(config.keys.len(), "key"),
            count(report.warnings.len(), "warning")
        )),
        (_, faults) => {
            print(format_args!("{}, {}", count(faults, "fault"), count(report.warnings.len(), "warning")));
        }
    }
}

/// Calls every deployment that the configuration names, one after the other, and says what came of each as it comes.
async fn probe_all(mut config: Config, quiet: bool) -> Vec<Probe> {
    let mocks = match start_mocks(&mut config).await {
        Ok(mocks) => mocks,
        Err(error) => {
            say(format_args!("error: the built-in mock provider cannot start: {error}"));
            return Vec::new();
        }
    };
    let routed = config.routes.values().flat_map(|r| r.deployments.iter().cloned());
    let declared = config.providers.values().flat_map(|provider| {
        let name = provider.name.clone();
        provider.models.keys().map(move |model| DeploymentId::new(name.clone(), model.as_str()))
    });
    let named: BTreeSet<DeploymentId> = routed.chain(declared).filter(|d| &*d.model != "*").collect();
    let mut probes = Vec::new();
    if named.is_empty() {
        say("nothing to call: no route names a deployment and no provider declares a model");
    }
    for deployment in named {
        let found = probe(&config, &deployment).await;
        if !quiet {
            print(in_words(&found));
        }
        probes.push(found);
    }
    drop(mocks);
    probes
}

fn in_words(probe: &Probe) -> String {
    if let Some((class, message)) = &probe.fault {
        return format!("X  {}  {class}: {message}", probe.deployment);
    }
    let mut parts = Vec::new();
    if let Some(after) = probe.first_content {
        parts.push(format!("first content after {}", span(u64::try_from(after.as_millis()).unwrap_or(u64::MAX))));
    }
    match probe.streamed {
        Some(true) => parts.push("streams".to_owned()),
        Some(false) => parts.push("does not stream".to_owned()),
        None => {}
    }
    match &probe.usage {
        Some(usage) => parts.push(format!("usage {} in, {} out", usage.input.0, usage.output.0)),
        None => parts.push("reports no usage".to_owned()),
    }
    for limit in &probe.limits {
        parts.push(format!("{} {}", limit.dimension, limit.limit));
    }
    format!("ok {}  {}", probe.deployment, parts.join(" · "))
}

fn as_json(report: &Report, probes: &[Probe]) -> Value {
    let faults = |list: &[weir_config::Fault]| -> Vec<Value> {
        list.iter()
            .map(|f| {
                json!({
                    "message": f.message,
                    "file": f.place.as_ref().map(|p| p.file.to_string()),
                    "line": f.place.as_ref().map(|p| p.line),
                    "column": f.place.as_ref().map(|p| p.column),
                    "hint": f.hint,
                })
            })
            .collect()
    };
    let live: Vec<Value> = probes
        .iter()
        .map(|p| {
            json!({
                "deployment": p.deployment.to_string(),
                "ok": p.fault.is_none(),
                "class": p.fault.as_ref().map(|(class, _)| class.name()),
                "message": p.fault.as_ref().map(|(_, message)| message),
                "streams": p.streamed,
                "first_content_ms": p.first_content.map(|t| u64::try_from(t.as_millis()).unwrap_or(u64::MAX)),
                "usage": p.usage.map(|u| json!({ "input": u.input.0, "output": u.output.0 })),
                "limits": p.limits.iter().map(|l| json!({ "dimension": l.dimension.name(), "limit": l.limit })).collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({ "faults": faults(&report.faults), "warnings": faults(&report.warnings), "live": live })
}
