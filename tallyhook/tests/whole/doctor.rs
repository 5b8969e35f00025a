//! The doctor against things that are broken one at a time: it names that cause, says what to do, and finds nothing else
//! broken.

use std::{fs, net::TcpListener, os::unix::fs::PermissionsExt as _, path::Path};

use fake_github::{Clock, ContentType, FakeConfig, HookId, HookTarget, NewHook, RepoId, Second};
use serde_json::Value;
use tempfile::TempDir;

use super::support::{
    SECRET,
    forge::Forge,
    process::{Ended, Service, Setup},
    seconds,
    sender::{Delivery, Sender},
    truth::until_true,
    until,
};

/// A service that is well, with one repository whose webhook leads to it.
struct Ward {
    forge: Forge,
    service: Service,
    /// For calls to the service.
    calls: Setup,
    repo: RepoId,
    target: String,
    _folder: TempDir,
}

/// What is not as it should be: verdict, name, and whom it is about.
type Found = (String, String, Option<String>);

impl Ward {
    async fn new(seed: u64) -> Self {
        let folder = TempDir::new().unwrap();
        let forge = Forge::with_past(seed, 1).await;
        let truth = forge.open_repository(0);
        let setup = Setup::of(folder.path(), &forge).with("TRACK", &forge.track()).with("RECONCILE", "off");
        let service = setup.serve().await;
        service.ready().await;
        until_true(&forge, &service.reader(), seconds(60)).await;
        let calls = setup.talking_to(&service);
        Ward { repo: truth.id, target: truth.full_name, forge, service, calls, _folder: folder }
    }

    fn hook(&self) -> NewHook {
        NewHook::new(HookTarget::Repository(self.repo), self.service.hook_url(), SECRET)
    }

    async fn make(&self, hook: NewHook) -> HookId {
        let id = self.forge.fake.world(|world| world.create_hook(hook)).unwrap();
        self.forge.fake.settle().await;
        id
    }

    /// What is said while the repository has this webhook, and only this one.
    async fn with_hook(&self, hook: NewHook) -> Vec<Found> {
        let id = self.make(hook).await;
        let found = self.examine().await;
        self.forge.fake.world(|world| world.delete_hook(id)).unwrap();
        self.forge.fake.settle().await;
        found
    }

    async fn examine(&self) -> Vec<Found> {
        examined(&self.calls, &[&self.target]).await
    }

    fn broken(&self, name: &str) -> Vec<Found> {
        vec![("broken".to_owned(), name.to_owned(), Some(self.target.clone()))]
    }

    fn warning(&self, name: &str) -> Vec<Found> {
        vec![("warning".to_owned(), name.to_owned(), Some(self.target.clone()))]
    }
}

/// Everything that is not as it should be, in a run whose exit code says the same.
async fn examined(calls: &Setup, targets: &[&str]) -> Vec<Found> {
    let arguments = [&["doctor", "--format", "json"], targets].concat();
    let Ended { code, stdout, stderr } = calls.run(&arguments).await;
    let report: Value = serde_json::from_str(&stdout).unwrap_or_else(|_| panic!("{stdout} {stderr}"));
    assert!(!format!("{stdout}{stderr}").contains(SECRET), "{stdout}{stderr}");
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let mut found = Vec::new();
    for finding in report["findings"].as_array().unwrap() {
        let verdict = text(&finding["verdict"]).unwrap();
        // How full the disk of the machine is that runs the tests is not the test's.
        if verdict != "good" && finding["name"] != "disk" {
            assert!(text(&finding["fix"]).is_some_and(|fix| fix.len() > 10), "what to do: {finding}");
            found.push((verdict, text(&finding["name"]).unwrap(), text(&finding["about"])));
        }
    }
    let is_broken =
        report["findings"].as_array().unwrap().iter().any(|finding| finding["verdict"] == "broken");
    assert_eq!(
        (report["healthy"].as_bool(), code),
        (Some(!is_broken), Some(i32::from(is_broken))),
        "{report:#}"
    );
    found
}

fn one(verdict: &str, name: &str) -> Vec<Found> {
    vec![(verdict.to_owned(), name.to_owned(), None)]
}

/// Of these the causes, whoever they are about.
fn names(found: &[Found]) -> Vec<&str> {
    found.iter().map(|(_, name, _)| name.as_str()).collect()
}

/// The URL of a server that is not there.
fn nobody() -> String {
    format!("http://{}", nobodys_address())
}

fn nobodys_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_webhook_is_named() {
    let ward = Ward::new(71).await;
    assert_eq!(ward.with_hook(ward.hook()).await, [], "a webhook that is well");

    assert_eq!(ward.examine().await, ward.broken("hook.missing"));

    let wrong = NewHook { url: format!("http://{}/webhook", ward.service.api), ..ward.hook() };
    assert_eq!(ward.with_hook(wrong).await, ward.broken("hook.path"));

    let nowhere = NewHook { url: format!("http://{}/webhooks/github", nobodys_address()), ..ward.hook() };
    assert_eq!(ward.with_hook(nowhere).await, ward.broken("hook.unreachable"));

    // The ops port is no door.
    let elsewhere = NewHook { url: format!("http://{}/webhooks/github", ward.service.ops), ..ward.hook() };
    assert_eq!(ward.with_hook(elsewhere).await, ward.broken("hook.path"));

    let events = NewHook { events: vec!["push".into(), "star".into()], ..ward.hook() };
    assert_eq!(ward.with_hook(events).await, ward.broken("hook.events"));

    let form = NewHook { content_type: ContentType::Form, ..ward.hook() };
    assert_eq!(ward.with_hook(form).await, ward.warning("hook.content_type"));

    let off = ward.make(ward.hook()).await;
    ward.forge.fake.world(|world| world.set_hook_active(off, false)).unwrap();
    assert_eq!(ward.examine().await, ward.broken("hook.inactive"));
    ward.forge.fake.world(|world| world.set_hook_active(off, true)).unwrap();

    let second = ward.make(ward.hook()).await;
    assert_eq!(ward.examine().await, ward.warning("hook.several"));
    ward.forge.fake.world(|world| world.delete_hook(second)).unwrap();
    ward.forge.fake.world(|world| world.delete_hook(off)).unwrap();
    ward.forge.fake.settle().await;

    assert_eq!(
        names(&examined(&ward.calls, &[&ward.forge.logins()[0]]).await),
        ["hook.target"],
        "a user has none"
    );
    assert_eq!(names(&examined(&ward.calls, &["nobody/nothing"]).await), ["hook.target"]);

    // Last, because it leaves traces: refused deliveries are counted.
    let secret = NewHook { secret: Some("another secret than that".into()), ..ward.hook() };
    let found = ward.with_hook(secret).await;
    assert!(found.contains(&ward.broken("hook.secret")[0]), "{found:?}");
    assert!(
        names(&found).iter().all(|name| ["hook.secret", "deliveries.unsigned"].contains(name)),
        "{found:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_the_token_is_named() {
    let ward = Ward::new(72).await;
    ward.make(ward.hook()).await;
    assert_eq!(ward.examine().await, []);

    let rejected = ward.calls.clone().with("GITHUB_TOKEN", "no-such-token");
    assert_eq!(examined(&rejected, &[&ward.target]).await, one("broken", "token.rejected"));

    let missing = ward.calls.clone().without("GITHUB_TOKEN");
    assert_eq!(examined(&missing, &[&ward.target]).await, one("warning", "token.missing"));

    ward.forge.fake.world(|world| {
        let stranger = world.create_user("stranger").unwrap();
        world.accept_token("strangers-token", stranger);
    });
    let stranger = ward.calls.clone().with("GITHUB_TOKEN", "strangers-token");
    assert_eq!(examined(&stranger, &[&ward.target]).await, ward.broken("token.rights"));

    ward.forge.fake.world(|world| {
        let soon = Second(world.now().0 + 3 * 24 * 60 * 60);
        world.end_tokens_of(ward.forge.owners[0], soon);
    });
    assert_eq!(ward.examine().await, one("warning", "token.ends"));

    let nobody = ward.calls.clone().with("GITHUB_API_URL", &nobody());
    assert_eq!(examined(&nobody, &[&ward.target]).await, one("broken", "forge.unreachable"));

    let ours = ward.calls.clone().with("GITHUB_API_URL", &format!("http://{}", ward.service.api));
    assert_eq!(examined(&ours, &[&ward.target]).await, one("broken", "forge.address"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_clock_and_a_spent_budget_are_named() {
    let folder = TempDir::new().unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let clock = Clock::scripted(Second(i64::try_from(now).unwrap() - 3600));
    let late = Forge::with_past_of(FakeConfig { clock, ..FakeConfig::default() }, 1).await;
    let setup = Setup::of(folder.path(), &late).with("OPS_URL", &nobody());
    assert_eq!(
        names(&examined(&setup, &[]).await),
        ["data_dir", "process", "clock"],
        "before the first start there is no folder, and no process"
    );

    let spent = Forge::with_past_of(FakeConfig { limit_authorised: 0, ..FakeConfig::default() }, 1).await;
    let setup = Setup::of(folder.path(), &spent).with("OPS_URL", &nobody());
    assert_eq!(names(&examined(&setup, &[]).await), ["data_dir", "process", "budget"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_the_process_is_named() {
    let ward = Ward::new(73).await;
    ward.make(ward.hook()).await;
    assert_eq!(ward.examine().await, []);

    let stopped = ward.calls.clone().with("OPS_URL", &nobody());
    let found = examined(&stopped, &[&ward.target]).await;
    // Its folder is in use, so that another address is meant.
    assert_eq!(names(&found), ["process.elsewhere", "process"], "{found:?}");

    let missing = ward.calls.clone().with("TRACK", "nobody-at-all");
    let found = examined(&missing, &[&ward.target]).await;
    let expected = ("broken".to_owned(), "accounts.missing".to_owned(), Some("nobody-at-all".to_owned()));
    assert_eq!(found, [expected]);

    // A delivery from a clock that is years ahead.
    let push = ward.forge.untold_push(ward.repo);
    let mut body: Value = serde_json::from_slice(&push.body).unwrap();
    body["repository"]["updated_at"] = "2099-01-01T00:00:00Z".into();
    let early = Delivery::new("push", "from-the-future", serde_json::to_vec(&body).unwrap());
    Sender::new().accepted(ward.service.api, &early).await;
    let dead = until(seconds(60), "a dead letter", async || {
        let metrics = ward.service.ops_reader().get("/metrics").await.ok().text();
        if metrics.contains("tallyhook_dead_letters 1") { Ok(()) } else { Err(metrics) }
    });
    dead.await;
    // What the delivery was about is asked again meanwhile.
    until(seconds(60), "nothing else is wrong", async || {
        let found = ward.examine().await;
        if found == one("broken", "dead_letters") { Ok(()) } else { Err(found) }
    })
    .await;
    let text = ward.calls.run(&["doctor", &ward.target]).await;
    assert_eq!(text.code, Some(1));
    assert!(
        text.stdout.starts_with("BROKEN   dead_letters: "),
        "what is broken comes first: {}",
        text.stdout
    );
    assert!(text.stdout.contains("what to do: `tallyhook dead-letters list`"), "{}", text.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_ask_the_process_is_told_so() {
    let folder = TempDir::new().unwrap();
    let forge = Forge::with_past(74, 1).await;
    let setup = Setup::of(folder.path(), &forge).with("ADMIN_TOKEN", "the-admin-token");
    let service = setup.serve().await;
    service.ready().await;
    let calls = setup.talking_to(&service).with("ADMIN_TOKEN", "another");
    let found = examined(&calls, &[]).await;
    assert_eq!(names(&found), ["deliveries.none", "process.admin"], "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_on_this_machine_is_named() {
    let folder = TempDir::new().unwrap();
    let forge = Forge::with_past(75, 1).await;
    // Without a secret of its settings it makes one.
    let setup = Setup::of(folder.path(), &forge).without("WEBHOOK_SECRET").with("OPS_URL", &nobody());
    assert_eq!(names(&examined(&setup, &[]).await), ["secret.missing", "data_dir", "process"]);
    let service = setup.serve().await;
    service.ready().await;
    service.terminate().await.done();
    assert_eq!(names(&examined(&setup, &[]).await), ["process"], "its files open");

    let data = setup.data();
    fs::set_permissions(data.join("webhook-secret"), fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(names(&examined(&setup, &[]).await), ["secret.mode", "process"]);
    fs::set_permissions(data.join("webhook-secret"), fs::Permissions::from_mode(0o600)).unwrap();

    overwrite(&data.join("log.redb"));
    assert_eq!(names(&examined(&setup, &[]).await), ["log", "process"]);

    let short = setup.clone().with("WEBHOOK_SECRET", "short");
    assert_eq!(names(&examined(&short, &[]).await), ["secret.short", "log", "process"]);

    let file = folder.path().join("a-file");
    fs::write(&file, "no folder").unwrap();
    let wrong = setup.with("DATA_DIR", file.to_str().unwrap()).with("WEBHOOK_SECRET", SECRET);
    assert_eq!(names(&examined(&wrong, &[]).await), ["data_dir", "process"]);

    let usage = wrong.run(&["doctor", "a/b/c"]).await.failed(2);
    assert!(usage.contains("OWNER/REPO"), "{usage}");
}

fn overwrite(path: &Path) {
    let length = fs::metadata(path).unwrap().len();
    fs::write(path, vec![7; usize::try_from(length).unwrap()]).unwrap();
}
