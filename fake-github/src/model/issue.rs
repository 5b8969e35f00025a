//! An issue. Pull requests are kept apart, although the two share their numbers.

use super::{id::AccountId, second::Second};

#[derive(Debug, Clone)]
pub(crate) struct Issue {
    pub(crate) id: u64,
    pub(crate) number: u64,
    pub(crate) title: String,
    pub(crate) user: AccountId,
    pub(crate) created_at: Second,
    pub(crate) updated_at: Second,
    pub(crate) closed_at: Option<Second>,
}
