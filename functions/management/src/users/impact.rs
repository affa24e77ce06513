//! What a change of a user ends, told before it is made (LEAK-9): their personal keys, the secrets
//! of other people's that they were shown, and the secrets of machines' keys that they know and
//! that work on.

use domain::{
    authority::CallerAuthority,
    gate::Gates,
    ids::{ClientId, Guid, SecretId},
    key::{Effective, Key},
    key_mode::KeyMode,
    time::Timestamp,
    user::User,
};
use serde::Serialize;
use utoipa::ToSchema;
use web::openapi::schema;

use crate::{
    api::Api,
    keys::{gate_cache::GateCache, shape},
};

/// How many keys of each list are shown.
const SHOWN: usize = 1000;

/// What a change of a user would do.
#[derive(Serialize, ToSchema)]
#[schema(as = UserImpact)]
pub(crate) struct Impact {
    /// That nothing was done.
    dry_run: bool,
    /// How many keys would lose what works of them, of either environment.
    ends_total: usize,
    /// Those keys that the caller sees, the first thousand of them: of machines' keys, those of the
    /// caller's own environment.
    #[schema(max_items = 1000)]
    ends: Vec<Ended>,
    /// How many keys of machines have a secret that the person was shown, of either environment.
    to_rotate_total: usize,
    /// Those keys that the caller sees, the first thousand of them. They work on, since production
    /// does not stop when somebody leaves: rotate them with a `grace_period` as short as their
    /// users can bear.
    #[schema(max_items = 1000)]
    to_rotate: Vec<Known>,
}

/// A key that would end, or some of its secrets.
#[derive(Serialize, ToSchema)]
#[schema(as = EndedKey)]
struct Ended {
    #[serde(flatten)]
    key: Known,
    reason: Reason,
}

/// Why it would end.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = EndReason)]
enum Reason {
    /// It is the user's own.
    UserDisabled,
    /// The user was shown its secret, and would be disabled.
    MinterDisabled,
    /// The user was shown its secret, and would lose a role or a scope.
    MinterNarrowed,
}

/// A key and the secrets of it that are concerned.
#[derive(Serialize, ToSchema)]
#[schema(as = ConcernedKey)]
struct Known {
    #[schema(value_type = schema::ClientId)]
    client_id: ClientId,
    name: String,
    owner: shape::Owner,
    #[schema(value_type = schema::Kind)]
    environment: KeyMode,
    /// The secrets that would end or are known.
    #[schema(value_type = Vec<schema::Guid>)]
    secrets: Vec<SecretId>,
}

impl Impact {
    /// What happens to the organization's keys once `before` is `after`.
    pub(super) async fn measure(
        api: &Api,
        (caller, gates): (&CallerAuthority, &Gates),
        before: &User,
        after: &User,
    ) -> Result<Self, domain::error::Error> {
        let (disabled, narrowed) = (
            after.is_disabled() && !before.is_disabled(),
            after.narrowed != before.narrowed,
        );
        let now = api.now();
        let rows = api.store.key_rows(before.organization).await?;
        let rows = rows.iter().filter(|row| !row.revoked);
        let keys = api.store.keys(rows.map(|row| row.client_id)).await?;
        let mut cache = GateCache::read(api, gates.organization.clone(), &keys).await?;
        let (mut ends, mut to_rotate) = (Vec::new(), Vec::new());
        let mut totals = (0, 0);
        for key in &keys {
            let is_seen = caller.sees(key.into());
            let gates = cache.of(key);
            if !is_alive(key, gates, now) {
                continue;
            }
            let known = || working(key, gates, now, Some(before.guid));
            let (own, personal) = (
                key.owner.user() == Some(before.guid),
                key.owner.user().is_some(),
            );
            let reason = match (disabled, narrowed) {
                (true, _) if own => Some(Reason::UserDisabled),
                (true, _) if personal => Some(Reason::MinterDisabled),
                (false, true) if personal && !own => Some(Reason::MinterNarrowed),
                _ => None,
            };
            let secrets = match reason {
                Some(Reason::UserDisabled) => working(key, gates, now, None),
                _ => known(),
            };
            match reason {
                _ if secrets.is_empty() => {}
                Some(reason) => {
                    totals.0 += 1;
                    let key = Known::of(key, secrets);
                    ends.extend(is_seen.then_some(Ended { key, reason }));
                }
                None if !personal && (disabled || narrowed) => {
                    totals.1 += 1;
                    to_rotate.extend(is_seen.then(|| Known::of(key, secrets)));
                }
                None => {}
            }
        }
        ends.truncate(SHOWN);
        to_rotate.truncate(SHOWN);
        Ok(Self {
            dry_run: true,
            ends_total: totals.0,
            ends,
            to_rotate_total: totals.1,
            to_rotate,
        })
    }
}

/// Whether something of the key works, or will once it is restored or its gate opens.
fn is_alive(key: &Key, gates: &Gates, now: Timestamp) -> bool {
    !matches!(
        key.effective(gates, now),
        Effective::Revoked | Effective::Expired
    )
}

/// The secrets of a key whose term is not over and that nobody has ended: those that this person
/// was shown, or all.
fn working(key: &Key, gates: &Gates, now: Timestamp, shown_to: Option<Guid>) -> Vec<SecretId> {
    key.secrets
        .in_term(now)
        .filter(|(id, people)| {
            let knows = |person| people.people().any(|minter| minter.user == person);
            key.ended_by_minter(*id, gates).is_none() && shown_to.is_none_or(knows)
        })
        .map(|(id, _)| id)
        .collect()
}

impl Known {
    fn of(key: &Key, secrets: Vec<SecretId>) -> Self {
        Self {
            client_id: key.client_id,
            name: key.name.to_string(),
            owner: key.owner.into(),
            environment: key.kind,
            secrets,
        }
    }
}
