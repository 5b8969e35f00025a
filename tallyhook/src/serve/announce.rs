//! What a process tells the log when it starts.

use domain::{
    Event, Forge, StreamKey,
    event::TrackedBy,
    record::{COMMAND, Command},
};
use event_log::{EventLog, Record};

use super::now;
use crate::{
    failure::{Failure, failed},
    roles::Roles,
    settings::Settings,
};

/// Tells the log that the door is open, where it is this process that opens it, and whom the settings want kept.
pub(super) async fn announce(log: &dyn EventLog, settings: &Settings, roles: Roles) -> Result<(), Failure> {
    let wanted = settings.track.iter().map(|login| Event::LoginWanted {
        forge: Forge::GitHub,
        login: login.as_str().into(),
        by: TrackedBy::Settings,
    });
    let door = roles.ingest.then_some(Event::DoorOpened);
    let events: Vec<Event<'_>> = door.into_iter().chain(wanted).collect();
    if events.is_empty() {
        return Ok(());
    }
    let record = Record {
        stream: StreamKey::Service,
        id: uuid::Uuid::new_v4().to_string(),
        dedupe: None,
        kind: COMMAND.to_owned(),
        received_at: now(),
        headers: Vec::new(),
        body: Command { events }.encode().into(),
    };
    log.append(vec![record]).await.map(|_| ()).map_err(failed)
}
