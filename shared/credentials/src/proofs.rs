//! The proofs that the proxy may send, read from Secrets Manager and kept for a minute.
//!
//! Rotation refuses nobody: the new proof is in the secret minutes before the proxy sends it, the
//! old one stays beside it until the proxy no longer sends it, and an unknown proof causes another
//! read. Guesses cause at most one read in five seconds, and a known proof does not wait for it.

use std::{fmt, sync::Arc, time::Duration};

use aws_config::timeout::TimeoutConfig;
use aws_sdk_secretsmanager::{Client, config::Builder};
use domain::error::{Error, causes};
use runtime::{
    Ambient,
    refreshing::{Lifetime, Refreshing},
};
use serde::Deserialize;
use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

/// One try of one call to Secrets Manager, and all of them: an authorizer has five seconds for
/// everything.
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(700);
const OPERATION_TIMEOUT: Duration = Duration::from_millis(1500);

const LIFETIME: Lifetime = Lifetime {
    // What was dropped from the secret must end some time, also where it cannot be read again.
    usable: Some(Duration::from_hours(1)),
    // Applies to every read.
    min_interval: Duration::from_secs(5),
    // What was dropped ends after this.
    ..Lifetime::fresh_for(Duration::from_mins(1))
};

/// `LATCHKEY_TRUSTED_PROXY_SECRET`: the Secrets Manager secret of the proofs.
pub const SECRET: &str = "LATCHKEY_TRUSTED_PROXY_SECRET";

/// Shorter ones could be guessed; longer ones do not fit `CloudFront`'s limits.
const LENGTHS: std::ops::RangeInclusive<usize> = 32..=512;

/// Whether a proof is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proven {
    /// It is one of the proofs.
    Yes,
    /// It is none of them.
    No,
    /// It is none of those that are known, and those that are could not be read.
    Unread,
}

/// Where the proofs come from. Cheap to clone; clones share what was read.
#[derive(Clone)]
pub struct ProofSource(Arc<Inner>);

struct Inner {
    client: Client,
    secret: String,
    kept: Refreshing<Proofs>,
}

impl ProofSource {
    /// Reads the Secrets Manager secret of this ARN, later.
    #[must_use]
    pub fn new(ambient: &Ambient, secret: &str) -> Self {
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .operation_timeout(OPERATION_TIMEOUT)
            .build();
        Self(Arc::new(Inner {
            client: Client::from_conf(Builder::from(&ambient.aws).timeout_config(timeouts).build()),
            secret: secret.to_owned(),
            kept: Refreshing::new(
                "the secret of the trusted proxy",
                ambient.clock.clone(),
                LIFETIME,
            ),
        }))
    }

    /// Reads the proofs ahead of the first check.
    pub async fn warm(&self) {
        // A failure is in the log, and the first check reads again.
        _ = self.current().await;
    }

    /// Whether this is a proof, by what was read within the last minute.
    pub async fn check(&self, proof: &[u8]) -> Proven {
        let is_known = self.current().await.is_ok_and(|proofs| proofs.have(proof));
        if is_known {
            return Proven::Yes;
        }
        // It may be newer than those.
        match self.0.kept.reread(|| Box::pin(self.read())).await {
            Ok(proofs) if proofs.have(proof) => Proven::Yes,
            Ok(_) => Proven::No,
            Err(_) => Proven::Unread,
        }
    }

    async fn current(&self) -> Result<Arc<Proofs>, Error> {
        self.0.kept.current(|| Box::pin(self.read())).await
    }

    async fn read(&self) -> Result<Proofs, Error> {
        let answer = self
            .0
            .client
            .get_secret_value()
            .secret_id(&self.0.secret)
            .send()
            .await;
        let unavailable = |cause: String| {
            tracing::error!(cause, "the secret of the trusted proxy cannot be read");
            Error::temporarily_unavailable()
        };
        let answer = answer.map_err(|error| unavailable(causes(&error)))?;
        Proofs::parse(answer.secret_string().unwrap_or_default())
            .map_err(|problem| unavailable(problem.into()))
    }
}

impl fmt::Debug for ProofSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProofSource")
    }
}

/// What the proxy sends, and what it sent before: `{"current": "…", "previous": "…"}`. They do not
/// print.
pub(crate) struct Proofs {
    pub(crate) current: Zeroizing<String>,
    pub(crate) previous: Option<Zeroizing<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    current: String,
    previous: Option<String>,
}

impl Proofs {
    /// Reads the secret's value; the reason says nothing of what is in it.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let document: Document = serde_json::from_str(text)
            .map_err(|_| "it is not a JSON object of the texts current and, if any, previous")?;
        let (current, previous) = (
            Zeroizing::new(document.current),
            document.previous.map(Zeroizing::new),
        );
        if previous
            .iter()
            .chain([&current])
            .all(|proof| is_proof(proof))
        {
            Ok(Self { current, previous })
        } else {
            Err("a proof in it is not 32 to 512 visible ASCII characters without a comma")
        }
    }

    /// Each is compared, and in a time that does not depend on how much of it is right.
    fn have(&self, proof: &[u8]) -> bool {
        let previous = self
            .previous
            .as_ref()
            .map_or(Choice::from(0), |previous| previous.as_bytes().ct_eq(proof));
        (self.current.as_bytes().ct_eq(proof) | previous).into()
    }
}

/// What every HTTP implementation carries as it is; HTTP APIs join repeated headers by commas.
fn is_proof(text: &str) -> bool {
    LENGTHS.contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b',')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proof(byte: char) -> String {
        byte.to_string().repeat(32)
    }

    #[test]
    fn current_and_previous_prove_and_nothing_else_does() {
        let (a, b) = (proof('a'), proof('b'));
        let both = Proofs::parse(&format!(r#"{{"current": "{a}", "previous": "{b}"}}"#)).unwrap();
        assert!(both.have(a.as_bytes()) && both.have(b.as_bytes()));
        for wrong in [
            "",
            "a",
            &a[1..],
            &format!("{a}a"),
            &proof('c'),
            &format!("{a},{b}"),
            &a.to_uppercase(),
        ] {
            assert!(!both.have(wrong.as_bytes()), "{wrong}");
        }
        for without in [
            format!(r#"{{"current": "{a}"}}"#),
            format!(r#"{{"current": "{a}", "previous": null}}"#),
        ] {
            let one = Proofs::parse(&without).unwrap();
            assert!(one.have(a.as_bytes()) && !one.have(b.as_bytes()) && !one.have(b""));
        }
    }

    #[test]
    fn another_value_is_refused_without_a_word_of_it() {
        let (long, good) = ("x".repeat(513), proof('a'));
        for value in [
            String::new(),
            "{}".into(),
            "[]".into(),
            good.clone(),
            format!(r#"{{"current": "{}"}}"#, &good[1..]),
            format!(r#"{{"current": "{long}"}}"#),
            format!(r#"{{"current": "{good},"}}"#),
            format!(r#"{{"current": "{good} "}}"#),
            format!(r#"{{"current": "{good}é"}}"#),
            format!(r#"{{"current": "{good}", "previous": ""}}"#),
            format!(r#"{{"current": "{good}", "next": "{good}"}}"#),
            format!(r#"{{"current": ["{good}"]}}"#),
            format!(r#"{{"previous": "{good}"}}"#),
        ] {
            let Err(problem) = Proofs::parse(&value) else {
                panic!("{value}")
            };
            assert!(
                !problem.contains("aaa") && !problem.contains("xxx"),
                "{problem}"
            );
        }
    }
}
