//! What is put in the place of a record of which something is to be erased.
//!
//! It keeps stream and time, the version that it was copied with, and what it is recognised by, so that whatever was
//! folded up to it still fits the log.

use domain::{
    Event, Forge, Row, StreamKey,
    base::Part,
    event::LoginsForgotten,
    record::{ANSWER, Answer, BASE, COMMAND, COPIED_VERSION, Command, ERASED, ERASED_CHECKSUM},
    service,
};
use event_log::Record;

use crate::seen::checksum;

/// What stands for a record once an account is forgotten; `None`: it stays as it is. Of the account's own stream
/// nothing is left but that it was forgotten; of the service's what others are concerned by.
pub fn stand_in(record: &Record, forgotten: &LoginsForgotten) -> Option<Record> {
    if record.kind == ERASED {
        return None;
    }
    match record.stream {
        StreamKey::Account(account) if account == forgotten.account => {
            let says_so = record.kind == COMMAND
                && Command::decode(&record.body).is_ok_and(|command| command.events == [Event::Forgotten]);
            (!says_so).then(|| shell(record, ERASED, Vec::new()))
        }
        StreamKey::Account(_) => None,
        StreamKey::Service => of_service(record, forgotten),
    }
}

fn of_service(record: &Record, forgotten: &LoginsForgotten) -> Option<Record> {
    match record.kind.as_str() {
        COMMAND => {
            let Command { mut events } = Command::decode(&record.body).ok()?;
            if !events.iter().any(|event| names(event, forgotten)) {
                return None;
            }
            events.retain(|event| !names(event, forgotten));
            Some(if events.is_empty() {
                shell(record, ERASED, Vec::new())
            } else {
                shell(record, COMMAND, Command { events }.encode())
            })
        }
        ANSWER => {
            let Answer { asked, mut events, mut cursors } = Answer::decode(&record.body).ok()?;
            let count = events.len() + cursors.len();
            events.retain(|event| !names(event, forgotten));
            cursors.retain(|note| !service::is_attempt(&note.kind, forgotten));
            if events.len() + cursors.len() == count {
                return None;
            }
            Some(if events.is_empty() && cursors.is_empty() {
                shell(record, ERASED, Vec::new())
            } else {
                shell(record, ANSWER, Answer { asked, events, cursors }.encode())
            })
        }
        BASE => of_base(record, forgotten),
        _ => None,
    }
}

/// Users of S2 are GitHub's.
fn names(event: &Event<'_>, forgotten: &LoginsForgotten) -> bool {
    match event {
        Event::LoginWanted { forge, login, .. } => forgotten.names(*forge, login),
        Event::LoginFound { forge, login, account } => {
            *account == Some(forgotten.account) || forgotten.names(*forge, login)
        }
        Event::GistUserAdded { login, .. } | Event::GistsVisited { login, .. } => {
            forgotten.names(Forge::GitHub, login)
        }
        Event::GistUserFound(found) => {
            found.account == Some(forgotten.account) || forgotten.names(Forge::GitHub, &found.login)
        }
        _ => false,
    }
}

/// What stands for rows of a base; one that cannot be read is left as it is: nobody can read it.
fn of_base(record: &Record, forgotten: &LoginsForgotten) -> Option<Record> {
    let Ok(Part::Rows(mut part)) = Part::decode(&record.body) else { return None };
    let left = part.rows.iter().filter_map(|row| service::left_of(row, forgotten).transpose());
    let left: Vec<Row> = left.collect::<Result<_, _>>().ok()?;
    if left == part.rows {
        return None;
    }
    if left.is_empty() {
        return Some(shell(record, ERASED, Vec::new()));
    }
    part.rows = left;
    Some(shell(record, BASE, part.encode()))
}

fn shell(record: &Record, kind: &str, body: Vec<u8>) -> Record {
    let kept = |name: &str| record.header(name).map(|value| (name.to_owned(), value.to_owned()));
    let recognised = (ERASED_CHECKSUM.to_owned(), checksum(record).to_string());
    Record {
        stream: record.stream,
        id: String::new(),
        dedupe: record.dedupe,
        kind: kind.to_owned(),
        received_at: record.received_at,
        headers: kept(COPIED_VERSION).into_iter().chain([recognised]).collect(),
        body: body.into(),
    }
}

#[cfg(test)]
mod tests {
    use domain::{
        AccountId, Asked, EntityKey, Millis, RowKey, Second, Version,
        base::{Begin, Cutter},
        entity::gist_users::{GistUser, GistUsers},
        event::{LoginHash, TrackedBy},
        record::{CursorNote, GITHUB_DELIVERY},
    };

    use super::*;

    fn record(stream: StreamKey, kind: &str, body: Vec<u8>) -> Record {
        Record {
            stream,
            id: "octo".to_owned(),
            dedupe: None,
            kind: kind.to_owned(),
            received_at: Millis(7),
            headers: vec![
                (COPIED_VERSION.to_owned(), "99".to_owned()),
                ("x-github-event".to_owned(), "push".to_owned()),
            ],
            body: body.into(),
        }
    }

    fn forgotten() -> LoginsForgotten {
        LoginsForgotten {
            account: AccountId::github(9),
            logins: vec![LoginHash::of(Forge::GitHub, "octo")],
            aliases_at: Version::NONE,
        }
    }

    fn wanted(login: &'static str) -> Event<'static> {
        Event::LoginWanted { forge: Forge::GitHub, login: login.into(), by: TrackedBy::Read }
    }

    #[test]
    fn a_record_of_the_account_keeps_its_place_and_what_it_is_recognised_by() {
        let stream = StreamKey::Account(AccountId::github(9));
        let delivery = record(stream, GITHUB_DELIVERY, b"{\"login\":\"octo\"}".to_vec());
        let erased = stand_in(&delivery, &forgotten()).unwrap();
        assert_eq!(checksum(&erased), checksum(&delivery));
        assert_eq!((erased.stream, erased.received_at), (stream, Millis(7)));
        assert_eq!(erased.header(COPIED_VERSION), Some("99"));
        assert!(!format!("{erased:?}").contains("octo") && erased.header("x-github-event").is_none());
        assert_eq!(stand_in(&erased, &forgotten()), None, "it is erased");

        let command = Command { events: vec![Event::Forgotten] }.encode();
        assert_eq!(stand_in(&record(stream, COMMAND, command), &forgotten()), None);
        let other = record(StreamKey::Account(AccountId::github(8)), GITHUB_DELIVERY, b"{}".to_vec());
        assert_eq!(stand_in(&other, &forgotten()), None);
    }

    #[test]
    fn of_the_service_stays_what_concerns_others() {
        let service = |events| record(StreamKey::Service, COMMAND, Command { events }.encode());
        let both = service(vec![wanted("OCTO"), wanted("other"), Event::DoorOpened]);
        let left = stand_in(&both, &forgotten()).unwrap();
        assert_eq!(Command::decode(&left.body).unwrap().events, [wanted("other"), Event::DoorOpened]);
        assert_eq!((checksum(&left), left.id.as_str()), (checksum(&both), ""));
        assert_eq!(stand_in(&left, &forgotten()), None);
        assert_eq!(stand_in(&service(vec![wanted("octopus")]), &forgotten()), None);
        let whole = stand_in(&service(vec![wanted("octo")]), &forgotten()).unwrap();
        assert_eq!((whole.kind.as_str(), whole.body.len()), (ERASED, 0));
    }

    #[test]
    fn of_a_base_stays_what_others_are_told() {
        let user = |login: &str, account| {
            let account = Some(AccountId::github(account));
            let (login, added_at) = (login.to_owned(), Version::LEAST);
            GistUser { login, id: 1, added_at, account, asked_at: Version::NONE, next_ms: Millis(0) }
        };
        let users = |logins: &[(&str, u64)]| {
            let users = logins.iter().map(|(login, account)| ((*login).to_owned(), user(login, *account)));
            let key = RowKey::Entity(StreamKey::Service, EntityKey::GistUsers);
            let value = GistUsers(users.collect()).encode().into();
            Row { key, version: Version::LEAST, value }
        };
        let visit = |login: &str| Row {
            key: RowKey::Entity(StreamKey::Service, EntityKey::GistVisit(login.to_owned())),
            version: Version::LEAST,
            value: vec![0].into(),
        };
        let part = |rows: Vec<Row>| {
            let begin = Begin { id: 1, from: Version::LEAST, is_needed: false };
            let mut cutter = Cutter::begin(begin).0;
            rows.into_iter().for_each(|row| assert_eq!(cutter.take(row), None));
            record(StreamKey::Service, BASE, cutter.cut().unwrap())
        };
        let left = stand_in(&part(vec![users(&[("former", 9), ("ada", 8)])]), &forgotten()).unwrap();
        let Ok(Part::Rows(rows)) = Part::decode(&left.body) else { panic!("rows are rows") };
        assert_eq!((rows.rows, left.kind.as_str()), (vec![users(&[("ada", 8)])], BASE));
        assert!(left.header(ERASED_CHECKSUM).is_some());
        assert_eq!(stand_in(&left, &forgotten()), None);
        let whole = stand_in(&part(vec![visit("octo")]), &forgotten()).unwrap();
        assert_eq!((whole.kind.as_str(), whole.body.len()), (ERASED, 0));
        assert_eq!(stand_in(&part(vec![visit("ada")]), &forgotten()), None);
    }

    #[test]
    fn answers_about_it_are_erased_under_whatever_name_it_was_asked_for() {
        let asked = Asked { asked_at: Version::LEAST, asked_ms: Millis(1), date: Second(1) };
        let found = |account| Event::LoginFound {
            forge: Forge::GitHub,
            login: "former".into(),
            account: Some(AccountId::github(account)),
        };
        let note = CursorNote { kind: "attempt/github/octo".into(), value: "5".into() };
        let answer =
            |events, cursors| record(StreamKey::Service, ANSWER, Answer { asked, events, cursors }.encode());
        let left = stand_in(&answer(vec![found(9), found(8)], vec![note.clone()]), &forgotten()).unwrap();
        let left = Answer::decode(&left.body).unwrap();
        assert_eq!((left.events, left.cursors), (vec![found(8)], Vec::new()));
        let left = stand_in(&answer(vec![found(9)], vec![note]), &forgotten()).unwrap();
        assert_eq!(left.kind, ERASED);
    }
}
