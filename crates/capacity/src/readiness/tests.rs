//! One fault at a time: each shows in its own question and in no other.

use weir_engine::Zone;
use weir_units::{Dimension, NanoUsd, WallTime};

use super::*;

fn at(text: &str) -> WallTime {
    text.parse().unwrap()
}

fn route(name: &str, deployments: &[&str], critical: bool) -> RouteSetup {
    RouteSetup {
        name: name.into(),
        deployments: deployments.iter().map(|deployment| (*deployment).into()).collect(),
        critical,
        guards_off: None,
    }
}

/// A company that is ready.
fn ready() -> Evidence {
    Evidence {
        since: at("2026-10-19T14:47:00Z"),
        until: at("2026-11-18T14:47:00Z"),
        setup: Ok(Setup {
            source: "weir.toml".into(),
            routes: vec![
                route("chat", &["openai/gpt-5-mini", "anthropic/haiku"], false),
                route("smart", &["openai/gpt-5.2", "anthropic/sonnet-5.5"], true),
            ],
            breaker_off: None,
            unguarded_keys: Vec::new(),
            providers: vec!["anthropic".into(), "openai".into()],
            keys: 2,
            owner: OwnerSetup {
                name: Some("Platform on-call".into()),
                notify: vec!["ops-slack".into()],
                failing: Vec::new(),
            },
        }),
        errors: Ok(Errors { requests: 1_000_000, errors: 48_000, throttled: 1_008, throttled_by_weir: Some(0) }),
        outages: Ok(vec![Outage {
            route: "smart".into(),
            down: "openai".into(),
            survivor: Some("anthropic/sonnet-5.5".into()),
            lost: Ok(0.0),
            ceiling: Some(("anthropic output tokens/min".into(), 0.81)),
            unlimited: Vec::new(),
            how: "simulated on last week's traffic".into(),
            requests: 21_400,
        }]),
        availability: vec![RouteAvailability {
            route: "smart".into(),
            expected: 0.999_68,
            p5: 0.999_1,
            p95: 0.999_99,
            measured: Some((999_412, 1_000_000)),
        }],
        agents: Ok(vec![AgentRoute { route: "smart".into(), why: "requests have tools".into() }]),
        spend: Ok(TokenSpend {
            requests: 1_000_000,
            tokens: 4_000_000_000,
            retry_tokens: 136_000_000,
            cost: Some(NanoUsd(7_104_000_000_000)),
            retry_cost: NanoUsd(241_536_000_000),
            unpriced: 0,
        }),
        peaks: Ok(vec![Peak {
            pool: "gpt-5".into(),
            dimension: Dimension::InputTokensPerMinute,
            limit: 300_000,
            source: "declared".into(),
            used: 237_000.0,
            at: at("2026-11-17T14:00:00Z"),
        }]),
        unlimited: Vec::new(),
        secondaries: Ok(vec![Secondary {
            route: "smart".into(),
            deployment: "anthropic/sonnet-5.5".into(),
            answers: 214,
            failed: 2,
            last: Some(at("2026-11-18T09:12:00Z")),
        }]),
    }
}

fn graded(evidence: &Evidence) -> Readiness {
    grade(evidence, &Zone::UTC)
}

/// Which questions fail.
fn failing(evidence: &Evidence) -> Vec<u8> {
    graded(evidence).answers.iter().filter(|a| a.grade == Grade::Fail).map(|a| a.question).collect()
}

fn said(evidence: &Evidence, question: usize) -> String {
    graded(evidence).answers[question - 1].answer.replace('\u{202f}', " ")
}

fn setup(evidence: &mut Evidence) -> &mut Setup {
    evidence.setup.as_mut().unwrap()
}

#[test]
fn a_company_that_is_ready_passes_all_seven() {
    let readiness = graded(&ready());
    assert_eq!(readiness.headline(), "7 of 7 pass");
    assert_eq!((readiness.exit_code(), readiness.grade()), (0, Grade::Pass));
    let said: Vec<String> = (1..=7).map(|question| said(&ready(), question)).collect();
    assert_eq!(
        said,
        [
            "429s are 2.1 % of errors in 30 days (0.1 % of requests)",
            "openai down 2 h: no request of smart would fail, simulated on last week's traffic",
            "every agent route has a breaker and run guards",
            "retries are 3.4 % of token spend ($241.54 a month)",
            "peak hour uses 79 % of gpt-5 input tokens/min",
            "the secondary of smart was exercised in 30 days",
            "Platform on-call owns capacity",
        ]
    );
}

#[test]
fn each_fault_shows_in_its_own_question_and_in_no_other() {
    type Fault = fn(&mut Evidence);
    let faults: [(u8, &str, Fault); 12] = [
        (1, "429s are 60 % of errors in 30 days (2.9 % of requests)", |e| {
            e.errors.as_mut().unwrap().throttled = 28_800;
        }),
        (2, "openai down 2 h: 31 % of smart would fail, simulated on last week's traffic", |e| {
            e.outages.as_mut().unwrap()[0].lost = Ok(0.31);
        }),
        (3, "no agent route has a breaker: failure-rate = 1.0", |e| {
            setup(e).breaker_off = Some("failure-rate = 1.0".into());
        }),
        (3, "agent route smart has no run guards: loops = \"off\"", |e| {
            setup(e).routes[1].guards_off = Some("loops = \"off\"".into());
        }),
        (3, "a key goes without run guards: key nightly sets runs.loops = \"off\"", |e| {
            setup(e).unguarded_keys.push("key nightly sets runs.loops = \"off\"".into());
        }),
        (4, "retries are 18.2 % of token spend ($4,129 a month)", |e| {
            let spend = e.spend.as_mut().unwrap();
            (spend.cost, spend.retry_cost) = (Some(NanoUsd(22_685_000_000_000)), NanoUsd(4_128_670_000_000));
        }),
        (5, "peak hour uses 92 % of gpt-5 input tokens/min", |e| e.peaks.as_mut().unwrap()[0].used = 276_000.0),
        (5, "peak hour uses 80 % of gpt-5 input tokens/min", |e| e.peaks.as_mut().unwrap()[0].used = 240_000.0),
        (6, "route smart: secondary gave 3 of 20 answers in 30 days", |e| {
            e.secondaries.as_mut().unwrap()[0].answers = 3;
        }),
        (6, "route smart: secondary gave 0 of 20 answers in 30 days", |e| e.secondaries.as_mut().unwrap().clear()),
        (7, "nobody owns capacity: the config has no [owner]", |e| setup(e).owner = OwnerSetup::default()),
        (7, "nobody is named: [owner] has no name", |e| setup(e).owner.name = None),
    ];
    for (question, expected, fault) in faults {
        let mut evidence = ready();
        fault(&mut evidence);
        assert_eq!(failing(&evidence), [question], "{expected}");
        assert_eq!(said(&evidence, usize::from(question)), expected);
        let readiness = graded(&evidence);
        assert_eq!(readiness.exit_code(), 1);
        assert!(readiness.answers[usize::from(question) - 1].action.is_some(), "{expected} says what to do");
    }
}

#[test]
fn thresholds_are_where_the_guide_has_them() {
    let mut evidence = ready();
    for (requests, errors, throttled, fails) in [
        // A tenth of the errors passes, a little more does not.
        (100_000, 1_000, 100, false),
        (100_000, 1_000, 101, true),
        // A single 429 in a hundred thousand requests is nobody's problem.
        (100_000, 1, 1, false),
        (100_000, 0, 0, false),
        (100, 1, 1, true),
    ] {
        evidence.errors = Ok(Errors { requests, errors, throttled, throttled_by_weir: None });
        assert_eq!(failing(&evidence).contains(&1), fails, "{throttled} of {errors} of {requests}");
    }
    let mut evidence = ready();
    for (lost, fails) in [(0.01, false), (0.011, true)] {
        evidence.outages.as_mut().unwrap()[0].lost = Ok(lost);
        assert_eq!(failing(&evidence).contains(&2), fails, "{lost}");
    }
    let mut evidence = ready();
    for (answers, fails) in [(20, false), (19, true)] {
        evidence.secondaries.as_mut().unwrap()[0].answers = answers;
        assert_eq!(failing(&evidence).contains(&6), fails, "{answers}");
    }
}

#[test]
fn a_critical_route_with_one_provider_fails_both_questions_about_it_and_another_route_fails_none() {
    let mut evidence = ready();
    setup(&mut evidence).routes[1].deployments.truncate(1);
    evidence.outages = Ok(Vec::new());
    assert_eq!(failing(&evidence), [2, 6]);
    assert_eq!(said(&evidence, 2), "openai down 2 h: 100 % of smart would fail; there is no second provider");
    assert_eq!(said(&evidence, 6), "route smart is critical and has no second provider");
    let mut evidence = ready();
    setup(&mut evidence).routes[0].deployments.truncate(1);
    assert!(failing(&evidence).is_empty());
}

#[test]
fn where_no_route_is_critical_an_outage_is_judged_on_all_of_them() {
    let mut evidence = ready();
    setup(&mut evidence).routes[1].critical = false;
    assert!(failing(&evidence).is_empty());
    assert_eq!(said(&evidence, 6), "no route is marked critical, so none needs a proved secondary");
    setup(&mut evidence).routes[0].deployments.truncate(1);
    assert_eq!(failing(&evidence), [2]);
}

#[test]
fn a_second_model_of_the_same_provider_is_no_second_provider() {
    let mut evidence = ready();
    setup(&mut evidence).routes[1] = route("smart", &["openai/gpt-5.2", "openai/gpt-5-mini"], true);
    assert_eq!(failing(&evidence), [2, 6]);
}

#[test]
fn a_route_that_no_agent_uses_may_go_without_guards_as_long_as_some_route_shows_agents() {
    let mut evidence = ready();
    setup(&mut evidence).routes[0].guards_off = Some("loops = \"off\"".into());
    assert!(failing(&evidence).is_empty());
    // Nothing tells which routes agents use, so all are looked at.
    evidence.agents = Ok(Vec::new());
    assert_eq!(failing(&evidence), [3]);
    evidence.agents = Err(Gap::new("no traffic", ""));
    assert_eq!(failing(&evidence), [3]);
}

#[test]
fn without_traffic_the_questions_of_the_config_are_answered_all_the_same() {
    let gap = Gap::new("there is no ledger", "serve, or import logs");
    let mut evidence = Evidence { setup: ready().setup, ..Evidence::none(ready().since, ready().until, &gap) };
    let grades = |evidence: &Evidence| graded(evidence).answers.map(|answer| answer.grade);
    use Grade::{Fail, Pass, Unknown};
    assert_eq!(grades(&evidence), [Unknown, Unknown, Pass, Unknown, Unknown, Unknown, Pass]);
    assert_eq!(graded(&evidence).exit_code(), 3);
    assert_eq!(graded(&evidence).headline(), "2 of 7 pass, 5 have not enough data");
    setup(&mut evidence).owner = OwnerSetup::default();
    assert_eq!(grades(&evidence)[6], Fail);
    assert_eq!(graded(&evidence).exit_code(), 1);
}

#[test]
fn without_a_config_traffic_answers_what_it_can() {
    let gap = Gap::new("needs weir.toml", "add --config weir.toml");
    let evidence = Evidence { setup: Err(gap), ..ready() };
    use Grade::{Pass, Unknown};
    let grades = graded(&evidence).answers.map(|answer| answer.grade);
    assert_eq!(grades, [Pass, Unknown, Unknown, Pass, Pass, Unknown, Unknown]);
    assert_eq!(graded(&evidence).answers[1].action.as_deref(), Some("add --config weir.toml"));
}

#[test]
fn too_few_requests_are_no_share_but_a_full_ceiling_is_full() {
    let mut evidence = ready();
    evidence.errors = Ok(Errors { requests: 99, errors: 99, throttled: 99, throttled_by_weir: None });
    evidence.spend.as_mut().unwrap().requests = 99;
    assert!(failing(&evidence).is_empty());
    assert_eq!(graded(&evidence).exit_code(), 3);
    assert_eq!(said(&evidence, 1), "99 requests in 30 d are too few for a share");
    // Nor do they tell whether a secondary would serve; but that there is none is plain.
    evidence.secondaries.as_mut().unwrap()[0].answers = 3;
    assert_eq!(said(&evidence, 6), "99 requests in 30 d are too few for a share");
    assert!(failing(&evidence).is_empty());
    let mut alone = evidence.clone();
    setup(&mut alone).routes[1].deployments.truncate(1);
    assert!(failing(&alone).contains(&6));
    evidence.peaks.as_mut().unwrap()[0].used = 290_000.0;
    assert_eq!(failing(&evidence), [5]);
}

#[test]
fn a_ceiling_that_nobody_knows_is_said_and_is_no_share() {
    let mut evidence = ready();
    evidence.unlimited = vec!["anthropic".into()];
    assert_eq!(said(&evidence, 5), "peak hour uses 79 % of gpt-5 input tokens/min; no limit of anthropic is known");
    evidence.outages.as_mut().unwrap()[0].unlimited = vec!["anthropic".into()];
    assert_eq!(
        said(&evidence, 2),
        "openai down 2 h: no request of smart would fail, simulated on last week's traffic, if anthropic has room (no limit known)"
    );
    assert!(graded(&evidence).answers[1].action.is_some() && graded(&evidence).answers[4].action.is_some());
    // Of nothing at all there is no share.
    evidence.peaks.as_mut().unwrap().clear();
    assert_eq!(said(&evidence, 5), "no limit of anthropic is known");
    assert_eq!(graded(&evidence).exit_code(), 3);
    evidence.outages.as_mut().unwrap()[0].lost = Err(Gap::new("it cannot be played", "say more"));
    assert_eq!(graded(&evidence).answers[1].grade, Grade::Unknown);
}

#[test]
fn where_prices_are_missing_tokens_are_graded_and_the_dollars_say_so() {
    let mut evidence = ready();
    let spend = evidence.spend.as_mut().unwrap();
    (spend.unpriced, spend.retry_tokens) = (38, 800_000_000);
    assert_eq!(failing(&evidence), [4]);
    let lines = graded(&evidence).answers[3].evidence.join("\n").replace('\u{202f}', " ");
    assert_eq!(lines, "800,000,000 of 4,000,000,000 tokens (20 %)\n$241.54 of $7,104 + 38 unpriced requests (3.4 %)");
}

#[test]
fn the_terminal_shows_a_line_a_question_and_what_to_do() {
    let mut evidence = ready();
    evidence.peaks.as_mut().unwrap()[0].used = 276_000.0;
    let text = graded(&evidence).to_text(&Zone::UTC, "UTC", false).replace('\u{202f}', " ");
    let expected = "\
6 of 7 pass, 1 fails        30 d to Wed 18 Nov 2026 UTC
1  PASS  429s are 2.1 % of errors in 30 days (0.1 % of requests)
2  PASS  openai down 2 h: no request of smart would fail, simulated on last week's traffic
3  PASS  every agent route has a breaker and run guards
4  PASS  retries are 3.4 % of token spend ($241.54 a month)
5  FAIL  peak hour uses 92 % of gpt-5 input tokens/min
         gpt-5 input tokens/min: 276,000 of 300,000 at Tue 17 Nov 14:00 (92 %, declared)
         do: ask for a higher tier or move load; `weir headroom` shows dates and options; see docs/runbook.md#peak
6  PASS  the secondary of smart was exercised in 30 days
7  PASS  Platform on-call owns capacity";
    assert_eq!(text, expected);
}

#[test]
fn as_json_each_answer_has_its_grade_and_the_figures_behind_it() {
    let json = graded(&ready()).to_json();
    assert_eq!((&json["grade"], &json["exit_code"], &json["pass"]), (&"pass".into(), &0.into(), &7.into()));
    let first = &json["questions"][0];
    assert_eq!((&first["question"], &first["grade"]), (&1.into(), &"pass".into()));
    assert_eq!((&first["figures"]["errors"], &first["figures"]["status_429"]), (&48_000.into(), &1_008.into()));
    assert_eq!(json["questions"][4]["figures"]["ceilings"][0]["limit"], "input-tokens-per-minute");
    assert_eq!(json["questions"].as_array().unwrap().len(), 7);
}
