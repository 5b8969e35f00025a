//! Keyspaces: made once, recognised, refused.

use domain::{Epoch, Family, Forge, RowKey};
use futures::future::join_all;
use view_store::{
    StoreError, ViewStore,
    cql::{
        Applied, CqlAddress, CqlStore, CqlStoreSettings, MigrateSettings, OpenError, connect, epoch_open,
        migrate,
    },
};

use crate::server::{self, address, member, migrated, row, scanned, shared};

async fn open(address: &CqlAddress) -> Result<CqlStore, OpenError> {
    CqlStore::open(address, CqlStoreSettings::default()).await
}

async fn change(address: &CqlAddress, text: &str) {
    let session = connect(address).await.unwrap();
    let text = text.replace("{keyspace}", address.keyspace());
    session.query_unpaged(text, ()).await.unwrap();
}

async fn epoch(store: &CqlStore) -> Epoch {
    Epoch::decode(&store.get(&RowKey::Epoch).await.unwrap().unwrap().value).unwrap()
}

#[tokio::test]
async fn a_keyspace_that_is_not_there_is_refused_with_what_makes_it() {
    if server::skipped() {
        return;
    }
    let address = address(shared(), "nobody_made_it");
    let refused = open(&address).await.unwrap_err();
    assert!(refused.to_string().ends_with("run `tallyhook migrate`"), "{refused}");
    let refused = epoch_open(&address, 1).await.unwrap_err();
    assert!(refused.to_string().ends_with("run `tallyhook migrate`"), "{refused}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_from_a_missing_keyspace() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nowhere = listener.local_addr().unwrap();
    drop(listener);
    let address: CqlAddress = format!("scylla://user:secret@{nowhere}/k").parse().unwrap();
    for refused in
        [open(&address).await.map(drop), migrate(&address, MigrateSettings::default()).await.map(drop)]
    {
        let refused = refused.unwrap_err();
        assert!(matches!(refused, OpenError::Unreachable { .. }), "{refused}");
        assert!(!refused.to_string().contains("secret"));
    }
}

#[tokio::test]
async fn migrating_again_changes_nothing() {
    if server::skipped() {
        return;
    }
    let address = address(shared(), "migrated_twice");
    let first = migrate(&address, MigrateSettings::default()).await.unwrap();
    let keyspace = Applied::Keyspace { name: "migrated_twice".to_owned(), replication: 1 };
    assert_eq!(first.first(), Some(&keyspace));
    assert_eq!(first.last(), Some(&Applied::Epoch));
    assert_eq!(first.len(), 6, "{first:?}");

    let store = open(&address).await.unwrap();
    assert_eq!(epoch(&store).await, Epoch::FIRST);
    let kept = row(member(1, 1), 5, "kept");
    store.write(vec![kept.clone()]).await.unwrap();
    assert_eq!(migrate(&address, MigrateSettings::default()).await.unwrap(), []);
    assert_eq!(store.get(&kept.key).await.unwrap(), Some(kept));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_may_migrate_at_once() {
    if server::skipped() {
        return;
    }
    let address = address(shared(), "migrated_at_once");
    let all = join_all((0..4).map(|_| migrate(&address, MigrateSettings::default()))).await;
    for done in all {
        done.unwrap();
    }
    let store = open(&address).await.unwrap();
    assert_eq!(epoch(&store).await, Epoch::FIRST);
    let written = row(member(1, 1), 5, "value");
    store.write(vec![written.clone()]).await.unwrap();
    assert_eq!(scanned(&store, 1).await, [written]);
    assert_eq!(migrate(&address, MigrateSettings::default()).await.unwrap(), []);
}

#[tokio::test]
async fn keyspaces_of_other_releases_are_refused() {
    if server::skipped() {
        return;
    }
    let address = migrated(shared(), "of_another_release").await;
    change(
        &address,
        "INSERT INTO {keyspace}.schema_steps (step, checksum) VALUES ('002_more', 'x') USING TIMESTAMP 1",
    )
    .await;
    for refused in
        [open(&address).await.map(drop), migrate(&address, MigrateSettings::default()).await.map(drop)]
    {
        let refused = refused.unwrap_err();
        assert!(matches!(&refused, OpenError::Newer { step, .. } if step == "002_more"), "{refused}");
        assert!(refused.to_string().contains("newer release"), "{refused}");
    }
    change(&address, "DELETE FROM {keyspace}.schema_steps USING TIMESTAMP 2 WHERE step = '002_more'").await;
    open(&address).await.unwrap();

    change(
        &address,
        "INSERT INTO {keyspace}.schema_steps (step, checksum) VALUES ('001_shared', 'x') USING TIMESTAMP 3",
    )
    .await;
    for refused in
        [open(&address).await.map(drop), migrate(&address, MigrateSettings::default()).await.map(drop)]
    {
        let refused = refused.unwrap_err();
        assert!(matches!(&refused, OpenError::Changed { step, .. } if step == "001_shared"), "{refused}");
    }
}

/// Another generation may be migrated beside this one by a release that folds otherwise.
#[tokio::test]
async fn generations_stand_side_by_side_until_one_is_retired() {
    if server::skipped() {
        return;
    }
    let address = migrated(shared(), "of_generations").await;
    let new_settings = CqlStoreSettings { generation: 2, ..CqlStoreSettings::default() };
    let refused = CqlStore::open(&address, new_settings.clone()).await.unwrap_err();
    assert!(matches!(refused, OpenError::NotMigrated { .. }), "{refused}");

    let migrated = migrate(&address, MigrateSettings { generation: 2, replication: None }).await.unwrap();
    let steps = ["001_generation generation 2", "002_deliveries generation 2", "003_trail generation 2"];
    assert_eq!(migrated, steps.map(|step| Applied::Step(step.to_owned())));
    let (old, new) = (open(&address).await.unwrap(), CqlStore::open(&address, new_settings).await.unwrap());
    assert_eq!(new.generations().await.unwrap(), [1, 2]);
    let alias = || row(RowKey::Alias(Forge::GitHub, "octocat".into()), 3, "shared");
    old.write(vec![row(member(1, 1), 5, "old"), alias()]).await.unwrap();
    new.write(vec![row(member(1, 1), 4, "new")]).await.unwrap();

    for kept in [2, 3] {
        let refused = new.retire(kept).await;
        assert!(matches!(refused, Err(StoreError::Stop(_))), "generation {kept} is in use");
    }
    new.retire(1).await.unwrap();
    new.retire(1).await.unwrap();
    assert_eq!(new.generations().await.unwrap(), [2]);
    assert_eq!(new.get(&member(1, 1)).await.unwrap(), Some(row(member(1, 1), 4, "new")));
    assert_eq!(new.get(&alias().key).await.unwrap(), Some(alias()));
    let stopped = old.get(&member(1, 1)).await;
    assert!(matches!(stopped, Err(StoreError::Stop(_))), "{stopped:?}");

    // A start of the old release says what is missing, and its migration makes it anew.
    let refused = open(&address).await.unwrap_err();
    assert!(matches!(refused, OpenError::NotMigrated { .. }), "{refused}");
    assert_eq!(migrate(&address, MigrateSettings::default()).await.unwrap().len(), 3);
    assert_eq!(open(&address).await.unwrap().get(&member(1, 1)).await.unwrap(), None);
}

#[tokio::test]
async fn an_epoch_is_opened_above_the_last_one() {
    if server::skipped() {
        return;
    }
    let address = migrated(shared(), "of_epochs").await;
    assert_eq!(epoch_open(&address, 1).await.unwrap(), Epoch(2));
    assert_eq!(epoch_open(&address, 1).await.unwrap(), Epoch(3));
    let store = open(&address).await.unwrap();
    assert_eq!(epoch(&store).await, Epoch(3));
    // A migration begins no epoch where there is one.
    assert_eq!(migrate(&address, MigrateSettings::default()).await.unwrap(), []);
    assert_eq!(epoch(&store).await, Epoch(3));
}

/// The word of a table that a person types in `cqlsh` is the family's.
#[tokio::test]
async fn every_family_has_its_table() {
    if server::skipped() {
        return;
    }
    let session = server::session().await;
    drop(server::store().await);
    for family in Family::ALL {
        let generation = if family.is_generational() { "_g1" } else { "" };
        let text = format!("SELECT value FROM rows.{}{generation} LIMIT 1", family.table());
        session.query_unpaged(text, ()).await.unwrap();
    }
}
