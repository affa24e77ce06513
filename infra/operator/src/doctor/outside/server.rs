//! The server as such: that it answers, over TLS, at the right time, as who it says it is.

use aws_smithy_types::{DateTime, date_time::Format};

use super::{
    super::report::{Check, Outcome, Trouble},
    calls::Calls,
};

pub(super) const REACHABLE: Check = Check(
    "outside.reachable",
    "Map the issuer's domain to the API, or name where the API answers by --url (the stack's \
     output ApiUrl).",
);
pub(super) const TLS: Check = Check(
    "outside.tls",
    "Serve the domain with a certificate that clients trust.",
);
pub(super) const CLOCK: Check = Check(
    "outside.clock",
    "Set this machine's clock (NTP): AWS's is right. Latchkey's functions refuse to work by a \
     clock that is five seconds off.",
);
pub(super) const ISSUER: Check = Check(
    "outside.issuer",
    "Deploy with the parameter Issuer set to where clients call, and set LATCHKEY_URL to the same.",
);
pub(super) const NO_STORE: Check = Check(
    "outside.no_store",
    "Deploy the template again: its gateway responses and functions send Cache-Control: no-store.",
);

/// Where the metadata is (RFC 8414).
const METADATA: &str = "/.well-known/oauth-authorization-server";
/// How far clocks may be apart: `Date` has whole seconds, and an answer takes its time.
const APART: i64 = 5_000;

/// That there is an answer at all.
pub(super) async fn reachable(calls: &Calls) -> Outcome {
    let url = calls.deployment.url();
    match calls.get(METADATA).await {
        Ok(_) => Ok(format!("{url} answers")),
        Err(error) => Err(Trouble::Wrong(error.to_string())),
    }
}

/// The client refuses a certificate that it cannot verify, so that an answer over https proves it.
pub(super) fn tls(calls: &Calls) -> Outcome {
    let url = calls.deployment.url();
    let answered = calls.noticed().date.is_some();
    match url.starts_with("https://") {
        true if answered => Ok("the certificate is trusted".into()),
        true => Err(Trouble::Unknown("there was no answer".into())),
        false => Ok("no TLS, on this machine alone".into()),
    }
}

/// `Date` against the own clock.
pub(super) fn clock(calls: &Calls) -> Outcome {
    let Some((sent, received, date)) = calls.noticed().date else {
        return Err(Trouble::Unknown("there was no answer".into()));
    };
    let date = date.and_then(|date| {
        DateTime::from_str(&date, Format::HttpDate)
            .ok()?
            .to_millis()
            .ok()
    });
    let Some(date) = date else {
        return Err(Trouble::Unknown("the answer has no Date".into()));
    };
    // The server wrote it between the two, and cut it to the second.
    let (ahead, behind) = (sent.millis() - (date + 999), date - received.millis());
    let seconds = |off: i64| off / 1000;
    match (ahead, behind) {
        (ahead, _) if ahead > APART => Err(Trouble::Wrong(format!(
            "this machine's clock is {} s ahead of the server's",
            seconds(ahead)
        ))),
        (_, behind) if behind > APART => Err(Trouble::Wrong(format!(
            "this machine's clock is {} s behind the server's",
            seconds(behind)
        ))),
        _ => Ok(format!(
            "this machine's clock and the server's are within {} s",
            seconds(APART)
        )),
    }
}

/// The issuer is in every token, and clients hold it against where they got the token.
pub(super) async fn issuer(calls: &Calls, issuer: Option<&str>) -> Outcome {
    let issuer = issuer
        .unwrap_or(calls.deployment.url())
        .trim_end_matches('/');
    let metadata = calls.get(METADATA).await?.json()?;
    let own = metadata["issuer"].as_str().unwrap_or_default();
    if own != issuer {
        return Err(Trouble::Wrong(format!(
            "the tokens' issuer is {own:?} and not {issuer:?}"
        )));
    }
    for (member, path) in [
        ("token_endpoint", "/oauth/token"),
        ("introspection_endpoint", "/oauth/introspect"),
        ("revocation_endpoint", "/oauth/revoke"),
        ("jwks_uri", "/.well-known/jwks.json"),
    ] {
        if metadata[member] != format!("{issuer}{path}") {
            return Err(Trouble::Wrong(format!(
                "the metadata's {member} is {}",
                metadata[member]
            )));
        }
    }
    Ok(format!("{issuer} is the issuer"))
}

/// Over all calls whose answers nobody may keep.
pub(super) fn no_store(calls: &Calls) -> Outcome {
    let noticed = calls.noticed();
    match noticed.kept.first() {
        Some(first) => Err(Trouble::Wrong(format!(
            "{} answers lack Cache-Control: no-store, that of {first} among them",
            noticed.kept.len()
        ))),
        None if noticed.not_kept == 0 => Err(Trouble::Unknown("there was no answer".into())),
        None => Ok(format!("{} answers forbid to keep them", noticed.not_kept)),
    }
}
