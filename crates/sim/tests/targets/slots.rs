//! Who waits for one of so many slots, simulated beside Erlang's C formula.

use std::path::Path;

use weir_sim::{Scenario, Weir, World};

/// Erlang's C: the share that waits where `offered` erlangs come to `slots`.
fn erlang_c(offered: f64, slots: u32) -> f64 {
    let blocked = (1..=slots).fold(1.0, |blocked, slot| offered * blocked / (f64::from(slot) + offered * blocked));
    let slots = f64::from(slots);
    slots * blocked / (slots - offered * (1.0 - blocked))
}

/// Independent requests whose answers take an exponentially spread time, one second on average, for ten slots: the shares that
/// waited, of several seeds.
fn simulated(load: f64) -> f64 {
    let (mut waited, mut all) = (0_u64, 0_u64);
    for seed in 1..=3_u64 {
        let mut rows = String::from("t_ms,input_tokens,output_tokens\n");
        let (mut at, mut chance) = (0.0, seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut gap = || {
            // splitmix64
            chance = chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = chance;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^= mixed >> 31;
            -(1.0 - (mixed >> 11) as f64 / (1_u64 << 53) as f64).ln()
        };
        while at < 6_000_000.0 {
            at += gap() * 100.0 / load;
            rows.push_str(&format!("{at},10,{}\n", (gap() * 1_000.0).round().max(1.0)));
        }
        let text = format!(
            "seed = {seed}\nduration = \"100m\"\n[providers.a]\nkind = \"openai\"\ntokens-per-second = 1000\n\
             limits = {{ concurrent-requests = 10 }}\n[gateway.providers.a]\nlimits = {{ concurrent-requests = 10 }}\n\
             [gateway.queue]\nmax-wait = \"10m\"\n[gateway.routes.r]\ndeployments = [\"a/m\"]\n[[workloads]]\nroute = \"r\"\n\
             retries = 0\nestimate-error = 0\narrivals = {{ kind = \"trace\", file = \"rows.csv\" }}\n"
        );
        let scenario = Scenario::read(&text, Path::new("slots.toml"), &|_| Ok(rows.clone())).unwrap();
        let world = World::of(&scenario);
        let outcome = weir_sim::run(&scenario, &world, |number| Weir::new(&scenario, &world, number));
        all += outcome.records.len() as u64;
        waited += outcome.records.iter().filter(|record| !record.queued.is_zero()).count() as u64;
    }
    waited as f64 / all as f64
}

#[test]
fn who_waits_for_slots_is_within_five_percent_of_erlangs_formula() {
    for load in [0.7, 0.9] {
        let (formula, simulated) = (erlang_c(10.0 * load, 10), simulated(load));
        println!("load {load}: {simulated:.4} of requests wait, by formula {formula:.4}");
        assert!((simulated / formula - 1.0).abs() <= 0.05, "load {load}: {simulated} and {formula}");
    }
}
