//! The IP allowlist of a key or token (CYB-5, CYB-6): what may be on it, and whom it admits.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
};

use ipnet::Ipv4Net;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::error::FieldError;

/// At most three public IPv4 addresses or CIDR ranges. Empty means unrestricted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowlist(Vec<Entry>);

/// An address or a range, spelled as it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    range: Ipv4Net,
    is_address: bool,
}

/// Whether a list lets a caller in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// The list is empty or has the caller's address.
    Admitted,
    /// The address is not on the list.
    NotListed,
    /// The list restricts and nobody can say where the call comes from.
    AddressUnknown,
}

impl Allowlist {
    /// Entries a list may have (CYB-5).
    pub const MAX_ENTRIES: usize = 3;

    /// Reads the entries as CYB-5 has them.
    ///
    /// # Errors
    /// Every entry that is refused, each by the name `ip_allowlist[i]`, with the entry and the
    /// reason.
    pub fn parse<S: AsRef<str>>(entries: &[S]) -> Result<Self, Vec<FieldError>> {
        Self::parse_up_to(Self::MAX_ENTRIES, entries)
    }

    /// Reads a list that a token carries: of two united lists, at most (CYB-8).
    ///
    /// # Errors
    /// As [`Allowlist::parse`].
    pub fn parse_sealed<S: AsRef<str>>(entries: &[S]) -> Result<Self, Vec<FieldError>> {
        Self::parse_up_to(2 * Self::MAX_ENTRIES, entries)
    }

    fn parse_up_to<S: AsRef<str>>(max: usize, entries: &[S]) -> Result<Self, Vec<FieldError>> {
        if entries.len() > max {
            let reason = format!("has {} entries; at most {max} are allowed", entries.len());
            return Err(vec![FieldError {
                field: "ip_allowlist".into(),
                reason,
            }]);
        }
        let mut accepted: Vec<Entry> = Vec::new();
        let mut refused = Vec::new();
        for (index, text) in entries.iter().map(AsRef::as_ref).enumerate() {
            let entry = Entry::parse(text).and_then(|entry| {
                let duplicate = accepted.iter().any(|other| other.range == entry.range);
                if duplicate {
                    Err("is a duplicate of an earlier entry".into())
                } else {
                    Ok(entry)
                }
            });
            match entry {
                Ok(entry) => accepted.push(entry),
                Err(reason) => refused.push(FieldError {
                    field: format!("ip_allowlist[{index}]"),
                    // An entry is at most 18 characters; what is longer is not echoed whole.
                    reason: format!(
                        "'{}' {reason}",
                        text.chars().take(64).collect::<String>().escape_debug()
                    ),
                }),
            }
        }
        if refused.is_empty() {
            Ok(Self(accepted))
        } else {
            Err(refused)
        }
    }

    /// Whether the list restricts nobody.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a call from `address` is let in. An IPv4-mapped IPv6 address counts as IPv4; any
    /// other IPv6 address is on no list.
    #[must_use]
    pub fn admission(&self, address: Option<IpAddr>) -> Admission {
        if self.is_empty() {
            return Admission::Admitted;
        }
        match address.map(|address| address.to_canonical()) {
            None => Admission::AddressUnknown,
            Some(IpAddr::V4(address))
                if self.0.iter().any(|entry| entry.range.contains(&address)) =>
            {
                Admission::Admitted
            }
            Some(_) => Admission::NotListed,
        }
    }

    /// Whether everybody whom this admits, `other` admits too: the rule for what a restricted
    /// caller may delegate.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        let wide = Ipv4Net::aggregate(&other.0.iter().map(|entry| entry.range).collect());
        other.is_empty()
            || (!self.is_empty()
                && self
                    .0
                    .iter()
                    .all(|entry| wide.iter().any(|net| net.contains(&entry.range))))
    }

    /// Everybody whom either list names; one that is empty names nobody here (CYB-8: inherited and
    /// own lists unite). May have more entries than one key's list.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let more = other
            .0
            .iter()
            .filter(|entry| self.0.iter().all(|own| own.range != entry.range));
        Self(self.0.iter().chain(more).copied().collect())
    }

    /// The entries, spelled as they were given.
    pub fn entries(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(ToString::to_string)
    }
}

/// Ranges that are not public unicast (IANA IPv4 Special-Purpose and Multicast registries), and
/// what they are.
const NOT_PUBLIC: [(Ipv4Net, &str); 16] = [
    (net([0, 0, 0, 0], 8), "reserved (\"this network\", RFC 791)"),
    (net([10, 0, 0, 0], 8), "private (RFC 1918)"),
    (
        net([100, 64, 0, 0], 10),
        "CGNAT shared address space (RFC 6598)",
    ),
    (net([127, 0, 0, 0], 8), "loopback (RFC 1122)"),
    (net([169, 254, 0, 0], 16), "link-local (RFC 3927)"),
    (net([172, 16, 0, 0], 12), "private (RFC 1918)"),
    (
        net([192, 0, 0, 0], 24),
        "reserved (IETF protocol assignments, RFC 6890)",
    ),
    (net([192, 0, 2, 0], 24), "documentation (RFC 5737)"),
    (
        net([192, 88, 99, 0], 24),
        "reserved (6to4 relay anycast, RFC 7526)",
    ),
    (net([192, 168, 0, 0], 16), "private (RFC 1918)"),
    (net([198, 18, 0, 0], 15), "benchmarking (RFC 2544)"),
    (net([198, 51, 100, 0], 24), "documentation (RFC 5737)"),
    (net([203, 0, 113, 0], 24), "documentation (RFC 5737)"),
    (net([233, 252, 0, 0], 24), "documentation (RFC 6676)"),
    (net([224, 0, 0, 0], 4), "multicast (RFC 5771)"),
    (net([240, 0, 0, 0], 4), "reserved (RFC 1112)"),
];

const fn net(address: [u8; 4], prefix: u8) -> Ipv4Net {
    let [a, b, c, d] = address;
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

impl Entry {
    fn parse(text: &str) -> Result<Self, String> {
        if text.chars().any(char::is_whitespace) {
            return Err("contains white space".into());
        }
        if text.contains(':') {
            return Err("is IPv6; only IPv4 addresses and CIDR ranges are supported".into());
        }
        if text.split(['.', '/']).any(|part| {
            part.len() > 1 && part.starts_with('0') && part.bytes().all(|b| b.is_ascii_digit())
        }) {
            return Err("has a number with leading zeros".into());
        }
        let is_address = !text.contains('/');
        let range = if is_address {
            text.parse::<Ipv4Addr>().map(Ipv4Net::from).ok()
        } else {
            text.parse::<Ipv4Net>().ok()
        }
        .ok_or("is not an IPv4 address or CIDR range, such as 8.8.8.8 or 8.8.8.0/24")?;
        let canonical = range.trunc();
        if canonical != range {
            return Err(format!(
                "has host bits set; the range is written {canonical}"
            ));
        }
        why_not_public(range).map_or(Ok(Self { range, is_address }), Err)
    }
}

/// Why a range is not wholly public; nothing when it is.
pub(crate) fn why_not_public(range: Ipv4Net) -> Option<String> {
    NOT_PUBLIC.into_iter().find_map(|(special, what)| {
        if special.contains(&range) {
            Some(format!("is not public: {special} is {what}"))
        } else {
            range
                .contains(&special)
                .then(|| format!("is not public: it overlaps {special}, which is {what}"))
        }
    })
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_address {
            self.range.addr().fmt(f)
        } else {
            self.range.fmt(f)
        }
    }
}

impl Serialize for Allowlist {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.entries())
    }
}

/// What was sealed into a token or stored is read by the same rules as what a client sends: a list
/// that they refuse is never taken for an empty one.
impl<'de> Deserialize<'de> for Allowlist {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse_sealed(&Vec::<String>::deserialize(deserializer)?)
            .map_err(|refused| D::Error::custom(&refused[0].reason))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refusal(entry: &str) -> String {
        Allowlist::parse(&[entry]).unwrap_err().remove(0).reason
    }

    /// Every class of CYB-5, by the word that the message must have.
    #[test]
    fn cyb_5_bad_entries_are_refused_by_name_and_reason() {
        for (entry, word) in [
            ("2001:db8::1", "IPv6"),
            ("::ffff:8.8.8.8", "IPv6"),
            ("2600::/16", "IPv6"),
            ("10.1.2.3", "private"),
            ("172.16.0.0/12", "private"),
            ("172.31.255.255", "private"),
            ("192.168.1.0/24", "private"),
            ("127.0.0.1", "loopback"),
            ("169.254.169.254", "link-local"),
            ("224.0.0.1", "multicast"),
            ("239.255.255.255", "multicast"),
            ("240.0.0.1", "reserved"),
            ("255.255.255.255", "reserved"),
            ("0.0.0.0", "reserved"),
            ("192.0.0.8", "reserved"),
            ("192.88.99.1", "reserved"),
            ("100.64.0.1", "CGNAT"),
            ("100.127.255.255", "CGNAT"),
            ("192.0.2.1", "documentation"),
            ("198.51.100.0/24", "documentation"),
            ("203.0.113.5", "documentation"),
            ("233.252.0.1", "documentation"),
            ("198.18.0.0/15", "benchmarking"),
            ("198.19.255.255", "benchmarking"),
            ("0.0.0.0/0", "overlaps"),
            ("8.0.0.0/5", "overlaps 10.0.0.0/8"),
            ("128.0.0.0/1", "overlaps"),
            ("8.8.8.8/24", "written 8.8.8.0/24"),
            ("8.8.8.1/31", "written 8.8.8.0/31"),
            ("08.8.8.8", "leading zeros"),
            ("8.8.8.0/024", "leading zeros"),
            (" 8.8.8.8", "white space"),
            ("8.8.8.8\n", "white space"),
            ("", "not an IPv4"),
            ("8.8.8", "not an IPv4"),
            ("8.8.8.8/33", "not an IPv4"),
            ("8.8.8.8/", "not an IPv4"),
            ("8.8.8.8/+8", "not an IPv4"),
            ("0x8.8.8.8", "not an IPv4"),
            ("example.com", "not an IPv4"),
            ("256.1.1.1", "not an IPv4"),
        ] {
            let reason = refusal(entry);
            assert!(reason.contains(word), "{entry}: {reason}");
            assert!(
                reason.contains(&entry.escape_debug().to_string()),
                "{entry} is not named: {reason}"
            );
        }
    }

    #[test]
    fn cyb_5_at_most_three_and_no_duplicates() {
        assert!(Allowlist::parse(&["8.8.8.8", "1.1.1.1", "9.9.9.0/24"]).is_ok());
        assert_eq!(
            Allowlist::parse(&["8.8.8.8", "1.1.1.1", "9.9.9.9", "4.4.4.4"]).unwrap_err()[0].field,
            "ip_allowlist"
        );
        let refused = Allowlist::parse(&["8.8.8.8", "8.8.8.8/32"]).unwrap_err();
        assert_eq!(refused[0].field, "ip_allowlist[1]");
        assert!(refused[0].reason.contains("duplicate"));
    }

    #[test]
    fn an_ipv6_caller_never_matches_and_a_mapped_one_counts_as_ipv4() {
        let list = Allowlist::parse(&["8.8.8.0/24"]).unwrap();
        assert_eq!(list.admission("8.8.8.8".parse().ok()), Admission::Admitted);
        assert_eq!(
            list.admission("::ffff:8.8.8.8".parse().ok()),
            Admission::Admitted
        );
        assert_eq!(
            list.admission("::8.8.8.8".parse().ok()),
            Admission::NotListed
        );
        assert_eq!(list.admission("8.8.9.8".parse().ok()), Admission::NotListed);
        assert_eq!(list.admission(None), Admission::AddressUnknown);
        assert_eq!(Allowlist::default().admission(None), Admission::Admitted);
    }

    #[test]
    fn a_restricted_caller_widens_nothing() {
        let list = |entries: &[&str]| Allowlist::parse(entries).unwrap();
        let own = list(&["8.8.8.0/25", "8.8.8.128/25"]);
        assert!(
            list(&["8.8.8.0/24"]).is_within(&own),
            "two halves make the whole"
        );
        assert!(!list(&["8.8.8.0/23"]).is_within(&own));
        assert!(
            !list(&[]).is_within(&own),
            "unrestricted is wider than any list"
        );
        assert!(list(&[]).is_within(&list(&[])));
    }

    proptest! {
        #[test]
        fn nothing_accepted_holds_an_address_that_is_not_public(
            bits: u32,
            prefix in 0_u8..=32,
            at: u32,
        ) {
            let range = Ipv4Net::new(Ipv4Addr::from(bits), prefix).unwrap().trunc();
            if let Ok(list) = Allowlist::parse(&[range.to_string()]) {
                let inside = u32::from(range.network()) | (at & u32::from(range.hostmask()));
                let address = Ipv4Addr::from(inside);
                prop_assert_eq!(list.admission(Some(address.into())), Admission::Admitted);
                prop_assert!(!address.is_private() && !address.is_loopback());
                prop_assert!(!address.is_link_local() && !address.is_multicast());
                prop_assert!(!address.is_documentation() && !address.is_broadcast());
                prop_assert!(!address.is_unspecified());
                let json = serde_json::to_string(&list).unwrap();
                prop_assert_eq!(serde_json::from_str::<Allowlist>(&json).unwrap(), list);
            }
        }

        #[test]
        fn any_text_is_accepted_or_refused_without_a_panic(text: String) {
            let _ = Allowlist::parse(&[text]);
        }
    }
}
