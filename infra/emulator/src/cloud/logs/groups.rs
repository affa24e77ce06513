//! The log groups and the lines in them.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use domain::time::Timestamp;
use sam::template::Resource;

/// How many lines of a group are kept.
pub(super) const MAX_LINES: usize = 5_000;
/// How long a line is kept at most, in bytes: API Gateway's own bound on a format is 3 KB, before
/// substitution.
const LONGEST: usize = 16 * 1024;
/// What follows a group's name in its ARN.
pub(super) const ARN_END: &str = ":*";

/// Every group, by name.
#[derive(Default)]
pub(in super::super) struct Logs(Mutex<BTreeMap<String, Group>>);

#[derive(Default)]
pub(super) struct Group {
    pub(super) retention: Option<u64>,
    pub(super) kms_key: Option<String>,
    pub(super) created: i64,
    pub(super) events: VecDeque<Event>,
    pub(super) written: u64,
}

pub(super) struct Event {
    pub(super) number: u64,
    pub(super) at: i64,
    pub(super) message: String,
}

impl Logs {
    /// Makes the template's groups; lines of one that is there already stay.
    pub(in super::super) fn declare(&self, groups: &[Resource], stack: &str, now: Timestamp) {
        let mut known = self.lock();
        for Resource {
            logical_id,
            properties,
        } in groups
        {
            let name = properties["LogGroupName"]
                .as_str()
                .map_or_else(|| format!("{stack}-{logical_id}"), str::to_owned);
            let group = known.entry(name).or_insert_with(|| Group {
                created: now.millis(),
                ..Group::default()
            });
            let retention = &properties["RetentionInDays"];
            group.retention = retention
                .as_u64()
                .or_else(|| retention.as_str()?.parse().ok());
            group.kms_key = properties["KmsKeyId"].as_str().map(str::to_owned);
        }
    }

    /// Writes a line into the group that an ARN or a name stands for. A group that does not exist
    /// gets none, as on AWS.
    pub(in super::super) fn put(&self, group: &str, at: i64, message: &str) {
        let mut groups = self.lock();
        let Some(group) = groups.get_mut(named(group)) else {
            return;
        };
        if group.events.len() == MAX_LINES {
            group.events.pop_front();
        }
        group.written += 1;
        let message = message
            .get(..message.floor_char_boundary(LONGEST))
            .unwrap_or_default()
            .to_owned();
        group.events.push_back(Event {
            number: group.written,
            at,
            message,
        });
    }

    /// Only plain values change under the lock, so that a panic elsewhere cannot have left them
    /// half changed.
    pub(super) fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Group>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A group's name, whichever way it was named.
pub(super) fn named(group: &str) -> &str {
    let group = group.strip_suffix(ARN_END).unwrap_or(group);
    group
        .strip_prefix("arn:")
        .and_then(|arn| arn.splitn(6, ':').nth(5))
        .map_or(group, |name| name)
}
