//! API keys from commands to rows.
#![expect(clippy::unwrap_used, reason = "tests")]

use domain::{
    EntityKey, Epoch, Event, Millis, Row, RowKey, Stamp, StreamKey, Told, Version, entity::api_key::ApiKey,
    event::ApiKeyMade, record::Command, service,
};

const ID: &str = "3f9a";

fn stamp(offset: u64) -> Stamp {
    let received_at = Millis(i64::try_from(offset).unwrap() * 1_000);
    Stamp { version: Version::new(Epoch::FIRST, offset), received_at, told: Told::Command }
}

fn made() -> Event<'static> {
    Event::ApiKeyMade(Box::new(ApiKeyMade {
        id: ID.into(),
        name: "dashboard".into(),
        email: "ada@example.org".into(),
        hash: [7; 32],
        expires_ms: Some(Millis(9_000)),
    }))
}

fn fold(row: &mut Option<Row>, offset: u64, event: &Event<'_>) {
    for written in service::evolve(row.as_ref(), &stamp(offset), event).unwrap() {
        assert_eq!(written.key, RowKey::Entity(StreamKey::Service, EntityKey::ApiKey(ID.into())));
        *row = Some(written);
    }
}

fn key(row: &Option<Row>) -> ApiKey {
    ApiKey::decode(&row.as_ref().unwrap().value).unwrap()
}

#[test]
fn a_key_is_made_used_and_revoked_once() {
    let mut row = None;
    fold(&mut row, 1, &made());
    assert_eq!(key(&row).made_ms, Millis(1_000));
    assert!(!key(&row).is_expired(Millis(8_999)));
    assert!(key(&row).is_expired(Millis(9_000)));

    fold(&mut row, 2, &Event::ApiKeyUsed { id: ID.into() });
    fold(&mut row, 3, &Event::ApiKeyRevoked { id: ID.into() });
    fold(&mut row, 4, &Event::ApiKeyRevoked { id: ID.into() });
    assert_eq!((key(&row).used_ms, key(&row).revoked_ms), (Millis(2_000), Some(Millis(3_000))));

    // The same id made again by somebody else takes nothing over.
    fold(&mut row, 5, &made());
    assert_eq!(key(&row).revoked_ms, Some(Millis(3_000)));
}

#[test]
fn a_record_that_is_folded_already_is_only_written_again() {
    let mut row = None;
    fold(&mut row, 1, &made());
    fold(&mut row, 3, &Event::ApiKeyRevoked { id: ID.into() });
    let before = row.clone();
    fold(&mut row, 1, &made());
    assert_eq!(row, before);
}

#[test]
fn what_is_said_of_a_key_that_nobody_made_changes_nothing() {
    let mut row = None;
    fold(&mut row, 1, &Event::ApiKeyRevoked { id: ID.into() });
    fold(&mut row, 2, &Event::ApiKeyUsed { id: ID.into() });
    assert_eq!(row, None);
}

#[test]
fn the_command_reads_back() {
    let command = Command { events: vec![made()] };
    let body = command.encode();
    assert_eq!(Command::decode(&body).unwrap(), command);
}
