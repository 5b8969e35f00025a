//! Bitbucket's webhooks: what one says is not believed, its workspace is asked for at once.

use std::time::Duration;

use axum::http::StatusCode;
use fake_bitbucket::{FakeBitbucket, Repository};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;
use tempfile::TempDir;

use super::support::{
    SECRET,
    process::{Service, Setup},
    reader::{Reader, http_client},
    seconds, until,
};

const WITHIN: Duration = seconds(60);
const PROFILE: &str = "/health-check?url=https://bitbucket.org/team";

/// Sends a delivery as Bitbucket does; the status of the answer.
async fn send(service: &Service, event: &str, id: &str, body: &str, secret: &str) -> StatusCode {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    let signature = format!("sha256={}", const_hex::encode(mac.finalize().into_bytes()));
    let request = http_client().post(format!("http://{}/webhooks/bitbucket", service.api));
    let request = request
        .header("content-type", "application/json")
        .header("user-agent", "Bitbucket-Webhooks/2.0")
        .header("x-event-key", event)
        .header("x-request-uuid", id)
        .header("x-hook-uuid", "{5b2f1c8e-3c1d-4c0f-9a5a-0d8a1f0e7c11}")
        .header("x-attempt-number", "1")
        .header("x-hub-signature", signature);
    request.body(body.to_owned()).send().await.unwrap().status()
}

async fn until_originals(reader: &Reader, count: u64) {
    until(WITHIN, "so many original repositories", async || {
        let answer = reader.get(PROFILE).await;
        let is_so =
            answer.status == 200 && answer.is_complete() && answer.json()["data"]["originalRepos"] == count;
        if is_so { Ok(()) } else { Err(answer.text()) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_at_bitbucket_has_its_workspace_asked_at_once() {
    let folder = TempDir::new().unwrap();
    let bitbucket = FakeBitbucket::start().await.unwrap();
    let uuid = bitbucket.world(|world| {
        world.create_workspace("team");
        world.create_repository("team", Repository::public("tools", "Rust"));
        world.workspace_uuid("team").unwrap().to_owned()
    });
    let setup =
        Setup::new(folder.path()).with("BITBUCKET_API_URL", &bitbucket.url()).with("RECONCILE", "off");
    let service = setup.serve().await;
    let reader = service.reader();
    until_originals(&reader, 1).await;

    bitbucket.world(|world| world.create_repository("team", Repository::public("site", "C")));
    let body = json!({
        "push": {"changes": []},
        "repository": {
            "full_name": "team/site", "workspace": {"slug": "team", "uuid": format!("{{{uuid}}}")}
        }
    });
    let body = body.to_string();
    assert_eq!(send(&service, "repo:push", "guess", &body, "a guess").await, 401);
    assert_eq!(send(&service, "repo:push", "first", &body, SECRET).await, 202);
    assert_eq!(send(&service, "repo:push", "first", &body, SECRET).await, 200, "a second try");
    until_originals(&reader, 2).await;

    // What belongs to no workspace that is known is kept, and harms nobody.
    let nobodys = r#"{"repository":{"owner":{"uuid":"{21fa9bf8-b5b2-4891-97ed-d590bad0f871}"}}}"#;
    assert_eq!(send(&service, "repo:push", "nobodys", nobodys, SECRET).await, 202);
    assert_eq!(send(&service, "project:updated", "other", "{}", SECRET).await, 202);
    assert_eq!(send(&service, "repo:push", "no-json", "payload=%7B%7D", SECRET).await, 400);
    assert_eq!(send(&service, "Repo push", "bad-event", &body, SECRET).await, 400);
    bitbucket.world(|world| world.delete_repository("team", "site"));
    assert_eq!(send(&service, "repo:deleted", "last", &body, SECRET).await, 202);
    until_originals(&reader, 1).await;
    let metrics = service.ops_reader().get("/metrics").await.ok().text();
    assert!(metrics.contains("tallyhook_dead_letters 0"), "{metrics}");
}
