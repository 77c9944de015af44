//! `[budgets]`, who names them, and `[prices]`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use weir_engine::{BudgetMode, BudgetScope, BudgetSettings, Lending, Period, UnknownPrice};
use weir_units::NanoUsd;

use crate::log::{At, Log, shown};
use crate::written::{Table, Value};
use crate::{Budget, Tag, Tenant};

pub(super) fn tenants(root: &Table) -> BTreeMap<Arc<str>, Tenant> {
    let tenant = |table: &Table| Tenant {
        org: table.text("org").map(Arc::from),
        budgets: table.names("budgets").map(|(budget, _)| budget.into()).collect(),
    };
    root.named("tenants").map(|(name, table, _)| (name.into(), tenant(table))).collect()
}

pub(super) fn unknown_price(prices: &Table) -> UnknownPrice {
    match prices.text("on-unknown") {
        Some("worst-case") => UnknownPrice::WorstCase(amount(prices, "worst-case").unwrap_or_default()),
        _ => UnknownPrice::Refuse,
    }
}

pub(super) fn budgets(root: &Table, log: &mut Log<'_>) -> BTreeMap<Arc<str>, Budget> {
    let mut budgets: BTreeMap<Arc<str>, Budget> = BTreeMap::new();
    for (name, table, at) in root.named("budgets") {
        let users = Users::of(name, root);
        let tag = tag(name, table, &users, log);
        if tag.is_none() && table.get("tag").is_none() && users.is_empty() {
            let hint =
                format!("name it in `budgets` of a key or a tenant, or give it a `tag`: it holds `{name}` for nobody");
            log.warn(at, format!("nothing is paid by budget `{}`", shown(name)), hint);
        }
        if users.orgs.len() > 1 {
            let orgs: Vec<String> = users.orgs.iter().map(|org| format!("`{}`", shown(org))).collect();
            log.warn(at, format!("budget `{}` is shared by orgs {}", shown(name), orgs.join(" and ")), None);
        }
        let (when_low, low_at_ppm) = when_low(name, table, log);
        let strict = table.text("mode") == Some("strict");
        let settings = BudgetSettings {
            limit: limit(name, table, at, log),
            period: period(table),
            mode: if strict { BudgetMode::Strict } else { BudgetMode::Soft },
            lending: if strict { Lending::Durable } else { Lending::Memory },
            warn_at_ppm: warn_at(name, table, log),
            low_at_ppm,
        };
        let scope = if tag.is_some() { BudgetScope::Tag } else { users.scope() };
        let name: Arc<str> = name.into();
        budgets.insert(Arc::clone(&name), Budget { name, scope, settings, when_low, tag });
    }
    budgets
}

/// Who names a budget.
#[derive(Default)]
struct Users<'a> {
    tenants: Vec<&'a str>,
    keys: Vec<&'a str>,
    orgs: BTreeSet<&'a str>,
}

impl<'a> Users<'a> {
    fn of(budget: &str, root: &'a Table) -> Self {
        let names = |table: &Table| table.names("budgets").any(|(named, _)| named == budget);
        let mut users = Self::default();
        for (tenant, table, _) in root.named("tenants").filter(|(_, table, _)| names(table)) {
            users.tenants.push(tenant);
            users.orgs.extend(table.text("org"));
        }
        users.keys.extend(root.named("keys").filter(|(_, table, _)| names(table)).map(|(key, _, _)| key));
        users
    }

    fn is_empty(&self) -> bool {
        self.tenants.is_empty() && self.keys.is_empty()
    }

    fn scope(&self) -> BudgetScope {
        match self.tenants.len() {
            0 => BudgetScope::Key,
            1 => BudgetScope::Tenant,
            _ => BudgetScope::Org,
        }
    }
}

fn amount(table: &Table, key: &str) -> Option<NanoUsd> {
    table.text(key)?.parse().ok()
}

/// The ceiling. What is no amount was noted where it was read.
fn limit(name: &str, table: &Table, at: At, log: &mut Log<'_>) -> NanoUsd {
    match amount(table, "limit") {
        Some(NanoUsd::ZERO) => {
            let message = format!("the limit of budget `{}` is nothing: no request would be served", shown(name));
            log.fault(table.at("limit"), message, "write an amount of US dollars, `limit = \"500.00\"`".to_owned());
            NanoUsd::ZERO
        }
        Some(limit) => limit,
        None => {
            if table.get("limit").is_none() {
                let hint = "add `limit = \"500.00\"`, in US dollars".to_owned();
                log.fault(at, format!("budget `{}` has no `limit`", shown(name)), hint);
            }
            NanoUsd::ZERO
        }
    }
}

fn period(table: &Table) -> Period {
    let known = [Period::Hour, Period::Day, Period::Week, Period::Month, Period::Total];
    known.into_iter().find(|period| table.text("period") == Some(period.name())).unwrap_or(Period::Month)
}

fn warn_at(name: &str, table: &Table, log: &mut Log<'_>) -> Vec<u32> {
    let mut shares: Vec<u32> = Vec::new();
    for item in table.items("warn-at") {
        let Value::Share(share) = item.value else { continue };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share is from 0 to 1")]
        let ppm = (share * 1e6).round() as u32;
        if ppm == 0 {
            let message = format!("budget `{}` warns at 0, which is before anything is spent", shown(name));
            log.fault(item.at, message, "write shares above 0, like `[0.5, 0.8]`".to_owned());
        } else if shares.last().is_some_and(|last| ppm <= *last) {
            let message = format!("`warn-at` of budget `{}` does not rise: {share} comes too late", shown(name));
            log.fault(item.at, message, "write the smallest share first, each once: `[0.5, 0.8]`".to_owned());
        }
        shares.push(ppm);
    }
    shares
}

fn when_low(name: &str, table: &Table, log: &mut Log<'_>) -> (Option<Arc<str>>, Option<u32>) {
    let Some(written) = table.get("when-low") else { return (None, None) };
    let when_low = table.table("when-low");
    if written.table().is_some() {
        for (key, example) in [("at", "at = 0.8"), ("route", "route = \"small\"")] {
            if when_low.get(key).is_none() {
                let message = format!("`when-low` of budget `{}` has no `{key}`", shown(name));
                log.fault(written.at, message, format!("add `{example}`"));
            }
        }
    }
    let route = when_low.text("route");
    if route == Some("*") {
        let message =
            format!("`when-low` of budget `{}` names route `*`, which takes any name and is none", shown(name));
        log.fault(when_low.at("route"), message, "name a route whose deployments cost less".to_owned());
    }
    let at = when_low.get("at").map(|_| when_low.parts_per_million("at"));
    (route.map(Arc::from), at)
}

fn tag(name: &str, table: &Table, users: &Users<'_>, log: &mut Log<'_>) -> Option<Tag> {
    let text = table.text("tag")?;
    if let Some(user) = users.tenants.iter().map(|t| ("tenant", t)).chain(users.keys.iter().map(|k| ("key", k))).next()
    {
        let message = format!("budget `{}` is on a tag, and {} `{}` names it", shown(name), user.0, shown(user.1));
        log.fault(table.at("tag"), message, "make two budgets of it, or leave out one of the two".to_owned());
    }
    match text.parse() {
        Ok(tag) => Some(tag),
        Err(why) => {
            let message = format!("`{}` of budget `{}` is no tag: {why}", shown(text), shown(name));
            log.fault(table.at("tag"), message, "write `tag = \"team=ml\"`".to_owned());
            None
        }
    }
}
