//! What each of the newest public repositories says of itself, and its languages.

use std::pin::pin;

use domain::{
    Millis, RepoId,
    entity::latest::{Copy, Latest, SHOWN_MAX},
    event::{LatestLanguages, LatestTold},
};
use futures::{StreamExt, stream};
use github::client::{Answer, RepoPath, ToldRepository};

use super::{Learnt, Pause, before};
use crate::ask::{Asker, JobError, Moment, now};

/// Questions about them that are on their way at once; accounts want their turn too.
const AT_ONCE: usize = 4;
/// So many answers are appended together: readers see a first load grow, and a crash loses little.
const GROUP: usize = 25;
/// Of those that are shown so many are asked again in each poll, those first that were asked longest ago: all of them
/// within four.
const CHECKS: usize = 25;
/// One that did not answer is asked again after this: it may have been private for a while.
const GONE_AGAIN_MS: i64 = 60 * 60 * 1000;

/// A repository to ask.
#[derive(Debug, Clone)]
struct Question {
    id: RepoId,
    /// `owner/name`; empty where it is not known.
    full_name: String,
    etag: Option<String>,
}

/// What came of it.
enum Heard {
    Told(Box<LatestTold>),
    Unchanged,
    Gone,
    /// Nothing that says anything about the repository.
    Nothing,
}

impl Question {
    fn about(id: RepoId, copy: &Copy) -> Self {
        let name = |copy: &Copy| copy.facts().map(|facts| format!("{}/{}", facts.owner, facts.name));
        Question { id, full_name: name(copy).unwrap_or_else(|| copy.full_name.clone()), etag: None }
    }

    /// By name where one is known, as look-alikes offer nothing else; by id otherwise.
    fn paths(&self) -> impl Iterator<Item = RepoPath<'_>> {
        let by_name = self.full_name.split_once('/').map(|(owner, name)| RepoPath::Name { owner, name });
        by_name.into_iter().chain(self.id.as_github().map(RepoPath::Id))
    }
}

impl Asker {
    /// Asks for those that the list left out: only they can say that they are gone.
    pub(super) async fn ask_missing(&self, missing: Vec<RepoId>) -> Result<(), Pause> {
        if missing.is_empty() {
            return Ok(());
        }
        let latest = self.rows().latest().await?;
        let copies = missing.iter().filter_map(|id| Some((*id, latest.repositories.get(id)?)));
        self.ask_latest(copies.map(|(id, copy)| Question::about(id, copy)).collect()).await
    }

    /// Asks for those that were only listed, newest first, and for those that did not answer long ago; whether there
    /// were any.
    pub(super) async fn ask_unasked(&self, latest: &Latest) -> Result<bool, Pause> {
        let long_ago = before(now(), GONE_AGAIN_MS);
        let gone = latest.gone().filter(|(.., checked)| *checked < long_ago).map(|(id, name, _)| (id, name));
        let open = latest.unasked().take(SHOWN_MAX).chain(gone);
        let questions: Vec<Question> =
            open.map(|(id, name)| Question { id, full_name: name.to_owned(), etag: None }).collect();
        let is_any = !questions.is_empty();
        self.ask_latest(questions).await?;
        Ok(is_any)
    }

    /// Asks some of those that are shown whether anything about them has changed.
    pub(super) async fn check_latest(&self) -> Result<(), Pause> {
        let latest = self.rows().latest().await?;
        let mut checks: Vec<(Millis, Question)> = latest
            .shown()
            .filter_map(|(id, _, copy)| {
                let etag = copy.etag().map(str::to_owned);
                Some((copy.said.as_ref()?.checked_ms, Question { etag, ..Question::about(id, copy) }))
            })
            .collect();
        checks.sort_by_key(|(checked, _)| *checked);
        self.ask_latest(checks.into_iter().map(|(_, question)| question).take(CHECKS).collect()).await
    }

    /// Asks for the languages of those that are shown, where they are due.
    pub(super) async fn ask_languages_of_latest(&self) -> Result<(), Pause> {
        let latest = self.rows().latest().await?;
        let second = now().to_second();
        let due: Vec<Question> = latest
            .shown()
            .filter(|(_, _, copy)| copy.wants_languages(second))
            .map(|(id, _, copy)| Question::about(id, copy))
            .collect();
        for group in due.chunks(GROUP) {
            let mut learnt = self.begin_learning();
            let moment = learnt.moment.clone();
            let asks = group.iter().cloned().map(|question| self.languages_of(question, moment.clone()));
            let pause = gather(asks, |(languages, date)| {
                learnt.dated(date);
                learnt.reading.languages.extend(languages);
            });
            let pause = pause.await;
            self.keep(learnt, pause).await?;
        }
        Ok(())
    }

    async fn ask_latest(&self, questions: Vec<Question>) -> Result<(), Pause> {
        for group in questions.chunks(GROUP) {
            let mut learnt = self.begin_learning();
            let moment = learnt.moment.clone();
            let asks = group.iter().cloned().map(|question| self.ask_one(question, moment.clone()));
            let pause = gather(asks, |(id, heard, date)| {
                learnt.dated(date);
                match heard {
                    Heard::Told(told) => learnt.reading.told.push(*told),
                    Heard::Unchanged => learnt.reading.unchanged.push(id),
                    Heard::Gone => learnt.reading.gone.push(id),
                    Heard::Nothing => {}
                }
            });
            let pause = pause.await;
            self.keep(learnt, pause).await?;
        }
        Ok(())
    }

    /// Appends what was learnt, also where it was cut short.
    async fn keep(&self, learnt: Learnt, pause: Option<Pause>) -> Result<(), Pause> {
        self.tell_latest(learnt).await?;
        match pause {
            Some(pause) => Err(pause),
            None => Ok(()),
        }
    }

    async fn ask_one(
        &self,
        question: Question,
        moment: Moment,
    ) -> Result<(RepoId, Heard, domain::Second), Pause> {
        let mut heard = (Heard::Nothing, moment.ms.to_second());
        for path in question.paths() {
            self.allow()?;
            let answer =
                self.github.public_repository(path, &moment.unless_unchanged(question.etag.as_ref())).await?;
            let date = answer.date();
            heard = match answer {
                Answer::Fresh(fresh) if fresh.body.facts.id == question.id => {
                    let ToldRepository { is_public, facts } = fresh.body;
                    let told = LatestTold { facts, etag: fresh.etag };
                    let heard = if is_public { Heard::Told(Box::new(told)) } else { Heard::Gone };
                    return Ok((question.id, heard, date));
                }
                Answer::NotModified { date } => return Ok((question.id, Heard::Unchanged, date)),
                // Its name leads to another one by now.
                Answer::Fresh(_) | Answer::Refused { status: 403 | 404 | 410 | 451, .. } => {
                    (Heard::Gone, date)
                }
                Answer::Refused { .. } | Answer::Empty { .. } => (heard.0, date),
            };
        }
        Ok((question.id, heard.0, heard.1))
    }

    async fn languages_of(
        &self,
        question: Question,
        moment: Moment,
    ) -> Result<(Option<LatestLanguages>, domain::Second), Pause> {
        let Some(path) = question.paths().next() else {
            return Err(JobError::Retry("a repository without a name".to_owned()).into());
        };
        self.allow()?;
        let answer = self.github.languages(path, &moment.anew()).await?;
        let date = answer.date();
        let bytes = match answer {
            Answer::Fresh(fresh) => {
                Some(fresh.body.into_iter().map(|(name, bytes)| (name.into_string(), bytes)).collect())
            }
            Answer::Empty { .. } => Some(Vec::new()),
            Answer::Refused { .. } => None,
            Answer::NotModified { .. } => return Ok((None, date)),
        };
        Ok((Some(LatestLanguages { repo: question.id, bytes }), date))
    }
}

/// Asks some at a time and hands each answer over as it comes, until one fails; why that was.
async fn gather<T, F: Future<Output = Result<T, Pause>>>(
    asks: impl Iterator<Item = F>,
    mut take: impl FnMut(T),
) -> Option<Pause> {
    let mut answers = pin!(stream::iter(asks).buffer_unordered(AT_ONCE));
    while let Some(answer) = answers.next().await {
        match answer {
            Ok(answer) => take(answer),
            Err(pause) => return Some(pause),
        }
    }
    None
}
