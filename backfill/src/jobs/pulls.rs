//! Pull requests: the count in one request, then every state once, and from then on what changed.

use std::collections::HashSet;

use domain::{Event, NeedKey, RepoId, Second, Version};
use github::client::{Answer, ListedPull, PullOrder, PullsPage};
use serde::{Deserialize, Serialize};

use super::Target;
use crate::{
    ask::{Asker, JobError, Moment, Told},
    schedule::Ended,
};

/// The cursor under which the `ETag` of the count is kept.
pub(super) const COUNT_ETAG: &str = "pull_count";
/// The cursor under which the `ETag` of the first page by change is kept.
pub(super) const CHANGES_ETAG: &str = "pulls";

/// A list of changes reaches back this much further than the last one began: read replicas may lag.
const OVERLAP_SECONDS: i64 = 5;

/// Where lists of a repository's pull requests stand.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Cursor {
    /// Where a whole list that was interrupted goes on, and what was folded when it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    page: Option<(String, Version)>,
    /// The forge's second at which the last whole list, or list of changes, began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    listed: Option<Second>,
    /// The same of the whole list under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    begun: Option<Second>,
}

impl Cursor {
    /// The forge's second from which on changes are not known yet.
    fn until(&self) -> Second {
        self.listed.map_or(Second(i64::MIN), |listed| Second(listed.0 - OVERLAP_SECONDS))
    }

    /// Whether these, latest changed first, hold all that changed since the last list began.
    pub(super) fn is_reached_by(&self, changed: &[ListedPull]) -> bool {
        self.listed.is_some() && changed.iter().any(|(_, _, at)| *at < self.until())
    }

    /// Everything up to this second is known.
    pub(super) fn whole_at(&mut self, at: Second) {
        *self = Cursor { page: None, listed: Some(at), begun: None };
    }

    pub(super) fn encode(&self) -> String {
        serde_json::to_string(self).expect("a text and numbers serialize")
    }
}

impl Asker {
    /// Does the next part: the count, else the list, else what may explain a contradiction.
    pub(super) async fn ask_pulls(&self, target: &Target) -> Result<Ended, JobError> {
        let pulls = &target.repo.pulls;
        if pulls.counted.is_none() && target.repo.pulls_check.refused.is_none() {
            let counted = self.ask_pull_count(target).await?;
            return Ok(if counted { Ended::Part } else { Ended::Answered });
        }
        if !pulls.is_listed() {
            return self.list_pulls(target, false).await;
        }
        // A doubt: what changed of late may settle it. A contradiction that it does not explain means that a
        // request vanished or came back, and only the whole list shows which.
        let key = NeedKey::Pulls(target.id);
        let contradicted = pulls.doubt.is_none();
        self.list_changed_pulls(target, !contradicted).await?;
        if contradicted && self.rows().need(target.stream(), &key).await?.is_open() {
            return self.list_pulls(target, true).await;
        }
        Ok(Ended::Answered)
    }

    /// What the sweep asks: what changed, then the count.
    pub(super) async fn sweep_pulls(&self, target: &Target) -> Result<(), JobError> {
        if target.repo.pulls.is_listed() {
            self.list_changed_pulls(target, true).await?;
        } else {
            self.list_pulls(target, false).await?;
        }
        self.ask_pull_count(target).await?;
        Ok(())
    }

    /// Asks how many there are; `false` if the forge will not tell.
    async fn ask_pull_count(&self, target: &Target) -> Result<bool, JobError> {
        let stream = target.stream();
        let repo = target.id;
        let etag = match target.repo.pulls.counted {
            Some(_) => {
                let changed_at = target.repo.pulls_check.changed_at;
                self.rows().etag(stream, COUNT_ETAG, Some(repo), changed_at).await?
            }
            None => None,
        };
        let moment = self.moment();
        let mut answer =
            self.github.pull_count(target.path(), &moment.unless_unchanged(etag.as_ref())).await?;
        if let Answer::Refused { .. } = answer {
            let Some(path) = self.look_again(target).await? else { return Ok(false) };
            answer = self.github.pull_count(path, &moment.anew()).await?;
        }
        let date = answer.date();
        let about = NeedKey::Pulls(repo);
        let mut is_told = true;
        let told = match answer {
            Answer::Fresh(fresh) => {
                let asked_at = moment.version(stream, &*self.log);
                let event = Event::PullCount { repo, total: fresh.body.total, newest: fresh.body.newest };
                Told::to(stream, vec![event]).etag(COUNT_ETAG, Some(repo), fresh.etag, asked_at)
            }
            Answer::NotModified { .. } => Told::to(stream, vec![Event::Checked { about }]),
            Answer::Empty { .. } => Told::to(stream, vec![Event::PullCount { repo, total: 0, newest: 0 }]),
            Answer::Refused { status, .. } => {
                is_told = false;
                Told::to(stream, vec![Event::Refused { about, status }])
            }
        };
        let position = self.append(&moment, date, vec![told]).await?;
        self.folded.wait(position).await;
        Ok(is_told)
    }

    /// Reads the whole list, newest first; `again`: from its beginning, to find what vanished.
    async fn list_pulls(&self, target: &Target, again: bool) -> Result<Ended, JobError> {
        let stream = target.stream();
        let kind = cursor_kind(target.id);
        let mut cursor: Cursor = self.rows().cursor(stream, &kind).await?.unwrap_or_default();
        if again {
            cursor.page = None;
        }
        let mut seen: HashSet<u64> = HashSet::new();
        loop {
            let moment = self.moment();
            let page = match &cursor.page {
                Some((url, _)) => PullsPage::Next(url),
                None => PullsPage::First { repo: target.path(), order: PullOrder::Created },
            };
            let mut answer = self.github.pulls(page, &moment.anew()).await?;
            if let Answer::Refused { .. } = answer {
                let Some(repo) = self.look_again(target).await? else { return Ok(Ended::Answered) };
                // From the beginning: the page's address may be what is refused.
                cursor.page = None;
                seen.clear();
                let page = PullsPage::First { repo, order: PullOrder::Created };
                answer = self.github.pulls(page, &moment.anew()).await?;
            }
            let date = answer.date();
            let since = match &cursor.page {
                Some((_, since)) => *since,
                None => {
                    cursor.begun = Some(date);
                    moment.version(stream, &*self.log)
                }
            };
            let (pulls, next) = match answer {
                Answer::Fresh(fresh) => (fresh.body, fresh.links.next().map(str::to_owned)),
                Answer::Empty { .. } => (Vec::new(), None),
                Answer::Refused { status, .. } => {
                    let event = Event::Refused { about: NeedKey::Pulls(target.id), status };
                    let told = Told::to(stream, vec![event]).cursor(kind, String::new());
                    self.append(&moment, date, vec![told]).await?;
                    return Ok(Ended::Answered);
                }
                Answer::NotModified { .. } => return Ok(Ended::Failed),
            };
            seen.extend(pulls.iter().map(|(number, ..)| *number));
            let mut events = vec![Event::Pulls { repo: target.id, pulls }];
            cursor.page = next.map(|next| (next, since));
            let is_last = cursor.page.is_none();
            if is_last {
                if again {
                    self.ask_vanished_pulls(target, &seen).await?;
                }
                events.push(Event::PullsListed { repo: target.id, since });
                cursor.listed = cursor.begun.take();
            }
            let value = cursor.encode();
            let told = Told::to(stream, events).cursor(kind.clone(), value);
            let position = self.append(&moment, date, vec![told]).await?;
            if is_last {
                self.folded.wait(position).await;
                return Ok(Ended::Answered);
            }
        }
    }

    /// Asks for each known pull request that the whole list left out.
    async fn ask_vanished_pulls(&self, target: &Target, seen: &HashSet<u64>) -> Result<(), JobError> {
        for number in self.rows().pull_numbers(target.account, target.id).await? {
            if !seen.contains(&number) {
                self.ask_pull(target, number).await?;
            }
        }
        Ok(())
    }

    /// Reads what changed since the last list began, latest first; `settles`: the list is whole with it.
    async fn list_changed_pulls(&self, target: &Target, settles: bool) -> Result<(), JobError> {
        let stream = target.stream();
        let kind = cursor_kind(target.id);
        let mut cursor: Cursor = self.rows().cursor(stream, &kind).await?.unwrap_or_default();
        let changed_at = target.repo.pulls_check.changed_at;
        let etag = match (settles, target.repo.pulls.doubt) {
            (true, None) => self.rows().etag(stream, CHANGES_ETAG, Some(target.id), changed_at).await?,
            _ => None,
        };
        let until = cursor.until();
        let first = self.moment();
        let since = first.version(stream, &*self.log);
        let mut next: Option<String> = None;
        let mut first_etag = None;
        loop {
            let moment = if next.is_none() { first.clone() } else { self.moment() };
            let (page, asking) = match &next {
                Some(url) => (PullsPage::Next(url), moment.anew()),
                None => (
                    PullsPage::First { repo: target.path(), order: PullOrder::Updated },
                    moment.unless_unchanged(etag.as_ref()),
                ),
            };
            let mut answer = self.github.pulls(page, &asking).await?;
            if let Answer::Refused { .. } = answer {
                let Some(repo) = self.look_again(target).await? else { return Ok(()) };
                // From the first page: what was told already may be told again.
                let page = PullsPage::First { repo, order: PullOrder::Updated };
                answer = self.github.pulls(page, &moment.anew()).await?;
            }
            let date = answer.date();
            let (pulls, following) = match answer {
                Answer::Fresh(fresh) => {
                    if next.is_none() {
                        first_etag = fresh.etag;
                        cursor.begun = Some(date);
                    }
                    (fresh.body, fresh.links.next().map(str::to_owned))
                }
                Answer::Empty { .. } => (Vec::new(), None),
                Answer::NotModified { .. } => {
                    let event = Event::Checked { about: NeedKey::Pulls(target.id) };
                    self.append(&moment, date, vec![Told::to(stream, vec![event])]).await?;
                    return Ok(());
                }
                Answer::Refused { status, .. } => {
                    let event = Event::Refused { about: NeedKey::Pulls(target.id), status };
                    self.append(&moment, date, vec![Told::to(stream, vec![event])]).await?;
                    return Ok(());
                }
            };
            let reached = pulls.iter().any(|(_, _, at)| *at < until);
            let mut told = Told::to(stream, vec![Event::Pulls { repo: target.id, pulls }]);
            next = following.filter(|_| !reached);
            let is_last = next.is_none();
            if is_last && settles {
                told.events.push(Event::PullsListed { repo: target.id, since });
                cursor.listed = cursor.begun.take().or(cursor.listed);
                let value = cursor.encode();
                told = told.cursor(kind.clone(), value).etag(
                    CHANGES_ETAG,
                    Some(target.id),
                    first_etag.take(),
                    since,
                );
            }
            let position = self.append(&moment, date, vec![told]).await?;
            if is_last {
                self.folded.wait(position).await;
                return Ok(());
            }
        }
    }

    /// Asks for one pull request.
    pub(super) async fn ask_pull(&self, target: &Target, number: u64) -> Result<Ended, JobError> {
        let stream = target.stream();
        let moment: Moment = self.moment();
        let mut answer = self.github.pull(target.path(), number, &moment.anew()).await?;
        if let Answer::Refused { .. } = answer {
            let Some(path) = self.look_again(target).await? else { return Ok(Ended::Answered) };
            answer = self.github.pull(path, number, &moment.anew()).await?;
        }
        let date = answer.date();
        let repo = target.id;
        let event = match answer {
            Answer::Fresh(fresh) => Event::Pulls { repo, pulls: vec![fresh.body] },
            Answer::Refused { status: 404 | 410, .. } => Event::PullGone { repo, number },
            Answer::Refused { status, .. } => Event::Refused { about: NeedKey::Pull(repo, number), status },
            Answer::NotModified { .. } | Answer::Empty { .. } => return Ok(Ended::Failed),
        };
        let position = self.append(&moment, date, vec![Told::to(stream, vec![event])]).await?;
        self.folded.wait(position).await;
        Ok(Ended::Answered)
    }
}

/// The cursor of a repository's lists.
pub(super) fn cursor_kind(repo: RepoId) -> String {
    format!("pulls/{repo}")
}
