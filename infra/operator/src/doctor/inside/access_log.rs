//! The line that the access log must have of a call that was denied.

use std::time::Duration;

use domain::time::Clock;
use runtime::Env;
use serde_json::Value;

use super::{
    super::{
        outside::Denied,
        report::{Check, Outcome, Trouble},
    },
    aws::{Aws, answered},
    named,
};

pub(super) const LINE: Check = Check(
    "logs.denied_call",
    "See api.access_log, api.account and api.deployment. A line that holds what a caller sent is a \
     leak: change the format, then delete the lines.",
);

/// Between two looks.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// By how much the clocks of the service and of this machine may differ.
const CLOCK_SKEW: Duration = Duration::from_mins(1);

/// That the line is there in time, says why, and holds nothing of the credential.
pub(super) async fn line(
    denied: Result<Denied, Trouble>,
    env: &Env,
    aws: &Aws,
    clock: &Clock,
    patience: Duration,
) -> Outcome {
    let denied = denied?;
    let group = named(env, "LATCHKEY_ACCESS_LOGS")?;
    let started = clock();
    loop {
        let asked = aws
            .logs
            .filter_log_events()
            .log_group_name(group)
            .start_time(denied.sent.earlier_by(CLOCK_SKEW).millis())
            .filter_pattern(format!("\"{}\"", denied.request_id));
        let found = answered("logs:FilterLogEvents", asked.send().await)?;
        let lines = found.events.unwrap_or_default();
        if let Some(line) = lines
            .iter()
            .filter_map(|event| event.message())
            .find(|line| line.contains(&denied.request_id))
        {
            return evaluate(line, &denied).map(|reason| {
                format!(
                    "the line of a denied call was there after {} s: {reason}",
                    seconds(clock, &denied)
                )
            });
        }
        if clock().since(started) > i64::try_from(patience.as_millis()).unwrap_or(i64::MAX) {
            return Err(Trouble::Wrong(format!(
                "{group} has no line of call {} after {} s",
                denied.request_id,
                patience.as_secs()
            )));
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

fn seconds(clock: &Clock, denied: &Denied) -> i64 {
    clock().since(denied.sent) / 1000
}

fn evaluate(line: &str, denied: &Denied) -> Result<String, Trouble> {
    let wrong = |what: String| Err(Trouble::Wrong(what));
    if line.contains(&denied.marker) {
        return wrong("the line of a denied call holds what the caller sent".into());
    }
    if runtime::log::redact(line.as_bytes()) != line.as_bytes() {
        return wrong("the line of a denied call holds what has the form of a credential".into());
    }
    let Ok(line) = serde_json::from_str::<Value>(line) else {
        return wrong("the line of a denied call is no JSON".into());
    };
    let members: Vec<String> = line
        .as_object()
        .into_iter()
        .flatten()
        .map(|(_, value)| text(value))
        .collect();
    let response_type = if denied.status == 403 {
        "ACCESS_DENIED"
    } else {
        "UNAUTHORIZED"
    };
    let status = denied.status.to_string();
    let reason = denied.message_code.as_deref();
    for needed in [
        Some(denied.request_id.as_str()),
        Some(&status),
        Some(response_type),
        reason,
    ]
    .into_iter()
    .flatten()
    {
        if !members.iter().any(|member| member == needed) {
            return wrong(format!("the line of a denied call does not say {needed}"));
        }
    }
    Ok(format!("{status} {}", reason.unwrap_or(response_type)))
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use domain::time::Timestamp;

    use super::*;

    fn denied(message_code: Option<&str>) -> Denied {
        Denied {
            request_id: "id-1".into(),
            sent: Timestamp::from_seconds(0),
            status: if message_code.is_some() { 403 } else { 401 },
            marker: "doctorabc".into(),
            message_code: message_code.map(str::to_owned),
        }
    }

    #[test]
    fn a_line_that_says_why_is_fine() {
        let line = r#"{"requestId":"id-1","status":403,"responseType":"ACCESS_DENIED","messageCode":"forbidden"}"#;
        assert_eq!(
            evaluate(line, &denied(Some("forbidden"))),
            Ok("403 forbidden".into())
        );
        let line = r#"{"requestId":"id-1","status":"401","responseType":"UNAUTHORIZED","messageCode":"-"}"#;
        assert_eq!(evaluate(line, &denied(None)), Ok("401 UNAUTHORIZED".into()));
    }

    #[test]
    fn a_line_that_tells_less_or_more_is_wrong() {
        let secret = format!("lk_test_{}", "a1B".repeat(24));
        for (line, words) in [
            (
                r#"{"requestId":"id-1","status":"403","responseType":"ACCESS_DENIED"}"#.to_owned(),
                "does not say forbidden",
            ),
            (
                r#"{"requestId":"id-1","responseType":"ACCESS_DENIED","messageCode":"forbidden"}"#
                    .to_owned(),
                "does not say 403",
            ),
            ("id-1 403 ACCESS_DENIED forbidden".to_owned(), "is no JSON"),
            (
                r#"{"requestId":"id-1","path":"/?doctor=doctorabc"}"#.to_owned(),
                "holds what the caller sent",
            ),
            (
                format!(r#"{{"requestId":"id-1","header":"{secret}"}}"#),
                "form of a credential",
            ),
        ] {
            let Err(Trouble::Wrong(what)) = evaluate(&line, &denied(Some("forbidden"))) else {
                panic!("{line}")
            };
            assert!(
                what.contains(words) && !what.contains("a1B"),
                "{line}: {what}"
            );
        }
    }
}
