//! Look-ups of tokens: what the tables say of a token that the feed says is to be looked up
//! (`domain::feed::Rules`, Covers and Segments).

use std::{
    collections::HashMap,
    num::NonZeroUsize,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use domain::{
    feed::{Freshness, Invalidation, Rules},
    gate::Gates,
    ids::{ClientId, Guid, SecretId},
    key::NotWorking,
    time::{Clock, Timestamp},
};
use jwt::Claims;
use lru::LruCache;
use store::{ItemState, LookUpItem, Store};

use crate::{
    decision::{KeyError, LookUpResult, Unauthorized},
    failures::Failures,
};

const RULES: Rules = Rules::STANDARD;
/// How long a look-up may take. It is not tried twice.
pub(crate) const LOOK_UP_TIMEOUT: Duration = Duration::from_millis(250);
/// How many items are remembered at once; the least recently used goes first.
const CAPACITY: NonZeroUsize = NonZeroUsize::new(2_000).expect("it is not zero");

/// The look-ups of this instance.
pub(crate) struct LookUps {
    store: Store,
    clock: Clock,
    known: Mutex<LruCache<LookUpItem, LookedUpItem>>,
    /// How many reads were sent.
    reads: AtomicU64,
    failures: Arc<Failures>,
}

/// An item as it was read.
#[derive(Clone)]
struct LookedUpItem {
    state: ItemState,
    counts_from: Timestamp,
    /// The number of the read: clocks may be set back, and two reads may end in the other order.
    read: u64,
    /// How often this instance had changed something when it was sent.
    own_writes: u64,
}

/// What is known of the items of one credential.
type ItemStates = HashMap<LookUpItem, ItemState>;

impl LookUps {
    pub(crate) fn new(store: Store, clock: Clock, failures: Arc<Failures>) -> Self {
        Self {
            store,
            clock,
            known: Mutex::new(LruCache::new(CAPACITY)),
            reads: AtomicU64::new(0),
            failures,
        }
    }

    /// What the tables say of a token, as of a read that counts as a fresh feed does.
    pub(crate) async fn token(&self, claims: &Claims, request: Option<Timestamp>) -> LookUpResult {
        let credentials = credentials(claims);
        let mut items = vec![LookUpItem::Organization(claims.org)];
        for (client_id, _, jti) in &credentials {
            items.extend([LookUpItem::Key(*client_id), LookUpItem::Token(*jti)]);
        }
        items.sort_unstable();
        items.dedup();
        let now = || request.map_or((self.clock)(), |request| request.max((self.clock)()));
        let mut states = self.known(&items, Freshness::Fresh, request);
        // One that is refused already is read no further: its key may have any number of tokens.
        if let Some(reason) = refusal(&states, claims.org, &credentials, now()) {
            return LookUpResult::Invalid(reason);
        }
        let missing: Vec<_> = items
            .iter()
            .filter(|item| !states.contains_key(item))
            .copied()
            .collect();
        if !missing.is_empty() {
            match self.read(&missing, claims.org).await {
                Some(read) => states.extend(read),
                None => states = self.known(&items, Freshness::Ageing, request),
            }
        }
        if let Some(reason) = refusal(&states, claims.org, &credentials, now()) {
            LookUpResult::Invalid(reason)
        } else if items.iter().all(|item| states.contains_key(item)) {
            LookUpResult::Valid
        } else {
            LookUpResult::NotRead
        }
    }

    /// Those of these items that are known at least so freshly.
    fn known(
        &self,
        items: &[LookUpItem],
        at_least: Freshness,
        request: Option<Timestamp>,
    ) -> ItemStates {
        let (now, own_writes) = ((self.clock)(), self.store.feed_writes());
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut is_known = |item: &LookUpItem| {
            let known = all.get(item)?;
            let is_enough = match RULES.freshness(known.counts_from, now, request) {
                Freshness::Stale => false,
                Freshness::Ageing => at_least == Freshness::Ageing,
                // What this instance changed since then counts at once.
                Freshness::Fresh => at_least == Freshness::Ageing || known.own_writes >= own_writes,
            };
            is_enough.then(|| (*item, known.state.clone()))
        };
        items.iter().filter_map(&mut is_known).collect()
    }

    /// What the tables say of these items now.
    async fn read(&self, items: &[LookUpItem], organization: Guid) -> Option<ItemStates> {
        if self.failures.must_wait(organization, (self.clock)()) {
            return None;
        }
        let (read, own_writes) = (
            self.reads.fetch_add(1, Ordering::Relaxed),
            self.store.feed_writes(),
        );
        let answer = self.store.look_up(items, LOOK_UP_TIMEOUT).await;
        let answer = answer
            .map_err(|error| error.to_string())
            .and_then(|answer| {
                let is_proven = RULES.clock_within_bound(&answer.1);
                is_proven
                    .then_some(answer)
                    .ok_or_else(|| "the clock is not within its bound of the table's".into())
            });
        match answer {
            Ok((states, exchange)) => {
                self.failures.note_success();
                let states: ItemStates = items.iter().copied().zip(states).collect();
                let counts_from = RULES.counts_from(&exchange);
                self.keep(&states, |state| LookedUpItem {
                    state,
                    counts_from,
                    read,
                    own_writes,
                });
                Some(states)
            }
            Err(cause) => {
                self.failures
                    .note_failure(organization, (self.clock)(), &cause);
                None
            }
        }
    }

    fn keep(&self, states: &ItemStates, known: impl Fn(ItemState) -> LookedUpItem) {
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        for (item, state) in states {
            let known = known(state.clone());
            if all.peek(item).is_none_or(|other| other.read <= known.read) {
                all.put(*item, known);
            }
        }
    }
}

/// The token's own credential, and those that it was derived from (CYB-8).
fn credentials(claims: &Claims) -> Vec<(ClientId, SecretId, Guid)> {
    let parents = claims.parent.iter();
    let parents = parents.map(|parent| (parent.client_id, parent.sid, parent.jti));
    std::iter::once((claims.client_id, claims.sid, claims.jti))
        .chain(parents)
        .collect()
}

/// Why one of the credentials is refused, as far as that is known.
fn refusal(
    states: &ItemStates,
    organization: Guid,
    credentials: &[(ClientId, SecretId, Guid)],
    now: Timestamp,
) -> Option<Unauthorized> {
    let gate = states.get(&LookUpItem::Organization(organization));
    credentials.iter().find_map(|(client_id, secret, jti)| {
        let token = states.get(&LookUpItem::Token(*jti));
        if token.is_some_and(|token| !matches!(token, ItemState::Absent)) {
            let fact = domain::feed::Fact::Token;
            return Some(Unauthorized::Invalidated(Invalidation::Revoked(fact)));
        }
        let key = states.get(&LookUpItem::Key(*client_id));
        key_refusal(gate?, key?, *secret, now)
    })
}

fn key_refusal(
    gate: &ItemState,
    key: &ItemState,
    secret: SecretId,
    now: Timestamp,
) -> Option<Unauthorized> {
    let (ItemState::Organization(gate), ItemState::Key(key)) = (gate, key) else {
        // A key that was swept, or an organization that is not there.
        return Some(Unauthorized::Key(KeyError::Revoked));
    };
    let gates = Gates {
        organization: (**gate).clone(),
        user: None,
        minters: Vec::new(),
    };
    let error = match key.works(secret, &gates, now).err()? {
        NotWorking::SecretEnded => KeyError::SecretEnded,
        NotWorking::MinterEnded(_) => KeyError::MinterEnded,
        NotWorking::Deactivated | NotWorking::AwaitsKyb | NotWorking::NoPersonalKeys => {
            KeyError::Deactivated
        }
        NotWorking::Expired => KeyError::Expired,
        NotWorking::Revoked => KeyError::Revoked,
    };
    Some(Unauthorized::Key(error))
}
