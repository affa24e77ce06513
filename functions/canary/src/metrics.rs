//! A round as metrics: one line of JSON in `CloudWatch`'s embedded metric format.
//!
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>

use serde_json::{Map, Value, json};

use crate::round::{At, Round, seconds};

const NAMESPACE: &str = "Latchkey";
/// A value for each connection, of which `CloudWatch` makes percentiles over any number of rounds.
/// Of a round that came to no revoke there is none, and the alarm takes missing data for breaching.
const LAST_ADMISSION: &str = "SecondsToLastAdmission";

/// The line. Its one dimension is `Stack`.
#[must_use]
pub fn line(round: &Round, stack: &str, at: At) -> String {
    let mut values: Map<String, Value> = Map::new();
    let mut metrics = Vec::new();
    let mut add = |name: String, unit: &str, value: Value| {
        metrics.push(json!({"Name": name, "Unit": unit}));
        values.insert(name, value);
    };
    if !round.last_admissions.is_empty() {
        let last_admissions: Vec<f64> =
            round.last_admissions.iter().copied().map(seconds).collect();
        add(LAST_ADMISSION.to_owned(), "Seconds", json!(last_admissions));
    }
    add(
        "CanaryFailed".to_owned(),
        "Count",
        json!(u8::from(round.failure.is_some())),
    );
    if let Some(keys) = round.keys {
        add("CanaryKeys".to_owned(), "Count", json!(keys));
    }
    for (step, took) in &round.steps {
        add(
            format!("Canary{}", step.name()),
            "Seconds",
            json!(seconds(*took)),
        );
    }
    let directive = json!({"Namespace": NAMESPACE, "Dimensions": [["Stack"]], "Metrics": metrics});
    values.insert(
        "_aws".into(),
        json!({"Timestamp": at.millis(), "CloudWatchMetrics": [directive]}),
    );
    values.insert("Stack".into(), stack.into());
    Value::Object(values).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Failure, Step};

    #[test]
    fn a_line_has_a_value_for_each_metric_that_it_names() {
        let round = Round {
            steps: vec![(Step::Create, 120), (Step::Revoke, 80)],
            last_admissions: vec![0, 1_250],
            keys: Some(7),
            ..Round::default()
        };
        let line: Value =
            serde_json::from_str(&line(&round, "prod", At::from_millis(1_000))).unwrap();
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(
            (&directive["Namespace"], &directive["Dimensions"]),
            (&json!("Latchkey"), &json!([["Stack"]]))
        );
        let names: Vec<&str> = directive["Metrics"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["Name"].as_str().unwrap())
            .collect();
        assert_eq!(
            names,
            [
                "SecondsToLastAdmission",
                "CanaryFailed",
                "CanaryKeys",
                "CanaryCreate",
                "CanaryRevoke"
            ]
        );
        assert!(names[1..].iter().all(|name| line[name].is_number()));
        assert_eq!(
            (&line["SecondsToLastAdmission"], &line["Stack"]),
            (&json!([0.0, 1.25]), &json!("prod"))
        );
        assert_eq!(line["_aws"]["Timestamp"], 1_000);
    }

    #[test]
    fn a_round_that_failed_says_so_and_measures_nothing_it_did_not_see() {
        let round = Round::failed(Failure {
            step: Step::Token,
            cause: "no".into(),
        });
        let line: Value = serde_json::from_str(&line(&round, "prod", At::from_millis(0))).unwrap();
        assert_eq!(
            (&line["CanaryFailed"], line.get("SecondsToLastAdmission")),
            (&json!(1), None)
        );
    }
}
