//! The one account and region of these services, and the ARNs of what is in them.

/// The region that every endpoint, ARN and event names.
pub const REGION: &str = "eu-west-1";

/// The account that every ARN names.
pub const ACCOUNT: &str = "000000000000";

/// The ARN of a table.
pub(super) fn table(name: &str) -> String {
    format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}")
}

/// The ARN of `key/<id>` or of `alias/<name>`. An empty resource gives the prefix of both.
pub(super) fn kms(resource: &str) -> String {
    format!("arn:aws:kms:{REGION}:{ACCOUNT}:{resource}")
}

/// The ARN of a queue.
pub(super) fn queue(name: &str) -> String {
    format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{name}")
}

/// The ARN of a log group, without the `:*` that stands for its streams.
pub(super) fn log_group(name: &str) -> String {
    format!("arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{name}")
}
