//! Who owns LLM capacity, who is told of what, and from when on.

use super::shared::acted;
use super::{Setting, Shape};

/// Who owns LLM capacity.
pub(super) const OWNER: &[Setting] = &[
    acted("name", Shape::Text, "", "Who it is. Each alert names them."),
    acted("notify", Shape::Names, "", "Notifiers that hear of every alert."),
    acted("escalate", Shape::List(ESCALATE), "", "Who hears of what nobody has acknowledged."),
    acted(
        "lead-time",
        Shape::Span(1),
        r#""10d""#,
        "How long it takes to get a higher limit; alerts of capacity say by when to decide.",
    ),
    acted(
        "report",
        Shape::Text,
        r#""mon 09:00""#,
        "When the weekly capacity report is sent to `notify`, on the clocks of `server.timezone`: `mon 09:00`, or `off`.",
    ),
];

const ESCALATE: &[Setting] = &[
    acted("after", Shape::Span(1), "", "How long after the first message, if nobody has acknowledged the alert."),
    acted("notify", Shape::Names, "", "Notifiers that hear of it then."),
];

/// Where alerts can be sent.
pub(super) const NOTIFIERS: &[Setting] = &[
    acted("kind", Shape::Choice(&["slack", "pagerduty", "webhook"]), "", "What takes the message."),
    acted(
        "url",
        Shape::TextOrSecret,
        "",
        "Where it is sent: Slack's incoming webhook, a webhook's address. PagerDuty's default is `https://events.pagerduty.com/v2/enqueue`. \
         No redirect is followed.",
    ),
    acted(
        "secret",
        Shape::Secret,
        "",
        "What a webhook's messages are signed with, 16 characters or more; PagerDuty's integration key.",
    ),
];

/// From when on somebody is told.
pub(super) const ALERTS: &[Setting] = &[
    acted("check-every", Shape::Span(50), r#""5s""#, "How often it is looked."),
    acted("window", Shape::Span(1_000), r#""5m""#, "Over how long shares of attempts are counted."),
    acted("least-attempts", Shape::Count(1), "20", "Fewer attempts than this in the window are no share."),
    acted(
        "throttled",
        Shape::Share,
        "0.02",
        "The share of a provider's answers that are 429s from which on it is an alert.",
    ),
    acted("headroom", Shape::Share, "0.1", "A limit with less headroom than this share of it is an alert."),
    acted(
        "headroom-ahead",
        Shape::Span(0),
        r#""1h""#,
        "So is one that its trend reaches within this time. A limit of a day is, too, if it is used up before the day ends.",
    ),
    acted(
        "down-after",
        Shape::Span(0),
        r#""30s""#,
        "A provider that has answered nothing for so long is down, if `down-attempts` have failed.",
    ),
    acted("down-attempts", Shape::Count(1), "5", "So many attempts must have failed in that time."),
    acted("ledger-rows", Shape::Count(1), "10000", "So many rows that wait to be written are an alert."),
    acted(
        "limit-changed-for",
        Shape::Span(1),
        r#""1d""#,
        "How long a limit that fell is an alert, unless it rises again.",
    ),
    acted(
        "resolve-after",
        Shape::Span(0),
        r#""2m""#,
        "For how long nothing must be seen of it before an alert ends. One that comes back within an hour needs twice as long each \
         time, up to 16 times.",
    ),
    acted(
        "repeat",
        Shape::Span(60_000),
        "",
        "How often those who were told are reminded of what nobody has acknowledged. Unset, never.",
    ),
    acted(
        "silence",
        Shape::Names,
        "[]",
        "Rules that are watched and on record, and of which nobody is told: `provider-down`, `credential-refused`, `breaker-open`, \
         `ledger-behind`, `throttled`, `headroom`, `ceiling-ahead`, `budget-ahead`, `burn-rate`, `budget-warn`, `run-halted`, `limit-changed`, `delivery-failing`.",
    ),
];

/// What the provider calls the account's size.
pub(super) const TIER: Setting = acted(
    "tier",
    Shape::Text,
    "",
    "The account's tier, as the provider calls it; alerts and forecasts of its capacity name it.",
);

/// Whom alerts of a provider's capacity name.
pub(super) const CONTACT: Setting = acted("contact", Shape::Text, "", "Whom alerts of its capacity name.");

/// Where more is asked for.
pub(super) const UPGRADE_URL: Setting =
    acted("upgrade-url", Shape::Url, "", "Where a higher tier is asked for; alerts of its capacity link it.");
