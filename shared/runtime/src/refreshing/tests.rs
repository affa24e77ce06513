//! When a value is read again, how long it is used, and what callers get meanwhile.

#![expect(
    clippy::disallowed_methods,
    reason = "tokio's own time, which stands while anything runs"
)]

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use domain::error::Kind;
use tokio::{join, task::yield_now, time::Instant};

use super::*;

const LIFETIME: Lifetime = Lifetime {
    fresh: Duration::from_mins(1),
    usable: Some(Duration::from_mins(5)),
    retry_after: Duration::from_secs(10),
    timeout: Duration::from_millis(500),
    reread_after: Duration::from_secs(5),
    min_interval: Duration::ZERO,
};
const START: i64 = 1_000_000;

/// A service that says how often it was read.
struct Scene {
    value: Refreshing<usize>,
    now: Arc<AtomicI64>,
    reads: AtomicUsize,
    failure: Mutex<Option<Error>>,
}

impl Scene {
    fn new(lifetime: Lifetime) -> Self {
        let now = Arc::new(AtomicI64::new(START));
        let clock = Arc::clone(&now);
        let clock: Clock = Arc::new(move || Timestamp::from_millis(clock.load(Ordering::Relaxed)));
        Self {
            value: Refreshing::new("the value", clock, lifetime),
            now,
            reads: AtomicUsize::new(0),
            failure: Mutex::new(None),
        }
    }

    fn read(&self) -> Result<usize, Error> {
        let number = self.reads.fetch_add(1, Ordering::Relaxed) + 1;
        self.failure.lock().unwrap().clone().map_or(Ok(number), Err)
    }

    fn reads(&self) -> usize {
        self.reads.load(Ordering::Relaxed)
    }

    fn fail(&self, with: Option<Error>) {
        *self.failure.lock().unwrap() = with;
    }

    /// Sets the clock to this many milliseconds after the start.
    fn at(&self, millis: i64) {
        self.now.store(START + millis, Ordering::Relaxed);
    }

    async fn current(&self) -> Result<usize, Error> {
        self.value
            .current(|| Box::pin(async { self.read() }))
            .await
            .map(|value| *value)
    }

    async fn reread(&self) -> Result<usize, Error> {
        self.value
            .reread(|| Box::pin(async { self.read() }))
            .await
            .map(|value| *value)
    }
}

fn down() -> Error {
    Error::new(Kind::Internal, "out of order")
}

#[tokio::test]
async fn a_value_is_used_while_it_is_fresh_and_read_again_after_that() {
    let scene = Scene::new(LIFETIME);
    for (millis, expected) in [
        (0, 1),
        (0, 1),
        (59_999, 1),
        (60_000, 2),
        (119_999, 2),
        (120_000, 3),
    ] {
        scene.at(millis);
        assert_eq!(scene.current().await, Ok(expected), "{millis}");
    }
    assert_eq!(scene.reads(), 3);
}

/// However many calls a clock that stands still sees.
#[tokio::test]
async fn a_value_does_not_age_while_the_clock_stands() {
    let scene = Scene::new(LIFETIME);
    for _ in 0..100 {
        assert_eq!(scene.current().await, Ok(1));
    }
    assert_eq!(scene.reads(), 1);
}

#[tokio::test]
async fn an_ageing_value_is_used_if_it_cannot_be_read_again_and_read_every_ten_seconds() {
    let scene = Scene::new(LIFETIME);
    assert_eq!(scene.current().await, Ok(1));
    scene.fail(Some(down()));
    for (millis, reads) in [(60_000, 2), (69_999, 2), (70_000, 3), (299_999, 4)] {
        scene.at(millis);
        assert_eq!(scene.current().await, Ok(1), "{millis}");
        assert_eq!(scene.reads(), reads, "{millis}");
    }
    scene.at(300_000);
    for reads in 5..8 {
        assert_eq!(scene.current().await, Err(down()));
        assert_eq!(scene.reads(), reads, "without a value each call reads");
    }
    scene.fail(None);
    assert_eq!(scene.current().await, Ok(8));
}

#[tokio::test]
async fn a_value_without_an_end_is_used_until_another_one_was_read() {
    let scene = Scene::new(Lifetime {
        usable: None,
        ..LIFETIME
    });
    assert_eq!(scene.current().await, Ok(1));
    scene.fail(Some(down()));
    scene.at(1_000_000_000);
    assert_eq!(scene.current().await, Ok(1));
    assert_eq!(scene.reads(), 2);
    scene.at(1_000_010_000);
    scene.fail(None);
    assert_eq!(scene.current().await, Ok(3));
}

/// Its age is not known. A value that may be used for long without another read is used.
#[tokio::test]
async fn a_value_is_read_again_where_the_clock_was_set_back() {
    for (usable, expected) in [(LIFETIME.usable, Err(down())), (None, Ok(1))] {
        let scene = Scene::new(Lifetime { usable, ..LIFETIME });
        assert_eq!(scene.current().await, Ok(1));
        scene.fail(Some(down()));
        scene.at(-1);
        assert_eq!(scene.current().await, expected);
        assert_eq!(scene.reads(), 2);
        scene.fail(None);
        scene.at(-2);
        assert_eq!(scene.current().await, Ok(3));
    }
}

/// A Lambda may be frozen between a read and its answer. The wall clock goes on meanwhile.
#[tokio::test]
async fn a_value_counts_from_the_sending_of_its_read_however_late_it_arrives() {
    let scene = Scene::new(LIFETIME);
    let late = scene.value.current(|| {
        Box::pin(async {
            scene.at(59_999);
            scene.read()
        })
    });
    assert_eq!(late.await.map(|value| *value), Ok(1));
    assert_eq!(scene.current().await, Ok(1));
    scene.at(60_000);
    assert_eq!(scene.current().await, Ok(2));
    let scene = Scene::new(LIFETIME);
    let late = scene.value.current(|| {
        Box::pin(async {
            scene.at(300_000);
            scene.read()
        })
    });
    assert_eq!(
        late.await,
        Err(Error::temporarily_unavailable()),
        "it is too old"
    );
    assert_eq!(scene.current().await, Ok(2));
}

#[tokio::test]
async fn callers_share_one_read_and_its_failure() {
    let scene = Scene::new(LIFETIME);
    scene.fail(Some(down()));
    let call = || async {
        let read = async {
            yield_now().await;
            scene.read()
        };
        scene
            .value
            .current(|| Box::pin(read))
            .await
            .map(|value| *value)
    };
    let failed = Err(down());
    assert_eq!(
        join!(call(), call(), call()),
        (failed.clone(), failed.clone(), failed)
    );
    assert_eq!(scene.reads(), 1);
    scene.fail(None);
    assert_eq!(join!(call(), call()), (Ok(2), Ok(2)));
}

/// A caller that gives up takes its read along.
#[tokio::test]
async fn a_read_that_is_given_up_is_made_by_the_next_caller_who_needs_it() {
    let scene = Scene::new(LIFETIME);
    let give_up = async || {
        let read = scene.value.current(|| Box::pin(std::future::pending()));
        tokio::select! {
            biased;
            _ = read => unreachable!("it never ends"),
            () = yield_now() => {}
        }
    };
    give_up().await;
    assert_eq!(scene.current().await, Ok(1));
    scene.at(60_000);
    give_up().await;
    assert_eq!(scene.current().await, Ok(1), "the value is usable for now");
    assert_eq!(scene.reread().await, Ok(2), "nobody knows what is newer");
}

#[tokio::test(start_paused = true)]
async fn a_read_that_hangs_costs_its_timeout_while_a_value_is_usable() {
    let scene = Scene::new(LIFETIME);
    assert_eq!(scene.current().await, Ok(1));
    scene.at(60_000);
    let began = Instant::now();
    let hanging = scene.value.current(|| Box::pin(std::future::pending()));
    assert_eq!(hanging.await.map(|value| *value), Ok(1));
    assert_eq!(began.elapsed(), LIFETIME.timeout);
    assert_eq!(scene.current().await, Ok(1));
    assert_eq!(scene.reads(), 1, "the next one waits its ten seconds");
}

#[tokio::test]
async fn what_is_unknown_causes_a_read_every_five_seconds_at_most() {
    let scene = Scene::new(LIFETIME);
    assert_eq!(scene.current().await, Ok(1));
    for (millis, expected) in [
        (0, 2),
        (4_999, 2),
        (5_000, 3),
        (9_999, 3),
        (10_000, 4),
        (9_999, 5),
    ] {
        scene.at(millis);
        assert_eq!(scene.reread().await, Ok(expected), "{millis}");
    }
    scene.fail(Some(down()));
    scene.at(15_000);
    for _ in 0..2 {
        assert_eq!(scene.reread().await, Err(down()));
        assert_eq!(scene.current().await, Ok(5), "what is known stays");
    }
    assert_eq!(scene.reads(), 6);
}

#[tokio::test]
async fn what_lacks_something_is_read_again_by_each_caller() {
    let scene = Scene::new(LIFETIME);
    let scene = Scene {
        value: scene.value.complete_if(|reads| *reads > 3),
        ..scene
    };
    assert_eq!(scene.current().await, Ok(1));
    assert_eq!(scene.reread().await, Ok(2));
    assert_eq!(scene.reread().await, Ok(2), "by those who want it as it is");
    scene.fail(Some(down()));
    assert_eq!(
        scene.current().await,
        Err(down()),
        "it is not used after a failure"
    );
    scene.fail(None);
    assert_eq!(scene.current().await, Ok(4));
    assert_eq!(scene.current().await, Ok(4));
}

/// While nothing is usable there is nothing to go on with: the read's own limit counts.
#[tokio::test(start_paused = true)]
async fn a_first_read_and_one_for_something_unknown_take_as_long_as_they_take() {
    let scene = Scene::new(LIFETIME);
    let slow = || -> Read<'_, usize> {
        Box::pin(async {
            tokio::time::sleep(LIFETIME.timeout * 4).await;
            scene.read()
        })
    };
    assert_eq!(scene.value.current(slow).await.map(|value| *value), Ok(1));
    assert_eq!(scene.value.reread(slow).await.map(|value| *value), Ok(2));
    scene.at(60_000);
    assert_eq!(scene.value.current(slow).await.map(|value| *value), Ok(2));
    assert_eq!(scene.reads(), 2, "it was given up");
}

/// Whoever needs no read waits for none.
#[tokio::test]
async fn a_fresh_value_and_an_ageing_one_are_there_while_a_read_is_under_way() {
    let scene = Scene::new(LIFETIME);
    assert_eq!(scene.current().await, Ok(1));
    let hanging = scene.value.reread(|| Box::pin(std::future::pending()));
    tokio::select! {
        biased;
        _ = hanging => unreachable!("it never ends"),
        current = scene.current() => assert_eq!(current, Ok(1)),
    }
    scene.at(60_000);
    let hanging = scene.value.current(|| Box::pin(std::future::pending()));
    tokio::select! {
        biased;
        _ = hanging => unreachable!("it never ends"),
        current = scene.current() => assert_eq!(current, Ok(1)),
    }
}

#[tokio::test]
async fn those_who_look_for_something_unknown_share_one_read() {
    let scene = Scene::new(LIFETIME);
    assert_eq!(scene.current().await, Ok(1));
    let call = || async {
        let read = async {
            yield_now().await;
            scene.read()
        };
        scene
            .value
            .reread(|| Box::pin(read))
            .await
            .map(|value| *value)
    };
    assert_eq!(join!(call(), call(), call()), (Ok(2), Ok(2), Ok(2)));
    assert_eq!(scene.reads(), 2);
}

/// Guesses cost no more where callers give up. Until then nobody knows what is newer.
#[tokio::test]
async fn a_read_for_something_unknown_that_is_given_up_counts_towards_its_interval() {
    let scene = Scene::new(LIFETIME);
    assert_eq!(scene.current().await, Ok(1));
    let given_up = scene.value.reread(|| Box::pin(std::future::pending()));
    tokio::select! {
        biased;
        _ = given_up => unreachable!("it never ends"),
        () = yield_now() => {}
    }
    assert_eq!(scene.reread().await, Err(Error::temporarily_unavailable()));
    assert_eq!(scene.reads(), 1);
    scene.at(5_000);
    assert_eq!(scene.reread().await, Ok(2));
}

/// A value that arrives after its end is not used, whoever asked for it.
#[tokio::test]
async fn what_was_read_for_something_unknown_ages_like_any_value() {
    let scene = Scene::new(LIFETIME);
    assert_eq!(scene.current().await, Ok(1));
    let late = scene.value.reread(|| {
        Box::pin(async {
            scene.at(300_000);
            scene.read()
        })
    });
    assert_eq!(late.await, Err(Error::temporarily_unavailable()));
}

/// The gateway's clock may be ahead of this one.
#[tokio::test]
async fn the_later_clock_decides_about_ages() {
    let scene = Scene::new(LIFETIME);
    let at = async |millis| {
        let request = Timestamp::from_millis(START + millis);
        let value = scene
            .value
            .current_at(request, || Box::pin(async { scene.read() }))
            .await;
        value.map(|value| *value)
    };
    assert_eq!(at(59_999).await, Ok(1));
    assert_eq!(at(59_999).await, Ok(1));
    assert_eq!(at(60_000).await, Ok(2));
    scene.fail(Some(down()));
    assert_eq!(at(299_999).await, Ok(2));
    assert_eq!(at(300_000).await, Err(down()));
    assert_eq!(at(-1).await, Ok(2), "the request's clock may be behind");
}

#[tokio::test]
async fn no_read_is_sent_sooner_than_the_least_interval_after_the_last_one() {
    let scene = Scene::new(Lifetime {
        retry_after: Duration::ZERO,
        reread_after: Duration::ZERO,
        min_interval: Duration::from_secs(5),
        ..LIFETIME
    });
    scene.fail(Some(down()));
    let failed = Err(down());
    for (millis, reads) in [(0, 1), (4_999, 1), (5_000, 2), (4_999, 3)] {
        scene.at(millis);
        for _ in 0..2 {
            assert_eq!(scene.current().await, failed, "{millis}");
            assert_eq!(scene.reread().await, failed, "{millis}");
            assert_eq!(scene.reads(), reads, "{millis}");
        }
    }
    scene.fail(None);
    scene.at(10_000);
    assert_eq!(scene.current().await, Ok(4));
    assert_eq!(scene.reread().await, Ok(4));
}
