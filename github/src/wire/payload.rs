//! A delivery's body: the fields that any event's rule looks at. Everything else is skipped.

use domain::{Second, Text};
use serde::Deserialize;

use super::{
    Account, Changes, Commits, Field, Installation, List, Newest, PullRequest, Repository, Stamps, object,
    stamps::ReleaseStamps,
};

/// The top level of a payload, whatever the event.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Payload<'a> {
    #[serde(borrow)]
    pub(crate) action: Field<Text<'a>>,
    #[serde(borrow)]
    pub(crate) repository: Field<Repository<'a>>,
    #[serde(borrow)]
    pub(crate) organization: Field<Account<'a>>,
    #[serde(borrow)]
    pub(crate) installation: Field<Installation<'a>>,
    #[serde(borrow)]
    pub(crate) sender: Field<Account<'a>>,
    #[serde(borrow)]
    pub(crate) changes: Field<Changes<'a>>,

    // push, create, delete
    #[serde(borrow, rename = "ref")]
    pub(crate) git_ref: Field<Text<'a>>,
    #[serde(borrow)]
    pub(crate) ref_type: Field<Text<'a>>,
    #[serde(borrow)]
    pub(crate) before: Field<Text<'a>>,
    #[serde(borrow)]
    pub(crate) after: Field<Text<'a>>,
    pub(crate) created: Field<bool>,
    pub(crate) deleted: Field<bool>,
    pub(crate) forced: Field<bool>,
    pub(crate) commits: Field<Commits>,
    /// Look-alikes that list only some of the commits say here how many there are.
    pub(crate) size: Field<u64>,
    /// The same, by another name.
    pub(crate) total_commits: Field<u64>,

    // pull_request and what is about one
    #[serde(borrow)]
    pub(crate) pull_request: Field<PullRequest<'a>>,
    pub(crate) number: Field<u64>,

    // star, fork
    pub(crate) starred_at: Field<Second>,
    #[serde(borrow)]
    pub(crate) forkee: Field<Repository<'a>>,

    // installation, installation_repositories, installation_target
    #[serde(borrow)]
    pub(crate) repositories: Field<List<Repository<'a>>>,
    #[serde(borrow)]
    pub(crate) repositories_added: Field<List<Repository<'a>>>,
    #[serde(borrow)]
    pub(crate) repositories_removed: Field<List<Repository<'a>>>,
    #[serde(borrow)]
    pub(crate) account: Field<Account<'a>>,

    // Whose times say how new the payload is
    pub(crate) issue: Field<Stamps>,
    comment: Field<Stamps>,
    review: Field<Stamps>,
    discussion: Field<Stamps>,
    milestone: Field<Stamps>,
    deployment: Field<Stamps>,
    deployment_status: Field<Stamps>,
    workflow_run: Field<Stamps>,
    release: Field<ReleaseStamps>,
}
object!(Payload<'a>);

impl Payload<'_> {
    /// When the repository's forks and open issues were so.
    pub(crate) fn counted_at(&self) -> Option<Second> {
        let repository = self.repository.value();
        [
            repository.and_then(|repository| repository.updated_at.get()),
            repository.and_then(|repository| repository.pushed_at.get()),
            self.issue.value().and_then(|issue| issue.updated_at.get()),
            self.pull_request.value().and_then(|pull| pull.updated_at.get()),
            self.forkee.value().and_then(|forkee| forkee.created_at.get()),
        ]
        .into_iter()
        .max()
        .flatten()
    }

    /// The newest of the forge's times in it.
    pub(crate) fn newest(&self) -> Newest {
        let mut newest = Newest::default();
        newest.note("repository", self.repository.value().and_then(Repository::newest));
        newest.note("forkee", self.forkee.value().and_then(|forkee| forkee.created_at.get()));
        newest.note("pull_request", self.pull_request.value().and_then(PullRequest::newest));
        newest.note("starred_at", self.starred_at.get());
        newest.note("release", self.release.value().and_then(|release| release.newest()));
        for (field, stamps) in [
            ("issue", &self.issue),
            ("comment", &self.comment),
            ("review", &self.review),
            ("discussion", &self.discussion),
            ("milestone", &self.milestone),
            ("deployment", &self.deployment),
            ("deployment_status", &self.deployment_status),
            ("workflow_run", &self.workflow_run),
        ] {
            newest.note(field, stamps.value().and_then(Stamps::newest));
        }
        newest
    }
}
