//! Accounts whose views are large: rendered less often, and never lost.

use std::time::Duration;

use domain::{
    AccountId, Asked, Epoch, Event, Millis, RepoId, RowKey, Second, StreamKey, Version, ViewKey,
    event::{OwnerReading, RepositoryReading, TrackedBy},
};
use event_log::{EventLog, Partition};
use projector::ProjectorSettings;
use testkit::stage::{Cut, Disks, Stage};
use view_store::ViewStore;

/// Enough that S0 is far above the bound, and rendering takes long enough that the next one waits.
const REPOSITORIES: u64 = 2_000;
const ACCOUNT: u64 = 41;

fn account() -> AccountId {
    AccountId::github(ACCOUNT)
}

fn repository(id: u64, name: String) -> Event<'static> {
    Event::Repository(Box::new(RepositoryReading {
        owner: Some(OwnerReading {
            id: account(),
            login: "octo".into(),
            kind: Some("User".into()),
            url: Some("https://forge.test/octo".into()),
            avatar_url: None,
        }),
        url: Some(format!("https://forge.test/octo/{name}").into()),
        name: Some(name.into()),
        private: Some(false),
        updated_at: Some(Second(50)),
        ..RepositoryReading::of(RepoId::github(id))
    }))
}

async fn tell(stage: &Stage, stream: StreamKey, date: i64, events: Vec<Event<'static>>) {
    let asked = Asked { asked_at: Version::LEAST, asked_ms: Millis(0), date: Second(date) };
    stage.answer(asked, Millis(date * 1000), stream, events, Vec::new()).await;
}

async fn seen(stage: &Stage, partition: Partition) -> Version {
    let row = stage.store().get(&RowKey::Seen(partition.0)).await.unwrap();
    row.map_or(Version::NONE, |row| row.version)
}

async fn first_name(stage: &Stage) -> String {
    let payload = stage.view(account(), ViewKey::GithubPayload).await.unwrap().json();
    payload["user"]["repositories"][0]["name"].as_str().unwrap().to_owned()
}

/// Another account, whose records are in another partition.
fn elsewhere(stage: &Stage) -> AccountId {
    let log = stage.log();
    let here = log.partition_of(StreamKey::Account(account()));
    let others = (1..).map(AccountId::github);
    let mut others = others.filter(|other| log.partition_of(StreamKey::Account(*other)) != here);
    others.next().unwrap()
}

#[tokio::test]
async fn what_a_large_view_does_not_show_yet_is_not_committed() {
    let disks = Disks::new();
    let (log, store) = disks.open();
    let settings =
        ProjectorSettings { flush_every: Duration::from_millis(1), ..ProjectorSettings::default() };
    let stage = Stage::over(log, store, settings).await;
    let (stream, other) = (StreamKey::Account(account()), StreamKey::Account(elsewhere(&stage)));
    let (here, there) = (stage.log().partition_of(stream), stage.log().partition_of(other));

    let all = (0..REPOSITORIES).map(|id| repository(1000 + id, format!("r{id:05}")));
    let all: Vec<_> = [Event::Tracked(TrackedBy::Person)].into_iter().chain(all).collect();
    tell(&stage, stream, 60, all).await;
    assert_eq!(first_name(&stage).await, "r00000");

    // Rendered a moment ago: the account's own views wait, its repository's does not.
    tell(&stage, stream, 70, vec![renamed("a-new-name")]).await;
    let repo = stage.view(account(), ViewKey::Repository(RepoId::github(1000))).await.unwrap().json();
    assert_eq!(repo["repository"]["full_name"], "octo/a-new-name");
    assert_eq!(first_name(&stage).await, "r00000");

    // Commits go on meanwhile, but not past what waits.
    tell(&stage, other, 70, vec![Event::Tracked(TrackedBy::Person)]).await;
    let committed = async {
        while seen(&stage, there).await < Version::new(Epoch::FIRST, 0) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), committed).await.unwrap();
    assert!(seen(&stage, here).await <= Version::new(Epoch::FIRST, 0));

    disks.cut(&stage, Cut::Kept).await;
    assert_eq!(first_name(&stage).await, "a-new-name");
}

#[tokio::test]
async fn a_large_view_shows_everything_after_a_while_and_at_the_end() {
    let stage = Stage::new().await;
    let stream = StreamKey::Account(account());
    let all = (0..REPOSITORIES).map(|id| repository(1000 + id, format!("r{id:05}")));
    let all: Vec<_> = [Event::Tracked(TrackedBy::Person)].into_iter().chain(all).collect();
    tell(&stage, stream, 60, all).await;

    tell(&stage, stream, 70, vec![renamed("b-second")]).await;
    let shown = async {
        while first_name(&stage).await != "b-second" {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), shown).await.unwrap();

    tell(&stage, stream, 80, vec![renamed("a-third")]).await;
    stage.stop().await.unwrap();
    assert_eq!(first_name(&stage).await, "a-third");
}

/// The first repository under another name, which stands first too.
fn renamed(name: &str) -> Event<'static> {
    let Event::Repository(reading) = repository(1000, name.to_owned()) else { unreachable!() };
    let at = if name == "a-third" { 80 } else { 70 };
    Event::Repository(Box::new(RepositoryReading { updated_at: Some(Second(at)), ..*reading }))
}
