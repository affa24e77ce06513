//! How long a revocation is not known everywhere: twenty authorizers as processes of their own,
//! revocations of every kind, in peace and beside four keys of other organizations that rotate
//! themselves as fast as they can. It prints what it measured.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use domain::{gate::Plan, ids::Guid, key_mode::KeyMode, role::Role};
use operator::tenants::Credentials;
use serde_json::json;
use tests::{Caller, Platform, lambda::FunctionProcess, platform::credentials};
use tokio::{task::JoinSet, time::sleep};

use crate::{
    authorizer_processes::{Processes, effect, event},
    durations::Durations,
    five_second_bound::BOUND,
    people::Person,
    tables_in_a_file::platform_in_a_file,
};

const PROCESSES: usize = 20;
const ROUNDS: usize = 29;
/// Between two calls with the revoked credential at one process.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

#[derive(Clone, Copy, Debug)]
enum Kind {
    Key,
    Token,
    Secret,
    User,
    Bank,
    Organization,
    Incident,
}

const KINDS: [Kind; 7] = [
    Kind::Key,
    Kind::Token,
    Kind::Secret,
    Kind::User,
    Kind::Bank,
    Kind::Organization,
    Kind::Incident,
];

/// An organization of which one credential is revoked.
struct Subject<'a> {
    platform: &'a Platform,
    guid: Guid,
    machine: Caller,
    owner: Person,
    bank: Guid,
    key: Credentials,
    token: Caller,
    developer: Person,
}

impl<'a> Subject<'a> {
    async fn new(platform: &'a Platform) -> Self {
        let (guid, machine, bank, key) = platform.neighbour().await;
        platform.operator().plan(guid, Plan::Pro).await.unwrap();
        Self {
            platform,
            guid,
            machine: platform.bearer(&platform.token(&machine).await),
            owner: Person::of(platform, guid, Role::Owner, KeyMode::Sandbox).await,
            bank,
            token: platform.bearer(&platform.token(&key).await),
            key,
            developer: Person::of(platform, guid, Role::Developer, KeyMode::Sandbox).await,
        }
    }

    /// What the kind of revocation ends.
    fn presented(&self, kind: Kind) -> &str {
        match kind {
            Kind::User => self.developer.caller.token(),
            _ => self.token.token(),
        }
    }

    async fn revoke(&self, kind: Kind) {
        let path = |verb: &str| format!("/api/keys/{}/{verb}", self.key.client_id);
        let owner = &self.owner.caller;
        let incident = async |mut order: serde_json::Value| {
            order["reason"] = "measured".into();
            owner.post("/api/incidents/revoke", &order).await
        };
        let answer = match kind {
            Kind::Key => self.machine.post(&path("revoke"), &json!({})).await,
            Kind::Token => {
                let body = json!({
                    "client_id": self.key.client_id,
                    "client_secret": self.key.client_secret,
                    "token": self.token.token(),
                });
                self.platform.anonymous().post("/oauth/revoke", &body).await
            }
            Kind::Secret => {
                let at_once = json!({"grace_period": 0});
                self.machine.post(&path("rotate"), &at_once).await
            }
            Kind::User => owner.delete(&self.developer.path()).await,
            Kind::Bank => incident(json!({"bank_guid": self.bank.to_string()})).await,
            Kind::Incident => incident(json!({"whole_organization": true})).await,
            Kind::Organization => {
                let operator = self.platform.operator();
                return operator.suspension(self.guid, true).await.unwrap();
            }
        };
        assert!(answer.status < 300, "{kind:?}: {answer:?}");
    }
}

/// When the last call began that a process allowed after `answered`; asked until it refuses.
async fn last_admission(
    process: Arc<FunctionProcess>,
    token: String,
    answered: Instant,
) -> Duration {
    let mut last = Duration::ZERO;
    loop {
        let begun = answered.elapsed();
        let outcome = effect(&process.invoke(event(&token)).await);
        match outcome.as_str() {
            "Unauthorized" => return last,
            "Allow" => last = begun,
            // It admits nobody while it cannot read the feed.
            other => assert!(other.starts_with("Unavailable"), "{other}"),
        }
        assert!(begun < BOUND * 2, "it goes on");
        sleep(POLL_INTERVAL).await;
    }
}

/// The last admissions after revocations of every kind.
async fn measure(
    platform: &Platform,
    processes: &Processes,
    rounds: usize,
) -> Vec<(Kind, Durations)> {
    let mut ages = KINDS.map(|kind| (kind, Durations::default()));
    for _ in 0..rounds {
        for (kind, ages) in &mut ages {
            let subject = Subject::new(platform).await;
            let token = subject.presented(*kind).to_owned();
            processes.until(&token, "Allow").await;
            subject.revoke(*kind).await;
            let answered = Instant::now();
            let mut asked = JoinSet::new();
            for process in processes.each() {
                asked.spawn(last_admission(process, token.clone(), answered));
            }
            let last = asked.join_all().await.into_iter().max();
            ages.0.push(last.unwrap());
        }
    }
    ages.into()
}

/// A key of a new organization rotates itself as fast as it can, until `stop`.
async fn flood(platform: Arc<Platform>, stop: Arc<AtomicBool>, changes: Arc<AtomicU64>) {
    let (_, _, _, mut key) = platform.neighbour().await;
    while !stop.load(Ordering::Relaxed) {
        let caller = platform.bearer(&platform.token(&key).await);
        let path = format!("/api/keys/{}/rotate", key.client_id);
        let answer = caller.post(&path, &json!({"grace_period": 0})).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        key = credentials(&answer.body);
        changes.fetch_add(1, Ordering::Relaxed);
    }
}

fn print(what: &str, ages: &[(Kind, Durations)]) {
    let all = ages.iter().flat_map(|(_, ages)| ages.0.iter().copied());
    println!("{what}: {}", Durations(all.collect()));
    for (kind, ages) in ages {
        println!("  {kind:?}: {ages}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it measures for minutes"]
async fn cbm_4_the_last_admission_after_every_kind_of_revocation_at_twenty_processes() {
    let (platform, _directory) = platform_in_a_file().await;
    let platform = Arc::new(platform);
    let processes = Processes::of(&platform, &BTreeMap::new(), PROCESSES).await;
    let peace = measure(&platform, &processes, ROUNDS).await;
    print("in peace", &peace);

    let (stop, changes) = (Arc::default(), Arc::default());
    let mut floods = JoinSet::new();
    for _ in 0..4 {
        floods.spawn(flood(
            platform.clone(),
            Arc::clone(&stop),
            Arc::clone(&changes),
        ));
    }
    let began = Instant::now();
    let flooded = measure(&platform, &processes, ROUNDS).await;
    let seconds = began.elapsed().as_secs();
    stop.store(true, Ordering::Relaxed);
    floods.join_all().await;
    let changes = changes.load(Ordering::Relaxed);
    print(
        &format!("beside {changes} rotations in {seconds} s"),
        &flooded,
    );

    let longest =
        |ages: &[(Kind, Durations)]| ages.iter().flat_map(|(_, ages)| ages.0.clone()).max();
    assert!(
        longest(&peace) <= Some(Duration::from_millis(1_200)),
        "in peace"
    );
    assert!(longest(&flooded) <= Some(BOUND), "in the flood");
}
