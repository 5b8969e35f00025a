//! The webhook secret: from the settings, or made once and kept in the data folder.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use github::signature::Secrets;
use secrecy::SecretString;

use crate::{
    app_file,
    failure::{Failure, failed},
    settings::Settings,
};

/// The name of the file in the data folder.
const FILE_NAME: &str = "webhook-secret";

/// The name under which a secret that we made is counted.
const MADE: &str = "current";

/// Where the secret of a data folder is kept when no setting gives one.
pub(crate) fn path(data_dir: &Path) -> PathBuf {
    data_dir.join(FILE_NAME)
}

/// Every secret that deliveries may be signed with: ours first, then that of an App that was set up here.
pub(crate) fn all(settings: &Settings) -> Result<Vec<(String, SecretString)>, Failure> {
    let mut all = ours(settings)?;
    all.extend(app_file::webhook_secret(settings)?);
    Ok(all)
}

/// The secrets of the settings; else the one kept in the data folder, which is made if need be.
fn ours(settings: &Settings) -> Result<Vec<(String, SecretString)>, Failure> {
    if !settings.webhook_secrets.is_empty() {
        return Ok(settings.webhook_secrets.clone());
    }
    let path = path(&settings.data_dir);
    let secret = match fs::read_to_string(&path) {
        Ok(secret) => secret.trim_end().to_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => make(&path)?,
        Err(error) => {
            return Err(failed(format!("the webhook secret {} cannot be read: {error}", path.display())));
        }
    };
    Ok(vec![(MADE.to_owned(), secret.into())])
}

/// As [`all`], ready to verify with.
pub(crate) fn verifying(settings: &Settings) -> Result<Secrets, Failure> {
    let all = all(settings)?;
    Secrets::new(all.iter().map(|(name, secret)| (name.as_str(), secret)))
        .map_err(|error| Failure::Usage(format!("--webhook-secret (TALLYHOOK_WEBHOOK_SECRET): {error}")))
}

/// Refuses to go on without a secret in a cluster: each of several processes would make another.
pub(crate) fn refuse_none(settings: &Settings) -> Result<(), Failure> {
    if settings.places.is_cluster() && settings.webhook_secrets.is_empty() {
        return Err(Failure::Usage(
            "there is no webhook secret, and in a cluster none is made: give every process that takes deliveries \
             the same --webhook-secret (TALLYHOOK_WEBHOOK_SECRET)"
                .to_owned(),
        ));
    }
    Ok(())
}

fn make(path: &Path) -> Result<String, Failure> {
    let cannot = |error: io::Error| {
        failed(format!("the webhook secret cannot be kept at {}: {error}", path.display()))
    };
    let secret = const_hex::encode(rand::random::<[u8; 32]>());
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(cannot)?;
    writeln!(file, "{secret}").and_then(|()| file.sync_all()).map_err(cannot)?;
    tracing::info!(
        path = %path.display(),
        "made a webhook secret, because none was set; give it to GitHub with the webhook"
    );
    Ok(secret)
}
