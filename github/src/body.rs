//! A delivery's body: collected while it is hashed, and readable only once its signature fits.

use bytes::{Bytes, BytesMut};

use crate::{
    form::{self, FormError},
    headers::ContentKind,
    signature::{VerifiedBy, Verifier},
};

/// GitHub delivers no payload above 25 MB (GitHub docs, webhook events and payloads).
pub const JSON_BYTES_MAX: usize = 25 * 1024 * 1024;

/// A form writes most bytes of JSON's punctuation as three.
pub const FORM_BYTES_MAX: usize = 3 * JSON_BYTES_MAX;

impl ContentKind {
    /// How large a raw body of this kind may be.
    pub fn bytes_max(self) -> usize {
        match self {
            ContentKind::Json => JSON_BYTES_MAX,
            ContentKind::Form => FORM_BYTES_MAX,
        }
    }
}

/// A body of which nothing is known yet. Its bytes cannot be looked at.
#[derive(Debug)]
pub struct SignedBody {
    verifier: Verifier,
    content: ContentKind,
    collected: Collected,
}

/// Most bodies arrive as one chunk, which is kept without a copy.
#[derive(Debug)]
enum Collected {
    Nothing,
    One(Bytes),
    Many(BytesMut),
}

impl Collected {
    fn len(&self) -> usize {
        match self {
            Collected::Nothing => 0,
            Collected::One(bytes) => bytes.len(),
            Collected::Many(bytes) => bytes.len(),
        }
    }
}

/// The body is larger than its kind may be: answer 413 and read no further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body is larger than {bytes_max} bytes")]
pub struct TooLarge {
    /// How large it may be.
    pub bytes_max: usize,
}

impl SignedBody {
    /// A body of this kind that `verifier` is to judge.
    pub fn new(verifier: Verifier, content: ContentKind) -> Self {
        SignedBody { verifier, content, collected: Collected::Nothing }
    }

    /// Takes the next chunk as it arrived.
    pub fn push(&mut self, chunk: Bytes) -> Result<(), TooLarge> {
        let bytes_max = self.content.bytes_max();
        if self.collected.len() + chunk.len() > bytes_max {
            return Err(TooLarge { bytes_max });
        }
        self.verifier.update(&chunk);
        match &mut self.collected {
            Collected::Nothing => self.collected = Collected::One(chunk),
            Collected::One(first) => {
                let mut many = BytesMut::with_capacity(2 * (first.len() + chunk.len()));
                many.extend_from_slice(first);
                many.extend_from_slice(&chunk);
                self.collected = Collected::Many(many);
            }
            Collected::Many(many) => many.extend_from_slice(&chunk),
        }
        Ok(())
    }

    /// How many bytes were taken so far.
    pub fn len(&self) -> usize {
        self.collected.len()
    }

    /// Whether no byte was taken yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Ends the check; `None` if no secret of ours signed these bytes.
    pub fn finish(self) -> Option<VerifiedBody> {
        let by = self.verifier.finish()?;
        let raw = match self.collected {
            Collected::Nothing => Bytes::new(),
            Collected::One(bytes) => bytes,
            Collected::Many(bytes) => bytes.freeze(),
        };
        Some(VerifiedBody { raw, content: self.content, by })
    }
}

/// A body that was signed with one of our secrets; only [`SignedBody::finish`] makes one.
#[derive(Debug, Clone)]
pub struct VerifiedBody {
    raw: Bytes,
    content: ContentKind,
    by: VerifiedBy,
}

impl VerifiedBody {
    /// Which secret signed it.
    pub fn by(&self) -> &VerifiedBy {
        &self.by
    }

    /// The bytes as they were signed and sent; what tells a repeated delivery from another one.
    pub fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// The JSON in it, at most [`JSON_BYTES_MAX`]; not yet known to be well-formed.
    pub fn json(&self) -> Result<Bytes, FormError> {
        match self.content {
            ContentKind::Json => Ok(self.raw.clone()),
            ContentKind::Form => form::payload(&self.raw).map(Bytes::from),
        }
    }
}

#[cfg(test)]
mod tests {
    use hmac::{Hmac, KeyInit, Mac};
    use secrecy::SecretString;
    use sha2::Sha256;

    use super::*;
    use crate::signature::{Secrets, SignatureHeader};

    fn signed(content: ContentKind, body: &[u8]) -> SignedBody {
        let mut mac = Hmac::<Sha256>::new_from_slice(b"hush").unwrap();
        mac.update(body);
        let header = format!("sha256={}", const_hex::encode(mac.finalize().into_bytes()));
        let secrets = Secrets::new([("current", &SecretString::from("hush"))]).unwrap();
        SignedBody::new(secrets.verifier(SignatureHeader::parse(header.as_bytes()).unwrap()), content)
    }

    #[test]
    fn one_chunk_is_kept_without_a_copy_and_several_are_joined() {
        let body = Bytes::from_static(br#"{"zen":"Keep it logically awesome."}"#);
        let mut one = signed(ContentKind::Json, &body);
        one.push(body.clone()).unwrap();
        assert_eq!(one.finish().unwrap().raw().as_ptr(), body.as_ptr());

        let mut many = signed(ContentKind::Json, &body);
        for chunk in body.chunks(5) {
            many.push(Bytes::copy_from_slice(chunk)).unwrap();
        }
        assert_eq!(many.finish().unwrap().json().unwrap(), body);
    }

    #[test]
    fn a_form_is_checked_as_sent_and_read_as_json() {
        let body = Bytes::from_static(b"payload=%7B%22a%22%3A1%7D");
        let mut form = signed(ContentKind::Form, &body);
        form.push(body.clone()).unwrap();
        let verified = form.finish().unwrap();
        assert_eq!((verified.raw(), verified.json().unwrap().as_ref()), (&body, br#"{"a":1}"#.as_slice()));
        assert_eq!(verified.by().name(), "current");
    }

    /// Bodies that read alike are signed differently: the bytes count, not what they say.
    #[test]
    fn json_is_checked_as_sent_and_not_as_it_reads() {
        let (spaced, dense) = (b"{ \"b\": 1,\n  \"a\": 1.0 }\n".as_slice(), br#"{"a":1.0,"b":1}"#.as_slice());
        for (signed_body, sent, fits) in
            [(spaced, spaced, true), (dense, dense, true), (dense, spaced, false)]
        {
            let mut body = signed(ContentKind::Json, signed_body);
            body.push(Bytes::from_static(sent)).unwrap();
            assert_eq!(body.finish().is_some(), fits);
        }
    }

    #[test]
    fn a_changed_body_is_never_readable() {
        let mut body = signed(ContentKind::Json, b"{}");
        body.push(Bytes::from_static(b"[]")).unwrap();
        assert!(body.finish().is_none());
    }

    #[test]
    fn nothing_above_the_cap_is_taken() {
        let mut body = signed(ContentKind::Json, b"");
        body.push(Bytes::from(vec![b' '; JSON_BYTES_MAX])).unwrap();
        assert_eq!(body.push(Bytes::from_static(b" ")), Err(TooLarge { bytes_max: JSON_BYTES_MAX }));
        assert_eq!(body.len(), JSON_BYTES_MAX);
    }
}
