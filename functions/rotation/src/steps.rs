//! The steps, but for `setSecret`, which has nothing to do.

use crate::{
    Failure, Rotation,
    event::Event,
    key::{Key, Proof},
    mint::persist,
    value::Stored,
    vault::Stages,
};

/// `createSecret`: a new secret as `AWSPENDING`, unless this rotation has one.
pub(crate) async fn create(
    rotation: &Rotation,
    event: &Event,
    stages: &Stages,
) -> Result<&'static str, Failure> {
    match rotation.vault.value(event, &event.version).await? {
        Some(_) => Ok("there is a new secret already"),
        None => rotation.mint(event, stages).await,
    }
}

/// `testSecret`: the new secret is used for the first time. Secrets Manager also calls this step
/// alone, to test that a rotation is configured right; there is no new secret then, and what a test
/// can show is that the current one works.
pub(crate) async fn test(
    rotation: &Rotation,
    event: &Event,
    stages: &Stages,
) -> Result<&'static str, Failure> {
    let current = rotation.vault.current(event, stages).await?;
    match rotation.vault.value(event, &event.version).await? {
        Some(pending) => works(rotation, event, &pending, &current)
            .await
            .map(|_| "the new secret works"),
        None => match rotation.prove(&current).await? {
            Proof::Works(_) => Ok("there is no new secret; the current one works"),
            Proof::Fails => Err(stopped()),
        },
    }
}

/// `finishSecret`: the new secret becomes `AWSCURRENT`, and only then does the old one get an end.
pub(crate) async fn finish(
    rotation: &Rotation,
    event: &Event,
    stages: &Stages,
) -> Result<&'static str, Failure> {
    let pending = rotation.vault.value(event, &event.version).await?;
    let pending = pending.ok_or_else(|| {
        Failure::Final("there is no new secret: createSecret has stored none".into())
    })?;
    if stages.is_current {
        let Proof::Works(key) = rotation.prove(&pending).await? else {
            return Err(stopped());
        };
        return Ok(match end_the_old(rotation, &key).await? {
            Some(()) => "the old secret ends after its grace",
            None => "a newer rotation is under way",
        });
    }
    let current = rotation.vault.current(event, stages).await?;
    let key = works(rotation, event, &pending, &current).await?;
    rotation
        .vault
        .make_current(event, &stages.current, &event.version)
        .await?;
    if end_the_old(rotation, &key).await?.is_none() {
        // Somebody else has rotated the key meanwhile, and the new secret is about to end.
        rotation
            .vault
            .make_current(event, &event.version, &stages.current)
            .await?;
        return Err(Failure::Final(
            "the new secret is no longer the key's newest: somebody else has rotated the key. \
             AWSCURRENT is what it was"
                .into(),
        ));
    }
    Ok("the new secret is AWSCURRENT, and the old one ends after its grace")
}

async fn end_the_old(rotation: &Rotation, key: &Key) -> Result<Option<()>, Failure> {
    persist(rotation.pace.pause, async || {
        key.finish(rotation.grace).await
    })
    .await
}

/// The key by the new secret, which is of the current one's key and works. One that never will is
/// given up, so that another rotation can start: a version's value cannot be changed.
async fn works(
    rotation: &Rotation,
    event: &Event,
    pending: &Stored,
    current: &Stored,
) -> Result<Key, Failure> {
    if pending.client_id() != current.client_id() {
        rotation.vault.give_up(event).await?;
        return Err(Failure::Final(
            "the new secret is of another key than AWSCURRENT, and was given up: rotate again"
                .into(),
        ));
    }
    if let Proof::Works(key) = rotation.prove(pending).await? {
        return Ok(key);
    }
    match rotation.prove(current).await? {
        Proof::Works(_) => {
            rotation.vault.give_up(event).await?;
            Err(Failure::Final(
                "the new secret does not work, and was given up: rotate again".into(),
            ))
        }
        Proof::Fails => Err(stopped()),
    }
}

fn stopped() -> Failure {
    Failure::Final(
        "the key does not work: it was revoked or deactivated, has expired, or is not in use yet, \
         or AWSCURRENT is none of its secrets"
            .into(),
    )
}
