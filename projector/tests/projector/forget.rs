//! Accounts that a person has erased: from rows, from the log, in a rebuild, and against owners that wake up late.

use domain::{
    AccountId, Event, Forge, NeedKey, Row, StreamKey, Version,
    directory::DirectoryState,
    event::{LoginHash, LoginsForgotten, TrackedBy},
};
use event_log::{EventLog, Limit, Position};
use testkit::{script::Script, stage::Stage};
use view_store::{EmbeddedStore, ViewStore, account::rows_of};

use crate::scene::{Scene, records, want};

const SEED: u64 = 23;
const STEPS: usize = 40;
const LOGIN: &str = "owner-0";

fn told(account: AccountId) -> LoginsForgotten {
    LoginsForgotten {
        account,
        logins: vec![LoginHash::of(Forge::GitHub, LOGIN)],
        aliases_at: Version::from_raw(u64::MAX >> 1),
    }
}

async fn forget(stage: &Stage, script: &Script, account: AccountId) {
    stage.command(StreamKey::Account(account), script.ours(), vec![Event::Forgotten]).await;
    stage.command(StreamKey::Service, script.ours(), vec![Event::LoginsForgotten(told(account))]).await;
}

/// As whoever has the log open does it.
async fn erase(stage: &Stage, account: AccountId) -> usize {
    let log = stage.log();
    let all = Limit { records_max: usize::MAX, bytes_max: usize::MAX };
    let mut erased = 0;
    for bounds in log.bounds().await.unwrap() {
        let from = Position { partition: bounds.partition, offset: 0 };
        let records = log.read(from, all).await.unwrap();
        let stand_ins: Vec<_> = records
            .iter()
            .filter_map(|(at, record)| Some((*at, projector::stand_in(record, &told(account))?)))
            .collect();
        erased += stand_ins.len();
        log.replace(stand_ins).await.unwrap();
    }
    erased
}

/// What of an account's rows says anything, as text.
async fn said(store: &EmbeddedStore, account: AccountId) -> Vec<String> {
    let mut said = Vec::new();
    for held in rows_of(store, account).await.unwrap() {
        let row = store.get(&held.key).await.unwrap().unwrap();
        said.push(format!("{:?} {}", row.key, String::from_utf8_lossy(&row.value)));
    }
    said
}

/// Nothing of it is shown, asked or known by name.
async fn assert_forgotten(stage: &Stage, account: AccountId, names: &[String]) {
    let rows = stage.rows();
    assert_eq!(rows.directory(account).await.unwrap().state, DirectoryState::Forgotten);
    assert_eq!(rows.open_needs(StreamKey::Account(account)).await, []);
    assert_eq!(
        rows.need(StreamKey::Service, NeedKey::Login(Forge::GitHub, LOGIN.into())).await,
        domain::need::Need::Met
    );
    assert!(rows.login(LOGIN).await.is_none());
    assert_eq!(rows.alias(LOGIN).await, None);
    for line in said(&stage.store(), account).await {
        assert!(!line.starts_with("View"), "{line}");
        for name in names {
            assert!(!line.contains(name.as_str()), "{name} is in {line}");
        }
    }
}

#[tokio::test]
async fn a_forgotten_account_is_in_no_row_whatever_is_folded_again_or_comes_late() {
    let scene = Scene::busy(SEED, STEPS);
    let (account, other) = (scene.account(LOGIN), scene.account("owner-1"));
    let stage = Stage::new().await;
    scene.play(&stage).await;
    scene.assert_true(&stage, account).await;
    let truth = &scene.end().accounts[&account].truth;
    let mut names = vec![LOGIN.to_owned(), truth.login.clone()];
    names.extend(
        stage
            .rows()
            .repositories(account)
            .await
            .iter()
            .filter_map(|(_, repo)| repo.name().map(str::to_owned)),
    );
    let before: Vec<Row> = {
        let store = stage.store();
        let mut rows = Vec::new();
        for held in rows_of(&store, account).await.unwrap() {
            rows.push(store.get(&held.key).await.unwrap().unwrap());
        }
        rows
    };
    assert!(before.len() > 10 && names.len() > 2, "{} rows, {names:?}", before.len());
    let neighbour = stage.rows().all(&[StreamKey::Account(other)]).await;

    let script = scene.script();
    script.set(scene.end().at_ms);
    forget(&stage, &script, account).await;
    assert_forgotten(&stage, account, &names).await;
    assert!(erase(&stage, account).await > 10);
    assert_eq!(erase(&stage, account).await, 0, "that was all");

    // The log is still the one that the store was folded from.
    stage.restart().await;
    assert_forgotten(&stage, account, &names).await;

    // An owner that slept writes what it had.
    stage.store().write(before).await.unwrap();
    stage.restart().await;
    assert_forgotten(&stage, account, &names).await;

    // Late copies of everything, and a reader who names it.
    for event in &scene.emitted[1] {
        let copies = records(event, &script);
        stage
            .append(
                copies.into_iter().filter(|record| record.stream == StreamKey::Account(account)).collect(),
            )
            .await;
    }
    let read = Event::LoginWanted { forge: Forge::GitHub, login: LOGIN.into(), by: TrackedBy::Read };
    stage.command(StreamKey::Service, script.ours(), vec![read]).await;
    assert_forgotten(&stage, account, &names).await;
    assert!(erase(&stage, account).await > 0, "what came since is erased as well");

    stage.rebuild().await;
    assert_forgotten(&stage, account, &names).await;
    assert_eq!(stage.rows().all(&[StreamKey::Account(other)]).await, neighbour, "its neighbour is as it was");
}

#[tokio::test]
async fn one_batch_that_tells_of_an_account_and_forgets_it_leaves_nothing_and_a_person_starts_it_anew() {
    let scene = Scene::busy(SEED, STEPS);
    let account = scene.account(LOGIN);
    let first = Stage::new().await;
    scene.play(&first).await;
    let script = scene.script();
    script.set(scene.end().at_ms);
    forget(&first, &script, account).await;

    // Folded as fast as it can be read: the account is told of and forgotten in one go.
    first.rebuild().await;
    assert_forgotten(&first, account, &[LOGIN.to_owned()]).await;

    first
        .command(
            StreamKey::Service,
            script.ours(),
            vec![Event::LoginRemembered(LoginHash::of(Forge::GitHub, LOGIN))],
        )
        .await;
    want(&first, &script, LOGIN).await;
    scene.ask_all(&first, &script).await;
    assert_eq!(first.rows().directory(account).await.unwrap().state, DirectoryState::Kept);
    scene.assert_true(&first, account).await;
    first.rebuild().await;
    scene.assert_true(&first, account).await;
}
