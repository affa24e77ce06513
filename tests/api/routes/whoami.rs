//! `GET /v1/whoami`: the sample guarded API.

pub(crate) mod authorizer;

use serde_json::json;
use tests::{
    Platform,
    platform::{ALLOWED, ELSEWHERE},
};

/// CYB-6, CYB-7: the list is sealed into the token and enforced on every call, with the exact 403.
#[tokio::test]
async fn cyb_7_403_from_an_address_outside_the_allowlist() {
    let platform = Platform::start().await;
    let key = platform.bank_key(json!({"ip_allowlist": [ALLOWED]})).await;
    let token = platform
        .request_token(&key, platform.anonymous().from(ALLOWED))
        .await;
    let caller = platform.bearer(token.body["access_token"].as_str().unwrap());
    let admitted = caller.from(ALLOWED).get("/v1/whoami").await;
    assert_eq!(admitted.status, 200, "{admitted:?}");
    assert_eq!(admitted.body["client_id"], key.client_id);
    let refused = caller.from(ELSEWHERE).get("/v1/whoami").await;
    refused.assert_error(403, "ip_not_allowed");
    assert_eq!(refused.body["error"], "forbidden");
    assert_eq!(refused.body["message"], "IP address not in allowlist");
}
