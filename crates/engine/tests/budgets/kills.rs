//! A thousand requests at once on a strict budget of ten dollars, by a process that is killed again and again.

use weir_engine::{
    Bill, BudgetHandle, BudgetRequest, BudgetScope, Budgets, BudgetsSettings, Period, Reservation, Reserve,
};
use weir_units::NanoUsd;

use crate::dice::Dice;
use crate::world::{Disk, NOON, ask, cents, durable, id};

const LIMIT: NanoUsd = NanoUsd(10_000_000_000);

struct Process {
    budgets: Budgets,
    handle: BudgetHandle,
    line: Vec<(BudgetRequest, NanoUsd, NanoUsd)>,
    under_way: Vec<(Reservation, NanoUsd, NanoUsd)>,
}

struct World {
    disk: Disk,
    dice: Dice,
    /// What the provider bills; an attempt is billed from when it is made, whoever dies.
    bill: NanoUsd,
    /// What is in the ledger: attempts that were settled, and the worst case of those that were lost.
    settled: NanoUsd,
    lost: NanoUsd,
    kills: u32,
    stranded: Vec<NanoUsd>,
    refused_at: Option<NanoUsd>,
}

impl World {
    fn start(&mut self, corrected: bool) -> Process {
        let name = id(BudgetScope::Key, "bot");
        let mut budgets = Budgets::new(BudgetsSettings::default());
        let handle = budgets.declare(NOON, &name, durable(LIMIT, Period::Total));
        if let Some(found) = self.disk.lent.get(&name) {
            budgets.recover(NOON, handle, found);
            if corrected {
                let books = budgets.view(NOON, handle).unwrap().books;
                let presumed = books.presumed.saturating_sub(self.lost).max(NanoUsd::ZERO);
                budgets.adjust(handle, found.period, presumed, self.settled.saturating_sub(books.spent));
            }
        }
        Process { budgets, handle, line: Vec::new(), under_way: Vec::new() }
    }

    fn kill(&mut self, process: &mut Process, corrected: bool) {
        let view = process.budgets.view(NOON, process.handle).unwrap();
        // Two slices, of a request's need where one in a hundred of what is left is less.
        let waiting: i64 = process.line.iter().map(|(_, worst, _)| worst.0).sum();
        assert!(view.at_hand.0 <= cents(2 * 16).0 + waiting, "a kill strands {view:?}");
        self.stranded.push(view.at_hand);
        self.kills += 1;
        for (_, worst, _) in &process.under_way {
            self.lost += *worst;
        }
        *process = self.start(corrected);
    }

    fn ask(&mut self, process: &mut Process, request: BudgetRequest, worst: NanoUsd, bill: NanoUsd) {
        match ask(&mut process.budgets, &request, worst) {
            Reserve::Held(reservation) => {
                self.bill += bill;
                process.under_way.push((reservation, worst, bill));
                process.budgets.close(request);
            }
            Reserve::Wait(_) => process.line.push((request, worst, bill)),
            Reserve::Refused(refusal) => {
                self.refused_at.get_or_insert(refusal.spent);
                process.budgets.close(request);
            }
        }
    }

    /// Lives through a thousand requests at once and more; kills at one step of so many.
    fn live(&mut self, kill_at: Option<u64>, corrected: bool) {
        let mut process = self.start(corrected);
        for step in 0..12_000 {
            let coming = if step < 1_000 { 10 } else { self.dice.below(10) };
            match coming {
                6.. if process.line.len() + process.under_way.len() < 1_000 => {
                    let worst = cents(1 + self.dice.below(16).cast_signed());
                    let bill = NanoUsd(worst.0 * self.dice.below(101).cast_signed() / 100);
                    let request = process.budgets.open(&[process.handle]);
                    self.ask(&mut process, request, worst, bill);
                }
                3..6 if !process.line.is_empty() => {
                    let which = self.dice.below(process.line.len() as u64);
                    let (request, worst, bill) = process.line.swap_remove(usize::try_from(which).unwrap());
                    self.ask(&mut process, request, worst, bill);
                }
                1..3 if !process.under_way.is_empty() => {
                    let which = self.dice.below(process.under_way.len() as u64);
                    let (reservation, _, bill) = process.under_way.swap_remove(usize::try_from(which).unwrap());
                    process.budgets.settle(reservation, Bill::Cost(bill));
                    self.settled += bill;
                }
                _ => {
                    let dies = kill_at.is_some_and(|of| self.dice.below(of) == 0);
                    self.disk.write(&mut process.budgets, !dies);
                    if dies {
                        self.kill(&mut process, corrected);
                    }
                }
            }
            if kill_at.is_some_and(|of| self.dice.below(of) == 0) {
                self.kill(&mut process, corrected);
            }
            assert!(self.bill <= LIMIT, "{} is billed after {} kills", self.bill, self.kills);
        }
    }
}

fn world(seed: u64) -> World {
    World {
        disk: Disk::default(),
        dice: Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1),
        bill: NanoUsd::ZERO,
        settled: NanoUsd::ZERO,
        lost: NanoUsd::ZERO,
        kills: 0,
        stranded: Vec::new(),
        refused_at: None,
    }
}

#[test]
fn ten_dollars_are_ten_dollars_whoever_is_killed_and_whenever() {
    let (mut kills, mut used, mut stranded) = (0, Vec::new(), Vec::new());
    for seed in 0..60 {
        for (kill_at, corrected) in [(Some(40), false), (Some(400), true), (Some(2_000), true)] {
            let mut world = world(seed);
            world.live(kill_at, corrected);
            kills += world.kills;
            used.push(world.bill);
            stranded.append(&mut world.stranded);
        }
    }
    assert!(kills > 1_000, "{kills}");
    used.sort_unstable();
    stranded.sort_unstable();
    let (lives, p99) = (used.len(), stranded[stranded.len() * 99 / 100]);
    println!(
        "{kills} kills in {lives} lives; billed ${} to ${} of $10; a kill strands ${p99} (p99)",
        used[0],
        used[lives - 1]
    );
}

#[test]
fn without_kills_a_thousand_at_once_use_it_up_before_one_is_refused() {
    for seed in 0..60 {
        let mut world = world(seed);
        world.live(None, false);
        let refused_at = world.refused_at.unwrap();
        assert!(refused_at >= cents(980), "refused at ${refused_at} of $10");
        assert!(world.bill >= cents(980), "${} of $10 is used", world.bill);
    }
}
