//! The weekly report: sent once through the owner's notifiers, also over a restart.

use std::time::{SystemTime, UNIX_EPOCH};

use weir_ledger::{Attempt, Entry, Importer, Intent, Options, Outcome};
use weir_mock::Profile;
use weir_units::{NanoUsd, RequestId, Tokens, Usage, WallTime};

use crate::sink::Sent;
use crate::world::{BOT, World, searched};

const DAY: i64 = 86_400_000_000;
const OFF: &str = "report = \"off\"";

/// Answers of last week.
fn entries(before: i64) -> Vec<Entry> {
    let entry = |n: i64| {
        let at = WallTime(before - DAY - n * 60_000_000);
        let mut entry = Entry::of(
            Intent {
                id: RequestId::new(at.millis(), n.unsigned_abs().into()),
                run: None,
                key: None,
                tenant: Some("shop".into()),
                tags: Vec::new(),
                route: "smart".into(),
                model: "smart".into(),
                dialect: "openai",
                endpoint: "chat",
                stream: false,
                trace: None,
                sdk_retry: None,
                started_at: at,
            },
            Outcome::Answered,
        );
        (entry.status, entry.ended_at) = (Some(200), Some(WallTime(at.0 + 1_000_000)));
        entry.attempts = vec![Attempt {
            deployment: "m/smart".into(),
            status: Some(200),
            class: None,
            message: None,
            upstream_id: None,
            started_at: at,
            ended_at: WallTime(at.0 + 1_000_000),
            usage: Some(Usage { input: Tokens(10), output: Tokens(5), ..Usage::default() }),
            cost_usd: Some(NanoUsd(1_000)),
            cost_estimated: false,
        }];
        entry.sum_costs();
        entry
    };
    (0..150).map(entry).collect()
}

fn is_report(sent: &Sent) -> bool {
    sent.json()["kind"] == "report"
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_weekly_report_is_sent_once_and_a_restart_does_not_send_it_again() {
    let owner = format!("notify = [\"hook\"]\n{OFF}");
    let mut world = World::with(Profile::default(), &owner, "").await;
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros()).unwrap();
    let midnight = now.div_euclid(DAY) * DAY;
    let mut importer = Importer::open(&Options::new(world.weir.file("weir.db"))).await.unwrap();
    importer.add(entries(midnight)).await.unwrap();
    importer.close().await.unwrap();
    // It was due last midnight.
    let weekday =
        ["mon", "tue", "wed", "thu", "fri", "sat", "sun"][usize::try_from((now.div_euclid(DAY) + 3) % 7).unwrap()];
    let path = world.weir.file("weir.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, config.replace(OFF, &format!("report = \"{weekday} 00:00\""))).unwrap();
    world.weir.stop_and_restart();
    let sent = world.sink.wait_for(is_report).await;
    let told = sent.json();
    assert_eq!(told["until"], WallTime(midnight).to_string());
    assert!(told["headline"].as_str().unwrap().contains("150 requests answered"), "{told:#}");
    assert!(told["markdown"].as_str().unwrap().contains("## Decisions wanted"), "{told:#}");
    assert!(sent.header("x-weir-signature").unwrap().starts_with("t="));
    let facts = world.weir.told("/admin/v1/facts?kind=ReportSent").await;
    assert_eq!(
        (facts["facts"].as_array().unwrap().len(), &facts["facts"][0]["to"][0]),
        (1, &"hook".into()),
        "{facts:#}"
    );

    world.weir.stop_and_restart();
    let halted = world.weir.ask_for(BOT, "x-weir-run: nightly\r\n", &searched(5)).await;
    assert_eq!(halted.status, 422, "{}", halted.body);
    world.sink.wait_for(|sent| !is_report(sent) && sent.what() == "opened run-halted").await;
    assert_eq!(world.sink.sent().iter().filter(|sent| is_report(sent)).count(), 1);
}
