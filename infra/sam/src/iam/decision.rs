//! One request, held against every policy that has a say in it.

use std::fmt;

use super::{
    permission::Permission,
    policy::{Policy, Statement},
    principal::Principal,
    request::{Context, Request},
};

/// The resource's own say.
#[derive(Clone, Copy, Debug)]
pub enum Resource<'a> {
    /// It has no policy.
    Unguarded,
    /// It has one, which can let somebody in whom his role does not.
    Guarded(&'a Policy),
    /// It is a KMS key: without its policy nobody gets in, and a role's counts only where the key's
    /// lets the account.
    Key(&'a Policy),
}

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessDenied {
    /// Who asked: the session's ARN.
    pub session: String,
    /// For what.
    pub action: String,
    /// Of what.
    pub resource: String,
    reason: Reason,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    DeniedByRole,
    DeniedByResource,
    NotAllowedByRole,
    NotAllowedByKey,
}

impl fmt::Display for AccessDenied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            session,
            action,
            resource,
            reason,
        } = self;
        write!(
            f,
            "User: {session} is not authorized to perform: {action} on resource: {resource} "
        )?;
        match reason {
            Reason::DeniedByRole => {
                f.write_str("with an explicit deny in an identity-based policy")
            }
            Reason::DeniedByResource => {
                f.write_str("with an explicit deny in a resource-based policy")
            }
            Reason::NotAllowedByRole => write!(
                f,
                "because no identity-based policy allows the {action} action"
            ),
            Reason::NotAllowedByKey => write!(
                f,
                "because no resource-based policy allows the {action} action"
            ),
        }
    }
}

/// Decides, and says by which permissions of roles the request is allowed: those without which it
/// might not be.
///
/// # Errors
/// Why it is refused.
pub fn decide(
    principal: &Principal,
    request: &Request<'_>,
    resource: Resource<'_>,
) -> Result<Vec<Permission>, AccessDenied> {
    let request = Request {
        context: complete(request.context.clone(), principal),
        ..*request
    };
    let refuse = |reason| {
        let Request {
            action, resource, ..
        } = request;
        let [session, action, resource] = [&principal.session, action, resource].map(str::to_owned);
        Err(AccessDenied {
            session,
            action,
            resource,
            reason,
        })
    };
    let own: Vec<&Statement> = principal
        .policies
        .iter()
        .flat_map(|policy| policy.covering(&request))
        .collect();
    let (guard, is_key) = match resource {
        Resource::Unguarded => (None, false),
        Resource::Guarded(policy) => (Some(policy), false),
        Resource::Key(policy) => (Some(policy), true),
    };
    let theirs: Vec<&Statement> = guard
        .into_iter()
        .flat_map(|policy| policy.covering(&request))
        .collect();
    if own.iter().any(|statement| !statement.allows) {
        return refuse(Reason::DeniedByRole);
    }
    if theirs
        .iter()
        .any(|statement| !statement.allows && statement.names(principal))
    {
        return refuse(Reason::DeniedByResource);
    }
    let by_role = principal.root || !own.is_empty();
    let directly: Vec<_> = theirs
        .iter()
        .filter(|statement| statement.allows && statement.names_itself(principal))
        .collect();
    let delegated = theirs
        .iter()
        .any(|statement| statement.allows && statement.names_account_of(principal));
    match (is_key, by_role, directly.is_empty(), delegated) {
        (_, _, false, _) | (false, true, _, _) | (true, true, _, true) => {}
        (true, true, true, false) => return refuse(Reason::NotAllowedByKey),
        (_, false, true, _) => return refuse(Reason::NotAllowedByRole),
    }
    let own = own
        .iter()
        .filter(|_| !is_key || delegated)
        .map(|statement| ("role", *statement));
    let granted = own.chain(
        directly
            .into_iter()
            .map(|statement| ("resource", *statement)),
    );
    Ok(granted
        .flat_map(|(by, statement)| Permission::used(principal, by, statement, &request))
        .collect())
}

/// What follows from who asks. Calls here are by roles and the root, never by a service of AWS, and
/// as good as over TLS.
fn complete(context: Context, principal: &Principal) -> Context {
    let account = principal.arn.split(':').nth(4).unwrap_or_default();
    context
        .with("aws:PrincipalArn", &principal.arn)
        .with("aws:PrincipalAccount", account)
        .with(
            "aws:PrincipalType",
            if principal.root {
                "Account"
            } else {
                "AssumedRole"
            },
        )
        .with("aws:PrincipalIsAWSService", "false")
        .with("aws:SecureTransport", "true")
}
