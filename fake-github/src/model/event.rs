//! A webhook event: what GitHub would send, as it stood when it happened.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    hook::Hook,
    id::{AccountId, HookId, RepoId},
    second::Second,
};

/// Which kinds of hooks hear of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Audience {
    /// Hooks of the repository.
    pub repository: bool,
    /// Hooks of the organisation that owns it.
    pub organization: bool,
    /// The App.
    pub app: bool,
}

impl Audience {
    /// The usual: all three.
    pub const ALL: Audience = Audience { repository: true, organization: true, app: true };
    /// `repository.deleted`: "GitHub Apps and repository webhooks will not receive this event".
    pub const ORGANIZATION: Audience = Audience { repository: false, organization: true, app: false };
    /// What concerns an account and no repository.
    pub const ACCOUNT: Audience = Audience { repository: false, organization: true, app: true };
    /// What only Apps hear.
    pub const APP: Audience = Audience { repository: false, organization: false, app: true };
    /// Nobody but the hook that is named.
    pub const NONE: Audience = Audience { repository: false, organization: false, app: false };
}

/// A webhook event and who hears of it.
#[derive(Debug, Clone)]
pub struct Emitted {
    /// `X-GitHub-Event`.
    pub event: &'static str,
    /// The body's `action`, where the event has one.
    pub action: Option<&'static str>,
    /// `X-GitHub-Delivery`: one for all hooks that hear of the event.
    pub guid: String,
    /// When it happened.
    pub at: Second,
    /// The repository that it is about.
    pub repository: Option<RepoId>,
    /// The account that owns that repository, or that the event is about.
    pub account: AccountId,
    /// Which kinds of hooks hear of it.
    pub audience: Audience,
    /// The hooks that were there to hear of it, as they stood then.
    pub(crate) recipients: Vec<Arc<Hook>>,
    /// The JSON payload, as hooks of repositories and organisations get it.
    pub body: Bytes,
}

impl Emitted {
    /// The hooks that were there to hear of it.
    pub fn hooks(&self) -> impl Iterator<Item = HookId> {
        self.recipients.iter().map(|hook| hook.id)
    }

    /// The payload as an App gets it: with the installation on the owner's account.
    pub fn body_for_app(&self) -> Bytes {
        if self.event.starts_with("installation") {
            // It is about the installation, and names it already.
            return self.body.clone();
        }
        let id = installation_id(self.account);
        let open = self.body.strip_suffix(b"}").expect("a payload is a JSON object");
        let mut body = open.to_vec();
        body.extend_from_slice(
            format!(
                r#","installation":{{"id":{id},"node_id":"MDIzOkludGVncmF0aW9uSW5zdGFsbGF0aW9u{id}"}}}}"#
            )
            .as_bytes(),
        );
        body.into()
    }
}

/// The App's installation on an account.
pub(crate) fn installation_id(account: AccountId) -> u64 {
    50_000_000 + account.0
}
