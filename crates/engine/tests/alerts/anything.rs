//! Whatever happens: each alert opens once and ends once, and nobody is told the same thing twice.

use std::collections::BTreeMap;

use proptest::prelude::{ProptestConfig, Strategy, any, prop_assert, proptest};
use weir_engine::BreakerState;
use weir_engine::alerts::{AlertChange, AlertId};

use crate::world::{World, deployment, minutes, run};

fn state() -> impl Strategy<Value = (u8, bool, u8, u8)> {
    (0..3_u8, any::<bool>(), 1..30_u8, 0..10_u8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn alerts_open_once_end_once_and_repeat_no_message(steps in proptest::collection::vec(state(), 1..40)) {
        let mut world = World::new();
        for (breaker, halted, wait, act) in steps {
            let breaker = [BreakerState::Closed, BreakerState::Open, BreakerState::HalfOpen][usize::from(breaker)];
            world.seen.deployments = vec![deployment("p/m", breaker, (20, 0, 14))];
            world.seen.runs = if halted { vec![run("r")] } else { Vec::new() };
            world.pass(minutes(u64::from(wait)));
            let Some(id) = world.alerts.open().first().map(|alert| alert.id) else { continue };
            let now = world.now;
            let told = match act {
                0 => world.alerts.acknowledge(now, id, "alice"),
                1 => world.alerts.silence(now, id, "bob", "why", now + minutes(20)),
                2 => world.alerts.end_silence(id, "bob"),
                _ => continue,
            };
            world.take(told.unwrap_or_default());
        }
        world.seen.deployments.clear();
        world.seen.runs.clear();
        world.pass(minutes(120));
        prop_assert!(world.alerts.open().is_empty(), "all ends");
        let mut lives: BTreeMap<AlertId, (u32, u32)> = BTreeMap::new();
        for change in &world.changes {
            match change {
                AlertChange::Opened(alert) => lives.entry(alert.id).or_default().0 += 1,
                AlertChange::Closed(alert) => lives.entry(alert.id).or_default().1 += 1,
                _ => {}
            }
        }
        prop_assert!(lives.values().all(|life| *life == (1, 1)), "{:?}", lives);
        let mut sent: Vec<(String, String)> = world.notices.iter().map(|n| (n.to.to_string(), n.event_id())).collect();
        let count = sent.len();
        sent.sort();
        sent.dedup();
        prop_assert!(sent.len() == count, "a message was sent twice");
        // Who heard that something began hears that it ended.
        for notice in world.notices.iter().filter(|notice| notice.kind.key() != "resolved") {
            let end = (notice.to.to_string(), format!("{}-resolved", notice.alert.id));
            prop_assert!(sent.binary_search(&end).is_ok());
        }
    }
}
