//! AWS's rules for who may do what, pure: policy documents in, a decision about one request out.
//!
//! The embedded services ask this before they act for a function, so that a permission that the template lacks is missed on a
//! laptop. What of a document is not understood is refused when the document is read, never passed over: an element, an
//! operator or a condition key that were ignored here would seem to protect.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>

mod condition;
mod decision;
mod pattern;
mod permission;
mod policy;
#[cfg(test)]
mod tests;

pub use self::{
    decision::{Principal, Refusal, Request, Resource, decide},
    permission::Permission,
    policy::{Policy, PolicyError},
};

use std::collections::BTreeMap;

/// What a request carries for conditions to look at: values by condition key. A key without values is absent.
///
/// Keys are compared without regard to case, values with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context(BTreeMap<String, Vec<String>>);

impl Context {
    /// Adds values to a key.
    pub fn add(&mut self, key: &str, values: impl IntoIterator<Item = impl Into<String>>) {
        let mut values = values.into_iter().map(Into::into).peekable();
        if values.peek().is_some() {
            self.0.entry(key.to_ascii_lowercase()).or_default().extend(values);
        }
    }

    /// This context with one more value.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.add(key, [value.into()]);
        self
    }

    /// The key's values; none when it is absent.
    #[must_use]
    pub fn values(&self, key: &str) -> &[String] {
        self.0.get(&key.to_ascii_lowercase()).map_or(&[], Vec::as_slice)
    }
}
