//! `/api/keys`: keys of any owner.

mod bulk_revoked;
mod create;
mod delegation;
mod idempotency;
mod limits;
mod list;
mod own_key;
mod personal;
mod previous_secret;
pub(crate) mod revoke;
mod roles;
mod rotate;
mod rotate_delegation;
mod staff;
mod tenancy;
mod update;

use domain::{key_mode::KeyMode, role::Role, user::User};
use serde_json::{Value, json};
use tests::{Answer, Caller, Platform};

use crate::{management_keys::seed_organization, organization_snapshot::text};

const PATH: &str = "/api/keys";

/// The path of a key, or of an operation on it.
fn item(key: &Value, operation: &str) -> String {
    format!("{PATH}/{}{operation}", text(key, "client_id"))
}

/// What creates a key of this owner, with further members.
fn body(owner_type: &str, guid: &str, members: &Value) -> Value {
    let mut body = json!({"owner": {"type": owner_type, "guid": guid}, "name": "key"});
    body.as_object_mut()
        .unwrap()
        .extend(members.as_object().unwrap().clone());
    body
}

/// What creates a key of the seed bank.
fn of_bank(platform: &Platform, members: &Value) -> Value {
    body("bank", &platform.seed.bank.guid, members)
}

/// What creates a key of the seed organization.
fn of_organization(platform: &Platform, members: &Value) -> Value {
    body("organization", &platform.seed.organization.guid, members)
}

/// Makes a key and gives the answer's body.
async fn make(caller: &Caller, body: &Value) -> Value {
    let answer = caller.post(PATH, body).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.body
}

/// Rotates a key and gives the answer's body.
async fn rotate(caller: &Caller, key: &Value, body: &Value) -> Value {
    let answer = caller.post(&item(key, "/rotate"), body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

/// What the token endpoint says to this secret.
async fn token(platform: &Platform, secret: &str) -> Answer {
    platform
        .anonymous()
        .post("/v1/auth/token", &json!({"client_secret": secret}))
        .await
}

/// Asserts that this secret gets a token, and gives it.
#[track_caller]
fn granted(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{answer:?}");
    text(&answer.body, "access_token")
}

/// A person of the seed organization, and a caller with a personal key of theirs.
struct Person {
    user: User,
    client_id: String,
    caller: Caller,
}

impl Person {
    async fn new(platform: &Platform, role: Role, kind: KeyMode) -> Self {
        let operator = platform.operator();
        let email = format!(
            "{role}-{}@example.com",
            platform.stack.services().ambient().entropy.guid()
        );
        let user = operator
            .user(seed_organization(platform), &email, role, None)
            .await
            .unwrap();
        let key = operator
            .personal_key(&user, kind, "personal")
            .await
            .unwrap();
        Self {
            user,
            client_id: key.client_id,
            caller: platform.bearer(&key.client_secret),
        }
    }

    fn guid(&self) -> String {
        self.user.guid.to_string()
    }

    /// Their key, as far as its path needs it.
    fn key(&self) -> Value {
        json!({"client_id": self.client_id})
    }
}
