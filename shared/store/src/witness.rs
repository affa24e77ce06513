//! Sees each exchange with `DynamoDB` as both clocks saw it. Feed entries are ordered by their
//! writers' time and reads of the feed are aged by their readers', so both hold their clock against
//! the `Date` of the answers (`domain::feed`).

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use aws_sdk_dynamodb::config::{
    ConfigBag, Intercept, RuntimeComponents,
    interceptors::{
        BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
    },
};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_types::{
    config_bag::{Storable, StoreReplace},
    date_time::{DateTime, Format},
};
use domain::{
    feed::Exchange,
    time::{Clock, Timestamp},
};

use crate::error::StoreError;

/// Remembers the newest exchange that passed it; clones share what they remember.
#[derive(Clone)]
pub(crate) struct Witness {
    clock: Clock,
    newest: Arc<Mutex<Option<Exchange>>>,
}

/// When this attempt was sent; kept with the request, since several are under way at once.
#[derive(Debug)]
struct Sent(Timestamp);

impl Storable for Sent {
    type Storer = StoreReplace<Self>;
}

impl Witness {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            clock,
            newest: Arc::default(),
        }
    }

    /// The exchange of a request that was answered.
    pub(crate) fn exchange_of_answer(&self) -> Result<Exchange, StoreError> {
        let exchange = self.exchange();
        exchange.ok_or_else(|| StoreError::Unavailable("an answer of DynamoDB has no Date".into()))
    }

    /// The newest exchange; nothing before the first, or when the answer told no time.
    pub(crate) fn exchange(&self) -> Option<Exchange> {
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Witness({:?})", self.exchange())
    }
}

impl Intercept for Witness {
    fn name(&self) -> &'static str {
        "Witness"
    }

    fn read_before_transmit(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        config.interceptor_state().store_put(Sent((self.clock)()));
        Ok(())
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context
            .response()
            .headers()
            .get("date")
            .and_then(|date| DateTime::from_str(date, Format::HttpDate).ok());
        let exchange = date.zip(config.load::<Sent>()).and_then(|(date, sent)| {
            let date = Timestamp::from_millis(date.to_millis().ok()?);
            Some(Exchange {
                sent: sent.0,
                answered: (self.clock)(),
                date,
            })
        });
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = exchange;
        Ok(())
    }
}
