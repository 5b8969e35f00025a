//! The gists of an account, and which account a user of S2 is. Nobody tells of gists: they are polled, by what
//! changed lately, and now and then as a whole, so that those that were deleted are noticed.

use std::{collections::HashSet, time::Duration};

use domain::{
    AccountId, Event, Millis, Second, StreamKey, Version,
    entity::gists::Gists,
    event::{GistFacts, GistUserFound, GistsReading, GistsWantedBy},
};
use github::client::{Answer, GistsPage, ListedGist};

use crate::{
    ask::{Asker, JobError, Moment, Told, now},
    schedule::Ended,
};

/// The cursor under which the answer's `ETag` is kept.
const ETAG: &str = "gists";

/// All gists are listed this often, to notice those that were deleted.
const WHOLE_EVERY_MS: i64 = 7 * DAY_MS;
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// Changes are asked for from so long before the newest one that is known: the forge's clock has a grain of a second.
const OVERLAP_S: i64 = 1;

/// A list longer than this goes in a circle: GitHub lists 3 000 gists.
const PAGES_MAX: usize = 100;

/// So many gists a record at most: each takes about half a kilobyte, with its files.
const GISTS_PER_RECORD: usize = 200;

/// A user whose newest change is older than this is polled half as often; four times as old, a quarter as often.
const QUIET_S: i64 = 7 * 24 * 60 * 60;
const SLOWEST: i64 = 4;

/// Polls begin up to this part of their interval earlier, each account its own, so that they spread.
const SPREAD_PERMILLE: i64 = 100;

/// While less than one part in so many of the hour's requests is left, polls leave them to questions in doubt.
const RESERVE: u64 = 4;

/// How gists are polled.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct GistPolls {
    every_ms: Option<i64>,
    /// Gists that were made before are left out.
    since: Option<Second>,
}

impl GistPolls {
    pub(crate) fn new(every: Option<Duration>, since: Option<Second>) -> Self {
        let every_ms = every.map(|every| i64::try_from(every.as_millis()).unwrap_or(i64::MAX / SLOWEST));
        GistPolls { every_ms, since }
    }

    /// Whether any are asked for.
    pub(crate) fn are_on(&self) -> bool {
        self.every_ms.is_some()
    }

    /// No poll is put off for longer, whatever an earlier setting said.
    pub(crate) fn latest(&self, not_before: Millis, now: Millis) -> Millis {
        match self.every_ms {
            Some(every_ms) => not_before.min(now.plus(every_ms.saturating_mul(SLOWEST))),
            None => not_before,
        }
    }

    /// When an account is to be asked again whose gists last changed then.
    fn next(&self, account: AccountId, newest: Option<Second>, now: Millis) -> Millis {
        let quiet_s = newest.map_or(i64::MAX, |newest| now.to_second().0.saturating_sub(newest.0));
        let factor = match quiet_s {
            0..=QUIET_S | i64::MIN..0 => 1,
            _ if quiet_s <= QUIET_S * SLOWEST => 2,
            _ => SLOWEST,
        };
        let interval = self.every_ms.unwrap_or(DAY_MS).saturating_mul(factor);
        let hash = StreamKey::Account(account).stable_hash() % SPREAD_PERMILLE.unsigned_abs();
        let earlier = interval / 1_000 * i64::try_from(hash).unwrap_or(0);
        now.plus(interval - earlier)
    }

    fn slowest(&self, now: Millis) -> Millis {
        now.plus(self.every_ms.unwrap_or(DAY_MS).saturating_mul(SLOWEST))
    }

    fn is_wanted(&self, gist: &GistFacts) -> bool {
        match (self.since, gist.created_at) {
            (Some(since), Some(created)) => created >= since,
            _ => true,
        }
    }
}

/// A list of gists, read to its end.
struct Listed {
    gists: Vec<ListedGist>,
    date: Second,
    /// Of a list of one page.
    etag: Option<String>,
}

enum Polled {
    Listed(Listed),
    Unchanged(Second),
    Refused(u16, Second),
}

impl Asker {
    /// Asks which account a user is, and has its gists kept.
    pub(super) async fn ask_gist_user(&self, login: &str) -> Result<Ended, JobError> {
        let users = self.rows().gist_users().await?;
        let Some(user) = users.0.get(login) else { return Ok(Ended::Failed) };
        let moment = self.moment();
        let Some((date, profile)) = self.ask_github_login(&user.login, &moment).await? else {
            return Ok(Ended::Failed);
        };
        let found = |account| {
            let next_ms = self.gists.slowest(moment.ms);
            let found = GistUserFound { login: login.to_owned(), account, next_ms };
            Told::to(StreamKey::Service, vec![Event::GistUserFound(found)])
        };
        let told = match profile {
            Some(profile) => {
                let account = profile.owner.id;
                let events = vec![Event::Profile(profile), Event::GistsWanted(GistsWantedBy::User)];
                vec![Told::to(StreamKey::Account(account), events), found(Some(account))]
            }
            None => vec![found(None)],
        };
        self.append(&moment, date, told).await?;
        Ok(Ended::Answered)
    }

    /// Polls the gists of an account.
    pub(super) async fn ask_gists(&self, account: AccountId) -> Result<Ended, JobError> {
        let stream = StreamKey::Account(account);
        let moment = self.moment();
        let known = self.rows().gists(account).await?;
        let is_first = known.polled.is_none_or(|polled| polled.asked_at < known.wanted_at);
        if !is_first && self.is_short_of_requests() {
            return Ok(Ended::Failed);
        }
        let Some(login) = self.rows().account(account).await?.profile.login else {
            // Of an account that was only named by its id.
            return self.ask_profile(account).await;
        };
        let is_whole = is_first
            || known.refused.is_some()
            || known.listed.is_none_or(|listed| listed.asked_ms.plus(WHOLE_EVERY_MS) <= moment.ms);
        let since = known.newest.filter(|_| !is_whole).map(|newest| Second(newest.0 - OVERLAP_S));
        let etag = if is_whole {
            None
        } else {
            // Only answers change what is known, so any answer's tag will do.
            self.rows().etag(stream, ETAG, None, Version::NONE).await?
        };
        match self.list_gists(&login, since, etag.as_ref(), &moment).await? {
            Polled::Listed(listed) => {
                let is_anothers = |gist: &ListedGist| gist.owner.is_some_and(|owner| owner != account);
                if listed.gists.iter().any(is_anothers) {
                    // Somebody else has the login by now.
                    self.ask_profile(account).await?;
                    return Ok(Ended::Failed);
                }
                self.tell_gists(account, &known, listed, is_whole, &moment).await
            }
            Polled::Unchanged(date) => {
                let next_ms = self.gists.next(account, known.newest, moment.ms);
                self.tell_poll(account, GistsReading { next_ms, ..GistsReading::default() }, date, &moment)
                    .await
            }
            Polled::Refused(status, date) => {
                if self.was_renamed(account, &login).await? {
                    return Ok(Ended::Failed);
                }
                let next_ms = self.gists.slowest(moment.ms);
                let refused = Some(status);
                let reading = GistsReading { next_ms, refused, ..GistsReading::default() };
                self.tell_poll(account, reading, date, &moment).await
            }
        }
    }

    async fn list_gists(
        &self,
        login: &str,
        since: Option<Second>,
        etag: Option<&String>,
        moment: &Moment,
    ) -> Result<Polled, JobError> {
        let mut gists: Vec<ListedGist> = Vec::new();
        let mut seen = HashSet::new();
        let mut date: Option<Second> = None;
        let mut next: Option<String> = None;
        for page in 0..PAGES_MAX {
            let asking = moment.unless_unchanged(etag.filter(|_| page == 0));
            let page_of = match &next {
                Some(url) => GistsPage::Next(url),
                None => GistsPage::First { login, since },
            };
            let fresh = match self.github.gists(page_of, &asking).await? {
                Answer::Fresh(fresh) => fresh,
                Answer::NotModified { date } => return Ok(Polled::Unchanged(date)),
                Answer::Refused { status, date, .. } => return Ok(Polled::Refused(status, date)),
                Answer::Empty { date } => return Ok(Polled::Refused(409, date)),
            };
            let earliest = date.map_or(fresh.date, |known| known.min(fresh.date));
            date = Some(earliest);
            next = fresh.links.next().map(str::to_owned);
            let before = gists.len();
            let listed = fresh.body.into_iter().filter(|gist| seen.insert(gist.facts.id.clone()));
            gists.extend(listed);
            if next.is_none() {
                // The `ETag` of a page says nothing about others.
                let etag = fresh.etag.filter(|_| page == 0);
                return Ok(Polled::Listed(Listed { gists, date: earliest, etag }));
            }
            if gists.len() == before {
                break;
            }
        }
        Err(JobError::Retry("the pages of a list of gists go in a circle".to_owned()))
    }

    async fn tell_gists(
        &self,
        account: AccountId,
        known: &Gists,
        listed: Listed,
        is_whole: bool,
        moment: &Moment,
    ) -> Result<Ended, JobError> {
        let stream = StreamKey::Account(account);
        let Listed { gists, date, etag } = listed;
        let mut gists: Vec<GistFacts> = gists.into_iter().map(|gist| gist.facts).collect();
        let newest = gists.iter().map(|gist| gist.updated_at).max();
        let next_ms = self.gists.next(account, known.newest.max(newest), moment.ms);
        gists.retain(|gist| self.gists.is_wanted(gist));
        let absent = if is_whole {
            let shown: HashSet<&str> = gists.iter().map(|gist| gist.id.as_str()).collect();
            known.present().map(|(id, _)| id.clone()).filter(|id| !shown.contains(id.as_str())).collect()
        } else {
            Vec::new()
        };
        // The oldest first, so that a reader sees them in the order in which they were made.
        gists.sort_by(|one, other| (one.created_at, &one.id).cmp(&(other.created_at, &other.id)));
        let last = gists.split_off(gists.len().saturating_sub(GISTS_PER_RECORD));
        let mut told: Vec<Told> = Vec::new();
        for gists in gists.chunks(GISTS_PER_RECORD) {
            let reading = GistsReading { gists: gists.to_vec(), next_ms, ..GistsReading::default() };
            told.push(Told::to(stream, vec![Event::Gists(Box::new(reading))]));
        }
        let reading = GistsReading { gists: last, absent, is_whole, newest, refused: None, next_ms };
        let asked_at = moment.version(stream, &*self.log);
        told.push(Told::to(stream, vec![Event::Gists(Box::new(reading))]).etag(ETAG, None, etag, asked_at));
        let position = self.append(moment, date, told).await?;
        self.folded.wait(position).await;
        Ok(Ended::Answered)
    }

    async fn tell_poll(
        &self,
        account: AccountId,
        reading: GistsReading,
        date: Second,
        moment: &Moment,
    ) -> Result<Ended, JobError> {
        let told = Told::to(StreamKey::Account(account), vec![Event::Gists(Box::new(reading))]);
        let position = self.append(moment, date, vec![told]).await?;
        self.folded.wait(position).await;
        Ok(Ended::Answered)
    }

    /// Whether what is left of the hour's requests is for questions in doubt.
    pub(super) fn is_short_of_requests(&self) -> bool {
        let budget = self.github.budgets().into_iter().find(|budget| budget.resource == "core");
        budget.is_some_and(|budget| {
            budget.remaining <= budget.limit / RESERVE && budget.reset >= now().to_second()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = Millis(1_700_000_000_000);
    const MINUTE: Duration = Duration::from_secs(60);

    fn next(days: Option<i64>) -> i64 {
        let polls = GistPolls::new(Some(15 * MINUTE), None);
        let newest = days.map(|days| Second(NOW.to_second().0 - days * DAY_MS / 1_000));
        polls.next(AccountId::github(7), newest, NOW).0 - NOW.0
    }

    #[test]
    fn a_quiet_user_is_polled_less_often_but_never_less_than_a_quarter() {
        let every = 15 * 60 * 1_000;
        for (days, factor) in [(Some(0), 1), (Some(6), 1), (Some(8), 2), (Some(29), 4), (None, 4)] {
            let next = next(days);
            assert!(next <= factor * every && next > factor * every * 8 / 10, "{days:?}: {next}");
        }
        let polls = GistPolls::new(Some(MINUTE), None);
        let soon = polls.latest(NOW.plus(DAY_MS), NOW);
        assert_eq!(soon, NOW.plus(4 * 60 * 1_000), "what an earlier setting put off for longer");
    }

    #[test]
    fn polls_of_many_users_spread() {
        let polls = GistPolls::new(Some(15 * MINUTE), None);
        let at = |id| polls.next(AccountId::github(id), None, NOW);
        let different: HashSet<Millis> = (0..200).map(at).collect();
        assert!(different.len() > 50, "{}", different.len());
    }
}
