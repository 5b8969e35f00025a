//! What stargazers starred: asked for when one is first heard of, when a delivery tells of another star of theirs, and
//! now and then again. It is told to every repository among it whose neighbours somebody wants.
//!
//! A list is shown newest first. After a new star it is read until something known comes; a check asks every page
//! whether it is still what it was, which costs nothing where nothing changed and a token is used.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Mutex, PoisonError},
};

use domain::{
    AccountId, Event, Millis, RepoId, Second, StreamKey,
    entity::starred::Starred,
    event::{PageTag, StarredConfirmed, StarredReading, StarredRepository, StarrerReading, StarsReading},
};
use event_log::Position;
use futures::{StreamExt, TryStreamExt, stream};
use github::client::{AccountPath, Answer, Fresh, GivenStar, StarredPage};

use super::Target;
use crate::{
    ask::{Asker, JobError, Moment, Told, now},
    rows::Stargazer,
    schedule::Ended,
};

/// Pages of what one account starred: 3 000 stars. Who starred more is known in part, and the answer says so.
const PAGES_MAX: usize = 30;

/// Stargazers that are asked about before other tasks have their turn.
const STARGAZERS_A_TURN: usize = 50;

/// Stargazers that are asked about at once; other accounts want their turn too.
const STARGAZERS_AT_ONCE: usize = 4;

/// Repositories that are looked up at once, to find those whose neighbours are wanted.
const LOOKED_UP_AT_ONCE: usize = 16;

/// How far questions about stargazers got.
#[derive(Debug, Default)]
pub(crate) struct StarProgress {
    /// Checks that are not finished yet.
    checks: Mutex<HashMap<AccountId, StarCheck>>,
    /// The slice of a star set in which the last turn ended: to begin there saves looking through all before it.
    slices: Mutex<HashMap<RepoId, u32>>,
}

/// A check of what the stargazers of an account's repositories starred.
#[derive(Debug, Clone)]
struct StarCheck {
    /// What was checked since is not asked for again.
    begun: Millis,
    /// Slices of star sets that are to be gone through, the next one last.
    left: Vec<(RepoId, u32)>,
    /// How far the next one was gone through.
    after: Option<AccountId>,
}

impl StarProgress {
    /// Checks of other accounts are for other processes to finish.
    pub(crate) fn let_go(&self, is_held: impl Fn(AccountId) -> bool) {
        self.checks.lock().unwrap_or_else(PoisonError::into_inner).retain(|account, _| is_held(*account));
    }

    fn check(&self, account: AccountId) -> Option<StarCheck> {
        self.checks.lock().unwrap_or_else(PoisonError::into_inner).get(&account).cloned()
    }

    fn note_check(&self, account: AccountId, check: Option<StarCheck>) {
        let mut checks = self.checks.lock().unwrap_or_else(PoisonError::into_inner);
        match check {
            Some(check) => checks.insert(account, check),
            None => checks.remove(&account),
        };
    }

    fn slice(&self, repo: RepoId) -> u32 {
        self.slices.lock().unwrap_or_else(PoisonError::into_inner).get(&repo).copied().unwrap_or(0)
    }

    /// `None`: all of its stargazers are known.
    fn note_slice(&self, repo: RepoId, slice: Option<u32>) {
        let mut slices = self.slices.lock().unwrap_or_else(PoisonError::into_inner);
        match slice {
            Some(slice) => slices.insert(repo, slice),
            None => slices.remove(&repo),
        };
    }
}

/// What somebody starred, as the forge told it.
struct List {
    login: String,
    repositories: Vec<StarredRepository<'static>>,
    is_whole: bool,
    older_ms: Option<Millis>,
    pages: Vec<PageTag>,
    date: Second,
}

/// What came of asking for a list.
enum Asked {
    Read(List),
    /// It is what it was.
    Unchanged(Second),
    /// It is not shown.
    Refused(Second),
}

/// What came of checking a stargazer.
enum Checked {
    Told(Option<Position>),
    Confirmed(StarredConfirmed, Second),
}

/// A list on its way, page by page.
#[derive(Default)]
struct Reading {
    stars: Vec<StarredRepository<'static>>,
    pages: Vec<PageTag>,
    /// Whether every page had a tag.
    has_tags: bool,
    date: Option<Second>,
    next: Option<String>,
}

impl Asker {
    /// Reads what some of a repository's stargazers starred, of whom it is not known.
    pub(super) async fn ask_starred(&self, target: &Target) -> Result<Ended, JobError> {
        let (account, repo) = (target.account, target.id);
        let begin = self.stars.slice(repo);
        let (unknown, slice) =
            self.rows().unknown_stargazers(account, repo, begin, STARGAZERS_A_TURN).await?;
        let is_part = unknown.len() == STARGAZERS_A_TURN;
        let answers =
            stream::iter(unknown).map(|(user, login)| self.ask_starred_by((account, repo), user, login));
        let told: Vec<Option<Position>> = answers.buffered(STARGAZERS_AT_ONCE).try_collect().await?;
        for position in told.into_iter().flatten() {
            self.folded.wait(position).await;
        }
        self.stars.note_slice(repo, is_part.then_some(slice));
        Ok(if is_part { Ended::Part } else { Ended::Answered })
    }

    async fn ask_starred_by(
        &self,
        target: (AccountId, RepoId),
        user: AccountId,
        login: Option<String>,
    ) -> Result<Option<Position>, JobError> {
        let moment = self.moment();
        let asked = match &login {
            Some(login) => self.list_starred(user, login, &[], &moment).await?,
            None => Asked::Refused(moment.ms.to_second()),
        };
        self.tell_starred(target, user, login.as_deref(), asked, &moment).await
    }

    /// Reads what an account starred since it was asked for last, because deliveries told of stars of its.
    pub(super) async fn ask_own_stars(&self, account: AccountId) -> Result<Ended, JobError> {
        let moment = self.moment();
        let Some(starrer) = self.rows().starrer(account).await? else { return Ok(Ended::Failed) };
        let (Some(target), Some(login)) = (starrer.target, &starrer.login) else { return Ok(Ended::Failed) };
        let known = self.rows().starred(target, account).await?;
        let asked = match &known {
            // Only what is new is asked for where nothing else can have changed since this very answer.
            Some((known, checked_ms)) if starrer.is_taken_known() && known.asked_ms == starrer.read_ms => {
                self.list_newer(account, login, (known, *checked_ms), &moment).await?
            }
            _ => self.list_starred(account, login, &[], &moment).await?,
        };
        let told = match asked {
            Asked::Read(_) => self.tell_starred(target, account, Some(login), asked, &moment).await?,
            // What is known of it stays until it is checked.
            Asked::Unchanged(date) | Asked::Refused(date) => {
                let told = starrer_asked(account, login, Some(target));
                Some(self.append(&moment, date, vec![told]).await?)
            }
        };
        if let Some(position) = told {
            self.folded.wait(position).await;
        }
        Ok(Ended::Answered)
    }

    /// Asks again what the stargazers of an account's repositories starred; a part of them a turn.
    pub(super) async fn check_starred(&self, account: AccountId) -> Result<Ended, JobError> {
        let mut check = match self.stars.check(account) {
            Some(check) => check,
            None => {
                let wanted = self.rows().wanted_stars(account).await?;
                let slices = wanted.into_iter().flat_map(|(repo, _)| {
                    (0..domain::entity::stargazers::BUCKETS).map(move |slice| (repo, slice))
                });
                StarCheck { begun: now(), left: slices.collect(), after: None }
            }
        };
        if !check.left.is_empty() && self.is_short_of_requests() {
            // What is left of the hour's requests is for questions in doubt.
            self.stars.note_check(account, Some(check));
            return Ok(Ended::Failed);
        }
        let mut room = STARGAZERS_A_TURN;
        while room > 0
            && let Some(&(repo, slice)) = check.left.last()
        {
            let is_shown =
                self.target(account, repo).await?.is_some_and(|target| target.repo.visibility.is_public());
            if !is_shown {
                check.left.retain(|(other, _)| *other != repo);
                continue;
            }
            let place = (repo, slice, check.after);
            let stale = self.rows().stale_stargazers(account, place, check.begun, room).await?;
            if stale.len() < room {
                check.left.pop();
                check.after = None;
            } else {
                check.after = stale.last().map(|stale| stale.user);
            }
            room -= stale.len();
            self.check_slice((account, repo), stale).await?;
        }
        let is_done = check.left.is_empty();
        self.stars.note_check(account, (!is_done).then_some(check));
        Ok(if is_done { Ended::Answered } else { Ended::Part })
    }

    async fn check_slice(&self, target: (AccountId, RepoId), stale: Vec<Stargazer>) -> Result<(), JobError> {
        if stale.is_empty() {
            return Ok(());
        }
        let begun = self.moment();
        let answers = stream::iter(stale).map(|stale| self.check_stargazer(target, stale));
        let told: Vec<Checked> = answers.buffered(STARGAZERS_AT_ONCE).try_collect().await?;
        let (mut confirmed, mut dates, mut positions) = (Vec::new(), Vec::new(), Vec::new());
        for checked in told {
            match checked {
                Checked::Told(position) => positions.extend(position),
                Checked::Confirmed(unchanged, date) => {
                    confirmed.push(unchanged);
                    dates.push(date);
                }
            }
        }
        if let Some(date) = dates.into_iter().min() {
            let (account, repo) = target;
            let event = Event::Stars(Box::new(StarsReading { confirmed, ..StarsReading::of(repo) }));
            let told = Told::to(StreamKey::Account(account), vec![event]);
            positions.push(self.append(&begun, date, vec![told]).await?);
        }
        for position in positions {
            self.folded.wait(position).await;
        }
        Ok(())
    }

    async fn check_stargazer(
        &self,
        target: (AccountId, RepoId),
        Stargazer { user, login, starred }: Stargazer,
    ) -> Result<Checked, JobError> {
        let moment = self.moment();
        let login = login.unwrap_or_else(|| starred.login.clone());
        let asked = if login.is_empty() {
            Asked::Refused(moment.ms.to_second())
        } else {
            self.list_starred(user, &login, &starred.pages, &moment).await?
        };
        if let Asked::Unchanged(date) = asked {
            let unchanged = StarredConfirmed { starrer: user, read_ms: starred.asked_ms };
            return Ok(Checked::Confirmed(unchanged, date));
        }
        self.tell_starred(target, user, Some(&login), asked, &moment).await.map(Checked::Told)
    }

    /// Asks whether the pages of a list are what they were; reads all of it where they are not, or none are known.
    async fn list_starred(
        &self,
        user: AccountId,
        login: &str,
        pages: &[PageTag],
        moment: &Moment,
    ) -> Result<Asked, JobError> {
        let mut unchanged: Option<Second> = None;
        let mut reading = Reading { has_tags: true, ..Reading::default() };
        for (place, page) in pages.iter().enumerate() {
            let path = page.url.as_deref().map_or(StarredPage::First { login }, StarredPage::Next);
            match self.github.starred(path, &moment.unless_unchanged(Some(&page.etag))).await? {
                Answer::NotModified { date } => {
                    unchanged = Some(unchanged.map_or(date, |earlier| earlier.min(date)));
                }
                // Nothing that was asked for is asked for twice.
                Answer::Fresh(fresh) if place == 0 => {
                    reading.take(fresh);
                    unchanged = None;
                    break;
                }
                Answer::Fresh(_) | Answer::Refused { .. } | Answer::Empty { .. } => {
                    unchanged = None;
                    break;
                }
            }
        }
        if let Some(date) = unchanged {
            return Ok(Asked::Unchanged(date));
        }
        let mut present = login.to_owned();
        while reading.has_more() {
            match self.next_page(&reading, &present, moment).await? {
                Answer::Fresh(fresh) => reading.take(fresh),
                Answer::Empty { date } => reading.end(date),
                Answer::Refused { .. } if reading.is_empty() && present == login => {
                    // Who was renamed is not found by the former login.
                    match self.present_login(user, moment).await? {
                        Some(renamed) if renamed != login => present = renamed,
                        _ => return Ok(Asked::Refused(moment.ms.to_second())),
                    }
                }
                Answer::Refused { date, .. } => return Ok(Asked::Refused(date)),
                Answer::NotModified { .. } => return Err(asked_anew()),
            }
        }
        Ok(Asked::Read(reading.whole(present, moment)))
    }

    /// Reads a list until something comes that is known, and adds to that what is new.
    async fn list_newer(
        &self,
        user: AccountId,
        login: &str,
        (known, checked_ms): (&Starred, Millis),
        moment: &Moment,
    ) -> Result<Asked, JobError> {
        let ids: BTreeSet<RepoId> = known.repositories.iter().map(|repo| repo.id).collect();
        let mut reading = Reading { has_tags: true, ..Reading::default() };
        while reading.has_more() {
            match self.next_page(&reading, login, moment).await? {
                Answer::Fresh(fresh) => reading.take(fresh),
                Answer::Empty { date } => reading.end(date),
                // A new name, or nothing to see: as if nothing were known.
                Answer::Refused { .. } => return self.list_starred(user, login, &[], moment).await,
                Answer::NotModified { .. } => return Err(asked_anew()),
            }
            // Of stars of one second nobody knows the order: an unknown one at the end of a page may not be the last.
            let meets_known = reading.stars.last().is_some_and(|star| ids.contains(&star.id));
            if meets_known && reading.has_more() {
                let shown: BTreeSet<RepoId> = reading.stars.iter().map(|star| star.id).collect();
                let older = known.repositories.iter().filter(|repo| !shown.contains(&repo.id));
                reading.stars.extend(older.map(|repo| StarredRepository {
                    id: repo.id,
                    owner: repo.owner,
                    full_name: repo.full_name.clone().into(),
                }));
                let list = reading.whole(login.to_owned(), moment);
                // Nobody knows whether something older was taken back.
                let is_whole = known.is_whole;
                return Ok(Asked::Read(List {
                    is_whole,
                    older_ms: Some(checked_ms),
                    pages: Vec::new(),
                    ..list
                }));
            }
        }
        Ok(Asked::Read(reading.whole(login.to_owned(), moment)))
    }

    async fn next_page(
        &self,
        reading: &Reading,
        login: &str,
        moment: &Moment,
    ) -> Result<Answer<Vec<GivenStar>>, JobError> {
        let page = reading.next.as_deref().map_or(StarredPage::First { login }, StarredPage::Next);
        Ok(self.github.starred(page, &moment.anew()).await?)
    }

    async fn present_login(&self, user: AccountId, moment: &Moment) -> Result<Option<String>, JobError> {
        let Some(number) = user.as_github() else { return Ok(None) };
        let answer = self.github.profile(AccountPath::Id(number), &moment.anew()).await?;
        Ok(match answer {
            Answer::Fresh(fresh) if fresh.body.owner.id == user => Some(fresh.body.owner.login.to_string()),
            _ => None,
        })
    }

    /// Tells what somebody starred to the repository that was asked for, to all others among it whose neighbours are
    /// wanted, and to whoever starred. A list that is not shown is told to the one alone. Returns where the last
    /// record stands that the repository's owner must fold.
    async fn tell_starred(
        &self,
        target: (AccountId, RepoId),
        user: AccountId,
        login: Option<&str>,
        asked: Asked,
        moment: &Moment,
    ) -> Result<Option<Position>, JobError> {
        let is_shown = matches!(asked, Asked::Read(_));
        let list = match asked {
            Asked::Read(list) => list,
            Asked::Unchanged(_) => return Ok(None),
            Asked::Refused(date) => List {
                login: login.unwrap_or_default().to_owned(),
                repositories: Vec::new(),
                is_whole: false,
                older_ms: None,
                pages: Vec::new(),
                date,
            },
        };
        let mut wanted = self.wanted_among(&list.repositories).await?;
        // Also who took the star back meanwhile may give it again, and then what is known now is shown.
        let own = login.map(|_| starrer_asked(user, &list.login, is_shown.then_some(target)));
        wanted.insert(target.1, target.0);
        let reading = StarredReading {
            starrer: user,
            login: list.login.into(),
            repositories: list.repositories,
            is_whole: list.is_whole,
            older_ms: list.older_ms,
            pages: list.pages,
        };
        let mut told: Vec<Told> = own.into_iter().collect();
        told.extend(wanted.into_iter().map(|(repo, owner)| {
            let starred = vec![reading.clone()];
            let event = Event::Stars(Box::new(StarsReading { starred, ..StarsReading::of(repo) }));
            Told::to(StreamKey::Account(owner), vec![event])
        }));
        // That of the repository that was asked for last, so that it is the one that is waited for.
        told.sort_by_key(|told| told.stream == StreamKey::Account(target.0));
        self.append(moment, list.date, told).await.map(Some)
    }

    /// The repositories among these whose neighbours somebody wants, with their owners.
    async fn wanted_among(
        &self,
        repositories: &[StarredRepository<'static>],
    ) -> Result<BTreeMap<RepoId, AccountId>, JobError> {
        let places: Vec<(RepoId, AccountId)> =
            repositories.iter().map(|repo| (repo.id, repo.owner)).collect();
        let looked_up = stream::iter(places).map(|(repo, owner)| self.wanted_one(repo, owner));
        let found: Vec<Option<(RepoId, AccountId)>> =
            looked_up.buffered(LOOKED_UP_AT_ONCE).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn wanted_one(
        &self,
        repo: RepoId,
        owner: AccountId,
    ) -> Result<Option<(RepoId, AccountId)>, JobError> {
        let stars = self.rows().stars(owner, repo).await?;
        Ok(stars.is_some_and(|stars| stars.wanted.is_some()).then_some((repo, owner)))
    }
}

impl Reading {
    fn has_more(&self) -> bool {
        (self.is_empty() || self.next.is_some()) && self.pages.len() < PAGES_MAX
    }

    fn is_empty(&self) -> bool {
        self.date.is_none()
    }

    fn take(&mut self, fresh: Fresh<Vec<GivenStar>>) {
        self.has_tags &= fresh.etag.is_some();
        self.pages.push(PageTag { url: self.next.take(), etag: fresh.etag.unwrap_or_default() });
        self.stars.extend(fresh.body.into_iter().filter_map(|star| star.repository));
        self.next = fresh.links.next().map(str::to_owned);
        self.end(fresh.date);
    }

    fn end(&mut self, date: Second) {
        self.date = Some(self.date.map_or(date, |earlier| earlier.min(date)));
    }

    fn whole(self, login: String, moment: &Moment) -> List {
        List {
            login,
            repositories: self.stars,
            is_whole: self.next.is_none(),
            older_ms: None,
            pages: if self.has_tags { self.pages } else { Vec::new() },
            date: self.date.unwrap_or(moment.ms.to_second()),
        }
    }
}

fn starrer_asked(user: AccountId, login: &str, target: Option<(AccountId, RepoId)>) -> Told {
    let reading = StarrerReading { login: login.to_owned().into(), target };
    Told::to(StreamKey::Account(user), vec![Event::StarrerAsked(reading)])
}

fn asked_anew() -> JobError {
    JobError::Retry("a list that was asked for anew is not modified".to_owned())
}
