//! What each call does.

mod accounts;
mod backfill;
mod backup;
mod config;
mod copy;
mod dead_letters;
mod doctor;
mod epoch;
mod forget;
mod healthcheck;
mod hook;
mod key;
mod migrate;
mod outbox;
mod retire;
mod serve;
mod track;

pub(crate) use hook::owner_of;
pub(crate) use serve::start_logs;

use crate::{
    admin::Admin,
    app_file,
    cli::{Call, Epoch},
    demo,
    failure::Failure,
    roles::Roles,
    settings::{Raw, Settings},
};

/// Does what the command line asks for.
pub(crate) async fn run(call: Call, settings: Settings, raw: Raw) -> Result<(), Failure> {
    let settings = match call {
        Call::Serve | Call::Hook { .. } => app_file::added(settings)?,
        // It goes on with what can be read.
        Call::Doctor { .. } => app_file::added(settings.clone()).unwrap_or(settings),
        _ => settings,
    };
    match call {
        Call::Demo(arguments) => demo::run(arguments, settings, &raw).await,
        Call::Serve => serve::run(settings, &raw, Roles::ALL).await,
        Call::Ingest => serve::run(settings, &raw, Roles::INGEST).await,
        Call::Projector => serve::run(settings, &raw, Roles::PROJECTOR).await,
        Call::QueryApi => serve::run(settings, &raw, Roles::QUERY_API).await,
        Call::Migrate { partitions, replication } => migrate::run(&settings, partitions, replication).await,
        Call::Retire => retire::run(&settings).await,
        Call::Copy { from, to } => copy::run(&from, &to).await,
        Call::Epoch { action: Epoch::Open } => epoch::open(&settings).await,
        Call::Track { logins } => track::track(&Admin::new(&settings)?, &logins).await,
        Call::Untrack { logins } => track::untrack(&Admin::new(&settings)?, &logins).await,
        Call::Accounts => accounts::run(&Admin::new(&settings)?).await,
        Call::Backfill { login, plan } => backfill::run(&Admin::new(&settings)?, &login, plan).await,
        Call::Backup { dir } => backup::run(&Admin::new(&settings)?, &dir).await,
        Call::Forget { login, yes, format } => {
            forget::run(&Admin::new(&settings)?, &login, yes, format).await
        }
        Call::DeadLetters { action } => dead_letters::run(&Admin::new(&settings)?, action).await,
        Call::Outbox { action } => outbox::run(&Admin::new(&settings)?, action).await,
        Call::Key { action } => key::run(&Admin::new(&settings)?, action).await,
        Call::Hook { action } => hook::run(&settings, action).await,
        Call::Doctor { targets, format } => doctor::run(&settings, &targets, format).await,
        Call::Healthcheck { url } => healthcheck::run(&settings, url.as_deref()).await,
        Call::Config => config::run(&raw),
        // Printed before any setting is read.
        Call::Reference { page } => crate::reference::print(page),
    }
}
