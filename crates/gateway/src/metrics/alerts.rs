//! Alerts that are open, and what came of telling somebody.

use super::page::{head, line};
use crate::alerts::Figures;

/// Writes all of them.
pub(super) fn write(page: &mut String, figures: &Figures) {
    head(page, "weir_alerts_open", "gauge", "Alerts that are open, by rule and severity.");
    for ((rule, severity), count) in &figures.open {
        line(page, "weir_alerts_open", &[("rule", rule.name()), ("severity", severity.name())], count);
    }
    let help = "Messages to notifiers: delivered, tried again, finally failed.";
    head(page, "weir_alert_deliveries_total", "counter", help);
    for ((notifier, result), count) in &figures.deliveries {
        line(page, "weir_alert_deliveries_total", &[("notifier", &**notifier), ("result", *result)], count);
    }
}
