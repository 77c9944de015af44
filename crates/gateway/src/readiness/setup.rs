//! What the configuration says of readiness: who stands behind each route, whether anything holds a run back, who owns it.

use std::time::Duration;

use weir_capacity::readiness::{OwnerSetup, RouteSetup, Setup};
use weir_config::{Config, Source};
use weir_engine::{BreakerSettings, Guards, Loops};

/// A row of faults as long as this, or a share of them as high as this, opens no breaker in time.
const ENDLESS_ROW: u32 = 100;
const NEARLY_ALL_PPM: u32 = 950_000;
/// A breaker that is open for less lets an outage through.
const SHORTEST_COOLDOWN: Duration = Duration::from_secs(1);

/// What the configuration says of readiness.
#[must_use]
pub fn setup(config: &Config) -> Setup {
    let route = |route: &weir_config::Route| RouteSetup {
        name: route.name.clone(),
        deployments: route.deployments.iter().map(|deployment| deployment.to_string().into()).collect(),
        critical: route.critical,
        guards_off: guards_off(&route.guards),
    };
    let owner = &config.alerts.owner;
    let mut notify = owner.notify.clone();
    for step in &owner.escalate {
        notify.extend(step.notify.iter().filter(|name| !owner.notify.contains(name)).cloned());
    }
    let unguarded = |key: &weir_config::Key| {
        let off = key.guards.loops == Some(Loops::Off);
        off.then(|| format!("key {} sets runs.loops = \"off\"", key.name))
    };
    Setup {
        source: match &config.source {
            Source::File(path) => path.display().to_string(),
            Source::Environment => "the environment".to_owned(),
        },
        routes: config.routes.values().map(route).collect(),
        breaker_off: breaker_off(&config.engine.breaker),
        unguarded_keys: config.keys.values().filter_map(unguarded).collect(),
        providers: config.providers.keys().cloned().collect(),
        keys: config.keys.len(),
        owner: OwnerSetup { name: owner.name.clone(), notify, failing: Vec::new() },
    }
}

/// Why breakers with these settings are as good as none, if they are. There is no switch that turns them off.
pub(super) fn breaker_off(breaker: &BreakerSettings) -> Option<String> {
    if breaker.cooldown < SHORTEST_COOLDOWN {
        return Some(format!(
            "[breaker] cooldown = \"{}\" lets calls through as soon as it opens",
            weir_units::format_duration(breaker.cooldown)
        ));
    }
    let blind = breaker.consecutive_failures >= ENDLESS_ROW && breaker.failure_rate_ppm >= NEARLY_ALL_PPM;
    blind.then(|| {
        format!(
            "[breaker] consecutive-failures = {} and failure-rate = {} hardly ever open it",
            breaker.consecutive_failures,
            f64::from(breaker.failure_rate_ppm) / 1e6
        )
    })
}

/// Why these guards hold nothing back, if they do not. Caps halt a run whatever detectors may do, unless all of it is off.
fn guards_off(guards: &Guards) -> Option<String> {
    let capped = guards.max_cost.is_some() || guards.max_requests.is_some() || guards.max_age.is_some();
    match guards.loops {
        Loops::Off => Some("runs.loops = \"off\"".to_owned()),
        Loops::Warn if !capped => Some("runs.loops = \"warn\" only warns, and no cap is set".to_owned()),
        _ => {
            let detectors = [
                guards.identical_actions,
                guards.cycles,
                guards.repeated_errors,
                guards.no_progress_steps,
                guards.similar_texts,
                guards.ping_pongs,
                guards.velocity_deviations,
                guards.attempts_per_answer,
            ];
            let none = !capped && detectors.iter().all(|threshold| *threshold == 0);
            none.then(|| "every detector is set to 0, and no cap is set".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_breaker_is_off_where_nothing_that_happens_would_open_it() {
        let usual = BreakerSettings::default();
        assert_eq!(breaker_off(&usual), None);
        let row = BreakerSettings { consecutive_failures: 1_000_000, ..usual.clone() };
        assert_eq!(breaker_off(&row), None, "half of all calls failing still opens it");
        let blind = BreakerSettings { failure_rate_ppm: 1_000_000, ..row.clone() };
        let why = "[breaker] consecutive-failures = 1000000 and failure-rate = 1 hardly ever open it";
        assert_eq!(breaker_off(&blind).as_deref(), Some(why));
        let brief = BreakerSettings { cooldown: Duration::from_millis(1), ..usual };
        let why = "[breaker] cooldown = \"1ms\" lets calls through as soon as it opens";
        assert_eq!(breaker_off(&brief).as_deref(), Some(why));
    }

    #[test]
    fn guards_are_off_where_nothing_would_stop_a_run() {
        let usual = Guards::default();
        assert_eq!(guards_off(&usual), None);
        let warn = Guards { loops: Loops::Warn, ..usual.clone() };
        assert!(guards_off(&warn).is_some());
        assert_eq!(guards_off(&Guards { max_requests: Some(200), ..warn }), None);
        // Off is off, caps and all.
        assert!(guards_off(&Guards { loops: Loops::Off, max_requests: Some(200), ..usual.clone() }).is_some());
        let deaf = Guards {
            identical_actions: 0,
            cycles: 0,
            repeated_errors: 0,
            no_progress_steps: 0,
            similar_texts: 0,
            ping_pongs: 0,
            velocity_deviations: 0,
            attempts_per_answer: 0,
            ..usual
        };
        assert!(guards_off(&deaf).is_some());
    }
}
