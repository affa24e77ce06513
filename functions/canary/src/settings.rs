//! What the canary calls.

use domain::error::causes;
use runtime::{Env, StartError, env::SettingError};

/// Which deployment, and which call of it.
#[derive(Clone, Debug)]
pub struct Target {
    /// Where it answers.
    pub url: String,
    /// A `GET` that the guarded API answers to any valid credential.
    pub path: String,
}

/// The canary's settings.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) target: Target,
    /// The dimension of its metrics.
    pub(crate) stack: String,
}

impl Settings {
    pub(crate) fn read(env: &Env) -> Result<Self, StartError> {
        let stack = env.required("LATCHKEY_STACK")?.to_owned();
        Ok(Self {
            target: Target::of(env)?,
            stack,
        })
    }
}

impl Target {
    /// The guarded call unless another is named: it needs no scope, and changes nothing.
    pub const PATH: &str = "/v1/whoami";

    /// What `LATCHKEY_URL` and `LATCHKEY_CANARY_PATH` (default [`Target::PATH`]) name.
    ///
    /// # Errors
    /// A variable that is missing or wrong.
    pub fn of(env: &Env) -> Result<Self, StartError> {
        let name = "LATCHKEY_URL";
        let url = env.required(name)?.to_owned();
        client::Deployment::at(&url).map_err(|error| {
            SettingError::new(name, &format!("cannot be called: {}", causes(&error)))
        })?;
        let name = "LATCHKEY_CANARY_PATH";
        let path = env.optional(name).unwrap_or(Self::PATH).to_owned();
        let harmless = |byte: u8| byte.is_ascii_graphic() && !b"\"'\\<>#".contains(&byte);
        if !path.starts_with('/') || !path.bytes().all(harmless) {
            return Err(SettingError::new(name, "must be a path that begins with a slash").into());
        }
        Ok(Self { url, path })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_an_url_and_a_path() {
        let env = Env::default().with("LATCHKEY_URL", "https://auth.example.com");
        assert_eq!(Target::of(&env).unwrap().path, "/v1/whoami");
        assert_eq!(
            Target::of(
                &env.clone()
                    .with("LATCHKEY_CANARY_PATH", "/api/keys?per_page=1")
            )
            .unwrap()
            .path,
            "/api/keys?per_page=1"
        );
        for path in ["whoami", "/a b", "/a#b"] {
            let error = Target::of(&env.clone().with("LATCHKEY_CANARY_PATH", path))
                .unwrap_err()
                .to_string();
            assert!(error.contains("LATCHKEY_CANARY_PATH"), "{error}");
        }
        for url in ["http://auth.example.com", "auth.example.com"] {
            assert!(
                Target::of(&Env::default().with("LATCHKEY_URL", url)).is_err(),
                "{url}"
            );
        }
        assert!(Target::of(&Env::default()).is_err());
    }
}
