//! Stories of what a change writes besides its item: feed entries, their counters, the item's
//! outbox, and audit events.

use std::{collections::HashMap, time::Duration};

use aws_sdk_dynamodb::{Client, types::AttributeValue};
use domain::role::Role;
use serde_json::json;
use tests::Platform;

use super::{Outcome, bank, expect, in_vain, organization, partition, text};

/// How many entries of the feed the seed organization wrote.
async fn counted(platform: &Platform) -> Result<i64, String> {
    let counters = partition(platform, &format!("B#{}", platform.seed.organization.guid)).await?;
    let numbers = counters
        .iter()
        .filter_map(|counter| counter.get("n")?.as_n().ok()?.parse::<i64>().ok());
    Ok(numbers.sum())
}

/// What stands in the table of the feed about revoked tokens.
async fn revoked_tokens(
    platform: &Platform,
) -> Result<Vec<HashMap<String, AttributeValue>>, String> {
    let services = platform.stack.services();
    let client = Client::new(&services.ambient().aws);
    let scan = client
        .scan()
        .table_name(&services.variables("tokens")["LATCHKEY_FEED_TABLE"])
        .filter_expression("SK = :revoked")
        .expression_attribute_values(":revoked", AttributeValue::S("T".into()));
    let found = scan.send().await.map_err(|error| error.to_string())?;
    Ok(found.items.unwrap_or_default())
}

/// A count that cannot be kept refuses nobody, and neither does a mark that stays: both are looked
/// for where they are.
pub(super) async fn counted_and_cleared(platform: &Platform) -> Outcome {
    let (owner, organization, bank) = (
        platform.owner(),
        organization(platform).await?,
        bank(platform).await?,
    );
    let seed = &platform.seed;
    let is_more = async |before: i64, what: &str| {
        let now = counted(platform).await?;
        if now > before {
            Ok(now)
        } else {
            Err(format!("{what} was not counted"))
        }
    };
    let before = counted(platform).await?;
    let token = json!({
        "client_id": seed.bank.key.client_id,
        "client_secret": seed.bank.key.client_secret,
        "token": bank.token(),
    });
    expect(
        platform.anonymous().post("/oauth/revoke", &token).await,
        200,
    )?;
    let before = is_more(before, "a revoked token").await?;
    let body = json!({"name": "counted", "bank_guid": seed.bank.guid});
    let key = expect(
        organization.post("/api/bank_applications", &body).await,
        201,
    )?;
    let path = format!("/api/keys/{}", text(&key, "client_id")?);
    expect(
        organization
            .patch(&path, &json!({"expires_at": "2090-01-01T00:00:00Z"}))
            .await,
        200,
    )?;
    let before = is_more(before, "a key's end").await?;
    let email = format!(
        "{}@example.com",
        platform.stack.services().ambient().entropy.guid()
    );
    let user = expect(
        owner
            .post(
                "/api/users",
                &json!({"email": email, "role": Role::Developer}),
            )
            .await,
        201,
    )?;
    let guid = text(&user, "guid")?;
    expect(
        owner
            .patch(
                &format!("/api/users/{guid}"),
                &json!({"role": Role::Viewer}),
            )
            .await,
        200,
    )?;
    is_more(before, "a narrower role").await?;
    let neighbour = platform.neighbour().await.0;
    let kyb = format!("/api/organizations/{neighbour}/kyb");
    expect(
        platform
            .operations()
            .put(&kyb, &json!({"status": "approved"}))
            .await,
        200,
    )?;
    expect(
        platform
            .operations()
            .put(&kyb, &json!({"status": "rejected"}))
            .await,
        200,
    )?;
    let marked = [
        partition(platform, &format!("U#{guid}")).await?,
        partition(platform, &format!("G#{neighbour}")).await?,
        revoked_tokens(platform).await?,
    ];
    for items in marked {
        if items.is_empty() || items.iter().any(|item| item.contains_key("unannounced")) {
            return Err(format!("still marked: {items:?}"));
        }
    }
    Ok(())
}

/// Something is changed, and the stream's consumer links the event of it.
pub(super) async fn chain(platform: &Platform) -> Outcome {
    let own = format!("/api/organizations/{}", platform.seed.organization.guid);
    expect(
        platform
            .owner()
            .patch(&own, &json!({"name": "Chained"}))
            .await,
        200,
    )?;
    let mut drained = platform
        .stack
        .drain_within(Duration::from_millis(100))
        .await;
    for _ in 0..1_000 {
        if drained.is_ok() || in_vain(platform) {
            break;
        }
        drained = platform
            .stack
            .drain_within(Duration::from_millis(100))
            .await;
    }
    drained.map_err(|e| e.to_string())?;
    let organization = platform
        .seed
        .organization
        .guid
        .parse()
        .map_err(|_| "a guid".to_owned())?;
    let store = platform
        .stack
        .services()
        .store()
        .map_err(|e| e.to_string())?;
    let chain = store
        .audit_chain(organization)
        .await
        .map_err(|e| e.to_string())?;
    if chain.links.len() == chain.events.len() {
        Ok(())
    } else {
        Err("an event is not linked".to_owned())
    }
}
