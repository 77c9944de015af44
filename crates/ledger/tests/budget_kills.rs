//! A strict budget of ten dollars, held by the engine and put on record here, by processes that are killed.
//!
//! The one who kills also adds up the bill: the child says what each attempt will be billed when it is made, and whatever was
//! said counts, as it does with a provider.
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]

#[path = "../../engine/tests/budgets/dice.rs"]
mod dice;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::dice::Dice;
use weir_engine::{
    Bill, BudgetId, BudgetMode, BudgetScope, BudgetSettings, Budgets, BudgetsSettings, Estimate, Lease, Lending,
    Period, Recovered, Reserve, ToRecord,
};
use weir_ledger::{BudgetName, Slice, SliceRecord, Slices};
use weir_units::{DeploymentId, Moment, NanoUsd, WallTime};

const LIMIT: NanoUsd = NanoUsd(10_000_000_000);
const CENT: i64 = 10_000_000;
const WALL: WallTime = WallTime(1_795_608_000_000_000);

fn slice(lease: &Lease) -> Slice {
    let budget = BudgetName { scope: lease.budget.scope.name().into(), name: lease.budget.name.clone() };
    Slice { budget, period: lease.period, amount: lease.amount, spent: lease.spent }
}

/// Puts on record all that is to be.
async fn put(budgets: &mut Budgets, slices: &Slices) {
    let all: Vec<ToRecord> = std::iter::from_fn(|| budgets.poll_record()).collect();
    let records = all.iter().map(|next| match next {
        ToRecord::Lend(lease) => SliceRecord::Lend(slice(lease)),
        ToRecord::TakeBack(lease) => SliceRecord::TakeBack(slice(lease)),
    });
    if !all.is_empty() {
        slices.put(records.collect()).await.unwrap();
    }
    for next in all {
        if let ToRecord::Lend(lease) = next {
            budgets.lent(&lease);
        }
    }
}

/// The child of the tests below: a thousand requests at once, until it is killed or refuses.
#[tokio::test]
#[ignore = "it is a process that another test kills"]
async fn spends_until_it_is_killed() {
    let path = std::env::var_os("WEIR_TEST_SLICES").unwrap();
    let seed: u64 = std::env::var("WEIR_TEST_SEED").unwrap().parse().unwrap();
    let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let (slices, balances) = Slices::open(Path::new(&path)).unwrap();
    let mut budgets = Budgets::new(BudgetsSettings::default());
    let mut settings = BudgetSettings::new(LIMIT, Period::Month, BudgetMode::Strict);
    settings.lending = Lending::Durable;
    let handle = budgets.declare(WALL, &BudgetId::new(BudgetScope::Key, "bot"), settings);
    for balance in balances {
        assert_eq!(BudgetScope::named(&balance.budget.scope), Some(BudgetScope::Key));
        let found = Recovered { period: balance.period, lent: balance.lent, spent: balance.spent };
        budgets.recover(WALL, handle, &found);
    }
    let deployment = DeploymentId::new("p", "m");
    let mut out = std::io::stdout().lock();
    let (mut line, mut under_way) = (Vec::new(), Vec::new());
    loop {
        while line.len() + under_way.len() < 1_000 {
            let worst = NanoUsd((1 + dice.below(12)).cast_signed() * CENT);
            let bill = NanoUsd(worst.0 * (1 + dice.below(30)).cast_signed() / 100);
            line.push((budgets.open(&[handle]), worst, bill));
        }
        for (request, worst, bill) in std::mem::take(&mut line) {
            let estimate = Estimate::Known { worst, likely: worst };
            match budgets.reserve(Moment(0), WALL, &request, &deployment, estimate) {
                Reserve::Held(reservation) => {
                    writeln!(out, "\nbill {}", bill.0).unwrap();
                    under_way.push((reservation, bill));
                    budgets.close(request);
                }
                Reserve::Wait(_) => line.push((request, worst, bill)),
                Reserve::Refused(refusal) => {
                    writeln!(out, "\nrefused {}", refusal.spent.0).unwrap();
                    return;
                }
            }
        }
        out.flush().unwrap();
        put(&mut budgets, &slices).await;
        for _ in 0..dice.below(20) {
            if !under_way.is_empty() {
                let which = dice.below(under_way.len() as u64);
                let (reservation, bill) = under_way.swap_remove(usize::try_from(which).unwrap());
                budgets.settle(reservation, Bill::Cost(bill));
            }
        }
    }
}

/// Starts a child and kills it when it has made so many attempts; returns what was billed, and what was spent when it refused.
fn live(path: &Path, seed: u64, attempts: usize) -> (NanoUsd, Option<NanoUsd>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "spends_until_it_is_killed", "--nocapture"])
        .env("WEIR_TEST_SLICES", path)
        .env("WEIR_TEST_SEED", seed.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut billed, mut refused, mut made) = (0_i64, None, 0);
    // What it still said before it died counts as well.
    for line in BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok) {
        if let Some(bill) = line.strip_prefix("bill ") {
            billed += bill.parse::<i64>().unwrap();
            made += 1;
            if made == attempts {
                child.kill().unwrap();
            }
        } else if let Some(spent) = line.strip_prefix("refused ") {
            refused = Some(NanoUsd(spent.parse().unwrap()));
        }
    }
    child.wait().unwrap();
    (NanoUsd(billed), refused)
}

#[test]
fn killed_processes_never_spend_more_than_ten_dollars_together() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weir.db.budgets");
    let (mut billed, mut kills) = (NanoUsd::ZERO, 0);
    for seed in 0..40 {
        let (more, refused) = live(&path, seed, usize::try_from(5 + seed % 7 * 13).unwrap());
        billed += more;
        assert!(billed <= LIMIT, "${billed} after {kills} kills");
        if refused.is_some() {
            break;
        }
        kills += 1;
    }
    println!("${billed} of $10 are billed after {kills} kills");
    assert!(kills >= 3, "{kills}");
}

#[test]
fn a_process_that_nobody_kills_uses_ten_dollars_up() {
    let folder = tempfile::tempdir().unwrap();
    let (billed, refused) = live(&folder.path().join("weir.db.budgets"), 7, usize::MAX);
    assert!(billed <= LIMIT && refused.unwrap() >= NanoUsd(LIMIT.0 / 100 * 98), "${billed}, refused at {refused:?}");
}
