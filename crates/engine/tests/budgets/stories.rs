//! Stories of budgets: what is held back, given back, refused and reported.

use std::time::Duration;

use weir_engine::{
    Bill, BudgetChange, BudgetRefusal, BudgetScope, BudgetSettings, Budgets, BudgetsSettings, Estimate, Period,
    Recovered, RefusedFor, Reserve, UnknownPrice, WaitFor,
};
use weir_units::{DeploymentId, Moment, NanoUsd, WallTime};

use crate::world::{
    Disk, HOUR, NOON, ask, ask_at, cents, costs, durable, held, id, journaled, pay, refused, soft, spent, strict, waits,
};

#[test]
fn all_scopes_pay_or_none_and_the_widest_that_refuses_is_named() {
    let mut budgets = journaled();
    let key = budgets.declare(NOON, &id(BudgetScope::Key, "bot"), strict(cents(50), Period::Day));
    let org = budgets.declare(NOON, &id(BudgetScope::Org, "acme"), strict(cents(90), Period::Month));
    let request = budgets.open(&[key, org, key]);
    let first = held(ask(&mut budgets, &request, cents(40)));
    assert_eq!(waits(ask(&mut budgets, &request, cents(20))).or.budget, id(BudgetScope::Key, "bot"));
    assert_eq!(budgets.view(NOON, org).unwrap().books.reserved, cents(40), "nothing is taken by halves");
    budgets.settle(first, Bill::Cost(cents(30)));
    let refusal = refused(ask(&mut budgets, &request, cents(100)));
    assert_eq!((refusal.budget.clone(), refusal.why), (id(BudgetScope::Org, "acme"), RefusedFor::TooLittleLeft));
    assert_eq!(
        refusal.to_string(),
        "budget \"acme\" has too little left: of $0.9 for this month $0.3 are spent, $0 are held back for calls under way and \
         $0.6 are left, and this request may cost up to $1; a smaller max_tokens needs less; it begins anew at \
         2026-12-01T00:00:00.000Z"
    );
    assert_eq!((spent(&mut budgets, key), spent(&mut budgets, org)), (cents(30), cents(30)));
    budgets.close(request);
}

#[test]
fn an_attempt_that_was_not_billed_gives_back_and_a_later_one_takes_again() {
    let mut budgets = journaled();
    let key = budgets.declare(NOON, &id(BudgetScope::Key, "bot"), strict(cents(10), Period::Total));
    let request = budgets.open(&[key]);
    let failed = held(ask(&mut budgets, &request, cents(10)));
    budgets.settle(failed, Bill::Unbilled);
    let answered = held(ask(&mut budgets, &request, cents(6)));
    let hedge = ask(&mut budgets, &request, cents(6));
    assert_eq!(waits(hedge).what, WaitFor::Settling, "a hedge is paid for like any attempt");
    budgets.settle(answered, Bill::Cost(cents(10)));
    budgets.settle(answered, Bill::Cost(cents(10)));
    let refusal = refused(ask(&mut budgets, &request, cents(1)));
    assert_eq!(
        refusal.to_string(),
        "budget \"bot\" is spent: $0.1 of $0.1 in total; it never begins anew",
        "settling twice books once"
    );
    assert_eq!(budgets.exhausted(NOON, &request), Some(BudgetRefusal { needed: NanoUsd::ZERO, ..refusal }));
    assert!(matches!(ask(&mut budgets, &request, NanoUsd::ZERO), Reserve::Held(_)), "what costs nothing may go on");
    budgets.close(request);
}

#[test]
fn a_soft_budget_locks_out_nobody_who_spent_nothing() {
    let mut budgets = journaled();
    let key = budgets.declare(NOON, &id(BudgetScope::Key, "bot"), soft(cents(10), Period::Day));
    let wide = Estimate::Known { worst: cents(19_200), likely: cents(40) };
    let request = budgets.open(&[key]);
    let first = held(ask_at(&mut budgets, NOON, &request, wide));
    assert_eq!(waits(ask_at(&mut budgets, NOON, &request, wide)).what, WaitFor::Settling);
    budgets.settle(first, Bill::Cost(cents(1)));
    for _ in 0..8 {
        let next = held(ask_at(&mut budgets, NOON, &request, wide));
        budgets.settle(next, Bill::Cost(cents(1)));
    }
    let last = held(ask_at(&mut budgets, NOON, &request, wide));
    budgets.settle(last, Bill::Cost(cents(3)));
    assert_eq!(spent(&mut budgets, key), cents(12), "over by less than one request");
    assert_eq!(refused(ask_at(&mut budgets, NOON, &request, wide)).why, RefusedFor::Spent);
    budgets.close(request);
}

#[test]
fn a_soft_budget_learns_what_attempts_cost_of_their_worst_case() {
    let mut budgets = journaled();
    let key = budgets.declare(NOON, &id(BudgetScope::Key, "bot"), soft(cents(1_000), Period::Day));
    let wide = Estimate::Known { worst: cents(200), likely: cents(200) };
    let request = budgets.open(&[key]);
    for _ in 0..50 {
        let attempt = held(ask_at(&mut budgets, NOON, &request, wide));
        budgets.settle(attempt, Bill::Cost(cents(1)));
    }
    let many: Vec<_> = (0..500).map(|_| held(ask_at(&mut budgets, NOON, &request, wide))).collect();
    many.into_iter().for_each(|attempt| budgets.settle(attempt, Bill::Cost(cents(1))));
    assert_eq!(spent(&mut budgets, key), cents(550));
    budgets.close(request);
}

#[test]
fn an_unknown_price_is_refused_or_charged_as_stated_and_never_free() {
    let declare = |budgets: &mut Budgets| {
        let key = budgets.declare(NOON, &id(BudgetScope::Key, "bot"), strict(cents(10), Period::Day));
        (key, budgets.open(&[key]))
    };
    let mut budgets = journaled();
    let (_, request) = declare(&mut budgets);
    let refusal = refused(ask_at(&mut budgets, NOON, &request, Estimate::Unknown));
    assert_eq!(refusal.why, RefusedFor::UnknownPrice);
    budgets.close(request);
    let free = budgets.open(&[]);
    assert!(matches!(ask_at(&mut budgets, NOON, &free, Estimate::Unknown), Reserve::Held(_)), "no budget, no policy");
    budgets.close(free);
    let unknown_price = UnknownPrice::WorstCase(cents(4));
    let mut budgets = Budgets::new(BudgetsSettings { unknown_price, ..BudgetsSettings::default() });
    let (key, request) = declare(&mut budgets);
    let attempt = held(ask_at(&mut budgets, NOON, &request, Estimate::Unknown));
    budgets.settle(attempt, Bill::AsHeld);
    assert_eq!(spent(&mut budgets, key), cents(4));
    budgets.close(request);
}

#[test]
fn what_nobody_settles_is_taken_as_spent_and_may_turn_out_later() {
    let mut budgets = journaled();
    let key = budgets.declare(NOON, &id(BudgetScope::Key, "bot"), strict(cents(10), Period::Day));
    let request = budgets.open(&[key]);
    let lost = held(ask(&mut budgets, &request, cents(8)));
    let due = budgets.next_expiry().unwrap();
    assert_eq!(due, Moment::ZERO + Duration::from_secs(3_600));
    budgets.expire(due);
    let books = budgets.view(NOON, key).unwrap().books;
    assert_eq!((books.spent, books.presumed, books.reserved), (NanoUsd::ZERO, cents(8), NanoUsd::ZERO));
    assert_eq!(refused(ask(&mut budgets, &request, cents(3))).spent, cents(8));
    budgets.settle(lost, Bill::Cost(cents(2)));
    let unknown = held(ask(&mut budgets, &request, cents(8)));
    budgets.settle(unknown, Bill::Unknown);
    assert_eq!(budgets.view(NOON, key).unwrap().books.counted(), cents(10));
    budgets.close(request);
}

#[test]
fn a_reservation_belongs_to_the_period_of_its_start() {
    let mut budgets = journaled();
    let key = budgets.declare(NOON, &id(BudgetScope::Key, "bot"), strict(cents(10), Period::Hour));
    let request = budgets.open(&[key]);
    let late = held(ask(&mut budgets, &request, cents(10)));
    let next_hour = WallTime(NOON.0 + HOUR);
    let fresh = held(ask_at(&mut budgets, next_hour, &request, costs(cents(10))));
    budgets.settle(late, Bill::Cost(cents(9)));
    let view = budgets.view(next_hour, key).unwrap();
    assert_eq!((view.span.start, view.span.end), (next_hour, Some(WallTime(NOON.0 + 2 * HOUR))));
    assert_eq!((view.books.spent, view.books.reserved), (NanoUsd::ZERO, cents(10)));
    budgets.settle(fresh, Bill::Cost(cents(10)));
    let refusal = refused(ask_at(&mut budgets, NOON, &request, costs(cents(1))));
    assert_eq!(refusal.spent, cents(10), "a clock that is set back opens no hour again");
    budgets.close(request);
}

#[test]
fn warnings_and_the_first_refusal_are_told_once_in_a_period() {
    let mut budgets = journaled();
    let settings = BudgetSettings {
        warn_at_ppm: vec![800_000, 500_000],
        low_at_ppm: Some(800_000),
        ..strict(cents(100), Period::Hour)
    };
    let key = budgets.declare(NOON, &id(BudgetScope::Key, "bot"), settings);
    let request = budgets.open(&[key]);
    let mut told = Vec::new();
    for wall in [NOON, WallTime(NOON.0 + HOUR)] {
        for cost in [49, 1, 29, 1, 19, 2, 2] {
            if let Reserve::Held(attempt) = ask_at(&mut budgets, wall, &request, costs(cents(cost))) {
                budgets.settle(attempt, Bill::Cost(cents(cost)));
            }
            let low = budgets.low(wall, &request).is_some();
            told.extend(budgets.take_changes().into_iter().map(|change| match change {
                BudgetChange::Warned { at_ppm, spent, .. } => (at_ppm, spent, low),
                BudgetChange::Refused(refusal) => (0, refusal.spent, low),
            }));
        }
    }
    let once = [(500_000, cents(50), false), (800_000, cents(80), true), (0, cents(99), true)];
    assert_eq!(told, [once, once].concat());
    budgets.close(request);
}

#[test]
fn slices_are_asked_for_before_the_last_runs_out_and_shrink_with_what_is_left() {
    let mut budgets = journaled();
    let mut disk = Disk::default();
    let key = budgets.declare(NOON, &id(BudgetScope::Key, "bot"), durable(cents(10_000), Period::Day));
    let request = budgets.open(&[key]);
    assert_eq!(waits(ask(&mut budgets, &request, cents(5))).what, WaitFor::Lending);
    let (mut waited, mut largest) = (0, NanoUsd::ZERO);
    let mut spend = 0;
    while spend < 9_000 {
        let left = cents(10_000 - spend);
        disk.write_all(&mut budgets);
        let view = budgets.view(NOON, key).unwrap();
        largest = largest.max(view.at_hand);
        assert!(view.at_hand.0 <= left.0 / 100 * 16 / 10 + cents(5).0, "{view:?}");
        match ask(&mut budgets, &request, cents(5)) {
            Reserve::Held(attempt) => {
                budgets.settle(attempt, Bill::Cost(cents(5)));
                spend += 5;
            }
            answer => {
                assert_eq!(waits(answer).what, WaitFor::Lending);
                waited += 1;
            }
        }
    }
    assert!(largest <= cents(150), "{largest}");
    assert_eq!(waited, 0, "the next slice is on record before the last has run out");
    budgets.close(request);
}

#[test]
fn the_last_cent_is_lent_exactly_and_spent() {
    let mut budgets = journaled();
    let mut disk = Disk::default();
    let key = budgets.declare(NOON, &id(BudgetScope::Key, "bot"), durable(cents(100), Period::Day));
    let request = budgets.open(&[key]);
    let mut attempts = 0;
    loop {
        match ask(&mut budgets, &request, cents(7)) {
            Reserve::Held(attempt) => {
                budgets.settle(attempt, Bill::Cost(cents(7)));
                attempts += 1;
            }
            Reserve::Wait(_) => disk.write_all(&mut budgets),
            Reserve::Refused(refusal) => break assert_eq!(refusal.why, RefusedFor::TooLittleLeft),
        }
    }
    assert_eq!(attempts, 14);
    assert!(matches!(ask(&mut budgets, &request, cents(2)), Reserve::Wait(_)), "two cents are left");
    disk.write_all(&mut budgets);
    pay(&mut budgets, &request, cents(2), cents(2));
    assert_eq!(refused(ask(&mut budgets, &request, cents(1))).why, RefusedFor::Spent);
    budgets.close(request);
}

#[test]
fn slices_open_at_a_kill_are_taken_as_spent_then_corrected() {
    let mut disk = Disk::default();
    let name = id(BudgetScope::Tenant, "team");
    let mut budgets = journaled();
    let team = budgets.declare(NOON, &name, durable(cents(1_000), Period::Day));
    let request = budgets.open(&[team]);
    let _ = ask(&mut budgets, &request, cents(4));
    disk.write_all(&mut budgets);
    pay(&mut budgets, &request, cents(4), cents(3));
    budgets.close(request);
    let found = disk.lent[&name];
    assert!(found.lent >= cents(4));
    let mut budgets = journaled();
    let team = budgets.declare(NOON, &name, durable(cents(1_000), Period::Day));
    budgets.recover(NOON, team, &found);
    let books = budgets.view(NOON, team).unwrap().books;
    assert_eq!(books.counted(), found.lent);
    budgets.adjust(team, found.period, books.presumed, cents(3));
    let view = budgets.view(NOON, team).unwrap();
    assert_eq!((view.books.counted(), view.left), (cents(3), cents(997)));
    let again = Recovered { period: WallTime(found.period.0 - 24 * HOUR), ..found };
    budgets.recover(NOON, team, &again);
    assert_eq!(budgets.view(NOON, team).unwrap().books.counted(), cents(3), "yesterday's slices are over");
}

#[test]
fn a_clean_end_strands_nothing() {
    let mut disk = Disk::default();
    let name = id(BudgetScope::Tenant, "team");
    let mut budgets = journaled();
    let team = budgets.declare(NOON, &name, durable(cents(1_000), Period::Day));
    let request = budgets.open(&[team]);
    let _ = ask(&mut budgets, &request, cents(4));
    disk.write_all(&mut budgets);
    pay(&mut budgets, &request, cents(4), cents(3));
    budgets.close(request);
    disk.write_all(&mut budgets);
    budgets.hand_back();
    disk.write_all(&mut budgets);
    assert_eq!((disk.lent[&name].lent, disk.lent[&name].spent), (cents(3), cents(3)));
}

#[test]
fn a_new_time_zone_frees_nothing_that_was_lent() {
    let mut budgets = journaled();
    let name = id(BudgetScope::Tenant, "team");
    let team = budgets.declare(NOON, &name, durable(cents(100), Period::Day));
    let elsewhere = WallTime(NOON.0 - 13 * HOUR);
    budgets.recover(NOON, team, &Recovered { period: elsewhere, lent: cents(60), spent: cents(20) });
    assert_eq!(budgets.view(NOON, team).unwrap().books.counted(), cents(60));
    let mut disk = Disk::default();
    disk.write_all(&mut budgets);
    assert!(disk.lent[&name].lent >= cents(60), "it is on record in the new day, too");
}

#[test]
fn what_is_billed_beyond_what_was_held_back_is_put_on_record() {
    let mut budgets = journaled();
    let mut disk = Disk::default();
    let name = id(BudgetScope::Key, "bot");
    let key = budgets.declare(NOON, &name, durable(cents(10), Period::Day));
    let request = budgets.open(&[key]);
    let _ = ask(&mut budgets, &request, cents(9));
    disk.write_all(&mut budgets);
    pay(&mut budgets, &request, cents(9), cents(12));
    disk.write_all(&mut budgets);
    assert_eq!(disk.lent[&name].lent, cents(12));
    assert_eq!(refused(ask(&mut budgets, &request, cents(1))).why, RefusedFor::Spent);
    budgets.close(request);
}

#[test]
fn a_removed_budget_is_noticed_and_a_lower_limit_counts_at_once() {
    let mut budgets = journaled();
    let name = id(BudgetScope::Run, "run_1");
    let run = budgets.declare(NOON, &name, strict(cents(10), Period::Total));
    let request = budgets.open(&[run]);
    let attempt = held(ask(&mut budgets, &request, cents(5)));
    budgets.declare(NOON, &name, strict(cents(4), Period::Total));
    assert_eq!(waits(ask(&mut budgets, &request, cents(1))).or.why, RefusedFor::TooLittleLeft);
    assert_eq!(refused(ask(&mut budgets, &request, cents(5))).limit, cents(4));
    budgets.remove(run);
    let other = budgets.declare(NOON, &id(BudgetScope::Run, "run_2"), strict(cents(1), Period::Total));
    budgets.settle(attempt, Bill::Cost(cents(5)));
    assert_eq!(spent(&mut budgets, other), NanoUsd::ZERO);
    assert!(budgets.find(&name).is_none() && budgets.view(NOON, run).is_none());
    budgets.close(request);
    let deployment = DeploymentId::new("p", "m");
    let gone = budgets.open(&[run]);
    assert!(matches!(budgets.reserve(Moment(0), NOON, &gone, &deployment, costs(cents(9))), Reserve::Held(_)));
    budgets.close(gone);
}
