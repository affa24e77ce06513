//! The parameters of a request at an OAuth endpoint: a form or a JSON object, and HTTP Basic (RFC
//! 6749 §2.3.1, §3.2; CYB-10).

use std::{collections::BTreeMap, fmt};

use axum::{
    body::Body,
    http::{HeaderMap, header},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use domain::error::{Error, Kind};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::Value;
use web::extract;

/// What a client sent. No `Debug`: a secret is among it.
#[derive(Default)]
pub(crate) struct Parameters {
    pub(crate) grant_type: Option<String>,
    pub(crate) client_id: Option<String>,
    pub(crate) client_secret: Option<String>,
    pub(crate) scope: Option<String>,
    /// What is to be introspected or revoked. `token_type_hint` beside it is one of the unknown:
    /// there is one type of token.
    pub(crate) token: Option<String>,
}

/// The parameters that are known.
const NAMES: [&str; 5] = ["grant_type", "client_id", "client_secret", "scope", "token"];

impl Parameters {
    /// Reads body and headers. Unknown parameters are ignored, repeated ones refused, empty ones
    /// count as left out (RFC 6749 §3.2).
    pub(crate) async fn read(headers: &HeaderMap, body: Body) -> Result<Self, Error> {
        let pairs = match extract::media_type(headers).as_str() {
            "application/x-www-form-urlencoded" => form(&extract::bytes(body).await?)?,
            "application/json" => extract::parse_json::<Members>(&extract::bytes(body).await?)?.0,
            _ => {
                let message =
                    "Send the body as application/x-www-form-urlencoded or application/json";
                return Err(Error::new(Kind::UnsupportedMediaType, message));
            }
        };
        let mut parameters = Self::from_pairs(pairs)?;
        if let Some((client_id, client_secret)) = basic(headers)? {
            if parameters.client_secret.is_some() {
                return Err(malformed(
                    "Authenticate by HTTP Basic or by client_secret, not by both (RFC 6749 §2.3)",
                ));
            }
            if parameters
                .client_id
                .as_ref()
                .is_some_and(|other| *other != client_id)
            {
                return Err(malformed("client_id differs from the one of HTTP Basic"));
            }
            parameters.client_id = Some(client_id);
            parameters.client_secret = Some(client_secret);
        }
        Ok(parameters)
    }

    fn from_pairs(pairs: Vec<(String, Value)>) -> Result<Self, Error> {
        let mut known = BTreeMap::from(NAMES.map(|name| (name, None)));
        let mut seen = std::collections::BTreeSet::new();
        for (name, value) in pairs {
            if let Some(known) = known.get_mut(name.as_str()) {
                *known = match value {
                    Value::String(text) if text.is_empty() => None,
                    Value::String(text) => Some(text),
                    Value::Null => None,
                    _ => return Err(malformed(format!("{name} must be a string"))),
                };
            }
            if !seen.insert(name) {
                return Err(malformed("A parameter stands twice (RFC 6749 §3.2)"));
            }
        }
        let mut take = |name| known.remove(name).flatten();
        Ok(Self {
            grant_type: take("grant_type"),
            client_id: take("client_id"),
            client_secret: take("client_secret"),
            scope: take("scope"),
            token: take("token"),
        })
    }

    /// What is to be introspected or revoked (RFC 7662 §2.1, RFC 7009 §2.1).
    pub(crate) fn require_token(&self) -> Result<&str, Error> {
        self.token
            .as_deref()
            .ok_or_else(|| malformed("token is missing"))
    }

    /// Refuses any other grant.
    pub(crate) fn require_client_credentials(&self) -> Result<(), Error> {
        match self.grant_type.as_deref() {
            Some("client_credentials") => Ok(()),
            Some(_) => Err(Error::new(
                Kind::UnsupportedGrantType,
                "The one grant_type here is client_credentials",
            )),
            None => Err(malformed("grant_type is missing; send client_credentials")),
        }
    }
}

pub(crate) fn malformed(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(Kind::MalformedRequest, message)
}

fn form(body: &[u8]) -> Result<Vec<(String, Value)>, Error> {
    let pairs: Vec<(String, String)> = serde_urlencoded::from_bytes(body)
        .map_err(|_| malformed("The body is not form-encoded"))?;
    Ok(pairs
        .into_iter()
        .map(|(name, value)| (name, Value::String(value)))
        .collect())
}

/// HTTP Basic, each half form-encoded (RFC 6749 §2.3.1). Another scheme says nothing here and is
/// passed over.
fn basic(headers: &HeaderMap) -> Result<Option<(String, String)>, Error> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(malformed("The Authorization header stands twice"));
    }
    let unreadable = || {
        malformed("The Authorization header is not HTTP Basic of a client_id and a client_secret")
    };
    let Some((scheme, credentials)) = value.to_str().map_err(|_| unreadable())?.split_once(' ')
    else {
        return Ok(None);
    };
    if !scheme.eq_ignore_ascii_case("basic") {
        return Ok(None);
    }
    let decoded = STANDARD
        .decode(credentials.trim())
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(unreadable)?;
    let (client_id, secret) = decoded.split_once(':').ok_or_else(unreadable)?;
    let decode = |text: &str| -> Result<String, Error> {
        let pairs: Vec<(String, String)> =
            serde_urlencoded::from_str(&format!("v={}", text.replace('&', "%26")))
                .map_err(|_| unreadable())?;
        pairs
            .into_iter()
            .next()
            .map(|(_, value)| value)
            .ok_or_else(unreadable)
    };
    Ok(Some((decode(client_id)?, decode(secret)?)))
}

/// A JSON object with its members as they stand, repeated ones included: a map would keep the last
/// and hide the others.
struct Members(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}
