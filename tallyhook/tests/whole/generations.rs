//! A release that folds otherwise, on the folder of the one before: readers see what that one had shown until
//! everything is folded anew, and then its rows are gone.

use std::{io::Read as _, path::Path};

use domain::{
    Active, Family, GENERATION, Row, RowKey,
    view::body::{self, Body, Meta, Stored},
};
use flate2::read::GzDecoder;
use futures::TryStreamExt;
use tempfile::TempDir;
use view_store::{EmbeddedStore, EmbeddedStoreSettings, ViewStore};

use super::support::{forge::Forge, process::Setup, reader::Answer, seconds, truth::until_true, until};

const WITHIN: std::time::Duration = seconds(60);
/// The release before.
const OLDER: u32 = GENERATION - 1;
/// What its payloads say where this release's say the other.
const SAID_BEFORE: &str = "\"GITHUBHANDLE\"";
const SAID_NOW: &str = "\"githubHandle\"";

fn open(data: &Path, generation: u32) -> EmbeddedStore {
    let settings = EmbeddedStoreSettings { generation, ..EmbeddedStoreSettings::default() };
    EmbeddedStore::open(data, &settings).unwrap()
}

/// Makes a folder what it would be if the release before had written it.
async fn turn_back(data: &Path) {
    let now = open(data, GENERATION);
    let mut rows: Vec<Row> = Vec::new();
    for family in Family::ALL {
        let found: Vec<Row> = now.rows_of(family).unwrap().try_collect().await.unwrap();
        rows.extend(found.into_iter().map(|row| match row.key {
            RowKey::Active(partition) => Active { generation: OLDER }.row(partition, row.version.epoch()),
            RowKey::View(..) => said_before(row),
            _ => row,
        }));
    }
    drop(now);
    std::fs::remove_file(data.join("state.redb")).unwrap();
    let before = open(data, OLDER);
    before.write(rows).await.unwrap();
    before.flush().await.unwrap();
}

fn said_before(row: Row) -> Row {
    let Ok(Stored::Body(stored)) = Stored::decode(&row.value) else { return row };
    let mut text = String::new();
    if GzDecoder::new(&stored.gzip[..]).read_to_string(&mut text).is_err() {
        return row;
    }
    let text = text.replace(SAID_NOW, SAID_BEFORE);
    let meta = Meta { hash: body::hash(text.as_bytes()), ..stored.meta };
    Row { value: Stored::Body(Body::new(text.as_bytes(), meta)).encode(), ..row }
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_see_the_older_generation_until_the_new_one_is_built() {
    let folder = TempDir::new().unwrap();
    let forge = Forge::with_past(131, 3).await;
    let setup = Setup::of(folder.path(), &forge).with("TRACK", &forge.track());
    let service = setup.serve().await;
    until_true(&forge, &service.reader(), WITHIN).await;
    service.terminate().await.done();
    turn_back(&setup.data()).await;

    let service = setup.serve().await;
    let reader = service.reader();
    let paths = forge.truths().into_iter().map(|truth| format!("/githubPayload?user={}", truth.login));
    for path in paths {
        until(WITHIN, "this release's payload", async || {
            // Whenever it is asked: never "not known", never "complete" before it is built.
            let answer: Answer = reader.get(&path).await.ok();
            let text = answer.text();
            assert!(text.contains(SAID_BEFORE) != text.contains(SAID_NOW), "{text}");
            assert!(!(answer.is_complete() && text.contains(SAID_BEFORE)), "{path} is of the release before");
            if text.contains(SAID_NOW) { Ok(()) } else { Err(text) }
        })
        .await;
    }
    service.ready().await;
    until_true(&forge, &reader, WITHIN).await;
    service.running.stderr.find(WITHIN, |line| line.contains("retired an older generation of rows")).await;
    service.terminate().await.done();
    assert_eq!(open(&setup.data(), GENERATION).generations().unwrap(), [GENERATION]);
}
