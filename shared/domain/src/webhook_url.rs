//! Where a key's webhooks go (ARZ-1, ARZ-7). What a name resolves to is checked at every delivery;
//! what it says is checked here.

use std::{fmt, net::Ipv6Addr};

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use url::{Host, Url};

use crate::{
    allowlist::why_not_public,
    misplaced::{Misplaced, credential_in},
};

/// An HTTPS address at a public host. Its path and query are to be treated as secret (ARZ-7): it
/// shows them only through [`WebhookUrl::expose`], and serialises whole for its own item and its
/// owner's eyes.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct WebhookUrl(String);

/// Names that never leave a network.
const PRIVATE_NAMES: [&str; 7] = [
    "localhost",
    "local",
    "internal",
    "lan",
    "home.arpa",
    "test",
    "invalid",
];

impl WebhookUrl {
    /// Characters it may have.
    pub const MAX_LENGTH: usize = 2048;

    /// # Errors
    /// One sentence that says what is expected.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let url = Url::parse(text).map_err(|_| "is not a URL such as https://example.com/hook")?;
        if url.scheme() != "https" {
            return Err("must be an https URL");
        }
        if text.len() > Self::MAX_LENGTH || url.as_str().len() > Self::MAX_LENGTH {
            return Err("must have at most 2048 characters");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("must not hold a user name or password");
        }
        if url.fragment().is_some() {
            return Err("must not have a fragment");
        }
        // As it was written and as it is kept: a URL loses the line breaks and tabs within it.
        match credential_in(text).or_else(|| credential_in(url.as_str())) {
            None => {}
            Some(Misplaced::Secret) => return Err("holds a secret of a key"),
            Some(Misplaced::Token) => return Err("holds a token"),
        }
        if url.port() == Some(0) || !url.host().is_some_and(|host| is_public(&host)) {
            return Err("must name a host that is reachable from the public internet");
        }
        Ok(Self(url.into()))
    }

    /// The whole URL.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The URL without what is secret about it: `https://example.com/…`.
    #[must_use]
    pub fn masked(&self) -> String {
        let end = self
            .0
            .match_indices('/')
            .nth(2)
            .map_or(self.0.len(), |(at, _)| at);
        format!("{}/…", &self.0[..end])
    }
}

fn is_public(host: &Host<&str>) -> bool {
    match host {
        Host::Ipv4(address) => why_not_public((*address).into()).is_none(),
        Host::Ipv6(address) => is_public_v6(*address),
        Host::Domain(name) => {
            let name = name.trim_end_matches('.');
            let private = PRIVATE_NAMES
                .iter()
                .any(|end| name == *end || name.ends_with(&format!(".{end}")));
            name.contains('.') && !private
        }
    }
}

/// Global unicast (`2000::/3`) without what maps to something else: documentation, 6to4, Teredo and
/// the rest of `2001::/23`.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    (first & 0xe000) == 0x2000
        && first != 0x2002
        && !(first == 0x2001 && (second < 0x200 || second == 0xdb8))
        && first != 0x3fff
}

impl fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

impl<'de> Deserialize<'de> for WebhookUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // What is stored was accepted when it was written; a rule that came later must not make its
        // key unreadable.
        let text = String::deserialize(deserializer)?;
        Url::parse(&text).map_err(D::Error::custom)?;
        Ok(Self(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arz_7_https_at_a_public_host_alone() {
        for text in [
            "https://example.com/hook?x=1",
            "https://8.8.8.8:8443/",
            "https://[2606:4700::1111]/a",
            "https://bücher.example/x",
        ] {
            assert!(WebhookUrl::parse(text).is_ok(), "{text}");
        }
        for text in [
            "",
            "example.com",
            "http://example.com/",
            "ftp://example.com/",
            "https://user@example.com/",
            "https://user:word@example.com/",
            "https://example.com/#part",
            "https://localhost/",
            "https://hook.localhost/",
            "https://intranet/",
            "https://service.internal/",
            "https://printer.local./",
            "https://127.0.0.1/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://10.1.2.3/",
            "https://169.254.169.254/latest/meta-data/",
            "https://203.0.113.5/",
            "https://[::1]/",
            "https://[::ffff:127.0.0.1]/",
            "https://[fd00::1]/",
            "https://[fe80::1]/",
            "https://[2001:db8::1]/",
            "https://[2002:7f00:1::]/",
            "https://example.com:0/",
        ] {
            assert!(WebhookUrl::parse(text).is_err(), "{text}");
        }
        assert!(WebhookUrl::parse(&format!("https://example.com/{}", "x".repeat(2048))).is_err());
    }

    #[test]
    fn arz_7_path_and_query_are_masked() {
        for text in [
            "https://example.com/secret-path?token=1",
            "https://example.com?token=1",
        ] {
            let url = WebhookUrl::parse(text).unwrap();
            assert_eq!(url.masked(), "https://example.com/…");
            assert_eq!(format!("{url:?}"), "https://example.com/…");
        }
    }
}
