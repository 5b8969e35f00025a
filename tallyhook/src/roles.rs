//! Which of the service's parts a process runs.

/// The parts of one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Roles {
    /// Takes deliveries in.
    pub(crate) ingest: bool,
    /// Folds, and asks forges for the partitions it holds.
    pub(crate) projector: bool,
    /// Answers readers and takes commands.
    pub(crate) query_api: bool,
}

impl Roles {
    pub(crate) const ALL: Roles = Roles { ingest: true, projector: true, query_api: true };
    pub(crate) const INGEST: Roles = Roles { ingest: true, projector: false, query_api: false };
    pub(crate) const PROJECTOR: Roles = Roles { ingest: false, projector: true, query_api: false };
    pub(crate) const QUERY_API: Roles = Roles { ingest: false, projector: false, query_api: true };

    /// The subcommand that runs them.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Roles { ingest: true, projector: false, .. } => "ingest",
            Roles { ingest: false, projector: true, .. } => "projector",
            Roles { ingest: false, projector: false, .. } => "query-api",
            Roles { ingest: true, projector: true, .. } => "serve",
        }
    }

    /// Whether it is all that a data folder needs.
    pub(crate) fn are_all(self) -> bool {
        self == Roles::ALL
    }

    /// Whether any of them is reached by the outside.
    pub(crate) fn have_api(self) -> bool {
        self.ingest || self.query_api
    }
}
