//! The client's commands: what an integrator does over HTTP, from a shell, with any deployment. Credentials come from the
//! environment alone, since `ps` shows arguments to everybody.

use std::io::{self, Write};

use clap::{Args, Subcommand};
use http::{HeaderMap, HeaderName, HeaderValue, Method, header::AUTHORIZATION};
use serde_json::{Value, json};
use web::{Env, StartError};

use super::{
    http::{Answer, Deployment, sensitive},
    keys,
};

const URL: &str = "LATCHKEY_URL";
const TOKEN: &str = "LATCHKEY_TOKEN";
const CLIENT_ID: &str = "LATCHKEY_CLIENT_ID";
const CLIENT_SECRET: &str = "LATCHKEY_CLIENT_SECRET";

#[derive(Subcommand)]
pub(super) enum Command {
    /// Get an access token for `LATCHKEY_CLIENT_ID` and `LATCHKEY_CLIENT_SECRET`
    Token {
        #[command(flatten)]
        place: Place,
        /// A scope that the token is to carry; may be repeated; all that the key has where none is named
        #[arg(long)]
        scope: Vec<String>,
    },
    /// Manage keys, by `LATCHKEY_TOKEN` (an access token or a personal key), else by a token for `LATCHKEY_CLIENT_ID`
    Keys {
        #[command(flatten)]
        place: Place,
        #[command(subcommand)]
        command: keys::Command,
    },
}

#[derive(Args)]
pub(super) struct Place {
    /// Where the deployment answers; `LATCHKEY_URL` where it is left out
    #[arg(long, global = true, value_name = "URL")]
    url: Option<String>,
}

impl Command {
    pub(super) async fn run(self) -> Result<(), StartError> {
        let env = Env::process();
        match self {
            Self::Token { place, scope } => {
                let scope = Some(scope.join(" ")).filter(|scope| !scope.is_empty());
                print(&exchange(&place.deployment(&env)?, &env, scope.as_deref()).await?)
            }
            Self::Keys { place, command } => command.run(&Session::open(place.deployment(&env)?, &env).await?).await,
        }
    }
}

impl Place {
    fn deployment(&self, env: &Env) -> Result<Deployment, StartError> {
        let url = self.url.as_deref().or_else(|| env.optional(URL));
        Deployment::at(url.ok_or_else(|| format!("say where the deployment answers, by --url or {URL}"))?)
    }
}

/// RFC 6749 §4.4.
async fn exchange(deployment: &Deployment, env: &Env, scope: Option<&str>) -> Result<Value, StartError> {
    let mut body = json!({
        "grant_type": "client_credentials",
        "client_id": env.required(CLIENT_ID)?,
        "client_secret": env.required(CLIENT_SECRET)?,
    });
    if let Some(scope) = scope {
        body["scope"] = scope.into();
    }
    deployment.send(Method::POST, "/oauth/token", HeaderMap::new(), Some(&body)).await?.json()
}

/// A deployment and somebody whom it knows.
pub(super) struct Session {
    deployment: Deployment,
    authorization: HeaderValue,
}

impl Session {
    async fn open(deployment: Deployment, env: &Env) -> Result<Self, StartError> {
        let bearer = match env.optional(TOKEN) {
            Some(token) => token.to_owned(),
            None if env.optional(CLIENT_ID).is_none() => {
                return Err(format!("say who you are, by {TOKEN}, or by {CLIENT_ID} and {CLIENT_SECRET}").into());
            }
            None => exchange(&deployment, env, None).await?["access_token"].as_str().unwrap_or_default().to_owned(),
        };
        let authorization = sensitive(&format!("Bearer {bearer}"), TOKEN)?;
        Ok(Self { deployment, authorization })
    }

    pub(super) async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, StartError> {
        self.send(method, path, HeaderMap::new(), body).await?.json()
    }

    /// A create that a repetition under the same `key` does not make twice.
    pub(super) async fn create(&self, path: &str, body: &Value, key: &str) -> Result<Answer, StartError> {
        let headers = [(HeaderName::from_static("idempotency-key"), HeaderValue::from_str(key)?)].into_iter().collect();
        self.send(Method::POST, path, headers, Some(body)).await
    }

    async fn send(&self, method: Method, path: &str, mut headers: HeaderMap, body: Option<&Value>) -> Result<Answer, StartError> {
        headers.insert(AUTHORIZATION, self.authorization.clone());
        self.deployment.send(method, path, headers, body).await
    }
}

/// Shows an answer on standard output, which nothing else is written to.
pub(super) fn print(answer: &Value) -> Result<(), StartError> {
    writeln!(io::stdout().lock(), "{}", serde_json::to_string_pretty(answer)?)?;
    Ok(())
}
