//! Holding budgets: what an attempt may cost is held back before it is made, and replaced by what it cost after.
//!
//! A request is asked for in all its budgets at once, from the widest to the narrowest, and takes from all of them or from
//! none. Each attempt has a reservation of its own, so a retry, a failover and a hedge are paid for like any other, and
//! what failed unbilled is given back. Escrow of this kind is O'Neil's ("The Escrow Transactional Method", TODS 1986).

mod books;
mod estimate;
mod held;
mod lease;
mod period;
mod pot;
mod reserve;
mod settings;
mod tell;

pub use books::{Balances, Booking, Books, Posting};
pub use estimate::{Bill, Demand, Estimate, Tier};
pub use held::Budgets;
pub use lease::{Lease, Recovered, ToRecord};
pub use period::{Period, Span, Zone};
pub use reserve::{BudgetHandle, BudgetRequest, Reservation, Reserve};
pub use settings::{BudgetId, BudgetMode, BudgetScope, BudgetSettings, BudgetsSettings, Lending, UnknownPrice};
pub use tell::{BudgetChange, BudgetRefusal, BudgetView, BudgetWait, RefusedFor, WaitFor};
