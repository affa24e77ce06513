//! Credentials where none belongs: in texts that are kept, shown and logged (LEAK-1).

use base64::{
    Engine,
    alphabet::URL_SAFE,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde_json::{Map, Value};

use crate::{percent, secret};

/// What a text holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misplaced {
    /// The secret of a key, of any deployment.
    Secret,
    /// A signed token of anybody (RFC 7515 §3.1).
    Token,
}

/// The credential that a text holds, if it does: as it stands, within longer text, behind
/// percent-encoding or, of a token, broken over lines. What it costs grows by the square of the
/// length: ask it of texts that are not too long to keep.
#[must_use]
pub fn credential_in(text: &str) -> Option<Misplaced> {
    let decoded = percent::decode_fully(text);
    if secret::looks_like_one(text) || secret::looks_like_one(&decoded) {
        return Some(Misplaced::Secret);
    }
    // A signature does not stand in a text by chance, so white space may be taken for a line break.
    let joined: String = decoded.split_whitespace().collect();
    [text, &decoded, &joined]
        .into_iter()
        .any(holds_token)
        .then_some(Misplaced::Token)
}

/// Whether a JWS or JWE in compact form may stand in the text: parts in base64url between dots, of
/// which one ends as a header and the next is not empty. Other dotted text, such as the name of a
/// file or a host, has no header.
fn holds_token(text: &str) -> bool {
    text.split(|c: char| !is_base64url(c) && c != '.')
        .any(|run| {
            let parts: Vec<&str> = run.split('.').collect();
            parts
                .windows(3)
                .any(|parts| !parts[1].is_empty() && ends_as_header(parts[0]))
        })
}

const fn is_base64url(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_')
}

/// Whether a part is, from some character on, a JSON object with `alg`: a word may stand before it.
fn ends_as_header(part: &str) -> bool {
    (0..part.len()).any(|at| {
        let rest = &part[at..];
        let begins = rest.get(..4).and_then(|head| LENIENT.decode(head).ok());
        begins.is_some_and(|bytes| may_begin_object(&bytes)) && is_header(rest)
    })
}

fn may_begin_object(bytes: &[u8]) -> bool {
    let content = bytes.trim_ascii_start();
    content.is_empty() || content[0] == b'{'
}

fn is_header(text: &str) -> bool {
    LENIENT
        .decode(text)
        .ok()
        .and_then(|json| serde_json::from_slice::<Map<String, Value>>(&json).ok())
        .is_some_and(|header| header.contains_key("alg"))
}

/// As lenient as any reader: bits that stand for nothing are passed over.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(json: &str) -> String {
        LENIENT.encode(json).trim_end_matches('=').to_owned()
    }

    fn token() -> String {
        format!(
            "{}.{}.c2lnbmF0dXJl",
            encoded(r#"{"typ":"at+jwt","alg":"ES256"}"#),
            encoded("{}")
        )
    }

    #[test]
    fn leak_1_a_token_is_found_however_it_stands_in_a_text() {
        let token = token();
        let escaped = token.replace('.', "%2E");
        let hidden = token
            .bytes()
            .fold(String::new(), |text, byte| format!("{text}%{byte:02x}"));
        let (before, behind) = token.split_at(50);
        for text in [
            token.clone(),
            format!("Bearer {token}"),
            format!("token-{token}"),
            format!("token{token}"),
            format!("\"{token}\","),
            format!("a.b.{token}.c"),
            format!("https://example.com/hook?access_token={token}&x=1"),
            format!("https://example.com/{token}/"),
            format!("https://{token}.example.com/"),
            format!("https://example.com/?t={escaped}"),
            format!("https://example.com/?t={}", escaped.replace('%', "%25")),
            hidden,
            format!("{before}\n{behind}"),
            format!("{before}\r\n  {behind}"),
            format!("{before}%0a{behind}"),
            format!("{}.{}.", encoded(r#"{"alg":"none"}"#), encoded("{}")),
            format!("{}.{}.x", encoded(" {\n\"alg\": \"RS256\"}"), encoded("{}")),
            format!(
                "{}.key.iv.text.tag",
                encoded(r#"{"alg":"dir","enc":"A128GCM"}"#)
            ),
        ] {
            assert_eq!(credential_in(&text), Some(Misplaced::Token), "{text}");
        }
    }

    #[test]
    fn leak_1_a_secret_is_found_behind_percent_encoding() {
        let secret = format!("lk_live_{}", "a1".repeat(35));
        for text in [
            secret.clone(),
            format!("https://example.com/?s={secret}"),
            secret.replace('_', "%5F"),
            secret.replace('_', "%255f"),
            secret.replacen("a1", "%61%31", 3),
        ] {
            assert_eq!(credential_in(&text), Some(Misplaced::Secret), "{text}");
        }
    }

    #[test]
    fn other_texts_are_left_alone() {
        let object = encoded(r#"{"kid":"no algorithm"}"#);
        for text in [
            "",
            "...",
            "a.b.c",
            "eyJ.a.b",
            "report.2026-11-30.pdf",
            "www.example.co.uk",
            "v1.2.3-rc.4",
            "com.example.latchkey.store.Store",
            "First. Second. Third.",
            "ada.lovelace.jr@example.com",
            "https://a.b.example.com/x.y.z?q=1.2.3",
            "100% of it. All. Now.",
            "the_live_environment is the one that everybody of us uses all the time",
            &encoded(r#"{"alg":"ES256"}"#),
            &format!("{object}.{object}.{object}"),
            &format!("{}..", encoded(r#"{"alg":"ES256"}"#)),
        ] {
            assert_eq!(credential_in(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn leak_1_any_header_with_an_algorithm_is_found(
            before in "[ -~]{0,12}",
            more in "[a-z]{0,9}",
            payload in "[A-Za-z0-9_-]{1,40}",
            signature in "[A-Za-z0-9_-]{0,86}",
        ) {
            let header = encoded(&format!(r#"{{"{more}":1,"alg":"ES256"}}"#));
            let text = format!("{before}{header}.{payload}.{signature}");
            prop_assume!(!before.contains('%'));
            prop_assert!(credential_in(&text).is_some(), "{}", text);
        }

        #[test]
        fn any_text_is_read_without_a_panic(text: String) {
            _ = credential_in(&text);
        }
    }
}
