//! What was spent, out of roll-ups: the same sums as those of the requests, of all that roll-ups tell apart.

use std::collections::BTreeMap;
use std::time::Instant;

use weir_units::WallTime;

use crate::db::Snapshot;
use crate::entry::Outcome;
use crate::filter::{Filter, model, provider, within};
use crate::query::{Reader, StoreError};
use crate::rollup::{Cell, CellKey, Counting, Grain, Margin, Rolled, Sink, TagCells};
use crate::seen::Seen;
use crate::spend::{Spend, SpendBy, SpendQuery, SpendRow, Sums};

type Names = Vec<Option<String>>;

impl Reader {
    /// What was spent, out of roll-ups and of what is not in them yet; none if it became too late.
    pub(crate) async fn spend_rolled(
        &self,
        query: &SpendQuery,
        deadline: Option<Instant>,
    ) -> Result<Option<Spend>, StoreError> {
        let mut snapshot = self.pool.snapshot().await?;
        let edges = edges(&mut snapshot, query).await?;
        let filter = Filter { tenant: query.tenant.clone(), ..Filter::default() };
        let mut adding = Adding { query, edges: &edges, groups: BTreeMap::new(), total: Sums::default() };
        let mut rolled = Rolled {
            snapshot: &mut snapshot,
            filter: &filter,
            edges: &edges,
            cells: true,
            tags: false,
            margin: None,
            names_matter: names_matter(query),
            deadline,
        };
        let whole = rolled.read(&mut adding).await?;
        Ok(whole.then(|| adding.done()))
    }
}

fn names_matter(query: &SpendQuery) -> bool {
    query.tenant.is_some() || query.by.iter().any(|by| !matches!(by, SpendBy::Day | SpendBy::Outcome))
}

/// The time that is asked for, as far as there is anything; cut at each day, if days are told apart.
pub(crate) async fn edges(snapshot: &mut Snapshot, query: &SpendQuery) -> Result<Vec<WallTime>, sqlx::Error> {
    let day = Grain::Day.length();
    let (mut first, mut last) = (i64::MAX, i64::MIN);
    let mut sql = snapshot.statement("SELECT min(start), max(start) FROM rollups WHERE grain = ");
    sql.bind(Grain::Day.number());
    for sql in [sql, snapshot.statement("SELECT min(minute) * 60000000, max(minute) * 60000000 FROM dirty")] {
        for row in snapshot.rows(sql).await? {
            if let (Some(from), Some(to)) = (row.some_int(0)?, row.some_int(1)?) {
                (first, last) = (first.min(from), last.max(to));
            }
        }
    }
    if first > last {
        return Ok(Vec::new());
    }
    let since = within(query.since).0.max(first / day * day);
    let until = within(query.until).0.min((last / day + 1) * day);
    if since >= until {
        return Ok(Vec::new());
    }
    let mut edges = vec![WallTime(since)];
    if query.by.contains(&SpendBy::Day) {
        let midnights = (since / day + 1..=(until - 1) / day).map(|n| WallTime(n * day));
        edges.extend(midnights.filter(|midnight| midnight.0 > since));
    }
    edges.push(WallTime(until));
    Ok(edges)
}

struct Adding<'q> {
    query: &'q SpendQuery,
    edges: &'q [WallTime],
    groups: BTreeMap<Names, Sums>,
    total: Sums,
}

impl Sink for Adding<'_> {
    fn rolled(&mut self, bucket: usize, cells: Option<&[(CellKey, Cell)]>, _tags: Option<&TagCells>) {
        for (key, cell) in cells.unwrap_or_default() {
            if self.query.tenant.is_none() || self.query.tenant.as_deref() == key.tenant.as_deref() {
                self.add(bucket, key, cell);
            }
        }
    }

    // It asks for none: what is spent is known of combinations.
    fn margin(&mut self, _bucket: usize, _margin: Margin) {}

    fn seen(&mut self, bucket: usize, seen: &Seen) {
        if seen.outcome == Outcome::Open {
            return;
        }
        let mut one = Counting::default();
        one.add(seen);
        for (key, cell) in one.list() {
            self.add(bucket, key, cell);
        }
    }
}

impl Adding<'_> {
    fn add(&mut self, bucket: usize, key: &CellKey, cell: &Cell) {
        let requests = &cell.requests.requests;
        let mut all = Sums { requests: requests.requests, unknown: requests.unpriced, ..Sums::default() };
        cell.calls.iter().for_each(|calls| all.add_calls(calls));
        self.total.merge(&all);
        if self.query.by.is_empty() {
            return;
        }
        let mut groups: Vec<(Names, Vec<usize>)> = Vec::new();
        let places = if cell.calls.is_empty() { vec![None] } else { (0..cell.calls.len()).map(Some).collect() };
        for place in places {
            let deployment = place.and_then(|place| key.deployments.get(place)).map(|name| &**name);
            let names = self.query.by.iter().map(|by| self.name(*by, bucket, key, deployment)).collect();
            match groups.iter_mut().find(|(known, _)| *known == names) {
                Some((_, places)) => places.extend(place),
                None => groups.push((names, place.into_iter().collect())),
            }
        }
        for (names, places) in groups {
            let unpriced = places.is_empty() || places.iter().any(|place| key.unpriced >> place.min(&31) & 1 == 1);
            let unknown = if unpriced { requests.unpriced } else { 0 };
            let mut sums = Sums { requests: requests.requests, unknown, ..Sums::default() };
            places.iter().for_each(|place| sums.add_calls(&cell.calls[*place]));
            self.groups.entry(names).or_default().merge(&sums);
        }
    }

    fn name(&self, by: SpendBy, bucket: usize, key: &CellKey, deployment: Option<&str>) -> Option<String> {
        let own = |name: &Option<std::sync::Arc<str>>| name.as_deref().map(str::to_owned);
        match by {
            SpendBy::Key => own(&key.key),
            SpendBy::Tenant => own(&key.tenant),
            SpendBy::Route => own(&key.route),
            SpendBy::Outcome => Some(key.outcome().name().to_owned()),
            SpendBy::Deployment => deployment.map(str::to_owned),
            SpendBy::Provider => deployment.map(|name| provider(name).to_owned()),
            SpendBy::Model => deployment.map(|name| model(name).to_owned()),
            SpendBy::Day => self.edges.get(bucket).map(|edge| edge.to_string().chars().take(10).collect()),
            // These roll-ups do not know runs.
            SpendBy::Run => None,
        }
    }

    /// The dearest one by one, and the others together.
    fn done(self) -> Spend {
        let count = self.groups.len() as u64;
        let mut rows: Vec<SpendRow> = self.groups.into_iter().map(|(names, sums)| SpendRow { names, sums }).collect();
        rows.sort_by(|a, b| {
            let (a_sums, b_sums) = (&a.sums, &b.sums);
            (b_sums.cost, b_sums.requests).cmp(&(a_sums.cost, a_sums.requests)).then_with(|| a.names.cmp(&b.names))
        });
        let others = rows.split_off((self.query.top as usize).min(rows.len()));
        let mut rest = Sums::default();
        others.iter().for_each(|row| rest.merge(&row.sums));
        if let Some(day) = self.query.by.iter().position(|by| *by == SpendBy::Day) {
            rows.sort_by(|a, b| a.names[day].cmp(&b.names[day]));
        }
        Spend { rest: (count - rows.len() as u64, rest), rows, total: self.total }
    }
}
