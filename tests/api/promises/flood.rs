//! What it costs other organizations' calls when one writes to the revocation feed as fast as the
//! API lets it (CBM-4). It prints what it measured.

#![expect(clippy::disallowed_methods, reason = "a benchmark of real time")]

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::json;
use tests::{Caller, Platform, platform::credentials};
use tokio::{task::JoinSet, time::sleep};

use crate::{
    authorizer_processes::{Processes, effect, event},
    durations::Durations,
    tables_in_a_file::platform_in_a_file,
};

/// How long each phase lasts.
const PHASE: Duration = Duration::from_mins(1);
/// How many of the organization's clients call at once.
const CLIENTS: u32 = 4;
/// Between two calls of somebody else at one process.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// What the organization's calls change.
#[derive(Clone, Copy, Debug)]
enum Changes {
    /// A key is rotated, and the old secret ends at once: as fast as the API lets it.
    Feed,
    /// A key is renamed, of which no reader must learn: so many times in a phase.
    Names(u32),
}

/// One client of the organization: one change after the other, until told to stop.
async fn change(organization: Caller, client_id: String, changes: Changes, calls: Arc<Calls>) {
    let path = format!("/api/keys/{client_id}");
    let began = Instant::now();
    for change in 0.. {
        if calls.is_over.load(Ordering::Relaxed) {
            return;
        }
        let answer = match changes {
            Changes::Feed => {
                let at_once = json!({"grace_period": 0});
                organization.post(&format!("{path}/rotate"), &at_once).await
            }
            Changes::Names(number) => {
                let each = PHASE * CLIENTS / number;
                sleep((each * change).saturating_sub(began.elapsed())).await;
                let name = json!({"name": format!("name {change}")});
                organization.patch(&path, &name).await
            }
        };
        assert_eq!(answer.status, 200, "{answer:?}");
        calls.number.fetch_add(1, Ordering::Relaxed);
    }
}

#[derive(Default)]
struct Calls {
    number: AtomicU32,
    is_over: AtomicBool,
}

/// How long somebody else's calls took meanwhile, and how many of them were refused; and the number
/// of the organization's calls.
async fn phase(
    platform: &Platform,
    processes: &Processes,
    changes: Changes,
) -> (Durations, usize, u32) {
    let token = platform.token(&platform.seed.bank.key).await;
    processes.until(&token, "Allow").await;
    let calls = Arc::new(Calls::default());
    let mut clients = JoinSet::new();
    let (_, machine, bank, _) = platform.neighbour().await;
    let organization = platform.bearer(&platform.token(&machine).await);
    for client in 0..CLIENTS {
        let body = json!({"name": format!("key {client}"), "bank_guid": bank.to_string()});
        let made = organization.post("/api/bank_applications", &body).await;
        let client_id = credentials(&made.body).client_id;
        clients.spawn(change(
            organization.clone(),
            client_id,
            changes,
            calls.clone(),
        ));
    }
    let began = Instant::now();
    let mut others = JoinSet::new();
    for process in processes.each() {
        let token = token.clone();
        others.spawn(async move {
            let (mut durations, mut refused) = (Vec::new(), 0);
            while began.elapsed() < PHASE {
                let sent = Instant::now();
                let outcome = effect(&process.invoke(event(&token)).await);
                durations.push(sent.elapsed());
                refused += usize::from(outcome != "Allow");
                sleep(POLL_INTERVAL).await;
            }
            (durations, refused)
        });
    }
    let (durations, refused): (Vec<_>, Vec<_>) = others.join_all().await.into_iter().unzip();
    calls.is_over.store(true, Ordering::Relaxed);
    clients.join_all().await;
    (
        Durations(durations.concat()),
        refused.into_iter().sum(),
        calls.number.load(Ordering::Relaxed),
    )
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it measures for minutes"]
async fn cbm_4_a_flood_of_one_organization_costs_no_other_one_a_call() {
    let (platform, _directory) = platform_in_a_file().await;
    let processes = Processes::of(&platform, &BTreeMap::new(), 3).await;
    let measured = async |changes| {
        let (durations, refused, calls) = phase(&platform, &processes, changes).await;
        println!("{changes:?}, {calls} changes: {durations}; {refused} refused");
        assert_eq!(refused, 0);
        (durations.percentile(99), calls)
    };
    for _ in 0..2 {
        let (of_feed, calls) = measured(Changes::Feed).await;
        let (of_names, _) = measured(Changes::Names(calls)).await;
        let ratio = of_feed.as_secs_f64() / of_names.as_secs_f64();
        println!("the 99th percentile is {ratio:.2} times as long");
        assert!(ratio <= 1.5);
    }
}
