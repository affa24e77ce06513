//! Stories of tokens: issuance, introspection, revocation, customer tokens, and the first signing
//! keys of a deployment.

use std::collections::HashMap;

use domain::{gate::Kyb, key_mode::KeyMode};
use serde_json::json;
use tests::Platform;

use super::{Outcome, bank, bearer, behind, expect, partition, text};

pub(super) async fn token(platform: &Platform) -> Outcome {
    let bank = bank(platform).await?;
    expect(bank.get("/v1/whoami").await, 200)?;
    let by_secret = json!({"client_secret": platform.seed.bank.key.client_secret});
    expect(
        platform
            .anonymous()
            .post("/v1/auth/token", &by_secret)
            .await,
        200,
    )?;
    let keys = expect(
        platform.anonymous().get("/.well-known/jwks.json").await,
        200,
    )?;
    if keys["keys"].as_array().is_none_or(|keys| keys.len() < 2) {
        return Err(format!("a kind's key is not published: {keys}"));
    }
    live_token(platform).await
}

async fn live_token(platform: &Platform) -> Outcome {
    let (organization, key) = platform
        .operator()
        .organization("Live", KeyMode::Live)
        .await
        .map_err(|e| e.to_string())?;
    platform
        .operator()
        .kyb(organization, Kyb::Approved)
        .await
        .map_err(|e| e.to_string())?;
    bearer(platform, &key.client_id, &key.client_secret)
        .await
        .map(drop)
}

pub(super) async fn first_keys(platform: &Platform) -> Outcome {
    forget(platform, &["P#sandbox", "P#live", "P#signer"]).await?;
    bank(platform).await?;
    live_token(platform).await
}

/// Of a deployment that ended between the two.
pub(super) async fn named(platform: &Platform) -> Outcome {
    forget(platform, &["P#signer"]).await?;
    bank(platform).await?;
    live_token(platform).await
}

pub(super) async fn forget(platform: &Platform, partitions: &[&str]) -> Outcome {
    let (client, core) = behind(platform);
    for partition_key in partitions {
        for mut item in partition(platform, partition_key).await? {
            let key = HashMap::from(
                ["PK", "SK"].map(|name| (name.to_owned(), item.remove(name).expect("a key"))),
            );
            client
                .delete_item()
                .table_name(&core)
                .set_key(Some(key))
                .send()
                .await
                .map_err(|e| e.to_string())?;
        }
    }
    Ok(())
}

pub(super) async fn introspection(platform: &Platform) -> Outcome {
    let bank = bank(platform).await?;
    let key = &platform.seed.bank.key;
    let body = json!({
        "client_id": key.client_id,
        "client_secret": key.client_secret,
        "token": bank.token(),
    });
    let told = expect(
        platform.anonymous().post("/oauth/introspect", &body).await,
        200,
    )?;
    if told["active"] != true {
        return Err(format!("a good token is not active: {told}"));
    }
    let owner = json!({
        "client_id": platform.seed.organization.key.client_id,
        "client_secret": platform.seed.organization.key.client_secret,
        "token": platform.seed.users.owner.secret,
    });
    expect(
        platform.anonymous().post("/oauth/introspect", &owner).await,
        200,
    )?;
    expect(platform.anonymous().post("/oauth/revoke", &body).await, 200).map(drop)
}

pub(super) async fn customer(platform: &Platform) -> Outcome {
    let bank = bank(platform).await?;
    let body =
        json!({"customer_guid": "c0ffee00c0ffee00c0ffee00c0ffee00", "scopes": ["accounts:read"]});
    let made = expect(bank.post("/api/customer_tokens", &body).await, 201)?;
    expect(
        platform
            .bearer(text(&made, "access_token")?)
            .get("/v1/whoami")
            .await,
        200,
    )
    .map(drop)
}
