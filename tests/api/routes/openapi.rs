//! The published document and its interactive documentation (CBM-6). That the document is what the
//! types say is a test beside its generator; that it is valid by `OpenAPI`'s own schema, and that
//! every answer conforms to it, is what `tests/conformance/fuzz` finds out.

use std::collections::{BTreeMap, BTreeSet};

use domain::operation;
use regex::Regex;
use reqwest::redirect::Policy;
use serde_json::Value;
use tests::{Answer, Platform};

const METHODS: [&str; 8] = [
    "get", "put", "post", "delete", "options", "head", "patch", "trace",
];

async fn document(platform: &Platform) -> Value {
    let answer = platform.anonymous().get("/api/openapi.json").await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, "application/json"),
        "{answer:?}"
    );
    answer.body
}

/// Every operation of the document by method and path.
fn operations(document: &Value) -> BTreeMap<(String, String), &Value> {
    let paths = document["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, item)| {
        let methods = item
            .as_object()
            .unwrap()
            .iter()
            .filter(|(member, _)| METHODS.contains(&member.as_str()));
        methods.map(move |(method, operation)| ((method.to_uppercase(), path.clone()), operation))
    });
    operations.collect()
}

/// Every object in a value, itself included.
fn objects(value: &Value) -> Vec<&Value> {
    let inner: Box<dyn Iterator<Item = &Value>> = match value {
        Value::Object(members) => Box::new(members.values()),
        Value::Array(items) => Box::new(items.iter()),
        _ => Box::new(std::iter::empty()),
    };
    let own = value.is_object().then_some(value);
    own.into_iter().chain(inner.flat_map(objects)).collect()
}

fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(reference) => document
            .pointer(reference.strip_prefix('#').unwrap())
            .unwrap_or_else(|| panic!("no {reference}")),
        None => value,
    }
}

#[tokio::test]
async fn cbm_6_the_document_is_whole() {
    let platform = Platform::start().await;
    let document = document(&platform).await;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));
    for object in objects(&document) {
        resolved(&document, object);
    }
    let variable = Regex::new(r"\{(\w+)\}").unwrap();
    let mut names = BTreeSet::new();
    for ((method, path), operation) in operations(&document) {
        let place = format!("{method} {path}");
        assert!(
            names.insert(operation["operationId"].as_str().unwrap()),
            "{place}: its operationId stands twice"
        );
        let summary = operation["summary"].as_str().unwrap_or_default();
        assert!(
            summary.ends_with('.') && !summary.contains(". "),
            "{place}: no sentence says what it does: {summary}"
        );
        let parameters = operation["parameters"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        let in_path = parameters
            .iter()
            .filter(|parameter| parameter["in"] == "path");
        let described: BTreeSet<_> = in_path
            .map(|parameter| parameter["name"].as_str().unwrap())
            .collect();
        let variables: BTreeSet<_> = variable
            .captures_iter(&path)
            .map(|found| found.get(1).unwrap().as_str())
            .collect();
        assert_eq!(described, variables, "{place}");
        for (status, response) in operation["responses"].as_object().unwrap() {
            let words = resolved(&document, response)["description"].as_str();
            assert!(
                words.is_some_and(|words| !words.is_empty()),
                "{place} {status} has no description"
            );
        }
        let schemes = document["components"]["securitySchemes"]
            .as_object()
            .unwrap();
        for way in operation["security"]
            .as_array()
            .unwrap_or(document["security"].as_array().unwrap())
        {
            assert!(
                way.as_object()
                    .unwrap()
                    .keys()
                    .all(|scheme| schemes.contains_key(scheme)),
                "{place}: {way}"
            );
        }
    }
    let metadata = platform
        .anonymous()
        .get("/.well-known/oauth-authorization-server")
        .await
        .body;
    let flow = "/components/securitySchemes/token/flows/clientCredentials/tokenUrl";
    assert_eq!(document.pointer(flow), Some(&metadata["token_endpoint"]));
}

/// What the gateway routes is what the document has, under the names of the table of operations.
#[tokio::test]
async fn cbm_6_the_document_has_every_route_and_nothing_else() {
    let platform = Platform::start().await;
    let document = document(&platform).await;
    // API Gateway takes a path with a slash at its end for the one without.
    let described: BTreeMap<_, _> = operations(&document)
        .into_iter()
        .map(|((method, path), operation)| {
            ((method, path.trim_end_matches('/').to_owned()), operation)
        })
        .collect();
    let routes = platform
        .stack
        .services()
        .description()
        .api
        .routes
        .iter()
        .filter(|route| route.method != "ANY");
    let routes: BTreeSet<_> = routes
        .map(|route| (route.method.clone(), route.path.clone()))
        .collect();
    assert_eq!(described.keys().cloned().collect::<BTreeSet<_>>(), routes);
    for rule in operation::rules()
        .iter()
        .filter(|rule| !rule.method.is_empty())
    {
        let operation = described[&(rule.method.to_owned(), rule.path.to_owned())];
        assert_eq!(operation["operationId"], rule.operation.name());
    }
}

/// docs/requirements.md, Errors: the management API refuses unknown members, and says so.
#[tokio::test]
async fn cbm_6_the_document_closes_the_bodies_of_the_management_api() {
    let platform = Platform::start().await;
    let document = document(&platform).await;
    let mut bodies = 0;
    for ((method, path), operation) in operations(&document)
        .into_iter()
        .filter(|((_, path), _)| path.starts_with("/api/"))
    {
        let Some(schema) = operation["requestBody"]["content"]["application/json"].get("schema")
        else {
            continue;
        };
        let alternatives = schema["oneOf"]
            .as_array()
            .cloned()
            .unwrap_or_else(|| vec![schema.clone()]);
        for schema in alternatives
            .iter()
            .filter(|schema| schema["type"] != "null")
        {
            assert_eq!(
                resolved(&document, schema)["additionalProperties"],
                false,
                "{method} {path}"
            );
        }
        bodies += 1;
    }
    assert!(bodies > 10, "{bodies} bodies");
}

/// The page, what it loads and what those load, are of this very host; a browser that obeys the
/// policy asks no other.
#[tokio::test]
async fn cbm_6_the_interactive_documentation_asks_no_other_host() {
    let platform = Platform::start().await;
    let page = platform.anonymous().get("/api/docs/").await;
    assert_eq!(
        (page.status, page.header("content-type")),
        (200, "text/html; charset=utf-8"),
        "{page:?}"
    );
    assert!(!page.text.contains("//"), "the page names a host: {page:?}");
    assert!(
        !Regex::new(r"<script[^>]*>[^<]|<style|\son\w+=|\sstyle=")
            .unwrap()
            .is_match(&page.text),
        "inline: {page:?}"
    );
    let linked = Regex::new(r#"(?:src|href)="([^":]+)""#).unwrap();
    let linked: BTreeSet<_> = linked
        .captures_iter(&page.text)
        .map(|found| found[1].to_owned())
        .collect();
    assert_eq!(
        linked.iter().map(String::as_str).collect::<Vec<_>>(),
        [
            "../openapi.json",
            "start.js",
            "swagger-ui-bundle.js",
            "swagger-ui.css"
        ]
    );
    let elsewhere = Regex::new(r#"url\("?(https?:)?//|url: "http"#).unwrap();
    for name in linked.iter().filter(|name| !name.starts_with("..")) {
        let file = platform.anonymous().get(&format!("/api/docs/{name}")).await;
        let kind = if name == "swagger-ui.css" {
            "text/css; charset=utf-8"
        } else {
            "text/javascript; charset=utf-8"
        };
        assert_eq!(
            (file.status, file.header("content-type")),
            (200, kind),
            "{name}"
        );
        assert!(file.header("cache-control").starts_with("public"), "{name}");
        assert_safe(&file);
        assert!(
            name == "swagger-ui-bundle.js" || !elsewhere.is_match(&file.text),
            "{name}"
        );
    }
    assert!(
        platform
            .anonymous()
            .get("/api/docs/start.js")
            .await
            .text
            .contains(r#"url: "../openapi.json""#)
    );
    assert_safe(&page);
}

#[track_caller]
fn assert_safe(answer: &Answer) {
    let policy: BTreeMap<_, _> = answer
        .header("content-security-policy")
        .split("; ")
        .filter_map(|directive| directive.split_once(' '))
        .collect();
    assert_eq!(
        (
            policy["default-src"],
            policy["script-src"],
            policy["connect-src"]
        ),
        ("'none'", "'self'", "'self'")
    );
    assert!(policy.values().all(|sources| {
        sources
            .split(' ')
            .all(|source| ["'self'", "'none'", "data:"].contains(&source))
    }));
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
}

/// Without the slash at its end the page would look for its files in the wrong place.
#[tokio::test]
async fn cbm_6_the_documentation_is_at_its_path_with_a_slash() {
    let platform = Platform::start().await;
    let http = reqwest::Client::builder()
        .redirect(Policy::none())
        .build()
        .unwrap();
    let answer = Answer::of(http.get(format!("{}/api/docs", platform.stack.base_url()))).await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (307, "docs/"),
        "{answer:?}"
    );
    assert_eq!(platform.anonymous().get("/api/docs").await.status, 200);
    platform
        .anonymous()
        .get("/api/docs/index.html")
        .await
        .assert_error(404, "not_found");
    platform
        .anonymous()
        .post("/api/openapi.json", &Value::Null)
        .await
        .assert_error(405, "method_not_allowed");
}
