//! The principal of a request, and which statements of a resource's policy name it.

use super::policy::{Named, Policy, Statement};

/// Somebody of the account who asks.
#[derive(Clone, Debug)]
pub struct Principal {
    /// The role's ARN, or the account's root.
    pub arn: String,
    /// The ARN of the role's session, which refusals name.
    pub session: String,
    /// What the role's own policies say; the account's root is allowed everything by none.
    pub policies: Vec<Policy>,
    /// Whether this is the account's root.
    pub root: bool,
}

impl Statement {
    /// Whether the principal is among those whom it means, in whatever way: what a Deny goes by.
    pub(super) fn names(&self, principal: &Principal) -> bool {
        self.names_itself(principal) || self.names_account_of(principal)
    }

    /// Whether it means this very principal, so that it lets him in by itself.
    pub(super) fn names_itself(&self, principal: &Principal) -> bool {
        self.principals.iter().any(|named| match named {
            Named::Everybody => true,
            Named::Arn(arn) => *arn == principal.arn || *arn == principal.session,
            Named::Account(_) | Named::Service => false,
        })
    }

    pub(super) fn names_account_of(&self, principal: &Principal) -> bool {
        let account = principal.arn.split(':').nth(4).unwrap_or_default();
        self.principals
            .iter()
            .any(|named| matches!(named, Named::Account(number) if number == account))
    }
}
