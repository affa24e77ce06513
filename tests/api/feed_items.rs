//! The feed's items in the tables: its entries, and an organization's budget of them.

use std::time::Duration;

use aws_sdk_dynamodb::{
    Client,
    types::{AttributeValue, Select},
};
use domain::ids::Guid;
use tests::Platform;

/// How many entries the feed has.
pub async fn feed_entries(platform: &Platform) -> Result<i32, String> {
    let services = platform.stack.services();
    let client = Client::new(&services.ambient().aws);
    let query = client
        .query()
        .table_name(&services.variables("tokens")["LATCHKEY_FEED_TABLE"])
        .key_condition_expression("PK = :feed")
        .expression_attribute_values(":feed", AttributeValue::S("F#0".into()))
        .select(Select::Count);
    let counted = query.send().await.map_err(|error| error.to_string())?;
    Ok(counted.count)
}

/// Spends an organization's budget of entries of this minute and of the next ones.
pub async fn spend_budget(
    platform: &Platform,
    organization: Guid,
    minutes: u64,
) -> Result<(), String> {
    let services = platform.stack.services();
    let client = Client::new(&services.ambient().aws);
    let now = (services.ambient().clock)();
    for minute in 0..=minutes {
        let minute = (now + Duration::from_mins(minute)).to_string();
        let minute = minute.get(..16).unwrap_or_default();
        let put = client
            .put_item()
            .table_name(&services.variables("tokens")["LATCHKEY_CORE_TABLE"])
            .item("PK", AttributeValue::S(format!("B#{organization}")))
            .item("SK", AttributeValue::S(format!("{minute}Z")))
            .item("n", AttributeValue::N("96".into()));
        put.send().await.map_err(|error| error.to_string())?;
    }
    Ok(())
}
