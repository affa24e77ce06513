//! The life of a key from a shell: create, list, show, rotate, finish, revoke, over `/api/keys`.

use ::client::Session;
use clap::{Args, Subcommand, builder::PossibleValuesParser};
use http::Method;
use runtime::{Entropy, StartError};
use serde_json::{Map, Value, json};

use crate::{arguments::assignment, output::print};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Make a key; its secret is shown here and never again
    Create(Box<Create>),
    /// List the keys that you may see
    List {
        /// A parameter of GET /api/keys, such as `state=active` or `owner_type=bank`; may be
        /// repeated
        #[arg(long = "filter", value_name = "NAME=VALUE", value_parser = assignment)]
        filters: Vec<(String, String)>,
        /// Which page, from 0
        #[arg(long)]
        page: Option<u32>,
        /// How many on a page, 1 to 100
        #[arg(long)]
        per_page: Option<u32>,
    },
    /// Show a key
    Show(Named),
    /// Give a key another secret, which is shown here and never again; the old one works for
    /// another 24 hours unless told otherwise
    Rotate {
        #[command(flatten)]
        key: Named,
        /// How many seconds the old secret works on, 0 to 7776000, or `open`: until the rotation is
        /// finished
        #[arg(long, value_name = "SECONDS|open", value_parser = grace)]
        grace_period: Option<Grace>,
        /// From when on those seconds count
        #[arg(long, value_parser = PossibleValuesParser::new(["now", "first_use"]))]
        grace_starts: Option<String>,
        /// Let the old secret replace a new one that nobody has used, where the grace starts at the
        /// first use; never after a leak, since whoever has the old secret can then lock you out
        #[arg(long)]
        replaceable: bool,
        /// End the newest secret at once, because nobody has it, and leave an older one as it is
        #[arg(long)]
        replace: bool,
    },
    /// End the old secret of a key that was rotated, at once unless told otherwise
    Finish {
        #[command(flatten)]
        key: Named,
        /// How many seconds the old secret works on, 0 to 7776000, and no longer than it would
        #[arg(long, value_name = "SECONDS")]
        grace_period: Option<u64>,
    },
    /// Revoke a key and all its tokens, for good
    Revoke {
        #[command(flatten)]
        key: Named,
        /// Why, for the audit trail
        #[arg(long)]
        reason: Option<String>,
    },
}

#[derive(Args)]
pub(super) struct Named {
    /// The key's `client_id` or `guid`
    #[arg(value_name = "KEY", value_parser = name)]
    key: String,
}

#[derive(Args)]
pub(super) struct Create {
    #[command(flatten)]
    owner: Owner,
    /// What people call it
    #[arg(long)]
    name: String,
    /// What people note about it
    #[arg(long)]
    description: Option<String>,
    /// sandbox or live; that of your own key where it is left out
    #[arg(long)]
    environment: Option<String>,
    /// A scope that it is to hold; may be repeated
    #[arg(long)]
    scope: Vec<String>,
    /// An address or range from which it may be used; may be repeated
    #[arg(long = "ip", value_name = "ADDRESS")]
    ip_allowlist: Vec<String>,
    /// When it stops, such as 2030-01-31T12:00:00Z
    #[arg(long, value_name = "TIME")]
    expires_at: Option<String>,
    /// Where payments made with it arrive
    #[arg(long)]
    destination: Option<String>,
    /// Where its webhooks go
    #[arg(long, value_name = "URL")]
    webhook_url: Option<String>,
    /// What tells this create from another, when it is repeated; random where it is left out
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
}

/// Exactly one.
#[derive(Args)]
#[group(required = true, multiple = false)]
struct Owner {
    /// It belongs to this organization
    #[arg(long, value_name = "GUID")]
    organization: Option<String>,
    /// It belongs to this bank
    #[arg(long, value_name = "GUID")]
    bank: Option<String>,
    /// It is a personal key of this user
    #[arg(long, value_name = "GUID")]
    user: Option<String>,
}

#[derive(Clone, Copy)]
pub(super) enum Grace {
    Seconds(u64),
    Open,
}

fn grace(text: &str) -> Result<Grace, &'static str> {
    match text {
        "open" => Ok(Grace::Open),
        seconds => seconds
            .parse()
            .map(Grace::Seconds)
            .map_err(|_| "must be a number of seconds, or open"),
    }
}

/// It becomes a part of a path.
fn name(text: &str) -> Result<String, &'static str> {
    let fits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if fits {
        Ok(text.to_owned())
    } else {
        Err("is no client_id or guid of a key")
    }
}

impl Command {
    pub(super) async fn run(self, session: &Session) -> Result<(), StartError> {
        let post = async |Named { key }: &Named, act: &str, body: &Value| {
            Ok::<_, StartError>(
                session
                    .call(Method::POST, &format!("/api/keys/{key}/{act}"), Some(body))
                    .await?,
            )
        };
        print(&match self {
            Self::Create(create) => create.run(session).await?,
            Self::List {
                filters,
                page,
                per_page,
            } => {
                session
                    .call(Method::GET, &listing(filters, page, per_page)?, None)
                    .await?
            }
            Self::Show(Named { key }) => {
                session
                    .call(Method::GET, &format!("/api/keys/{key}"), None)
                    .await?
            }
            Self::Rotate {
                key,
                grace_period,
                grace_starts,
                replaceable,
                replace,
            } => {
                post(
                    &key,
                    "rotate",
                    &rotation(grace_period, grace_starts.as_deref(), replaceable, replace),
                )
                .await?
            }
            Self::Finish { key, grace_period } => {
                post(
                    &key,
                    "finish_rotation",
                    &members([("grace_period", grace_period.map(Value::from))]),
                )
                .await?
            }
            Self::Revoke { key, reason } => {
                post(
                    &key,
                    "revoke",
                    &members([("reason", reason.map(Value::from))]),
                )
                .await?
            }
        })
    }
}

/// The path of a list.
fn listing(
    mut filters: Vec<(String, String)>,
    page: Option<u32>,
    per_page: Option<u32>,
) -> Result<String, StartError> {
    filters.extend(page.map(|page| ("page".to_owned(), page.to_string())));
    filters.extend(per_page.map(|per_page| ("per_page".to_owned(), per_page.to_string())));
    Ok(format!(
        "/api/keys?{}",
        serde_urlencoded::to_string(filters)?
    ))
}

/// What was said of a rotation; what was not is the API's to decide.
fn rotation(
    grace_period: Option<Grace>,
    grace_starts: Option<&str>,
    replaceable: bool,
    replace: bool,
) -> Value {
    let period = grace_period.map(|grace| match grace {
        Grace::Seconds(seconds) => seconds.into(),
        Grace::Open => Value::Null,
    });
    let starts = grace_starts.map(Value::from);
    members([
        ("grace_period", period),
        ("grace_starts", starts),
        ("replaceable", replaceable.then(|| true.into())),
        ("replace", replace.then(|| true.into())),
    ])
}

impl Create {
    async fn run(self, session: &Session) -> Result<Value, StartError> {
        let key = self
            .idempotency_key
            .clone()
            .unwrap_or_else(|| Entropy::system().guid().to_string());
        let answer = session.create("/api/keys", &self.body(), &key).await;
        let answer = answer.map_err(|error| {
            format!(
                "{error}\nIt may have been made: repeat the command with --idempotency-key {key}"
            )
        })?;
        if answer.header("idempotency-replayed").is_some() {
            eprintln!(
                "latchkey: this key was made before, and its secret was shown then; `rotate \
                 --replace` gives it another"
            );
        }
        Ok(answer.json()?)
    }

    fn body(self) -> Value {
        let Owner {
            organization,
            bank,
            user,
        } = self.owner;
        let owners = [
            ("organization", organization),
            ("bank", bank),
            ("user", user),
        ];
        let owner = owners
            .into_iter()
            .find_map(|(of, guid)| Some(json!({"type": of, "guid": guid?})));
        let list = |texts: Vec<String>| (!texts.is_empty()).then(|| json!(texts));
        members([
            ("owner", owner),
            ("name", Some(self.name.into())),
            ("description", self.description.map(Value::from)),
            ("environment", self.environment.map(Value::from)),
            ("scopes", list(self.scope)),
            ("ip_allowlist", list(self.ip_allowlist)),
            ("expires_at", self.expires_at.map(Value::from)),
            ("destination", self.destination.map(Value::from)),
            ("webhook_url", self.webhook_url.map(Value::from)),
        ])
    }
}

/// An object of those that are there.
fn members<const N: usize>(members: [(&str, Option<Value>); N]) -> Value {
    let there = members
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(there.collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rotation_says_no_more_than_was_asked() {
        assert_eq!(rotation(None, None, false, false), json!({}));
        assert_eq!(
            rotation(Some(Grace::Open), None, false, false),
            json!({"grace_period": null})
        );
        assert_eq!(
            rotation(Some(Grace::Seconds(60)), Some("first_use"), false, false),
            json!({"grace_period": 60, "grace_starts": "first_use"})
        );
        assert_eq!(rotation(None, None, false, true), json!({"replace": true}));
        assert!(grace("never").is_err() && grace("-1").is_err());
    }

    #[test]
    fn a_list_s_parameters_are_escaped() {
        let path = listing(vec![("state".to_owned(), "a&b".to_owned())], Some(1), None).unwrap();
        assert_eq!(path, "/api/keys?state=a%26b&page=1");
    }
}
