//! Percent-encoding (RFC 3986 §2.1), as far as somebody may hide something in it.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// Rounds of decoding. Nothing on the way of a request decodes a text as often, and each round
/// reads all of it.
const MAX_ROUNDS: usize = 8;

/// The text with its escapes decoded, and those that come out of it. What is not UTF-8 then is
/// replaced.
#[must_use]
pub fn decode_fully(text: &str) -> Cow<'_, str> {
    let mut decoded = Cow::Borrowed(text);
    for _ in 0..MAX_ROUNDS {
        let next = percent_decode_str(&decoded).decode_utf8_lossy();
        if next == decoded {
            break;
        }
        decoded = Cow::Owned(next.into_owned());
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_decoded_however_often_they_were_escaped() {
        for (text, decoded) in [
            ("", ""),
            ("/a b", "/a b"),
            ("/%61%2fb", "/a/b"),
            ("/%2561", "/a"),
            ("/%25252561", "/a"),
            ("100%", "100%"),
            ("%zz", "%zz"),
            ("%c3%a9", "é"),
            ("%ff", "\u{fffd}"),
        ] {
            assert_eq!(decode_fully(text), decoded, "{text}");
        }
    }
}
