//! Pushes, branches, pull requests.

use super::*;

const BEFORE: &str = "6113728f27ae82c7b1a177c8d03f9e96e0adf246";
const AFTER: &str = "0d1a26e67d8f5eaf1f6ba5c57fc3c7d91ac0fd1c";

fn push(fields: &str, count: usize) -> String {
    let mut commits = vec![format!(r#"{{"id":"{BEFORE}","distinct":false}}"#); count.saturating_sub(1)];
    commits.push(format!(r#"{{"id":"{AFTER}","distinct":true}}"#));
    with_repository(&format!(
        r#""ref":"refs/heads/main","before":"{BEFORE}","after":"{AFTER}","created":false,"deleted":false,"forced":false,
        "commits":[{}]{fields}"#,
        commits.join(",")
    ))
}

fn pushed(body: &str) -> domain::event::Push<'static> {
    match own_facts("push", body).pop() {
        Some(Event::Push(push)) => push,
        other => panic!("no push but {other:?}"),
    }
}

#[test]
fn a_plain_push_tells_how_many_commits_it_added() {
    let push = pushed(&push("", 3));
    assert_eq!(push.branch.as_deref(), Some("main"));
    assert_eq!(push.default_branch.as_deref(), Some("main"));
    assert_eq!(push.before.unwrap().to_string(), BEFORE);
    assert_eq!(push.after.unwrap().to_string(), AFTER);
    assert_eq!(push.added, Some(3), "commits that another branch had count too");
    assert_eq!(push.pushed_at, Some(Second(UPDATED.0 - 8)));
}

#[test]
fn whatever_speaks_against_the_list_makes_it_a_doubt() {
    let plain = push("", 2);
    let zeros = "0".repeat(40);
    let doubtful = [
        plain.replace("\"created\":false", "\"created\":true"),
        plain.replace("\"deleted\":false", "\"deleted\":true"),
        plain.replace("\"forced\":false", "\"forced\":true"),
        plain.replace("\"created\":false,", ""),
        plain.replace("\"deleted\":false,", ""),
        plain.replace("\"forced\":false,", ""),
        plain.replace("\"forced\":false", "\"forced\":null"),
        plain.replace("\"forced\":false", "\"forced\":\"no\""),
        plain.replace("\"commits\":", "\"changes\":"),
        plain.replace(&format!("\"after\":\"{AFTER}\""), &format!("\"after\":\"{BEFORE}\"")),
        plain.replace(&format!("\"after\":\"{AFTER}\""), "\"after\":\"main\""),
        plain.replace(&format!("\"after\":\"{AFTER}\""), &format!("\"after\":\"{zeros}\"")),
        plain.replace(&format!("\"before\":\"{BEFORE}\""), &format!("\"before\":\"{zeros}\"")),
        plain.replace(&format!("\"id\":\"{AFTER}\""), "\"id\":7"),
        push(r#","size":5"#, 2),
        push(r#","total_commits":5"#, 2),
        push("", 2048),
    ];
    for body in doubtful {
        assert_ne!(body, plain);
        assert_eq!(pushed(&body).added, None, "{body}");
    }
    assert_eq!(pushed(&push("", 2047)).added, Some(2047));
    assert_eq!(pushed(&push(r#","size":2"#, 2)).added, Some(2));
    let empty = push("", 1).replace(&format!(r#"[{{"id":"{AFTER}","distinct":true}}]"#), "[]");
    assert_eq!(pushed(&empty).added, None);
}

#[test]
fn branches_are_told_from_everything_else() {
    let plain = push("", 1);
    let to = |git_ref: &str| plain.replace("\"refs/heads/main\"", git_ref);
    assert_eq!(pushed(&to("\"refs/heads/feature/a\\u00fc\"")).branch.as_deref(), Some("feature/aü"));
    for tag in ["\"refs/tags/main\"", "\"refs/notes/commits\"", "\"refs/pull/1/head\""] {
        assert_eq!(own_facts("push", &to(tag)), [], "{tag}");
    }
    for unclear in ["\"main\"", "\"refs/heads/\"", "7", "null"] {
        assert_eq!(pushed(&to(unclear)).branch, None, "{unclear}");
    }
    assert_eq!(pushed(&plain.replace("\"ref\":\"refs/heads/main\",", "")).branch, None);
}

#[test]
fn created_and_deleted_branches_are_touched_and_tags_are_not() {
    let touched = [Event::BranchTouched { repo: repo(), branch: "main".into() }];
    for event in ["create", "delete"] {
        let tell = |fields: &str| own_facts(event, &with_repository(fields));
        assert_eq!(tell(r#""ref":"main","ref_type":"branch""#), touched);
        assert_eq!(tell(r#""ref":"refs/heads/main","ref_type":"branch""#), touched);
        assert_eq!(tell(r#""ref":"main","ref_type":"tag""#), []);
        for unclear in [r#""ref":"main""#, r#""ref_type":"branch""#, r#""ref":"","ref_type":"branch""#] {
            assert_eq!(tell(unclear), [Event::Unclear(NeedKey::Commits(repo()))], "{unclear}");
        }
    }
}

#[test]
fn every_event_with_a_pull_request_tells_its_state() {
    let open = r#""action":"anything","number":2,"pull_request":{"number":2,"state":"open","updated_at":"2019-05-15T15:20:33Z","merged_at":null}"#;
    let told =
        PullReading { repo: repo(), number: 2, state: PullState::Open, updated_at: Second(UPDATED.0 - 8) };
    for event in
        ["pull_request", "pull_request_review", "pull_request_review_comment", "pull_request_review_thread"]
    {
        assert_eq!(own_facts(event, &with_repository(open)), [Event::Pull(told)], "{event}");
    }
    let merged = open.replace("\"open\"", "\"closed\"").replace("null", "\"2019-05-15T15:20:33Z\"");
    let told = PullReading { state: PullState::Merged, ..told };
    assert_eq!(own_facts("pull_request_review", &with_repository(&merged)), [Event::Pull(told)]);
}

#[test]
fn a_partial_pull_request_is_a_doubt() {
    let closed = r#""pull_request":{"number":2,"state":"closed","updated_at":"2019-05-15T15:20:33Z"}"#;
    for fields in [closed, r#""pull_request":7"#, r#""number":2"#] {
        let unclear = [Event::Unclear(NeedKey::Pulls(repo()))];
        assert_eq!(own_facts("pull_request", &with_repository(fields)), unclear, "{fields}");
    }
}
