//! The order of an account's repository list: their ids by name, so that a page is a slice.
//!
//! Each id is written as in row keys. All ids of an account are the same forge's and so equally long.

use crate::id::RepoId;

/// Renders the order.
pub fn render(repos: impl Iterator<Item = RepoId>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for repo in repos {
        repo.write_key(&mut bytes);
    }
    bytes
}

/// A page of the order: how many repositories there are in all, and those of the page.
pub fn page(index: &[u8], page: usize, per_page: usize) -> (usize, Vec<RepoId>) {
    let Some((_, rest)) = RepoId::read_key(index) else { return (0, Vec::new()) };
    let width = index.len() - rest.len();
    let first = page.saturating_sub(1).saturating_mul(per_page).saturating_mul(width);
    let slice = index.get(first..).unwrap_or_default();
    let ids = slice.chunks_exact(width).take(per_page).filter_map(|id| RepoId::read_key(id));
    (index.len() / width, ids.map(|(id, _)| id).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_slices() {
        let ids: Vec<RepoId> = (1..=5).map(RepoId::github).collect();
        let index = render(ids.iter().copied());
        assert_eq!(page(&index, 1, 2), (5, ids[..2].to_vec()));
        assert_eq!(page(&index, 3, 2), (5, ids[4..].to_vec()));
        assert_eq!(page(&index, 4, 2), (5, vec![]));
        assert_eq!(page(&index, usize::MAX, 100), (5, vec![]));
        assert_eq!(page(&[], 1, 30), (0, vec![]));
    }
}
