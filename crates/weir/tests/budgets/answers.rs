//! Who answers, and what is booked for it.

use serde_json::{Value, json};
use weir_units::NanoUsd;

use crate::world::{CHAT, World, chat, dollars};

fn facts(record: &Value) -> Vec<String> {
    record["events"].as_array().unwrap().iter().map(|event| event["fact"].as_str().unwrap().to_owned()).collect()
}

fn deployments(record: &Value) -> Vec<&str> {
    record["attempts"].as_array().unwrap().iter().map(|attempt| attempt["deployment"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repeats_and_fail_overs_pay_and_one_that_is_too_dear_is_left_out() {
    let world = World::start(
        "[budgets.b]\nlimit = 1\nmode = \"strict\"\n[tenants.default]\nbudgets = [\"b\"]\n\
         [routes.over]\ndeployments = [\"o/down!500\", \"a/m\"]\n[routes.dear-first]\ndeployments = [\"o/dear\", \"o/m\"]\n\
         [routes.dear-last]\ndeployments = [\"o/down!500\", \"o/dear\"]\n[routes.all-dear]\ndeployments = [\"o/dear\"]\n",
    )
    .await;
    let ask = |route: &'static str| {
        let world = &world;
        async move { world.ask(CHAT, "", &chat(route, 20, 200, false)).await }
    };
    assert_eq!(ask("over").await.status, 200);
    let budget = world.budget("b").await;
    assert_eq!(dollars(&budget["spent_usd"]), world.billed().await, "what failed was not billed: {budget:#}");
    assert_eq!(ask("dear-first").await.header("x-weir-deployment"), Some("o/m"), "$2 for the first do not fit");
    let failed = ask("dear-last").await;
    assert_eq!(
        (failed.status, failed.json()["error"]["code"].clone()),
        (502, json!("upstream_error")),
        "that is what went wrong"
    );
    assert_eq!(ask("all-dear").await.status, 402);
    let records = world.records(4).await;
    let of = |route: &str| records.iter().find(|record| record["model"] == route).unwrap();
    assert_eq!(deployments(of("over")), ["o/down!500", "o/down!500", "a/m"]);
    assert_eq!(deployments(of("dear-first")), ["o/m"]);
    for route in ["dear-first", "dear-last", "all-dear"] {
        assert!(facts(of(route)).contains(&"TooDear".to_owned()), "{:#}", of(route));
    }
    assert_eq!(dollars(&world.budget("b").await["reserved_usd"]), NanoUsd::ZERO);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_takes_over_a_cut_answer_is_paid_for_and_not_asked_where_that_does_not_fit() {
    let world = World::start(
        "[budgets.b]\nlimit = \"0.05\"\nmode = \"strict\"\n[tenants.default]\nbudgets = [\"b\"]\n\
         [routes.cut]\ndeployments = [\"o/cut!cut:20\", \"o/m\"]\n",
    )
    .await;
    let ask = || async { world.ask(CHAT, "", &chat("cut", 60, 200, true)).await.body };
    let body = ask().await;
    assert!(body.contains("data: [DONE]"), "{body}\n{:#?}", world.records(1).await);
    let record = world.records(1).await.remove(0);
    assert!(facts(&record).contains(&"Spliced".to_owned()), "{record:#}");
    let budget = world.budget("b").await;
    assert_eq!(dollars(&budget["spent_usd"]), dollars(&record["attempts"][1]["cost_usd"]), "{budget:#}");
    assert!(dollars(&budget["presumed_usd"]) > NanoUsd(20_000_000), "what was cut may be billed: {budget:#}");
    let ended = ask().await;
    assert!(ended.contains("\"error\"") && !ended.contains("data: [DONE]"), "{ended}");
    let record = world.records(2).await.remove(0);
    assert_eq!(deployments(&record), ["o/cut!cut:20"]);
    let budget = world.budget("b").await;
    assert!(dollars(&budget["spent_usd"]) + dollars(&budget["presumed_usd"]) >= world.billed().await, "{budget:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_a_budget_is_low_a_cheaper_route_answers_and_says_so() {
    let world = World::start(
        "[budgets.b]\nlimit = \"0.01\"\nwarn-at = [0.3]\nwhen-low = { at = 0.3, route = \"small\" }\n\
         [tenants.default]\nbudgets = [\"b\"]\n\
         [routes.smart]\ndeployments = [\"o/m\"]\n[routes.small]\ndeployments = [\"o/local\"]\n",
    )
    .await;
    let question = chat("smart", 60, 100, false);
    let ask = || world.ask(CHAT, "", &question);
    let first = ask().await;
    assert_eq!((first.header("x-weir-deployment"), first.header("x-weir-degraded")), (Some("o/m"), None));
    let low = world.budget("b").await;
    let described = world.get("/admin/v1/openapi.json").await.json();
    let properties = &described["components"]["schemas"]["Budget"]["properties"];
    assert!(low.as_object().unwrap().keys().eq(properties.as_object().unwrap().keys()), "{low} is {properties}");
    assert_eq!((&low["low"], &low["when_low"]), (&json!(true), &json!("small")));
    let second = ask().await;
    assert_eq!((second.status, second.header("x-weir-deployment")), (200, Some("o/local")));
    assert_eq!(second.header("x-weir-degraded"), Some("budget"));
    let record = world.records(2).await.into_iter().find(|record| record["route"] == "small").unwrap();
    assert_eq!((&record["model"], &record["degraded"]), (&json!("smart"), &json!(["budget"])));
    assert!(facts(&record).contains(&"Degraded".to_owned()), "{record:#}");
    let live = world.get("/admin/v1/live").await.body;
    assert!(live.contains("BudgetWarned") && live.contains("30 % of budget b are spent"), "{live}");
    // What costs nothing is served however much is spent.
    for _ in 0..3 {
        assert_eq!(
            world.ask(CHAT, "", &chat("o/m", 60, 100, false)).await.header("x-weir-deployment"),
            Some("o/local")
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_price_is_refused_or_charged_at_what_is_stated_and_never_free() {
    let budget = "[budgets.b]\nlimit = \"0.50\"\nmode = \"strict\"\n[tenants.default]\nbudgets = [\"b\"]\n";
    let world = World::start(budget).await;
    let ask = |model: &'static str| {
        let world = &world;
        async move { world.ask(CHAT, "", &chat(model, 5, 100, false)).await }
    };
    let refused = ask("o/unpriced").await;
    assert_eq!(refused.status, 402);
    assert!(refused.body.contains("the price of this model is not known"), "{}", refused.body);
    world.configure(&format!("[prices]\non-unknown = \"worst-case\"\nworst-case = \"0.25\"\n{budget}"));
    world.stop();
    world.serve();
    assert_eq!([ask("o/unpriced").await.status, ask("o/unpriced").await.status], [200, 200]);
    assert_eq!(ask("o/unpriced").await.status, 402, "twice $0.25 are all there is");
    assert_eq!(dollars(&world.budget("b").await["spent_usd"]), NanoUsd(500_000_000));
    let records = world.records(4).await;
    assert!(
        records.iter().filter(|record| record["status"] == 200).all(|record| record["cost_usd"].is_null()),
        "it stays unknown"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_broke_off_is_taken_for_all_that_was_held_since_nobody_knows() {
    let world = World::start(
        "[budgets.b]\nlimit = 1\nmode = \"strict\"\n[budgets.soft]\nlimit = 1\n[tenants.default]\nbudgets = [\"b\", \"soft\"]\n",
    )
    .await;
    world.ask(CHAT, "", &chat("o/cut!cut:20", 90, 1_000, true)).await;
    world.records(1).await;
    let budget = world.budget("b").await;
    assert_eq!(dollars(&budget["spent_usd"]), NanoUsd::ZERO, "{budget:#}");
    let presumed = dollars(&budget["presumed_usd"]);
    assert!(presumed >= NanoUsd(100_000_000) && presumed >= world.billed().await, "{budget:#}");
    // A whole answer that broke off, and one whose client went away, may be on the bill, too.
    for n in 2..4 {
        let question = chat("o/cut!cut:20", 90, 1_000, false);
        assert_eq!(world.ask(CHAT, "", &question).await.status, 502);
        let record = world.records(n).await.remove(0);
        let attempts = i64::try_from(record["attempts"].as_array().unwrap().len()).unwrap();
        let now = dollars(&world.budget("b").await["presumed_usd"]);
        assert!(now.0 >= presumed.0 + attempts * 100_000_000, "{record:#}");
    }
    assert!(dollars(&world.budget("soft").await["presumed_usd"]) >= presumed, "one answer settles all its budgets");
}
