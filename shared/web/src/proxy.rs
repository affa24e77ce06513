//! A trusted proxy in front of the gateway, such as a `CloudFront` distribution: the gateway then
//! sees the proxy's address, and the caller's stands in a header that the proxy writes. A header
//! proves nothing by itself, so the proxy proves itself by another one, whose value only it and we
//! know (docs/requirements.md, Source IP).
//!
//! The event is resolved before anybody reads it: its `sourceIp` is replaced by the resolved
//! address, and both headers are taken out. Whoever reads the event afterwards has one address to
//! go by, and no proof to leak.
//!
//! | the proof's header | address |
//! |---|---|
//! | absent | the gateway's: the call came directly, and its peer is its caller |
//! | there once, and right | the one in the address header, once and well-formed; else unknown |
//! | wrong, or repeated | unknown |
//! | there once, but the proofs cannot be read | unknown for now |
//!
//! An unknown address meets no allowlist, and matters to nobody who has none.

mod address;
mod event;
#[cfg(test)]
mod tests;

use std::{fmt, net::IpAddr};

use credentials::proofs::{ProofSource, Proven, SECRET};
use http::HeaderName;
use runtime::{Ambient, Env, SettingError};
use serde_json::Value;

use self::event::Sent;

const ADDRESS_HEADER: &str = "LATCHKEY_TRUSTED_PROXY_ADDRESS_HEADER";
const PROOF_HEADER: &str = "LATCHKEY_TRUSTED_PROXY_PROOF_HEADER";

/// Headers that others write too, or that mean something else: neither an address nor a proof may
/// stand in them.
const RESERVED: [&str; 10] = [
    "authorization",
    "content-type",
    "cookie",
    "forwarded",
    "host",
    "user-agent",
    "via",
    "x-amzn-trace-id",
    "x-forwarded-for",
    "x-forwarded-proto",
];

/// How the address of a request came about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SourceIpTrust {
    /// It is the gateway's own word.
    #[default]
    Direct,
    /// It is the word of the proxy, which proved itself.
    Proxied,
    /// There is none: the proof is wrong or repeated, or the proxy that proved itself named no
    /// address.
    Unproven,
    /// There is none for now: whether the proof is right could not be told. The same request may
    /// succeed later.
    Undetermined,
}

/// The proxy that a deployment trusts. Cheap to clone; clones share what was read.
#[derive(Clone)]
pub struct TrustedProxy {
    address_header: HeaderName,
    proof_header: HeaderName,
    proofs: ProofSource,
}

impl TrustedProxy {
    /// The proxy that the environment names: `LATCHKEY_TRUSTED_PROXY_ADDRESS_HEADER`,
    /// `LATCHKEY_TRUSTED_PROXY_PROOF_HEADER` and `LATCHKEY_TRUSTED_PROXY_SECRET`. Nothing where
    /// none of them is set: no header is read then.
    ///
    /// # Errors
    /// When some of them are set and others are not, or one is wrong; by name.
    pub fn read(env: &Env, ambient: &Ambient) -> Result<Option<Self>, SettingError> {
        let names = [ADDRESS_HEADER, PROOF_HEADER, SECRET];
        let Some(set) = names.iter().find(|name| env.optional(name).is_some()) else {
            return Ok(None);
        };
        let value = |name| {
            env.optional(name).ok_or_else(|| {
                SettingError::new(
                    name,
                    &format!("is not set, and {set} is: set all three or none"),
                )
            })
        };
        let (address_header, proof_header) =
            (header(ADDRESS_HEADER, value)?, header(PROOF_HEADER, value)?);
        if address_header == proof_header {
            return Err(SettingError::new(
                PROOF_HEADER,
                &format!("is the same as {ADDRESS_HEADER}"),
            ));
        }
        let secret = value(SECRET)?;
        if !(secret.starts_with("arn:") && secret.contains(":secretsmanager:")) {
            return Err(SettingError::new(
                SECRET,
                "is not the ARN of a Secrets Manager secret",
            ));
        }
        Ok(Some(Self {
            address_header,
            proof_header,
            proofs: ProofSource::new(ambient, secret),
        }))
    }

    /// Reads the proofs ahead of the first call. What cannot be read is asked for again by the
    /// calls that need it.
    pub async fn warm(&self) {
        self.proofs.warm().await;
    }

    /// Resolves where the request of an API Gateway event comes from, of whichever shape;
    /// afterwards its `sourceIp` is that address, or null when it is unknown, and neither of the
    /// proxy's headers is in it.
    pub async fn resolve_source_ip(&self, event: &mut Value) -> SourceIpTrust {
        let (source_ip_trust, address) = self.evaluate(event).await;
        if source_ip_trust != SourceIpTrust::Direct {
            event::set_source_ip(event, address);
        }
        event::remove(
            event,
            &[self.address_header.as_str(), self.proof_header.as_str()],
        );
        source_ip_trust
    }

    async fn evaluate(&self, event: &Value) -> (SourceIpTrust, Option<IpAddr>) {
        let proof = match event::sent(event, self.proof_header.as_str()) {
            Sent::Absent => return (SourceIpTrust::Direct, None),
            Sent::Ambiguous => return unproven(event, "proxy_proof_repeated"),
            Sent::Once(proof) => proof,
        };
        match self.proofs.check(proof.as_bytes()).await {
            Proven::Yes => {}
            Proven::No => return unproven(event, "proxy_proof_wrong"),
            Proven::Unread => {
                refused(event, "proxy_proof_unread");
                return (SourceIpTrust::Undetermined, None);
            }
        }
        let address = match event::sent(event, self.address_header.as_str()) {
            Sent::Absent => return unproven(event, "proxy_address_absent"),
            Sent::Ambiguous => return unproven(event, "proxy_address_repeated"),
            Sent::Once(text) => address::parse(text),
        };
        match address {
            Some(address) => (SourceIpTrust::Proxied, Some(address)),
            None => unproven(event, "proxy_address_malformed"),
        }
    }
}

fn header<'a>(
    name: &'static str,
    value: impl Fn(&'static str) -> Result<&'a str, SettingError>,
) -> Result<HeaderName, SettingError> {
    let header = HeaderName::from_bytes(value(name)?.as_bytes())
        .map_err(|_| SettingError::new(name, "is not the name of a header"))?;
    if RESERVED.contains(&header.as_str()) {
        return Err(SettingError::new(
            name,
            "names a header that the proxy alone does not control",
        ));
    }
    Ok(header)
}

fn unproven(event: &Value, reason: &str) -> (SourceIpTrust, Option<IpAddr>) {
    refused(event, reason);
    (SourceIpTrust::Unproven, None)
}

/// One line, without what was sent: the peer and the request are enough to find who it was.
fn refused(event: &Value, reason: &str) {
    let (peer, request_id) = (event::source_ip(event), event::request_id(event));
    tracing::warn!(
        reason,
        peer,
        request_id,
        "the caller's address is not known"
    );
}

impl fmt::Debug for TrustedProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrustedProxy")
            .field("address_header", &self.address_header)
            .field("proof_header", &self.proof_header)
            .finish_non_exhaustive()
    }
}
