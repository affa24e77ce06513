//! Personal keys as bearer credentials (CBM-1): who presents a secret is looked up once a minute,
//! and remembered between only while the revocation feed is silent about it
//! (docs/requirements.md, The hot path).
//!
//! A change of a key, its user or its organization is either seen by the reading or has an entry
//! that the feed before the reading did not have. So a reading is good for as long as the feed
//! knows of the key what it knew before. One end has no entry, that of a previous secret at the
//! first use of the newer one: while it waits for that, a reading by it is good for a second. A key
//! that is looked up may change without an entry: a reading of it is good until the feed that
//! preceded it is stale.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use credentials::{matching, pepper::PepperSource};
use domain::{
    feed::{Feed, Footprint, Freshness, Rules, Validity},
    gate::Gates,
    ids::SecretId,
    key::Key,
    scope::Catalogue,
    secret::PlainSecret,
    time::{Clock, Timestamp},
};
use store::Store;

use crate::{
    decision::{KeyError, Unavailable},
    failures::Failures,
    feed_reader::FeedReader,
    flights::Flights,
    look_ups::LOOK_UP_TIMEOUT,
    memory::{Digest, Memory},
    personal_key::{PersonalKey, credential, minters},
    request::Moment,
    settings::Settings,
};

/// From this age on a reading is not used, whatever the feed says.
const TTL: Duration = Duration::from_mins(1);
/// The same by a secret that a first use may end, of which the feed says nothing: well within
/// the five seconds after which it must be refused.
const TTL_WHILE_WAITING: Duration = Duration::from_secs(1);
/// How long a reading may take: the key with its secrets, the peppers if they are not known yet,
/// the gates.
const READ_TIMEOUT: Duration = Duration::from_secs(2);
/// How often a call reads a key that changes while it is read.
const MAX_READS: u32 = 3;
/// How long a call waits until its first use of a new secret is noted.
const NOTE_TIMEOUT: Duration = Duration::from_secs(1);

/// A personal key, and for how long what was read of it is good.
#[derive(Debug)]
pub(crate) struct Known {
    key: PersonalKey,
    /// When the reading was sent.
    read_at: Timestamp,
    /// Of the feed that preceded the reading.
    footprint: Footprint,
    /// From when that feed counts. The reading was sent after it, even if the clock was set back.
    counts_from: Option<Timestamp>,
    /// Whether it was tried to note the first use. Once for each reading.
    noted: AtomicBool,
}

impl Known {
    pub(crate) fn new(key: PersonalKey, read_at: Timestamp, feed_before: &Feed) -> Self {
        let footprint = key.footprint(feed_before);
        Self {
            key,
            read_at,
            footprint,
            counts_from: feed_before.counts_from(),
            noted: AtomicBool::new(false),
        }
    }

    pub(crate) const fn key(&self) -> &PersonalKey {
        &self.key
    }

    /// Whether it is young enough, and nothing that touches it was first seen since.
    pub(crate) fn is_good(&self, feed: &Feed, moment: Moment) -> bool {
        let now = moment.latest();
        let ttl = if self.key.awaits_first_use() {
            TTL_WHILE_WAITING
        } else {
            TTL
        };
        let is_looked_up = self.key.validity(feed, moment.earliest(), now) == Validity::LookUp;
        self.read_at <= now
            && now <= self.read_at + ttl
            && self.key.footprint(feed) == self.footprint
            && (!is_looked_up || self.is_recent(moment))
    }

    fn is_recent(&self, moment: Moment) -> bool {
        self.counts_from.is_some_and(|counts_from| {
            let freshness = Rules::STANDARD.freshness(counts_from, moment.now, moment.request);
            freshness != Freshness::Stale
        })
    }
}

/// What a reading gives: the key, or why it is none.
type Reading = Result<Result<Arc<Known>, KeyError>, Unavailable>;

/// What was found, and the feed to decide by: the newest, to which the finding was compared.
pub(crate) type Found = (Result<Arc<Known>, KeyError>, Arc<Feed>);

/// The personal keys of this instance.
pub(crate) struct PersonalKeys {
    store: Store,
    peppers: Option<PepperSource>,
    clock: Clock,
    catalogue: Catalogue,
    known: Memory<Known>,
    readings: Flights<Reading>,
    failures: Arc<Failures>,
}

impl PersonalKeys {
    pub(crate) fn new(
        settings: &Settings,
        store: Store,
        peppers: Option<PepperSource>,
        clock: Clock,
        failures: Arc<Failures>,
    ) -> Self {
        Self {
            store,
            peppers,
            clock,
            failures,
            catalogue: settings.catalogue.clone(),
            known: Memory::default(),
            readings: Flights::default(),
        }
    }

    /// Reads the peppers ahead of the first key.
    pub(crate) async fn warm(&self, timeout: Duration) {
        if let Some(peppers) = &self.peppers {
            // What goes wrong is in the log, and asked for again by the first key.
            _ = tokio::time::timeout(timeout, peppers.peppers()).await;
        }
    }

    /// The key of a presented secret: as it is remembered, or else as it is.
    pub(crate) async fn find(
        &self,
        presented: &PlainSecret,
        digest: Digest,
        feeds: &FeedReader,
        request: Option<Timestamp>,
    ) -> Result<Found, Unavailable> {
        let Some(peppers) = &self.peppers else {
            return Ok((Err(KeyError::Off), feeds.known()));
        };
        for _ in 0..MAX_READS {
            let feed = self.usable(feeds, request).await?;
            if let Some(known) = self
                .known
                .get(&digest, |known| known.is_good(&feed, self.moment(request)))
            {
                return Ok((Ok(known), feed));
            }
            // In a box, since it is large and rare: what most calls wait for is the feed alone.
            let reading = Box::pin(
                self.readings
                    .join(digest, self.read(peppers, presented, digest, &feed)),
            )
            .await?;
            let Ok(known) = reading else {
                return Ok((reading, feed));
            };
            let feed = self.usable(feeds, request).await?;
            if known.is_good(&feed, self.moment(request)) {
                return Ok((Ok(known), feed));
            }
        }
        tracing::warn!(
            client_id = %presented.client_id(),
            "a personal key changed as often as it was read"
        );
        Err(Unavailable::PersonalKey)
    }

    /// the first call that a new secret makes starts the grace of the previous one. A call
    /// that was refused used nothing.
    pub(crate) async fn note_use(&self, known: &Known, now: Timestamp) {
        let (client_id, secret) = (known.key.key().client_id, known.key.secret());
        let waits = known.key.term(now).is_some_and(|term| term.starts_grace);
        if !waits || known.noted.swap(true, Ordering::Relaxed) {
            return;
        }
        // On its own, so that it goes on when the call waits for it no longer.
        let store = self.store.clone();
        let noted = tokio::spawn(async move { store.note_first_use(client_id, secret).await });
        let cause = match tokio::time::timeout(NOTE_TIMEOUT, noted).await {
            Ok(Ok(Ok(()))) => return,
            Ok(Ok(Err(error))) => error.to_string(),
            Ok(Err(error)) => error.to_string(),
            Err(late) => late.to_string(),
        };
        tracing::warn!(
            %client_id,
            cause,
            "the first use of a new secret was not noted yet; the next reading tries again"
        );
    }

    async fn usable(
        &self,
        feeds: &FeedReader,
        request: Option<Timestamp>,
    ) -> Result<Arc<Feed>, Unavailable> {
        let feed = feeds.current(request).await;
        let freshness = feed.freshness((self.clock)(), request);
        if freshness == Freshness::Stale {
            Err(Unavailable::Feed)
        } else {
            Ok(feed)
        }
    }

    fn moment(&self, request: Option<Timestamp>) -> Moment {
        Moment {
            now: (self.clock)(),
            request,
        }
    }

    async fn read(
        &self,
        peppers: &PepperSource,
        presented: &PlainSecret,
        digest: Digest,
        feed_before: &Feed,
    ) -> Reading {
        let read_at = (self.clock)();
        let reading = self.read_key(peppers, presented, feed_before);
        let key = match tokio::time::timeout(READ_TIMEOUT, reading)
            .await
            .unwrap_or_else(|late| Err(unread(&late)))?
        {
            Ok(key) => key,
            Err(error) => return Ok(Err(error)),
        };
        let works = key.credential_error((self.clock)()).is_none();
        let known = Arc::new(Known::new(key, read_at, feed_before));
        // Nothing but what lets somebody in is remembered: what is mended works at once.
        if works {
            self.known.put(digest, &known);
        }
        Ok(Ok(known))
    }

    async fn read_key(
        &self,
        peppers: &PepperSource,
        presented: &PlainSecret,
        feed_before: &Feed,
    ) -> Result<Result<PersonalKey, KeyError>, Unavailable> {
        let read = self
            .store
            .key_with_secrets(presented.client_id())
            .await
            .map_err(|error| unread(&error))?;
        let (key, stored) = read.map_or((None, Vec::new()), |(key, stored)| (Some(key), stored));
        let secret = matching::matching(peppers, presented, &stored)
            .await
            .map_err(|error| unread(&error))?;
        let (Some(key), Some(secret)) = (key, secret) else {
            return Ok(Err(KeyError::WrongSecret));
        };
        if key.kind != presented.kind() {
            return Ok(Err(KeyError::WrongKind));
        }
        if key.owner.user().is_none() {
            return Ok(Err(KeyError::NotPersonal));
        }
        let gates = self.gates(&key, secret, feed_before).await?;
        Ok(PersonalKey::new(key, gates, secret, &self.catalogue).ok_or(KeyError::NotPersonal))
    }
}

impl PersonalKeys {
    /// The gates of a key. If it is looked up, every instance reads its gates every few seconds,
    /// and `DynamoDB` may throttle them: such a read has a short time limit, and after a failure
    /// none is made for a second.
    async fn gates(&self, key: &Key, secret: SecretId, feed: &Feed) -> Result<Gates, Unavailable> {
        let gates = self.store.gates(key);
        let organization = key.organization;
        let now = (self.clock)();
        let minters = minters(key, secret);
        let credential = credential(key, secret, &minters);
        if feed.validity(&credential, now, now) != Validity::LookUp {
            return gates.await.map_err(|error| unread(&error));
        }
        if self.failures.must_wait(organization, now) {
            return Err(Unavailable::LookUp);
        }
        let note = |cause: &dyn fmt::Display| {
            self.failures
                .note_failure(organization, (self.clock)(), cause);
            Unavailable::LookUp
        };
        let gates = tokio::time::timeout(LOOK_UP_TIMEOUT, gates).await;
        let gates = gates
            .map_err(|late| note(&late))?
            .map_err(|error| note(&error))?;
        self.failures.note_success();
        Ok(gates)
    }
}

fn unread(error: &dyn fmt::Display) -> Unavailable {
    tracing::error!(cause = %error, "a personal key was not read");
    Unavailable::PersonalKey
}
