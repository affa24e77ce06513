//! A fault at every call of every step: the request lost or the answer, for good, as where Lambda
//! kills the function, or once; and then Secrets Manager's retry, or a person who gives the
//! rotation up and starts another.

use tests::{Platform, proxy::Fault};

use super::{Scene, version};

/// What happens to one call of a rotation.
#[derive(Debug)]
struct Case {
    /// Which call, from 0.
    nth: usize,
    fault: Fault,
    /// Whether no later call comes through, as where a program is killed.
    for_good: bool,
}

#[derive(Clone, Copy, Debug)]
enum Then {
    Retried,
    Abandoned,
}

/// What the function is told by an authorizer that was kept from reading the feed in time (CBM-4).
/// On a busy machine that may happen to any call, and says nothing about a rotation.
const TOO_SLOW: &str = "503 temporarily_unavailable";
/// Times that a case is tried which met that.
const MAX_ATTEMPTS: usize = 10;

/// A case met [`TOO_SLOW`] where no fault was.
struct Slow(String);

/// How many calls a rotation makes. Counted, so that none is forgotten below.
async fn calls(platform: &Platform) -> usize {
    let scene = Scene::new(platform).await;
    scene.rotate(&version(1)).await;
    scene.proxies[0].requests().len()
}

/// One rotation with a fault, and what follows it; again where the machine was too slow for it.
async fn survives(platform: &Platform, case: &Case, then: Then) {
    let mut slow = Vec::new();
    while slow.len() < MAX_ATTEMPTS {
        match survives_once(platform, case, then).await {
            Ok(()) => return,
            Err(Slow(failure)) => slow.push(failure),
        }
    }
    panic!("{case:?}, {then:?}: {slow:?}");
}

async fn survives_once(platform: &Platform, case: &Case, then: Then) -> Result<(), Slow> {
    let scene = Scene::new(platform).await;
    let before = scene.rotator.value("AWSCURRENT").await;
    scene.rotator.start(&version(1)).await;
    let after = if case.for_good {
        Fault::LoseRequest
    } else {
        Fault::None
    };
    scene.proxies[0].set_nth(case.nth, case.fault.clone(), after);
    let well = async |step: &str| {
        scene
            .current_works(&format!("{step}, {case:?}, {then:?}"))
            .await;
    };
    let failed = scene
        .rotator
        .steps(&scene.function, &version(1), well)
        .await;
    let seen = scene.proxies[0].requests().len();
    scene.proxies[0].set(Fault::None);
    if seen <= case.nth {
        let failure = failed.map_or_else(|failure| failure.to_string(), |()| "none".into());
        assert!(
            failure.contains(TOO_SLOW),
            "{case:?}: there were {seen} calls: {failure}"
        );
        return Err(Slow(failure));
    }
    if case.for_good {
        let failure = failed.unwrap_err().to_string();
        assert!(
            !failure.contains("lk_test_") && !failure.contains("eyJ"),
            "{failure}"
        );
    }
    let last = match then {
        Then::Retried => 1,
        Then::Abandoned => {
            scene.rotator.abandon(&version(1)).await;
            scene.rotator.start(&version(2)).await;
            2
        }
    };
    let recovered = scene
        .rotator
        .complete(&scene.function, &version(last), well)
        .await;
    if let Err(failure) = recovered {
        let failure = failure.to_string();
        assert!(failure.contains(TOO_SLOW), "{case:?}, {then:?}: {failure}");
        return Err(Slow(failure));
    }
    scene.is_rotated_to(&version(last)).await;
    assert_ne!(
        scene.rotator.value("AWSCURRENT").await["client_secret"],
        before["client_secret"]
    );
    Ok(())
}

/// Some at a time: each of them mostly waits.
async fn all_survive(platform: &Platform, fault: Fault, for_good: bool, then: Then) {
    let calls = calls(platform).await;
    assert_eq!(calls, 17);
    let cases: Vec<_> = (0..calls)
        .map(|nth| Case {
            nth,
            fault: fault.clone(),
            for_good,
        })
        .collect();
    for some in cases.chunks(6) {
        let mut running: Vec<_> = some
            .iter()
            .map(|case| Box::pin(survives(platform, case, then)))
            .collect();
        std::future::poll_fn(|context| {
            running.retain_mut(|one| one.as_mut().poll(context).is_pending());
            if running.is_empty() {
                std::task::Poll::Ready(())
            } else {
                std::task::Poll::Pending
            }
        })
        .await;
    }
}

#[tokio::test]
async fn leak_11_an_answer_lost_once_and_retried() {
    all_survive(
        &Platform::start().await,
        Fault::LoseAnswer,
        false,
        Then::Retried,
    )
    .await;
}

#[tokio::test]
async fn leak_11_a_function_killed_before_a_call_and_retried() {
    all_survive(
        &Platform::start().await,
        Fault::LoseRequest,
        true,
        Then::Retried,
    )
    .await;
}

#[tokio::test]
async fn leak_11_a_function_killed_after_a_call_and_retried() {
    all_survive(
        &Platform::start().await,
        Fault::LoseAnswer,
        true,
        Then::Retried,
    )
    .await;
}

#[tokio::test]
async fn leak_11_a_function_killed_before_a_call_and_its_rotation_given_up() {
    all_survive(
        &Platform::start().await,
        Fault::LoseRequest,
        true,
        Then::Abandoned,
    )
    .await;
}

#[tokio::test]
async fn leak_11_a_function_killed_after_a_call_and_its_rotation_given_up() {
    all_survive(
        &Platform::start().await,
        Fault::LoseAnswer,
        true,
        Then::Abandoned,
    )
    .await;
}
