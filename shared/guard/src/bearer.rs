//! The credential of a request: one `Authorization` header of the scheme `Bearer` (RFC 6750 §2.1).

use std::fmt;

use domain::secret::{Brand, PlainSecret};

/// A token or a personal key's secret as it was presented. It does not print.
#[derive(Clone, PartialEq, Eq)]
pub struct Bearer(String);

/// Why a request has no bearer token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NoBearer {
    /// No `Authorization` header.
    Absent,
    /// More than one: whichever we took, something behind us could take the other.
    Repeated,
    /// Another scheme, or not one token of RFC 6750's characters.
    Malformed,
}

impl Bearer {
    /// Reads the values of every `Authorization` header that the request has.
    ///
    /// # Errors
    /// When there is not exactly one, or it holds no bearer token.
    pub fn of<'a>(mut headers: impl Iterator<Item = &'a str>) -> Result<Self, NoBearer> {
        let header = headers.next().ok_or(NoBearer::Absent)?;
        if headers.next().is_some() {
            Err(NoBearer::Repeated)
        } else {
            Self::parse(header)
        }
    }

    /// Reads one header's value. HTTP APIs join repeated headers by commas, which no token has.
    fn parse(header: &str) -> Result<Self, NoBearer> {
        let (scheme, token) = header.split_once(' ').ok_or(NoBearer::Malformed)?;
        let token = token.trim_start_matches(' ');
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
        if scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && token.bytes().all(allowed)
        {
            Ok(Self(token.to_owned()))
        } else {
            Err(NoBearer::Malformed)
        }
    }

    /// A credential that came otherwise: as the parameter of an introspection, say.
    pub(crate) fn new(credential: &str) -> Self {
        Self(credential.to_owned())
    }

    /// The secret that it is, if it has the form of this deployment's: then it is no token,
    /// whatever else is wrong with it.
    pub(crate) fn secret(&self, brand: &Brand) -> Option<PlainSecret> {
        PlainSecret::parse(brand, &self.0).ok()
    }

    /// The text, for the verifier and for digests.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bearer")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(headers: &[&str]) -> Result<Bearer, NoBearer> {
        Bearer::of(headers.iter().copied())
    }

    #[test]
    fn one_header_with_one_token_is_read() {
        for header in ["Bearer abc.def", "bearer abc.def", "BEARER   abc.def"] {
            assert_eq!(read(&[header]), Ok(Bearer("abc.def".into())), "{header}");
        }
        assert_eq!(
            format!("{:?}", read(&["Bearer abc.def"])),
            "Ok(Bearer)",
            "it does not print"
        );
    }

    #[test]
    fn anything_else_is_refused() {
        assert_eq!(read(&[]), Err(NoBearer::Absent));
        assert_eq!(read(&["Bearer abc", "Bearer abc"]), Err(NoBearer::Repeated));
        for header in [
            "",
            "Bearer",
            "Bearer ",
            "Basic abc",
            "abc",
            "Bearer a b",
            "Bearer a,Bearer b",
            "Bearer a, b",
            "Bearer\ta",
            "Bearer é",
            " Bearer a",
            "Bearer a\n",
        ] {
            assert_eq!(read(&[header]), Err(NoBearer::Malformed), "{header:?}");
        }
    }
}
