//! Whole files, from text to config or to faults.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;
use weir_config::{
    AfterCut, Config, Environment, Report, Role, Source, WithoutSecrets, from_environment, hash_key, load, may_use,
};
use weir_engine::{
    BreakerSettings, BudgetMode, BudgetScope, BudgetSettings, Lending, Period, Priority, RetrySettings,
    Strategy as Order, UnknownPrice,
};
use weir_units::{DeploymentId, Dimension, LongContext, NanoUsd, Price, Rates, TokenPrice, Tokens, WallTime};
use weir_wire::{Dialect, ProviderKind};

/// A world of these variables and files.
#[derive(Default)]
struct World {
    variables: BTreeMap<&'static str, &'static str>,
    files: BTreeMap<PathBuf, String>,
}

impl World {
    fn with(variables: &[(&'static str, &'static str)]) -> Self {
        Self { variables: variables.iter().copied().collect(), files: BTreeMap::new() }
    }

    fn file(mut self, path: &str, text: &str) -> Self {
        self.files.insert(path.into(), text.to_owned());
        self
    }

    fn load(self, text: &str) -> Report {
        load(Path::new("/etc/weir/weir.toml"), &self.file("/etc/weir/weir.toml", text))
    }
}

impl Environment for World {
    fn var(&self, name: &str) -> Option<String> {
        self.variables.get(name).map(|value| (*value).to_owned())
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        self.files.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

const KEY: &str = "a-key-of-at-least-24-characters";

fn keys() -> World {
    World::with(&[
        ("OPENAI_API_KEY", " sk-openai\n"),
        ("ANTHROPIC_API_KEY", "sk-ant"),
        ("WEIR_ADMIN_KEY", "an-admin-key-that-is-long"),
        ("SLACK_WEBHOOK_URL", "https://hooks.slack.example/x"),
        ("CHECKOUT_KEY", KEY),
    ])
}

fn sound(report: Report) -> Config {
    assert_eq!(report.faults, [], "no faults");
    report.config.expect("a config where nothing is at fault")
}

fn seconds(span: u64) -> Duration {
    Duration::from_secs(span)
}

/// The example of the config contract.
const WHOLE: &str = include_str!("whole.toml");

#[test]
fn the_whole_page_parses_and_all_of_it_is_acted_on() {
    let report = keys().load(WHOLE);
    let said: Vec<String> = report.warnings.iter().map(|warning| warning.message.clone()).collect();
    assert!(said.is_empty(), "{said:?}");
    let config = sound(report);
    assert_eq!(config.contacts["openai"].tier.as_deref(), Some("3"));
    assert_eq!(config.providers["openai"].headers, [("x-team".to_owned(), "ml".to_owned())]);
    assert_eq!(config.providers["openai"].api_key.as_ref().unwrap().expose(), "sk-openai", "trimmed");
    assert_eq!(config.providers["openai"].models["gpt-5.2"].context_window, Some(Tokens(400_000)));
    let key = &config.keys["checkout-bot"];
    assert_eq!((key.hash, &*key.tenant, key.max_tokens_default), (hash_key(KEY), "team-a", Some(4096)));
    assert!(may_use(key, "smart") && !may_use(key, "openai/gpt-5.2"));
    let (limits, openai) = (&config.engine.limits, DeploymentId::new("openai", "gpt-5.2"));
    assert_eq!(limits.providers["openai"].limits.get(Dimension::ConcurrentRequests), Some(40));
    assert_eq!(limits.models[&openai].limits.get(Dimension::TokensPerDay), Some(2_000_000));
    assert_eq!(limits.models[&openai].pool.as_deref(), Some("gpt-5"));
    assert_eq!(limits.pools["gpt-5"].reserve_for_interactive_ppm, 200_000);
    assert_eq!(limits.keys["checkout-bot"].get(Dimension::TokensPerMinute), Some(400_000));
    assert_eq!((limits.weights["team-a"], key.priority), (1, Priority::Interactive));
    assert_eq!(config.max_wait, Duration::from_secs(30));
    let budget = &config.budgets["team-a"];
    let settings = BudgetSettings {
        warn_at_ppm: vec![500_000, 800_000],
        low_at_ppm: Some(800_000),
        ..BudgetSettings::new(NanoUsd(500_000_000_000), Period::Month, BudgetMode::Soft)
    };
    assert_eq!((&budget.settings, budget.scope), (&settings, BudgetScope::Tenant), "of those who name it, the widest");
    assert_eq!((budget.when_low.as_deref(), budget.tag.clone()), (Some("small"), None));
    assert_eq!((&*config.tenants["team-a"].budgets, &*key.budgets), (&["team-a".into()][..], &["team-a".into()][..]));
    assert_eq!((config.tenants["team-a"].org.as_deref(), config.unknown_price), (Some("acme"), UnknownPrice::Refuse));
}

#[test]
fn budgets_are_whose_they_are_named_by_and_periods_are_those_of_the_zone() {
    let config = sound(keys().load(
        "[server]\ntimezone = \"Europe/Berlin\"\n[prices]\non-unknown = \"worst-case\"\nworst-case = \"0.25\"\n\
         [budgets.all]\nlimit = 9\nmode = \"strict\"\n[budgets.bot]\nlimit = 1\nperiod = \"total\"\nwarn-at = []\n\
         [budgets.ml]\nlimit = 2\ntag = \"team = ml\"\n\
         [tenants.x]\nbudgets = [\"all\"]\n[tenants.y]\nbudgets = [\"all\"]\n\
         [keys.bot]\nkey = { env = \"CHECKOUT_KEY\" }\nbudgets = [\"bot\"]\n",
    ));
    let scopes: Vec<BudgetScope> = config.budgets.values().map(|budget| budget.scope).collect();
    assert_eq!(scopes, [BudgetScope::Org, BudgetScope::Key, BudgetScope::Tag]);
    let all = &config.budgets["all"].settings;
    assert_eq!((all.mode, all.lending), (BudgetMode::Strict, Lending::Durable));
    assert_eq!(config.budgets["ml"].tag.as_ref().map(ToString::to_string).as_deref(), Some("team=ml"));
    assert_eq!(config.unknown_price, UnknownPrice::WorstCase(NanoUsd(250_000_000)));
    // In Berlin November begins an hour before it does in UTC, and July two.
    for (at, start) in
        [(1_795_608_000_000_000, "2026-10-31T23:00:00.000Z"), (1_784_000_000_000_000, "2026-06-30T22:00:00.000Z")]
    {
        assert_eq!(Period::Month.at(WallTime(at), &config.zone).start.to_string(), start);
    }
}

#[test]
fn the_values_on_the_page_are_the_defaults() {
    let written = sound(keys().load(WHOLE));
    let default = sound(keys().load("[providers.openai]\n[routes.smart]\ndeployments = [\"openai/x\"]\n"));
    for config in [&written, &default] {
        let server = &config.server;
        assert_eq!(server.listen.to_string(), "127.0.0.1:4141");
        assert_eq!((server.body_limit, server.buffer_limit, server.max_connections), (32 << 20, 256 << 20, 10_000));
        assert_eq!(server.grace, seconds(30));
        assert_eq!(config.ledger.path, Path::new("/etc/weir/weir.db"));
        assert_eq!(config.ledger.retention, seconds(35 * 86_400));
        assert_eq!(config.engine.retry, RetrySettings::default());
        assert_eq!(config.engine.breaker, BreakerSettings::default());
        assert_eq!(config.providers["openai"].base_url, "https://api.openai.com/v1");
        let route = &config.routes["smart"];
        assert_eq!((route.strategy, route.after_cut, route.critical), (Order::Failover, AfterCut::Splice, false));
        let t = &route.timeouts;
        assert_eq!([t.connect, t.first_byte, t.first_content, t.stall, t.total], [5, 20, 10, 30, 600].map(seconds));
        assert_eq!(*t, config.timeouts);
        assert_eq!(config.source, Source::File("/etc/weir/weir.toml".into()));
    }
    assert!(default.server.admin_key.is_none() && default.keys.is_empty());
}

#[test]
fn ten_faults_are_ten_faults_with_their_lines() {
    let text = r#"[server]
lisen = "127.0.0.1:4141"
grace = "30 parsecs"
body-limit = -1

[providers.openai]
kind = "opnai"
api-key = "sk-live-1234"

[providers.gem]
kind = "gemini"

[providers.anthropic]
api-key = { env = "NOT_SET" }

[routes.smart]
deployments = ["opneai/gpt-5.2", "anthropic"]
strategy = "balanced"

[keys.bot]
key = { env = "CHECKOUT_KEY" }
tenant = "team-b"
routes = ["smrat"]
"#;
    let report = keys().load(text);
    let found: Vec<(usize, &str, &str)> = report
        .faults
        .iter()
        .map(|fault| {
            (fault.place.as_ref().unwrap().line, fault.message.as_str(), fault.hint.as_deref().unwrap_or_default())
        })
        .collect();
    let lines: Vec<usize> = found.iter().map(|(line, ..)| *line).collect();
    assert_eq!(lines, [2, 3, 4, 7, 8, 11, 14, 17, 17, 18, 22, 23], "{found:#?}");
    assert!(report.config.is_none());
    let hints: Vec<&str> = found.iter().map(|(_, _, hint)| *hint).collect();
    assert_eq!(hints[0], "did you mean `listen`?");
    assert_eq!(hints[3], "did you mean `openai`?");
    assert_eq!(hints[7], "did you mean `openai/gpt-5.2`?");
    assert_eq!(hints[9], "did you mean `balance`?");
    assert_eq!(hints[11], "did you mean `smart`?");
    let everything = format!("{found:?}");
    assert!(!everything.contains("sk-live"), "a secret is never shown: {everything}");
}

#[test]
fn each_fault_names_its_value_and_what_to_do() {
    for (text, message, hint) in [
        ("x = ", "not TOML", ""),
        ("[server]\ngrace = \"1s\"\ngrace = \"2s\"", "not TOML: duplicate key", ""),
        ("server = 1", "`server` is the number `1`", "write a table"),
        ("[server]\nlisten = \":80\"", "`:80` is not an address", "127.0.0.1:80"),
        ("[server]\nlisten = \"0.0.0.0:80\"", "there are no `[keys]`", "[keys.NAME]"),
        ("[server]\nlisten = \"0.0.0.0:80\"", "there is no `admin-key`", "WEIR_ADMIN_KEY"),
        ("[server]\nadmin-listen = \"0.0.0.0:81\"", "there is no `admin-key`", "WEIR_ADMIN_KEY"),
        ("[server]\nadmin-listen = \"127.0.0.1:4141\"", "and so is `listen`", "leave it out"),
        ("[server]\ntls = { key = \"k.pem\" }", "has no `certificate`", "certificate.pem"),
        ("[server]\nca-file = \"ca.pem\"", "`/etc/weir/ca.pem`, which cannot be read", ""),
        ("[server]\nadmin-key = \"hunter2\"", "is written out in the file", "admin-key = { env"),
        ("[server]\nadmin-key = { evn = \"X\" }", "is a table", "{ env = \"NAME\" }"),
        ("[server]\nadmin-key = { file = \"k\" }", "`/etc/weir/k`, which cannot be read", ""),
        ("[server]\nadmin-key = { env = \"EMPTY\" }", "is empty", ""),
        ("[server]\nbuffer-limit = \"1MiB\"", "is more than `server.buffer-limit`", "raise"),
        ("[server]\nmax-connections = 0", "`server.max-connections` is `0`", "at least 1"),
        ("[ledger]\nurl = \"sqlite::memory:\"", "names no file", "sqlite:weir.db"),
        ("[ledger]\nurl = \"weir.db\"", "is no ledger", "sqlite:weir.db"),
        ("[quota]\nurl = \"redis://u:p@h\"", "`quota.url` is `redis:…`", "local"),
        ("[budgets.b]\nlimit = 0", "the limit of budget `b` is nothing", "500.00"),
        ("[budgets.b]\nlimit = \"1.0000000001\"", "`1.0000000001`, more than 9 decimal places", "20.00"),
        ("[budgets.b]\nlimit = \"$5\"", "`budgets.b.limit` is `$5`, not a decimal", "20.00"),
        ("[budgets.b]\nlimti = \"5.00\"", "unknown key `limti`", "did you mean `limit`?"),
        ("[budgets.b]\nperiod = \"day\"", "budget `b` has no `limit`", "limit = \"500.00\""),
        ("[budgets.b]\nlimit = 5\nperiod = \"dya\"", "has no choice `dya`", "did you mean `day`?"),
        ("[budgets.b]\nlimit = 5\nwarn-at = [0.8, 0.5]", "does not rise: 0.5 comes too late", "smallest share first"),
        ("[budgets.b]\nlimit = 5\nwarn-at = [0]", "warns at 0", "above 0"),
        ("[budgets.b]\nlimit = 5\nwarn-at = [80]", "`budgets.b.warn-at[0]` is `80`", "10 % is 0.1"),
        ("[budgets.b]\nlimit = 5\nwhen-low = { at = 0.8 }", "`when-low` of budget `b` has no `route`", "route = "),
        ("[budgets.b]\nlimit = 5\nwhen-low = { at = 0.8, route = \"r\" }", "names route `r`", "[routes.r]"),
        ("[budgets.b]\nlimit = 5\ntag = \"team\"", "`team` of budget `b` is no tag: it has no `=`", "team=ml"),
        (
            "[budgets.b]\nlimit = 5\ntag = \"a=b\"\n[tenants.t]\nbudgets = [\"b\"]",
            "is on a tag, and tenant `t` names it",
            "two budgets",
        ),
        ("[prices]\non-unknown = \"refsue\"", "has no choice `refsue`", "did you mean `refuse`?"),
        ("[server]\ntimezone = \"Europe/Berlim\"", "`Europe/Berlim` is no known zone", "did you mean `Europe/Berlin`?"),
        ("[breaker]\nwindow = \"1h\"", "longer than five minutes", "5m"),
        ("[retry]\nbudget = 10", "`retry.budget` is `10`", "10 % is 0.1"),
        ("[providers.x]\nkind = \"gemini\"", "provider kind `gemini` is not in this version", "`openai`"),
        ("[providers.x]", "has no `kind`", "`mock`"),
        ("[providers.x]\nkind = \"openai-compatible\"", "has no `base-url`", "https://host/v1"),
        ("[providers.x]\nkind = \"mock\"\nbase-url = \"host\"", "does not begin with", ""),
        ("[providers.x]\nkind = \"mock\"\nheaders = { Host = \"a\" }", "is set by Weir itself", ""),
        ("[providers.x]\nkind = \"mock\"\nheaders = { \"a b\" = \"a\" }", "is no name of a header", ""),
        ("[providers.\"a/b\"]\nkind = \"mock\"", "`a/b` cannot be the name of a provider", "letters"),
        ("[providers.anthropic]", "`ANTHROPIC_API_KEY` is not set", "export"),
        ("[routes.r]", "has no `deployments`", "PROVIDER/MODEL"),
        ("[routes.r]\ndeployments = []", "is empty", "PROVIDER/MODEL"),
        ("[routes.r]\ndeployments = [\"mock/*\"]", "names no model", "routes.\"*\""),
        ("[routes.r]\ndeployments = [\"x/y\"]", "no provider is named `x`", "[providers.x]"),
        ("[routes.r]\ndeployments = \"mock/a\"", "`routes.r.deployments` is the text", "a list"),
        ("[keys.a]", "has neither `key` nor `key-hash`", "SHA-256"),
        ("[keys.a]\nkey-hash = \"abc\"", "3 characters", "64 hexadecimal"),
        ("[keys.a]\nkey = { env = \"SHORT\" }", "has 5 characters", "openssl"),
        ("[keys.a]\nkey = { env = \"LONG\" }\n[keys.b]\nkey = { env = \"LONG\" }", "are the same key", ""),
        ("[keys.a]\nkey = { env = \"LONG\" }\nroutes = [\"*\"]", "no client can ask for", "leave `routes` out"),
        ("[keys.a]\nkey = { env = \"LONG\" }\nbudgets = [\"b\"]", "names budget `b`", "[budgets.b]"),
        ("[owner]\nnotify = [\"pager\"]", "the owner names notifier `pager`", "[notifiers.pager]"),
        ("[runs]\nloops = \"hlat\"", "has no choice `hlat`", "did you mean `halt`?"),
        (
            &priced("input = 0.0000001"),
            "models.m.price.input` is `0.0000001`, more than 6 decimal",
            "dollars per million",
        ),
        (&priced("output = -1"), "models.m.price.output` is `-1`, not a decimal", "like `1.75`"),
        (&priced("output = 1e3"), "models.m.price.output` is `1e3`, not a decimal", "like `1.75`"),
        (&priced("output = \"a lot\""), "models.m.price.output` is `a lot`, not a decimal", "like `1.75`"),
        (&priced("input = true"), "models.m.price.input` is `true`", "dollars per million"),
        (&priced("output = 99_999_999_999_999"), "too large", "dollars per million"),
        (&priced("long-context = { input = 1 }"), "says no `above`", "above = 200_000"),
        (&priced("cached-inptu = 1"), "unknown key `cached-inptu`", "did you mean `cached-input`?"),
        ("[frobnicate]", "unknown key `frobnicate` at the top", "known here: server"),
    ] {
        assert_fault(text, message, hint);
    }
}

/// A config with this text has this fault, among others, and each has its place.
fn assert_fault(text: &str, message: &str, hint: &str) {
    let world = World::with(&[("EMPTY", " \n"), ("SHORT", "short"), ("LONG", KEY)]);
    let report = world.load(text);
    let found = report
        .faults
        .iter()
        .any(|fault| fault.message.contains(message) && fault.hint.as_deref().unwrap_or_default().contains(hint));
    assert!(found, "{text}\n{message} / {hint} is not in {:#?}", report.faults);
    assert!(report.config.is_none());
    assert!(report.faults.iter().all(|fault| fault.place.is_some()), "each has its place: {:#?}", report.faults);
}

#[test]
fn a_person_without_a_key_of_their_own_and_a_rule_that_is_none_are_faults() {
    for (text, message, hint) in [
        (
            "[routes.r]\ndeployments = [\"mock/a\"]\ncapture = { requests = true, redact = [\"(\"] }",
            "`capture.redact` of route `r` is no regular expression: `(`",
            "unclosed group",
        ),
        (
            "[routes.r]\ndeployments = [\"mock/a\"]\ncapture = { redact = [\"x*\"] }",
            "`capture.redact` of route `r` takes out nothing, everywhere: `x*`",
            "at least one character",
        ),
        (
            "[keys.k]\nkey = { env = \"LONG\" }\ncapture = { answers = true, max = \"5MiB\" }",
            "`capture.max` of key `k` is more than 4 MiB",
            "64KiB",
        ),
        ("[keys.k]\nkey = { env = \"LONG\" }\ncapture = { answer = true }", "unknown key `answer`", "`answers`"),
        ("[server]\nlog-format = \"xml\"", "has no choice `xml`", "text"),
        ("[admins.ann]\nrole = \"viewer\"", "admin `ann` has no `key`", "NAME_ADMIN_KEY"),
        ("[admins.ann]\nkey = { env = \"SHORT\" }", "the key of admin `ann` has 5 characters", "openssl rand"),
        ("[admins.ann]\nkey = { env = \"LONG\" }\nrole = \"owner\"", "has no choice `owner`", "viewer"),
        ("[admins.root]\nkey = { env = \"LONG\" }", "`root` cannot be the name of an admin", "another name"),
        ("[admins.\"a b\"]\nkey = { env = \"LONG\" }", "`a b` cannot be the name of an admin", "letters"),
        (
            "[admins]\nann.key = { env = \"LONG\" }\nbob.key = { env = \"LONG\" }",
            "admins `ann` and `bob` have the same key",
            "which of them",
        ),
        (
            "[server]\nadmin-key = { env = \"LONG\" }\n[admins.ann]\nkey = { env = \"LONG\" }",
            "admin `ann` has the key of `root`",
            "of their own",
        ),
        (
            "[admins.ann]\nkey = { env = \"LONG\" }\n[keys.k]\nkey = { env = \"LONG\" }",
            "key `k` is the key of admin `ann`",
            "must not open",
        ),
    ] {
        assert_fault(text, message, hint);
    }
}

fn priced(price: &str) -> String {
    format!("[providers.x]\nkind = \"mock\"\n[providers.x.models.m]\nprice = {{ {price} }}")
}

#[test]
fn a_price_replaces_the_catalogues_as_far_as_it_is_written() {
    let text = "[providers.openai]\n[providers.openai.models.\"gpt-5.5\"]\nprice = { input = 4.5, long-context = { output = \"40\" } }\n\
                [providers.openai.models.\"gpt-4o\"]\n[providers.openai.models.\"ft:gpt-4o::x\"]\n\
                [providers.x]\nkind = \"openai-compatible\"\nbase-url = \"http://127.0.0.1:1/v1\"\n\
                [providers.x.models.llama]\nprice = { input = 1, output = 0.000001, cache-write = 2, long-context = { above = 7, input = 2 } }\n\
                [providers.x.models.other]\n[providers.x.models.half]\nprice = { output = 1 }\n";
    let report = keys().load(text);
    let warned: Vec<String> = report.warnings.iter().map(|warning| warning.message.clone()).collect();
    assert!(warned.iter().any(|said| said.starts_with("the price of `x/half` has no `input`")), "{warned:?}");
    let config = sound(report);
    let price = |provider: &str, model: &str| config.providers[provider].models[model].price.clone();
    let dollars = |text: &str| Some(text.parse().unwrap());
    let partly = price("openai", "gpt-5.5").unwrap();
    let Rates { input, cached_input, output, .. } = partly.rates;
    assert_eq!([input, cached_input, output], [dollars("4.5"), dollars("0.5"), dollars("30")]);
    let long = partly.long_context.unwrap();
    assert_eq!((long.above, long.rates.input, long.rates.output), (Tokens(272_000), dollars("10"), dollars("40")));
    assert_eq!(price("openai", "gpt-4o").unwrap().rates.output, dollars("10"));
    assert_eq!((price("openai", "ft:gpt-4o::x"), price("x", "other")), (None, None), "unknown, not zero");
    let whole = price("x", "llama").unwrap();
    let rates =
        Rates { input: dollars("1"), output: Some(TokenPrice(1)), cache_write: dollars("2"), ..Rates::default() };
    let long = LongContext { above: Tokens(7), rates: Rates { input: dollars("2"), ..Rates::default() } };
    assert_eq!(*whole, Price { rates, long_context: Some(long), batch_percent: None });
}

#[test]
fn people_have_a_key_and_a_role_each_and_can_stand_in_for_the_admin_key() {
    let world = World::with(&[("ANN", KEY), ("BOB", "another-key-of-at-least-24-characters")]);
    let text = "[server]\nlisten = \"0.0.0.0:80\"\n[keys.k]\nkey-hash = \"0000000000000000000000000000000000000000000000000000000000000000\"\n\
                [admins.ann]\nkey = { env = \"ANN\" }\n[admins.bob]\nkey = { env = \"BOB\" }\nrole = \"operator\"";
    let config = sound(world.load(text));
    let people: Vec<_> = config.admins.values().map(|a| (&*a.name, a.role, a.hash == hash_key(KEY))).collect();
    assert_eq!(people, [("ann", Role::Viewer, true), ("bob", Role::Operator, false)]);
    assert!(config.server.admin_key.is_none() && config.asks_admins());
}

#[test]
fn what_works_and_should_be_known_is_a_warning() {
    for (text, message) in [
        ("", "the built-in mock answers"),
        ("[server]\nadmin-key = { env = \"SHORT\" }", "`server.admin-key` has 5 characters"),
        (
            "[routes.r]\ndeployments = [\"mock/a\"]\ncapture = { answers = true, retention = \"2d\" }",
            "answers of route `r` are captured, and kept in the ledger for 2d",
        ),
        ("[budgets.b]\nlimit = 5", "nothing is paid by budget `b`"),
        (
            "[budgets.b]\nlimit = 5\n[tenants.x]\norg = \"o\"\nbudgets = [\"b\"]\n[tenants.y]\norg = \"p\"\nbudgets = [\"b\"]",
            "budget `b` is shared by orgs `o` and `p`",
        ),
        ("[server]\ncors-origins = [\"https://a\"]", "`server.cors-origins` is parsed, not enforced"),
        (
            "[providers.x]\nkind = \"openai\"\nbase-url = \"http://far\"\napi-key = { env = \"SHORT\" }",
            "crosses the network in the clear",
        ),
        ("[providers.x]\nkind = \"mock\"\n[providers.y]\nkind = \"mock\"", "nobody owns the LLM capacity"),
        ("[routes.r]\ndeployments = [\"mock/a\"]\ncritical = true", "`mock` is its only provider"),
        ("[routes.r]\ndeployments = [\"mock/a\", \"mock/a\"]", "twice"),
        (
            "[providers.x]\nkind = \"mock\"\nmodels.fast = {}\n[routes.r]\ndeployments = [\"x/fsat\"]",
            "sends to `x/fsat`, which no provider declares",
        ),
    ] {
        let report = World::with(&[("SHORT", "short")]).load(text);
        assert!(report.warnings.iter().any(|w| w.message.contains(message)), "{message}: {:#?}", report.warnings);
        sound(report);
    }
    let quiet = World::default().load(
        "[server]\ntimezone = \"UTC\"\ncors-origins = []\n[quota]\nurl = \"local\"\n[providers.x]\nkind = \"mock\"",
    );
    assert_eq!(quiet.warnings, [], "what happens anyway is no news");
}

#[test]
fn a_credential_goes_only_where_it_was_sent() {
    let elsewhere = "[providers.openai]\nbase-url = \"https://else.where/v1/\"";
    let provider = sound(keys().load(elsewhere)).providers["openai"].clone();
    assert!(provider.api_key.is_none());
    assert_eq!(provider.base_url, "https://else.where/v1");
    let usual = sound(keys().load("[providers.anthropic]"));
    assert_eq!(usual.providers["anthropic"].api_key.as_ref().unwrap().expose(), "sk-ant");
    assert!(!format!("{usual:?}").contains("sk-ant"));
    let header = "[providers.openai]\nheaders = { Authorization = { env = \"CHECKOUT_KEY\" } }";
    let config = sound(keys().load(header));
    assert!(config.providers["openai"].api_key.is_none());
    assert_eq!(config.providers["openai"].headers, [("authorization".to_owned(), KEY.to_owned())]);
    assert!(!format!("{config:?}").contains(KEY));
}

#[test]
fn paths_and_timeouts_come_from_the_nearest_place() {
    let pem = "-----BEGIN CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\n";
    let world = World::default().file("/etc/weir/tls/c.pem", pem).file("/k.pem", pem);
    let config = sound(world.load(
        "[server]\ntls = { certificate = \"tls/c.pem\", key = \"/k.pem\" }\n[ledger]\nurl = \"sqlite:///var/weir.db\"\n\
         [timeouts]\nstall = \"7s\"\ntotal = \"1m\"\n[routes.a]\ndeployments = [\"mock/a\"]\ntimeouts = { stall = \"9s\" }",
    ));
    assert_eq!(config.server.tls.unwrap().certificate, Path::new("/etc/weir/tls/c.pem"));
    assert_eq!(config.ledger.path, Path::new("/var/weir.db"));
    let timeouts = &config.routes["a"].timeouts;
    assert_eq!((timeouts.stall, timeouts.total, timeouts.connect), (seconds(9), seconds(60), seconds(5)));
}

/// What `name` resolves to: the route's name in facts, and its deployments.
fn meaning(config: &Config, name: &str, dialect: Dialect) -> Option<(String, Vec<String>)> {
    let resolved = config.resolve(name, dialect)?;
    Some((resolved.route_name.to_string(), resolved.deployments.iter().map(ToString::to_string).collect()))
}

#[test]
fn a_name_means_a_route_then_a_provider_then_the_rest() {
    let text = "[providers.openai]\n[providers.m]\nkind = \"mock\"\n[routes.smart]\ndeployments = [\"openai/a\", \"m/b\"]\n\
                [routes.\"openai/pinned\"]\ndeployments = [\"m/c\"]\n";
    let with_rest = format!("{text}[routes.\"*\"]\ndeployments = [\"openai/*\", \"m/d\"]\n");
    let (config, open) = (sound(keys().load(text)), sound(keys().load(&with_rest)));
    let said = |name: &str, route: &str, to: &[&str]| {
        let expected = Some((route.to_owned(), to.iter().map(|d| (*d).to_owned()).collect::<Vec<_>>()));
        assert_eq!(meaning(&open, name, Dialect::OpenAi), expected, "{name}");
    };
    said("smart", "smart", &["openai/a", "m/b"]);
    said("openai/pinned", "openai/pinned", &["m/c"]);
    said("openai/ft:gpt/x", "openai/ft:gpt/x", &["openai/ft:gpt/x"]);
    said("gpt-9", "*", &["openai/gpt-9", "m/d"]);
    said("other/x", "*", &["openai/other/x", "m/d"]);
    for name in ["gpt-9", "other/x", "mock/x", "openai/", "", "*", "/x"] {
        assert_eq!(meaning(&config, name, Dialect::OpenAi), None, "{name}");
    }
}

#[test]
fn without_a_file_the_environment_names_the_providers() {
    let home = ("HOME", "/home/ada");
    let both = World::with(&[home, ("OPENAI_API_KEY", "sk"), ("ANTHROPIC_BASE_URL", "http://127.0.0.1:9/v1/")]);
    let config = sound(from_environment(&both));
    assert_eq!(config.source, Source::Environment);
    assert_eq!(config.ledger.path, Path::new("/home/ada/.local/state/weir/weir.db"));
    assert_eq!(config.providers.keys().map(|name| &**name).collect::<Vec<_>>(), ["anthropic", "openai"]);
    assert_eq!(config.providers["anthropic"].base_url, "http://127.0.0.1:9");
    assert!(config.providers["anthropic"].api_key.is_none());
    for (name, dialect, deployment) in [
        ("gpt-5.2", Dialect::Anthropic, "openai/gpt-5.2"),
        ("claude-sonnet-5.5", Dialect::OpenAi, "anthropic/claude-sonnet-5.5"),
        ("llama", Dialect::OpenAi, "openai/llama"),
        ("llama", Dialect::Anthropic, "anthropic/llama"),
    ] {
        assert_eq!(meaning(&config, name, dialect), Some((name.to_owned(), vec![deployment.to_owned()])));
    }
    assert_eq!(meaning(&config, "mock/x", Dialect::OpenAi), None);
}

#[test]
fn without_any_key_the_mock_answers() {
    let world = World::with(&[
        ("XDG_STATE_HOME", "/state"),
        ("OPENAI_API_KEY", ""),
        ("GEMINI_API_KEY", "g"),
        ("WEIR_ADMIN_KEY", "secret"),
    ]);
    let report = from_environment(&world);
    assert_eq!(report.warnings.len(), 1);
    assert!(report.warnings[0].message.contains("GEMINI_API_KEY"));
    let config = sound(report);
    assert_eq!(config.providers["mock"].kind, ProviderKind::Mock);
    assert_eq!(config.ledger.path, Path::new("/state/weir/weir.db"));
    assert_eq!(config.server.admin_key.as_ref().unwrap().expose(), "secret");
    assert_eq!(meaning(&config, "mock/x", Dialect::OpenAi).unwrap().1, ["mock/x"]);
    assert_eq!(meaning(&config, "gpt-5.2", Dialect::OpenAi), None, "a missing key is not papered over");
    let report = from_environment(&World::with(&[("OPENAI_BASE_URL", "nowhere")]));
    assert_eq!(report.faults.len(), 2, "the address, and no folder: {:?}", report.faults);
}

#[test]
fn a_ledgers_url_may_be_referred_to_and_is_in_no_message() {
    let url = "postgres://ann:pass-word@db.example/weir";
    let world = || World::with(&[("LEDGER", url), ("WRONG", "mysql://ann:pass-word@db"), ("HOME", "/home/ann")]);
    let config = sound(world().load("[ledger]\nurl = { env = \"LEDGER\" }\n[providers.m]\nkind = \"mock\""));
    assert_eq!(config.ledger.postgres.as_ref().unwrap().expose(), url);
    let report = world().load("[ledger]\nurl = { env = \"WRONG\" }\n[providers.m]\nkind = \"mock\"");
    let message = &report.faults[0].message;
    assert!(message.contains("is no ledger") && !message.contains("pass-word"), "{message}");
}

#[test]
fn a_file_that_is_not_there_is_a_fault() {
    let report = load(Path::new("weir.toml"), &World::default());
    assert!(report.config.is_none() && report.faults[0].message.contains("`weir.toml`"));
}

#[test]
fn a_broken_header_line_does_not_accuse_the_rest() {
    let text = "[server\nlisten = \"127.0.0.1:1\"\n[providers.openai]\n[routes.a]\ndeployments = [\"openai/x\"]\n";
    let report = keys().load(text);
    assert_eq!(report.faults.len(), 1, "{:#?}", report.faults);
    assert_eq!(report.faults[0].place.as_ref().unwrap().line, 1);
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in "\\PC{0,200}|[\\[\\]{}=\"'.,#\\n a-z0-9-]{0,200}") {
        let report = World::default().load(&text);
        prop_assert_eq!(report.config.is_none(), !report.faults.is_empty());
    }

    /// A sound file cut or overwritten anywhere.
    #[test]
    fn a_damaged_file_never_panics(cut in 0..WHOLE.len(), length in 0_usize..40, patch in "[\\[\\]{}=\"\\n0-9a-z]{0,6}") {
        let mut text = WHOLE.as_bytes().to_vec();
        let end = (cut + length).min(text.len());
        text.splice(cut..end, patch.bytes());
        let report = keys().load(&String::from_utf8_lossy(&text));
        prop_assert_eq!(report.config.is_none(), !report.faults.is_empty());
    }
}

#[test]
fn whoever_serves_nothing_needs_no_secret_and_what_is_written_is_checked_all_the_same() {
    let text = r#"
[server]
listen = "0.0.0.0:443"
admin-key = { env = "WEIR_ADMIN_KEY" }
tls = { certificate = "cert.pem", key = "key.pem" }
[admins.alice]
key = { env = "ALICE_KEY" }
[admins.bob]
key = { env = "BOB_KEY" }
[ledger]
url = { env = "DATABASE_URL" }
[owner]
name = "Platform on-call"
notify = ["slack", "hook"]
[notifiers.slack]
kind = "slack"
url = { env = "SLACK_WEBHOOK_URL" }
[notifiers.hook]
kind = "webhook"
url = "https://alerts.example/weir"
secret = { file = "/run/secrets/hook" }
[providers.openai]
api-key = { env = "OPENAI_API_KEY" }
[providers.anthropic]
[providers.own]
kind = "openai-compatible"
base-url = "https://llm.example/v1"
headers = { authorization = { env = "OWN_KEY" } }
[routes.smart]
deployments = ["openai/gpt-5.2", "anthropic/claude-sonnet-5.5"]
[keys.app]
key = { env = "APP_KEY" }
[keys.batch]
key = { env = "BATCH_KEY" }
"#;
    let file = Path::new("/etc/weir/weir.toml");
    // In CI a secret that is not there is often an empty variable.
    let world = || World::with(&[("HOME", "/root"), ("APP_KEY", "")]).file("/etc/weir/weir.toml", text);
    assert_eq!(load(file, &world()).faults.len(), 13, "whoever serves needs them all");
    let world = world();
    let report = load(file, &WithoutSecrets(&world));
    assert!(report.faults.is_empty(), "{:?}", report.faults);
    let config = report.config.unwrap();
    assert_eq!((config.providers.len(), config.keys.len(), config.admins.len()), (3, 2, 2));
    assert_eq!(config.notifiers.len(), 2);
    // Nothing that a request could carry stands for any of them.
    let unset = config.providers["openai"].api_key.as_ref().unwrap();
    assert!(!unset.is_set() && unset.expose().is_empty());
    assert_eq!(config.keys["app"].hash, [0; 32]);
    assert!(config.ledger.postgres.is_some_and(|url| !url.is_set()));

    let wrong = text.replace("[routes.smart]", "[routes.smart]\nstrategie = 1");
    let world = World::with(&[("HOME", "/root"), ("ALICE_KEY", "short")]).file("/etc/weir/weir.toml", &wrong);
    let faults: Vec<String> =
        load(file, &WithoutSecrets(&world)).faults.into_iter().map(|fault| fault.message).collect();
    assert_eq!(
        faults,
        [
            "the key of admin `alice` has 5 characters, and 24 are the fewest",
            "unknown key `strategie` in `[routes.smart]`"
        ]
    );
}
