//! `tallyhook hook`: webhooks at GitHub, with our secret and events.

use std::time::Duration;

use backfill::Habit;
use domain::Millis;
use github::client::{
    Answer, Asking, Client, DeliveriesPage, HOOK_EVENTS, Hook, HookOwner, NewHook, ORGANIZATION_HOOK_EVENTS,
};
use prometheus::Registry;

use crate::{
    cli::Hook as Action,
    failure::{Failure, failed},
    serve::github_client,
    settings::Settings,
    table, webhook_secret,
};

/// GitHub gives up on a delivery after 10 s; until then the ping may still be under way.
const PING_WAIT: Duration = Duration::from_secs(12);
/// How often GitHub is asked what came of the ping.
const PING_LOOK_EVERY: Duration = Duration::from_secs(1);

pub(crate) async fn run(settings: &Settings, action: Action) -> Result<(), Failure> {
    let metrics = backfill::Metrics::register(&Registry::new()).map_err(failed)?;
    let client = github_client(settings, metrics)?;
    match action {
        Action::Add { target, url } => add(settings, &client, &target, &url).await,
        Action::List { target } => list(&client, &target).await,
    }
}

async fn add(settings: &Settings, client: &Client, target: &str, url: &str) -> Result<(), Failure> {
    let owner = owner_of(target)?;
    if url::Url::parse(url).is_err() {
        return Err(Failure::Usage(format!(
            "--url: `{url}` is no address such as https://…/webhooks/github"
        )));
    }
    let secrets = webhook_secret::all(settings)?;
    let Some((_, secret)) = secrets.first() else {
        return Err(Failure::Usage(
            "no webhook secret is set (--webhook-secret, TALLYHOOK_WEBHOOK_SECRET)".to_owned(),
        ));
    };
    let events = match owner {
        HookOwner::Organization(_) => ORGANIZATION_HOOK_EVENTS,
        HookOwner::Repository { .. } | HookOwner::App => HOOK_EVENTS,
    };
    let hook = taken(client.create_hook(owner, &NewHook { url, secret, events }, &asking()).await, target)?;
    println!("webhook {} created on {target}: {} events to {url}", hook.id, hook.events.len());
    taken(client.ping_hook(owner, hook.id, &asking()).await, target)?;
    match pinged(client, owner, hook.id, target).await? {
        Some(status) if status == "active" => {
            println!("ping answered: deliveries arrive");
            Ok(())
        }
        Some(status) => Err(Failure::Failed(format!(
            "GitHub's ping came to `{status}`. Is {url} reachable from GitHub, and does it lead to /webhooks/github of \
             this Tallyhook? GitHub shows what it got under Settings, Webhooks, Recent Deliveries"
        ))),
        None if matches!(owner, HookOwner::Organization(_)) => {
            println!(
                "pinged; what came of it GitHub shows only under Settings, Webhooks, Recent Deliveries of {target}"
            );
            Ok(())
        }
        None => Err(Failure::Failed(
            "GitHub says nothing about its ping yet; look under Settings, Webhooks, Recent Deliveries"
                .to_owned(),
        )),
    }
}

/// What GitHub says of the hook's latest delivery, once it says anything.
async fn pinged(
    client: &Client,
    owner: HookOwner<'_>,
    id: u64,
    target: &str,
) -> Result<Option<String>, Failure> {
    let until = tokio::time::Instant::now() + PING_WAIT;
    loop {
        let hooks = taken(client.hooks(owner, &asking()).await, target)?;
        let status = hooks.into_iter().find(|hook| hook.id == id).and_then(|hook| hook.last_status);
        match status.as_deref() {
            Some("unused") if tokio::time::Instant::now() > until => return Ok(None),
            Some("unused") => {}
            // Of an organisation's hooks GitHub says nothing here.
            None | Some(_) => return Ok(status),
        }
        tokio::time::sleep(PING_LOOK_EVERY).await;
    }
}

async fn list(client: &Client, target: &str) -> Result<(), Failure> {
    let owner = owner_of(target)?;
    let hooks = taken(client.hooks(owner, &asking()).await, target)?;
    if hooks.is_empty() {
        println!("{target} has no webhooks; `tallyhook hook add {target} --url URL` makes one");
        return Ok(());
    }
    let mut rows = Vec::with_capacity(hooks.len());
    for hook in hooks {
        let (state, sent) = doing(client, owner, &hook).await?;
        let Hook { id, url, active, events, last_status, .. } = hook;
        let active = if active { "yes" } else { "no" };
        let latest = last_status.unwrap_or_default();
        rows.push(vec![id.to_string(), url, active.to_owned(), events.join(","), latest, state, sent]);
    }
    print!("{}", table::lines(&["ID", "URL", "ACTIVE", "EVENTS", "LATEST", "STATE", "SENT"], &rows));
    Ok(())
}

/// How a hook is doing by what it has sent, and when it sent something last; nothing where GitHub does not show it.
async fn doing(client: &Client, owner: HookOwner<'_>, hook: &Hook) -> Result<(String, String), Failure> {
    let page = client.deliveries(owner, hook.id, DeliveriesPage::First, &asking()).await.map_err(failed)?;
    let Answer::Fresh(page) = page else { return Ok((String::new(), String::new())) };
    let mut habit = Habit::default();
    habit.note(&page.body);
    let state = habit.state(hook.active, true, page.body.first(), page.date);
    let sent = habit.last().map(|at| at.to_string()).unwrap_or_default();
    Ok((state.as_str().to_owned(), sent))
}

/// What a target on the command line means.
pub(crate) fn owner_of(target: &str) -> Result<HookOwner<'_>, Failure> {
    match target.split_once('/') {
        None if !target.is_empty() => Ok(HookOwner::Organization(target)),
        Some((owner, name)) if !owner.is_empty() && !name.is_empty() && !name.contains('/') => {
            Ok(HookOwner::Repository { owner, name })
        }
        _ => Err(Failure::Usage(format!("`{target}` is neither OWNER nor OWNER/REPO"))),
    }
}

fn asking() -> Asking<'static> {
    Asking::anew(Millis(boot::clock::now_ms()).to_second())
}

/// What GitHub answered, or what that means for the person who asked.
fn taken<T>(answer: Result<Answer<T>, github::client::AskError>, target: &str) -> Result<T, Failure> {
    match answer.map_err(failed)? {
        Answer::Fresh(fresh) => Ok(fresh.body),
        Answer::Refused { status: 404, .. } => Err(Failure::Failed(format!(
            "GitHub knows no {target}, or the token (TALLYHOOK_GITHUB_TOKEN) has no right to its webhooks"
        ))),
        Answer::Refused { status, message, .. } => Err(Failure::Failed(format!(
            "GitHub refused ({status}): {}",
            message.unwrap_or_else(|| "no reason given".to_owned())
        ))),
        Answer::NotModified { .. } | Answer::Empty { .. } => {
            Err(Failure::Failed("GitHub answered nothing".to_owned()))
        }
    }
}
