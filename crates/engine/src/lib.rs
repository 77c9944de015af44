//! Decides what happens to a call: which deployment is asked, when it is asked again, when another one is, when to stop.
//!
//! The engine does nothing itself. It reads no clock, opens no socket, spawns no task and logs nothing: what happened
//! and when is an argument, chance comes from one seed, and what to do is the answer. So the same code decides live and
//! in a simulation, and a decision can be replayed.
//!
//! A caller drives each call alike: [`Engine::begin`] once; then [`Engine::next`] until it says [`Step::GiveUp`] or an
//! answer is whole; for each [`Step::Send`] one [`Engine::report`], and [`Engine::content`] when the first content
//! arrives; [`Engine::end`] at last, whatever happened. An answer that broke off after content began may be continued by
//! [`Engine::splice`].

pub mod alerts;
mod ask;
mod bench;
mod breaker;
mod budget;
mod budgets;
mod call;
mod change;
mod choose;
mod deployment;
mod eligible;
mod engine;
mod ewma;
mod in_flight;
mod ladder;
mod limits;
mod memory;
mod queue;
mod random;
mod router;
mod runs;
mod settings;
mod settle;
mod tape;
mod window;

pub use ask::{Ask, Candidate, GiveUp, Outcome, Priority, Queued, Send, SendReason, Step, Strategy, WaitReason};
pub use budgets::{
    Balances, Bill, Booking, Books, BudgetChange, BudgetHandle, BudgetId, BudgetMode, BudgetRefusal, BudgetRequest,
    BudgetScope, BudgetSettings, BudgetView, BudgetWait, Budgets, BudgetsSettings, Demand, Estimate, Lease, Lending,
    Period, Posting, Recovered, RefusedFor, Reservation, Reserve, Span, Tier, ToRecord, UnknownPrice, WaitFor, Zone,
};
pub use call::{Call, PassedOver};
pub use change::{BenchView, BreakerState, Change, DeploymentView, Scope};
pub use engine::{Engine, MOST_ATTEMPTS};
pub use limits::{
    Admitted, ChargeModel, Cost, DayStart, Gauge, KeyFull, LimitCompared, OutputCharge, PoolId, PoolView, Size, Stated,
};
pub use queue::QueueView;
pub use runs::{
    Admission, Detector, Evidence, Guards, Joined, Loops, ReleaseCaps, ReleaseError, RunAsk, RunChange, RunOutcome,
    RunSettled, RunState, RunTicket, RunTree, RunView, Runs, RunsFilter, RunsPage, RunsSettings, RunsSize, SessionId,
    SessionKind, Verdict,
};
pub use settings::{
    BreakerSettings, LimitSettings, ModelLimits, PoolLimits, ProviderLimits, QueueSettings,
    RESERVE_FOR_INTERACTIVE_PPM, RetrySettings, Settings,
};
pub use tape::{Entry, Question};
