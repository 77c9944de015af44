//! Reading demand: out of roll-ups, and of minutes that are not all counted yet out of their requests.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use weir_units::WallTime;

use super::cells::{HourCell, MinuteCells, decode_hours, each, hour_of};
use super::{Demand, DemandQuery, DemandRow, DemandStep, HOURS, LONGEST, MINUTES};
use crate::db::Snapshot;
use crate::filter::{Filter, within};
use crate::index::{Reading, dirty_minutes, minute};
use crate::query::{Reader, StoreError};
use crate::rollup::Grain;
use crate::seen::Seen;

/// Minutes that are read at once.
const BATCH: i64 = 4_320;

impl Reader {
    /// What was asked of each deployment in each minute or hour that begins in the time asked for, in order of time, then of name.
    ///
    /// An hour that is not over has the minutes to come among its empty ones.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn demand(&self, query: &DemandQuery) -> Result<Vec<DemandRow>, StoreError> {
        let length = match query.step {
            DemandStep::Minute => Grain::Minute.length(),
            DemandStep::Hour => Grain::Hour.length(),
        };
        // The first that begins at a time or later.
        let first = |at: WallTime| (within(at).0 + length - 1).div_euclid(length);
        let (from, until) = (first(query.from), first(query.until));
        let mut snapshot = self.pool.snapshot().await?;
        let mut reading = Demands { snapshot: &mut snapshot, names: Names::default(), rows: Vec::new() };
        match query.step {
            DemandStep::Minute => reading.minutes(from, until).await?,
            DemandStep::Hour => reading.hours(from, until).await?,
        }
        Ok(reading.rows)
    }
}

/// Names, each kept once.
#[derive(Default)]
struct Names {
    places: HashMap<Arc<str>, usize>,
    list: Vec<Arc<str>>,
}

impl Names {
    fn place(&mut self, name: &str) -> usize {
        if let Some(place) = self.places.get(name) {
            return *place;
        }
        let name: Arc<str> = name.into();
        self.list.push(Arc::clone(&name));
        self.places.insert(name, self.list.len() - 1);
        self.list.len() - 1
    }
}

struct Demands<'a> {
    snapshot: &'a mut Snapshot,
    names: Names,
    rows: Vec<DemandRow>,
}

impl Demands<'_> {
    /// All minutes from one on and before another.
    async fn minutes(&mut self, from: i64, until: i64) -> Result<(), sqlx::Error> {
        let length = Grain::Minute.length();
        // Calls of requests that arrived before may still run.
        let counted = self.counted(from - LONGEST, until).await?;
        let kept = self.kept(MINUTES, length).await?;
        let all = kept.into_iter().chain(counted.first_key_value().map(|(minute, _)| *minute));
        let all = all.chain(counted.last_key_value().map(|(minute, _)| *minute));
        let (first, last) =
            all.fold((i64::MAX, i64::MIN), |(first, last), minute| (first.min(minute), last.max(minute)));
        let mut open: BTreeMap<i64, BTreeMap<usize, Demand>> = BTreeMap::new();
        let mut begin = first.max(from - LONGEST);
        let end_of_all = until.min(last.saturating_add(1));
        while begin < end_of_all {
            let end = end_of_all.min(begin + BATCH);
            let mut blobs = self.blobs(MINUTES, begin * length, end * length).await?;
            blobs.retain(|(start, _)| !counted.contains_key(&(start / length)));
            blobs.extend(counted.range(begin..end).map(|(minute, cells)| (minute * length, cells.encode())));
            blobs.sort_by_key(|(start, _)| *start);
            for (start, data) in &blobs {
                self.open(&mut open, start / length, data);
            }
            // No request of a later minute changes these.
            let later = open.split_off(&end);
            self.close(std::mem::replace(&mut open, later), from);
            begin = end;
        }
        self.close(open.into_iter().filter(|(minute, _)| *minute < until).collect(), from);
        Ok(())
    }

    fn open(&mut self, open: &mut BTreeMap<i64, BTreeMap<usize, Demand>>, minute: i64, data: &[u8]) {
        let names = &mut self.names;
        let _ = each(data, |deployment, demand, busy| {
            let place = names.place(deployment);
            open.entry(minute).or_default().entry(place).or_default().add(&demand);
            for (ms, at) in busy.iter().zip(minute..).filter(|(ms, _)| **ms > 0) {
                open.entry(at).or_default().entry(place).or_default().busy_ms += ms;
            }
        });
    }

    fn close(&mut self, minutes: BTreeMap<i64, BTreeMap<usize, Demand>>, from: i64) {
        for (minute, cells) in minutes.into_iter().filter(|(minute, _)| *minute >= from) {
            let cells =
                cells.into_iter().map(|(place, demand)| (place, HourCell { sum: demand, p95: demand, peak: demand }));
            self.tell(WallTime(minute * Grain::Minute.length()), cells.collect());
        }
    }

    /// All hours from one on and before another.
    async fn hours(&mut self, from: i64, until: i64) -> Result<(), sqlx::Error> {
        let length = Grain::Hour.length();
        let counted = self.counted(from * 60 - LONGEST, until * 60).await?;
        let changed: BTreeSet<i64> = counted
            .keys()
            .flat_map(|minute| [minute.div_euclid(60), minute.div_euclid(60) + 1])
            .filter(|hour| (from..until).contains(hour))
            .collect();
        let mut hours = BTreeMap::new();
        for (start, data) in self.blobs(HOURS, from * length, until * length).await? {
            if !changed.contains(&(start / length)) {
                hours.insert(start / length, decode_hours(&data).unwrap_or_default());
            }
        }
        for hour in changed {
            let minute = Grain::Minute.length();
            let (first, end) = (hour * 60 - LONGEST, (hour + 1) * 60);
            let mut minutes = BTreeMap::new();
            for (start, data) in self.blobs(MINUTES, first * minute, end * minute).await? {
                minutes.insert(start / minute, MinuteCells::decode(&data).unwrap_or_default());
            }
            minutes.extend(counted.range(first..end).map(|(minute, cells)| (*minute, cells.clone())));
            hours.insert(hour, hour_of(&minutes, hour));
        }
        for (hour, cells) in hours {
            let cells = cells.into_iter().map(|(name, cell)| (self.names.place(&name), cell)).collect();
            self.tell(WallTime(hour * length), cells);
        }
        Ok(())
    }

    fn tell(&mut self, at: WallTime, mut cells: Vec<(usize, HourCell)>) {
        cells.sort_by(|a, b| self.names.list[a.0].cmp(&self.names.list[b.0]));
        for (place, HourCell { sum, p95, peak }) in cells {
            self.rows.push(DemandRow { deployment: Arc::clone(&self.names.list[place]), at, sum, p95, peak });
        }
    }

    /// The first and the last roll-up, in their own length, if there are any.
    async fn kept(&mut self, grain: i64, length: i64) -> Result<Vec<i64>, sqlx::Error> {
        let mut sql = self.snapshot.statement("SELECT min(start), max(start) FROM rollups WHERE grain = ");
        sql.bind(grain);
        let rows = self.snapshot.rows(sql).await?;
        let Some(row) = rows.first() else { return Ok(Vec::new()) };
        Ok([row.some_int(0)?, row.some_int(1)?].into_iter().flatten().map(|start| start / length).collect())
    }

    /// The minutes that are not all counted yet, counted from their requests.
    async fn counted(&mut self, from: i64, until: i64) -> Result<BTreeMap<i64, MinuteCells>, sqlx::Error> {
        let length = Grain::Minute.length();
        let dirty = dirty_minutes(self.snapshot, from.saturating_mul(length), until.saturating_mul(length) - 1).await?;
        let mut counted: BTreeMap<i64, MinuteCells> =
            dirty.iter().map(|minute| (*minute, MinuteCells::default())).collect();
        let mut dirty = dirty.into_iter().peekable();
        while let Some(first) = dirty.next() {
            let mut last = first;
            while let Some(next) = dirty.next_if_eq(&(last + 1)) {
                last = next;
            }
            let at = |minute: i64| Some(WallTime(minute * length));
            let filter = Filter { since: at(first), until: at(last + 1), ..Filter::default() };
            let count = |seen: Seen, _| {
                if seen.outcome != crate::entry::Outcome::Open {
                    counted.entry(minute(seen.id.0)).or_default().add(&seen);
                }
                true
            };
            Reading::plain(self.snapshot, &filter).each(count).await?;
        }
        Ok(counted)
    }

    async fn blobs(&mut self, grain: i64, from: i64, to: i64) -> Result<Vec<(i64, Vec<u8>)>, sqlx::Error> {
        let mut sql = self.snapshot.statement("SELECT start, data FROM rollups WHERE grain = ");
        sql.bind(grain).push(" AND start >= ").bind(from).push(" AND start < ").bind(to).push(" ORDER BY start");
        self.snapshot.rows(sql).await?.iter().map(|row| Ok((row.int(0)?, row.blob(1)?))).collect()
    }
}
