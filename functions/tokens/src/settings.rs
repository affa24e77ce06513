//! The settings of the token function.

use std::time::Duration;

use domain::{feed::Rules, key_mode::KeyMode, secret::Brand};
use runtime::{Env, SettingError};

/// Read once at start-up.
pub(crate) struct Settings {
    /// `LATCHKEY_ISSUER`: the `iss` of tokens and the base of the endpoints' addresses; an origin
    /// without a path.
    pub(crate) issuer: String,
    /// `LATCHKEY_SANDBOX_AUDIENCE`: the `aud` of sandbox tokens.
    sandbox_audience: String,
    /// `LATCHKEY_LIVE_AUDIENCE`: the `aud` of live tokens; never the same.
    live_audience: String,
    /// `LATCHKEY_SANDBOX_SIGNING_KEYS`: the ids or ARNs of the KMS keys that may sign sandbox
    /// tokens, comma-separated: one, or two while one takes over from the other.
    pub(crate) sandbox_signing_keys: Vec<String>,
    /// `LATCHKEY_LIVE_SIGNING_KEYS`: those for live tokens; never the same.
    pub(crate) live_signing_keys: Vec<String>,
    /// `LATCHKEY_TOKEN_LIFETIME_SECONDS`: 60 to 3600, default 1800.
    pub(crate) lifetime: Duration,
    /// `LATCHKEY_BRAND`: the word that begins every secret, default `lk`.
    pub(crate) brand: Brand,
}

impl Settings {
    pub(crate) fn read(env: &Env) -> Result<Self, SettingError> {
        let text = |name| env.required(name).map(str::to_owned);
        let settings = Self {
            issuer: runtime::env::issuer(env)?,
            sandbox_audience: text("LATCHKEY_SANDBOX_AUDIENCE")?,
            live_audience: text("LATCHKEY_LIVE_AUDIENCE")?,
            sandbox_signing_keys: runtime::env::signing_keys(env, KeyMode::Sandbox)?,
            live_signing_keys: runtime::env::signing_keys(env, KeyMode::Live)?,
            lifetime: Duration::from_secs(env.parsed("LATCHKEY_TOKEN_LIFETIME_SECONDS", 1800)?),
            brand: runtime::env::brand(env)?,
        };
        if settings.lifetime < Duration::from_mins(1)
            || settings.lifetime > Rules::STANDARD.longest_token
        {
            return Err(SettingError::new(
                "LATCHKEY_TOKEN_LIFETIME_SECONDS",
                "must be 60 to 3600",
            ));
        }
        if settings.sandbox_audience == settings.live_audience {
            return Err(SettingError::new(
                "LATCHKEY_LIVE_AUDIENCE",
                "must differ from LATCHKEY_SANDBOX_AUDIENCE",
            ));
        }
        Ok(settings)
    }

    pub(crate) fn audience(&self, kind: KeyMode) -> &str {
        match kind {
            KeyMode::Sandbox => &self.sandbox_audience,
            KeyMode::Live => &self.live_audience,
        }
    }
}
