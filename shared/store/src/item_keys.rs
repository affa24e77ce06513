//! Every key pattern of every table. A partition key begins with a letter that names its class, so
//! that a policy can admit a function by leading key (LEAK-5).

use std::{collections::HashMap, fmt::Display};

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    audit::sha256,
    ids::{ClientId, Guid, SecretId},
    key_mode::KeyMode,
    time::Timestamp,
    user::Email,
};

/// The primary key of an item.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ItemKey {
    pub(crate) pk: String,
    pub(crate) sk: String,
}

impl ItemKey {
    fn new(pk: impl Into<String>, sk: impl Into<String>) -> Self {
        Self {
            pk: pk.into(),
            sk: sk.into(),
        }
    }

    /// The primary key of `item`.
    pub(crate) fn of(item: &HashMap<String, AttributeValue>) -> Self {
        let part = |name| {
            item.get(name)
                .and_then(|value| value.as_s().ok())
                .cloned()
                .unwrap_or_default()
        };
        Self {
            pk: part("PK"),
            sk: part("SK"),
        }
    }

    pub(crate) fn into_key(self) -> HashMap<String, AttributeValue> {
        HashMap::from([
            ("PK".into(), AttributeValue::S(self.pk)),
            ("SK".into(), AttributeValue::S(self.sk)),
        ])
    }
}

// core --------------------------------------------------------------------------------------------

/// A key; beside it stand its secrets.
pub(crate) fn key(client_id: ClientId) -> ItemKey {
    ItemKey::new(key_partition(client_id), "KEY")
}

fn key_partition(client_id: ClientId) -> String {
    format!("K#{client_id}")
}

/// One of a key's secrets; its TTL is its end.
pub(crate) fn secret(client_id: ClientId, id: SecretId) -> ItemKey {
    ItemKey::new(key_partition(client_id), format!("SECRET#{id}"))
}

/// Where no secret stands: read of a client that there is not, which must cost what one does that
/// there is.
pub(crate) fn no_secret(client_id: ClientId) -> ItemKey {
    ItemKey::new(key_partition(client_id), "SECRET#-")
}

/// The gate of an organization or bank; a bank's holds the whole bank.
pub(crate) fn gate(guid: Guid) -> ItemKey {
    ItemKey::new(format!("G#{guid}"), "GATE")
}

/// An organization's profile.
pub(crate) fn organization(guid: Guid) -> ItemKey {
    ItemKey::new(format!("O#{guid}"), "ORG")
}

/// A user, as a gate of its personal keys.
pub(crate) fn user(guid: Guid) -> ItemKey {
    ItemKey::new(format!("U#{guid}"), "USER")
}

/// Whether an address is taken in an organization.
pub(crate) fn email(organization: Guid, email: &Email) -> ItemKey {
    ItemKey::new(
        format!(
            "N#{organization}#{}",
            sha256(&[b"email:", email.to_string().as_bytes()])
        ),
        "N",
    )
}

/// What a create under an `Idempotency-Key` made.
pub(crate) fn idempotency(principal: &str, key: &str) -> ItemKey {
    ItemKey::new(format!("I#{principal}#{}", sha256(&[key.as_bytes()])), "I")
}

/// How many feed entries an organization's changes wrote in one minute.
pub(crate) fn budget(organization: Guid, at: Timestamp) -> ItemKey {
    let minute: String = at
        .to_string()
        .chars()
        .take("2027-01-31T00:00".len())
        .collect();
    ItemKey::new(format!("B#{organization}"), minute + "Z")
}

/// A published signing key.
pub(crate) fn signing_key(kind: KeyMode, thumbprint: &str) -> ItemKey {
    ItemKey::new(signing_keys(kind), thumbprint)
}

pub(crate) fn signing_keys(kind: KeyMode) -> String {
    format!("P#{kind}")
}

/// Which published key signs.
pub(crate) fn signer(kind: KeyMode) -> ItemKey {
    ItemKey::new("P#signer", kind.to_string())
}

/// What an organization has of one class, in order of creation.
pub(crate) fn list_row(
    organization: Guid,
    class: Class,
    created_at: Timestamp,
    id: impl Display,
) -> ItemKey {
    ItemKey::new(
        list(organization),
        format!("{}{created_at}#{id}", class.prefix()),
    )
}

pub(crate) fn list(organization: Guid) -> String {
    format!("L#{organization}")
}

/// How many of one class an organization has.
pub(crate) fn count(organization: Guid, class: Class) -> ItemKey {
    ItemKey::new(
        list(organization),
        format!("COUNT#{}", class.prefix().trim_end_matches('#')),
    )
}

/// How many owners an organization has that are not disabled.
pub(crate) fn owner_count(organization: Guid) -> ItemKey {
    ItemKey::new(list(organization), "COUNT#owner")
}

/// Where nothing stands: read for the `Date` of the answer alone.
pub(crate) fn clock_probe() -> ItemKey {
    ItemKey::new("P#clock", "-")
}

/// The classes of list rows.
#[derive(Clone, Copy)]
pub(crate) enum Class {
    Bank,
    Key,
    User,
    /// In the platform's own list: every tenant.
    Organization,
}

impl Class {
    pub(crate) const fn prefix(self) -> &'static str {
        match self {
            Self::Bank => "bank#",
            Self::Key => "key#",
            Self::User => "user#",
            Self::Organization => "organization#",
        }
    }
}

// feed --------------------------------------------------------------------------------------------

/// A revocation entry; entries sort by their writer's time.
pub(crate) fn feed_entry(time: Timestamp, id: &str) -> ItemKey {
    ItemKey::new(FEED, format!("{time}#{id}"))
}
pub(crate) const FEED: &str = "F#0";

// audit -------------------------------------------------------------------------------------------

/// An audit event.
pub(crate) fn audit_event(organization: Guid, at: Timestamp, id: Guid) -> ItemKey {
    ItemKey::new(audit_events(organization), format!("{at}#{id}"))
}

pub(crate) fn audit_events(organization: Guid) -> String {
    format!("A#{organization}")
}

/// The link of an audit event in its organization's chain.
pub(crate) fn audit_link(organization: Guid, sequence: u64) -> ItemKey {
    ItemKey::new(
        audit_chain(organization),
        format!("{AUDIT_LINK}{sequence:020}"),
    )
}
pub(crate) const AUDIT_LINK: &str = "LINK#";

/// Says that an event is linked already, so that a stream record that comes twice is linked once.
pub(crate) fn audit_linked(organization: Guid, event: Guid) -> ItemKey {
    ItemKey::new(audit_chain(organization), format!("EVENT#{event}"))
}

/// The end of an organization's chain.
pub(crate) fn audit_head(organization: Guid) -> ItemKey {
    ItemKey::new(audit_chain(organization), "HEAD")
}

pub(crate) fn audit_chain(organization: Guid) -> String {
    format!("AC#{organization}")
}
