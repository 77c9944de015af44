//! Budgets, as gauges: those of the config, which bounds their names.

use weir_engine::BudgetView;
use weir_units::NanoUsd;

use super::page::{head, line};

/// A figure of a budget.
type Value = fn(&BudgetView) -> NanoUsd;

/// Gauges of each budget: name, help, value.
const OF_BUDGETS: [(&str, &str, Value); 4] = [
    ("weir_budget_limit_usd", "The most that may be spent in a budget's period.", |view| view.limit),
    ("weir_budget_spent_usd", "What is known to be spent in the current period.", |view| view.books.spent),
    (
        "weir_budget_presumed_usd",
        "What is taken as spent since nobody knows: calls cut short, and what was lent when the process was killed.",
        |view| view.books.presumed,
    ),
    ("weir_budget_reserved_usd", "What is held back for calls under way.", |view| view.books.reserved),
];

/// Writes all of them.
pub(super) fn write(page: &mut String, views: &[BudgetView]) {
    for (metric, help, value) in OF_BUDGETS {
        head(page, metric, "gauge", help);
        for view in views {
            let labels =
                [("budget", &*view.budget.name), ("scope", view.budget.scope.name()), ("period", view.period.name())];
            line(page, metric, &labels, value(view));
        }
    }
}
