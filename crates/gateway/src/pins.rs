//! Which deployment made a stored response, so that what continues it goes there and nowhere else.
//!
//! Ids are scoped by tenant: another tenant's is not known.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use weir_units::DeploymentId;

/// How many responses are remembered; the oldest are forgotten first.
const REMEMBERED: usize = 100_000;

/// Stored responses by tenant and id.
#[derive(Default)]
pub(crate) struct Pins {
    made_by: BTreeMap<(Arc<str>, Box<str>), DeploymentId>,
    order: VecDeque<(Arc<str>, Box<str>)>,
}

impl Pins {
    /// Remembers that `deployment` made response `id` for `tenant`.
    pub(crate) fn made(&mut self, tenant: &Arc<str>, id: &str, deployment: DeploymentId) {
        let key = (Arc::clone(tenant), Box::from(id));
        if self.made_by.insert(key.clone(), deployment).is_none() {
            self.order.push_back(key);
        }
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.made_by.remove(&oldest);
        }
    }

    /// Who made response `id` for `tenant`.
    pub(crate) fn maker(&self, tenant: &Arc<str>, id: &str) -> Option<DeploymentId> {
        self.made_by.get(&(Arc::clone(tenant), Box::from(id))).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_its_tenants_own_and_the_oldest_goes_first() {
        let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        let mut pins = Pins::default();
        pins.made(&a, "resp_1", DeploymentId::new("openai", "gpt"));
        assert_eq!(pins.maker(&a, "resp_1"), Some(DeploymentId::new("openai", "gpt")));
        assert_eq!(pins.maker(&b, "resp_1"), None);
        for n in 0..REMEMBERED {
            pins.made(&b, &format!("resp_{n}"), DeploymentId::new("openai", "gpt"));
        }
        assert_eq!(pins.maker(&a, "resp_1"), None);
        assert!(pins.made_by.len() <= REMEMBERED);
    }
}
