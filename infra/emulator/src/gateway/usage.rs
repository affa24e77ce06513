//! Usage plans as API Gateway enforces them: after the authorizer, whose answer names an API key;
//! by a token bucket and a quota for each key, so that all callers with one key share both.
//!
//! Differs from AWS: there both are a best effort over many machines, here they are exact.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use sam::template::{Quota, QuotaPeriod, ResponseType, Throttle, UsagePlan};
use time::OffsetDateTime;

use super::gateway_response::GatewayError;

/// Every API key's plan and how much of it is used.
pub(super) struct Usage {
    keys: Mutex<HashMap<String, Meter>>,
}

struct Meter {
    id: String,
    throttle: Option<(Throttle, Bucket)>,
    quota: Option<(Quota, Count)>,
}

/// Starts full.
struct Bucket {
    calls: f64,
    at: i64,
}

struct Count {
    period: i64,
    calls: u64,
}

impl Usage {
    pub(super) fn new(plans: &[UsagePlan]) -> Self {
        let meter = |plan: &UsagePlan| Meter {
            // API Gateway's ids of keys have ten characters; this one tells whoever reads a log
            // which plan it was.
            id: plan.name.clone(),
            throttle: plan.throttle.map(|throttle| {
                (
                    throttle,
                    Bucket {
                        calls: whole(throttle.burst),
                        at: i64::MIN,
                    },
                )
            }),
            quota: plan.quota.map(|quota| {
                (
                    quota,
                    Count {
                        period: i64::MIN,
                        calls: 0,
                    },
                )
            }),
        };
        let keys = plans
            .iter()
            .flat_map(|plan| plan.keys.iter().map(move |key| (key.clone(), meter(plan))))
            .collect();
        Self {
            keys: Mutex::new(keys),
        }
    }

    /// The id of an API key that a plan has.
    pub(super) fn id(&self, key: &str) -> Option<String> {
        self.lock().get(key).map(|meter| meter.id.clone())
    }

    /// Counts a call, or refuses it: unknown key, too fast, or too many.
    pub(super) fn count(&self, key: Option<&str>, now: i64) -> Result<(), GatewayError> {
        let mut keys = self.lock();
        let Some(meter) = key.and_then(|key| keys.get_mut(key)) else {
            return Err(GatewayError::new(ResponseType::InvalidApiKey, "Forbidden")
                .because("no usage plan has such a key"));
        };
        if let Some((throttle, bucket)) = &mut meter.throttle
            && !bucket.take(*throttle, now)
        {
            return Err(
                GatewayError::new(ResponseType::Throttled, "Too Many Requests")
                    .because("over the usage plan's rate"),
            );
        }
        if let Some((quota, count)) = &mut meter.quota
            && !count.take(*quota, now)
        {
            return Err(
                GatewayError::new(ResponseType::QuotaExceeded, "Limit Exceeded")
                    .because("over the usage plan's quota"),
            );
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Meter>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bucket {
    fn take(&mut self, throttle: Throttle, now: i64) -> bool {
        // A clock that was set back refills nothing.
        let elapsed = now.saturating_sub(self.at).max(0);
        let seconds = std::time::Duration::from_millis(elapsed.unsigned_abs()).as_secs_f64();
        self.calls = (self.calls + seconds * throttle.rate).min(whole(throttle.burst));
        self.at = now;
        let passes = self.calls >= 1.0;
        if passes {
            self.calls -= 1.0;
        }
        passes
    }
}

impl Count {
    fn take(&mut self, quota: Quota, now: i64) -> bool {
        let period = number(quota.period, now);
        if period != self.period {
            *self = Self { period, calls: 0 };
        }
        let passes = self.calls < quota.limit;
        if passes {
            self.calls += 1;
        }
        passes
    }
}

/// A number that is another one in each period.
fn number(period: QuotaPeriod, now: i64) -> i64 {
    const DAY: i64 = 86_400_000;
    // 1 January 1970 was a Thursday.
    const FIRST_SUNDAY: i64 = 3;
    let days = now.div_euclid(DAY);
    match period {
        QuotaPeriod::Day => days,
        QuotaPeriod::Week => (days - FIRST_SUNDAY).div_euclid(7),
        QuotaPeriod::Month => OffsetDateTime::from_unix_timestamp(now.div_euclid(1000))
            .map_or(days, |moment| {
                i64::from(moment.year()) * 12 + i64::from(u8::from(moment.month()))
            }),
    }
}

/// Bursts are small.
fn whole(calls: u64) -> f64 {
    u32::try_from(calls).unwrap_or(u32::MAX).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sunday, 1 March 2026.
    const SUNDAY: i64 = 1_772_323_200_000;
    const HOUR: i64 = 3_600_000;

    fn usage(throttle: Option<Throttle>, quota: Option<Quota>) -> Usage {
        Usage::new(&[UsagePlan {
            name: "Plan".into(),
            keys: vec!["a".into(), "b".into()],
            throttle,
            quota,
        }])
    }

    fn kind(outcome: Result<(), GatewayError>) -> Option<ResponseType> {
        outcome.err().map(|gateway_error| gateway_error.kind)
    }

    #[test]
    fn apt_9_a_burst_passes_and_then_the_rate() {
        let usage = usage(
            Some(Throttle {
                rate: 2.0,
                burst: 3,
            }),
            None,
        );
        for _ in 0..3 {
            assert_eq!(kind(usage.count(Some("a"), 0)), None);
        }
        assert_eq!(
            kind(usage.count(Some("a"), 0)),
            Some(ResponseType::Throttled)
        );
        assert_eq!(
            kind(usage.count(Some("b"), 0)),
            None,
            "each key has a bucket of its own"
        );
        assert_eq!(
            kind(usage.count(Some("a"), 499)),
            Some(ResponseType::Throttled)
        );
        assert_eq!(kind(usage.count(Some("a"), 500)), None);
        assert_eq!(
            kind(usage.count(Some("a"), 0)),
            Some(ResponseType::Throttled),
            "a clock set back"
        );
        let passed = (0..9)
            .filter(|_| usage.count(Some("a"), 60_000).is_ok())
            .count();
        assert_eq!(passed, 3, "never more than the burst");
    }

    #[test]
    fn apt_9_a_quota_is_renewed_with_the_period() {
        for (period, last, next) in [
            (QuotaPeriod::Day, SUNDAY + 23 * HOUR, SUNDAY + 24 * HOUR),
            (
                QuotaPeriod::Week,
                SUNDAY + (7 * 24 - 1) * HOUR,
                SUNDAY + 7 * 24 * HOUR,
            ),
            (
                QuotaPeriod::Month,
                SUNDAY + (31 * 24 - 1) * HOUR,
                SUNDAY + 31 * 24 * HOUR,
            ),
        ] {
            let usage = usage(None, Some(Quota { limit: 2, period }));
            for now in [SUNDAY, last] {
                assert_eq!(kind(usage.count(Some("a"), now)), None, "{period:?}");
            }
            assert_eq!(
                kind(usage.count(Some("a"), last)),
                Some(ResponseType::QuotaExceeded),
                "{period:?}"
            );
            assert_eq!(kind(usage.count(Some("a"), next)), None, "{period:?}");
        }
    }

    #[test]
    fn who_is_in_no_plan_is_refused() {
        let usage = usage(None, None);
        for key in [None, Some("c"), Some("")] {
            assert_eq!(kind(usage.count(key, 0)), Some(ResponseType::InvalidApiKey));
        }
        assert_eq!(
            (usage.id("a").as_deref(), usage.id("c")),
            (Some("Plan"), None)
        );
    }
}
