//! What AWS says of the stack, by the operator's credentials.

mod access_log;
mod api;
mod aws;
mod groups;
mod keys;
mod options;
mod responses;
mod stage;
mod tables;

use std::time::Duration;

use runtime::{Ambient, Env};

use self::{api::Api, aws::Aws, options::LiveKeys};
use super::{
    expected::Expected,
    outside::Denied,
    report::{Report, Trouble},
};

/// Whoever looks from inside.
pub(super) struct Inside<'a> {
    env: &'a Env,
    ambient: &'a Ambient,
    expected: &'a Expected,
    aws: Aws,
    patience: Duration,
}

impl<'a> Inside<'a> {
    pub(super) fn new(
        env: &'a Env,
        ambient: &'a Ambient,
        expected: &'a Expected,
        patience: Duration,
    ) -> Self {
        Self {
            env,
            ambient,
            expected,
            aws: Aws::new(&ambient.aws),
            patience,
        }
    }

    /// Makes every check. `denied` is a call whose line the access log must have, `published` the
    /// names of the keys that verify tokens.
    pub(super) async fn examine(
        &self,
        denied: Result<Denied, Trouble>,
        published: Option<&[String]>,
        report: &mut Report,
    ) {
        let api = Api::named(self.env, &self.aws);
        report.add(
            api::AUTHORIZERS,
            api::authorizers(api.as_ref(), self.expected).await,
        );
        report.add(
            api::METHODS,
            api::methods(api.as_ref(), self.expected).await,
        );
        report.add(
            responses::RESPONSES,
            responses::all(api.as_ref(), self.expected).await,
        );
        let stage = stage::read(api.as_ref()).await;
        report.add(
            stage::DEPLOYMENT,
            stage::deployment(api.as_ref(), stage.as_ref()).await,
        );
        report.add(
            stage::ACCESS_LOG,
            stage::access_log(stage.as_ref(), self.env),
        );
        report.add(stage::EXECUTION_LOG, stage::execution_log(stage.as_ref()));
        report.add(stage::CACHE, stage::cache(stage.as_ref()));
        report.add(stage::ACCOUNT, stage::account(&self.aws).await);
        let tables = tables::read(self.env, &self.aws).await;
        report.add(tables::EXPIRY, tables::expiry(self.env, &self.aws).await);
        report.add(
            tables::RECOVERY,
            tables::recovery(self.env, &self.aws).await,
        );
        report.add(tables::PROTECTION, tables::protection(&tables));
        report.add(tables::ENCRYPTION, tables::encryption(&tables, self.env));
        report.add(tables::STREAMS, tables::streams(&tables));
        report.add(keys::SIGNING, keys::signing(self.env, &self.aws).await);
        report.add(
            keys::PUBLISHED,
            keys::published(self.env, self.ambient, published).await,
        );
        report.add(keys::DATA, keys::data(self.env, &self.aws).await);
        report.add(keys::PEPPERS, keys::peppers(self.env, &self.aws).await);
        report.add(
            groups::GROUPS,
            groups::all(self.env, &self.aws, self.expected).await,
        );
        let mut live = LiveKeys::new(self.env, self.ambient);
        report.add(
            options::OPERATOR_ROLE,
            options::operator_role(&tables, self.env, &self.aws, &mut live).await,
        );
        report.add(
            options::ALARM_RECEIVER,
            options::alarm_receiver(self.env, &mut live).await,
        );
        report.add(options::CANARY, options::canary(self.env));
        let clock = &self.ambient.clock;
        report.add(
            access_log::LINE,
            access_log::line(denied, self.env, &self.aws, clock, self.patience).await,
        );
    }
}

/// What the environment must name to be looked at.
fn named<'e>(env: &'e Env, variable: &str) -> Result<&'e str, Trouble> {
    env.required(variable).map_err(|error| {
        Trouble::Unknown(format!(
            "{error}: the stack's output OperatorEnvironment says it"
        ))
    })
}
