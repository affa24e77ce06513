//! What an introspection learns (RFC 7662): everything of a credential that is beyond doubt, and
//! nothing of any other.

use std::time::Duration;

use domain::{
    feed::{Effect, Subject},
    gate::Plan,
    ids::SecretId,
    key::{Grace, Owner, Rotation, State},
    role::Role,
};
use jwt::Claims;

use super::fake_aws::Scene;
use crate::{
    context::Context,
    decision::Unavailable,
    inspect::Inspection,
    testing::{
        person::{KEY, MADE, SECRET, USER, minted, rotated, secret},
        world::{KmsKey, NOW, SANDBOX, World, claims, later},
    },
};

impl Scene {
    async fn inspect(&self, credential: &str) -> Option<Inspection> {
        self.guard.inspect(credential, None).await.unwrap()
    }

    async fn why_inactive(&self, credential: &str) -> &'static str {
        self.inspect(credential).await.unwrap().inactive.unwrap()
    }
}

#[tokio::test]
async fn a_token_that_works_is_told_with_its_claims() {
    let found = Scene::new()
        .inspect(&SANDBOX.token(&claims()))
        .await
        .unwrap();
    let expected = Inspection {
        context: Context::from(&claims()),
        inactive: None,
        claims: Some(claims()),
        issued_at: NOW,
        key_created: claims().key_created,
    };
    assert_eq!(found, expected, "from wherever: its allowlist is not asked");
}

#[tokio::test]
async fn a_token_that_does_not_work_is_told_with_the_reason() {
    let scene = Scene::new();
    let expired = SANDBOX.token(&Claims {
        iat: later(-1_000),
        nbf: later(-1_000),
        exp: NOW,
        ..claims()
    });
    assert_eq!(scene.why_inactive(&expired).await, "token_expired");
    assert_eq!(
        scene.inspect(&expired).await.unwrap().context.organization,
        claims().org
    );
    let elsewhere = SANDBOX.token(&Claims {
        aud: "https://elsewhere.example".into(),
        ..claims()
    });
    assert_eq!(scene.why_inactive(&elsewhere).await, "token_wrong_audience");
    let person = SANDBOX.token(&Claims {
        owner: Owner::User(USER),
        ..claims()
    });
    assert_eq!(scene.why_inactive(&person).await, "token_of_personal_key");
    let token = SANDBOX.token(&claims());
    for (effect, reason) in [
        (Effect::Suspend { version: 3 }, "key_suspended"),
        (Effect::Revoke, "key_revoked"),
    ] {
        scene.publish(effect, Subject::Key(claims().client_id));
        scene.advance(1_001);
        assert_eq!(scene.why_inactive(&token).await, reason);
    }
}

#[tokio::test]
async fn a_personal_key_is_told_as_it_is_now() {
    let scene = Scene::new();
    let found = scene.inspect(&secret()).await.unwrap();
    assert_eq!(
        (
            found.inactive,
            found.claims,
            found.issued_at,
            found.key_created
        ),
        (None, None, MADE, MADE)
    );
    assert_eq!(
        (
            found.context.client_id,
            found.context.sid,
            found.context.role
        ),
        (KEY, SECRET, Some(Role::Admin))
    );
    assert_eq!((found.context.jti, found.context.expires_at), (None, None));

    let new = SecretId::from_bytes([9; 16]);
    let grace = Rotation::Keep(Grace::FromFirstUse(Duration::from_mins(1)));
    scene.person(|person| person.key = rotated(&person.key, new, grace, NOW).unwrap());
    scene.set(|held| held.secrets = vec![(SECRET, 1), (new, 2)]);
    let by_new = minted(domain::key_mode::KeyMode::Sandbox, 2)
        .expose()
        .to_string();
    scene.asked();
    assert_eq!(
        scene.inspect(&by_new).await.unwrap().issued_at,
        NOW,
        "when this secret was made"
    );
    assert!(
        !scene.asked().contains(&"PutItem uses".to_owned()),
        "being asked about is no use"
    );
}

#[tokio::test]
async fn a_personal_key_that_does_not_work_is_told_with_the_reason() {
    for (change, reason) in [
        (
            (|person| person.key.state = State::Deactivated)
                as fn(&mut crate::testing::person::Person),
            "key_deactivated",
        ),
        (
            |person| person.key.state = State::Revoked { at: NOW },
            "key_revoked",
        ),
        (|person| person.key.expires_at = Some(NOW), "key_expired"),
        (
            |person| person.gates.organization.suspended = true,
            "key_deactivated",
        ),
        (
            |person| person.gates.organization.plan = Plan::Starter,
            "plan_upgrade_required",
        ),
        (|person| person.gates.user = None, "key_deactivated"),
        (
            |person| {
                let grace = Rotation::Keep(Grace::FromNow(Duration::from_secs(1)));
                let new = SecretId::from_bytes([9; 16]);
                person.key = rotated(&person.key, new, grace, MADE).unwrap();
            },
            "secret_ended",
        ),
    ] {
        let scene = Scene::new();
        scene.person(change);
        let found = scene.inspect(&secret()).await.unwrap();
        assert_eq!(
            (found.inactive, found.context.client_id),
            (Some(reason), KEY)
        );
    }
}

#[tokio::test]
async fn of_what_is_in_doubt_nothing_is_told() {
    let scene = Scene::new();
    let forged = KmsKey::new().token(&claims());
    for unreadable in [
        "",
        "x",
        "a.b.c",
        "Bearer x",
        &forged,
        &secret()[..70],
        &"x".repeat(70_000),
    ] {
        assert_eq!(scene.inspect(unreadable).await, None, "{unreadable}");
    }
    scene.set(|held| held.secrets = vec![(SECRET, 2)]);
    assert_eq!(scene.inspect(&secret()).await, None, "not its secret");
    scene.set(|held| held.secrets = vec![(SECRET, 1)]);
    scene.person(|person| person.key.secrets.current.id = SecretId::from_bytes([9; 16]));
    assert_eq!(
        scene.inspect(&secret()).await,
        None,
        "a secret that lingers and that the key names no more"
    );
    scene.person(|person| person.key.secrets.current.id = SECRET);
    scene.person(|person| person.key.owner = Owner::Organization(person.key.organization));
    assert_eq!(
        scene.inspect(&secret()).await,
        None,
        "a machine's secret is no bearer credential"
    );
    assert_eq!(
        Scene::with(World::new().settings, false)
            .inspect(&secret())
            .await,
        None
    );
}

#[tokio::test]
async fn while_nobody_can_tell_it_is_an_error() {
    let scene = Scene::new();
    scene.set(|held| held.down = vec!["Query feed"]);
    for credential in [SANDBOX.token(&claims()), secret()] {
        assert_eq!(
            scene.guard.inspect(&credential, None).await,
            Err(Unavailable::Feed)
        );
    }
    let scene = Scene::new();
    let late = Some(later(5_000));
    assert!(scene.inspect(&secret()).await.is_some());
    scene.set(|held| held.down = vec!["Query feed"]);
    assert_eq!(
        scene.guard.inspect(&secret(), late).await,
        Err(Unavailable::Feed),
        "an instance that woke with its clock behind"
    );
}

/// A token can be revoked while nobody can read whether it works.
#[tokio::test]
async fn rfc_7009_a_token_is_read_without_the_feed() {
    let scene = Scene::new();
    scene.set(|held| held.down.push("Query feed"));
    let read = async |token: &str| scene.guard.read_token(token, None).await;
    let token = SANDBOX.token(&claims());
    assert!(scene.guard.inspect(&token, None).await.is_err());
    assert_eq!(read(&token).await, Ok(Some(claims())));
    let expired = Claims {
        exp: NOW,
        ..claims()
    };
    let found = read(&SANDBOX.token(&expired)).await;
    assert_eq!(found, Ok(Some(expired)), "whoever asks looks at its end");
    for other in [KmsKey::new().token(&claims()), "no token".into(), secret()] {
        assert_eq!(read(&other).await, Ok(None));
    }
}
