//! The address header's value, as `CloudFront` writes it.

use std::net::{IpAddr, Ipv6Addr};

/// Reads `address:port`, such as `198.51.100.10:46532`. The port is what follows the last colon:
/// `CloudFront` always writes one, and writes an IPv6 address before it without brackets
/// (`2001:db8::7:46532`), which are understood as well. The port is dropped.
///
/// Nothing else is an address: neither one without a port, nor a list, nor anything with white
/// space.
pub(super) fn parse(value: &str) -> Option<IpAddr> {
    let (address, port) = value.rsplit_once(':')?;
    if !is_port(port) {
        return None;
    }
    let bracketed = address
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let read: IpAddr = match bracketed {
        Some(inner) => inner.parse::<Ipv6Addr>().ok()?.into(),
        None => address.parse().ok()?,
    };
    let canonical = read.to_canonical();
    // Were the port missing, the last group would be taken for it. To an IPv6 address that does no
    // harm, since no list has any; but what is left could look like a mapped IPv4 address that the
    // caller does not have.
    let without_port = bracketed.is_none() && value.parse::<Ipv6Addr>().is_ok();
    (canonical == read || !without_port).then_some(canonical)
}

fn is_port(text: &str) -> bool {
    let digits = (1..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    digits && !text.starts_with('0') && text.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_address_and_a_port_are_an_address() {
        for (value, address) in [
            ("198.51.100.10:46532", "198.51.100.10"),
            ("8.8.8.8:1", "8.8.8.8"),
            ("8.8.8.8:65535", "8.8.8.8"),
            // As CloudFront writes it.
            ("2001:db8::7:46532", "2001:db8::7"),
            ("2600:300:f:abcd::9:9985", "2600:300:f:abcd::9"),
            (
                "2001:db8:85a3:8d3:1319:8a2e:370:7348:443",
                "2001:db8:85a3:8d3:1319:8a2e:370:7348",
            ),
            ("[2001:db8::7]:46532", "2001:db8::7"),
            // Another spelling of an IPv4 address, and one that only looks like it.
            ("::ffff:8.8.8.8:46532", "8.8.8.8"),
            ("[::ffff:8.8.8.8]:46532", "8.8.8.8"),
            ("[::ffff:808:808]:46532", "8.8.8.8"),
            ("::ffff:808:808:46532", "8.8.8.8"),
            ("[::8.8.8.8]:46532", "::8.8.8.8"),
        ] {
            assert_eq!(parse(value), Some(address.parse().unwrap()), "{value}");
        }
    }

    #[test]
    fn nothing_else_is() {
        for value in [
            "",
            ":",
            "8.8.8.8",
            "8.8.8.8:",
            ":443",
            "8.8.8.8:0",
            "8.8.8.8:080",
            "8.8.8.8:65536",
            "8.8.8.8:123456",
            "8.8.8.8:+80",
            "8.8.8.8:-1",
            "8.8.8.8:https",
            "8.8.8.8:1:2",
            "1.2.3.4:5:6",
            "8.8.8.8:443:",
            "08.8.8.8:443",
            "8.8.8:443",
            "8.8.8.8.8:443",
            "0x08080808:443",
            "134744072:443",
            "8.8.8.8 :443",
            " 8.8.8.8:443",
            "8.8.8.8:443 ",
            "8.8.8.8:443, 9.9.9.9:443",
            "8.8.8.8:443,9.9.9.9:443",
            "9.9.9.9, 8.8.8.8:443",
            "8.8.8.8:443;proto=https",
            "for=8.8.8.8:443",
            "\"8.8.8.8:443\"",
            "[8.8.8.8]:443",
            "[2001:db8::7]",
            "2001:db8::7]:443",
            "[2001:db8::7:443",
            "[[2001:db8::7]]:443",
            "[2001:db8::7%eth0]:443",
            "2001:db8::7%1:443",
            "::ffff:8.8.8.8",
            "::ffff:808:808:53",
            "localhost:443",
            "unknown:443",
            "８.8.8.8:443",
            "8.8.8.8:4４3",
        ] {
            assert_eq!(parse(value), None, "{value:?}");
        }
    }

    proptest! {
        #[test]
        fn what_cloudfront_writes_is_read_back(bits: u128, short: u32, port in 10_000_u16..) {
            for address in [IpAddr::from(bits.to_be_bytes()), IpAddr::from(short.to_be_bytes())] {
                prop_assert_eq!(parse(&format!("{address}:{port}")), Some(address.to_canonical()));
            }
        }

        #[test]
        fn no_text_makes_it_panic_or_read_what_is_not_there(text in "[0-9a-f:.\\[\\], %]{0,48}") {
            if let Some(address) = parse(&text) {
                let (before, _) = text.rsplit_once(':').unwrap();
                let spelled: IpAddr = before.trim_matches(['[', ']']).parse().unwrap();
                prop_assert_eq!(address, spelled.to_canonical());
            }
        }
    }
}
