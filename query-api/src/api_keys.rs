//! API keys of readers (S3): which key a request shows, whether it is good, how often it may ask, and word to the log
//! that it was used.
//!
//! A key is `th_`, its id, `_` and a secret. The id finds the row, the whole key is hashed and compared in constant
//! time, so that neither the time nor the words of a refusal tell a wrong secret from an unknown id.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use domain::{EntityKey, Event, Millis, RowKey, StreamKey, entity::api_key::ApiKey};
use governor::{
    Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
    middleware::{StateInformationMiddleware, StateSnapshot},
    state::keyed::DefaultKeyedStateStore,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio::{sync::Semaphore, time::Instant};

use crate::{
    claims::{Claimed, Claims},
    commands::Commands,
    protocol::{detail::Detail, token},
    window::Window,
};

/// What every key begins with, so that programs that look for leaked secrets know it.
const PREFIX: &str = "th_";
/// Hex digits of an id.
const ID_CHARS: usize = 16;
/// Hex digits of a secret.
const SECRET_CHARS: usize = 64;

/// Where a key may be shown, beside `Authorization: Bearer`.
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// A revocation is heard of within this time, also where a hint from another process was lost.
const AGE_MAX: Duration = Duration::from_secs(1);

/// A key's last use is told at most so often (design §6).
const TOLD_EVERY_MS: i64 = 24 * 60 * 60 * 1000;
/// How long a key is remembered as told, until its row must show it.
const TOLD_LASTS: Duration = Duration::from_secs(60 * 60);
/// Keys that are remembered so.
const TOLD_MAX: usize = 16_384;
/// Appends under way at a time.
const APPENDS_MAX: usize = 16;
/// How long one may take before it is given up; the next use tells again.
const APPEND_WAIT: Duration = Duration::from_secs(30);

/// A key as it is shown to whoever made it.
pub(crate) struct NewKey {
    pub(crate) id: String,
    pub(crate) key: String,
    pub(crate) hash: [u8; 32],
}

impl NewKey {
    /// A key that nobody can guess.
    pub(crate) fn random() -> Self {
        let id = const_hex::encode(rand::random::<[u8; ID_CHARS / 2]>());
        let secret = const_hex::encode(rand::random::<[u8; SECRET_CHARS / 2]>());
        let key = format!("{PREFIX}{id}_{secret}");
        NewKey { hash: digest(&key), id, key }
    }
}

/// The row of a key.
pub(crate) fn row_key(id: &str) -> RowKey {
    RowKey::Entity(StreamKey::Service, EntityKey::ApiKey(id.to_owned()))
}

fn digest(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

/// The id in a key that has the form of one. Nothing else is ever looked up.
fn id_of(key: &str) -> Option<&str> {
    let (id, secret) = key.strip_prefix(PREFIX)?.split_once('_')?;
    let is_hex = |text: &str, chars| {
        text.len() == chars && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    (is_hex(id, ID_CHARS) && is_hex(secret, SECRET_CHARS)).then_some(id)
}

/// The key that a request shows.
fn shown(request: &HeaderMap) -> Option<&[u8]> {
    let own = request.get(&API_KEY).map(|value| value.as_bytes().trim_ascii());
    own.filter(|key| !key.is_empty()).or_else(|| token::bearer(request))
}

type Limiter = RateLimiter<String, DefaultKeyedStateStore<String>, DefaultClock, StateInformationMiddleware>;

/// What is kept of keys between requests.
pub(crate) struct ApiKeys {
    limit: Option<(Quota, Limiter)>,
    clock: DefaultClock,
    commands: Commands,
    told: Arc<Claims<String>>,
    appends: Arc<Semaphore>,
}

/// How often a key may still ask; goes with every answer to it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Allowance {
    limit: u32,
    remaining: u32,
    reset: Duration,
}

impl ApiKeys {
    pub(crate) fn new(quota: Option<Quota>, commands: Commands) -> Self {
        let limiter = |quota| RateLimiter::keyed(quota).with_middleware::<StateInformationMiddleware>();
        ApiKeys {
            limit: quota.map(|quota| (quota, limiter(quota))),
            clock: DefaultClock::default(),
            commands,
            told: Arc::new(Claims::new(TOLD_LASTS, TOLD_MAX)),
            appends: Arc::new(Semaphore::new(APPENDS_MAX)),
        }
    }

    /// Counts a request of a good key: only those, so that counts are as few as keys.
    fn count(&self, id: &str, now: Millis) -> Result<Option<Allowance>, Detail> {
        let Some((quota, limiter)) = &self.limit else { return Ok(None) };
        match limiter.check_key(&id.to_owned()) {
            Ok(state) => Ok(Some(Allowance::left(*quota, &state))),
            Err(refused) => {
                let wait = refused.wait_time_from(self.clock.now());
                let burst = quota.burst_size().get();
                let reset = quota.replenish_interval() * burst;
                let mut detail = Detail::too_many(wait);
                Allowance { limit: burst, remaining: 0, reset }.dress(detail.headers_mut(), now);
                Err(detail)
            }
        }
    }

    /// Notes that a key was used; what is to be told is told beside the answer.
    fn note(&self, id: &str, known: &ApiKey, now: Millis) {
        if now < known.used_ms.plus(TOLD_EVERY_MS) {
            return;
        }
        let Ok(permit) = Arc::clone(&self.appends).try_acquire_owned() else { return };
        let id = id.to_owned();
        if self.told.take(id.clone()) != Claimed::Now {
            return;
        }
        let (commands, told) = (self.commands.clone(), Arc::clone(&self.told));
        tokio::spawn(async move {
            let event = Event::ApiKeyUsed { id: id.as_str().into() };
            let record = commands.record(StreamKey::Service, format!("key used {id}"), vec![event]);
            if commands.append(vec![record], Instant::now() + APPEND_WAIT).await.is_err() {
                told.release(&id);
            }
            drop(permit);
        });
    }
}

impl Allowance {
    fn left(quota: Quota, state: &StateSnapshot) -> Self {
        let limit = quota.burst_size();
        let remaining = state.remaining_burst_capacity();
        let used = limit.get().saturating_sub(remaining);
        Allowance { limit: limit.get(), remaining, reset: quota.replenish_interval() * used }
    }

    /// Says how often the key may still ask. `X-RateLimit-Reset` is when all of it is there again, in seconds since
    /// 1970, as GitHub writes it.
    pub(crate) fn dress(&self, headers: &mut HeaderMap, now: Millis) {
        let reset_ms = now.plus(i64::try_from(self.reset.as_millis()).unwrap_or(i64::MAX));
        headers.insert(&LIMIT, HeaderValue::from(self.limit));
        headers.insert(&REMAINING, HeaderValue::from(self.remaining));
        headers.insert(&RESET, HeaderValue::from(reset_ms.plus(999).to_second().0));
    }
}

impl Window {
    /// Lets a request pass that shows a good key, and counts it.
    pub(crate) async fn admit_key(&self, request: &HeaderMap) -> Result<Option<Allowance>, Detail> {
        let shown = shown(request).ok_or_else(Detail::key_is_missing)?;
        let key = std::str::from_utf8(shown).map_err(|_| Detail::key_is_invalid())?;
        let id = id_of(key).ok_or_else(Detail::key_is_invalid)?;
        let row = self.rows.get_within(&row_key(id), AGE_MAX).await?;
        // An unknown id is compared too, with what no key hashes to.
        let known = row.api_key();
        let hash = known.map_or([0; 32], |known| known.hash);
        let is_it = bool::from(digest(key).ct_eq(&hash));
        let known = known.filter(|known| is_it && known.revoked_ms.is_none());
        let known = known.ok_or_else(Detail::key_is_invalid)?;
        let now = self.now();
        if known.is_expired(now) {
            return Err(Detail::key_has_expired());
        }
        let allowance = self.api_keys.count(id, now)?;
        self.api_keys.note(id, known, now);
        Ok(allowance)
    }
}

/// How often one key may ask, where nothing else is set: ten times a second.
pub(crate) fn usual_limit() -> Quota {
    Quota::per_minute(NonZeroU32::new(600).expect("six hundred is not zero"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_long_differ_and_show_their_id() {
        let [one, other] = [NewKey::random(), NewKey::random()];
        assert_ne!(one.key, other.key);
        assert_eq!(one.key.len(), PREFIX.len() + ID_CHARS + 1 + SECRET_CHARS);
        assert_eq!(id_of(&one.key), Some(one.id.as_str()));
        assert_eq!(one.hash, digest(&one.key));
    }

    #[test]
    fn what_has_not_the_form_of_a_key_is_never_looked_up() {
        let NewKey { id, key, .. } = NewKey::random();
        let longer = format!("{key}0");
        let upper = key.to_uppercase();
        for wrong in ["", "th_", "_", &id, &key[1..], &key[..key.len() - 1], &longer, &upper] {
            assert_eq!(id_of(wrong), None, "{wrong}");
        }
        assert_eq!(id_of(&key.replace(&id[..1], "ä")), None);
    }
}
