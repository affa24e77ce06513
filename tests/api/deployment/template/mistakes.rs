//! A mistake in the template or its parameters stops the start and is named.

use std::collections::BTreeMap;

use local::{services::Options, stack::Stack};

use super::{SAMPLE_AUTHORIZER, WHOAMI, edited};

const SAMPLE: &str = "LATCHKEY_ROUTES: >-\n            {\"GET /v1/whoami\": []}";

/// What to replace in the template, by what, and what the sentence names.
const MISTAKES: &[(&str, &str, &[&str])] = &[
    (
        "FunctionArn: !GetAtt SampleAuthorizerFunction.Arn",
        "FunctionArn: !GetAtt NoSuchFunction.Arn",
        &["NoSuchFunction"],
    ),
    (
        "FunctionArn: !GetAtt SampleAuthorizerFunction.Arn",
        "FunctionArn: !GetAtt CoreTable.Arn",
        &["SampleAuthorizer", "FunctionArn"],
    ),
    (
        WHOAMI,
        "Method: GET, Path: /v1/whoami, Auth: {Authorizer: Nobody}",
        &["SampleApiFunction", "WhoAmI", "Nobody"],
    ),
    (
        WHOAMI,
        "Method: LOOK, Path: /v1/whoami",
        &["WhoAmI", "LOOK"],
    ),
    (
        WHOAMI,
        "Methods: GET, Path: /v1/whoami",
        &["WhoAmI", "Method"],
    ),
    (
        "LATCHKEY_ACCEPTED_KINDS: sandbox,live",
        "LATCHKEY_ACCEPTED_KINDS: sandbox,production",
        &["ManagementAuthorizerFunction", "LATCHKEY_ACCEPTED_KINDS"],
    ),
    (
        "LATCHKEY_ACCEPTED_KINDS: sandbox,live",
        "LATCHKEY_ACCEPTED_KIND: sandbox,live",
        &["ManagementAuthorizerFunction", "LATCHKEY_ACCEPTED_KINDS"],
    ),
    (
        SAMPLE,
        "LATCHKEY_ROUTES: whoami",
        &["SampleAuthorizerFunction", "LATCHKEY_ROUTES"],
    ),
    (
        SAMPLE,
        "LATCHKEY_ROUTES: '{\"GET /v1/whoami\": [\"no scope\"]}'",
        &["SampleAuthorizerFunction", "LATCHKEY_ROUTES", "no scope"],
    ),
    (
        "LATCHKEY_SANDBOX_SIGNING_KEYS: !Join [\",\", [!If [HasSandboxSigningKeyA, !Ref \
         SandboxSigningKey, ",
        "LATCHKEY_SANDBOX_SIGNING_KEYS: !Join [\",\", [!If [HasSandboxSigningKeyA, !Ref \
         LiveSigningKey, ",
        &["TokensFunction", "LATCHKEY_LIVE_SIGNING_KEYS"],
    ),
    (
        "LATCHKEY_SANDBOX_SIGNING_KEYS: !Join [\",\", [!If [HasSandboxSigningKeyA, !Ref \
         SandboxSigningKey, ",
        "LATCHKEY_SANDBOX_SIGNING_KEYS: !Join [\",\", [!If [HasSandboxSigningKeyA, !Ref \
         NoSuchKey, ",
        &[
            "TokensFunction",
            "LATCHKEY_SANDBOX_SIGNING_KEYS",
            "NoSuchKey",
        ],
    ),
    (
        "BuildProperties: {Binary: tokens}",
        "BuildProperties: {Binary: tokes}",
        &["TokensFunction", "tokes"],
    ),
    (
        "        WAF_FILTERED:",
        "        WAF_FILTRED:",
        &["GatewayResponses", "WAF_FILTRED"],
    ),
    ("StageName: main", "StageNam: main", &["Api", "StageName"]),
    (
        SAMPLE_AUTHORIZER,
        "FunctionArn: !GetAtt SampleAuthorizerFunction.Arn",
        &["SampleAuthorizer", "Identity"],
    ),
    ("\nResources:", "\nResources: [", &["line"]),
];

/// A mistake stops the start with one sentence that names its place: a template is never half
/// obeyed.
#[tokio::test]
async fn a_mistake_stops_the_start_and_is_named() {
    for (from, to, names) in MISTAKES {
        let error = Stack::start(edited(from, to))
            .await
            .expect_err(to)
            .to_string();
        assert!(
            !error.contains('\n') && error.len() < 400,
            "{to}: one sentence, not {error}"
        );
        for name in *names {
            assert!(error.contains(name), "{to}: {error} does not name {name}");
        }
    }
}

/// Parameters are held to the template's own rules.
#[tokio::test]
async fn a_wrong_parameter_stops_the_start_and_is_named() {
    for (name, value, named) in [
        ("TokenLifetimeSeconds", "59", "TokenLifetimeSeconds"),
        ("TokenLifetimeSeconds", "3601", "TokenLifetimeSeconds"),
        (
            "TokenLifetimeSeconds",
            "half an hour",
            "TokenLifetimeSeconds",
        ),
        ("SampleEnvironment", "production", "SampleEnvironment"),
        ("Brand", "LK", "Brand"),
        ("Issuer", "https://auth.example.com/", "Issuer"),
        ("Issuer", "http://auth.example.com", "Issuer"),
        ("LiveAudience", "urn:latchkey:sandbox", "LiveAudience"),
        ("NoSuchParameter", "1", "NoSuchParameter"),
    ] {
        let parameters = BTreeMap::from([(name.to_owned(), value.to_owned())]);
        let error = Stack::start(Options {
            parameters,
            ..Options::default()
        })
        .await
        .expect_err(name)
        .to_string();
        assert!(
            error.contains(named) && !error.contains('\n'),
            "{name}={value}: {error}"
        );
    }
}
