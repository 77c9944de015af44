//! Where alerts are sent, and whom they name.

use std::sync::Arc;

use crate::Secret;

/// Where alerts can be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notifier {
    /// Its name.
    pub name: Arc<str>,
    /// What takes the message.
    pub kind: NotifierKind,
    /// Where it is sent; for Slack the address is itself the credential.
    pub url: Secret,
    /// What a webhook's messages are signed with; PagerDuty's integration key.
    pub secret: Option<Secret>,
}

/// What takes a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotifierKind {
    /// Slack's incoming webhook.
    Slack,
    /// PagerDuty's Events API, version 2.
    PagerDuty,
    /// Anything that takes JSON.
    Webhook,
}

impl NotifierKind {
    /// The name in the config.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Slack => "slack",
            Self::PagerDuty => "pagerduty",
            Self::Webhook => "webhook",
        }
    }
}

/// Whom to ask for more of a provider's capacity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contact {
    /// What the provider calls the account's size.
    pub tier: Option<Arc<str>>,
    /// Who.
    pub contact: Option<Arc<str>>,
    /// Where.
    pub upgrade_url: Option<Arc<str>>,
}
