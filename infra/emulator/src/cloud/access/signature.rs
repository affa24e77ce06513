//! Signature version 4: whoever signs has the access key's secret, so that naming somebody's key
//! does not borrow his identity.
//!
//! Differs from AWS: a signature never becomes too old, and only requests without a query are
//! understood, which is all that the clients of these services send.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

use std::fmt::Write as _;

use aws_lc_rs::hmac;
use http::{HeaderMap, header};
use sha2::{Digest, Sha256};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// What the `Authorization` header says.
pub(super) struct Authorization<'a> {
    /// The access key's id.
    pub(super) key_id: &'a str,
    /// What follows the id: date, region, service and an end.
    scope: &'a str,
    signed_headers: &'a str,
    signature: &'a str,
}

/// The parts of a request that are signed.
#[derive(Clone, Copy)]
pub(in super::super) struct Signed<'a> {
    pub(in super::super) method: &'a str,
    pub(in super::super) path: &'a str,
    pub(in super::super) headers: &'a HeaderMap,
    pub(in super::super) body: &'a [u8],
}

impl<'a> Authorization<'a> {
    pub(super) fn of(headers: &'a HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return None;
        };
        let members = value.to_str().ok()?.strip_prefix(ALGORITHM)?;
        let member = |name: &str| {
            let mut members = members
                .split(',')
                .filter_map(|member| member.trim().strip_prefix(name)?.strip_prefix('='));
            members.next()
        };
        let (key_id, scope) = member("Credential")?.split_once('/')?;
        // Without the rest nothing holds.
        let (signed_headers, signature) = (
            member("SignedHeaders").unwrap_or_default(),
            member("Signature").unwrap_or_default(),
        );
        (!key_id.is_empty()).then_some(Self {
            key_id,
            scope,
            signed_headers,
            signature,
        })
    }

    /// Whether this secret signed this request.
    pub(super) fn holds(&self, secret: &str, request: Signed<'_>) -> bool {
        self.verify(secret, request).is_some()
    }

    fn verify(&self, secret: &str, request: Signed<'_>) -> Option<()> {
        let at = request.headers.get("x-amz-date")?.to_str().ok()?;
        let [date, region, service, "aws4_request"] = self.scope.split('/').collect::<Vec<_>>()[..]
        else {
            return None;
        };
        if !at.starts_with(date) || !self.signed_headers.split(';').any(|name| name == "host") {
            return None;
        }
        let text = format!(
            "{ALGORITHM}\n{at}\n{}\n{}",
            self.scope,
            hash(self.canonical(request)?.as_bytes())
        );
        let mut key = mac(format!("AWS4{secret}").as_bytes(), date);
        for part in [region, service, "aws4_request"] {
            key = mac(key.as_ref(), part);
        }
        let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_ref());
        hmac::verify(&key, text.as_bytes(), &bytes(self.signature)?).ok()
    }

    fn canonical(&self, request: Signed<'_>) -> Option<String> {
        let mut canonical = format!("{}\n{}\n\n", request.method, request.path);
        for name in self.signed_headers.split(';') {
            let values = request
                .headers
                .get_all(name)
                .iter()
                .map(|value| value.to_str().ok());
            let values: Vec<&str> = values.collect::<Option<_>>()?;
            let words = values
                .iter()
                .map(|value| value.split_whitespace().collect::<Vec<_>>().join(" "));
            writeln!(canonical, "{name}:{}", words.collect::<Vec<_>>().join(",")).ok()?;
        }
        write!(
            canonical,
            "\n{}\n{}",
            self.signed_headers,
            hash(request.body)
        )
        .ok()?;
        Some(canonical)
    }
}

fn mac(key: &[u8], text: &str) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes())
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digits = hex.as_bytes().chunks(2);
    digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

    fn headers(signature: &str) -> HeaderMap {
        let credential = "Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request";
        let authorization = format!(
            "{ALGORITHM} {credential}, SignedHeaders=host;x-amz-date, Signature={signature}"
        );
        let mut headers = HeaderMap::new();
        headers.insert("host", "example.amazonaws.com".parse().unwrap());
        headers.insert("x-amz-date", "20150830T123600Z".parse().unwrap());
        headers.insert("authorization", authorization.parse().unwrap());
        headers
    }

    fn holds(secret: &str, method: &str, path: &str, headers: &HeaderMap, body: &[u8]) -> bool {
        Authorization::of(headers).unwrap().holds(
            secret,
            Signed {
                method,
                path,
                headers,
                body,
            },
        )
    }

    /// The requests `get-vanilla` and `post-vanilla` of AWS's own test suite.
    #[test]
    fn aws_s_own_examples_hold_and_nothing_in_them_can_be_changed() {
        let get = headers("5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
        let post = headers("5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b");
        assert!(holds(SECRET, "GET", "/", &get, b"") && holds(SECRET, "POST", "/", &post, b""));
        assert!(!holds(SECRET, "POST", "/", &get, b"") && !holds(SECRET, "GET", "/x", &get, b""));
        assert!(!holds(SECRET, "GET", "/", &get, b"x") && !holds("other", "GET", "/", &get, b""));
        for (name, value) in [
            ("host", "example.com"),
            ("x-amz-date", "20150830T123601Z"),
            ("x-amz-date", "20150831T123600Z"),
        ] {
            let mut changed = get.clone();
            changed.insert(name, value.parse().unwrap());
            assert!(!holds(SECRET, "GET", "/", &changed, b""), "{name}");
        }
        assert!(
            !holds(SECRET, "GET", "/", &headers("5f"), b"")
                && !holds(SECRET, "GET", "/", &headers("zz"), b"")
        );
    }

    #[test]
    fn what_names_no_key_or_two_is_nobody_s() {
        for authorization in [
            "",
            "Bearer x",
            "AWS4-HMAC-SHA256 Credential=a",
            "AWS4-HMAC-SHA256 Credential=/b/c",
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("authorization", authorization.parse().unwrap());
            assert!(Authorization::of(&headers).is_none(), "{authorization}");
        }
        let mut unsigned = HeaderMap::new();
        unsigned.insert(
            "authorization",
            "AWS4-HMAC-SHA256 Credential=a/20150830/us-east-1/service/aws4_request"
                .parse()
                .unwrap(),
        );
        assert!(!holds(SECRET, "GET", "/", &unsigned, b""));
        let mut twice = headers("aa");
        twice.append("authorization", "AWS4-HMAC-SHA256 x".parse().unwrap());
        assert!(Authorization::of(&twice).is_none());
    }
}
