//! Audit events, and the chain that makes a removed or altered one show (LEAK-6).

use std::{collections::BTreeMap, fmt, net::IpAddr};

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{ids::Guid, time::Timestamp};

/// What was done. The name is the verb of the operation in every layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// An organization was made.
    #[serde(rename = "organization.create")]
    OrganizationCreate,
    /// An organization's profile changed.
    #[serde(rename = "organization.update")]
    OrganizationUpdate,
    /// Staff decided, or withdrew, an organization's KYB.
    #[serde(rename = "organization.kyb")]
    OrganizationKyb,
    /// Staff stopped an organization, or let it work again.
    #[serde(rename = "organization.suspension")]
    OrganizationSuspension,
    /// The operator changed how many keys an organization may have, or counted them again.
    #[serde(rename = "organization.limits")]
    OrganizationLimits,
    /// A bank was made.
    #[serde(rename = "bank.create")]
    BankCreate,
    /// A bank changed.
    #[serde(rename = "bank.update")]
    BankUpdate,
    /// A key was made.
    #[serde(rename = "key.create")]
    KeyCreate,
    /// A key changed.
    #[serde(rename = "key.update")]
    KeyUpdate,
    /// A key was stopped for now.
    #[serde(rename = "key.deactivate")]
    KeyDeactivate,
    /// A key works again.
    #[serde(rename = "key.restore")]
    KeyRestore,
    /// A key was revoked.
    #[serde(rename = "key.revoke")]
    KeyRevoke,
    /// A key got another secret.
    #[serde(rename = "key.rotate")]
    KeyRotate,
    /// The first use of a key's new secret started the grace of the previous one.
    #[serde(rename = "key.grace")]
    KeyGrace,
    /// A key's previous secret was ended.
    #[serde(rename = "key.finish_rotation")]
    KeyFinishRotation,
    /// An organization's plan changed, or will.
    #[serde(rename = "organization.plan")]
    OrganizationPlan,
    /// A user was made.
    #[serde(rename = "user.create")]
    UserCreate,
    /// A user changed.
    #[serde(rename = "user.update")]
    UserUpdate,
    /// A user was disabled.
    #[serde(rename = "user.disable")]
    UserDisable,
    /// Many keys were revoked in one call (LEAK-8).
    #[serde(rename = "incident.revoke")]
    IncidentRevoke,
    /// One token was revoked (RFC 7009).
    #[serde(rename = "token.revoke")]
    TokenRevoke,
    /// A signing key was published, so that verifiers learn of it before it signs.
    #[serde(rename = "signing_key.publish")]
    SigningKeyPublish,
    /// A published key took over signing.
    #[serde(rename = "signing_key.sign")]
    SigningKeySign,
    /// A signing key was retired, for good.
    #[serde(rename = "signing_key.retire")]
    SigningKeyRetire,
    /// Another pepper was added to those that hash secrets.
    #[serde(rename = "pepper.add")]
    PepperAdd,
    /// Hashes under older peppers were brought under the newest.
    #[serde(rename = "pepper.upgrade")]
    PepperUpgrade,
}

/// Who did it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Actor {
    /// A key, by one of its tokens.
    Key {
        /// The key.
        client_id: String,
        /// The token.
        jti: String,
    },
    /// A person, by a personal key (CBM-1).
    User {
        /// The person.
        guid: Guid,
        /// The key.
        client_id: String,
    },
    /// Latchkey itself: what follows from an earlier change.
    System,
    /// The person at the command line of the deployment, with AWS credentials of their own.
    Operator,
}

/// Where a change came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Who made the change.
    pub actor: Actor,
    /// From where, as the gateway saw it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_ip: Option<IpAddr>,
    /// The gateway's id of the request, which the logs share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Why, where that was said: of staff, the customer's recorded request or the incident.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Origin {
    /// What follows from an earlier change, on the platform's own account.
    #[must_use]
    pub const fn of(actor: Actor) -> Self {
        Self {
            actor,
            source_ip: None,
            request_id: None,
            reason: None,
        }
    }
}

/// One control-plane act, written in the transaction of its change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Its identifier.
    pub id: Guid,
    /// When, by the clock of the function that wrote it.
    pub at: Timestamp,
    /// The tenant that it concerns.
    pub organization: Guid,
    /// What was done.
    pub action: Action,
    /// To what: a `guid` or `client_id`.
    pub target: String,
    /// By whom, and from where.
    #[serde(flatten)]
    pub origin: Origin,
    /// What it set, by member. Never a secret.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub changes: BTreeMap<String, Value>,
}

/// SHA-256, written as 64 lower-case hex characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sha256(String);

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One link of an organization's chain: it covers the event's exact bytes and everything before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// From 1, without a gap.
    pub sequence: u64,
    /// The event's identifier.
    pub event: Guid,
    /// The hash of the link before; of the first link, the hash of nothing.
    pub previous: Sha256,
    /// SHA-256 over sequence, previous hash and the event's bytes.
    pub hash: Sha256,
}

/// The end of a chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The newest link's number; 0 before the first.
    pub sequence: u64,
    /// Its hash.
    pub hash: Sha256,
}

impl Head {
    /// The head of a chain without links.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            sequence: 0,
            hash: sha256(&[]),
        }
    }

    /// Links an event, given as the bytes that are stored, to the chain.
    #[must_use]
    pub fn link(&self, event: Guid, body: &str) -> Link {
        let sequence = self.sequence + 1;
        let hash = sha256(&[
            &sequence.to_be_bytes(),
            self.hash.0.as_bytes(),
            body.as_bytes(),
        ]);
        Link {
            sequence,
            event,
            previous: self.hash.clone(),
            hash,
        }
    }
}

impl From<&Link> for Head {
    fn from(link: &Link) -> Self {
        Self {
            sequence: link.sequence,
            hash: link.hash.clone(),
        }
    }
}

/// Checks a whole chain against the events' stored bytes, in order.
///
/// # Errors
/// One sentence that names the first link that does not hold.
pub fn verify<'a>(links: impl IntoIterator<Item = (&'a Link, &'a str)>) -> Result<Head, String> {
    links
        .into_iter()
        .try_fold(Head::empty(), |head, (link, body)| {
            if head.link(link.event, body) == *link {
                Ok(Head::from(link))
            } else {
                Err(format!(
                    "link {} does not follow from link {}: an event was altered, removed or put in \
                     between",
                    link.sequence, head.sequence
                ))
            }
        })
}

/// SHA-256 of these bytes one after the other.
#[must_use]
pub fn sha256(parts: &[&[u8]]) -> Sha256 {
    let hash = digest(&SHA256, &parts.concat());
    let mut text = String::with_capacity(64);
    for byte in hash.as_ref() {
        for digit in [byte >> 4, byte & 0xf] {
            text.extend(char::from_digit(u32::from(digit), 16));
        }
    }
    Sha256(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(bodies: &[&str]) -> Vec<Link> {
        let mut head = Head::empty();
        bodies
            .iter()
            .map(|body| {
                let link = head.link(Guid::from_bytes([1; 16]), body);
                head = Head::from(&link);
                link
            })
            .collect()
    }

    #[test]
    fn leak_6_a_removed_altered_or_moved_event_breaks_the_chain() {
        let bodies = ["one", "two", "three"];
        let links = chain(&bodies);
        let check = |order: &[usize], bodies: &[&str]| {
            verify(order.iter().map(|&i| (&links[i], bodies[i]))).is_ok()
        };
        assert!(check(&[0, 1, 2], &bodies));
        assert!(!check(&[0, 2], &bodies));
        assert!(!check(&[1, 0, 2], &bodies));
        assert!(!check(&[0, 1, 2], &["one", "2", "three"]));
    }
}
