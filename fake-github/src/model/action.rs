//! Anything that can happen, as a value: chosen by [`super::Life`], told to people, done to a world.

use super::{
    act::{NewCommits, NewRepository},
    hook::NewHook,
    id::{AccountId, RepoId},
    license::License,
    refused::Refused,
    world::World,
};

/// Something that happens. What it needs to know of the world it names by id.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the variants and fields are those of the world's operations")]
pub enum Action {
    Push { repo: RepoId, branch: String, new: NewCommits, by: AccountId },
    PushMerge { repo: RepoId, from: String, into: String, by: AccountId },
    PushRoot { repo: RepoId, branch: String, by: AccountId },
    FastForward { repo: RepoId, from: String, into: String, by: AccountId },
    ForceThereAndBack { repo: RepoId, branch: String, by: AccountId },
    CreateBranch { repo: RepoId, branch: String, from: String, by: AccountId },
    DeleteBranch { repo: RepoId, branch: String, by: AccountId },
    RenameBranch { repo: RepoId, from: String, to: String, by: AccountId },
    SetDefaultBranch { repo: RepoId, branch: String },
    CreateTag { repo: RepoId, tag: String, at: String, by: AccountId },
    DeleteTag { repo: RepoId, tag: String, by: AccountId },
    OpenPull { repo: RepoId, head: (RepoId, String), base: String, title: String, by: AccountId },
    ClosePull { repo: RepoId, number: u64, by: AccountId },
    ReopenPull { repo: RepoId, number: u64, by: AccountId },
    MergePull { repo: RepoId, number: u64, squash: bool, by: AccountId },
    OpenIssue { repo: RepoId, title: String, by: AccountId },
    CloseIssue { repo: RepoId, number: u64, by: AccountId },
    ReopenIssue { repo: RepoId, number: u64, by: AccountId },
    Star { repo: RepoId, by: Vec<AccountId> },
    Unstar { repo: RepoId, by: AccountId },
    Fork { repo: RepoId, into: AccountId },
    CreateRepository { owner: AccountId, new: NewRepository },
    RenameRepository { repo: RepoId, name: String },
    TransferRepository { repo: RepoId, to: AccountId },
    DeleteRepository { repo: RepoId },
    Privatize { repo: RepoId },
    Publicize { repo: RepoId },
    Archive { repo: RepoId, archived: bool },
    Describe { repo: RepoId, description: Option<String> },
    SetTopics { repo: RepoId, topics: Vec<String> },
    SetLicense { repo: RepoId, license: Option<License> },
    SetSubscribers { repo: RepoId, count: u64 },
    SetLanguages { repo: RepoId, languages: Vec<(String, u64)> },
    SetFollowers { account: AccountId, count: u64 },
    SetProfile { account: AccountId, name: Option<String>, email: Option<String> },
    RenameAccount { account: AccountId, login: String },
    PurgeStars { account: AccountId },
    CreateHook { hook: NewHook },
}

impl World {
    /// Does it.
    ///
    /// # Errors
    /// When GitHub would not; then nothing has changed, except that of several stars the first may be there.
    pub fn apply(&mut self, action: &Action) -> Result<(), Refused> {
        use Action as A;
        match action {
            A::Push { repo, branch, new, by } => self.push(*repo, branch, *new, *by).map(drop),
            A::PushMerge { repo, from, into, by } => self.push_merge(*repo, from, into, *by).map(drop),
            A::PushRoot { repo, branch, by } => self.push_root(*repo, branch, *by).map(drop),
            A::FastForward { repo, from, into, by } => {
                let head = self.branch_head(*repo, from).ok_or(Refused::Missing("branch"))?;
                self.push_existing(*repo, into, head, *by)
            }
            A::ForceThereAndBack { repo, branch, by } => self.force_there_and_back(*repo, branch, *by),
            A::CreateBranch { repo, branch, from, by } => self.create_branch(*repo, branch, from, *by),
            A::DeleteBranch { repo, branch, by } => self.delete_branch(*repo, branch, *by),
            A::RenameBranch { repo, from, to, by } => self.rename_branch(*repo, from, to, *by),
            A::SetDefaultBranch { repo, branch } => self.set_default_branch(*repo, branch),
            A::CreateTag { repo, tag, at, by } => self.create_tag(*repo, tag, at, *by),
            A::DeleteTag { repo, tag, by } => self.delete_tag(*repo, tag, *by),
            A::OpenPull { repo, head, base, title, by } => {
                self.open_pull(*repo, (head.0, &head.1), base, title, *by).map(drop)
            }
            A::ClosePull { repo, number, by } => self.close_pull(*repo, *number, *by),
            A::ReopenPull { repo, number, by } => self.reopen_pull(*repo, *number, *by),
            A::MergePull { repo, number, squash, by } => self.merge_pull(*repo, *number, *squash, *by),
            A::OpenIssue { repo, title, by } => self.open_issue(*repo, title, *by).map(drop),
            A::CloseIssue { repo, number, by } => self.close_issue(*repo, *number, *by),
            A::ReopenIssue { repo, number, by } => self.reopen_issue(*repo, *number, *by),
            A::Star { repo, by } => by.iter().try_for_each(|by| self.star(*repo, *by)),
            A::Unstar { repo, by } => self.unstar(*repo, *by),
            A::Fork { repo, into } => self.fork(*repo, *into).map(drop),
            A::CreateRepository { owner, new } => self.create_repository(*owner, new.clone()).map(drop),
            A::RenameRepository { repo, name } => self.rename_repository(*repo, name),
            A::TransferRepository { repo, to } => self.transfer_repository(*repo, *to),
            A::DeleteRepository { repo } => self.delete_repository(*repo),
            A::Privatize { repo } => self.privatize_repository(*repo),
            A::Publicize { repo } => self.publicize_repository(*repo),
            A::Archive { repo, archived } => self.archive_repository(*repo, *archived),
            A::Describe { repo, description } => self.describe_repository(*repo, description.as_deref()),
            A::SetTopics { repo, topics } => {
                self.set_topics(*repo, &topics.iter().map(String::as_str).collect::<Vec<_>>())
            }
            A::SetLicense { repo, license } => self.set_license(*repo, *license),
            A::SetSubscribers { repo, count } => self.set_subscribers(*repo, *count),
            A::SetLanguages { repo, languages } => {
                let list: Vec<_> = languages.iter().map(|(name, bytes)| (name.as_str(), *bytes)).collect();
                self.set_languages(*repo, &list)
            }
            A::SetFollowers { account, count } => self.set_followers(*account, *count),
            A::SetProfile { account, name, email } => {
                self.set_profile(*account, name.as_deref(), email.as_deref())
            }
            A::RenameAccount { account, login } => self.rename_account(*account, login),
            A::PurgeStars { account } => self.purge_stars(*account),
            A::CreateHook { hook } => self.create_hook(hook.clone()).map(drop),
        }
    }
}

impl Action {
    /// The repository that it happens to, if one.
    pub fn repository(&self) -> Option<RepoId> {
        use Action as A;
        match self {
            A::Push { repo, .. }
            | A::PushMerge { repo, .. }
            | A::PushRoot { repo, .. }
            | A::FastForward { repo, .. }
            | A::ForceThereAndBack { repo, .. }
            | A::CreateBranch { repo, .. }
            | A::DeleteBranch { repo, .. }
            | A::RenameBranch { repo, .. }
            | A::SetDefaultBranch { repo, .. }
            | A::CreateTag { repo, .. }
            | A::DeleteTag { repo, .. }
            | A::OpenPull { repo, .. }
            | A::ClosePull { repo, .. }
            | A::ReopenPull { repo, .. }
            | A::MergePull { repo, .. }
            | A::OpenIssue { repo, .. }
            | A::CloseIssue { repo, .. }
            | A::ReopenIssue { repo, .. }
            | A::Star { repo, .. }
            | A::Unstar { repo, .. }
            | A::Fork { repo, .. }
            | A::RenameRepository { repo, .. }
            | A::TransferRepository { repo, .. }
            | A::DeleteRepository { repo }
            | A::Privatize { repo }
            | A::Publicize { repo }
            | A::Archive { repo, .. }
            | A::Describe { repo, .. }
            | A::SetTopics { repo, .. }
            | A::SetLicense { repo, .. }
            | A::SetSubscribers { repo, .. }
            | A::SetLanguages { repo, .. } => Some(*repo),
            A::CreateRepository { .. }
            | A::SetFollowers { .. }
            | A::SetProfile { .. }
            | A::RenameAccount { .. }
            | A::PurgeStars { .. }
            | A::CreateHook { .. } => None,
        }
    }

    /// A short sentence for people, with the names as they are before it happens.
    pub fn describe(&self, world: &World) -> String {
        use Action as A;
        let truth = self.repository().and_then(|id| world.truth(id));
        let name = truth.map_or_else(|| "?".to_owned(), |truth| truth.full_name);
        let login = |id: &AccountId| world.login(*id).unwrap_or("?").to_owned();
        match self {
            A::Push { branch, new, .. } if new.back > 0 => {
                format!("force-push {branch} of {name}: {} back, {} new", new.back, new.count)
            }
            A::Push { branch, new, .. } => format!("push {} to {branch} of {name}", new.count),
            A::PushMerge { from, into, .. } => format!("merge {from} into {into} of {name}"),
            A::PushRoot { branch, .. } => format!("join another history to {branch} of {name}"),
            A::FastForward { from, into, .. } => format!("push {into} of {name} to where {from} is"),
            A::ForceThereAndBack { branch, .. } => format!("force-push {branch} of {name} there and back"),
            A::CreateBranch { branch, .. } => format!("create branch {branch} in {name}"),
            A::DeleteBranch { branch, .. } => format!("delete branch {branch} of {name}"),
            A::RenameBranch { from, to, .. } => format!("rename branch {from} of {name} to {to}"),
            A::SetDefaultBranch { branch, .. } => format!("make {branch} the default branch of {name}"),
            A::CreateTag { tag, .. } => format!("tag {tag} in {name}"),
            A::DeleteTag { tag, .. } => format!("delete tag {tag} of {name}"),
            A::OpenPull { .. } => format!("open a pull request in {name}"),
            A::ClosePull { number, .. } => format!("close pull request {number} of {name}"),
            A::ReopenPull { number, .. } => format!("reopen pull request {number} of {name}"),
            A::MergePull { number, .. } => format!("merge pull request {number} of {name}"),
            A::OpenIssue { .. } => format!("open an issue in {name}"),
            A::CloseIssue { number, .. } => format!("close issue {number} of {name}"),
            A::ReopenIssue { number, .. } => format!("reopen issue {number} of {name}"),
            A::Star { by, .. } if by.len() > 1 => format!("{} people star {name}", by.len()),
            A::Star { by, .. } => format!("{} stars {name}", by.first().map(login).unwrap_or_default()),
            A::Unstar { by, .. } => format!("{} takes the star from {name} back", login(by)),
            A::Fork { into, .. } => format!("{} forks {name}", login(into)),
            A::CreateRepository { owner, new } => format!("create {}/{}", login(owner), new.name),
            A::RenameRepository { name: to, .. } => format!("rename {name} to {to}"),
            A::TransferRepository { to, .. } => format!("transfer {name} to {}", login(to)),
            A::DeleteRepository { .. } => format!("delete {name}"),
            A::Privatize { .. } => format!("make {name} private"),
            A::Publicize { .. } => format!("make {name} public"),
            A::Archive { archived: true, .. } => format!("archive {name}"),
            A::Archive { .. } => format!("bring {name} back from the archive"),
            A::Describe { .. } => format!("describe {name} anew"),
            A::SetTopics { .. } => format!("change the topics of {name}"),
            A::SetLicense { .. } => format!("change the licence of {name}"),
            A::SetSubscribers { count, .. } => format!("{count} people watch {name} now"),
            A::SetLanguages { .. } => format!("count the languages of {name} anew"),
            A::SetFollowers { account, count } => format!("{count} people follow {} now", login(account)),
            A::SetProfile { account, .. } => format!("{} changes the profile", login(account)),
            A::RenameAccount { account, login: to } => format!("{} is called {to} now", login(account)),
            A::PurgeStars { account } => format!("all stars of {} are purged", login(account)),
            A::CreateHook { hook } => format!("create a webhook to {}", hook.url),
        }
    }
}
