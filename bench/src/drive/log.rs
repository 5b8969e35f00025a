//! Records through our log in memory.

use domain::{AccountId, Millis, StreamKey};
use event_log::{EmbeddedLog, EmbeddedLogSettings, EventLog as _};

use super::PUSH_BYTES;
use crate::{
    delivery::{Kind, Template},
    fill,
    shape::Shape,
};

pub(super) async fn append(times: u32) -> anyhow::Result<()> {
    let log = EmbeddedLog::in_memory(EmbeddedLogSettings::default())?;
    let mut body = Vec::new();
    Template::new(Kind::Push, PUSH_BYTES)?.fill(Shape::new(1, 1, 1, 0).place(0), 1, 0, &mut body);
    let stream = StreamKey::Account(AccountId::github(1));
    let record = fill::delivery("push", stream, Millis(1_700_000_000_000), body);
    for _ in 0..times {
        log.append(vec![record.clone()]).await?;
    }
    Ok(())
}
