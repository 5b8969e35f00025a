//! Broken disks under the real binary: an older log beside a newer store, files that were cut or overwritten, a
//! disk that fills up, files that cannot be written. Whatever happens, it shows what was acknowledged or says
//! in a sentence why it does not run.

use std::{fs, path::Path, sync::Arc};

use event_log::{EmbeddedLog, EmbeddedLogSettings, EventLog};
use tempfile::TempDir;

use super::support::{
    forge::Forge,
    load::{self, Load, Wrongs},
    process::{Ended, Setup},
    room::Room,
    seconds,
    truth::until_true,
};

const LOG: &str = "log.redb";
const STATE: &str = "state.redb";

/// Repositories, each with a sender.
const LINES: usize = 8;

const WITHIN: std::time::Duration = seconds(60);

/// A folder in which so many deliveries were acknowledged; the process has ended, by a signal or by kill -9.
async fn filled(setup: &Setup, load: &Load, deliveries: usize, is_killed: bool) {
    let service = setup.serve().await;
    service.ready().await;
    load.send_to(service.api, LINES);
    load.more(deliveries).await;
    load.pause();
    if is_killed {
        service.kill().await;
    } else {
        service.terminate().await.done();
    }
}

/// A forge whose repositories are loaded into the folder, and that is down since.
async fn loaded(setup: impl Fn(&Forge) -> Setup) -> (Setup, Arc<Load>) {
    let (forge, clock) = load::forge(LINES).await;
    let setup = setup(&forge).with("TRACK", &forge.track());
    let service = setup.serve().await;
    until_true(&forge, &service.reader(), WITHIN).await;
    service.terminate().await.done();
    (setup, Load::new(forge, clock))
}

/// The end of each partition of the log in this folder.
async fn ends(data: &Path) -> Vec<u64> {
    let log = EmbeddedLog::open(data, EmbeddedLogSettings::default()).unwrap();
    log.bounds().await.unwrap().iter().map(|bounds| bounds.end).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_log_beside_a_newer_store_is_refused_and_left_as_it_was() {
    let folder = TempDir::new().unwrap();
    let (setup, load) = loaded(|forge| Setup::of(folder.path(), forge)).await;
    let senders = load.start();
    filled(&setup, &load, 100, false).await;
    // What this log says, with nothing on its way.
    let service = setup.serve().await;
    service.ready().await;
    let said = load.shown(&service.reader()).await;
    service.terminate().await.done();
    let [log, state] = [LOG, STATE].map(|name| setup.data().join(name));
    let [older, newer] = ["older", "newer"].map(|name| folder.path().join(name));
    fs::copy(&log, &older).unwrap();
    // In order: a store that was killed may be no newer than the log, and then fits it.
    filled(&setup, &load, 100, false).await;
    fs::rename(&log, &newer).unwrap();

    fs::copy(&older, &log).unwrap();
    let before = ends(&setup.data()).await;
    for _ in 0..2 {
        let ended = setup.try_serve().await.err().expect("it must not run, nor take in deliveries");
        let sentence = ended.failed(1);
        for remedy in ["move state.redb away", "bring the right log.redb back"] {
            assert!(sentence.contains(remedy), "{sentence}");
        }
        assert_eq!(ends(&setup.data()).await, before, "nothing was appended");
    }

    // One remedy: the right log comes back, and everything is there.
    fs::rename(&newer, &log).unwrap();
    let service = setup.serve().await;
    service.ready().await;
    let mut wrongs = Wrongs::default();
    load.compare(&service.reader(), "with the right log", &mut wrongs).await;
    wrongs.none();
    service.terminate().await.done();

    // The other one: the older log is all there is, and what it says is shown.
    fs::copy(&older, &log).unwrap();
    fs::rename(&state, folder.path().join("away")).unwrap();
    let service = setup.serve().await;
    service.ready().await;
    assert_eq!(load.shown(&service.reader()).await, said);
    service.terminate().await.done();
    for sender in senders {
        sender.abort();
    }
}

/// What is done to a file.
#[derive(Debug, Clone, Copy)]
enum Damage {
    /// So many bytes are missing at the end.
    Cut(usize),
    /// A file system that lost the second half.
    Halved,
    /// The last page that holds anything was not written.
    LastPageZero,
    /// So was the page after so many tenths of those that hold anything.
    PageZero(usize),
}

const PAGE: usize = 4096;

const DAMAGES: &[Damage] = &[
    Damage::Cut(1),
    Damage::Cut(PAGE),
    Damage::Halved,
    Damage::LastPageZero,
    Damage::PageZero(0),
    Damage::PageZero(2),
    Damage::PageZero(5),
];

impl Damage {
    fn apply(self, mut file: Vec<u8>) -> Vec<u8> {
        let zero = |file: &mut Vec<u8>, page: usize| {
            let end = file.len().min((page + 1) * PAGE);
            file[page * PAGE..end].fill(0);
        };
        let is_used = |page: &[u8]| page.iter().any(|byte| *byte != 0);
        match self {
            Damage::Cut(bytes) => file.truncate(file.len() - bytes),
            Damage::Halved => file.truncate(file.len() / 2),
            Damage::LastPageZero => {
                let last = file.chunks(PAGE).rposition(is_used).expect("the file holds something");
                zero(&mut file, last);
            }
            Damage::PageZero(tenths) => {
                // Among the pages that hold something: the end of a file may be free.
                let pages = file.chunks(PAGE).enumerate().filter(|(_, page)| is_used(page));
                let used: Vec<usize> = pages.map(|(page, _)| page).collect();
                zero(&mut file, used[used.len() * tenths / 10]);
            }
        }
        file
    }
}

/// How a damaged folder was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Met {
    Refused,
    StoppedLater,
    Whole,
}

/// That it ended with a sentence that names the file, and what to do.
fn assert_sentence(ended: Ended, what: &str) {
    let said = ended.failed(1);
    let sentence = said.lines().last().unwrap_or_default();
    let names_a_file = sentence.contains(LOG) || sentence.contains(STATE);
    let remedies = ["restore it from a backup", "restore the file from a backup", "away", "--data-dir"];
    assert!(names_a_file && remedies.iter().any(|remedy| sentence.contains(remedy)), "{what}: {said}");
}

/// Starts, and looks at all that is shown: never a wrong number.
async fn meet(setup: &Setup, load: &Load, what: &str) -> Met {
    let service = match setup.try_serve().await {
        Ok(service) => service,
        Err(ended) => {
            assert_sentence(ended, what);
            return Met::Refused;
        }
    };
    let service = match service.ready_or_ended().await {
        Ok(service) => service,
        Err(ended) => {
            assert_sentence(ended, what);
            return Met::StoppedLater;
        }
    };
    let mut wrongs = Wrongs::default();
    let looked = load.try_compare(&service.reader(), what, &mut wrongs).await;
    wrongs.none();
    if looked.is_err() {
        assert_sentence(service.running.ended().await, what);
        return Met::StoppedLater;
    }
    let ended = service.terminate().await;
    if ended.code != Some(0) {
        assert_sentence(ended, what);
        return Met::StoppedLater;
    }
    Met::Whole
}

#[tokio::test(flavor = "multi_thread")]
async fn a_torn_or_cut_file_is_whole_or_refused_and_never_shows_a_wrong_number() {
    let folder = TempDir::new().unwrap();
    let (setup, load) = loaded(|forge| Setup::of(folder.path(), forge)).await;
    let senders = load.start();
    let data = setup.data();
    let mut met = Vec::new();
    for is_killed in [true, false] {
        filled(&setup, &load, 150, is_killed).await;
        let [log, state] = [LOG, STATE].map(|name| fs::read(data.join(name)).unwrap());
        for damage in DAMAGES {
            // The log alone, the store alone, and a log of which everything has to be read.
            for (of, log, state) in [
                (LOG, damage.apply(log.clone()), Some(state.clone())),
                (STATE, log.clone(), Some(damage.apply(state.clone()))),
                ("log.redb, rebuilding", damage.apply(log.clone()), None),
            ] {
                fs::write(data.join(LOG), log).unwrap();
                match state {
                    Some(state) => fs::write(data.join(STATE), state).unwrap(),
                    None => fs::remove_file(data.join(STATE)).unwrap(),
                }
                let what = format!("{damage:?} of {of}, killed {is_killed}");
                let how = meet(&setup, &load, &what).await;
                println!("{what}: {how:?}");
                met.push(how);
            }
        }
        // Undamaged again, nothing is missing.
        fs::write(data.join(LOG), log).unwrap();
        fs::write(data.join(STATE), state).unwrap();
        assert_eq!(meet(&setup, &load, "undamaged").await, Met::Whole);
    }
    for how in [Met::Refused, Met::Whole] {
        assert!(met.contains(&how), "no {how:?} among {met:?}");
    }
    for sender in senders {
        sender.abort();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_loses_nothing_acknowledged() {
    for room in [Some(Room::of_file_sizes()), Room::in_memory().await] {
        let folder = TempDir::new().unwrap();
        let Some(mut room) = room else {
            println!("no file system of its own could be mounted here; the bound on file sizes has to do");
            continue;
        };
        let (setup, load) = loaded(|forge| room.wrap(Setup::of(folder.path(), forge))).await;
        let senders = load.start();
        let service = setup.serve().await;
        load.send_to(service.api, LINES);
        load.more(50).await;
        room.squeeze(&service, &setup.data()).await;
        let sentence = service.running.stderr.find(WITHIN, |line| line.contains("start again")).await;
        let sentence = sentence.expect("it says so");
        let ended = service.running.ended().await;
        load.pause();
        let said = ended.failed(1);
        assert!(said.contains(".redb") && said.contains("start again"), "{said}");
        println!("{room:?}: {}; {sentence}", said.lines().last().unwrap_or_default());
        if said.contains(LOG) {
            assert!(load.sent().sent_away > 0, "nobody was told to come back: {:?}", load.sent());
        }

        // Started while there is still no room: it says so, or goes by what little room there is.
        match room.still_full(setup.clone()).try_serve().await {
            Ok(service) => service.kill().await,
            Err(ended) => assert!(ended.failed(1).contains(".redb")),
        }

        room.widen().await;
        let service = setup.serve().await;
        service.ready().await;
        let mut wrongs = Wrongs::default();
        load.compare(&service.reader(), "after there was room again", &mut wrongs).await;
        load.send_to(service.api, LINES);
        load.more(50).await;
        let sent = load.end(service.api, senders).await;
        load.compare(&service.reader(), "at the end", &mut wrongs).await;
        println!("{room:?}: {sent:?}");
        wrongs.none();
        load.forge.fake.faults().stop();
        until_true(&load.forge, &service.reader(), WITHIN).await;
        service.terminate().await.done();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_be_written_is_named() {
    use std::os::unix::fs::PermissionsExt;

    // Who is root may write everything, unless it gives that up.
    const WITHOUT_PRIVILEGE: &str = r#"test "$(id -u)" -ne 0 && exec "$@"
        exec setpriv --bounding-set=-dac_override,-dac_read_search "$@""#;
    let folder = TempDir::new().unwrap();
    let (setup, load) = loaded(|forge| Setup::of(folder.path(), forge).through(WITHOUT_PRIVILEGE)).await;
    let senders = load.start();
    filled(&setup, &load, 30, false).await;
    let data = setup.data();
    let permit = |path: &Path, mode: u32| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    for name in [LOG, STATE] {
        let path = data.join(name);
        for mode in [0o444, 0o000] {
            permit(&path, mode);
            let sentence = setup.try_serve().await.err().expect("it must not run").failed(1);
            assert!(
                sentence.contains(path.to_str().unwrap()) && sentence.contains("--data-dir"),
                "{sentence}"
            );
        }
        permit(&path, 0o600);
    }
    let other = folder.path().join("other");
    fs::create_dir(&other).unwrap();
    permit(&other, 0o555);
    let elsewhere = setup.clone().with("DATA_DIR", other.to_str().unwrap());
    let sentence = elsewhere.try_serve().await.err().expect("it must not run").failed(1);
    assert!(sentence.contains(other.to_str().unwrap()) && sentence.contains("--data-dir"), "{sentence}");
    assert_eq!(fs::read_dir(&other).unwrap().count(), 0, "nothing was left there");

    // Files that are there are enough, also where none can be made.
    permit(&data, 0o555);
    let service = setup.serve().await;
    service.ready().await;
    let mut wrongs = Wrongs::default();
    load.compare(&service.reader(), "after all", &mut wrongs).await;
    wrongs.none();
    service.terminate().await.done();
    permit(&data, 0o755);
    for sender in senders {
        sender.abort();
    }
}
