//! Every fault over a real socket, in both dialects, unary and streamed.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::client::{End, Got, chat, messages, send};
use weir_mock::{Dimension, LimitRules, Limits, Mock, Options, Profile, Standing};

async fn ask(mock: &Mock, fault: &str, anthropic: bool, stream: bool) -> Got {
    let body = format!(
        r#"{{"model":"fast!{fault}","max_tokens":100,"stream":{stream},"messages":[{{"role":"user","content":"echo one two three four"}}]}}"#
    );
    if anthropic { messages(mock.address(), &body).await } else { chat(mock.address(), &body).await }
}

fn tokens(got: &Got) -> usize {
    got.body.matches("\"content\":\" ").count()
        + got.body.matches("\"content\":\"one").count()
        + got.body.matches("text_delta").count()
}

#[tokio::test]
async fn an_error_status_comes_in_the_dialects_shape() {
    let mock = Mock::start(Options::default()).await.unwrap();
    for (fault, status, code, kind) in [
        ("429", 429, "rate_limit_exceeded", "rate_limit_error"),
        ("429:7", 429, "rate_limit_exceeded", "rate_limit_error"),
        ("500", 500, "", "api_error"),
        ("502", 502, "", "api_error"),
        ("503", 503, "server_is_overloaded", "overloaded_error"),
        ("504", 504, "", "timeout_error"),
        ("529", 529, "server_is_overloaded", "overloaded_error"),
        ("401", 401, "invalid_api_key", "authentication_error"),
        ("402", 402, "credit_balance_exhausted", "billing_error"),
        ("insufficient_quota", 429, "insufficient_quota", "rate_limit_error"),
        ("403", 403, "", "permission_error"),
        ("404", 404, "model_not_found", "not_found_error"),
        ("context", 400, "context_length_exceeded", "invalid_request_error"),
        ("filter", 400, "content_filter", "invalid_request_error"),
    ] {
        for stream in [false, true] {
            let openai = ask(&mock, fault, false, stream).await;
            assert_eq!((openai.status, openai.end), (status, End::Whole), "{fault}");
            assert_eq!(openai.json()["error"]["code"].as_str().unwrap_or(""), code, "{fault}");
            assert!(openai.header("x-request-id").is_some() && openai.header("openai-processing-ms").is_some());
            let anthropic = ask(&mock, fault, true, stream).await;
            assert_eq!((anthropic.status, anthropic.end), (status, End::Whole), "{fault}");
            assert_eq!(anthropic.json()["error"]["type"], kind, "{fault}");
            assert_eq!(anthropic.json()["request_id"], anthropic.header("request-id").unwrap());
            let wait = (fault == "429:7").then_some("7");
            assert_eq!((openai.header("retry-after"), anthropic.header("retry-after")), (wait, wait), "{fault}");
        }
    }
}

#[tokio::test]
async fn a_flawed_answer_breaks_where_it_was_told_to() {
    let mock = Mock::start(Options::default()).await.unwrap();
    for anthropic in [false, true] {
        for (fault, streamed, end) in [
            ("cut:0", 0, End::Cut),
            ("cut:2", 2, End::Cut),
            ("cut:99", 4, End::Cut),
            ("stall:2", 2, End::Quiet),
            ("malformed:1", 4, End::Whole),
            ("no-done", 4, End::Whole),
            ("error-in-stream", 0, End::Whole),
            ("error-in-stream:3", 3, End::Whole),
        ] {
            let got = ask(&mock, fault, anthropic, true).await;
            assert_eq!((got.status, got.end, tokens(&got)), (200, end, streamed), "{fault}: {got:?}");
            let ended = got.body.contains("[DONE]") || got.body.contains("message_stop\n");
            assert_eq!(ended, fault.starts_with("malformed"), "{fault}");
            assert_eq!(got.body.contains("verloaded"), fault.starts_with("error"), "{fault}");
        }
        for (fault, end) in [("cut:2", End::Cut), ("stall:2", End::Quiet), ("malformed:0", End::Whole)] {
            let got = ask(&mock, fault, anthropic, false).await;
            assert_eq!((got.status, got.end), (200, end), "{fault}");
            assert!(serde_json::from_str::<serde_json::Value>(&got.body).is_err(), "{fault}: {}", got.body);
        }
        assert!(ask(&mock, "error-in-stream", anthropic, false).await.json()["error"].is_object());
    }
}

#[tokio::test]
async fn nothing_of_use_comes_from_the_rest() {
    let mock = Mock::start(Options::default()).await.unwrap();
    for (anthropic, stream) in [(false, false), (false, true), (true, false), (true, true)] {
        let reset = ask(&mock, "reset", anthropic, stream).await;
        assert_eq!((reset.status, reset.end), (0, End::Reset));
        let silence = ask(&mock, "silence", anthropic, stream).await;
        assert_eq!((silence.status, silence.end), (0, End::Quiet));
        let html = ask(&mock, "wrong-type", anthropic, stream).await;
        assert!(html.status == 200 && html.header("content-type").unwrap().starts_with("text/html"));
        let empty = ask(&mock, "empty", anthropic, stream).await;
        assert_eq!((empty.status, empty.body.as_str(), empty.end), (200, "", End::Whole));
        let garbage = ask(&mock, "garbage", anthropic, stream).await;
        assert_eq!((garbage.status, garbage.header("content-type")), (200, Some("application/json")));
        assert!(serde_json::from_str::<serde_json::Value>(&garbage.body).is_err());
    }
}

#[tokio::test]
async fn slow_and_late_differ_in_when_the_headers_come() {
    let mock = Mock::start(Options::default()).await.unwrap();
    for (fault, status_in_time) in [("slow:1000", 200), ("late:1000", 0)] {
        let got = ask(&mock, fault, false, true).await;
        assert_eq!((got.status, got.end, tokens(&got)), (status_in_time, End::Quiet, 0), "{fault}");
    }
    let begun = Instant::now();
    let got = ask(&mock, "late:100", false, true).await;
    assert!(got.end == End::Whole && begun.elapsed() >= Duration::from_millis(100));
}

#[tokio::test]
async fn orders_come_by_header_call_and_admin_and_are_counted() {
    let mock = Mock::start(Options::default()).await.unwrap();
    let body = r#"{"model":"fast","messages":[{"role":"user","content":"hi"}]}"#;
    let path = "/v1/chat/completions";
    assert_eq!(send(mock.address(), "POST", path, "x-mock-fault: 503\r\n", body).await.status, 503);
    mock.order(Standing::next("500".parse().unwrap(), 1));
    let ordered = send(mock.address(), "POST", "/mock/order", "", r#"{"fault":"429:2","share":1.0}"#).await;
    assert_eq!(ordered.status, 200, "{ordered:?}");
    let statuses = [chat(mock.address(), body).await.status, chat(mock.address(), body).await.status];
    assert_eq!(statuses, [500, 429]);
    send(mock.address(), "POST", "/mock/clear", "", "").await;
    assert_eq!(chat(mock.address(), body).await.status, 200);
    assert_eq!(chat(mock.address(), &body.replace("fast", "missing")).await.status, 404);
    assert_eq!(chat(mock.address(), &body.replace("fast", "fast!418")).await.status, 400);
    assert_eq!(send(mock.address(), "POST", "/mock/order", "", r#"{"fault":"418"}"#).await.status, 400);
    let stats = send(mock.address(), "GET", "/mock/stats", "", "").await.json();
    assert_eq!(stats["requests"], 6);
    assert_eq!(stats["by_fault"]["429:2"], 1);
    assert_eq!(stats["by_status"]["200"], 1);
    assert_eq!(send(mock.address(), "GET", "/mock/log", "", "").await.json().as_array().unwrap().len(), 6);
}

#[tokio::test]
async fn limits_are_enforced_and_told_in_headers() {
    let mock = Mock::start(Options::default()).await.unwrap();
    let set =
        send(mock.address(), "POST", "/mock/profile", "", r#"{"requests_per_minute":2,"tokens_per_minute":1000}"#)
            .await;
    assert_eq!(set.status, 200);
    let body = r#"{"model":"fast","max_tokens":400,"messages":[{"role":"user","content":"hi"}]}"#;
    let first = chat(mock.address(), body).await;
    assert_eq!(first.header("x-ratelimit-limit-requests"), Some("2"));
    assert_eq!(first.header("x-ratelimit-remaining-requests"), Some("1"));
    assert_eq!(first.header("x-ratelimit-limit-tokens"), Some("1000"));
    assert!(
        first.header("x-ratelimit-remaining-tokens").unwrap().parse::<u64>().unwrap() <= 610,
        "max_tokens is charged"
    );
    assert!(first.header("x-ratelimit-reset-requests").unwrap().ends_with('s'));
    let second = messages(mock.address(), body).await;
    assert_eq!(second.header("anthropic-ratelimit-requests-remaining"), Some("0"));
    assert!(second.header("anthropic-ratelimit-tokens-reset").unwrap().ends_with('Z'));
    let third = chat(mock.address(), body).await;
    assert_eq!((third.status, third.json()["error"]["type"].as_str()), (429, Some("requests")));
    assert!((1..=30).contains(&third.header("retry-after").unwrap().parse::<u64>().unwrap()));
}

#[tokio::test]
async fn input_and_output_limits_are_told_as_anthropic_tells_them() {
    let limits = Limits::NONE.with(Dimension::InputTokensPerMinute, 5_000).with(Dimension::OutputTokensPerMinute, 20);
    let profile = Profile { limits, ..Profile::default() };
    let mock = Mock::start(Options { profile, ..Options::default() }).await.unwrap();
    let body = r#"{"model":"fast","max_tokens":100,"messages":[{"role":"user","content":"words=50"}]}"#;
    let first = messages(mock.address(), body).await;
    assert_eq!(first.header("anthropic-ratelimit-input-tokens-limit"), Some("5000"));
    assert_eq!(first.header("anthropic-ratelimit-output-tokens-limit"), Some("20"));
    assert_eq!(first.header("anthropic-ratelimit-output-tokens-remaining"), Some("20"), "nothing is out yet");
    assert_eq!(first.header("anthropic-ratelimit-tokens-limit"), Some("5000"), "the tightest: input was charged");
    let second = messages(mock.address(), body).await;
    assert_eq!((second.status, second.header("anthropic-ratelimit-tokens-limit")), (429, Some("20")), "output is owed");
    assert!(second.header("retry-after").unwrap().parse::<u64>().unwrap() > 60, "more than a minute's worth");
}

#[tokio::test]
async fn a_silent_provider_holds_its_limits_all_the_same() {
    let profile = Profile {
        limits: Limits::NONE.with(Dimension::ConcurrentRequests, 0),
        rules: LimitRules { headers: false, ..LimitRules::default() },
        ..Profile::default()
    };
    let mock = Mock::start(Options { profile, ..Options::default() }).await.unwrap();
    let refused = chat(mock.address(), r#"{"model":"fast","messages":[{"role":"user","content":"hi"}]}"#).await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, None));
    assert!(!refused.head.contains("x-ratelimit"), "{}", refused.head);
}

#[tokio::test]
async fn a_client_that_goes_away_is_counted_and_leaves_nothing_in_flight() {
    let mock = Mock::start(Options::default()).await.unwrap();
    for fault in ["silence", "stall:1"] {
        ask(&mock, fault, false, true).await;
    }
    let until = Instant::now() + Duration::from_secs(5);
    while mock.stats().in_flight > 0 && Instant::now() < until {
        tokio::task::yield_now().await;
    }
    let stats = mock.stats();
    assert_eq!((stats.in_flight, stats.cancelled, stats.requests), (0, 2, 2));
    let address = mock.address();
    mock.stop().await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "a stopped mock's port is closed");
}

#[tokio::test]
async fn the_bill_has_whole_answers_as_they_report_them_and_of_broken_ones_what_went_out() {
    let mock = Mock::start(Options::default()).await.unwrap();
    let body = |model: &str, stream: bool| {
        let messages = json!([{ "role": "user", "content": "echo a b c d" }]);
        json!({ "model": model, "stream": stream, "prompt_cache_key": "k", "messages": messages }).to_string()
    };
    let whole = chat(mock.address(), &body("fast", false)).await.json();
    chat(mock.address(), &body("fast", true)).await;
    for broken in ["cut!cut:3", "cut!stall:2", "none!cut:0", "none!500", "none!garbage", "none!reset"] {
        chat(mock.address(), &body(broken, true)).await;
    }
    let usage = &whole["usage"];
    let stats = send(mock.address(), "GET", "/mock/stats", "", "").await.json();
    let input = usage["prompt_tokens"].as_u64().unwrap();
    let fast = &stats["billed"]["fast"];
    assert_eq!((&fast["answers"], &fast["input"], &fast["output"]), (&json!(2), &json!(2 * input), &json!(8)));
    assert_eq!(fast["cached_input"], 2 * usage["prompt_tokens_details"]["cached_tokens"].as_u64().unwrap());
    let broken: Vec<(&String, u64, u64)> = stats["billed"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(model, _)| *model != "fast")
        .map(|(model, bill)| (model, bill["input"].as_u64().unwrap(), bill["output"].as_u64().unwrap()))
        .collect();
    assert_eq!(broken, [(&"cut!cut:3".to_owned(), input, 3), (&"cut!stall:2".to_owned(), input, 2)]);
}
