//! What is wrong as AWS tells it.

use serde_json::{Value, json};

use super::{Answered, Case, Patient, Seen, all_wrong, wrong};

const SERVICES: Seen = Seen::Services;
const TABLES: Seen = Seen::Tables;
const AUTHORIZERS: &str = "GET /restapis/localapi00/authorizers";
const RESPONSES: &str = "GET /restapis/localapi00/gatewayresponses";
const RESOURCES: &str = "GET /restapis/localapi00/resources";
const STAGE: &str = "GET /restapis/localapi00/stages/main";
const DEPLOYMENTS: &str = "GET /restapis/localapi00/deployments";

/// Changes the item of a list that has this member.
fn change(answered: &mut Answered, list: &str, (member, value): (&str, &str), change: impl Fn(&mut Value)) {
    let mut body = answered.json();
    let items = body[list].as_array_mut().expect("a list");
    change(items.iter_mut().find(|item| item[member] == value).unwrap_or_else(|| panic!("no {value}")));
    answered.say(200, &body);
}

#[tokio::test]
async fn authorizers_methods_and_gateway_responses_that_are_not_the_template_s_are_named() {
    let cases = [
        Case {
            check: "api.authorizers",
            words: "SampleAuthorizer has its results kept for 300 s",
            also: &[],
            at: SERVICES,
            change: |asked, answered| {
                if asked.is(AUTHORIZERS) {
                    change(answered, "item", ("name", "SampleAuthorizer"), |one| {
                        one["authorizerResultTtlInSeconds"] = 300.into()
                    });
                }
            },
        },
        Case {
            check: "api.authorizers",
            words: "ManagementAuthorizer is no REQUEST authorizer",
            also: &[],
            at: SERVICES,
            change: |asked, answered| {
                if asked.is(AUTHORIZERS) {
                    change(answered, "item", ("name", "ManagementAuthorizer"), |one| one["type"] = "TOKEN".into());
                }
            },
        },
        Case {
            check: "api.authorizers",
            words: "ManagementAuthorizer is not asked about calls without method.request.header.Authorization",
            also: &[],
            at: SERVICES,
            change: |asked, answered| {
                if asked.is(AUTHORIZERS) {
                    change(answered, "item", ("name", "ManagementAuthorizer"), |one| {
                        one["identitySource"] = "method.request.header.Authorization".into();
                    });
                }
            },
        },
        Case {
            check: "api.authorizers",
            words: "there is no SampleAuthorizer",
            also: &[],
            at: SERVICES,
            change: |asked, answered| {
                if asked.is(AUTHORIZERS) {
                    change(answered, "item", ("name", "SampleAuthorizer"), |one| one["name"] = "Another".into());
                }
            },
        },
        Case {
            check: "api.methods",
            words: "POST /api/keys has no authorizer",
            also: &[],
            at: SERVICES,
            change: |asked, answered| {
                if asked.is(RESOURCES) {
                    change(answered, "item", ("path", "/api/keys"), |one| {
                        one["resourceMethods"]["POST"] = json!({"httpMethod": "POST", "authorizationType": "NONE"});
                    });
                }
            },
        },
        Case {
            check: "api.methods",
            words: "GET /v1/whoami is not there",
            also: &[],
            at: SERVICES,
            change: |asked, answered| {
                if asked.is(RESOURCES) {
                    change(answered, "item", ("path", "/v1/whoami"), |one| one["path"] = "/v2/whoami".into());
                }
            },
        },
        Case {
            check: "api.gateway_responses",
            words: "ACCESS_DENIED has another body",
            also: &[],
            at: SERVICES,
            change: |asked, answered| {
                if asked.is(RESPONSES) {
                    change(answered, "item", ("responseType", "ACCESS_DENIED"), |one| {
                        one["responseTemplates"]["application/json"] = "{}".into();
                    });
                }
            },
        },
        Case {
            check: "api.gateway_responses",
            words: "AUTHORIZER_FAILURE has status 500 and not 503",
            also: &[],
            at: SERVICES,
            change: |asked, answered| {
                if asked.is(RESPONSES) {
                    change(answered, "item", ("responseType", "AUTHORIZER_FAILURE"), |one| one["statusCode"] = "500".into());
                }
            },
        },
        Case {
            check: "api.gateway_responses",
            words: "UNAUTHORIZED has another WWW-Authenticate, or none",
            also: &[],
            at: SERVICES,
            change: |asked, answered| {
                if asked.is(RESPONSES) {
                    change(answered, "item", ("responseType", "UNAUTHORIZED"), |one| {
                        one["responseParameters"] = json!({"gatewayresponse.header.Cache-Control": "'no-store'"});
                    });
                }
            },
        },
        Case {
            check: "api.gateway_responses",
            words: "THROTTLED is not customised",
            also: &[],
            at: SERVICES,
            change: |asked, answered| {
                if asked.is(RESPONSES) {
                    change(answered, "item", ("responseType", "THROTTLED"), |one| one["defaultResponse"] = true.into());
                }
            },
        },
    ];
    Patient::admit().await.suffers(&cases).await;
}

#[tokio::test]
async fn a_stage_that_is_not_the_template_s_is_named() {
    let cases = [
        Case {
            check: "api.deployment",
            words: "and newer1 is newer",
            also: &[],
            at: SERVICES,
            change: |asked, answered| {
                if asked.is(DEPLOYMENTS) {
                    let mut body = answered.json();
                    body["item"].as_array_mut().unwrap().push(json!({"id": "newer1", "createdDate": 4_000_000_000_u32}));
                    answered.say(200, &body);
                }
            },
        },
        Case {
            check: "api.access_log",
            words: "the stage has no access log",
            also: &[],
            at: SERVICES,
            change: |asked, answered| {
                if asked.is(STAGE) {
                    answered.set("/accessLogSettings", Value::Null);
                }
            },
        },
        Case {
            check: "api.access_log",
            words: "and not to /latchkey/latchkey/",
            also: &[],
            at: SERVICES,
            change: |asked, answered| {
                if asked.is(STAGE) {
                    let elsewhere = "arn:aws:logs:eu-west-1:000000000000:log-group:elsewhere";
                    answered.set("/accessLogSettings/destinationArn", elsewhere.into());
                }
            },
        },
        Case {
            check: "api.access_log",
            words: "a line lacks $context.authorizer.message_code",
            also: &[],
            at: SERVICES,
            change: |asked, answered| {
                if asked.is(STAGE) {
                    let format = answered.json()["accessLogSettings"]["format"].as_str().unwrap().to_owned();
                    let format = format.replace("$context.authorizer.message_code", "");
                    answered.set("/accessLogSettings/format", format.into());
                }
            },
        },
        Case {
            check: "api.access_log",
            words: "$context.path may hold what a caller wrote",
            also: &[],
            at: SERVICES,
            change: |asked, answered| {
                if asked.is(STAGE) {
                    let format = answered.json()["accessLogSettings"]["format"].as_str().unwrap().to_owned();
                    let format = format.replace("$context.resourcePath", "$context.resourcePath $context.path");
                    answered.set("/accessLogSettings/format", format.into());
                }
            },
        },
        Case {
            check: "api.execution_log",
            words: "the execution log of */* is on (INFO)",
            also: &[],
            at: SERVICES,
            change: |asked, answered| {
                if asked.is(STAGE) {
                    answered.set("/methodSettings", json!({"*/*": {"loggingLevel": "INFO"}}));
                }
            },
        },
        Case {
            check: "api.execution_log",
            words: "the data trace of */* is on",
            also: &[],
            at: SERVICES,
            change: |asked, answered| {
                if asked.is(STAGE) {
                    answered.set("/methodSettings", json!({"*/*": {"loggingLevel": "OFF", "dataTraceEnabled": true}}));
                }
            },
        },
        Case {
            check: "api.execution_log",
            words: "X-Ray is on",
            also: &[],
            at: SERVICES,
            change: |asked, answered| {
                if asked.is(STAGE) {
                    answered.set("/tracingEnabled", true.into());
                }
            },
        },
        Case {
            check: "api.cache",
            words: "the stage has a cache",
            also: &[],
            at: SERVICES,
            change: |asked, answered| {
                if asked.is(STAGE) {
                    answered.set("/cacheClusterEnabled", true.into());
                }
            },
        },
        Case {
            check: "api.cache",
            words: "answers of ~1v1~1whoami/GET are kept",
            also: &[],
            at: SERVICES,
            change: |asked, answered| {
                if asked.is(STAGE) {
                    answered.set("/methodSettings", json!({"~1v1~1whoami/GET": {"cachingEnabled": true}}));
                }
            },
        },
        Case {
            check: "api.account",
            words: "no role for logs",
            also: &[],
            at: SERVICES,
            change: |asked, answered| {
                if asked.is("GET /account") {
                    answered.say(200, &json!({}));
                }
            },
        },
    ];
    Patient::admit().await.suffers(&cases).await;
}

#[tokio::test]
async fn tables_that_forget_too_little_or_too_much_are_named() {
    let cases = [
        Case {
            check: "tables.expiry",
            words: "do not expire",
            also: &[],
            at: TABLES,
            change: |asked, answered| {
                if asked.is("DescribeTimeToLive") {
                    answered.say(200, &json!({"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}}));
                }
            },
        },
        Case {
            check: "tables.expiry",
            words: "expire by \"ttl\"",
            also: &[],
            at: TABLES,
            change: |asked, answered| {
                if asked.is("DescribeTimeToLive") {
                    answered.set("/TimeToLiveDescription/AttributeName", "ttl".into());
                }
            },
        },
        Case {
            check: "tables.recovery",
            words: "has no point-in-time recovery",
            also: &[],
            at: TABLES,
            change: |asked, answered| {
                if asked.is("DescribeContinuousBackups") {
                    let off = "/ContinuousBackupsDescription/PointInTimeRecoveryDescription/PointInTimeRecoveryStatus";
                    answered.set(off, "DISABLED".into());
                }
            },
        },
        Case {
            check: "tables.deletion_protection",
            words: "is not protected from deletion",
            also: &[],
            at: TABLES,
            change: |asked, answered| {
                if asked.is("DescribeTable") {
                    answered.set("/Table/DeletionProtectionEnabled", false.into());
                }
            },
        },
        Case {
            check: "tables.encryption",
            words: "is under a key of AWS's",
            also: &[],
            at: TABLES,
            change: |asked, answered| {
                if asked.is("DescribeTable") {
                    answered.set("/Table/SSEDescription", Value::Null);
                }
            },
        },
        Case {
            check: "tables.encryption",
            words: "and not under the data key",
            also: &[],
            at: TABLES,
            change: |asked, answered| {
                if asked.is("DescribeTable") {
                    let another = "arn:aws:kms:eu-west-1:000000000000:key/another";
                    answered.set("/Table/SSEDescription/KMSMasterKeyArn", another.into());
                }
            },
        },
        Case {
            check: "tables.streams",
            words: "has no stream",
            also: &[],
            at: TABLES,
            change: |asked, answered| {
                if asked.is("DescribeTable") {
                    answered.set("/Table/StreamSpecification", Value::Null);
                }
            },
        },
    ];
    Patient::admit().await.suffers(&cases).await;
}

#[tokio::test]
async fn keys_and_peppers_that_are_out_of_order_are_named() {
    let cases = [
        Case {
            check: "keys.signing",
            words: "is PendingDeletion",
            also: &[],
            at: SERVICES,
            change: |asked, answered| {
                if asked.is("DescribeKey") && answered.json()["KeyMetadata"]["KeySpec"] == "ECC_NIST_P256" {
                    answered.set("/KeyMetadata/KeyState", "PendingDeletion".into());
                }
            },
        },
        Case {
            check: "keys.signing",
            words: "is no ECC_NIST_P256 key",
            also: &[],
            at: SERVICES,
            change: |asked, answered| {
                if asked.is("DescribeKey") && answered.json()["KeyMetadata"]["KeySpec"] == "ECC_NIST_P256" {
                    answered.set("/KeyMetadata/KeySpec", "RSA_2048".into());
                }
            },
        },
        Case {
            check: "keys.data",
            words: "does not rotate",
            also: &[],
            at: SERVICES,
            change: |asked, answered| {
                if asked.is("GetKeyRotationStatus") {
                    answered.say(200, &json!({"KeyRotationEnabled": false}));
                }
            },
        },
        Case {
            check: "keys.data",
            words: "the data key is Disabled",
            also: &[],
            at: SERVICES,
            change: |asked, answered| {
                if asked.is("DescribeKey") && answered.json()["KeyMetadata"]["KeySpec"] == "SYMMETRIC_DEFAULT" {
                    answered.set("/KeyMetadata/KeyState", "Disabled".into());
                }
            },
        },
        Case {
            check: "keys.peppers",
            words: "is not a JSON object of versions",
            also: &[],
            at: SERVICES,
            change: |asked, answered| {
                if asked.is("GetSecretValue") {
                    answered.set("/SecretString", "{\"2\": \"a pepper whose predecessor was thrown away\"}".into());
                }
            },
        },
        Case {
            check: "keys.published",
            words: "tokens are signed by another, which is not published",
            also: &[],
            at: TABLES,
            change: |asked, answered| {
                if asked.is("GetItem") {
                    answered.set("/Item/kid/S", "another".into());
                }
            },
        },
        Case {
            check: "keys.published",
            words: "no sandbox key is published",
            also: &[],
            at: TABLES,
            change: |asked, answered| {
                if asked.is("Query") {
                    answered.say(200, &json!({"Items": [], "Count": 0, "ScannedCount": 0}));
                }
            },
        },
    ];
    Patient::admit().await.suffers(&cases).await;
}

#[tokio::test]
async fn logs_that_are_kept_for_good_in_the_clear_or_not_at_all_are_named() {
    let cases = [
        Case {
            check: "logs.groups",
            words: "/latchkey/latchkey/tokens is kept for good",
            also: &[],
            at: SERVICES,
            change: |asked, answered| {
                if asked.is("DescribeLogGroups") {
                    change(answered, "logGroups", ("logGroupName", "/latchkey/latchkey/tokens"), |one| {
                        one["retentionInDays"] = Value::Null;
                    });
                }
            },
        },
        Case {
            check: "logs.groups",
            words: "/latchkey/latchkey/keys is under no key",
            also: &[],
            at: SERVICES,
            change: |asked, answered| {
                if asked.is("DescribeLogGroups") {
                    change(answered, "logGroups", ("logGroupName", "/latchkey/latchkey/keys"), |one| {
                        one["kmsKeyId"] = Value::Null
                    });
                }
            },
        },
        Case {
            check: "logs.groups",
            words: "there is no /latchkey/latchkey/audit",
            also: &[],
            at: SERVICES,
            change: |asked, answered| {
                if asked.is("DescribeLogGroups") {
                    change(answered, "logGroups", ("logGroupName", "/latchkey/latchkey/audit"), |one| {
                        one["logGroupName"] = "/latchkey/latchkey/other".into();
                    });
                }
            },
        },
        Case {
            check: "logs.denied_call",
            words: "has no line of call",
            also: &[],
            at: SERVICES,
            change: |asked, answered| {
                if asked.is("FilterLogEvents") {
                    answered.say(200, &json!({"events": []}));
                }
            },
        },
        Case {
            check: "logs.denied_call",
            words: "does not say forbidden",
            also: &[],
            at: SERVICES,
            change: |asked, answered| {
                if asked.is("FilterLogEvents") {
                    let line = answered.json()["events"][0]["message"].as_str().unwrap().replace("forbidden", "-");
                    answered.set("/events/0/message", line.into());
                }
            },
        },
    ];
    Patient::admit().await.suffers(&cases).await;
}

/// LEAK-1: a format that writes down what callers send is seen in what it wrote.
#[tokio::test]
async fn a_line_that_holds_what_the_caller_sent_is_named() {
    let template = latchkey::stack::TEMPLATE.replace("$context.protocol", "$context.identity.userAgent");
    assert_ne!(template, latchkey::stack::TEMPLATE);
    let options = latchkey::stack::Options { template, ..Default::default() };
    let patient = Patient::of(tests::Platform::with(options).await).await;
    let report = patient.examine().await;
    assert_eq!(all_wrong(&report), ["api.access_log", "logs.denied_call"].into(), "{report}");
    assert!(wrong(&report, "logs.denied_call").unwrap().contains("holds what the caller sent"), "{report}");
    assert!(wrong(&report, "api.access_log").unwrap().contains("identity.userAgent"), "{report}");
}
