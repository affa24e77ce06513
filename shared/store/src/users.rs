//! Users: people of organizations, and of the platform's own staff.

use aws_sdk_dynamodb::types::{AttributeValue, ConditionCheck, Put, Update};
use domain::{
    audit::{Action, Origin},
    error::Error,
    feed::Effect,
    ids::Guid,
    key::MinterEnd,
    role::Role,
    user::User,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    IdempotencyRecord, Store,
    audit::differences,
    change::{Change, Versioned},
    error::StoreError,
    item_keys::{self, Class, ItemKey},
    limits::Limit,
    record,
    transaction::Transaction,
};

/// What an organization's list knows of a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserRow {
    /// The user.
    pub guid: Guid,
    /// What it may do.
    pub role: Role,
    /// Whether it was disabled.
    pub disabled: bool,
}

impl UserRow {
    fn of(user: &User) -> Self {
        Self {
            guid: user.guid,
            role: user.role,
            disabled: user.is_disabled(),
        }
    }
}

/// That an address is taken in an organization, and by whom; `free` once that user was disabled.
#[derive(Serialize)]
struct EmailRecord {
    user: Guid,
    free: bool,
}

/// How many owners an organization ever made.
#[derive(Deserialize)]
struct OwnerCount {
    #[serde(default)]
    made: u64,
}

impl Versioned for User {
    fn version(&self) -> u64 {
        self.version
    }

    fn organization(&self) -> Guid {
        self.organization
    }

    fn name(&self) -> String {
        self.guid.to_string()
    }
}

impl Store {
    /// Stores a new user.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when the address is taken in that organization,
    /// [`StoreError::Replayed`], [`StoreError::LimitReached`], and what any change can meet.
    pub async fn create_user(
        &self,
        user: &User,
        idempotency: Option<&IdempotencyRecord>,
        origin: &Origin,
    ) -> Result<(), StoreError> {
        let core = &self.tables.core;
        self.commit(|now| {
            let row_at =
                item_keys::list_row(user.organization, Class::User, user.created_at, user.guid);
            let created = Transaction::default()
                .idempotency(self, now, idempotency)?
                .create(core, record::write(item_keys::user(user.guid), user)?)?
                .create(core, record::write(row_at, &UserRow::of(user))?)?
                .count_one(core, user.organization, Limit::Users)?;
            let created = take_email(created, core, user)?;
            let created = if is_owner(user) {
                count_owner(created, core, user.organization, 1)?
            } else {
                created
            };
            created.audit(
                self,
                now,
                user.organization,
                Action::UserCreate,
                &user.guid,
                origin,
                differences(&(), user),
            )
        })
        .await
    }

    /// A user as it is now.
    ///
    /// # Errors
    /// What any read can meet.
    pub async fn user(&self, guid: Guid) -> Result<Option<User>, StoreError> {
        self.read(item_keys::user(guid)).await
    }

    /// These users as they are now, in the same order.
    ///
    /// # Errors
    /// What any read can meet.
    pub async fn users(
        &self,
        guids: impl IntoIterator<Item = Guid>,
    ) -> Result<Vec<User>, StoreError> {
        self.read_all(guids.into_iter().map(item_keys::user).collect())
            .await
    }

    /// Every user of an organization, disabled ones too, in order of creation.
    ///
    /// # Errors
    /// What any read can meet.
    pub async fn user_rows(&self, organization: Guid) -> Result<Vec<UserRow>, StoreError> {
        self.rows(organization, Class::User).await
    }

    /// How many owners an organization ever made, or raised to it: while this is what it was,
    /// nobody has become an owner.
    ///
    /// # Errors
    /// What any read can meet.
    pub async fn owners_made(&self, organization: Guid) -> Result<u64, StoreError> {
        let ItemKey { pk, sk } = item_keys::owner_count(organization);
        let read = self
            .client
            .query()
            .table_name(&self.tables.core)
            .consistent_read(true)
            .key_condition_expression("PK = :list AND SK = :count")
            .expression_attribute_values(":list", AttributeValue::S(pk))
            .expression_attribute_values(":count", AttributeValue::S(sk));
        let found = read.send().await.map_err(StoreError::unavailable)?;
        let count = found.items.unwrap_or_default().pop();
        let made: Option<OwnerCount> = count.map(record::read).transpose()?;
        Ok(made.map_or(0, |count| count.made))
    }

    /// Changes a user to what `decide` makes of it, unless somebody changed it in between: then it
    /// is decided again. Answers once every reader of the feed will learn that its keys are to be
    /// read again, or that they have stopped. Its address stays.
    ///
    /// # Errors
    /// What `decide` refuses; the 404 of a user that is not there; a 409 for an organization's last
    /// owner.
    pub async fn change_user(
        &self,
        guid: Guid,
        action: Action,
        origin: &Origin,
        decide: impl Fn(User) -> Result<User, Error>,
    ) -> Result<User, Error> {
        let core = &self.tables.core;
        self.update(&item_keys::user(guid), action, origin, |user: User| {
            let next = decide(user.clone())?;
            if differences(&user, &next).is_empty() {
                return Ok(None);
            }
            let disabled = next.is_disabled() && !user.is_disabled();
            let effect = if disabled {
                Effect::Revoke
            } else {
                Effect::Refresh
            };
            let authority = (user.role, &user.allowed_scopes) != (next.role, &next.allowed_scopes);
            let feed_changes = if disabled || authority {
                vec![(user.subject(), effect)]
            } else {
                Vec::new()
            };
            let mut also = Transaction::default();
            if UserRow::of(&user) != UserRow::of(&next) {
                also = change_row(also, core, &next)?;
            }
            if disabled {
                also = free_email(also, core, &user)?;
            }
            let owners = i32::from(is_owner(&next)) - i32::from(is_owner(&user));
            if owners != 0 {
                also = count_owner(also, core, user.organization, owners)?;
            }
            // What the user was shown of other people's secrets ends with it (LEAK-9).
            let end = if disabled {
                Some(MinterEnd::MinterDisabled)
            } else if next.narrowed != user.narrowed {
                Some(MinterEnd::MinterNarrowed)
            } else {
                None
            };
            let notes = end.map(|end| ("secrets_shown_end".to_owned(), json!(end)));
            Ok(Some(Change {
                feed_changes,
                also,
                notes: notes.into_iter().collect(),
                ..Change::quiet(next)
            }))
        })
        .await
    }
}

/// Requires that a user is as it was read, and makes another version of it. What hands somebody
/// else a secret by which they act as this user has this beside it, and whoever raises a user names
/// the version that they had before they looked for such secrets: so of the two, whichever is
/// committed second is decided again.
pub(crate) fn require_unchanged_and_bump(
    transaction: Transaction,
    core: &str,
    user: &User,
) -> Result<Transaction, StoreError> {
    let next = Update::builder()
        .update_expression("SET version = :next")
        .condition_expression("version = :version")
        .expression_attribute_values(":next", AttributeValue::N((user.version + 1).to_string()))
        .expression_attribute_values(":version", AttributeValue::N(user.version.to_string()));
    transaction.update(
        core,
        item_keys::user(user.guid),
        next,
        StoreError::CallerChanged,
    )
}

fn is_owner(user: &User) -> bool {
    user.role == Role::Owner && !user.is_disabled()
}

fn take_email(
    transaction: Transaction,
    core: &str,
    user: &User,
) -> Result<Transaction, StoreError> {
    let item = record::write(
        item_keys::email(user.organization, &user.email),
        &EmailRecord {
            user: user.guid,
            free: false,
        },
    )?;
    let put = Put::builder()
        .condition_expression("attribute_not_exists(PK) OR #free = :true")
        .expression_attribute_names("#free", "free")
        .expression_attribute_values(":true", AttributeValue::Bool(true));
    transaction.put(put, core, item, StoreError::Exists)
}

/// Marked, not deleted: so that no role needs to delete anything.
fn free_email(
    transaction: Transaction,
    core: &str,
    user: &User,
) -> Result<Transaction, StoreError> {
    let free = Update::builder()
        .update_expression("SET #free = :true")
        .condition_expression("#user = :user")
        .expression_attribute_names("#free", "free")
        .expression_attribute_names("#user", "user")
        .expression_attribute_values(":true", AttributeValue::Bool(true))
        .expression_attribute_values(":user", AttributeValue::S(user.guid.to_string()));
    let foreign = StoreError::Corrupt(format!(
        "the address of user {} is not marked as theirs",
        user.guid
    ));
    transaction.update(
        core,
        item_keys::email(user.organization, &user.email),
        free,
        foreign,
    )
}

fn change_row(
    transaction: Transaction,
    core: &str,
    next: &User,
) -> Result<Transaction, StoreError> {
    let row = Update::builder()
        .update_expression("SET #role = :role, disabled = :disabled")
        .condition_expression("attribute_exists(PK)")
        .expression_attribute_names("#role", "role")
        .expression_attribute_values(":role", AttributeValue::S(next.role.to_string()))
        .expression_attribute_values(":disabled", AttributeValue::Bool(next.is_disabled()));
    let missing = StoreError::Corrupt(format!(
        "user {} has no row in the list of its organization",
        next.guid
    ));
    transaction.update(
        core,
        item_keys::list_row(next.organization, Class::User, next.created_at, next.guid),
        row,
        missing,
    )
}

/// Requires that a user is as it was read.
pub(crate) fn require_unchanged(
    transaction: Transaction,
    core: &str,
    user: &User,
) -> Result<Transaction, StoreError> {
    let unchanged = ConditionCheck::builder()
        .condition_expression("version = :version")
        .expression_attribute_values(":version", AttributeValue::N(user.version.to_string()));
    transaction.check(
        core,
        item_keys::user(user.guid),
        unchanged,
        StoreError::Changed,
    )
}

/// Holds only while no owner was made since they were `made`.
pub(crate) fn require_owners_made(
    transaction: Transaction,
    core: &str,
    organization: Guid,
    made: u64,
) -> Result<Transaction, StoreError> {
    let unchanged = ConditionCheck::builder();
    let unchanged = if made == 0 {
        unchanged.condition_expression("attribute_not_exists(made)")
    } else {
        unchanged
            .condition_expression("made = :made")
            .expression_attribute_values(":made", AttributeValue::N(made.to_string()))
    };
    transaction.check(
        core,
        item_keys::owner_count(organization),
        unchanged,
        StoreError::Changed,
    )
}

/// Counts an owner more or less; never the last one less, however two of them go at once. How many
/// were ever made, or raised to it, is counted beside.
fn count_owner(
    transaction: Transaction,
    core: &str,
    organization: Guid,
    by: i32,
) -> Result<Transaction, StoreError> {
    let count =
        Update::builder().expression_attribute_values(":by", AttributeValue::N(by.to_string()));
    let count = if by < 0 {
        count
            .update_expression("ADD n :by")
            .condition_expression("n > :one")
            .expression_attribute_values(":one", AttributeValue::N("1".into()))
    } else {
        count.update_expression("ADD n :by, made :by")
    };
    transaction.update(
        core,
        item_keys::owner_count(organization),
        count,
        StoreError::LastOwner,
    )
}
