//! A guard whose table does not answer lets nobody through, and says so without long thought. (A
//! guard over a table that does answer is tested over HTTP, with the whole stack.)

use std::{sync::Arc, time::Duration};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use credentials::pepper::PepperSource;
use store::{Store, Tables};
use tokio::time::timeout;

use crate::{
    bearer::NoBearer,
    decision::{Decision, Unauthorized, Unavailable},
    guard::{Guard, WARM_UP_TIMEOUT},
    request::Request,
    testing::{
        person::secret,
        world::{NOW, SANDBOX, World, claims, request},
    },
};

/// Port 1 of this machine, where nothing listens.
fn guard() -> Guard {
    let aws = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("eu-west-1"));
    let tables = Tables {
        core: "core".into(),
        feed: "feed".into(),
        audit: String::new(),
    };
    let clock: domain::time::Clock = Arc::new(|| NOW);
    let aws = aws.endpoint_url("http://127.0.0.1:1").build();
    let store = Store::new(&aws, tables, clock.clone(), || claims().jti);
    Guard::new(
        World::new().settings,
        store,
        Some(PepperSource::new(&aws, "pepper", clock.clone())),
        clock,
    )
}

#[tokio::test]
async fn cbm_4_nobody_passes_while_the_tables_do_not_answer() {
    let guard = guard();
    // How long it takes is the machine's affair; how long it may wait for the tables is not.
    assert!(WARM_UP_TIMEOUT <= Duration::from_secs(5));
    timeout(Duration::from_mins(2), guard.warm()).await.unwrap();
    let token = SANDBOX.token(&claims());
    for _ in 0..2 {
        assert_eq!(
            guard.authorize(request(&token)).await,
            Decision::Unavailable(Unavailable::Keys)
        );
    }
    assert_eq!(
        guard.authorize(request(&secret())).await,
        Decision::Unavailable(Unavailable::Feed),
        "nor a personal key"
    );
}

#[tokio::test]
async fn a_request_without_a_token_needs_no_table_to_be_refused() {
    let without = Request::new(None, None, "GET /open", None);
    assert_eq!(
        guard().authorize(without).await,
        Decision::Unauthorized(Unauthorized::NoBearer(NoBearer::Absent))
    );
}
