//! List pages in memory, each good as long as all its parts are.

use std::sync::Arc;

use domain::{AccountId, Version};
use quick_cache::sync::Cache;

use crate::{protocol::link::Paging, ready::Ready};

/// What a page takes in memory beside its bytes: mostly headers.
const PAGE_OVERHEAD_BYTES: usize = 2_000;
/// What a page's gzip form will add to its bytes at most, as a part of them.
const GZIP_SHARE: usize = 4;
/// About how large a page is; only sizes the cache's own tables.
const PAGE_BYTES: usize = 16 * 1024;

/// A page, and what it was made of.
#[derive(Clone)]
struct Page {
    parts: Parts,
    ready: Arc<Ready>,
}

/// The versions and eras of all rows that a page was made of: it is the same page exactly while these are the same.
pub(crate) type Parts = Arc<[(Version, u64)]>;

/// Pages by account and place.
pub(crate) struct Pages {
    cache: Cache<(AccountId, Paging), Page, Weighter>,
}

impl Pages {
    pub(crate) fn new(bytes_max: usize) -> Self {
        let items = (bytes_max / PAGE_BYTES).max(16);
        let capacity = u64::try_from(bytes_max).unwrap_or(u64::MAX);
        Pages { cache: Cache::with_weighter(items, capacity, Weighter) }
    }

    pub(crate) fn get(
        &self,
        account: AccountId,
        paging: Paging,
        parts: &[(Version, u64)],
    ) -> Option<Arc<Ready>> {
        let page = self.cache.get(&(account, paging))?;
        (*page.parts == *parts).then_some(page.ready)
    }

    pub(crate) fn keep(&self, account: AccountId, paging: Paging, parts: Parts, ready: Arc<Ready>) {
        self.cache.insert((account, paging), Page { parts, ready });
    }
}

#[derive(Clone)]
struct Weighter;

impl quick_cache::Weighter<(AccountId, Paging), Page> for Weighter {
    fn weight(&self, _: &(AccountId, Paging), page: &Page) -> u64 {
        let length = usize::try_from(page.ready.meta.length).unwrap_or(usize::MAX);
        let bytes = length.saturating_add(length / GZIP_SHARE).saturating_add(page.parts.len() * 16);
        u64::try_from(bytes.saturating_add(PAGE_OVERHEAD_BYTES)).unwrap_or(u64::MAX)
    }
}
