//! What a credential is and whether it works, without a request that uses it: for introspection
//! (RFC 7662).

use domain::{feed::Invalidation, time::Timestamp};
use jwt::Claims;

use crate::{
    bearer::Bearer,
    context::Context,
    decide::{Presented, credential_error},
    decision::{CredentialError, KeyError, Unauthorized, Unavailable},
    guard::Guard,
};

/// A credential that is beyond doubt: a token whose signature holds, or the secret of a personal
/// key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// Whose it is and what it may do; also of one that does not work.
    pub context: Context,
    /// Why it does not work; nothing when it does. From where it may be used is not asked.
    pub inactive: Option<&'static str>,
    /// Whether it does not work for good: past its own end, or revoked. What is stopped may work
    /// again.
    pub ended: bool,
    /// What a token says. A personal key says nothing: what holds of it is what holds now.
    pub claims: Option<Claims>,
    /// When the token was issued, or the secret made.
    pub issued_at: Timestamp,
    /// When the key was made.
    pub key_created: Timestamp,
}

impl Guard {
    /// What `credential` is at this moment, by the clock and, where known, by the gateway's `time`
    /// of the request that asks; nothing when it is forged, unreadable, not known, or no bearer
    /// credential. Looks at neither address nor route, and is no use of the credential.
    ///
    /// # Errors
    /// When nobody can tell right now.
    pub async fn inspect(
        &self,
        credential: &str,
        time: Option<Timestamp>,
    ) -> Result<Option<Inspection>, Unavailable> {
        let bearer = Bearer::new(credential);
        let secret = bearer.secret(&self.settings.brand);
        let (identified, feed) = self.identify(&bearer, secret.as_ref(), time).await?;
        let Ok(identified) = identified else {
            return Ok(None);
        };
        let (presented, moment) = (identified.presented(), self.moment(time));
        let (inactive, ended) = match credential_error(&self.settings, presented, &feed, moment) {
            None => (None, false),
            Some(CredentialError::Unauthorized(reason)) => (Some(reason.name()), is_final(reason)),
            Some(CredentialError::Denied(reason)) => (Some(reason.message_code()), false),
            Some(CredentialError::Unavailable(unavailable)) => return Err(unavailable),
        };
        let (claims, issued_at, key_created) = match presented {
            Presented::Token(verified) => {
                let claims = verified.claims();
                (Some(claims.clone()), claims.iat, claims.key_created)
            }
            Presented::Key(key) => (None, key.secret_made_at(), key.key().created_at),
        };
        Ok(Some(Inspection {
            context: presented.context(moment),
            inactive,
            ended,
            claims,
            issued_at,
            key_created,
        }))
    }
}

const fn is_final(reason: Unauthorized) -> bool {
    matches!(
        reason,
        Unauthorized::Token(jwt::VerificationError::Expired)
            | Unauthorized::Invalidated(Invalidation::Revoked(_))
            | Unauthorized::Key(KeyError::Revoked)
    )
}
