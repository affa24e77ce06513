//! The roll of the pepper, by nesting (docs/peppers.md): a hash under version n is HMAC(pₙ, …
//! HMAC(p₁, secret)), so that the hash of a secret that nobody knows is brought under a new pepper
//! as it stands.

use std::{collections::BTreeMap, fmt, time::Duration};

use aws_sdk_secretsmanager::Client;
use credentials::pepper::CACHE_TTL;
use domain::{
    audit::{Action, Actor, Origin},
    error::causes,
    feed::Rules,
    pepper::Peppers,
    time::Timestamp,
};
use runtime::{Ambient, Env, StartError};
use serde::Serialize;
use serde_json::Value;
use store::{Store, Tables};
use zeroize::Zeroizing;

/// The peppers of one stack, and the hashes under them.
pub struct PepperRoll {
    store: Store,
    client: Client,
    secret: String,
    ambient: Ambient,
}

/// Which peppers there are, and how many hashes each is the newest in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Overview {
    /// The version that new hashes get.
    pub newest: u32,
    /// Since when it is there.
    pub added_at: Timestamp,
    /// Hashes by the newest version in them; every version that there is, and any that a hash
    /// names.
    pub hashes: BTreeMap<u32, u64>,
}

/// What came of an addition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Added {
    /// The new version.
    pub version: u32,
    /// From when on hashes may be brought under it.
    pub upgrade_from: Timestamp,
    /// Until when an instance may make hashes under the version before it.
    pub older_hashes_until: Timestamp,
}

/// What came of a walk over the hashes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Upgraded {
    /// The newest version.
    pub to: u32,
    /// Hashes that were under an older one, by that.
    pub brought_up_to_date: BTreeMap<u32, u64>,
    /// Hashes that were under the newest one already.
    pub up_to_date: u64,
    /// Hashes that somebody else changed, or that ended, between the reading and the writing.
    pub changed_meanwhile: u64,
    /// Whether hashes under an older version can still be made, so that another run is due; from
    /// when on it is the last.
    pub run_again_at: Option<Timestamp>,
}

/// The secret as it stands.
struct Current {
    version_id: String,
    peppers: Peppers,
    since: Timestamp,
}

/// How long a new value of the secret may take until every reader gets it: Secrets Manager promises
/// no moment.
const PROPAGATION_TIME: Duration = Duration::from_mins(1);
/// How many items one page of a walk looks at, at most.
const PAGE: u32 = 250;
const CURRENT: &str = "AWSCURRENT";
const PENDING: &str = "AWSPENDING";

impl PepperRoll {
    /// Those of whatever stack `env` names, by the token function's own variables.
    ///
    /// # Errors
    /// A variable that is missing or wrong.
    pub fn open(env: &Env, ambient: &Ambient) -> Result<Self, StartError> {
        let entropy = ambient.entropy.clone();
        Ok(Self {
            store: Store::new(
                &ambient.aws,
                Tables::of(|name| env.required(name))?,
                ambient.clock.clone(),
                move || entropy.guid(),
            ),
            client: Client::new(&ambient.aws),
            secret: env.required("LATCHKEY_PEPPER_SECRET")?.to_owned(),
            ambient: ambient.clone(),
        })
    }

    /// Which peppers there are, and how many hashes are under each; looks at `rate` items of the
    /// table a second.
    ///
    /// # Errors
    /// What keeps them from being read.
    pub async fn list(&self, rate: u32) -> Result<Overview, StartError> {
        let current = self.current().await?;
        let newest = current.peppers.current();
        let mut hashes: BTreeMap<u32, u64> = (1..=newest).map(|version| (version, 0)).collect();
        let mut walk = Walk::new(rate);
        while let Some(page) = walk.next(&self.store).await? {
            for stored in page {
                *hashes.entry(stored.hash.pepper_version()).or_default() += 1;
            }
        }
        Ok(Overview {
            newest,
            added_at: current.since,
            hashes,
        })
    }

    /// Draws another pepper and puts it beside those that are there. Nobody sees it.
    ///
    /// The new value becomes the current one only if the one that it was made from still is: of two
    /// additions at once, one is refused, and no version that may be in a hash is ever lost.
    ///
    /// # Errors
    /// Somebody else changed the secret, or what keeps it from being written.
    pub async fn add(&self) -> Result<Added, StartError> {
        let before = self.current().await?;
        let (version, value) = before
            .peppers
            .with_another(&drawn(&self.ambient.entropy.secret()))?;
        let written = self.write(&value).await?;
        let changes = BTreeMap::from([("version".to_owned(), Value::from(version))]);
        // Before it counts, so that nothing is done that is not written down.
        self.store
            .note(
                Action::PepperAdd,
                &version.to_string(),
                &changes,
                &operator(),
            )
            .await?;
        let moved = self
            .client
            .update_secret_version_stage()
            .secret_id(&self.secret)
            .version_stage(CURRENT)
            .move_to_version_id(&written)
            .remove_from_version_id(&before.version_id)
            .send()
            .await;
        let after = self.current().await?;
        if after.version_id != written || !after.peppers.is_with_another(&before.peppers) {
            return Err(match moved {
                Ok(_) => "the secret does not read back as it was written: look at `peppers list` \
                          before anything else"
                    .into(),
                Err(error) => format!(
                    "no pepper was added: the secret has another value meanwhile, or {}",
                    causes(&error)
                )
                .into(),
            });
        }
        Ok(Added {
            version,
            upgrade_from: after.since + PROPAGATION_TIME,
            older_hashes_until: last_older_hash(after.since),
        })
    }

    /// Brings every hash under the newest pepper, without the secrets, `rate` items of the table a
    /// second. It may be stopped and run again at any moment: a hash is replaced in one write, by
    /// the one that is made of it.
    ///
    /// # Errors
    /// It is too early, a hash names a version that there is not, or what keeps the table from
    /// being read or written.
    pub async fn upgrade(&self, rate: u32, wait: bool) -> Result<Upgraded, StartError> {
        let current = self.current().await?;
        let propagated_at = current.since + PROPAGATION_TIME;
        while self.now() < propagated_at {
            if !wait {
                return Err(format!(
                    "every function must be able to read the new pepper first: run it again from \
                     {propagated_at} on, or say --wait"
                )
                .into());
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let to = current.peppers.current();
        let mut done = Upgraded {
            to,
            brought_up_to_date: BTreeMap::new(),
            up_to_date: 0,
            changed_meanwhile: 0,
            run_again_at: None,
        };
        let mut walk = Walk::new(rate);
        while let Some(page) = walk.next(&self.store).await? {
            for stored in page {
                let version = stored.hash.pepper_version();
                if version == to {
                    done.up_to_date += 1;
                    continue;
                }
                if done.brought_up_to_date.is_empty() {
                    let changes = BTreeMap::from([("version".to_owned(), Value::from(to))]);
                    self.store
                        .note(
                            Action::PepperUpgrade,
                            &to.to_string(),
                            &changes,
                            &operator(),
                        )
                        .await?;
                }
                let newest = stored.hash.brought_up_to_date(&current.peppers)?;
                if self.store.replace_hash(&stored, &newest).await? {
                    *done.brought_up_to_date.entry(version).or_default() += 1;
                } else {
                    done.changed_meanwhile += 1;
                }
            }
        }
        let last = last_older_hash(current.since);
        done.run_again_at = (to > 1 && self.now() < last).then_some(last);
        Ok(done)
    }

    async fn current(&self) -> Result<Current, StartError> {
        let answer = self
            .client
            .get_secret_value()
            .secret_id(&self.secret)
            .version_stage(CURRENT)
            .send()
            .await;
        let answer = answer
            .map_err(|error| format!("the pepper secret cannot be read: {}", causes(&error)))?;
        let since = answer
            .created_date()
            .and_then(|at| at.to_millis().ok())
            .map(Timestamp::from_millis);
        let (Some(version_id), Some(since)) = (answer.version_id(), since) else {
            return Err(
                "Secrets Manager does not say which version of the pepper secret this is".into(),
            );
        };
        let peppers = Peppers::parse(answer.secret_string().unwrap_or_default())?;
        Ok(Current {
            version_id: version_id.to_owned(),
            peppers,
            since,
        })
    }

    /// Writes a value that is not the current one yet; its version's id.
    async fn write(&self, value: &str) -> Result<String, StartError> {
        let token = self.ambient.entropy.guid().to_string();
        let put = self
            .client
            .put_secret_value()
            .secret_id(&self.secret)
            .client_request_token(&token)
            .secret_string(value);
        let put = put.version_stages(PENDING).send().await;
        put.map_err(|error| format!("the pepper secret cannot be written: {}", causes(&error)))?;
        Ok(token)
    }

    fn now(&self) -> Timestamp {
        (self.ambient.clock)()
    }
}

/// Goes over the whole table, page by page, no faster than it may.
struct Walk {
    rate: u32,
    after: Option<store::PageEnd>,
    begun: bool,
}

impl Walk {
    const fn new(rate: u32) -> Self {
        Self {
            rate,
            after: None,
            begun: false,
        }
    }

    async fn next(&mut self, store: &Store) -> Result<Option<Vec<store::StoredHash>>, StartError> {
        if self.begun && self.after.is_none() {
            return Ok(None);
        }
        let items = self.rate.clamp(1, PAGE);
        if self.begun {
            // What the pages themselves take comes on top: it only makes the walk slower.
            tokio::time::sleep(Duration::from_secs(1) * items / self.rate.max(1)).await;
        }
        let page = store
            .hash_page(self.after.take(), i32::try_from(items)?)
            .await?;
        self.begun = true;
        self.after = page.end;
        Ok(Some(page.hashes))
    }
}

/// Until when an instance may make hashes under the version before one that was added then.
fn last_older_hash(added_at: Timestamp) -> Timestamp {
    added_at + PROPAGATION_TIME + CACHE_TTL + 2 * Rules::STANDARD.clock_bound
}

/// 64 random characters, of 256 random bits.
fn drawn(bytes: &[u8; 32]) -> Zeroizing<String> {
    let mut pepper = Zeroizing::new(String::with_capacity(64));
    for byte in bytes {
        for digit in [byte >> 4, byte & 0xf] {
            pepper.extend(char::from_digit(u32::from(digit), 16));
        }
    }
    pepper
}

fn operator() -> Origin {
    Origin::of(Actor::Operator)
}

impl fmt::Debug for PepperRoll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PepperRoll({:?})", self.store)
    }
}
