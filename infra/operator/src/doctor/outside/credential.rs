//! What a credential opens, where the environment has one.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use client::Answer;
use http::{HeaderMap, Method, header};
use runtime::Env;
use serde_json::Value;
use zeroize::Zeroizing;

use super::{
    super::report::{Check, Outcome, Trouble},
    Denied, asking,
    calls::Calls,
    marked, routes,
};

pub(super) const TOKEN: Check = Check(
    "credential.token",
    "Check the key (`latchkey keys show`); for a key that nobody trusts see outside.jwks.",
);
pub(super) const WHOAMI: Check = Check(
    "credential.whoami",
    "The sample API takes one kind of tokens alone: compare the parameter SampleEnvironment with \
     the key's environment.",
);
pub(super) const DENIAL: Check = Check(
    "credential.denial",
    "Deploy the template again: ACCESS_DENIED has the status and body of a 403 there.",
);

const ID: &str = "LATCHKEY_CLIENT_ID";
const SECRET: &str = "LATCHKEY_CLIENT_SECRET";
/// No token opens it, whatever its scopes: it is for staff.
const FOR_STAFF: &str = "/api/organizations/00000000000000000000000000000000/kyb";

/// A token that was issued. It cannot be printed.
pub(super) struct Token(Zeroizing<String>);

/// That the key gets a token that is signed by a published key. Also the token.
pub(super) async fn token(
    calls: &Calls,
    env: &Env,
    published: Option<&[String]>,
) -> (Outcome, Option<Token>) {
    let (Some(id), Some(secret)) = (env.optional(ID), env.optional(SECRET)) else {
        return (
            Err(Trouble::Unknown(format!(
                "name a key by {ID} and {SECRET} to have it tried"
            ))),
            None,
        );
    };
    let answer = match calls.deployment.request_token(id, secret, None).await {
        Ok(answer) => answer,
        Err(error) if error.response().is_some() => {
            return (Err(Trouble::Wrong(format!("no token: {error}"))), None);
        }
        Err(error) => return (Err(error.into()), None),
    };
    let Some(token) = answer["access_token"].as_str() else {
        return (
            Err(Trouble::Wrong(
                "the answer of /oauth/token has no access_token".into(),
            )),
            None,
        );
    };
    let signed_by = kid(token).unwrap_or_default();
    let outcome = match published {
        Some(published) if !published.contains(&signed_by) => Err(Trouble::Wrong(format!(
            "the token is signed by {signed_by:?}, which is not published"
        ))),
        _ => Ok(format!("a token for {} s", answer["expires_in"])),
    };
    (outcome, Some(Token(Zeroizing::new(token.to_owned()))))
}

/// Which key a token says that it is signed by.
fn kid(token: &str) -> Option<String> {
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next()?).ok()?;
    Some(
        serde_json::from_slice::<Value>(&header).ok()?["kid"]
            .as_str()?
            .to_owned(),
    )
}

fn absent() -> Trouble {
    Trouble::Unknown("there is no token".into())
}

/// That the sample API lets the token in.
pub(super) async fn whoami(calls: &Calls, token: Option<&Token>) -> Outcome {
    let token = token.ok_or_else(absent)?;
    let mut headers = HeaderMap::new();
    headers.insert(
        header::AUTHORIZATION,
        client::sensitive(&Zeroizing::new(format!("Bearer {}", *token.0)), "the token")?,
    );
    let answer = calls
        .send(&Method::GET, "/v1/whoami", headers, None)
        .await?;
    match answer.json() {
        Ok(_) => Ok("the sample API lets the token in".into()),
        Err(error) => Err(Trouble::Wrong(format!(
            "GET /v1/whoami with a token: {error}"
        ))),
    }
}

/// That a call which the token may not make is denied with a reason. Also what the access log must
/// know of it.
pub(super) async fn refused(
    calls: &Calls,
    token: Option<&Token>,
    marker: &str,
) -> (Outcome, Result<Denied, Trouble>) {
    let sent = (calls.clock)();
    let answer = async {
        let token = token.ok_or_else(absent)?;
        let headers = marked(&Zeroizing::new(format!("Bearer {}", *token.0)), marker)?;
        Ok(calls
            .send(
                &Method::PUT,
                &asking(FOR_STAFF, marker),
                headers,
                Some(&serde_json::json!({})),
            )
            .await?)
    };
    let answer: Answer = match answer.await {
        Ok(answer) => answer,
        Err(trouble) => return (Err(Trouble::clone(&trouble)), Err(trouble)),
    };
    let denied = routes::denied(&answer, sent, marker);
    let code = denied
        .as_ref()
        .ok()
        .and_then(|denied| denied.message_code.clone());
    let outcome = match code {
        Some(code) => Ok(format!("what the token may not do is 403 {code}")),
        None => Err(Trouble::Wrong(format!(
            "what the token may not do answers {} without a message_code",
            answer.status()
        ))),
    };
    (outcome, denied)
}
