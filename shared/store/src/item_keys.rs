//! Every key pattern of every table. A partition key begins with a letter that names its class, so
//! that a policy can admit a function by leading key (LEAK-5).

use std::{collections::HashMap, fmt::Display};

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    audit::sha256,
    feed::EntryKey,
    ids::{ClientId, Guid, SecretId},
    key_mode::KeyMode,
    time::Timestamp,
    user::Email,
};

use crate::limits::Limit;

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

/// That a personal key's secret was used at `at`: the primary key says it all, and the item
/// has nothing else.
pub(crate) fn use_of_secret(client_id: ClientId, id: SecretId, at: Timestamp) -> ItemKey {
    ItemKey::new(
        uses(client_id),
        format!("{}{:0MILLIS$}", uses_of_secret(id), at.millis()),
    )
}

/// The uses of a personal key's secrets, each secret's in the order of time.
pub(crate) fn uses(client_id: ClientId) -> String {
    format!("E#{client_id}")
}

/// How the sort keys of one secret's uses begin.
pub(crate) fn uses_of_secret(id: SecretId) -> String {
    format!("{id}#")
}

/// When a use was, of what stands behind [`uses_of_secret`]: milliseconds since 1970. Whoever may
/// put such an item may give it any sort key. So each text has a moment, and the one that sorts
/// first has the earliest: what is no digit counts as the lowest or the highest ones from there on.
pub(crate) fn time_of_use(text: &str) -> Timestamp {
    let mut bytes = text.bytes();
    let mut beyond = None;
    let millis = (0..MILLIS).fold(0, |millis, _| {
        let digit = beyond.unwrap_or_else(|| match bytes.next() {
            Some(byte @ b'0'..=b'9') => i64::from(byte - b'0'),
            other => *beyond.insert(if other > Some(b'9') { 9 } else { 0 }),
        });
        millis * 10 + digit
    });
    Timestamp::from_millis(millis)
}

/// Digits of the milliseconds until the end of the year 9999.
const MILLIS: usize = 15;

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

/// How many feed entries were counted for an organization in one minute.
pub(crate) fn budget_of_organization(organization: Guid, at: Timestamp) -> ItemKey {
    ItemKey::new(format!("B#{organization}"), minute(at))
}

/// How many feed entries were counted for a key about itself in one minute.
pub(crate) fn budget_of_key(organization: Guid, client_id: ClientId, at: Timestamp) -> ItemKey {
    let sort_key = format!("{}#{client_id}", minute(at));
    ItemKey::new(format!("B#{organization}"), sort_key)
}

/// How many feed entries were counted for all organizations in one minute.
pub(crate) fn budget_of_platform(at: Timestamp) -> ItemKey {
    ItemKey::new("B#*", minute(at))
}

fn minute(at: Timestamp) -> String {
    let minute = at.to_string();
    let minute: String = minute.chars().take("2027-01-31T00:00".len()).collect();
    minute + "Z"
}

/// The note that says when the cover of an organization ends.
pub(crate) fn cover_of_organization(organization: Guid) -> ItemKey {
    ItemKey::new(format!("V#{organization}"), "ORG")
}

/// The note that says when the cover of a key ends.
pub(crate) fn cover_of_key(organization: Guid, client_id: ClientId) -> ItemKey {
    ItemKey::new(format!("V#{organization}"), format!("KEY#{client_id}"))
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

/// How many an organization has of what is limited.
pub(crate) fn count(organization: Guid, limit: Limit) -> ItemKey {
    let of = match limit {
        Limit::Banks(kind) => format!("bank#{kind}"),
        Limit::Users => "user".to_owned(),
        Limit::Keys(kind) => format!("key#{kind}"),
        Limit::KeysOf(person) => format!("made#{person}"),
    };
    ItemKey::new(list(organization), format!("{COUNTS}{of}"))
}
pub(crate) const COUNTS: &str = "COUNT#";

/// How many owners an organization has that are not disabled.
pub(crate) fn owner_count(organization: Guid) -> ItemKey {
    ItemKey::new(list(organization), format!("{COUNTS}owner"))
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
pub(crate) fn feed_entry(key: &EntryKey) -> ItemKey {
    ItemKey::new(FEED, key.to_string())
}
pub(crate) const FEED: &str = "F#0";

/// A segment of the feed; segments sort by where they begin.
pub(crate) fn segment(from: Timestamp) -> ItemKey {
    ItemKey::new(SEGMENTS, from.to_string())
}
pub(crate) const SEGMENTS: &str = "C#0";

/// That a token was revoked. It stands beside the feed, in the same table.
pub(crate) fn revoked_token(jti: Guid) -> ItemKey {
    ItemKey::new(format!("T#{jti}"), "T")
}

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
