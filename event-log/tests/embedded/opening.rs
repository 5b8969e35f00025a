//! Opening a folder: what is made, what is refused, and in which words.

use std::{fs, path::Path};

use event_log::{EmbeddedLog, EmbeddedLogSettings, EventLog, OpenError, embedded::FILE_NAME};
use redb::{Database, TableDefinition};
use tempfile::TempDir;

use crate::sample::{append_new, read_all, record};

fn open(dir: &Path) -> Result<EmbeddedLog, OpenError> {
    EmbeddedLog::open(dir, EmbeddedLogSettings::default())
}

/// Why it is refused; one sentence that names the file.
fn refusal(dir: &Path) -> OpenError {
    let Err(refusal) = open(dir) else { panic!("it was opened") };
    let sentence = refusal.to_string();
    assert!(sentence.contains(&dir.display().to_string()), "{sentence}");
    assert!(!sentence.contains('\n'), "{sentence}");
    refusal
}

#[tokio::test]
async fn a_folder_is_made_and_holds_one_file() {
    let folder = TempDir::new().unwrap();
    let dir = folder.path().join("a/b");
    let log = open(&dir).unwrap();
    append_new(&log, record(1, 1)).await;
    let identity = log.identity();
    drop(log);
    let names: Vec<_> = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, [FILE_NAME]);
    let log = open(&dir).unwrap();
    assert_eq!(log.identity(), identity);
    assert_eq!(read_all(&log).await.len(), 1);
}

#[test]
fn a_second_one_in_the_same_process_is_refused_until_the_first_is_dropped() {
    let folder = TempDir::new().unwrap();
    let log = open(folder.path()).unwrap();
    let refused = refusal(folder.path());
    assert!(matches!(refused, OpenError::InUse { .. }), "{refused:?}");
    drop(log);
    open(folder.path()).unwrap();
}

#[test]
fn a_folder_that_cannot_be_written_is_refused() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "in the way").unwrap();
    let refused = refusal(&file.join("data"));
    assert!(matches!(refused, OpenError::Unwritable { .. }), "{refused:?}");

    let dir = folder.path().join("data");
    fs::create_dir_all(dir.join(FILE_NAME)).unwrap();
    let refused = refusal(&dir);
    assert!(matches!(refused, OpenError::Unwritable { .. }), "{refused:?}");
}

#[test]
fn what_is_no_log_is_refused_and_left_alone() {
    for content in
        ["a diary", "a much longer diary, far beyond what any header needs\n".repeat(1000).as_str()]
    {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join(FILE_NAME);
        fs::write(&path, content).unwrap();
        let refused = refusal(folder.path());
        assert!(matches!(refused, OpenError::NotALog { .. }), "{refused:?}");
        assert_eq!(fs::read_to_string(&path).unwrap(), content);
    }
}

#[test]
fn a_database_of_something_else_is_refused() {
    const OTHER: TableDefinition<'_, &str, u64> = TableDefinition::new("other");
    let folder = TempDir::new().unwrap();
    for make_table in [false, true] {
        let database = Database::create(folder.path().join(FILE_NAME)).unwrap();
        if make_table {
            let transaction = database.begin_write().unwrap();
            transaction.open_table(OTHER).unwrap().insert("a", 1).unwrap();
            transaction.commit().unwrap();
        }
        drop(database);
        let refused = refusal(folder.path());
        assert!(matches!(refused, OpenError::NotALog { .. }), "{refused:?}");
    }
}

#[test]
fn an_emptied_file_is_not_taken_for_a_new_log() {
    let folder = TempDir::new().unwrap();
    drop(open(folder.path()).unwrap());
    fs::write(folder.path().join(FILE_NAME), "").unwrap();
    let refused = refusal(folder.path());
    assert!(matches!(refused, OpenError::Damaged { .. }), "{refused:?}");
}

#[test]
fn a_later_format_is_refused() {
    const LOG: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("log");
    let folder = TempDir::new().unwrap();
    drop(open(folder.path()).unwrap());
    let database = Database::create(folder.path().join(FILE_NAME)).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(LOG).unwrap().insert("format", 3u32.to_be_bytes().as_slice()).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let refused = refusal(folder.path());
    assert!(matches!(refused, OpenError::Newer { format: 3, .. }), "{refused:?}");
}

#[tokio::test]
async fn what_a_crash_left_half_made_is_not_used_and_goes_away() {
    let folder = TempDir::new().unwrap();
    let half_made = folder.path().join(format!("{FILE_NAME}.unfinished-0123"));
    fs::write(&half_made, "half").unwrap();
    let log = open(folder.path()).unwrap();
    append_new(&log, record(1, 1)).await;
    drop(log);
    let log = open(folder.path()).unwrap();
    assert_eq!(read_all(&log).await.len(), 1);
    assert!(!half_made.exists());
}

#[test]
fn of_many_that_make_a_log_at_once_one_gets_it() {
    for _ in 0..5 {
        let folder = TempDir::new().unwrap();
        let outcomes: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..6).map(|_| scope.spawn(|| open(folder.path()))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let opened = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        assert_eq!(opened, 1, "{opened} have it open");
        for refused in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
            assert!(matches!(refused, OpenError::InUse { .. }), "{refused}");
        }
    }
}
