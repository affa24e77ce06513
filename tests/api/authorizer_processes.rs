//! Authorizers as processes of their own, which share nothing but the tables.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tests::{
    Platform,
    lambda::{FunctionProcess, Outcome},
    wait,
};

/// Authorizers as processes of their own over a platform's tables.
pub struct Processes(Vec<FunctionProcess>);

impl Processes {
    /// Three of the sample API's, with these variables changed.
    pub async fn start(platform: &Platform, endpoints: &BTreeMap<String, String>) -> Self {
        let services = platform.stack.services();
        let mut environment = services.environment_of("SampleAuthorizerFunction").unwrap();
        environment.extend(
            services.description().functions["SampleAuthorizerFunction"]
                .environment
                .clone(),
        );
        environment.extend(endpoints.clone());
        let mut processes = Vec::new();
        for _ in 0..3 {
            processes.push(
                FunctionProcess::start(env!("CARGO_BIN_EXE_authorizer-process"), &environment)
                    .await,
            );
        }
        Self(processes)
    }

    /// Asks all at once about a call with this token, as API Gateway would.
    async fn ask(&self, token: &str) -> Vec<Outcome> {
        let event = event(token);
        let [first, second, third] = &self.0[..] else {
            panic!("three processes")
        };
        let (first, second, third) = tokio::join!(
            first.invoke(event.clone()),
            second.invoke(event.clone()),
            third.invoke(event)
        );
        vec![first, second, third]
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
fn effect(outcome: &Outcome) -> String {
    match outcome {
        Ok(answer) => answer["policyDocument"]["Statement"][0]["Effect"]
            .as_str()
            .expect("an effect")
            .to_owned(),
        Err(error) => error.clone(),
    }
}

/// A call with this token, as API Gateway tells of it.
fn event(token: &str) -> Value {
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
