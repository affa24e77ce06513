//! `EventBridge`'s schedules: functions that are called every so often, by the stack's clock.
//!
//! Differs from AWS: the first call comes a whole interval after the start, nothing is tried again,
//! and intervals that passed at once, because somebody moved the clock, are one call.

use std::{sync::Arc, time::Duration};

use domain::time::{Clock, Timestamp};
use emulator::gateway::Invoke;
use sam::template::{Description, Schedule};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

/// How often the clock is looked at.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// Every schedule of a template, running. Dropping it stops them.
#[derive(Debug)]
pub struct Schedules(Vec<JoinHandle<()>>);

impl Schedules {
    /// Starts them.
    #[must_use]
    pub fn start(description: &Description, functions: &Arc<dyn Invoke>, clock: &Clock) -> Self {
        let mut running = Vec::new();
        for (name, function) in &description.functions {
            for schedule in &function.schedules {
                let rule = format!(
                    "arn:{}:events:{}:{}:rule/{}-{name}{}",
                    description.partition,
                    description.region,
                    description.account_id,
                    description.stack_name,
                    schedule.name
                );
                running.push(tokio::spawn(run(
                    name.clone(),
                    rule,
                    schedule.clone(),
                    functions.clone(),
                    clock.clone(),
                    POLL_INTERVAL,
                )));
            }
        }
        Self(running)
    }
}

impl Drop for Schedules {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

async fn run(
    function: String,
    rule: String,
    schedule: Schedule,
    functions: Arc<dyn Invoke>,
    clock: Clock,
    look: Duration,
) {
    let mut next = clock() + schedule.every;
    loop {
        tokio::time::sleep(look).await;
        let now = clock();
        if now < next {
            continue;
        }
        next = now + schedule.every;
        if let Err(error) = functions.invoke(&function, event(&rule, now)).await {
            tracing::error!(
                function,
                error_type = error.error_type,
                "a scheduled call failed"
            );
        }
    }
}

/// What `EventBridge` sends.
fn event(rule: &str, now: Timestamp) -> Value {
    let [account, region] = [4, 3].map(|part| rule.split(':').nth(part).unwrap_or_default());
    json!({
        "version": "0",
        "id": format!("{:08x}-0000-4000-8000-000000000000", now.seconds() & 0xffff_ffff),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": account,
        "time": now.to_string(),
        "region": region,
        "resources": [rule],
        "detail": {},
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

    use emulator::gateway::Invocation;

    use super::*;

    #[derive(Default)]
    struct Counting(Arc<AtomicUsize>);

    impl Invoke for Counting {
        fn invoke(&self, function: &str, event: Value) -> Invocation {
            assert_eq!(
                (function, &event["detail-type"]),
                ("Canary", &json!("Scheduled Event"))
            );
            self.0.fetch_add(1, Ordering::SeqCst);
            Box::pin(std::future::ready(Ok(Value::Null)))
        }
    }

    /// Deviation: schedules.
    #[tokio::test]
    async fn a_function_is_called_once_for_each_interval_of_the_clock() {
        let (now, looks) = (Arc::new(AtomicI64::new(0)), Arc::new(AtomicUsize::new(0)));
        let clock: Clock = Arc::new({
            let (now, looks) = (now.clone(), looks.clone());
            move || {
                looks.fetch_add(1, Ordering::SeqCst);
                Timestamp::from_seconds(now.load(Ordering::SeqCst))
            }
        });
        let (calls, look) = (Counting::default(), Duration::from_millis(5));
        let count = calls.0.clone();
        let schedule = Schedule {
            name: "Rounds".into(),
            every: Duration::from_mins(5),
        };
        let running = tokio::spawn(run(
            "Canary".into(),
            "arn:aws:events:r:1:rule/x".into(),
            schedule,
            Arc::new(calls),
            clock,
            look,
        ));
        // A look calls before it sleeps: with the second one from here on, whatever the first one
        // called for was called.
        let looked = async || {
            let before = looks.load(Ordering::SeqCst);
            while looks.load(Ordering::SeqCst) < before + 2 {
                tokio::time::sleep(look).await;
            }
        };
        for (moment, expected) in [
            (0, 0),
            (299, 0),
            (300, 1),
            (301, 1),
            (599, 1),
            (600, 2),
            (6_000, 3),
        ] {
            now.store(moment, Ordering::SeqCst);
            looked().await;
            assert_eq!(count.load(Ordering::SeqCst), expected, "at {moment}");
        }
        running.abort();
    }
}
