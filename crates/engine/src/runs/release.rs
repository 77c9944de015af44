//! Letting a halted run go on.
//!
//! Its detectors begin anew: what the histories hold by now does not count any more. So do its caps, unless the release sets
//! others.

use std::fmt;
use std::time::Duration;

use weir_units::{Moment, NanoUsd, format_duration};

use super::account::{Account, Base};
use super::admit::{RunChange, Runs};
use super::evidence::Level;
use super::settings::ReleaseCaps;
use super::view::{RunState, RunView, state_of};

/// Why a run is not released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReleaseError {
    /// The tenant has no such run, or it is forgotten.
    Unknown,
    /// It is neither halted nor slowed.
    NotHalted,
    /// It has made so many requests already.
    RequestsTooLow {
        /// The cap that was asked for.
        cap: u32,
        /// The requests made.
        made: u32,
    },
    /// It has lasted so long already.
    AgeTooLow {
        /// The cap that was asked for.
        cap: Duration,
        /// Its age.
        age: Duration,
    },
    /// It has cost so much already.
    CostTooLow {
        /// The cap that was asked for.
        cap: NanoUsd,
        /// What it has cost.
        cost: NanoUsd,
    },
}

impl fmt::Display for ReleaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => {
                f.write_str("there is no such run; it may have been forgotten since it was not used for long")
            }
            Self::NotHalted => f.write_str("the run is neither halted nor slowed, so there is nothing to release"),
            Self::RequestsTooLow { cap, made } => {
                write!(
                    f,
                    "the run has made {made} requests already; a cap of {cap} would halt it at once: set a higher one"
                )
            }
            Self::AgeTooLow { cap, age } => {
                let (cap, age) = (format_duration(*cap), format_duration(*age));
                write!(f, "the run has lasted {age} already; a cap of {cap} would halt it at once: set a longer one")
            }
            Self::CostTooLow { cap, cost } => {
                write!(f, "the run has cost ${cost} already; a cap of ${cap} would halt it at once: set a higher one")
            }
        }
    }
}

impl std::error::Error for ReleaseError {}

impl Runs {
    /// Lets a tenant's run go on that is halted or slowed, or one conversation of it.
    ///
    /// # Errors
    /// There is nothing to release, or a cap is passed already.
    pub fn release(
        &mut self,
        now: Moment,
        tenant: &str,
        name: &str,
        caps: ReleaseCaps,
    ) -> Result<RunView, ReleaseError> {
        let tenant = self.store.known_tenant(tenant).ok_or(ReleaseError::Unknown)?;
        self.reveal_named(tenant, name);
        let (run_at, one) = self.resolve(tenant, name).ok_or(ReleaseError::Unknown)?;
        let run = self.store.run(run_at).ok_or(ReleaseError::Unknown)?;
        let held_back = |path: &u32| {
            self.store.path(*path).is_some_and(|path| {
                let whole = run.whole || one.is_none();
                let is_meant =
                    whole || one.and_then(|one| self.store.path(one)).is_some_and(|one| one.number == path.number);
                is_meant && (run.whole || state_of(run, path) >= RunState::Slow)
            })
        };
        let paths: Vec<u32> = self.store.paths_of(run_at).filter(held_back).collect();
        let is_held = |path: &&u32| self.store.path(**path).is_some_and(|path| state_of(run, path) >= RunState::Slow);
        if paths.iter().find(is_held).is_none() {
            return Err(ReleaseError::NotHalted);
        }
        if run.whole {
            suits(now, &run.account, &caps)?;
        } else {
            paths
                .iter()
                .filter_map(|path| self.store.path(*path))
                .try_for_each(|path| suits(now, &path.account, &caps))?;
        }
        for path in &paths {
            self.forgive(*path);
            if let Some((run, path)) = self.store.both(*path) {
                free(now, if run.whole { &mut run.account } else { &mut path.account }, caps);
            }
        }
        let longest = paths.iter().filter_map(|path| self.store.path(*path)).map(|path| path.seen).max();
        if let Some(run) = self.store.run_mut(run_at) {
            run.forgiven = longest.unwrap_or(0);
        }
        for path in paths {
            self.wake(path);
            self.store.weigh(path);
        }
        let view = self.find(now, &self.tenant_name(tenant), name).ok_or(ReleaseError::Unknown)?;
        self.changes.push(RunChange::Released { tenant: view.tenant.clone(), run: view.run.clone() });
        Ok(view)
    }

    /// What a conversation did, and what was said on the way to it, counts no more.
    fn forgive(&mut self, place: u32) {
        let mut next = None;
        if let Some(path) = self.store.path_mut(place) {
            path.forgiven = path.seen;
            path.tail = None;
            path.told = Level::Go;
            next = Some((place, path.serial));
        }
        for _ in 0..super::exchange::SAID {
            let Some((place, serial)) = next else { return };
            let Some(path) = self.store.path_mut(place).filter(|path| path.serial == serial) else { return };
            next = path.exchange.take().and_then(|exchange| exchange.led_by);
        }
    }

    fn tenant_name(&self, tenant: u32) -> std::sync::Arc<str> {
        self.store.tenant_of(tenant).map_or_else(|| std::sync::Arc::from(""), |tenant| tenant.name.clone())
    }
}

/// Whether the run has room under these caps.
fn suits(now: Moment, account: &Account, caps: &ReleaseCaps) -> Result<(), ReleaseError> {
    let (made, age, cost) = (account.requests, now.since(account.started), NanoUsd(account.cost));
    if let Some(cap) = caps.max_requests.filter(|cap| *cap <= made) {
        return Err(ReleaseError::RequestsTooLow { cap, made });
    }
    if let Some(cap) = caps.max_age.filter(|cap| *cap <= age) {
        return Err(ReleaseError::AgeTooLow { cap, age });
    }
    match caps.max_cost.filter(|cap| *cap <= cost) {
        Some(cap) => Err(ReleaseError::CostTooLow { cap, cost }),
        None => Ok(()),
    }
}

fn free(now: Moment, account: &mut Account, caps: ReleaseCaps) {
    account.halted = None;
    account.pace = None;
    account.base = Some(Box::new(Base { requests: account.requests, cost: account.cost, at: now, caps }));
    account.speed_up();
}
