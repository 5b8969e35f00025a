//! A GitHub App that was made by way of the setup page: kept in the data folder, for nobody else to read.

use std::{
    fmt,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use github::client::{AppKey, AppMade, AppSettings};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::{
    failure::{Failure, failed},
    settings::Settings,
};

/// The name of the file in the data folder.
const FILE_NAME: &str = "github-app.json";

/// The name under which its webhook's secret is counted.
const SECRET_NAME: &str = "app";

/// An App that is kept.
pub(crate) struct KeptApp {
    /// Its id.
    pub(crate) id: u64,
    /// Where it is installed.
    pub(crate) html_url: String,
    settings: AppSettings,
    webhook_secret: Option<SecretString>,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    id: u64,
    html_url: String,
    private_key: String,
    webhook_secret: Option<String>,
}

/// Why an App is not kept.
#[derive(Debug)]
pub(crate) enum NotKept {
    /// There is one already.
    Taken,
    /// The folder cannot be written.
    Failed(io::Error),
}

impl fmt::Display for NotKept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotKept::Taken => f.write_str("there is one already"),
            NotKept::Failed(error) => write!(f, "{error}"),
        }
    }
}

/// Where an App is kept.
pub(crate) fn path(data_dir: &Path) -> PathBuf {
    data_dir.join(FILE_NAME)
}

/// The App that is kept in a data folder.
pub(crate) fn read(data_dir: &Path) -> Result<Option<KeptApp>, Failure> {
    let path = path(data_dir);
    let cannot = |why: &dyn fmt::Display| {
        failed(format!("the GitHub App in {} cannot be read: {why}", path.display()))
    };
    if fs::metadata(&path).is_err() {
        // What is wrong with the folder itself is said by whoever opens it.
        return Ok(None);
    }
    let text = fs::read(&path).map_err(|error| cannot(&error))?;
    // An error of the parser may repeat what it read.
    let stored: Stored =
        serde_json::from_slice(&text).map_err(|_| cannot(&"it is not what the setup page wrote"))?;
    let key = AppKey::parse(&stored.private_key.into()).map_err(|error| cannot(&error))?;
    Ok(Some(KeptApp {
        id: stored.id,
        html_url: stored.html_url,
        settings: AppSettings { id: stored.id.to_string(), key },
        webhook_secret: stored.webhook_secret.map(Into::into),
    }))
}

/// Keeps an App that was made just now. One that is there is never written over.
pub(crate) fn keep(data_dir: &Path, made: &AppMade) -> Result<PathBuf, NotKept> {
    let stored = Stored {
        id: made.id,
        html_url: made.html_url.clone(),
        private_key: made.private_key.expose_secret().to_owned(),
        webhook_secret: made.webhook_secret.as_ref().map(|secret| secret.expose_secret().to_owned()),
    };
    let text = serde_json::to_string_pretty(&stored).expect("texts and numbers serialize");
    let path = path(data_dir);
    let unfinished = path.with_extension(format!("unfinished-{}", uuid::Uuid::new_v4().simple()));
    let written = write(&unfinished, &text).and_then(|()| {
        // A link fails where something is, and a rename would not.
        fs::hard_link(&unfinished, &path)?;
        File::open(data_dir)?.sync_all()
    });
    // It does no harm where it is.
    let _ = fs::remove_file(&unfinished);
    match written {
        Ok(()) => Ok(path),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(NotKept::Taken),
        Err(error) => Err(NotKept::Failed(error)),
    }
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// The settings, with the App that is kept where they name none.
pub(crate) fn added(settings: Settings) -> Result<Settings, Failure> {
    if settings.github_app.is_some() || settings.places.is_cluster() {
        return Ok(settings);
    }
    let kept = read(&settings.data_dir)?;
    Ok(Settings { github_app: kept.map(|kept| kept.settings), ..settings })
}

/// What the kept App's webhook signs with, and the name under which that is counted.
pub(crate) fn webhook_secret(settings: &Settings) -> Result<Option<(String, SecretString)>, Failure> {
    if settings.places.is_cluster() {
        return Ok(None);
    }
    let secret = read(&settings.data_dir)?.and_then(|kept| kept.webhook_secret);
    Ok(secret.map(|secret| (SECRET_NAME.to_owned(), secret)))
}
