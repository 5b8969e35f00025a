//! What is remembered of deliveries: each is told with what it changed, and not before a large view shows it.

use std::time::Duration;

use domain::{
    AccountId, Asked, Event, Millis, RepoId, RowKey, Second, StreamKey, Version, ViewKey,
    delivery::{self, Delivery, Outcome},
    event::{OwnerReading, RepositoryReading, TrackedBy},
    record::GITHUB_DELIVERY,
};
use event_log::{EventLog as _, Position, Record, embedded::PARTITIONS};
use github::headers;
use testkit::stage::Stage;
use view_store::ViewStore as _;

use crate::scene::Scene;

/// Enough that rendering takes long enough that the next one waits.
const REPOSITORIES: u64 = 2_000;

async fn remembered(stage: &Stage, position: Position) -> Option<Delivery> {
    let slot = delivery::slot(position.offset, PARTITIONS);
    let row = stage.store().get(&RowKey::Delivery(position.partition.0, slot)).await.unwrap();
    row.map(|row| Delivery::decode(&row.value).unwrap())
}

fn record(stage: &Stage, stream: StreamKey, event: &str, body: &str) -> Record {
    let headers =
        vec![(headers::EVENT.to_owned(), event.to_owned()), (headers::HOOK_ID.to_owned(), "42".to_owned())];
    let now = Scene::new().script().ours();
    Record { headers, ..stage.record(stream, GITHUB_DELIVERY, now, body.as_bytes().to_vec()) }
}

#[tokio::test]
async fn every_delivery_is_told_with_what_came_of_it_and_nothing_else_is() {
    let stage = Stage::new().await;
    let stream = StreamKey::Account(AccountId::github(7));
    stage.command(stream, Millis(1), vec![Event::Tracked(TrackedBy::Person)]).await;
    for (event, body, outcome) in [
        ("star", r#"{"action":"created"}"#, None),
        ("no_such_event", "{}", Some(Outcome::Unknown)),
        ("push", r#"{"secret-word": "#, Some(Outcome::Dead)),
    ] {
        let sent = record(&stage, stream, event, body);
        let id = sent.id.clone();
        let position = stage.append(vec![sent]).await[0];
        let told = remembered(&stage, position).await.unwrap();
        assert_eq!((told.id, told.event.as_str(), told.hook.as_deref()), (id, event, Some("42")));
        assert_eq!((told.offset, told.streams), (position.offset, 1));
        assert!(outcome.is_none_or(|outcome| told.outcome == outcome), "{event}: {:?}", told.outcome);
        assert!(told.applied_ms.0 > 0 && told.visible_ms >= Some(told.applied_ms), "{event}");
    }
    let partition = stage.log().partition_of(stream);
    assert_eq!(remembered(&stage, Position { partition, offset: 0 }).await, None, "a command is no delivery");
}

#[tokio::test]
async fn a_delivery_is_shown_when_the_large_view_shows_it() {
    let account = AccountId::github(41);
    let stream = StreamKey::Account(account);
    let stage = Stage::new().await;
    let owner = || OwnerReading {
        id: account,
        login: "octo".into(),
        kind: Some("User".into()),
        url: Some("https://forge.test/octo".into()),
        avatar_url: None,
    };
    let repository = |id: u64| {
        Event::Repository(Box::new(RepositoryReading {
            owner: Some(owner()),
            url: Some(format!("https://forge.test/octo/r{id:05}").into()),
            name: Some(format!("r{id:05}").into()),
            private: Some(false),
            updated_at: Some(Second(50)),
            ..RepositoryReading::of(RepoId::github(id))
        }))
    };
    let all = (1000..1000 + REPOSITORIES).map(repository);
    let all = [Event::Tracked(TrackedBy::Person)].into_iter().chain(all).collect();
    let asked = Asked { asked_at: Version::LEAST, asked_ms: Millis(0), date: Second(60) };
    stage.answer(asked, Millis(60_000), stream, all, Vec::new()).await;

    let body = r#"{"action":"edited","repository":{"id":1000,"name":"a-first","full_name":"octo/a-first",
        "html_url":"https://forge.test/octo/a-first","private":false,"updated_at":"2026-05-28T20:00:00Z",
        "owner":{"id":41,"login":"octo","type":"User"}}}"#;
    let position = stage.append(vec![record(&stage, stream, "repository", body)]).await[0];
    let told = remembered(&stage, position).await.unwrap();
    let first = async || {
        let payload = stage.view(account, ViewKey::GithubPayload).await.unwrap().json();
        payload["user"]["repositories"][0]["name"].as_str().unwrap().to_owned()
    };
    assert_eq!(told.outcome, Outcome::Projected);
    // The view before was rendered a moment ago, so this one waits.
    assert_eq!((told.visible_ms, first().await.as_str()), (None, "r01000"));

    let shown = async {
        loop {
            let told = remembered(&stage, position).await.unwrap();
            if let Some(visible) = told.visible_ms {
                return (told, visible);
            }
            tokio::task::yield_now().await;
        }
    };
    let (again, visible) = tokio::time::timeout(Duration::from_secs(60), shown).await.unwrap();
    assert_eq!(first().await, "a-first", "it is not called shown before it is");
    assert!(visible >= again.applied_ms && again.applied_ms == told.applied_ms);
}
