//! The ladder: a request is judged by all that is known of its run, and goes, waits or is refused.
//!
//! Only what is seen now counts: a run that gets on is not slowed any more. But once halted it stays so until it is released,
//! whatever its next requests look like.

use weir_units::{Moment, Tokens};

use super::account::{Account, Halted};
use super::admit::{RunChange, Runs};
use super::ask::{Admission, Joined, RunAsk, RunTicket, Verdict, Waits};
use super::caps::too_deep;
use super::detectors::{Finding, Seen, look};
use super::evidence::{Evidence, Level};
use super::joining::Found;
use super::path::Path;
use super::run::Run;
use super::settings::Loops;

impl Runs {
    /// Judges a request, and counts it unless it is refused.
    pub(super) fn judge(&mut self, now: Moment, ask: &RunAsk<'_>, ticket: &mut RunTicket, is_retry: bool) -> Verdict {
        let place = ticket.path;
        let found = self.find_fault(now, place, ask, u32::from(!is_retry)).map(|(level, evidence, since)| {
            // What it was halted for before says where that was.
            let run = if evidence.run.is_empty() { self.names(place).0 } else { evidence.run.clone() };
            (level, Evidence { run, ..evidence }, since)
        });
        let before = self.store.path(place).map_or(Level::Go, |path| path.told);
        self.tell(place, found.as_ref());
        let evidence = match found {
            Some((Level::Halt, evidence, since)) => {
                self.halt(place, &evidence, since);
                if let Some(path) = self.store.path_mut(place).filter(|_| !is_retry) {
                    path.last.is_void = true;
                }
                return Verdict::Halt(evidence);
            }
            Some((level, evidence, _)) => Some((level, evidence)),
            None => None,
        };
        let Some((run, path)) = self.store.both(place) else { return Verdict::Go };
        for account in [&mut run.account, &mut path.account] {
            account.first_input.get_or_insert(ask.input);
            account.requests += u32::from(!is_retry);
            account.sdk_retries += u32::from(is_retry || ask.sdk_retry > 0);
        }
        ticket.counted = !is_retry;
        let slow = evidence.as_ref().is_some_and(|(level, _)| *level == Level::Slow);
        let account = acting(run, path);
        let max_cost = ask.guards.max_cost;
        let crowded = account.is_crowded(max_cost).filter(|_| ask.guards.loops > Loops::Off);
        let evidence = evidence.map(|(_, evidence)| evidence);
        if slow || crowded.is_some() {
            let id = ticket.id;
            account.lane().waiting.push_back(id);
            let run = self.names(place).0;
            let because = evidence.filter(|_| slow).or(crowded.map(|evidence| Evidence { run, ..evidence }));
            let Some(evidence) = because else { return Verdict::Go };
            ticket.waits = Some(Box::new(Waits { loops: ask.guards.loops, slow, max_cost, evidence }));
            return self.resume(now, ticket);
        }
        // Another conversation of the run may still be slowed.
        if before >= Level::Slow {
            account.speed_up();
        }
        self.begin(ticket);
        evidence.map_or(Verdict::Go, Verdict::Warn)
    }

    /// Refuses what would begin in a run that is halted as a whole: nothing is remembered of it, however often it comes.
    pub(super) fn refuse_beginning(
        &mut self,
        now: Moment,
        ask: &RunAsk<'_>,
        found: Found,
        joined: Joined,
    ) -> Option<Admission> {
        let place = match found {
            Found::InRun(run) => run,
            Found::Branch { path, .. } => self.store.path(path)?.run,
            Found::Path(_) | Found::New => return None,
        };
        let run = self.store.run(place).filter(|run| run.whole)?;
        let halted = run.account.halted.as_ref().filter(|halted| halted.binds(ask.guards.loops))?;
        let (run, parent, ticket) = (run.name.clone(), run.parent.clone(), RunTicket::of_nothing());
        let verdict = Verdict::Halt(halted.evidence.clone());
        let latest = self.store.paths_of(place).next_back()?;
        self.store.touch(now, latest);
        Some(Admission { run, parent, joined, before: Tokens(0), stale: Tokens(0), verdict, ticket })
    }

    /// Asks again for a request that was told to wait.
    pub fn resume(&mut self, now: Moment, ticket: &mut RunTicket) -> Verdict {
        let Some(waits) = &ticket.waits else { return Verdict::Go };
        let evidence = waits.evidence.clone();
        let wait = |until: Option<Moment>| Verdict::Wait { until, evidence: evidence.clone() };
        let known = self.store.same(ticket.path, ticket.serial).is_some();
        let Some((run, path)) = self.store.both(ticket.path).filter(|_| known) else {
            // Its run is forgotten, and so is what spoke against it.
            ticket.waits = None;
            return Verdict::Go;
        };
        let account = acting(run, path);
        let halted = account.halted.as_ref().filter(|halted| halted.binds(waits.loops));
        let spent = || account.is_spent(waits.max_cost).map(|spent| Evidence { run: evidence.run.clone(), ..spent });
        if let Some((evidence, is_new)) =
            halted.map(|halted| (halted.evidence.clone(), false)).or_else(|| Some((spent()?, true)))
        {
            account.leave_lane(ticket.id);
            ticket.waits = None;
            if is_new {
                let found = (Level::Halt, evidence.clone(), u32::MAX);
                self.tell(ticket.path, Some(&found));
                self.halt(ticket.path, &evidence, u32::MAX);
            }
            self.wake(ticket.path);
            return Verdict::Halt(evidence);
        }
        if account.next_waiting() != Some(ticket.id) || account.is_crowded(waits.max_cost).is_some() {
            return wait(None);
        }
        let slow = waits.slow;
        if slow {
            if account.in_flight > 0 {
                return wait(None);
            }
            if now < account.next_at() {
                return wait(Some(account.next_at()));
            }
            account.widen();
        }
        account.leave_lane(ticket.id);
        ticket.waits = None;
        self.begin(ticket);
        self.wake(ticket.path);
        if slow { Verdict::Warn(evidence) } else { Verdict::Go }
    }

    /// The worst that is known of a request's run, as far up the ladder as its guards go.
    fn find_fault(&mut self, now: Moment, place: u32, ask: &RunAsk<'_>, more: u32) -> Option<Finding> {
        let guards = ask.guards;
        let most = match guards.loops {
            Loops::Off => return None,
            Loops::Warn => Level::Warn,
            Loops::Slow => Level::Slow,
            Loops::Halt => Level::Halt,
        };
        let (run, path) = self.store.both(place)?;
        let run_at = path.run;
        if let Some(halted) = acting(run, path).halted.as_ref().filter(|halted| halted.binds(guards.loops)) {
            return Some((Level::Halt, halted.evidence.clone(), halted.since));
        }
        let path = self.store.path(place)?;
        let over = self.store.run(run_at).filter(|run| run.whole).map_or(&path.account, |run| &run.account);
        let cap = over.over(now, more, guards).or_else(|| path.account.outgrown(ask.input, guards));
        if let Some(evidence) = cap.or_else(|| too_deep(path.depth, guards)) {
            return Some((Level::Halt, evidence, u32::MAX));
        }
        let in_history = seen_of(path, ask).and_then(|seen| look(&seen, guards));
        let around = path.exchange.as_ref().and_then(|exchange| exchange.goes_round(guards));
        let around = around.map(|(level, evidence)| (level, evidence, u32::MAX));
        let (pace, id, others) = self.store.pace(place)?;
        let too_many = pace.too_many_tries(now, guards);
        let paces =
            pace.too_fast(now, id, guards, others).or(too_many).map(|evidence| (Level::Slow, evidence, u32::MAX));
        let found = [in_history, around, paces].into_iter().flatten();
        let (level, evidence, since) = found.reduce(|best, next| if next.0 > best.0 { next } else { best })?;
        Some((level.min(most), evidence, since))
    }

    /// Says what is new.
    fn tell(&mut self, place: u32, found: Option<&Finding>) {
        let Some((run, path)) = self.store.both(place) else { return };
        let level = found.map_or(Level::Go, |found| found.0);
        let before = std::mem::replace(&mut path.told, level);
        let tenant = run.tenant;
        let is_halted = acting(run, path).halted.is_some();
        let (Some((_, evidence, _)), Some(tenant)) = (found, self.store.tenant_of(tenant)) else { return };
        let (tenant, evidence) = (tenant.name.clone(), evidence.clone());
        match level {
            Level::Halt if !is_halted => self.changes.push(RunChange::Halted { tenant, evidence }),
            Level::Slow if level > before => self.changes.push(RunChange::Slowed { tenant, evidence }),
            Level::Warn if level > before => self.changes.push(RunChange::Warned { tenant, evidence }),
            _ => {}
        }
    }

    fn halt(&mut self, place: u32, evidence: &Evidence, since: u32) {
        if let Some((run, path)) = self.store.both(place) {
            let account = acting(run, path);
            account.halted.get_or_insert_with(|| Box::new(Halted { evidence: evidence.clone(), since }));
        }
    }

    /// The request goes.
    pub(super) fn begin(&mut self, ticket: &mut RunTicket) {
        let Some((run, path)) = self.store.both(ticket.path) else { return };
        let held = acting(run, path).likely(ticket.input);
        run.account.begin(held);
        path.account.begin(held);
        ticket.held = Some(held);
    }

    /// Lets the first that waits ask again.
    pub(super) fn wake(&mut self, place: u32) {
        if let Some((run, path)) = self.store.both(place)
            && let Some(next) = acting(run, path).next_waiting()
            && !self.woken.contains(&next)
        {
            self.woken.push(next);
        }
    }
}

/// The account that is capped, slowed and halted: the whole run's, or that of one conversation.
pub(super) fn acting<'a>(run: &'a mut Run, path: &'a mut Path) -> &'a mut Account {
    if run.whole { &mut run.account } else { &mut path.account }
}

/// What the assistant did: as the request says it, or as it was kept here where the provider has it.
fn seen_of<'a>(path: &'a Path, ask: &RunAsk<'a>) -> Option<Seen<'a>> {
    if ask.stateful {
        let tail = path.tail.as_ref()?;
        return Some(Seen { actions: tail.actions(), tools: tail.tools(), sketches: &[], from: 0 });
    }
    let history = ask.history?;
    let (actions, tools, sketches) = (&history.actions, &history.tools, &history.sketches);
    Some(Seen { actions, tools, sketches, from: path.forgiven })
}
