//! Reading figures: out of roll-ups, and of minutes that are not all counted yet out of their requests.

use std::collections::BTreeMap;
use std::sync::Arc;

use weir_units::WallTime;

use super::cells::FigureCells;
use super::{DAYS, Figures, HOURS, MINUTES, Measured, RouteCalls, UPTIME_DAYS, Uptime};
use crate::db::Snapshot;
use crate::entry::Outcome;
use crate::filter::{Filter, within};
use crate::index::{Reading, dirty_minutes};
use crate::query::{Reader, StoreError};
use crate::rollup::{Grain, Piece, cover};
use crate::seen::Seen;

impl Reader {
    /// How deployments served the requests that arrived in a time, to the minute.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn figures(&self, from: WallTime, until: WallTime) -> Result<Figures, StoreError> {
        Ok(self.figures_over(&[from, until]).await?.pop().unwrap_or_default())
    }

    /// The same, of each time between two edges, which are in order.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn figures_over(&self, edges: &[WallTime]) -> Result<Vec<Figures>, StoreError> {
        let cells = self.figure_cells(edges).await?;
        Ok(cells.into_iter().map(FigureCells::done).collect())
    }

    /// Measured availability over the last 1, 7, 30 and 90 days before `now`: of each provider and deployment what it answered of
    /// what it was asked, and of routes what users got.
    ///
    /// A call counts against its provider if the provider was at fault: no connection, 5xx, silence, a cut answer. Answers that
    /// say that a limit is reached, or that the request, the credential or the account is at fault, count neither way.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn uptime(&self, now: WallTime) -> Result<Uptime, StoreError> {
        let ago = |days: u32| WallTime(now.0.saturating_sub(i64::from(days) * Grain::Day.length()));
        let edges: Vec<WallTime> = UPTIME_DAYS.iter().rev().map(|days| ago(*days)).chain([now]).collect();
        let mut cells = self.figure_cells(&edges).await?;
        let (mut providers, mut deployments) = (BTreeMap::new(), BTreeMap::new());
        let (mut routes, mut users) = (BTreeMap::new(), [Measured::default(); 4]);
        let mut sum = FigureCells::default();
        for (place, seen) in users.iter_mut().enumerate() {
            sum.merge(&cells.pop().unwrap_or_default());
            let figures = sum.clone().done();
            for (into, parts) in [(&mut providers, figures.by_provider()), (&mut deployments, figures.by_deployment())]
            {
                for (name, calls) in parts {
                    let measured = Measured { answered: calls.answered, asked: calls.asked() };
                    into.entry(name).or_insert([Measured::default(); 4])[place] = measured;
                }
            }
            let all = figures.all_users();
            *seen = Measured { answered: all.answered, asked: all.requests };
            for (route, of) in figures.users.into_iter().filter_map(|(route, of)| Some((route?, of))) {
                let measured = Measured { answered: of.answered, asked: of.requests };
                routes.entry(route).or_insert([Measured::default(); 4])[place] = measured;
            }
        }
        let list = |map: BTreeMap<Arc<str>, [Measured; 4]>| map.into_iter().collect();
        Ok(Uptime { providers: list(providers), deployments: list(deployments), users, routes: list(routes) })
    }

    async fn figure_cells(&self, edges: &[WallTime]) -> Result<Vec<FigureCells>, StoreError> {
        let mut snapshot = self.pool.snapshot().await?;
        let kept = kept(&mut snapshot).await?;
        let mut all = Vec::with_capacity(edges.len().saturating_sub(1));
        for pair in edges.windows(2) {
            let minute = |at: WallTime| Grain::Minute.begin(within(at).0);
            let (from, until) = (minute(pair[0]), minute(pair[1]));
            let (from, until) = kept.map_or((0, 0), |(first, last)| (from.max(first), until.min(last)));
            all.push(cells_of(&mut snapshot, from, until).await?);
        }
        Ok(all)
    }
}

/// The time, in whole days, in which there is anything.
async fn kept(snapshot: &mut Snapshot) -> Result<Option<(i64, i64)>, sqlx::Error> {
    let day = Grain::Day.length();
    let mut days = snapshot.statement("SELECT min(start), max(start) FROM rollups WHERE grain = ");
    days.bind(DAYS);
    let mut kept: Option<(i64, i64)> = None;
    for sql in [days, snapshot.statement("SELECT min(minute) * 60000000, max(minute) * 60000000 FROM dirty")] {
        for row in snapshot.rows(sql).await? {
            if let (Some(first), Some(last)) = (row.some_int(0)?, row.some_int(1)?) {
                let (first, last) = (Grain::Day.begin(first), Grain::Day.begin(last) + day);
                kept = Some(kept.map_or((first, last), |(f, l)| (first.min(f), last.max(l))));
            }
        }
    }
    Ok(kept)
}

async fn cells_of(snapshot: &mut Snapshot, from: i64, until: i64) -> Result<FigureCells, sqlx::Error> {
    let mut sum = FigureCells::default();
    if from >= until {
        return Ok(sum);
    }
    let dirty = dirty_minutes(snapshot, from, until - 1).await?;
    let mut pieces = cover(from, until, Grain::Day, &dirty).into_iter().peekable();
    while let Some(piece) = pieces.next() {
        match piece {
            Piece::Rows(from, until) => {
                let filter = Filter { since: Some(WallTime(from)), until: Some(WallTime(until)), ..Filter::default() };
                let count = |seen: Seen, _| {
                    if seen.outcome != Outcome::Open {
                        sum.add(&seen);
                    }
                    true
                };
                Reading::plain(snapshot, &filter).each(count).await?;
            }
            Piece::Roll(grain, start) => {
                let mut last = start;
                while let Some(Piece::Roll(_, next)) =
                    pieces.next_if(|next| *next == Piece::Roll(grain, last + grain.length()))
                {
                    last = next;
                }
                let number = match grain {
                    Grain::Minute => MINUTES,
                    Grain::Hour => HOURS,
                    Grain::Day => DAYS,
                };
                let mut sql = snapshot.statement("SELECT data FROM rollups WHERE grain = ");
                sql.bind(number).push(" AND start >= ").bind(start).push(" AND start <= ").bind(last);
                for row in snapshot.rows(sql).await? {
                    sum.merge(&FigureCells::decode(&row.blob(0)?).unwrap_or_default());
                }
            }
        }
    }
    Ok(sum)
}

impl FigureCells {
    fn done(self) -> Figures {
        let calls = self.calls.into_iter();
        let calls = calls.map(|((deployment, route), figures)| RouteCalls { deployment, route, figures }).collect();
        Figures { calls, users: self.users.into_iter().collect() }
    }
}
