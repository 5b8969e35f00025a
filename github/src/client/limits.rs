//! GitHub's rate limits, as its answers tell them: pure rules over status, headers and body
//! (reference A3). When to ask again follows from them in [`super::gate`].

use std::time::{Duration, Instant};

use domain::Second;
use http::{HeaderMap, StatusCode};

use super::{
    date,
    spender::{Reserve, Spender},
    transport::Response,
};

/// The resource that REST requests count against unless an answer names another.
pub(crate) const CORE: &str = "core";
/// The resource that GraphQL queries count against: points, not requests.
pub(crate) const GRAPHQL: &str = "graphql";

/// GitHub's resources, a closed list because they are labels; any other is `other`.
const RESOURCES: [&str; 12] = [
    CORE,
    "search",
    GRAPHQL,
    "code_search",
    "integration_manifest",
    "source_import",
    "code_scanning_upload",
    "actions_runner_registration",
    "scim",
    "dependency_snapshots",
    "dependency_sbom",
    "audit_log",
];

/// A limit renews itself every hour; a time further ahead is a mistake, and waiting for it would stop
/// everything.
const WAIT_MAX: Duration = Duration::from_secs(3660);

/// GitHub's clock has a grain of one second, so that a limit may end as late as this after its second.
const GRAIN: Duration = Duration::from_secs(1);

/// How much of a resource is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateBudget {
    /// Which: `core`, `search`, `graphql` and so on.
    pub resource: &'static str,
    /// Requests per hour.
    pub limit: u64,
    /// Requests left.
    pub remaining: u64,
    /// When it is full again, by GitHub's clock.
    pub reset: Second,
}

/// The answer says that nothing more may be asked for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limit {
    /// The hour's requests are used up until then.
    Primary {
        /// How long to wait.
        after: Duration,
    },
    /// Too fast: wait as long as it says, or else growing times.
    Secondary {
        /// How long to wait, if it says.
        after: Option<Duration>,
    },
}

/// The limit that an answer speaks of. A 403 without any of the signs is no limit but the refusal of
/// that one thing.
pub(crate) fn limit_of(response: &Response, date: Second) -> Option<Limit> {
    if !matches!(response.status, StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS) {
        return None;
    }
    let used_up = number(&response.headers, "x-ratelimit-remaining") == Some(0);
    let speaks_of_limit = || {
        let message = response.message().unwrap_or_default().to_ascii_lowercase();
        message.contains("rate limit") || message.contains("abuse detection")
    };
    if let Some(after) = retry_after(&response.headers, date) {
        Some(if used_up { Limit::Primary { after } } else { Limit::Secondary { after: Some(after) } })
    } else if used_up {
        let reset = number(&response.headers, "x-ratelimit-reset");
        Some(match reset {
            Some(reset) => Limit::Primary { after: until(Second(saturated(reset)), date) },
            None => Limit::Secondary { after: None },
        })
    } else if response.status == StatusCode::TOO_MANY_REQUESTS || speaks_of_limit() {
        Some(Limit::Secondary { after: None })
    } else {
        None
    }
}

/// What `Retry-After` says, in seconds or as a date; at least one second, at most an hour.
pub(crate) fn retry_after(headers: &HeaderMap, date: Second) -> Option<Duration> {
    let value = headers.get("retry-after")?.to_str().ok()?.trim();
    let after = match value.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => until(date::parse(value)?, date),
    };
    Some(after.clamp(GRAIN, WAIT_MAX))
}

/// What the headers tell of a budget, if they tell all of it.
pub(crate) fn budget(headers: &HeaderMap) -> Option<RateBudget> {
    Some(RateBudget {
        resource: resource(headers),
        limit: number(headers, "x-ratelimit-limit")?,
        remaining: number(headers, "x-ratelimit-remaining")?,
        reset: Second(saturated(number(headers, "x-ratelimit-reset")?)),
    })
}

/// The resource that an answer counted against.
pub(crate) fn resource(headers: &HeaderMap) -> &'static str {
    let named = headers.get("x-ratelimit-resource").and_then(|value| value.to_str().ok());
    named.map_or(CORE, |named| RESOURCES.into_iter().find(|known| *known == named).unwrap_or("other"))
}

/// The part of every budget that one process may spend where several ask with the same token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// So many …
    pub mine: u32,
    /// … of so many equal parts.
    pub of: u32,
}

impl Part {
    /// Nobody else asks.
    pub const WHOLE: Part = Part { mine: 1, of: 1 };

    fn is_whole(self) -> bool {
        self.mine >= self.of
    }

    /// Rounded up: who may spend anything may spend one.
    fn take(self, whole: u64) -> u64 {
        if self.is_whole() {
            return whole;
        }
        let taken = (u128::from(whole) * u128::from(self.mine)).div_ceil(u128::from(self.of));
        u64::try_from(taken).unwrap_or(u64::MAX)
    }
}

/// How a budget of one token stands, and what this process took of it in its present hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// What is left, of all who ask.
    pub budget: RateBudget,
    /// What each spent, where it spent anything: requests, or points of GraphQL.
    pub spent: Vec<(Spender, u64)>,
}

/// The budgets that GitHub told of, and until when the empty ones are empty on our own clock.
#[derive(Debug)]
pub(crate) struct Budgets {
    known: Vec<Known>,
    part: Part,
    reserve: Reserve,
}

/// What an answer cost, and for what it was asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) spender: Spender,
    /// 0 for what has not changed, where a token is used.
    pub(crate) count: u64,
}

#[derive(Debug)]
struct Known {
    budget: RateBudget,
    full_at: Instant,
    /// What this process may still spend until then, as far as its part goes.
    mine: u64,
    /// What each spent of it.
    spent: [u64; Spender::ALL.len()],
}

impl Known {
    /// Others spend too, so that what is left may be less than our part of what was.
    fn left(&self, part: Part) -> u64 {
        if part.is_whole() { self.budget.remaining } else { self.mine.min(self.budget.remaining) }
    }

    /// GitHub's servers disagree about the end of an hour by a second.
    fn is_of_hour(&self, reset: Second) -> bool {
        self.budget.reset.0.abs_diff(reset.0) <= 2
    }
}

impl Budgets {
    pub(crate) fn new(reserve: Reserve) -> Self {
        Budgets { known: Vec::new(), part: Part::WHOLE, reserve }
    }

    /// Takes what an answer of this `date` told, and what it cost.
    pub(crate) fn note(&mut self, budget: RateBudget, cost: Cost, date: Second, now: Instant) {
        let full_at = now + until(budget.reset, date);
        let Cost { spender, count: cost } = cost;
        let mine = self.part.take(budget.remaining.saturating_add(cost)).saturating_sub(cost);
        let mut spent = [0; Spender::ALL.len()];
        spent[spender.place()] = cost;
        let new = Known { budget, full_at, mine, spent };
        let known = self.known.iter_mut().find(|known| known.budget.resource == budget.resource);
        match known {
            Some(known) if known.is_of_hour(budget.reset) => {
                let mine = known.mine.saturating_sub(cost);
                known.spent[spender.place()] += cost;
                // Answers overtake one another: within one hour what is left only falls.
                if budget.remaining <= known.budget.remaining {
                    *known = Known { mine, spent: known.spent, ..new };
                } else {
                    known.mine = mine;
                }
            }
            Some(known) => *known = new,
            None => self.known.push(new),
        }
    }

    /// Changes the part that may be spent. Of what is left of this hour it is the same part: whoever asked with
    /// the rest so far has spent of its own.
    pub(crate) fn take_part(&mut self, part: Part) {
        if self.part == part {
            return;
        }
        self.part = part;
        for known in &mut self.known {
            known.mine = part.take(known.budget.remaining);
        }
    }

    /// How long a resource stays used up, as far as this process may use it; and whether something is left of it
    /// that is kept back from this spender.
    pub(crate) fn used_up(&self, resource: &str, spender: Spender, now: Instant) -> Option<(Duration, bool)> {
        let known = self.known.iter().find(|known| known.budget.resource == resource)?;
        let left = known.left(self.part);
        let kept = if spender.may_use_reserve() {
            0
        } else {
            // A part of what is kept back is kept back of a part.
            self.part.take(self.reserve.of(known.budget.limit))
        };
        if left > kept {
            return None;
        }
        let after = known.full_at.checked_duration_since(now).filter(|rest| !rest.is_zero())?;
        Some((after, left > 0))
    }

    /// How everything stands that is known.
    pub(crate) fn standings(&self) -> impl Iterator<Item = Standing> {
        self.known.iter().map(|known| {
            let spent = Spender::ALL.into_iter().zip(known.spent).filter(|(_, count)| *count > 0);
            Standing { budget: known.budget, spent: spent.collect() }
        })
    }

    /// All that is known, of all who ask.
    pub(crate) fn all(&self) -> impl Iterator<Item = RateBudget> {
        self.known.iter().map(|known| known.budget)
    }
}

fn until(then: Second, date: Second) -> Duration {
    let seconds = u64::try_from(then.0.saturating_sub(date.0)).unwrap_or(0);
    Duration::from_secs(seconds).saturating_add(GRAIN).min(WAIT_MAX)
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

fn saturated(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderName, HeaderValue};
    use url::Url;

    use super::*;

    const DATE: Second = Second(1_795_255_200);

    fn response(status: u16, headers: &[(&'static str, &str)], body: &'static str) -> Response {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(HeaderName::from_static(name), HeaderValue::try_from(*value).unwrap());
        }
        Response {
            status: StatusCode::from_u16(status).unwrap(),
            headers: map,
            body: Bytes::from_static(body.as_bytes()),
            url: Url::parse("https://api.github.com/").unwrap(),
        }
    }

    #[test]
    fn limits_are_told_from_refusals() {
        let seconds = Duration::from_secs;
        let reset = (DATE.0 + 90).to_string();
        let used_up = ("x-ratelimit-remaining", "0");
        let left = ("x-ratelimit-remaining", "41");
        let reset = ("x-ratelimit-reset", reset.as_str());
        let message = r#"{"message":"You have exceeded a secondary rate limit. Please wait."}"#;
        for status in [403, 429] {
            let told = |headers: &[_], body| limit_of(&response(status, headers, body), DATE);
            assert_eq!(
                told(&[("retry-after", "17"), left, reset], ""),
                Some(Limit::Secondary { after: Some(seconds(17)) })
            );
            assert_eq!(
                told(&[("retry-after", "17"), used_up, reset], ""),
                Some(Limit::Primary { after: seconds(17) })
            );
            assert_eq!(told(&[used_up, reset], ""), Some(Limit::Primary { after: seconds(91) }));
            let far = [used_up, ("x-ratelimit-reset", "99999999999999999999")];
            assert_eq!(told(&far, ""), Some(Limit::Secondary { after: None }), "no number");
            let far = [used_up, ("x-ratelimit-reset", "9999999999999")];
            assert_eq!(told(&far, ""), Some(Limit::Primary { after: WAIT_MAX }), "milliseconds");
            assert_eq!(told(&[used_up], ""), Some(Limit::Secondary { after: None }));
            assert_eq!(told(&[left, reset], message), Some(Limit::Secondary { after: None }));
        }
        let forbidden = r#"{"message":"Resource not accessible by integration"}"#;
        assert_eq!(limit_of(&response(403, &[left, reset], forbidden), DATE), None);
        assert_eq!(limit_of(&response(403, &[], "<html>"), DATE), None);
        assert_eq!(limit_of(&response(429, &[], ""), DATE), Some(Limit::Secondary { after: None }));
        assert_eq!(limit_of(&response(404, &[used_up, reset], ""), DATE), None);
    }

    #[test]
    fn waits_are_read_as_seconds_or_dates_and_stay_within_an_hour() {
        let told = |value| retry_after(&response(503, &[("retry-after", value)], "").headers, DATE);
        assert_eq!(told("0"), Some(GRAIN));
        assert_eq!(told("30"), Some(Duration::from_secs(30)));
        assert_eq!(told("Sat, 21 Nov 2026 10:00:30 GMT"), Some(Duration::from_secs(31)));
        assert_eq!(told("Sat, 21 Nov 2026 09:00:00 GMT"), Some(GRAIN));
        assert_eq!(told("99999999"), Some(WAIT_MAX));
        assert_eq!(told("-5"), None);
        assert_eq!(told("soon"), None);
    }

    const ONE: Cost = Cost { spender: Spender::Load, count: 1 };
    const FREE: Cost = Cost { spender: Spender::Load, count: 0 };

    fn budgets() -> Budgets {
        Budgets::new(Reserve::NONE)
    }

    fn used_up(budgets: &Budgets, now: Instant) -> Option<Duration> {
        budgets.used_up(CORE, Spender::Load, now).map(|(after, _)| after)
    }

    #[test]
    fn what_is_kept_back_is_for_repair() {
        let now = Instant::now();
        let mut budgets = Budgets::new(Reserve::default());
        budgets.note(told(21), ONE, DATE, now);
        assert_eq!(budgets.used_up(CORE, Spender::Sweep, now), None);
        budgets.note(told(20), Cost { spender: Spender::Sweep, count: 1 }, DATE, now);
        for spender in [Spender::Load, Spender::Sweep, Spender::Backfill, Spender::Latest] {
            assert!(matches!(budgets.used_up(CORE, spender, now), Some((_, true))), "{spender}");
        }
        assert_eq!(budgets.used_up(CORE, Spender::Repair, now), None);
        budgets.note(told(0), Cost { spender: Spender::Repair, count: 20 }, DATE, now);
        assert!(matches!(budgets.used_up(CORE, Spender::Repair, now), Some((_, false))));
        let standing = budgets.standings().next().unwrap();
        assert_eq!(standing.spent, [(Spender::Repair, 20), (Spender::Load, 1), (Spender::Sweep, 1)]);
        let next_hour = RateBudget { reset: Second(DATE.0 + 4200), ..told(100) };
        budgets.note(next_hour, FREE, DATE, now);
        assert_eq!(budgets.standings().next().unwrap().spent, []);
    }

    #[test]
    fn of_a_part_the_same_part_is_kept_back() {
        let now = Instant::now();
        let mut budgets = Budgets::new(Reserve::default());
        budgets.take_part(Part { mine: 1, of: 2 });
        let mut remaining = 100;
        let mut spent = 0;
        while used_up(&budgets, now).is_none() {
            (remaining, spent) = (remaining - 1, spent + 1);
            budgets.note(told(remaining), ONE, DATE, now);
        }
        assert_eq!(spent, 40, "half of a hundred, less a fifth of that half");
    }

    #[test]
    fn a_used_up_budget_is_remembered_until_it_is_full_again() {
        let now = Instant::now();
        let mut budgets = budgets();
        let budget = RateBudget { resource: CORE, limit: 60, remaining: 0, reset: Second(DATE.0 + 10) };
        budgets.note(budget, ONE, DATE, now);
        assert_eq!(used_up(&budgets, now), Some(Duration::from_secs(11)));
        assert_eq!(budgets.used_up("search", Spender::Repair, now), None);
        assert_eq!(used_up(&budgets, now + Duration::from_secs(11)), None);

        // An answer that was overtaken tells of more than is left.
        budgets.note(RateBudget { remaining: 3, ..budget }, ONE, DATE, now);
        assert_eq!(budgets.all().collect::<Vec<_>>(), [budget]);
        let next_hour = RateBudget { remaining: 59, reset: Second(DATE.0 + 3610), ..budget };
        budgets.note(next_hour, ONE, DATE, now);
        assert_eq!(budgets.all().collect::<Vec<_>>(), [next_hour]);
        assert_eq!(used_up(&budgets, now), None);
    }

    fn told(remaining: u64) -> RateBudget {
        RateBudget { resource: CORE, limit: 100, remaining, reset: Second(DATE.0 + 600) }
    }

    /// How many requests a process may still send, each of which costs one.
    fn spend(budgets: &mut Budgets, remaining: &mut u64, now: Instant) -> u64 {
        let mut spent = 0;
        while used_up(budgets, now).is_none() {
            *remaining -= 1;
            spent += 1;
            budgets.note(told(*remaining), ONE, DATE, now);
        }
        spent
    }

    #[test]
    fn each_spends_its_part_of_what_is_left_and_no_more() {
        let now = Instant::now();
        let (mut one, mut other) = (budgets(), budgets());
        one.take_part(Part { mine: 4, of: 12 });
        other.take_part(Part { mine: 8, of: 12 });
        // The hour was begun by somebody else.
        let mut remaining = 90;
        assert_eq!(spend(&mut one, &mut remaining, now), 30);
        assert_eq!(spend(&mut other, &mut remaining, now), 40, "two thirds of what it found");
        assert_eq!(remaining, 20);

        // What others spend is not there for us.
        let mut late = budgets();
        late.take_part(Part { mine: 1, of: 2 });
        late.note(told(20), FREE, DATE, now);
        late.note(told(0), FREE, DATE, now);
        assert!(used_up(&late, now).is_some());
    }

    #[test]
    fn what_costs_nothing_takes_nothing_of_the_part() {
        let now = Instant::now();
        let mut budgets = budgets();
        budgets.take_part(Part { mine: 1, of: 100 });
        for _ in 0..10 {
            budgets.note(told(100), FREE, DATE, now);
        }
        assert_eq!(used_up(&budgets, now), None);
        budgets.note(told(99), ONE, DATE, now);
        assert!(used_up(&budgets, now).is_some(), "one of a hundred was all of it");
    }

    #[test]
    fn a_part_that_grows_or_an_hour_that_begins_may_be_spent() {
        let now = Instant::now();
        let mut budgets = budgets();
        budgets.take_part(Part { mine: 1, of: 4 });
        let mut remaining = 100;
        assert_eq!(spend(&mut budgets, &mut remaining, now), 25);
        budgets.take_part(Part { mine: 1, of: 4 });
        assert!(used_up(&budgets, now).is_some(), "the same part is no new one");
        budgets.take_part(Part { mine: 2, of: 4 });
        assert_eq!(spend(&mut budgets, &mut remaining, now), 38, "half of 75");
        // Servers that disagree by a second begin no hour.
        let askew = RateBudget { reset: Second(DATE.0 + 601), ..told(remaining) };
        budgets.note(askew, FREE, DATE, now);
        assert!(used_up(&budgets, now).is_some());
        let next = RateBudget { reset: Second(DATE.0 + 4200), ..told(100) };
        budgets.note(next, FREE, DATE, now);
        assert_eq!(used_up(&budgets, now), None);
        budgets.take_part(Part { mine: 0, of: 4 });
        assert!(used_up(&budgets, now).is_some(), "who holds nothing asks nothing");
        budgets.take_part(Part::WHOLE);
        assert_eq!(used_up(&budgets, now), None);
    }

    #[test]
    fn resources_are_labels_out_of_a_closed_list() {
        let named = |name| resource(&response(200, &[("x-ratelimit-resource", name)], "").headers);
        assert_eq!(named("graphql"), "graphql");
        assert_eq!(named("invented"), "other");
        assert_eq!(resource(&HeaderMap::new()), CORE);
    }
}
