//! A signed body: however it is cut into chunks, the verdict is that over the whole; a changed byte is seen.

use bolero::{check, generator::*};
use bytes::Bytes;
use github::{
    body::SignedBody,
    headers::ContentKind,
    signature::{Secrets, SignatureHeader},
};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::SecretString;
use sha2::Sha256;

const SECRET: &str = "It's a Secret to Everybody";

#[test]
fn body() {
    let secret = SecretString::from(SECRET);
    let previous = SecretString::from("an older one");
    let secrets = Secrets::new([("current", &secret), ("previous", &previous)]).unwrap();
    let cuts = produce::<Vec<usize>>().with().values(0usize..300).len(0usize..6);
    let flip = (produce::<bool>(), 0usize..300, 1u8..=255);
    check!().with_generator((produce::<Vec<u8>>().with().len(0usize..300), cuts, flip)).for_each(
        |(sent, cuts, (is_changed, at, by))| {
            let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
            mac.update(sent);
            let claim = format!("sha256={}", const_hex::encode(mac.finalize().into_bytes()));
            let claim = SignatureHeader::parse(claim.as_bytes()).unwrap();

            let mut arrived = sent.clone();
            let is_changed = *is_changed && *at < arrived.len();
            if is_changed {
                arrived[*at] ^= by;
            }
            let mut body = SignedBody::new(secrets.verifier(claim), ContentKind::Json);
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| *cut.min(&arrived.len())).collect();
            cuts.sort_unstable();
            cuts.push(arrived.len());
            let mut from = 0;
            for cut in cuts {
                body.push(Bytes::copy_from_slice(&arrived[from..cut])).unwrap();
                from = cut;
            }
            match body.finish() {
                Some(verified) => {
                    assert!(!is_changed, "a changed body was taken for signed");
                    assert_eq!(verified.raw(), sent.as_slice());
                    assert_eq!(verified.by().name(), "current");
                }
                None => assert!(is_changed, "a signed body was refused"),
            }
        },
    );
}
