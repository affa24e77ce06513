//! A caller confers only what it holds (product.md §1, Roles).

use crate::{
    allowlist::Allowlist,
    error::{Error, FieldError, Kind as ErrorKind},
    key::{Key, Owner},
    scope::{Catalogue, Grant, Holder, Scope, ScopeSet},
    time::Timestamp,
};

/// What a token may confer on the keys that it creates and edits.
#[derive(Clone, Debug)]
pub struct Conferrer<'a> {
    /// The caller's key as it is now.
    pub key: &'a Key,
    /// The scopes of the caller's token.
    pub scopes: &'a ScopeSet,
    /// The allowlist sealed into the caller's token.
    pub ip_allowlist: &'a Allowlist,
}

impl Conferrer<'_> {
    /// The scopes of a new key of `holder`: those asked for, or every default that the caller may confer (CYB-11).
    ///
    /// # Errors
    /// [`ErrorKind::InvalidParameter`] for a scope that no such key may hold, [`ErrorKind::InsufficientScope`] for one
    /// that this caller cannot confer.
    pub fn scopes(&self, catalogue: &Catalogue, holder: Holder, requested: Option<&[String]>) -> Result<ScopeSet, Error> {
        let Some(requested) = requested else {
            let conferred: ScopeSet =
                catalogue.defaults(holder).iter().filter(|scope| self.may_confer(holder, scope)).cloned().collect();
            return if conferred.is_empty() {
                Err(insufficient("This token holds no scope that it could confer on such a key".into()))
            } else {
                Ok(conferred)
            };
        };
        let mut refused = Vec::new();
        let mut scopes = Vec::new();
        for (index, name) in requested.iter().enumerate() {
            match name.parse::<Scope>().map(|scope| (catalogue.grant(holder, &scope), scope)) {
                Ok((Some(_), scope)) if scopes.contains(&scope) => refused.push((index, "is a duplicate")),
                Ok((Some(_), scope)) => scopes.push(scope),
                Ok((None, _)) => refused.push((index, "is not a scope that a key of this owner may hold")),
                Err(reason) => refused.push((index, reason)),
            }
        }
        if requested.is_empty() {
            return Err(Error::field("scopes", "must name at least one scope; leave it out for every default"));
        }
        if !refused.is_empty() {
            let fields = refused
                .into_iter()
                .map(|(index, reason)| FieldError { field: format!("scopes[{index}]"), reason: reason.into() });
            return Err(Error::fields(fields.collect()));
        }
        for scope in &scopes {
            if catalogue.grant(holder, scope) == Some(Grant::Granted) {
                return Err(insufficient(format!("Only owners, administrators and platform staff confer {scope}")));
            }
            if !self.may_confer(holder, scope) {
                return Err(insufficient(format!("A token confers only scopes that it holds, and it does not hold {scope}")));
            }
        }
        Ok(scopes.into_iter().collect())
    }

    fn may_confer(&self, holder: Holder, scope: &Scope) -> bool {
        let for_its_banks = matches!(self.key.owner, Owner::Organization(_)) && holder == Holder::Bank;
        for_its_banks || self.scopes.has(scope.as_str())
    }

    /// The expiry of a new key: no later than the caller's own.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidParameter`] when it is past, or later than the caller's.
    pub fn expiry(&self, requested: Option<Timestamp>, now: Timestamp) -> Result<Option<Timestamp>, Error> {
        if requested.is_some_and(|end| end <= now) {
            return Err(Error::field("expires_at", "is not in the future"));
        }
        match self.key.expires_at {
            Some(own) if requested.is_none_or(|end| end > own) => {
                Err(Error::field("expires_at", format!("must be {own} or earlier: a key creates none that outlives it")))
            }
            _ => Ok(requested),
        }
    }

    /// The allowlist of an edited key: within the one that the caller's token carries, and within the key's own, since such a
    /// token widens none.
    ///
    /// # Errors
    /// [`ErrorKind::Forbidden`] when it is wider than either.
    pub fn edited_allowlist(&self, own: &Allowlist, requested: &Allowlist) -> Result<(), Error> {
        self.allowlist(requested)?;
        if self.ip_allowlist.is_empty() || requested.is_within(own) {
            Ok(())
        } else {
            Err(Error::new(ErrorKind::Forbidden, "This token carries an IP allowlist: it widens no key's list"))
        }
    }

    /// The allowlist of a new or edited key: within the one that the caller's token carries.
    ///
    /// # Errors
    /// [`ErrorKind::Forbidden`] when it is wider.
    pub fn allowlist(&self, requested: &Allowlist) -> Result<(), Error> {
        if requested.is_within(self.ip_allowlist) {
            Ok(())
        } else {
            let message = "This token carries an IP allowlist: it creates and edits keys only with a list within its own";
            Err(Error::new(ErrorKind::Forbidden, message))
        }
    }
}

fn insufficient(message: String) -> Error {
    Error::new(ErrorKind::InsufficientScope, message)
}
