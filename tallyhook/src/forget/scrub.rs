//! Both files of a data folder written anew at a start, when something was erased in them: a storage engine gives pages
//! back to itself and leaves their bytes where they were, and keys of what is gone may stand in inner pages.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use domain::GENERATION;
use event_log::{EmbeddedLogSettings, embedded::EmbeddedLog};
use tracing::{info, warn};
use view_store::embedded::{EmbeddedStore, EmbeddedStoreSettings};

/// The file that says that something was erased since the files were written.
const WANTED: &str = "scrub-at-start";
/// Where they are written.
const FRESH: &str = "scrubbing";

/// Notes that the next start is to write both files anew; durable when it returns.
pub(super) fn want(data_dir: &Path) -> io::Result<()> {
    File::create(data_dir.join(WANTED))?.sync_all()?;
    File::open(data_dir)?.sync_all()
}

/// A copy of the folder holds the same, and is scrubbed by its first start.
pub(crate) fn copy_mark(data_dir: &Path, target: &Path) -> io::Result<()> {
    if data_dir.join(WANTED).exists() { want(target) } else { Ok(()) }
}

/// Writes both files anew where that is wanted; call it while nobody has them open. Where it cannot be done (a full disk)
/// it is left for a later start.
pub(crate) fn scrub_if_wanted(data_dir: &Path) {
    let fresh = data_dir.join(FRESH);
    // Of one that was interrupted.
    let _ = fs::remove_dir_all(&fresh);
    if !data_dir.join(WANTED).exists() {
        return;
    }
    info!(data_dir = %data_dir.display(), "writing log and store anew, because something was erased in them");
    match scrub(data_dir, &fresh) {
        Ok(()) => info!("log and store are written anew"),
        Err(reason) => {
            warn!(reason, "log and store were not written anew; the next start tries again");
            let _ = fs::remove_dir_all(&fresh);
        }
    }
}

fn scrub(data_dir: &Path, fresh: &Path) -> Result<(), String> {
    let text = |error: io::Error| error.to_string();
    fs::create_dir(fresh).map_err(text)?;
    // Both stay open until the new files have their names, so that no other process takes the old ones for its own.
    let log =
        EmbeddedLog::open(data_dir, EmbeddedLogSettings::default()).map_err(|error| error.to_string())?;
    let settings = EmbeddedStoreSettings { generation: GENERATION, ..EmbeddedStoreSettings::default() };
    let store = EmbeddedStore::open(data_dir, &settings).map_err(|error| error.to_string())?;
    let snapshot = log.snapshot().map_err(|error| error.to_string())?;
    snapshot.write(fresh).map_err(|error| error.to_string())?;
    let snapshot = store.snapshot().map_err(|error| error.to_string())?;
    snapshot.write_without_erased(fresh).map_err(|error| error.to_string())?;
    File::open(fresh).and_then(|dir| dir.sync_all()).map_err(text)?;
    // Either of the new files says the same as the old one, so that a crash between the two does no harm.
    for name in [event_log::embedded::FILE_NAME, view_store::embedded::FILE_NAME] {
        let to: PathBuf = data_dir.join(name);
        fs::rename(fresh.join(name), to).map_err(text)?;
    }
    File::open(data_dir).and_then(|dir| dir.sync_all()).map_err(text)?;
    fs::remove_file(data_dir.join(WANTED)).map_err(text)?;
    fs::remove_dir_all(fresh).map_err(text)
}

#[cfg(test)]
mod tests {
    use domain::{AccountId, Epoch, Forge, Millis, Row, RowKey, StreamKey, Version};
    use event_log::{EventLog, Limit, Partition, Position, Record};
    use view_store::ViewStore;

    use super::*;

    fn record(body: &str) -> Record {
        Record {
            stream: StreamKey::Service,
            id: "id".to_owned(),
            dedupe: None,
            kind: "kind".to_owned(),
            received_at: Millis(1),
            headers: Vec::new(),
            body: body.as_bytes().to_vec().into(),
        }
    }

    fn bytes_of(dir: &Path) -> Vec<u8> {
        let files = [event_log::embedded::FILE_NAME, view_store::embedded::FILE_NAME];
        files.iter().flat_map(|name| fs::read(dir.join(name)).unwrap()).collect()
    }

    fn holds(dir: &Path, word: &str) -> bool {
        bytes_of(dir).windows(word.len()).any(|window| window == word.as_bytes())
    }

    async fn open(dir: &Path) -> (EmbeddedLog, EmbeddedStore) {
        let log = EmbeddedLog::open(dir, EmbeddedLogSettings::default()).unwrap();
        let settings = EmbeddedStoreSettings { generation: GENERATION, ..EmbeddedStoreSettings::default() };
        (log, EmbeddedStore::open(dir, &settings).unwrap())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_was_erased_is_in_neither_file_after_it_and_the_rest_is_the_same() {
        let folder = tempfile::TempDir::new().unwrap();
        let dir = folder.path();
        let (log, store) = open(dir).await;
        // Many, so that inner pages hold keys too.
        let name = |number: u64| format!("quaggamire-{number:05}");
        let version = |offset| Version::new(Epoch::FIRST, offset);
        let rows: Vec<Row> = (0..3_000)
            .map(|number| {
                let key = RowKey::Alias(Forge::GitHub, name(number));
                Row { key, version: version(1), value: name(number).into_bytes().into() }
            })
            .collect();
        store.write(rows.clone()).await.unwrap();
        let kept = Row { key: RowKey::Directory(AccountId::github(1)), ..rows[0].clone() };
        store.write(vec![Row { value: b"kept".to_vec().into(), ..kept.clone() }]).await.unwrap();
        store.flush().await.unwrap();
        for number in 0..200 {
            log.append(vec![record(&name(number)), record("others")]).await.unwrap();
        }
        assert!(holds(dir, "quaggamire"));
        store.write(rows.into_iter().map(|row| Row::erased(row.key, version(2))).collect()).await.unwrap();
        store.flush().await.unwrap();
        let partition = log.partition_of(StreamKey::Service);
        for offset in (0..400).step_by(2) {
            log.replace(vec![(Position { partition, offset }, record(""))]).await.unwrap();
        }
        want(dir).unwrap();
        drop((log, store));
        assert!(
            holds(dir, "quaggamire"),
            "pages that are free keep their bytes: the test would show nothing else"
        );

        // One that was interrupted is in nobody's way.
        fs::create_dir(dir.join(FRESH)).unwrap();
        fs::write(dir.join(FRESH).join("log.redb"), b"half").unwrap();
        scrub_if_wanted(dir);
        assert!(!holds(dir, "quaggamire"));
        assert!(!dir.join(WANTED).exists() && !dir.join(FRESH).exists());
        let (log, store) = open(dir).await;
        let all = Limit { records_max: 1_000, bytes_max: usize::MAX };
        let found = log.read(Position { partition: Partition(partition.0), offset: 0 }, all).await.unwrap();
        assert_eq!(found.len(), 400);
        assert_eq!((&found[0].1, &found[1].1), (&record(""), &record("others")));
        assert_eq!(store.get(&kept.key).await.unwrap().unwrap().value.as_ref(), b"kept");
    }
}
