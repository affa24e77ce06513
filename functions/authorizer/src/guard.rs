//! The instance's memory around [`decide`]: trusted keys, verified tokens, the feed.

use std::{fmt, sync::Arc, time::Duration};

use domain::{ids::ClientId, time::Clock};
use jwt::{Refusal, Verified};
use store::Store;

use crate::{
    decide::{Decision, Unauthorized, Unavailable, decide},
    feed_reader::FeedReader,
    keys::Keys,
    log,
    request::Request,
    settings::Settings,
    verified_tokens::VerifiedTokens,
};

/// How long a read at start-up may take: the first one opens the connection.
const WARM_PATIENCE: Duration = Duration::from_secs(2);

/// Decides about requests. One for each set of settings, shared by all requests of the instance.
pub struct Guard {
    settings: Settings,
    clock: Clock,
    keys: Keys,
    tokens: VerifiedTokens,
    feed: FeedReader,
}

impl Guard {
    /// A guard that knows nothing yet: its first decision reads what it needs.
    #[must_use]
    pub fn new(settings: Settings, store: Store, clock: Clock) -> Self {
        let keys = Keys::new(store.clone(), Arc::clone(&clock), settings.expected.kinds().collect());
        let feed = FeedReader::new(store, Arc::clone(&clock));
        Self { settings, clock, keys, tokens: VerifiedTokens::default(), feed }
    }

    /// Reads keys and feed ahead of the first call. What cannot be read is asked for again by each call.
    pub async fn warm(&self) {
        tokio::join!(self.keys.warm(WARM_PATIENCE), self.feed.warm(WARM_PATIENCE));
    }

    /// What it decides by.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Decides about a request, and logs a refusal.
    pub async fn authorize(&self, request: Request) -> Decision {
        let (decision, client_id) = self.judge(&request).await;
        log::refusal(&decision, client_id, &request, &self.settings.routes);
        decision
    }

    async fn judge(&self, request: &Request) -> (Decision, Option<ClientId>) {
        let presented = match self.presented(request).await {
            Ok(presented) => presented,
            Err(unavailable) => return (Decision::Unavailable(unavailable), None),
        };
        // What is refused anyway waits for no read.
        let feed = if presented.is_ok() { self.feed.current(request.time).await } else { self.feed.known() };
        let decision = decide(&self.settings, presented.as_deref().map_err(|why| *why), request, &feed, (self.clock)());
        (decision, presented.ok().map(|verified| verified.claims().client_id))
    }

    /// The claims that the request presents, or why it presents none.
    async fn presented(&self, request: &Request) -> Result<Result<Arc<Verified>, Unauthorized>, Unavailable> {
        let token = match &request.credential {
            Ok(token) => token,
            Err(why) => return Ok(Err(Unauthorized::NoBearer(*why))),
        };
        let now = request.moment((self.clock)());
        let keys = self.keys.current(now).await.ok_or(Unavailable::Keys)?;
        let mut verified = self.tokens.verify(token, &keys, now);
        if let Err(Refusal::UnknownKey) = verified {
            // It may have been published since they were read.
            let keys = self.keys.look_again(now).await.ok_or(Unavailable::Keys)?;
            verified = self.tokens.verify(token, &keys, now);
        }
        Ok(verified.map_err(Unauthorized::Token))
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("settings", &self.settings).finish_non_exhaustive()
    }
}
