//! A reader's state: what it knows of the feed, since when, and what follows for a credential.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    fmt, iter,
};

use super::{Cohort, Credential, Effect, Entry, Exchange, Fact, Invalidation, Rules, Subject};
use crate::{ids::Guid, time::Timestamp};

/// What one reader knows. It starts cold ([`Feed::default`]), and is stale until its first read.
///
/// It depends on the set of absorbed entries alone, not on their order or number. Ordered maps,
/// since they make the whole a value that the model can hash, and a lookup among some thousands of
/// entries is far below the cost of one signature.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Feed {
    rules: Rules,
    keys: BTreeMap<String, Record>,
    secrets: BTreeMap<String, Record>,
    tokens: BTreeMap<String, Record>,
    users: BTreeMap<String, Record>,
    owners: BTreeMap<String, Record>,
    organizations: BTreeMap<String, BTreeMap<Cohort, Record>>,
    newest: Option<Timestamp>,
    counts_from: Option<Timestamp>,
}

/// How far a feed can be relied on at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Freshness {
    /// Decide.
    Fresh,
    /// Read again; decide even if that fails.
    Ageing,
    /// Read again; if that fails, refuse with 503 (CBM-4: fail closed).
    Stale,
}

/// The reader's clock is not proven within [`Rules::clock_bound`] of the table's: the read counts
/// as failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockOutOfBound;

impl fmt::Display for ClockOutOfBound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the clock is not within its bound of the table's, so this read of the revocation feed \
             does not count",
        )
    }
}

impl std::error::Error for ClockOutOfBound {}

impl Default for Feed {
    fn default() -> Self {
        Self::new(Rules::STANDARD)
    }
}

impl Feed {
    /// A cold feed under other rules than the standard ones.
    #[must_use]
    pub const fn new(rules: Rules) -> Self {
        Self {
            rules,
            keys: BTreeMap::new(),
            secrets: BTreeMap::new(),
            tokens: BTreeMap::new(),
            users: BTreeMap::new(),
            owners: BTreeMap::new(),
            organizations: BTreeMap::new(),
            newest: None,
            counts_from: None,
        }
    }

    /// The time from which to read, inclusive: the overlap before the newest entry it has, or the
    /// edge of the window.
    ///
    /// An entry stamped in the future would push it past entries to come, so `now` limits it;
    /// starting earlier costs little.
    #[must_use]
    pub fn query_start(&self, now: Timestamp) -> Timestamp {
        match self.newest {
            Some(newest) => newest.min(now).earlier_by(self.rules.overlap),
            None => now.earlier_by(self.rules.window()),
        }
    }

    /// Takes in the answer of one whole, strongly consistent read from [`Feed::query_start`]. A
    /// read that failed on any page is no read: read newest first, its part would hide the hole
    /// behind it.
    ///
    /// # Errors
    /// When the clock is out of bound. Nothing is taken in: a cold read by such a clock may have
    /// begun too late, and what it holds would make the next read begin later still.
    pub fn absorb(
        &mut self,
        entries: impl IntoIterator<Item = Entry>,
        read: &Exchange,
    ) -> Result<(), ClockOutOfBound> {
        if !self.rules.clock_within_bound(read) {
            return Err(ClockOutOfBound);
        }
        let newest_before = self.newest;
        for entry in entries {
            self.newest = self.newest.max(Some(entry.time));
            self.record(entry.subject)
                .add(entry.time, entry.id, entry.effect);
        }
        if self.newest != newest_before {
            self.prune(read.sent);
        }
        // Not the latest of all reads: if the clock was set back, an earlier read would outshine
        // every later one.
        self.counts_from = Some(self.rules.counts_from(read));
        Ok(())
    }

    /// How far to rely on it, `now` by the wall clock and, where the event tells, at the request's
    /// own time: a frozen instance may wake with its clock behind.
    #[must_use]
    pub fn freshness(&self, now: Timestamp, request: Option<Timestamp>) -> Freshness {
        let Some(counts_from) = self.counts_from else {
            return Freshness::Stale;
        };
        let now = request.map_or(now, |request| now.max(request));
        if now + self.rules.negative_age < counts_from || now > counts_from + self.rules.usable {
            Freshness::Stale
        } else if now > counts_from + self.rules.fresh {
            Freshness::Ageing
        } else {
            Freshness::Fresh
        }
    }

    /// What it has against the credential, to be asked only of a feed that is not stale, right
    /// after that was found.
    ///
    /// A suspension by KYB says nothing about a personal key. Everything else about the same cohort
    /// does.
    #[must_use]
    pub fn verdict(&self, credential: &Credential<'_>, now: Timestamp) -> Option<Invalidation> {
        let found = self.records(credential);
        let suspends = |found: &Found<'_>| {
            let by_kyb = found.cohort == Some(&Cohort::OF_KYB);
            found.record.is_suspended() && (!by_kyb || credential.is_gated_by_kyb())
        };
        let revoked = found
            .clone()
            .find(|found| found.record.revoked)
            .map(|found| Invalidation::Revoked(found.fact));
        let suspended = || {
            found
                .clone()
                .find(suspends)
                .map(|found| Invalidation::Suspended(found.fact))
        };
        let expired = || {
            found
                .clone()
                .find(|found| found.record.is_expired(now))
                .map(|found| Invalidation::Expired(found.fact))
        };
        revoked.or_else(suspended).or_else(expired)
    }

    /// What it knows about the credential's facts: while this stays the same, nothing that touches
    /// them has been seen. Whoever remembers a bearer key keeps the footprint of the feed that
    /// preceded its read of the key (docs/requirements.md, The hot path).
    #[must_use]
    pub fn footprint(&self, credential: &Credential<'_>) -> Footprint {
        Footprint(
            self.records(credential)
                .map(|found| found.record.clone())
                .collect(),
        )
    }

    /// What is known about the facts that the credential names.
    fn records<'a>(
        &'a self,
        credential: &'a Credential<'a>,
    ) -> impl Iterator<Item = Found<'a>> + Clone {
        let keys = iter::once(credential.client_id)
            .chain(credential.parents.iter().map(|parent| &*parent.client_id));
        let secrets = iter::once(credential.secret)
            .chain(credential.parents.iter().map(|parent| &*parent.sid));
        let tokens = credential
            .token
            .into_iter()
            .chain(credential.parents.iter().map(|parent| &*parent.jti));
        let cohorts = self
            .organizations
            .get(credential.organization)
            .into_iter()
            .flatten();
        let owners: Vec<Guid> = credential
            .owner
            .into_iter()
            .chain(credential.user)
            .collect();
        let one = |fact, record| {
            Some(Found {
                fact,
                cohort: None,
                record,
            })
        };
        keys.filter_map(move |id| one(Fact::Key, self.keys.get(id)?))
            .chain(secrets.filter_map(move |id| one(Fact::Secret, self.secrets.get(id)?)))
            .chain(tokens.filter_map(move |id| one(Fact::Token, self.tokens.get(id)?)))
            .chain(
                credential
                    .user
                    .and_then(|id| one(Fact::User, self.users.get(&id.to_string())?)),
            )
            .chain(
                credential
                    .owner
                    .and_then(|id| one(Fact::Owner, self.owners.get(&id.to_string())?)),
            )
            .chain(
                cohorts
                    .filter(move |(cohort, _)| {
                        cohort.contains(credential.kind, credential.key_created, &owners)
                    })
                    .map(|(cohort, record)| Found {
                        fact: Fact::Organization,
                        cohort: Some(cohort),
                        record,
                    }),
            )
    }

    fn record(&mut self, subject: Subject) -> &mut Record {
        match subject {
            Subject::Key(id) => self.keys.entry(id).or_default(),
            Subject::Secret(id) => self.secrets.entry(id).or_default(),
            Subject::Token(id) => self.tokens.entry(id).or_default(),
            Subject::User(id) => self.users.entry(id).or_default(),
            Subject::Owner(id) => self.owners.entry(id).or_default(),
            Subject::Organization { guid, cohort } => self
                .organizations
                .entry(guid)
                .or_default()
                .entry(cohort)
                .or_default(),
        }
    }

    /// Drops what has ceased to matter. The clock is proven by now, and what it may be ahead is
    /// part of the window's margin.
    fn prune(&mut self, now: Timestamp) {
        let cutoff = now.earlier_by(self.rules.window());
        let matters = |record: &Record| record.latest >= Some(cutoff);
        for records in [
            &mut self.keys,
            &mut self.secrets,
            &mut self.tokens,
            &mut self.users,
            &mut self.owners,
        ] {
            records.retain(|_, record| matters(record));
        }
        self.organizations.retain(|_, cohorts| {
            cohorts.retain(|_, record| matters(record));
            !cohorts.is_empty()
        });
    }
}

/// What is known about one fact of a credential.
#[derive(Clone, Copy)]
struct Found<'a> {
    fact: Fact,
    /// Of an organization's keys: which.
    cohort: Option<&'a Cohort>,
    record: &'a Record,
}

/// What a feed knows about a credential's facts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Footprint(Vec<Record>);

/// What the entries of one subject amount to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Record {
    revoked: bool,
    /// The last suspend or resume: its version, and whether it was a suspend (which wins between
    /// equals).
    last: Option<(u64, bool)>,
    /// The last end that was set: its version, and when it is (of two the earlier wins between
    /// equals).
    end: Option<(u64, Reverse<Timestamp>)>,
    /// The entries that ask for another look.
    refreshes: BTreeSet<String>,
    /// The latest entry's time, for pruning.
    latest: Option<Timestamp>,
}

impl Record {
    fn add(&mut self, time: Timestamp, id: String, effect: Effect) {
        self.latest = self.latest.max(Some(time));
        match effect {
            Effect::Revoke => self.revoked = true,
            Effect::Suspend { version } => self.last = self.last.max(Some((version, true))),
            Effect::Resume { version } => self.last = self.last.max(Some((version, false))),
            Effect::Expire { at, version } => self.end = self.end.max(Some((version, Reverse(at)))),
            Effect::Refresh => _ = self.refreshes.insert(id),
        }
    }

    fn is_expired(&self, now: Timestamp) -> bool {
        self.end.is_some_and(|(_, Reverse(end))| end <= now)
    }

    fn is_suspended(&self) -> bool {
        self.last.is_some_and(|(_, suspended)| suspended)
    }
}
