//! Stories of organizations, their banks and their users.

use domain::{gate::Plan, role::Role};
use serde_json::json;
use tests::Platform;

use super::{Outcome, expect, organization, text};

pub(super) async fn organizations(platform: &Platform) -> Outcome {
    let operations = platform.operations();
    let made = json!({"name": "New", "owner_email": "ada@example.com"});
    let once = platform
        .stack
        .services()
        .ambient()
        .entropy
        .guid()
        .to_string();
    let made = expect(
        operations
            .post_with(
                "/api/organizations",
                &[("Idempotency-Key", once.as_str())],
                &made,
            )
            .await,
        201,
    )?;
    let path = format!("/api/organizations/{}", text(&made, "guid")?);
    expect(operations.get("/api/organizations").await, 200)?;
    expect(
        operations
            .put(&format!("{path}/kyb"), &json!({"status": "approved"}))
            .await,
        200,
    )?;
    expect(
        operations
            .put(&format!("{path}/plan"), &json!({"plan": "pro"}))
            .await,
        200,
    )?;
    expect(
        operations
            .put(&format!("{path}/plan"), &json!({"plan": Plan::Starter}))
            .await,
        200,
    )?;
    expect(operations.get(&path).await, 200)?;
    let own = format!("/api/organizations/{}", platform.seed.organization.guid);
    expect(
        platform
            .owner()
            .patch(&own, &json!({"name": "Renamed"}))
            .await,
        200,
    )
    .map(drop)
}

pub(super) async fn banks(platform: &Platform) -> Outcome {
    let organization = organization(platform).await?;
    let made = expect(
        organization
            .post(
                "/api/banks",
                &json!({"name": "Second", "environment": "sandbox"}),
            )
            .await,
        201,
    )?;
    let path = format!("/api/banks/{}", text(&made, "guid")?);
    expect(organization.get("/api/banks").await, 200)?;
    expect(
        organization.patch(&path, &json!({"name": "Third"})).await,
        200,
    )?;
    expect(organization.get(&path).await, 200).map(drop)
}

pub(super) async fn users(platform: &Platform) -> Outcome {
    let owner = platform.owner();
    let email = format!(
        "{}@example.com",
        platform.stack.services().ambient().entropy.guid()
    );
    let made = expect(
        owner
            .post("/api/users", &json!({"email": email, "role": Role::Viewer}))
            .await,
        201,
    )?;
    let path = format!("/api/users/{}", text(&made, "guid")?);
    expect(owner.get("/api/users").await, 200)?;
    expect(
        owner.patch(&path, &json!({"role": Role::Developer})).await,
        200,
    )?;
    expect(
        owner.patch(&path, &json!({"role": Role::Viewer})).await,
        200,
    )?;
    expect(owner.delete(&path).await, 204).map(drop)
}
