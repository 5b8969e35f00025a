//! `tallyhook serve`, `ingest`, `projector`, `query-api`: a process and its roles, until a signal.

use boot::{shutdown::Signals, telemetry};
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
    let secrets = running.secrets.clone();
    let mut reload = signals.reload.clone();
    tokio::spawn(async move {
        while reload.changed().await.is_ok() {
            let Some(secrets) = &secrets else { continue };
            match reread().and_then(|settings| webhook_secret::verifying(&settings)) {
                Ok(verifying) => {
                    secrets.replace(verifying);
                    info!("the webhook secrets were read again");
                }
                Err(failure) => warn!(%failure, "the webhook secrets stay as they were"),
            }
        }
    });
    running.until(signals.shutdown).await
}

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
