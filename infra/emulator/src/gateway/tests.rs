//! The gateway over real sockets, with functions that the tests script.

mod absent;
mod authorizers;
mod events;
mod gateway_responses;
mod limits;
mod responses;
mod routing;
mod serving;
mod template_edits;
mod usage;

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::TcpStream,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use reqwest::{Method, RequestBuilder, Response};
use sam::template::{Physical, Settings, Template};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{FunctionError, Gateway, Invocation, Invoke, Options};

pub(super) const TEMPLATE: &str = r"
Transform: AWS::Serverless-2016-10-31
Globals:
  Function: {Timeout: 5, CodeUri: target}
Resources:
  Api:
    Type: AWS::Serverless::Api
    Properties:
      StageName: v1
      Auth:
        DefaultAuthorizer: Guard
        Authorizers:
          Guard:
            FunctionArn: !GetAtt Authorizer.Arn
            FunctionPayloadType: REQUEST
            Identity: {ReauthorizeEvery: 0}
          Cached:
            FunctionArn: !GetAtt Authorizer.Arn
            FunctionPayloadType: REQUEST
            Identity: {Headers: [Authorization], Context: [identity.sourceIp], ReauthorizeEvery: 60}
          Token:
            FunctionArn: !GetAtt Authorizer.Arn
            Identity: {ValidationExpression: 'Bearer [a-z]+', ReauthorizeEvery: 0}
  Authorizer:
    Type: AWS::Serverless::Function
  Guarded:
    Type: AWS::Serverless::Function
    Properties:
      Events:
        List: {Type: Api, Properties: {RestApiId: !Ref Api, Path: /banks, Method: get}}
        One: {Type: Api, Properties: {RestApiId: !Ref Api, Path: '/banks/{guid}', Method: get}}
        Cached: {Type: Api, Properties: {RestApiId: !Ref Api, Path: /cached, Method: any, Auth: {Authorizer: Cached}}}
        Token: {Type: Api, Properties: {RestApiId: !Ref Api, Path: /token, Method: get, Auth: {Authorizer: Token}}}
  Open:
    Type: AWS::Serverless::Function
    Properties:
      Events:
        Post: {Type: Api, Properties: {RestApiId: !Ref Api, Path: /open, Method: post, Auth: {Authorizer: NONE}}}
        Rest: {Type: Api, Properties: {RestApiId: !Ref Api, Path: /open, Method: any, Auth: {Authorizer: NONE}}}
        Item: {Type: Api, Properties: {RestApiId: !Ref Api, Path: '/open/{item}', Method: get, Auth: {Authorizer: NONE}}}
        Fixed: {Type: Api, Properties: {RestApiId: !Ref Api, Path: /open/fixed, Method: get, Auth: {Authorizer: NONE}}}
        Files: {Type: Api, Properties: {RestApiId: !Ref Api, Path: '/files/{proxy+}', Method: any, Auth: {Authorizer: NONE}}}
";

/// 9 April 2015, 12:34:56 UTC.
const NOW: i64 = 1_428_582_896_789;

type Handler = Arc<dyn Fn(Value) -> Invocation + Send + Sync>;

/// A running gateway, the events that its functions got, and its clock.
struct Stack {
    base: String,
    client: reqwest::Client,
    seen: Arc<Mutex<Vec<(String, Value)>>>,
    now: Arc<AtomicI64>,
}

struct Script {
    handlers: BTreeMap<String, Handler>,
    seen: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Invoke for Script {
    fn invoke(&self, function: &str, event: Value) -> Invocation {
        self.seen
            .lock()
            .unwrap()
            .push((function.to_owned(), event.clone()));
        match self.handlers.get(function) {
            Some(handler) => handler(event),
            None => answer(&json!({"statusCode": 200, "body": "fine"}))(event),
        }
    }
}

fn answer(value: &Value) -> Handler {
    let value = value.clone();
    Arc::new(move |_| Box::pin(std::future::ready(Ok(value.clone()))))
}

fn fail(message: &str) -> Handler {
    let error = FunctionError {
        error_type: "SomeError".into(),
        message: message.into(),
    };
    Arc::new(move |_| Box::pin(std::future::ready(Err(error.clone()))))
}

fn sleep(duration: Duration) -> Handler {
    Arc::new(move |_| {
        Box::pin(async move {
            tokio::time::sleep(duration).await;
            Ok(json!({"statusCode": 200}))
        })
    })
}

/// A function that does not end.
fn never() -> Handler {
    Arc::new(|_| Box::pin(std::future::pending()))
}

/// Waits until this is so.
async fn until(is_so: impl Fn() -> bool) {
    let look = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(2), look)
        .await
        .unwrap();
}

/// An authorizer's answer with one statement about every method of the API.
fn policy(effect: &str, context: &Value) -> Value {
    let statement = json!({
        "Effect": effect,
        "Action": "execute-api:Invoke",
        "Resource": "arn:aws:execute-api:*:*:*/v1/*",
    });
    json!({
        "principalId": "somebody",
        "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
        "context": context,
    })
}

fn allow() -> Handler {
    answer(&policy("Allow", &json!({})))
}

impl Stack {
    async fn start(template: &str, handlers: &[(&str, Handler)]) -> Self {
        Self::start_with(template, handlers, Duration::from_secs(29)).await
    }

    async fn start_with(
        template: &str,
        handlers: &[(&str, Handler)],
        integration_timeout: Duration,
    ) -> Self {
        let description = Template::parse(template, Settings::default())
            .unwrap()
            .resolve(&Physical::new())
            .unwrap();
        let (seen, now) = (Arc::default(), Arc::new(AtomicI64::new(NOW)));
        let handlers = handlers
            .iter()
            .map(|(name, handler)| ((*name).to_owned(), Arc::clone(handler)))
            .collect();
        let script = Script {
            handlers,
            seen: Arc::clone(&seen),
        };
        let clock = Arc::clone(&now);
        let mut options = Options::new(Arc::new(move || clock.load(Ordering::SeqCst)));
        options.integration_timeout = integration_timeout;
        let gateway = Gateway::new(description, Arc::new(script), options).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(gateway.serve(listener, std::future::pending()));
        Self {
            base,
            client: reqwest::Client::new(),
            seen,
            now,
        }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base))
    }

    async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    /// Sends bytes as they are, for what an HTTP client would not send.
    async fn raw(&self, request: &str) -> String {
        let (address, request) = (
            self.base.trim_start_matches("http://").to_owned(),
            request.to_owned(),
        );
        let exchange = move || {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(request.as_bytes()).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer
        };
        tokio::task::spawn_blocking(exchange).await.unwrap()
    }

    /// The events that a function got.
    fn events(&self, function: &str) -> Vec<Value> {
        let seen = self.seen.lock().unwrap();
        seen.iter()
            .filter(|(name, _)| name == function)
            .map(|(_, event)| event.clone())
            .collect()
    }

    fn event(&self, function: &str) -> Value {
        self.events(function).pop().unwrap()
    }

    fn advance(&self, milliseconds: i64) {
        self.now.fetch_add(milliseconds, Ordering::SeqCst);
    }
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response
        .headers()
        .get(name)
        .map(|value| value.to_str().unwrap())
}

async fn status_and_body(response: Response) -> (u16, String) {
    (response.status().as_u16(), response.text().await.unwrap())
}
