//! the first call that a personal key's new secret makes is noted, and ends the old one at
//! every guard.

use std::time::Duration;

use domain::{
    ids::SecretId,
    key::{Grace, Rotation},
    key_mode::KeyMode,
};

use super::fake_aws::Scene;
use crate::{
    decision::{Decision, KeyError, Unauthorized, Unavailable},
    request::{Request, Route},
    testing::{
        person::{SECRET, minted, rotated},
        world::{NOW, World, request},
    },
};

const NEW: SecretId = SecretId::from_bytes([9; 16]);
/// A reading of a key whose old secret waits for the first use of the new one.
const READING: [&str; 4] = [
    "GetItem key",
    "BatchGetItem secrets",
    "Query uses",
    "BatchGetItem",
];

/// A request by the old secret, 1, or the new one, 2.
fn by(seed: u8) -> Request {
    request(&minted(KeyMode::Sandbox, seed).expose())
}

impl Scene {
    /// In which the old secret works until this long after the first use of the new one.
    async fn waiting(grace: Grace) -> Self {
        let scene = Self::new();
        scene.guard.warm().await;
        let keep = Rotation::Keep(grace);
        scene.person(|person| person.key = rotated(&person.key, NEW, keep, NOW).unwrap());
        scene.set(|held| held.secrets = vec![(SECRET, 1), (NEW, 2)]);
        scene.asked();
        scene
    }

    async fn decision(&self, seed: u8) -> Decision {
        self.guard.authorize(by(seed)).await
    }

    async fn admits(&self, seed: u8) -> bool {
        matches!(self.decision(seed).await, Decision::Allow(_))
    }

    fn notes(&self) -> usize {
        let asked = self.asked();
        asked
            .iter()
            .filter(|asked| *asked == "PutItem uses")
            .count()
    }
}

fn ended() -> Decision {
    Decision::Unauthorized(Unauthorized::Key(KeyError::SecretEnded))
}

#[tokio::test]
async fn x_3_the_first_call_that_passes_with_the_new_secret_is_noted_once() {
    let scene = Scene::waiting(Grace::FromFirstUse(Duration::from_mins(1))).await;
    assert!(scene.admits(1).await, "the old secret");
    assert_eq!(scene.notes(), 0, "starts nothing");
    let elsewhere = Request {
        source_ip: "9.9.9.9".parse().ok(),
        ..by(2)
    };
    let closed = Request {
        route: Route::Matched("DELETE /banks".into()),
        ..by(2)
    };
    for refused in [elsewhere, closed] {
        let decision = scene.guard.authorize(refused).await;
        assert!(matches!(decision, Decision::Deny { .. }));
    }
    assert_eq!(scene.notes(), 0, "nor does a call that is refused");
    for _ in 0..3 {
        assert!(scene.admits(2).await);
    }
    assert_eq!(scene.notes(), 1);
    scene.advance(60_001);
    assert!(scene.admits(2).await, "read again");
    assert_eq!(scene.notes(), 0, "it is known to be used");
}

/// LEAK-5: nothing but the note is written, and nothing but the core table.
#[tokio::test]
async fn leak_5_a_first_use_writes_nothing_but_its_note() {
    let scene = Scene::waiting(Grace::FromFirstUse(Duration::from_mins(1))).await;
    assert!(scene.admits(2).await);
    let mut asked = scene.asked();
    assert_eq!(asked.pop().as_deref(), Some("PutItem uses"));
    asked.sort();
    let mut reading = READING.map(str::to_owned);
    reading.sort();
    assert_eq!(asked, reading);
}

/// The feed does not tell of a first use: so what is read by the old secret is good for a second.
#[tokio::test]
async fn x_3_the_old_secret_is_read_every_second_while_it_waits_and_ends_within_one() {
    let scene = Scene::waiting(Grace::FromFirstUse(Duration::ZERO)).await;
    for _ in 0..3 {
        assert!(scene.admits(1).await);
        let mut asked = scene.asked();
        asked.sort();
        let mut reading = READING.map(str::to_owned);
        reading.sort();
        assert_eq!(asked, reading);
        scene.advance(1_000);
        assert!(scene.admits(1).await);
        assert_eq!(scene.asked(), [""; 0], "at the edge of a second");
        scene.advance(1);
    }
    // At another instance.
    let now = NOW.millis() + 3 * 1_001;
    assert!(scene.admits(1).await);
    scene.set(|held| held.uses.push(format!("{NEW}#{now:015}")));
    scene.advance(1_001);
    assert_eq!(scene.decision(1).await, ended());
    assert!(scene.admits(2).await);
}

#[tokio::test]
async fn x_3_the_old_secret_works_until_its_grace_is_over_and_is_remembered_again() {
    let scene = Scene::waiting(Grace::FromFirstUse(Duration::from_secs(30))).await;
    assert!(scene.admits(1).await && scene.admits(2).await);
    scene.advance(1_001);
    assert!(scene.admits(1).await);
    scene.asked();
    scene.advance(28_998);
    assert!(scene.admits(1).await);
    assert_eq!(scene.asked(), [""; 0], "its end is known");
    scene.advance(1);
    assert_eq!(scene.decision(1).await, ended());
}

#[tokio::test]
async fn x_3_a_note_that_cannot_be_written_refuses_nobody_and_is_tried_with_the_next_reading() {
    let scene = Scene::waiting(Grace::FromFirstUse(Duration::ZERO)).await;
    scene.set(|held| held.down = vec!["PutItem uses"]);
    for _ in 0..2 {
        assert!(scene.admits(2).await && scene.admits(2).await);
        assert!(scene.notes() > 0);
        assert!(scene.admits(2).await);
        assert_eq!(scene.notes(), 0);
        assert!(scene.admits(1).await, "it did not end");
        scene.advance(60_001);
    }
    scene.set(|held| held.down = Vec::new());
    assert!(scene.admits(2).await);
    scene.advance(1_001);
    assert_eq!(scene.decision(1).await, ended());
}

/// Whether the old secret still works is not known then.
#[tokio::test]
async fn x_3_503_where_the_notes_cannot_be_read() {
    let scene = Scene::waiting(Grace::FromFirstUse(Duration::ZERO)).await;
    scene.set(|held| held.down = vec!["Query uses"]);
    for seed in [1, 2] {
        let decision = scene.decision(seed).await;
        assert_eq!(decision, Decision::Unavailable(Unavailable::PersonalKey));
    }
}

/// What is asked of the tables for a key that waits for nothing is what it was.
#[tokio::test]
async fn x_3_no_note_is_asked_for_where_nothing_waits() {
    let scene = Scene::with(World::new().settings, true);
    assert!(scene.admits(1).await);
    assert!(!scene.asked().contains(&"Query uses".to_owned()));
}
