//! The keys that the canary makes and revokes, over `/api/organization_applications`.

use std::time::Duration;

use client::{Error, Session};
use domain::time::Timestamp;
use http::Method;
use serde_json::{Value, json};

use crate::credential::Key;

const PATH: &str = "/api/organization_applications";
/// What its keys' names begin with, and nobody else's may.
const NAME_PREFIX: &str = "canary-";
/// The least that a key can hold; the guarded call needs none.
const SCOPE: &str = "organization_applications:read";
/// A key that nobody managed to revoke ends by itself.
const KEY_LIFETIME: Duration = Duration::from_hours(1);
/// A round that began so long ago is over, however it ended.
const STALE_AFTER_MILLIS: i64 = 10 * 60 * 1000;
/// As many as a page can have; more are not left in the time that a key lives.
const PAGE: u32 = 100;

/// A name for a key that no other round uses.
pub(crate) fn name(round: &str) -> String {
    format!("{NAME_PREFIX}{round}")
}

/// Makes a key of this name. Where there is no answer, nobody knows whether there is a key:
/// [`sweep`] looks.
pub(crate) async fn create(session: &Session, name: &str, now: Timestamp) -> Result<Key, Error> {
    let body =
        json!({"name": name, "scopes": [SCOPE], "expires_at": (now + KEY_LIFETIME).to_string()});
    let made = session.create(PATH, &body, name).await?.json()?;
    match (made["client_id"].as_str(), made["secret"].as_str()) {
        (Some(id), Some(secret)) => Ok(Key {
            client_id: id.to_owned(),
            client_secret: secret.to_owned().into(),
        }),
        _ => Err(Error::Foreign { status: 201 }),
    }
}

/// Revokes a key for good.
pub(crate) async fn revoke(session: &Session, client_id: &str) -> Result<(), Error> {
    let answer = session
        .send(
            Method::DELETE,
            &format!("{PATH}/{client_id}"),
            http::HeaderMap::new(),
            None,
        )
        .await?;
    // Revoked already, by another round or by hand: it is not there any more.
    match answer.status() {
        204 | 404 => Ok(()),
        _ => answer.json().map(drop),
    }
}

/// Revokes what is left of this round by its name, whatever became of the calls, and of rounds that
/// are over. Gives how many.
pub(crate) async fn sweep(
    session: &Session,
    own: Option<&str>,
    now: Timestamp,
) -> Result<u64, Error> {
    let list = session
        .call(Method::GET, &format!("{PATH}?per_page={PAGE}"), None)
        .await?;
    let total = list["total"].as_u64().unwrap_or_default();
    let mut left = leftovers(&list, own, now);
    // The newest are on the last page.
    let newest = total.saturating_sub(1) / u64::from(PAGE);
    if newest > 0 {
        let list = session
            .call(
                Method::GET,
                &format!("{PATH}?per_page={PAGE}&page={newest}"),
                None,
            )
            .await?;
        left.extend(leftovers(&list, own, now));
    }
    let mut count = 0;
    for client_id in left {
        revoke(session, &client_id).await?;
        count += 1;
    }
    Ok(count)
}

fn leftovers(list: &Value, own: Option<&str>, now: Timestamp) -> Vec<String> {
    let left = |key: &Value| {
        let name = key["name"].as_str()?;
        let created = Timestamp::parse(key["created_at"].as_str()?).ok()?;
        let over = name.starts_with(NAME_PREFIX) && now.since(created) > STALE_AFTER_MILLIS;
        (own == Some(name) || over).then(|| key["client_id"].as_str().map(str::to_owned))?
    };
    list["objects"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(left)
        .collect()
}

/// How many keys the organization itself has that are not revoked: its own few, and what rounds
/// left behind.
pub(crate) async fn count(session: &Session) -> Result<Option<u64>, Error> {
    Ok(session
        .call(Method::GET, &format!("{PATH}?per_page=1"), None)
        .await?["total"]
        .as_u64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_the_own_key_and_those_of_rounds_that_are_over() {
        let now = Timestamp::parse("2030-01-01T01:00:00Z").unwrap();
        let key = |id: &str, name: &str, created: &str| {
            json!({
                "client_id": id,
                "name": name,
                "created_at": created,
            })
        };
        let list = json!({"objects": [
            key("own", "canary-1", "2030-01-01T00:59:59Z"),
            key("another round's", "canary-2", "2030-01-01T00:55:00Z"),
            key("over", "canary-3", "2030-01-01T00:30:00Z"),
            key("somebody's", "checkout", "2029-01-01T00:00:00Z"),
        ]});
        assert_eq!(leftovers(&list, Some("canary-1"), now), ["own", "over"]);
        assert_eq!(leftovers(&list, None, now), ["over"]);
        assert_eq!(leftovers(&json!({}), None, now), [""; 0]);
    }
}
