//! How the function writes its answers.

use runtime::{Env, SettingError};

/// The settings of the function beside its guard's.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// `LATCHKEY_HTTP_API_RESPONSE`: how HTTP APIs are answered, default `simple`.
    pub http_api_response: HttpApiResponse,
    /// `LATCHKEY_USAGE_KEY`: the value of the API-Gateway API key by whose usage plan a REST API
    /// counts what is let in (APT-9). Optional; no credential.
    pub usage_key: Option<String>,
}

/// The response type that an HTTP API's authorizer is configured for (payload 2.0).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HttpApiResponse {
    /// `{isAuthorized, context}`: `EnableSimpleResponses: true`.
    #[default]
    Simple,
    /// An IAM policy.
    Iam,
}

const USAGE_KEY: &str = "LATCHKEY_USAGE_KEY";
const HTTP_API_RESPONSE: &str = "LATCHKEY_HTTP_API_RESPONSE";

impl Settings {
    /// Reads the function's variables.
    ///
    /// # Errors
    /// For the first that is wrong, by name.
    pub fn read(env: &Env) -> Result<Self, SettingError> {
        Ok(Self {
            http_api_response: match env.optional(HTTP_API_RESPONSE) {
                None | Some("simple") => HttpApiResponse::Simple,
                Some("iam") => HttpApiResponse::Iam,
                Some(_) => {
                    return Err(SettingError::new(HTTP_API_RESPONSE, "is not simple or iam"));
                }
            },
            usage_key: usage_key(env)?,
        })
    }
}

/// API Gateway's form of an API key's value.
fn usage_key(env: &Env) -> Result<Option<String>, SettingError> {
    let well_formed = |key: &str| {
        (20..=128).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    match env.optional(USAGE_KEY) {
        None => Ok(None),
        Some(key) if well_formed(key) => Ok(Some(key.to_owned())),
        Some(_) => Err(SettingError::new(
            USAGE_KEY,
            "is not 20 to 128 letters and digits",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_apis_get_simple_responses_unless_told_otherwise() {
        let response = |value| {
            Settings::read(&Env::default().with(HTTP_API_RESPONSE, value))
                .map(|settings| settings.http_api_response)
        };
        assert_eq!(response(""), Ok(HttpApiResponse::Simple));
        assert_eq!(response("iam"), Ok(HttpApiResponse::Iam));
    }

    #[test]
    fn a_wrong_form_of_answer_is_named() {
        for (name, value) in [
            (HTTP_API_RESPONSE, "yes"),
            (USAGE_KEY, "short"),
            (USAGE_KEY, "with-hyphens-and-long-enough"),
        ] {
            let error = Settings::read(&Env::default().with(name, value))
                .unwrap_err()
                .to_string();
            assert!(error.starts_with(name), "{name}={value}: {error}");
        }
    }
}
