//! Settings as they are given and refused: files, variables, flags, secrets, tokens, folders and ports.

use std::{fs, net::TcpListener, os::unix::fs::PermissionsExt};

use axum::http::Method;
use fake_github::NewRepository;
use tempfile::TempDir;

use super::support::{
    forge::Forge,
    process::Setup,
    reader::Reader,
    seconds,
    sender::{Delivery, Sender},
    truth::until_true,
};

const WITHIN: std::time::Duration = seconds(60);

#[tokio::test(flavor = "multi_thread")]
async fn what_is_set_wrongly_is_named() {
    let folder = TempDir::new().unwrap();
    let setup = Setup::new(folder.path());
    for (name, value, flag) in [
        ("LISTEN", "8080", "--listen"),
        ("OPS_LISTEN", "here:there", "--ops-listen"),
        ("OPS_URL", "127.0.0.1:9464", "--ops-url"),
        ("DATA_DIR", "", "--data-dir"),
        ("GITHUB_API_URL", "api.github.com", "--github-api-url"),
        ("GITHUB_CONCURRENCY", "0", "--github-concurrency"),
        ("TRACK_ON_READ", "perhaps", "--track-on-read"),
        ("TRACK_ON_READ_PER_HOUR", "-1", "--track-on-read-per-hour"),
        ("READ_LIMIT", "60", "--read-limit"),
        ("WRITE_LIMIT", "60/week", "--write-limit"),
        ("TRUSTED_PROXIES", "10.0.0.0/99", "--trusted-proxies"),
        ("RECONCILE", "daily", "--reconcile"),
        ("CACHE_BYTES", "plenty", "--cache-bytes"),
        ("SHUTDOWN_TIMEOUT", "0s", "--shutdown-timeout"),
        ("LOG_FORMAT", "xml", "--log-format"),
    ] {
        let said = setup.clone().with(name, value).run(&["serve"]).await.failed(2);
        assert!(said.contains(flag) && said.contains(&format!("TALLYHOOK_{name}")), "{name}: {said}");
        // The same in a flag, whose origin is said.
        let said = setup.clone().without(name).run(&["serve", &format!("{flag}={value}")]).await.failed(2);
        assert!(said.contains(flag), "{flag}: {said}");
    }
    let empty = setup.clone().with("WEBHOOK_SECRET", "").run(&["serve"]).await.failed(2);
    assert!(empty.contains("TALLYHOOK_WEBHOOK_SECRET") && empty.contains("empty"), "{empty}");
    let nowhere = setup.clone().with("API_TOKEN_FILE", "/nowhere/at/all").run(&["serve"]).await.failed(2);
    assert!(nowhere.contains("/nowhere/at/all"), "{nowhere}");
    setup.run(&["serve", "--no-such-flag"]).await.failed(2);
    setup.run(&["no-such-call"]).await.failed(2);
    setup.run(&[]).await.failed(2);
    let help = setup.run(&["--help"]).await.done();
    assert!(help.contains("TALLYHOOK_DATA_DIR"), "{help}");

    let file = folder.path().join("tallyhook.toml");
    for (text, named) in [
        ("no_such_setting = 1\n", "no_such_setting"),
        ("listen = \n", "tallyhook.toml"),
        ("[[webhook_secret]]\nname = \"a\"\n", "secret_file"),
        ("reconcile = \"daily\"\n", "TALLYHOOK_RECONCILE"),
    ] {
        fs::write(&file, text).unwrap();
        let said = setup.run(&["config"]).await.failed(2);
        assert!(said.contains(named) && said.contains("tallyhook.toml"), "{text}: {said}");
    }
    fs::remove_file(&file).unwrap();
    let said = setup.run(&["config", "--config", "missing.toml"]).await.failed(2);
    assert!(said.contains("missing.toml"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_shown_with_their_origins_and_without_secrets() {
    let folder = TempDir::new().unwrap();
    let secret = folder.path().join("token");
    fs::write(&secret, "file-secret\n").unwrap();
    fs::write(
        folder.path().join("tallyhook.toml"),
        "reconcile = \"12h\"\ntrack = [\"ada\", \"grace\"]\ncache_bytes = \"1MiB\"\nlisten = \"127.0.0.1:1\"\n\
         [[webhook_secret]]\nname = \"old\"\nsecret = \"named-secret\"\n",
    )
    .unwrap();
    let setup = Setup::new(folder.path())
        .with("CACHE_BYTES", "2MiB")
        .with("LISTEN", "127.0.0.1:2")
        .with("WEBHOOK_SECRET", "variable-secret")
        .with("API_TOKEN_FILE", secret.to_str().unwrap())
        .with("NO_SUCH_SETTING", "1");
    let ended = setup.run(&["config", "--listen", "127.0.0.1:3", "--admin-token", "flag-secret"]).await;
    assert!(ended.stderr.contains("TALLYHOOK_NO_SUCH_SETTING"), "{ended:?}");
    let shown = ended.done();
    let line = |name: &str| {
        let line = shown.lines().find(|line| line.starts_with(&format!("{name} ")));
        let line = line.unwrap_or_else(|| panic!("no {name} in {shown}"));
        line.split_whitespace().skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(line("listen"), ["127.0.0.1:3", "--listen"]);
    assert_eq!(line("cache_bytes"), ["2MiB", "TALLYHOOK_CACHE_BYTES"]);
    assert_eq!(line("reconcile")[0], "12h");
    assert!(line("reconcile")[1].ends_with("tallyhook.toml"));
    assert_eq!(line("track")[0], "ada,grace");
    assert_eq!(line("shutdown_timeout"), ["10s", "default"]);
    assert_eq!(line("webhook_secret"), ["(hidden)", "TALLYHOOK_WEBHOOK_SECRET"]);
    assert_eq!(line("api_token"), ["(hidden)", "TALLYHOOK_API_TOKEN_FILE"]);
    assert_eq!(line("admin_token"), ["(hidden)", "--admin-token"]);
    assert!(shown.contains("[[webhook_secret]] old (hidden)"), "{shown}");
    for secret in ["variable-secret", "file-secret", "flag-secret", "named-secret"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_cannot_be_had_is_said_in_a_sentence() {
    let folder = TempDir::new().unwrap();
    let setup = Setup::new(folder.path());
    let service = setup.serve().await;
    let said =
        setup.run(&["serve", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"]).await.failed(1);
    assert!(said.contains("another process uses") && said.contains("--data-dir"), "{said}");
    service.terminate().await.done();

    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let held = holder.local_addr().unwrap().to_string();
    for (flag, variable) in [("--listen", "TALLYHOOK_LISTEN"), ("--ops-listen", "TALLYHOOK_OPS_LISTEN")] {
        let mut arguments = vec!["serve", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"];
        let place = arguments.iter().position(|argument| *argument == flag).unwrap();
        arguments[place + 1] = &held;
        let said = setup.run(&arguments).await.failed(1);
        assert!(said.contains(&held) && said.contains(flag) && said.contains(variable), "{said}");
    }

    // Below a file there can be no folder, whoever asks.
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    for place in [file.clone(), file.join("data")] {
        let place = place.to_str().unwrap();
        let said = setup.clone().with("DATA_DIR", place).try_serve().await.err().unwrap().failed(1);
        assert!(said.contains(place) && said.contains("TALLYHOOK_DATA_DIR"), "{said}");
    }
    let other = folder.path().join("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("log.redb"), "not a log at all").unwrap();
    let said =
        setup.clone().with("DATA_DIR", other.to_str().unwrap()).try_serve().await.err().unwrap().failed(1);
    assert!(said.contains("log.redb"), "{said}");
    assert_eq!(fs::read_to_string(other.join("log.redb")).unwrap(), "not a log at all", "left as it was");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_made_once_where_none_is_set() {
    let folder = TempDir::new().unwrap();
    let forge = Forge::with_past(84, 1).await;
    let setup = Setup::of(folder.path(), &forge).without("WEBHOOK_SECRET");
    let service = setup.serve().await;
    let path = setup.data().join("webhook-secret");
    let said =
        service.running.stderr.find(WITHIN, |line| line.contains("made a webhook secret")).await.unwrap();
    assert!(said.contains(path.to_str().unwrap()), "{said}");
    let secret = fs::read_to_string(&path).unwrap().trim_end().to_owned();
    assert!(secret.len() >= 32 && !service.running.stderr.text().contains(&secret));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

    // GitHub is given the same one.
    let truth = forge.open_repository(0);
    let calls = setup.talking_to(&service);
    let hook = calls.run(&["hook", "add", &truth.full_name, "--url", &service.hook_url()]).await.done();
    assert!(hook.contains("ping answered"), "{hook}");
    service.terminate().await.done();
    let service = setup.serve().await;
    assert_eq!(fs::read_to_string(&path).unwrap().trim_end(), secret, "it stays");
    let delivery = Delivery::new("push", "a-guid", b"{}".to_vec()).signed_with(&secret);
    Sender::new().accepted(service.api, &delivery).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_guard_the_api_and_the_admin_routes() {
    let folder = TempDir::new().unwrap();
    let forge = Forge::with_past(85, 1).await;
    let login = forge.logins().remove(0);
    let open = Setup::of(folder.path(), &forge)
        .with("TRACK", &login)
        .with("API_TOKEN", "api-token")
        .with("OPS_LISTEN", "0.0.0.0:0");

    // Whoever reaches the ops address from outside may look at health, and do nothing.
    let mut service = open.serve().await;
    service.ops.set_ip([127, 0, 0, 1].into());
    service.ready().await;
    let ops = service.ops_reader();
    ops.get("/metrics").await.ok();
    for (method, path) in [(Method::GET, "/admin/accounts"), (Method::POST, "/admin/track")] {
        let problem = ops.ask(method, path, &[]).await.refused(403);
        assert!(problem["detail"].as_str().unwrap().contains("TALLYHOOK_ADMIN_TOKEN"), "{problem}");
    }
    let said = open.talking_to(&service).run(&["accounts"]).await.failed(1);
    assert!(said.contains("TALLYHOOK_ADMIN_TOKEN"), "{said}");

    let reader = service.reader();
    assert_api_is_guarded(&reader, &login).await;
    let event = forge.fake.world(|world| {
        world.create_repository(forge.owners[0], NewRepository::public("more")).unwrap();
        world.take_events().pop().unwrap()
    });
    Sender::new().accepted(service.api, &Delivery::of(&event)).await;
    service.terminate().await.done();

    let guarded = open.with("ADMIN_TOKEN", "admin-token");
    let mut service = guarded.serve().await;
    service.ops.set_ip([127, 0, 0, 1].into());
    service.ready().await;
    let ops = service.ops_reader();
    assert_eq!(ops.get("/admin/accounts").await.status, 401);
    assert_eq!(ops.get_with("/admin/accounts", &[("authorization", "Bearer api-token")]).await.status, 401);
    ops.get("/metrics").await.ok();
    let calls = guarded.talking_to(&service);
    assert!(calls.run(&["accounts"]).await.done().contains(&login));
    for stranger in [calls.clone().without("ADMIN_TOKEN"), calls.clone().with("ADMIN_TOKEN", "wrong")] {
        let said = stranger.run(&["accounts"]).await.failed(1);
        assert!(said.contains("--admin-token"), "{said}");
    }
    let log = service.running.stderr.text();
    assert!(!log.contains("api-token") && !log.contains("admin-token"), "{log}");
    service.terminate().await.done();

    // On loopback no token is needed, of either kind.
    let setup = guarded.without("ADMIN_TOKEN").without("API_TOKEN").without("OPS_LISTEN");
    let service = setup.serve().await;
    until_true(&forge, &service.reader(), WITHIN).await;
    assert!(setup.talking_to(&service).run(&["accounts"]).await.done().contains(&login));
}

async fn assert_api_is_guarded(reader: &Reader, login: &str) {
    let path = format!("/v1/accounts/{login}");
    for headers in [&[][..], &[("authorization", "Bearer wrong")], &[("authorization", "Basic api-token")]] {
        let refused = reader.get_with(&path, headers).await;
        refused.refused(401);
        assert!(refused.header("www-authenticate").unwrap().starts_with("Bearer"));
    }
    super::support::until(WITHIN, "the account, for who has the token", async || {
        let answer = reader.get_with(&path, &[("authorization", "Bearer api-token")]).await;
        if answer.status == 200 { Ok(()) } else { Err(answer.text()) }
    })
    .await;
    reader.get("/version").await.ok();
}
