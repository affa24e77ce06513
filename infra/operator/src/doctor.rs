//! `latchkey doctor`: what is wrong with a deployed stack, seen from outside over HTTP and from
//! inside by AWS's own word.
//!
//! It changes nothing. What it compares with is this version's template and published document, so
//! it belongs to the version that is deployed. Each check has one name and comes to one line
//! (`docs/doctor.md` has them all): `ok`; `wrong`, with what to do about it; or `unknown`, where it
//! could not look. Only what is wrong makes it fail.

mod expected;
mod inside;
mod outside;
mod report;

use std::time::Duration;

use client::Deployment;
use runtime::{Ambient, Env, StartError};

pub use self::report::{Finding, Report, Verdict};
use self::{expected::Expected, inside::Inside, outside::Outside};

/// The variable that says where the deployment answers: the issuer of its tokens.
pub const URL: &str = "LATCHKEY_URL";

/// How to look.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to send calls, when not to the issuer: an API whose domain is not mapped yet.
    pub url: Option<String>,
    /// How long a line of the access log is waited for.
    pub patience: Duration,
}

/// One answer is waited for so long: a cold start is to be met with patience, and is no finding.
const READ_TIMEOUT: Duration = Duration::from_secs(35);

/// Looks at the stack that `env` names: the variables of the template's output
/// `OperatorEnvironment`, and of a credential, if one is to be tried, `LATCHKEY_CLIENT_ID` and
/// `LATCHKEY_CLIENT_SECRET`.
///
/// # Errors
/// That it cannot even begin: where the deployment answers is missing or no URL, or the built-in
/// template is damaged.
pub async fn examine(
    env: &Env,
    ambient: &Ambient,
    options: &Options,
) -> Result<Report, StartError> {
    let url = options
        .url
        .as_deref()
        .map_or_else(|| env.required(URL), Ok)?;
    let expected = Expected::built_in()?;
    let deployment = Deployment::within(url, READ_TIMEOUT)?;
    let mut report = Report::default();
    let mut outside = Outside::new(deployment, &expected, env, ambient);
    let denied = outside.examine(&mut report).await;
    Inside::new(env, ambient, &expected, options.patience)
        .examine(denied, outside.published(), &mut report)
        .await;
    Ok(report)
}
