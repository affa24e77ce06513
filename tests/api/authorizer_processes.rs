//! Authorizers as processes of their own, which share nothing but the tables.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};
use tests::{
    Platform,
    lambda::{FunctionProcess, Outcome},
    wait,
};
use tokio::task::JoinSet;

/// Authorizers as processes of their own over a platform's tables.
pub struct Processes(Vec<Arc<FunctionProcess>>);

impl Processes {
    /// Three of the sample API's, with these variables changed.
    pub async fn start(platform: &Platform, endpoints: &BTreeMap<String, String>) -> Self {
        Self::of(platform, endpoints, 3).await
    }

    /// This many of the sample API's, with these variables changed.
    pub async fn of(
        platform: &Platform,
        endpoints: &BTreeMap<String, String>,
        count: usize,
    ) -> Self {
        let environment = Self::environment(platform, endpoints);
        let mut processes = Vec::new();
        for _ in 0..count {
            let program = env!("CARGO_BIN_EXE_authorizer-process");
            processes.push(Arc::new(
                FunctionProcess::start(program, &environment).await,
            ));
        }
        Self(processes)
    }

    /// The variables of the sample API's authorizer, with these changed.
    pub fn environment(
        platform: &Platform,
        endpoints: &BTreeMap<String, String>,
    ) -> BTreeMap<String, String> {
        let services = platform.stack.services();
        let mut environment = services.environment_of("SampleAuthorizerFunction").unwrap();
        environment.extend(
            services.description().functions["SampleAuthorizerFunction"]
                .environment
                .clone(),
        );
        environment.extend(endpoints.clone());
        environment
    }

    /// Each of them.
    pub fn each(&self) -> impl Iterator<Item = Arc<FunctionProcess>> {
        self.0.iter().cloned()
    }

    /// Asks all at once about a call with this token, as API Gateway would.
    async fn ask(&self, token: &str) -> Vec<Outcome> {
        let mut asked = JoinSet::new();
        for process in self.each() {
            let event = event(token);
            asked.spawn(async move { process.invoke(event).await });
        }
        asked.join_all().await
    }

    /// [`Processes::ask`], as [`effect`] says it.
    pub async fn effects(&self, token: &str) -> Vec<String> {
        self.ask(token).await.iter().map(effect).collect()
    }

    /// What the first of them alone says.
    pub async fn effect_at_the_first(&self, token: &str) -> String {
        effect(&self.0[0].invoke(event(token)).await)
    }

    /// Asks until all of them say this.
    pub async fn until(&self, token: &str, expected: &str) {
        wait::until(expected, async || {
            self.effects(token)
                .await
                .iter()
                .all(|effect| effect == expected)
        })
        .await;
    }
}

/// `Allow`, `Deny`, or the error's text.
pub fn effect(outcome: &Outcome) -> String {
    match outcome {
        Ok(answer) => answer["policyDocument"]["Statement"][0]["Effect"]
            .as_str()
            .expect("an effect")
            .to_owned(),
        Err(error) => error.clone(),
    }
}

/// A call with this token, as API Gateway tells of it.
pub fn event(token: &str) -> Value {
    json!({
        "type": "REQUEST",
        "methodArn": "arn:aws:execute-api:eu-west-1:000000000000:api/main/GET/v1/whoami",
        "resource": "/v1/whoami",
        "path": "/v1/whoami",
        "httpMethod": "GET",
        "headers": {"Authorization": format!("Bearer {token}")},
        "multiValueHeaders": {"Authorization": [format!("Bearer {token}")]},
        "requestContext": {
            "identity": {"sourceIp": "8.8.8.8"},
            "requestId": "1",
            "resourcePath": "/v1/whoami",
            "httpMethod": "GET",
            "stage": "main",
        },
    })
}
