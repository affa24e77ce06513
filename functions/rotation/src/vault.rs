//! The secret in Secrets Manager: its versions and the labels on them.

use std::{fmt, time::Duration};

use aws_sdk_secretsmanager::{
    Client,
    config::{Builder, timeout::TimeoutConfig},
    error::{ProvideErrorMetadata, SdkError},
    operation::get_secret_value::GetSecretValueError,
};
use domain::error::causes;
use runtime::ambient::SdkConfig;
use zeroize::Zeroizing;

use crate::{Failure, event::Event, value::Stored};

const CURRENT: &str = "AWSCURRENT";
const PENDING: &str = "AWSPENDING";
/// Ours: on the version whose secret this function minted last. It keeps that version when
/// `AWSPENDING` is taken from it.
const NEWEST: &str = "LATCHKEY_NEWEST";

/// How long an answer of Secrets Manager is waited for, retries included.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(10);
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);

/// The secret's versions.
pub(crate) struct Vault(Client);

/// Which version stands where, as far as a step must know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stages {
    /// Whether `AWSCURRENT` is the rotation's version.
    pub(crate) is_current: bool,
    /// The version that is `AWSCURRENT`.
    pub(crate) current: String,
    /// The version with [`NEWEST`], where there is one.
    pub(crate) newest: Option<String>,
}

impl Vault {
    pub(crate) fn new(aws: &SdkConfig) -> Self {
        let timeouts = TimeoutConfig::builder()
            .operation_timeout(OPERATION_TIMEOUT)
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .build();
        Self(Client::from_conf(
            Builder::from(aws).timeout_config(timeouts).build(),
        ))
    }

    /// The versions of a secret that is being rotated to the event's.
    pub(crate) async fn stages(&self, event: &Event) -> Result<Stages, Failure> {
        let described = self
            .0
            .describe_secret()
            .secret_id(&event.secret_id)
            .send()
            .await
            .map_err(|error| failed(&error))?;
        if described.rotation_enabled() != Some(true) {
            return Err(Failure::Final(
                "rotation is not enabled for the secret".into(),
            ));
        }
        let versions = described
            .version_ids_to_stages()
            .cloned()
            .unwrap_or_default();
        let labelled = |stage: &str| {
            let has = |stages: &Vec<String>| stages.iter().any(|label| label == stage);
            versions
                .iter()
                .find(|(_, stages)| has(stages))
                .map(|(version, _)| version.clone())
        };
        let current = labelled(CURRENT)
            .ok_or_else(|| Failure::Final(format!("no version of the secret is {CURRENT}")))?;
        let is_current = current == event.version;
        if !is_current && labelled(PENDING).as_ref() != Some(&event.version) {
            return Err(Failure::Final(format!(
                "the version that ClientRequestToken names is not {PENDING}"
            )));
        }
        Ok(Stages {
            is_current,
            current,
            newest: labelled(NEWEST),
        })
    }

    /// The value of a version; nothing where it has none yet.
    pub(crate) async fn value(
        &self,
        event: &Event,
        version: &str,
    ) -> Result<Option<Stored>, Failure> {
        let got = self
            .0
            .get_secret_value()
            .secret_id(&event.secret_id)
            .version_id(version)
            .send()
            .await;
        let got = match got {
            Ok(got) => got,
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(GetSecretValueError::is_resource_not_found_exception) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(failed(&error)),
        };
        let text = got.secret_string.map(Zeroizing::new);
        let text = text.ok_or_else(|| {
            Failure::Final("the secret's value is binary: a JSON object is expected".into())
        })?;
        Stored::read(&text).map(Some)
    }

    /// The value of the version that is `AWSCURRENT`.
    pub(crate) async fn current(&self, event: &Event, stages: &Stages) -> Result<Stored, Failure> {
        let current = self.value(event, &stages.current).await?;
        current.ok_or_else(|| {
            Failure::Temporary(format!(
                "the version that was {CURRENT} is gone: it was replaced meanwhile"
            ))
        })
    }

    /// Stores the value of the event's version; it may be stored already, and then only the same.
    pub(crate) async fn put(&self, event: &Event, text: &str) -> Result<(), Failure> {
        let put = self
            .0
            .put_secret_value()
            .secret_id(&event.secret_id)
            .client_request_token(&event.version)
            .secret_string(text);
        let put =
            put.set_rotation_token(event.rotation_token.as_ref().map(|token| token.to_string()));
        put.version_stages(PENDING)
            .version_stages(NEWEST)
            .send()
            .await
            .map_err(|error| failed(&error))?;
        Ok(())
    }

    /// Moves `AWSCURRENT` from one version to another. Where that is so already, somebody else was
    /// quicker, or the answer was lost.
    pub(crate) async fn make_current(
        &self,
        event: &Event,
        from: &str,
        to: &str,
    ) -> Result<(), Failure> {
        let moved = self
            .0
            .update_secret_version_stage()
            .secret_id(&event.secret_id)
            .version_stage(CURRENT);
        match moved
            .remove_from_version_id(from)
            .move_to_version_id(to)
            .send()
            .await
        {
            Ok(_) => Ok(()),
            Err(error) => match self.stages(event).await {
                Ok(stages) if stages.current == to => Ok(()),
                _ => Err(failed(&error)),
            },
        }
    }

    /// Gives the event's rotation up, so that another one can start: its value is of no use to
    /// anybody.
    pub(crate) async fn give_up(&self, event: &Event) -> Result<(), Failure> {
        let taken = self
            .0
            .update_secret_version_stage()
            .secret_id(&event.secret_id)
            .version_stage(PENDING);
        taken
            .remove_from_version_id(&event.version)
            .send()
            .await
            .map_err(|error| failed(&error))?;
        Ok(())
    }
}

/// What Secrets Manager says of a failure, and whether the same call may succeed later.
fn failed<E: ProvideErrorMetadata + std::error::Error + 'static>(error: &SdkError<E>) -> Failure {
    const FINAL: [&str; 6] = [
        "AccessDeniedException",
        "DecryptionFailure",
        "InvalidParameterException",
        "InvalidRequestException",
        "PublicPolicyException",
        "ResourceNotFoundException",
    ];
    let Some(refused) = error.as_service_error() else {
        return Failure::Temporary(format!("no answer from Secrets Manager: {}", causes(error)));
    };
    let code = refused.code().unwrap_or("an unnamed error");
    let words = format!(
        "Secrets Manager: {code}: {}",
        refused.message().unwrap_or("unexplained")
    );
    if FINAL.contains(&code) {
        Failure::Final(words)
    } else {
        Failure::Temporary(words)
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault")
    }
}
