//! Installations, organisations, renamed accounts.

use super::*;

const INSTALLATION: &str =
    r#""installation":{"id":2,"account":{"login":"Codertocat","id":21031067,"type":"User"}}"#;

#[test]
fn an_installation_brings_repositories_into_reach() {
    let stubs = r#"[{"id":1,"name":"a","full_name":"Codertocat/a","private":true},{"name":"no id"},7]"#;
    for (event, body) in [
        ("installation", format!(r#"{{"action":"created",{INSTALLATION},"repositories":{stubs}}}"#)),
        ("installation", format!(r#"{{"action":"unsuspend",{INSTALLATION},"repositories":{stubs}}}"#)),
        (
            "installation_repositories",
            format!(r#"{{"action":"added",{INSTALLATION},"repositories_added":{stubs}}}"#),
        ),
    ] {
        let events = tell(account(OWNER), event, &body);
        let [
            Event::Tracked(TrackedBy::Delivery),
            Event::Owner(owner),
            Event::Repository(stub),
            Event::RepositoriesAdded,
        ] = events.as_slice()
        else {
            panic!("{events:?}")
        };
        assert_eq!(owner.login.as_str(), "Codertocat");
        let expected = RepositoryReading {
            name: Some("a".into()),
            private: Some(true),
            ..RepositoryReading::of(RepoId::github(1))
        };
        assert_eq!(**stub, expected);
    }
}

#[test]
fn an_installation_that_ends_takes_some_or_all_with_it() {
    for action in ["deleted", "suspend"] {
        let body = format!(r#"{{"action":"{action}",{INSTALLATION},"repositories":[{{"id":1}}]}}"#);
        assert_eq!(tell(account(OWNER), "installation", &body), [Event::InstallationLeft { repos: None }]);
    }
    let some =
        format!(r#"{{"action":"removed",{INSTALLATION},"repositories_removed":[{{"id":1}},{{"id":2}}]}}"#);
    let repos = Some(vec![RepoId::github(1), RepoId::github(2)]);
    assert_eq!(tell(account(OWNER), "installation_repositories", &some), [Event::InstallationLeft { repos }]);
    let silent = format!(r#"{{"action":"removed",{INSTALLATION}}}"#);
    let unclear = [Event::Unclear(NeedKey::Repositories)];
    assert_eq!(tell(account(OWNER), "installation_repositories", &silent), unclear);
    let strange = format!(r#"{{"action":"upgraded",{INSTALLATION}}}"#);
    assert_eq!(
        try_tell(account(OWNER), "installation", &strange).unwrap(),
        (vec![], TranslatedKind::Unknown)
    );
}

#[test]
fn renamed_accounts_tell_their_new_login() {
    let renamed = r#"{"action":"renamed","changes":{"login":{"from":"Octocoders"}},"organization":{"login":"octo-org","id":7}}"#;
    let events = tell(account(7), "organization", renamed);
    let [Event::Owner(owner)] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((owner.login.as_str(), owner.kind.as_deref()), ("octo-org", Some("Organization")));

    let user =
        r#"{"action":"renamed","account":{"login":"octo","id":7,"type":"User"},"installation":{"id":2}}"#;
    assert_eq!(route("installation_target", user.as_bytes()).unwrap(), [account(7)]);
    let events = tell(account(7), "installation_target", user);
    assert!(matches!(events.as_slice(), [Event::Owner(owner)] if owner.login.as_str() == "octo"));

    let nameless = user.replace("\"login\":\"octo\",", "");
    assert_eq!(tell(account(7), "installation_target", &nameless), [Event::Unclear(NeedKey::Profile)]);
}

#[test]
fn other_events_of_an_organization_are_kept_and_change_nothing() {
    let body = |action: &str| format!(r#"{{"action":"{action}","organization":{{"login":"octo","id":7}}}}"#);
    assert_eq!(tell(account(7), "organization", &body("deleted")), [Event::Unclear(NeedKey::Profile)]);
    for (event, action) in [("organization", "member_added"), ("membership", "added"), ("team", "created")] {
        let told = try_tell(account(7), event, &body(action)).unwrap();
        assert_eq!(told, (vec![], TranslatedKind::Ignored), "{event}.{action}");
    }
    let told = try_tell(account(7), "organization", &body("dissolved")).unwrap();
    assert_eq!(told, (vec![], TranslatedKind::Unknown));
}
