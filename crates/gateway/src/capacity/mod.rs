//! The capacity desk, live: figures of what is and will be asked for, made off the way of requests.
//!
//! One task reads demand from the ledger at the start and every few minutes after, has the figures made on a thread that serves nobody,
//! and puts them where the admin interface, pages, metrics and alerts find them. With many ceilings it takes longer between two looks,
//! so that it never takes more than a twentieth of one processor.

mod admin;
mod ahead;
mod fleet;
mod reading;
mod stated;

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use weir_capacity::desk::{Alarms, Desk};
use weir_config::Config;
use weir_ledger::{Reader, StoreError};
use weir_units::WallTime;

use crate::clock::wall;
use crate::state::Shared;

pub use admin::headroom_of;
pub(crate) use admin::{add_forecast, serve};
pub(crate) use ahead::ahead;
pub use fleet::{InForce, fleet};
pub use reading::{Gathered, gather};
pub use stated::stated;

/// How often figures are made anew.
const EVERY: Duration = Duration::from_secs(300);
/// So many times as long as making them took is waited before they are made again.
const SHARE: u32 = 20;

/// The figures that were made last.
#[derive(Default)]
pub(crate) struct Figures {
    latest: ArcSwapOption<Desk>,
    alarms: std::sync::Mutex<Alarms>,
    /// Whose turn it is to make them.
    making: tokio::sync::Mutex<()>,
}

impl Figures {
    /// The latest; none before the first were made.
    pub(crate) fn latest(&self) -> Option<Arc<Desk>> {
        self.latest.load_full()
    }
}

/// Makes figures now and then, for as long as the gateway runs.
pub(crate) async fn watch(shared: Arc<Shared>) {
    loop {
        let began = shared.clock.now();
        if let Err(why) = make(&shared).await {
            tracing::warn!("the figures of capacity cannot be made: {why}");
        }
        let took = shared.clock.now().since(began);
        tokio::time::sleep(EVERY.max(took * SHARE)).await;
    }
}

/// The latest figures; the first to ask waits until they are made.
pub(crate) async fn latest(shared: &Arc<Shared>) -> Result<Arc<Desk>, String> {
    match shared.desk.latest() {
        Some(latest) => Ok(latest),
        None => make(shared).await,
    }
}

async fn make(shared: &Arc<Shared>) -> Result<Arc<Desk>, String> {
    let asked = wall();
    let _turn = shared.desk.making.lock().await;
    // Somebody else may have made them meanwhile.
    if let Some(latest) = shared.desk.latest().filter(|latest| latest.at >= asked) {
        return Ok(latest);
    }
    let live = shared.live.load_full();
    let in_force = InForce::of(&shared.engine().headroom(shared.clock.now()));
    let now = wall();
    let gathered = gather(shared.ledger.reader(), &live.config, &in_force, now).await.map_err(|e| e.to_string())?;
    let mut alarms = shared.desk.alarms.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let made = tokio::task::spawn_blocking(move || {
        let desk = gathered.desk(&mut alarms);
        (Arc::new(desk), alarms)
    });
    let (desk, alarms) = made.await.map_err(|error| error.to_string())?;
    *shared.desk.alarms.lock().unwrap_or_else(PoisonError::into_inner) = alarms;
    shared.desk.latest.store(Some(Arc::clone(&desk)));
    Ok(desk)
}

/// What is known of a ledger that nobody need serve: `now` is the end of what is looked at.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn look(reader: &Reader, config: &Config, now: WallTime) -> Result<Desk, StoreError> {
    let in_force = stated(reader, config, now).await?;
    Ok(gather(reader, config, &in_force, now).await?.desk(&mut Alarms::new()))
}

/// The providers that a pool's deployments belong to, by the pool's name.
pub(crate) fn providers_of(config: &Config, pool: &str) -> BTreeSet<Arc<str>> {
    let models = config.engine.limits.models.iter();
    models.filter(|(_, model)| model.pool.as_deref() == Some(pool)).map(|(id, _)| Arc::clone(&id.provider)).collect()
}
