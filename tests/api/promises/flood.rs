//! What it costs other organizations' calls when one writes to the revocation feed as fast as the
//! API lets it (CBM-4). The benchmark prints what it measured.

#![expect(clippy::disallowed_methods, reason = "a benchmark of real time")]

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use domain::ids::Guid;
use operator::tenants::Credentials;
use serde_json::json;
use tests::{Caller, Platform, platform::credentials, wait::until};
use tokio::{task::JoinSet, time::sleep};

use crate::{
    authorizer_processes::{Processes, effect, event},
    durations::Durations,
    five_second_bound::within,
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

/// An organization whose clients change something all the time.
struct Flood {
    organization: Caller,
    bank: Guid,
    calls: Arc<Calls>,
    clients: JoinSet<()>,
}

impl Flood {
    async fn start(platform: &Platform, changes: Changes) -> Self {
        let (_, machine, bank, _) = platform.neighbour().await;
        let mut flood = Self {
            organization: platform.bearer(&platform.token(&machine).await),
            bank,
            calls: Arc::default(),
            clients: JoinSet::new(),
        };
        for _ in 0..CLIENTS {
            let client_id = flood.key().await.client_id;
            let organization = flood.organization.clone();
            let calls = flood.calls.clone();
            let client = change(organization, client_id, changes, calls);
            flood.clients.spawn(client);
        }
        flood
    }

    /// Another key of the organization.
    async fn key(&self) -> Credentials {
        let body = json!({"name": "key", "bank_guid": self.bank.to_string()});
        let path = "/api/bank_applications";
        credentials(&self.organization.post(path, &body).await.body)
    }

    /// How many changes there were.
    fn changes(&self) -> u32 {
        self.calls.number.load(Ordering::Relaxed)
    }

    async fn end(self) -> u32 {
        self.calls.is_over.store(true, Ordering::Relaxed);
        let changes = self.changes();
        self.clients.join_all().await;
        changes
    }
}

/// How long the calls of another organization take, and how many of them are refused, until it
/// `is_over`.
async fn calls_of_another(
    token: &str,
    processes: &Processes,
    is_over: impl Fn() -> bool + Clone + Send + 'static,
) -> (Durations, usize) {
    let mut others = JoinSet::new();
    for process in processes.each() {
        let (token, is_over) = (token.to_owned(), is_over.clone());
        others.spawn(async move {
            let (mut durations, mut refused) = (Vec::new(), 0);
            while !is_over() {
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
    (Durations(durations.concat()), refused.into_iter().sum())
}

async fn phase(platform: &Platform, processes: &Processes, changes: Changes) -> (Durations, u32) {
    let token = platform.token(&platform.seed.bank.key).await;
    processes.until(&token, "Allow").await;
    let flood = Flood::start(platform, changes).await;
    let began = Instant::now();
    let is_over = move || began.elapsed() >= PHASE;
    let (durations, refused) = calls_of_another(&token, processes, is_over).await;
    let number = flood.end().await;
    println!("{changes:?}, {number} changes: {durations}; {refused} refused");
    assert_eq!(refused, 0);
    (durations, number)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it measures for minutes"]
async fn cbm_4_a_flood_of_one_organization_costs_no_other_one_a_call() {
    let (platform, _directory) = platform_in_a_file().await;
    let processes = Processes::of(&platform, &BTreeMap::new(), 3).await;
    let mut ratios = Vec::new();
    for _ in 0..2 {
        let (of_feed, changes) = phase(&platform, &processes, Changes::Feed).await;
        let (of_names, _) = phase(&platform, &processes, Changes::Names(changes)).await;
        let [of_feed, of_names] = [of_feed, of_names].map(|one| one.percentile(99).as_secs_f64());
        let ratio = of_feed / of_names;
        println!("the 99th percentile is {ratio:.2} times as long");
        ratios.push(ratio);
    }
    assert!(ratios.iter().all(|ratio| *ratio <= 1.5), "{ratios:?}");
}

/// The same in some seconds. A machine that stands still may have an authorizer refuse a call; what
/// is asserted is that the flood does not shut the gate.
#[tokio::test(flavor = "multi_thread")]
async fn cbm_4_a_flood_of_one_organization_shuts_no_gate_and_delays_no_revocation() {
    const ENOUGH_CHANGES: u32 = 120;
    let platform = Platform::start().await;
    let processes = Processes::start(&platform, &BTreeMap::new()).await;
    let token = platform.token(&platform.seed.bank.key).await;
    processes.until(&token, "Allow").await;
    let flood = Flood::start(&platform, Changes::Feed).await;
    let is_over = Arc::new(AtomicBool::new(false));
    let ends = is_over.clone();
    let others = calls_of_another(&token, &processes, move || ends.load(Ordering::Relaxed));
    let revocations = async {
        // More than the budget of a minute: from then on the organization is covered.
        until("changes", async || flood.changes() > ENOUGH_CHANGES).await;
        for _ in 0..3 {
            let key = flood.key().await;
            let revoked = platform.token(&key).await;
            processes.until(&revoked, "Allow").await;
            let path = format!("/api/keys/{}/revoke", key.client_id);
            let answer = flood.organization.post(&path, &json!({})).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            let are_refused = |effects: &Vec<String>| effects.iter().all(|one| one != "Allow");
            within(
                "revoked",
                async || processes.effects(&revoked).await,
                are_refused,
            )
            .await;
        }
        is_over.store(true, Ordering::Relaxed);
    };
    let ((durations, refused), ()) = tokio::join!(others, revocations);
    flood.end().await;
    let calls = durations.0.len();
    assert!(refused * 20 < calls, "{refused} of {calls} are refused");
}
