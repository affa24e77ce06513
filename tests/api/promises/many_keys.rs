//! Gates over five thousand keys (ARZ-3, CBM-2; docs/requirements.md, Key states): one small write
//! each, whatever the number, which takes effect within five seconds in both directions.

use std::{collections::HashMap, time::Duration};

use aws_sdk_dynamodb::{
    Client,
    types::{AttributeValue, PutRequest, WriteRequest},
};
use domain::{
    ids::{ClientId, Guid},
    key::Owner,
    key_mode::{BankEnvironment, KeyMode},
    role::Role,
};
use operator::tenants::Credentials;
use serde_json::json;
use tests::{Caller, Platform};

use crate::{five_second_bound::within, management_keys::ManagementKey};

type Item = HashMap<String, AttributeValue>;

const KEYS: usize = 5_000;
/// So many of them are asked for tokens, spread over all.
const ASKED: usize = 10;

/// Live keys of a bank whose organization waits for KYB.
struct Crowd {
    platform: Platform,
    organization: Guid,
    asked: Vec<Credentials>,
}

impl Crowd {
    /// Some keys made as all are, and copies of one of them up to the number: what stands in the
    /// table is the same.
    async fn gather() -> Self {
        let platform = Platform::start().await;
        let (organization, ..) = platform.neighbour().await;
        let (bank, _) = platform
            .operator()
            .bank(organization, "Live bank", BankEnvironment::Production)
            .await
            .unwrap();
        let minted = ManagementKey {
            organization,
            owner: Owner::Bank(bank),
            kind: KeyMode::Live,
            scopes: "banks:read accounts:read",
            expires_at: None,
        };
        let mut asked = Vec::new();
        for _ in 0..ASKED {
            asked.push(minted.make(&platform).await);
        }
        let crowd = Self {
            platform,
            organization,
            asked,
        };
        crowd.copy(&crowd.asked[0].client_id, KEYS - ASKED).await;
        crowd
    }

    fn table(&self) -> (Client, String) {
        let services = self.platform.stack.services();
        let table = services.variables("management")["LATCHKEY_CORE_TABLE"].clone();
        (Client::new(&services.ambient().aws), table)
    }

    /// The items of the table, of each these attributes alone.
    async fn items(&self, attributes: Option<&str>) -> Vec<Item> {
        let (client, table) = self.table();
        let scan = client
            .scan()
            .table_name(table)
            .consistent_read(true)
            .set_projection_expression(attributes.map(str::to_owned));
        scan.into_paginator()
            .items()
            .send()
            .try_collect()
            .await
            .unwrap()
    }

    /// Every item of a key, so many times, each time under another name.
    async fn copy(&self, client_id: &str, times: usize) {
        let names = |item: &Item| {
            ["PK", "SK", "client_id"]
                .iter()
                .filter_map(|name| item.get(*name))
                .any(|value| value.as_s().is_ok_and(|text| text.contains(client_id)))
        };
        let originals: Vec<_> = self.items(None).await.into_iter().filter(names).collect();
        assert_eq!(originals.len(), 3, "key, secret and row of the list");
        let entropy = &self.platform.stack.services().ambient().entropy;
        let mut puts = Vec::new();
        for _ in 0..times {
            let copy = ClientId::of(entropy.guid()).to_string();
            for original in &originals {
                let renamed = |value: &AttributeValue| match value {
                    AttributeValue::S(text) => AttributeValue::S(text.replace(client_id, &copy)),
                    other => other.clone(),
                };
                let item: Item = original
                    .iter()
                    .map(|(name, value)| (name.clone(), renamed(value)))
                    .collect();
                let put = PutRequest::builder().set_item(Some(item)).build().unwrap();
                puts.push(WriteRequest::builder().put_request(put).build());
            }
        }
        let (client, table) = self.table();
        for batch in puts.chunks(25) {
            let written = client
                .batch_write_item()
                .request_items(&table, batch.to_vec())
                .send()
                .await
                .unwrap();
            assert!(written.unprocessed_items().is_none_or(HashMap::is_empty));
        }
    }

    /// How many items of the core table have which version, the keys' and the gate's told apart:
    /// what a change of all keys would move.
    async fn versions(&self) -> (Vec<u64>, u64) {
        let items = self.items(Some("PK, SK, version")).await;
        let text = |item: &Item, name: &str| item[name].as_s().unwrap().clone();
        let version = |item: &Item| item["version"].as_n().unwrap().parse().unwrap();
        let keys = items
            .iter()
            .filter(|item| text(item, "SK") == "KEY")
            .map(version)
            .collect();
        let gate = items
            .iter()
            .find(|item| text(item, "PK") == format!("G#{}", self.organization))
            .map(version)
            .unwrap();
        (keys, gate)
    }

    /// Statuses of what the asked keys get at the token endpoint.
    async fn tokens(&self) -> Vec<u16> {
        let mut statuses = Vec::new();
        for key in &self.asked {
            statuses.push(
                self.platform
                    .request_token(key, self.platform.anonymous())
                    .await
                    .status,
            );
        }
        statuses
    }

    /// Statuses that these callers get from the management API.
    async fn calls(&self, callers: &[Caller]) -> Vec<u16> {
        let mut statuses = Vec::new();
        for caller in callers {
            statuses.push(caller.get("/api/banks").await.status);
        }
        statuses
    }

    /// Waits until all get this status; within the bound. How long that took.
    async fn felt(&self, callers: &[Caller], status: u16) -> Duration {
        within(
            "the change",
            async || self.calls(callers).await,
            |statuses| statuses.iter().all(|got| *got == status),
        )
        .await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn arz_3_cbm_2_a_gate_over_5000_keys_is_one_write_felt_within_five_seconds_in_both_directions()
 {
    let crowd = Crowd::gather().await;
    assert_eq!(crowd.asked.len(), ASKED);
    assert_eq!(crowd.tokens().await, [401; ASKED], "live keys wait for KYB");
    let (keys, gate) = crowd.versions().await;
    assert!(keys.len() >= KEYS, "{} keys", keys.len());

    let operations = crowd.platform.operations();
    let kyb = format!("/api/organizations/{}/kyb", crowd.organization);
    let decide = async |status: &str| {
        let answer = operations.put(&kyb, &json!({"status": status})).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    };
    decide("approved").await;
    assert_eq!(
        crowd.versions().await,
        (keys.clone(), gate + 1),
        "the gate alone was written"
    );
    assert_eq!(
        crowd.tokens().await,
        [200; ASKED],
        "all are active by themselves"
    );
    let mut callers = Vec::new();
    for key in &crowd.asked {
        callers.push(crowd.platform.bearer(&crowd.platform.token(key).await));
    }
    assert_eq!(crowd.calls(&callers).await, [200; ASKED]);

    decide("rejected").await;
    let asleep = crowd.felt(&callers, 401).await;
    assert_eq!(crowd.tokens().await, [401; ASKED]);
    decide("approved").await;
    let awake = crowd.felt(&callers, 200).await;
    // A plan opens and shuts personal keys alone (CBM-2), by one write as well.
    let operator = crowd.platform.operator();
    let person = operator
        .user(
            crowd.organization,
            "ada@neighbour.example",
            Role::Viewer,
            None,
        )
        .await
        .unwrap();
    let personal = operator
        .personal_key(&person, KeyMode::Sandbox, "personal")
        .await
        .unwrap();
    let personal = [crowd.platform.bearer(&personal.client_secret)];
    crowd.felt(&personal, 403).await;
    let (keys, _) = crowd.versions().await;
    let plan = format!("/api/organizations/{}/plan", crowd.organization);
    let change = async |plan_name: &str| {
        let answer = operations.put(&plan, &json!({"plan": plan_name})).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    };
    change("pro").await;
    let upgraded = crowd.felt(&personal, 200).await;
    change("starter").await;
    let downgraded = crowd.felt(&personal, 403).await;

    crowd
        .platform
        .operator()
        .suspension(crowd.organization, true)
        .await
        .unwrap();
    let suspended = crowd.felt(&callers, 401).await;
    crowd
        .platform
        .operator()
        .suspension(crowd.organization, false)
        .await
        .unwrap();
    let resumed = crowd.felt(&callers, 200).await;
    assert_eq!(
        crowd.versions().await,
        (keys, gate + 7),
        "seven writes for 5,000 keys"
    );
    eprintln!(
        "felt after: KYB withdrawn {asleep:?}, given {awake:?}; upgraded {upgraded:?}, downgraded \
         {downgraded:?}; suspended {suspended:?}, resumed {resumed:?}"
    );
}
