//! The instance's memory around [`decide`]: trusted keys, verified tokens, personal keys, the feed.

use std::{fmt, sync::Arc, time::Duration};

use credentials::pepper::PepperSource;
use domain::{
    feed::{Feed, Validity},
    ids::ClientId,
    secret::PlainSecret,
    time::{Clock, Timestamp},
};
use jwt::{VerificationError, Verified};
use serde_json::Value;
use store::Store;
use web::proxy::{SourceIpTrust, TrustedProxy};

use crate::{
    bearer::Bearer,
    decide::{Presented, decide},
    decision::{Decision, LookUpResult, Unauthorized, Unavailable},
    failures::Failures,
    feed_reader::FeedReader,
    keys::Keys,
    log,
    look_ups::LookUps,
    memory::Digest,
    personal_keys::{Known, PersonalKeys},
    request::{Moment, Request},
    settings::Settings,
    verified_tokens::VerifiedTokens,
};

/// How long a read at start-up may take: the first one opens the connection.
pub(crate) const WARM_UP_TIMEOUT: Duration = Duration::from_secs(2);

/// Decides about requests. One for each set of settings, shared by all requests of the instance.
pub struct Guard {
    pub(crate) settings: Settings,
    clock: Clock,
    keys: Keys,
    tokens: VerifiedTokens,
    personal_keys: PersonalKeys,
    feed: FeedReader,
    look_ups: LookUps,
    proxy: Option<TrustedProxy>,
}

/// What a credential turned out to be.
pub(crate) enum Identified {
    Token(Arc<Verified>),
    Key(Arc<Known>),
}

impl Identified {
    pub(crate) fn presented(&self) -> Presented<'_> {
        match self {
            Self::Token(verified) => Presented::Token(verified),
            Self::Key(known) => Presented::Key(known.key()),
        }
    }
}

impl Guard {
    /// A guard that knows nothing yet: its first decision reads what it needs. Without peppers it
    /// takes tokens alone.
    #[must_use]
    pub fn new(
        settings: Settings,
        store: Store,
        peppers: Option<PepperSource>,
        clock: Clock,
    ) -> Self {
        let keys = Keys::new(
            store.clone(),
            Arc::clone(&clock),
            settings.expected.kinds().collect(),
        );
        let failures = Arc::<Failures>::default();
        let personal_keys = PersonalKeys::new(
            &settings,
            store.clone(),
            peppers,
            Arc::clone(&clock),
            Arc::clone(&failures),
        );
        let feed = FeedReader::new(store.clone(), Arc::clone(&clock));
        let look_ups = LookUps::new(store, Arc::clone(&clock), failures);
        Self {
            settings,
            clock,
            keys,
            tokens: VerifiedTokens::default(),
            personal_keys,
            feed,
            look_ups,
            proxy: None,
        }
    }

    /// The same guard behind a trusted proxy, if there is one: events that it is asked about come
    /// from where that proves.
    #[must_use]
    pub fn with_trusted_proxy(self, proxy: Option<TrustedProxy>) -> Self {
        Self { proxy, ..self }
    }

    /// Reads keys, feed and peppers ahead of the first call. What cannot be read is asked for again
    /// by each call.
    pub async fn warm(&self) {
        let personal_keys = Box::pin(self.personal_keys.warm(WARM_UP_TIMEOUT));
        let proxy = async {
            if let Some(proxy) = &self.proxy {
                proxy.warm().await;
            }
        };
        tokio::join!(
            self.keys.warm(WARM_UP_TIMEOUT),
            self.feed.warm(WARM_UP_TIMEOUT),
            personal_keys,
            proxy
        );
    }

    /// What it decides by.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Resolves the address that an event's request comes from, before anything of it is read.
    pub async fn resolve_source_ip(&self, event: &mut Value) -> SourceIpTrust {
        match &self.proxy {
            Some(proxy) => proxy.resolve_source_ip(event).await,
            None => SourceIpTrust::Direct,
        }
    }

    /// Decides about a request, and logs a refusal.
    pub async fn authorize(&self, request: Request) -> Decision {
        let (decision, client_id) = self.evaluate(&request).await;
        log::log_decision(&decision, client_id, &request, &self.settings.routes);
        decision
    }

    async fn evaluate(&self, request: &Request) -> (Decision, Option<ClientId>) {
        let bearer = match &request.credential {
            Ok(bearer) => bearer,
            Err(why) => return (Decision::Unauthorized(Unauthorized::NoBearer(*why)), None),
        };
        let secret = bearer.secret(&self.settings.brand);
        // Whose a secret says to be is worth a line in the log; a token says nothing until its
        // signature holds.
        let named = secret.as_ref().map(PlainSecret::client_id);
        let (identified, feed) = match self.identify(bearer, secret.as_ref(), request.time).await {
            Ok(found) => found,
            Err(unavailable) => return (Decision::Unavailable(unavailable), named),
        };
        let presented = identified
            .as_ref()
            .map(Identified::presented)
            .map_err(|why| *why);
        let looked_up = match presented {
            Ok(presented) => self.look_up(presented, &feed, request.time).await,
            Err(_) => LookUpResult::NotRead,
        };
        let now = (self.clock)();
        let decision = decide(&self.settings, presented, request, &feed, looked_up, now);
        if let (Decision::Allow(_), Ok(Identified::Key(known)), false) =
            (&decision, &identified, request.is_admitted)
        {
            self.personal_keys.note_use(known, now).await;
        }
        (decision, presented.ok().map(Presented::client_id).or(named))
    }

    /// What the credential is, or why it is nothing, and the feed to evaluate it by.
    pub(crate) async fn identify(
        &self,
        bearer: &Bearer,
        secret: Option<&PlainSecret>,
        time: Option<Timestamp>,
    ) -> Result<(Result<Identified, Unauthorized>, Arc<Feed>), Unavailable> {
        if let Some(secret) = secret {
            let digest = Digest::of(bearer.expose());
            let (known, feed) = self
                .personal_keys
                .find(secret, digest, &self.feed, time)
                .await?;
            return Ok((known.map(Identified::Key).map_err(Unauthorized::Key), feed));
        }
        let verified = self.verify(bearer, self.moment(time).latest()).await?;
        // What is refused anyway waits for no read.
        let feed = if verified.is_ok() {
            self.feed.current(time).await
        } else {
            self.feed.known()
        };
        Ok((
            verified.map(Identified::Token).map_err(Unauthorized::Token),
            feed,
        ))
    }

    /// Looks the credential up in the tables, if the feed says so.
    pub(crate) async fn look_up(
        &self,
        presented: Presented<'_>,
        feed: &Feed,
        time: Option<Timestamp>,
    ) -> LookUpResult {
        if presented.validity(feed, self.moment(time)) != Validity::LookUp {
            return LookUpResult::NotRead;
        }
        match presented {
            Presented::Token(verified) => {
                let looked_up = Box::pin(self.look_ups.token(verified.claims(), time));
                looked_up.await
            }
            // `Known::is_good` accepts a reading of it only while the feed before it is not stale.
            Presented::Key(_) => LookUpResult::Valid,
        }
    }

    pub(crate) fn moment(&self, request: Option<Timestamp>) -> Moment {
        Moment {
            now: (self.clock)(),
            request,
        }
    }

    /// The claims of a token, or why it has none to believe.
    pub(crate) async fn verify(
        &self,
        token: &Bearer,
        now: Timestamp,
    ) -> Result<Result<Arc<Verified>, VerificationError>, Unavailable> {
        let unavailable = |_| Unavailable::Keys;
        let keys = self.keys.current(now).await.map_err(unavailable)?;
        let mut verified = self.tokens.verify(token, &keys, now);
        if let Err(VerificationError::UnknownKey) = verified {
            // It may have been published since they were read.
            let newest = self.keys.refresh_for_unknown_kid().await;
            let keys = newest.map_err(unavailable)?;
            verified = self.tokens.verify(token, &keys, now);
        }
        Ok(verified)
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
