//! LEAK-1: no text that a person can store holds a secret or a token, however it stands in it.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, Caller, Platform};

/// A token of anybody: a JWS that fits where a name does.
const TOKEN: &str = "eyJhbGciOiJFUzI1NiJ9.e30.c2lnbmF0dXJl";

/// What is written where a text is due.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Text {
    /// A name, a description, a reason.
    Plain,
    Email,
    Url,
}

/// A member of a request that a person can store a text by.
struct Member {
    /// As the published document names it.
    route: (&'static str, &'static str),
    path: String,
    caller: Caller,
    /// What the request has beside it.
    body: Value,
    name: &'static str,
    text: Text,
}

impl Member {
    async fn send(&self, text: &str) -> Answer {
        let mut body = self.body.clone();
        body[self.name] = text.into();
        let method = Method::from_bytes(self.route.0.as_bytes()).unwrap();
        Answer::of(self.caller.request(method, &self.path).json(&body)).await
    }
}

/// Every one there is; those that end something come last.
#[expect(
    clippy::too_many_lines,
    reason = "a table of every text that is stored"
)]
async fn members(platform: &Platform) -> Vec<Member> {
    let (bank, organization) = (&platform.seed.bank, &platform.seed.organization);
    let key = platform.bank_key(json!({})).await.client_id;
    let of_bank = json!({"name": "n", "owner": {"type": "bank", "guid": bank.guid}});
    let member = |caller: &Caller, route, path: &str, body: &Value, name, text| Member {
        route,
        path: path.to_owned(),
        caller: caller.clone(),
        body: body.clone(),
        name,
        text,
    };
    let (owner, staff) = (platform.owner(), platform.operations());
    let machine = platform.organization().await;
    let mut members = Vec::new();
    let mut add =
        |caller: &Caller, route: (&'static str, &'static str), id: &str, body, of: &[_]| {
            let at = route.1.find('{').map_or(route.1.len(), |at| at);
            let behind = route.1.find('}').map_or("", |at| &route.1[at + 1..]);
            let path = format!("{}{id}{behind}", &route.1[..at]);
            members.extend(
                of.iter()
                    .map(|(name, text)| member(caller, route, &path, &body, *name, *text)),
            );
        };
    let name: &[_] = &[("name", Text::Plain)];
    let of_key: &[_] = &[
        ("name", Text::Plain),
        ("description", Text::Plain),
        ("destination", Text::Plain),
        ("webhook_url", Text::Url),
    ];
    let (own_key, own_bank) = (&organization.key.client_id, &bank.guid);
    add(
        &machine,
        ("POST", "/api/banks"),
        "",
        json!({"environment": "sandbox"}),
        name,
    );
    add(
        &machine,
        ("PATCH", "/api/banks/{guid}"),
        own_bank,
        json!({}),
        name,
    );
    let of_applications = json!({"bank_guid": own_bank});
    add(
        &machine,
        ("POST", "/api/bank_applications"),
        "",
        of_applications,
        name,
    );
    add(
        &machine,
        ("PATCH", "/api/bank_applications/{client_id}"),
        &key,
        json!({}),
        name,
    );
    add(
        &machine,
        ("POST", "/api/organization_applications"),
        "",
        json!({}),
        name,
    );
    let patch = ("PATCH", "/api/organization_applications/{client_id}");
    add(&machine, patch, own_key, json!({}), name);
    add(&owner, ("POST", "/api/keys"), "", of_bank, of_key);
    add(
        &owner,
        ("PATCH", "/api/keys/{client_id}"),
        &key,
        json!({}),
        of_key,
    );
    add(
        &owner,
        ("PATCH", "/api/organizations/{guid}"),
        &organization.guid,
        json!({}),
        name,
    );
    let create = ("POST", "/api/organizations");
    let named = json!({"name": "n"});
    add(&staff, create, "", named, &[("owner_email", Text::Email)]);
    add(
        &staff,
        create,
        "",
        json!({"owner_email": "new@example.com"}),
        name,
    );
    let viewer = json!({"role": "viewer"});
    add(
        &owner,
        ("POST", "/api/users"),
        "",
        viewer,
        &[("email", Text::Email)],
    );
    let order = json!({"keys": [key], "dry_run": true});
    let reason: &[_] = &[("reason", Text::Plain)];
    add(&owner, ("POST", "/api/incidents/revoke"), "", order, reason);
    let revoke = ("POST", "/api/keys/{client_id}/revoke");
    add(&platform.support(), revoke, &key, json!({}), reason);
    members
}

/// What no text may hold, each with the words that refuse it.
fn credentials(text: Text, secret: &str, token: &str) -> Vec<(String, &'static str)> {
    // Nobody's, and short enough for an address.
    let short = format!("lk_test_{}", "a1".repeat(22));
    let escaped = |text: &str| text.replace('.', "%2E").replace('_', "%5F");
    let (holds_secret, holds_token) = ("holds a secret", "holds a token");
    match text {
        Text::Plain => vec![
            (secret.to_owned(), holds_secret),
            (format!("see {secret}."), holds_secret),
            (escaped(secret), holds_secret),
            (TOKEN.to_owned(), holds_token),
            (format!("Bearer {TOKEN}, of Ada"), holds_token),
            (format!("v1.{TOKEN}.x"), holds_token),
            (escaped(TOKEN), holds_token),
            // Where it does not fit, that is what is said.
            (token.to_owned(), ""),
        ],
        Text::Url => [
            (secret, holds_secret),
            (TOKEN, holds_token),
            // Where it does not fit, that is what is said.
            (token, ""),
        ]
        .into_iter()
        .flat_map(|(credential, words)| {
            let broken = format!("{}\t{}", &credential[..20], &credential[20..]);
            [
                format!("https://example.com/{credential}"),
                format!("https://example.com/hook?key={credential}&x=1"),
                format!("https://example.com/hook?key={}", escaped(credential)),
                format!("https://example.com/hook?key={broken}"),
            ]
            .map(|url| (url, words))
        })
        .collect(),
        Text::Email => [&*short, TOKEN]
            .map(|credential| {
                (
                    format!("{credential}@example.com"),
                    "is not an email address",
                )
            })
            .into(),
    }
}

/// In no text of any request, and where a text looks only a little like one it passes.
#[tokio::test]
async fn leak_1_422_for_a_text_that_holds_a_secret_or_token_whatever_text_it_is() {
    let platform = Platform::start().await;
    let token = platform.token(&platform.seed.bank.key).await;
    let secret = platform.seed.bank.key.client_secret.clone();
    for (index, member) in members(&platform).await.iter().enumerate() {
        for (text, words) in credentials(member.text, &secret, &token) {
            let answer = member.send(&text).await;
            answer.assert_field(member.name, words);
            let held = [secret.as_str(), TOKEN, &token];
            assert!(
                !held.iter().any(|held| answer.text.contains(held)),
                "{answer:?}"
            );
        }
        let ordinary = match member.text {
            Text::Plain => "release.v1.2.pdf of a.b.c, the_test_of_it".to_owned(),
            Text::Url => "https://a.b.example.com/x.y.z?file=report.v1.pdf".to_owned(),
            Text::Email => format!("a.b.c.{index}@mail.example.co.uk"),
        };
        let answer = member.send(&ordinary).await;
        let refused = answer.body["errors"]
            .as_array()
            .is_some_and(|errors| errors.iter().any(|error| error["field"] == member.name));
        assert!(
            !refused && answer.status != 403 && answer.status != 404,
            "{answer:?}"
        );
    }
}

/// The table above has every text that the published document has: a string that is neither of a
/// pattern nor of a list.
#[tokio::test]
async fn leak_1_every_text_of_the_published_document_is_searched_for_credentials() {
    let platform = Platform::start().await;
    let document = platform.anonymous().get("/api/openapi.json").await.body;
    let mut published = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let content = operation["requestBody"]["content"].as_object();
            for schema in content
                .into_iter()
                .flatten()
                .map(|(_, content)| &content["schema"])
            {
                texts(&document, schema, &mut |name| {
                    published.insert((method.to_uppercase(), path.clone(), name.to_owned()));
                });
            }
        }
    }
    let searched: BTreeSet<_> = members(&platform)
        .await
        .iter()
        .map(|member| {
            (
                member.route.0.into(),
                member.route.1.into(),
                member.name.into(),
            )
        })
        .collect();
    assert!(published.len() >= 20, "{published:?}");
    assert_eq!(published, searched);
}

/// Names the members that hold any text. A text for people has its longest length in the document,
/// which a credential or parameter of OAuth has not.
fn texts(document: &Value, schema: &Value, found: &mut impl FnMut(&str)) {
    let schema = resolved(document, schema);
    for of in ["oneOf", "anyOf", "allOf"] {
        for schema in schema[of].as_array().into_iter().flatten() {
            texts(document, schema, found);
        }
    }
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        let member = resolved(document, member);
        let is_text = member["type"] == "string" || member["type"] == json!(["string", "null"]);
        let pattern = member["pattern"].as_str();
        let is_free = pattern.is_none_or(|pattern| pattern.contains('@'));
        if is_text && is_free && member["maxLength"].is_u64() {
            found(name);
        }
        texts(document, member, found);
    }
}

fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    schema["$ref"].as_str().map_or(schema, |reference| {
        document.pointer(reference.trim_start_matches('#')).unwrap()
    })
}
