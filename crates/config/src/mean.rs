//! From values to their meaning: what refers to what, what excludes what, and the types that the rest of Weir takes.
//!
//! Every step notes its faults and goes on with something harmless in the place of what is wrong; a config that was
//! noted against never leaves this crate.

mod admins;
mod alerts;
mod budgets;
mod capture;
mod keys;
mod limits;
mod links;
mod prices;
mod providers;
mod routes;
mod runs;
mod server;
mod telemetry;
mod zone;

use std::sync::Arc;

use crate::log::Log;
use crate::written::Table;
use crate::{Config, Environment, Source, Timeouts};
use weir_engine::{BreakerSettings, RetrySettings, Settings};

pub(crate) use providers::{anthropic_root, built_in_mock};
pub(crate) use telemetry::telemetry;

/// Gives the config as written its meaning.
pub(crate) fn mean(root: &Table, source: Source, environment: &dyn Environment, log: &mut Log<'_>) -> Config {
    let timeouts = timeouts(root.table("timeouts"));
    let guards = Arc::new(runs::top(root.table("runs")));
    let zone = zone::zone(root.table("server"), log);
    let config = Config {
        server: server::server(root, environment, log),
        admins: admins::admins(root, log),
        ledger: server::ledger(root.table("ledger"), &source, environment, log),
        providers: providers::providers(root, environment, log),
        routes: routes::routes(root, &timeouts, &guards, log),
        keys: keys::keys(root, log),
        tenants: budgets::tenants(root),
        budgets: budgets::budgets(root, log),
        unknown_price: budgets::unknown_price(root.table("prices")),
        alerts: alerts::settings(root, zone.clone(), log),
        report: alerts::report(root, log),
        notifiers: alerts::notifiers(root, log),
        contacts: alerts::contacts(root),
        zone,
        engine: engine(root, log),
        max_wait: root.table("queue").span("max-wait"),
        runs: runs::settings(root.table("runs")),
        guards,
        timeouts,
        telemetry: telemetry(root.table("telemetry"), environment, log),
        source,
    };
    links::check(root, log);
    routes::warn_of_one_provider(&config, root, log);
    config
}

fn timeouts(table: &Table) -> Timeouts {
    Timeouts {
        connect: table.span("connect"),
        first_byte: table.span("first-byte"),
        first_content: table.span("first-content"),
        stall: table.span("stall"),
        total: table.span("total"),
    }
}

fn engine(root: &Table, log: &mut Log<'_>) -> Settings {
    let (retry, breaker) = (root.table("retry"), root.table("breaker"));
    let small = |table: &Table, key| table.count(key).map_or(1, |count| u32::try_from(count).unwrap_or(u32::MAX));
    if breaker.span("window").as_secs() > 300 {
        log.fault(breaker.at("window"), "`breaker.window` is longer than five minutes", "write `\"5m\"`".to_owned());
    }
    Settings {
        retry: RetrySettings {
            attempts: small(retry, "attempts"),
            base: retry.span("base"),
            cap: retry.span("cap"),
            budget_ppm: retry.parts_per_million("budget"),
            patience: retry.span("patience"),
        },
        breaker: BreakerSettings {
            consecutive_failures: small(breaker, "consecutive-failures"),
            failure_rate_ppm: breaker.parts_per_million("failure-rate"),
            window: breaker.span("window"),
            cooldown: breaker.span("cooldown"),
        },
        limits: limits::settings(root),
        queue: limits::queue(root.table("queue")),
    }
}

/// Whether a name may stand for a provider, key, tenant or pool; one that may not is noted.
fn is_name(what: &str, name: &str, at: crate::log::At, log: &mut Log<'_>) -> bool {
    let fits = fits_a_name(name);
    if !fits {
        let a = if what.starts_with('a') { "an" } else { "a" };
        let message = format!("`{}` cannot be the name of {a} {what}", crate::log::shown(name));
        log.fault(at, message, format!("a name has {NAME_FORM}"));
    }
    fits
}

/// What names are made of.
pub(crate) const NAME_FORM: &str = "up to 128 letters, digits, `_`, `.` and `-`";

/// Whether a name has that form.
pub(crate) fn fits_a_name(name: &str) -> bool {
    let may_be = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    !name.is_empty() && name.len() <= 128 && name.bytes().all(may_be)
}
