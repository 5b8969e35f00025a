//! Where the list of all public repositories ends: by doubling and bisection, because nothing tells it.

use domain::StreamKey;
use github::client::{Answer, PublicPage};
use serde::{Deserialize, Serialize};

use super::{
    Learnt, Pause,
    list::{PAGES_MAX, Walk, refused},
};
use crate::ask::{Asker, Told};

/// How far a search got, so that one that the budget cut short goes on.
const CURSOR: &str = "latest-search";

/// The first step up from nothing: github.com had a million repositories in 2010.
const STEP_FROM_NOTHING: u64 = 1 << 20;
/// The first step up from what was the end some while ago.
const STEP: u64 = 1 << 10;
/// When the end is known to be within so many ids, the pages are followed: a page holds a hundred.
const NEAR: u64 = 128;
/// Between 0 and 2⁶⁴ there are no more doublings and halvings than these.
const PROBES_MAX: usize = 130;

/// Between what the end lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Search {
    /// There is something at or above this id.
    low: u64,
    /// There is nothing above this one.
    high: Option<u64>,
    /// How far up to look next, while nothing is known to be above.
    step: u64,
}

/// What a look at the list after an id shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    Nothing,
    /// Something, up to this id.
    UpTo(u64),
}

impl Search {
    fn from(low: u64) -> Self {
        Search { low, high: None, step: if low == 0 { STEP_FROM_NOTHING } else { STEP } }
    }

    /// The id to look after; `None` once the end is near.
    fn probe(&self) -> Option<u64> {
        match self.high {
            None => Some(self.low.saturating_add(self.step)),
            Some(high) if high - self.low <= NEAR => None,
            Some(high) => Some(self.low + (high - self.low) / 2),
        }
    }

    fn saw(&mut self, after: u64, shown: Shown) {
        match shown {
            Shown::Nothing => self.high = Some(after),
            Shown::UpTo(id) => {
                self.low = self.low.max(id);
                self.step = self.step.saturating_mul(2);
            }
        }
        // New ones above what was empty a moment ago.
        if self.high.is_some_and(|high| high < self.low) {
            self.high = None;
        }
    }
}

impl Asker {
    /// Whether a search was begun and not ended.
    pub(super) async fn is_searching(&self) -> Result<bool, Pause> {
        let cursor: Option<Search> = self.rows().cursor(StreamKey::Service, CURSOR).await?;
        Ok(cursor.is_some())
    }

    /// Looks for the end from an id on, and reads the last pages.
    pub(super) async fn search(&self, from: u64) -> Result<(Learnt, Walk), Pause> {
        let stream = StreamKey::Service;
        let cursor: Option<Search> = self.rows().cursor(stream, CURSOR).await?;
        let mut search = cursor.filter(|search| search.low >= from).unwrap_or(Search::from(from));
        for _ in 0..PROBES_MAX {
            let Some(after) = search.probe() else { break };
            self.allow()?;
            let moment = self.moment();
            let answer = self.github.public_repositories(PublicPage::Since(after), &moment.anew()).await?;
            let date = answer.date();
            let Answer::Fresh(fresh) = answer else { return Err(refused(&answer).into()) };
            let highest = fresh.body.iter().filter_map(|(id, _)| id.as_github()).max();
            let highest = highest.filter(|highest| *highest > after);
            search.saw(after, highest.map_or(Shown::Nothing, Shown::UpTo));
            let noted = serde_json::to_string(&search).expect("plain numbers serialize");
            let told = Told::to(stream, Vec::new()).cursor(CURSOR.to_owned(), noted);
            self.append(&moment, date, vec![told]).await?;
            if highest.is_some() && fresh.links.next().is_none() {
                // The last page itself.
                search.low = after;
                break;
            }
        }
        self.allow()?;
        let mut learnt = self.begin_learning();
        let walk = self.walk(&mut learnt, search.low, PAGES_MAX, None).await?;
        let told = Told::to(stream, Vec::new()).cursor(CURSOR.to_owned(), String::new());
        self.append(&learnt.moment, learnt.moment.ms.to_second(), vec![told]).await?;
        Ok((learnt, walk))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Searches a list; returns from where the last pages are read, and how many looks that took.
    fn found(ids: &BTreeSet<u64>, from: u64) -> (u64, usize) {
        let mut search = Search::from(from);
        for looks in 0..PROBES_MAX {
            let Some(after) = search.probe() else { return (search.low, looks) };
            let page = ids.range(after + 1..).take(100);
            search.saw(after, page.max().map_or(Shown::Nothing, |id| Shown::UpTo(*id)));
        }
        panic!("not found: {search:?}");
    }

    #[test]
    fn the_end_is_found_wherever_it_is() {
        for (ids, looks_max) in [
            (BTreeSet::from([1]), 20),
            ((1..5_000).collect(), 20),
            ((10_000..10_300).collect(), 20),
            ((1..100_000).step_by(7).collect(), 20),
            (BTreeSet::from([3, 900_000_000]), 40),
            ((1_140_000_000..1_140_010_000).step_by(3).collect(), 40),
        ] {
            let last = *ids.last().unwrap();
            let (low, looks) = found(&ids, 0);
            assert!(low <= last && last - low <= NEAR, "{low} {last}");
            assert!(looks <= looks_max, "{looks} looks for {last}");
            let (low, looks) = found(&ids, last - last / 100);
            assert!(low <= last && last - low <= NEAR && looks <= looks_max, "{low} {last} {looks}");
        }
    }

    #[test]
    fn what_is_made_meanwhile_is_found_too() {
        let mut search = Search { low: 1_000, high: Some(1_200), step: 1 };
        search.saw(1_100, Shown::UpTo(1_250));
        assert_eq!((search.low, search.high), (1_250, None));
        assert!(search.probe().is_some());
    }
}
