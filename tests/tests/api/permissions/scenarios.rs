//! What the platform does for people, as small stories: each is over in well under a second, says at its end whether it came
//! out as it should, and needs some permissions. A permission that none of them needs is one too many.

use std::{collections::HashMap, time::Duration};

use aws_sdk_dynamodb::{Client, types::AttributeValue};
use domain::{
    gate::{Kyb, Plan},
    kind::Kind,
    role::Role,
};
use reqwest::Method;
use runtime::Env;
use serde_json::{Value, json};
use store::{Store, Tables};
use tests::{
    Answer, Caller, Platform,
    platform::{ALLOWED, ELSEWHERE, credentials},
};

/// Why a story did not come out.
pub type Outcome = Result<(), String>;

/// The stories, by name.
pub const ALL: [&str; 19] = [
    "a token is issued and used",
    "a deployment's first keys are published",
    "published keys are named to sign",
    "what the feed was told is counted and ticked off",
    "a token is introspected and revoked",
    "a customer's token is made",
    "a rotated key's grace starts at a token",
    "a rotated personal key's grace starts at the management API",
    "a rotated personal key's grace starts at the sample API",
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
];

/// Those of what only a parameter turns on.
pub const CONDITIONAL: [&str; 2] = ["a proxy's word is believed by every function", "the canary makes a round"];

/// Plays one of them.
pub async fn play(name: &str, platform: &Platform) -> Outcome {
    match name {
        "a token is issued and used" => token(platform).await,
        "a deployment's first keys are published" => first_keys(platform).await,
        "published keys are named to sign" => named(platform).await,
        "what the feed was told is counted and ticked off" => ticked_off(platform).await,
        "a token is introspected and revoked" => introspection(platform).await,
        "a customer's token is made" => customer(platform).await,
        "a rotated key's grace starts at a token" => grace_at_a_token(platform).await,
        "a rotated personal key's grace starts at the management API" => grace_of_a_person(platform, "/api/banks").await,
        "a rotated personal key's grace starts at the sample API" => grace_of_a_person(platform, "/v1/whoami").await,
        "a key's life" => key(platform).await,
        "a bank's key by the published routes" => bank_key(platform).await,
        "a personal key's life" => personal_key(platform).await,
        "organizations and staff" => organizations(platform).await,
        "banks" => banks(platform).await,
        "users" => users(platform).await,
        "an incident" => incident(platform).await,
        "a call without an authorizer is judged by the function" => without_authorizer(platform).await,
        "an event is chained" => chain(platform).await,
        "the clock is asked" => clock(platform).await,
        "a proxy's word is believed by every function" => proxied(platform).await,
        "the canary makes a round" => canary(platform).await,
        other => Err(format!("there is no story {other}")),
    }
}

/// The answer's body, if the status is this one.
fn expect(answer: Answer, status: u16) -> Result<Value, String> {
    if answer.status == status { Ok(answer.body) } else { Err(format!("{} {}", answer.status, answer.text)) }
}

fn text<'a>(body: &'a Value, member: &str) -> Result<&'a str, String> {
    body[member].as_str().ok_or_else(|| format!("no {member} in {body}"))
}

async fn bearer(platform: &Platform, client_id: &str, secret: &str) -> Result<Caller, String> {
    let body = json!({"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret});
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

async fn token(platform: &Platform) -> Outcome {
    let bank = bank(platform).await?;
    expect(bank.get("/v1/whoami").await, 200)?;
    let by_secret = json!({"client_secret": platform.seed.bank.key.client_secret});
    expect(platform.anonymous().post("/v1/auth/token", &by_secret).await, 200)?;
    let keys = expect(platform.anonymous().get("/.well-known/jwks.json").await, 200)?;
    if keys["keys"].as_array().is_none_or(|keys| keys.len() < 2) {
        return Err(format!("a kind's key is not published: {keys}"));
    }
    live_token(platform).await
}

async fn live_token(platform: &Platform) -> Outcome {
    let (organization, key) = platform.founder().organization("Live", Kind::Live).await.map_err(|e| e.to_string())?;
    platform.founder().kyb(organization, Kyb::Approved).await.map_err(|e| e.to_string())?;
    bearer(platform, &key.client_id, &key.client_secret).await.map(drop)
}

/// The tables, and the core one's name, for the operator to look behind the functions.
fn behind(platform: &Platform) -> (Client, String) {
    let services = platform.stack.services();
    (Client::new(&services.edge().aws), services.variables("tokens")["LATCHKEY_CORE_TABLE"].clone())
}

/// Every item of a partition.
async fn partition(platform: &Platform, key: &str) -> Result<Vec<HashMap<String, AttributeValue>>, String> {
    let (client, core) = behind(platform);
    let query = client.query().table_name(core).key_condition_expression("PK = :pk");
    let query = query.expression_attribute_values(":pk", AttributeValue::S(key.to_owned()));
    query.send().await.map(|answer| answer.items.unwrap_or_default()).map_err(|e| e.to_string())
}

async fn first_keys(platform: &Platform) -> Outcome {
    forget(platform, &["P#sandbox", "P#live", "P#signer"]).await?;
    bank(platform).await?;
    live_token(platform).await
}

/// Of a deployment that ended between the two.
async fn named(platform: &Platform) -> Outcome {
    forget(platform, &["P#signer"]).await?;
    bank(platform).await?;
    live_token(platform).await
}

async fn forget(platform: &Platform, partitions: &[&str]) -> Outcome {
    let (client, core) = behind(platform);
    for partition_key in partitions {
        for mut item in partition(platform, partition_key).await? {
            let key = HashMap::from(["PK", "SK"].map(|name| (name.to_owned(), item.remove(name).expect("a key"))));
            client.delete_item().table_name(&core).set_key(Some(key)).send().await.map_err(|e| e.to_string())?;
        }
    }
    Ok(())
}

/// How many entries of the feed the seed organization wrote.
async fn counted(platform: &Platform) -> Result<i64, String> {
    let counters = partition(platform, &format!("B#{}", platform.seed.organization.guid)).await?;
    let numbers = counters.iter().filter_map(|counter| counter.get("n")?.as_n().ok()?.parse::<i64>().ok());
    Ok(numbers.sum())
}

/// A count that cannot be kept refuses nobody, and neither does a mark that stays: both are looked for where they are.
async fn ticked_off(platform: &Platform) -> Outcome {
    let (owner, organization, bank) = (platform.owner(), organization(platform).await?, bank(platform).await?);
    let seed = &platform.seed;
    let is_more = async |before: i64, what: &str| {
        let now = counted(platform).await?;
        if now > before { Ok(now) } else { Err(format!("{what} was not counted")) }
    };
    let before = counted(platform).await?;
    let token =
        json!({"client_id": seed.bank.key.client_id, "client_secret": seed.bank.key.client_secret, "token": bank.token()});
    expect(platform.anonymous().post("/oauth/revoke", &token).await, 200)?;
    let before = is_more(before, "a revoked token").await?;
    let body = json!({"name": "counted", "bank_guid": seed.bank.guid});
    let key = expect(organization.post("/api/bank_applications", &body).await, 201)?;
    let path = format!("/api/keys/{}", text(&key, "client_id")?);
    expect(organization.patch(&path, &json!({"expires_at": "2090-01-01T00:00:00Z"})).await, 200)?;
    let before = is_more(before, "a key's end").await?;
    let email = format!("{}@example.com", platform.stack.services().edge().entropy.guid());
    let user = expect(owner.post("/api/users", &json!({"email": email, "role": Role::Developer})).await, 201)?;
    let guid = text(&user, "guid")?;
    expect(owner.patch(&format!("/api/users/{guid}"), &json!({"role": Role::Viewer})).await, 200)?;
    is_more(before, "a narrower role").await?;
    let neighbour = platform.neighbour().await.0;
    let kyb = format!("/api/organizations/{neighbour}/kyb");
    expect(platform.operations().put(&kyb, &json!({"status": "approved"})).await, 200)?;
    expect(platform.operations().put(&kyb, &json!({"status": "rejected"})).await, 200)?;
    for subject in [format!("U#{guid}"), format!("G#{neighbour}")] {
        let items = partition(platform, &subject).await?;
        if items.is_empty() || items.iter().any(|item| item.contains_key("unannounced")) {
            return Err(format!("{subject} is still marked"));
        }
    }
    Ok(())
}

async fn introspection(platform: &Platform) -> Outcome {
    let bank = bank(platform).await?;
    let key = &platform.seed.bank.key;
    let body = json!({"client_id": key.client_id, "client_secret": key.client_secret, "token": bank.token()});
    let told = expect(platform.anonymous().post("/oauth/introspect", &body).await, 200)?;
    if told["active"] != true {
        return Err(format!("a good token is not active: {told}"));
    }
    let owner = json!({
        "client_id": platform.seed.organization.key.client_id,
        "client_secret": platform.seed.organization.key.client_secret,
        "token": platform.seed.users.owner.secret,
    });
    expect(platform.anonymous().post("/oauth/introspect", &owner).await, 200)?;
    expect(platform.anonymous().post("/oauth/revoke", &body).await, 200).map(drop)
}

async fn customer(platform: &Platform) -> Outcome {
    let bank = bank(platform).await?;
    let body = json!({"customer_guid": "c0ffee00c0ffee00c0ffee00c0ffee00", "scopes": ["accounts:read"]});
    let made = expect(bank.post("/api/customer_tokens", &body).await, 201)?;
    expect(platform.bearer(text(&made, "access_token")?).get("/v1/whoami").await, 200).map(drop)
}

async fn rotated(caller: &Caller, client_id: &str) -> Result<String, String> {
    let body = json!({"grace_period": 600, "grace_starts": "first_use"});
    let rotated = expect(caller.post(&format!("/api/keys/{client_id}/rotate"), &body).await, 200)?;
    text(&rotated, "secret").map(str::to_owned)
}

/// Whether waiting is no use any more: somebody was refused what the story waits for.
fn in_vain(platform: &Platform) -> bool {
    platform.stack.services().cloud().authority().refusals() > 0
}

/// Waits for the old secret's end to be known: who starts it may do so after he has answered.
async fn grace_has_started(platform: &Platform, caller: &Caller, client_id: &str) -> Outcome {
    let mut last = Value::Null;
    for _ in 0..4_000 {
        last = expect(caller.get(&format!("/api/keys/{client_id}")).await, 200)?;
        if last["secrets"].as_array().is_some_and(|secrets| secrets.iter().any(|secret| !secret["expires_at"].is_null())) {
            return Ok(());
        }
        if in_vain(platform) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    Err(format!("the grace did not start: {last}"))
}

async fn grace_at_a_token(platform: &Platform) -> Outcome {
    let organization = organization(platform).await?;
    let body = json!({"name": "rotated", "bank_guid": platform.seed.bank.guid});
    let key = expect(organization.post("/api/bank_applications", &body).await, 201)?;
    let client_id = text(&key, "client_id")?;
    let secret = rotated(&organization, client_id).await?;
    bearer(platform, client_id, &secret).await?;
    grace_has_started(platform, &organization, client_id).await
}

async fn grace_of_a_person(platform: &Platform, path: &str) -> Outcome {
    let owner = platform.owner();
    let body = json!({"owner": {"type": "user", "guid": platform.seed.users.owner.guid}, "name": "x", "environment": "sandbox"});
    let key = expect(owner.post("/api/keys", &body).await, 201)?;
    let client_id = text(&key, "client_id")?;
    expect(platform.bearer(text(&key, "secret")?).get(path).await, 200)?;
    let secret = rotated(&owner, client_id).await?;
    expect(platform.bearer(&secret).get(path).await, 200)?;
    grace_has_started(platform, &owner, client_id).await?;
    expect(owner.post(&format!("/api/keys/{client_id}/revoke"), &json!({})).await, 200).map(drop)
}

async fn key(platform: &Platform) -> Outcome {
    let organization = organization(platform).await?;
    let of_bank = json!({"owner": {"type": "bank", "guid": platform.seed.bank.guid}, "name": "one"});
    let once = platform.stack.services().edge().entropy.guid().to_string();
    let headers = [("Idempotency-Key", once.as_str())];
    let made = organization.post_with("/api/keys", &headers, &of_bank).await;
    let made = expect(made, 201)?;
    expect(organization.post_with("/api/keys", &headers, &of_bank).await, 201)?;
    let path = format!("/api/keys/{}", text(&made, "client_id")?);
    expect(organization.get("/api/keys").await, 200)?;
    expect(organization.patch(&path, &json!({"name": "two", "expires_at": "2090-01-01T00:00:00Z"})).await, 200)?;
    expect(organization.post(&format!("{path}/rotate"), &json!({})).await, 200)?;
    expect(organization.post(&format!("{path}/finish_rotation"), &json!({})).await, 200)?;
    for (operation, state) in [("deactivate", "deactivated"), ("restore", "active"), ("revoke", "revoked")] {
        expect(organization.post(&format!("{path}/{operation}"), &json!({})).await, 200)?;
        let read = expect(organization.get(&path).await, 200)?;
        if read["state"] != state {
            return Err(format!("{operation}: {read}"));
        }
    }
    Ok(())
}

/// No route has a HEAD of its own: it reaches the function by way of ANY, which has no authorizer.
async fn without_authorizer(platform: &Platform) -> Outcome {
    for caller in [organization(platform).await?, platform.owner()] {
        for path in ["/api/organizations", "/api/bank_applications"] {
            expect(Answer::of(caller.request(Method::HEAD, path)).await, 200)?;
        }
    }
    Ok(())
}

async fn bank_key(platform: &Platform) -> Outcome {
    let organization = organization(platform).await?;
    let body = json!({"name": "published", "bank_guid": platform.seed.bank.guid});
    let made = expect(organization.post("/api/bank_applications", &body).await, 201)?;
    let key = credentials(&made);
    let path = format!("/api/bank_applications/{}", key.client_id);
    expect(organization.get("/api/bank_applications").await, 200)?;
    expect(organization.patch(&path, &json!({"name": "two"})).await, 200)?;
    expect(organization.delete(&path).await, 204)?;
    let own = expect(organization.post("/api/organization_applications", &json!({"name": "own"})).await, 201)?;
    expect(organization.delete(&format!("/api/organization_applications/{}", text(&own, "client_id")?)).await, 204).map(drop)
}

async fn personal_key(platform: &Platform) -> Outcome {
    let (owner, developer) = (platform.owner(), &platform.seed.users.developer.guid);
    let body = json!({"owner": {"type": "user", "guid": developer}, "name": "laptop", "environment": "sandbox"});
    let key = expect(owner.post("/api/keys", &body).await, 201)?;
    let path = format!("/api/keys/{}", text(&key, "client_id")?);
    expect(platform.bearer(text(&key, "secret")?).get("/v1/whoami").await, 200)?;
    expect(owner.patch(&path, &json!({"ip_allowlist": ["8.8.8.8"]})).await, 200)?;
    expect(owner.post(&format!("{path}/rotate"), &json!({"replace": true})).await, 200)?;
    expect(owner.delete(&path).await, 204).map(drop)
}

async fn organizations(platform: &Platform) -> Outcome {
    let operations = platform.operations();
    let made = json!({"name": "New", "owner_email": "ada@example.com"});
    let once = platform.stack.services().edge().entropy.guid().to_string();
    let made = expect(operations.post_with("/api/organizations", &[("Idempotency-Key", once.as_str())], &made).await, 201)?;
    let path = format!("/api/organizations/{}", text(&made, "guid")?);
    expect(operations.get("/api/organizations").await, 200)?;
    expect(operations.put(&format!("{path}/kyb"), &json!({"status": "approved"})).await, 200)?;
    expect(operations.put(&format!("{path}/plan"), &json!({"plan": "pro"})).await, 200)?;
    expect(operations.put(&format!("{path}/plan"), &json!({"plan": Plan::Starter})).await, 200)?;
    expect(operations.get(&path).await, 200)?;
    let own = format!("/api/organizations/{}", platform.seed.organization.guid);
    expect(platform.owner().patch(&own, &json!({"name": "Renamed"})).await, 200).map(drop)
}

async fn banks(platform: &Platform) -> Outcome {
    let organization = organization(platform).await?;
    let made = expect(organization.post("/api/banks", &json!({"name": "Second", "environment": "sandbox"})).await, 201)?;
    let path = format!("/api/banks/{}", text(&made, "guid")?);
    expect(organization.get("/api/banks").await, 200)?;
    expect(organization.patch(&path, &json!({"name": "Third"})).await, 200)?;
    expect(organization.get(&path).await, 200).map(drop)
}

async fn users(platform: &Platform) -> Outcome {
    let owner = platform.owner();
    let email = format!("{}@example.com", platform.stack.services().edge().entropy.guid());
    let made = expect(owner.post("/api/users", &json!({"email": email, "role": Role::Viewer})).await, 201)?;
    let path = format!("/api/users/{}", text(&made, "guid")?);
    expect(owner.get("/api/users").await, 200)?;
    expect(owner.patch(&path, &json!({"role": Role::Developer})).await, 200)?;
    expect(owner.patch(&path, &json!({"role": Role::Viewer})).await, 200)?;
    expect(owner.delete(&path).await, 204).map(drop)
}

async fn incident(platform: &Platform) -> Outcome {
    let owner = platform.owner();
    let body = json!({"owner": {"type": "user", "guid": platform.seed.users.viewer.guid}, "name": "x", "environment": "sandbox"});
    let key = expect(owner.post("/api/keys", &body).await, 201)?;
    for dry_run in [true, false] {
        let order = json!({"reason": "Leaked.", "keys": [text(&key, "client_id")?], "dry_run": dry_run});
        expect(owner.post("/api/incidents/revoke", &order).await, 200)?;
    }
    expect(platform.bearer(text(&key, "secret")?).get("/v1/whoami").await, 401).map(drop)
}

/// Something is changed, and the stream's consumer links the event of it.
async fn chain(platform: &Platform) -> Outcome {
    let own = format!("/api/organizations/{}", platform.seed.organization.guid);
    expect(platform.owner().patch(&own, &json!({"name": "Chained"})).await, 200)?;
    let mut settled = platform.stack.settle_within(Duration::from_millis(100)).await;
    for _ in 0..1_000 {
        if settled.is_ok() || in_vain(platform) {
            break;
        }
        settled = platform.stack.settle_within(Duration::from_millis(100)).await;
    }
    settled.map_err(|e| e.to_string())?;
    let organization = platform.seed.organization.guid.parse().map_err(|_| "a guid".to_owned())?;
    let store = platform.stack.services().store().map_err(|e| e.to_string())?;
    let chain = store.audit_chain(organization).await.map_err(|e| e.to_string())?;
    if chain.links.len() == chain.events.len() { Ok(()) } else { Err("an event is not linked".to_owned()) }
}

/// Whoever changes something first asks the table for the time, if no answer of the last seconds told it: an instance that was
/// frozen in between.
async fn clock(platform: &Platform) -> Outcome {
    let services = platform.stack.services();
    for (function, of) in &services.description().functions {
        let Some(audit) = of.environment.get("LATCHKEY_AUDIT_TABLE") else { continue };
        let edge = services.edge_of(function).map_err(|e| e.to_string())?;
        let named = |name: &str| of.environment.get(name).unwrap_or(audit).clone();
        let tables = Tables { core: named("LATCHKEY_CORE_TABLE"), feed: named("LATCHKEY_FEED_TABLE"), audit: audit.clone() };
        let entropy = edge.entropy.clone();
        let store = Store::new(&edge.aws, tables, edge.clock.clone(), move || entropy.guid());
        store.require_a_true_clock().await.map_err(|e| format!("{function}: {e}"))?;
    }
    Ok(())
}

/// Keys that may be used from one address alone, and whose holder is there by the word of a proxy that is not.
async fn proxied(platform: &Platform) -> Outcome {
    let services = platform.stack.services();
    let variables = services.variables("tokens");
    let secret = aws_sdk_secretsmanager::Client::new(&services.edge().aws)
        .get_secret_value()
        .secret_id(&variables["LATCHKEY_TRUSTED_PROXY_SECRET"]);
    let secret = secret.send().await.map_err(|e| e.to_string())?.secret_string.unwrap_or_default();
    let secret: Value = serde_json::from_str(&secret).map_err(|e| e.to_string())?;
    let proof = text(&secret, "current")?;
    let send = async |request: reqwest::RequestBuilder| {
        let request = request.header(&variables["LATCHKEY_TRUSTED_PROXY_PROOF_HEADER"], proof);
        let address = format!("{ALLOWED}:46532");
        expect(Answer::of(request.header(&variables["LATCHKEY_TRUSTED_PROXY_ADDRESS_HEADER"], address)).await, 200).map(drop)
    };
    let owner = json!({"type": "user", "guid": platform.seed.users.owner.guid});
    let body = json!({"owner": owner, "name": "behind", "environment": "sandbox", "ip_allowlist": [ALLOWED]});
    let personal = expect(platform.owner().post("/api/keys", &body).await, 201)?;
    let body = json!({"name": "behind", "bank_guid": platform.seed.bank.guid, "ip_allowlist": [ALLOWED]});
    let of_bank = expect(organization(platform).await?.post("/api/bank_applications", &body).await, 201)?;
    let edge = platform.anonymous().from(ELSEWHERE);
    let key = credentials(&of_bank);
    let body = json!({"grant_type": "client_credentials", "client_id": key.client_id, "client_secret": key.client_secret});
    send(edge.request(Method::POST, "/oauth/token").json(&body)).await?;
    let person = edge.with_token(text(&personal, "secret")?);
    for (method, path) in [
        (Method::GET, "/v1/whoami"),
        (Method::GET, "/api/banks"),
        // No authorizer stands before these: the functions judge for themselves.
        (Method::HEAD, "/api/banks"),
        (Method::HEAD, "/api/keys"),
    ] {
        send(person.request(method.clone(), path)).await.map_err(|problem| format!("{method} {path}: {problem}"))?;
    }
    let path = format!("/api/keys/{}/revoke", text(&personal, "client_id")?);
    expect(platform.owner().post(&path, &json!({})).await, 200).map(drop)
}

/// By the role and the variables of the template's function, at the address that this start of the functions has.
async fn canary(platform: &Platform) -> Outcome {
    const FUNCTION: &str = "CanaryFunction";
    let services = platform.stack.services();
    let function = services.description().functions.get(FUNCTION).ok_or("there is no canary")?;
    let env = Env::from_map(function.environment.clone()).with("LATCHKEY_URL", platform.stack.base_url());
    let edge = services.edge_of(FUNCTION).map_err(|e| e.to_string())?;
    let canary = canary::start(&env, &edge).map_err(|e| e.to_string())?.writing(|_| Ok(()));
    canary::handle(&canary, Value::Null).await.map(drop).map_err(|e| e.to_string())
}
