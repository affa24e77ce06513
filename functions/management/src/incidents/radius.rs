//! What an incident hits, counted before it does (LEAK-8).

use std::collections::BTreeSet;

use domain::{
    error::Error,
    feed::Cohort,
    gate::OrganizationGate,
    ids::{ClientId, Guid},
    key::{Effective, Key},
    key_mode::KeyMode,
    time::Timestamp,
};
use serde::Serialize;
use utoipa::ToSchema;
use web::openapi::schema;

use super::order::Found;
use crate::{
    api::{Api, Caller},
    keys::{gate_cache::GateCache, shape},
};

/// How many of the keys are shown.
const SAMPLE: usize = 20;

/// What is revoked, or would be: of what the organization has, whatever is not revoked yet.
#[derive(Serialize, ToSchema)]
#[schema(as = BlastRadius)]
pub(crate) struct Radius {
    /// Whether nothing was done.
    dry_run: bool,
    /// How many keys it revokes.
    keys_affected: usize,
    /// How many of them work.
    active_keys_affected: usize,
    /// How many banks have such keys.
    banks_affected: usize,
    /// How many people have such keys.
    users_affected: usize,
    /// Whether the key that makes this call is among them.
    pub(super) includes_caller: bool,
    /// People whose personal keys it spares: those over whom the caller has no say at this moment,
    /// such as an administrator over owners. Whatever their role becomes, it stays so.
    #[schema(value_type = Vec<schema::Guid>, max_items = 50)]
    spared_users: Vec<Guid>,
    /// Which keys they are; null where they were named one by one.
    #[schema(required)]
    cohort: Option<Members>,
    /// The first of them, at most 20.
    #[schema(max_items = 20)]
    sample: Vec<Sample>,
}

/// What the keys of an incident have in common; null for whatever.
#[derive(Serialize, ToSchema)]
#[schema(as = Cohort)]
struct Members {
    /// The bank or user that has them.
    #[schema(value_type = Option<String>, required)]
    owner_guid: Option<Guid>,
    #[schema(value_type = Option<schema::Kind>, required)]
    environment: Option<KeyMode>,
    /// Made at this time or later.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    created_from: Option<Timestamp>,
    /// Made before this time. It lies fifteen seconds ahead, where no other end was asked for, so
    /// that no clock that is ahead lets a key escape; keys that are made from now on count as made
    /// after it.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    created_until: Option<Timestamp>,
}

impl From<Cohort> for Members {
    fn from(
        Cohort {
            environment,
            created_from,
            created_until,
            owner,
            ..
        }: Cohort,
    ) -> Self {
        Self {
            owner_guid: owner,
            environment,
            created_from,
            created_until,
        }
    }
}

/// One of the keys.
#[derive(Serialize, ToSchema)]
#[schema(as = AffectedKey)]
struct Sample {
    #[schema(value_type = schema::ClientId)]
    client_id: ClientId,
    name: String,
    owner: shape::Owner,
    #[schema(value_type = schema::Kind)]
    environment: KeyMode,
    #[schema(value_type = schema::KeyState)]
    state: Effective,
}

impl Radius {
    /// What revoking these keys of an organization does at this moment.
    pub(super) async fn measure(
        api: &Api,
        caller: &Caller,
        (organization, gate): (Guid, &OrganizationGate),
        found: &Found,
        spared: &[Guid],
        dry_run: bool,
    ) -> Result<Self, Error> {
        let now = api.now();
        let cohort = found.cohort(gate, spared, now);
        let keys = match (found, &cohort) {
            (Found::Keys(keys), _) => keys.clone(),
            (_, Some(cohort)) => members(api, organization, cohort).await?,
            (_, None) => Vec::new(),
        };
        let mut gates = GateCache::read(api, gate.clone(), &keys).await?;
        let mut state = |key: &Key| key.effective(gates.of(key), now);
        let affected: Vec<_> = keys
            .iter()
            .map(|key| (key, state(key)))
            .filter(|(_, state)| *state != Effective::Revoked)
            .collect();
        let distinct = |owner: fn(&Key) -> Option<Guid>| {
            affected
                .iter()
                .filter_map(|(key, _)| owner(key))
                .collect::<BTreeSet<_>>()
        };
        Ok(Self {
            dry_run,
            keys_affected: affected.len(),
            active_keys_affected: affected
                .iter()
                .filter(|(_, state)| *state == Effective::Active)
                .count(),
            banks_affected: distinct(|key| key.owner.bank()).len(),
            users_affected: distinct(|key| key.owner.user()).len(),
            includes_caller: affected
                .iter()
                .any(|(key, _)| key.client_id == caller.client_id),
            spared_users: spared.to_vec(),
            cohort: cohort.map(Members::from),
            sample: affected
                .iter()
                .take(SAMPLE)
                .map(|(key, state)| Sample::of(key, *state))
                .collect(),
        })
    }

    /// The same, done, of the cohort that it was in the end.
    pub(super) fn done(self, cohort: Option<Cohort>) -> Self {
        Self {
            spared_users: cohort
                .as_ref()
                .map_or_else(Vec::new, |cohort| cohort.spared.clone()),
            cohort: cohort.map(Members::from),
            ..self
        }
    }
}

/// The keys of a cohort that are not revoked by themselves, in order of creation.
async fn members(api: &Api, organization: Guid, cohort: &Cohort) -> Result<Vec<Key>, Error> {
    let rows = api.store.key_rows(organization).await?;
    let rows = rows.iter().filter(|row| {
        !row.revoked && cohort.contains(row.kind, row.created_at, &[row.owner.guid()])
    });
    Ok(api.store.keys(rows.map(|row| row.client_id)).await?)
}

impl Sample {
    fn of(key: &Key, state: Effective) -> Self {
        Self {
            client_id: key.client_id,
            name: key.name.to_string(),
            owner: key.owner.into(),
            environment: key.kind,
            state,
        }
    }
}
