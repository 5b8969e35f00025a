//! `tallyhook demo`: the real service against a fake GitHub and a fake Bitbucket in the same process. Only the other side is
//! made up: deliveries are signed and sent over HTTP, answers are asked for over HTTP.

mod story;
mod watch;

use std::{net::SocketAddr, time::Duration};

use boot::shutdown::Signals;
use fake_bitbucket::FakeBitbucket;
use fake_github::{FakeConfig, FakeGithub, HookTarget, NewHook};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::{
    cli::DemoArguments,
    commands::start_logs,
    failure::{Failure, failed},
    places::Places,
    roles::Roles,
    serve,
    settings::{Origin, Raw, Settings},
};
use watch::Watch;

/// The token that the fake GitHub accepts.
const TOKEN: &str = "demo-token";

/// So many accounts are made for each that is shown: the others star and fork.
const CROWD: usize = 8;

/// The fake GitHub's budget; the real one's would do for the demo too.
const REQUESTS_AN_HOUR: u64 = 50_000;

/// Runs until a signal.
pub(crate) async fn run(arguments: DemoArguments, mut settings: Settings, raw: &Raw) -> Result<(), Failure> {
    if !(arguments.speed.is_finite() && arguments.speed > 0.0) {
        return Err(Failure::Usage("--speed: a number above 0".to_owned()));
    }
    // Its own lines go to stdout; logs would only drown them.
    if std::env::var_os("RUST_LOG").is_some() {
        start_logs(&settings, raw)?;
    }
    let signals = Signals::listen().map_err(failed)?;
    settings.places = Places::Embedded;
    let folder = data_folder(&mut settings, raw)?;
    let fake = FakeGithub::start(FakeConfig {
        seed: arguments.seed,
        // Most accounts of a forge only star; these are enough for some that own repositories.
        accounts: usize::from(arguments.accounts) * CROWD,
        limit_authorised: REQUESTS_AN_HOUR,
        ..FakeConfig::default()
    })
    .await
    .map_err(failed)?;
    let logins = prepare(&fake, &mut settings, usize::from(arguments.accounts))?;
    // Nobody outside is asked, whatever a reader names.
    let bitbucket = FakeBitbucket::start().await.map_err(failed)?;
    bitbucket.world(fake_bitbucket::World::populate);
    settings.bitbucket_api_url = bitbucket.url();
    settings.bitbucket_token = None;

    let running = serve::start(&settings, Roles::ALL).await?;
    let Some(api) = running.api else { return Err(failed("the demo has no address")) };
    let addresses = (api, running.ops);
    let shutdown = signals.shutdown.clone();
    let story = tokio::spawn(async move {
        let told = tell(&fake, &settings, &arguments, addresses, &logins, shutdown.clone()).await;
        // A story that broke ends the demo; one that was cut short by its end is no failure.
        let failure = told.err().filter(|_| !shutdown.is_cancelled());
        shutdown.cancel();
        failure
    });
    let served = running.until(signals.shutdown).await;
    let told = story.await.map_err(failed)?;
    drop((folder, bitbucket));
    println!("\nThe demo has ended.");
    told.map_or(served, Err)
}

/// A temporary folder unless one was named; it is removed at the end.
fn data_folder(settings: &mut Settings, raw: &Raw) -> Result<Option<TempDir>, Failure> {
    if raw.get("data_dir").1 != Origin::Default {
        return Ok(None);
    }
    let folder = TempDir::with_prefix("tallyhook-demo-").map_err(failed)?;
    settings.data_dir = folder.path().to_owned();
    Ok(Some(folder))
}

/// Points the settings at the fake GitHub; returns the logins to keep, those with most repositories.
fn prepare(fake: &FakeGithub, settings: &mut Settings, count: usize) -> Result<Vec<String>, Failure> {
    let logins = fake.world(|world| {
        let accounts = world.accounts();
        if let Some(first) = accounts.first() {
            world.accept_token(TOKEN, *first);
        }
        let logins = accounts.iter().filter_map(|account| world.login(*account).map(str::to_owned));
        let mut owners: Vec<(usize, String)> = logins
            .filter_map(|login| Some((world.account_truth(&login)?.repositories.len(), login)))
            .filter(|(repositories, _)| *repositories > 0)
            .collect();
        owners.sort_by(|one, other| other.cmp(one));
        owners.into_iter().take(count).map(|(_, login)| login).collect::<Vec<_>>()
    });
    if logins.is_empty() {
        return Err(failed("the fake GitHub has no accounts"));
    }
    settings.github_api_url = fake.url().to_owned();
    settings.github_tokens = vec![TOKEN.into()];
    settings.github_app = None;
    settings.track.clone_from(&logins);
    Ok(logins)
}

async fn tell(
    fake: &FakeGithub,
    settings: &Settings,
    arguments: &DemoArguments,
    (api, ops): (SocketAddr, SocketAddr),
    logins: &[String],
    ended: CancellationToken,
) -> Result<(), Failure> {
    let watch = Watch::new(api)?;
    println!("Tallyhook demo: a fake GitHub at {} signs and sends real deliveries.", fake.url());
    println!();
    for login in logins {
        println!("  http://{api}/githubPayload?user={login}");
        println!("  http://{api}/v1/accounts/{login}");
    }
    let first = logins.first().map_or("nobody", String::as_str);
    println!("  http://{api}/health-check?url=https://github.com/{first}&url=https://bitbucket.org/team");
    println!("  http://{api}/from-git/test");
    println!("  http://{api}/console");
    println!("  http://{ops}/metrics");
    println!();
    watch.loaded(logins).await?;
    hook(fake, settings, api)?;
    println!();
    println!("From now on every line is a change at GitHub, and how long after it the payload showed it.");
    println!("Ctrl-C ends the demo.");
    println!();
    story::tell(fake, &watch, arguments.seed, logins, pause(arguments.speed), ended).await
}

/// Subscribes to everything, as a GitHub App's webhook does.
fn hook(fake: &FakeGithub, settings: &Settings, api: SocketAddr) -> Result<(), Failure> {
    let secrets = crate::webhook_secret::all(settings)?;
    let Some((_, secret)) = secrets.first() else { return Err(failed("there is no webhook secret")) };
    let secret = secrecy::ExposeSecret::expose_secret(secret);
    let url = format!("http://{api}/webhooks/github");
    fake.world(|world| world.create_hook(NewHook::new(HookTarget::App, &url, secret)).map(drop))
        .map_err(failed)
}

/// Between two changes.
fn pause(speed: f64) -> Duration {
    const USUAL: Duration = Duration::from_millis(700);
    USUAL.div_f64(speed)
}
