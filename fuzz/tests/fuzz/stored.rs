//! What is stored, as a damaged disk or a newer release may hand it back: read as it was written, or refused.

use bolero::{check, generator::*};
use bytes::Bytes;
use domain::{
    AccountId, Epoch, Family, Ledger, Row, RowKey, Stamp, Told, Version,
    directory::{Alias, DeadLetter, Directory, HiddenRow, RepoName},
    entity::{
        account::Account, door::Door, latest::Latest, login::Login, pulls::PullBucket, repository::Repository,
    },
    ledger::LargeViews,
    need::Need,
    record::{Answer, Command},
    view::{
        body::Stored,
        latest::{Filter, Fragments, stats},
    },
};

use crate::{mutation::Bytewise, seeds};

#[test]
fn keys() {
    check!().with_generator((0..Family::ALL.len(), produce::<Vec<u8>>().with().len(0usize..60))).for_each(
        |(family, bytes)| {
            if let Some(key) = RowKey::decode(Family::ALL[*family], bytes) {
                let written = key.encode();
                assert_eq!(RowKey::decode(written.family, &written.bytes), Some(key));
            }
        },
    );
}

/// What is read is written back so that it reads the same.
macro_rules! assert_lasting {
    ($value:expr, $($kind:ty),+ $(,)?) => {
        $(if let Ok(read) = <$kind>::decode($value) {
            assert_eq!(<$kind>::decode(&read.encode()).as_ref(), Ok(&read));
        })+
    };
}

/// Reads a value with every decoder there is.
fn read_as_anything(value: &[u8]) {
    assert_lasting!(value, Account, Repository, Login, Door, Need, Alias, RepoName, Directory, HiddenRow);
    assert_lasting!(value, DeadLetter, Epoch, Latest, Fragments);
    if let Ok(fragments) = Fragments::decode(value) {
        let selection = fragments.select(&Filter::default().name("a"));
        let _ = (fragments.repos(selection), stats(&fragments, selection));
    }
    if let Ok(read) = Stored::decode(&Bytes::copy_from_slice(value)) {
        assert_eq!(Stored::decode(&read.encode()).as_ref(), Ok(&read));
    }
    // Written by no one but the one fold that reads it: here only that any bytes are survived.
    let _ = PullBucket::decode(value);
    if let Ok(read) = Answer::decode(value) {
        assert_eq!(Answer::decode(&read.encode()).unwrap(), read);
    }
    if let Ok(read) = Command::decode(value) {
        assert_eq!(Command::decode(&read.encode()).unwrap(), read);
    }
}

#[test]
fn values_of_any_bytes() {
    check!().for_each(|value: &[u8]| read_as_anything(value));
}

#[test]
fn values_that_were_damaged() {
    let rows = seeds::rows();
    check!().with_generator((0..rows.len(), produce::<Bytewise>())).for_each(|(row, damage)| {
        let damaged = damage.apply(&rows[*row].value);
        read_as_anything(&damaged);
        // An account is loaded from all its rows, of which one is damaged: it is refused, or it is folded on.
        let row = Row { value: damaged.into(), ..rows[*row].clone() };
        let Some(account) = account_of(&row.key) else { return };
        if let Ok(mut ledger) = Ledger::load(account, [row]) {
            let version = Version::new(Epoch::FIRST, 1_000_000);
            ledger.unreadable(&Stamp { version, received_at: seeds::NOW, told: Told::Delivery });
            while ledger.drain(LargeViews::Render).has_more {}
            assert!(!ledger.is_dirty());
        }
    });
}

fn account_of(key: &RowKey) -> Option<AccountId> {
    match key {
        RowKey::Entity(stream, _) | RowKey::Need(stream, _) | RowKey::Member { stream, .. } => {
            stream.account()
        }
        _ => None,
    }
}
