//! The stage as API Gateway tells it.

use serde_json::{Value, json};

use super::{Case, Patient, Seen};

const SERVICES: Seen = Seen::Services;
const STAGE: &str = "GET /restapis/localapi00/stages/main";
const DEPLOYMENTS: &str = "GET /restapis/localapi00/deployments";

const STAGE_SETTINGS: &[Case] = &[
    Case {
        check: "api.deployment",
        words: "and newer1 is newer",
        also: &[],
        at: SERVICES,
        change: |asked, answered| {
            if asked.is(DEPLOYMENTS) {
                let mut body = answered.json();
                body["item"]
                    .as_array_mut()
                    .unwrap()
                    .push(json!({"id": "newer1", "createdDate": 4_000_000_000_u32}));
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
                let format = answered.json()["accessLogSettings"]["format"]
                    .as_str()
                    .unwrap()
                    .to_owned();
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
                let format = answered.json()["accessLogSettings"]["format"]
                    .as_str()
                    .unwrap()
                    .to_owned();
                let format = format.replace(
                    "$context.resourcePath",
                    "$context.resourcePath $context.path",
                );
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
                answered.set(
                    "/methodSettings",
                    json!({"*/*": {"loggingLevel": "OFF", "dataTraceEnabled": true}}),
                );
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
                answered.set(
                    "/methodSettings",
                    json!({"~1v1~1whoami/GET": {"cachingEnabled": true}}),
                );
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

#[tokio::test]
async fn a_stage_that_is_not_the_template_s_is_named() {
    Patient::admit().await.suffers(STAGE_SETTINGS).await;
}
