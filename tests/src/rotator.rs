//! Secrets Manager as it rotates a secret: it makes an empty pending version, and calls the
//! rotation function step by step, from the first again where one failed.

use aws_sdk_secretsmanager::Client;
use rotation::{Failure, Rotation};
use serde_json::{Value, json};

/// The steps in their order.
pub const STEPS: [&str; 4] = ["createSecret", "setSecret", "testSecret", "finishSecret"];

/// How often a rotation is tried.
const MAX_ATTEMPTS: usize = 3;

/// A secret under rotation.
#[derive(Debug)]
pub struct Rotator {
    /// Secrets Manager, by a way of its own.
    pub client: Client,
    /// The secret's ARN.
    pub arn: String,
}

/// The event of a step, as Lambda gets it.
#[must_use]
pub fn event(step: &str, arn: &str, version: &str) -> Value {
    json!({"Step": step, "SecretId": arn, "ClientRequestToken": version})
}

impl Rotator {
    /// Starts a rotation to this version, which is still empty.
    pub async fn start(&self, version: &str) {
        let function = "arn:aws:lambda:eu-west-1:000000000000:function:rotation";
        let started = self
            .client
            .rotate_secret()
            .secret_id(&self.arn)
            .client_request_token(version);
        started
            .rotation_lambda_arn(function)
            .send()
            .await
            .expect("no other rotation is under way");
    }

    /// Takes the steps, and asks in between and at the end whether all is well.
    pub async fn steps(
        &self,
        function: &Rotation,
        version: &str,
        well: impl AsyncFn(&str),
    ) -> Result<(), Failure> {
        for step in STEPS {
            let taken = function.handle(event(step, &self.arn, version)).await;
            well(step).await;
            taken?;
        }
        Ok(())
    }

    /// Takes the steps until they succeed.
    pub async fn complete(
        &self,
        function: &Rotation,
        version: &str,
        well: impl AsyncFn(&str),
    ) -> Result<(), Failure> {
        let mut last = Ok(());
        for _ in 0..MAX_ATTEMPTS {
            last = self.steps(function, version, &well).await;
            if last.is_ok() {
                break;
            }
        }
        last
    }

    /// Which labels the versions have.
    pub async fn stages(&self) -> Vec<(String, Vec<String>)> {
        let described = self
            .client
            .describe_secret()
            .secret_id(&self.arn)
            .send()
            .await
            .expect("the secret");
        described
            .version_ids_to_stages()
            .into_iter()
            .flatten()
            .map(|(id, stages)| (id.clone(), stages.clone()))
            .collect()
    }

    /// Which version has a label.
    pub async fn labelled(&self, stage: &str) -> Option<String> {
        let stages = self.stages().await;
        stages
            .into_iter()
            .find(|(_, stages)| stages.iter().any(|label| label == stage))
            .map(|(version, _)| version)
    }

    /// Gives up a rotation that is under way, as a person does who takes the label away to start
    /// another.
    pub async fn abandon(&self, version: &str) {
        if self.labelled("AWSPENDING").await.as_deref() == Some(version)
            && self.labelled("AWSCURRENT").await.as_deref() != Some(version)
        {
            let taken = self
                .client
                .update_secret_version_stage()
                .secret_id(&self.arn)
                .version_stage("AWSPENDING");
            taken
                .remove_from_version_id(version)
                .send()
                .await
                .expect("the label is taken away");
        }
    }

    /// The value of the version with this label.
    pub async fn value(&self, stage: &str) -> Value {
        let got = self
            .client
            .get_secret_value()
            .secret_id(&self.arn)
            .version_stage(stage)
            .send()
            .await
            .expect("a value");
        serde_json::from_str(got.secret_string().expect("a text")).expect("JSON")
    }
}
