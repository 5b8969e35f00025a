//! An account that a person has erased: what is left of it, what is folded afterwards, and the bytes in which that is
//! kept.
#![expect(clippy::unwrap_used, reason = "tests")]

use domain::{
    AccountId, Asked, EntityKey, Epoch, Event, Forge, Ledger, Millis, NeedKey, RepoId, Row, RowKey, Second,
    Stamp, StreamKey, Told, Version,
    directory::{Alias, Directory, DirectoryState, HiddenRow},
    entity::{
        account::{Account, Forgotten},
        forgotten_login::ForgottenLogin,
        gist_users::GistUsers,
        login::Login,
    },
    event::{LoginHash, LoginsForgotten, OwnerReading, ProfileReading, RepositoryReading, TrackedBy},
    ledger::LargeViews,
    record::Command,
    service::{self, Traces},
};

const NOW: Millis = Millis(1_800_000_000_000);

fn account() -> AccountId {
    AccountId::github(9)
}

fn stream() -> StreamKey {
    StreamKey::Account(account())
}

fn version(offset: u64) -> Version {
    Version::new(Epoch::FIRST, offset)
}

fn stamp(offset: u64, told: Told) -> Stamp {
    Stamp { version: version(offset), received_at: NOW, told }
}

fn owner() -> OwnerReading<'static> {
    OwnerReading { id: account(), login: "Octo".into(), kind: None, url: None, avatar_url: None }
}

fn payload() -> Vec<Event<'static>> {
    let mut reading = RepositoryReading::of(RepoId::github(7));
    reading.name = Some("secret-garden".into());
    reading.owner = Some(owner());
    reading.private = Some(false);
    reading.updated_at = Some(Second(100));
    vec![Event::Tracked(TrackedBy::Delivery), Event::Repository(Box::new(reading))]
}

fn profile() -> Event<'static> {
    Event::Profile(ProfileReading {
        owner: owner(),
        name: None,
        email: None,
        followers: Some(1),
        public_gists: None,
        public_repos: None,
        as_of: None,
    })
}

fn answer(asked_at: u64) -> Told {
    Told::Answer(Asked { asked_at: version(asked_at), asked_ms: NOW, date: Second(1_799_999_999) })
}

fn drained(ledger: &mut Ledger) -> Vec<Row> {
    let drained = ledger.drain(LargeViews::Render);
    assert!(!drained.has_more && !ledger.is_dirty());
    drained.rows
}

fn directory(rows: &[Row]) -> Directory {
    let row = rows.iter().find(|row| row.key == RowKey::Directory(account())).unwrap();
    Directory::decode(&row.value).unwrap()
}

/// Known and kept, then forgotten by record 5.
fn forgotten() -> (Ledger, Vec<Row>) {
    let mut ledger = Ledger::load(account(), []).unwrap();
    ledger.evolve(&stamp(1, Told::Delivery), &payload());
    ledger.evolve(&stamp(2, answer(1)), &[profile()]);
    assert_eq!(directory(&drained(&mut ledger)).state, DirectoryState::Kept);
    let mut rows: Vec<Row> = ledger.forget(&stamp(5, Told::Command)).into_iter().collect();
    rows.extend(drained(&mut ledger));
    (ledger, rows)
}

#[test]
fn nothing_is_left_but_that_it_was_forgotten() {
    let (_, rows) = forgotten();
    let alias = RowKey::Alias(Forge::GitHub, "octo".into());
    assert_eq!(rows[0], Row::erased(alias, Alias::version(Second(1_799_999_999))));
    let entry = directory(&rows);
    assert_eq!((entry.state, entry.login, entry.repositories), (DirectoryState::Forgotten, None, 0));
    let hidden = rows.iter().find(|row| row.key == RowKey::Hidden(account(), None)).unwrap();
    assert!(HiddenRow::decode(&hidden.value).unwrap().hidden, "answers about several accounts leave it out");
    for row in &rows[1..] {
        let text = String::from_utf8_lossy(&row.value).to_lowercase();
        assert!(!text.contains("octo") && !text.contains("garden"), "{row:?}");
        assert_eq!(row.version, version(5));
    }
}

#[test]
fn what_is_said_of_it_is_folded_to_nothing_until_a_person_tracks_it() {
    let (mut ledger, rows) = forgotten();
    for reloaded in [false, true] {
        if reloaded {
            ledger = Ledger::load(account(), rows.clone()).unwrap();
        }
        // Late, on time, asked before it was forgotten, and by somebody who may not end it.
        ledger.evolve(&stamp(3, Told::Delivery), &payload());
        ledger.evolve(&stamp(6, Told::Delivery), &payload());
        ledger.evolve(&stamp(7, answer(4)), &[profile(), Event::Tracked(TrackedBy::Settings)]);
        ledger.unreadable(&stamp(8, Told::Delivery));
        assert_eq!(drained(&mut ledger), [], "reloaded: {reloaded}");
    }

    ledger.evolve(&stamp(9, answer(8)), &[Event::Tracked(TrackedBy::Person), profile()]);
    let begun = drained(&mut ledger);
    let entry = directory(&begun);
    assert_eq!((entry.state, entry.login.as_deref()), (DirectoryState::Kept, Some("Octo")));
    assert_eq!(entry.repositories, 0, "it starts anew");
    let hidden = begun.iter().find(|row| row.key == RowKey::Hidden(account(), None)).unwrap();
    assert!(!HiddenRow::decode(&hidden.value).unwrap().hidden);
    assert!(begun.iter().any(|row| row.key == RowKey::Need(stream(), NeedKey::Repositories)));

    // Who folds it all again, what was said before included, comes to the same.
    let mut again = Ledger::load(account(), begun.clone()).unwrap();
    for (offset, told) in [(3, Told::Delivery), (6, Told::Delivery)] {
        again.evolve(&stamp(offset, told), &payload());
    }
    again.forget(&stamp(5, Told::Command));
    again.evolve(&stamp(9, answer(8)), &[Event::Tracked(TrackedBy::Person), profile()]);
    let again = drained(&mut again);
    assert!(!again.is_empty(), "it is written again");
    for row in again {
        let known = begun.iter().find(|known| known.key == row.key && known.version <= row.version);
        assert!(known.is_none_or(|known| known.value == row.value), "{row:?}");
    }
}

#[test]
fn a_rebuild_from_erased_records_ends_the_same() {
    let (_, rows) = forgotten();
    let mut rebuilt = Ledger::load(account(), []).unwrap();
    rebuilt.forget(&stamp(5, Told::Command));
    let rebuilt = drained(&mut rebuilt);
    assert_eq!(rebuilt, rows[1..], "but for the alias, which it never knew");
}

#[test]
fn the_service_forgets_wishes_users_and_visits_and_says_that_it_did() {
    let forgotten = LoginsForgotten {
        account: account(),
        logins: vec![LoginHash::of(Forge::GitHub, "OCTO")],
        aliases_at: version(0),
    };
    let told = stamp(5, Told::Command);
    let wanted = |login: &str, offset| Event::LoginWanted {
        forge: Forge::GitHub,
        login: login.to_owned().into(),
        by: if offset == 1 { TrackedBy::Read } else { TrackedBy::Person },
    };
    let mut rows = Vec::new();
    for (offset, login) in [(1, "octo"), (2, "other")] {
        rows.extend(service::evolve(None, &stamp(offset, Told::Command), &wanted(login, offset)).unwrap());
    }
    let user = |login: &str, id| Event::GistUserAdded { login: login.to_owned().into(), id };
    rows.extend(service::evolve(None, &stamp(3, Told::Command), &user("Octo", 3)).unwrap());
    let users = rows.iter().rfind(|row| row.key == RowKey::Entity(StreamKey::Service, EntityKey::GistUsers));
    rows.extend(
        service::evolve(users.cloned().as_ref(), &stamp(4, Told::Command), &user("other", 4)).unwrap(),
    );

    let mut traces = Traces::of(&forgotten, &told);
    for row in rows.iter().filter(|row| row.version <= version(4)) {
        traces.look(row).unwrap();
    }
    let written = traces.rows();
    let erased: Vec<&RowKey> = written.iter().filter(|row| row.is_erased()).map(|row| &row.key).collect();
    let service = StreamKey::Service;
    for key in [
        RowKey::Entity(service, EntityKey::Login(Forge::GitHub, "octo".into())),
        RowKey::Need(service, NeedKey::Login(Forge::GitHub, "octo".into())),
        RowKey::Alias(Forge::GitHub, "octo".into()),
        RowKey::Need(service, NeedKey::GistUser("octo".into())),
        RowKey::Entity(service, EntityKey::GistVisit("octo".into())),
    ] {
        assert!(erased.contains(&&key), "{key:?}");
    }
    assert!(!erased.iter().any(|key| format!("{key:?}").contains("other")));
    let users = written.iter().rfind(|row| row.key == RowKey::Entity(service, EntityKey::GistUsers)).unwrap();
    let users = GistUsers::decode(&users.value).unwrap();
    assert_eq!(users.0.keys().collect::<Vec<_>>(), ["other"]);
    let known = written.iter().find(|row| row.key == service::forgotten_login(forgotten.logins[0])).unwrap();
    assert_eq!(ForgottenLogin::decode(&known.value).unwrap().account, account());

    // Newer wishes are a person's.
    let newer = service::evolve(None, &stamp(6, Told::Command), &wanted("octo", 6)).unwrap();
    let mut traces = Traces::of(&forgotten, &told);
    newer.iter().for_each(|row| traces.look(row).unwrap());
    assert!(!traces.rows().iter().any(Row::is_erased));
    assert!(Login::decode(&newer[0].value).unwrap().is_open());
}

#[test]
fn only_a_person_is_heard_who_wants_a_forgotten_login() {
    let wanted = |by| Event::LoginWanted { forge: Forge::GitHub, login: "Octo".into(), by };
    let row = Some(service::forgotten_login(LoginHash::of(Forge::GitHub, "octo")));
    assert_eq!(service::is_unheard(&wanted(TrackedBy::Person)), None);
    assert_eq!(service::is_unheard(&wanted(TrackedBy::Read)), row);
    assert_eq!(service::is_unheard(&wanted(TrackedBy::Settings)), row);
}

#[test]
fn what_is_stored_is_frozen_and_read_back() {
    let mut lines = Vec::new();
    let once = Account {
        forgotten: Some(Forgotten { at: version(5), until: Some(version(9)) }),
        ..Account::default()
    };
    for account in [Account::forgotten(version(5)), once] {
        lines.push(const_hex::encode(account.encode()));
        assert_eq!(Account::decode(&account.encode()).unwrap(), account);
    }
    lines.push(const_hex::encode(ForgottenLogin { account: account() }.encode()));
    lines.push(const_hex::encode(Row::erased(RowKey::Epoch, version(1)).value));
    let key = service::forgotten_login(LoginHash(258));
    let bytes = key.encode();
    assert_eq!(RowKey::decode(bytes.family, &bytes.bytes), Some(key));
    lines.push(const_hex::encode(&bytes.bytes));
    let events = vec![
        Event::Forgotten,
        Event::LoginsForgotten(LoginsForgotten {
            account: account(),
            logins: vec![LoginHash(u64::MAX)],
            aliases_at: version(7),
        }),
        Event::LoginRemembered(LoginHash(1)),
    ];
    let body = Command { events: events.clone() }.encode();
    assert_eq!(Command::decode(&body).unwrap().events, events);
    lines.push(String::from_utf8(body).unwrap());
    insta::assert_snapshot!(lines.join("\n"));
}
