//! What is renamed, handed over, hidden or deleted: old names lead on, and what must not be shown is gone as soon
//! as its delivery is folded, also after a restart with the forge away.

use fake_github::{AccountId, FakeConfig, HookTarget, NewHook, NewRepository, RepoId, faults::RequestFault};

use super::{
    ground::Ground,
    support::{
        SECRET,
        forge::{Forge, TOKEN},
        process::{Service, Setup},
        reader::Reader,
        seconds,
        sender::{Delivery, Sender},
        truth::until_true,
    },
};

const WITHIN: std::time::Duration = seconds(60);

/// Two people and an organisation, each with repositories of a few commits.
async fn forge(seed: u64) -> Forge {
    let config = FakeConfig { seed, limit_authorised: 1_000_000, ..FakeConfig::default() };
    let mut forge = Forge::empty(config).await;
    forge.owners = forge.fake.world(|world| {
        let ada = world.create_user("ada").unwrap();
        let grace = world.create_user("grace").unwrap();
        let guild = world.create_organization("guild", ada).unwrap();
        for (owner, names) in
            [(ada, ["engine", "tables"]), (grace, ["compiler", "notes"]), (guild, ["hall", "yard"])]
        {
            for (count, name) in names.into_iter().enumerate() {
                let repo = world.create_repository(owner, NewRepository::public(name)).unwrap();
                world.push_commits(repo, "main", count + 2).unwrap();
                world.star(repo, grace).unwrap();
            }
        }
        world.accept_token(TOKEN, ada);
        vec![ada, grace, guild]
    });
    forge
}

fn id_of(forge: &Forge, owner: &str, name: &str) -> RepoId {
    forge.fake.world(|world| world.repository_id(owner, name)).unwrap()
}

/// That a path leads to another.
async fn assert_leads(reader: &Reader, from: &str, to: &str) {
    let answer = reader.get(from).await;
    assert_eq!((answer.status, answer.header("location")), (301, Some(to)), "{from}: {}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn old_names_lead_to_new_ones_until_somebody_takes_them() {
    let Some(ground) = Ground::new("names that lead on").await else { return };
    let mut forge = forge(61).await;
    let setup = ground.setup(&forge).await.with("TRACK", &forge.track());
    let service = setup.serve().await;
    let reader = service.reader();
    until_true(&forge, &reader, WITHIN).await;
    forge.hook(&service);
    let engine = id_of(&forge, "ada", "engine");

    forge.fake.world(|world| world.rename_repository(engine, "mill")).unwrap();
    forge.fake.settle().await;
    until_true(&forge, &reader, WITHIN).await;
    assert_leads(&reader, "/v1/repos/ada/engine", "/v1/repos/ada/mill").await;
    let [ada, grace, _] = forge.owners[..] else { panic!("there are three") };
    let heir = forge.fake.world(|world| {
        let heir = world.create_repository(ada, NewRepository::public("engine")).unwrap();
        world.push_commits(heir, "main", 1).unwrap();
        heir
    });
    forge.fake.settle().await;
    until_true(&forge, &reader, WITHIN).await;
    let shown = reader.get("/v1/repos/ada/engine").await.ok().json();
    assert_eq!(shown["repository"]["id"], heir.0);

    forge.fake.world(|world| world.rename_account(ada, "lovelace")).unwrap();
    forge.fake.settle().await;
    until_true(&forge, &reader, WITHIN).await;
    for (from, to) in [
        ("/v1/accounts/ada", "/v1/accounts/lovelace"),
        ("/v1/accounts/ada/repos?per_page=2&page=1", "/v1/accounts/lovelace/repos?per_page=2&page=1"),
        ("/v1/repos/ada/tables", "/v1/repos/lovelace/tables"),
    ] {
        assert_leads(&reader, from, to).await;
    }
    let payload = reader.get("/githubPayload?user=ada").await.ok().json();
    assert_eq!(payload["user"]["githubHandle"], "lovelace", "S0 answers under the old name");

    let tables = id_of(&forge, "lovelace", "tables");
    forge.fake.world(|world| world.transfer_repository(tables, grace)).unwrap();
    forge.fake.settle().await;
    until_true(&forge, &reader, WITHIN).await;
    assert_leads(&reader, "/v1/repos/lovelace/tables", "/v1/repos/grace/tables").await;

    // All of it after a restart too.
    service.terminate().await.done();
    let service = setup.serve().await;
    let reader = service.reader();
    until_true(&forge, &reader, WITHIN).await;
    assert_leads(&reader, "/v1/repos/lovelace/tables", "/v1/repos/grace/tables").await;
    assert_leads(&reader, "/v1/accounts/ada", "/v1/accounts/lovelace").await;

    // Somebody else is called so now.
    let new_ada = forge.fake.world(|world| {
        let new_ada = world.create_user("ada").unwrap();
        let repo = world.create_repository(new_ada, NewRepository::public("poems")).unwrap();
        world.push_commits(repo, "main", 2).unwrap();
        new_ada
    });
    let told = forge.fake.deliveries().len();
    forge.hook(&service);
    forge.fake.world(|world| world.push_commits(id_of_world(world, new_ada), "main", 1)).unwrap();
    forge.fake.settle().await;
    assert!(forge.fake.deliveries().len() > told);
    forge.owners.push(new_ada);
    until_true(&forge, &reader, WITHIN).await;
}

fn id_of_world(world: &fake_github::World, owner: AccountId) -> RepoId {
    let mut all = world.repositories().into_iter();
    all.find(|id| world.truth(*id).is_some_and(|truth| truth.owner == owner)).unwrap()
}

/// The service, and what it takes to see that something is folded.
struct Place {
    forge: Forge,
    setup: Setup,
    service: Service,
    reader: Reader,
    _ground: Ground,
}

impl Place {
    async fn new(seed: u64) -> Option<Self> {
        let ground = Ground::new("what is hidden").await?;
        let forge = forge(seed).await;
        let setup = ground.setup(&forge).await.with("TRACK", &forge.track());
        let service = setup.serve().await;
        let reader = service.reader();
        until_true(&forge, &reader, WITHIN).await;
        forge.hook(&service);
        // Of deletions only an organisation's hook hears.
        let hook = NewHook::new(HookTarget::Organization(forge.owners[2]), service.hook_url(), SECRET);
        forge.fake.world(|world| world.create_hook(hook)).unwrap();
        forge.fake.settle().await;
        Some(Place { forge, setup, service, reader, _ground: ground })
    }

    /// Returns when everything that was acknowledged for an account is folded: so is the command that comes
    /// after it.
    async fn folded(&self, login: &str) {
        self.forge.fake.settle().await;
        self.setup.talking_to(&self.service).run(&["track", login]).await.done();
    }

    /// That a repository is shown nowhere.
    async fn assert_hidden(&self, owner: &str, name: &str) {
        self.reader.get(&format!("/v1/repos/{owner}/{name}")).await.refused(404);
        let list = self.reader.get(&format!("/v1/accounts/{owner}/repos")).await.ok().text();
        let payload = self.reader.get(&format!("/githubPayload?user={owner}")).await.ok().text();
        for text in [list, payload] {
            assert!(!text.contains(name), "{name} is shown: {text}");
        }
    }

    /// Kills the service, and starts it again while the forge is away.
    async fn restarted_alone(self) -> Self {
        self.forge.fake.faults().on_requests("*", RequestFault::ServerError(503), None);
        self.service.kill().await;
        let service = self.setup.serve().await;
        service.ready().await;
        let reader = service.reader();
        Place { service, reader, ..self }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_went_private_is_gone_at_once_and_stays_gone() {
    let Some(place) = Place::new(62).await else { return };
    let forge = &place.forge;
    let notes = id_of(forge, "grace", "notes");
    forge.fake.world(|world| world.push_commits(notes, "main", 1)).unwrap();
    forge.fake.settle().await;
    let push = forge.fake.deliveries().into_iter().rfind(|delivery| delivery.event == "push").unwrap();

    forge.fake.world(|world| world.rename_repository(notes, "diary")).unwrap();
    place.folded("grace").await;
    assert_leads(&place.reader, "/v1/repos/grace/notes", "/v1/repos/grace/diary").await;
    forge.fake.world(|world| world.privatize_repository(notes)).unwrap();
    place.folded("grace").await;
    place.assert_hidden("grace", "diary").await;
    place.reader.get("/v1/repos/grace/notes").await.refused(404);
    until_true(forge, &place.reader, WITHIN).await;

    // A late copy of what it told when it was public opens nothing; nor does a restart.
    let late = Delivery::new("push", &push.guid, push.payload.to_vec()).by_another_hook();
    Sender::new().accepted(place.service.api, &late).await;
    place.folded("grace").await;
    place.assert_hidden("grace", "diary").await;
    let place = place.restarted_alone().await;
    place.assert_hidden("grace", "diary").await;
    place.reader.get("/v1/repos/grace/notes").await.refused(404);

    let forge = &place.forge;
    forge.fake.faults().stop();
    // The hooks lead to where the process was, and what is told there now nobody hears before the next sweep.
    forge.hook(&place.service);
    // Within one of GitHub's seconds private beats public.
    forge.next_second().await;
    forge.fake.world(|world| {
        world.publicize_repository(notes).unwrap();
        world.push_commits(notes, "main", 1).unwrap();
    });
    until_true(forge, &place.reader, WITHIN).await;
    place.reader.get("/v1/repos/grace/diary").await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_deleted_is_gone_at_once_and_its_name_is_free() {
    let Some(place) = Place::new(63).await else { return };
    let forge = &place.forge;
    let yard = id_of(forge, "guild", "yard");
    forge.fake.world(|world| world.push_commits(yard, "main", 1)).unwrap();
    forge.fake.settle().await;
    let push = forge.fake.deliveries().into_iter().rfind(|delivery| delivery.event == "push").unwrap();
    forge.fake.world(|world| world.delete_repository(yard)).unwrap();
    place.folded("guild").await;
    place.assert_hidden("guild", "yard").await;

    let late = Delivery::new("push", "late-push", push.payload.to_vec());
    Sender::new().accepted(place.service.api, &late).await;
    place.folded("guild").await;
    place.assert_hidden("guild", "yard").await;
    until_true(forge, &place.reader, WITHIN).await;

    let place = place.restarted_alone().await;
    place.assert_hidden("guild", "yard").await;
    let forge = &place.forge;
    forge.fake.faults().stop();
    forge.hook(&place.service);
    let heir = forge.fake.world(|world| {
        let heir = world.create_repository(forge.owners[2], NewRepository::public("yard")).unwrap();
        world.push_commits(heir, "main", 9).unwrap();
        heir
    });
    forge.fake.settle().await;
    until_true(forge, &place.reader, WITHIN).await;
    let shown = place.reader.get("/v1/repos/guild/yard").await.ok().json();
    assert_eq!(shown["repository"]["id"], heir.0);

    // Nobody is told of this one: neither the App nor its own hooks hear of it, only the next question does.
    let compiler = id_of(forge, "grace", "compiler");
    forge.fake.world(|world| world.delete_repository(compiler)).unwrap();
    place.setup.talking_to(&place.service).run(&["backfill", "grace"]).await.done();
    place.assert_hidden("grace", "compiler").await;
    until_true(forge, &place.reader, WITHIN).await;
}
