//! A load put on a site by formula: how much of each limit it needs, which binds, and who would wait.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use weir_engine::PoolId;
use weir_units::{DeploymentId, Dimension, Limits};

use super::demand::{Demand, Request, demand_of, dispersion, whole};
use super::load::{Arrivals, Load, Service, Sizes};
use super::share::split;
use super::site::{Site, held};
use super::wait::{Crowd, Stream, Waits, slots_wait, stream_wait, users_wait};

/// The share of requests that may wait too long, or more, before a load is said not to fit.
pub(super) const LATE: f64 = 0.01;

/// What is asked of a deployment already, in its busiest hour.
#[derive(Clone, Debug, PartialEq)]
pub struct Existing {
    /// Of which.
    pub deployment: DeploymentId,
    /// In each dimension, in the order of [`Dimension::ALL`].
    pub demand: [Demand; 7],
    /// Requests a minute on average.
    pub per_minute: f64,
    /// Their mean.
    pub request: Request,
    /// Seconds that one takes.
    pub service: f64,
}

/// A load on a site, by formula.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Assessment {
    /// Requests a minute of the load alone, on average.
    pub requests_per_minute: f64,
    /// Of them under way at once, on average.
    pub in_flight: f64,
    /// Which deployments get which share, by route.
    pub split: BTreeMap<String, BTreeMap<String, f64>>,
    /// Every limit that is asked for, the fullest first.
    pub limits: Vec<LimitNeed>,
    /// The share of requests that wait for capacity at all.
    pub p_wait: f64,
    /// The share that waits longer than its deadline.
    pub p_late: f64,
    /// 19 of 20 wait no longer, in seconds; none where the line never ends.
    pub wait_p95_s: Option<f64>,
    /// Whether it fits, as far as limits are known.
    pub fits: bool,
    /// What is not known and would have to be.
    pub missing: Vec<Missing>,
}

/// One limit and what is asked of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LimitNeed {
    /// Whose.
    pub pool: String,
    /// What it counts.
    #[serde(serialize_with = "super::words::name")]
    pub dimension: Dimension,
    /// The limit.
    pub has: u64,
    /// What is asked on average: in a minute, at once, or in a day.
    pub needs: f64,
    /// Of that, what is asked already.
    pub existing: f64,
    /// What 19 of 20 minutes stay below.
    pub peak: f64,
    /// `needs` over the limit.
    pub mean_use: f64,
    /// `peak` over the limit.
    pub peak_use: f64,
    /// The smallest limit that would do.
    pub would_do: u64,
    /// The share that waits for this one.
    pub p_wait: f64,
    /// The share that waits too long for this one.
    pub p_late: f64,
    /// Whether it is the fullest.
    pub binds: bool,
    /// How much of it Weir uses.
    pub usable: f64,
}

/// Something that is not known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Missing {
    /// Of what: a deployment or a route.
    pub of: String,
    /// What is not known.
    pub what: &'static str,
    /// What to declare, as it is written.
    pub declare: String,
}

/// The same with one provider gone.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Without {
    /// Which.
    pub provider: String,
    /// Whether it fits then; none where a limit is not known.
    pub fits: Option<bool>,
    /// Routes that have nobody left.
    pub stranded: Vec<String>,
    /// The fullest limit then.
    pub binds: Option<LimitNeed>,
}

#[derive(Default)]
struct Asked {
    limits: Limits,
    of: BTreeMap<Dimension, Of>,
}

/// What is asked of one limit, by whom.
#[derive(Default)]
struct Of {
    demand: Demand,
    existing: f64,
    /// Seconds that a request takes, requests a minute, and the deadline that ends first.
    service: f64,
    per_minute: f64,
    squares: f64,
    /// Of the variance of a minute, what is due to sizes that differ.
    size_variance: f64,
    deadline: f64,
    users: u32,
    think: f64,
    dispersion: f64,
    loads: u32,
    others: bool,
    /// Whether answers state what is left of it.
    told: bool,
}

/// Puts loads on a site, besides what is asked already; without one provider, if one is named. `hours` is how long in a day it
/// goes on.
#[must_use]
pub fn assess(site: &Site, loads: &[Load], existing: &[Existing], hours: f64, without: Option<&str>) -> Assessment {
    let mut pools: BTreeMap<PoolId, Asked> = BTreeMap::new();
    let mut missing = Vec::new();
    let mut shares: BTreeMap<String, BTreeMap<String, f64>> = BTreeMap::new();
    let mut stranded = false;
    for load in loads {
        let Some(route) = site.route(&load.route) else {
            missing.push(no_route(&load.route));
            continue;
        };
        let parts = split(site, &route, load, without);
        stranded |= parts.is_empty();
        for (id, share) in parts {
            *shares.entry(load.route.to_string()).or_default().entry(id.to_string()).or_default() += share;
            let of = site.pools_of(&id);
            if of.is_empty() {
                missing.push(no_limit(&id));
            }
            for (pool, limits) in of {
                let asked = pools.entry(pool).or_insert_with(|| Asked { limits, ..Asked::default() });
                for (dimension, _) in limits.iter() {
                    let demand = demand_of(load, share, site.charge_of(&id), dimension, hours);
                    let of = asked.of.entry(dimension).or_default();
                    // Whoever shares it and is not told holds the others back, too.
                    of.told = (of.loads == 0 || of.told) && site.tells(&id, dimension);
                    of.add(load, share, demand);
                }
            }
        }
    }
    for other in existing {
        let moved;
        let other = match without.filter(|name| *other.deployment.provider == **name) {
            None => other,
            Some(name) => {
                let Some(next) = successor(site, &other.deployment, name) else { continue };
                moved = other.moved(site, next, hours);
                &moved
            }
        };
        for (pool, limits) in site.pools_of(&other.deployment) {
            // What is asked of pools that the load does not touch is not the question.
            let Some(asked) = pools.get_mut(&pool) else { continue };
            for (dimension, _) in limits.iter() {
                asked.of.entry(dimension).or_default().add_existing(other, dimension);
            }
        }
    }
    let mut limits: Vec<LimitNeed> = Vec::new();
    let mut waits = Waits::NONE;
    for (pool, asked) in &pools {
        for (dimension, of) in &asked.of {
            let has = asked.limits.get(*dimension).unwrap_or(0);
            let of_one = of.waits(*dimension, has as f64);
            waits = waits.worse(of_one);
            limits.push(of.need(pool, *dimension, has, of_one));
        }
    }
    limits.sort_by(|a, b| b.peak_use.total_cmp(&a.peak_use).then_with(|| a.pool.cmp(&b.pool)));
    if let Some(first) = limits.first_mut() {
        first.binds = true;
    }
    missing.sort();
    missing.dedup();
    let fits = !stranded && limits.iter().all(LimitNeed::fits) && waits.late <= LATE;
    Assessment {
        requests_per_minute: loads.iter().map(|load| load.rate() * 60.0).sum(),
        in_flight: loads.iter().map(|load| load.rate() * load.mean_service()).sum(),
        split: shares,
        limits,
        p_wait: waits.some,
        p_late: waits.late,
        wait_p95_s: waits.p95_s.is_finite().then_some(waits.p95_s),
        fits,
        missing,
    }
}

/// Who serves what a deployment served once its provider is gone: the next one of the first route that it is in.
fn successor(site: &Site, gone: &DeploymentId, provider: &str) -> Option<DeploymentId> {
    let route = site.routes.values().find(|route| route.deployments.contains(gone))?;
    route.deployments.iter().find(|next| *next.provider != *provider).cloned()
}

impl Existing {
    /// The same asked of another deployment, by what that one's provider counts.
    fn moved(&self, site: &Site, to: DeploymentId, hours: f64) -> Self {
        let load = self.as_load();
        let charge = site.charge_of(&to);
        let demand = Dimension::ALL.map(|dimension| demand_of(&load, 1.0, charge, dimension, hours));
        Self { deployment: to, demand, ..self.clone() }
    }

    /// What is asked already, as a load of its own.
    #[must_use]
    pub fn as_load(&self) -> Load {
        let Request { input, cached, output, max_output } = self.request;
        let cached = if input > 0.0 { cached / input } else { 0.0 };
        Load {
            route: self.deployment.to_string().into(),
            arrivals: Arrivals::Rate { per_minute: self.per_minute },
            sizes: Sizes { input, cached, output, max_output, sigma: 0.0 },
            service: Service::of(self.service, output),
            deadline: Duration::from_secs(3_600),
        }
    }
}

impl Assessment {
    /// The fullest limit.
    #[must_use]
    pub fn binding(&self) -> Option<&LimitNeed> {
        self.limits.iter().find(|limit| limit.binds)
    }

    /// Whether more is asked on average than some limit allows, which no line makes up for.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.limits.iter().any(|limit| limit.needs > limit.usable)
    }
}

impl LimitNeed {
    /// Whether this limit is enough: of a minute's, for 19 of 20 minutes; of slots, if few wait too long; of a day's, for the day.
    #[must_use]
    pub fn fits(&self) -> bool {
        let peak = if self.dimension == Dimension::ConcurrentRequests { self.needs } else { self.peak };
        self.needs <= self.usable && peak <= self.has as f64 && self.p_late <= LATE
    }
}

impl Of {
    fn add(&mut self, load: &Load, share: f64, demand: Demand) {
        let per_minute = load.rate() * share * 60.0;
        self.demand = self.demand.and(demand);
        let sum = self.per_minute + per_minute;
        if sum > 0.0 {
            self.service = (self.service * self.per_minute + load.mean_service() * per_minute) / sum;
        }
        self.squares += per_minute * service_variation(load);
        self.size_variance += size_variance(load, per_minute, demand);
        self.per_minute = sum;
        let deadline = load.deadline.as_secs_f64();
        self.deadline = if self.loads == 0 { deadline } else { self.deadline.min(deadline) };
        self.loads += 1;
        match load.arrivals {
            Arrivals::Users { users, think } if share > 0.999 => {
                (self.users, self.think) = (users, think.as_secs_f64());
                self.dispersion = dispersion(load, 60.0, 1.0);
            }
            _ => self.others = true,
        }
    }

    fn add_existing(&mut self, other: &Existing, dimension: Dimension) {
        let demand = other.demand[dimension.index()];
        self.existing += demand.mean;
        self.demand = self.demand.and(demand);
        let sum = self.per_minute + other.per_minute;
        if sum > 0.0 {
            self.service = (self.service * self.per_minute + other.service * other.per_minute) / sum;
        }
        self.squares += other.per_minute;
        self.size_variance += size_variance_of(other.per_minute, demand);
        self.per_minute = sum;
        self.others |= demand.mean > 0.0;
    }

    fn waits(&self, dimension: Dimension, has: f64) -> Waits {
        let full = Waits { some: 1.0, late: 1.0, p95_s: f64::INFINITY };
        if dimension.is_daily() {
            // Whoever comes after the day's last has a wait of hours.
            return if self.demand.mean > has { full } else { Waits::NONE };
        }
        if self.demand.mean <= 0.0 {
            return Waits::NONE;
        }
        if dimension == Dimension::ConcurrentRequests {
            let variation = if self.per_minute > 0.0 { self.squares / self.per_minute } else { 1.0 };
            return if self.loads == 1 && !self.others {
                users_wait(self.users, self.think, self.service, whole(has), variation, self.deadline)
            } else {
                slots_wait(self.demand.mean, whole(has), self.service, variation, self.deadline)
            };
        }
        let (share, burst) = held(self.told);
        let usable = has * share;
        let load = self.demand.mean / usable;
        let mean_cost = self.demand.mean / self.per_minute.max(1e-9);
        let each = mean_cost / usable * 60.0;
        // What a minute's users leave out of its variance is what waiting does to them, which is reckoned apart.
        let spread = 1.0 + (self.size_variance / (self.demand.mean * mean_cost).max(1e-9)).max(0.0);
        let crowd = Crowd { users: self.users, cycle: self.think + self.service, dispersion: self.dispersion };
        let users = (self.loads == 1 && !self.others).then_some(crowd);
        stream_wait(&Stream { load, each, burst, spread, users }, self.deadline)
    }

    fn need(&self, pool: &PoolId, dimension: Dimension, has: u64, waits: Waits) -> LimitNeed {
        let limit = (has as f64).max(1e-9);
        LimitNeed {
            pool: pool.to_string(),
            dimension,
            has,
            needs: self.demand.mean,
            existing: self.existing,
            peak: self.demand.peak(),
            mean_use: self.demand.mean / limit,
            peak_use: self.demand.peak() / limit,
            would_do: self.would_do(dimension),
            p_wait: waits.some,
            p_late: waits.late,
            binds: false,
            usable: self.usable(dimension, has as f64),
        }
    }

    fn usable(&self, dimension: Dimension, has: f64) -> f64 {
        match dimension {
            Dimension::ConcurrentRequests => has,
            dimension if dimension.is_daily() => has,
            _ => has * held(self.told).0,
        }
    }

    /// The smallest limit that would do, in three digits.
    fn would_do(&self, dimension: Dimension) -> u64 {
        let enough = |has: f64| {
            let need = LimitNeed {
                pool: String::new(),
                dimension,
                has: whole(has),
                needs: self.demand.mean,
                existing: 0.0,
                peak: self.demand.peak(),
                mean_use: 0.0,
                peak_use: 0.0,
                would_do: 0,
                p_wait: 0.0,
                p_late: self.waits(dimension, has.round()).late,
                binds: false,
                usable: self.usable(dimension, has.round()),
            };
            need.fits()
        };
        let mut high = self.demand.peak().max(1.0);
        while !enough(high) && high < 1e15 {
            high *= 1.5;
        }
        let mut low = 0.0;
        while high - low > 0.5 && high - low > high * 1e-4 {
            let middle = (low + high) / 2.0;
            if enough(middle) {
                high = middle;
            } else {
                low = middle;
            }
        }
        let step = 10_f64.powf((high.max(1.0).log10().floor() - 2.0).max(0.0));
        whole((high / step - 1e-9).ceil() * step)
    }
}

/// What of a minute's variance is due to sizes that differ; the rest is that more or fewer come.
fn size_variance(load: &Load, per_minute: f64, demand: Demand) -> f64 {
    if per_minute <= 0.0 {
        return 0.0;
    }
    let of_count = dispersion(load, 60.0, 1.0) * demand.mean.powi(2) / per_minute;
    (demand.variance - of_count).max(0.0)
}

fn size_variance_of(per_minute: f64, demand: Demand) -> f64 {
    if per_minute > 0.0 { (demand.variance - demand.mean.powi(2) / per_minute).max(0.0) } else { 0.0 }
}

/// The squared coefficient of variation of how long answers take: 0 of answers that are all alike.
fn service_variation(load: &Load) -> f64 {
    let spread = load.service.per_output * load.mean_output();
    let squared = match &load.arrivals {
        Arrivals::Recorded { requests, .. } => {
            let mean = load.mean_output().max(1e-9);
            let square = requests.iter().map(|one| (one.output as f64).powi(2)).sum::<f64>();
            (square / requests.len().max(1) as f64 / mean.powi(2) - 1.0).max(0.0)
        }
        _ => load.sizes.sigma.powi(2).exp_m1(),
    };
    let arrivals = dispersion(load, 60.0, 1.0);
    // Allen and Cunneen take the arrivals' variation into the same mean; users' is in their model already.
    let service = squared * spread.powi(2) / load.mean_service().max(1e-9).powi(2);
    if matches!(load.arrivals, Arrivals::Users { .. }) { service } else { service + arrivals - 1.0 }
}

fn no_route(route: &str) -> Missing {
    Missing {
        of: route.to_owned(),
        what: "route",
        declare: format!("[routes.{}] deployments = [\"provider/model\"]", quoted(route)),
    }
}

fn no_limit(id: &DeploymentId) -> Missing {
    Missing {
        of: id.to_string(),
        what: "limit",
        declare: format!(
            "[providers.{}.models.{}] limits = {{ requests-per-minute = …, input-tokens-per-minute = … }}",
            quoted(&id.provider),
            quoted(&id.model)
        ),
    }
}

/// A key of TOML, in quotes where it has to be.
pub(super) fn quoted(name: &str) -> String {
    let bare = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if bare { name.to_owned() } else { format!("{name:?}") }
}
