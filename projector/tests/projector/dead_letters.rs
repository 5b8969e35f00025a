//! Records that cannot be folded: kept, told, and given another chance; nothing else waits for them.

use domain::{
    AccountId, Asked, Event, Millis, NeedKey, RepoId, RowKey, Second, StreamKey, Version, ViewKey,
    directory::{DeadLetter, RepoName},
    event::{CommitsReading, OwnerReading, Push, RepositoryReading, TrackedBy},
    record::{ANSWER, Answer, GITHUB_DELIVERY},
};
use event_log::Record;
use github::headers;
use testkit::stage::Stage;
use view_store::ViewStore as _;

use crate::scene::{Scene, page, records};

/// Two days, in milliseconds: a forge's time this far ahead of ours is a mistake of somebody's clock.
const TWO_DAYS_MS: i64 = 2 * 24 * 3_600_000;

fn reasons(letters: &[(StreamKey, domain::Version, DeadLetter)]) -> Vec<(&str, &str)> {
    let dead = letters.iter().filter_map(|(_, _, letter)| match letter {
        DeadLetter::Dead { id, reason, .. } => Some((id.as_str(), reason.as_str())),
        DeadLetter::Ended => None,
    });
    dead.collect()
}

fn delivery(stage: &Stage, stream: StreamKey, event: &str, body: &str) -> Record {
    let now = Scene::new().script().ours();
    let headers = vec![(headers::EVENT.to_owned(), event.to_owned())];
    Record { headers, ..stage.record(stream, GITHUB_DELIVERY, now, body.as_bytes().to_vec()) }
}

#[tokio::test]
async fn a_record_that_cannot_be_folded_becomes_a_dead_letter_and_the_next_one_is_folded() {
    let mut scene = Scene::new();
    let (account, repo) = (scene.account("owner-0"), scene.repository("repo-0"));
    let repo_id = scene.end().repositories[&repo].truth.id;
    scene.chapter(|world| {
        world.push_commits(repo_id, "main", 2).unwrap();
    });
    scene.chapter(|world| {
        world.push_commits(repo_id, "main", 4).unwrap();
    });
    let stage = Stage::new().await;
    let stream = StreamKey::Account(account);
    let script = scene.script();
    scene.play(&stage).await;
    scene.assert_true(&stage, account).await;

    script.set(scene.end().at_ms);
    let unreadable = delivery(&stage, stream, "push", r#"{"secret-word": "#);
    let unknown = stage.record(stream, "some.other.kind", script.ours(), b"secret-word".to_vec());
    let mut early = records(&scene.emitted[1][0], &script).remove(0);
    early.received_at = domain::Millis(scene.moments[0].at_ms - TWO_DAYS_MS);
    let ids = [unreadable.id.clone(), unknown.id.clone(), early.id.clone()];
    stage.append(vec![unreadable, unknown, early]).await;

    let letters = stage.rows().dead_letters().await;
    let told = reasons(&letters);
    assert_eq!(told.iter().map(|(id, _)| *id).collect::<Vec<_>>(), ids);
    assert!(told.iter().all(|(_, reason)| !reason.contains("secret-word")), "{told:?}");
    assert!(told[1].1.contains("kind"), "{told:?}");
    assert!(told[2].1.contains("a day ahead of our clock"), "{told:?}");
    let freshness = page(&stage, account).await["freshness"].clone();
    assert_eq!(freshness["complete"], false);
    assert!(freshness["missing"].to_string().contains("unreadable"), "{freshness}");
    let open = stage.open_needs().await;
    assert!(open.iter().any(|(of, key, _)| *of == stream && *key == NeedKey::Everything), "{open:?}");

    // What comes after is folded, and asking for everything makes up for what could not be read.
    for event in &scene.emitted[2] {
        stage.append(records(event, &script)).await;
    }
    scene.ask_all(&stage, &script).await;
    scene.assert_true(&stage, account).await;
    stage.rebuild().await;
    assert_eq!(stage.rows().dead_letters().await, letters);
}

#[tokio::test]
async fn a_dead_letter_that_is_tried_again_ends_and_what_fails_again_is_a_new_one() {
    let scene = Scene::new();
    let account = scene.account("owner-0");
    let stream = StreamKey::Account(account);
    let stage = Stage::new().await;
    scene.play(&stage).await;
    let record = delivery(&stage, stream, "push", "[]");
    stage.append(vec![record.clone()]).await;
    let (_, first, _) = stage.rows().dead_letters().await.remove(0);

    let ended = Event::DeadLetterEnded { version: first };
    let end = domain::record::Command { events: vec![ended] }.encode();
    let end = stage.record(stream, domain::record::COMMAND, record.received_at, end);
    stage.append(vec![record, end]).await;

    let letters = stage.rows().dead_letters().await;
    let states: Vec<_> =
        letters.iter().map(|(_, at, letter)| (*at == first, *letter == DeadLetter::Ended)).collect();
    assert_eq!(states, [(true, true), (false, false)], "{letters:?}");
    stage.restart().await;
    assert_eq!(stage.rows().dead_letters().await, letters);
}

/// A count that no repository has: one more overflows, on which a debug build panics.
#[tokio::test]
#[cfg_attr(not(debug_assertions), ignore = "only a debug build panics when a number overflows")]
async fn a_record_on_which_the_fold_panics_is_a_dead_letter_and_the_next_one_is_folded() {
    let (account, repo) = (AccountId::github(41), RepoId::github(1000));
    let stream = StreamKey::Account(account);
    let (head, after) = ("1".repeat(40).parse().unwrap(), "2".repeat(40).parse().unwrap());
    let owner = OwnerReading { id: account, login: "octo".into(), kind: None, url: None, avatar_url: None };
    let reading = |name: &'static str, at| {
        let owner = Some(owner.clone());
        let (name, private, updated_at) = (Some(name.into()), Some(false), Some(Second(at)));
        let reading = RepositoryReading { owner, name, private, updated_at, ..RepositoryReading::of(repo) };
        Event::Repository(Box::new(reading))
    };
    let counted = Event::Commits(CommitsReading {
        repo,
        branch: "main".into(),
        head: Some(head),
        count: u64::MAX,
        pushed_at: Some(Second(50)),
    });
    let push = Event::Push(Push {
        repo,
        branch: Some("main".into()),
        default_branch: Some("main".into()),
        before: Some(head),
        after: Some(after),
        added: Some(1),
        pushed_at: Some(Second(60)),
    });
    let stage = Stage::new().await;
    let record = |at: i64, events| {
        let asked = Asked { asked_at: Version::LEAST, asked_ms: Millis(0), date: Second(at) };
        let body = Answer { asked, events, cursors: Vec::new() }.encode();
        stage.record(stream, ANSWER, Millis(at * 1000), body)
    };
    stage.append(vec![record(50, vec![Event::Tracked(TrackedBy::Person), reading("a", 50), counted])]).await;
    // In one batch: what was folded before it in the same batch is not lost with it.
    stage
        .append(vec![
            record(55, vec![reading("b", 55)]),
            record(60, vec![push]),
            record(70, vec![Event::RenamedFrom { repo, name: "z".into(), at: Second(70) }]),
        ])
        .await;

    let letters = stage.rows().dead_letters().await;
    let told = reasons(&letters);
    assert!(told.len() == 1 && told[0].1.contains("panicked"), "{told:?}");
    let open = stage.open_needs().await;
    assert!(open.iter().any(|(of, key, _)| *of == stream && *key == NeedKey::Everything), "{open:?}");
    let shown = stage.view(account, ViewKey::Repository(repo)).await.unwrap();
    assert_eq!(shown.json()["repository"]["full_name"], "octo/b");
    assert_eq!(shown.json()["counts"]["commits"], u64::MAX);
    let row = stage.store().get(&RowKey::RepoName(account, "z".to_owned())).await.unwrap();
    assert_eq!(RepoName::decode(&row.unwrap().value), Ok(RepoName::Is(repo)), "the next one");
}
