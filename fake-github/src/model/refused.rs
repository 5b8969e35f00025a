//! Why the world did not do what it was asked to.

/// The operation changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The account, repository, branch, number or hook is not there.
    #[error("{0} is not there")]
    Missing(&'static str),
    /// Another one has that name.
    #[error("the name {0} is taken")]
    Taken(String),
    /// GitHub would not allow it; the text says why.
    #[error("not allowed: {0}")]
    NotAllowed(&'static str),
}
