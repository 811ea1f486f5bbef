use std::sync::Arc;

use millwork_engine::{
    model::{Digest, Fault},
    step::SecretProvider,
};

/// Secrets from the environment: `secrets.NAME` is the variable `MILLWORK_SECRET_NAME`.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct EnvSecrets;

impl SecretProvider for EnvSecrets {
    fn open(&self, name: &str) -> Result<Arc<str>, Fault> {
        let variable = format!("MILLWORK_SECRET_{name}");
        std::env::var(&variable).map(Arc::from).map_err(|_| {
            Fault::user("secret.missing", format!("there is no secret `{name}`"))
                .help(format!("set the environment variable {variable}"))
        })
    }

    /// A keyed digest tells versions apart without telling the text.
    fn version(&self, name: &str) -> Result<String, Fault> {
        let text = self.open(name)?;
        Ok(Digest::of_parts([b"millwork secret version".as_slice(), name.as_bytes(), text.as_bytes()]).to_string()
            [..16]
            .to_owned())
    }
}
