//! What may be changed about a key, and what never (CYB-3, ARZ-1, ARZ-4).

use super::{Key, Owner, State};
use crate::{
    allowlist::Allowlist,
    error::{Error, FieldError, Kind},
    key_mode::KeyMode,
    organization::Name,
    text::Note,
    time::Timestamp,
    webhook_url::WebhookUrl,
};

/// A change of some members; what is absent stays. An inner `None` clears.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edit {
    /// Another name.
    pub name: Option<Name>,
    /// Another note.
    pub description: Option<Option<Note>>,
    /// Another list: of a personal key at once, of others in the tokens issued from then on
    /// (CYB-6).
    pub ip_allowlist: Option<Allowlist>,
    /// Another end; an earlier one cuts tokens too (ARZ-4).
    pub expires_at: Option<Option<Timestamp>>,
    /// Another destination; never of a live key.
    pub destination: Option<Option<Name>>,
    /// Another webhook URL, for every attempt from then on.
    pub webhook_url: Option<Option<WebhookUrl>>,
}

impl Edit {
    /// Whether `key` could be used from elsewhere by it, or leads its payments or webhooks
    /// somewhere else: that has no end of its own.
    #[must_use]
    pub fn leads_elsewhere(&self, key: &Key) -> bool {
        self.ip_allowlist
            .as_ref()
            .is_some_and(|list| !list.is_within(&key.ip_allowlist))
            || self
                .destination
                .as_ref()
                .is_some_and(|to| to.is_some() && *to != key.destination)
            || self
                .webhook_url
                .as_ref()
                .is_some_and(|to| to.is_some() && *to != key.webhook_url)
    }

    /// Whether `key` could be used for longer by it, or from elsewhere: that gives something, as
    /// another secret does.
    #[must_use]
    pub fn extends(&self, key: &Key) -> bool {
        let longer = |end: Option<Timestamp>| {
            key.expires_at
                .is_some_and(|before| end.is_none_or(|end| end > before))
        };
        self.expires_at.is_some_and(longer)
            || self
                .ip_allowlist
                .as_ref()
                .is_some_and(|list| !list.is_within(&key.ip_allowlist))
    }
}

impl Key {
    /// The key with these members changed.
    ///
    /// # Errors
    /// [`Kind::Conflict`] for a revoked key, another end of an expired one, and another destination
    /// of a live one; [`Kind::InvalidParameter`] for an end that is not in the future, and for
    /// members that do not go together.
    pub(crate) fn edit(self, edit: Edit, now: Timestamp) -> Result<Self, Error> {
        if matches!(self.state, State::Revoked { .. }) {
            return Err(self.illegal("be changed", now));
        }
        if let Some(end) = edit.expires_at.filter(|end| *end != self.expires_at) {
            if self.is_expired(now) {
                return Err(self.illegal("get another end", now));
            }
            if end.is_some_and(|end| end <= now) {
                return Err(Error::field(
                    "expires_at",
                    "is not in the future; revoke the key to end it now",
                ));
            }
        }
        if self.kind == KeyMode::Live
            && edit
                .destination
                .as_ref()
                .is_some_and(|destination| *destination != self.destination)
        {
            let message = "The destination of a live key never changes: create a new key for the \
                           new destination, migrate, then revoke this one";
            return Err(Error::new(Kind::Conflict, message));
        }
        let edited = Self {
            name: edit.name.unwrap_or(self.name.clone()),
            description: edit.description.unwrap_or(self.description.clone()),
            ip_allowlist: edit.ip_allowlist.unwrap_or(self.ip_allowlist.clone()),
            expires_at: edit.expires_at.unwrap_or(self.expires_at),
            destination: edit.destination.unwrap_or(self.destination.clone()),
            webhook_url: edit.webhook_url.unwrap_or(self.webhook_url.clone()),
            ..self
        };
        require_consistent(
            edited.owner,
            edited.destination.as_ref(),
            edited.webhook_url.as_ref(),
        )?;
        Ok(edited.next(now))
    }
}

/// ARZ-1: payments and their webhooks are a bank's; who sends payments somewhere wants to hear of
/// them.
pub(super) fn require_consistent(
    owner: Owner,
    destination: Option<&Name>,
    webhook_url: Option<&WebhookUrl>,
) -> Result<(), Error> {
    let refused = |field: &str, reason: &str| FieldError {
        field: field.into(),
        reason: reason.into(),
    };
    let mut fields = Vec::new();
    if !matches!(owner, Owner::Bank(_)) {
        let given = [
            ("destination", destination.is_some()),
            ("webhook_url", webhook_url.is_some()),
        ];
        fields.extend(
            given
                .into_iter()
                .filter(|(_, given)| *given)
                .map(|(name, _)| refused(name, "is for keys of banks alone")),
        );
    } else if destination.is_some() && webhook_url.is_none() {
        fields.push(refused(
            "webhook_url",
            "is required for a key with a destination",
        ));
    }
    if fields.is_empty() {
        Ok(())
    } else {
        Err(Error::fields(fields))
    }
}
