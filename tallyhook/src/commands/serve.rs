//! `tallyhook serve`, `ingest`, `projector`, `query-api`: a process and its roles, until a signal.

use std::time::Duration;

use boot::{shutdown::Signals, telemetry};
use ingest::SharedSecrets;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::watch;
use tracing::{info, warn};

use crate::{
    failure::{Failure, failed},
    roles::Roles,
    serve,
    settings::{Raw, Settings},
    webhook_secret,
};

pub(crate) async fn run(settings: Settings, raw: &Raw, roles: Roles) -> Result<(), Failure> {
    start_logs(&settings, raw)?;
    boot::open_files::raise_limit();
    let signals = Signals::listen().map_err(failed)?;
    let running = serve::start(&settings, roles).await?;
    if let Some(secrets) = running.secrets.clone() {
        tokio::spawn(keep_secrets(settings, secrets, signals.reload.clone()));
    }
    running.until(signals.shutdown).await
}

/// Reads the webhook secrets again on SIGHUP, and when the files that hold them have changed: in a container nobody
/// sends signals.
async fn keep_secrets(settings: Settings, secrets: SharedSecrets, mut reload: watch::Receiver<u64>) {
    let mut current = settings.webhook_secrets;
    let mut last_failure = None;
    loop {
        let is_told = tokio::select! {
            told = reload.changed() => match told {
                Ok(()) => true,
                Err(_) => return,
            },
            () = tokio::time::sleep(LOOK_EVERY) => false,
        };
        let read = reread().and_then(|settings| {
            if !is_told && are_same(&current, &settings.webhook_secrets) {
                return Ok(());
            }
            secrets.replace(webhook_secret::verifying(&settings)?);
            info!("the webhook secrets were read again");
            current = settings.webhook_secrets;
            Ok(())
        });
        match read {
            Ok(()) => last_failure = None,
            Err(failure) => {
                let failure = failure.to_string();
                // Once, not at every look.
                if is_told || last_failure.as_ref() != Some(&failure) {
                    warn!(failure, "the webhook secrets stay as they were");
                }
                last_failure = Some(failure);
            }
        }
    }
}

fn are_same(one: &[(String, SecretString)], other: &[(String, SecretString)]) -> bool {
    let shown = |(name, secret): &(String, SecretString)| (name.clone(), secret.expose_secret().to_owned());
    one.iter().map(shown).eq(other.iter().map(shown))
}

/// How often the files of secrets are looked at, which costs a few reads.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Settings as they would be read now: files may have changed, flags and variables cannot.
fn reread() -> Result<Settings, Failure> {
    let matches = crate::cli::command().try_get_matches().map_err(failed)?;
    Ok(Settings::read(&Raw::collect(&matches, std::env::vars())?)?)
}

/// Starts logging, and says what was set in vain.
pub(crate) fn start_logs(settings: &Settings, raw: &Raw) -> Result<(), Failure> {
    let filter = std::env::var("RUST_LOG").ok();
    telemetry::start(settings.log_format, filter.as_deref())
        .map_err(|error| Failure::Usage(error.to_string()))?;
    for variable in &raw.unknown_variables {
        warn!(variable, "this variable is no setting of this version; docs/reference/settings.md names them");
    }
    Ok(())
}
