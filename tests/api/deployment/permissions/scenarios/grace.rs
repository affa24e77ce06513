//! Stories of a rotated key: the first use of the new secret starts the grace of the old one.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, Caller, Platform};

use super::{Outcome, bearer, expect, in_vain, organization, text};

async fn rotated(caller: &Caller, client_id: &str) -> Result<String, String> {
    let body = json!({"grace_period": 600, "grace_starts": "first_use"});
    let rotated = expect(
        caller
            .post(&format!("/api/keys/{client_id}/rotate"), &body)
            .await,
        200,
    )?;
    text(&rotated, "secret").map(str::to_owned)
}

/// Waits for the old secret's end to be known: who starts it may do so after he has answered.
async fn grace_has_started(platform: &Platform, caller: &Caller, client_id: &str) -> Outcome {
    let mut last = Value::Null;
    for _ in 0..4_000 {
        last = expect(caller.get(&format!("/api/keys/{client_id}")).await, 200)?;
        if last["secrets"]
            .as_array()
            .is_some_and(|secrets| secrets.iter().any(|secret| !secret["expires_at"].is_null()))
        {
            return Ok(());
        }
        if in_vain(platform) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    Err(format!("the grace did not start: {last}"))
}

pub(super) async fn grace_at_a_token(platform: &Platform) -> Outcome {
    let organization = organization(platform).await?;
    let body = json!({"name": "rotated", "bank_guid": platform.seed.bank.guid});
    let key = expect(
        organization.post("/api/bank_applications", &body).await,
        201,
    )?;
    let client_id = text(&key, "client_id")?;
    let secret = rotated(&organization, client_id).await?;
    bearer(platform, client_id, &secret).await?;
    grace_has_started(platform, &organization, client_id).await
}

/// Who sees the first use of a personal key's new secret.
pub(super) enum Seen {
    /// The authorizer of this path.
    Authorizer(&'static str),
    /// The function of this path, of which no authorizer stands before a HEAD.
    Function(&'static str),
    /// The token function, which the person asks what the secret is.
    Introspection,
}

impl Seen {
    async fn call(&self, person: &Caller, secret: &str) -> Outcome {
        let answer = match self {
            Self::Authorizer(path) => person.get(path).await,
            Self::Function(path) => Answer::of(person.request(Method::HEAD, path)).await,
            Self::Introspection => {
                let body = json!({"token": secret});
                person.post("/oauth/introspect", &body).await
            }
        };
        expect(answer, 200).map(drop)
    }
}

pub(super) async fn grace_of_a_person(platform: &Platform, seen: Seen) -> Outcome {
    let owner = platform.owner();
    let body = json!({
        "owner": {"type": "user", "guid": platform.seed.users.owner.guid},
        "name": "x",
        "environment": "sandbox",
    });
    let key = expect(owner.post("/api/keys", &body).await, 201)?;
    let client_id = text(&key, "client_id")?;
    let old = text(&key, "secret")?;
    seen.call(&platform.bearer(old), old).await?;
    let secret = rotated(&owner, client_id).await?;
    seen.call(&platform.bearer(&secret), &secret).await?;
    grace_has_started(platform, &owner, client_id).await?;
    expect(
        owner
            .post(&format!("/api/keys/{client_id}/revoke"), &json!({}))
            .await,
        200,
    )
    .map(drop)
}
