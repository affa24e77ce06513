//! What watches a deployment (docs/alarms.md): metric filters match the lines that are really
//! written, every count is watched, every alarm is explained, and the dashboard is one.

mod foreign_use;
mod refusals;

use std::collections::{BTreeMap, BTreeSet};

use domain::{error::Error, key_mode::KeyMode};
use emulator::cloud::Cloud;
use local::services::{Options, TEMPLATE};
use regex::Regex;
use sam::template::{Physical, PhysicalResource, Settings, Template};
use serde_json::{Value, json};
use store::StoreError;
use tests::{Platform, proxy::Fault};

use crate::{credentials::never_issued, five_second_bound::BOUND, promises::leak::logs};

const ALARMS: &str = include_str!("../../../docs/alarms.md");

/// The template with an address for alarms, and what is called what in it.
fn template() -> (Template, Physical) {
    template_with(&[])
}

fn template_with(parameters: &[(&str, &str)]) -> (Template, Physical) {
    let always = [
        ("Issuer", "https://latchkey.example"),
        ("AlarmEmail", "oncall@latchkey.example"),
    ];
    let parameters = always
        .iter()
        .chain(parameters)
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let template = Template::parse(
        TEMPLATE,
        Settings {
            parameters,
            ..Settings::default()
        },
    )
    .unwrap();
    let made = |id: &str| {
        let attributes = ["Arn", "StreamArn", "QueueName", "Id"]
            .map(|name| (name.to_owned(), format!("{id}-{name}")));
        PhysicalResource {
            reference: format!("{id}-ref"),
            attributes: attributes.into(),
        }
    };
    let physical = template
        .resources()
        .unwrap()
        .iter()
        .map(|one| (one.logical_id.clone(), made(&one.logical_id)))
        .collect();
    (template, physical)
}

/// The resolved properties of all resources of a type.
fn all(kind: &str) -> BTreeMap<String, Value> {
    all_with(&[], kind)
}

fn all_with(parameters: &[(&str, &str)], kind: &str) -> BTreeMap<String, Value> {
    let (template, physical) = template_with(parameters);
    let ids = template.of_kind(kind).unwrap();
    ids.into_iter()
        .map(|id| (id.clone(), template.properties(&id, &physical).unwrap()))
        .collect()
}

/// A metric filter's pattern, as far as the template goes: comparisons of members with texts,
/// joined by `&&`.
struct Pattern(Vec<(String, String)>);

impl Pattern {
    fn parse(text: &str) -> Self {
        let inner = text
            .strip_prefix("{ ")
            .and_then(|rest| rest.strip_suffix(" }"))
            .unwrap_or_else(|| panic!("{text}"));
        let term = Regex::new(r#"^\$\.([A-Za-z_]+) = "([^"]*)"$"#).unwrap();
        let terms = inner.split(" && ").map(|part| {
            let found = term
                .captures(part)
                .unwrap_or_else(|| panic!("{part} of {text}"));
            (found[1].to_owned(), found[2].to_owned())
        });
        Self(terms.collect())
    }

    fn matches(&self, line: &Value) -> bool {
        self.0.iter().all(|(member, wanted)| {
            match (line[member].as_str(), wanted.strip_suffix('*')) {
                (Some(text), Some(start)) => text.starts_with(start),
                (Some(text), None) => text == wanted,
                (None, _) => false,
            }
        })
    }
}

/// Which of our crates write into a log group.
fn writers(group: &str) -> &'static [&'static str] {
    match group.rsplit('/').next().unwrap_or_default() {
        "management-authorizer" | "sample-authorizer" => &["authorizer", "guard"],
        "tokens" => &["tokens", "store", "web"],
        "management" | "keys" => &["management", "store", "web"],
        other => panic!("nobody is known to write to {other}"),
    }
}

/// Whatever the filters look for happens: as bad calls, and as services that fail.
async fn mischief() -> Vec<Value> {
    let parameters = [
        ("SampleBurstLimit".to_owned(), "1".to_owned()),
        ("SampleRateLimit".to_owned(), "1".to_owned()),
    ]
    .into();
    let options = Options {
        parameters,
        ..Options::default()
    };
    let (platform, tables) = Platform::behind_proxy("AWS_ENDPOINT_URL_DYNAMODB", options).await;
    platform.stop_clock();
    let listed = platform
        .bank_key(json!({"ip_allowlist": ["8.8.8.8"]}))
        .await;
    let token = platform
        .request_token(&listed, platform.anonymous().from("8.8.8.8"))
        .await;
    let elsewhere = platform
        .bearer(token.body["access_token"].as_str().unwrap())
        .from("9.9.9.9");
    elsewhere
        .get("/v1/whoami")
        .await
        .assert_error(403, "ip_not_allowed");
    elsewhere
        .get("/api/banks")
        .await
        .assert_error(403, "ip_not_allowed");
    assert_eq!(
        platform
            .request_token(&listed, platform.anonymous().from("9.9.9.9"))
            .await
            .status,
        403
    );
    let wrong = never_issued(&listed.client_id, KeyMode::Sandbox);
    assert_eq!(
        platform
            .anonymous()
            .post("/v1/auth/token", &json!({"client_secret": wrong}))
            .await
            .status,
        401
    );
    let person = never_issued(&platform.seed.users.owner.secret[8..30], KeyMode::Sandbox);
    platform
        .bearer(&person)
        .get("/api/banks")
        .await
        .assert_error(401, "authentication_failed");
    // More than the 12 entries that a key has in a minute for changes of itself.
    let (bank, anonymous) = (&platform.seed.bank.key, platform.anonymous());
    for _ in 0..13 {
        let body = json!({
            "client_id": bank.client_id,
            "client_secret": bank.client_secret,
            "token": platform.token(bank).await,
        });
        assert_eq!(anonymous.post("/oauth/revoke", &body).await.status, 200);
    }
    let statuses = [
        platform.owner().get("/v1/whoami").await.status,
        platform.owner().get("/v1/whoami").await.status,
    ];
    assert_eq!(statuses, [200, 429]);

    tables.set(Fault::LoseRequest);
    platform.advance(BOUND);
    platform
        .owner()
        .get("/api/banks")
        .await
        .assert_error(503, "temporarily_unavailable");
    assert_eq!(
        platform
            .request_token(&listed, platform.anonymous())
            .await
            .status,
        503
    );
    // A clock that is off by itself, in a function that has no other: what it says of that is said
    // where errors become answers.
    let _: Error = StoreError::ClockSkewed.into();
    let lines = access_lines(platform.stack.services().cloud()).await;
    platform.stack.stop().await.ok();
    lines
}

/// A platform whose KMS refuses everything for being asked too often.
async fn throttled_kms() {
    let (platform, kms) = Platform::behind_proxy("AWS_ENDPOINT_URL_KMS", Options::default()).await;
    let refused = json!({"__type": "ThrottlingException", "message": "Rate exceeded"});
    kms.set(Fault::rewrite(move |_, answered| {
        answered.say(400, &refused);
    }));
    let answer = platform
        .request_token(&platform.seed.bank.key, platform.anonymous())
        .await;
    answer.assert_oauth_error(503, "temporarily_unavailable");
}

async fn access_lines(cloud: &Cloud) -> Vec<Value> {
    let request = reqwest::Client::new().post(format!("http://{}", cloud.api_address()));
    let request = request.header("x-amz-target", "Logs_20140328.FilterLogEvents");
    let credential = "AWS4-HMAC-SHA256 Credential=local/20261123/eu-west-1/logs/aws4_request, \
                      SignedHeaders=host, Signature=0";
    let body = json!({"logGroupName": "/latchkey/latchkey/access"}).to_string();
    let answer = request
        .header("authorization", credential)
        .body(body)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let events = answer["events"]
        .as_array()
        .unwrap_or_else(|| panic!("{answer}"))
        .clone();
    events
        .iter()
        .map(|event| serde_json::from_str(event["message"].as_str().unwrap()).unwrap())
        .collect()
}

/// LEAK-7, and what else is counted: a line's renamed member would silence an alarm without a word.
#[tokio::test]
async fn each_metric_filter_matches_lines_that_are_really_written() {
    let logs = logs();
    let access = mischief().await;
    throttled_kms().await;
    let written = String::from_utf8(logs.written.bytes()).unwrap();
    let lines: Vec<Value> = written
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let mut silent = Vec::new();
    for (id, filter) in all("AWS::Logs::MetricFilter") {
        let (group, text) = (
            filter["LogGroupName"].as_str().unwrap(),
            filter["FilterPattern"].as_str().unwrap(),
        );
        // `refusals` has those, each by the function that refuses.
        if text.contains(r#"$.message = "refused""#) {
            continue;
        }
        let pattern = Pattern::parse(text);
        let of_group: Vec<&Value> = if group.ends_with("/access") {
            access.iter().collect()
        } else {
            let ours = |line: &&Value| {
                let target = line["target"].as_str().unwrap_or_default();
                writers(group).contains(&target.split("::").next().unwrap_or_default())
            };
            lines.iter().filter(ours).collect()
        };
        if !of_group.iter().any(|line| pattern.matches(line)) {
            silent.push(format!("{id}: none of {} lines of {group}", of_group.len()));
        }
        if access
            .iter()
            .chain(&lines)
            .all(|line| pattern.matches(line))
        {
            silent.push(format!("{id}: every line"));
        }
    }
    assert_eq!(silent, Vec::<String>::new());
}

/// A count that nobody watches is none, and an alarm without a count never rings.
#[test]
fn every_count_is_watched_and_every_alarm_has_its_count() {
    let counted: BTreeSet<String> = all("AWS::Logs::MetricFilter")
        .values()
        .flat_map(|filter| filter["MetricTransformations"].as_array().unwrap().clone())
        .map(|metric| {
            assert_eq!(metric["MetricNamespace"], "Latchkey/latchkey");
            metric["MetricName"].as_str().unwrap().to_owned()
        })
        .collect();
    let alarms = all("AWS::CloudWatch::Alarm");
    let ours = |alarm: &&Value| alarm["Namespace"] == "Latchkey/latchkey";
    let alarmed: BTreeSet<String> = alarms
        .values()
        .filter(ours)
        .map(|alarm| alarm["MetricName"].as_str().unwrap().to_owned())
        .collect();
    let unknown: Vec<&String> = alarmed.difference(&counted).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    let shown = dashboard().to_string();
    for name in counted {
        assert!(
            alarmed.contains(&name) || shown.contains(&format!("\"{name}\"")),
            "{name}"
        );
    }
}

#[test]
fn every_alarm_rings_somewhere_and_is_explained() {
    let alarms = all("AWS::CloudWatch::Alarm");
    assert!(alarms.len() >= 18, "{}", alarms.len());
    for (id, alarm) in alarms {
        let name = alarm["AlarmName"]
            .as_str()
            .unwrap()
            .strip_prefix("latchkey-")
            .unwrap()
            .to_owned();
        assert!(
            ALARMS.contains(&format!("\n### {name}\n")),
            "docs/alarms.md does not explain {name}"
        );
        assert!(
            alarm["AlarmDescription"]
                .as_str()
                .unwrap()
                .ends_with(&format!("docs/alarms.md, {name}.")),
            "{id}"
        );
        for member in ["AlarmActions", "OKActions"] {
            assert_eq!(
                alarm[member],
                json!(["arn:aws:sns:eu-west-1:000000000000:latchkey-AlarmTopic"]),
                "{id}"
            );
        }
        // The compactor runs once a minute, whatever is called.
        let silence = if name == "compactor" {
            "breaching"
        } else {
            "notBreaching"
        };
        assert_eq!(alarm["TreatMissingData"], silence, "{id}");
    }
    for rule in all("AWS::Events::Rule")
        .into_values()
        .filter(|rule| rule.get("EventPattern").is_some())
    {
        let name = rule["Name"]
            .as_str()
            .unwrap()
            .strip_prefix("latchkey-")
            .unwrap()
            .to_owned();
        assert!(
            ALARMS.contains(&format!("\n### {name}\n")),
            "docs/alarms.md does not explain {name}"
        );
    }
    for parameter in [
        "DenialAlarmThreshold",
        "AuthorizerLatencyAlarmMilliseconds",
        "AuditAgeAlarmMilliseconds",
    ] {
        assert!(ALARMS.contains(&format!("`{parameter}`")), "{parameter}");
    }
}

fn dashboard() -> Value {
    let dashboards = all("AWS::CloudWatch::Dashboard");
    serde_json::from_str(dashboards["Dashboard"]["DashboardBody"].as_str().unwrap()).unwrap()
}

#[test]
fn the_dashboard_is_one() {
    let dashboard = dashboard();
    let widgets = dashboard["widgets"].as_array().unwrap();
    let mut taken = BTreeSet::new();
    for widget in widgets {
        let place = ["x", "y", "width", "height"].map(|member| {
            widget[member]
                .as_u64()
                .unwrap_or_else(|| panic!("{widget}"))
        });
        let [x, y, width, height] = place;
        assert!(x + width <= 24, "{widget}");
        for cell in (x..x + width).flat_map(|x| (y..y + height).map(move |y| (x, y))) {
            assert!(taken.insert(cell), "two widgets at {cell:?}");
        }
        assert!(widget["properties"]["title"].is_string(), "{widget}");
        assert!(!widget.to_string().contains("${"), "{widget}");
    }
    let alarms: BTreeSet<String> = widgets[0]["properties"]["alarms"]
        .as_array()
        .unwrap()
        .iter()
        .map(|arn| arn.as_str().unwrap().rsplit('-').next().unwrap().to_owned())
        .collect();
    assert_eq!(alarms, all("AWS::CloudWatch::Alarm").into_keys().collect());
}

/// The members of the access log: JSON, each explained, and nothing that a caller writes (LEAK-1).
#[test]
fn leak_1_the_access_log_has_nothing_that_a_caller_writes() {
    let (template, physical) = template();
    let description = template.resolve(&physical).unwrap();
    let format = description.api.access_log.unwrap().format;
    assert!(
        !format.contains('\n'),
        "CloudWatch takes one line for one call"
    );
    let members: BTreeMap<String, String> = serde_json::from_str(&format).unwrap();
    for (member, variable) in &members {
        assert!(
            ALARMS.contains(&format!("| `{member}` |")),
            "docs/alarms.md does not explain {member}"
        );
        assert!(variable.starts_with("$context."), "{member}");
        // What callers choose freely, and messages that quote the Authorization header.
        for theirs in [
            "path",
            "Path",
            "userAgent",
            "domain",
            "message",
            "Message",
            "queryString",
            "apiKey",
            "host",
            "integration.error",
        ] {
            let fine = [
                "$context.resourcePath",
                "$context.authorizer.message_code",
                "$context.identity.apiKeyId",
            ];
            assert!(
                !variable.contains(theirs) || fine.contains(&variable.as_str()),
                "{member}: {variable}"
            );
        }
    }
    for needed in [
        "requestId",
        "sourceIp",
        "resourcePath",
        "status",
        "responseType",
        "authorizerError",
        "messageCode",
        "principalId",
    ] {
        assert!(members.contains_key(needed), "{needed}");
    }
    let stage = &description.api.method_settings.unwrap()[0];
    assert_eq!(
        (&stage["LoggingLevel"], &stage["DataTraceEnabled"]),
        (&json!("OFF"), &json!(false)),
        "execution logs carry tokens"
    );
}
