//! What a stage's views show.

use std::io::Read as _;

use domain::{
    AccountId, RepoId, Row, RowKey, StreamKey, ViewKey,
    view::{
        body::{Meta, Stored},
        index,
    },
};
use flate2::read::GzDecoder;
use serde_json::Value;
use view_store::ViewStore;

use super::Stage;

/// A view as it is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The payload, inflated.
    pub bytes: Vec<u8>,
    /// What stands beside it.
    pub meta: Meta,
}

impl Shown {
    /// The payload, read.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).expect("a payload is JSON")
    }
}

impl Stage {
    /// A view; `None` where there is none, or none any more.
    pub async fn view(&self, account: AccountId, view: ViewKey) -> Option<Shown> {
        let key = RowKey::View(StreamKey::Account(account), view);
        let row = self.store().get(&key).await.expect("a store in memory answers")?;
        shown(&row)
    }

    /// The repositories that an account's list shows, in its order.
    pub async fn listed(&self, account: AccountId) -> Option<Vec<RepoId>> {
        let index = self.view(account, ViewKey::RepositoryIndex).await?;
        Some(index::page(&index.bytes, 1, usize::MAX).1)
    }
}

/// What a row of a view shows; `None` where the view was taken back.
pub(super) fn shown(row: &Row) -> Option<Shown> {
    match Stored::decode(&row.value).expect("a view of this release can be read") {
        Stored::Gone => None,
        Stored::Body(body) => {
            let mut bytes = Vec::new();
            GzDecoder::new(&body.gzip[..]).read_to_end(&mut bytes).expect("what was compressed inflates");
            Some(Shown { bytes, meta: body.meta })
        }
    }
}

pub(super) fn is_gone(row: &Row) -> bool {
    matches!(Stored::decode(&row.value), Ok(Stored::Gone))
}
