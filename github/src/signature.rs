//! Whether a delivery was signed with one of our secrets. Nothing here reads headers or parses a body.
//!
//! GitHub signs the raw body as it is sent (also a form's, before decoding) with HMAC-SHA256 and writes
//! `X-Hub-Signature-256: sha256=<64 lower-case hex digits>` (GitHub docs, validating webhook deliveries).

use std::{fmt, sync::Arc};

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// How many secrets may be accepted at once. Each costs one hash of every body, signed or not, so a
/// stranger's 25 MiB cost this many times 15 ms at the most.
pub const SECRETS_MAX: usize = 32;

const PREFIX: &[u8] = b"sha256=";
const DIGEST_BYTES: usize = 32;

/// The secrets that a delivery may be signed with: the current one, the previous one, named others.
///
/// Keys are prepared once; a copy shares them.
#[derive(Clone)]
pub struct Secrets {
    secrets: Arc<[Secret]>,
}

struct Secret {
    name: Arc<str>,
    keyed: Hmac<Sha256>,
}

/// Why a list of secrets cannot be used; the operator must change the settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretsError {
    /// Nothing could ever be verified.
    #[error("there is no webhook secret")]
    None,
    /// More than [`SECRETS_MAX`].
    #[error("there are {0} webhook secrets; at most {SECRETS_MAX} are tried")]
    TooMany(usize),
    /// Anybody could sign with it.
    #[error("the webhook secret `{0}` is empty")]
    Empty(String),
    /// The metric could not tell them apart.
    #[error("two webhook secrets are called `{0}`")]
    SameName(String),
}

impl Secrets {
    /// Prepares the secrets, given as name and value. Names are labels of a metric, values are secret.
    pub fn new<'a>(
        secrets: impl IntoIterator<Item = (&'a str, &'a SecretString)>,
    ) -> Result<Self, SecretsError> {
        let mut prepared: Vec<Secret> = Vec::new();
        for (name, value) in secrets {
            if value.expose_secret().is_empty() {
                return Err(SecretsError::Empty(name.to_owned()));
            }
            if prepared.iter().any(|secret| &*secret.name == name) {
                return Err(SecretsError::SameName(name.to_owned()));
            }
            let keyed = Hmac::new_from_slice(value.expose_secret().as_bytes())
                .expect("HMAC takes keys of any length");
            prepared.push(Secret { name: name.into(), keyed });
        }
        match prepared.len() {
            0 => Err(SecretsError::None),
            1..=SECRETS_MAX => Ok(Secrets { secrets: prepared.into() }),
            more => Err(SecretsError::TooMany(more)),
        }
    }

    /// Names in the order of trying.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.secrets.iter().map(|secret| &*secret.name)
    }

    /// Starts to check a body that claims `signature`.
    pub fn verifier(&self, signature: SignatureHeader) -> Verifier {
        let running = self.secrets.iter().map(|secret| secret.keyed.clone()).collect();
        Verifier { secrets: Arc::clone(&self.secrets), running, signature }
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

/// The claim of an `X-Hub-Signature-256` header. Claims are not secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignatureHeader {
    digest: [u8; DIGEST_BYTES],
}

/// A signature header that is not `sha256=` and 64 lower-case hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a signature: `sha256=` and 64 lower-case hex digits")]
pub struct SignatureHeaderError;

impl SignatureHeader {
    /// Reads the header's value.
    pub fn parse(value: &[u8]) -> Result<Self, SignatureHeaderError> {
        let hex = value.strip_prefix(PREFIX).ok_or(SignatureHeaderError)?;
        if hex.len() != 2 * DIGEST_BYTES || !hex.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        {
            return Err(SignatureHeaderError);
        }
        let mut digest = [0; DIGEST_BYTES];
        const_hex::decode_to_slice(hex, &mut digest).map_err(|_| SignatureHeaderError)?;
        Ok(SignatureHeader { digest })
    }
}

/// A check in progress: fed with the raw body in chunks as they arrive, so that no single step is long.
pub struct Verifier {
    secrets: Arc<[Secret]>,
    running: Vec<Hmac<Sha256>>,
    signature: SignatureHeader,
}

impl Verifier {
    /// Takes the next bytes of the raw body.
    pub fn update(&mut self, chunk: &[u8]) {
        for running in &mut self.running {
            running.update(chunk);
        }
    }

    /// Says which secret signed the body; `None` if none of ours did. Every secret is tried, each in
    /// constant time, whichever fits.
    pub fn finish(self) -> Option<VerifiedBy> {
        let mut fitting = None;
        for (secret, running) in self.secrets.iter().zip(self.running) {
            let digest = running.finalize().into_bytes();
            let fits = bool::from(digest.as_slice().ct_eq(&self.signature.digest));
            if fits && fitting.is_none() {
                fitting = Some(VerifiedBy { name: Arc::clone(&secret.name) });
            }
        }
        fitting
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").finish_non_exhaustive()
    }
}

/// Proof that a body was signed with one of our secrets; only [`Verifier::finish`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedBy {
    name: Arc<str>,
}

impl VerifiedBy {
    /// The name of the secret that fits.
    pub fn name(&self) -> &str {
        &self.name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // The official vector (GitHub docs, validating webhook deliveries).
    const SECRET: &str = "It's a Secret to Everybody";
    const BODY: &[u8] = b"Hello, World!";
    const SIGNATURE: &[u8] = b"sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

    fn secrets(pairs: &[(&str, &str)]) -> Result<Secrets, SecretsError> {
        let values: Vec<(&str, SecretString)> =
            pairs.iter().map(|(name, value)| (*name, SecretString::from(*value))).collect();
        Secrets::new(values.iter().map(|(name, value)| (*name, value)))
    }

    fn check(pairs: &[(&str, &str)], signature: &[u8], chunks: &[&[u8]]) -> Option<String> {
        let header = SignatureHeader::parse(signature).unwrap();
        let mut verifier = secrets(pairs).unwrap().verifier(header);
        for chunk in chunks {
            verifier.update(chunk);
        }
        verifier.finish().map(|by| by.name().to_owned())
    }

    #[test]
    fn the_official_vector_verifies() {
        assert_eq!(check(&[("current", SECRET)], SIGNATURE, &[BODY]).as_deref(), Some("current"));
    }

    #[test]
    fn chunks_make_no_difference() {
        let chunks: Vec<&[u8]> = BODY.chunks(1).collect();
        assert_eq!(check(&[("current", SECRET)], SIGNATURE, &chunks).as_deref(), Some("current"));
    }

    #[test]
    fn any_of_several_secrets_fits_and_says_its_name() {
        for position in 0..4 {
            let mut pairs = vec![("current", "a"), ("previous", "b"), ("octo-org", "c")];
            pairs.insert(position, ("fits", SECRET));
            assert_eq!(check(&pairs, SIGNATURE, &[BODY]).as_deref(), Some("fits"));
        }
    }

    #[test]
    fn other_bodies_secrets_and_digests_do_not_fit() {
        assert_eq!(check(&[("current", SECRET)], SIGNATURE, &[b"Hello, World"]), None);
        assert_eq!(check(&[("current", "It's a secret to everybody")], SIGNATURE, &[BODY]), None);
        let mut flipped = SIGNATURE.to_vec();
        *flipped.last_mut().unwrap() = b'6';
        assert_eq!(check(&[("current", SECRET)], &flipped, &[BODY]), None);
    }

    #[test]
    fn only_the_exact_form_of_the_header_is_read() {
        let text = std::str::from_utf8(SIGNATURE).unwrap();
        let wrong = [
            String::new(),
            text.to_uppercase(),
            text.replace("sha256", "sha1"),
            text.replace("757", "75A"),
            text.replace("757", "75g"),
            text[..text.len() - 1].to_owned(),
            format!("{text}0"),
            format!(" {text}"),
            format!("{text} "),
            format!("{text}, {text}"),
            text[7..].to_owned(),
        ];
        for value in wrong {
            assert_eq!(SignatureHeader::parse(value.as_bytes()), Err(SignatureHeaderError), "{value:?}");
        }
    }

    #[test]
    fn lists_that_would_let_strangers_in_are_refused() {
        assert_eq!(secrets(&[]).unwrap_err(), SecretsError::None);
        assert_eq!(secrets(&[("current", "")]).unwrap_err(), SecretsError::Empty("current".into()));
        assert_eq!(secrets(&[("a", "x"), ("a", "y")]).unwrap_err(), SecretsError::SameName("a".into()));
        let names: Vec<String> = (0..=SECRETS_MAX).map(|number| number.to_string()).collect();
        let pairs: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "x")).collect();
        assert_eq!(secrets(&pairs).unwrap_err(), SecretsError::TooMany(SECRETS_MAX + 1));
    }

    #[test]
    fn nothing_secret_is_shown() {
        let shown = format!("{:?}", secrets(&[("current", SECRET)]).unwrap());
        assert_eq!(shown, r#"["current"]"#);
    }
}
