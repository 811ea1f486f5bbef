//! Texts that let somebody in: how they are drawn, told apart from other texts, and kept.
//!
//! A text is a prefix and 32 bytes from the operating system in base64url. Only its digest is kept. A fast
//! digest (BLAKE3) is right here: slow ones such as argon2 protect passwords, which can be guessed; nobody
//! guesses 256 bits, and every request would pay.

use std::fmt;

use base64::{Engine as _, prelude::*};
use millwork_engine::model::{Digest, Fault};
use rand::{TryRng, rngs::SysRng};
use subtle::ConstantTimeEq;

/// 32 bytes in base64url without padding.
const BODY: usize = 43;

/// A text that lets somebody in. It shows itself only to [`Secret::expose`].
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Draws one.
    pub(super) fn draw(prefix: &str) -> Result<Self, Fault> {
        let mut bytes = [0_u8; 32];
        SysRng.try_fill_bytes(&mut bytes).map_err(|e| {
            Fault::external("auth.random", format!("the operating system gives no random numbers: {e}"))
        })?;
        Ok(Self::of(prefix, &bytes))
    }

    /// The text of some bytes.
    pub(super) fn of(prefix: &str, bytes: &[u8; 32]) -> Self {
        Self(format!("{prefix}{}", BASE64_URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// The text itself: to be shown once, or sent as a cookie; never logged.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A text that could have been drawn, seen by its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Presented {
    /// Under what it is kept: a prefix and the first 16 digits of the digest. They give nothing away.
    pub(super) id: String,
    digest: Digest,
}

impl Presented {
    /// Reads a text of the form that [`Secret::draw`] gives; anything else was never drawn.
    pub(super) fn read(text: &str, prefix: &str, id: &str) -> Option<Self> {
        let body = text.strip_prefix(prefix).filter(|body| body.len() == BODY)?;
        // Strict: the last letter has no bits to spare, so a secret has one text only.
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(body).ok()?;
        let digest = Digest::of_parts([prefix.as_bytes(), &bytes]);
        let id = format!("{id}{}", &digest.to_string()[..16]);
        Some(Self { id, digest })
    }

    /// The digest, to be kept.
    pub(super) fn digest(&self) -> Digest {
        self.digest
    }

    /// Whether this is the text that was kept, in a time that does not tell how far they agree.
    pub(super) fn is(&self, kept: &Digest) -> bool {
        self.digest.as_bytes().ct_eq(kept.as_bytes()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_drawn_once_and_known_again() {
        let (one, two) = (Secret::draw("mw_").unwrap(), Secret::draw("mw_").unwrap());
        assert_ne!(one, two);
        assert_eq!(one.expose().len(), 46);
        let [seen, again, other] = [&one, &one, &two].map(|s| Presented::read(s.expose(), "mw_", "tok_").unwrap());
        assert_eq!(seen, again);
        assert!(seen.is(&again.digest()) && !seen.is(&other.digest()));
        assert!(seen.id.starts_with("tok_") && seen.id.len() == 20);
        assert!(!format!("{one:?} {seen:?}").contains(&one.expose()[3..]));
    }

    #[test]
    fn every_bit_of_a_secret_counts() {
        let bytes = [7_u8; 32];
        let right = Presented::read(Secret::of("mw_", &bytes).expose(), "mw_", "tok_").unwrap();
        for bit in 0..256 {
            let mut bytes = bytes;
            bytes[bit / 8] ^= 1 << (bit % 8);
            let wrong = Presented::read(Secret::of("mw_", &bytes).expose(), "mw_", "tok_").unwrap();
            assert!(!wrong.is(&right.digest()), "bit {bit}");
        }
    }

    #[test]
    fn texts_of_another_form_are_told_apart_without_a_look_at_the_store() {
        let good = Secret::of("mw_", &[0; 32]);
        let good = good.expose();
        assert!(Presented::read(good, "mw_", "tok_").is_some());
        let spare = format!("{}B", &good[..good.len() - 1]);
        let table =
            ["", "mw_", &good[1..], &good[..45], &format!("{good}A"), &good.replace("mw_", "mws_"), &spare, "mw_ä"];
        for bad in table {
            assert!(Presented::read(bad, "mw_", "tok_").is_none(), "{bad}");
        }
        assert!(Presented::read(&format!("mw_{}", "=".repeat(43)), "mw_", "tok_").is_none());
    }
}
