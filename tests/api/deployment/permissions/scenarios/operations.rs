//! Stories of a deployment: routes without an authorizer, the clock, a proxy in front and the
//! canary.

use std::time::Duration;

use aws_sdk_dynamodb::{Client, types::AttributeValue};
use domain::feed::Feed;
use reqwest::Method;
use runtime::Env;
use serde_json::{Value, json};
use store::{Store, Tables};
use tests::{
    Answer, Platform,
    platform::{ALLOWED, ELSEWHERE, credentials},
};

use super::{Outcome, expect, organization, text};

/// No route has a HEAD of its own: it reaches the function by way of ANY, which has no authorizer.
pub(super) async fn without_authorizer(platform: &Platform) -> Outcome {
    for caller in [organization(platform).await?, platform.owner()] {
        for path in ["/api/organizations", "/api/bank_applications"] {
            expect(Answer::of(caller.request(Method::HEAD, path)).await, 200)?;
        }
    }
    Ok(())
}

/// Whoever changes something first asks the table for the time, if no answer of the last seconds
/// told it: an instance that was frozen in between.
pub(super) async fn clock(platform: &Platform) -> Outcome {
    let services = platform.stack.services();
    for (function, of) in &services.description().functions {
        let Some(audit) = of.environment.get("LATCHKEY_AUDIT_TABLE") else {
            continue;
        };
        let ambient = services.ambient_of(function).map_err(|e| e.to_string())?;
        let named = |name: &str| of.environment.get(name).unwrap_or(audit).clone();
        let tables = Tables {
            core: named("LATCHKEY_CORE_TABLE"),
            feed: named("LATCHKEY_FEED_TABLE"),
            audit: audit.clone(),
        };
        let entropy = ambient.entropy.clone();
        let store = Store::new(&ambient.aws, tables, ambient.clock.clone(), move || {
            entropy.guid()
        });
        store
            .require_a_true_clock()
            .await
            .map_err(|e| format!("{function}: {e}"))?;
    }
    Ok(())
}

/// A compactor stores a segment, and whoever reads the feed may read it.
pub(super) async fn segments(platform: &Platform) -> Outcome {
    const COMPACTOR: &str = "CompactorFunction";
    let services = platform.stack.services();
    forget_segments(platform).await?;
    let ambient = services.ambient_of(COMPACTOR).map_err(|e| e.to_string())?;
    let variables = services.description().functions[COMPACTOR]
        .environment
        .clone();
    let compactor =
        compactor::start(&Env::from_map(variables), &ambient).map_err(|e| e.to_string())?;
    let answer = compactor::run(&compactor)
        .await
        .map_err(|e| e.to_string())?;
    if answer["newest_end"] == Value::Null {
        return Err("no segment was stored".into());
    }
    for (function, of) in &services.description().functions {
        let Some(feed) = of.environment.get("LATCHKEY_FEED_TABLE") else {
            continue;
        };
        let tables = Tables {
            core: feed.clone(),
            feed: feed.clone(),
            audit: feed.clone(),
        };
        let ambient = services.ambient_of(function).map_err(|e| e.to_string())?;
        let entropy = ambient.entropy.clone();
        let store = Store::new(&ambient.aws, tables, ambient.clock.clone(), move || {
            entropy.guid()
        });
        let query = Feed::default()
            .segment_query((ambient.clock)())
            .ok_or("a cold feed asks for no segments")?;
        let page = store
            .read_segments(&query, Duration::from_secs(4))
            .await
            .map_err(|e| format!("{function}: {e}"))?;
        if page.segments.is_empty() {
            return Err(format!("{function}: there are no segments"));
        }
    }
    Ok(())
}

async fn forget_segments(platform: &Platform) -> Outcome {
    let services = platform.stack.services();
    let client = Client::new(&services.ambient().aws);
    let feed = &services.variables("tokens")["LATCHKEY_FEED_TABLE"];
    let query = client
        .query()
        .table_name(feed)
        .key_condition_expression("PK = :segments")
        .expression_attribute_values(":segments", AttributeValue::S("C#0".into()));
    let found = query.send().await.map_err(|e| e.to_string())?;
    for item in found.items() {
        let delete = client
            .delete_item()
            .table_name(feed)
            .key("PK", item["PK"].clone())
            .key("SK", item["SK"].clone());
        delete.send().await.map_err(|e| e.to_string())?;
    }
    Ok(())
}

/// Keys that may be used from one address alone, and whose holder is there by the word of a proxy
/// that is not.
pub(super) async fn proxied(platform: &Platform) -> Outcome {
    let services = platform.stack.services();
    let variables = services.variables("tokens");
    let secret = aws_sdk_secretsmanager::Client::new(&services.ambient().aws)
        .get_secret_value()
        .secret_id(&variables["LATCHKEY_TRUSTED_PROXY_SECRET"]);
    let secret = secret
        .send()
        .await
        .map_err(|e| e.to_string())?
        .secret_string
        .unwrap_or_default();
    let secret: Value = serde_json::from_str(&secret).map_err(|e| e.to_string())?;
    let proof = text(&secret, "current")?;
    let send = async |request: reqwest::RequestBuilder| {
        let request = request.header(&variables["LATCHKEY_TRUSTED_PROXY_PROOF_HEADER"], proof);
        let address = format!("{ALLOWED}:46532");
        expect(
            Answer::of(
                request.header(&variables["LATCHKEY_TRUSTED_PROXY_ADDRESS_HEADER"], address),
            )
            .await,
            200,
        )
        .map(drop)
    };
    let owner = json!({"type": "user", "guid": platform.seed.users.owner.guid});
    let body = json!({
        "owner": owner,
        "name": "behind",
        "environment": "sandbox",
        "ip_allowlist": [ALLOWED],
    });
    let personal = expect(platform.owner().post("/api/keys", &body).await, 201)?;
    let body =
        json!({"name": "behind", "bank_guid": platform.seed.bank.guid, "ip_allowlist": [ALLOWED]});
    let of_bank = expect(
        organization(platform)
            .await?
            .post("/api/bank_applications", &body)
            .await,
        201,
    )?;
    let elsewhere = platform.anonymous().from(ELSEWHERE);
    let key = credentials(&of_bank);
    let body = json!({
        "grant_type": "client_credentials",
        "client_id": key.client_id,
        "client_secret": key.client_secret,
    });
    send(elsewhere.request(Method::POST, "/oauth/token").json(&body)).await?;
    let person = elsewhere.with_token(text(&personal, "secret")?);
    for (method, path) in [
        (Method::GET, "/v1/whoami"),
        (Method::GET, "/api/banks"),
        // No authorizer stands before these: the functions decide for themselves.
        (Method::HEAD, "/api/banks"),
        (Method::HEAD, "/api/keys"),
    ] {
        send(person.request(method.clone(), path))
            .await
            .map_err(|problem| format!("{method} {path}: {problem}"))?;
    }
    let path = format!("/api/keys/{}/revoke", text(&personal, "client_id")?);
    expect(platform.owner().post(&path, &json!({})).await, 200).map(drop)
}

/// By the role and the variables of the template's function, at the address that this start of the
/// functions has.
pub(super) async fn canary(platform: &Platform) -> Outcome {
    const FUNCTION: &str = "CanaryFunction";
    let services = platform.stack.services();
    let function = services
        .description()
        .functions
        .get(FUNCTION)
        .ok_or("there is no canary")?;
    let env =
        Env::from_map(function.environment.clone()).with("LATCHKEY_URL", platform.stack.base_url());
    let ambient = services.ambient_of(FUNCTION).map_err(|e| e.to_string())?;
    let canary = canary::start(&env, &ambient)
        .map_err(|e| e.to_string())?
        .writing(|_| Ok(()));
    canary::handle(&canary, Value::Null)
        .await
        .map(drop)
        .map_err(|e| e.to_string())
}
