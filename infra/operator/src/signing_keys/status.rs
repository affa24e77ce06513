//! Where a key stands in its roll.

use domain::{key_mode::KeyMode, signing, time::Timestamp};
use runtime::StartError;
use serde::Serialize;
use store::{PublishedKey, Signer};

/// A key, and where it stands in its roll.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyStatus {
    /// Sandbox or live.
    pub environment: KeyMode,
    /// Its name in tokens and in the JWKS document.
    pub kid: String,
    /// What the stack calls it in KMS; nothing when the stack no longer has it.
    pub key: Option<String>,
    /// What it does.
    pub state: State,
    /// When it was published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published_at: Option<Timestamp>,
    /// From when on it may sign.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub may_sign_at: Option<Timestamp>,
    /// Since when it signs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signs_since: Option<Timestamp>,
    /// When another one took over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped_at: Option<Timestamp>,
    /// From when on it may be retired.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub may_retire_at: Option<Timestamp>,
    /// When it was retired.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retired_at: Option<Timestamp>,
}

/// What a key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// The stack has it, and no verifier knows it.
    Unpublished,
    /// Verifiers trust it, and it signs nothing.
    Published,
    /// It signs.
    Signing,
    /// Nobody trusts it any more, nor ever will.
    Retired,
}

impl KeyStatus {
    pub(super) fn of(
        kind: KeyMode,
        key: &PublishedKey,
        id: Option<String>,
        signer: Option<&Signer>,
    ) -> Self {
        let signs = signer.filter(|signer| signer.kid == key.kid);
        let state = match (key.retired_at, signs) {
            (Some(_), _) => State::Retired,
            (None, Some(_)) => State::Signing,
            (None, None) => State::Published,
        };
        let waits = state == State::Published;
        Self {
            environment: kind,
            kid: key.kid.clone(),
            key: id,
            state,
            published_at: Some(key.published_at),
            may_sign_at: waits.then(|| signing::may_sign_at(key.published_at)),
            signs_since: signs.map(|signer| signer.since),
            stopped_at: key.stopped_at,
            may_retire_at: key.stopped_at.filter(|_| waits).map(signing::may_retire_at),
            retired_at: key.retired_at,
        }
    }

    pub(super) fn unpublished(kind: KeyMode, kid: &str, id: &str) -> Self {
        Self {
            environment: kind,
            kid: kid.to_owned(),
            key: Some(id.to_owned()),
            state: State::Unpublished,
            published_at: None,
            may_sign_at: None,
            signs_since: None,
            stopped_at: None,
            may_retire_at: None,
            retired_at: None,
        }
    }
}

/// The only one that `is` what is asked for; of several, one has to be named.
pub(super) fn only<'a>(
    statuses: &'a [KeyStatus],
    what: &str,
    name_it: &str,
    is: impl Fn(&KeyStatus) -> bool,
) -> Result<&'a KeyStatus, StartError> {
    let mut found = statuses.iter().filter(|status| is(status));
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err(format!("there is no {what}").into()),
        (Some(_), Some(_)) => {
            Err(format!("there is more than one {what}: name one by {name_it}").into())
        }
    }
}
