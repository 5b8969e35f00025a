//! From stored rows to a working set, row by row: the rows of a large account are never all in memory.

use crate::{
    codec::DecodeError,
    entity::{
        account::Account,
        pulls::{PullBucket, PullStates},
        repository::Repository,
        stargazers::StarBucket,
        starred::{Starred, StarredCheck},
        stars::Stars,
    },
    id::{AccountId, RepoId},
    key::{EntityKey, MemberSet, NeedKey, RowKey},
    ledger::{Ledger, cell::Cell, gists::GistsCell, stars::StarCell},
    need::Need,
    row::Row,
};

/// A working set of which not all rows are read yet.
#[derive(Debug)]
pub struct Loading {
    ledger: Ledger,
    needs: Vec<(NeedKey, Need)>,
}

impl Loading {
    /// The working set of an account, before its first row.
    pub fn of(id: AccountId) -> Self {
        Loading { ledger: Ledger::empty(id), needs: Vec::new() }
    }

    /// Takes in a row; rows come in any order.
    ///
    /// # Errors
    /// When it was written by a newer release or is damaged.
    pub fn take(&mut self, row: &Row) -> Result<(), DecodeError> {
        let ledger = &mut self.ledger;
        match &row.key {
            RowKey::Entity(_, EntityKey::Account) => {
                ledger.account = Account::decode(&row.value)?;
                ledger.account_version = row.version;
                ledger.is_hidden_written = ledger.account.is_hidden();
            }
            RowKey::Entity(_, EntityKey::Repository(repo)) => {
                let cell = Cell::new(Repository::decode(&row.value)?, row.version, PullStates::default());
                ledger.cells.insert(*repo, cell);
            }
            RowKey::Entity(_, EntityKey::Stars(repo)) => {
                self.stars(*repo).load(Stars::decode(&row.value)?, row.version);
            }
            RowKey::Entity(_, EntityKey::Gists) => ledger.gists = GistsCell::load(row)?,
            RowKey::Entity(_, EntityKey::Starrer) => ledger.starrer.load(row)?,
            RowKey::Entity(_, EntityKey::Hook(id)) => ledger.hooks.load(*id, row)?,
            RowKey::Member { set, parent, bucket, id, .. } => {
                self.take_member(row, (*set, *parent), *bucket, id)?;
            }
            // Written with the gists, and derived from them alone.
            RowKey::Need(_, NeedKey::Gists | NeedKey::Outbox) => {}
            RowKey::Need(_, NeedKey::OwnStars) => ledger.starrer.load_need(Need::decode(&row.value)?),
            RowKey::Need(_, key) => self.needs.push((key.clone(), Need::decode(&row.value)?)),
            _ => {}
        }
        Ok(())
    }

    fn take_member(
        &mut self,
        row: &Row,
        (set, parent): (MemberSet, RepoId),
        bucket: u32,
        id: &[u8],
    ) -> Result<(), DecodeError> {
        let user = || AccountId::read_key(id).map(|(user, _)| user).ok_or(DecodeError::Damaged);
        match set {
            MemberSet::Pulls => {
                let entries = PullBucket::decode(&row.value)?;
                let states = &mut self.ledger.strays.entry(parent).or_default().states;
                states.load(bucket, entries, row.version);
            }
            MemberSet::Stargazers => {
                self.stars(parent).load_bucket(bucket, StarBucket::decode(&row.value)?, row.version);
            }
            MemberSet::Starred => {
                self.stars(parent).load_starred(user()?, &Starred::decode(&row.value)?, row.version);
            }
            MemberSet::StarredChecks => {
                self.stars(parent).load_check(user()?, StarredCheck::decode(&row.value)?, row.version);
            }
        }
        Ok(())
    }

    fn stars(&mut self, repo: RepoId) -> &mut StarCell {
        self.ledger.strays.entry(repo).or_default().stars(repo)
    }

    /// All rows are read: what is derived of them is derived.
    pub fn finish(self) -> Ledger {
        let Loading { mut ledger, needs } = self;
        for stars in ledger.strays.values_mut().filter_map(|stray| stray.stars.as_mut()) {
            stars.derive();
        }
        for (key, need) in needs.into_iter().filter(|(_, need)| need.is_open()) {
            match key.repository() {
                Some(repo) => ledger.strays.entry(repo).or_default().needs.push((key, need)),
                None => {
                    ledger.dirty.needs.insert(key.clone());
                    ledger.account_needs.push((key, need));
                }
            }
        }
        for (repo, cell) in &mut ledger.cells {
            if let Some(stray) = ledger.strays.remove(repo) {
                cell.adopt(stray);
            }
        }
        let repos: Vec<RepoId> = ledger.cells.keys().copied().collect();
        for repo in repos {
            ledger.derive(repo);
            if let Some(cell) = ledger.cells.get(&repo) {
                ledger.names.update(repo, &cell.repo);
            }
        }
        ledger
    }
}
