//! Stories of an organization that changes too often for the feed: it is covered, its next changes
//! write no entry, and its tokens are looked up.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{gate::Plan, ids::Guid, key_mode::KeyMode, role::Role, time::Timestamp};
use operator::tenants::Credentials;
use reqwest::Method;
use serde_json::json;
use tests::{Answer, Caller, Platform};

use super::{Outcome, bearer, behind, expect, forget, partition, text};
use crate::feed_items::{feed_entries, spend_budget};

/// An organization whose budget of entries is spent.
struct Noisy<'a> {
    platform: &'a Platform,
    guid: Guid,
    /// Its own key.
    machine: Caller,
    /// A person who owns it.
    owner: Caller,
    /// A bank's key, and a token of it.
    key: Credentials,
    token: Caller,
    /// Somebody to change.
    user: String,
}

impl<'a> Noisy<'a> {
    async fn new(platform: &'a Platform) -> Result<Self, String> {
        let (guid, credentials, _, key) = platform.neighbour().await;
        let operator = platform.operator();
        let because = |error: runtime::StartError| error.to_string();
        operator.plan(guid, Plan::Pro).await.map_err(because)?;
        let owner = operator.user(guid, "noisy@example.com", Role::Owner, None);
        let owner = owner.await.map_err(because)?;
        let secret = operator.personal_key(&owner, KeyMode::Sandbox, "noisy");
        let secret = secret.await.map_err(because)?;
        let owner = platform.bearer(&secret.client_secret);
        let user = json!({"email": "silent@example.com", "role": Role::Developer});
        let user = expect(owner.post("/api/users", &user).await, 201)?;
        let noisy = Self {
            platform,
            guid,
            machine: bearer(platform, &credentials.client_id, &credentials.client_secret).await?,
            owner,
            token: bearer(platform, &key.client_id, &key.client_secret).await?,
            key,
            user: text(&user, "guid")?.to_owned(),
        };
        spend_budget(platform, guid, 1).await?;
        Ok(noisy)
    }

    fn covers(&self) -> String {
        format!("V#{}", self.guid)
    }

    /// Notes that it is covered, or has been.
    async fn note_cover(&self, until: Timestamp) -> Outcome {
        let (client, core) = behind(self.platform);
        let put = client
            .put_item()
            .table_name(&core)
            .item("PK", AttributeValue::S(self.covers()))
            .item("SK", AttributeValue::S("ORG".into()))
            .item("until", AttributeValue::S(until.to_string()));
        put.send()
            .await
            .map(drop)
            .map_err(|error| error.to_string())
    }

    /// One change by each function that makes some.
    async fn change(&self, function: &str) -> Outcome {
        let answer = match function {
            "keys" => {
                let path = format!("/api/keys/{}", self.key.client_id);
                let end = json!({"expires_at": "2090-01-01T00:00:00Z"});
                self.machine.patch(&path, &end).await
            }
            "management" => {
                let path = format!("/api/users/{}", self.user);
                self.owner
                    .patch(&path, &json!({"role": Role::Viewer}))
                    .await
            }
            _ => {
                let body = json!({
                    "client_id": self.key.client_id,
                    "client_secret": self.key.client_secret,
                    "token": self.token.token(),
                });
                self.platform.anonymous().post("/oauth/revoke", &body).await
            }
        };
        expect(answer, 200).map(drop)
    }
}

const FUNCTIONS: [&str; 3] = ["keys", "management", "tokens"];

/// Each function that changes something covers it, and notes that.
pub(super) async fn covered(platform: &Platform) -> Outcome {
    let noisy = Noisy::new(platform).await?;
    for function in FUNCTIONS {
        let before = feed_entries(platform).await?;
        noisy.change(function).await?;
        if partition(platform, &noisy.covers()).await?.is_empty() {
            return Err(format!("{function} notes no cover"));
        }
        if feed_entries(platform).await? != before + 1 {
            return Err(format!("{function} does not write one cover"));
        }
        forget(platform, &[&noisy.covers()]).await?;
    }
    Ok(())
}

/// Each function that changes something reads that it is covered, and writes no entry.
pub(super) async fn entries_omitted(platform: &Platform) -> Outcome {
    let noisy = Noisy::new(platform).await?;
    let now = (platform.stack.services().ambient().clock)();
    noisy.note_cover(now + Duration::from_mins(5)).await?;
    for function in FUNCTIONS {
        let before = feed_entries(platform).await?;
        noisy.change(function).await?;
        if feed_entries(platform).await? != before {
            return Err(format!("{function} covers it again"));
        }
    }
    Ok(())
}

/// Whoever decides about a token of the organization looks it up.
pub(super) async fn looked_up(platform: &Platform) -> Outcome {
    let noisy = Noisy::new(platform).await?;
    noisy.change("keys").await?;
    // Until everybody reads the feed again.
    platform.advance(Duration::from_secs(2));
    let key = &noisy.key;
    for caller in [&noisy.token, &noisy.machine] {
        expect(caller.get("/v1/whoami").await, 200)?;
        let introspection = json!({
            "client_id": key.client_id,
            "client_secret": key.client_secret,
            "token": noisy.token.token(),
        });
        let anonymous = platform.anonymous();
        let answer = anonymous.post("/oauth/introspect", &introspection).await;
        let told = expect(answer, 200)?;
        if told["active"] != true {
            return Err(format!("{told}"));
        }
    }
    for path in ["/api/organizations", "/api/bank_applications"] {
        expect(noisy.machine.get(path).await, 200)?;
        expect(
            Answer::of(noisy.machine.request(Method::HEAD, path)).await,
            200,
        )?;
    }
    Ok(())
}
