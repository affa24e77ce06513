//! Settings from environment variables, read once at start-up and never ambiently, so that several functions with
//! different settings live in one process.

use std::{collections::BTreeMap, fmt, str::FromStr};

/// The environment variables of one function.
#[derive(Clone, Debug, Default)]
pub struct Env(BTreeMap<String, String>);

/// A setting is missing or wrong. The sentence names the variable; it shows no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingError(String);

/// A function cannot start. The sentence names the setting or service at fault.
pub type StartError = Box<dyn std::error::Error + Send + Sync>;

impl Env {
    /// The variables of this process.
    #[must_use]
    pub fn process() -> Self {
        Self(std::env::vars().collect())
    }

    /// These variables and no others.
    #[must_use]
    pub const fn from_map(variables: BTreeMap<String, String>) -> Self {
        Self(variables)
    }

    /// The value of `name`; an empty one counts as absent, since a template cannot leave a variable out.
    #[must_use]
    pub fn optional(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The value of `name`.
    ///
    /// # Errors
    /// When it is absent or empty.
    pub fn required(&self, name: &str) -> Result<&str, SettingError> {
        self.optional(name).ok_or_else(|| SettingError::new(name, "is not set"))
    }

    /// The value of `name` read as a `T`, or `default` when it is absent.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn parsed<T: FromStr>(&self, name: &str, default: T) -> Result<T, SettingError>
    where
        T::Err: fmt::Display,
    {
        let Some(value) = self.optional(name) else { return Ok(default) };
        value.parse().map_err(|error: T::Err| SettingError::new(name, &error.to_string()))
    }
}

impl SettingError {
    /// `name` and what is wrong with it.
    #[must_use]
    pub fn new(name: &str, problem: &str) -> Self {
        Self(format!("{name} {problem}"))
    }
}

impl fmt::Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SettingError {}
