//! Old names: answered, or led to the new ones.

use domain::{AccountId, Event, RepoId, RowKey, StreamKey, Version, directory::Alias};
use view_store::{Row, ViewStore};

use crate::{
    bench::{Bench, patient, start},
    forge::{Account, HUBOT, OCTO, just_now},
};

const RENAMED: Account = Account { number: OCTO.number, login: "Octa" };

#[tokio::test]
async fn a_renamed_account_is_led_to_and_s0_answers() {
    let bench = Bench::new(patient()).await;
    OCTO.settle(&bench, &[(1, "a")]).await;
    bench.answer(OCTO.stream(), vec![RENAMED.profile()]).await;

    for (old, new) in [
        ("/v1/accounts/octo", "/v1/accounts/Octa"),
        ("/v1/accounts/octo?x=1&y=%20", "/v1/accounts/Octa?x=1&y=%20"),
        ("/v1/accounts/octo/repos?page=2", "/v1/accounts/Octa/repos?page=2"),
        ("/v1/repos/octo/A", "/v1/repos/Octa/a"),
    ] {
        let reply = bench.get(old).await;
        assert_eq!((reply.status.as_u16(), reply.header("location")), (301, new), "{old}");
        assert_eq!(reply.header("cache-control"), "public, no-cache", "the name may get another owner");
        assert!(reply.body.is_empty());
        assert_eq!(bench.get(new).await.status, 200, "{new}");
    }
    let reply = bench.get("/githubPayload?user=octo").await;
    assert_eq!((reply.status.as_u16(), &reply.json()["user"]["githubHandle"]), (200, &"Octa".into()));
}

#[tokio::test]
async fn a_renamed_repository_is_led_to_until_another_has_its_name() {
    let bench = Bench::new(patient()).await;
    OCTO.settle(&bench, &[(1, "old")]).await;
    let mut renamed = OCTO.repository(1, "new");
    renamed.updated_at = Some(start());
    let from = Event::RenamedFrom { repo: RepoId::github(1), name: "old".into(), at: start() };
    bench.deliver(OCTO.stream(), vec![Event::Repository(Box::new(renamed)), from]).await;
    let reply = bench.get("/v1/repos/octo/old").await;
    assert_eq!((reply.status.as_u16(), reply.header("location")), (301, "/v1/repos/Octo/new"));
    assert_eq!(bench.get("/v1/repos/octo/new").await.status, 200);

    bench.answer(OCTO.stream(), OCTO.everything_about(2, "old", 5)).await;
    let reply = bench.get("/v1/repos/octo/old").await;
    assert_eq!((reply.status.as_u16(), &reply.json()["counts"]["commits"]), (200, &5.into()));
}

#[tokio::test]
async fn a_moved_repository_is_led_to_only_where_its_new_owner_shows_it() {
    let bench = Bench::new(patient()).await;
    OCTO.settle(&bench, &[(1, "tool")]).await;
    let to = HUBOT.id();
    let moved = Event::RepositoryMoved { repo: RepoId::github(1), to, at: just_now() };
    bench.deliver(OCTO.stream(), vec![moved]).await;
    bench.get("/v1/repos/octo/tool").await.problem(404, "not-found");

    HUBOT.settle(&bench, &[(1, "tool")]).await;
    let reply = bench.get("/v1/repos/octo/tool").await;
    assert_eq!((reply.status.as_u16(), reply.header("location")), (301, "/v1/repos/hubot/tool"));

    bench.command(HUBOT.stream(), vec![Event::Untracked]).await;
    bench.get("/v1/repos/octo/tool").await.problem(404, "not-found");
    bench.command(HUBOT.stream(), vec![Event::Tracked(domain::event::TrackedBy::Person)]).await;
    assert_eq!(bench.get("/v1/repos/octo/tool").await.status, 301);
    HUBOT.hide(&bench, 1).await;
    bench.get("/v1/repos/octo/tool").await.problem(404, "not-found");
}

#[tokio::test]
async fn a_login_that_was_given_to_another_account_leads_there() {
    let bench = Bench::new(patient()).await;
    OCTO.settle(&bench, &[(1, "a")]).await;
    assert_eq!(bench.get("/v1/accounts/octo").await.json()["account"]["id"], OCTO.number);
    let heir = Account { number: 500, login: "octo" };
    heir.settle(&bench, &[]).await;
    // The heir's profile was answered later than its predecessor's.
    let key = RowKey::Alias(domain::Forge::GitHub, "octo".to_owned());
    let later = Alias { account: AccountId::github(500) };
    let version = Version::from_raw(Alias::version(start()).as_raw() + 1);
    let row = Row { key: key.clone(), version, value: later.encode().into() };
    bench.store.write(vec![row.clone()]).await.unwrap();
    use view_store::{Hint, Hints as _};
    bench.hints.publish(vec![Hint::Row { key, version, value: Some(row.value) }]);
    bench.settle().await;
    assert_eq!(bench.get("/v1/accounts/octo").await.json()["account"]["id"], 500);
    assert_eq!(bench.commands_of(StreamKey::Service).await.len(), 1);
}
