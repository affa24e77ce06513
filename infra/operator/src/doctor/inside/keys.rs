//! KMS's keys and the peppers.

use aws_sdk_kms::types::{KeyMetadata, KeySpec, KeyState, KeyUsageType};
use domain::{error::causes, key_mode::KeyMode, pepper::Peppers};
use runtime::{Ambient, Env};
use store::{Store, Tables};

use super::{
    super::report::{Check, Outcome, Several, Trouble},
    aws::{Aws, answered},
    named,
};

pub(super) const SIGNING: Check = Check(
    "keys.signing",
    "Enable the key (`aws kms enable-key`), cancel its deletion, or roll to another \
     (docs/signing-keys.md). Until then no tokens are issued.",
);
pub(super) const PUBLISHED: Check = Check(
    "keys.published",
    "Publish a key of each kind (docs/signing-keys.md): tokens that are signed by one that is not \
     published are refused.",
);
pub(super) const DATA: Check = Check(
    "keys.data",
    "Enable the data key and its rotation (deploy the template again).",
);
pub(super) const PEPPERS: Check = Check(
    "keys.peppers",
    "Put the secret's versions right (docs/peppers.md): without its pepper every secret hashed \
     under it is refused.",
);

/// The variables that name each kind's keys.
const SIGNERS: [(KeyMode, &str); 2] = [
    (KeyMode::Sandbox, "LATCHKEY_SANDBOX_SIGNING_KEYS"),
    (KeyMode::Live, "LATCHKEY_LIVE_SIGNING_KEYS"),
];

async fn described(aws: &Aws, key: &str) -> Result<KeyMetadata, Trouble> {
    let found = answered(
        "kms:DescribeKey",
        aws.keys.describe_key().key_id(key).send().await,
    )?;
    found
        .key_metadata
        .ok_or_else(|| Trouble::Unknown("kms:DescribeKey tells nothing".into()))
}

fn require_enabled(key: &str, metadata: &KeyMetadata) -> Result<(), Trouble> {
    match metadata.key_state() {
        Some(KeyState::Enabled) => Ok(()),
        Some(state) => Err(Trouble::Wrong(format!("{key} is {}", state.as_str()))),
        None if metadata.enabled() => Ok(()),
        None => Err(Trouble::Wrong(format!("{key} is not enabled"))),
    }
}

/// That each signing key can sign, and sign nothing but ES256.
pub(super) async fn signing(env: &Env, aws: &Aws) -> Outcome {
    let (mut several, mut count) = (Several::default(), 0);
    for (kind, variable) in SIGNERS {
        let Some(keys) = several.take(named(env, variable)) else {
            continue;
        };
        for key in keys.split(',').map(str::trim).filter(|key| !key.is_empty()) {
            let Some(metadata) = several.take(described(aws, key).await) else {
                continue;
            };
            several.take(require_enabled(&format!("the {kind} key {key}"), &metadata));
            if metadata.key_spec() != Some(&KeySpec::EccNistP256)
                || metadata.key_usage() != Some(&KeyUsageType::SignVerify)
            {
                several.wrong(format!(
                    "the {kind} key {key} is no ECC_NIST_P256 key for SIGN_VERIFY"
                ));
            }
            count += 1;
        }
    }
    several.outcome(format!("{count} signing keys are enabled"))
}

/// The tables' items, by the operator's credentials.
pub(super) fn store(env: &Env, ambient: &Ambient) -> Result<Store, Trouble> {
    let tables = Tables::of(|name| named(env, name))?;
    let entropy = ambient.entropy.clone();
    Ok(Store::new(
        &ambient.aws,
        tables,
        ambient.clock.clone(),
        move || entropy.guid(),
    ))
}

/// That each kind has a published key, that it is signed by one, that no key is of both kinds, and
/// that verifiers are shown all of them.
pub(super) async fn published(env: &Env, ambient: &Ambient, shown: Option<&[String]>) -> Outcome {
    let store = store(env, ambient)?;
    let (mut several, mut known, mut signers) = (Several::default(), Vec::new(), Vec::new());
    for (kind, _) in SIGNERS {
        let keys = store.signing_keys(kind).await;
        let keys = keys.map_err(|error| {
            Trouble::Unknown(format!(
                "the published keys cannot be read: {}",
                causes(&error)
            ))
        });
        let Some(keys) = several.take(keys) else {
            continue;
        };
        if keys.is_empty() {
            several.take::<()>(Err(match shown {
                Some(_) => Trouble::Wrong(format!("no {kind} key is published")),
                None => Trouble::Unknown(format!(
                    "no {kind} key is published before somebody asks for the JWK Set or a token"
                )),
            }));
        }
        let signer = store.signer(kind).await;
        let signer = signer.map_err(|error| {
            Trouble::Unknown(format!(
                "which key signs cannot be read: {}",
                causes(&error)
            ))
        });
        if let Some(Some(signer)) = several.take(signer) {
            if !keys.iter().any(|key| key.kid == signer.kid) {
                several.wrong(format!(
                    "{kind} tokens are signed by {}, which is not published",
                    signer.kid
                ));
            }
            signers.push(format!("{kind} tokens are signed by {}", signer.kid));
        }
        for key in keys {
            if known.contains(&key.kid) {
                several.wrong(format!("{} is published for both kinds", key.kid));
            }
            if shown.is_some_and(|shown| !shown.contains(&key.kid)) {
                several.wrong(format!(
                    "the {kind} key {} is published and not in the JWK Set",
                    key.kid
                ));
            }
            known.push(key.kid);
        }
    }
    if let Some(unknown) = shown
        .into_iter()
        .flatten()
        .find(|shown| !known.contains(shown))
        .filter(|_| several.is_fine())
    {
        several.wrong(format!("{unknown} is in the JWK Set and not published"));
    }
    signers.insert(0, format!("{} keys are published and shown", known.len()));
    several.outcome(signers.join("; "))
}

/// That what is at rest can be read, and that the key's material changes.
pub(super) async fn data(env: &Env, aws: &Aws) -> Outcome {
    let key = named(env, "LATCHKEY_DATA_KEY")?;
    let mut several = Several::default();
    if let Some(metadata) = several.take(described(aws, key).await) {
        several.take(require_enabled("the data key", &metadata));
    }
    let asked = aws.keys.get_key_rotation_status().key_id(key).send().await;
    if let Some(rotation) = several.take(answered("kms:GetKeyRotationStatus", asked))
        && !rotation.key_rotation_enabled()
    {
        several.wrong("the data key does not rotate");
    }
    several.outcome("the data key is enabled and rotates")
}

/// That the peppers can be read and are some. Their versions are shown, never they.
pub(super) async fn peppers(env: &Env, aws: &Aws) -> Outcome {
    let secret = named(env, "LATCHKEY_PEPPER_SECRET")?;
    let found = answered(
        "secretsmanager:GetSecretValue",
        aws.secrets
            .get_secret_value()
            .secret_id(secret)
            .send()
            .await,
    )?;
    let peppers = Peppers::parse(found.secret_string().unwrap_or_default())
        .map_err(|problem| Trouble::Wrong(problem.into()))?;
    Ok(match peppers.current() {
        1 => "version 1 is there".into(),
        current => format!("versions 1 to {current} are there"),
    })
}
