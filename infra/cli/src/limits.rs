//! `latchkey limits`: what an organization's keys are counted as, and the way out where a limit is
//! in somebody's way.

use clap::Args;
use domain::{ids::Guid, key_mode::KeyMode};
use operator::tenants::Operator;
use runtime::StartError;
use serde_json::{Value, json};

/// The people who are shown, those with the most keys.
const PEOPLE: usize = 10;

#[derive(Args)]
pub(super) struct Order {
    /// The organization's guid
    #[arg(long, value_name = "GUID")]
    organization: Guid,
    /// Count its keys again, and have those that an incident revoked, or that ended, make room
    #[arg(long)]
    recount: bool,
    /// How many sandbox keys it may have that are not revoked
    #[arg(long, value_name = "COUNT")]
    sandbox_keys: Option<u64>,
    /// How many live keys it may have that are not revoked
    #[arg(long, value_name = "COUNT")]
    live_keys: Option<u64>,
}

impl Order {
    /// Does what is asked for, and shows how it is then.
    pub(super) async fn run(&self, operator: &Operator) -> Result<Value, StartError> {
        let kinds = [
            (KeyMode::Sandbox, self.sandbox_keys),
            (KeyMode::Live, self.live_keys),
        ];
        for (kind, max) in kinds {
            if let Some(max) = max {
                operator.key_limit(self.organization, kind, max).await?;
            }
        }
        let released = if self.recount {
            Some(operator.recount(self.organization).await?)
        } else {
            None
        };
        let limits = operator.limits(self.organization).await?;
        let people: Vec<_> = limits
            .people
            .iter()
            .filter(|(_, count)| count.keys > 0)
            .take(PEOPLE)
            .map(|(guid, count)| json!({"guid": guid, "keys": count.keys, "max": count.max}))
            .collect();
        let mut shown = json!({
            "guid": self.organization,
            "sandbox": limits.sandbox,
            "live": limits.live,
            "people": people,
        });
        if let Some(released) = released {
            shown["released"] = released.into();
        }
        Ok(shown)
    }
}
