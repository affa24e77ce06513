//! The tables: that items expire, that they can be brought back, and that nobody else reads them.

use aws_sdk_dynamodb::types::{
    ContinuousBackupsStatus, PointInTimeRecoveryStatus, SseStatus, SseType, TableDescription,
    TimeToLiveStatus,
};
use runtime::Env;

use super::{
    super::report::{Check, Outcome, Several, Trouble},
    aws::{Aws, answered},
    named,
};

pub(super) const EXPIRY: Check = Check(
    "tables.expiry",
    "Turn the TTL on for the attribute `expires` (deploy the template again), or old secrets' \
     hashes and feed entries stay for good.",
);
pub(super) const RECOVERY: Check = Check(
    "tables.recovery",
    "Turn point-in-time recovery on (deploy the template again).",
);
pub(super) const PROTECTION: Check = Check(
    "tables.deletion_protection",
    "Deploy with the parameter DeletionProtection=true, unless this is a trial.",
);
pub(super) const ENCRYPTION: Check = Check(
    "tables.encryption",
    "Put the table under the stack's data key (deploy the template again).",
);
pub(super) const STREAMS: Check = Check(
    "tables.streams",
    "Turn the table's stream on (deploy the template again): what follows changes sees none.",
);

const TABLES: [&str; 4] = [
    "LATCHKEY_CORE_TABLE",
    "LATCHKEY_FEED_TABLE",
    "LATCHKEY_AUDIT_TABLE",
    "LATCHKEY_USAGE_TABLE",
];
/// The attribute by which items expire.
const EXPIRES: &str = "expires";

/// Tables as they are, by their names.
pub(super) type Tables = Vec<Result<(String, TableDescription), Trouble>>;

pub(super) async fn read(env: &Env, aws: &Aws) -> Tables {
    let mut tables = Vec::new();
    for variable in TABLES {
        tables.push(describe(env, aws, variable).await);
    }
    tables
}

async fn describe(
    env: &Env,
    aws: &Aws,
    variable: &str,
) -> Result<(String, TableDescription), Trouble> {
    let name = named(env, variable)?;
    let found = answered(
        "dynamodb:DescribeTable",
        aws.tables.describe_table().table_name(name).send().await,
    )?
    .table;
    let found =
        found.ok_or_else(|| Trouble::Unknown("dynamodb:DescribeTable tells nothing".into()))?;
    Ok((name.to_owned(), found))
}

/// That items go when they are over.
pub(super) async fn expiry(env: &Env, aws: &Aws) -> Outcome {
    let mut several = Several::default();
    for variable in TABLES {
        let Some(name) = several.take(named(env, variable)) else {
            continue;
        };
        let asked = aws
            .tables
            .describe_time_to_live()
            .table_name(name)
            .send()
            .await;
        let Some(found) = several.take(answered("dynamodb:DescribeTimeToLive", asked)) else {
            continue;
        };
        let found = found.time_to_live_description;
        let on = |ttl: &&TimeToLiveStatus| {
            matches!(ttl, TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling)
        };
        let attribute = found
            .as_ref()
            .filter(|ttl| ttl.time_to_live_status().is_some_and(|ttl| on(&ttl)));
        match attribute.and_then(|ttl| ttl.attribute_name()) {
            Some(EXPIRES) => {}
            Some(other) => several.wrong(format!("items of {name} expire by {other:?}")),
            None => several.wrong(format!("items of {name} do not expire")),
        }
    }
    several.outcome(format!("items of {} tables expire", TABLES.len()))
}

/// That a table can be brought back as it was.
pub(super) async fn recovery(env: &Env, aws: &Aws) -> Outcome {
    let mut several = Several::default();
    for variable in TABLES {
        let Some(name) = several.take(named(env, variable)) else {
            continue;
        };
        let asked = aws
            .tables
            .describe_continuous_backups()
            .table_name(name)
            .send()
            .await;
        let Some(found) = several.take(answered("dynamodb:DescribeContinuousBackups", asked))
        else {
            continue;
        };
        let found = found.continuous_backups_description;
        let backups = found.as_ref().filter(|backups| {
            *backups.continuous_backups_status() == ContinuousBackupsStatus::Enabled
        });
        let recovery = backups.and_then(|backups| {
            backups
                .point_in_time_recovery_description()?
                .point_in_time_recovery_status()
        });
        if recovery != Some(&PointInTimeRecoveryStatus::Enabled) {
            several.wrong(format!("{name} has no point-in-time recovery"));
        }
    }
    several.outcome(format!("{} tables can be brought back", TABLES.len()))
}

/// Checks every table that could be read.
fn each(
    tables: &Tables,
    fine: &str,
    problem: impl Fn(&str, &TableDescription) -> Result<(), Trouble>,
) -> Outcome {
    let mut several = Several::default();
    for table in tables {
        if let Some((name, table)) = several.take(table.clone()) {
            several.take(problem(&name, &table));
        }
    }
    several.outcome(format!("{} tables {fine}", tables.len()))
}

/// That nobody deletes a table by mistake.
pub(super) fn protection(tables: &Tables) -> Outcome {
    each(tables, "are protected", |name, table| {
        match table.deletion_protection_enabled() {
            Some(true) => Ok(()),
            Some(false) => Err(Trouble::Wrong(format!(
                "{name} is not protected from deletion"
            ))),
            None => Err(Trouble::Unknown(
                "dynamodb:DescribeTable does not tell of deletion protection here".into(),
            )),
        }
    })
}

/// That what is at rest is under the stack's own key (LEAK-12).
pub(super) fn encryption(tables: &Tables, env: &Env) -> Outcome {
    let data_key = env.optional("LATCHKEY_DATA_KEY");
    each(tables, "are under the data key", |name, table| {
        // DynamoDB says nothing of a table that is under its own key.
        let Some(sealed) = table.sse_description() else {
            return Err(Trouble::Wrong(format!("{name} is under a key of AWS's")));
        };
        let on = matches!(
            sealed.status(),
            Some(SseStatus::Enabled | SseStatus::Updating)
        );
        if !on || sealed.sse_type() != Some(&SseType::Kms) {
            return Err(Trouble::Wrong(format!("{name} is not under a key of KMS")));
        }
        let key = sealed.kms_master_key_arn().unwrap_or_default();
        match data_key {
            Some(data_key) if !same_key(data_key, key) => Err(Trouble::Wrong(format!(
                "{name} is under {key} and not under the data key"
            ))),
            Some(_) => Ok(()),
            None => named(env, "LATCHKEY_DATA_KEY").map(drop),
        }
    })
}

/// By an id or an ARN.
pub(super) fn same_key(one: &str, other: &str) -> bool {
    let id = |key: &str| key.rsplit_once('/').map_or(key, |(_, id)| id).to_owned();
    !one.is_empty() && id(one) == id(other)
}

/// That followers of changes are told of them.
pub(super) fn streams(tables: &Tables) -> Outcome {
    each(tables, "have a stream", |name, table| {
        let stream = table
            .stream_specification()
            .filter(|stream| stream.stream_enabled());
        stream
            .map(drop)
            .ok_or_else(|| Trouble::Wrong(format!("{name} has no stream")))
    })
}
