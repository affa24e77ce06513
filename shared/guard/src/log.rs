//! One line for each refusal (docs/requirements.md, Refusing): reason, key, address, request id,
//! route. Never the token.

use domain::ids::ClientId;
use web::refusal::{self, Call, Outcome};

use crate::{
    decision::Decision,
    request::{Request, Route},
    routes::Routes,
};

/// Logs a decision that is not an allow. Refusals are the caller's business; what keeps us from
/// deciding is ours.
pub(crate) fn log_decision(
    decision: &Decision,
    client_id: Option<ClientId>,
    request: &Request,
    routes: &Routes,
) {
    let (outcome, reason) = match decision {
        Decision::Allow(context) => return refusal::note_client(context.client_id),
        Decision::Deny { reason, .. } => (Outcome::Denied, reason.message_code()),
        Decision::Unauthorized(why) => (Outcome::Unauthorized, why.name()),
        Decision::Unavailable(why) => (Outcome::Unavailable, why.name()),
    };
    let call = Call {
        source_ip: request.source_ip,
        source_ip_trust: request.source_ip_trust,
        request_id: request.id.as_deref(),
        route: Some(route(request, routes)),
    };
    refusal::log(outcome, reason, client_id, &call);
}

/// The route's template. A concrete path is the caller's text and may hold anything, so it stays
/// out unless it is one of ours.
fn route<'a>(request: &'a Request, routes: &'a Routes) -> &'a str {
    match &request.route {
        Route::Matched(route) => route,
        concrete @ Route::Concrete { .. } => {
            routes.rule(concrete).map_or("unlisted", |(name, _)| name)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use super::*;
    use crate::{
        decision::{DenyReason, KeyError, Unauthorized, Unavailable},
        testing::{
            person::{KEY, secret},
            world::{SANDBOX, World, claims, request},
        },
    };

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(line);
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(decision: &Decision, client_id: Option<ClientId>, request: &Request) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .flatten_event(true)
            .with_writer(move || writer.clone())
            .finish();
        let routes = World::new().settings.routes;
        tracing::subscriber::with_default(subscriber, || {
            log_decision(decision, client_id, request, &routes);
        });
        let bytes = lines.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_refusal_is_one_line_that_says_who_where_and_why() {
        let request = request("x").with_id(Some("7f1b2a3c".into()));
        let client_id = claims().client_id;
        let denied = Decision::Deny {
            reason: DenyReason::IpNotAllowed,
            client_id,
        };
        let line: serde_json::Value =
            serde_json::from_str(&logged(&denied, Some(client_id), &request)).unwrap();
        for (member, value) in [
            ("outcome", "denied"),
            ("reason", "ip_not_allowed"),
            ("client_id", &claims().client_id.to_string()),
            ("source_ip", "8.8.8.8"),
            ("request_id", "7f1b2a3c"),
            ("route", "GET /banks/{guid}"),
            ("level", "WARN"),
        ] {
            assert_eq!(line[member], value, "{member}");
        }
        assert!(
            logged(&Decision::Unavailable(Unavailable::Feed), None, &request)
                .contains("\"level\":\"ERROR\"")
        );
        assert_eq!(
            logged(&Decision::Allow((&claims()).into()), None, &request),
            "",
            "an allow is the access log's"
        );
    }

    #[test]
    fn leak_1_neither_the_token_nor_what_a_caller_put_into_its_path_is_logged() {
        let token = SANDBOX.token(&claims());
        let route = Route::Concrete {
            method: "GET".into(),
            path: format!("/secrets/{token}"),
        };
        let by_token = Request {
            route,
            ..request(&token)
        };
        let line = logged(
            &Decision::Unauthorized(Unauthorized::Token(jwt::VerificationError::Expired)),
            None,
            &by_token,
        );
        assert!(line.contains("token_expired") && line.contains("unlisted"));
        assert!(
            !line.contains(&token[..20]) && !line.contains("secrets"),
            "{line}"
        );

        let route = Route::Concrete {
            method: "GET".into(),
            path: format!("/{}", secret()),
        };
        let request = Request {
            route,
            ..request(&secret())
        };
        let refused = Decision::Unauthorized(Unauthorized::Key(KeyError::WrongSecret));
        let line = logged(&refused, Some(KEY), &request);
        assert!(line.contains("secret_wrong") && line.contains(&KEY.to_string()));
        assert!(!line.contains(&secret()[30..]), "{line}");
    }
}
