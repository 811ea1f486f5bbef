//! Names and ids. Ids are prefixed and sort by the time they were made.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

use super::Timestamp;

/// An identifier from a pipeline: a step, an input, an output. Matches `[a-z][a-z0-9_]*`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Name(Arc<str>);

impl Name {
    /// Accepts `[a-z][a-z0-9_]*` of at most 100 bytes.
    pub fn new(text: &str) -> Option<Self> {
        let mut bytes = text.bytes();
        let first = bytes.next()?;
        let ok = first.is_ascii_lowercase() && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        (ok && text.len() <= 100).then(|| Self(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::borrow::Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// A step's place in its [`Plan`](crate::graph::Plan): an index that never changes for a revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeIx(pub u32);

impl NodeIx {
    /// As an index into a slice with one element a node.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// 48 bits of milliseconds, 80 bits of chance, in Crockford's base 32: text order is time order.
fn sortable(at: Timestamp, chance: u128) -> u128 {
    let millis = (at.as_micros() / 1_000).max(0) as u128 & ((1 << 48) - 1);
    (millis << 80) | (chance & ((1 << 80) - 1))
}

fn write_base32(f: &mut fmt::Formatter<'_>, value: u128) -> fmt::Result {
    let mut text = [0_u8; 26];
    for (i, byte) in text.iter_mut().enumerate() {
        *byte = ALPHABET[((value >> (125 - 5 * i)) & 31) as usize];
    }
    f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
}

fn read_base32(text: &str) -> Option<u128> {
    if text.len() != 26 {
        return None;
    }
    text.bytes().try_fold(0_u128, |value, byte| {
        let digit = ALPHABET.iter().position(|b| *b == byte)?;
        (value >> 123 == 0).then_some((value << 5) | digit as u128)
    })
}

macro_rules! sortable_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(u128);

        impl $name {
            /// An id made at `at`, told apart from others of that millisecond by 80 bits of `chance`.
            pub fn from_parts(at: Timestamp, chance: u128) -> Self {
                Self(sortable(at, chance))
            }

            /// An id made at `at` with chance from the operating system.
            pub fn generate(at: Timestamp) -> Self {
                Self::from_parts(at, rand::random())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($prefix)?;
                write_base32(f, self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                let body = text.strip_prefix($prefix).and_then(read_base32);
                body.map(Self).ok_or_else(|| IdError { text: text.to_owned(), prefix: $prefix })
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

/// A text that is not an id of the kind asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an id: one begins with `{prefix}` and has 26 more characters")]
pub struct IdError {
    text: String,
    prefix: &'static str,
}

sortable_id!(
    /// One execution of a pipeline.
    RunId,
    "run_"
);
sortable_id!(
    /// One process that owns runs.
    OwnerId,
    "own_"
);

/// A BLAKE3 digest.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// Of all bytes that a reader gives.
    pub fn of_reader(reader: impl std::io::Read) -> std::io::Result<Self> {
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(reader)?;
        Ok(Self(*hasher.finalize().as_bytes()))
    }

    /// The digest of parts, told apart from any other division into parts.
    pub fn of_parts<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        Self(*hasher.finalize().as_bytes())
    }

    /// From raw bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The raw bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        blake3::Hash::from_hex(text)
            .map(|hash| Self(*hash.as_bytes()))
            .map_err(|_| IdError { text: text.to_owned(), prefix: "" })
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Stored bytes, named by their digest: `art_` and 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ArtifactId(pub Digest);

impl fmt::Display for ArtifactId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "art_{}", self.0)
    }
}

impl FromStr for ArtifactId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let body = text.strip_prefix("art_").and_then(|hex| hex.parse().ok());
        body.map(Self).ok_or_else(|| IdError { text: text.to_owned(), prefix: "art_" })
    }
}

/// The same for every attempt at the same work of a run: what a target deduplicates by.
/// Written `run_…/step` or `run_…/step/item`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AttemptKey(pub Arc<str>);

impl AttemptKey {
    /// The key of a step, or of one item of a fan-out.
    pub fn new(run: RunId, step: &str, item: Option<u32>) -> Self {
        match item {
            Some(item) => Self(format!("{run}/{step}/{item}").into()),
            None => Self(format!("{run}/{step}").into()),
        }
    }

    /// A short form fit for a file name: 16 hexadecimal digits.
    pub fn short(&self) -> String {
        Digest::of(self.0.as_bytes()).to_string()[..16].to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_and_survive_text() {
        let old = RunId::from_parts(Timestamp::from_micros(1_000_000), u128::MAX);
        let new = RunId::from_parts(Timestamp::from_micros(1_001_000), 0);
        assert!(old < new && old.to_string() < new.to_string());
        assert_eq!(old.to_string().parse(), Ok(old));
        assert!("run_zzz".parse::<RunId>().is_err());
        assert!("run_zzzzzzzzzzzzzzzzzzzzzzzzzz".parse::<RunId>().is_err(), "more than 128 bits");
    }

    #[test]
    fn names_are_plain() {
        assert!(Name::new("late_2").is_some());
        for bad in ["", "2late", "late-2", "Late", "é"] {
            assert!(Name::new(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn digests_tell_divisions_apart() {
        assert_ne!(Digest::of_parts([&b"ab"[..], b"c"]), Digest::of_parts([&b"a"[..], b"bc"]));
    }
}
