//! What the platform does for people, as small stories: each is over in well under a second, says
//! at its end whether it came out as it should, and needs some permissions. A permission that none
//! of them needs is one too many.

mod covers;
mod feed;
mod grace;
mod keys;
mod operations;
mod people;
mod tokens;

use std::collections::HashMap;

use aws_sdk_dynamodb::{Client, types::AttributeValue};
use serde_json::{Value, json};
use tests::{Answer, Caller, Platform};

use self::{
    covers::{covered, entries_omitted, looked_up},
    feed::{chain, counted_and_cleared},
    grace::{Seen, grace_at_a_token, grace_of_a_person},
    keys::{bank_key, incident, key, personal_key},
    operations::{canary, clock, proxied, segments, without_authorizer},
    people::{banks, organizations, users},
    tokens::{customer, first_keys, forget, introspection, named, token},
};

/// Why a story did not come out.
pub type Outcome = Result<(), String>;

/// The stories, by name.
pub const ALL: [&str; 26] = [
    "a token is issued and used",
    "a deployment's first keys are published",
    "published keys are named to sign",
    "feed entries are counted, and the outbox is cleared",
    "an organization that changes too often is covered",
    "changes of a covered organization write no entry",
    "a token of a covered organization is looked up",
    "a token is introspected and revoked",
    "a customer's token is made",
    "a rotated key's grace starts at a token",
    "a rotated personal key's grace starts at the management API",
    "a rotated personal key's grace starts at the sample API",
    "a rotated personal key's grace starts at the keys function",
    "a rotated personal key's grace starts at the management function",
    "a rotated personal key's grace starts at an introspection",
    "a key's life",
    "a bank's key by the published routes",
    "a personal key's life",
    "organizations and staff",
    "banks",
    "users",
    "an incident",
    "a call without an authorizer is judged by the function",
    "an event is chained",
    "the clock is asked",
    "the feed is compacted, and its segments are read",
];

/// Those of what only a parameter turns on.
pub const CONDITIONAL: [&str; 2] = [
    "a proxy's word is believed by every function",
    "the canary makes a round",
];

/// Plays one of them.
pub async fn play(name: &str, platform: &Platform) -> Outcome {
    // Together they may write more entries in a minute than the budget of an organization allows.
    let counters = format!("B#{}", platform.seed.organization.guid);
    forget(platform, &[&counters, "B#*"]).await?;
    match name {
        "a token is issued and used" => token(platform).await,
        "a deployment's first keys are published" => first_keys(platform).await,
        "published keys are named to sign" => named(platform).await,
        "feed entries are counted, and the outbox is cleared" => {
            counted_and_cleared(platform).await
        }
        "an organization that changes too often is covered" => covered(platform).await,
        "changes of a covered organization write no entry" => entries_omitted(platform).await,
        "a token of a covered organization is looked up" => looked_up(platform).await,
        "a token is introspected and revoked" => introspection(platform).await,
        "a customer's token is made" => customer(platform).await,
        "a rotated key's grace starts at a token" => grace_at_a_token(platform).await,
        "a rotated personal key's grace starts at the management API" => {
            grace_of_a_person(platform, Seen::Authorizer("/api/banks")).await
        }
        "a rotated personal key's grace starts at the sample API" => {
            grace_of_a_person(platform, Seen::Authorizer("/v1/whoami")).await
        }
        "a rotated personal key's grace starts at the keys function" => {
            grace_of_a_person(platform, Seen::Function("/api/keys")).await
        }
        "a rotated personal key's grace starts at the management function" => {
            grace_of_a_person(platform, Seen::Function("/api/banks")).await
        }
        "a rotated personal key's grace starts at an introspection" => {
            grace_of_a_person(platform, Seen::Introspection).await
        }
        "a key's life" => key(platform).await,
        "a bank's key by the published routes" => bank_key(platform).await,
        "a personal key's life" => personal_key(platform).await,
        "organizations and staff" => organizations(platform).await,
        "banks" => banks(platform).await,
        "users" => users(platform).await,
        "an incident" => incident(platform).await,
        "a call without an authorizer is judged by the function" => {
            without_authorizer(platform).await
        }
        "an event is chained" => chain(platform).await,
        "the clock is asked" => clock(platform).await,
        "the feed is compacted, and its segments are read" => segments(platform).await,
        "a proxy's word is believed by every function" => proxied(platform).await,
        "the canary makes a round" => canary(platform).await,
        other => Err(format!("there is no story {other}")),
    }
}

/// The answer's body, if the status is this one.
fn expect(answer: Answer, status: u16) -> Result<Value, String> {
    if answer.status == status {
        Ok(answer.body)
    } else {
        Err(format!("{} {}", answer.status, answer.text))
    }
}

fn text<'a>(body: &'a Value, member: &str) -> Result<&'a str, String> {
    body[member]
        .as_str()
        .ok_or_else(|| format!("no {member} in {body}"))
}

async fn bearer(platform: &Platform, client_id: &str, secret: &str) -> Result<Caller, String> {
    let body = json!({
        "grant_type": "client_credentials",
        "client_id": client_id,
        "client_secret": secret,
    });
    let answer = expect(platform.anonymous().post("/oauth/token", &body).await, 200)?;
    Ok(platform.bearer(text(&answer, "access_token")?))
}

async fn organization(platform: &Platform) -> Result<Caller, String> {
    let key = &platform.seed.organization.key;
    bearer(platform, &key.client_id, &key.client_secret).await
}

async fn bank(platform: &Platform) -> Result<Caller, String> {
    let key = &platform.seed.bank.key;
    bearer(platform, &key.client_id, &key.client_secret).await
}

/// The tables, and the core one's name, for the operator to look behind the functions.
fn behind(platform: &Platform) -> (Client, String) {
    let services = platform.stack.services();
    (
        Client::new(&services.ambient().aws),
        services.variables("tokens")["LATCHKEY_CORE_TABLE"].clone(),
    )
}

/// Every item of a partition.
async fn partition(
    platform: &Platform,
    key: &str,
) -> Result<Vec<HashMap<String, AttributeValue>>, String> {
    let (client, core) = behind(platform);
    let query = client
        .query()
        .table_name(core)
        .key_condition_expression("PK = :pk");
    let query = query.expression_attribute_values(":pk", AttributeValue::S(key.to_owned()));
    query
        .send()
        .await
        .map(|answer| answer.items.unwrap_or_default())
        .map_err(|e| e.to_string())
}

/// Whether waiting is no use any more: somebody was refused what the story waits for.
fn in_vain(platform: &Platform) -> bool {
    platform.stack.services().cloud().authority().refusals() > 0
}
