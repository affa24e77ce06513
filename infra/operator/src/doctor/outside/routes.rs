//! Every route of the published document, without a credential or with one that is none.

use client::Answer;
use http::{HeaderMap, Method};
use sam::template::ResponseType;
use serde_json::{Value, json};

use super::{
    super::{
        expected::Expected,
        report::{Check, Outcome, Several, Trouble},
    },
    Denied, asking,
    calls::Calls,
    marked, named,
};

pub(super) const GUARDED: Check = Check(
    "outside.guarded_routes",
    "Deploy the template again: each of these routes has an authorizer there, and UNAUTHORIZED its \
     body.",
);
pub(super) const PUBLIC: Check = Check(
    "outside.public_routes",
    "Deploy the template again, and read the function's log.",
);
pub(super) const METHODS: Check = Check(
    "outside.other_methods",
    "Deploy the template again: each path has an ANY without an authorizer, whose function answers \
     405 with Allow.",
);
pub(super) const UNMATCHED: Check = Check(
    "outside.unmatched_path",
    "Deploy the template again: MISSING_AUTHENTICATION_TOKEN has the status and body of a 404 \
     there.",
);
pub(super) const BROKEN_TOKEN: Check = Check(
    "outside.broken_token",
    "Deploy the template again. A 503 means that the authorizer cannot decide: read its log.",
);

/// A method of each kind that a path may lack.
const OTHERS: [Method; 5] = [
    Method::PUT,
    Method::DELETE,
    Method::PATCH,
    Method::POST,
    Method::GET,
];

/// A path with something in the place of its parameters that names nothing.
fn filled(path: &str) -> String {
    let part = |part: &str| {
        if part.starts_with('{') {
            "0".repeat(32)
        } else {
            part.to_owned()
        }
    };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

/// 401 with the one static body for whoever shows nothing (docs/requirements.md, Errors).
pub(super) async fn guarded(calls: &Calls, expected: &Expected) -> Outcome {
    let (mut several, mut count) = (Several::default(), 0);
    for operation in expected
        .operations
        .iter()
        .filter(|operation| operation.guarded)
    {
        let call = named(&operation.method, &operation.path);
        let body = has_body(&operation.method).then(|| json!({}));
        let answer = calls
            .send(
                &operation.method,
                &filled(&operation.path),
                HeaderMap::new(),
                body.as_ref(),
            )
            .await;
        let Some(answer) = several.take(answer.map_err(Trouble::from)) else {
            break;
        };
        calls.must_not_be_kept(&call, &answer);
        match require_unauthorized(&answer, expected) {
            Ok(()) => count += 1,
            Err(problem) => several.wrong(format!("{call} {problem}")),
        }
    }
    several.outcome(format!("{count} routes answer 401 without a credential"))
}

fn has_body(method: &Method) -> bool {
    [Method::POST, Method::PUT, Method::PATCH].contains(method)
}

fn require_unauthorized(answer: &Answer, expected: &Expected) -> Result<(), String> {
    if answer.status() != 401 {
        return Err(format!("answers {}, not 401", answer.status()));
    }
    if answer.body() != expected.body(ResponseType::Unauthorized).as_bytes() {
        return Err("answers 401 with another body than the template's".into());
    }
    let challenge = answer.header("www-authenticate").unwrap_or_default();
    if challenge.starts_with("Bearer") {
        Ok(())
    } else {
        Err("answers 401 without WWW-Authenticate: Bearer".into())
    }
}

/// 200 for what anybody may read; a refusal in RFC 6749's words for what asks for a credential in
/// its body.
pub(super) async fn public(calls: &Calls, expected: &Expected) -> Outcome {
    let (mut several, mut count) = (Several::default(), 0);
    for operation in expected
        .operations
        .iter()
        .filter(|operation| !operation.guarded)
    {
        let call = named(&operation.method, &operation.path);
        let body = has_body(&operation.method).then(|| json!({}));
        let answer = calls
            .send(
                &operation.method,
                &filled(&operation.path),
                HeaderMap::new(),
                body.as_ref(),
            )
            .await;
        let Some(answer) = several.take(answer.map_err(Trouble::from)) else {
            break;
        };
        let (status, named_file) = (answer.status(), operation.path.contains('{'));
        let said = || {
            answer
                .json()
                .err()
                .and_then(|error| error.response().map(|response| response.code.clone()))
        };
        let as_it_must = if body.is_some() {
            calls.must_not_be_kept(&call, &answer);
            matches!(status, 400 | 401) && said().is_some_and(|code| code != "unexplained")
        } else {
            status == 200 || (named_file && status == 404 && said().as_deref() == Some("not_found"))
        };
        if as_it_must {
            count += 1;
        } else {
            several.wrong(format!("{call} answers {status}"));
        }
    }
    several.outcome(format!("{count} public routes answer"))
}

/// 405 with what there is in `Allow` (RFC 9110 §15.5.6).
pub(super) async fn methods(calls: &Calls, expected: &Expected) -> Outcome {
    let (mut several, mut count) = (Several::default(), 0);
    for (path, methods) in expected.paths() {
        let Some(other) = OTHERS.iter().find(|other| !methods.contains(other)) else {
            continue;
        };
        let call = named(other, path);
        let answer = calls
            .send(other, &filled(path), HeaderMap::new(), None)
            .await;
        let Some(answer) = several.take(answer.map_err(Trouble::from)) else {
            break;
        };
        let allowed: Vec<&str> = answer
            .header("allow")
            .unwrap_or_default()
            .split(',')
            .map(str::trim)
            .collect();
        if answer.status() != 405 {
            several.wrong(format!("{call} answers {}, not 405", answer.status()));
        } else if let Some(missing) = methods
            .iter()
            .find(|method| !allowed.contains(&method.as_str()))
        {
            several.wrong(format!("{call} answers 405 without {missing} in Allow"));
        } else {
            count += 1;
        }
    }
    several.outcome(format!("{count} paths answer another method with 405"))
}

/// API Gateway's 403 for a path that is none, made a 404.
pub(super) async fn unmatched(calls: &Calls, expected: &Expected) -> Outcome {
    let path = "/latchkey-doctor/there-is-no-such-path";
    let answer = calls.get(path).await?;
    calls.must_not_be_kept(&named(&Method::GET, path), &answer);
    if answer.status() != 404 {
        return Err(Trouble::Wrong(format!(
            "GET {path} answers {}, not 404",
            answer.status()
        )));
    }
    if answer.body()
        != expected
            .body(ResponseType::MissingAuthenticationToken)
            .as_bytes()
    {
        return Err(Trouble::Wrong(format!(
            "GET {path} answers 404 with another body than the template's"
        )));
    }
    Ok("a path that is none is 404".into())
}

/// The same 401 for a credential that is none. It has the form of a secret, which no log may keep.
pub(super) async fn broken_token(
    calls: &Calls,
    expected: &Expected,
    marker: &str,
    brand: Option<&str>,
) -> (Outcome, Result<Denied, Trouble>) {
    let path = "/api/keys";
    let credential = format!("{}_test_{marker:0>71}", brand.unwrap_or("lk"));
    let sent = (calls.clock)();
    let answer = async {
        Ok(calls
            .send(
                &Method::GET,
                &asking(path, marker),
                marked(&format!("Bearer {credential}"), marker)?,
                None,
            )
            .await?)
    };
    let answer: Answer = match answer.await {
        Ok(answer) => answer,
        Err(trouble) => return (Err(Trouble::clone(&trouble)), Err(trouble)),
    };
    calls.must_not_be_kept(&named(&Method::GET, path), &answer);
    let outcome = require_unauthorized(&answer, expected)
        .map(|()| "a credential that is none is 401".to_owned());
    let outcome = outcome.map_err(|problem| {
        Trouble::Wrong(format!(
            "GET {path} with a credential that is none {problem}"
        ))
    });
    (outcome, denied(&answer, sent, marker))
}

/// What the access log must know of an answer.
pub(super) fn denied(
    answer: &Answer,
    sent: domain::time::Timestamp,
    marker: &str,
) -> Result<Denied, Trouble> {
    let Some(request_id) = answer.header("x-amzn-requestid") else {
        return Err(Trouble::Unknown(
            "the answer has no x-amzn-RequestId: is this API Gateway?".into(),
        ));
    };
    let body: Option<Value> = serde_json::from_slice(answer.body()).ok();
    let code = body.as_ref().and_then(|body| body["message_code"].as_str());
    // The 401's is the gateway response's own; what an authorizer that throws knew is in its own
    // log.
    let message_code = code.filter(|_| answer.status() == 403).map(str::to_owned);
    Ok(Denied {
        request_id: request_id.to_owned(),
        sent,
        status: answer.status(),
        marker: marker.to_owned(),
        message_code,
    })
}
