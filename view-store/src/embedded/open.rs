//! Opening the file, or saying in one sentence why not.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read, Seek},
    path::Path,
};

use redb::{
    Builder, Database, ReadableDatabase, StorageBackend, TableDefinition, TableError, backends::FileBackend,
};

use super::health::{Fault, caught};

/// The file's name within the data folder.
pub const FILE_NAME: &str = "state.redb";

/// What helps against every file that cannot be used.
pub(super) const REMEDY_REBUILD: &str = "move state.redb away; it is rebuilt from the log at the next start";

/// Says that a file is a view store, and which format its tables have.
const FORMAT_TABLE: TableDefinition<'_, &str, u64> = TableDefinition::new("tallyhook_view_store");
const FORMAT_KEY: &str = "format";
/// Raised when older releases could misread what newer ones write.
const FORMAT: u64 = 1;

/// Cache unless told otherwise. The query API keeps ready bytes itself, so this one holds what the
/// projector folds into and the inner pages of the tables.
const CACHE_BYTES_DEFAULT: usize = 64 * 1024 * 1024;

/// redb makes a file of 1 MiB and some pages, and writes its magic number when everything else of it is
/// on disk. A file of at most this size without that number may be one whose making was interrupted.
const UNFINISHED_BYTES_MAX: u64 = 4 * 1024 * 1024;
const MAGIC_BYTES: usize = 9;
/// The part of the file that is written before the magic number is.
const HEADER_BYTES: usize = 4096;

/// How a store is opened.
#[derive(Debug, Clone)]
pub struct EmbeddedStoreSettings {
    /// The build of all views to read and write.
    pub generation: u32,
    /// Memory for pages of the file: at most half of it for pages that are not flushed yet, the rest for
    /// pages that were read.
    pub cache_bytes: usize,
}

impl Default for EmbeddedStoreSettings {
    fn default() -> Self {
        EmbeddedStoreSettings { generation: 1, cache_bytes: CACHE_BYTES_DEFAULT }
    }
}

/// Why a store cannot be opened. All of them refuse the start; the text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another handle, here or in another process, has the file open.
    #[error("another process uses {file}; stop it or choose another --data-dir")]
    InUse {
        /// The file.
        file: String,
    },
    /// The folder or the file cannot be made, read or written by this user.
    #[error("{path} cannot be used: {cause}; mend that or choose another --data-dir")]
    Folder {
        /// The folder or the file in it.
        path: String,
        /// What the operating system said.
        cause: String,
    },
    /// The disk refused in the middle of opening.
    #[error("{file} cannot be read or written: {cause}; mend that and start again")]
    Disk {
        /// The file.
        file: String,
        /// What the operating system said.
        cause: String,
    },
    /// The file is something else.
    #[error("{file} is not a view store of Tallyhook; {REMEDY_REBUILD}")]
    NotOurs {
        /// The file.
        file: String,
    },
    /// A newer release wrote it.
    #[error(
        "{file} was written by a newer release (format {found}, this one knows {FORMAT}); run that release, or {REMEDY_REBUILD}"
    )]
    Newer {
        /// The file.
        file: String,
        /// The format that it has.
        found: u64,
    },
    /// It was one of ours and does not hold together.
    #[error("{file} is damaged: {cause}; {REMEDY_REBUILD}")]
    Damaged {
        /// The file.
        file: String,
        /// What was found.
        cause: String,
    },
}

/// Opens or makes the file in `dir`; also returns what messages call it.
pub(super) fn open_folder(
    dir: &Path,
    settings: &EmbeddedStoreSettings,
) -> Result<(Database, String), OpenError> {
    std::fs::create_dir_all(dir).map_err(|error| unusable(dir, &error))?;
    let path = dir.join(FILE_NAME);
    let file = path.display().to_string();
    discard_unfinished(&path)?;
    let is_new = !path.exists();
    let opened = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(|error| unusable(&path, &error))?;
    let backend = FileBackend::new(opened).map_err(|error| refusal(error.into(), &file))?;
    let database = open_backend(backend, &file, settings)?;
    if is_new {
        sync_folder(dir)?;
    }
    Ok((database, file))
}

/// Opens or makes the store that `backend` holds.
pub(super) fn open_backend(
    backend: impl StorageBackend,
    file: &str,
    settings: &EmbeddedStoreSettings,
) -> Result<Database, OpenError> {
    let named = file.to_owned();
    let opened = caught(|| {
        let database = Builder::new()
            .set_cache_size(settings.cache_bytes)
            .set_repair_callback(move |repair| {
                tracing::warn!(
                    file = named,
                    progress = repair.progress(),
                    "checking a store that was not closed"
                );
            })
            .create_with_backend(backend)
            .map_err(|error| refusal(error.into(), file))?;
        check_format(&database, file)?;
        Ok(database)
    });
    opened.unwrap_or_else(|panic| Err(OpenError::Damaged { file: file.to_owned(), cause: panic }))
}

/// Makes sure that the tables are ones this release understands; a file without any becomes ours.
fn check_format(database: &Database, file: &str) -> Result<(), OpenError> {
    let refused = |error: redb::Error| refusal(error, file);
    let reading = database.begin_read().map_err(|error| refused(error.into()))?;
    match reading.open_table(FORMAT_TABLE) {
        Ok(formats) => match formats.get(FORMAT_KEY).map_err(|error| refused(error.into()))? {
            Some(found) if found.value() == FORMAT => Ok(()),
            Some(found) if found.value() > FORMAT => {
                Err(OpenError::Newer { file: file.to_owned(), found: found.value() })
            }
            _ => Err(OpenError::NotOurs { file: file.to_owned() }),
        },
        Err(TableError::TableDoesNotExist(_)) => {
            let mut tables = reading.list_tables().map_err(|error| refused(error.into()))?;
            if tables.next().is_some() {
                return Err(OpenError::NotOurs { file: file.to_owned() });
            }
            write_format(database).map_err(refused)
        }
        Err(TableError::Storage(error)) => Err(refused(error.into())),
        Err(_) => Err(OpenError::NotOurs { file: file.to_owned() }),
    }
}

fn write_format(database: &Database) -> Result<(), redb::Error> {
    let mut writing = database.begin_write()?;
    writing.set_quick_repair(true);
    writing.open_table(FORMAT_TABLE)?.insert(FORMAT_KEY, FORMAT)?;
    Ok(writing.commit()?)
}

/// What redb's error means to the person who started the process.
fn refusal(error: redb::Error, file: &str) -> OpenError {
    let file = file.to_owned();
    match error {
        redb::Error::DatabaseAlreadyOpen => OpenError::InUse { file },
        redb::Error::UpgradeRequired(_) => OpenError::NotOurs { file },
        redb::Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => OpenError::NotOurs { file },
        other => match Fault::from(other) {
            Fault::Damage(cause) => OpenError::Damaged { file, cause },
            Fault::Disk(cause) => OpenError::Disk { file, cause },
            Fault::Echo => OpenError::Disk { file, cause: "an earlier error".to_owned() },
        },
    }
}

/// Empties a file whose making was interrupted, so that it is made again. Nothing was ever in it.
fn discard_unfinished(path: &Path) -> Result<(), OpenError> {
    let mut opened = match OpenOptions::new().read(true).write(true).open(path) {
        Ok(opened) => opened,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(unusable(path, &error)),
    };
    if !is_unfinished(&mut opened).map_err(|error| unusable(path, &error))? {
        return Ok(());
    }
    // Another process may be making it right now.
    match opened.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(OpenError::InUse { file: path.display().to_string() }),
        Err(TryLockError::Error(error)) => return Err(unusable(path, &error)),
    }
    if is_unfinished(&mut opened).map_err(|error| unusable(path, &error))? {
        tracing::warn!(file = %path.display(), "making the file again, because its making was interrupted");
        opened.set_len(0).map_err(|error| unusable(path, &error))?;
    }
    Ok(())
}

fn is_unfinished(opened: &mut File) -> io::Result<bool> {
    let length = opened.metadata()?.len();
    if length == 0 || length > UNFINISHED_BYTES_MAX {
        return Ok(false);
    }
    let mut bytes = Vec::new();
    opened.rewind()?;
    opened.read_to_end(&mut bytes)?;
    let is_zero = |part: &[u8]| part.iter().all(|byte| *byte == 0);
    Ok(is_zero(&bytes[..MAGIC_BYTES.min(bytes.len())])
        && is_zero(bytes.get(HEADER_BYTES..).unwrap_or_default()))
}

fn unusable(path: &Path, error: &io::Error) -> OpenError {
    OpenError::Folder { path: path.display().to_string(), cause: error.to_string() }
}

/// Makes the new file's name durable: a flush covers only what is in the file.
fn sync_folder(dir: &Path) -> Result<(), OpenError> {
    if cfg!(unix) {
        File::open(dir).and_then(|dir| dir.sync_all()).map_err(|error| unusable(dir, &error))?;
    }
    Ok(())
}
