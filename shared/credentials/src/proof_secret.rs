//! The operator's side of the proofs: draws a new one, and drops the old one when the proxy has
//! stopped sending it. No proof is ever shown: the proxy is given it by a reference to the secret.

use std::fmt::Write as _;

use aws_sdk_secretsmanager::{Client, error::DisplayErrorContext};
use runtime::{Ambient, Entropy, Env, StartError};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::proofs::{Proofs, SECRET};

/// The secret of the proofs, for whoever may change it.
#[derive(Debug)]
pub struct ProofSecret {
    client: Client,
    secret: String,
}

/// What is in the secret, without its values.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Held {
    /// The version of the secret.
    pub version: String,
    /// Which proofs it holds: `current`, and during a rotation `previous`.
    pub proofs: Vec<&'static str>,
}

impl ProofSecret {
    /// The secret that `LATCHKEY_TRUSTED_PROXY_SECRET` names.
    ///
    /// # Errors
    /// When the variable is not set.
    pub fn open(env: &Env, ambient: &Ambient) -> Result<Self, StartError> {
        Ok(Self {
            client: Client::new(&ambient.aws),
            secret: env.required(SECRET)?.to_owned(),
        })
    }

    /// What it holds.
    ///
    /// # Errors
    /// It cannot be read, or is not of that form.
    pub async fn held(&self) -> Result<Held, StartError> {
        let (proofs, version) = self.read().await?;
        Ok(Held {
            version,
            proofs: proofs.names(),
        })
    }

    /// Makes a new proof current and the current one previous: both are right until the rotation is
    /// finished.
    ///
    /// # Errors
    /// The last rotation is not finished: the proxy may still send what this one would drop. Or
    /// Secrets Manager refuses.
    pub async fn rotate(&self, entropy: &Entropy) -> Result<Held, StartError> {
        let (proofs, _) = self.read().await?;
        if proofs.previous.is_some() {
            return Err(
                "the last rotation is not finished: when the proxy sends the current proof \
                 everywhere, say finish"
                    .into(),
            );
        }
        let mut drawn = Zeroizing::new(String::with_capacity(64));
        for byte in entropy.secret().iter() {
            write!(*drawn, "{byte:02x}")?;
        }
        self.put(Proofs {
            current: drawn,
            previous: Some(proofs.current),
        })
        .await
    }

    /// Drops the previous proof, if there is one.
    ///
    /// # Errors
    /// Secrets Manager refuses.
    pub async fn finish(&self) -> Result<Held, StartError> {
        let (proofs, version) = self.read().await?;
        if proofs.previous.is_none() {
            return Ok(Held {
                version,
                proofs: proofs.names(),
            });
        }
        self.put(Proofs {
            previous: None,
            ..proofs
        })
        .await
    }

    async fn read(&self) -> Result<(Proofs, String), StartError> {
        let answer = self
            .client
            .get_secret_value()
            .secret_id(&self.secret)
            .send()
            .await;
        let answer = answer.map_err(|error| format!("{SECRET}: {}", DisplayErrorContext(error)))?;
        let proofs = Proofs::parse(answer.secret_string().unwrap_or_default())
            .map_err(|problem| format!("{SECRET}: {problem}"))?;
        Ok((proofs, answer.version_id().unwrap_or_default().to_owned()))
    }

    async fn put(&self, proofs: Proofs) -> Result<Held, StartError> {
        let answer = self
            .client
            .put_secret_value()
            .secret_id(&self.secret)
            .secret_string(proofs.value()?.as_str())
            .send()
            .await;
        let answer = answer.map_err(|error| format!("{SECRET}: {}", DisplayErrorContext(error)))?;
        Ok(Held {
            version: answer.version_id().unwrap_or_default().to_owned(),
            proofs: proofs.names(),
        })
    }
}

impl Proofs {
    fn names(&self) -> Vec<&'static str> {
        [Some("current"), self.previous.as_ref().map(|_| "previous")]
            .into_iter()
            .flatten()
            .collect()
    }

    /// The secret's value.
    fn value(&self) -> Result<Zeroizing<String>, serde_json::Error> {
        let mut members = vec![("current", self.current.as_str())];
        members.extend(
            self.previous
                .as_ref()
                .map(|previous| ("previous", previous.as_str())),
        );
        serde_json::to_string(
            &members
                .into_iter()
                .collect::<std::collections::BTreeMap<_, _>>(),
        )
        .map(Zeroizing::new)
    }
}
