//! What a guard accepts, and where it reads.

use domain::{key_mode::KeyMode, scope::Catalogue, secret::Brand};
use jwt::Expected;
use runtime::{Env, SettingError};

use crate::routes::Routes;

/// The settings of one guard.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `LATCHKEY_CORE_TABLE`: the table of the published signing keys, and of personal keys, their
    /// users and gates, and the first uses of their new secrets (X-3).
    pub core_table: String,
    /// `LATCHKEY_FEED_TABLE`: the table of the revocation feed.
    pub feed_table: String,
    /// `LATCHKEY_PEPPER_SECRET`: the Secrets Manager secret of the peppers. Optional: an authorizer
    /// without it takes tokens alone, and a personal key is 401 to it.
    pub pepper_secret: Option<String>,
    /// `LATCHKEY_BRAND`: the word that begins every secret, default `lk`; tells secrets from
    /// tokens.
    pub brand: Brand,
    /// `LATCHKEY_SCOPE_CATALOGUE_FILE`: what the roles of people hold scopes of; the default is
    /// built in.
    pub catalogue: Catalogue,
    /// `LATCHKEY_ISSUER`, and of each of `LATCHKEY_ACCEPTED_KINDS` the audience.
    pub expected: Expected,
    /// `LATCHKEY_ROUTES`: what opens which route.
    pub routes: Routes,
}

const ACCEPTED_KINDS: &str = "LATCHKEY_ACCEPTED_KINDS";
const ROUTES: &str = "LATCHKEY_ROUTES";
const SANDBOX_AUDIENCE: &str = "LATCHKEY_SANDBOX_AUDIENCE";
const LIVE_AUDIENCE: &str = "LATCHKEY_LIVE_AUDIENCE";

impl Settings {
    /// Reads the function's variables.
    ///
    /// # Errors
    /// For the first that is missing or wrong, by name.
    pub fn read(env: &Env) -> Result<Self, SettingError> {
        Ok(Self {
            core_table: env.required("LATCHKEY_CORE_TABLE")?.to_owned(),
            feed_table: env.required("LATCHKEY_FEED_TABLE")?.to_owned(),
            pepper_secret: env.optional("LATCHKEY_PEPPER_SECRET").map(str::to_owned),
            brand: runtime::env::brand(env)?,
            catalogue: runtime::env::catalogue(env)?,
            expected: expected(env)?,
            routes: Routes::parse(env.required(ROUTES)?)
                .map_err(|problem| SettingError::new(ROUTES, &problem))?,
        })
    }
}

fn expected(env: &Env) -> Result<Expected, SettingError> {
    // Were the audiences one, a token of one kind would lack only the signing key to pass as the
    // other's.
    if env
        .optional(SANDBOX_AUDIENCE)
        .is_some_and(|audience| env.optional(LIVE_AUDIENCE) == Some(audience))
    {
        return Err(SettingError::new(
            LIVE_AUDIENCE,
            &format!("is the same as {SANDBOX_AUDIENCE}"),
        ));
    }
    let mut expected = Expected::of_issuer(env.required("LATCHKEY_ISSUER")?);
    for name in env.required(ACCEPTED_KINDS)?.split(',') {
        let kind: KeyMode = name.parse().map_err(|_| {
            SettingError::new(ACCEPTED_KINDS, "is not sandbox, live or sandbox,live")
        })?;
        let audience = match kind {
            KeyMode::Sandbox => SANDBOX_AUDIENCE,
            KeyMode::Live => LIVE_AUDIENCE,
        };
        expected = expected.accepting(kind, env.required(audience)?);
    }
    Ok(expected)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn env(changes: &[(&str, &str)]) -> Env {
        let mut variables = BTreeMap::from([
            ("LATCHKEY_CORE_TABLE", "core"),
            ("LATCHKEY_FEED_TABLE", "feed"),
            ("LATCHKEY_ISSUER", "https://issuer.example"),
            (SANDBOX_AUDIENCE, "https://sandbox.example"),
            (LIVE_AUDIENCE, "https://live.example"),
            (ACCEPTED_KINDS, "sandbox"),
            (ROUTES, r#"{"GET /v1/whoami": []}"#),
        ]);
        variables.extend(changes.iter().copied());
        Env::from_map(
            variables
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        )
    }

    #[test]
    fn kinds_that_are_not_named_are_not_accepted() {
        let audience = |kinds, kind| {
            Settings::read(&env(&[(ACCEPTED_KINDS, kinds)]))
                .unwrap()
                .expected
                .audience(kind)
                .map(str::to_owned)
        };
        assert_eq!(
            audience("sandbox", KeyMode::Sandbox).as_deref(),
            Some("https://sandbox.example")
        );
        assert_eq!(audience("sandbox", KeyMode::Live), None);
        assert_eq!(
            audience("sandbox,live", KeyMode::Live).as_deref(),
            Some("https://live.example")
        );
    }

    #[test]
    fn an_authorizer_without_peppers_takes_tokens() {
        let settings = Settings::read(&env(&[])).unwrap();
        assert_eq!(settings.pepper_secret, None);
        let settings = Settings::read(&env(&[
            ("LATCHKEY_PEPPER_SECRET", "pepper"),
            (ROUTES, "operations"),
        ]))
        .unwrap();
        assert_eq!(settings.pepper_secret.as_deref(), Some("pepper"));
    }

    #[test]
    fn a_missing_or_wrong_value_is_named() {
        for (name, value) in [
            ("LATCHKEY_CORE_TABLE", ""),
            ("LATCHKEY_FEED_TABLE", ""),
            ("LATCHKEY_ISSUER", ""),
            (SANDBOX_AUDIENCE, ""),
            (LIVE_AUDIENCE, "https://sandbox.example"),
            (ACCEPTED_KINDS, ""),
            (ACCEPTED_KINDS, "production"),
            (ACCEPTED_KINDS, "sandbox, live"),
            (ACCEPTED_KINDS, "sandbox,"),
            (ROUTES, ""),
            (ROUTES, "{"),
            (ROUTES, "Operations"),
            ("LATCHKEY_BRAND", "LK"),
            ("LATCHKEY_SCOPE_CATALOGUE_FILE", "/nowhere.csv"),
            (ROUTES, r#"{"GET /v1/whoami": ["everything"]}"#),
        ] {
            let error = Settings::read(&env(&[(name, value)]))
                .unwrap_err()
                .to_string();
            assert!(error.starts_with(name), "{name}={value}: {error}");
        }
    }
}
