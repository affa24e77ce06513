//! The key at the deployment, by one of its secrets.

use std::sync::Arc;

use client::{Credential, Deployment, Error, Session};
use domain::time::Clock;
use http::{HeaderMap, Method};
use serde::Deserialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::{Failure, value::Stored};

/// A key, and one of its secrets that works.
#[derive(Debug)]
pub(crate) struct Key {
    session: Session,
    client_id: String,
}

/// What became of a secret that was presented.
pub(crate) enum Proof {
    /// It works.
    Works(Key),
    /// It does not, or its key does not.
    Fails,
}

/// What a rotation came to.
pub(crate) enum Minted {
    /// A new secret.
    Secret(Zeroizing<String>),
    /// An older one than the one that asked still works.
    Busy,
    /// The secret that asked is not the newest.
    NotNewest,
}

#[derive(Deserialize)]
struct Rotated {
    secret: Zeroizing<String>,
}

impl Key {
    /// Presents a secret. Of a key that gets tokens, one is got with all its scopes, as it takes to
    /// rotate it; a personal key is sent itself, and reads itself. Either is a use of the secret.
    pub(crate) async fn prove(
        deployment: &Arc<Deployment>,
        clock: &Clock,
        stored: &Stored,
    ) -> Result<Proof, Failure> {
        let client_id = stored.client_id().to_owned();
        let secret = stored.secret().clone();
        let session = |credential| Session::new(deployment.clone(), credential, clock.clone());
        let machine = session(Credential::Client {
            id: client_id.clone(),
            secret: secret.clone(),
        });
        let session = match machine.authorization().await {
            Ok(_) => machine,
            Err(error) if code(&error) == "unauthorized_client" => {
                let person = session(Credential::Bearer(secret));
                match person
                    .call(Method::GET, &format!("/api/keys/{client_id}"), None)
                    .await
                {
                    Ok(_) => person,
                    Err(error) if error.is_status(401) => return Ok(Proof::Fails),
                    Err(error) => return Err(error.into()),
                }
            }
            Err(error) if code(&error) == "invalid_client" => return Ok(Proof::Fails),
            Err(error) => return Err(error.into()),
        };
        Ok(Proof::Works(Self { session, client_id }))
    }

    /// Mints a secret, the one before working on until the rotation is finished. Until the new one
    /// is used, the one before can replace it.
    pub(crate) async fn rotate(&self) -> Result<Minted, Failure> {
        self.mint(&json!({"grace_period": null, "grace_starts": "first_use", "replaceable": true}))
            .await
    }

    /// Mints a secret in the place of the newest.
    pub(crate) async fn replace(&self) -> Result<Minted, Failure> {
        self.mint(&json!({"replace": true})).await
    }

    async fn mint(&self, body: &Value) -> Result<Minted, Failure> {
        let answer = self
            .session
            .send(
                Method::POST,
                &self.path("rotate"),
                HeaderMap::new(),
                Some(body),
            )
            .await?;
        match answer.read::<Rotated>() {
            Ok(Rotated { secret }) => Ok(Minted::Secret(secret)),
            Err(error) if error.is_status(409) => Ok(Minted::Busy),
            Err(error) if code(&error) == "forbidden" => Ok(Minted::NotNewest),
            Err(error) => Err(error.into()),
        }
    }

    /// Ends the secret before this one, in so many seconds. Nothing where this one is not the
    /// newest.
    pub(crate) async fn finish(&self, grace: u64) -> Result<Option<()>, Failure> {
        let body = json!({"grace_period": grace});
        match self
            .session
            .call(Method::POST, &self.path("finish_rotation"), Some(&body))
            .await
        {
            Ok(_) => Ok(Some(())),
            Err(error) if code(&error) == "forbidden" => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn path(&self, operation: &str) -> String {
        format!("/api/keys/{}/{operation}", self.client_id)
    }
}

fn code(error: &Error) -> &str {
    error
        .response()
        .map(|response| response.code.as_str())
        .unwrap_or_default()
}
