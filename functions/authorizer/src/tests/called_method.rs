//! What was called decides, in every shape of event: the method and the path, whatever the API's
//! own route is made for.

use domain::allowlist::Allowlist;
use guard::{
    Routes,
    testing::world::{SANDBOX, World, claims},
};
use jwt::Claims;
use serde_json::{Value, json};

use super::{golden_events, rest_event};
use crate::{AuthorizerError, Settings};

/// Those that API Gateway has.
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// What a client may send as well, and a lenient server may read as one of those.
const OTHERS: [&str; 7] = ["post", "Post", "TRACE", "PROPFIND", "ANY", "*", ""];

/// The event of a call in one shape: the method, the resource that the API's route has, the path.
type Shape = (&'static str, fn(&str, &str, &str) -> Value);

/// The shapes that say which resource was matched.
const MATCHING: [Shape; 4] = [
    ("REST", rest),
    ("HTTP API, payload 1.0", http_api_1_0),
    (
        "HTTP API, payload 2.0, a route of ANY",
        |method, resource, path| http_api_2_0(method, &route_key("ANY", resource), path),
    ),
    (
        "HTTP API, payload 2.0, a route of the method",
        |method, resource, path| http_api_2_0(method, &route_key(method, resource), path),
    ),
];

const TOKEN: Shape = ("TOKEN", |method, _, path| {
    golden_events::token_event(&token(), &arn(method, path))
});

fn route_key(method: &str, resource: &str) -> String {
    if resource == "$default" {
        resource.to_owned()
    } else {
        format!("{method} {resource}")
    }
}

/// Holds `banks:read` and `accounts:write`, and no list, since TOKEN events have no address.
fn token() -> String {
    SANDBOX.token(&Claims {
        ip_allowlist: Allowlist::default(),
        ..claims()
    })
}

fn arn(method: &str, path: &str) -> String {
    format!("arn:aws:execute-api:eu-west-1:123456789012:abcdef1234/v1/{method}{path}")
}

fn rest(method: &str, resource: &str, path: &str) -> Value {
    let mut event = rest_event(&token());
    event["methodArn"] = arn(method, path).into();
    event["httpMethod"] = method.into();
    event["resource"] = resource.into();
    event["path"] = path.into();
    event["requestContext"]["httpMethod"] = method.into();
    event["requestContext"]["resourcePath"] = resource.into();
    event
}

fn http_api_1_0(method: &str, resource: &str, path: &str) -> Value {
    let mut event = rest(method, resource, path);
    event["version"] = "1.0".into();
    event
}

fn http_api_2_0(method: &str, route_key: &str, path: &str) -> Value {
    let mut event = golden_events::http_api_event();
    event["headers"]["authorization"] = format!("Bearer {}", token()).into();
    event["routeArn"] = arn(method, path).into();
    event["routeKey"] = route_key.into();
    event["rawPath"] = format!("/v1{path}").into();
    event["requestContext"]["routeKey"] = route_key.into();
    event["requestContext"]["http"]["method"] = method.into();
    event["requestContext"]["http"]["path"] = format!("/v1{path}").into();
    event
}

fn answer(table: &Value, event: Value) -> Result<Value, AuthorizerError> {
    let mut world = World::new();
    world.settings.routes = Routes::parse(&table.to_string()).unwrap();
    super::answer(&world, &Settings::default(), event)
}

/// Whether it is let in; who is not gets a 403.
fn is_open(table: &Value, event: Value) -> bool {
    let answer = answer(table, event).unwrap();
    let allowed = answer["isAuthorized"] == true
        || answer["policyDocument"]["Statement"][0]["Effect"] == "Allow";
    assert!(
        allowed || answer["context"]["message_code"].is_string(),
        "{answer}"
    );
    allowed
}

/// Shapes × tables × methods, of one resource.
#[test]
fn x_7_403_unless_the_row_of_the_called_method_opens_it_in_every_shape() {
    let all = METHODS.to_vec();
    let all_but = |closed: &[&str]| -> Vec<&str> {
        all.iter()
            .copied()
            .filter(|method| !closed.contains(method))
            .collect()
    };
    for (table, open) in [
        (
            json!({"ANY /b": [], "POST /b": ["banks:write"]}),
            all_but(&["POST"]),
        ),
        (
            json!({"ANY /b": ["banks:write"], "GET /b": ["banks:read"]}),
            vec!["GET"],
        ),
        (
            json!({"ANY /b": ["banks:write"], "HEAD /b": []}),
            vec!["HEAD"],
        ),
        (
            json!({"ANY /b": [], "HEAD /b": ["banks:write"], "OPTIONS /b": ["banks:write"]}),
            all_but(&["HEAD", "OPTIONS"]),
        ),
        (json!({"ANY /b": ["banks:read"]}), all.clone()),
        (json!({"ANY /b": ["banks:write"]}), vec![]),
        (
            json!({"GET /b": [], "POST /b": ["banks:write"]}),
            vec!["GET"],
        ),
        (
            json!({"$default": [], "$connect": [], "ANY /{other}/b": []}),
            vec![],
        ),
    ] {
        for (shape, event) in MATCHING.into_iter().chain([TOKEN]) {
            for method in METHODS.into_iter().chain(OTHERS) {
                assert_eq!(
                    is_open(&table, event(method, "/b", "/b")),
                    open.contains(&method),
                    "{shape}: {method} by {table}"
                );
            }
        }
    }
}

/// An HTTP API's `$default` in both payloads, and a greedy resource in every shape: they stand for
/// many paths, and nobody comes by them to where a row of its own keeps them out.
#[test]
fn x_7_403_where_a_row_of_the_called_path_is_closed_though_the_wide_route_is_open() {
    let default = json!({"$default": [], "POST /b": ["banks:write"], "GET /c/{id}": ["c:read"]});
    let greedy = json!({"ANY /{rest+}": [], "POST /b": ["banks:write"], "GET /c/{id}": ["c:read"]});
    let default_shapes = &MATCHING[1..];
    for (table, resource, shapes) in [
        (&default, "$default", default_shapes),
        (&greedy, "/{rest+}", &MATCHING[..]),
    ] {
        for (shape, event) in shapes {
            let open = |method: &str, path: &str| is_open(table, event(method, resource, path));
            for path in [
                "/b",
                "/b/",
                "//b",
                "/./b",
                "/x/../b",
                "/%62",
                "/%2562",
                "/x/%2e%2e/b",
                "/\\b",
            ] {
                assert!(!open("POST", path), "{shape}: POST {path}");
                assert!(
                    open("PUT", path),
                    "{shape}: PUT {path} has no row of its own"
                );
            }
            for path in ["/c/1", "/c/%7b", "/c//1", "/c/a%20b"] {
                assert!(!open("GET", path), "{shape}: GET {path}");
                assert!(
                    open("POST", path),
                    "{shape}: POST {path} has no row of its own"
                );
            }
            for method in METHODS {
                assert!(open(method, "/elsewhere/a%20b"), "{shape}: {method}");
            }
            for method in OTHERS {
                assert!(!open(method, "/elsewhere"), "{shape}: {method}");
            }
        }
    }
    let (_, token_event) = TOKEN;
    assert!(!is_open(&greedy, token_event("POST", "/{rest+}", "/b")));
    assert!(is_open(
        &greedy,
        token_event("POST", "/{rest+}", "/elsewhere")
    ));
}

/// The rule `$default` opens the route of that name and no other, and that route no other rule.
#[test]
fn x_7_200_at_the_default_route_by_the_rule_of_that_name_alone() {
    for (shape, event) in &MATCHING[1..] {
        for method in METHODS {
            let open = |table: &Value| is_open(table, event(method, "$default", "/b"));
            assert!(open(&json!({"$default": []})), "{shape}: {method}");
            assert!(
                open(&json!({"$default": ["banks:read"]})),
                "{shape}: {method}"
            );
            for closed in [
                json!({"$default": ["banks:write"]}),
                json!({"$default": ["banks:write"], "ANY /b": []}),
                json!({"ANY /b": [], "ANY /{rest+}": [], "$connect": []}),
                json!({}),
            ] {
                assert!(!open(&closed), "{shape}: {method} by {closed}");
            }
        }
    }
}

/// A call whose event does not say the method is no call.
#[test]
fn x_7_503_where_the_event_does_not_say_what_was_called() {
    let table = json!({"ANY /b": [], "$default": [], "$connect": []});
    let unknown = Err(AuthorizerError::Unavailable("unknown_event"));
    let without = |mut event: Value, member: &str, pointer: &str| {
        event
            .pointer_mut(pointer)
            .unwrap()
            .as_object_mut()
            .unwrap()
            .remove(member)
            .unwrap();
        event
    };
    for event in [
        without(rest("POST", "/b", "/b"), "httpMethod", ""),
        without(http_api_1_0("POST", "$default", "/b"), "httpMethod", ""),
        without(
            http_api_2_0("POST", "ANY /b", "/b"),
            "method",
            "/requestContext/http",
        ),
        without(
            http_api_2_0("POST", "POST /b", "/b"),
            "method",
            "/requestContext/http",
        ),
        without(
            http_api_2_0("POST", "$default", "/b"),
            "method",
            "/requestContext/http",
        ),
        http_api_2_0("POST", "$connect", "/b"),
        http_api_2_0("POST", "/b", "/b"),
    ] {
        assert_eq!(answer(&table, event.clone()), unknown, "{event}");
    }
    let mut websocket = golden_events::websocket_event();
    assert!(is_open(&table, websocket.clone()));
    assert!(!is_open(
        &json!({"ANY /b": [], "$default": []}),
        websocket.clone()
    ));
    for route_key in ["$default", "$disconnect", "ANY /b", "POST /b"] {
        websocket["requestContext"]["routeKey"] = route_key.into();
        assert_eq!(answer(&table, websocket.clone()), unknown, "{route_key}");
    }
}
