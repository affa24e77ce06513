//! Access tokens: none is stored, one can be revoked (RFC 7009).

use std::collections::BTreeMap;

use domain::{
    audit::{Action, Origin},
    feed::{Effect, Subject},
    ids::{ClientId, Guid},
};

use crate::{
    Store,
    error::StoreError,
    transaction::{MAX_REDUCING_ATTEMPTS, Transaction},
};

impl Store {
    /// Revokes one token, and answers only once every reader of the feed will learn of it. There is
    /// no item to remember that by: repeating it writes the entry again.
    ///
    /// # Errors
    /// [`StoreError::BudgetSpent`]; what any change can meet: then it may or may not have happened,
    /// and repeating it is safe.
    pub async fn revoke_token(
        &self,
        organization: Guid,
        jti: Guid,
        client_id: ClientId,
        origin: &Origin,
    ) -> Result<(), StoreError> {
        let feed_changes = [(Subject::Token(jti.to_string()), Effect::Revoke)];
        let changes = BTreeMap::from([("client_id".to_owned(), client_id.to_string().into())]);
        let counted = self
            .count(
                None,
                (Action::TokenRevoke, &feed_changes),
                organization,
                origin,
            )
            .await?;
        self.commit_and_publish(
            MAX_REDUCING_ATTEMPTS,
            &feed_changes,
            counted,
            |now, entries| {
                Transaction::default().entries(self, entries)?.audit(
                    self,
                    now,
                    organization,
                    Action::TokenRevoke,
                    &jti,
                    origin,
                    changes.clone(),
                )
            },
        )
        .await
    }
}
