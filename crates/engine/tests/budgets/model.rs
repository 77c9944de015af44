//! Random lives of budgets beside a model that only adds up bills: attempts, kills, restarts, hours that pass.
//!
//! The model knows what each attempt will be billed from the moment it is made. Nothing else is needed to say whether a
//! budget was over-spent, and nothing that a process forgets makes the model forget it.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use proptest::test_runner::TestCaseError;
use weir_engine::{
    Balances, Bill, BudgetHandle, BudgetId, BudgetMode, BudgetRequest, BudgetScope, BudgetSettings, Budgets,
    BudgetsSettings, Estimate, Lending, Period, Recovered, RefusedFor, Reservation, Reserve,
};
use weir_units::{DeploymentId, Moment, NanoUsd, WallTime};

use crate::world::{Disk, HOUR, NOON, cents, durable, held, id, journaled, soft, strict};

#[derive(Clone, Debug)]
enum Step {
    /// A request comes that is paid by the budgets of a mask, and costs some share of its worst case.
    Come { mask: u8, worst: i64, share: i64 },
    /// One of those in line asks again.
    AskAgain(usize),
    /// An attempt ends.
    End { which: usize, how: End },
    /// Something is put on record, and the answer comes or not.
    Write { answered: bool },
    /// Time passes.
    Pass { minutes: i64 },
    /// The process dies.
    Kill { corrected: bool },
    /// The key's limit is set to another, up to what it is at first.
    Set { limit: i64 },
    /// The process ends in order: nothing is under way.
    Restart,
}

#[derive(Clone, Copy, Debug)]
enum End {
    Billed,
    Unbilled,
    Unknown,
    /// It is not settled, and later it is.
    Late,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let end =
        prop_oneof![6 => Just(End::Billed), 1 => Just(End::Unbilled), 1 => Just(End::Unknown), 1 => Just(End::Late)];
    let step = prop_oneof![
        12 => (1_u8..16, 0_i64..40, 0_i64..=100).prop_map(|(mask, worst, share)| Step::Come { mask, worst, share }),
        8 => any::<usize>().prop_map(Step::AskAgain),
        10 => (any::<usize>(), end).prop_map(|(which, how)| Step::End { which, how }),
        10 => proptest::bool::weighted(0.9).prop_map(|answered| Step::Write { answered }),
        1 => (1_i64..90).prop_map(|minutes| Step::Pass { minutes }),
        1 => any::<bool>().prop_map(|corrected| Step::Kill { corrected }),
        1 => (0_i64..=120).prop_map(|limit| Step::Set { limit }),
        1 => Just(Step::Restart),
    ];
    proptest::collection::vec(step, 1..250)
}

/// An attempt as the provider sees it.
#[derive(Clone, Debug)]
struct Attempt {
    budgets: Vec<(BudgetId, WallTime)>,
    bill: NanoUsd,
}

struct Life {
    budgets: Budgets,
    handles: Vec<BudgetHandle>,
    disk: Disk,
    wall: WallTime,
    now: Moment,
    line: Vec<(BudgetRequest, NanoUsd, NanoUsd)>,
    under_way: Vec<(Reservation, Attempt)>,
    late: Vec<(Reservation, Attempt)>,
    /// What the provider bills, or will, for a budget in a period, attempts that were lost included.
    billed: BTreeMap<(BudgetId, WallTime), NanoUsd>,
    posted: Balances,
    last: u64,
}

fn declared() -> [(BudgetId, BudgetSettings); 4] {
    [
        (id(BudgetScope::Org, "acme"), durable(cents(400), Period::Day)),
        (id(BudgetScope::Tenant, "team"), soft(cents(150), Period::Hour)),
        (id(BudgetScope::Key, "bot"), durable(cents(120), Period::Hour)),
        (id(BudgetScope::Run, "run_1"), strict(cents(200), Period::Total)),
    ]
}

impl Life {
    fn begin() -> Self {
        let mut life = Self {
            budgets: journaled(),
            handles: Vec::new(),
            disk: Disk::default(),
            wall: NOON,
            now: Moment::ZERO,
            line: Vec::new(),
            under_way: Vec::new(),
            late: Vec::new(),
            billed: BTreeMap::new(),
            posted: Balances::default(),
            last: 0,
        };
        life.start(false);
        life
    }

    /// A new process: it knows what is on record, and of what is not lent on record what the ledger adds up to.
    fn start(&mut self, corrected: bool) {
        (self.line, self.under_way, self.late) = (Vec::new(), Vec::new(), Vec::new());
        let settings = BudgetsSettings { journal: true, first_posting: self.last + 1, ..BudgetsSettings::default() };
        self.budgets = Budgets::new(settings);
        self.handles = Vec::new();
        for (name, settings) in declared() {
            let lending = settings.lending;
            let handle = self.budgets.declare(self.wall, &name, settings);
            let period = self.budgets.view(self.wall, handle).unwrap().span.start;
            let billed = self.bill_of(&name, period);
            let ledger = Recovered { period, lent: billed, spent: billed };
            let found = if lending == Lending::Durable { self.disk.lent.get(&name).copied() } else { Some(ledger) };
            if let Some(found) = found {
                self.budgets.recover(self.wall, handle, &found);
            }
            if corrected && lending == Lending::Durable {
                let view = self.budgets.view(self.wall, handle).unwrap();
                let actual = self.bill_of(&name, view.span.start).saturating_sub(view.books.spent);
                self.budgets.adjust(handle, view.span.start, view.books.presumed, actual);
            }
            self.handles.push(handle);
        }
    }

    fn bill_of(&self, name: &BudgetId, period: WallTime) -> NanoUsd {
        self.billed.get(&(name.clone(), period)).copied().unwrap_or_default()
    }

    fn ask(&mut self, request: BudgetRequest, worst: NanoUsd, bill: NanoUsd) -> Result<(), TestCaseError> {
        let estimate = Estimate::Known { worst, likely: worst };
        let deployment = DeploymentId::new("p", "m");
        match self.budgets.reserve(self.now, self.wall, &request, &deployment, estimate) {
            Reserve::Held(reservation) => {
                let views = self.budgets.views(self.wall);
                let paid = views.iter().filter(|view| paid_by(&self.budgets, &request, &view.budget));
                let budgets: Vec<_> = paid.map(|view| (view.budget.clone(), view.span.start)).collect();
                for budget in &budgets {
                    let billed = self.billed.entry(budget.clone()).or_default();
                    *billed += bill;
                }
                self.under_way.push((reservation, Attempt { budgets, bill }));
                self.budgets.close(request);
            }
            Reserve::Wait(_) => self.line.push((request, worst, bill)),
            Reserve::Refused(refusal) => {
                let handle = self.budgets.find(&refusal.budget).unwrap();
                let view = self.budgets.view(self.wall, handle).unwrap();
                let no_room = view.books.counted() + worst > view.limit;
                match view.mode {
                    BudgetMode::Strict => prop_assert!(no_room, "refused with room: {:?}", refusal),
                    BudgetMode::Soft => prop_assert_eq!(refusal.why, RefusedFor::Spent),
                }
                self.budgets.close(request);
            }
        }
        Ok(())
    }

    fn live(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match *step {
            Step::Come { mask, worst, share } => {
                let paying = (0..4).filter(|place| mask & 1 << place != 0).map(|place| self.handles[place]);
                let request = self.budgets.open(&paying.collect::<Vec<_>>());
                self.ask(request, cents(worst), NanoUsd(cents(worst).0 * share / 100))?;
            }
            Step::AskAgain(_) if self.line.is_empty() => {}
            Step::AskAgain(which) => {
                let (request, worst, bill) = self.line.swap_remove(which % self.line.len());
                self.ask(request, worst, bill)?;
            }
            Step::End { .. } if self.under_way.is_empty() => {}
            Step::End { which, how } => {
                let (reservation, attempt) = self.under_way.swap_remove(which % self.under_way.len());
                match how {
                    End::Billed => self.budgets.settle(reservation, Bill::Cost(attempt.bill)),
                    End::Unbilled => {
                        for budget in &attempt.budgets {
                            let billed = self.billed.get_mut(budget).unwrap();
                            *billed = billed.saturating_sub(attempt.bill);
                        }
                        self.budgets.settle(reservation, Bill::Unbilled);
                    }
                    End::Unknown => {
                        self.budgets.settle(reservation, Bill::Unknown);
                        self.late.push((reservation, attempt));
                    }
                    End::Late => self.late.push((reservation, attempt)),
                }
            }
            Step::Write { answered } => {
                self.disk.write(&mut self.budgets, answered);
                if !answered {
                    self.start(false);
                }
            }
            Step::Pass { minutes } => {
                self.wall.0 += minutes * HOUR / 60;
                self.now = self.now + Duration::from_secs(60 * minutes.unsigned_abs());
                self.budgets.expire(self.now);
                for (reservation, attempt) in std::mem::take(&mut self.late) {
                    self.budgets.settle(reservation, Bill::Cost(attempt.bill));
                }
            }
            Step::Set { limit } => {
                let handle =
                    self.budgets.declare(self.wall, &id(BudgetScope::Key, "bot"), durable(cents(limit), Period::Hour));
                prop_assert_eq!(handle, self.handles[2]);
            }
            Step::Kill { corrected } => self.start(corrected),
            Step::Restart => {
                for (reservation, attempt) in std::mem::take(&mut self.under_way) {
                    self.budgets.settle(reservation, Bill::Cost(attempt.bill));
                }
                self.disk.write_all(&mut self.budgets);
                self.budgets.hand_back();
                self.disk.write_all(&mut self.budgets);
                self.take_postings();
                self.start(false);
            }
        }
        Ok(())
    }

    fn take_postings(&mut self) {
        for posting in self.budgets.take_postings() {
            assert_eq!(posting.number, self.last + 1, "no posting is missing");
            self.last = posting.number;
            self.posted.add(&posting);
            self.posted.add(&posting);
        }
    }

    fn check(&mut self) -> Result<(), TestCaseError> {
        self.take_postings();
        for view in self.budgets.views(self.wall) {
            let (name, books) = (&view.budget, view.books);
            prop_assert_eq!(self.posted.books(name, view.span.start), books, "the postings of {}", name);
            let billed = self.bill_of(name, view.span.start);
            prop_assert!(books.held() >= billed, "{} has {:?} for a bill of {}", name, books, billed);
            let (_, settings) = declared().into_iter().find(|(known, _)| known == name).unwrap();
            if settings.mode == BudgetMode::Strict {
                prop_assert!(books.held() <= settings.limit, "{} of {} is held", books.held(), settings.limit);
            }
            if settings.lending == Lending::Durable && billed > NanoUsd::ZERO {
                let on_record = self.disk.lent.get(name).filter(|found| found.period == view.span.start);
                prop_assert!(on_record.is_some_and(|found| found.lent >= billed), "{:?} for {}", on_record, billed);
                prop_assert!(books.held() <= books.lent, "{:?}", books);
            }
        }
        for ((name, period), billed) in &self.billed {
            let (_, settings) = declared().into_iter().find(|(known, _)| known == name).unwrap();
            if settings.mode == BudgetMode::Strict {
                prop_assert!(*billed <= settings.limit, "{} billed {} since {}", name, billed, period);
            }
        }
        Ok(())
    }
}

fn paid_by(budgets: &Budgets, request: &BudgetRequest, name: &BudgetId) -> bool {
    budgets.find(name).is_some_and(|handle| request.budgets().contains(&handle))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    /// Postings alone make all balances; what is on record and what is held is never less than what is billed, and that
    /// never more than a strict limit: whatever is killed, and wherever.
    #[test]
    fn no_strict_budget_is_ever_over_and_postings_make_its_balances(steps in steps()) {
        let mut life = Life::begin();
        for step in &steps {
            life.live(step)?;
            life.check()?;
        }
    }

    /// Where nothing is killed and no request needs more than a fiftieth of a budget, 98 of 100 are spent before a refusal.
    #[test]
    fn a_strict_budget_can_be_used_up(costs in proptest::collection::vec((1_i64..=200, 0_i64..=100), 50), at_once in 1_usize..60) {
        let mut budgets = Budgets::new(BudgetsSettings::default());
        let mut disk = Disk::default();
        let handle = budgets.declare(NOON, &id(BudgetScope::Key, "bot"), durable(cents(10_000), Period::Day));
        let request = budgets.open(&[handle]);
        let mut under_way = Vec::new();
        let mut costs = costs.iter().cycle();
        'life: loop {
            let (worst, share) = costs.next().unwrap();
            let bill = NanoUsd(cents(*worst).0 * (share + 1) / 101);
            let reservation = loop {
                match crate::world::ask(&mut budgets, &request, cents(*worst)) {
                    Reserve::Refused(_) => break 'life,
                    held_back @ Reserve::Held(_) => break held(held_back),
                    Reserve::Wait(_) if disk.write(&mut budgets, true) => {}
                    Reserve::Wait(_) => {
                        let (reservation, bill) = under_way.remove(0);
                        budgets.settle(reservation, Bill::Cost(bill));
                    }
                }
            };
            under_way.push((reservation, bill));
            if under_way.len() > at_once {
                let (reservation, bill) = under_way.remove(0);
                budgets.settle(reservation, Bill::Cost(bill));
            }
        }
        let books = budgets.view(NOON, handle).unwrap().books;
        prop_assert!(books.counted() >= cents(9_800), "{:?}", books);
        budgets.close(request);
    }
}
