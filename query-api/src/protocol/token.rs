//! One shared Bearer token, compared in constant time.

use http::{HeaderMap, header};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::problem::Problem;

/// A token that requests must show; only its hash is kept.
pub(crate) struct Token {
    digest: [u8; 32],
}

impl Token {
    pub(crate) fn new(secret: &SecretString) -> Self {
        Token { digest: digest(secret.expose_secret().as_bytes()) }
    }

    /// Refuses a request that does not show the token. Hashes are compared, so that neither length nor
    /// content of the token shows in the time it takes.
    pub(crate) fn check(&self, request: &HeaderMap) -> Result<(), Problem> {
        let Some(shown) = bearer(request) else { return Err(Problem::unauthorized(false)) };
        if bool::from(digest(shown).ct_eq(&self.digest)) { Ok(()) } else { Err(Problem::unauthorized(true)) }
    }
}

fn digest(token: &[u8]) -> [u8; 32] {
    Sha256::digest(token).into()
}

/// What a request shows after `Authorization: Bearer`.
pub(crate) fn bearer(request: &HeaderMap) -> Option<&[u8]> {
    let value = request.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}
