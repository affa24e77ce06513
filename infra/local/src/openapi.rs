//! The published document (CBM-6): what each function's own types say of its operations, and from
//! the table that the authorizer and the handlers read, who may call them. It is made here because
//! the local stack links every function anyway; deployed, `management` serves the text, and none of
//! them links another for its sake.

use domain::{
    operation::{self, Operation, Rule, Scopes},
    role::Role,
    scope::{Catalogue, Scope},
};
use serde_json::{Map, Value, json};
use utoipa::openapi::{InfoBuilder, OpenApi, OpenApiBuilder};

/// The document as it is kept in `infra/openapi.json` and served.
#[must_use]
pub fn document() -> String {
    let mut document = json!(described());
    document["servers"] = json!([{"url": "/", "description": "Where this document is served"}]);
    document["components"]["securitySchemes"] = security_schemes();
    // By default: a token of any scope, or a personal key.
    document["security"] = json!([{"token": []}, {"personal_key": []}]);
    document["tags"] = TAGS
        .iter()
        .map(|(name, description)| json!({"name": name, "description": description}))
        .collect();
    for (method, path, operation) in operations(&mut document) {
        complete(&method, &path, operation);
    }
    refer_to_listed(&mut document);
    format!("{document:#}\n")
}

/// What the functions say, together.
fn described() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Latchkey")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(DESCRIPTION))
        .license(Some(
            utoipa::openapi::LicenseBuilder::new()
                .name("Apache-2.0")
                .identifier(Some("Apache-2.0"))
                .build(),
        ));
    let mut document = OpenApiBuilder::new()
        .info(info)
        .components(Some(web::openapi::components()))
        .build();
    for part in [
        management::openapi(),
        tokens::openapi(),
        sample_api::openapi(),
    ] {
        document.merge(part);
    }
    document
}

const DESCRIPTION: &str = "Issues API keys, exchanges them for short-lived signed tokens, and \
                           guards every call at the API gateway. Members that a request has and \
                           that are not described here are refused; answers may gain members.";

/// In the order in which the documentation page shows them.
const TAGS: [(&str, &str); 11] = [
    ("organizations", "Tenants: their plan, KYB and policies"),
    ("users", "People and their roles"),
    ("banks", "What most keys are for"),
    ("bank_applications", "Keys of banks"),
    ("organization_applications", "Keys of organizations"),
    ("keys", "Every key, whatever its owner, for its whole life"),
    ("incidents", "Many keys at once"),
    (
        "tokens",
        "Secrets in, tokens out; what a token is, what verifies it, and its end",
    ),
    ("customer_tokens", "Tokens that act for a bank's customer"),
    ("sample", "The sample guarded API"),
    ("documentation", "This documentation"),
];

/// Every operation, with its method and path.
fn operations(document: &mut Value) -> impl Iterator<Item = (String, String, &mut Value)> {
    let paths = document["paths"].as_object_mut().into_iter().flatten();
    paths.flat_map(|(path, item)| {
        let operations = item.as_object_mut().into_iter().flatten();
        operations.map(|(method, operation)| (method.to_uppercase(), path.clone(), operation))
    })
}

/// Adds to an operation what follows from its place.
fn complete(method: &str, path: &str, operation: &mut Value) {
    if let Some(rule) = operation::of_route(method, path) {
        operation["operationId"] = json!(rule.operation.name());
        operation["tags"] = json!([path.split('/').nth(2)]);
        operation["security"] = security(rule);
        let words = operation["description"]
            .as_str()
            .map(|words| format!("{words}\n\n"))
            .unwrap_or_default();
        operation["description"] = json!(format!("{words}{}", callers(rule)));
    }
    for (status, response) in operation["responses"].as_object_mut().into_iter().flatten() {
        // OpenAPI wants one of each; a success says no more than its status.
        if response.get("$ref").is_none() && response.get("description").is_none() {
            let code = status
                .parse()
                .ok()
                .and_then(|code| http::StatusCode::from_u16(code).ok());
            response["description"] = json!(
                code.and_then(|code| code.canonical_reason())
                    .unwrap_or_default()
            );
        }
    }
}

/// What a bank's token needs for a customer's (CYB-8).
const CUSTOMERS: [&str; 2] = ["customers:read", "customers:write"];

/// Any one of the scopes lets a machine's token in; people send a personal key.
fn security(rule: &Rule) -> Value {
    let scopes = match &rule.scopes {
        Scopes::People => &[][..],
        Scopes::AnyOf(scopes) => scopes,
    };
    let people = Role::ALL.into_iter().any(|role| rule.role(role).is_some());
    let mut ways: Vec<Value> = match rule.operation {
        // CYB-8: it needs both; the table's lets a token as far as the function.
        Operation::CreateCustomerToken => vec![json!({"token": CUSTOMERS})],
        _ => scopes
            .iter()
            .map(|scope| json!({"token": [scope]}))
            .collect(),
    };
    // LEAK-11: that it is the caller's own key, the function says.
    ways.extend(rule.itself.then(|| json!({"token": []})));
    ways.extend((people || rule.itself).then(|| json!({"personal_key": []})));
    Value::Array(ways)
}

/// Who may call, in words.
fn callers(rule: &Rule) -> String {
    let mut ways = Vec::new();
    if let Scopes::AnyOf(scopes) = &rule.scopes {
        let (scopes, between) = match rule.operation {
            Operation::CreateCustomerToken => (&CUSTOMERS[..], " and "),
            _ => (&scopes[..], " or "),
        };
        let scopes: Vec<String> = scopes.iter().map(|scope| format!("`{scope}`")).collect();
        ways.push(format!("access tokens with {}", scopes.join(between)));
    }
    let roles: Vec<String> = Role::ALL
        .into_iter()
        .filter_map(|role| {
            Some(match rule.role(role)? {
                operation::Reach::Own => format!("{role} (own personal keys)"),
                operation::Reach::Sandbox => format!("{role} (own and sandbox keys)"),
                operation::Reach::All => role.to_string(),
                operation::Reach::Itself => return None,
            })
        })
        .collect();
    if !roles.is_empty() {
        ways.push(format!("personal keys of the roles {}", roles.join(", ")));
    }
    let itself = if rule.itself {
        " Also for every token with all its key's scopes and every personal key, to that very key."
    } else {
        ""
    };
    format!("For {}.{itself}", ways.join("; "))
}

fn security_schemes() -> Value {
    let catalogue = Catalogue::default();
    let scopes: Map<String, Value> = catalogue
        .scopes()
        .map(|scope| (scope.to_string(), json!(words(scope))))
        .collect();
    json!({
        "token": {
            "type": "oauth2",
            "description": "An access token, got with a key's client_id and secret",
            "flows": {
                "clientCredentials": {
                    "tokenUrl": format!("{}/oauth/token", management::ISSUER),
                    "scopes": scopes,
                },
            },
        },
        "personal_key": {
            "type": "http",
            "scheme": "bearer",
            "description": "The secret of a user's personal key",
        },
        "client": {
            "type": "http",
            "scheme": "basic",
            "description": "A key's client_id and secret",
        },
    })
}

/// What a scope opens, in words.
fn words(scope: &Scope) -> String {
    let (resource, action) = scope.as_str().split_once(':').unwrap_or_default();
    format!(
        "{} {}",
        action.replace(':', " "),
        resource.replace('_', " ")
    )
}

/// utoipa writes out what a generic list holds; it stands among the components already.
fn refer_to_listed(document: &mut Value) {
    let Some(schemas) = document["components"]["schemas"].as_object_mut() else {
        return;
    };
    let listed: Vec<String> = schemas
        .keys()
        .filter_map(|name| name.strip_prefix("List_"))
        .map(str::to_owned)
        .collect();
    for name in listed
        .into_iter()
        .filter(|name| schemas.contains_key(name))
        .collect::<Vec<_>>()
    {
        schemas[&format!("List_{name}")]["properties"]["objects"]["items"] =
            json!({"$ref": format!("#/components/schemas/{name}")});
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_in_the_repository_is_what_the_types_say() {
        let kept = include_str!("../../openapi.json");
        assert!(kept == document(), "run .ci/update");
    }

    #[test]
    fn every_tag_has_its_place_on_the_page() {
        let mut document = serde_json::from_str(&document()).unwrap();
        for (method, path, operation) in operations(&mut document) {
            let tag = operation["tags"][0].as_str().unwrap_or_default();
            assert!(
                TAGS.iter().any(|(name, _)| *name == tag),
                "{method} {path}: {tag:?}"
            );
        }
    }
}
