//! The record of slices from outside: wherever it is cut or its process killed, no money that was spent is missing.
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use weir_ledger::{BudgetName, Slice, SliceBalance, SliceError, SliceRecord, Slices};
use weir_units::{NanoUsd, WallTime};

fn slice(name: &str, period: i64, amount: i64, spent: i64) -> Slice {
    let budget = BudgetName { scope: "key".into(), name: name.into() };
    Slice { budget, period: WallTime(period), amount: NanoUsd(amount), spent: NanoUsd(spent) }
}

fn lend(name: &str, period: i64, amount: i64, spent: i64) -> SliceRecord {
    SliceRecord::Lend(slice(name, period, amount, spent))
}

fn take_back(name: &str, period: i64, amount: i64, spent: i64) -> SliceRecord {
    SliceRecord::TakeBack(slice(name, period, amount, spent))
}

/// What is lent and known to be spent, by budget and period.
type Sums = BTreeMap<(String, i64), (i64, i64)>;

fn sums(balances: &[SliceBalance]) -> Sums {
    let sum = |balance: &SliceBalance| {
        ((balance.budget.name.to_string(), balance.period.0), (balance.lent.0, balance.spent.0))
    };
    balances.iter().map(sum).collect()
}

/// What a start finds.
fn on_record(path: &Path) -> Sums {
    let (slices, balances) = Slices::open(path).unwrap();
    slices.close();
    sums(&balances)
}

fn expected<const N: usize>(balances: [(&str, i64, i64, i64); N]) -> Sums {
    balances.map(|(name, period, lent, spent)| ((name.to_owned(), period), (lent, spent))).into()
}

#[tokio::test]
async fn what_is_put_down_is_there_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/weir.db.budgets");
    let (slices, balances) = Slices::open(&path).unwrap();
    assert!(balances.is_empty());
    slices.put(vec![lend("a", 1, 100, 0), lend("b \"\n", 1, 50, 0)]).await.unwrap();
    let (first, second) = (slices.put(vec![lend("a", 1, 80, 90)]), slices.put(vec![take_back("a", 1, 30, 95)]));
    second.await.unwrap();
    first.await.unwrap();
    slices.put(vec![lend("c", 1, 9, 0), SliceRecord::Forget(slice("c", 1, 0, 0).budget)]).await.unwrap();
    slices.close();
    assert_eq!(on_record(&path), expected([("a", 1, 150, 95), ("b \"\n", 1, 50, 0)]));
    let (slices, _) = Slices::open(&path).unwrap();
    slices.put(vec![lend("a", 2, 7, 1)]).await.unwrap();
    slices.close();
    assert_eq!(on_record(&path), expected([("a", 2, 7, 1), ("b \"\n", 1, 50, 0)]), "a new period begins anew");
}

#[tokio::test]
async fn a_line_that_was_changed_in_the_middle_is_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weir.db.budgets");
    let (slices, _) = Slices::open(&path).unwrap();
    slices.put(vec![lend("a", 1, 100, 0)]).await.unwrap();
    slices.put(vec![lend("a", 1, 100, 0)]).await.unwrap();
    slices.close();
    let damaged = fs::read_to_string(&path).unwrap().replacen("100", "900", 1);
    let copy = folder.path().join("copy.budgets");
    fs::write(&copy, &damaged).unwrap();
    let error = Slices::open(&copy).unwrap_err();
    assert!(matches!(error, SliceError::Damaged { line: 2, .. }), "{error}");
    assert_eq!(fs::read_to_string(&copy).unwrap(), damaged, "it is left as it is");
}

#[test]
fn a_second_process_a_newer_record_and_another_file_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weir.db.budgets");
    let (slices, _) = Slices::open(&path).unwrap();
    let error = Slices::open(&path).unwrap_err().to_string();
    assert!(error.contains(&format!("(process {}) writes to it", std::process::id())), "{error}");
    slices.close();
    for (text, says) in [("weir budgets 2\nxyz", "version 2"), ("SQLite format 3", "no record of weir's budgets")] {
        let other = folder.path().join("other.budgets");
        fs::write(&other, text).unwrap();
        let error = Slices::open(&other).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
        assert_eq!(fs::read_to_string(&other).unwrap(), text);
    }
}

/// The child of the test below: it lends one by one, and says so each time.
#[tokio::test]
#[ignore = "it is a process that another test kills"]
async fn lends_until_it_is_killed() {
    let path = std::env::var_os("WEIR_TEST_SLICES").unwrap();
    let (slices, balances) = Slices::open(Path::new(&path)).unwrap();
    let mut lent = sums(&balances).get(&("a".to_owned(), 1)).map_or(0, |(lent, _)| *lent);
    loop {
        slices.put(vec![lend("a", 1, 1, 0)]).await.unwrap();
        lent += 1;
        println!("lent {lent}");
    }
}

#[test]
fn a_killed_process_leaves_on_record_all_that_it_was_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weir.db.budgets");
    for kill in 1..=5 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "lends_until_it_is_killed", "--nocapture"])
            .env("WEIR_TEST_SLICES", &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut told = 0;
        for line in lines.by_ref() {
            // The harness may write before the first word of the test, on the same line.
            let line = line.unwrap();
            if let Some((_, lent)) = line.split_once("lent ") {
                told = lent.parse::<i64>().unwrap();
                if told >= kill * 40 {
                    break;
                }
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        told = lines
            .map_while(Result::ok)
            .filter_map(|line| line.strip_prefix("lent ")?.parse().ok())
            .fold(told, i64::max);
        let lent = on_record(&path)[&("a".to_owned(), 1)].0;
        assert!(lent >= told && lent <= told + 1, "{lent} on record, told of {told}");
    }
}
