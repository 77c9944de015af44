//! What each role may do: every path of the admin interface, with every role.

use serde_json::Value;
use weir_ledger::Reader;

use crate::live::text;
use crate::world::{BOT, World, key};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_path_is_open_to_its_roles_and_to_nobody_else() {
    let world = World::start("").await;
    let document = world.json("vera", "/admin/v1/openapi.json").await;
    let mut asked = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        let named = path.replace("{id}", "req_00000000000000000000000000").replace('{', "no-").replace('}', "");
        for (method, told) in methods.as_object().unwrap() {
            let role = told["x-weir-role"].as_str().unwrap();
            let may: &[&str] = match role {
                "viewer" => &["vera", "olga", "aude", "root"],
                "operator" => &["olga", "root"],
                "auditor" => &["aude", "root"],
                other => panic!("{path} needs the role {other}, which nobody has"),
            };
            for who in ["vera", "olga", "aude", "root"] {
                let (status, body) = world.ask(who, &method.to_uppercase(), &named, "").await;
                if may.contains(&who) {
                    assert!(status != 403 && status != 401 && status != 405, "{who} {method} {path}: {status} {body}");
                } else {
                    assert_eq!(status, 403, "{who} {method} {path}: {body}");
                    let said: Value = serde_json::from_str(&body).unwrap();
                    assert_eq!(said["error"]["code"], "role_not_allowed");
                    let message = said["error"]["message"].as_str().unwrap();
                    assert!(message.ends_with(&format!("this needs the role {role}")), "{message}");
                }
                asked += 1;
            }
            assert_eq!(world.ask("", &method.to_uppercase(), &named, "").await.0, 401, "nobody {method} {path}");
        }
    }
    assert!(asked >= 4 * 16, "{asked}");
    // A client's key opens nothing here.
    let headers = format!("authorization: Bearer {BOT}\r\n");
    assert_eq!(crate::world::raw(&world.weir, "GET", "/metrics", &headers, "").await.0, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_somebody_changes_bears_their_name_and_a_reload_takes_their_role() {
    let world = World::start("").await;
    let (status, made) = world.ask("olga", "POST", "/admin/v1/keys", r#"{"name":"app"}"#).await;
    assert_eq!(status, 201, "{made}");
    assert_eq!(world.ask("olga", "POST", "/admin/v1/keys/app/rotate", "").await.0, 200);
    assert_eq!(world.ask("root", "DELETE", "/admin/v1/keys/app", "").await.0, 200);
    let facts = Reader::open(&world.weir.file("weir.db")).await.unwrap().facts(100).await.unwrap();
    let told: Vec<Value> = facts.iter().rev().map(|fact| serde_json::from_str(fact).unwrap()).collect();
    let who: Vec<_> = told.iter().filter(|f| f["name"] == "app").map(|f| f["who"].as_str().unwrap()).collect();
    assert_eq!(who, ["olga", "olga", "root"]);
    assert!(world.weir.log().contains("key app of tenant default made by olga"));

    world.weir.reload(&world.config.replace("role = \"operator\"", "role = \"viewer\"")).await;
    assert_eq!(world.ask("olga", "POST", "/admin/v1/keys", r#"{"name":"b"}"#).await.0, 403);
    let without = world.config.replace("admin-key = { env = \"ADMIN\" }\n", "");
    world.weir.reload(&without).await;
    assert_eq!(world.ask("root", "GET", "/admin/v1/live", "").await.0, 401, "nobody is root any more");
    assert_eq!(world.ask("", "GET", "/admin/v1/live", "").await.0, 401, "and nobody gets in without a key");
    assert_eq!(world.ask("olga", "POST", "/admin/v1/keys", r#"{"name":"b"}"#).await.0, 201);
    let log = world.weir.log();
    assert!(["vera", "olga", "aude", "root"].iter().all(|who| !log.contains(key(who))), "no key is in the log");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_says_which_role_is_missing() {
    let world = World::start("").await;
    let mut command = crate::live::binary();
    command.env("WEIR_ADMIN_KEY", key("vera")).args(["keys", "make", "app", "--url"]);
    command.arg(format!("http://{}", world.weir.address));
    let made = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said = text(&made.stderr);
    assert_eq!(made.status.code(), Some(1), "{said}");
    assert!(said.contains("`vera` is viewer here, and this needs the role operator"), "{said}");
}
