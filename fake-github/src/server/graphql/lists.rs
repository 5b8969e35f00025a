//! Connections: a page of a list, how long the list is, and where it goes on.

use async_graphql::{Error, Object, SimpleObject};

use super::schema::error;

/// A page of a list.
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    pub(super) total: usize,
    pub(super) info: PageInfo,
}

/// Where a list goes on.
#[derive(Debug, Clone, SimpleObject)]
pub(super) struct PageInfo {
    has_next_page: bool,
    end_cursor: Option<String>,
}

/// Cuts a page out of a sorted list. A cursor names the entry that it stands at by its key, so that what comes or
/// goes before it shifts nothing.
pub(super) fn page<T>(
    mut list: Vec<T>,
    (first, last): (Option<i32>, Option<i32>),
    after: Option<&str>,
    key: impl Fn(&T) -> String,
) -> Result<Page<T>, Error> {
    let total = list.len();
    if let Some(after) = after {
        let decoded = const_hex::decode(after).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let after = decoded.ok_or_else(|| {
            error("INVALID_CURSOR_ARGUMENTS", &format!("`{after}` does not appear to be a valid cursor."))
        })?;
        let begin = match list.iter().position(|item| key(item) == after) {
            Some(there) => there + 1,
            None => list.iter().position(|item| key(item) > after).unwrap_or(list.len()),
        };
        list.drain(..begin);
    }
    let bound = |number: i32| usize::try_from(number).unwrap_or(0);
    let has_next_page = match (first, last) {
        (Some(first), _) => {
            let has_next = list.len() > bound(first);
            list.truncate(bound(first));
            has_next
        }
        (None, Some(last)) => {
            list.drain(..list.len().saturating_sub(bound(last)));
            false
        }
        (None, None) => false,
    };
    let end_cursor = list.last().map(|item| const_hex::encode(key(item)));
    Ok(Page { items: list, total, info: PageInfo { has_next_page, end_cursor } })
}

macro_rules! connections {
    ($($name:ident of $node:ty;)*) => {$(
        pub(super) struct $name(pub(super) Page<$node>);

        #[Object]
        impl $name {
            async fn nodes(&self) -> &[$node] {
                &self.0.items
            }

            async fn page_info(&self) -> &PageInfo {
                &self.0.info
            }

            async fn total_count(&self) -> usize {
                self.0.total
            }
        }
    )*};
}

connections! {
    PullRequestConnection of super::answers::PullRequest;
    IssueConnection of super::answers::Issue;
    RepositoryTopicConnection of super::answers::RepositoryTopic;
}
