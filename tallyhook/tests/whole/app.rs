//! A GitHub App in place of a token: the account that it is installed on is loaded with its installation's tokens alone,
//! which are renewed when they end; a suspended installation is left alone; what the App sent in vain is taken from
//! GitHub's record of it; the doctor names what is wrong with it. Its secrets are in no log.

use std::time::Duration;

use fake_github::{AccountId, AppKeys, Clock, FakeConfig, RequestRecord};
use github::client::APP_EVENTS;
use serde_json::Value;
use tempfile::TempDir;

use super::support::{
    forge::Forge,
    process::{Ended, Service, Setup},
    seconds,
    truth::{differences, until_true},
    until,
};

const WITHIN: Duration = seconds(90);

/// Nobody listens there.
const NOWHERE: &str = "http://127.0.0.1:9/webhooks/github";

/// Another App's.
const OTHER_KEY: &str = include_str!("../../../github/tests/keys/app.pem");

const HOUR_MS: i64 = 60 * 60 * 1000;

/// One account, an App that is not installed yet, and a service that asks as that App and has no token.
struct Scene {
    forge: Forge,
    owner: AccountId,
    clock: Clock,
    keys: AppKeys,
    setup: Setup,
    service: Service,
    _folder: TempDir,
}

impl Scene {
    async fn new(seed: u64, set: impl FnOnce(Setup) -> Setup) -> Self {
        // Some hours back, so that it can move on without ever being ahead of ours.
        let clock = Clock::scripted(Clock::Real.now().plus(-12 * 60 * 60));
        let config =
            FakeConfig { seed, clock: clock.clone(), limit_authorised: 100_000, ..FakeConfig::default() };
        let forge = Forge::with_past_of(config, 1).await;
        clock.advance_ms(60_000);
        let owner = forge.owners[0];
        let keys = forge.fake.world(|world| world.create_app("tallyhook", NOWHERE, APP_EVENTS)).unwrap();
        let folder = TempDir::new().unwrap();
        let setup = Setup::of(folder.path(), &forge)
            .without("GITHUB_TOKEN")
            .with("GITHUB_APP_ID", &keys.id.to_string())
            .with("GITHUB_APP_PRIVATE_KEY", &keys.private_key)
            .with("WEBHOOK_SECRET", &keys.webhook_secret)
            .with("TRACK_ON_READ", "false")
            .with("RECONCILE", "off");
        let setup = set(setup);
        let service = setup.serve().await;
        service.ready().await;
        let url = service.hook_url();
        forge.fake.world(|world| world.send_app_to(&url)).unwrap();
        Scene { forge, owner, clock, keys, setup, service, _folder: folder }
    }

    async fn install(&self) {
        self.forge.fake.world(|world| world.install_app(self.owner)).unwrap();
        self.forge.fake.settle().await;
    }

    async fn until_true(&self) {
        until_true(&self.forge, &self.service.reader(), WITHIN).await;
    }

    /// Has everything about the account asked again.
    async fn ask_again(&self) {
        let login = self.forge.logins().remove(0);
        self.setup.talking_to(&self.service).run_within(WITHIN, &["backfill", &login]).await.done();
    }

    /// How many tokens were made.
    fn tokens(&self) -> usize {
        let is_renewal =
            |request: &RequestRecord| request.path.ends_with("/access_tokens") && request.status == Some(201);
        self.forge.fake.requests().iter().filter(|request| is_renewal(request)).count()
    }

    /// What the account's page answers with.
    async fn status(&self) -> u16 {
        let login = self.forge.logins().remove(0);
        self.service.reader().get(&format!("/v1/accounts/{login}")).await.status
    }

    /// Ends the service; nothing secret may be in its log, nor an error.
    async fn end(self) {
        let Ended { stdout, stderr, .. } = self.service.terminate().await;
        assert_hidden(&self.keys, &format!("{stdout}{stderr}"));
        let errors: Vec<&str> = stderr.lines().filter(|line| line.contains("\"ERROR\"")).collect();
        assert_eq!(errors, Vec::<&str>::new());
    }
}

/// That neither key, secret, JWT nor token of the App is in a text.
#[track_caller]
pub(super) fn assert_hidden(keys: &AppKeys, text: &str) {
    let key = keys.private_key.lines().nth(1).unwrap();
    for secret in [key, &keys.webhook_secret, "PRIVATE KEY", "ghs_", "eyJhbGciOiJSUzI1NiIs"] {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_loaded_with_tokens_of_its_installation_alone() {
    let scene = Scene::new(91, |setup| setup).await;
    assert_eq!(scene.status().await, 404, "nobody is kept");
    scene.install().await;
    scene.until_true().await;
    let requests = scene.forge.fake.requests();
    // What the App asks about itself it asks as itself.
    let is_other = |request: &&RequestRecord| {
        !request.path.starts_with("/app/") && request.installation != Some(scene.owner)
    };
    let others: Vec<_> = requests.iter().filter(is_other).collect();
    assert!(requests.len() > 3 && others.is_empty(), "{others:#?}");
    assert_eq!(scene.tokens(), 1, "one token is enough, however many questions there are");
    scene.forge.push(scene.forge.open_repository(0).id, 2);
    scene.until_true().await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_ends_is_renewed_and_no_question_is_lost() {
    let scene = Scene::new(92, |setup| setup).await;
    scene.install().await;
    scene.until_true().await;
    // Our clock did not move as the forge's did: that the token has ended the forge alone knows.
    scene.clock.advance_ms(HOUR_MS + 1000);
    scene.forge.fake.faults().forget_deliveries(true);
    scene.forge.push(scene.forge.open_repository(0).id, 3);
    scene.forge.fake.forget_requests();
    scene.ask_again().await;
    scene.until_true().await;
    assert_eq!(scene.tokens(), 1);
    let requests = scene.forge.fake.requests();
    assert!(requests.iter().any(|request| request.status == Some(401)), "none had ended: {requests:#?}");
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_installation_is_left_alone_until_it_is_back() {
    let scene = Scene::new(93, |setup| setup).await;
    scene.install().await;
    scene.until_true().await;
    scene.forge.fake.world(|world| world.suspend_installation(scene.owner, true)).unwrap();
    scene.forge.fake.settle().await;
    until(WITHIN, "the account is hidden", async || match scene.status().await {
        404 => Ok(()),
        other => Err(other),
    })
    .await;
    scene.clock.advance_ms(60_000);
    scene.forge.fake.world(|world| world.suspend_installation(scene.owner, false)).unwrap();
    scene.forge.fake.settle().await;
    scene.until_true().await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_app_sent_in_vain_is_taken_from_the_record_of_it() {
    let scene = Scene::new(94, |setup| setup.with("DELIVERIES_POLL", "500ms")).await;
    // Of the installation there is not even a record: the App's own list tells of it.
    scene.forge.fake.faults().forget_deliveries(true);
    scene.install().await;
    scene.until_true().await;
    scene.forge.fake.faults().forget_deliveries(false);
    scene.forge.fake.faults().lose_deliveries(true);
    scene.forge.push(scene.forge.open_repository(0).id, 2);
    scene.until_true().await;
    scene.forge.fake.faults().stop();
    let requests = scene.forge.fake.requests();
    let of_hook = requests.iter().filter(|request| request.path.starts_with("/app/hook/deliveries"));
    assert!(of_hook.clone().count() > 0 && of_hook.clone().all(|request| request.as_app), "{requests:#?}");
    assert!(!requests.iter().any(|request| request.path == "/user/repos"), "an App administers nothing");
    assert_eq!(differences(&scene.forge, &scene.service.reader()).await, Vec::<String>::new());
    scene.end().await;
}

/// What the doctor finds that is not good.
async fn findings(setup: &Setup, keys: &AppKeys) -> Vec<(String, String)> {
    let Ended { stdout, stderr, .. } = setup.run(&["doctor", "--format", "json"]).await;
    assert_hidden(keys, &format!("{stdout}{stderr}"));
    let report: Value = serde_json::from_str(&stdout).unwrap_or_else(|_| panic!("{stdout} {stderr}"));
    let all = report["findings"].as_array().unwrap();
    let of_app = all.iter().filter(|finding| {
        let name = finding["name"].as_str().unwrap();
        finding["verdict"] != "good" && (name.starts_with("app") || name.starts_with("token"))
    });
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    of_app.map(|finding| (text(&finding["verdict"]), text(&finding["name"]))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_names_what_is_wrong_with_the_app() {
    let scene = Scene::new(95, |setup| setup).await;
    let calls = scene.setup.talking_to(&scene.service);
    let found = async |setup: &Setup| findings(setup, &scene.keys).await;
    let one = |verdict: &str, name: &str| vec![(verdict.to_owned(), name.to_owned())];

    assert_eq!(found(&calls).await, one("warning", "app.installations"));
    scene.install().await;
    assert_eq!(found(&calls).await, []);
    assert_eq!(found(&calls.clone().with("GITHUB_APP_ID", "7")).await, one("broken", "app.id"));
    let other = calls.clone().with("GITHUB_APP_PRIVATE_KEY", OTHER_KEY);
    assert_eq!(found(&other).await, one("broken", "app.key"));

    let world = |act: fn(&mut fake_github::World, AccountId)| {
        scene.forge.fake.world(|world| act(world, scene.owner));
    };
    world(|world, owner| world.suspend_installation(owner, true).unwrap());
    assert_eq!(found(&calls).await, one("warning", "app.suspended"));
    world(|world, owner| world.suspend_installation(owner, false).unwrap());
    world(|world, _| world.send_app_to("http://127.0.0.1:9/elsewhere").unwrap());
    assert_eq!(found(&calls).await, one("broken", "app.hook"));
    let url = scene.service.hook_url();
    scene.forge.fake.world(|world| world.send_app_to(&url)).unwrap();
    world(|world, _| world.allow_app(&[("metadata", "read")]).unwrap());
    assert_eq!(found(&calls).await, one("broken", "app.permissions"));
}

#[tokio::test(flavor = "multi_thread")]
async fn half_an_app_and_no_key_are_refused_at_the_start() {
    let folder = TempDir::new().unwrap();
    let setup = Setup::new(folder.path());
    let said = setup.clone().with("GITHUB_APP_ID", "7").run(&["serve"]).await.failed(2);
    assert!(said.contains("TALLYHOOK_GITHUB_APP_PRIVATE_KEY") && said.contains("both"), "{said}");
    let said = setup.clone().with("GITHUB_APP_PRIVATE_KEY", OTHER_KEY).run(&["serve"]).await.failed(2);
    assert!(said.contains("TALLYHOOK_GITHUB_APP_ID") && said.contains("both"), "{said}");
    assert!(!said.contains("PRIVATE KEY"), "{said}");
    let setup = setup.with("GITHUB_APP_ID", "7");
    let said = setup.clone().with("GITHUB_APP_PRIVATE_KEY", "hush").run(&["serve"]).await.failed(2);
    assert!(said.contains("no private key in PEM form") && !said.contains("hush"), "{said}");
    let curve = include_str!("../../../github/tests/keys/curve.pem");
    let said = setup.with("GITHUB_APP_PRIVATE_KEY", curve).run(&["serve"]).await.failed(2);
    assert!(said.contains("no RSA key"), "{said}");
}
