//! The log groups: that logs end some day, and are sealed until then.

use aws_sdk_cloudwatchlogs::types::LogGroup;
use runtime::Env;

use super::{
    super::{
        expected::Expected,
        report::{Check, Outcome, Several, Trouble},
    },
    aws::{Aws, answered},
    named,
    tables::same_key,
};

pub(super) const GROUPS: Check = Check(
    "logs.groups",
    "Deploy the template again: each log group has a retention (LogRetentionDays) and the stack's \
     data key there.",
);

/// Every group of the stack, by the beginning that their names share with the access log's.
pub(super) async fn all(env: &Env, aws: &Aws, expected: &Expected) -> Outcome {
    let access = named(env, "LATCHKEY_ACCESS_LOGS")?;
    let (prefix, _) = access
        .rsplit_once('/')
        .ok_or_else(|| Trouble::Unknown("LATCHKEY_ACCESS_LOGS is no path of a log group".into()))?;
    let found = read(aws, &format!("{prefix}/")).await?;
    let mut several = Several::default();
    for group in &found {
        let name = group.log_group_name().unwrap_or_default();
        if group.retention_in_days().is_none() {
            several.wrong(format!("{name} is kept for good"));
        }
        match (group.kms_key_id(), env.optional("LATCHKEY_DATA_KEY")) {
            (None, _) => several.wrong(format!("{name} is under no key")),
            (Some(key), Some(data_key)) if !same_key(data_key, key) => {
                several.wrong(format!("{name} is under {key} and not under the data key"));
            }
            _ => {}
        }
    }
    for name in expected
        .template
        .log_groups
        .iter()
        .filter_map(|group| group.properties["LogGroupName"].as_str())
    {
        let own = name.rsplit('/').next().unwrap_or_default();
        let there = found
            .iter()
            .any(|group| group.log_group_name() == Some(&format!("{prefix}/{own}")));
        if !there {
            several.wrong(format!("there is no {prefix}/{own}"));
        }
    }
    several.outcome(format!("{} log groups end and are sealed", found.len()))
}

async fn read(aws: &Aws, prefix: &str) -> Result<Vec<LogGroup>, Trouble> {
    let (mut groups, mut token) = (Vec::new(), None);
    loop {
        let asked = aws
            .logs
            .describe_log_groups()
            .log_group_name_prefix(prefix)
            .set_next_token(token)
            .send()
            .await;
        let page = answered("logs:DescribeLogGroups", asked)?;
        groups.extend(page.log_groups.unwrap_or_default());
        match page.next_token {
            Some(next) => token = Some(next),
            None => return Ok(groups),
        }
    }
}
