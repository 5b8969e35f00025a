//! One look at what a hook has sent since the last one.

use bytes::Bytes;
use domain::{Second, StreamKey, record::GITHUB_DELIVERY};
use event_log::{Appended, DedupeKey, Record};
use github::{
    client::{Answer, AskError, Asking, DeliveriesPage, Fresh, ListedDelivery, RecordedDelivery},
    delivery::{self, Placed},
    headers::DeliveryHeaders,
};
use tracing::{info, warn};

use super::{
    groups::{self, Open},
    habit::HookState,
    tally::Fate,
    watch::{Memory, Stored, Watched},
};
use crate::{
    ask::{Appending, Asker, JobError, now},
    metrics::Repaired,
    schedule::Ended,
};

/// Lists are read again so far back: a delivery that timed out is listed after later ones.
pub(super) const OVERLAP_S: i64 = 10 * 60;
/// Of a hook that is new to us so much is looked at: what came before was read with the account.
const FIRST_LOOK_S: i64 = 60 * 60;
/// Pages of one look, each of a hundred deliveries. What lies behind them is left to the sweep.
const PAGES_MAX: usize = 300;
/// So many deliveries are taken in one round, one request each; then other questions have their turn.
const TAKEN_PER_ROUND_MAX: usize = 1_000;
/// GitHub is asked so often at most to send something again.
const REDELIVERIES_MAX: usize = 3;
/// And not again before this; a delivery may take ten seconds to fail.
const REDELIVERY_PAUSE_MS: i64 = 60_000;
/// A record that cannot be read is asked for so often, then it is given up.
const READS_MAX: usize = 3;
/// While nothing is taken, how far the hook is settled is noted this often: a restart reads that much twice.
const NOTE_EVERY_S: i64 = 10 * 60;
/// While nothing is sent it is noted this often, so that a restart does not take days of quiet for days of which
/// nobody knows.
const NOTE_QUIET_EVERY_S: i64 = 12 * 60 * 60;
/// GitHub's record goes back so far.
const RECORD_S: i64 = 3 * 24 * 60 * 60;

/// What became of one delivery.
enum Done {
    /// It need not be looked at again.
    Settled(Repaired),
    /// GitHub was asked to send it again.
    Asked,
    /// It was asked before, and may yet come.
    Waits,
}

impl Asker {
    /// Takes what one of a stream's hooks has sent and we do not have.
    pub(crate) async fn look_through(&self, stream: StreamKey, id: u64) -> Result<Ended, JobError> {
        let Some(mut hook) = self.deliveries().take(id) else { return Ok(Ended::Answered) };
        let was = hook.state;
        let looked = self.look_at(stream, &mut hook).await;
        let is = hook.state;
        self.deliveries().put_back(hook);
        self.tell_hooks();
        if was != is {
            match is {
                HookState::Well => info!(hook_id = id, "a webhook is well again"),
                _ => warn!(
                    hook_id = id,
                    state = is.as_str(),
                    "a webhook is not well; `tallyhook hook list` shows more"
                ),
            }
        }
        match looked {
            // What only an operator can mend about a hook must not hold up questions about accounts.
            Err(JobError::Final(sentence)) => {
                warn!(
                    sentence,
                    hook_id = id,
                    "a webhook's deliveries cannot be looked at; trying again later"
                );
                Ok(Ended::Answered)
            }
            looked => looked,
        }
    }

    async fn look_at(&self, stream: StreamKey, hook: &mut Watched) -> Result<Ended, JobError> {
        if !hook.memory.is_loaded {
            let stored: Option<Stored> = self.rows().cursor(stream, &cursor(hook.id)).await?;
            hook.memory = Memory::of(stored);
        }
        let takes_all = self.deliveries().takes_all;
        let asking = Asking { etag: hook.memory.etag.as_deref(), now: now().to_second() };
        let newest =
            match self.github.deliveries(hook.on.owner(), hook.id, DeliveriesPage::First, &asking).await? {
                Answer::Fresh(fresh) => fresh,
                Answer::NotModified { date } => {
                    hook.tell_state(None, takes_all, date);
                    if hook.memory.until.is_some_and(|until| until.0 < date.0 - RECORD_S) {
                        // An empty page is empty again when everything on it is too old to be shown.
                        hook.memory.etag = None;
                        return Ok(Ended::Part);
                    }
                    // The newest page is as it was when nothing on it was open.
                    hook.memory.until = hook.memory.until.max(Some(date));
                    if hook.memory.is_quiet_for_long() {
                        self.note_settled(stream, hook, date).await?;
                    }
                    return Ok(Ended::Answered);
                }
                Answer::Refused { status, .. } => {
                    info!(status, hook_id = hook.id, "GitHub does not show what a webhook has sent");
                    let mut deliveries = self.deliveries();
                    deliveries.hide(hook.id, status, now());
                    // What is open now is closed by a sweep, or not at all.
                    deliveries.wish_check(stream);
                    return Ok(Ended::Answered);
                }
                Answer::Empty { .. } => return Ok(Ended::Answered),
            };
        let (date, etag) = (newest.date, newest.etag.clone());
        let since = hook.memory.since(date);
        let reads_from = hook.memory.tally.reads_from(since);
        let (listed, shown_from) = self.list(hook, newest, reads_from, date).await?;
        hook.memory.habit.note(&listed);
        hook.tell_state(listed.first(), takes_all, date);
        let is_unseen = self.count(hook, &listed, (since, shown_from)).await?;

        let open = groups::open(&listed, since, takes_all, |guid| hook.memory.settled.contains_key(guid));
        let rest = open.len().saturating_sub(TAKEN_PER_ROUND_MAX);
        let mut unsettled = open.get(TAKEN_PER_ROUND_MAX).map(|open| open.first_at);
        let mut counts = [0_usize; Repaired::ALL.len()];
        if !takes_all && hook.memory.tally.is_urgent() {
            // What is taken one by one may take long, and until then something is wrong.
            self.note_found(stream, hook, date).await?;
        }
        for open in &open[..open.len() - rest] {
            let done = match self.repair(hook, open, takes_all).await {
                Ok(done) => done,
                Err(error) => {
                    // What was settled before stays so; nothing is skipped.
                    hook.memory.etag = None;
                    return Err(error);
                }
            };
            let repaired = match done {
                Done::Settled(repaired) => {
                    hook.memory.settled.insert(open.newest.guid.clone(), open.newest.delivered_at);
                    hook.memory.tries.remove(&open.newest.guid);
                    hook.memory.tally.settle(&open.newest.guid, fate_of(repaired, takes_all));
                    Some(repaired)
                }
                Done::Asked => Some(Repaired::Redelivered),
                Done::Waits => None,
            };
            if !matches!(done, Done::Settled(_)) {
                unsettled = Some(unsettled.map_or(open.first_at, |known| known.min(open.first_at)));
            }
            if let Some(repaired) = repaired {
                self.metrics.count_repaired(repaired);
                counts[repaired.place()] += 1;
            }
        }
        let is_repaired = counts.iter().any(|count| *count > 0);
        if is_repaired {
            let [taken, held, redelivered, lost] = counts;
            info!(
                hook_id = hook.id,
                taken,
                held,
                redelivered,
                lost,
                "went through what a webhook has sent and we did not acknowledge"
            );
        }
        hook.memory.settle(unsettled.unwrap_or(date), unsettled.is_none().then_some(etag).flatten());
        if is_repaired || hook.memory.is_far_from_noted() || hook.memory.tally.is_urgent() {
            self.note_settled(stream, hook, date).await?;
        }
        if is_unseen {
            warn!(
                hook_id = hook.id,
                since = %since,
                shown_from = %shown_from,
                "what a webhook sent in between is not shown any more; everything it may have been about is asked again"
            );
        }
        if counts[Repaired::Lost.place()] > 0 || is_unseen {
            self.deliveries().wish_check(stream);
        }
        Ok(if rest > 0 { Ended::Part } else { Ended::Answered })
    }

    /// Everything that a hook has sent since then, the newest first, and from when on that is all.
    async fn list(
        &self,
        hook: &Watched,
        newest: Fresh<Vec<ListedDelivery>>,
        since: Second,
        date: Second,
    ) -> Result<(Vec<ListedDelivery>, Second), JobError> {
        let mut next = newest.links.next().map(str::to_owned);
        let mut listed = newest.body;
        for _ in 1..PAGES_MAX {
            let is_whole = listed.last().is_some_and(|oldest| oldest.delivered_at < since);
            let Some(url) = next.take().filter(|_| !is_whole) else {
                let shown_from = if is_whole { since } else { since.max(Second(date.0 - RECORD_S)) };
                return Ok((listed, shown_from));
            };
            let asking = Asking::anew(now().to_second());
            let page = DeliveriesPage::Next(&url);
            let Answer::Fresh(fresh) =
                self.github.deliveries(hook.on.owner(), hook.id, page, &asking).await?
            else {
                return Err(JobError::Retry("a page of a webhook's deliveries is gone".to_owned()));
            };
            next = fresh.links.next().map(str::to_owned);
            listed.extend(fresh.body);
        }
        warn!(hook_id = hook.id, "a webhook has sent more than is looked through; the sweep finds the rest");
        let shown_from = listed.last().map_or(since, |oldest| oldest.delivered_at);
        Ok((listed, shown_from))
    }

    /// Takes one delivery out of GitHub's record, or has it sent again.
    async fn repair(&self, hook: &mut Watched, open: &Open, takes_all: bool) -> Result<Done, JobError> {
        let guid = &open.newest.guid;
        let asking = Asking::anew(now().to_second());
        let answer = match self.github.delivery(hook.on.owner(), hook.id, &open.newest, &asking).await {
            Err(AskError::Retry(sentence)) => {
                let tries = hook.memory.tries.entry(guid.clone()).or_default();
                tries.failed += 1;
                if tries.failed < READS_MAX {
                    return Err(JobError::Retry(sentence));
                }
                return Ok(lost(hook.id, guid, "its record cannot be read"));
            }
            answer => answer?,
        };
        let Answer::Fresh(Fresh { body: RecordedDelivery { headers, payload }, .. }) = answer else {
            return Ok(lost(hook.id, guid, "its record is gone"));
        };
        if let (Some(headers), Some(payload)) = (headers, payload) {
            return self.take_in(hook.id, &headers, payload).await;
        }
        let tries = hook.memory.tries.entry(guid.clone()).or_default();
        if takes_all || open.redeliveries.max(tries.asked) >= REDELIVERIES_MAX {
            return Ok(lost(hook.id, guid, "GitHub does not show what it said"));
        }
        if now() < tries.asked_ms.plus(REDELIVERY_PAUSE_MS) {
            return Ok(Done::Waits);
        }
        (tries.asked, tries.asked_ms) = (tries.asked + 1, now());
        match self.github.redeliver(hook.on.owner(), hook.id, open.newest.id, &asking).await? {
            Answer::Fresh(_) => Ok(Done::Asked),
            _ => Ok(lost(hook.id, guid, "GitHub does not send it again")),
        }
    }

    /// Appends a delivery as the door would have.
    async fn take_in(&self, hook: u64, headers: &DeliveryHeaders, payload: Bytes) -> Result<Done, JobError> {
        let guid = headers.delivery.as_str();
        let Ok(placed) = delivery::place(headers, &payload, &payload) else {
            return Ok(lost(hook, guid, "it is no delivery"));
        };
        let kept = placed.headers(&headers.kept);
        let Placed { streams, identity } = placed;
        let received_at = now();
        let record = |stream| Record {
            stream,
            id: guid.to_owned(),
            dedupe: Some(DedupeKey(identity)),
            kind: GITHUB_DELIVERY.to_owned(),
            received_at,
            headers: kept.clone(),
            body: payload.clone(),
        };
        match self.append_records(streams.into_iter().map(record).collect()).await? {
            Appending::Done(Appended::New(_)) => Ok(Done::Settled(Repaired::Taken)),
            Appending::Done(Appended::Duplicate) => Ok(Done::Settled(Repaired::Held)),
            Appending::TooLarge(_) => Ok(lost(hook, guid, "it is larger than the log takes in")),
        }
    }
}

impl Watched {
    /// Notes how the hook is doing; `newest` is what it sent last, if that is not what it was before.
    fn tell_state(&mut self, newest: Option<&ListedDelivery>, takes_all: bool, date: Second) {
        let habit = &self.memory.habit;
        self.state = match newest {
            None if self.state == HookState::Failing && self.is_active => HookState::Failing,
            newest => habit.state(self.is_active, !takes_all, newest, date),
        };
    }
}

impl Memory {
    fn of(stored: Option<Stored>) -> Self {
        Memory {
            is_loaded: true,
            until: stored.map(|stored| stored.until),
            noted: stored.map(|stored| stored.until),
            habit: stored.map(|stored| stored.habit).unwrap_or_default(),
            ..Memory::default()
        }
    }

    pub(super) fn stored(&self) -> Option<Stored> {
        Some(Stored { until: self.until?, habit: self.habit })
    }

    /// From when on what was sent is looked at.
    fn since(&self, date: Second) -> Second {
        let since = match self.until {
            Some(until) => until.0 - OVERLAP_S,
            None => date.0 - FIRST_LOOK_S,
        };
        Second(since)
    }

    /// Everything before `until` is settled, and, with an `etag`, everything on the newest page.
    fn settle(&mut self, until: Second, etag: Option<String>) {
        self.until = Some(until);
        self.etag = etag;
        let since = Second(until.0 - OVERLAP_S);
        self.settled.retain(|_, at| *at >= since);
        let settled = &self.settled;
        self.tries.retain(|guid, _| !settled.contains_key(guid));
    }

    fn is_far_from_noted(&self) -> bool {
        self.is_noted_before(NOTE_EVERY_S)
    }

    /// Whether there is something to note although nothing was sent.
    fn is_quiet_for_long(&self) -> bool {
        let every_s = if self.tally.changes().is_empty() { NOTE_QUIET_EVERY_S } else { NOTE_EVERY_S };
        self.is_noted_before(every_s)
    }

    fn is_noted_before(&self, every_s: i64) -> bool {
        let far = |until: Second, noted: Second| until.0 - noted.0 >= every_s;
        match (self.until, self.noted) {
            (Some(until), Some(noted)) => far(until, noted),
            (until, None) => until.is_some(),
            (None, _) => false,
        }
    }
}

fn lost(hook: u64, guid: &str, why: &str) -> Done {
    warn!(
        hook_id = hook,
        github_delivery_id = guid,
        why,
        "a delivery cannot be had any more; the sweep finds what it changed"
    );
    Done::Settled(Repaired::Lost)
}

/// What of a delivery's fate the ledger tells. Where nothing comes by itself, what is taken came as it should.
fn fate_of(repaired: Repaired, takes_all: bool) -> Fate {
    match repaired {
        Repaired::Taken if takes_all => Fate::Held,
        Repaired::Taken | Repaired::Redelivered => Fate::Repaired,
        Repaired::Held => Fate::Held,
        Repaired::Lost => Fate::Lost,
    }
}

pub(super) fn cursor(hook: u64) -> String {
    format!("deliveries/{hook}")
}
