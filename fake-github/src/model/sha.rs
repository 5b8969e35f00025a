//! Names of git objects: SHA-1 over the object's header and body, as git computes it.

use std::{fmt, str::FromStr};

use sha1::{Digest, Sha1};

/// The name of a git object: 20 bytes, shown as 40 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sha([u8; 20]);

impl Sha {
    /// Git's "no commit": forty zeros.
    pub const ZERO: Sha = Sha([0; 20]);

    /// The name of an object of this kind (`blob`, `tree`, `commit`) with this body.
    pub(crate) fn of(kind: &str, body: &[u8]) -> Self {
        let mut hash = Sha1::new();
        hash.update(format!("{kind} {}\0", body.len()).as_bytes());
        hash.update(body);
        Sha(hash.finalize().into())
    }

    pub(crate) fn bytes(&self) -> &[u8; 20] {
        &self.0
    }
}

impl fmt::Display for Sha {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&const_hex::encode(self.0))
    }
}

impl fmt::Debug for Sha {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl serde::Serialize for Sha {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for Sha {
    type Err = const_hex::FromHexError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 20];
        const_hex::decode_to_slice(text, &mut bytes)?;
        Ok(Sha(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_gits() {
        assert_eq!(Sha::of("blob", b"").to_string(), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
        assert_eq!(Sha::of("tree", b"").to_string(), "4b825dc642cb6eb9a060e54bf8d69288fbee4904");
        assert_eq!("e69de29bb2d1d6434b8b29ae775ad8c2e48c5391".parse::<Sha>().unwrap(), Sha::of("blob", b""));
        assert!("main".parse::<Sha>().is_err());
    }
}
