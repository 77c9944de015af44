//! What a budget lets pass and what not.

use serde_json::{Value, json};
use weir_units::NanoUsd;

use crate::world::{CHAT, MESSAGES, World, chat, dollars};

const DOLLAR: NanoUsd = NanoUsd(1_000_000_000);

fn strict(limit: &str) -> String {
    format!("[budgets.b]\nlimit = \"{limit}\"\nmode = \"strict\"\n[tenants.default]\nbudgets = [\"b\"]\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hundreds_at_once_spend_no_more_than_a_dollar_and_nearly_all_of_it() {
    let world = World::slow(&strict("1.00")).await;
    let ways = [(CHAT, "o/m"), (MESSAGES, "o/m"), (CHAT, "a/m"), (MESSAGES, "a/m")];
    let mut refused = 0;
    // Until all are refused, whatever was left over by those that turned out cheap.
    while refused < 400 {
        let asks = (0..400_u64).map(|n| {
            let (path, model) = ways[usize::try_from(n % 4).unwrap()];
            let body = chat(model, 30 + n % 30, 100, n % 8 < 4);
            let world = &world;
            async move { world.ask(path, "", &body).await }
        });
        let answers = futures_util::future::join_all(asks).await;
        assert!(answers.iter().all(|got| matches!(got.status, 200 | 402)), "{answers:#?}");
        refused = answers.iter().filter(|got| got.status == 402).count();
        assert!(world.billed().await <= DOLLAR, "{} are billed", world.billed().await);
    }
    let billed = world.billed().await;
    assert!(billed.0 * 100 >= DOLLAR.0 * 98, "{billed} of $1 are used");
    let budget = world.budget("b").await;
    assert_eq!(
        (dollars(&budget["spent_usd"]), dollars(&budget["presumed_usd"])),
        (billed, NanoUsd::ZERO),
        "{budget:#}"
    );
    assert_eq!(dollars(&budget["reserved_usd"]), NanoUsd::ZERO, "{budget:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ledgers_sum_is_the_providers_bill_and_the_budgets() {
    let world = World::start(&strict("100")).await;
    for n in 0..40 {
        let (path, model) = [(CHAT, "o/m"), (MESSAGES, "o/m"), (CHAT, "a/m"), (MESSAGES, "a/m")][n % 4];
        assert_eq!(world.ask(path, "", &chat(model, 20, 100, n % 8 < 4)).await.status, 200);
    }
    let sum: NanoUsd = world.records(40).await.iter().map(|record| dollars(&record["cost_usd"])).sum();
    let budget = world.budget("b").await;
    assert_eq!((sum, dollars(&budget["spent_usd"])), (world.billed().await, sum), "{budget:#}");
    let page = world.get("/metrics").await.body;
    for line in [
        "weir_budget_limit_usd{budget=\"b\",scope=\"tenant\",period=\"month\"} 100".to_owned(),
        format!("weir_budget_spent_usd{{budget=\"b\",scope=\"tenant\",period=\"month\"}} {sum}"),
        "weir_budget_reserved_usd{budget=\"b\",scope=\"tenant\",period=\"month\"} 0".to_owned(),
    ] {
        assert!(page.lines().any(|l| l == line), "{line} in {page}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_refused_is_told_which_budget_what_is_left_and_what_to_do_in_its_own_dialect() {
    let world = World::start(&strict("0.0101")).await;
    for stream in [false, true] {
        let got = world.ask(CHAT, "", &chat("o/m", 20, 10_000, stream)).await;
        assert_eq!((got.status, got.header("x-should-retry"), got.header("retry-after")), (402, Some("false"), None));
        assert_eq!(got.header("x-weir-refused-by"), Some("weir"));
        let error = got.json()["error"].clone();
        assert_eq!(error["code"], "budget_exhausted");
        let message = error["message"].as_str().unwrap();
        for part in [
            "budget \"b\"",
            "of $0.0101 for this month $0 are spent",
            "$0.0101 are left",
            "may cost up to $1.0",
            "begins anew at 20",
            "max_tokens",
            "[budgets.b]",
        ] {
            assert!(message.contains(part), "{part} is not in {message}");
        }
        let got = world.ask(MESSAGES, "", &chat("a/m", 20, 10_000, stream)).await;
        assert_eq!((got.status, got.header("x-should-retry")), (402, Some("false")));
        let error = got.json()["error"].clone();
        assert_eq!(
            (&error["type"], &error["details"]["error_code"]),
            (&json!("billing_error"), &json!("budget_exhausted"))
        );
    }
    // What fits is served, and when nothing is left nothing is done for a request any more.
    assert_eq!(world.ask(CHAT, "", &chat("o/m", 99, 100, false)).await.status, 200);
    assert_eq!(world.mock.stats().requests, 1);
    let record = world.records(5).await.into_iter().find(|record| record["status"] == 402).unwrap();
    let facts: Vec<&Value> = record["events"].as_array().unwrap().iter().map(|event| &event["fact"]).collect();
    assert!(facts.contains(&&json!("TooDear")), "{record:#}");
    assert_eq!((&record["outcome"], &record["code"]), (&json!("refused"), &json!("budget_exhausted")));
    let live = world.get("/admin/v1/live").await.body;
    assert!(live.contains("BudgetRefused") && live.contains("budget b does not pay: too little is left"), "{live}");
    assert!(world.said().contains("budget b does not pay"), "the log says so: {}", world.said());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_soft_budget_locks_out_nobody_who_spent_nothing_however_large_the_worst_case() {
    let soft = "[budgets.b]\nlimit = \"2.00\"\n[tenants.default]\nbudgets = [\"b\"]\n";
    let world = World::slow(soft).await;
    let asks = (0..100).map(|n| {
        let world = &world;
        async move { world.ask(CHAT, "", &chat("o/m", 10, 128_000, n % 2 == 0)).await.status }
    });
    let statuses = futures_util::future::join_all(asks).await;
    assert_eq!(statuses, vec![200; 100], "each may cost $12.8 at worst");
    assert_eq!(dollars(&world.budget("b").await["spent_usd"]), world.billed().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_strict_budget_sets_a_limit_of_output_where_a_request_has_none_in_every_dialect() {
    let world = World::start(&strict("1.00")).await;
    let hi = json!([{ "role": "user", "content": "words=3" }]);
    for (path, body, name) in [
        (CHAT, json!({ "model": "o/m", "messages": hi }), "max_tokens"),
        (CHAT, json!({ "model": "a/m", "messages": hi }), "max_tokens"),
        ("/v1/responses", json!({ "model": "o/m", "input": "words=3" }), "max_output_tokens"),
        ("/v1/completions", json!({ "model": "o/m", "prompt": "words=3" }), "max_tokens"),
    ] {
        let got = world.ask(path, "", &body).await;
        assert_eq!(got.status, 200, "{path}: {}", got.body);
        let seen: Value = serde_json::from_slice(&world.mock.log().last().unwrap().body).unwrap();
        let limit = seen[name].as_u64().unwrap_or_else(|| panic!("{path}: no {name} in {seen}"));
        assert!((1..=8_192).contains(&limit), "{path}: {limit}");
    }
    // Answers that are asked for several times over are held for as often.
    let mut several = chat("o/m", 3, 4_000, false);
    several["n"] = 4.into();
    let got = world.ask(CHAT, "", &several).await;
    assert_eq!(got.status, 402, "4 times 4,000 tokens are $1.6: {}", got.body);
    several["n"] = 2.into();
    assert_eq!(world.ask(CHAT, "", &several).await.status, 200);
    let many = json!({ "model": "o/m", "prompt": ["a", "b", "c"], "max_tokens": 4_000 });
    assert_eq!(world.ask("/v1/completions", "", &many).await.status, 402);
    let best = json!({ "model": "o/m", "prompt": "a", "best_of": 3, "max_tokens": 4_000 });
    assert_eq!(world.ask("/v1/completions", "", &best).await.status, 402);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_budget_that_key_and_tenant_name_pays_once_and_tags_pay_beside() {
    let config = |key: &str| weir_config::hex(&weir_config::hash_key(key));
    let (ours, theirs) = ("a-key-of-at-least-24-characters", "another-key-of-24-characters");
    let world = World::start(&format!(
        "[budgets.both]\nlimit = 5\n[budgets.ml]\nlimit = \"0.012\"\nmode = \"strict\"\ntag = \"team=ml\"\n\
         [tenants.t]\nbudgets = [\"both\"]\n\
         [keys.ours]\nkey-hash = \"{}\"\ntenant = \"t\"\nbudgets = [\"both\"]\n[keys.theirs]\nkey-hash = \"{}\"\n",
        config(ours),
        config(theirs)
    ))
    .await;
    let tagged = |key: &str, tags: &str| format!("x-api-key: {key}\r\n{tags}");
    let ask = |headers: String| {
        let world = &world;
        async move { world.ask(CHAT, &headers, &chat("o/m", 50, 100, false)).await }
    };
    assert_eq!(ask(tagged(ours, "")).await.status, 200);
    let first = world.billed().await;
    assert_eq!(dollars(&world.budget("both").await["spent_usd"]), first, "once");
    assert_eq!(ask(tagged(theirs, "x-weir-tags: team=ml, feature=search\r\n")).await.status, 200);
    let second = world.billed().await.saturating_sub(first);
    assert_eq!(dollars(&world.budget("ml").await["spent_usd"]), second);
    assert_eq!(dollars(&world.budget("both").await["spent_usd"]), first, "another key's request is not its");
    assert_eq!(ask(tagged(ours, "x-weir-tags: team=ml\r\n")).await.status, 402, "whoever tags it");
    assert_eq!(ask(tagged(ours, "x-weir-tags: team=other\r\n")).await.status, 200);
    let wrong = ask(tagged(ours, "x-weir-tags: team\r\n")).await;
    assert_eq!(wrong.status, 400);
    assert!(wrong.body.contains("header x-weir-tags: `team` is no tag"), "{}", wrong.body);
    let records = world.records(5).await;
    let of = |tags: Value| records.iter().filter(|record| record["tags"] == tags).count();
    assert_eq!(
        (of(json!({ "team": "ml", "feature": "search" })), of(json!({ "team": "ml" })), of(json!({}))),
        (1, 1, 2)
    );
}
