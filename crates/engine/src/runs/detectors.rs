//! Detectors that need nothing but a history: the same action, the same steps, the same error, no progress, the same words.
//!
//! They look at steps: all that the assistant did in one turn, with what came of it. What makes a repetition a loop is that
//! the result is the same as well: a poll whose answer changes and the same words to other questions are progress.

use weir_units::{Action, Mark, Sketch};

use super::evidence::{Detector, Evidence, Level, safe};
use super::run::fold;
use super::settings::Guards;

/// Cycles of more steps are not looked for, nor further back than this many steps.
pub(super) const LONGEST_PERIOD: usize = 6;
const CYCLES_WITHIN: usize = 48;

/// What detectors look at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen<'a> {
    pub(super) actions: &'a [Action],
    pub(super) tools: &'a [Box<str>],
    pub(super) sketches: &'a [Sketch],
    /// The first message that counts.
    pub(super) from: u32,
}

/// What was found, and the message in which it began.
pub(super) type Finding = (Level, Evidence, u32);

/// One turn of the assistant, without what exempt tools did.
#[derive(Clone, Copy, Debug)]
struct Step {
    message: u32,
    tool: Option<u16>,
    what: Mark,
    result: Mark,
    /// What was done and what came of it.
    both: Mark,
    error: Option<Mark>,
}

/// The worst that any detector finds.
pub(super) fn look(seen: &Seen<'_>, guards: &Guards) -> Option<Finding> {
    let steps = steps(seen, guards);
    let found = [
        identical(&steps, guards),
        cycle(&steps, guards),
        errors(&steps, guards),
        no_progress(&steps, guards),
        similar(&steps, seen, guards),
    ];
    // The first of equals counts.
    let (level, evidence, since) =
        found.into_iter().flatten().reduce(|best, next| if next.0 > best.0 { next } else { best })?;
    let tool = steps.last().and_then(|step| step.tool).and_then(|tool| seen.tools.get(usize::from(tool)));
    let tool = tool.filter(|_| evidence.detector != Detector::SimilarTexts).map(|name| safe(name));
    let message = evidence.message.or_else(|| steps.last().map(|step| step.message));
    Some((level, Evidence { tool, message, ..evidence }, since))
}

fn steps(seen: &Seen<'_>, guards: &Guards) -> Vec<Step> {
    let exempt = |action: &Action| {
        let name = action.tool.and_then(|tool| seen.tools.get(usize::from(tool)));
        name.is_some_and(|name| guards.exempt_tools.contains(name))
    };
    let mut steps = Vec::with_capacity(seen.actions.len());
    let mut turn = Vec::new();
    for actions in seen.actions.chunk_by(|a, b| a.message == b.message) {
        if actions[0].message < seen.from {
            continue;
        }
        turn.clear();
        turn.extend(actions.iter().filter(|action| !exempt(action)).copied());
        if !turn.is_empty() {
            steps.push(step(&mut turn));
        }
    }
    // What the last turn did has no result yet.
    let pending = seen.actions.last().filter(|action| action.result.is_none()).map(|action| action.message);
    if steps.last().is_some_and(|step| Some(step.message) == pending) {
        steps.pop();
    }
    steps
}

/// One turn as a step. Calls made at once have no order, and the same call made twice at once is one.
fn step(turn: &mut Vec<Action>) -> Step {
    let (message, tool) = (turn[0].message, turn[0].tool);
    turn.sort_unstable_by_key(|action| (action.what, action.result));
    turn.dedup_by_key(|action| (action.what, action.result));
    let fold_of = |of: fn(&Action) -> Mark| match turn.as_slice() {
        [one] => of(one),
        all => fold(&all.iter().map(of).collect::<Vec<_>>()),
    };
    let what = fold_of(|action| action.what);
    let result = fold_of(|action| action.result.unwrap_or_default());
    let error = turn[0].error.filter(|error| turn.iter().all(|action| action.error == Some(*error)));
    Step { message, tool, what, result, both: what.then(result), error }
}

/// How often the last `period` of `len` things are repeated at the end; 1 if all of those are the same.
pub(super) fn repeats(len: usize, period: usize, same: &impl Fn(usize, usize) -> bool) -> u32 {
    if len < 2 * period {
        return 1;
    }
    if period > 1 && (1..period).all(|back| same(len - 1, len - 1 - back)) {
        return 1;
    }
    let matched = (period..len).rev().take_while(|at| same(*at, at - period)).count();
    u32::try_from(matched / period + 1).unwrap_or(u32::MAX)
}

fn found(level: Level, detector: Detector, count: u32, threshold: u32, steps: &[Step]) -> Option<Finding> {
    let since = steps.first().map_or(0, |step| step.message);
    let marks = steps.iter().rev().take(LONGEST_PERIOD).map(|step| step.what).collect();
    (level > Level::Go)
        .then(|| (level, Evidence { marks, ..Evidence::new(detector, count.into(), threshold.into()) }, since))
}

/// The last `count` times `period` steps.
fn tail(steps: &[Step], count: u32, period: usize) -> &[Step] {
    &steps[steps.len().saturating_sub(count as usize * period)..]
}

fn identical(steps: &[Step], guards: &Guards) -> Option<Finding> {
    let count = repeats(steps.len(), 1, &|a, b| steps[a].both == steps[b].both);
    let level = Level::of(count, guards.identical_actions, 2);
    let (level, mut evidence, since) =
        found(level, Detector::IdenticalActions, count, guards.identical_actions, tail(steps, count, 1))?;
    evidence.marks.truncate(1);
    Some((level, evidence, since))
}

fn cycle(steps: &[Step], guards: &Guards) -> Option<Finding> {
    let recent = &steps[steps.len().saturating_sub(CYCLES_WITHIN)..];
    (2..=LONGEST_PERIOD).find_map(|period| {
        let count = repeats(recent.len(), period, &|a, b| recent[a].both == recent[b].both);
        let level = Level::of(count, guards.cycles, 1);
        let (level, mut evidence, since) =
            found(level, Detector::Cycles, count, guards.cycles, tail(recent, count, period))?;
        evidence.period = u32::try_from(period).unwrap_or(u32::MAX);
        evidence.marks.truncate(period);
        Some((level, evidence, since))
    })
}

fn errors(steps: &[Step], guards: &Guards) -> Option<Finding> {
    let last = steps.last()?.error?;
    let count = steps.iter().rev().take_while(|step| step.error == Some(last)).count();
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    let level = Level::of(count, guards.repeated_errors, 2);
    let (level, mut evidence, since) =
        found(level, Detector::RepeatedErrors, count, guards.repeated_errors, tail(steps, count, 1))?;
    evidence.marks = vec![last];
    Some((level, evidence, since))
}

/// Of so many steps few are different ones, and the last ones brought nothing that had not come before.
fn no_progress(steps: &[Step], guards: &Guards) -> Option<Finding> {
    let quiet = quiet(steps);
    let level_of = |rungs: u32| {
        let window = guards.no_progress_steps.checked_sub(rungs).filter(|window| *window > rungs)? as usize;
        let recent = &steps[steps.len().checked_sub(window)?..];
        let mut whats: Vec<Mark> = recent.iter().map(|step| step.what).collect();
        whats.sort_unstable();
        whats.dedup();
        let few = (whats.len() as u64) * 1_000_000 < u64::from(guards.no_progress_distinct_ppm) * window as u64;
        let still = quiet >= guards.no_progress_quiet.saturating_sub(rungs) as usize;
        (few && still).then_some((whats.len(), recent))
    };
    let at = |rungs: u32, level: Level| level_of(rungs).map(|(distinct, recent)| (level, distinct, recent));
    let (level, distinct, recent) = at(0, Level::Halt).or_else(|| at(1, Level::Slow)).or_else(|| at(2, Level::Warn))?;
    let distinct = u32::try_from(distinct).unwrap_or(u32::MAX);
    let (level, mut evidence, since) = found(level, Detector::NoProgress, distinct, guards.no_progress_steps, recent)?;
    evidence.of = recent.len() as u64;
    Some((level, evidence, since))
}

/// How many of the last steps brought a result that had come before.
fn quiet(steps: &[Step]) -> usize {
    let is_old = |at: &usize| steps[..*at].iter().any(|earlier| earlier.result == steps[*at].result);
    (0..steps.len()).rev().take_while(is_old).count()
}

/// Texts that are nearly the same as the last one, unless the agent gets on between them.
fn similar(steps: &[Step], seen: &Seen<'_>, guards: &Guards) -> Option<Finding> {
    let sketches = &seen.sketches[seen.sketches.iter().position(|sketch| sketch.message >= seen.from)?..];
    let last = sketches.last()?;
    let step_of = |sketch: &Sketch| steps.binary_search_by_key(&sketch.message, |step| step.message).ok();
    // A call that had not been made, or had another result, is progress, and so are the very same words answered otherwise:
    // the assistant said them to another question.
    let gets_on = |at: usize| {
        let (step, earlier) = (&steps[at], &steps[..at]);
        match step.tool {
            Some(_) => earlier.iter().all(|earlier| earlier.both != step.both),
            None => earlier.iter().any(|earlier| earlier.what == step.what && earlier.both != step.both),
        }
    };
    let at = step_of(last)?;
    if (at + 1..steps.len()).any(gets_on) {
        return None;
    }
    let near = |sketch: &&Sketch| {
        (sketch.bits ^ last.bits).count_ones() <= guards.similar_texts_distance
            && step_of(sketch).is_some_and(|at| !gets_on(at))
    };
    if !near(&last) {
        return None;
    }
    let count = u32::try_from(sketches.iter().filter(near).count()).unwrap_or(u32::MAX);
    let since = sketches.iter().find(near)?.message;
    let level = Level::of(count, guards.similar_texts, 1);
    let evidence = Evidence::new(Detector::SimilarTexts, count.into(), guards.similar_texts.into());
    let of = sketches.len() as u64;
    (level > Level::Go).then_some((level, Evidence { of, message: Some(last.message), ..evidence }, since))
}
