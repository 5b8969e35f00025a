//! What any payload with a repository says; by topic, what each webhook event says besides.

use domain::{
    NeedKey,
    event::{HiddenWhy, PullReading, PullState, StarReading},
};

use super::*;
use crate::routing::route;

mod account;
mod git;
mod ownership;

/// 2019-05-15T15:20:41Z, the `updated_at` of [`REPOSITORY`].
const UPDATED: Second = Second(1_557_933_641);
const RECEIVED: Millis = Millis((UPDATED.0 + 3) * 1000);
const OWNER: u64 = 21_031_067;
const OTHER: u64 = 583_231;

const REPOSITORY: &str = r#"{"id":186853002,"name":"Hello-World","full_name":"Codertocat/Hello-World","private":false,
    "owner":{"login":"Codertocat","id":21031067,"type":"User"},"html_url":"https://github.com/Codertocat/Hello-World",
    "updated_at":"2019-05-15T15:20:41Z","pushed_at":"2019-05-15T15:20:33Z","created_at":"2019-05-15T15:19:25Z",
    "stargazers_count":1,"forks_count":2,"open_issues_count":3,"default_branch":"main"}"#;

fn repo() -> RepoId {
    RepoId::github(186_853_002)
}

fn account(id: u64) -> StreamKey {
    StreamKey::Account(AccountId::github(id))
}

/// A payload with the repository and these fields besides.
fn with_repository(fields: &str) -> String {
    format!(
        r#"{{"repository":{REPOSITORY},"sender":{{"id":{OTHER}}}{}{fields}}}"#,
        if fields.is_empty() { "" } else { "," }
    )
}

fn try_tell(
    stream: StreamKey,
    event: &str,
    body: &str,
) -> Result<(Vec<Event<'static>>, TranslatedKind), TranslateError> {
    // Tests may leak what a process borrows from a record.
    let body: &'static str = Box::leak(body.to_owned().into_boxed_str());
    let delivery = Delivery {
        stream,
        event: Box::leak(event.to_owned().into_boxed_str()),
        received_at: RECEIVED,
        body: body.as_bytes(),
    };
    translate(&delivery).map(|translated| (translated.events, translated.kind))
}

fn tell(stream: StreamKey, event: &str, body: &str) -> Vec<Event<'static>> {
    try_tell(stream, event, body).unwrap().0
}

/// What the event adds to "tracked" and the repository's reading, at home.
fn own_facts(event: &str, body: &str) -> Vec<Event<'static>> {
    let mut events = tell(account(OWNER), event, body);
    assert_eq!(events[0], Event::Tracked(TrackedBy::Delivery), "{event}");
    assert!(matches!(&events[1], Event::Repository(reading) if reading.id == repo()), "{event}");
    events.split_off(2)
}

fn reading(event: &str, body: &str) -> RepositoryReading<'static> {
    match tell(account(OWNER), event, body).into_iter().nth(1) {
        Some(Event::Repository(reading)) => *reading,
        other => panic!("no reading but {other:?}"),
    }
}

#[test]
fn any_event_with_a_repository_reads_it_known_or_not() {
    for event in ["issues", "check_run", "watch", "release", "member", "not_yet_invented"] {
        let (events, kind) = try_tell(account(OWNER), event, &with_repository("")).unwrap();
        assert_eq!(events.len(), 2, "{event}");
        let known = event != "not_yet_invented";
        assert_eq!(kind, if known { TranslatedKind::Projected } else { TranslatedKind::Unknown }, "{event}");
    }
}

#[test]
fn the_gauges_clock_is_the_newest_of_what_moves_them() {
    let newest = |fields: &str| {
        let reading = reading("issues", &with_repository(fields));
        (reading.counted_at, reading.as_of)
    };
    let later = Second(UPDATED.0 + 60);
    let text = later.to_string();
    assert_eq!(newest(""), (Some(UPDATED), Some(UPDATED)));
    assert_eq!(newest(&format!(r#""issue":{{"updated_at":"{text}"}}"#)), (Some(later), Some(later)));
    assert_eq!(newest(&format!(r#""pull_request":{{"updated_at":"{text}"}}"#)), (Some(later), Some(later)));
    assert_eq!(newest(&format!(r#""forkee":{{"created_at":"{text}"}}"#)), (Some(later), Some(later)));
    // These tell when something happened, but not that forks or open issues were counted then.
    assert_eq!(newest(&format!(r#""issue":{{"closed_at":"{text}"}}"#)), (Some(UPDATED), Some(later)));
    assert_eq!(newest(&format!(r#""pull_request":{{"merged_at":"{text}"}}"#)), (Some(UPDATED), Some(later)));
    assert_eq!(newest(&format!(r#""starred_at":"{text}""#)), (Some(UPDATED), Some(later)));
    assert_eq!(newest(&format!(r#""release":{{"published_at":"{text}"}}"#)), (Some(UPDATED), Some(later)));
    assert_eq!(newest(&format!(r#""comment":{{"created_at":"{text}"}}"#)), (Some(UPDATED), Some(later)));
    // Commits carry whatever clock their author has.
    assert_eq!(newest(&format!(r#""head_commit":{{"timestamp":"{text}"}}"#)), (Some(UPDATED), Some(UPDATED)));
    assert_eq!(newest(&format!(r#""release":{{"created_at":"{text}"}}"#)), (Some(UPDATED), Some(UPDATED)));
}

#[test]
fn a_payload_without_an_owner_belongs_to_the_organization_or_installation() {
    let ownerless = with_repository("").replace("\"id\":21031067,", "");
    for claim in [r#""organization":{"id":7}"#, r#""installation":{"account":{"id":7}}"#] {
        let body = format!("{{{claim},{}", &ownerless[1..]);
        assert_eq!(route("issues", body.as_bytes()).unwrap(), [account(7)]);
        let events = tell(account(7), "issues", &body);
        let Some(Event::Repository(reading)) = events.get(1) else { panic!("{events:?}") };
        let owner = reading.owner.as_ref().unwrap();
        assert_eq!((owner.id, owner.login.as_str()), (AccountId::github(7), "Codertocat"));
    }
    assert_eq!(
        try_tell(StreamKey::Service, "issues", &ownerless).unwrap(),
        (vec![], TranslatedKind::Ignored)
    );
}

#[test]
fn other_accounts_hear_nothing_of_it() {
    for event in ["issues", "push", "pull_request", "repository", "create", "public", "organization"] {
        let body = with_repository(r#""action":"renamed","ref":"refs/heads/main","ref_type":"branch""#);
        assert_eq!(
            try_tell(account(OTHER), event, &body).unwrap(),
            (vec![], TranslatedKind::Ignored),
            "{event}"
        );
    }
}

#[test]
fn pings_and_the_hooks_own_end_change_nothing() {
    for event in ["ping", "meta"] {
        let told = try_tell(account(OWNER), event, &with_repository("")).unwrap();
        assert_eq!(told, (vec![], TranslatedKind::Ignored), "{event}");
    }
}

#[test]
fn what_cannot_be_folded_is_named() {
    let nameless = with_repository("").replace("\"id\":186853002,", "\"id\":\"186853002\",");
    for event in ["issues", "not_yet_invented", "star"] {
        let error = try_tell(account(OWNER), event, &nameless).unwrap_err();
        assert_eq!(error, TranslateError::MissingId("repository"), "{event}");
        assert_eq!(error.to_string(), "`repository` has no id, or one that is no positive integer");
    }
    assert_eq!(try_tell(account(OWNER), "push", "[]").unwrap_err(), TranslateError::NotJson(NotJson));
    assert_eq!(try_tell(StreamKey::Service, "push", "{").unwrap_err(), TranslateError::NotJson(NotJson));

    let day = 24 * 60 * 60;
    for (field, json) in [
        ("repository", with_repository("").replace("2019-05-15T15:20:41Z", "NEVER")),
        ("issue", with_repository(r#""issue":{"updated_at":"NEVER"}"#)),
        ("starred_at", with_repository(r#""starred_at":"NEVER""#)),
    ] {
        let at = |seconds: i64| Second(RECEIVED.to_second().0 + seconds).to_string();
        let ahead = json.replace("NEVER", &at(day + 1));
        assert_eq!(
            try_tell(account(OWNER), "issues", &ahead).unwrap_err(),
            TranslateError::FutureTime(field)
        );
        assert!(try_tell(account(OWNER), "issues", &json.replace("NEVER", &at(day))).is_ok(), "{field}");
    }
}

#[test]
fn the_table_is_sorted_and_answers_with_its_own_names() {
    assert!(RULES.is_sorted_by(|(a, _), (b, _)| a < b));
    assert_eq!(known_event("push"), Some("push"));
    assert_eq!(known_event("not_yet_invented"), None);
}
