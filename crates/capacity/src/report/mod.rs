//! The weekly report on capacity, and the runbook of what users see when a provider is down.
