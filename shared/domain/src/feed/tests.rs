//! What the model takes for granted: one feed, one entry, one exchange.

mod properties;
mod reading;
mod segments;
mod stored_form;
mod verdicts;
mod writing;

use super::{Cohort, Credential, Effect, Entry, Exchange, Feed, Page, Rules, Subject};
use crate::{
    ids::{ClientId, Guid, SecretId},
    key_mode::KeyMode,
    time::Timestamp,
};

const RULES: Rules = Rules::STANDARD;
/// A whole second, so that a `Date` can say it.
const MIDNIGHT: Timestamp = Timestamp::from_seconds(1_795_392_000);

const USER: Guid = Guid::from_bytes([7; 16]);
const OWNER: Guid = Guid::from_bytes([8; 16]);

const CREDENTIAL: Credential<'_> = Credential {
    client_id: ClientId::of(named("key")),
    secret: secret("secret"),
    token: Some(named("token")),
    user: Some(USER),
    minters: &[],
    owner: Some(OWNER),
    organization: named("organization"),
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

/// An identifier whose bytes are this name.
const fn named(name: &str) -> Guid {
    Guid::from_bytes(bytes(name))
}

const fn bytes(name: &str) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes
        .split_at_mut(name.len())
        .0
        .copy_from_slice(name.as_bytes());
    bytes
}

const fn secret(name: &str) -> SecretId {
    SecretId::from_bytes(bytes(name))
}

fn key(name: &str) -> Subject {
    Subject::Key(ClientId::of(named(name)))
}

fn organization(cohort: Cohort) -> Subject {
    Subject::Organization {
        guid: named("organization"),
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
    read(&mut feed, entries, exchange(MIDNIGHT));
    feed
}

/// A whole pass in one page.
fn read(feed: &mut Feed, entries: impl IntoIterator<Item = Entry>, exchange: Exchange) {
    let query = feed.query(exchange.sent);
    let page = Page {
        entries: entries.into_iter().collect(),
        more_after: None,
        exchange,
    };
    feed.absorb(&query, page).unwrap();
}

fn shifted(at: Timestamp, millis: i64) -> Timestamp {
    Timestamp::from_millis(at.millis() + millis)
}
