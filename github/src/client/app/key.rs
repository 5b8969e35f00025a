//! An App's private key, and what is signed with it: a JWT says for some minutes that we are the App.

use std::{fmt, sync::Arc};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::Second;
use ring::{
    rand::SystemRandom,
    signature::{RSA_PKCS1_SHA256, RsaKeyPair},
};
use rustls::pki_types::{PrivateKeyDer, pem::PemObject as _};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

/// GitHub refuses a JWT that was made in its future: clocks differ.
const BACK_SECONDS: i64 = 60;
/// GitHub takes ten minutes at most, from its own now; this leaves it as much.
const AHEAD_SECONDS: i64 = 9 * 60;

/// An RSA key. It is shown nowhere.
#[derive(Clone)]
pub struct AppKey(Arc<RsaKeyPair>);

/// Why a text is no key of an App; no error repeats the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppKeyError {
    /// No PEM, or one of something else.
    #[error(
        "it holds no private key in PEM form, which begins with -----BEGIN RSA PRIVATE KEY----- or -----BEGIN PRIVATE KEY-----"
    )]
    NoKey,
    /// Another kind of key, or one too small or damaged.
    #[error("it is no RSA key that can sign: {0}")]
    NotRsa(String),
}

#[derive(Serialize)]
struct Claims<'a> {
    iat: i64,
    exp: i64,
    iss: &'a str,
}

/// `{"alg":"RS256","typ":"JWT"}`
const HEADER: &[u8] = br#"{"alg":"RS256","typ":"JWT"}"#;

impl AppKey {
    /// Reads a key as GitHub hands it out. In variables line breaks are often written as `\n`, which will do.
    pub fn parse(pem: &SecretString) -> Result<Self, AppKeyError> {
        let pem = SecretString::from(pem.expose_secret().replace("\\n", "\n"));
        let key = PrivateKeyDer::from_pem_slice(pem.expose_secret().as_bytes());
        let rejected = |error: ring::error::KeyRejected| AppKeyError::NotRsa(error.to_string());
        let pair = match key.map_err(|_| AppKeyError::NoKey)? {
            PrivateKeyDer::Pkcs1(key) => RsaKeyPair::from_der(key.secret_pkcs1_der()).map_err(rejected)?,
            PrivateKeyDer::Pkcs8(key) => RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()).map_err(rejected)?,
            _ => return Err(AppKeyError::NotRsa("it is a key for elliptic curves".to_owned())),
        };
        Ok(AppKey(Arc::new(pair)))
    }

    /// Says that we are this App, `now` by the forge's clock.
    pub(crate) fn jwt(&self, issuer: &str, now: Second) -> String {
        let claims = Claims { iat: now.0 - BACK_SECONDS, exp: now.0 + AHEAD_SECONDS, iss: issuer };
        let claims = serde_json::to_vec(&claims).expect("texts and numbers serialize");
        let mut jwt = BASE64_URL_SAFE_NO_PAD.encode(HEADER);
        jwt.push('.');
        BASE64_URL_SAFE_NO_PAD.encode_string(claims, &mut jwt);
        let mut signature = vec![0; self.0.public().modulus_len()];
        self.0
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), jwt.as_bytes(), &mut signature)
            .expect("a key that was read signs into as many bytes as its modulus has");
        jwt.push('.');
        BASE64_URL_SAFE_NO_PAD.encode_string(signature, &mut jwt);
        jwt
    }
}

impl fmt::Debug for AppKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AppKey(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
    use serde_json::{Value, json};

    use super::*;

    const PKCS1: &str = include_str!("../../../tests/keys/app.pem");
    const PKCS8: &str = include_str!("../../../tests/keys/app-pkcs8.pem");
    const CURVE: &str = include_str!("../../../tests/keys/curve.pem");

    fn key(pem: &str) -> Result<AppKey, AppKeyError> {
        AppKey::parse(&pem.into())
    }

    fn part(text: &str) -> Value {
        serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
    }

    #[test]
    fn what_is_signed_is_verified_with_the_public_half() {
        let key = key(PKCS1).unwrap();
        let jwt = key.jwt("Iv1.7", Second(1_000_000));
        let (signed, signature) = jwt.rsplit_once('.').unwrap();
        let (header, claims) = signed.split_once('.').unwrap();
        assert_eq!(part(header), json!({ "alg": "RS256", "typ": "JWT" }));
        assert_eq!(part(claims), json!({ "iat": 999_940, "exp": 1_000_540, "iss": "Iv1.7" }));
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
        let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.0.public().as_ref());
        public.verify(signed.as_bytes(), &signature).unwrap();
        assert!(public.verify(b"another", &signature).is_err());
    }

    #[test]
    fn keys_come_in_several_forms_and_are_shown_in_none() {
        let one = key(PKCS1).unwrap();
        let now = Second(5);
        for other in [PKCS8.to_owned(), PKCS1.trim_end().replace('\n', "\\n"), PKCS1.replace('\n', "\r\n")] {
            assert_eq!(key(&other).unwrap().jwt("1", now), one.jwt("1", now));
        }
        assert_eq!(format!("{one:?}"), "AppKey(hidden)");
    }

    #[test]
    fn what_is_no_key_is_refused_with_the_reason_and_without_the_text() {
        let cut = PKCS1.replacen("MII", "MIA", 1);
        for (text, reason) in [
            ("hush", "no private key in PEM form"),
            ("", "no private key in PEM form"),
            (CURVE, "no RSA key that can sign"),
            (cut.as_str(), "no RSA key that can sign"),
        ] {
            let error = key(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
            assert!(!error.contains("hush"));
        }
    }
}
