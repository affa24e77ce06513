//! A key as `/api/keys` shows it.

use std::{iter, str::FromStr};

use domain::{
    authority::CallerAuthority,
    gate::Gates,
    ids::{ClientId, Guid, SecretId},
    key::{self, Effective, Key, MinterEnd, Previous, Until},
    key_mode::KeyMode,
    organization::Name,
    text::Note,
    time::Timestamp,
    webhook_url::WebhookUrl,
};
use serde::{Deserialize, Serialize};
use store::KeyView;
use utoipa::ToSchema;
use web::openapi::schema;

use crate::api::Api;

/// A key and what it is now.
#[derive(Serialize, ToSchema)]
#[schema(as = Key)]
pub(crate) struct Response {
    name: String,
    #[schema(value_type = schema::Guid)]
    guid: Guid,
    #[schema(value_type = schema::ClientId)]
    client_id: ClientId,
    /// What its tokens may carry; of a personal key, what its user may do by it now.
    #[schema(value_type = Vec<schema::Scope>)]
    scopes: Vec<String>,
    #[schema(value_type = Vec<schema::AllowlistEntry>)]
    ip_allowlist: Vec<String>,
    #[schema(value_type = Option<String>, format = DateTime, required)]
    expires_at: Option<Timestamp>,
    #[schema(value_type = schema::Timestamp)]
    created_at: Timestamp,
    #[schema(value_type = schema::Timestamp)]
    updated_at: Timestamp,
    #[schema(value_type = Option<String>, required)]
    description: Option<Note>,
    owner: Owner,
    #[schema(value_type = schema::Kind)]
    environment: KeyMode,
    #[schema(value_type = schema::KeyState)]
    state: Effective,
    /// Where payments made with it arrive.
    #[schema(value_type = Option<String>, required)]
    destination: Option<Name>,
    /// Where its webhooks go. Platform staff do not see its path and query.
    #[schema(required)]
    webhook_url: Option<String>,
    /// Those whose term is not over, the newest first.
    secrets: Vec<Secret>,
}

/// Whose a key is.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = KeyOwnerType)]
pub(crate) enum OwnerType {
    Organization,
    Bank,
    User,
}

impl OwnerType {
    pub(crate) const fn owner(self, guid: Guid) -> key::Owner {
        match self {
            Self::Organization => key::Owner::Organization(guid),
            Self::Bank => key::Owner::Bank(guid),
            Self::User => key::Owner::User(guid),
        }
    }
}

impl FromStr for OwnerType {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "organization" => Ok(Self::Organization),
            "bank" => Ok(Self::Bank),
            "user" => Ok(Self::User),
            _ => Err("must be organization, bank or user"),
        }
    }
}

/// Whose a key is.
#[derive(Serialize, ToSchema)]
#[schema(as = KeyOwner)]
pub(crate) struct Owner {
    #[serde(rename = "type")]
    owner_type: OwnerType,
    #[schema(value_type = schema::Guid)]
    guid: Guid,
}

impl From<key::Owner> for Owner {
    fn from(owner: key::Owner) -> Self {
        let owner_type = match owner {
            key::Owner::Organization(_) => OwnerType::Organization,
            key::Owner::Bank(_) => OwnerType::Bank,
            key::Owner::User(_) => OwnerType::User,
        };
        Self {
            owner_type,
            guid: owner.guid(),
        }
    }
}

/// One of a key's secrets, without the secret itself.
#[derive(Serialize, ToSchema)]
#[schema(as = KeySecret)]
pub(crate) struct Secret {
    #[schema(value_type = schema::Guid)]
    id: SecretId,
    #[schema(value_type = schema::Timestamp)]
    created_at: Timestamp,
    /// When it ends, where that is known.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    expires_at: Option<Timestamp>,
    /// What ends it; nothing ends the newest one but another rotation and the end of the key.
    #[schema(required)]
    ends: Option<Ends>,
    /// Seconds from the first use of the newer secret on, where that starts them.
    #[schema(required)]
    grace_period: Option<u64>,
    /// The person who asked for it and was shown it, who is not the key's own user; null where
    /// nobody is known, and to those who do not manage the key.
    #[schema(value_type = Option<String>, required)]
    minted_by: Option<Guid>,
    /// Another person who may have been shown it: who knows the secret by which it was asked
    /// for.
    #[schema(value_type = Option<String>, required)]
    known_to: Option<Guid>,
    /// How one of these people ended it (LEAK-9): it works no more, and nothing brings it back.
    /// Null where nobody did, and to those who do not manage the key.
    #[schema(required)]
    ended_by_minter: Option<MinterEndName>,
}

/// Why a secret ended that somebody else than the key's user was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = MinterEnd)]
pub(crate) enum MinterEndName {
    MinterDisabled,
    MinterNarrowed,
}

impl From<MinterEnd> for MinterEndName {
    fn from(end: MinterEnd) -> Self {
        match end {
            MinterEnd::MinterDisabled => Self::MinterDisabled,
            MinterEnd::MinterNarrowed => Self::MinterNarrowed,
        }
    }
}

/// What ends a secret that a newer one has followed.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = KeySecretEnds)]
enum Ends {
    AtExpiry,
    WhenFinished,
    AfterFirstUse,
}

impl From<Previous> for Secret {
    fn from(previous: Previous) -> Self {
        let (ends, grace_period) = match previous.until {
            Until::At { .. } => (Ends::AtExpiry, None),
            Until::Finish | Until::FirstUse { grace: None, .. } => (Ends::WhenFinished, None),
            Until::FirstUse {
                grace: Some(grace), ..
            } => (Ends::AfterFirstUse, Some(grace)),
        };
        Self {
            id: previous.id,
            created_at: previous.created_at,
            expires_at: previous.expires_at(),
            ends: Some(ends),
            grace_period,
            minted_by: None,
            known_to: None,
            ended_by_minter: None,
        }
    }
}

impl Response {
    /// The key of a view, for its caller's eyes.
    pub(crate) fn of(api: &Api, view: &KeyView) -> Self {
        Self::changed(api, view, view.key())
    }

    /// The key of a view as it has become.
    pub(crate) fn changed(api: &Api, view: &KeyView, key: &Key) -> Self {
        Self::new(api, view.caller(), key, view.gates())
    }

    /// A key behind its gates, for this caller's eyes.
    pub(crate) fn new(api: &Api, caller: &CallerAuthority, key: &Key, gates: &Gates) -> Self {
        let now = api.now();
        let state = key.effective(gates, now);
        let scopes = match key.owner {
            key::Owner::User(_) => gates
                .user
                .as_ref()
                .map(|user| user.scopes(&api.catalogue, key.kind))
                .unwrap_or_default(),
            key::Owner::Organization(_) | key::Owner::Bank(_) => key.scopes.clone(),
        };
        let address = if caller.is_staff() {
            WebhookUrl::masked
        } else {
            |url: &WebhookUrl| url.expose().to_owned()
        };
        Self {
            name: key.name.to_string(),
            guid: key.client_id.guid(),
            client_id: key.client_id,
            scopes: scopes.iter().map(ToString::to_string).collect(),
            ip_allowlist: key.ip_allowlist.entries().collect(),
            expires_at: key.expires_at,
            created_at: key.created_at,
            updated_at: key.updated_at,
            description: key.description.clone(),
            owner: key.owner.into(),
            environment: key.kind,
            state,
            destination: key.destination.clone(),
            webhook_url: key.webhook_url.as_ref().map(address),
            secrets: Secret::of(caller, key, gates, now),
        }
    }
}

impl Secret {
    /// The secrets of a key that is not over, the newest first.
    pub(crate) fn of(
        caller: &CallerAuthority,
        key: &Key,
        gates: &Gates,
        now: Timestamp,
    ) -> Vec<Self> {
        if matches!(
            key.effective(gates, now),
            Effective::Revoked | Effective::Expired
        ) {
            return Vec::new();
        }
        let key::Current { id, created_at, .. } = key.secrets.current;
        let current = Self {
            id,
            created_at,
            expires_at: None,
            ends: None,
            grace_period: None,
            minted_by: None,
            known_to: None,
            ended_by_minter: None,
        };
        let manages = caller.manages(key.into(), gates.user.as_ref());
        let shown_to = |id| {
            if manages {
                key.secrets.shown_to(id)
            } else {
                key::ShownTo::NOBODY
            }
        };
        iter::once(current)
            .chain(key.secrets.working_previous(now).map(Self::from))
            .map(|secret| Self {
                minted_by: shown_to(secret.id).minted_by.map(|minter| minter.user),
                known_to: shown_to(secret.id).known_to.map(|minter| minter.user),
                ended_by_minter: key
                    .ended_by_minter(secret.id, gates)
                    .filter(|_| manages)
                    .map(MinterEndName::from),
                ..secret
            })
            .collect()
    }
}
