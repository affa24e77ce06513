//! The `Idempotency-Key` of a create: a retried request makes nothing twice.

use domain::{
    audit::sha256,
    error::{Error, Kind},
};
use http::{HeaderMap, Method};

/// How long a key holds, in hours.
pub const HOURS: u64 = 24;

const NAME: &str = "idempotency-key";

/// The header's value, where it was sent.
///
/// # Errors
/// [`Kind::MalformedRequest`] when it stands twice or is not of 1 to 255 visible ASCII characters.
pub fn key(headers: &HeaderMap) -> Result<Option<&str>, Error> {
    let mut values = headers.get_all(NAME).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let visible = value.to_str().ok().filter(|text| {
        (1..=255).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
    });
    match (visible, values.next()) {
        (Some(text), None) => Ok(Some(text)),
        _ => Err(Error::new(
            Kind::MalformedRequest,
            "Idempotency-Key must stand once and have 1 to 255 visible ASCII characters",
        )),
    }
}

/// What tells one request from another: SHA-256, in hex, over method, path and body. The body
/// itself is not kept.
#[must_use]
pub fn fingerprint(method: &Method, path: &str, body: &[u8]) -> String {
    sha256(&[
        method.as_str().as_bytes(),
        b" ",
        path.as_bytes(),
        b"\n",
        body,
    ])
    .to_string()
}

/// The refusal of a key that came with another request before.
#[must_use]
pub fn reused() -> Error {
    let message = "This Idempotency-Key was sent with another request within 24 hours: send each \
                   create under a key of its own";
    Error::new(Kind::IdempotencyKeyReused, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x_8_the_key_is_read_strictly() {
        let read = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(NAME, http::HeaderValue::from_str(value).unwrap());
            }
            key(&headers)
                .map(|key| key.map(str::to_owned))
                .map_err(|error| error.kind)
        };
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(
            read(&["8e03978e-40d5-43e8-bc93-6894a57f9324"]),
            Ok(Some("8e03978e-40d5-43e8-bc93-6894a57f9324".into()))
        );
        for values in [&["a", "a"][..], &[""], &["a b"], &[&"x".repeat(256)]] {
            assert_eq!(read(values), Err(Kind::MalformedRequest), "{values:?}");
        }
    }

    #[test]
    fn method_path_and_every_byte_of_the_body_tell_requests_apart() {
        let one = fingerprint(&Method::POST, "/api/banks", b"{}");
        assert_eq!(one.len(), 64);
        assert_eq!(one, fingerprint(&Method::POST, "/api/banks", b"{}"));
        assert_ne!(one, fingerprint(&Method::POST, "/api/banks", b"{} "));
        assert_ne!(one, fingerprint(&Method::POST, "/api/users", b"{}"));
    }
}
