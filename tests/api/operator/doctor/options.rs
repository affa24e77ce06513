//! Options that are off: said in any case, and wrong once there are live keys.

use std::collections::BTreeMap;

use local::services::{Options, Services};
use operator::doctor::{Report, Verdict};
use runtime::Env;
use serde_json::json;
use tests::proxy::{Fault, Request, Response};

use super::{Change, Patient, Seen, all_wrong, as_on_aws, wrong};

const ROLE: &str = "options.operator_role";
const RECEIVER: &str = "options.alarm_receiver";
const CANARY: &str = "options.canary";

/// What a check says that cannot say more than that something is off.
fn unknown<'r>(report: &'r Report, check: &str) -> &'r str {
    let finding = report.findings.iter().find(|one| one.check == check);
    match &finding.unwrap_or_else(|| panic!("no {check}")).verdict {
        Verdict::Unknown(why) => why,
        other => panic!("{check}: {other:?}\n{report}"),
    }
}

impl Patient {
    /// Has the tables answer otherwise, as on AWS but for this.
    fn tables_say(&self, change: Change) {
        self.seen(Seen::Tables)
            .set(Fault::rewrite(move |asked, answered| {
                as_on_aws(asked, answered);
                change(asked, answered);
            }));
    }

    async fn examine_with(&self, change: impl Fn(Env) -> Env) -> Report {
        let env = change(self.env());
        self.examine_as(env, &self.ambient(), self.gateway.url())
            .await
    }
}

fn no_policy(asked: &Request, answered: &mut Response) {
    if asked.is("GetResourcePolicy") {
        let none = json!({"__type": "PolicyNotFoundException", "message": "no policy"});
        answered.say(400, &none);
    }
}

/// The seed has live keys: those of people and staff.
fn without_live_keys(asked: &Request, answered: &mut Response) {
    if asked.is("Scan") {
        answered.say(200, &json!({"Items": [], "Count": 0, "ScannedCount": 0}));
    }
}

fn off_without_live_keys(asked: &Request, answered: &mut Response) {
    no_policy(asked, answered);
    without_live_keys(asked, answered);
}

/// LEAK-12: without `OperatorRoleArn` no table refuses the rest of the account.
#[tokio::test]
async fn leak_12_tables_that_shut_nobody_out_are_wrong_once_there_are_live_keys() {
    let patient = Patient::admit().await;
    patient.tables_say(no_policy);
    let report = patient.examine().await;
    assert_eq!(all_wrong(&report), [ROLE].into(), "{report}");
    let what = wrong(&report, ROLE).unwrap();
    assert!(
        what.contains("CoreTable") && what.contains("AuditTable"),
        "{what}"
    );
    assert!(!what.contains("the pepper"), "that one is shut: {what}");
    assert!(what.ends_with("and there are live keys"), "{what}");

    patient.tables_say(off_without_live_keys);
    let report = patient.examine().await;
    assert!(report.is_sound(), "{report}");
    let why = unknown(&report, ROLE);
    assert!(why.contains("wrong once there are live keys"), "{why}");

    // A policy that lets somebody in shuts nobody out.
    patient.tables_say(|asked, answered| {
        if asked.is("GetResourcePolicy") {
            let allow = json!({"Effect": "Allow", "Principal": "*"});
            let policy = json!({"Statement": [allow]}).to_string();
            answered.say(200, &json!({"Policy": policy}));
        }
    });
    assert_eq!(all_wrong(&patient.examine().await), [ROLE].into());
}

/// LEAK-12: nor does the pepper.
#[tokio::test]
async fn leak_12_a_pepper_that_shuts_nobody_out_is_wrong_once_there_are_live_keys() {
    let patient = Patient::admit().await;
    patient
        .seen(Seen::Services)
        .set(Fault::rewrite(|asked, answered| {
            as_on_aws(asked, answered);
            if asked.is("GetResourcePolicy") {
                answered.say(200, &json!({"ARN": "arn", "Name": "pepper"}));
            }
        }));
    let report = patient.examine().await;
    assert_eq!(all_wrong(&report), [ROLE].into(), "{report}");
    let what = wrong(&report, ROLE).unwrap();
    assert!(what.contains("out of the pepper,"), "{what}");
}

/// LEAK-7, LEAK-12: without a receiver alarms are told to nobody, and the rules about foreign use
/// are not made.
#[tokio::test]
async fn leak_7_alarms_that_nobody_is_told_of_are_wrong_once_there_are_live_keys() {
    let patient = Patient::admit().await;
    let nobody = |env: Env| env.with("LATCHKEY_ALARM_TOPIC", "none");
    let report = patient.examine_with(nobody).await;
    assert_eq!(all_wrong(&report), [RECEIVER].into(), "{report}");
    let what = wrong(&report, RECEIVER).unwrap();
    assert!(
        what.contains("foreign use") && what.contains("live keys"),
        "{what}"
    );

    patient.tables_say(without_live_keys);
    let report = patient.examine_with(nobody).await;
    assert!(report.is_sound(), "{report}");
    let why = unknown(&report, RECEIVER);
    assert!(why.contains("wrong once there are live keys"), "{why}");

    // Whoever may not look at the keys is told that it may be wrong.
    patient.tables_say(|asked, answered| {
        if asked.is("Scan") {
            let denied = json!({"__type": "AccessDeniedException", "message": "no"});
            answered.say(400, &denied);
        }
    });
    let report = patient.examine_with(nobody).await;
    assert!(report.is_sound(), "{report}");
    let why = unknown(&report, RECEIVER);
    assert!(why.contains("which cannot be told"), "{why}");

    // An older template's output does not say.
    let report = patient
        .examine_with(|env| env.with("LATCHKEY_ALARM_TOPIC", ""))
        .await;
    let why = unknown(&report, RECEIVER);
    assert!(why.contains("LATCHKEY_ALARM_TOPIC is not set"), "{why}");
}

/// A revoked live key opens nothing, and asks for no protection.
#[tokio::test]
async fn revoked_live_keys_are_no_live_keys() {
    let patient = Patient::admit().await;
    let nobody = |env: Env| env.with("LATCHKEY_ALARM_TOPIC", "none");
    let report = patient.examine_with(nobody).await;
    assert_eq!(all_wrong(&report), [RECEIVER].into(), "{report}");
    // The seed's are those of its staff; security ends its own last.
    let (platform, security) = (&patient.platform, patient.platform.security());
    let staff = &platform.seed.staff;
    for person in [&staff.support, &staff.operations, &staff.security] {
        let client_id = &person.secret["lk_live_".len()..][..22];
        let path = format!("/api/keys/{client_id}/revoke");
        let answer = security.post(&path, &json!({"reason": "a drill"})).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let report = patient.examine_with(nobody).await;
    assert!(report.is_sound(), "{report}");
    assert!(unknown(&report, RECEIVER).contains("there are none"));
}

/// a bound that nobody measures is said, and protects nothing by itself.
#[tokio::test]
async fn x_1_a_stack_without_a_canary_is_told_so_and_is_not_wrong() {
    let patient = Patient::admit().await;
    let report = patient
        .examine_with(|env| env.with("LATCHKEY_CANARY_MINUTES", "none"))
        .await;
    assert!(report.is_sound(), "{report}");
    assert!(unknown(&report, CANARY).contains("no canary"), "{report}");
}

/// The template says of both options whether they are on: what a deployed stack's shell gets.
#[tokio::test]
async fn the_output_operator_environment_says_which_options_are_on() {
    for (parameters, topic, minutes) in [
        (vec![], "none", "none"),
        (
            vec![("AlarmTopicArn", "arn:aws:sns:eu-west-1:000000000000:pager")],
            "arn:aws:sns:eu-west-1:000000000000:pager",
            "none",
        ),
        (
            vec![
                ("AlarmEmail", "oncall@latchkey.example"),
                (
                    "CanarySecretArn",
                    "arn:aws:secretsmanager:eu-west-1:000000000000:secret:c-AbCdEf",
                ),
                ("CanaryRateMinutes", "15"),
            ],
            "arn:aws:sns:eu-west-1:000000000000:latchkey-AlarmTopic",
            "15",
        ),
    ] {
        let parameters: BTreeMap<String, String> = parameters
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let options = Options {
            parameters: parameters.clone(),
            ..Options::default()
        };
        let services = Services::start(options, "http://127.0.0.1:1")
            .await
            .unwrap();
        let said = services.operator();
        assert_eq!(said["LATCHKEY_ALARM_TOPIC"], topic, "{parameters:?}");
        assert_eq!(said["LATCHKEY_CANARY_MINUTES"], minutes, "{parameters:?}");
        services.stop().await;
    }
}
