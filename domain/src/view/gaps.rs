//! The gap ledger of an account, webhook by webhook: what is summed over the hours that are remembered. The hours
//! themselves are in the webhooks' own rows.

use serde::{Deserialize, Serialize};

use crate::{
    codec::{self, DecodeError},
    entity::hook::{Hook, Sight},
    id::RepoId,
    time::{Millis, Second},
};

/// The encoding of the stored form.
const TAG: u8 = 61;

/// The webhooks of an account, by their ids.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct GapLedger(pub Vec<HookSums>);

/// One webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookSums {
    /// GitHub's id of it.
    pub hook: u64,
    /// The repository that has it; `None`: the organisation.
    pub repo: Option<RepoId>,
    /// When it was looked at, on our clock, by what was noted last.
    pub looked_ms: Millis,
    /// Deliveries that were sent.
    pub sent: u64,
    /// Those that came by themselves.
    pub held: u64,
    /// Those that were repaired from the record.
    pub repaired: u64,
    /// Those that a sweep made up for.
    pub swept: u64,
    /// Those that are open.
    pub open: u64,
    /// Hours in which anything is open, or of which nobody knows.
    pub open_hours: u32,
    /// Hours of which nobody knows what was sent, open or not.
    pub unseen_hours: u32,
    /// The oldest hour that is open.
    pub open_since: Option<Second>,
    /// The newest hour in which anything was sent.
    pub newest: Option<Second>,
}

impl HookSums {
    /// Sums over a webhook's hours.
    pub fn of(id: u64, hook: &Hook) -> Self {
        let mut sums = HookSums {
            hook: id,
            repo: hook.repo,
            looked_ms: hook.looked_ms,
            sent: 0,
            held: 0,
            repaired: 0,
            swept: 0,
            open: 0,
            open_hours: 0,
            unseen_hours: 0,
            open_since: None,
            newest: hook.hours.last_key_value().map(|(at, _)| *at),
        };
        for (at, hour) in &hook.hours {
            sums.sent += u64::from(hour.sent);
            sums.held += u64::from(hour.held);
            sums.repaired += u64::from(hour.repaired);
            sums.swept += u64::from(hour.swept);
            sums.open += u64::from(hour.open());
            sums.unseen_hours += u32::from(hour.sight != Sight::Seen);
            if hour.is_open() {
                sums.open_hours += 1;
                sums.open_since.get_or_insert(*at);
            }
        }
        sums
    }
}

impl GapLedger {
    /// The stored form.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(TAG, self)
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// When it was written by a newer release or is damaged.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::decode(TAG, bytes)
    }
}
