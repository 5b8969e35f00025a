//! What the fake sends and answers, validated by Node against GitHub's published schemas.

use std::{
    collections::BTreeSet,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::client::Api;
use fake_github::{
    Clock, Emitted, FakeConfig, FakeGithub, HookTarget, Kind, Life, NewHook, Second, Urls, Weights, World,
};
use serde_json::json;

const SEEDS: u64 = 6;
const STEPS: usize = 220;

/// Every kind of event that the fake sends.
const EVENTS: [&str; 28] = [
    "create.",
    "delete.",
    "fork.",
    "installation_target.renamed",
    "issues.closed",
    "issues.opened",
    "issues.reopened",
    "meta.deleted",
    "organization.renamed",
    "ping.",
    "public.",
    "pull_request.closed",
    "pull_request.opened",
    "pull_request.reopened",
    "pull_request.synchronize",
    "push.",
    "repository.archived",
    "repository.created",
    "repository.deleted",
    "repository.edited",
    "repository.privatized",
    "repository.publicized",
    "repository.renamed",
    "repository.transferred",
    "repository.unarchived",
    "star.created",
    "star.deleted",
    "watch.started",
];

#[tokio::test]
async fn payloads_and_answers_have_githubs_shapes() {
    let Some(folder) = node_modules() else { return };
    let mut lines = String::new();
    let mut seen = BTreeSet::new();
    for seed in 0..SEEDS {
        for event in history(seed) {
            let payload: serde_json::Value = serde_json::from_slice(&event.body).unwrap();
            seen.insert(format!("{}.{}", event.event, event.action.unwrap_or_default()));
            let line = json!({"event": event.event, "action": event.action, "payload": payload});
            lines.push_str(&format!("{line}\n"));
            if event.audience.app && event.event != "installation_target" {
                let payload: serde_json::Value = serde_json::from_slice(&event.body_for_app()).unwrap();
                assert!(payload["installation"]["id"].is_u64());
                let line = json!({"event": event.event, "action": event.action, "payload": payload});
                lines.push_str(&format!("{line}\n"));
            }
        }
    }
    let expected: BTreeSet<String> = EVENTS.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(seen, expected);
    lines.push_str(&answers().await);
    validate(&folder, &lines);
}

/// All events of a random history, with hooks of each kind in it.
fn history(seed: u64) -> Vec<Emitted> {
    let clock = Clock::scripted(Second(1_795_000_000));
    let mut world = World::new(seed, clock.clone(), Urls::default());
    let accounts = world.populate(3).unwrap();
    let organization = *accounts.last().unwrap();
    let repo = world.repositories()[0];
    for target in [HookTarget::Repository(repo), HookTarget::Organization(organization), HookTarget::App] {
        world.create_hook(NewHook::new(target, "http://127.0.0.1:9/hook", "secret")).unwrap();
    }
    let repo_hook =
        world.create_hook(NewHook::new(HookTarget::Repository(repo), "http://127.0.0.1:9/2", "s"));
    world.delete_hook(repo_hook.unwrap()).unwrap();
    world.rename_account(organization, &format!("renamed-{seed}")).unwrap();
    let weights =
        [Kind::Privatize, Kind::Publicize, Kind::Archive, Kind::Unarchive, Kind::TransferRepository]
            .into_iter()
            .fold(Weights::default(), |weights, kind| weights.with(kind, 20));
    let mut life = Life::new(seed, weights);
    for _ in 0..STEPS {
        life.step(&mut world);
        clock.advance_ms(life.pause_ms());
    }
    world.take_events()
}

/// Lines with answers of every endpoint that GitHub describes.
async fn answers() -> String {
    let fake = FakeGithub::start(FakeConfig { accounts: 3, ..FakeConfig::default() }).await.unwrap();
    let (accounts, repos) = fake.world(|world| {
        let accounts = world.accounts();
        for account in &accounts {
            world.accept_token(&format!("token-{account}"), *account);
        }
        (accounts, world.repositories())
    });
    let first = accounts[0];
    let api = Api::new(fake.url()).token(&format!("token-{first}"));
    let mut lines = String::new();
    let mut add = |schema: &str, answer: &crate::client::Answer| {
        assert_eq!(answer.status / 100, 2, "{schema}: {answer:?}");
        let body = answer.json();
        lines.push_str(&format!("{}\n", json!({"schema": schema, "list": body.is_array(), "body": body})));
    };
    add("public-user", &api.get("/user").await);
    add("rate-limit-overview", &api.get("/rate_limit").await);
    add("api-overview", &api.get("/meta").await);
    add("minimal-repository", &api.get("/repositories").await);
    add("basic-error", &crate::client::Answer { status: 200, ..api.get("/nothing").await });
    for id in accounts {
        let login = fake.world(|world| world.login(id).unwrap().to_owned());
        add("public-user", &api.get(&format!("/users/{login}")).await);
        add("minimal-repository", &api.get(&format!("/users/{login}/repos")).await);
        let organization = api.get(&format!("/orgs/{login}")).await;
        if organization.status == 200 {
            add("organization-full", &organization);
            add("minimal-repository", &api.get(&format!("/orgs/{login}/repos")).await);
        }
    }
    let (mut pulls, mut hooks) = (0, 0);
    for id in repos {
        let truth = fake.world(|world| world.truth(id).unwrap());
        let own = api.token(&format!("token-{}", truth.owner));
        let path = format!("/repositories/{id}");
        add("full-repository", &own.get(&path).await);
        add("topic", &own.get(&format!("{path}/topics")).await);
        add("language", &own.get(&format!("{path}/languages")).await);
        add("short-branch", &own.get(&format!("{path}/branches")).await);
        if let Some(head) = truth.head {
            let branch = client_branch(&truth.default_branch);
            add("branch-with-protection", &own.get(&format!("{path}/branches/{branch}")).await);
            add("commit", &own.get(&format!("{path}/commits?per_page=5")).await);
            add("commit", &own.get(&format!("{path}/commits/{head}")).await);
        }
        add("pull-request-simple", &own.get(&format!("{path}/pulls?state=all")).await);
        if truth.pulls.newest > 0 {
            add("pull-request", &own.get(&format!("{path}/pulls/{}", truth.pulls.newest)).await);
            pulls += 1;
        }
        let hook = r#"{"config":{"url":"http://127.0.0.1:9/x","content_type":"json","secret":"s"}}"#;
        let made = own.post(&format!("{path}/hooks"), hook).await;
        if made.status == 201 {
            add("hook", &made);
            add("hook", &own.get(&format!("{path}/hooks")).await);
            hooks += 1;
        }
    }
    assert!(pulls > 0 && hooks > 0);
    lines
}

fn client_branch(name: &str) -> String {
    form_urlencoded::byte_serialize(name.as_bytes()).collect()
}

/// Installs what `tests/node` asks for, once per target folder; `None` where Node is missing.
fn node_modules() -> Option<PathBuf> {
    let runs = |program: &str| Command::new(program).arg("--version").output().is_ok();
    if !runs("node") || !runs("npm") {
        assert!(std::env::var_os("CI").is_none(), "node/npm is missing, and CI needs it");
        println!("skipped: node/npm is missing");
        return None;
    }
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/node");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("schemas");
    fs::create_dir_all(&folder).unwrap();
    let lock = fs::read_to_string(source.join("package-lock.json")).unwrap();
    let installed = folder.join("installed.json");
    for file in ["package.json", "package-lock.json", "validate.mjs"] {
        fs::copy(source.join(file), folder.join(file)).unwrap();
    }
    // The lock stands beside the folder as a witness that the installation of it was completed.
    if fs::read_to_string(&installed).is_ok_and(|text| text == lock) {
        return Some(folder);
    }
    let install = Command::new("npm")
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"])
        .current_dir(&folder)
        .output()
        .unwrap();
    if !install.status.success() {
        let reason = String::from_utf8_lossy(&install.stderr).into_owned();
        assert!(std::env::var_os("CI").is_none(), "npm cannot install the schemas: {reason}");
        println!("skipped: npm cannot install the schemas");
        return None;
    }
    fs::write(installed, lock).unwrap();
    Some(folder)
}

fn validate(folder: &Path, lines: &str) {
    let mut node = Command::new("node")
        .arg("validate.mjs")
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = node.stdin.take().unwrap();
    let lines = lines.to_owned();
    // Written from another thread, so that neither side waits for the other's full pipe.
    let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()));
    let output = node.wait_with_output().unwrap();
    let written = writer.join().unwrap();
    println!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    written.unwrap();
}
