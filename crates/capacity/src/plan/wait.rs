//! How long requests wait: for one of so many slots, and for a limit that lets so much through a minute.

/// The logarithm of the root of 2π.
const LOG_ROOT_TWO_PI: f64 = 0.918_938_533_204_672_8;
/// Steps of an integral; an even number.
const STEPS: u32 = 200;
/// Users beyond this are as good as endless.
const MANY_USERS: u32 = 200_000;

/// The share of requests that wait and that wait longer than asked for, and the wait that 19 of 20 do not exceed, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Waits {
    /// Wait at all.
    pub some: f64,
    /// Wait longer than the deadline.
    pub late: f64,
    /// 19 of 20 wait no longer, in seconds.
    pub p95_s: f64,
}

impl Waits {
    /// Nobody waits.
    pub const NONE: Self = Self { some: 0.0, late: 0.0, p95_s: 0.0 };

    /// The worse of two, each figure for itself: who waits for one limit often waits for the other.
    #[must_use]
    pub fn worse(self, other: Self) -> Self {
        Self { some: self.some.max(other.some), late: self.late.max(other.late), p95_s: self.p95_s.max(other.p95_s) }
    }
}

/// The share that waits where `offered` erlangs come to `slots` (Erlang's C formula, M/M/c).
#[must_use]
pub fn erlang_c(offered: f64, slots: u64) -> f64 {
    if offered <= 0.0 {
        return 0.0;
    }
    if offered >= slots as f64 {
        return 1.0;
    }
    // Erlang's B by its recursion, and C from it.
    let blocked = (1..=slots).fold(1.0, |blocked, slot| {
        let carried = offered * blocked;
        carried / (slot as f64 + carried)
    });
    let slots = slots as f64;
    slots * blocked / (slots - offered * (1.0 - blocked))
}

/// Who waits for a slot: `offered` erlangs of independent requests that take `service` seconds each, with a squared
/// coefficient of variation of `variation` (Allen and Cunneen's correction of M/M/c).
#[must_use]
pub fn slots_wait(offered: f64, slots: u64, service: f64, variation: f64, deadline: f64) -> Waits {
    let some = erlang_c(offered, slots);
    if some >= 1.0 {
        return Waits { some: 1.0, late: 1.0, p95_s: f64::INFINITY };
    }
    let pace = (slots as f64 - offered) / service.max(1e-6) * 2.0 / (1.0 + variation).max(1e-6);
    let p95_s = if some > 0.05 { (some / 0.05).ln() / pace } else { 0.0 };
    Waits { some, late: some * (-pace * deadline).exp(), p95_s }
}

/// Who waits for a slot where so many users send, wait, and think for `think` seconds (the machine repair model, M/M/c//N):
/// fewer than of independent requests, as nobody who waits sends another.
#[must_use]
pub fn users_wait(users: u32, think: f64, service: f64, slots: u64, variation: f64, deadline: f64) -> Waits {
    if users == 0 {
        return Waits::NONE;
    }
    if users > MANY_USERS {
        let offered = f64::from(users) * service / (think + service).max(1e-6);
        return slots_wait(offered, slots, service, variation, deadline);
    }
    let (service, think) = (service.max(1e-6), think.max(1e-6));
    // What an arriving user finds is the system without itself. States are weighed relative to each other, in logarithms.
    let others = users - 1;
    let mut weights = Vec::with_capacity(others as usize + 1);
    let mut weight = 0.0_f64;
    weights.push(weight);
    for state in 0..others {
        let served = f64::from(state + 1).min(slots as f64);
        weight += (f64::from(others - state) / think).ln() - (served / service).ln();
        weights.push(weight);
    }
    let most = weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = weights.iter().map(|weight| (weight - most).exp()).sum();
    let first = usize::try_from(slots).unwrap_or(usize::MAX).min(weights.len());
    let waiting: Vec<f64> = weights[first..].iter().map(|weight| (weight - most).exp() / sum).collect();
    let some = waiting.iter().sum::<f64>().min(1.0);
    let pace = slots as f64 / service * 2.0 / (1.0 + variation).max(1e-6);
    // Of those that find `ahead` in line, one waits longer than `t` if so few ends come in that time.
    let later = |t: f64| -> f64 {
        let mean = pace * t;
        let (mut term, mut below) = (-mean, f64::NEG_INFINITY);
        let mut sum = 0.0;
        for (ahead, share) in waiting.iter().enumerate() {
            below = log_add(below, term);
            term += mean.max(1e-300).ln() - (ahead as f64 + 1.0).ln();
            sum += share * below.exp().min(1.0);
        }
        sum
    };
    let p95_s = if some <= 0.05 { 0.0 } else { largest(|t| later(t) > 0.05) };
    Waits { some, late: later(deadline), p95_s }
}

/// A limit per minute, as those who wait for it see it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stream {
    /// What is asked for, over the limit.
    pub load: f64,
    /// Seconds in which it lets one request of mean size through.
    pub each: f64,
    /// Seconds' worth that it lets through at once.
    pub burst: f64,
    /// The mean square of what a request costs, over the square of its mean: 1 where all are alike.
    pub spread: f64,
    /// The users that send, if nobody else does. None if requests are independent.
    pub users: Option<Crowd>,
}

/// Users who send, wait, think, and send again: who waits does not send another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Crowd {
    /// How many.
    pub users: u32,
    /// Seconds from one request of a user to the next, while nobody waits for capacity.
    pub cycle: f64,
    /// The variance of how many requests come in a long time, over that of independent ones.
    pub dispersion: f64,
}

/// Who waits for a limit per minute.
#[must_use]
pub fn stream_wait(stream: &Stream, deadline: f64) -> Waits {
    let Stream { load, each, burst, spread, users } = *stream;
    if load <= 0.0 {
        return Waits::NONE;
    }
    if load >= 1.0 && users.is_none() {
        return Waits { some: 1.0, late: 1.0, p95_s: f64::INFINITY };
    }
    // What is used of the burst, and then what is in line, follows a diffusion that cannot fall below nothing. Independent
    // requests bring equal lumps at an even rate, so it decays exponentially (Cramér and Lundberg). Of a number of users the
    // fewer send the more wait, so it is pulled back; and while the burst is used up, in so far as that is quicker than they
    // come back. In a longer time their number swings less.
    let before = (burst - each).max(0.0);
    let quick = users.map_or(1.0, |of| (-before * before / (each * spread * of.cycle).max(1e-9)).exp());
    let calm = users.map_or(1.0, |of| 1.0 - (1.0 - of.dispersion.clamp(0.05, 1.0)) * (1.0 - quick));
    let lump = (each * (calm + spread - 1.0)).max(1e-9);
    let pace = if load < 1.0 { lundberg(load) } else { 2.0 * (1.0 - load) } / lump;
    let pull = users.map_or(0.0, |of| 2.0 / (f64::from(of.users.max(1)) * each * lump));
    let within = |y: f64| -pace * y - pull * quick * y * y / 2.0;
    let beyond = |t: f64| within(before) + log_tail(pace + pull * quick * before, pull, t);
    // By Simpson's rule, relative to where it is largest.
    let most = (0..=STEPS).map(|step| within(before * f64::from(step) / f64::from(STEPS))).fold(beyond(0.0), f64::max);
    let used = (0..=STEPS).fold(0.0, |sum, step| {
        let weight = if step == 0 || step == STEPS { 1.0 } else { f64::from(2 + 2 * (step % 2)) };
        sum + weight * (within(before * f64::from(step) / f64::from(STEPS)) - most).exp()
    }) * before
        / f64::from(3 * STEPS);
    let whole = used + (beyond(0.0) - most).exp();
    let share = |t: f64| (load.min(1.0) * (beyond(t) - most).exp() / whole).clamp(0.0, 1.0);
    let some = share(0.0);
    let p95_s = if some > 0.05 { largest(|t| share(t) > 0.05) } else { 0.0 };
    Waits { some, late: share(deadline), p95_s }
}

/// The logarithm of the integral of `exp(-pace·y - pull·y²/2)` from `x` on.
fn log_tail(pace: f64, pull: f64, x: f64) -> f64 {
    if pull <= 1e-12 {
        return -pace * x - pace.max(1e-12).ln();
    }
    // A normal distribution's tail, by completing the square.
    let root = pull.sqrt();
    LOG_ROOT_TWO_PI - root.ln() + pace * pace / (2.0 * pull) + log_normal_tail(root * x + pace / root)
}

/// The logarithm of the standard normal distribution's tail: by a continued fraction far out, by a series near the middle.
fn log_normal_tail(z: f64) -> f64 {
    if z > 3.0 {
        let fraction = (1..=60).rev().fold(0.0, |rest, n| f64::from(n) / (z + rest));
        return -z * z / 2.0 - (z + fraction).ln() - LOG_ROOT_TWO_PI;
    }
    if z < -8.0 {
        return 0.0;
    }
    // Φ(z) = 1/2 + φ(z)·(z + z³/3 + z⁵/15 + …)
    let (mut term, mut sum) = (z, z);
    for n in 1..200 {
        term *= z * z / f64::from(2 * n + 1);
        sum += term;
    }
    (0.5 - sum * (-z * z / 2.0 - LOG_ROOT_TWO_PI).exp()).max(1e-300).ln()
}

/// The positive root of `load · (eˣ − 1) = x`.
fn lundberg(load: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    let excess = |x: f64| load * x.exp_m1() - x;
    while excess(high) < 0.0 && high < 700.0 {
        high *= 2.0;
    }
    for _ in 0..80 {
        let middle = (low + high) / 2.0;
        // Below the root the line is above the curve.
        if excess(middle) < 0.0 {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

fn log_add(a: f64, b: f64) -> f64 {
    let (small, large) = if a < b { (a, b) } else { (b, a) };
    if small == f64::NEG_INFINITY { large } else { large + (small - large).exp().ln_1p() }
}

/// The largest time of which something holds that ceases to hold, within a day.
fn largest(holds: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (0.0, 0.1);
    while holds(high) && high < 86_400.0 {
        high *= 2.0;
    }
    for _ in 0..50 {
        let middle = (low + high) / 2.0;
        if holds(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn erlang_c_is_as_tabulated_and_as_worked_out_for_five_hundred_users() {
        // 500 users who think for 30 s and wait 8 s for an answer: 105.3 erlangs.
        let offered = 500.0 / 38.0 * 8.0;
        for (slots, percent) in [(110, 54.0), (120, 11.0), (130, 1.2)] {
            let some = erlang_c(offered, slots) * 100.0;
            assert!((some - percent).abs() < 0.5, "{slots} slots: {some}");
        }
        assert!((erlang_c(2.0, 3) - 4.0 / 9.0).abs() < 1e-12);
        assert_eq!((erlang_c(0.0, 3), erlang_c(3.0, 3)), (0.0, 1.0));
    }

    #[test]
    fn few_users_wait_less_than_independent_requests_and_many_as_much() {
        let few = users_wait(20, 30.0, 8.0, 6, 1.0, 5.0);
        let open = slots_wait(20.0 / 38.0 * 8.0, 6, 8.0, 1.0, 5.0);
        assert!(few.some < open.some && few.late < open.late && few.some > 0.1, "{few:?} {open:?}");
        // A thousand times as many who think a thousand times as long.
        let many = users_wait(20_000, 37_992.0, 8.0, 6, 1.0, 5.0);
        assert!((many.some - open.some).abs() < 0.01 && (many.late - open.late).abs() < 0.01, "{many:?} {open:?}");
    }

    #[test]
    fn two_users_of_one_slot_wait_as_worked_out_by_hand() {
        // The other one is in service with 1/3: it thinks for 2 s and is served for 1 s. Its rest is exponential.
        let waits = users_wait(2, 2.0, 1.0, 1, 1.0, 1.0);
        assert!((waits.some - 1.0 / 3.0).abs() < 1e-9, "{waits:?}");
        assert!((waits.late - (-1.0_f64).exp() / 3.0).abs() < 1e-9, "{waits:?}");
        assert!((waits.p95_s - (1.0_f64 / 3.0 / 0.05).ln()).abs() < 1e-3, "{waits:?}");
    }

    #[test]
    fn a_limit_is_waited_for_more_the_fuller_it_is_and_less_with_a_burst() {
        let of = |load, burst| Stream { load, each: 0.1, burst, spread: 1.0, users: None };
        let at = |load, burst| stream_wait(&of(load, burst), 2.0).some;
        assert!(at(0.5, 0.1) < at(0.9, 0.1) && at(0.9, 1.0) < at(0.9, 0.1));
        assert!((at(0.5, 0.0) - 0.5).abs() < 1e-9, "without a burst as in M/D/1");
        assert_eq!(stream_wait(&of(1.2, 1.0), 2.0).late, 1.0);
        let full = stream_wait(&Stream { load: 0.99, each: 1.0, ..of(1.0, 1.0) }, 10.0);
        assert!(full.late > 0.7 && full.late < full.some && full.p95_s > 100.0, "{full:?}");
    }

    #[test]
    fn users_find_a_balance_where_independent_requests_find_no_end() {
        // 500 users ask for 2 % more than there is: they come to wait about a second, and nobody for long.
        let of = Stream {
            load: 1.02,
            each: 0.075,
            burst: 1.0,
            spread: 1.0,
            users: Some(Crowd { users: 500, cycle: 38.0, dispersion: 0.65 }),
        };
        let waits = stream_wait(&of, 20.0);
        assert!((0.5..0.8).contains(&waits.some) && waits.late < 1e-6 && waits.p95_s < 5.0, "{waits:?}");
        // Ten times of what there is: as long as nine others of ten take.
        let swamped = stream_wait(&Stream { load: 10.0, each: 0.75, ..of }, 20.0);
        assert!(swamped.some > 0.999 && swamped.late > 0.999 && swamped.p95_s > 300.0, "{swamped:?}");
    }

    #[test]
    fn the_normal_tail_is_as_tabulated() {
        for (z, tail) in
            [(0.0_f64, 0.5_f64), (1.0, 0.158_655_25), (-1.0, 0.841_344_75), (2.9, 0.001_865_81), (3.1, 0.000_967_6)]
        {
            assert!((log_normal_tail(z) - tail.ln()).abs() < 1e-4, "{z}: {}", log_normal_tail(z).exp());
        }
        assert!((log_normal_tail(10.0) + 53.231_285).abs() < 1e-3);
    }
}
