//! How many entries the changes of a minute may write to the revocation feed. Every authorizer
//! reads the feed of all tenants, so no tenant may fill it. A change beyond a budget is not
//! refused: a cover stands in for its entries (`entry_plan.rs`).

use std::time::Duration;

use aws_sdk_dynamodb::{
    error::{ProvideErrorMetadata, SdkError},
    operation::update_item::UpdateItemError,
    types::{AttributeValue, ReturnValue},
};
use domain::error::causes;

use crate::{Store, item_keys::ItemKey, record, without_retry};

/// Entries a minute of a key about itself: its own changes, revocations of its tokens by its own
/// secret, and the first use of its newer secret.
pub(crate) const KEY_BUDGET: u64 = 12;
/// Entries a minute of an organization.
pub(crate) const ORGANIZATION_BUDGET: u64 = 96;
/// Entries a minute of all organizations.
pub(crate) const PLATFORM_BUDGET: u64 = 480;
/// Entries of each organization in a minute that are accepted when the platform's budget is spent.
pub(crate) const FIRST_ENTRIES: u64 = 6;
/// Entries a minute of all organizations, those first ones included.
pub(crate) const PLATFORM_BUDGET_WITH_FIRST: u64 = 960;

/// How long a change waits for its count.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a count is kept.
const TTL: Duration = Duration::from_hours(1);

/// What became of a count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counted {
    /// The entries fit: with them there are so many, where that is known.
    Fits(Option<u64>),
    /// They do not, and are not counted.
    Full,
}

impl Store {
    /// Counts entries if the sum stays within `max`.
    ///
    /// If the counter cannot be reached, the entries fit: a budget only guards against abuse. If it
    /// is throttled, it is full. The update is not retried, since a retry could count twice.
    pub(crate) async fn count(&self, counter: ItemKey, entries: u64, max: u64) -> Counted {
        let Some(most_before) = max.checked_sub(entries) else {
            return Counted::Full;
        };
        let name = counter.pk.clone();
        let answer = self
            .client
            .update_item()
            .table_name(&self.tables.core)
            .set_key(Some(counter.into_key()))
            .update_expression("ADD n :entries SET #expires = :expires")
            .condition_expression("attribute_not_exists(n) OR n <= :most_before")
            .expression_attribute_names("#expires", record::EXPIRES)
            .expression_attribute_values(":entries", AttributeValue::N(entries.to_string()))
            .expression_attribute_values(":most_before", AttributeValue::N(most_before.to_string()))
            .expression_attribute_values(":expires", record::expires(self.now() + TTL))
            .return_values(ReturnValue::UpdatedNew)
            .customize()
            .config_override(without_retry(OPERATION_TIMEOUT))
            .send()
            .await;
        match answer {
            Ok(output) => {
                let sum = output.attributes().and_then(|item| item.get("n"));
                Counted::Fits(sum.and_then(|sum| sum.as_n().ok()?.parse().ok()))
            }
            Err(error) if is_full(&error) => Counted::Full,
            Err(error) => {
                let cause = causes(&error);
                tracing::error!(cause, counter = name, "entries of the feed are not counted");
                Counted::Fits(None)
            }
        }
    }
}

fn is_full(error: &SdkError<UpdateItemError>) -> bool {
    let code = error
        .as_service_error()
        .and_then(ProvideErrorMetadata::code);
    code.is_some_and(|code| {
        [
            "ConditionalCheckFailedException",
            "ProvisionedThroughputExceededException",
            "RequestLimitExceeded",
            "ThrottlingException",
        ]
        .contains(&code)
    })
}
