use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use millwork_engine::{model::Fault, step::SecretText};
use sha2::Sha256;

/// What secrets of Standard Webhooks begin with; base64 follows.
const PREFIX: &str = "whsec_";

/// A key to sign with.
pub(super) struct Key(Hmac<Sha256>);

impl Key {
    /// Reads `whsec_` and base64; any other text is the key itself.
    pub(super) fn read(secret: &SecretText) -> Result<Self, Fault> {
        Self::of(secret.expose().trim()).map_err(|why| {
            Fault::user("notify.sign", format!("the key of `sign` cannot be used: {why}"))
                .help("give `whsec_` and the key in base64, or any other text")
        })
    }

    fn of(text: &str) -> Result<Self, &'static str> {
        let key = match text.strip_prefix(PREFIX) {
            Some(encoded) => BASE64_STANDARD.decode(encoded).map_err(|_| "what follows `whsec_` is not base64")?,
            None => text.into(),
        };
        if key.is_empty() {
            return Err("it is empty");
        }
        Hmac::new_from_slice(&key).map(Self).map_err(|_| "it has a wrong length")
    }

    /// The value of `webhook-signature`.
    pub(super) fn sign(&self, id: &str, seconds: i64, body: &[u8]) -> String {
        let mut mac = self.0.clone();
        mac.update(format!("{id}.{seconds}.").as_bytes());
        mac.update(body);
        format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::Key;

    /// The example of the specification of Standard Webhooks.
    #[test]
    fn signs_as_standard_webhooks_does() {
        let key = Key::of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a key");
        let signature = key.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_key_that_is_none_is_refused() {
        assert_eq!(Key::of("whsec_%%").err(), Some("what follows `whsec_` is not base64"));
        assert_eq!(Key::of("").err(), Some("it is empty"));
        assert!(Key::of("any text").is_ok());
    }
}
