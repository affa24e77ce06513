//! Texts that people write about things.

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use crate::misplaced::{Misplaced, credential_in};

/// A note for people: at most 512 characters on any number of lines, no other control characters,
/// neither a secret nor a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Note(String);

impl Note {
    /// # Errors
    /// One sentence that says what is expected.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if !(1..=512).contains(&text.chars().count()) || text.trim().is_empty() {
            return Err("must have 1 to 512 characters, one of them visible");
        }
        if text.chars().any(|c| c.is_control() && c != '\n') {
            return Err("must have no control characters but line ends");
        }
        match credential_in(text) {
            None => {}
            Some(Misplaced::Secret) => return Err("holds a secret; it is shown to everybody"),
            Some(Misplaced::Token) => return Err("holds a token; it is shown to everybody"),
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Note {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // What is stored was accepted when it was written.
        String::deserialize(deserializer)
            .map(Self)
            .map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_have_1_to_512_characters_and_lines() {
        assert!(Note::parse("Asked for by Ada.\nTicket 7.").is_ok());
        assert!(Note::parse(&"é".repeat(512)).is_ok());
        for text in [
            "",
            " \n",
            "a\u{0}",
            "a\tb",
            &"x".repeat(513),
            &format!("lk_live_{}", "a1".repeat(35)),
        ] {
            assert!(Note::parse(text).is_err(), "{text:?}");
        }
    }
}
