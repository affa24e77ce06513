//! What a first start makes, so that there is something to try: an organization with a key and
//! users, a sandbox bank with a key, and staff of the platform.

use std::{
    fmt,
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use domain::{
    gate::Plan,
    ids::Guid,
    key_mode::{BankEnvironment, KeyMode},
    role::Role,
    user::User,
};
use operator::tenants::{Credentials, Operator};
use runtime::StartError;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::StoreError;

use crate::services::Services;

/// `seed.json`: what was made and the secrets that open it. No `Debug`: secrets are among it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seed {
    /// Where the gateway answers.
    pub base_url: String,
    /// The demonstration organization and a key of it that holds the management scopes too.
    pub organization: Seeded,
    /// Its sandbox bank and a key of it.
    pub bank: Seeded,
    /// People of the organization, by their roles, with sandbox keys.
    pub users: Users,
    /// People of the platform, by their roles.
    pub staff: Staff,
}

/// A thing and a key of it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seeded {
    /// The thing's identifier.
    pub guid: String,
    /// The key.
    pub key: Credentials,
}

/// One user of each role that differs in what it may do to keys.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Users {
    /// Decides everything.
    pub owner: Person,
    /// Manages sandbox keys and their own.
    pub developer: Person,
    /// Reads.
    pub viewer: Person,
}

/// One of each of the platform's own roles.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Staff {
    /// Sees configuration, revokes at a customer's request.
    pub support: Person,
    /// Handles incidents.
    pub security: Person,
    /// Onboards, decides KYB and plans.
    pub operations: Person,
}

/// A user and the secret of their personal key, which is sent as a bearer credential.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The user's identifier.
    pub guid: String,
    /// The personal key.
    pub secret: String,
}

/// The seed of these services: the one that an earlier start left in `directory`, with the present
/// `base_url`, or a new one. It is written to `seed.json` there, readable by its owner alone.
///
/// # Errors
/// What keeps it from being made or written.
pub async fn ensure(
    services: &Services,
    base_url: &str,
    directory: &Path,
) -> Result<Seed, StartError> {
    let file = directory.join("seed.json");
    let seed = match kept(services, &file).await? {
        Some(kept) => Seed {
            base_url: base_url.to_owned(),
            ..kept
        },
        None => {
            make(
                &Operator::open(&services.env("management"), services.ambient())?,
                base_url,
            )
            .await?
        }
    };
    write(&file, &seed)?;
    Ok(seed)
}

/// The seed in the file, if its organization is in the tables: data that was thrown away takes its
/// seed with it.
async fn kept(services: &Services, file: &Path) -> Result<Option<Seed>, StartError> {
    let Ok(text) = fs::read_to_string(file) else {
        return Ok(None);
    };
    let unreadable =
        |problem: &dyn fmt::Display| another_version(file.parent().unwrap_or(file), problem);
    let value: Value = serde_json::from_str(&text).map_err(|error| unreadable(&error))?;
    let Some(guid) = value["organization"]["guid"]
        .as_str()
        .and_then(|guid| guid.parse::<Guid>().ok())
    else {
        return Err(unreadable(&"seed.json names no organization"));
    };
    match services.store()?.organization(guid).await {
        Ok(None) => Ok(None),
        Err(StoreError::Corrupt(problem)) => Err(unreadable(&problem)),
        found => found
            .map(|_| serde_json::from_value(value))?
            .map(Some)
            .map_err(|error| unreadable(&error)),
    }
}

/// What to do about an error of work on this data directory: data of another version is named as
/// such.
#[must_use]
pub fn explain(directory: &Path, error: StartError) -> StartError {
    match error.downcast_ref() {
        Some(StoreError::Corrupt(problem)) => another_version(directory, problem),
        _ => error,
    }
}

/// The data of a release before the first is not read by the next one.
fn another_version(directory: &Path, problem: &dyn fmt::Display) -> StartError {
    let directory = directory.display();
    format!(
        "{directory} holds data of another version of Latchkey ({problem}): delete it to start \
         anew, or name another --data-dir"
    )
    .into()
}

fn write(file: &Path, seed: &Seed) -> Result<(), StartError> {
    let fresh = file.with_extension("json.new");
    let _: Result<(), _> = fs::remove_file(&fresh);
    let mut out = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&fresh)?;
    out.write_all(serde_json::to_string_pretty(seed)?.as_bytes())?;
    out.sync_all()?;
    fs::rename(fresh, file)?;
    Ok(())
}

async fn make(operator: &Operator, base_url: &str) -> Result<Seed, StartError> {
    let (organization, organization_key) = operator
        .organization("Demo Organization", KeyMode::Sandbox)
        .await?;
    operator.plan(organization, Plan::Pro).await?;
    let (bank, bank_key) = operator
        .bank(organization, "Demo Sandbox Bank", BankEnvironment::Sandbox)
        .await?;
    Ok(Seed {
        base_url: base_url.to_owned(),
        organization: Seeded {
            guid: organization.to_string(),
            key: organization_key,
        },
        bank: Seeded {
            guid: bank.to_string(),
            key: bank_key,
        },
        users: Users {
            owner: user(operator, organization, Role::Owner).await?,
            developer: user(operator, organization, Role::Developer).await?,
            viewer: user(operator, organization, Role::Viewer).await?,
        },
        staff: Staff {
            support: staff(operator, Role::Support).await?,
            security: staff(operator, Role::Security).await?,
            operations: staff(operator, Role::Operations).await?,
        },
    })
}

/// Their keys are sandbox ones, so that they reach the demo bank and the sample API. Nobody has an
/// address under `.example`.
async fn user(operator: &Operator, organization: Guid, role: Role) -> Result<Person, StartError> {
    person(
        operator,
        &operator
            .user(organization, &format!("{role}@demo.example"), role, None)
            .await?,
        KeyMode::Sandbox,
    )
    .await
}

async fn staff(operator: &Operator, role: Role) -> Result<Person, StartError> {
    person(
        operator,
        &operator
            .staff(&format!("{role}@platform.example"), role)
            .await?,
        KeyMode::Live,
    )
    .await
}

async fn person(operator: &Operator, user: &User, kind: KeyMode) -> Result<Person, StartError> {
    let key = operator
        .personal_key(user, kind, &format!("Demo {} key", user.role))
        .await?;
    Ok(Person {
        guid: user.guid.to_string(),
        secret: key.client_secret,
    })
}
