//! Identifiers. One append-only file: a new kind of identifier goes at its end.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::base62;

/// A resource's identifier: 128 random bits, written as 32 lower-case hex characters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Guid([u8; 16]);

impl Guid {
    /// The platform's own organization, whose users are its staff. No random identifier is all
    /// zeros.
    pub const PLATFORM: Self = Self([0; 16]);

    /// From 128 random bits.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The same 128 bits.
    #[must_use]
    pub const fn bytes(self) -> [u8; 16] {
        self.0
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Guid {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "must be 32 lower-case hexadecimal characters";
        let digits = text.as_bytes();
        if digits.len() != 32
            || !digits
                .iter()
                .all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
        {
            return Err(EXPECTED);
        }
        u128::from_str_radix(text, 16)
            .map(|number| Self(number.to_be_bytes()))
            .map_err(|_| EXPECTED)
    }
}

/// A key's public name, opaque and URL-safe: the bits of the key's [`Guid`] in 22 base62
/// characters, so that either spelling finds the key without an index.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId(Guid);

impl ClientId {
    /// Characters of the written form.
    pub const LENGTH: usize = 22;

    /// The client id of the key with this `guid`.
    #[must_use]
    pub const fn of(guid: Guid) -> Self {
        Self(guid)
    }

    /// The `guid` of the same key.
    #[must_use]
    pub const fn guid(self) -> Guid {
        self.0
    }

    /// Reads either spelling, the client id or the `guid` (CYB-3).
    ///
    /// # Errors
    /// When it is neither.
    pub fn parse_either(text: &str) -> Result<Self, &'static str> {
        text.parse()
            .or_else(|_| text.parse().map(Self))
            .map_err(|_: &str| "is neither a client_id nor a guid")
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = base62::encode::<{ Self::LENGTH }>(&self.0.0).ok_or(fmt::Error)?;
        f.write_str(std::str::from_utf8(&digits).map_err(|_| fmt::Error)?)
    }
}

impl FromStr for ClientId {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() != Self::LENGTH {
            return Err("is not a client_id");
        }
        base62::decode(text.as_bytes())
            .map(|bytes| Self(Guid(bytes)))
            .ok_or("is not a client_id")
    }
}

/// One of a key's secrets, named in the tokens that it obtained (`sid`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SecretId(Guid);

impl SecretId {
    /// From 128 random bits.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Guid(bytes))
    }

    /// The same 128 bits.
    #[must_use]
    pub const fn bytes(self) -> [u8; 16] {
        self.0.bytes()
    }
}

impl fmt::Display for SecretId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for SecretId {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// Every identifier prints, and travels through serde, as its text.
macro_rules! as_text {
    ($($name:ident),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
            }
        }
    )*};
}

as_text!(Guid, ClientId, SecretId);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn both_spellings_name_the_same_key(bytes: [u8; 16]) {
            let guid = Guid::from_bytes(bytes);
            let client_id = ClientId::of(guid);
            prop_assert_eq!(guid.to_string().len(), 32);
            prop_assert_eq!(client_id.to_string().len(), 22);
            prop_assert_eq!(ClientId::parse_either(&guid.to_string()), Ok(client_id));
            prop_assert_eq!(ClientId::parse_either(&client_id.to_string()), Ok(client_id));
        }
    }

    #[test]
    fn other_spellings_are_refused() {
        for text in [
            "",
            "A",
            "+0000000000000000000000000000000",
            "zzzzzzzzzzzzzzzzzzzzzz",
            &"F".repeat(32),
        ] {
            assert!(ClientId::parse_either(text).is_err(), "{text}");
        }
    }
}
