//! The listener: takes hints in, then wakes whoever waits for what they tell.

use std::sync::Weak;

use domain::{EntityKey, RowKey, StreamKey, ViewKey, record::ATTEMPT_CURSOR};
use tracing::{debug, warn};
use view_store::{Follower, Heard, Hint};

use crate::{
    waiting::Topic,
    window::{Shared, Window},
};

/// Follows hints until nobody publishes any more, or until the last router is gone.
pub(crate) async fn follow(mut hints: Box<dyn Follower>, window: Weak<Window>) {
    while let Some(heard) = hints.next().await {
        let Some(window) = window.upgrade() else { return };
        match heard {
            Heard::Hints(hints) => {
                take_in(&window, &hints);
                window.hidden.read_unread(&*window.store).await;
                if hints.iter().any(concerns_latest) {
                    window.compose_latest().await;
                }
                window.waiting.wake(hints.iter().filter_map(topic_of));
                window.deliveries.wake();
            }
            Heard::Missed => {
                debug!("hints were lost: all that is kept is read again");
                let folded = hints.folded();
                window.rows.forget_all();
                if let Err(error) = window.hidden.load(&*window.store).await {
                    // Of what was hidden meanwhile the account's own views tell, as always.
                    warn!(%error, "the hidden ids could not be read again");
                }
                for (partition, version) in folded {
                    window.folded.note(partition, version);
                }
                window.waiting.wake_all();
                window.deliveries.wake();
                window.events.note_many();
            }
        }
    }
    if let Some(window) = window.upgrade() {
        window.rows.deafen();
        window.waiting.wake_all();
    }
}

/// A repository's own page goes last: once it is gone, no other answer tells of it any more.
fn take_in(window: &Shared, hints: &[Hint]) {
    for are_pages in [false, true] {
        for hint in hints.iter().filter(|hint| is_page(hint) == are_pages) {
            match hint {
                Hint::Row { key, version, value } => {
                    window.hidden.hear(key, *version, value.as_deref());
                    window.rows.hear(key, *version, value.as_ref());
                    window.events.note(key);
                }
                Hint::Folded { partition, version } => window.folded.note(*partition, *version),
            }
        }
    }
}

fn is_page(hint: &Hint) -> bool {
    matches!(hint, Hint::Row { key: RowKey::View(_, ViewKey::Repository(_)), .. })
}

/// Whether answers about the newest public repositories are made of it.
fn concerns_latest(hint: &Hint) -> bool {
    matches!(hint, Hint::Row { key: RowKey::View(StreamKey::Service, _) | RowKey::Hidden(..), .. })
}

/// Who may be waiting for it.
fn topic_of(hint: &Hint) -> Option<Topic<'_>> {
    let Hint::Row { key, .. } = hint else { return None };
    match key {
        RowKey::Alias(_, login) | RowKey::Entity(StreamKey::Service, EntityKey::Login(_, login)) => {
            Some(Topic::Login(login.as_str().into()))
        }
        RowKey::View(StreamKey::Service, ViewKey::Latest(_)) => Some(Topic::Latest),
        RowKey::Directory(account)
        | RowKey::RepoName(account, _)
        | RowKey::View(StreamKey::Account(account), _) => Some(Topic::Account(*account)),
        RowKey::Cursor(StreamKey::Account(account), kind) if kind == ATTEMPT_CURSOR => {
            Some(Topic::Account(*account))
        }
        _ => None,
    }
}
