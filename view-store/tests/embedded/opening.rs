//! What a person reads when the store cannot be opened, and what can be opened all the same.

use std::{fs, path::Path};

use domain::{EntityKey, RowKey, StreamKey, Version};
use redb::{Database, MultimapTableDefinition, TableDefinition};
use view_store::{EmbeddedStore, EmbeddedStoreSettings, OpenError, Row, ViewStore, embedded::FILE_NAME};

fn open(dir: &Path) -> Result<EmbeddedStore, OpenError> {
    EmbeddedStore::open(dir, &EmbeddedStoreSettings::default())
}

fn refusal(dir: &Path) -> OpenError {
    open(dir).unwrap_err()
}

fn row() -> Row {
    let key = RowKey::Entity(StreamKey::Service, EntityKey::Door);
    Row { key, version: Version::LEAST, value: "open".into() }
}

#[tokio::test]
async fn a_second_opening_is_refused_until_the_first_is_closed() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    store.write(vec![row()]).await.unwrap();

    let refused = refusal(dir.path());
    assert!(matches!(refused, OpenError::InUse { .. }));
    let path = dir.path().join(FILE_NAME).display().to_string();
    assert_eq!(
        refused.to_string(),
        format!("another process uses {path}; stop it or choose another --data-dir")
    );

    let other_generation = store.with_generation(2);
    drop(store);
    assert!(matches!(refusal(dir.path()), OpenError::InUse { .. }), "a handle is still there");
    drop(other_generation);
    let store = open(dir.path()).unwrap();
    assert_eq!(store.get(&row().key).await.unwrap(), Some(row()), "closing keeps what was not flushed");
}

#[test]
fn a_missing_folder_is_made() {
    let dir = tempfile::tempdir().unwrap();
    open(&dir.path().join("some/where")).unwrap();
    assert!(dir.path().join("some/where").join(FILE_NAME).is_file());
}

#[test]
fn a_folder_that_cannot_be_used_is_refused() {
    // A file where the folder should be, and a folder where the file should be, fail for every user.
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), "not a folder").unwrap();
    let refused = refusal(&dir.path().join("file"));
    assert!(matches!(refused, OpenError::Folder { .. }), "{refused}");
    assert!(refused.to_string().contains("choose another --data-dir"), "{refused}");

    fs::create_dir(dir.path().join(FILE_NAME)).unwrap();
    assert!(matches!(refusal(dir.path()), OpenError::Folder { .. }));
}

#[test]
fn a_file_of_something_else_is_refused_and_left_alone() {
    let text = "a file that somebody needs ".repeat(1000);
    let text_of_zeros = [vec![0; 8192], b"not only zeros".to_vec()].concat();
    for contents in [text.as_bytes(), b"short", text_of_zeros.as_slice()] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE_NAME);
        fs::write(&path, contents).unwrap();
        let refused = refusal(dir.path());
        assert!(matches!(refused, OpenError::NotOurs { .. }), "{refused}");
        assert_eq!(fs::read(&path).unwrap(), contents);
    }
}

#[test]
fn a_redb_file_of_something_else_is_refused() {
    let make: [fn(&Database); 3] = [
        |database| {
            let writing = database.begin_write().unwrap();
            writing.open_table(TableDefinition::<u64, u64>::new("records")).unwrap();
            writing.commit().unwrap();
        },
        |database| {
            let writing = database.begin_write().unwrap();
            writing.open_table(TableDefinition::<u64, u64>::new("tallyhook_view_store")).unwrap();
            writing.commit().unwrap();
        },
        |database| {
            let writing = database.begin_write().unwrap();
            let other = MultimapTableDefinition::<u64, u64>::new("tallyhook_view_store");
            writing.open_multimap_table(other).unwrap();
            writing.commit().unwrap();
        },
    ];
    for make in make {
        let dir = tempfile::tempdir().unwrap();
        make(&Database::create(dir.path().join(FILE_NAME)).unwrap());
        let refused = refusal(dir.path());
        assert!(matches!(refused, OpenError::NotOurs { .. }), "{refused}");
    }
}

#[test]
fn a_newer_format_is_refused_and_this_one_is_frozen() {
    const FORMAT: TableDefinition<'_, &str, u64> = TableDefinition::new("tallyhook_view_store");
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()).unwrap());
    let set_format = |format: u64| -> u64 {
        let database = Database::open(dir.path().join(FILE_NAME)).unwrap();
        let writing = database.begin_write().unwrap();
        let before = writing.open_table(FORMAT).unwrap().insert("format", format).unwrap().unwrap().value();
        writing.commit().unwrap();
        before
    };
    assert_eq!(set_format(2), 1);
    let refused = refusal(dir.path());
    assert!(matches!(refused, OpenError::Newer { found: 2, .. }), "{refused}");
    assert!(refused.to_string().contains("was written by a newer release (format 2, this one knows 1)"));
    set_format(1);
    open(dir.path()).unwrap();
}

#[tokio::test]
async fn a_file_whose_making_was_interrupted_is_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE_NAME);
    drop(open(dir.path()).unwrap());
    // redb writes its magic number last; until then there is a header, and zeros after it.
    let made = fs::read(&path).unwrap();
    let mut header_only = vec![0; made.len()];
    header_only[9..320].copy_from_slice(&made[9..320]);
    for unfinished in [vec![], vec![0; 5], vec![0; made.len()], header_only] {
        fs::write(&path, &unfinished).unwrap();
        let store = open(dir.path()).unwrap();
        store.write(vec![row()]).await.unwrap();
        drop(store);
        let store = open(dir.path()).unwrap();
        assert_eq!(store.get(&row().key).await.unwrap(), Some(row()));
    }
}

#[test]
fn a_file_that_is_being_made_elsewhere_is_in_use() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE_NAME);
    fs::write(&path, [0; 100]).unwrap();
    let maker = fs::OpenOptions::new().write(true).open(&path).unwrap();
    maker.lock().unwrap();
    assert!(matches!(refusal(dir.path()), OpenError::InUse { .. }));
}

/// A folder of the first release, as far as the file's own encoding goes.
#[tokio::test]
async fn stored_values_are_frozen() {
    const VIEWS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("entities_g1");
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    let version = Version::from_raw(0x0102_0304_0506);
    store.write(vec![Row { version, ..row() }]).await.unwrap();
    drop(store);
    let database = Database::open(dir.path().join(FILE_NAME)).unwrap();
    let reading = redb::ReadableDatabase::begin_read(&database).unwrap();
    let stored = reading.open_table(VIEWS).unwrap().get([0, 3].as_slice()).unwrap().unwrap().value().to_vec();
    assert_eq!(stored, *b"\0\0\x01\x02\x03\x04\x05\x06g\x92\xc7Kopen");
}
