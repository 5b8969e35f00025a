//! Which repositories an answer of neighbours names, in order: by it a tag says which of them are left out, and lasts
//! as long as the bytes do, whatever else is hidden anywhere.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use domain::{
    AccountId, RepoId, Version,
    view::{
        body,
        neighbours::{Chunk, Head},
    },
};

use super::Selection;
use crate::{protocol::detail::Detail, rows::ReadError};

/// Orders that are remembered; the largest have ten thousand entries, some 700 kB.
const ORDERS_MAX: usize = 64;

/// The neighbours of one version.
#[derive(Debug)]
pub(super) struct Order {
    version: Version,
    /// Each with its owner and how many stargazers it shares.
    entries: Vec<(RepoId, AccountId, u32)>,
}

/// The orders of the neighbours that were asked for lately.
#[derive(Debug, Default)]
pub(super) struct Orders(Mutex<HashMap<(AccountId, RepoId), Arc<Order>>>);

impl Orders {
    /// The order of these chunks; they are read where it is not known.
    pub(super) async fn of(
        &self,
        key: (AccountId, RepoId),
        head: &Head,
        chunks: &[Bytes],
    ) -> Result<Arc<Order>, Detail> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(known) = known.filter(|known| known.version == head.version) {
            return Ok(known);
        }
        let (version, chunks) = (head.version, chunks.to_vec());
        // A hundred chunks take a tenth of a second and more to unpack.
        let read = tokio::task::spawn_blocking(move || Order::read(version, &chunks)).await;
        let order = Arc::new(read.map_err(|_| ReadError::Unavailable)??);
        let mut orders = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if orders.len() >= ORDERS_MAX && !orders.contains_key(&key) {
            orders.clear();
        }
        orders.insert(key, Arc::clone(&order));
        Ok(order)
    }
}

impl Order {
    fn read(version: Version, chunks: &[Bytes]) -> Result<Self, ReadError> {
        let mut entries = Vec::new();
        for chunk in chunks {
            let chunk = Chunk::decode(chunk).map_err(|_| ReadError::Unreadable)?;
            let pieces = chunk.pieces.iter().filter(|piece| !piece.is_continued);
            entries.extend(pieces.map(|piece| piece.of));
        }
        Ok(Order { version, entries })
    }

    /// A number that says which neighbours a selection leaves out because they are hidden; 0 for none.
    pub(super) fn left_out(
        &self,
        selection: Selection,
        is_hidden: impl Fn(RepoId, AccountId) -> bool,
    ) -> u64 {
        let mut places = Vec::new();
        let mut shown = 0;
        for (place, (repo, owner, shared)) in (0u32..).zip(&self.entries) {
            if shown == selection.limit || *shared < selection.shared_min {
                break;
            }
            if is_hidden(*repo, *owner) {
                places.extend(place.to_le_bytes());
            } else {
                shown += 1;
            }
        }
        if places.is_empty() { 0 } else { body::hash(&places) | 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_selection_would_show_is_left_out() {
        let entry = |id: u64, shared| (RepoId::github(id), AccountId::github(9), shared);
        let entries = vec![entry(1, 5), entry(2, 4), entry(3, 1)];
        let order = Order { version: Version::NONE, entries };
        let left_out = |limit, shared_min, hidden: &[u64]| {
            let is_hidden = |repo, _| hidden.iter().any(|id| RepoId::github(*id) == repo);
            order.left_out(Selection { limit, shared_min }, is_hidden)
        };
        assert_eq!(left_out(10, 0, &[7]), 0, "what is no neighbour");
        assert_eq!(left_out(1, 0, &[2]), 0, "what is beyond the limit");
        assert_eq!(left_out(10, 2, &[3]), 0, "what shares too little");
        let one = left_out(1, 0, &[1]);
        assert_ne!(one, 0, "another takes its place");
        assert_ne!(one, left_out(10, 0, &[2]));
        assert_eq!(one, left_out(10, 0, &[1, 9]));
    }
}
