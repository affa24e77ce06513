//! Strict readers of bodies, queries and paths. Whatever they refuse is refused before anything is
//! looked up or changed.

use axum::{
    body::{Body, to_bytes},
    extract::{FromRequestParts, Path},
};
use domain::{
    error::{Error, FieldError, Kind},
    ids::ClientId,
};
use http::{HeaderMap, header, request::Parts};
use serde::{
    Deserialize, Serialize,
    de::{DeserializeOwned, IgnoredAny, IntoDeserializer},
};
use serde_json::error::Category;
use utoipa::ToSchema;

use crate::dialect::Management;

/// Bytes that a body may have (docs/requirements.md, Errors).
pub const MAX_BODY: usize = 64 * 1024;

/// The body's bytes.
///
/// # Errors
/// [`Kind::PayloadTooLarge`] above 64 KiB.
pub async fn bytes(body: Body) -> Result<Vec<u8>, Error> {
    let too_large = |_| Error::new(Kind::PayloadTooLarge, "The body is larger than 65536 bytes");
    to_bytes(body, MAX_BODY)
        .await
        .map(|bytes| bytes.to_vec())
        .map_err(too_large)
}

/// The media type of the body, without parameters, in lower case; empty when the header is absent.
#[must_use]
pub fn media_type(headers: &HeaderMap) -> String {
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    value
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase()
}

/// Reads a JSON body of the management API, unknown members refused by `T`'s `deny_unknown_fields`.
///
/// # Errors
/// [`Kind::UnsupportedMediaType`], [`Kind::PayloadTooLarge`], [`Kind::MalformedRequest`] for what
/// is no JSON, [`Kind::InvalidParameter`] for a member that is unknown, missing, repeated or of the
/// wrong type.
pub async fn json<T: DeserializeOwned>(headers: &HeaderMap, body: Body) -> Result<T, Error> {
    Ok(json_and_bytes(headers, body).await?.0)
}

/// Reads a JSON body as [`json`] does, and gives its bytes too: what an `Idempotency-Key` stands
/// for.
///
/// # Errors
/// As [`json`].
pub async fn json_and_bytes<T: DeserializeOwned>(
    headers: &HeaderMap,
    body: Body,
) -> Result<(T, Vec<u8>), Error> {
    require_json(headers)?;
    let bytes = bytes(body).await?;
    Ok((parse_json(&bytes)?, bytes))
}

fn require_json(headers: &HeaderMap) -> Result<(), Error> {
    if media_type(headers) == "application/json" {
        Ok(())
    } else {
        Err(Error::new(
            Kind::UnsupportedMediaType,
            "Send the body as JSON with Content-Type: application/json",
        ))
    }
}

/// U+FFFD in UTF-8, which is what API Gateway makes of every byte of a body that is no text.
const SPOILED: &[u8] = "\u{fffd}".as_bytes();

/// Reads a body that may be left out: nothing at all and `null` are `T`'s default.
///
/// # Errors
/// As [`json`].
pub async fn optional_json<T: DeserializeOwned + Default>(
    headers: &HeaderMap,
    body: Body,
) -> Result<T, Error> {
    let bytes = bytes(body).await?;
    if bytes.is_empty() {
        return Ok(T::default());
    }
    require_json(headers)?;
    if bytes.trim_ascii() == b"null" {
        Ok(T::default())
    } else {
        parse_json(&bytes)
    }
}

/// Reads a JSON object, as [`json`] does.
///
/// # Errors
/// As [`json`], without those of header and size.
pub fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    if bytes.windows(SPOILED.len()).any(|part| part == SPOILED) {
        return Err(Error::new(
            Kind::MalformedRequest,
            "The body is not UTF-8; write U+FFFD as an escape if it is meant",
        ));
    }
    // serde would read an array as the members in the order of their declaration.
    if !bytes.trim_ascii_start().starts_with(b"{") {
        serde_json::from_slice::<IgnoredAny>(bytes).map_err(|error| malformed(&error))?;
        return Err(Error::field("body", "must be an object"));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value: T = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        match inner.classify() {
            Category::Data => member_error(&path, &inner.to_string()),
            _ => malformed(&inner),
        }
    })?;
    reader.end().map_err(|error| malformed(&error))?;
    Ok(value)
}

fn malformed(error: &serde_json::Error) -> Error {
    Error::new(
        Kind::MalformedRequest,
        format!(
            "The body is not JSON: line {}, column {}",
            error.line(),
            error.column()
        ),
    )
}

/// serde's words, without the position and without any text of the request but the member's name.
fn member_error(path: &str, message: &str) -> Error {
    let named = message.split('`').nth(1).unwrap_or_default();
    let within = within(path, named);
    let (field, reason) = if message.starts_with("unknown field") {
        (within, "is not a member that this takes".to_owned())
    } else if message.starts_with("missing field") {
        (within, "is required".to_owned())
    } else if message.starts_with("duplicate field") {
        (within, "stands twice".to_owned())
    } else if let Some((_, expected)) = message.split_once("expected ") {
        // serde's word for what JSON calls an array.
        let expected = without_position(expected).replace("a sequence", "an array");
        (path.to_owned(), format!("must be {expected}"))
    } else {
        (path.to_owned(), without_position(message).to_owned())
    };
    let field = if field.is_empty() || field == "." {
        "body"
    } else {
        &field
    };
    Error::field(field.chars().take(128).collect::<String>(), reason)
}

/// The path of a member of the object at `path`, which may name the member already.
fn within(path: &str, member: &str) -> String {
    let object = path
        .strip_suffix(member)
        .unwrap_or(path)
        .trim_end_matches(['.', '?']);
    if object.is_empty() {
        member.to_owned()
    } else {
        format!("{object}.{member}")
    }
}

fn without_position(message: &str) -> &str {
    message
        .rsplit_once(" at line ")
        .map_or(message, |(text, _)| text)
}

/// Reads a query string; unknown and repeated parameters are refused.
///
/// # Errors
/// [`Kind::InvalidParameter`].
pub fn query<T: DeserializeOwned>(query: Option<&str>) -> Result<T, Error> {
    serde_urlencoded::from_str(query.unwrap_or_default()).map_err(|error| {
        let message = error.to_string();
        let named = message.split('`').nth(1);
        Error::fields(vec![FieldError {
            field: named.unwrap_or("query").chars().take(128).collect(),
            reason: match named {
                Some(_) if message.starts_with("unknown field") => {
                    "is not a parameter that this takes".into()
                }
                Some(_) if message.starts_with("duplicate field") => "stands twice".into(),
                _ => format!(
                    "cannot be read: {}",
                    message.chars().take(200).collect::<String>()
                ),
            },
        }])
    })
}

/// The key that a path names, in either spelling; what names none is the same 404 as a key that
/// does not exist.
///
/// # Errors
/// [`Kind::NotFound`].
pub fn client_id(text: &str) -> Result<ClientId, Error> {
    ClientId::parse_either(text).map_err(|_| Error::not_found())
}

/// The variable of a path. One that is no text, once decoded, names nothing: the same 404 as what
/// does not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Id(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Management;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Management> {
        let Path(text) = Path::from_request_parts(parts, state)
            .await
            .map_err(|_| Management(Error::not_found()))?;
        Ok(Self(text))
    }
}

/// Which page of a bounded list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// From 0.
    pub page: usize,
    /// 1 to 100; default 10.
    pub per_page: usize,
}

impl Page {
    /// From the parameters of a query, both optional.
    ///
    /// # Errors
    /// [`Kind::InvalidParameter`].
    pub fn parse(page: Option<&str>, per_page: Option<&str>) -> Result<Self, Error> {
        let number = |name: &str,
                      text: Option<&str>,
                      default: usize,
                      range: std::ops::RangeInclusive<usize>| match text {
            None => Ok(default),
            Some(text) => match text.parse() {
                Ok(number)
                    if range.contains(&number)
                        && text.bytes().all(|byte| byte.is_ascii_digit()) =>
                {
                    Ok(number)
                }
                _ => Err(Error::field(
                    name,
                    format!(
                        "must be a whole number from {} to {}",
                        range.start(),
                        range.end()
                    ),
                )),
            },
        };
        Ok(Self {
            page: number("page", page, 0, 0..=1_000_000)?,
            per_page: number("per_page", per_page, 10, 1..=100)?,
        })
    }

    /// The part of `all` that stands on this page.
    #[must_use]
    pub fn cut<'a, T>(&self, all: &'a [T]) -> &'a [T] {
        let start = self.page.saturating_mul(self.per_page).min(all.len());
        &all[start..(start + self.per_page).min(all.len())]
    }

    /// The list's envelope.
    #[must_use]
    pub const fn envelope<T>(self, total: usize, objects: Vec<T>) -> List<T> {
        List {
            total,
            page: self.page,
            per_page: self.per_page,
            objects,
        }
    }
}

/// A bounded list.
// docs/requirements.md, Lists. The line above is published, so the citation is not part of it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct List<T> {
    /// How many there are on all pages; exact.
    pub total: usize,
    /// From 0.
    pub page: usize,
    /// 1 to 100.
    pub per_page: usize,
    /// This page's.
    pub objects: Vec<T>,
}

/// For a member that may be left out but not be `null`: `Option<T>` with
/// `#[serde(default, deserialize_with = "extract::not_null")]`. A `null` could mean "leave" or
/// "clear", so it is refused.
///
/// # Errors
/// What `T` refuses.
pub fn not_null<'de, T: Deserialize<'de>, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// For a member that may be left out, and whose `null` means something else than leaving it out:
/// `Option<Option<T>>` with `#[serde(default, deserialize_with = "extract::nullable")]`.
///
/// # Errors
/// What `T` refuses.
pub fn nullable<'de, T: Deserialize<'de>, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// For a member that is one of a few words: `#[serde(deserialize_with = "extract::word")]`. Where
/// an enum is expected, `serde_json` takes a number or a list for a fault of syntax.
///
/// # Errors
/// What is no string, and what `T` refuses.
pub fn word<'de, T: Deserialize<'de>, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    T::deserialize(String::deserialize(deserializer)?.into_deserializer())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "read by serde alone")]
    struct Body {
        name: String,
        list: Option<Vec<String>>,
        owner: Option<Owner>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "read by serde alone")]
    struct Owner {
        guid: String,
    }

    #[test]
    fn a_refused_member_is_named() {
        for (body, kind, field, words) in [
            ("{", Kind::MalformedRequest, "", "line 1"),
            (r#"{"name":"a"} x"#, Kind::MalformedRequest, "", "not JSON"),
            ("", Kind::MalformedRequest, "", "not JSON"),
            (
                r#"{"name":"a","colour":1}"#,
                Kind::InvalidParameter,
                "colour",
                "not a member",
            ),
            ("{}", Kind::InvalidParameter, "name", "is required"),
            (
                r#"{"name":"a","name":"b"}"#,
                Kind::InvalidParameter,
                "name",
                "twice",
            ),
            (
                r#"{"name":7}"#,
                Kind::InvalidParameter,
                "name",
                "must be a string",
            ),
            (
                r#"{"name":"a","list":["b",7]}"#,
                Kind::InvalidParameter,
                "list[1]",
                "must be a string",
            ),
            (
                r#"{"name":"a","list":7}"#,
                Kind::InvalidParameter,
                "list",
                "must be an array",
            ),
            (
                r#"{"name":"a","owner":{}}"#,
                Kind::InvalidParameter,
                "owner.guid",
                "is required",
            ),
            (
                r#"{"name":"a","owner":{"guid":"b","colour":1}}"#,
                Kind::InvalidParameter,
                "owner.colour",
                "not a member",
            ),
            (
                r#"{"name":"a","owner":{"guid":"b","guid":"b"}}"#,
                Kind::InvalidParameter,
                "owner.guid",
                "twice",
            ),
            ("[]", Kind::InvalidParameter, "body", "an object"),
            (r#"["a"]"#, Kind::InvalidParameter, "body", "an object"),
            ("null", Kind::InvalidParameter, "body", "an object"),
            ("[", Kind::MalformedRequest, "", "not JSON"),
            (
                "{\"name\":\"\u{fffd}\"}",
                Kind::MalformedRequest,
                "",
                "not UTF-8",
            ),
        ] {
            let error = parse_json::<Body>(body.as_bytes()).unwrap_err();
            assert_eq!(error.kind, kind, "{body}: {error}");
            assert_eq!(
                error.fields.first().map_or("", |e| e.field.as_str()),
                field,
                "{body}: {error}"
            );
            assert!(error.message.contains(words), "{body}: {error}");
        }
    }

    #[test]
    fn pages_count_from_zero_and_have_at_most_100() {
        assert_eq!(
            Page::parse(None, None),
            Ok(Page {
                page: 0,
                per_page: 10
            })
        );
        for (page, per_page) in [
            (Some("-1"), None),
            (Some("+1"), None),
            (None, Some("0")),
            (None, Some("101")),
            (Some(""), None),
        ] {
            assert!(Page::parse(page, per_page).is_err());
        }
        let page = Page::parse(Some("1"), Some("2")).unwrap();
        assert_eq!(page.cut(&[1, 2, 3]), [3]);
        assert!(page.cut(&[1]).is_empty());
    }
}
