//! LEAK-12: the rules over `CloudTrail`'s events ring for what they are about, in whatever way the
//! call names it, and for nothing else. The events follow its user guide; no rule has seen one of
//! AWS's own.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{all_with, template};

const DEPLOYER: &str = "arn:aws:iam::000000000000:role/deployer";
/// By default `EventBridge` takes patterns of at most so many characters.
const LONGEST_PATTERN: usize = 2048;
/// What an ARN has before the name.
const LONGEST_ARN: &str = "arn:aws:lambda:ap-southeast-1:000000000000:function:";

/// Whether an event matches an event pattern, as far as the template's go.
fn matches(pattern: &Map<String, Value>, event: &Value) -> bool {
    pattern
        .iter()
        .all(|(name, wanted)| match (name.as_str(), wanted) {
            ("$or", Value::Array(ways)) => ways
                .iter()
                .any(|way| matches(way.as_object().unwrap(), event)),
            (_, Value::Object(inner)) => match &event[name] {
                Value::Array(items) => items.iter().any(|item| matches(inner, item)),
                member => matches(inner, member),
            },
            (_, Value::Array(values)) => values.iter().any(|value| admits(value, &event[name])),
            other => panic!("{other:?}"),
        })
}

/// Whether a member has one of the values that a pattern lists for it.
fn admits(wanted: &Value, member: &Value) -> bool {
    let Value::Object(comparison) = wanted else {
        return wanted == member;
    };
    let (name, operand) = comparison.iter().next().unwrap();
    let text = member.as_str();
    match (name.as_str(), operand) {
        ("exists", Value::Bool(exists)) => *exists != member.is_null(),
        ("prefix", Value::String(start)) => text.is_some_and(|text| text.starts_with(start)),
        ("suffix", Value::String(end)) => text.is_some_and(|text| text.ends_with(end)),
        ("anything-but", Value::Array(others)) => {
            text.is_some() && others.iter().all(|other| other != member)
        }
        ("anything-but", Value::Object(_)) => text.is_some() && !admits(operand, member),
        other => panic!("{other:?}"),
    }
}

/// The rules that ring for an event.
fn ringing(parameters: &[(&str, &str)], event: &Value) -> BTreeSet<String> {
    rules(parameters)
        .into_iter()
        .filter(|(_, pattern)| matches(pattern, event))
        .map(|(name, _)| name)
        .collect()
}

fn rules(parameters: &[(&str, &str)]) -> Vec<(String, Map<String, Value>)> {
    all_with(parameters, "AWS::Events::Rule")
        .into_values()
        .filter_map(|rule| {
            let name = rule["Name"].as_str()?.strip_prefix("latchkey-")?.to_owned();
            Some((name, rule["EventPattern"].as_object()?.clone()))
        })
        .collect()
}

/// What `Ref` gives for a resource of [`template`].
fn physical(id: &str) -> String {
    if id == "Api" {
        "localapi00".to_owned()
    } else if id.ends_with("Function") || id.ends_with("Role") {
        format!("latchkey-{id}")
    } else {
        format!("{id}-ref")
    }
}

fn arn(id: &str) -> String {
    if id.ends_with("Function") {
        format!("arn:aws:lambda:eu-west-1:000000000000:function:latchkey-{id}")
    } else if id.ends_with("Role") {
        format!("arn:aws:iam::000000000000:role/latchkey-{id}")
    } else {
        format!("{id}-Arn")
    }
}

fn event(service: &str, call: &str, request: Value, identity: Value) -> Value {
    let source = format!("{service}.amazonaws.com");
    let mut event = json!({
        "source": format!("aws.{service}"),
        "detail-type": "AWS API Call via CloudTrail",
        "detail": {"eventSource": source, "eventName": call},
    });
    event["detail"]["requestParameters"] = request;
    event["detail"]["userIdentity"] = identity;
    event
}

/// Somebody by a role of their own.
fn by(role: &str) -> Value {
    json!({"type": "AssumedRole", "sessionContext": {"sessionIssuer": {"arn": role}}})
}

/// `CloudFormation`, in the name of whoever deploys by that role.
fn deployed_by(role: &str) -> Value {
    let mut identity = by(role);
    identity["invokedBy"] = "cloudformation.amazonaws.com".into();
    identity
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn leak_12_a_change_of_a_function_rings_however_the_call_names_it() {
    let account = "arn:aws:lambda:eu-west-1:000000000000:function:";
    let function = physical("TokensFunction");
    for (call, name) in [
        ("UpdateFunctionCode20150331v2", function.clone()),
        (
            "UpdateFunctionConfiguration20150331v2",
            format!("{account}{function}"),
        ),
        (
            "AddPermission20150331v2",
            format!("000000000000:function:{function}"),
        ),
        (
            "PutFunctionConcurrency20171031",
            format!("function:{function}"),
        ),
        ("CreateAlias20150331", format!("{function}:live")),
        ("CreateFunctionUrlConfig", function.clone()),
        ("DeleteFunction20150331", function.clone()),
        ("CallThatLambdaHasNotYet20300101", function.clone()),
    ] {
        let event = event(
            "lambda",
            call,
            json!({"functionName": name}),
            by("somebody"),
        );
        assert_eq!(ringing(&[], &event), set(&["function-changes"]), "{event}");
    }
    for name in ["others", "others-TokensFunction", "another-stack"] {
        let request = json!({"functionName": name});
        let event = event("lambda", "UpdateFunctionCode20150331v2", request, by("x"));
        assert_eq!(ringing(&[], &event), set(&[]), "{event}");
    }
    // By the id of the mapping alone, which the request has, and the answer tells whose it is.
    let mut mapping = event(
        "lambda",
        "UpdateEventSourceMapping20150331",
        json!({"uUID": "x"}),
        by("x"),
    );
    assert_eq!(ringing(&[], &mapping), set(&[]));
    mapping["detail"]["responseElements"] = json!({"functionArn": arn("AuditFunction")});
    assert_eq!(ringing(&[], &mapping), set(&["function-changes"]));
}

#[test]
fn leak_12_a_change_of_every_function_and_of_its_role_rings() {
    let (template, _) = template();
    let functions = template.of_kind("AWS::Serverless::Function").unwrap();
    let running = [(
        "CanarySecretArn",
        "arn:aws:secretsmanager:eu-west-1:000000000000:secret:canary-AbCdEf",
    )];
    let mut names: Vec<String> = functions;
    names.push("CanaryFunction".to_owned());
    names.dedup();
    assert_eq!(names.len(), 9, "{names:?}");
    for name in names {
        let request = json!({"functionName": physical(&name)});
        let change = event("lambda", "UpdateFunctionCode20150331v2", request, by("x"));
        assert_eq!(
            ringing(&running, &change),
            set(&["function-changes"]),
            "{name}"
        );
        let role = name.replace("Function", "Role");
        let request = json!({"roleName": physical(&role)});
        for call in [
            "PutRolePolicy",
            "AttachRolePolicy",
            "UpdateAssumeRolePolicy",
        ] {
            let change = event("iam", call, request.clone(), by("x"));
            assert_eq!(ringing(&running, &change), set(&["role-changes"]), "{role}");
        }
    }
    let other = event(
        "iam",
        "PutRolePolicy",
        json!({"roleName": "other"}),
        by("x"),
    );
    assert_eq!(ringing(&running, &other), set(&[]));
}

#[test]
fn leak_12_a_change_of_the_api_rings() {
    let request = json!({"restApiId": physical("Api"), "resourceId": "r", "httpMethod": "GET"});
    for call in [
        "UpdateMethod",
        "UpdateAuthorizer",
        "PutRestApi",
        "CreateDeployment",
    ] {
        let change = event("apigateway", call, request.clone(), by("x"));
        assert_eq!(ringing(&[], &change), set(&["api-changes"]), "{call}");
    }
    let other = event(
        "apigateway",
        "PutRestApi",
        json!({"restApiId": "other"}),
        by("x"),
    );
    assert_eq!(ringing(&[], &other), set(&[]));
}

/// What `CloudFormation` does by the named role is a deployment; what the role does by itself, and
/// what `CloudFormation` does in another name, is not.
#[test]
fn leak_12_only_cloudformation_by_the_deployments_role_rings_nothing() {
    let changes = [
        (
            "lambda",
            json!({"functionName": physical("KeysFunction")}),
            "function-changes",
        ),
        (
            "iam",
            json!({"roleName": physical("KeysRole")}),
            "role-changes",
        ),
        (
            "apigateway",
            json!({"restApiId": physical("Api")}),
            "api-changes",
        ),
    ];
    let two = format!("arn:aws:iam::000000000000:role/ci,{DEPLOYER}");
    for (service, request, rule) in changes {
        for (parameter, identity, rings) in [
            (DEPLOYER, deployed_by(DEPLOYER), false),
            (&two, deployed_by(DEPLOYER), false),
            (DEPLOYER, by(DEPLOYER), true),
            (
                DEPLOYER,
                deployed_by("arn:aws:iam::000000000000:role/somebody"),
                true,
            ),
            (
                DEPLOYER,
                by("arn:aws:iam::000000000000:role/somebody"),
                true,
            ),
            // A user, or the account's root, has no session's issuer.
            (DEPLOYER, json!({"type": "IAMUser"}), true),
            (
                DEPLOYER,
                json!({"type": "Root", "invokedBy": "cloudformation.amazonaws.com"}),
                true,
            ),
            ("", deployed_by(DEPLOYER), true),
        ] {
            let event = event(service, "Change", request.clone(), identity);
            let expected = if rings { set(&[rule]) } else { set(&[]) };
            let parameters = [("DeploymentRoleArn", parameter)];
            assert_eq!(
                ringing(&parameters, &event),
                expected,
                "{parameter} {event}"
            );
        }
    }
}

#[test]
fn leak_12_an_invocation_by_anybody_but_api_gateway_rings() {
    let functions = [
        "ManagementFunction",
        "KeysFunction",
        "TokensFunction",
        "SampleAuthorizerFunction",
    ];
    for function in functions {
        let arn = arn(function);
        let invoked = |identity: Value| {
            let mut event = event("lambda", "Invoke", json!({"functionName": arn}), identity);
            event["detail"]["resources"] =
                json!([{"ARN": arn, "type": "AWS::Lambda::Function", "accountId": "000000000000"}]);
            event
        };
        let gateway = json!({"type": "AWSService", "invokedBy": "apigateway.amazonaws.com"});
        assert_eq!(ringing(&[], &invoked(gateway)), set(&[]), "{function}");
        for identity in [
            by("somebody"),
            json!({"type": "IAMUser"}),
            json!({"type": "AWSService", "invokedBy": "states.amazonaws.com"}),
        ] {
            let event = invoked(identity);
            assert_eq!(
                ringing(&[], &event),
                set(&["foreign-invocation"]),
                "{event}"
            );
        }
    }
}

/// The rules that were there before: the signing keys and the pepper.
#[test]
fn leak_12_a_foreign_signer_and_a_foreign_reader_of_the_pepper_ring() {
    let key = arn("LiveSigningKey");
    let mut signed = event("kms", "Sign", json!({"keyId": key}), by("somebody"));
    signed["detail"]["resources"] = json!([{"ARN": key, "type": "AWS::KMS::Key"}]);
    assert_eq!(ringing(&[], &signed), set(&["foreign-signer"]));
    signed["detail"]["userIdentity"] = by(&arn("TokensRole"));
    assert_eq!(ringing(&[], &signed), set(&[]));

    let context = json!({"encryptionContext": {"SecretARN": physical("PepperSecret")}});
    let mut opened = event("kms", "Decrypt", context, by("somebody"));
    assert_eq!(ringing(&[], &opened), set(&["foreign-pepper-reader"]));
    opened["detail"]["userIdentity"] = by(&arn("SampleAuthorizerRole"));
    assert_eq!(ringing(&[], &opened), set(&[]));
}

/// A stack with long names deploys as well, without a higher quota.
#[test]
fn every_event_pattern_fits_with_the_longest_names() {
    let role = format!("arn:aws:iam::000000000000:role/{}", "r".repeat(64));
    let running = "arn:aws:secretsmanager:eu-west-1:000000000000:secret:canary-AbCdEf";
    let parameters = [
        ("DeploymentRoleArn", role.as_str()),
        ("CanarySecretArn", running),
    ];
    for (name, pattern) in rules(&parameters) {
        let mut text = Value::Object(pattern).to_string();
        // The imagined names here are short, and Lambda's and IAM's at most 64 characters.
        for resource in ["Function", "Role"] {
            for owner in [
                "ManagementAuthorizer",
                "SampleAuthorizer",
                "Management",
                "Keys",
                "Tokens",
                "SampleApi",
                "Audit",
                "Canary",
            ] {
                let logical = format!("{owner}{resource}");
                text = text.replace(&arn(&logical), &format!("{LONGEST_ARN}{}", "n".repeat(64)));
                text = text.replace(&physical(&logical), &"n".repeat(64));
            }
        }
        assert!(
            text.len() <= LONGEST_PATTERN,
            "{name}: {} characters",
            text.len()
        );
    }
}
