//! What an App says of itself: a JWT, verified with the public half of its key.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde::Deserialize;

use super::reply::Reply;
use crate::model::{Second, app::App};

/// So long a JWT may be good for.
const LIFE_SECONDS_MAX: i64 = 600;

#[derive(Deserialize)]
struct Header {
    alg: String,
}

#[derive(Deserialize)]
struct Claims {
    iat: i64,
    exp: i64,
    iss: serde_json::Value,
}

/// Why a JWT is not accepted; `None` for one that is.
pub(super) fn refusal(jwt: &str, app: &App, now: Second) -> Option<Reply> {
    let undecoded = || Some(Reply::error(401, "A JSON web token could not be decoded"));
    let Some(claims) = verified(jwt, app) else { return undecoded() };
    if claims.iat > now.0 {
        let message = "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued";
        return Some(Reply::error(401, message));
    }
    if claims.exp <= now.0 {
        let message = "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the \
                       assertion expires";
        return Some(Reply::error(401, message));
    }
    if claims.exp > now.0 + LIFE_SECONDS_MAX {
        return Some(Reply::error(401, "'Expiration time' claim ('exp') is too far in the future"));
    }
    let issuer = claims.iss.as_str().map_or_else(|| claims.iss.to_string(), str::to_owned);
    (issuer != app.id.to_string()).then(|| Reply::error(404, "Integration not found"))
}

fn verified(jwt: &str, app: &App) -> Option<Claims> {
    let (signed, signature) = jwt.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    let data = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).ok();
    let header: Header = serde_json::from_slice(&data(header)?).ok()?;
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, app.key.public_key());
    public.verify(signed.as_bytes(), &data(signature)?).ok()?;
    serde_json::from_slice(&data(claims)?).ok().filter(|_| header.alg == "RS256")
}
