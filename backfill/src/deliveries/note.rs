//! What a look found, told to the log: how far a hook is settled, and the gap ledger.

use domain::{
    Event, Millis, Second, StreamKey,
    event::{HookReading, HourReading},
};
use github::client::ListedDelivery;

use super::{
    round::{OVERLAP_S, cursor},
    watch::Watched,
};
use crate::ask::{Asker, JobError, Told};

impl Asker {
    /// Counts what a list shows. What was sent `since` is new; it shows all from the second moment on. Returns whether
    /// there are hours between of which nobody knows. What an App's hook sends is about many accounts and counted for
    /// none.
    pub(super) async fn count(
        &self,
        hook: &mut Watched,
        listed: &[ListedDelivery],
        (since, shown_from): (Second, Second),
    ) -> Result<bool, JobError> {
        let Some(account) = hook.stream.account() else { return Ok(false) };
        let memory = &mut hook.memory;
        if !memory.tally.is_begun() {
            let known = self.rows().hook(account, hook.id).await?;
            memory.tally.begin(since, &known);
        }
        memory.tally.note(listed, since);
        let unseen = memory.until.filter(|until| shown_from > *until);
        if let Some(until) = unseen {
            memory.tally.unsee(until, shown_from);
        }
        Ok(unseen.is_some())
    }

    /// Tells what is open, before it is worked on.
    pub(super) async fn note_found(
        &self,
        stream: StreamKey,
        hook: &mut Watched,
        date: Second,
    ) -> Result<(), JobError> {
        let moment = self.moment();
        let hours = hook.memory.tally.changes();
        let reading = hook.reading(&hours, moment.ms);
        self.append(&moment, date, vec![Told::to(stream, reading)]).await?;
        hook.memory.tally.told(hours);
        Ok(())
    }

    /// Tells how far a hook is settled, and what is not told yet of what it sent.
    pub(super) async fn note_settled(
        &self,
        stream: StreamKey,
        hook: &mut Watched,
        date: Second,
    ) -> Result<(), JobError> {
        let Some(stored) = hook.memory.stored() else { return Ok(()) };
        let value = serde_json::to_string(&stored).expect("a few numbers serialize");
        let moment = self.moment();
        let hours = hook.memory.tally.changes();
        let reading = hook.reading(&hours, moment.ms);
        let told = Told::to(stream, reading).cursor(cursor(hook.id), value);
        self.append(&moment, date, vec![told]).await?;
        hook.memory.noted = Some(stored.until);
        hook.memory.tally.told(hours);
        // Of what was sent before everything is settled.
        hook.memory.tally.forget_before(Second(stored.until.0 - OVERLAP_S));
        Ok(())
    }
}

impl Watched {
    /// What is told of it, where its hours are counted.
    fn reading(&self, hours: &[HourReading], looked_ms: Millis) -> Vec<Event<'static>> {
        let reading =
            || HookReading { hook: self.id, repo: self.repository(), looked_ms, hours: hours.to_vec() };
        self.stream.account().map(|_| Event::HookLooked(Box::new(reading()))).into_iter().collect()
    }
}
