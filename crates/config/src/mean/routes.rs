//! `[routes]`: the deployments behind each name, and how they are tried.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use weir_engine::{Guards, Strategy};
use weir_units::DeploymentId;
use weir_wire::ProviderKind;

use crate::log::{At, Log, shown};
use crate::nearest::nearest;
use crate::written::{Table, Value};
use crate::{AfterCut, Config, Route, Timeouts};

pub(super) fn routes(
    root: &Table,
    timeouts: &Timeouts,
    guards: &Arc<Guards>,
    log: &mut Log<'_>,
) -> BTreeMap<Arc<str>, Route> {
    let mut routes = BTreeMap::new();
    for (name, table, at) in root.named("routes") {
        let hostile = |c: char| c.is_whitespace() || c.is_control();
        if name.is_empty() || name.len() > 128 || name.contains(hostile) || shown(name) != name && name.len() <= 64 {
            let message = format!("`{}` cannot be the name of a route", shown(name));
            log.fault(at, message, "a name has up to 128 bytes and no spaces".to_owned());
        }
        let route = Route {
            name: name.into(),
            deployments: deployments(name, root, table, at, log),
            strategy: if table.text("strategy") == Some("balance") { Strategy::Balance } else { Strategy::Failover },
            after_cut: if table.text("after-cut") == Some("end") { AfterCut::End } else { AfterCut::Splice },
            critical: table.flag("critical"),
            timeouts: overridden(timeouts, table.table("timeouts")),
            guards: own_guards(guards, table),
            capture: super::capture::capture(&format!("route `{}`", shown(name)), table, log),
        };
        routes.insert(Arc::clone(&route.name), route);
    }
    routes
}

/// All routes that set nothing share the guards of all runs.
fn own_guards(all: &Arc<Guards>, table: &Table) -> Arc<Guards> {
    let own = super::runs::guards(table.table("runs"));
    if own.is_empty() { Arc::clone(all) } else { Arc::new(own.over(all)) }
}

/// A critical route behind which a single account stands falls with it.
pub(super) fn warn_of_one_provider(config: &Config, root: &Table, log: &mut Log<'_>) {
    for route in config.routes.values().filter(|route| route.critical) {
        let providers: BTreeSet<_> = route.deployments.iter().map(|deployment| &deployment.provider).collect();
        if let (1, Some(only)) = (providers.len(), providers.first()) {
            let at = root.table("routes").table(&route.name).at("critical");
            let message = format!("route `{}` is critical, and `{only}` is its only provider", shown(&route.name));
            log.warn(at, message, "add a deployment of a second provider to `deployments`".to_owned());
        }
    }
}

fn overridden(top: &Timeouts, own: &Table) -> Timeouts {
    let choose = |key, top: Duration| own.optional_span(key).unwrap_or(top);
    Timeouts {
        connect: choose("connect", top.connect),
        first_byte: choose("first-byte", top.first_byte),
        first_content: choose("first-content", top.first_content),
        stall: choose("stall", top.stall),
        total: choose("total", top.total),
    }
}

fn deployments(name: &str, root: &Table, table: &Table, at: At, log: &mut Log<'_>) -> Vec<DeploymentId> {
    let route = shown(name);
    if table.get("deployments").is_none() {
        let hint = "add `deployments = [\"PROVIDER/MODEL\"]`".to_owned();
        log.fault(at, format!("route `{route}` has no `deployments`"), hint);
    } else if table.names("deployments").next().is_none() && table.items("deployments").is_empty() {
        let hint = "write `[\"PROVIDER/MODEL\"]`".to_owned();
        // A value that is no list at all has been noted already.
        if matches!(table.get("deployments").map(|d| &d.value), Some(Value::List(_))) {
            log.fault(
                table.at("deployments"),
                format!("route `{route}` sends to nothing: `deployments` is empty"),
                hint,
            );
        }
    }
    let mut deployments: Vec<DeploymentId> = Vec::new();
    for (text, at) in table.names("deployments") {
        let Some(deployment) = deployment(name, text, at, root, log) else {
            continue;
        };
        if deployments.contains(&deployment) {
            let hint = "repeats of one deployment are `[retry]`'s business".to_owned();
            log.warn(at, format!("route `{route}` names `{}` twice; once is kept", shown(text)), hint);
        } else {
            deployments.push(deployment);
        }
    }
    deployments
}

fn deployment(name: &str, text: &str, at: At, root: &Table, log: &mut Log<'_>) -> Option<DeploymentId> {
    let (route, written) = (shown(name), shown(text));
    let Some((provider, model)) =
        text.split_once('/').filter(|(provider, model)| !provider.is_empty() && !model.is_empty())
    else {
        let owner = root.named("providers").find(|(_, table, _)| table.table("models").get(text).is_some());
        let hint = match owner {
            Some((provider, _, _)) => format!("did you mean `{provider}/{written}`?"),
            None => "write `PROVIDER/MODEL`".to_owned(),
        };
        log.fault(at, format!("route `{route}` sends to `{written}`, which names no provider and model"), hint);
        return None;
    };
    let providers = root.table("providers");
    let is_built_in = providers.0.is_empty() && provider == "mock";
    if providers.get(provider).is_none() && !is_built_in {
        let hint = match nearest(provider, providers.0.keys().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}/{}`?", shown(model)),
            None => format!("add `[providers.{}]`", shown(provider)),
        };
        log.fault(
            at,
            format!("route `{route}` sends to `{written}`, and no provider is named `{}`", shown(provider)),
            hint,
        );
        return None;
    }
    if model == "*" && name != "*" {
        let hint = "only `[routes.\"*\"]` passes the name on that was asked for; name a model".to_owned();
        log.fault(at, format!("route `{route}` sends to `{written}`, which names no model"), hint);
        return None;
    }
    warn_of_undeclared(&route, provider, model, at, root, log);
    Some(DeploymentId::new(provider, model))
}

/// A model need not be declared; but beside declared ones, one that nobody knows is probably a slip.
fn warn_of_undeclared(route: &str, provider: &str, model: &str, at: At, root: &Table, log: &mut Log<'_>) {
    let table = root.table("providers").table(provider);
    let declared = table.table("models");
    let kind = ProviderKind::from_name(table.text("kind").unwrap_or(provider));
    let is_known = || declared.get(model).is_some() || kind.and_then(|kind| weir_wire::model(kind, model)).is_some();
    if model == "*" || declared.0.is_empty() || is_known() {
        return;
    }
    let hint = nearest(model, declared.0.keys().map(String::as_str)).map_or_else(
        || format!("if it is right, declare it: `[providers.{provider}.models.\"{}\"]`", shown(model)),
        |near| format!("did you mean `{provider}/{near}`?"),
    );
    let message = format!("route `{route}` sends to `{provider}/{}`, which no provider declares", shown(model));
    log.warn(at, message, hint);
}
