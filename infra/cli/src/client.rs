//! The client's commands: what an integrator does over HTTP, from a shell, with any deployment.
//! Credentials come from the environment alone, since `ps` shows arguments to everybody.

use ::client::{Credential, Deployment, Session};
use clap::{Args, Subcommand};
use runtime::{Env, StartError, ambient::system_clock};

use crate::{keys, output::print};

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
        /// A scope that the token is to carry; may be repeated; all that the key has where none is
        /// named
        #[arg(long)]
        scope: Vec<String>,
    },
    /// Manage keys, by `LATCHKEY_TOKEN` (an access token or a personal key), else by a token for
    /// `LATCHKEY_CLIENT_ID`
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
                let (id, secret) = key(&env)?;
                print(
                    &place
                        .deployment(&env)?
                        .request_token(id, secret, scope.as_deref())
                        .await?,
                )
            }
            Self::Keys { place, command } => {
                command.run(&session(place.deployment(&env)?, &env)?).await
            }
        }
    }
}

impl Place {
    fn deployment(&self, env: &Env) -> Result<Deployment, StartError> {
        let url = self.url.as_deref().or_else(|| env.optional(URL));
        Ok(Deployment::at(url.ok_or_else(|| {
            format!("say where the deployment answers, by --url or {URL}")
        })?)?)
    }
}

/// The key that the environment names.
fn key(env: &Env) -> Result<(&str, &str), StartError> {
    Ok((env.required(CLIENT_ID)?, env.required(CLIENT_SECRET)?))
}

/// The deployment as whoever the environment names.
fn session(deployment: Deployment, env: &Env) -> Result<Session, StartError> {
    let credential = match env.optional(TOKEN) {
        Some(token) => {
            client::sensitive(token, TOKEN)?;
            Credential::Bearer(token.to_owned().into())
        }
        None if env.optional(CLIENT_ID).is_none() => {
            return Err(format!(
                "say who you are, by {TOKEN}, or by {CLIENT_ID} and {CLIENT_SECRET}"
            )
            .into());
        }
        None => {
            let (id, secret) = key(env)?;
            Credential::Client {
                id: id.to_owned(),
                secret: secret.to_owned().into(),
            }
        }
    };
    Ok(Session::new(deployment.into(), credential, system_clock()))
}
