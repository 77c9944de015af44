//! What is on record, who is named, and what comes to light when somebody changes it.

use std::time::Duration;

use serde_json::Value;
use sqlx::{ConnectOptions, Executor};

use crate::live::text;
use crate::world::{World, raw, run};

async fn head(world: &World) -> u64 {
    world.json("vera", "/admin/v1/audit/head").await["sequence"].as_u64().unwrap()
}

/// Waits until the log has more rows than `before`.
async fn grows(world: &World, before: u64) {
    let grown = async {
        while head(world).await <= before {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), grown).await.expect("an entry is written");
}

/// Who did what to what, and what came of it, the oldest first; without log-ins and the reading itself.
async fn deeds(world: &World) -> Vec<[String; 4]> {
    let told = world.json("aude", "/admin/v1/audit?order=oldest&limit=1000").await;
    let deed = |row: &Value| ["who", "action", "what", "outcome"].map(|name| row[name].as_str().unwrap().to_owned());
    let all = told["entries"].as_array().unwrap().iter().map(deed);
    all.filter(|[_, action, ..]| action != "log-in" && action != "audit.read").collect()
}

async fn database(world: &World) -> sqlx::SqliteConnection {
    sqlx::sqlite::SqliteConnectOptions::new().filename(world.weir.file("weir.db")).connect().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_more_than_a_look_is_on_record_also_when_it_is_refused() {
    let world = World::start("").await;
    // So that no log-in comes in between: the start, and the two who ask.
    grows(&world, 1).await;
    world.json("root", "/admin/v1/live").await;
    grows(&world, 2).await;
    let document = world.json("root", "/admin/v1/openapi.json").await;
    let mut asked = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, told) in methods.as_object().unwrap() {
            let named = path.replace("{id}", "req_00000000000000000000000000").replace('{', "no-").replace('}', "");
            for who in ["root", "vera"] {
                let before = head(&world).await;
                world.ask(who, &method.to_uppercase(), &named, "").await;
                if told["x-weir-role"] == "viewer" {
                    assert_eq!(head(&world).await, before, "{method} {path} is a look");
                } else {
                    grows(&world, before).await;
                    asked += 1;
                }
            }
        }
    }
    assert!(asked >= 2 * 5, "{asked}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_says_who_did_what_and_what_came_of_it() {
    let world = World::start("").await;
    assert_eq!(world.ask("olga", "POST", "/admin/v1/keys", r#"{"name":"app"}"#).await.0, 201);
    assert_eq!(world.ask("vera", "DELETE", "/admin/v1/keys/app", "").await.0, 403);
    assert_eq!(world.ask("root", "POST", "/admin/v1/keys/a%1b%5bb/rotate", "").await.0, 404);
    assert_eq!(world.ask("olga", "DELETE", "/admin/v1/keys/app", "").await.0, 200);
    assert_eq!(raw(&world.weir, "GET", "/admin/v1/audit", "authorization: Bearer wrong\r\n", "").await.0, 401);
    world.weir.reload(&format!("{}\n", world.config)).await;
    grows(&world, head(&world).await.saturating_sub(1)).await;
    let flushed = run(&world, "aude", &["audit", "--json"]).await;
    assert!(flushed.status.success(), "{}", text(&flushed.stderr));
    let expected = [
        ["system", "start", concat!("weir ", env!("CARGO_PKG_VERSION")), "done"],
        ["olga", "key.make", "app", "done"],
        ["vera", "key.revoke", "app", "forbidden: `vera` is viewer here, and this needs the role operator"],
        ["root", "key.rotate", "a?[b", "refused: there is no key `a?[b`: `weir keys` lists them"],
        ["olga", "key.revoke", "app", "done"],
    ];
    let told = deeds(&world).await;
    assert_eq!(told[..5], expected.map(|row| row.map(str::to_owned)), "{told:#?}");
    assert_eq!((&*told[5][0], &*told[5][1], &*told[5][3]), ("system", "reload", "done"));
    assert!(told[5][2].ends_with("weir.toml"), "{told:#?}");

    let log_ins = world.json("aude", "/admin/v1/audit?action=log-in&order=oldest").await;
    let who: Vec<_> = log_ins["entries"].as_array().unwrap().iter().map(|row| row["who"].as_str().unwrap()).collect();
    assert_eq!(who, ["olga", "vera", "root", "", "aude"], "each once, and whoever had no right key");
    assert_eq!(log_ins["entries"][3]["outcome"], "refused: nobody has this key");
    assert_eq!(log_ins["entries"][3]["from"], "127.0.0.1");
    let reads = world.json("aude", "/admin/v1/audit?who=aude&action=audit.read&limit=1").await;
    assert_eq!(reads["entries"][0]["what"], "who=aude&action=audit.read&limit=1", "the newest row is this reading");
    let lines = text(&run(&world, "aude", &["audit", "--who", "olga", "--action", "key."]).await.stdout);
    assert_eq!(lines.lines().count(), 2, "{lines}");
    assert!(
        lines.lines().all(|line| line.starts_with("audit ") && line.contains(" who=olga role=operator ")),
        "{lines}"
    );
    let csv = text(&run(&world, "aude", &["audit", "--csv", "--who", "olga"]).await.stdout);
    assert!(csv.starts_with("sequence,at,who,") && csv.lines().count() == 4, "{csv}");
    let refused = run(&world, "olga", &["audit"]).await;
    assert!(text(&refused.stderr).contains("this needs the role auditor"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verify_names_the_first_row_that_was_changed_and_a_head_shows_a_tail_that_was_cut() {
    let mut world = World::start("").await;
    for name in ["a", "b", "c"] {
        assert_eq!(world.ask("root", "POST", "/admin/v1/keys", &format!(r#"{{"name":"{name}"}}"#)).await.0, 201);
    }
    let whole = run(&world, "aude", &["audit", "verify"]).await;
    let said = text(&whole.stdout);
    assert!(
        whole.status.success() && said.starts_with("whole: ") && said.contains("the newest has the hash "),
        "{said}"
    );
    let told = text(&run(&world, "vera", &["audit", "head"]).await.stdout);
    let (sequence, hash) = told.trim_end().split_once(' ').unwrap();
    assert_eq!((sequence.parse::<u64>().unwrap() > 4, hash.len()), (true, 64));
    let path = world.weir.file("weir.db");
    let file = path.to_str().unwrap();
    let verify = ["audit", "verify", "--ledger", file, "--head", hash];
    let found = run(&world, "root", &verify).await;
    assert!(text(&found.stdout).contains(&format!("; the head that was told is row {sequence}")), "{found:?}");
    let usage = run(&world, "root", &["audit", "verify", "--ledger", file, "--head", "abc"]).await;
    assert_eq!(usage.status.code(), Some(2));

    // The tail is cut; what is left is a chain that is right.
    world.weir.stop_and_restart();
    // The stop, the start and who asks here are on record before anything is cut.
    grows(&world, sequence.parse::<u64>().unwrap() + 2).await;
    let mut connection = database(&world).await;
    connection.execute("DELETE FROM audit WHERE sequence > 3").await.unwrap();
    let cut = run(&world, "root", &verify).await;
    assert_eq!(cut.status.code(), Some(1));
    assert!(text(&cut.stderr).contains("cut or written anew: no row has the hash"), "{cut:?}");
    assert!(run(&world, "root", &["audit", "verify", "--ledger", file]).await.status.success());
    // The gateway that serves it knows better even without.
    let served = run(&world, "aude", &["audit", "verify"]).await;
    assert_eq!(served.status.code(), Some(1), "{served:?}");

    connection.execute("UPDATE audit SET who = 'mallory' WHERE sequence = 2").await.unwrap();
    for arguments in [&["audit", "verify"][..], &["audit", "verify", "--ledger", file]] {
        let changed = run(&world, "aude", arguments).await;
        let said = text(&changed.stderr);
        assert_eq!(changed.status.code(), Some(1), "{said}");
        assert!(
            said.contains("row 2 does not have the hash of what it says") && said.contains("right up to row 1"),
            "{said}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_key_is_made_and_nothing_of_the_log_is_shown_while_it_cannot_be_on_record() {
    let world = World::start("").await;
    world.json("aude", "/admin/v1/audit").await;
    let mut holder = database(&world).await;
    holder.execute("BEGIN IMMEDIATE").await.unwrap();
    let (status, body) = world.ask("aude", "GET", "/admin/v1/audit", "").await;
    assert!(status == 502 && body.contains("must be on record in the audit log first"), "{status} {body}");
    assert_eq!(world.ask("olga", "POST", "/admin/v1/keys", r#"{"name":"app"}"#).await.0, 502);
    assert_eq!(world.ask("vera", "GET", "/admin/v1/live", "").await.0, 200, "what is no entry goes on");
    holder.execute("ROLLBACK").await.unwrap();
    assert_eq!(world.ask("olga", "POST", "/admin/v1/keys", r#"{"name":"app"}"#).await.0, 201);
    let verified = run(&world, "aude", &["audit", "verify"]).await;
    assert!(verified.status.success(), "{}", text(&verified.stderr));
    let made = deeds(&world).await.into_iter().filter(|[_, action, ..]| action == "key.make").collect::<Vec<_>>();
    assert!(made[0][3].starts_with("refused: nothing was changed on disk") && made[1][3] == "done", "{made:#?}");
}
