//! How much of the revocation feed one organization may fill. Every authorizer reads the feed of
//! all tenants, and fails closed where it cannot: so nobody may write entries as fast as a loop
//! does.

use std::time::Duration;

use aws_config::{retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_dynamodb::{
    config::Builder,
    error::{ProvideErrorMetadata, SdkError},
    operation::update_item::{UpdateItemError, UpdateItemOutput},
    types::{AttributeValue, ReturnValue},
};
use domain::{
    audit::{Action, Actor, Origin},
    error::causes,
    feed::Effect,
    ids::Guid,
    time::Timestamp,
};

use crate::{Store, error::StoreError, feed::FeedChange, item_keys, record};

/// Entries that the changes of one organization may put into the feed in a minute.
///
/// At a cold start a reader has two seconds for the entries of seventy minutes
/// (`domain::feed::Rules`). An organization that never pauses writes 120 × 70 = 8,400 of them in
/// that time, of some 260 bytes: 2.2 MB, three pages of a query, a tenth of a second each and as
/// much again to decode. While it is warm, a reader has 300 ms a try for what came since its last
/// read and a minute more: the two pages of half an hour's pause, or a fraction of one.
///
/// Many organizations together are bounded by their number alone, which is the platform's staff's
/// to decide: some five that loop at once fill a cold start's two seconds.
pub(crate) const ENTRIES_A_MINUTE: u64 = 120;

/// How long a change waits for its count.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a count is kept.
const TTL: Duration = Duration::from_hours(1);

/// That entries of a change were counted, as far as they are: whoever writes any shows one.
#[derive(Clone, Copy)]
pub(crate) struct Counted {
    entries: u64,
}

/// What a change takes from the budget, for all the entries that it writes now.
///
/// What stops somebody is never refused, and takes nothing: it must work while a loop is under way,
/// which may be the very reason for it. It happens a bounded number of times, since it is final, or
/// since a change that takes more than it writes came before it.
fn cost(action: Action, feed_changes: &[FeedChange]) -> u64 {
    let count = |changes: usize| u64::try_from(changes).unwrap_or(u64::MAX);
    match action {
        // Final, once for each key and user; an organization has at most 10,000 of a kind.
        Action::KeyRevoke | Action::UserDisable
        // As often as there was a rotation or restoration.
        | Action::KeyGrace | Action::KeyDeactivate
        // Rare, urgent, and one entry for however many keys.
        | Action::IncidentRevoke
        // The platform's staff's; owners can do no more than upgrade.
        | Action::OrganizationKyb | Action::OrganizationSuspension | Action::OrganizationPlan => 0,
        // At once: as often as there was a rotation. In a while: any number of times, each time a
        // little earlier.
        Action::KeyFinishRotation => count(feed_changes.iter().filter(|(_, effect)| matches!(
            effect,
            Effect::Expire { .. }
        )).count()),
        // Both its own entry and that of its end: of the secret before it, or of the key that works
        // again.
        Action::KeyRotate | Action::KeyRestore => 2,
        Action::KeyUpdate | Action::UserUpdate | Action::TokenRevoke
        // None of these says anything to the feed.
        | Action::KeyCreate | Action::UserCreate | Action::BankCreate | Action::BankUpdate
        | Action::OrganizationCreate | Action::OrganizationUpdate
        | Action::SigningKeyPublish | Action::SigningKeySign | Action::SigningKeyRetire
        | Action::PepperAdd | Action::PepperUpgrade => count(feed_changes.len()),
    }
}

impl Store {
    /// Counts the entries of a change, where they are more than it counted `before`, on the
    /// organization of whoever makes it.
    ///
    /// A counter that cannot be asked keeps no change from happening: this guards against abuse
    /// alone. One that is throttled is asked too often.
    ///
    /// # Errors
    /// [`StoreError::BudgetSpent`].
    pub(crate) async fn count(
        &self,
        before: Option<Counted>,
        (action, feed_changes): (Action, &[FeedChange]),
        organization: Guid,
        origin: &Origin,
    ) -> Result<Counted, StoreError> {
        let before = before.map_or(0, |counted| counted.entries);
        let entries = cost(action, feed_changes).max(before);
        if let Some(payer) = self.payer(organization, origin)
            && entries > before
        {
            let now = self.now();
            if self.exceeds(payer, entries - before, now).await {
                tracing::warn!(
                    organization = %payer,
                    "an organization has spent its budget of feed entries"
                );
                return Err(StoreError::BudgetSpent {
                    retry_after: until_next_minute(now),
                });
            }
        }
        Ok(Counted { entries })
    }

    /// Whose budget a change takes from: of staff the platform's, so that a tenant that loops does
    /// not hold them up.
    fn payer(&self, organization: Guid, origin: &Origin) -> Option<Guid> {
        match origin.actor {
            Actor::Operator | Actor::System => None,
            Actor::Key { .. } | Actor::User { .. } => Some(
                self.behalf
                    .as_ref()
                    .map_or(organization, |behalf| behalf.key.organization),
            ),
        }
    }

    async fn exceeds(&self, organization: Guid, entries: u64, now: Timestamp) -> bool {
        let counted = self.add(organization, entries, now).await;
        match &counted {
            Ok(output) => {
                let sum = output
                    .attributes()
                    .and_then(|item| item.get("n")?.as_n().ok()?.parse::<u64>().ok());
                sum.is_some_and(|sum| sum > ENTRIES_A_MINUTE)
            }
            Err(error) => {
                tracing::error!(
                    cause = causes(error),
                    %organization,
                    "entries of the feed are not counted"
                );
                is_throttled(error)
            }
        }
    }

    /// Without a retry, which could count twice.
    async fn add(
        &self,
        organization: Guid,
        entries: u64,
        now: Timestamp,
    ) -> Result<UpdateItemOutput, SdkError<UpdateItemError>> {
        let no_retry = Builder::new()
            .retry_config(RetryConfig::disabled())
            .timeout_config(
                TimeoutConfig::builder()
                    .operation_attempt_timeout(OPERATION_TIMEOUT)
                    .operation_timeout(OPERATION_TIMEOUT)
                    .build(),
            );
        self.client
            .update_item()
            .table_name(&self.tables.core)
            .set_key(Some(item_keys::budget(organization, now).into_key()))
            .update_expression("ADD n :entries SET #expires = :expires")
            .expression_attribute_names("#expires", record::EXPIRES)
            .expression_attribute_values(":entries", AttributeValue::N(entries.to_string()))
            .expression_attribute_values(":expires", record::expires(now + TTL))
            .return_values(ReturnValue::UpdatedNew)
            .customize()
            .config_override(no_retry)
            .send()
            .await
    }
}

/// Where the table takes no more, it is no time for what can wait; and nobody gets around the count
/// by asking for it too often.
fn is_throttled(error: &SdkError<UpdateItemError>) -> bool {
    let code = error
        .as_service_error()
        .and_then(ProvideErrorMetadata::code);
    code.is_some_and(|code| {
        [
            "ProvisionedThroughputExceededException",
            "RequestLimitExceeded",
            "ThrottlingException",
        ]
        .contains(&code)
    })
}

/// In seconds, at least one.
fn until_next_minute(now: Timestamp) -> u32 {
    u32::try_from(60 - now.seconds().rem_euclid(60)).unwrap_or(1)
}
