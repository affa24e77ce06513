//! A reader's state: what it knows of the feed, since when, and what follows for a credential.

use std::{collections::BTreeMap, fmt, iter};

use super::{
    Cohort, Credential, Entry, Fact, Hints, Invalidation, LeftOut, Page, Query, Rules, SegmentPage,
    SegmentQuery, Subject,
    folded::Folded,
    hints::Hint,
    reading::{Reading, proves_floor},
    record::Record,
};
use crate::{
    ids::{ClientId, Guid, SecretId},
    time::Timestamp,
};

/// What one reader knows. It starts cold ([`Feed::default`]), and is stale until its first read.
///
/// What it says depends on the set of absorbed entries alone, not on their order or number; which
/// of them it has folded into hints, and so has looked up, depends on both. Ordered maps, since
/// they make the whole a value that the model can hash, and a search among some thousands of
/// entries is far below the cost of one signature.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Feed {
    rules: Rules,
    keys: BTreeMap<ClientId, Record>,
    secrets: BTreeMap<SecretId, Record>,
    tokens: BTreeMap<Guid, Record>,
    users: BTreeMap<Guid, Record>,
    owners: BTreeMap<Guid, Record>,
    organizations: BTreeMap<Guid, BTreeMap<Cohort, Record>>,
    /// What older entries were about.
    folded: Folded,
    reading: Reading,
    /// Where the last segment ends that was taken in.
    segments_until: Option<Timestamp>,
    /// When there were no more segments to take in.
    segments_read_at: Option<Timestamp>,
    /// With more records than these the older ones are folded: twice what was left the last time.
    fold_above: usize,
    /// When records that have ceased to matter are looked for again.
    prune_at: Option<Timestamp>,
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

/// What the feed says of a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Validity {
    /// No entry refuses it.
    Valid,
    /// An entry refuses it.
    Invalid(Invalidation),
    /// It is looked up, so the tables decide: changes of its key or organization may have no entry,
    /// or there is a hint of it.
    LookUp,
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
            folded: Folded::NONE,
            reading: Reading::COLD,
            segments_until: None,
            segments_read_at: None,
            fold_above: rules.most_records,
            prune_at: None,
        }
    }

    /// The page to read next, `now` by the reader's clock: it begins a pass, or goes on with one.
    #[must_use]
    pub fn query(&self, now: Timestamp) -> Query {
        self.reading.query(&self.rules, now)
    }

    /// Takes in a page that was read for the newest query. A page that was lost changes nothing,
    /// and the next query asks for it again.
    ///
    /// # Errors
    /// When the clock is out of bound. Nothing is taken in: a cold read by such a clock may have
    /// begun too late.
    pub fn absorb(&mut self, query: &Query, page: Page) -> Result<(), ClockOutOfBound> {
        self.reading.advance(&self.rules, query, &page)?;
        self.note(page.entries);
        let now = page.exchange.sent;
        if self.prune_at.is_none_or(|at| at <= now) {
            self.prune(now);
            self.prune_at = Some(now + self.rules.prune_interval);
        }
        if self.records_that_fold() > self.fold_above {
            self.fold();
        }
        Ok(())
    }

    /// The segments to read before the next page of entries, `now` by the reader's clock; nothing
    /// while it lacks little, or has just read them.
    #[must_use]
    pub fn segment_query(&self, now: Timestamp) -> Option<SegmentQuery> {
        let rules = &self.rules;
        let floor = now.earlier_by(rules.reach());
        let complete_until = self.complete_above(floor);
        let has_just_read = self
            .segments_read_at
            .is_some_and(|at| at <= now && now < at + rules.segments_pause);
        let lacks_little = now <= complete_until + rules.segments_after;
        // The next one begins where the last one ended. Otherwise one that began earlier may reach
        // beyond what is complete.
        let from = if self.segments_until == Some(complete_until) {
            complete_until
        } else {
            complete_until.earlier_by(rules.longest_segment)
        };
        (!has_just_read && !lacks_little).then_some(SegmentQuery { from, floor })
    }

    /// Takes in a page of segments that was read for the newest query.
    ///
    /// # Errors
    /// When the clock is out of bound. Nothing is taken in.
    pub fn absorb_segments(
        &mut self,
        query: &SegmentQuery,
        page: SegmentPage,
    ) -> Result<(), ClockOutOfBound> {
        proves_floor(&self.rules, query.floor, &page.exchange)?;
        let (mut has_more, mut is_new) = (page.has_more, false);
        for segment in page.segments {
            let complete_until = self.complete_above(query.floor);
            let leaves_hole = segment.from > complete_until;
            if leaves_hole && self.rules.left_out != Some(LeftOut::NoHole) {
                has_more = false;
                break;
            }
            if segment.until <= complete_until {
                continue;
            }
            self.folded.add(&self.rules, segment.hints, segment.until);
            self.note(segment.whole);
            self.reading.complete(segment.until);
            self.segments_until = Some(segment.until);
            is_new = true;
        }
        // After a page that brought nothing new, the same one would be asked for again.
        if !has_more || !is_new {
            self.segments_read_at = Some(page.exchange.sent);
        }
        Ok(())
    }

    /// Up to when it is complete, or `floor` if nothing before that matters.
    fn complete_above(&self, floor: Timestamp) -> Timestamp {
        let complete_until = self.reading.complete_until();
        complete_until.map_or(floor, |until| until.max(floor))
    }

    fn note(&mut self, entries: Vec<Entry>) {
        for entry in entries {
            self.record(entry.subject)
                .add(entry.time, entry.id, entry.effect);
        }
    }

    /// Up to when it has every entry that was promised or will be, but for those too old to matter:
    /// nothing while it is cold.
    #[must_use]
    pub const fn complete_until(&self) -> Option<Timestamp> {
        self.reading.complete_until()
    }

    /// How far to rely on it, `now` by the wall clock and, where the event tells, at the request's
    /// own time: a frozen instance may wake with its clock behind.
    #[must_use]
    pub fn freshness(&self, now: Timestamp, request: Option<Timestamp>) -> Freshness {
        self.reading.freshness(&self.rules, now, request)
    }

    /// From when it counts; nothing before the first pass.
    #[must_use]
    pub const fn counts_from(&self) -> Option<Timestamp> {
        self.reading.counts_from()
    }

    /// Whether the credential works, to be asked only of a feed that is not stale, right after that
    /// was found.
    ///
    /// A revocation in the feed always refuses. Otherwise the tables decide on a credential that is
    /// looked up: the feed may hold a suspend or an end, and the change that undid it may have no
    /// entry. `earliest` and `latest` are the earlier and the later of the reader's clock and the
    /// request's own time.
    #[must_use]
    pub fn validity(
        &self,
        credential: &Credential<'_>,
        earliest: Timestamp,
        latest: Timestamp,
    ) -> Validity {
        let is_looked_up = || {
            self.records(credential)
                .any(|found| found.record.is_looked_up(&self.rules, earliest))
                || self.folded.has_hint_of(&self.rules, credential, earliest)
        };
        match self.verdict(credential, latest) {
            Some(revoked @ Invalidation::Revoked(_)) => Validity::Invalid(revoked),
            Some(found) if self.rules.left_out == Some(LeftOut::TablesAlone) => {
                Validity::Invalid(found)
            }
            _ if is_looked_up() => Validity::LookUp,
            found => found.map_or(Validity::Valid, Validity::Invalid),
        }
    }

    /// What the entries have against the credential, covers aside.
    ///
    /// A suspension by KYB says nothing about a personal key. Everything else about the same cohort
    /// does.
    #[must_use]
    pub(super) fn verdict(
        &self,
        credential: &Credential<'_>,
        now: Timestamp,
    ) -> Option<Invalidation> {
        let found = self.records(credential);
        let suspends = |found: &Found<'_>| {
            let by_kyb = found.cohort == Some(&Cohort::OF_KYB);
            found.record.is_suspended() && (!by_kyb || credential.is_gated_by_kyb())
        };
        let revoked = found
            .clone()
            .find(|found| found.record.is_revoked())
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
            .chain(credential.parents.iter().map(|parent| parent.client_id));
        let secrets =
            iter::once(credential.secret).chain(credential.parents.iter().map(|parent| parent.sid));
        let tokens = credential
            .token
            .into_iter()
            .chain(credential.parents.iter().map(|parent| parent.jti));
        let cohorts = self
            .organizations
            .get(&credential.organization)
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
        keys.filter_map(move |id| one(Fact::Key, self.keys.get(&id)?))
            .chain(secrets.filter_map(move |id| one(Fact::Secret, self.secrets.get(&id)?)))
            .chain(tokens.filter_map(move |id| one(Fact::Token, self.tokens.get(&id)?)))
            .chain(
                credential
                    .user
                    .and_then(|id| one(Fact::User, self.users.get(&id)?)),
            )
            .chain(
                credential
                    .minters
                    .iter()
                    .filter_map(move |id| one(Fact::Minter, self.users.get(id)?)),
            )
            .chain(
                credential
                    .owner
                    .and_then(|id| one(Fact::Owner, self.owners.get(&id)?)),
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
        let rules = self.rules;
        let matters = |record: &mut Record| record.forget(&rules, now);
        self.keys.retain(|_, record| matters(record));
        self.secrets.retain(|_, record| matters(record));
        for records in [&mut self.tokens, &mut self.users, &mut self.owners] {
            records.retain(|_, record| matters(record));
        }
        self.organizations.retain(|_, cohorts| {
            cohorts.retain(|_, record| matters(record));
            !cohorts.is_empty()
        });
        self.folded.forget(&rules, now);
    }

    /// How many records a fold may make hints of.
    fn records_that_fold(&self) -> usize {
        self.keys.len() + self.secrets.len() + self.tokens.len() + self.users.len()
    }

    /// How many hints it has.
    #[cfg(test)]
    pub(super) fn folded(&self) -> usize {
        self.folded.len()
    }

    /// Makes hints of what is older than what is complete: no later page brings it again.
    fn fold(&mut self) {
        let Some(until) = self.reading.complete_until() else {
            return;
        };
        let mut folded = Vec::new();
        fold_older(&mut self.keys, until, |id| Subject::Key(*id), &mut folded);
        fold_older(
            &mut self.secrets,
            until,
            |id| Subject::Secret(*id),
            &mut folded,
        );
        fold_older(
            &mut self.tokens,
            until,
            |id| Subject::Token(*id),
            &mut folded,
        );
        fold_older(&mut self.users, until, |id| Subject::User(*id), &mut folded);
        let hints: Hints = folded.into_iter().collect();
        self.folded.add(&self.rules, hints, until);
        self.fold_above = self.rules.most_records.max(2 * self.records_that_fold());
    }
}

/// Moves what is known of identifiers from before `until` into hints. Covers stay.
fn fold_older<K: Ord>(
    records: &mut BTreeMap<K, Record>,
    until: Timestamp,
    subject: impl Fn(&K) -> Subject,
    folded: &mut Vec<Hint>,
) {
    records.retain(|id, record| {
        if record.fold_older(until) {
            folded.extend(Hint::of(&subject(id)));
        }
        *record != Record::default()
    });
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
