//! What is known of a budget after the process that held it ended, one way or the other.

use std::sync::atomic::{AtomicUsize, Ordering};

use weir_units::NanoUsd;

use crate::dice::Dice;
use crate::world::{CHAT, MESSAGES, World, chat, dollars};

const DOLLAR: NanoUsd = NanoUsd(1_000_000_000);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gateways_that_are_killed_never_spend_more_than_a_dollar_together() {
    let config = "[budgets.b]\nlimit = 1\nmode = \"strict\"\n[tenants.default]\nbudgets = [\"b\"]\n";
    let world = World::slow(config).await;
    let mut dice = Dice(0x5EED);
    let mut kills = 0;
    loop {
        let kill_after = usize::try_from(1 + dice.below(40)).unwrap();
        let (answered, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let asks = (0..120_u64).map(|n| {
            let (world, answered, refused) = (&world, &answered, &refused);
            async move {
                let body = chat("o/m", 10 + n % 50, 70, n % 2 == 0).to_string();
                let got = world.try_ask(if n % 3 == 0 { MESSAGES } else { CHAT }, "", &body).await;
                match got.map(|got| got.status) {
                    Some(402) => refused.fetch_add(1, Ordering::Relaxed),
                    _ if answered.fetch_add(1, Ordering::Relaxed) + 1 == kill_after => {
                        world.kill();
                        0
                    }
                    _ => 0,
                };
            }
        });
        futures_util::future::join_all(asks).await;
        let billed = world.billed().await;
        assert!(billed <= DOLLAR, "${billed} after {kills} kills");
        world.kill();
        kills += 1;
        if refused.load(Ordering::Relaxed) > 60 || kills == 12 {
            break;
        }
        world.serve();
    }
    assert!(kills >= 2, "{kills}");
    world.serve();
    let budget = world.budget("b").await;
    let counted = dollars(&budget["spent_usd"]) + dollars(&budget["presumed_usd"]);
    assert!(counted >= world.billed().await && counted <= DOLLAR, "{budget:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clean_restart_strands_nothing_and_forgets_nothing() {
    let config = "[budgets.hard]\nlimit = 1\nmode = \"strict\"\nwarn-at = []\n[budgets.soft]\nlimit = 1\n[budgets.total]\nlimit = 1\nperiod = \"total\"\n\
                  [budgets.tag]\nlimit = 1\ntag = \"team=ml\"\n[tenants.default]\nbudgets = [\"hard\", \"soft\", \"total\"]\n";
    let world = World::start(config).await;
    for _ in 0..5 {
        assert_eq!(world.ask(CHAT, "x-weir-tags: team=ml\r\n", &chat("o/m", 30, 100, false)).await.status, 200);
    }
    let billed = world.billed().await;
    for round in 0..2 {
        world.stop();
        world.serve();
        for name in ["hard", "soft", "total", "tag"] {
            let budget = world.budget(name).await;
            assert_eq!(dollars(&budget["spent_usd"]), billed, "{round}: {budget:#}");
            assert_eq!(dollars(&budget["presumed_usd"]), NanoUsd::ZERO, "{round}: {budget:#}");
        }
    }
    // The ledger forgets detail after a while; what a total has spent is on record beside it.
    world.stop();
    for file in ["weir.db", "weir.db-wal", "weir.db-shm"] {
        let _ = std::fs::remove_file(world.path(file));
    }
    world.serve();
    for (name, spent) in [("hard", billed), ("total", billed), ("soft", NanoUsd::ZERO)] {
        assert_eq!(dollars(&world.budget(name).await["spent_usd"]), spent, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_raises_a_limit_and_whoever_comes_next_is_served() {
    let config = |limit: &str, more: &str| {
        format!("[budgets.b]\nlimit = \"{limit}\"\nmode = \"strict\"\n[tenants.default]\nbudgets = [\"b\"{more}]\n")
    };
    let world = World::start(&config("0.008", "")).await;
    let question = chat("o/m", 50, 60, false);
    let ask = || world.ask(CHAT, "", &question);
    assert_eq!(ask().await.status, 200);
    assert_eq!(ask().await.status, 402);
    let before = world.budget("b").await;
    world.configure(&format!("{}[budgets.new]\nlimit = 1\n", config("1.00", ", \"new\"")));
    world.hang_up();
    let after = world.budget_until("b", |budget| budget["limit_usd"] == "1").await;
    assert_eq!(after["spent_usd"], before["spent_usd"], "what was spent stays spent");
    let new = world.budget_until("new", |budget| budget["spent_usd"] != "0").await;
    assert_eq!(new["spent_usd"], before["spent_usd"], "a new one begins with what its period has seen");
    assert_eq!(ask().await.status, 200);
    world.configure(&config("oops", ""));
    world.hang_up();
    assert_eq!(ask().await.status, 200, "the old configuration stays in force");
}
