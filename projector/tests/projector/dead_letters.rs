//! Records that cannot be folded: kept, told, and given another chance; nothing else waits for them.

use domain::{Event, NeedKey, StreamKey, directory::DeadLetter, record::GITHUB_DELIVERY};
use event_log::Record;
use github::headers;
use testkit::stage::Stage;

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
