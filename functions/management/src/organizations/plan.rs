//! Changes an organization's plan, at once or after notice (CBM-2). Whether its personal keys work
//! follows from the plan at each moment, so this is one write however many there are.

use std::time::Duration;

use axum::{
    Json,
    extract::{Request, State},
};
use domain::{
    error::{Error, Kind},
    gate::{NextPlan, OrganizationGate, Plan},
    operation::Operation,
    time::Timestamp,
};
use serde::Deserialize;
use utoipa::ToSchema;
use web::{
    dialect::Management,
    extract::{self, Id},
    openapi::{BadBody, CommonErrors, Conflict, GuidPath, NotFound, schema},
};

use super::{Response, find};
use crate::api::{Api, Caller};

/// How long before it a change can be announced.
const LONGEST_NOTICE: Duration = Duration::from_hours(24 * 90);

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ChangePlan)]
struct Body {
    #[serde(deserialize_with = "extract::word")]
    #[schema(value_type = schema::Plan)]
    plan: Plan,
    /// From when on, at most 90 days ahead; at once when left out or null. For platform staff
    /// alone.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    effective_at: Option<String>,
}

/// Changes an organization's plan.
///
/// Owners upgrade, at once, with `organizations:write`; choosing the present plan again cancels an
/// announced change.
#[utoipa::path(put, path = "/api/organizations/{guid}/plan", params(GuidPath), request_body = Body,
    responses((status = 200, body = Response), CommonErrors, NotFound, BadBody, Conflict))]
pub(crate) async fn plan(
    State(api): State<Api>,
    caller: Caller,
    Id(text): Id,
    request: Request,
) -> Result<Json<Response>, Management> {
    caller.require(Operation::ChangePlan)?;
    let (parts, body) = request.into_parts();
    let order = Order::parse(
        &extract::json(&parts.headers, body).await?,
        caller.is_staff(),
    )?;
    let organization = find(&api, &caller, &text).await?.organization;
    let snapshot = api.caller_snapshot(&caller).await?;
    let authority = snapshot.authority();
    authority.require(Operation::ChangePlan)?;
    authority.require_lasting()?;
    authority.require_all(&["organizations:write"])?;
    let (origin, store) = (caller.origin(), api.store.on_behalf_of(&snapshot));
    let gate = store
        .set_plan(organization.guid, &origin, |gate| {
            order.decide(gate, api.now())
        })
        .await?;
    Ok(Json(Response::new(&organization, &gate, api.now())))
}

/// What is asked for, and whether by staff.
struct Order {
    plan: Plan,
    effective_at: Option<Timestamp>,
    staff: bool,
}

impl Order {
    fn parse(body: &Body, staff: bool) -> Result<Self, Error> {
        let effective_at = body
            .effective_at
            .as_deref()
            .map(Timestamp::parse)
            .transpose();
        let effective_at = effective_at.map_err(|reason| Error::field("effective_at", reason))?;
        Ok(Self {
            plan: body.plan,
            effective_at,
            staff,
        })
    }

    /// The gate with the plan that was asked for. An announced change that has come about is the
    /// plan by now; any other is replaced: the last word holds.
    fn decide(&self, gate: &OrganizationGate, now: Timestamp) -> Result<OrganizationGate, Error> {
        let present = gate.plan_at(now);
        if !self.staff && (self.plan < present || self.effective_at.is_some()) {
            return Err(Error::new(
                Kind::Forbidden,
                "Owners upgrade, at once; ask platform staff for anything else",
            ));
        }
        let Some(at) = self.effective_at else {
            return Ok(OrganizationGate {
                plan: self.plan,
                next_plan: None,
                ..gate.clone()
            });
        };
        let reason = if at <= now {
            "is not in the future; leave it out for a change at once"
        } else if at > now + LONGEST_NOTICE {
            "must be at most 90 days ahead"
        } else if self.plan == present {
            "is for another plan than the present one; leave it out to cancel an announced change"
        } else {
            return Ok(OrganizationGate {
                plan: present,
                next_plan: Some(NextPlan {
                    plan: self.plan,
                    at,
                }),
                ..gate.clone()
            });
        };
        Err(Error::field("effective_at", reason))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);

    fn decide(
        gate: &OrganizationGate,
        plan: Plan,
        in_hours: Option<i64>,
        staff: bool,
    ) -> Result<OrganizationGate, Kind> {
        let effective_at =
            in_hours.map(|hours| Timestamp::from_seconds(NOW.seconds() + hours * 3600));
        Order {
            plan,
            effective_at,
            staff,
        }
        .decide(gate, NOW)
        .map_err(|error| error.kind)
    }

    fn on(plan: Plan) -> OrganizationGate {
        OrganizationGate {
            plan,
            ..OrganizationGate::NEW
        }
    }

    fn announced(plan: Plan, next: Plan, in_hours: u64) -> OrganizationGate {
        let at = NOW + Duration::from_hours(in_hours);
        OrganizationGate {
            next_plan: Some(NextPlan { plan: next, at }),
            ..on(plan)
        }
    }

    #[test]
    fn cbm_2_staff_change_at_once_or_after_at_most_90_days_of_notice() {
        let pro = on(Plan::Pro);
        assert_eq!(
            decide(&pro, Plan::Starter, None, true),
            Ok(on(Plan::Starter))
        );
        assert_eq!(
            decide(&pro, Plan::Starter, Some(1), true),
            Ok(announced(Plan::Pro, Plan::Starter, 1))
        );
        assert_eq!(
            decide(&pro, Plan::Starter, Some(24 * 90), true),
            Ok(announced(Plan::Pro, Plan::Starter, 24 * 90))
        );
        for hours in [-1, 0, 24 * 90 + 1] {
            assert_eq!(
                decide(&pro, Plan::Starter, Some(hours), true),
                Err(Kind::InvalidParameter),
                "{hours}"
            );
        }
        assert_eq!(
            decide(&pro, Plan::Pro, Some(1), true),
            Err(Kind::InvalidParameter),
            "it changes nothing"
        );
    }

    #[test]
    fn cbm_2_owners_upgrade_at_once_and_cancel_a_notice() {
        let announced = announced(Plan::Pro, Plan::Starter, 1);
        assert_eq!(
            decide(&on(Plan::Pro), Plan::Enterprise, None, false),
            Ok(on(Plan::Enterprise))
        );
        assert_eq!(
            decide(&announced, Plan::Pro, None, false),
            Ok(on(Plan::Pro))
        );
        assert_eq!(
            decide(&announced, Plan::Enterprise, None, false),
            Ok(on(Plan::Enterprise))
        );
        assert_eq!(
            decide(&on(Plan::Enterprise), Plan::Pro, None, false),
            Err(Kind::Forbidden)
        );
        assert_eq!(
            decide(&on(Plan::Pro), Plan::Enterprise, Some(1), false),
            Err(Kind::Forbidden)
        );
        assert_eq!(
            decide(&on(Plan::Pro), Plan::Enterprise, Some(-1), false),
            Err(Kind::Forbidden)
        );
    }

    #[test]
    fn an_announced_change_that_has_come_about_is_what_the_next_one_starts_from() {
        let over = OrganizationGate {
            next_plan: Some(NextPlan {
                plan: Plan::Enterprise,
                at: NOW,
            }),
            ..on(Plan::Starter)
        };
        assert_eq!(
            decide(&over, Plan::Pro, None, false),
            Err(Kind::Forbidden),
            "a downgrade by now"
        );
        let noticed = decide(&over, Plan::Pro, Some(1), true).unwrap();
        assert_eq!(
            (noticed.plan, noticed.plan_at(NOW)),
            (Plan::Enterprise, Plan::Enterprise)
        );
    }
}
