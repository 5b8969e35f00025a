//! The making of an API key.

use serde::{Deserialize, Serialize};

use crate::{text::Text, time::Millis};

/// An API key as it was made; the key itself is known to its maker alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKeyMade<'a> {
    /// Names it for people, and finds its row.
    #[serde(borrow)]
    pub id: Text<'a>,
    /// What it is for.
    pub name: Text<'a>,
    /// Whom to write to about it.
    pub email: Text<'a>,
    /// SHA-256 of the key.
    pub hash: [u8; 32],
    /// From when on it is no longer taken, on our clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_ms: Option<Millis>,
}
