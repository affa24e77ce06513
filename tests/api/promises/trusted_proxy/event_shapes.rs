//! The events of each API Gateway shape, answered by the authorizer as a deployment sets it up.

use authorizer::Authorizer;
use runtime::Env;

use super::*;

struct Shapes {
    behind: Behind,
    authorizer: Authorizer,
    token: String,
}

impl Shapes {
    async fn new() -> Self {
        let shipped = r#"{"GET /v1/whoami": []}"#;
        assert_eq!(TEMPLATE.matches(shipped).count(), 1);
        let template = TEMPLATE.replace(shipped, r#"{"GET /v1/whoami": [], "$connect": []}"#);
        let behind = Behind::with(&template, Some(&json!({"current": proof()}))).await;
        let services = behind.platform.stack.services();
        let variables = services.description().functions["SampleAuthorizerFunction"]
            .environment
            .clone();
        let authorizer = authorizer::start(&Env::from_map(variables), services.ambient())
            .await
            .unwrap();
        let (_, token) = behind.listed_key().await;
        Self {
            behind,
            authorizer,
            token,
        }
    }

    /// Whether the event is allowed, or the code with which it is denied.
    async fn answer(&self, event: Value) -> Result<bool, String> {
        let answer = authorizer::handle(&self.authorizer, event)
            .await
            .map_err(|refused| refused.to_string())?;
        let allowed = answer["isAuthorized"] == true
            || answer["policyDocument"]["Statement"][0]["Effect"] == "Allow";
        if allowed {
            Ok(true)
        } else {
            Err(answer["context"]["message_code"]
                .as_str()
                .unwrap()
                .to_owned())
        }
    }

    /// An event of this shape from an edge, with these headers beside the token's. Shapes with
    /// multi-value headers have them too.
    fn event(&self, shape: &str, headers: &[(&str, &str)]) -> Value {
        let file = format!(
            "{}/../infra/events/{shape}.json",
            env!("CARGO_MANIFEST_DIR")
        );
        let text = std::fs::read_to_string(file)
            .unwrap()
            .replace("Bearer TOKEN", &format!("Bearer {}", self.token));
        let mut event: Value = serde_json::from_str(&text).unwrap();
        for (name, value) in headers {
            event["headers"][name] = json!(value);
            if !event["multiValueHeaders"].is_null() {
                event["multiValueHeaders"][name] = json!([value]);
            }
        }
        for place in [
            "/requestContext/identity/sourceIp",
            "/requestContext/http/sourceIp",
        ] {
            if let Some(address) = event.pointer_mut(place) {
                *address = json!(EDGE);
            }
        }
        event
    }
}

const SHAPES: [&str; 3] = ["rest-request", "http-api", "websocket-connect"];

#[tokio::test]
async fn the_proxys_word_counts_in_every_shape_that_has_headers() {
    let shapes = Shapes::new().await;
    let good = proof();
    let (proven, not_listed) = (
        (PROOF_HEADER, good.as_str()),
        Err("ip_not_allowed".to_owned()),
    );
    let nobody = Err("ip_unknown".to_owned());
    for shape in SHAPES {
        let answer =
            async |headers: &[(&str, &str)]| shapes.answer(shapes.event(shape, headers)).await;
        assert_eq!(
            answer(&[proven, (ADDRESS_HEADER, LISTED)]).await,
            Ok(true),
            "{shape}"
        );
        assert_eq!(
            answer(&[
                ("x-latchkey-PROXY", &good),
                ("cloudfront-viewer-address", LISTED)
            ])
            .await,
            Ok(true),
            "{shape}"
        );
        assert_eq!(
            answer(&[proven, (ADDRESS_HEADER, UNLISTED)]).await,
            not_listed,
            "{shape}"
        );
        assert_eq!(
            answer(&[(ADDRESS_HEADER, LISTED)]).await,
            not_listed,
            "{shape}: without a proof the edge is the caller"
        );
        assert_eq!(
            answer(&[("X-Forwarded-For", ALLOWED)]).await,
            not_listed,
            "{shape}"
        );
        assert_eq!(answer(&[proven]).await, nobody, "{shape}");
        assert_eq!(
            answer(&[proven, (ADDRESS_HEADER, ALLOWED)]).await,
            nobody,
            "{shape}: no port"
        );
        assert_eq!(
            answer(&[(PROOF_HEADER, "wrong"), (ADDRESS_HEADER, LISTED)]).await,
            nobody,
            "{shape}"
        );
        // Two spellings are two headers.
        let twice = [
            proven,
            ("x-latchkey-proxy", &good),
            (ADDRESS_HEADER, LISTED),
        ];
        assert_eq!(answer(&twice).await, nobody, "{shape}");
        let twice = [
            proven,
            (ADDRESS_HEADER, LISTED),
            ("cloudfront-viewer-address", LISTED),
        ];
        assert_eq!(answer(&twice).await, nobody, "{shape}");
    }
}

#[tokio::test]
async fn the_two_maps_of_headers_must_agree() {
    let shapes = Shapes::new().await;
    let good = proof();
    for shape in ["rest-request", "websocket-connect"] {
        let agreed = shapes.event(shape, &[(PROOF_HEADER, &good), (ADDRESS_HEADER, LISTED)]);
        assert_eq!(shapes.answer(agreed.clone()).await, Ok(true), "{shape}");
        for (pointer, value) in [
            ("/headers", PROOF_HEADER),
            ("/multiValueHeaders", PROOF_HEADER),
            ("/headers", ADDRESS_HEADER),
            ("/multiValueHeaders", ADDRESS_HEADER),
        ] {
            let mut missing = agreed.clone();
            missing
                .pointer_mut(pointer)
                .unwrap()
                .as_object_mut()
                .unwrap()
                .remove(value);
            assert_eq!(
                shapes.answer(missing).await,
                Err("ip_unknown".into()),
                "{shape}: no {value} in {pointer}"
            );
            let mut differing = agreed.clone();
            differing[&pointer[1..]][value] = if pointer == "/headers" {
                json!("x")
            } else {
                json!(["x"])
            };
            assert_eq!(
                shapes.answer(differing).await,
                Err("ip_unknown".into()),
                "{shape}: another {value} in {pointer}"
            );
        }
        let mut repeated = agreed.clone();
        repeated["multiValueHeaders"][PROOF_HEADER] = json!([good, good]);
        assert_eq!(
            shapes.answer(repeated).await,
            Err("ip_unknown".into()),
            "{shape}"
        );
    }
    // HTTP APIs join them by commas.
    let joined = shapes.event(
        "http-api",
        &[
            (PROOF_HEADER, &format!("{good},{good}")),
            (ADDRESS_HEADER, LISTED),
        ],
    );
    assert_eq!(shapes.answer(joined).await, Err("ip_unknown".into()));
    let joined = shapes.event(
        "http-api",
        &[
            (PROOF_HEADER, &good),
            (ADDRESS_HEADER, &format!("{LISTED},{LISTED}")),
        ],
    );
    assert_eq!(shapes.answer(joined).await, Err("ip_unknown".into()));
}

/// TOKEN events carry neither headers nor an address, behind a proxy as anywhere.
#[tokio::test]
async fn a_token_event_has_no_address() {
    let shapes = Shapes::new().await;
    let mut event = shapes.event("rest-token", &[]);
    event["headers"] = json!({PROOF_HEADER: proof(), ADDRESS_HEADER: LISTED});
    assert_eq!(shapes.answer(event).await, Err("ip_unknown".into()));
    assert_eq!(
        shapes.behind.platform.anonymous().get(WHOAMI).await.status,
        401
    );
}
