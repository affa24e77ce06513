//! Stories of a key's life, by every route, up to an incident.

use domain::role::Role;
use serde_json::json;
use tests::{Platform, platform::credentials};

use super::{Outcome, expect, organization, text};
use crate::people::Person;

pub(super) async fn key(platform: &Platform) -> Outcome {
    let organization = organization(platform).await?;
    let of_bank =
        json!({"owner": {"type": "bank", "guid": platform.seed.bank.guid}, "name": "one"});
    let once = platform
        .stack
        .services()
        .ambient()
        .entropy
        .guid()
        .to_string();
    let headers = [("Idempotency-Key", once.as_str())];
    let made = organization
        .post_with("/api/keys", &headers, &of_bank)
        .await;
    let made = expect(made, 201)?;
    expect(
        organization
            .post_with("/api/keys", &headers, &of_bank)
            .await,
        201,
    )?;
    let path = format!("/api/keys/{}", text(&made, "client_id")?);
    expect(organization.get("/api/keys").await, 200)?;
    expect(
        organization
            .patch(
                &path,
                &json!({"name": "two", "expires_at": "2090-01-01T00:00:00Z"}),
            )
            .await,
        200,
    )?;
    expect(
        organization
            .post(&format!("{path}/rotate"), &json!({}))
            .await,
        200,
    )?;
    expect(
        organization
            .post(&format!("{path}/finish_rotation"), &json!({}))
            .await,
        200,
    )?;
    for (operation, state) in [
        ("deactivate", "deactivated"),
        ("restore", "active"),
        ("revoke", "revoked"),
    ] {
        expect(
            organization
                .post(&format!("{path}/{operation}"), &json!({}))
                .await,
            200,
        )?;
        let read = expect(organization.get(&path).await, 200)?;
        if read["state"] != state {
            return Err(format!("{operation}: {read}"));
        }
    }
    Ok(())
}

pub(super) async fn bank_key(platform: &Platform) -> Outcome {
    let organization = organization(platform).await?;
    let body = json!({"name": "published", "bank_guid": platform.seed.bank.guid});
    let made = expect(
        organization.post("/api/bank_applications", &body).await,
        201,
    )?;
    let key = credentials(&made);
    let path = format!("/api/bank_applications/{}", key.client_id);
    expect(organization.get("/api/bank_applications").await, 200)?;
    expect(
        organization.patch(&path, &json!({"name": "two"})).await,
        200,
    )?;
    expect(organization.delete(&path).await, 204)?;
    let own = expect(
        organization
            .post("/api/organization_applications", &json!({"name": "own"}))
            .await,
        201,
    )?;
    expect(
        organization
            .delete(&format!(
                "/api/organization_applications/{}",
                text(&own, "client_id")?
            ))
            .await,
        204,
    )
    .map(drop)
}

pub(super) async fn personal_key(platform: &Platform) -> Outcome {
    let (owner, developer) = (platform.owner(), &platform.seed.users.developer.guid);
    let body = json!({
        "owner": {"type": "user", "guid": developer},
        "name": "laptop",
        "environment": "sandbox",
    });
    let key = expect(owner.post("/api/keys", &body).await, 201)?;
    let path = format!("/api/keys/{}", text(&key, "client_id")?);
    expect(
        platform
            .bearer(text(&key, "secret")?)
            .get("/v1/whoami")
            .await,
        200,
    )?;
    expect(
        owner
            .patch(&path, &json!({"ip_allowlist": ["8.8.8.8"]}))
            .await,
        200,
    )?;
    expect(
        owner
            .post(&format!("{path}/rotate"), &json!({"replace": true}))
            .await,
        200,
    )?;
    expect(owner.delete(&path).await, 204).map(drop)
}

pub(super) async fn incident(platform: &Platform) -> Outcome {
    let owner = platform.owner();
    let body = json!({
        "owner": {"type": "user", "guid": platform.seed.users.viewer.guid},
        "name": "x",
        "environment": "sandbox",
    });
    let key = expect(owner.post("/api/keys", &body).await, 201)?;
    for dry_run in [true, false] {
        let order =
            json!({"reason": "Leaked.", "keys": [text(&key, "client_id")?], "dry_run": dry_run});
        expect(owner.post("/api/incidents/revoke", &order).await, 200)?;
    }
    expect(
        platform
            .bearer(text(&key, "secret")?)
            .get("/v1/whoami")
            .await,
        401,
    )?;
    // An administrator's, which spares owners (LEAK-8).
    let admin = Person::new(platform, Role::Admin).await.caller;
    let somebody = Person::new(platform, Role::Developer).await;
    let order = json!({"reason": "Leaked.", "user_guid": somebody.guid});
    expect(admin.post("/api/incidents/revoke", &order).await, 200).map(drop)
}
