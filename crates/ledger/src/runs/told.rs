//! What runs came to, the dearest first: which they are is found in a first pass, which remembers little of each, and the second
//! adds up these.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, BuildHasherDefault, RandomState};
use std::time::{Duration, Instant};

use twox_hash::XxHash3_64;
use weir_units::WallTime;

use super::RunSums;
use super::cells::{Counted, RunCell};
use super::read::{are_kept, each};
use crate::db::Snapshot;
use crate::index::Plain;
use crate::query::{Reader, StoreError};
use crate::rollup::oldest;
use crate::series::{WASTE, Wasted};
use crate::spend::{Spend, SpendBy, SpendQuery, SpendRow, Sums};

/// Names that are told apart at most; of more, the database must make the sums.
const MOST: usize = 4_000_000;

type Names = Vec<Option<String>>;

/// What some runs came to.
struct Told {
    /// The dearest first.
    rows: Vec<(Names, RunCell)>,
    /// How many names there are in all, and their sums.
    count: usize,
    total: RunCell,
}

/// What an answer out of these roll-ups came to.
pub(crate) enum Rolled<T> {
    Told(T),
    /// They do not have it.
    Unknown,
    TooLate,
}

/// What is asked of runs.
struct Asked<'a> {
    by: &'a [SpendBy],
    tenant: Option<&'a str>,
    edges: &'a [WallTime],
    top: usize,
    deadline: Option<Instant>,
    /// Adds to the sums of all what is asked for of a run, and says what that weighs; none if the run is not meant.
    weigh: fn(&Counted<'_>, &mut RunCell) -> Option<Weight>,
}

/// What names are ordered by.
type Weight = (i64, u64);

impl Asked<'_> {
    /// The names that a run is told by.
    fn names(&self, bucket: usize, of: &RunSums<'_>) -> Names {
        self.by.iter().map(|by| self.name(*by, bucket, of)).collect()
    }

    fn name(&self, by: SpendBy, bucket: usize, of: &RunSums<'_>) -> Option<String> {
        let own = |name: Option<&str>| name.map(str::to_owned);
        match by {
            SpendBy::Run => own(of.run),
            SpendBy::Tenant => own(of.tenant),
            SpendBy::Key => own(of.key),
            SpendBy::Route => own(of.route),
            SpendBy::Day => self.edges.get(bucket).map(|edge| edge.to_string().chars().take(10).collect()),
            SpendBy::Model | SpendBy::Deployment | SpendBy::Provider | SpendBy::Outcome => None,
        }
    }

    /// The same as a number. Nobody can choose names that have the same.
    fn hash(&self, seed: u64, bucket: usize, of: &RunSums<'_>) -> u64 {
        let name = |seed: u64, name: Option<&str>| match name {
            Some(name) => XxHash3_64::oneshot_with_seed(seed, name.as_bytes()),
            None => seed.rotate_left(7) ^ 1,
        };
        self.by.iter().fold(seed, |hash, by| match by {
            SpendBy::Run => name(hash, of.run),
            SpendBy::Tenant => name(hash, of.tenant),
            SpendBy::Key => name(hash, of.key),
            SpendBy::Route => name(hash, of.route),
            _ => XxHash3_64::oneshot_with_seed(hash, &bucket.to_le_bytes()),
        })
    }

    fn holds(&self, of: &RunSums<'_>) -> bool {
        self.tenant.is_none() || self.tenant == of.tenant
    }

    async fn told(&self, snapshot: &mut Snapshot) -> Result<Rolled<Told>, sqlx::Error> {
        let seed = RandomState::new().hash_one(self.top);
        let mut weights: HashMap<u64, Weight, BuildHasherDefault<Plain>> = HashMap::default();
        let mut total = RunCell::default();
        let add = &mut |bucket: usize, of: &RunSums<'_>| {
            if self.holds(of)
                && weights.len() <= MOST
                && let Some(weight) = (self.weigh)(&of.counted, &mut total)
            {
                let sum = weights.entry(self.hash(seed, bucket, of)).or_default();
                *sum = (sum.0.saturating_add(weight.0), sum.1.saturating_add(weight.1));
            }
        };
        if !each(snapshot, self.edges, self.deadline, add).await? {
            return Ok(Rolled::TooLate);
        }
        if weights.len() > MOST {
            return Ok(Rolled::Unknown);
        }
        let count = weights.len();
        // Whether a name weighs more than the last that is told. Of those that weigh the same, the first by name are told.
        let least = least(weights.values().copied(), self.top);
        let heavy: HashMap<u64, bool, BuildHasherDefault<Plain>> = weights
            .into_iter()
            .filter(|(_, weight)| *weight >= least)
            .map(|(name, weight)| (name, weight > least))
            .collect();
        let (mut more, mut same) = (BTreeMap::<Names, RunCell>::new(), BTreeMap::<Names, RunCell>::new());
        let gather = &mut |bucket: usize, of: &RunSums<'_>| {
            if self.holds(of)
                && let Some(is_more) = heavy.get(&self.hash(seed, bucket, of))
            {
                let names = if *is_more { &mut more } else { &mut same };
                names.entry(self.names(bucket, of)).or_default().merge(&of.counted.cell());
                if same.len() > self.top {
                    same.pop_last();
                }
            }
        };
        if !each(snapshot, self.edges, self.deadline, gather).await? {
            return Ok(Rolled::TooLate);
        }
        let weight = |cell: &RunCell| (self.weigh)(&Counted::Cell(Box::new(*cell)), &mut RunCell::default());
        let mut rows: Vec<(Names, RunCell)> = more.into_iter().chain(same).collect();
        rows.sort_by(|(a_names, a), (b_names, b)| weight(b).cmp(&weight(a)).then_with(|| a_names.cmp(b_names)));
        rows.truncate(self.top);
        Ok(Rolled::Told(Told { rows, count, total }))
    }
}

/// What the last of the `top` heaviest weighs.
fn least(weights: impl Iterator<Item = Weight>, top: usize) -> Weight {
    let mut weights: Vec<Weight> = weights.collect();
    let last = top.min(weights.len()).saturating_sub(1);
    if weights.is_empty() {
        return (0, 0);
    }
    *weights.select_nth_unstable_by(last, |a, b| b.cmp(a)).1
}

/// What runs wasted: the names with what each lost, and how many more there are with what these lost.
pub type WastedRuns = (Vec<(Option<String>, [Wasted; WASTE.len()])>, u64, [Wasted; WASTE.len()]);

impl Reader {
    /// What was spent, told apart by runs; only where nothing else is asked for than these know.
    pub(crate) async fn spend_of_runs(
        &self,
        query: &SpendQuery,
        deadline: Option<Instant>,
    ) -> Result<Rolled<Spend>, StoreError> {
        let known = |by: &SpendBy| !by.is_of_attempts() && *by != SpendBy::Outcome;
        if !query.by.iter().all(known) {
            return Ok(Rolled::Unknown);
        }
        let mut snapshot = self.pool.snapshot().await?;
        let edges = crate::spend_rolled::edges(&mut snapshot, query).await?;
        if !kept(&mut snapshot, &edges).await? {
            return Ok(Rolled::Unknown);
        }
        let asked = Asked {
            by: &query.by,
            tenant: query.tenant.as_deref(),
            edges: &edges,
            top: query.top as usize,
            deadline,
            weigh: |counted, total| {
                let sums = counted.sums();
                total.sums.merge(&sums);
                Some((sums.cost.0, sums.requests))
            },
        };
        Ok(match asked.told(&mut snapshot).await? {
            Rolled::Told(told) => Rolled::Told(spend(query, told)),
            Rolled::Unknown => Rolled::Unknown,
            Rolled::TooLate => Rolled::TooLate,
        })
    }

    /// What the requests of `since..until` wasted by run, of those that lost anything, the most first; none where roll-ups do not have
    /// it all, so that the requests themselves must be asked ([`Reader::wasted`]), or where it takes longer than `patience`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn wasted_by_run(
        &self,
        since: WallTime,
        until: WallTime,
        top: usize,
        patience: Option<Duration>,
    ) -> Result<Option<WastedRuns>, StoreError> {
        let deadline = patience.map(|patience| Instant::now() + patience);
        let mut snapshot = self.pool.snapshot().await?;
        let by = [SpendBy::Run];
        let query = SpendQuery { by: by.to_vec(), since, until, tenant: None, top: 0 };
        let edges = crate::spend_rolled::edges(&mut snapshot, &query).await?;
        if !kept(&mut snapshot, &edges).await? {
            return Ok(None);
        }
        let asked = Asked { by: &by, tenant: None, edges: &edges, top, deadline, weigh: lost };
        let Rolled::Told(told) = asked.told(&mut snapshot).await? else { return Ok(None) };
        let (more, mut rest) = (told.count - told.rows.len(), told.total);
        let mut rows = Vec::with_capacity(told.rows.len());
        for (mut names, cell) in told.rows {
            rest.wasted.iter_mut().zip(&cell.wasted).for_each(|(sum, part)| sum.take_out(part));
            rows.push((names.pop().flatten(), cell.wasted));
        }
        Ok(Some((rows, more as u64, rest.wasted)))
    }
}

/// What a run has lost, if it has.
fn lost(counted: &Counted<'_>, total: &mut RunCell) -> Option<Weight> {
    let mut weight = None;
    counted.wasted(|why, wasted| {
        total.wasted[why].merge(wasted);
        let (cost, tokens): Weight = weight.unwrap_or_default();
        weight = Some((cost.saturating_add(wasted.cost.0), tokens.saturating_add(wasted.tokens)));
    });
    weight
}

async fn kept(snapshot: &mut Snapshot, edges: &[WallTime]) -> Result<bool, sqlx::Error> {
    let (Some(from), Some(to)) = (edges.first(), edges.last()) else { return Ok(true) };
    // Of what came before, nothing but roll-ups is left.
    let from = from.0.max(oldest(snapshot).await?);
    are_kept(snapshot, from, to.0).await
}

fn spend(query: &SpendQuery, told: Told) -> Spend {
    let mut rest = told.total.sums;
    let mut rows: Vec<SpendRow> = Vec::with_capacity(told.rows.len());
    for (names, cell) in told.rows {
        rest.take_out(&cell.sums);
        rows.push(SpendRow { names, sums: cell.sums });
    }
    let more = (told.count - rows.len()) as u64;
    if let Some(day) = query.by.iter().position(|by| *by == SpendBy::Day) {
        rows.sort_by(|a, b| a.names[day].cmp(&b.names[day]));
    }
    let rest = if more == 0 { Sums::default() } else { rest };
    Spend { rest: (more, rest), rows, total: told.total.sums }
}
