//! Log groups, and the line of a denied call.

use serde_json::{Value, json};

use super::{Case, Patient, Seen, all_wrong, change, wrong};

const SERVICES: Seen = Seen::Services;

const LOGS: &[Case] = &[
    Case {
        check: "logs.groups",
        words: "/latchkey/latchkey/tokens is kept for good",
        also: &[],
        at: SERVICES,
        change: |asked, answered| {
            if asked.is("DescribeLogGroups") {
                change(
                    answered,
                    "logGroups",
                    ("logGroupName", "/latchkey/latchkey/tokens"),
                    |one| {
                        one["retentionInDays"] = Value::Null;
                    },
                );
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
                change(
                    answered,
                    "logGroups",
                    ("logGroupName", "/latchkey/latchkey/keys"),
                    |one| {
                        one["kmsKeyId"] = Value::Null;
                    },
                );
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
                change(
                    answered,
                    "logGroups",
                    ("logGroupName", "/latchkey/latchkey/audit"),
                    |one| {
                        one["logGroupName"] = "/latchkey/latchkey/other".into();
                    },
                );
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
                let line = answered.json()["events"][0]["message"]
                    .as_str()
                    .unwrap()
                    .replace("forbidden", "-");
                answered.set("/events/0/message", line.into());
            }
        },
    },
];

#[tokio::test]
async fn logs_that_are_kept_for_good_in_the_clear_or_not_at_all_are_named() {
    Patient::admit().await.suffers(LOGS).await;
}

/// LEAK-1: a format that writes down what callers send is seen in what it wrote.
#[tokio::test]
async fn a_line_that_holds_what_the_caller_sent_is_named() {
    let template =
        local::services::TEMPLATE.replace("$context.protocol", "$context.identity.userAgent");
    assert_ne!(template, local::services::TEMPLATE);
    let options = local::services::Options {
        template,
        ..Default::default()
    };
    let patient = Patient::of(tests::Platform::with(options).await).await;
    let report = patient.examine().await;
    assert_eq!(
        all_wrong(&report),
        ["api.access_log", "logs.denied_call"].into(),
        "{report}"
    );
    assert!(
        wrong(&report, "logs.denied_call")
            .unwrap()
            .contains("holds what the caller sent"),
        "{report}"
    );
    assert!(
        wrong(&report, "api.access_log")
            .unwrap()
            .contains("identity.userAgent"),
        "{report}"
    );
}
