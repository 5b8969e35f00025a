//! Stars, forks, and what becomes of a repository.

use super::*;

#[test]
fn a_star_is_told_to_the_owner_and_to_the_starrer() {
    let body = with_repository(r#""action":"created","starred_at":"2019-05-15T15:20:40Z""#);
    assert_eq!(route("star", body.as_bytes()).unwrap(), [account(OWNER), account(OTHER)]);
    let star = StarReading {
        repo: repo(),
        owner: AccountId::github(OWNER),
        starrer: AccountId::github(OTHER),
        login: None,
        given: true,
        at: Second(UPDATED.0 - 1),
    };
    assert_eq!(own_facts("star", &body), [Event::Star(star.clone())]);
    assert_eq!(tell(account(OTHER), "star", &body), [Event::Star(star.clone())]);

    let named = body.replace("\"sender\":{", "\"sender\":{\"login\":\"ada\",");
    let by_ada = StarReading { login: Some("ada".into()), ..star.clone() };
    assert_eq!(own_facts("star", &named), [Event::Star(by_ada)]);

    let taken = with_repository(r#""action":"deleted","starred_at":null"#);
    let star = StarReading { given: false, at: UPDATED, ..star };
    assert_eq!(own_facts("star", &taken), [Event::Star(star.clone())]);
    assert_eq!(tell(account(OTHER), "star", &taken), [Event::Star(star.clone())]);

    // The time at which it was given is not the one at which it was taken.
    let since = taken.replace("\"starred_at\":null", "\"starred_at\":\"2019-05-15T15:20:40Z\"");
    assert_eq!(tell(account(OTHER), "star", &since), [Event::Star(star.clone())]);

    let timeless = taken.replace("\"updated_at\"", "\"changed_at\"");
    let star = StarReading { at: RECEIVED.to_second(), ..star };
    assert_eq!(tell(account(OTHER), "star", &timeless), [Event::Star(star.clone())]);
}

#[test]
fn who_stars_their_own_repository_is_told_once() {
    let body = with_repository(r#""action":"created""#)
        .replace("\"sender\":{\"id\":583231}", "\"sender\":{\"id\":21031067}");
    assert_eq!(route("star", body.as_bytes()).unwrap(), [account(OWNER)]);
    assert_eq!(own_facts("star", &body).len(), 1);
}

#[test]
fn stars_of_nobody_and_unknown_actions_leave_only_the_reading() {
    let nobody = with_repository(r#""action":"created""#).replace("\"sender\"", "\"by\"");
    assert_eq!(own_facts("star", &nobody), []);
    let (events, kind) =
        try_tell(account(OWNER), "star", &with_repository(r#""action":"polished""#)).unwrap();
    assert_eq!((events.len(), kind), (2, TranslatedKind::Unknown));
}

#[test]
fn a_fork_is_a_repository_of_its_owner_who_is_not_tracked_by_it() {
    let forkee = REPOSITORY
        .replace("186853002", "186853007")
        .replace("21031067", "583231")
        .replace("2019-05-15T15:19:25Z", "2019-05-15T15:20:42Z");
    let body = with_repository(&format!("\"forkee\":{forkee}"));
    assert_eq!(route("fork", body.as_bytes()).unwrap(), [account(OWNER), account(OTHER)]);
    assert_eq!(own_facts("fork", &body), []);
    assert_eq!(reading("fork", &body).counted_at, Some(Second(UPDATED.0 + 1)));

    let events = tell(account(OTHER), "fork", &body);
    let [Event::Repository(fork)] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((fork.id, fork.fork), (RepoId::github(186_853_007), Some(true)));
    assert_eq!(fork.owner.as_ref().unwrap().id, AccountId::github(OTHER));

    let same = with_repository(&format!("\"forkee\":{}", forkee.replace("583231", "21031067")));
    let facts = own_facts("fork", &same);
    assert!(matches!(facts.as_slice(), [Event::Repository(fork)] if fork.id == RepoId::github(186_853_007)));

    let nameless = body.replace("186853007", "null");
    assert_eq!(try_tell(account(OTHER), "fork", &nameless).unwrap_err(), TranslateError::MissingId("forkee"));
    assert!(try_tell(account(OWNER), "fork", &nameless).is_ok());
}

#[test]
fn repository_events_tell_what_became_of_it() {
    let (repo, at) = (repo(), UPDATED);
    let hidden = |why| vec![Event::RepositoryHidden { repo, at, why }];
    for (fields, facts) in [
        (r#""action":"created""#, vec![]),
        (r#""action":"archived""#, vec![]),
        (r#""action":"unarchived""#, vec![]),
        (r#""action":"edited","changes":{"description":{"from":null}}"#, vec![]),
        (
            r#""action":"edited","changes":{"default_branch":{"from":"master"}}"#,
            vec![Event::DefaultBranchChanged { repo }],
        ),
        (
            r#""action":"renamed","changes":{"repository":{"name":{"from":"Bye"}}}"#,
            vec![Event::RenamedFrom { repo, name: "Bye".into(), at }],
        ),
        (r#""action":"renamed""#, vec![]),
        (r#""action":"transferred","changes":{"owner":{"from":{"user":{"id":583231}}}}"#, vec![]),
        (r#""action":"privatized""#, hidden(HiddenWhy::Private)),
        (r#""action":"deleted""#, hidden(HiddenWhy::Deleted)),
        (r#""action":"publicized""#, vec![Event::RepositoryPublished { repo, at }]),
    ] {
        assert_eq!(own_facts("repository", &with_repository(fields)), facts, "{fields}");
    }
    assert_eq!(own_facts("public", &with_repository("")), [Event::RepositoryPublished { repo, at }]);
    let (_, kind) =
        try_tell(account(OWNER), "repository", &with_repository(r#""action":"painted""#)).unwrap();
    assert_eq!(kind, TranslatedKind::Unknown);
}

#[test]
fn the_former_owner_hears_where_a_repository_went() {
    let body = with_repository(
        r#""action":"transferred","changes":{"owner":{"from":{"organization":{"id":583231}}}}"#,
    );
    assert_eq!(route("repository", body.as_bytes()).unwrap(), [account(OWNER), account(OTHER)]);
    let moved = Event::RepositoryMoved { repo: repo(), to: AccountId::github(OWNER), at: UPDATED };
    assert_eq!(tell(account(OTHER), "repository", &body), [moved]);

    let edited = body.replace("transferred", "edited");
    assert_eq!(tell(account(OTHER), "repository", &edited), []);

    let ownerless = body.replace("\"id\":21031067,", "");
    assert_eq!(route("repository", ownerless.as_bytes()).unwrap(), [StreamKey::Service, account(OTHER)]);
    let unclear = Event::Unclear(NeedKey::Repository(repo()));
    assert_eq!(tell(account(OTHER), "repository", &ownerless), [unclear]);
}
