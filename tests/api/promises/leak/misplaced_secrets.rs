//! Requests of a client that puts a secret or a token wherever it does not belong.

use operator::tenants::Credentials;
use reqwest::{Method, RequestBuilder};
use serde_json::json;
use tests::{Caller, Platform};

/// Requests with `text`, a secret or a token, wherever a confused client could put it.
pub(super) fn requests(platform: &Platform, caller: &Caller, text: &str) -> Vec<RequestBuilder> {
    let anonymous = platform.anonymous();
    let mut requests = in_paths(caller, &anonymous, text);
    requests.extend(in_bodies(platform, caller, text));
    requests.extend(in_credentials(platform, &anonymous, text));
    requests.extend(in_headers(&anonymous, text));
    if let Ok(method) = Method::from_bytes(text.as_bytes()) {
        requests
            .extend(["/v1/whoami", "/nothing"].map(|path| anonymous.request(method.clone(), path)));
    }
    requests
}

fn in_paths(caller: &Caller, anonymous: &Caller, text: &str) -> Vec<RequestBuilder> {
    let mut requests = Vec::new();
    for path in [
        format!("/{text}"),
        format!("/v1/whoami/{text}"),
        format!("/api/bank_applications/{text}"),
        format!("/api/banks/{text}"),
        format!("/api/organizations/{text}?client_secret={text}"),
        format!("/api/bank_applications?bank_guid={text}"),
        format!("/api/bank_applications?page={text}"),
        format!("/api/bank_applications?{text}=1"),
        format!("/v1/whoami?access_token={text}"),
        format!("/oauth/token?client_secret={text}"),
        format!("/oauth/introspect?token={text}"),
        format!("/oauth/revoke?token={text}"),
    ] {
        requests.extend([
            caller.request(Method::GET, &path),
            anonymous.request(Method::POST, &path),
        ]);
    }
    requests.push(caller.request(Method::POST, &format!("/api/keys/{text}/revoke")));
    requests
}

fn in_bodies(platform: &Platform, caller: &Caller, text: &str) -> Vec<RequestBuilder> {
    let mut requests = Vec::new();
    for body in [
        json!({"name": "confused", text: 1}),
        json!({"name": "confused", "client_secret": text}),
        json!({"name": {"text": text}}),
        json!({"name": "confused", "bank_guid": text}),
        json!({"name": "confused", "scopes": [text]}),
        json!({"name": "confused", "scopes": text}),
        json!({"name": "confused", "ip_allowlist": [text]}),
        json!({"name": "confused", "expires_at": text}),
        json!({"name": text.repeat(3)}),
        json!({"environment": text, "name": "confused"}),
        json!(text),
    ] {
        for path in [
            "/api/bank_applications",
            "/api/organization_applications",
            "/api/banks",
        ] {
            requests.push(caller.request(Method::POST, path).json(&body));
        }
        requests.push(
            caller
                .request(
                    Method::PATCH,
                    &format!(
                        "/api/bank_applications/{}",
                        platform.seed.bank.key.client_id
                    ),
                )
                .json(&body),
        );
    }
    requests
}

/// To the routes that take a client's credentials.
fn in_credentials(platform: &Platform, anonymous: &Caller, text: &str) -> Vec<RequestBuilder> {
    let mut requests = Vec::new();
    let form = |path: &str, body: String| {
        anonymous
            .request(Method::POST, path)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body)
    };
    for path in [
        "/oauth/token",
        "/v1/auth/token",
        "/oauth/introspect",
        "/oauth/revoke",
    ] {
        let misplaced = [
            "grant_type",
            "client_id",
            "client_secret",
            "scope",
            "token",
            "token_type_hint",
        ]
        .map(|name| (name, text));
        for (name, value) in misplaced.into_iter().chain([(text, "1")]) {
            let mut body = json!({
                "grant_type": "client_credentials",
                "client_id": platform.seed.organization.key.client_id,
                "client_secret": "wrong",
            });
            body[name] = json!(value);
            requests.push(anonymous.request(Method::POST, path).json(&body));
            requests.push(form(
                path,
                format!("grant_type=client_credentials&client_id=x&client_secret=x&{name}={value}"),
            ));
            requests.push(form(path, format!("{name}={value}&{name}={value}")));
        }
        // Asked for by the right key, as a scope.
        let Credentials {
            client_id,
            client_secret,
        } = &platform.seed.bank.key;
        let asked = format!(
            "grant_type=client_credentials&client_id={client_id}&client_secret={client_secret}&\
             scope={text}"
        );
        requests.push(form(path, asked));
        requests.push(
            anonymous
                .request(Method::POST, path)
                .basic_auth(text, Some(text))
                .header("content-type", "application/json"),
        );
        for content_type in ["application/json", "text/plain", text] {
            requests.push(
                anonymous
                    .request(Method::POST, path)
                    .header("content-type", content_type)
                    .body(text.to_owned()),
            );
        }
    }
    requests
}

fn in_headers(anonymous: &Caller, text: &str) -> Vec<RequestBuilder> {
    let mut requests = Vec::new();
    for name in [
        "authorization",
        "user-agent",
        "referer",
        "cookie",
        "x-api-key",
        "api-key",
        "origin",
        "accept",
        "x-forwarded-for",
        "x-amzn-trace-id",
        "x-http-method-override",
        "x-local-source-ip",
        "idempotency-key",
    ] {
        for path in ["/v1/whoami", "/api/banks", "/nothing"] {
            requests.push(anonymous.request(Method::GET, path).header(name, text));
        }
        requests.push(
            anonymous
                .request(Method::POST, "/oauth/token")
                .header(name, format!("Bearer {text}")),
        );
    }
    requests
}
