//! `fake-github`: the fake by itself, so that people can test their own receivers. It says its address,
//! then one line per thing that happens, until it is interrupted.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, ensure};
use clap::Parser;
use fake_github::{FakeConfig, FakeGithub, HookTarget, Life, NewHook, Weights};
use tokio::time::MissedTickBehavior;

/// The token that acts for the first account.
const TOKEN: &str = "fake-token";

/// A GitHub of one's own: REST answers, signed webhooks, random life.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Where the API listens.
    #[arg(long, default_value = "127.0.0.1:9099")]
    listen: SocketAddr,
    /// Ids, names and histories come from it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where deliveries are posted: an http:// URL.
    #[arg(long, requires = "secret")]
    hook: Option<String>,
    /// What deliveries are signed with.
    #[arg(long)]
    secret: Option<String>,
    /// Accounts that have repositories and a past.
    #[arg(long, default_value_t = 3)]
    accounts: usize,
    /// Things that happen in a second; 0 keeps the world as it is.
    #[arg(long, default_value_t = 1.0, value_name = "EVENTS_PER_SECOND")]
    rate: f64,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    ensure!((0.0..=1000.0).contains(&arguments.rate), "--rate is 0 to 1000 events a second");
    let config = FakeConfig {
        listen: arguments.listen,
        seed: arguments.seed,
        accounts: arguments.accounts,
        ..FakeConfig::default()
    };
    let fake =
        FakeGithub::start(config).await.with_context(|| format!("cannot listen on {}", arguments.listen))?;
    introduce(&fake, &arguments)?;
    if arguments.rate > 0.0 {
        tokio::select! {
            result = tokio::signal::ctrl_c() => result?,
            () = live(&fake, arguments.seed, arguments.rate) => {}
        }
    } else {
        tokio::signal::ctrl_c().await?;
    }
    fake.shutdown().await;
    Ok(())
}

/// Sets up the token and the hook, and says what there is.
fn introduce(fake: &FakeGithub, arguments: &Arguments) -> anyhow::Result<()> {
    println!("listening on {}", fake.url());
    let logins = fake.world(|world| {
        let accounts = world.accounts();
        if let Some(first) = accounts.first() {
            world.accept_token(TOKEN, *first);
        }
        let owners: Vec<String> = (accounts.iter().filter_map(|id| world.login(*id)))
            .filter(|login| world.account_truth(login).is_some_and(|truth| !truth.repositories.is_empty()))
            .map(str::to_owned)
            .collect();
        owners
    });
    println!("accounts: {}", logins.join(", "));
    println!("token: {TOKEN}");
    if let (Some(url), Some(secret)) = (&arguments.hook, &arguments.secret) {
        let hook = NewHook::new(HookTarget::App, url, secret);
        fake.world(|world| world.create_hook(hook)).context("--hook")?;
        println!("deliveries go to {url}");
    }
    Ok(())
}

/// Lets things happen for ever.
async fn live(fake: &FakeGithub, seed: u64, rate: f64) {
    let mut life = Life::new(seed, Weights::default());
    let mut ticks = tokio::time::interval(Duration::from_secs_f64(1.0 / rate));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Some(step) = fake.world(|world| life.step(world)) {
            println!("{}", step.text);
        }
    }
}
