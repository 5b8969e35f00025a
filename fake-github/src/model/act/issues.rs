//! Issues: opened, closed, reopened. They move their own `updated_at`, not the repository's.

use crate::{
    model::{
        event::Audience,
        id::{AccountId, RepoId},
        issue::Issue,
        refused::Refused,
        second::Second,
        world::World,
    },
    wire,
};

impl World {
    /// Opens an issue: `issues.opened`. Returns its number, from the same row as pull requests.
    ///
    /// # Errors
    /// When the repository is not there or archived.
    pub fn open_issue(&mut self, id: RepoId, title: &str, by: AccountId) -> Result<u64, Refused> {
        self.live_repository(id)?;
        let now = self.begin();
        let issue_id = self.new_id();
        let repo = self.repository_mut(id)?;
        let number = repo.next_number();
        let issue = Issue {
            id: issue_id,
            number,
            title: title.to_owned(),
            user: by,
            created_at: now,
            updated_at: now,
            closed_at: None,
        };
        repo.issues.insert(number, issue);
        self.emit_issue("opened", id, number, by);
        Ok(number)
    }

    /// Closes an issue: `issues.closed`.
    ///
    /// # Errors
    /// When it is closed already.
    pub fn close_issue(&mut self, id: RepoId, number: u64, by: AccountId) -> Result<(), Refused> {
        self.set_issue("closed", id, number, by)
    }

    /// Reopens an issue: `issues.reopened`.
    ///
    /// # Errors
    /// When it is open.
    pub fn reopen_issue(&mut self, id: RepoId, number: u64, by: AccountId) -> Result<(), Refused> {
        self.set_issue("reopened", id, number, by)
    }

    fn set_issue(
        &mut self,
        action: &'static str,
        id: RepoId,
        number: u64,
        by: AccountId,
    ) -> Result<(), Refused> {
        self.live_repository(id)?;
        let now = self.begin();
        let issue = self.repository_mut(id)?.issues.get_mut(&number).ok_or(Refused::Missing("issue"))?;
        let closed_at: Option<Second> = (action == "closed").then_some(now);
        if issue.closed_at.is_some() == closed_at.is_some() {
            return Err(Refused::NotAllowed("it is so already"));
        }
        issue.closed_at = closed_at;
        issue.updated_at = now;
        self.emit_issue(action, id, number, by);
        Ok(())
    }

    fn emit_issue(&mut self, action: &'static str, id: RepoId, number: u64, by: AccountId) {
        self.emit("issues", Some(action), id, by, Audience::ALL, |o, view| {
            let Some(repo) = view.repository(id) else { return };
            let Some(issue) = repo.issues.get(&number) else { return };
            o.object("issue", |o| wire::issue(o, view, repo, issue));
        });
    }
}
