//! `CloudWatch` Logs: the template's log groups, and of their lines the newest, in memory.
//!
//! Only the gateway's access log is written here; the functions' own lines are on standard output.
//! Differs from AWS: a line is there at once, nothing is kept across a restart, and a filter is one
//! term, quoted or not.

pub(super) mod groups;

use serde::Deserialize;
use serde_json::{Value, json};

use self::groups::{ARN_END, Event, Group, Logs, MAX_LINES, named};
use super::{
    arn,
    aws_json::{AwsError, read, required},
    state::Api,
};
/// The stream that all lines of a group are in; the gateway has one instance.
const STREAM: &str = "local";

/// The operation's answer; `None` if there is no such operation here.
pub(super) fn answer(api: &Api, operation: &str, body: &[u8]) -> Option<Result<Value, AwsError>> {
    Some(match operation {
        "DescribeLogGroups" => read(body).map(|request| describe(&api.logs, &request)),
        "FilterLogEvents" => read(body).and_then(|request| filter(&api.logs, &request)),
        _ => return None,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DescribeLogGroups {
    log_group_name_prefix: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FilterLogEvents {
    log_group_name: Option<String>,
    log_group_identifier: Option<String>,
    start_time: Option<i64>,
    end_time: Option<i64>,
    filter_pattern: Option<String>,
    limit: Option<usize>,
}

/// `DescribeLogGroups`, all on one page.
fn describe(logs: &Logs, request: &DescribeLogGroups) -> Value {
    let prefix = request.log_group_name_prefix.as_deref().unwrap_or_default();
    let shown = |(name, group): (&String, &Group)| {
        let arn = arn::log_group(name);
        let mut shown = json!({
            "logGroupName": name,
            "arn": format!("{arn}{ARN_END}"),
            "logGroupArn": arn,
            "creationTime": group.created,
            "storedBytes": group.events.iter().map(|event| event.message.len()).sum::<usize>(),
            "metricFilterCount": 0,
            "logGroupClass": "STANDARD",
        });
        if let Some(days) = group.retention {
            shown["retentionInDays"] = days.into();
        }
        if let Some(key) = &group.kms_key {
            shown["kmsKeyId"] = key.as_str().into();
        }
        shown
    };
    let groups = logs.lock();
    let groups: Vec<Value> = groups
        .iter()
        .filter(|(name, _)| name.starts_with(prefix))
        .map(shown)
        .collect();
    json!({"logGroups": groups})
}

/// `FilterLogEvents`, oldest first, all on one page.
fn filter(logs: &Logs, request: &FilterLogEvents) -> Result<Value, AwsError> {
    let named_by = request
        .log_group_name
        .as_ref()
        .or(request.log_group_identifier.as_ref());
    let name = named(required("logGroupName", named_by)?);
    let term = term(request.filter_pattern.as_deref().unwrap_or_default())?;
    let groups = logs.lock();
    let missing = || {
        AwsError::new(
            "ResourceNotFoundException",
            "The specified log group does not exist.",
        )
    };
    let group = groups.get(name).ok_or_else(missing)?;
    let (from, until) = (
        request.start_time.unwrap_or(i64::MIN),
        request.end_time.unwrap_or(i64::MAX),
    );
    let meant = |event: &&Event| (from..=until).contains(&event.at) && event.message.contains(term);
    let events: Vec<Value> = group
        .events
        .iter()
        .filter(meant)
        .take(request.limit.unwrap_or(MAX_LINES))
        .map(|event| {
            json!({
                "logStreamName": STREAM,
                "timestamp": event.at,
                "ingestionTime": event.at,
                "message": event.message,
                "eventId": format!("{:056}", event.number),
            })
        })
        .collect();
    Ok(json!({"events": events, "searchedLogStreams": []}))
}

/// The one term of a pattern. Patterns over the members of JSON or over columns are not offered.
fn term(pattern: &str) -> Result<&str, AwsError> {
    let pattern = pattern.trim();
    let quoted = pattern
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    let plain = |text: &str| {
        !text.contains(|c: char| c.is_whitespace() || "\"{}[]?%".contains(c))
            && !text.starts_with('-')
    };
    match quoted {
        Some(term) if !term.contains('"') => Ok(term),
        None if plain(pattern) => Ok(pattern),
        _ => Err(AwsError::new(
            "InvalidParameterException",
            "this filter pattern is not offered here: name one term",
        )),
    }
}

#[cfg(test)]
mod tests {
    use domain::time::Timestamp;
    use sam::template::Resource;

    use super::*;

    const NAME: &str = "/latchkey/latchkey/access";

    fn logs() -> Logs {
        let logs = Logs::default();
        let properties =
            json!({"LogGroupName": NAME, "RetentionInDays": "90", "KmsKeyId": "arn:key"});
        logs.declare(
            &[Resource {
                logical_id: "AccessLogs".into(),
                properties,
            }],
            "latchkey",
            Timestamp::from_seconds(1),
        );
        logs
    }

    fn found(logs: &Logs, request: Value) -> Vec<String> {
        let answer = filter(logs, &serde_json::from_value(request).unwrap()).unwrap();
        let message = |event: &Value| event["message"].as_str().unwrap().to_owned();
        answer["events"]
            .as_array()
            .unwrap()
            .iter()
            .map(message)
            .collect()
    }

    #[test]
    fn a_group_has_the_retention_and_the_key_of_the_template() {
        let answer = describe(
            &logs(),
            &DescribeLogGroups {
                log_group_name_prefix: Some("/latchkey/".into()),
            },
        );
        let group = &answer["logGroups"][0];
        assert_eq!(
            (
                &group["logGroupName"],
                &group["retentionInDays"],
                &group["kmsKeyId"]
            ),
            (&json!(NAME), &json!(90), &json!("arn:key"))
        );
        let none = describe(
            &logs(),
            &DescribeLogGroups {
                log_group_name_prefix: Some("/other".into()),
            },
        );
        assert_eq!(none["logGroups"], json!([]));
    }

    /// Deviation: access-log-lines.
    #[test]
    fn lines_are_found_by_time_and_term_and_the_oldest_go_first() {
        let logs = logs();
        let arn = format!("{}:*", arn::log_group(NAME));
        for number in 0..=MAX_LINES {
            logs.put(
                &arn,
                i64::try_from(number).unwrap(),
                &format!("line {number}."),
            );
        }
        logs.put("/another", 0, "lost");
        assert_eq!(
            found(
                &logs,
                json!({"logGroupName": NAME, "filterPattern": "\"line 7.\""})
            ),
            ["line 7."]
        );
        assert_eq!(
            found(
                &logs,
                json!({"logGroupIdentifier": arn, "startTime": 4998, "endTime": 4999})
            ),
            ["line 4998.", "line 4999."]
        );
        assert_eq!(
            found(&logs, json!({"logGroupName": NAME, "limit": 1})),
            ["line 1."]
        );
        assert_eq!(
            found(
                &logs,
                json!({"logGroupName": NAME, "filterPattern": "nowhere"})
            ),
            [""; 0]
        );
    }

    #[test]
    fn what_is_not_offered_is_refused() {
        let logs = logs();
        for (request, kind) in [
            (
                json!({"logGroupName": NAME, "filterPattern": "{ $.status = 403 }"}),
                "InvalidParameterException",
            ),
            (
                json!({"logGroupName": "/another"}),
                "ResourceNotFoundException",
            ),
            (json!({}), "ValidationException"),
        ] {
            let aws_error =
                filter(&logs, &serde_json::from_value(request.clone()).unwrap()).unwrap_err();
            assert!(
                aws_error.to_string().starts_with(kind),
                "{request}: {aws_error}"
            );
        }
    }
}
