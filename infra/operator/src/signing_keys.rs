//! The roll of a signing key, as the operator does it: publish, wait, sign, wait, retire
//! (docs/signing-keys.md). The token function signs by what is written here; how long each step
//! waits is `domain::signing`'s.

#![expect(
    clippy::similar_names,
    reason = "`kid` and `kind` are what the standard and the product call them"
)]

mod status;
#[cfg(test)]
mod tests;

use std::{fmt, time::Duration};

use aws_sdk_kms::{Client, primitives::Blob, types::KeyState};
use domain::{
    audit::{Actor, Origin},
    error::causes,
    key_mode::KeyMode,
    signing,
    time::{Clock, Timestamp},
};
use jwt::Jwk;
use runtime::{Ambient, Env, StartError};
use store::{Store, StoreError, Tables};

use self::status::only;
pub use self::status::{KeyStatus, State};

/// The signing keys of one stack.
pub struct SigningKeys {
    store: Store,
    kms: Client,
    clock: Clock,
    sandbox: Vec<String>,
    live: Vec<String>,
}

/// What to do about a step that is too early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Early {
    /// Say how long to wait.
    Refuse,
    /// Wait.
    Wait,
    /// Take it all the same: an emergency.
    Now,
}

/// How often a wait looks at the clock.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

impl SigningKeys {
    /// Those of whatever stack `env` names, by the token function's own variables.
    ///
    /// # Errors
    /// A variable that is missing or wrong.
    pub fn open(env: &Env, ambient: &Ambient) -> Result<Self, StartError> {
        let entropy = ambient.entropy.clone();
        Ok(Self {
            store: Store::new(
                &ambient.aws,
                Tables::of(|name| env.required(name))?,
                ambient.clock.clone(),
                move || entropy.guid(),
            ),
            kms: Client::new(&ambient.aws),
            clock: ambient.clock.clone(),
            sandbox: runtime::env::signing_keys(env, KeyMode::Sandbox)?,
            live: runtime::env::signing_keys(env, KeyMode::Live)?,
        })
    }

    /// Every key of a kind that the stack has or that was ever published, the oldest first.
    ///
    /// # Errors
    /// What keeps it from being read.
    pub async fn list(&self, kind: KeyMode) -> Result<Vec<KeyStatus>, StartError> {
        let signer = self.store.signer(kind).await?;
        let mut published = self.store.all_signing_keys(kind).await?;
        published.sort_by_key(|key| key.published_at);
        let stack = self.stack_keys(kind).await?;
        let named = |kid: &str| {
            stack
                .iter()
                .find(|(_, jwk)| jwk.kid() == kid)
                .map(|(id, _)| id.clone())
        };
        let mut statuses: Vec<KeyStatus> = published
            .iter()
            .map(|key| KeyStatus::of(kind, key, named(&key.kid), signer.as_ref()))
            .collect();
        let unpublished = stack
            .iter()
            .filter(|(_, jwk)| !published.iter().any(|key| key.kid == jwk.kid()));
        statuses.extend(unpublished.map(|(id, jwk)| KeyStatus::unpublished(kind, jwk.kid(), id)));
        Ok(statuses)
    }

    /// Publishes a key of the stack that never was before: the one named, or the only one.
    ///
    /// # Errors
    /// There is no such key, or more than one; KMS would not sign by it; it was published before.
    pub async fn publish(&self, kind: KeyMode, key: Option<&str>) -> Result<KeyStatus, StartError> {
        let statuses = self.list(kind).await?;
        let kid = match key {
            Some(key) => self.public_key(key).await?.kid().to_owned(),
            None => only(&statuses, "unpublished key", "--key", |status| {
                status.state == State::Unpublished
            })?
            .kid
            .clone(),
        };
        let Some(status) = statuses
            .iter()
            .find(|status| status.kid == kid)
            .filter(|status| status.key.is_some())
        else {
            return Err(format!(
                "{kid} is no {kind} key of this stack: see LATCHKEY_{}_SIGNING_KEYS",
                shout(kind)
            )
            .into());
        };
        match status.state {
            State::Unpublished => {}
            State::Retired => {
                return Err(
                    format!("{kid} was retired: a retired key is never published again").into(),
                );
            }
            State::Published | State::Signing => {
                return Err(format!("{kid} is published already").into());
            }
        }
        if self
            .store
            .all_signing_keys(other(kind))
            .await?
            .iter()
            .any(|key| key.kid == kid)
        {
            return Err(format!("{kid} is published for the other kind of tokens").into());
        }
        let jwk = self.require_usable(status).await?;
        self.store
            .add_signing_key(kind, &kid, &serde_json::to_value(&jwk)?, &operator())
            .await
            .map_err(changed)?;
        self.one(kind, &kid).await
    }

    /// Has a published key take over signing: the one named, or the only one that does not sign.
    ///
    /// # Errors
    /// There is no such key, or more than one; it has not been published for long enough; KMS would
    /// not sign by it.
    pub async fn sign(
        &self,
        kind: KeyMode,
        kid: Option<&str>,
        early: Early,
    ) -> Result<KeyStatus, StartError> {
        let waits = |status: &KeyStatus| status.state == State::Published;
        let status = self
            .find(kind, kid, "published key that does not sign", waits)
            .await?;
        let Some(published_at) = status.published_at else {
            return Err(format!("{} is not published: publish it first", status.kid).into());
        };
        match status.state {
            State::Signing => return Err(format!("{} signs already", status.kid).into()),
            State::Retired => {
                return Err(
                    format!("{} was retired: nobody trusts it any more", status.kid).into(),
                );
            }
            State::Unpublished | State::Published => {}
        }
        if status.key.is_none() {
            let problem = format!(
                "{} is no key of this stack any more: the token function could not sign by it",
                status.kid
            );
            return Err(problem.into());
        }
        let why = "until then somebody may verify by a list without it";
        self.require_in_time(
            early,
            signing::may_sign_at(published_at),
            &format!("{} may sign", status.kid),
            why,
        )
        .await?;
        self.require_usable(&status).await?;
        let signer = self.store.signer(kind).await?;
        self.store
            .change_signer(kind, signer.as_ref(), &status.kid, &operator())
            .await
            .map_err(changed)?;
        self.one(kind, &status.kid).await
    }

    /// Withdraws a published key for good: the one named, or the only one that stopped signing. One
    /// that never signed is most often the next one, so it has to be named.
    ///
    /// # Errors
    /// There is no such key, or more than one; it signs; tokens that it signed may still live.
    pub async fn retire(
        &self,
        kind: KeyMode,
        kid: Option<&str>,
        early: Early,
    ) -> Result<KeyStatus, StartError> {
        let stopped =
            |status: &KeyStatus| status.state == State::Published && status.stopped_at.is_some();
        let what =
            "published key that stopped signing (one that never signed must be named by --kid)";
        let status = self.find(kind, kid, what, stopped).await?;
        let kid = &status.kid;
        match status.state {
            State::Unpublished => return Err(format!("{kid} is not published").into()),
            State::Signing => {
                return Err(format!("{kid} signs: have another key sign first").into());
            }
            State::Retired => return Err(format!("{kid} is retired already").into()),
            State::Published => {}
        }
        // While none is named that signs, an instance may be about to name this one.
        let signer = self
            .store
            .signer(kind)
            .await?
            .ok_or("no key signs yet: the first token names one")?;
        if let Some(stopped_at) = status.stopped_at {
            let why = "until then a token that it signed may live";
            self.require_in_time(
                early,
                signing::may_retire_at(stopped_at),
                &format!("{kid} may be retired"),
                why,
            )
            .await?;
        }
        let keys = self.store.signing_keys(kind).await?;
        let key = keys
            .iter()
            .find(|key| key.kid == *kid && key.stopped_at == status.stopped_at);
        let key = key.ok_or_else(|| changed(StoreError::Changed))?;
        self.store
            .retire_signing_key(kind, key, &signer, &operator())
            .await
            .map_err(changed)?;
        self.one(kind, kid).await
    }

    /// The key of this name, or the only one that `is` what is asked for.
    async fn find(
        &self,
        kind: KeyMode,
        kid: Option<&str>,
        what: &str,
        is: impl Fn(&KeyStatus) -> bool,
    ) -> Result<KeyStatus, StartError> {
        match kid {
            Some(kid) => self.one(kind, kid).await,
            None => only(&self.list(kind).await?, what, "--kid", is).cloned(),
        }
    }

    async fn one(&self, kind: KeyMode, kid: &str) -> Result<KeyStatus, StartError> {
        let named = self
            .list(kind)
            .await?
            .into_iter()
            .find(|status| status.kid == kid);
        Ok(named.ok_or_else(|| format!("there is no {kind} signing key {kid}"))?)
    }

    async fn require_in_time(
        &self,
        early: Early,
        from: Timestamp,
        what: &str,
        why: &str,
    ) -> Result<(), StartError> {
        let remaining = || {
            u64::try_from(from.since((self.clock)()))
                .ok()
                .filter(|millis| *millis > 0)
                .map(Duration::from_millis)
        };
        match early {
            Early::Now => {}
            Early::Refuse => {
                if let Some(time) = remaining() {
                    let time = spoken(time);
                    return Err(format!(
                        "{what} from {from} on, in {time} ({why}): wait, or say --wait"
                    )
                    .into());
                }
            }
            Early::Wait => {
                while let Some(time) = remaining() {
                    tokio::time::sleep(time.min(POLL_INTERVAL)).await;
                }
            }
        }
        Ok(())
    }

    async fn stack_keys(&self, kind: KeyMode) -> Result<Vec<(String, Jwk)>, StartError> {
        let mut keys = Vec::new();
        for id in if kind == KeyMode::Sandbox {
            &self.sandbox
        } else {
            &self.live
        } {
            keys.push((id.clone(), self.public_key(id).await?));
        }
        Ok(keys)
    }

    async fn public_key(&self, id: &str) -> Result<Jwk, StartError> {
        let answer = self.kms.get_public_key().key_id(id).send().await;
        let answer = answer.map_err(|error| {
            format!("the public key of {id} cannot be read: {}", causes(&error))
        })?;
        let jwk = Jwk::from_spki(answer.public_key().map(Blob::as_ref).unwrap_or_default());
        Ok(jwk.map_err(|problem| format!("{id} is no key that signs tokens: {problem}"))?)
    }

    /// The public key, if KMS would sign by it: a disabled key, or one that waits for its deletion,
    /// would stop all issuing.
    async fn require_usable(&self, status: &KeyStatus) -> Result<Jwk, StartError> {
        let id = status.key.as_deref().unwrap_or_default();
        let answer = self.kms.describe_key().key_id(id).send().await;
        let answer =
            answer.map_err(|error| format!("{id} cannot be described: {}", causes(&error)))?;
        match answer
            .key_metadata()
            .and_then(|metadata| metadata.key_state())
        {
            Some(KeyState::Enabled) => self.public_key(id).await,
            Some(state) => Err(format!("KMS does not sign by {id}: its state is {state}").into()),
            None => Err(format!("KMS does not say what state {id} is in").into()),
        }
    }
}

fn changed(error: StoreError) -> StartError {
    match error {
        StoreError::Changed | StoreError::Exists => {
            "somebody else changed these keys in the same moment: look at `signing-keys list`, and \
             decide again"
                .into()
        }
        error => error.into(),
    }
}

/// A time as one says it, rounded up to seconds.
fn spoken(time: Duration) -> String {
    let seconds = time.as_millis().div_ceil(1000);
    match (seconds / 60, seconds % 60) {
        (0, seconds) => format!("{seconds} s"),
        (minutes, 0) => format!("{minutes} min"),
        (minutes, seconds) => format!("{minutes} min {seconds} s"),
    }
}

const fn shout(kind: KeyMode) -> &'static str {
    match kind {
        KeyMode::Sandbox => "SANDBOX",
        KeyMode::Live => "LIVE",
    }
}

const fn other(kind: KeyMode) -> KeyMode {
    match kind {
        KeyMode::Sandbox => KeyMode::Live,
        KeyMode::Live => KeyMode::Sandbox,
    }
}

fn operator() -> Origin {
    Origin::of(Actor::Operator)
}

impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKeys({:?})", self.store)
    }
}
