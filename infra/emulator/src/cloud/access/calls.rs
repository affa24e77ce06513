//! What a request to a service comes to, in IAM's terms.

use sam::iam::Context;

/// One action on one resource. A request is one of them or several: a transaction is one for each
/// kind of its items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Call {
    /// Such as `dynamodb:GetItem`.
    pub(super) action: String,
    /// The resource's ARN, or `*`.
    pub(super) resource: String,
    pub(super) context: Context,
}

impl Call {
    pub(super) fn on(action: &str, resource: &str) -> Self {
        Self {
            action: action.to_owned(),
            resource: resource.to_owned(),
            context: Context::default(),
        }
    }
}
