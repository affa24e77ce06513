//! `latchkey doctor` on the local stack: nothing is wrong with it, and whatever is broken is named,
//! and nothing else.

mod api;
mod data;
mod logs;
mod options;
mod outside;
mod stage;

use std::{collections::BTreeSet, time::Duration};

use domain::time::Clock;
use local::aws;
use operator::doctor::{self, Options, Report, Verdict};
use runtime::{Ambient, Entropy, Env};
use serde_json::{Value, json};
use tests::{
    Platform,
    proxy::{Fault, Proxy, Request, Response},
};

/// A stack that a doctor looks at through glasses.
struct Patient {
    platform: Platform,
    gateway: Proxy,
    services: Proxy,
    tables: Proxy,
}

/// Which glasses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    Gateway,
    Services,
    Tables,
}

/// How an answer is changed.
type Change = fn(&Request, &mut Response);

/// A thing that is wrong: which check says so and in which words, and which others cannot but
/// notice.
struct Case {
    check: &'static str,
    words: &'static str,
    also: &'static [&'static str],
    at: Seen,
    change: Change,
}

impl Patient {
    async fn admit() -> Self {
        Self::of(Platform::start().await).await
    }

    async fn of(platform: Platform) -> Self {
        let cloud = platform.stack.services().cloud();
        let patient = Self {
            gateway: Proxy::to(platform.gateway()).await,
            services: Proxy::to(cloud.api_address()).await,
            tables: Proxy::to(cloud.dynamodb_address()).await,
            platform,
        };
        patient.recover();
        patient
    }

    fn seen(&self, at: Seen) -> &Proxy {
        match at {
            Seen::Gateway => &self.gateway,
            Seen::Services => &self.services,
            Seen::Tables => &self.tables,
        }
    }

    /// As on AWS, with what the embedded services lack.
    fn recover(&self) {
        for at in [Seen::Gateway, Seen::Services, Seen::Tables] {
            self.seen(at).set(Fault::rewrite(as_on_aws));
        }
    }

    fn env(&self) -> Env {
        let services = self.platform.stack.services();
        let mut variables = services.environment(self.platform.stack.base_url());
        let key = &self.platform.seed.organization.key;
        for (name, value) in [
            ("AWS_ENDPOINT_URL", self.services.url()),
            ("AWS_ENDPOINT_URL_DYNAMODB", self.tables.url()),
            ("LATCHKEY_CLIENT_ID", &key.client_id),
            ("LATCHKEY_CLIENT_SECRET", &key.client_secret),
            (
                "LATCHKEY_ALARM_TOPIC",
                "arn:aws:sns:eu-west-1:000000000000:latchkey-alarms",
            ),
            ("LATCHKEY_CANARY_MINUTES", "30"),
        ] {
            variables.insert(name.to_owned(), value.to_owned());
        }
        Env::from_map(variables)
    }

    fn ambient(&self) -> Ambient {
        self.edge_at(runtime::ambient::system_clock())
    }

    fn edge_at(&self, clock: Clock) -> Ambient {
        let mut variables = self.platform.stack.services().environment("");
        variables.insert("AWS_ENDPOINT_URL".into(), self.services.url().into());
        variables.insert("AWS_ENDPOINT_URL_DYNAMODB".into(), self.tables.url().into());
        Ambient {
            clock,
            entropy: Entropy::system(),
            aws: aws::config(&variables, None),
        }
    }

    async fn examine(&self) -> Report {
        self.examine_as(self.env(), &self.ambient(), self.gateway.url())
            .await
    }

    async fn examine_as(&self, env: Env, ambient: &Ambient, url: &str) -> Report {
        let options = Options {
            url: Some(url.to_owned()),
            patience: Duration::from_millis(1500),
        };
        doctor::examine(&env, ambient, &options)
            .await
            .expect("a report")
    }

    /// Breaks one thing after the other and sees that it is named, and nothing else.
    async fn suffers(&self, cases: &[Case]) {
        for Case {
            check,
            words,
            also,
            at,
            change,
        } in cases
        {
            self.recover();
            let change = *change;
            self.seen(*at).set(Fault::rewrite(move |asked, answered| {
                as_on_aws(asked, answered);
                change(asked, answered);
            }));
            let report = self.examine().await;
            let what = wrong(&report, check)
                .unwrap_or_else(|| panic!("{check} {words:?} is not named:\n{report}"));
            assert!(what.contains(words), "{check}: {what:?} lacks {words:?}");
            let expected: BTreeSet<_> = also.iter().copied().chain([*check]).collect();
            assert_eq!(all_wrong(&report), expected, "{check} {words}:\n{report}");
        }
        self.recover();
    }
}

fn as_on_aws(asked: &Request, answered: &mut Response) {
    if asked.is("DescribeContinuousBackups") {
        let recovery = json!({"PointInTimeRecoveryStatus": "ENABLED"});
        let backups = json!({
            "ContinuousBackupsStatus": "ENABLED",
            "PointInTimeRecoveryDescription": recovery,
        });
        answered.say(200, &json!({"ContinuousBackupsDescription": backups}));
    }
    // DynamoDB and Secrets Manager have a call of this name each.
    if asked.is("GetResourcePolicy") {
        let refuse = json!({"Sid": "RefuseOthers", "Effect": "Deny", "Principal": "*"});
        let policy = json!({"Statement": [refuse]}).to_string();
        answered.say(200, &json!({"Policy": policy, "ResourcePolicy": policy}));
    }
}

/// Changes the item of a list that has this member.
fn change(
    answered: &mut Response,
    list: &str,
    (member, value): (&str, &str),
    change: impl Fn(&mut Value),
) {
    let mut body = answered.json();
    let items = body[list].as_array_mut().expect("a list");
    change(
        items
            .iter_mut()
            .find(|item| item[member] == value)
            .unwrap_or_else(|| panic!("no {value}")),
    );
    answered.say(200, &body);
}

/// What a check says is wrong.
fn wrong<'r>(report: &'r Report, check: &str) -> Option<&'r str> {
    let finding = report
        .findings
        .iter()
        .find(|finding| finding.check == check);
    match &finding
        .unwrap_or_else(|| panic!("no check {check}"))
        .verdict
    {
        Verdict::Wrong { what, remedy } => {
            assert!(!remedy.is_empty());
            Some(what)
        }
        Verdict::Ok(_) | Verdict::Unknown(_) => None,
    }
}

fn all_wrong(report: &Report) -> BTreeSet<&str> {
    let wrong = report
        .findings
        .iter()
        .filter(|finding| matches!(finding.verdict, Verdict::Wrong { .. }));
    wrong.map(|finding| finding.check).collect()
}

#[tokio::test]
async fn nothing_is_wrong_with_the_local_stack() {
    let patient = Patient::admit().await;
    let report = patient.examine().await;
    assert!(report.is_sound(), "{report}");
    let unsure = report
        .findings
        .iter()
        .find(|finding| !matches!(finding.verdict, Verdict::Ok(_)));
    assert!(unsure.is_none(), "{report}");
    assert_eq!(report.findings.len(), 36);
    // LEAK-1: neither the key's secret nor a pepper is in what it says.
    let (said, secret) = (
        format!("{report}{}", report.json()),
        &patient.platform.seed.organization.key.client_secret,
    );
    assert!(
        !said.contains(secret.as_str()) && runtime::log::redact(said.as_bytes()) == said.as_bytes(),
        "{said}"
    );
}

/// What cannot be looked at is unknown, and no reason to fail: no credential, no permission,
/// services that lack calls.
#[tokio::test]
async fn what_cannot_be_looked_at_is_unknown() {
    let patient = Patient::admit().await;
    let from_inside = |report: &Report| {
        let inside = |check: &str| {
            ["api.", "tables.", "keys.", "logs."]
                .iter()
                .any(|part| check.starts_with(part))
        };
        report
            .findings
            .iter()
            .filter(|finding| inside(finding.check))
            .cloned()
            .collect::<Vec<_>>()
    };
    let broken: [(Change, &str); 3] = [
        (
            |_, answered| {
                answered.say(
                    400,
                    &json!({"__type": "AccessDeniedException", "message": "no"}),
                );
            },
            "may not call",
        ),
        (
            |_, answered| {
                answered.say(
                    400,
                    &json!({"__type": "UnknownOperationException", "message": "no"}),
                );
            },
            "not offered here",
        ),
        (
            |_, answered| {
                answered.status = 501;
                answered.body = b"<html>Not here</html>".to_vec();
            },
            "",
        ),
    ];
    for (change, words) in broken {
        patient.services.set(Fault::rewrite(change));
        patient.tables.set(Fault::rewrite(change));
        let report = patient.examine().await;
        assert!(report.is_sound(), "{report}");
        for finding in from_inside(&report) {
            let Verdict::Unknown(why) = &finding.verdict else {
                panic!("{words}: {finding:?}")
            };
            assert!(
                why.contains(words) || finding.check == "keys.published",
                "{words}: {finding:?}"
            );
        }
    }
    patient.recover();
    let only_outside = Env::default().with("LATCHKEY_URL", patient.platform.stack.base_url());
    let report = patient
        .examine_as(only_outside, &patient.ambient(), patient.gateway.url())
        .await;
    assert!(report.is_sound(), "{report}");
    assert!(
        report
            .to_string()
            .contains("api.authorizers: unknown: LATCHKEY_REST_API_ID is not set"),
        "{report}"
    );
    assert!(
        report
            .to_string()
            .contains("credential.token: unknown: name a key by LATCHKEY_CLIENT_ID"),
        "{report}"
    );
}
