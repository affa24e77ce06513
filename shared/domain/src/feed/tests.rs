//! What the model takes for granted: one feed, one entry, one exchange.

mod properties;
mod reading;
mod stored_form;
mod verdicts;
mod writing;

use super::{Cohort, Credential, Effect, Entry, Exchange, Feed, Rules, Subject};
use crate::{ids::Guid, key_mode::KeyMode, time::Timestamp};

const RULES: Rules = Rules::STANDARD;
/// A whole second, so that a `Date` can say it.
const MIDNIGHT: Timestamp = Timestamp::from_seconds(1_795_392_000);

const USER: Guid = Guid::from_bytes([7; 16]);
const OWNER: Guid = Guid::from_bytes([8; 16]);

const CREDENTIAL: Credential<'_> = Credential {
    client_id: "key",
    secret: "secret",
    token: Some("token"),
    user: Some(USER),
    owner: Some(OWNER),
    organization: "organization",
    kind: KeyMode::Live,
    key_created: MIDNIGHT,
    parents: &[],
};

fn entry(time: Timestamp, effect: Effect, subject: Subject) -> Entry {
    Entry {
        time,
        id: "entry".into(),
        effect,
        subject,
    }
}

fn key(id: &str) -> Subject {
    Subject::Key(id.into())
}

fn organization(cohort: Cohort) -> Subject {
    Subject::Organization {
        guid: "organization".into(),
        cohort,
    }
}

/// By a right clock, answered at once.
fn exchange(at: Timestamp) -> Exchange {
    Exchange {
        sent: at,
        answered: at,
        date: Timestamp::from_seconds(at.seconds()),
    }
}

fn feed_of(entries: impl IntoIterator<Item = Entry>) -> Feed {
    let mut feed = Feed::default();
    feed.absorb(entries, &exchange(MIDNIGHT)).unwrap();
    feed
}

fn shifted(at: Timestamp, millis: i64) -> Timestamp {
    Timestamp::from_millis(at.millis() + millis)
}
