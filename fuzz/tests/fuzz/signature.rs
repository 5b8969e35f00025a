//! The signature header: exactly one form is a claim.

use bolero::check;
use github::signature::SignatureHeader;

#[test]
fn signature() {
    check!().for_each(|value: &[u8]| {
        let is_lower_hex = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let is_claim = |hex: &[u8]| hex.len() == 64 && hex.iter().all(is_lower_hex);
        assert_eq!(
            SignatureHeader::parse(value).is_ok(),
            value.strip_prefix(b"sha256=").is_some_and(is_claim)
        );
        // Random bytes hardly ever are long enough and hex; these are, but for what chance did to one of them.
        let mut near = format!("sha256={}", const_hex::encode([7; 32])).into_bytes();
        if let [at, byte, ..] = value {
            let at = usize::from(*at) % near.len();
            near[at] = *byte;
        }
        let is_near = near.strip_prefix(b"sha256=").is_some_and(is_claim);
        assert_eq!(SignatureHeader::parse(&near).is_ok(), is_near);
    });
}
