//! The routes of `infra/template.yaml`: what is guarded is what the table of operations has rules
//! for, and nothing else is.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use domain::operation;
use regex::Regex;
use sam::template::Route;
use tests::Platform;

/// A method of a path and who guards it, of every event of the template.
async fn routes() -> Vec<Route> {
    Platform::start()
        .await
        .stack
        .services()
        .description()
        .api
        .routes
        .clone()
}

/// CYB-11; docs/requirements.md, Roles: each row of `operations.csv` is one route behind the
/// management authorizer, and that authorizer guards nothing that has no row.
#[tokio::test]
async fn every_operation_has_its_route_behind_the_management_authorizer_and_no_route_lacks_an_operation()
 {
    let rows = operation::rules()
        .iter()
        .filter(|rule| !rule.method.is_empty());
    let rows: BTreeSet<_> = rows
        .map(|rule| (rule.method.to_owned(), rule.path.to_owned()))
        .collect();
    let routes = routes().await;
    let guarded = routes
        .iter()
        .filter(|route| route.authorizer.as_deref() == Some("ManagementAuthorizer"));
    let guarded: BTreeSet<_> = guarded
        .map(|route| (route.method.clone(), route.path.clone()))
        .collect();
    assert_eq!(guarded, rows);
    let open = routes
        .iter()
        .filter(|route| route.authorizer.is_none() && route.method != "ANY");
    let open: BTreeSet<_> = open
        .map(|route| format!("{} {}", route.method, route.path))
        .collect();
    let expected = [
        "GET /.well-known/jwks.json",
        "GET /.well-known/oauth-authorization-server",
        "GET /api/docs",
        "GET /api/docs/{file}",
        "GET /api/openapi.json",
        "POST /oauth/introspect",
        "POST /oauth/revoke",
        "POST /oauth/token",
        "POST /v1/auth/token",
    ];
    assert_eq!(
        open,
        expected.map(str::to_owned).into(),
        "what anybody may call"
    );
}

/// Every path has an `ANY` without an authorizer in the function that serves its other methods, for
/// 405 and `Allow`.
#[tokio::test]
async fn every_path_has_one_function_and_an_open_any() {
    let mut paths: BTreeMap<String, Vec<Route>> = BTreeMap::new();
    for route in routes().await {
        paths.entry(route.path.clone()).or_default().push(route);
    }
    for (path, routes) in paths {
        assert!(
            routes
                .iter()
                .all(|route| route.function == routes[0].function),
            "{path}: {routes:?}"
        );
        let any: Vec<_> = routes
            .iter()
            .filter(|route| route.method == "ANY")
            .collect();
        assert!(
            any.len() == 1 && any[0].authorizer.is_none(),
            "{path}: {routes:?}"
        );
    }
}

/// Each event is a statement of its function's resource policy, of about 430 bytes; Lambda holds 20
/// KB of them.
#[tokio::test]
async fn no_function_has_more_events_than_its_resource_policy_holds() {
    let mut events: BTreeMap<String, usize> = BTreeMap::new();
    for route in routes().await {
        *events.entry(route.function).or_default() += 1;
    }
    assert!(events.values().all(|count| *count <= 45), "{events:?}");
}

/// `cargo lambda watch` serves what the template does, by the same program.
#[tokio::test]
async fn the_router_of_cargo_lambda_has_every_path() {
    let platform = Platform::start().await;
    let description = platform.stack.services().description();
    let mut expected: BTreeMap<_, _> = description
        .api
        .routes
        .iter()
        .map(|route| {
            (
                route.path.clone(),
                description.functions[&route.function].binary.clone(),
            )
        })
        .collect();
    // API Gateway takes it for the path without the slash; cargo-lambda does not.
    expected.insert("/api/docs/".to_owned(), "management".to_owned());
    let manifest =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml")).unwrap();
    let (_, section) = manifest
        .split_once("[workspace.metadata.lambda.watch.router]\n")
        .unwrap();
    let line = Regex::new(r#"(?m)^"([^"]+)" = "([^"]+)"$"#).unwrap();
    let section = section.split("\n[").next().unwrap();
    let listed: BTreeMap<_, _> = line
        .captures_iter(section)
        .map(|line| (line[1].to_owned(), line[2].to_owned()))
        .collect();
    assert_eq!(listed, expected);
}
