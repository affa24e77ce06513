//! Why a restored core table is dangerous, and that the order of `docs/backup.md` makes it safe
//! again.

use std::time::Duration;

use aws_sdk_dynamodb::{Client, types::AttributeValue};
use domain::feed::Rules;
use serde_json::json;
use tests::Platform;

use super::segments::{answer, cold_authorizer, compact};

type Item = std::collections::HashMap<String, AttributeValue>;

/// The core table, to be copied and put back.
struct Core {
    client: Client,
    table: String,
}

impl Core {
    fn of(platform: &Platform) -> Self {
        let services = platform.stack.services();
        let table = services.variables("management")["LATCHKEY_CORE_TABLE"].clone();
        Self {
            client: Client::new(&services.ambient().aws),
            table,
        }
    }

    async fn copy(&self) -> Vec<Item> {
        let (mut items, mut after) = (Vec::new(), None);
        loop {
            let page = self
                .client
                .scan()
                .table_name(&self.table)
                .set_exclusive_start_key(after)
                .send()
                .await
                .unwrap();
            items.extend(page.items.unwrap_or_default());
            after = page.last_evaluated_key;
            if after.is_none() {
                return items;
            }
        }
    }

    /// As it was: what came later is gone.
    async fn put_back(&self, copy: &[Item]) {
        for item in self.copy().await {
            let key = |name: &str| item[name].clone();
            let delete = self
                .client
                .delete_item()
                .table_name(&self.table)
                .key("PK", key("PK"))
                .key("SK", key("SK"));
            delete.send().await.unwrap();
        }
        for item in copy {
            self.client
                .put_item()
                .table_name(&self.table)
                .set_item(Some(item.clone()))
                .send()
                .await
                .unwrap();
        }
    }
}

/// How long the feed holds what was revoked.
fn window() -> Duration {
    Rules::STANDARD.longest_token + Rules::STANDARD.window_margin + Duration::from_secs(1)
}

/// The key works again at the token endpoints at once, and at guarded APIs once the feed has
/// forgotten; suspending its organization, waiting, and revoking it again is what helps.
#[tokio::test]
async fn a_restored_core_table_brings_a_revoked_key_back_until_it_is_revoked_again() {
    let platform = Platform::start().await;
    let core = Core::of(&platform);
    let key = platform.bank_key(json!({})).await;
    let copy = core.copy().await;
    let path = format!("/api/keys/{}/revoke", key.client_id);
    assert_eq!(
        platform
            .organization()
            .await
            .post(&path, &json!({}))
            .await
            .status,
        200
    );
    let ask = async || platform.request_token(&key, platform.anonymous()).await;
    let whoami = async |token: &str| platform.bearer(token).get("/v1/whoami").await.status;
    ask().await.assert_oauth_error(401, "invalid_client");

    core.put_back(&copy).await;
    let revived = platform.token(&key).await;
    // Until then an authorizer may not have read of it.
    platform.advance(Duration::from_secs(5));
    assert_eq!(whoami(&revived).await, 401, "the feed still knows");
    platform.advance(Duration::from_mins(12));
    compact(&platform).await;
    let cold = cold_authorizer(&platform).await;
    assert_eq!(
        answer(&cold, &revived).await,
        "Allow",
        "one that starts asks the restored table"
    );
    platform.advance(window());
    // An instance that has been running forgets when it learns of something newer.
    let other = platform.bank_key(json!({})).await;
    let path_of_other = format!("/api/keys/{}/revoke", other.client_id);
    assert_eq!(
        platform
            .organization()
            .await
            .post(&path_of_other, &json!({}))
            .await
            .status,
        200
    );
    platform.advance(Duration::from_secs(5));
    let revived = platform.token(&key).await;
    assert_eq!(
        whoami(&revived).await,
        200,
        "and has forgotten: the revoked key works"
    );

    // The order of the document, from the restore on.
    let organization = platform.seed.organization.guid.parse().unwrap();
    platform
        .operator()
        .suspension(organization, true)
        .await
        .unwrap();
    ask().await.assert_oauth_error(401, "invalid_client");
    platform.advance(window());
    assert_eq!(whoami(&revived).await, 401, "what was in flight is over");
    let revoked = platform
        .security()
        .post(&path, &json!({"reason": "revoked before the restore"}))
        .await;
    assert_eq!(revoked.status, 200, "{revoked:?}");
    platform
        .operator()
        .suspension(organization, false)
        .await
        .unwrap();
    ask().await.assert_oauth_error(401, "invalid_client");
    let others = platform.token(&platform.seed.bank.key).await;
    platform.advance(Duration::from_secs(5));
    assert_eq!((whoami(&others).await, whoami(&revived).await), (200, 401));
}

/// Suspensions are ordered by versions, and a restored key counts from an older one: while the feed
/// remembers the later one, a new suspension stops no token in flight. A revocation does.
#[tokio::test]
async fn after_a_restore_an_entry_from_before_it_overrules_a_new_suspension() {
    let platform = Platform::start().await;
    let core = Core::of(&platform);
    let key = platform.bank_key(json!({})).await;
    let token = platform.token(&key).await;
    let copy = core.copy().await;
    let act = async |act: &str| {
        let answer = platform
            .organization()
            .await
            .post(&format!("/api/keys/{}/{act}", key.client_id), &json!({}))
            .await;
        assert_eq!(answer.status, 200, "{act}: {answer:?}");
        platform.advance(Duration::from_secs(5));
        platform.bearer(&token).get("/v1/whoami").await.status
    };
    assert_eq!((act("deactivate").await, act("restore").await), (401, 200));
    core.put_back(&copy).await;
    assert_eq!(
        act("deactivate").await,
        200,
        "overruled by the restore that the table has forgotten"
    );
    platform
        .request_token(&key, platform.anonymous())
        .await
        .assert_oauth_error(401, "invalid_client");
    assert_eq!(act("revoke").await, 401);
}
