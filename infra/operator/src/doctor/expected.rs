//! What a stack of this version is like: the built-in template and the published document.

use std::collections::BTreeMap;

use http::Method;
use runtime::StartError;
use sam::template::{Description, Physical, PhysicalResource, ResponseType, Settings, Template};
use serde_json::Value;

/// The template that is deployed.
const TEMPLATE: &str = include_str!("../../../template.yaml");

/// The published document.
const DOCUMENT: &str = include_str!("../../../openapi.json");

/// What a stack of this version is like.
pub(super) struct Expected {
    /// The template, with imagined ids: good for what mentions none.
    pub(super) template: Description,
    /// Every operation of the published document.
    pub(super) operations: Vec<Operation>,
}

/// A call that the published document describes.
pub(super) struct Operation {
    pub(super) method: Method,
    pub(super) path: String,
    /// Whether it takes a credential that the gateway sees to.
    pub(super) guarded: bool,
}

impl Expected {
    pub(super) fn built_in() -> Result<Self, StartError> {
        let parameters = [("Issuer".to_owned(), "https://doctor.invalid".to_owned())].into();
        let template = Template::parse(
            TEMPLATE,
            Settings {
                parameters,
                ..Settings::default()
            },
        )?;
        let imagined = template.resources()?.into_iter().map(|planned| {
            let id = planned.logical_id;
            let attributes = ["Arn", "StreamArn", "KeyId", "Id"]
                .map(|name| (name.to_owned(), format!("{id}.{name}")));
            (
                id.clone(),
                PhysicalResource {
                    reference: id,
                    attributes: attributes.into(),
                },
            )
        });
        let imagined: Physical = imagined.collect();
        Ok(Self {
            template: template.resolve(&imagined)?,
            operations: operations(&serde_json::from_str(DOCUMENT)?),
        })
    }

    /// The body of a gateway response that mentions nothing of a call.
    pub(super) fn body(&self, kind: ResponseType) -> &str {
        let response = self.template.api.gateway_responses.get(&kind);
        response
            .and_then(|response| response.templates.get("application/json"))
            .map_or("", String::as_str)
    }

    /// The documented methods of each path.
    pub(super) fn paths(&self) -> BTreeMap<&str, Vec<&Method>> {
        let mut paths: BTreeMap<&str, Vec<&Method>> = BTreeMap::new();
        for operation in &self.operations {
            paths
                .entry(&operation.path)
                .or_default()
                .push(&operation.method);
        }
        paths
    }
}

fn operations(document: &Value) -> Vec<Operation> {
    let by_default = &document["security"];
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in item.as_object().into_iter().flatten() {
            let Ok(method) = method.to_uppercase().parse() else {
                continue;
            };
            let ways = operation.get("security").unwrap_or(by_default).as_array();
            // A way that asks for nothing is open to everybody.
            let open = ways.is_none_or(|ways| {
                ways.iter()
                    .any(|way| way.as_object().is_some_and(serde_json::Map::is_empty))
            });
            operations.push(Operation {
                method,
                path: path.clone(),
                guarded: !open,
            });
        }
    }
    operations
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_template_and_document_say_what_is_guarded() {
        let expected = Expected::built_in().unwrap();
        let guarded = |path: &str, method: Method| {
            expected
                .operations
                .iter()
                .find(|one| one.path == path && one.method == method)
                .map(|one| one.guarded)
        };
        assert_eq!(guarded("/api/keys", Method::GET), Some(true));
        assert_eq!(guarded("/v1/whoami", Method::GET), Some(true));
        assert_eq!(guarded("/oauth/token", Method::POST), Some(false));
        assert_eq!(guarded("/api/docs/", Method::GET), Some(false));
        assert!(
            expected
                .body(ResponseType::Unauthorized)
                .contains("authentication_failed")
        );
        assert!(
            expected
                .body(ResponseType::MissingAuthenticationToken)
                .contains("no such path")
        );
    }
}
