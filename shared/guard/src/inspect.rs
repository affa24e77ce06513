//! What a credential is and whether it works, without a request that uses it: for introspection
//! (RFC 7662) and revocation (RFC 7009).

use domain::{ids::ClientId, secret::PlainSecret, time::Timestamp};
use jwt::Claims;
use web::refusal::{self, Outcome};

use crate::{
    bearer::Bearer,
    context::Context,
    decide::{Presented, credential_error},
    decision::{CredentialError, Unauthorized, Unavailable},
    guard::Guard,
};

/// A credential that is beyond doubt: a token whose signature holds, or the secret of a personal
/// key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// Whose it is and what it may do; also of one that does not work.
    pub context: Context,
    /// Why it does not work, for the log; nothing when it does. From where it may be used is not
    /// asked.
    pub inactive: Option<&'static str>,
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
    /// credential. Looks at neither address nor route, and is no use of the credential. Logs
    /// why a credential does not work: whoever may ask could otherwise guess secrets unseen.
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
        let named = secret.as_ref().map(PlainSecret::client_id);
        let found = self.identify(&bearer, secret.as_ref(), time).await;
        let (identified, feed) = found.inspect_err(|why| log_unavailable(*why, named))?;
        let identified = match identified {
            Ok(identified) => identified,
            Err(why) => {
                refusal::log_here(Outcome::Inactive, why.name(), named);
                return Ok(None);
            }
        };
        let presented = identified.presented();
        let looked_up = self.look_up(presented, &feed, time).await;
        let moment = self.moment(time);
        let error = credential_error(&self.settings, presented, &feed, looked_up, moment);
        let inactive = match error {
            None => None,
            Some(CredentialError::Unauthorized(reason)) => Some(reason.name()),
            Some(CredentialError::Denied(reason)) => Some(reason.message_code()),
            Some(CredentialError::Unavailable(unavailable)) => {
                log_unavailable(unavailable, Some(presented.client_id()));
                return Err(unavailable);
            }
        };
        if let Some(reason) = inactive {
            refusal::log_here(Outcome::Inactive, reason, Some(presented.client_id()));
        }
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
            claims,
            issued_at,
            key_created,
        }))
    }
}

impl Guard {
    /// What a token says whose signature holds, whether it works or not; nothing where there is no
    /// such token. Reads no feed.
    ///
    /// # Errors
    /// When nobody can tell right now.
    pub async fn read_token(
        &self,
        token: &str,
        time: Option<Timestamp>,
    ) -> Result<Option<Claims>, Unavailable> {
        let bearer = Bearer::new(token);
        let verified = self.verify(&bearer, self.moment(time).latest());
        match verified
            .await
            .inspect_err(|why| log_unavailable(*why, None))?
        {
            Ok(verified) => Ok(Some(verified.claims().clone())),
            Err(why) => {
                let why = Unauthorized::Token(why);
                refusal::log_here(Outcome::Inactive, why.name(), None);
                Ok(None)
            }
        }
    }
}

fn log_unavailable(why: Unavailable, client_id: Option<ClientId>) {
    refusal::log_here(Outcome::Unavailable, why.name(), client_id);
}
