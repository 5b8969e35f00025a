//! Opening `log.redb`: making a new one so that no half-made file ever stands in its place, and refusing
//! with one sentence what cannot be used.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use redb::{Database, DatabaseError, StorageBackend};

use super::{
    EmbeddedLogSettings,
    fault::{Fault, guarded},
    file::LogFile,
    tables::{self, About, FORMAT, PARTITIONS},
};
use crate::port::Identity;

/// The file's name in its data folder.
pub const FILE_NAME: &str = "log.redb";

/// A file that is being made has this between its name and the end of its own name.
const UNFINISHED: &str = ".unfinished-";

/// Why a log cannot be opened. Every one of them is a reason not to start, in one sentence for a person.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Stop the other process or choose another folder.
    #[error("another process uses {place}: stop it or choose another --data-dir")]
    InUse {
        /// The file.
        place: String,
    },
    /// Mend the folder's permissions, free space, or choose another folder.
    #[error("{place} cannot be opened for writing ({cause}): mend that or choose another --data-dir")]
    Unwritable {
        /// The file or its folder.
        place: String,
        /// What the system says.
        cause: String,
    },
    /// Something else lies where the log should be.
    #[error("{place} is not an event log: move it away or choose another --data-dir")]
    NotALog {
        /// The file.
        place: String,
    },
    /// A later release wrote it.
    #[error(
        "{place} was written by a later release (format {format}, this one knows {FORMAT}): run that one"
    )]
    Newer {
        /// The file.
        place: String,
        /// The format that it has.
        format: u32,
    },
    /// It was cut or overwritten.
    #[error("{place} is damaged ({cause}): restore it from a backup")]
    Damaged {
        /// The file.
        place: String,
        /// What was found.
        cause: String,
    },
}

/// An opened file, and what it is.
pub(super) struct Opened {
    pub(super) file: LogFile,
    pub(super) identity: Identity,
}

/// Opens the log in `dir`, and makes folder and log where there is none.
pub(super) fn open_folder(dir: &Path, settings: &EmbeddedLogSettings) -> Result<Opened, OpenError> {
    fs::create_dir_all(dir).map_err(|error| unwritable(dir, &error))?;
    let path = dir.join(FILE_NAME);
    let exists = path.try_exists().map_err(|error| unwritable(&path, &error))?;
    if !exists && let Some(opened) = create_file(dir, &path, settings)? {
        return Ok(opened);
    }
    let place = path.display().to_string();
    let file =
        OpenOptions::new().read(true).write(true).open(&path).map_err(|error| unwritable(&path, &error))?;
    // The engine would take an empty file for a new database, and everything that was in it for never
    // written. Ours are never empty (see `create_file`).
    if file.metadata().map_err(|error| unwritable(&path, &error))?.len() == 0 {
        return Err(OpenError::Damaged { place, cause: "it is empty".to_owned() });
    }
    let opened = open_database(place, |builder| builder.create_file(file), settings)?;
    remove_unfinished(dir);
    Ok(opened)
}

/// Opens the log that `backend` holds, and makes one where it is empty.
pub(super) fn open_backend(
    backend: impl StorageBackend,
    place: &str,
    settings: &EmbeddedLogSettings,
) -> Result<Opened, OpenError> {
    let is_empty = backend
        .len()
        .map_err(|error| OpenError::Unwritable { place: place.to_owned(), cause: error.to_string() })?
        == 0;
    let open = |builder: &redb::Builder| builder.create_with_backend(backend);
    if is_empty {
        create_database(place.to_owned(), open, settings)
    } else {
        open_database(place.to_owned(), open, settings)
    }
}

/// Makes a new log beside its place and moves it there whole, so that a crash on the way leaves no log
/// rather than half of one. `None` when another process made one meanwhile.
fn create_file(dir: &Path, path: &Path, settings: &EmbeddedLogSettings) -> Result<Option<Opened>, OpenError> {
    // A name of its own: two processes that start at once must not work on one unfinished file.
    let unfinished = unfinished_path(dir);
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&unfinished)
        .map_err(|error| unwritable(dir, &error))?;
    let created = create_database(path.display().to_string(), |builder| builder.create_file(file), settings)
        .and_then(|opened| {
            Ok(place_new_file(&unfinished, path).map_err(|error| unwritable(path, &error))?.then_some(opened))
        });
    if !matches!(created, Ok(Some(_))) {
        // A leftover takes a little space and is removed by the next start.
        let _ = fs::remove_file(&unfinished);
    }
    created
}

/// Gives the finished file its name, unless something has that name; says whether it did.
fn place_new_file(unfinished: &Path, path: &Path) -> io::Result<bool> {
    match fs::hard_link(unfinished, path) {
        Ok(()) => fs::remove_file(unfinished)?,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(false),
        // A file system without hard links; renaming cannot refuse a name that is taken, so look first.
        Err(_) if !path.try_exists()? => fs::rename(unfinished, path)?,
        Err(_) => return Ok(false),
    }
    if cfg!(unix)
        && let Some(dir) = path.parent()
    {
        File::open(dir)?.sync_all()?;
    }
    Ok(true)
}

fn unfinished_path(dir: &Path) -> PathBuf {
    dir.join(format!("{FILE_NAME}{UNFINISHED}{}", uuid::Uuid::new_v4().simple()))
}

/// Removes what a crash left while it made a log. Called when we own the finished one: whoever is still
/// making another will find that its name is taken.
fn remove_unfinished(dir: &Path) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        if name.to_string_lossy().starts_with(&format!("{FILE_NAME}{UNFINISHED}")) {
            // It does no harm where it is.
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn create_database(
    place: String,
    open: impl FnOnce(&redb::Builder) -> Result<Database, DatabaseError>,
    settings: &EmbeddedLogSettings,
) -> Result<Opened, OpenError> {
    let identity = Identity { incarnation: uuid::Uuid::new_v4().as_u128(), partitions: PARTITIONS };
    let database = match guarded(|| Ok(open(&builder(&place, settings))?)) {
        Ok(database) => database,
        Err(fault) => return Err(refusal(place, &fault)),
    };
    let file = LogFile::new(database, place.clone());
    match file.write(|transaction| tables::create(transaction, identity)) {
        Ok(()) => Ok(Opened { file, identity }),
        Err(fault) => Err(refusal(place, &fault)),
    }
}

fn open_database(
    place: String,
    open: impl FnOnce(&redb::Builder) -> Result<Database, DatabaseError>,
    settings: &EmbeddedLogSettings,
) -> Result<Opened, OpenError> {
    let database = match guarded(|| Ok(open(&builder(&place, settings))?)) {
        Ok(database) => database,
        Err(fault) => return Err(refusal(place, &fault)),
    };
    let file = LogFile::new(database, place.clone());
    match file.read(tables::about) {
        Ok(About::Log(identity)) => Ok(Opened { file, identity }),
        Ok(About::NotALog) => Err(OpenError::NotALog { place }),
        Ok(About::Newer { format }) => Err(OpenError::Newer { place, format }),
        Err(fault) => Err(refusal(place, &fault)),
    }
}

fn builder(place: &str, settings: &EmbeddedLogSettings) -> redb::Builder {
    let mut builder = Database::builder();
    let place = place.to_owned();
    builder.set_cache_size(settings.cache_bytes).set_repair_callback(move |repair| {
        // Commits are made such that this is not needed after a crash; if it is, say what takes so long.
        tracing::warn!(
            file = place,
            progress = repair.progress(),
            "checking the whole log before it is used"
        );
    });
    builder
}

/// The sentence for what the engine found.
pub(super) fn refusal(place: String, fault: &Fault) -> OpenError {
    let cause = fault.to_string();
    let Fault::Engine(error) = fault else { return OpenError::Damaged { place, cause } };
    match error {
        redb::Error::DatabaseAlreadyOpen => OpenError::InUse { place },
        // An early release of the engine; none of ours wrote such a file.
        redb::Error::UpgradeRequired(_) => OpenError::NotALog { place },
        redb::Error::Io(error) => match error.kind() {
            ErrorKind::InvalidData => OpenError::NotALog { place },
            ErrorKind::UnexpectedEof => OpenError::Damaged { place, cause: "it is cut short".to_owned() },
            _ => OpenError::Unwritable { place, cause: error.to_string() },
        },
        _ => OpenError::Damaged { place, cause },
    }
}

fn unwritable(path: &Path, error: &io::Error) -> OpenError {
    OpenError::Unwritable { place: path.display().to_string(), cause: error.to_string() }
}
