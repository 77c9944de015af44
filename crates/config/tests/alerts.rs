//! Owners, notifiers and alerts, as written and as meant.

use std::path::Path;
use std::time::Duration;

use weir_config::{Environment, NotifierKind, Report, load};
use weir_engine::alerts::{AlertRule, AlertSettings};

struct Text(String);

impl Environment for Text {
    fn var(&self, name: &str) -> Option<String> {
        let value = match name {
            "SLACK" => "https://hooks.slack.example/services/T0/B0/token",
            "SECRET" => "0123456789abcdef",
            "SHORT" => "0123",
            _ => return None,
        };
        Some(value.to_owned())
    }

    fn read(&self, _: &Path) -> std::io::Result<String> {
        Ok(self.0.clone())
    }
}

fn read(text: &str) -> Report {
    load(Path::new("weir.toml"), &Text(format!("[providers.m]\nkind = \"mock\"\n{text}")))
}

#[test]
fn what_is_not_written_is_as_the_policy_has_it() {
    let mut meant = read("").config.unwrap().alerts;
    meant.owner.lead_time = Duration::ZERO;
    assert_eq!(meant, AlertSettings::default());
}

#[test]
fn owners_and_notifiers_are_read_and_steps_are_in_order() {
    let report = read(
        "[owner]\nname = \"Platform\"\nnotify = [\"ops\"]\nlead-time = \"3d\"\n\
         escalate = [{ after = \"1h\", notify = [\"boss\"] }, { after = \"15m\", notify = [\"pager\"] }]\n\
         [notifiers.ops]\nkind = \"slack\"\nurl = { env = \"SLACK\" }\n\
         [notifiers.pager]\nkind = \"pagerduty\"\nsecret = { env = \"SECRET\" }\n\
         [notifiers.boss]\nkind = \"webhook\"\nurl = \"http://127.0.0.1:9/a?b=c\"\nsecret = { env = \"SECRET\" }\n\
         [alerts]\nheadroom = 0.25\nrepeat = \"4h\"\nsilence = [\"run-halted\"]\n",
    );
    assert_eq!((report.faults.as_slice(), report.warnings.as_slice()), ([].as_slice(), [].as_slice()));
    let config = report.config.unwrap();
    let steps: Vec<(u64, &str)> =
        config.alerts.owner.escalate.iter().map(|step| (step.after.as_secs(), &*step.notify[0])).collect();
    assert_eq!(steps, [(900, "pager"), (3_600, "boss")]);
    assert_eq!(config.alerts.owner.lead_time, Duration::from_secs(3 * 86_400));
    assert_eq!((config.alerts.headroom_ppm, config.alerts.repeat), (250_000, Some(Duration::from_secs(14_400))));
    assert!(config.alerts.silenced.contains(&AlertRule::RunHalted));
    let pager = &config.notifiers["pager"];
    assert_eq!((pager.kind, pager.url.expose()), (NotifierKind::PagerDuty, "https://events.pagerduty.com/v2/enqueue"));
    assert_eq!(config.notifiers["boss"].url.expose(), "http://127.0.0.1:9/a?b=c");
}

#[test]
fn a_fault_says_what_is_missing_and_never_shows_an_address() {
    for (text, fault, hint) in [
        ("[notifiers.a]\nurl = \"https://x/s3cr3t\"", "notifier `a` has no `kind`", "pagerduty"),
        ("[notifiers.a]\nkind = \"slack\"", "notifier `a` has no `url`", "ALERTS_URL"),
        ("[notifiers.a]\nkind = \"pagerduty\"", "notifier `a` has no `secret`", "ALERTS_SECRET"),
        ("[notifiers.a]\nkind = \"webhook\"\nurl = \"https://x/\"", "notifier `a` has no `secret`", "ALERTS_SECRET"),
        (
            "[notifiers.a]\nkind = \"webhook\"\nurl = \"https://x/\"\nsecret = { env = \"SHORT\" }",
            "the secret of notifier `a` has 4 characters",
            "openssl",
        ),
        (
            "[notifiers.a]\nkind = \"slack\"\nurl = \"ftp://x/s3cr3t\"",
            "the `url` of notifier `a` does not begin",
            "https://",
        ),
        (
            "[notifiers.a]\nkind = \"slack\"\nurl = \"https://u:s3cr3t@x\"",
            "the `url` of notifier `a` holds a cred",
            "https://",
        ),
        (
            "[notifiers.a]\nkind = \"slack\"\nurl = \"https://x/s3cr3t#b\"",
            "the `url` of notifier `a` has a fragment",
            "",
        ),
        ("[alerts]\nsilence = [\"breaker\"]", "`alerts.silence` names `breaker`, which is no rule", "breaker-open"),
        ("[owner]\nescalate = [{ after = \"1m\" }]", "a step of `owner.escalate` has no `notify`", "pager"),
        ("[owner]\nescalate = [{ after = \"1m\", notify = [\"x\"] }]", "the owner names notifier `x`", "[notifiers.x]"),
    ] {
        let report = read(text);
        let said: Vec<String> = report.faults.iter().map(ToString::to_string).collect();
        assert!(said.iter().any(|said| said.contains(fault) && said.contains(hint)), "{text}: {said:#?}");
        assert!(!said.concat().contains("s3cr3t"), "{said:#?}");
    }
}

#[test]
fn what_nobody_hears_and_what_everybody_can_read_is_warned_of() {
    let warned = |text: &str| read(text).warnings.iter().map(|w| w.message.clone()).collect::<Vec<_>>();
    let slack = "[notifiers.a]\nkind = \"slack\"\n";
    assert_eq!(
        warned(&format!("{slack}url = {{ env = \"SLACK\" }}")),
        ["there are notifiers, and no alert is sent to any"]
    );
    let plain = warned(&format!("{slack}url = \"http://hooks.example/x\"\n[owner]\nnotify = [\"a\"]"));
    assert_eq!(plain, ["notifier `a` sends what it says over plain http"]);
}

#[test]
fn the_weekly_report_has_a_time_of_the_week_or_is_off() {
    let at = |text: &str| read(&format!("[owner]\nname = \"x\"\nreport = \"{text}\"\n"));
    let told = |text: &str| at(text).config.unwrap().report.map(|at| (at.weekday, at.minute));
    assert_eq!(read("").config.unwrap().report.map(|at| (at.weekday, at.minute)), Some((0, 540)), "monday morning");
    assert_eq!((told("fri 16:30"), told("off")), (Some((4, 990)), None));
    for wrong in ["monday 9:00", "mon 24:00", "mon 9", "daily"] {
        let fault = &at(wrong).faults[0];
        assert!(fault.message.contains(wrong) && fault.hint.as_deref().unwrap().contains("mon 09:00"), "{fault}");
    }
}

#[test]
fn an_owner_is_asked_for_once_there_are_two_providers_or_two_keys() {
    let warned = |text: &str| read(text).warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    let second = "[providers.n]\nkind = \"mock\"\n";
    assert!(!warned("").contains("nobody owns"));
    assert!(warned(second).contains("nobody owns the LLM capacity of 2 providers and 0 keys"), "{}", warned(second));
    assert!(!warned(&format!("{second}[owner]\nname = \"Platform\"\n")).contains("nobody owns"));
    let keys = "[keys.a]\nkey-hash = \"HASH1\"\n[keys.b]\nkey-hash = \"HASH2\"\n[tenants.default]\n";
    let keys = keys.replace("HASH1", &"11".repeat(32)).replace("HASH2", &"22".repeat(32));
    assert!(warned(&keys).contains("of 1 provider and 2 keys"), "{}", warned(&keys));
}
