//! Alerts: what a person should hear of, who hears of it when, and in which words.
//!
//! [`Alerts::tick`] is handed what is the case now ([`Observed`]) and answers with what changed and whom to tell. It looks at
//! no clock and sends nothing. A condition is one alert for as long as it lasts: it opens once and ends once. One that comes
//! and goes must be quiet for longer each time before it ends.

mod ahead;
mod alert;
mod budgets;
mod capacity;
mod judge;
mod observed;
mod past;
mod rule;
mod samples;
mod settings;
mod symptom;
mod telling;
mod watch;
mod words;

pub use alert::{Acknowledgement, Alert, AlertId, Closing, Message, Silence};
pub use observed::{
    AttemptCounts, BudgetAhead, BudgetSeen, CeilingAhead, DeploymentSeen, HaltedRun, LedgerSeen, LimitDeclared,
    LimitMoved, LimitSeen, NotifierSeen, Observed,
};
pub use past::AlertPast;
pub use rule::{AlertRule, Severity};
pub use settings::{AlertSettings, Escalation, Owner};
pub use telling::{Notice, NoticeKind};
pub use watch::{AlertChange, Alerts, NoSuchAlert, Told};
