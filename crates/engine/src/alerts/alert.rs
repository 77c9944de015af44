//! One alert, from its beginning to its end, and a silence over it.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use weir_units::WallTime;

use super::rule::{AlertRule, Severity};

/// An alert's name, `alert_` and 16 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AlertId(pub u64);

impl AlertId {
    /// The id of what began then: the same rule about the same thing has another one at another time.
    pub(super) fn of(rule: AlertRule, about: &str, since: WallTime) -> Self {
        let bytes = rule.name().bytes().chain([0]).chain(about.bytes()).chain(since.0.to_le_bytes());
        // FNV-1a, and SplitMix64's finalizer since its upper bits mix badly.
        let mut hash = bytes
            .fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3));
        hash = (hash ^ (hash >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        hash = (hash ^ (hash >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        Self(hash ^ (hash >> 31))
    }
}

impl fmt::Display for AlertId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "alert_{:016x}", self.0)
    }
}

impl FromStr for AlertId {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.strip_prefix("alert_").filter(|digits| digits.len() == 16);
        let digits = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let value = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
        value.map(Self).ok_or_else(|| "expected `alert_` and 16 hexadecimal digits".to_owned())
    }
}

/// What is said of an alert.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// One line of at most 80 characters.
    pub subject: String,
    /// At most three lines, with figures.
    pub evidence: Vec<String>,
    /// What to do first.
    pub action: String,
    /// By when somebody should have decided, where capacity is meant and that is known: `Thu 26 Nov`, `now`.
    pub decide_by: Option<String>,
}

/// Somebody has taken it on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledgement {
    /// Who.
    pub by: Arc<str>,
    /// When.
    pub at: WallTime,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closing {
    /// When that was certain.
    pub at: WallTime,
    /// For how long it was seen.
    pub lasted: Duration,
    /// One line, with the peak.
    pub words: String,
}

/// One alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// Its name.
    pub id: AlertId,
    /// What found it.
    pub rule: AlertRule,
    /// What it is about.
    pub about: Arc<str>,
    /// How urgent it is; the worst it was.
    pub severity: Severity,
    /// When it began.
    pub since: WallTime,
    /// When it was last seen.
    pub seen: WallTime,
    /// What is said of it now.
    pub message: Message,
    /// The worst of it, in words.
    pub peak: String,
    /// How many thresholds it has passed.
    pub step: u32,
    /// Who has taken it on.
    pub acknowledged: Option<Acknowledgement>,
    /// How it ended.
    pub closed: Option<Closing>,
    pub(super) peak_size: u64,
    /// When somebody was first told of its present step.
    pub(super) told_at: Option<WallTime>,
    /// How many steps of the escalation have been taken since.
    pub(super) escalated: usize,
    pub(super) reminders: u32,
    pub(super) last_told: Option<WallTime>,
    /// Who was sent what.
    pub(super) sent: BTreeSet<(Arc<str>, String)>,
    /// How often it came back shortly after it had ended.
    pub(super) flaps: u32,
    /// It was read from the record, and not seen since.
    pub(super) restored: bool,
}

impl Alert {
    /// Those who were told of it.
    #[must_use]
    pub fn told(&self) -> BTreeSet<Arc<str>> {
        self.sent.iter().map(|(to, _)| Arc::clone(to)).collect()
    }

    /// How many steps of the escalation have been taken.
    #[must_use]
    pub fn escalated(&self) -> usize {
        self.escalated
    }
}

/// Nobody is told of something for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Silence {
    /// Of which rule,
    pub rule: AlertRule,
    /// about what.
    pub about: Arc<str>,
    /// Who asked for it.
    pub by: Arc<str>,
    /// Why.
    pub why: Arc<str>,
    /// Since when.
    pub since: WallTime,
    /// Until when.
    pub until: WallTime,
}

impl Alert {
    /// What a notifier is sent to see whether it takes messages.
    #[must_use]
    pub fn trial(now: WallTime, notifier: &str) -> Self {
        let rule = AlertRule::DeliveryFailing;
        let message = Message {
            subject: "Test: this is where Weir sends its alerts".to_owned(),
            evidence: vec!["nothing is wrong; somebody tried this notifier out".to_owned()],
            action: "nothing".to_owned(),
            decide_by: None,
        };
        let about: Arc<str> = format!("test of {notifier}").into();
        Self { severity: Severity::Info, message, ..Self::begun(AlertId::of(rule, &about, now), rule, about, now) }
    }

    /// One of which nothing is known yet but what it is about and since when.
    pub(super) fn begun(id: AlertId, rule: AlertRule, about: Arc<str>, since: WallTime) -> Self {
        Self {
            id,
            rule,
            about,
            severity: Severity::Warning,
            since,
            seen: since,
            message: Message::default(),
            peak: String::new(),
            step: 1,
            acknowledged: None,
            closed: None,
            peak_size: 0,
            told_at: None,
            escalated: 0,
            reminders: 0,
            last_told: None,
            sent: BTreeSet::new(),
            flaps: 0,
            restored: false,
        }
    }
}
