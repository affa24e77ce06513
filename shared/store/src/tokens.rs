//! Access tokens: none is stored, one can be revoked (RFC 7009).

use std::{collections::BTreeMap, slice};

use aws_sdk_dynamodb::types::Put;
use domain::{
    audit::{Action, Origin},
    feed::{Effect, Rules, Subject},
    ids::{ClientId, Guid},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::{
    Store,
    change::ClearOutboxWhen,
    entry_plan::BudgetOwner,
    error::StoreError,
    item_keys,
    outbox::Outbox,
    record,
    transaction::{MAX_REDUCING_ATTEMPTS, Transaction},
};

/// A token that somebody revokes.
#[derive(Clone, Copy, Debug)]
pub struct TokenToRevoke {
    /// Its `jti`.
    pub jti: Guid,
    /// The key that obtained it.
    pub client_id: ClientId,
    /// The tenant.
    pub organization: Guid,
    /// When it ends by itself.
    pub expires_at: Timestamp,
}

impl TokenToRevoke {
    const fn budget_owner(&self) -> BudgetOwner {
        BudgetOwner {
            organization: self.organization,
            key: Some(self.client_id),
        }
    }
}

/// That a token was revoked: it stands in the table of the feed, outside the feed.
#[derive(Serialize, Deserialize)]
struct RevokedToken {
    #[serde(
        rename = "unannounced",
        default,
        skip_serializing_if = "Outbox::is_empty"
    )]
    outbox: Outbox,
}

impl Store {
    /// Revokes one token, and answers only once every reader of the feed will learn of it.
    /// Repeating it changes nothing, and makes sure that readers learn of it where that is not
    /// certain yet.
    ///
    /// # Errors
    /// What any change can meet: then it may or may not have happened, and repeating it is safe.
    pub async fn revoke_token(
        &self,
        token: &TokenToRevoke,
        origin: &Origin,
    ) -> Result<(), StoreError> {
        if self.publish_if_revoked(token).await? {
            return Ok(());
        }
        match self.write_revoked_token(token, origin).await {
            Err(StoreError::Revoked) if self.publish_if_revoked(token).await? => Ok(()),
            // The record of the revocation was swept between the write and this read.
            Err(StoreError::Revoked) => Err(StoreError::Contended),
            Err(error) => Err(error),
            Ok(()) => {
                let at = item_keys::revoked_token(token.jti);
                self.clear_outbox(&at, ClearOutboxWhen::Always).await;
                Ok(())
            }
        }
    }

    async fn write_revoked_token(
        &self,
        token: &TokenToRevoke,
        origin: &Origin,
    ) -> Result<(), StoreError> {
        let feed_change = (Subject::Token(token.jti), Effect::Revoke);
        let feed_changes = slice::from_ref(&feed_change);
        let plan = self
            .plan_entries(token.budget_owner(), feed_changes.len(), origin)
            .await;
        let of = BTreeMap::from([("client_id".to_owned(), token.client_id.to_string().into())]);
        let kept_until = token.expires_at + Rules::STANDARD.retention;
        self.commit_and_publish(
            MAX_REDUCING_ATTEMPTS,
            feed_changes,
            (plan, origin),
            |now, entries| {
                let revoked = RevokedToken {
                    outbox: Outbox::of(feed_changes),
                };
                let item = record::write(item_keys::revoked_token(token.jti), &revoked)?;
                let item = record::sweep_after(item, kept_until);
                let put = Put::builder().condition_expression("attribute_not_exists(PK)");
                Transaction::default()
                    .put(put, &self.tables.feed, item, StoreError::Revoked)?
                    .entries(self, entries)?
                    .audit(
                        self,
                        now,
                        token.organization,
                        Action::TokenRevoke,
                        &token.jti,
                        origin,
                        of.clone(),
                    )
            },
        )
        .await
    }

    /// Whether the token was revoked before. If so, also publishes what readers may have missed.
    async fn publish_if_revoked(&self, token: &TokenToRevoke) -> Result<bool, StoreError> {
        let at = item_keys::revoked_token(token.jti);
        let revoked: Option<RevokedToken> = self.read_of(&self.tables.feed, at.clone()).await?;
        let Some(revoked) = revoked else {
            return Ok(false);
        };
        self.publish_outbox(
            &at,
            &revoked.outbox,
            ClearOutboxWhen::Always,
            token.budget_owner(),
        )
        .await?;
        Ok(true)
    }
}
