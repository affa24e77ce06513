//! An authorizer whose tables do not answer throws what the gateway turns into a 503.

use std::sync::Arc;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use guard::{
    Guard,
    testing::world::{NOW, SANDBOX, World, claims},
};
use store::{Store, Tables};

use super::rest_event;
use crate::{Authorizer, AuthorizerError, Settings, handle};

#[tokio::test]
async fn cbm_4_an_authorizer_whose_tables_do_not_answer_throws() {
    // Port 1 of this machine, where nothing listens.
    let aws = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("eu-west-1"));
    let aws = aws.endpoint_url("http://127.0.0.1:1").build();
    let tables = Tables {
        core: "core".into(),
        feed: "feed".into(),
        audit: String::new(),
    };
    let clock: domain::time::Clock = Arc::new(|| NOW);
    let store = Store::new(&aws, tables, clock.clone(), || claims().jti);
    let guard = Guard::new(World::new().settings, store, None, clock);
    let authorizer = Authorizer {
        guard,
        settings: Settings::default(),
    };
    let token = SANDBOX.token(&claims());
    assert_eq!(
        handle(&authorizer, rest_event(&token)).await,
        Err(AuthorizerError::Unavailable("keys_stale"))
    );
}
