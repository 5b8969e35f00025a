//! Reading a body: within its bound, its time and the room there is, hashed piece by piece as it arrives.

use std::time::Duration;

use axum::body::Body;
use boot::http::body::TimedBody;
use github::{
    body::{SignedBody, VerifiedBody},
    headers::ContentKind,
    signature::Verifier,
};

use crate::{answer::Refusal, in_flight::Held};

/// Reads `body` to its end and checks its signature. Nothing is read that no room is held for.
pub(crate) async fn receive(
    body: Body,
    declared: Option<usize>,
    content: ContentKind,
    verifier: Verifier,
    held: &mut Held,
    timeout: Duration,
) -> Result<VerifiedBody, Refusal> {
    let mut body = TimedBody::new(body, timeout);
    let mut signed = SignedBody::new(verifier, content);
    loop {
        held.reach_beyond(signed.len(), declared)?;
        let Some(chunk) = body.next().await? else { break };
        held.reach(signed.len() + chunk.len())?;
        signed.push(chunk)?;
    }
    signed.finish().ok_or(Refusal::WronglySigned)
}
