//! The request that policies are evaluated against, and the values that conditions compare.

use std::collections::BTreeMap;

/// What somebody asks for.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The action, such as `dynamodb:GetItem`.
    pub action: &'a str,
    /// The ARN of what it is done to, or `*`.
    pub resource: &'a str,
    /// What conditions look at, but for what follows from the principal.
    pub context: Context,
}

/// What a request carries for conditions to look at: values by condition key. A key without values
/// is absent.
///
/// Keys are compared without regard to case, values with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context(BTreeMap<String, Vec<String>>);

impl Context {
    /// Adds values to a key.
    pub fn add(&mut self, key: &str, values: impl IntoIterator<Item = impl Into<String>>) {
        let mut values = values.into_iter().map(Into::into).peekable();
        if values.peek().is_some() {
            self.0
                .entry(key.to_ascii_lowercase())
                .or_default()
                .extend(values);
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
        self.0
            .get(&key.to_ascii_lowercase())
            .map_or(&[], Vec::as_slice)
    }
}
