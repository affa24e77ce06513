//! What an incident asks for: exactly one way to say which keys, read before anything is looked up.

use std::collections::BTreeSet;

use domain::{
    authority::{CallerAuthority, Target},
    error::{Error, Kind},
    feed::Cohort,
    gate::OrganizationGate,
    ids::{ClientId, Guid},
    key::{Key, Owner},
    key_mode::KeyMode,
    text::Note,
    time::Timestamp,
};
use serde::Deserialize;
use utoipa::ToSchema;
use web::{extract, openapi::schema};

use crate::{
    api::{Api, Caller},
    keys::members::Reader,
};

/// How many keys can be named one by one.
const MOST_KEYS: usize = 100;

/// Which keys, and why. Exactly one of `keys`, `bank_guid`, `user_guid`, `whole_organization` and a
/// creation window alone.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RevokeIncident)]
pub(super) struct Body {
    /// Why, for the audit trail.
    #[schema(min_length = 1, max_length = 512)]
    reason: String,
    /// Only tell what it would do.
    #[serde(default)]
    pub(super) dry_run: bool,
    /// Go through with it although the key that makes this call is among them.
    #[serde(default)]
    pub(super) include_caller: bool,
    /// These keys, by `client_id` or `guid`.
    #[serde(default, deserialize_with = "extract::not_null")]
    #[schema(nullable = false, min_items = 1, max_items = 100)]
    keys: Option<Vec<String>>,
    /// The keys of this bank.
    #[serde(default, deserialize_with = "extract::not_null")]
    #[schema(value_type = schema::Guid, required = false)]
    bank_guid: Option<String>,
    /// The personal keys of this user.
    #[serde(default, deserialize_with = "extract::not_null")]
    #[schema(value_type = schema::Guid, required = false)]
    user_guid: Option<String>,
    /// Every key of the organization.
    #[serde(default, deserialize_with = "extract::not_null")]
    #[schema(nullable = false)]
    whole_organization: Option<bool>,
    /// Of those, only keys of this kind; absent, of the caller's own, or of both for a user's keys
    /// and for platform staff.
    #[serde(default, deserialize_with = "extract::not_null")]
    #[schema(value_type = schema::Kind, required = false)]
    environment: Option<String>,
    /// Of those, only keys made at this time or later.
    #[serde(default, deserialize_with = "extract::not_null")]
    #[schema(nullable = false, format = DateTime)]
    created_from: Option<String>,
    /// Of those, only keys made before this time; absent or in the future, every key that there is
    /// by now.
    #[serde(default, deserialize_with = "extract::not_null")]
    #[schema(nullable = false, format = DateTime)]
    created_until: Option<String>,
    /// Of platform staff, who must name it: the organization.
    #[serde(default, deserialize_with = "extract::not_null")]
    #[schema(value_type = schema::Guid, required = false)]
    pub(super) organization_guid: Option<String>,
}

/// Which keys, as they were asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// These.
    Keys(Vec<ClientId>),
    /// Those of an owner and kind, or all, made within a window.
    Cohort {
        owner: Option<Owner>,
        environment: Option<KeyMode>,
        created_from: Option<Timestamp>,
        created_until: Option<Timestamp>,
    },
}

impl Body {
    /// Why, and which keys; of all members at once what is wrong with them.
    pub(super) fn read(&self, now: Timestamp) -> Result<(Note, Order), Error> {
        let mut reader = Reader::default();
        let reason = reader.text("reason", Some(&self.reason), Note::parse);
        let order = self.order(now, &mut reader);
        reader.finish(reason.map(|reason| (reason, order)))
    }

    fn order(&self, now: Timestamp, reader: &mut Reader) -> Order {
        let bank = reader
            .text("bank_guid", self.bank_guid.as_deref(), str::parse)
            .map(Owner::Bank);
        let user = reader
            .text("user_guid", self.user_guid.as_deref(), str::parse)
            .map(Owner::User);
        let environment = reader.text("environment", self.environment.as_deref(), str::parse);
        let created_from = reader.text(
            "created_from",
            self.created_from.as_deref(),
            Timestamp::parse,
        );
        let created_until = reader.text(
            "created_until",
            self.created_until.as_deref(),
            Timestamp::parse,
        );
        if self.whole_organization == Some(false) {
            reader.refuse("whole_organization", "must be true, or left out");
        }
        if created_from
            .is_some_and(|from| from >= created_until.map_or(now, |until| until.min(now)))
        {
            reader.refuse(
                "created_from",
                "must be past, and earlier than created_until",
            );
        }
        self.require_one_way(reader);
        match &self.keys {
            Some(keys) => Order::Keys(client_ids(keys, reader)),
            None => Order::Cohort {
                owner: bank.or(user),
                environment,
                created_from,
                created_until,
            },
        }
    }

    /// Refuses more than one way to say which keys, none, and what narrows nothing.
    fn require_one_way(&self, reader: &mut Reader) {
        let named = [
            ("keys", self.keys.is_some()),
            ("bank_guid", self.bank_guid.is_some()),
            ("user_guid", self.user_guid.is_some()),
            ("whole_organization", self.whole_organization.is_some()),
        ];
        let named: Vec<_> = named
            .into_iter()
            .filter(|(_, given)| *given)
            .map(|(name, _)| name)
            .collect();
        let window = self.created_from.is_some() || self.created_until.is_some();
        let (field, reason) = match *named {
            [] if window => return,
            [] => (
                "body",
                "must say which keys: keys, bank_guid, user_guid, whole_organization, or a time of \
                 creation",
            ),
            ["keys"] if window || self.environment.is_some() => (
                "keys",
                "are named one by one: leave out environment, created_from and created_until",
            ),
            ["whole_organization"] if window => (
                "whole_organization",
                "is every key: leave it out for those made within a time",
            ),
            [_] => return,
            [first, ..] => (
                first,
                "is one way to say which keys, and there is another: send one of them",
            ),
        };
        reader.refuse(field, reason);
    }
}

fn client_ids(texts: &[String], reader: &mut Reader) -> Vec<ClientId> {
    if !(1..=MOST_KEYS).contains(&texts.len()) {
        reader.refuse("keys", &format!("must name 1 to {MOST_KEYS} keys"));
    }
    let mut named = Vec::new();
    for (index, text) in texts.iter().enumerate().take(MOST_KEYS) {
        match ClientId::parse_either(text) {
            Ok(client_id) if named.contains(&client_id) => {
                reader.refuse(&format!("keys[{index}]"), "is a duplicate");
            }
            Ok(client_id) => named.push(client_id),
            Err(_) => reader.refuse(&format!("keys[{index}]"), NO_KEY),
        }
    }
    named
}

const NO_KEY: &str = "names no key of this organization";

/// Which keys, found.
pub(super) enum Found {
    /// These, as they are.
    Keys(Vec<Key>),
    /// Those of a cohort whose window is yet to be given its end.
    Cohort {
        cohort: Cohort,
        created_until: Option<Timestamp>,
        /// Whether it is a bank's, not people's.
        bank: bool,
    },
}

impl Order {
    /// What is named, where the caller may know of it and has a say over whose it is: what it may
    /// not stop one by one it does not stop here either. What is not the organization's is refused
    /// with the words for nothing at all.
    pub(super) async fn find(
        self,
        api: &Api,
        caller: &Caller,
        authority: &CallerAuthority,
        organization: Guid,
    ) -> Result<Found, Error> {
        let (owner, environment, created_from, created_until) = match self {
            Self::Keys(client_ids) => {
                let keys = find_keys(api, authority, organization, &client_ids).await?;
                return Ok(Found::Keys(keys));
            }
            Self::Cohort {
                owner,
                environment,
                created_from,
                created_until,
            } => (owner, environment, created_from, created_until),
        };
        let environment = match owner {
            Some(Owner::Bank(guid)) => {
                require_bank(api, caller, organization, guid).await?;
                require_reached(caller, environment)?
            }
            Some(owner @ Owner::User(guid)) => {
                let user = api
                    .store
                    .user(guid)
                    .await?
                    .filter(|user| user.organization == organization)
                    .ok_or_else(|| {
                        Error::field("user_guid", "names no user of this organization")
                    })?;
                let target = Target {
                    organization,
                    owner,
                    kind: authority.kind(),
                };
                authority.require_say(target, Some(&user))?;
                environment
            }
            Some(Owner::Organization(_)) | None => require_reached(caller, environment)?,
        };
        Ok(Found::Cohort {
            cohort: Cohort {
                environment,
                created_from,
                owner: owner.map(Owner::guid),
                ..Cohort::default()
            },
            created_until,
            bank: matches!(owner, Some(Owner::Bank(_))),
        })
    }
}

impl Found {
    /// The cohort, its window ended for an incident that is chosen at `now` beside what the gate
    /// has, without the keys of those whom it spares.
    pub(super) fn cohort(
        &self,
        gate: &OrganizationGate,
        spared: &[Guid],
        now: Timestamp,
    ) -> Option<Cohort> {
        match self {
            Self::Keys(_) => None,
            Self::Cohort {
                cohort,
                created_until,
                ..
            } => Some(Cohort {
                created_until: Some(gate.window_end(*created_until, now)),
                spared: spared.to_vec(),
                ..cohort.clone()
            }),
        }
    }

    /// Whether it may hit people's keys: it names no bank.
    pub(super) const fn is_of_people(&self) -> bool {
        matches!(self, Self::Cohort { bank: false, .. })
    }

    /// The one whose keys it is about, where it is one's.
    pub(super) const fn owner(&self) -> Option<Guid> {
        match self {
            Self::Cohort { cohort, .. } => cohort.owner,
            Self::Keys(_) => None,
        }
    }
}

async fn find_keys(
    api: &Api,
    authority: &CallerAuthority,
    organization: Guid,
    client_ids: &[ClientId],
) -> Result<Vec<Key>, Error> {
    let found = api.store.keys(client_ids.iter().copied()).await?;
    let known = |key: &&Key| key.organization == organization && authority.sees((*key).into());
    let mut reader = Reader::default();
    for (index, client_id) in client_ids.iter().enumerate() {
        if !found
            .iter()
            .filter(known)
            .any(|key| key.client_id == *client_id)
        {
            reader.refuse(&format!("keys[{index}]"), NO_KEY);
        }
    }
    let found = reader.finish(Some(found))?;
    let owners: BTreeSet<Guid> = found.iter().filter_map(|key| key.owner.user()).collect();
    let users = api.store.users(owners).await?;
    for key in &found {
        let user = users
            .iter()
            .find(|user| Some(user.guid) == key.owner.user());
        authority.require_say(key.into(), user)?;
    }
    Ok(found)
}

async fn require_bank(
    api: &Api,
    caller: &Caller,
    organization: Guid,
    guid: Guid,
) -> Result<(), Error> {
    let bank = api.store.bank(guid).await?;
    let known = bank.is_some_and(|bank| {
        bank.organization == organization && caller.sees(organization, bank.environment.kind())
    });
    if known {
        Ok(())
    } else {
        Err(Error::field(
            "bank_guid",
            "names no bank of this organization",
        ))
    }
}

/// The kind of keys that a caller reaches: its own; staff either, or both.
fn require_reached(
    caller: &Caller,
    environment: Option<KeyMode>,
) -> Result<Option<KeyMode>, Error> {
    match environment {
        _ if caller.is_staff() => Ok(environment),
        Some(kind) if kind != caller.kind => Err(Error::new(
            Kind::Forbidden,
            format!("A {0} credential reaches only {0} keys", caller.kind),
        )),
        _ => Ok(Some(caller.kind)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);

    fn read(members: &Value) -> Result<Order, Vec<String>> {
        let mut body = json!({"reason": "leaked"});
        body.as_object_mut()
            .unwrap()
            .extend(members.as_object().unwrap().clone());
        let body: Body = serde_json::from_value(body).unwrap();
        let fields = |error: Error| {
            error
                .fields
                .into_iter()
                .map(|refused| refused.field)
                .collect()
        };
        body.read(NOW).map(|(_, order)| order).map_err(fields)
    }

    #[test]
    fn leak_8_there_is_exactly_one_way_to_say_which_keys() {
        let guid = "0".repeat(31) + "1";
        let key = json!([guid]);
        let early = json!("2020-01-01T00:00:00Z");
        for (members, refused) in [
            (json!({}), "body"),
            (json!({"environment": "live"}), "body"),
            (json!({"keys": key, "bank_guid": guid}), "keys"),
            (json!({"bank_guid": guid, "user_guid": guid}), "bank_guid"),
            (
                json!({"user_guid": guid, "whole_organization": true}),
                "user_guid",
            ),
            (json!({"keys": key, "created_from": early}), "keys"),
            (json!({"keys": key, "environment": "live"}), "keys"),
            (
                json!({"whole_organization": true, "created_from": early}),
                "whole_organization",
            ),
            (json!({"whole_organization": false}), "whole_organization"),
            (json!({"keys": []}), "keys"),
            (json!({"keys": ["nonsense"]}), "keys[0]"),
            (json!({"keys": [guid, guid]}), "keys[1]"),
            (
                json!({
                    "bank_guid": guid,
                    "created_from": "2020-01-01T00:00:00Z",
                    "created_until": "2020-01-01T00:00:00Z",
                }),
                "created_from",
            ),
            (
                json!({"created_from": "2099-01-01T00:00:00Z"}),
                "created_from",
            ),
            (json!({"created_until": "yesterday"}), "created_until"),
            (
                json!({"bank_guid": guid, "environment": "production"}),
                "environment",
            ),
        ] {
            assert_eq!(read(&members), Err(vec![refused.to_owned()]), "{members}");
        }
        for members in [
            json!({"keys": key}),
            json!({"bank_guid": guid, "environment": "live", "created_until": early}),
            json!({"user_guid": guid, "created_from": early}),
            json!({"whole_organization": true, "environment": "sandbox"}),
            json!({"created_until": early}),
            json!({
                "created_from": early,
                "created_until": "2099-01-01T00:00:00Z",
                "environment": "live",
            }),
        ] {
            assert!(read(&members).is_ok(), "{members}");
        }
    }

    #[test]
    fn a_reason_is_required_to_say_something() {
        let body: Body =
            serde_json::from_value(json!({"reason": " ", "whole_organization": true})).unwrap();
        assert_eq!(body.read(NOW).unwrap_err().fields[0].field, "reason");
    }
}
