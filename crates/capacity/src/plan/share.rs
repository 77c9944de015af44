//! Which share of a route's load each of its deployments gets.

use weir_engine::Strategy;
use weir_units::{DeploymentId, Dimension};

use super::demand::demand_of;
use super::load::Load;
use super::site::{Site, SiteRoute};

/// How full a limit may be before a balanced route sends less there.
const FULL: f64 = 0.9;

/// Which share of a load each deployment of its route gets; without a provider's, if one is named. In order, the first gets all.
/// Balanced, they get alike as far as their limits take it, and what does not fit goes to those that have room.
#[must_use]
pub fn split(site: &Site, route: &SiteRoute, load: &Load, without: Option<&str>) -> Vec<(DeploymentId, f64)> {
    let left: Vec<&DeploymentId> =
        route.deployments.iter().filter(|id| without.is_none_or(|name| *id.provider != *name)).collect();
    if route.strategy == Strategy::Failover {
        return left.first().map(|id| ((*id).clone(), 1.0)).into_iter().collect();
    }
    let room: Vec<f64> = left.iter().map(|id| takes(site, id, load) * FULL).collect();
    let mut shares = vec![0.0_f64; left.len()];
    let mut rest = 1.0;
    // Each round fills at least one of them or is the last.
    for _ in 0..left.len() {
        let open: Vec<usize> = (0..left.len()).filter(|at| shares[*at] < room[*at] - 1e-9).collect();
        if open.is_empty() || rest <= 1e-9 {
            break;
        }
        let each = rest / open.len() as f64;
        for at in open {
            let more = each.min(room[at] - shares[at]);
            (shares[at], rest) = (shares[at] + more, rest - more);
        }
    }
    // All are full: what is left goes where most fits.
    let sum: f64 = room.iter().sum();
    if rest > 1e-9 {
        for (share, room) in shares.iter_mut().zip(&room) {
            *share += if sum > 0.0 { rest * room / sum } else { rest / left.len() as f64 };
        }
    }
    left.into_iter().cloned().zip(shares).filter(|(_, share)| *share > 0.0).collect()
}

/// Which part of the load one deployment's limits take, 1 being all.
fn takes(site: &Site, id: &DeploymentId, load: &Load) -> f64 {
    let charge = site.charge_of(id);
    let limits = site.pools_of(id).into_iter().flat_map(|(_, limits)| limits.iter().collect::<Vec<_>>());
    let per_limit =
        limits.filter(|(dimension, _)| !dimension.is_daily()).map(|(dimension, limit): (Dimension, u64)| {
            let asked = demand_of(load, 1.0, charge, dimension, 24.0).peak();
            if asked > 0.0 { limit as f64 / asked } else { f64::INFINITY }
        });
    per_limit.fold(1e6, f64::min)
}
