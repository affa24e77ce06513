//! The operator's commands: what needs no credential of Latchkey's, but the tables themselves, on a
//! laptop's data directory or, with the operator's own AWS credentials, in a deployed stack.

use clap::{
    Subcommand,
    builder::{PossibleValuesParser, TypedValueParser},
};
use domain::{
    gate::{Kyb, Plan},
    ids::Guid,
    key_mode::KeyMode,
    role::Role,
    user::Email,
};
use operator::tenants::Operator;
use runtime::StartError;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{limits, output::print, place::Place};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Make an organization with a key that holds the management scopes
    Onboard {
        #[command(flatten)]
        place: Place,
        /// What people call the organization
        #[arg(long)]
        name: String,
        /// The kind of its first keys: sandbox or live
        #[arg(long, default_value = "sandbox")]
        environment: KeyMode,
        /// Its plan
        #[arg(long, default_value = "starter", value_parser = one_of::<Plan>(&PLANS))]
        plan: Plan,
        /// The email address of its first owner, who gets a personal key; needs a plan that has
        /// those
        #[arg(long, value_name = "EMAIL", value_parser = email)]
        owner: Option<String>,
    },
    /// Make a key where no credential could: the first of an organization or user, or one of the
    /// other environment
    Key {
        #[command(flatten)]
        place: Place,
        /// The organization that gets a key with the management scopes
        #[arg(
            long,
            value_name = "GUID",
            required_unless_present = "user",
            conflicts_with = "user"
        )]
        organization: Option<Guid>,
        /// The user who gets a personal key
        #[arg(long, value_name = "GUID")]
        user: Option<Guid>,
        /// Its kind; by default sandbox for an organization, live for a user
        #[arg(long)]
        environment: Option<KeyMode>,
    },
    /// Make one of the platform's own people with a personal key; who is there already gets another
    /// key
    Staff {
        #[command(flatten)]
        place: Place,
        /// Their email address
        #[arg(long, value_parser = email)]
        email: String,
        /// What they do
        #[arg(long, value_parser = one_of::<Role>(&["support", "security", "operations"]))]
        role: Role,
    },
    /// Change an organization's plan, at once
    Plan {
        #[command(flatten)]
        place: Place,
        /// The organization's guid
        #[arg(long, value_name = "GUID")]
        organization: Guid,
        /// The plan
        #[arg(long, value_parser = one_of::<Plan>(&PLANS))]
        plan: Plan,
    },
    /// Decide an organization's KYB, which wakes its live keys or puts them to sleep
    Kyb {
        #[command(flatten)]
        place: Place,
        /// The organization's guid
        #[arg(long, value_name = "GUID")]
        organization: Guid,
        /// What was decided
        #[arg(long, value_parser = one_of::<Kyb>(&["pending", "approved", "rejected"]))]
        status: Kyb,
    },
    /// Stop all keys and tokens of an organization
    Suspend {
        #[command(flatten)]
        place: Place,
        /// The organization's guid
        #[arg(long, value_name = "GUID")]
        organization: Guid,
    },
    /// Show how many keys an organization has and may have, count them again, or let it have more
    Limits {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        order: limits::Order,
    },
    /// Let a suspended organization work again
    Resume {
        #[command(flatten)]
        place: Place,
        /// The organization's guid
        #[arg(long, value_name = "GUID")]
        organization: Guid,
    },
}

const PLANS: [&str; 3] = ["starter", "pro", "enterprise"];

/// Reads one of the words that the type has on the wire.
fn one_of<T: DeserializeOwned + Clone + Send + Sync + 'static>(
    words: &'static [&'static str],
) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(words).try_map(|word| serde_json::from_value(Value::String(word)))
}

/// An address is refused before anything is made.
fn email(text: &str) -> Result<String, &'static str> {
    Email::parse(text).map(|email| email.to_string())
}

impl Command {
    pub(super) async fn run(self) -> Result<(), StartError> {
        match self {
            Self::Onboard {
                place,
                name,
                environment,
                plan,
                owner,
            } => {
                if owner.is_some() && plan == Plan::Starter {
                    return Err(
                        "--owner gets a personal key, which needs --plan pro or --plan enterprise"
                            .into(),
                    );
                }
                let made = work(&place, async |operator| {
                    onboard(&operator, &name, environment, plan, owner.as_deref()).await
                });
                print(&made.await?)
            }
            Self::Key {
                place,
                organization,
                user,
                environment,
            } => {
                let made = work(&place, async |operator| {
                    key(&operator, organization, user, environment).await
                });
                print(&made.await?)
            }
            Self::Staff { place, email, role } => print(
                &work(&place, async |operator| {
                    staff(&operator, &email, role).await
                })
                .await?,
            ),
            Self::Plan {
                place,
                organization,
                plan,
            } => {
                work(&place, async |operator| {
                    operator.plan(organization, plan).await
                })
                .await
            }
            Self::Kyb {
                place,
                organization,
                status,
            } => {
                work(&place, async |operator| {
                    operator.kyb(organization, status).await
                })
                .await
            }
            Self::Suspend {
                place,
                organization,
            } => {
                work(&place, async |operator| {
                    operator.suspension(organization, true).await
                })
                .await
            }
            Self::Limits { place, order } => {
                let shown = work(&place, async |operator| order.run(&operator).await);
                print(&shown.await?)
            }
            Self::Resume {
                place,
                organization,
            } => {
                work(&place, async |operator| {
                    operator.suspension(organization, false).await
                })
                .await
            }
        }
    }
}

async fn onboard(
    operator: &Operator,
    name: &str,
    kind: KeyMode,
    plan: Plan,
    owner: Option<&str>,
) -> Result<Value, StartError> {
    let (guid, key) = operator.organization(name, kind).await?;
    let mut made = json!({"guid": guid, "key": key});
    // The key's secret is not shown again: what fails from here on is said beside it.
    let further = async {
        if plan != Plan::Starter {
            operator.plan(guid, plan).await?;
        }
        let Some(email) = owner else { return Ok(None) };
        let user = operator.user(guid, email, Role::Owner, None).await?;
        let key = operator.personal_key(&user, kind, "First key").await?;
        Ok::<_, StartError>(Some(
            json!({"guid": user.guid, "secret": key.client_secret}),
        ))
    };
    match further.await {
        Ok(Some(owner)) => made["owner"] = owner,
        Ok(None) => {}
        Err(error) => {
            print(&made)?;
            return Err(format!(
                "the organization was made, but not all that was asked for: {error}"
            )
            .into());
        }
    }
    Ok(made)
}

async fn key(
    operator: &Operator,
    organization: Option<Guid>,
    user: Option<Guid>,
    kind: Option<KeyMode>,
) -> Result<Value, StartError> {
    match (organization, user) {
        (Some(guid), _) => {
            let key = operator
                .organization_key(guid, kind.unwrap_or(KeyMode::Sandbox))
                .await?;
            Ok(serde_json::to_value(key)?)
        }
        (None, Some(guid)) => {
            let user = operator.require_working_user(guid).await?;
            let key = operator
                .personal_key(&user, kind.unwrap_or(KeyMode::Live), "By the operator")
                .await?;
            Ok(json!({"guid": guid, "secret": key.client_secret}))
        }
        (None, None) => Err("name an --organization or a --user".into()),
    }
}

/// Staff see both kinds, whatever that of their key.
async fn staff(operator: &Operator, email: &str, role: Role) -> Result<Value, StartError> {
    let user = operator.staff(email, role).await?;
    let key = operator
        .personal_key(&user, KeyMode::Live, "By the operator")
        .await?;
    Ok(json!({"guid": user.guid, "secret": key.client_secret}))
}

async fn work<T>(
    place: &Place,
    act: impl AsyncFnOnce(Operator) -> Result<T, StartError>,
) -> Result<T, StartError> {
    place
        .at("management", async |env, ambient| {
            Box::pin(act(Operator::open(&env, &ambient)?)).await
        })
        .await
}
