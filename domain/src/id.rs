//! Who and what: accounts and repositories by the forge's own ids, and the streams they own.
//!
//! Names never identify anything here: logins and repository names come and go with renames and
//! transfers, ids stay (GitHub's integers, Bitbucket's uuids).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Where accounts live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Forge {
    /// github.com, a GitHub Enterprise Server, or a look-alike.
    GitHub,
    /// Bitbucket Cloud.
    Bitbucket,
}

impl Forge {
    /// The name used in labels, headers and written ids.
    pub fn as_str(self) -> &'static str {
        match self {
            Forge::GitHub => "github",
            Forge::Bitbucket => "bitbucket",
        }
    }
}

/// An id that a forge gave to something; integers for GitHub, uuids for Bitbucket.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum ForgeId {
    GitHub(u64),
    Bitbucket(u128),
}

/// The first byte of a written id: it names the forge and fixes the length, so that written ids
/// never prefix one another. Zero is [`StreamKey::Service`].
const GITHUB_TAG: u8 = 1;
const BITBUCKET_TAG: u8 = 2;
const SERVICE_TAG: u8 = 0;

impl ForgeId {
    fn forge(self) -> Forge {
        match self {
            ForgeId::GitHub(_) => Forge::GitHub,
            ForgeId::Bitbucket(_) => Forge::Bitbucket,
        }
    }

    fn write_key(self, out: &mut Vec<u8>) {
        match self {
            ForgeId::GitHub(id) => {
                out.push(GITHUB_TAG);
                out.extend_from_slice(&id.to_be_bytes());
            }
            ForgeId::Bitbucket(uuid) => {
                out.push(BITBUCKET_TAG);
                out.extend_from_slice(&uuid.to_be_bytes());
            }
        }
    }

    fn read_key(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (&tag, rest) = bytes.split_first()?;
        match tag {
            GITHUB_TAG => {
                let (id, rest) = rest.split_first_chunk()?;
                Some((ForgeId::GitHub(u64::from_be_bytes(*id)), rest))
            }
            BITBUCKET_TAG => {
                let (uuid, rest) = rest.split_first_chunk()?;
                Some((ForgeId::Bitbucket(u128::from_be_bytes(*uuid)), rest))
            }
            _ => None,
        }
    }
}

impl fmt::Display for ForgeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ForgeId::GitHub(id) => write!(f, "github:{id}"),
            ForgeId::Bitbucket(uuid) => write!(f, "bitbucket:{uuid:032x}"),
        }
    }
}

/// A written id that names no known forge, or whose number does not parse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an id of the form `github:123` or `bitbucket:<32 hex digits>`")]
pub struct IdError;

impl FromStr for ForgeId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        match text.split_once(':') {
            Some(("github", id)) => id.parse().map(ForgeId::GitHub).map_err(|_| IdError),
            Some(("bitbucket", uuid)) => {
                u128::from_str_radix(uuid, 16).map(ForgeId::Bitbucket).map_err(|_| IdError)
            }
            _ => Err(IdError),
        }
    }
}

macro_rules! forge_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(ForgeId);

        impl $name {
            /// The one that GitHub numbers so.
            pub fn github(id: u64) -> Self {
                $name(ForgeId::GitHub(id))
            }

            /// The one that Bitbucket gave this uuid.
            pub fn bitbucket(uuid: u128) -> Self {
                $name(ForgeId::Bitbucket(uuid))
            }

            /// Where it lives.
            pub fn forge(self) -> Forge {
                self.0.forge()
            }

            /// GitHub's number, when it is GitHub's.
            pub fn as_github(self) -> Option<u64> {
                match self.0 {
                    ForgeId::GitHub(id) => Some(id),
                    ForgeId::Bitbucket(_) => None,
                }
            }

            /// Bitbucket's uuid, when it is Bitbucket's.
            pub fn as_bitbucket(self) -> Option<u128> {
                match self.0 {
                    ForgeId::Bitbucket(uuid) => Some(uuid),
                    ForgeId::GitHub(_) => None,
                }
            }

            /// Appends the order-preserving, self-delimiting bytes used in row keys.
            pub fn write_key(self, out: &mut Vec<u8>) {
                self.0.write_key(out);
            }

            /// Reads what [`Self::write_key`] wrote and returns what follows it.
            pub fn read_key(bytes: &[u8]) -> Option<(Self, &[u8])> {
                ForgeId::read_key(bytes).map(|(id, rest)| ($name(id), rest))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                text.parse().map($name)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.collect_str(self)
                } else {
                    let mut key = Vec::with_capacity(17);
                    self.write_key(&mut key);
                    serializer.serialize_bytes(&key)
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    <std::borrow::Cow<'de, str>>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
                } else {
                    let key = <&'de [u8]>::deserialize(deserializer)?;
                    match $name::read_key(key) {
                        Some((id, [])) => Ok(id),
                        _ => Err(de::Error::custom(IdError)),
                    }
                }
            }
        }
    };
}

forge_id! {
    /// A user or an organisation.
    AccountId
}

forge_id! {
    /// A repository.
    RepoId
}

/// The ordered sequence of records that a row is folded from.
///
/// Every row belongs to exactly one stream and is written from that stream alone (design invariant 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StreamKey {
    /// What belongs to no account: wanted logins, API keys, the latest repositories, deliveries
    /// that name no account.
    Service,
    /// Everything about one account.
    Account(AccountId),
}

impl StreamKey {
    /// Appends the order-preserving, self-delimiting bytes used in row keys and as the log's key.
    pub fn write_key(self, out: &mut Vec<u8>) {
        match self {
            StreamKey::Service => out.push(SERVICE_TAG),
            StreamKey::Account(account) => account.write_key(out),
        }
    }

    /// Reads what [`Self::write_key`] wrote and returns what follows it.
    pub fn read_key(bytes: &[u8]) -> Option<(Self, &[u8])> {
        match bytes.split_first()? {
            (&SERVICE_TAG, rest) => Some((StreamKey::Service, rest)),
            _ => AccountId::read_key(bytes).map(|(account, rest)| (StreamKey::Account(account), rest)),
        }
    }

    /// The same bytes as [`Self::write_key`], on their own.
    pub fn to_bytes(self) -> Vec<u8> {
        let mut key = Vec::with_capacity(17);
        self.write_key(&mut key);
        key
    }

    /// A hash that never changes between releases; partitions and buckets are chosen by it.
    pub fn stable_hash(self) -> u64 {
        xxhash_rust::xxh3::xxh3_64(&self.to_bytes())
    }

    /// The account, when the stream is one's.
    pub fn account(self) -> Option<AccountId> {
        match self {
            StreamKey::Service => None,
            StreamKey::Account(account) => Some(account),
        }
    }
}

impl fmt::Display for StreamKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StreamKey::Service => f.write_str("service"),
            StreamKey::Account(account) => fmt::Display::fmt(account, f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_keys_read_back_and_delimit_themselves() {
        let keys = [
            StreamKey::Service,
            StreamKey::Account(AccountId::github(583_231)),
            StreamKey::Account(AccountId::bitbucket(0x1234_5678_9abc_def0)),
        ];
        for key in keys {
            let mut bytes = key.to_bytes();
            bytes.extend_from_slice(b"rest");
            assert_eq!(StreamKey::read_key(&bytes), Some((key, b"rest".as_slice())));
        }
    }

    #[test]
    fn keys_sort_as_the_numbers_do() {
        let low = StreamKey::Account(AccountId::github(255)).to_bytes();
        let high = StreamKey::Account(AccountId::github(256)).to_bytes();
        assert!(low < high);
    }

    #[test]
    fn ids_survive_text_and_binary_encodings() {
        for id in [RepoId::github(u64::MAX), RepoId::bitbucket(7)] {
            assert_eq!(id.to_string().parse(), Ok(id));
            let json = serde_json::to_string(&id).unwrap();
            assert_eq!(serde_json::from_str::<RepoId>(&json).unwrap(), id);
            let blob = postcard::to_stdvec(&id).unwrap();
            assert_eq!(postcard::from_bytes::<RepoId>(&blob).unwrap(), id);
        }
        assert_eq!("gitlab:1".parse::<RepoId>(), Err(IdError));
        assert_eq!("github:-1".parse::<RepoId>(), Err(IdError));
    }

    #[test]
    fn the_stable_hash_is_frozen() {
        // Changing it would move streams to other partitions and rows to other buckets.
        assert_eq!(StreamKey::Account(AccountId::github(1)).stable_hash(), 0x9842_17a4_c022_55fc);
    }
}
