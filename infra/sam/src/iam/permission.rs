//! A policy taken apart into the smallest things that it permits, so that each can be listed, seen
//! in use, and taken away.

use std::fmt;

use super::{
    condition::Condition,
    pattern::{arn_like, like_ignoring_case},
    policy::{Named, Policy, Statement},
    principal::Principal,
    request::Request,
};

/// Keys whose values are permissions of their own: a class of partition keys, a service through
/// which a key is used.
const CLASSES: [&str; 2] = ["dynamodb:LeadingKeys", "kms:ViaService"];

/// One action on one resource, for one class of partition keys or through one service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Permission {
    /// The role's ARN.
    pub holder: String,
    /// `role` for a role's own policy, `resource` for the policy of what it is about.
    pub granted_by: &'static str,
    /// Such as `dynamodb:GetItem`.
    pub action: String,
    /// The ARN or pattern as it stands in the policy.
    pub resource: String,
    /// The one value of a condition that is told apart.
    pub class: Option<String>,
    /// All the conditions, that class alone in place of its list.
    pub condition: String,
}

impl Permission {
    /// The same on another resource: in a resource's own policy `*` is that resource.
    #[must_use]
    pub fn on(self, resource: &str) -> Self {
        Self {
            resource: resource.to_owned(),
            ..self
        }
    }

    /// All that a policy of a role, or of a resource as far as it names this role, permits it.
    #[must_use]
    pub fn of(policy: &Policy, granted_by: &'static str, holder: &str) -> Vec<Self> {
        let statements = policy.statements.iter().filter(|statement| {
            statement.allows
                && (granted_by == "role"
                    || statement
                        .principals
                        .iter()
                        .any(|named| *named == Named::Arn(holder.to_owned())))
        });
        statements
            .flat_map(|statement| Self::expand(statement, granted_by, holder))
            .collect()
    }

    /// Those of a statement that covers the request by which it does.
    pub(super) fn used(
        principal: &Principal,
        granted_by: &'static str,
        statement: &Statement,
        request: &Request<'_>,
    ) -> Vec<Self> {
        let matches = |permission: &Self| {
            like_ignoring_case(&permission.action, request.action)
                && arn_like(&permission.resource, request.resource)
                && permission.class.as_ref().is_none_or(|class| {
                    let told = statement
                        .conditions
                        .iter()
                        .filter(|condition| condition.tells_classes());
                    told.flat_map(|condition| {
                        request
                            .context
                            .values(&condition.key)
                            .iter()
                            .map(move |value| (condition, value))
                    })
                    .any(|(condition, value)| condition.admits(class, value))
                })
        };
        Self::expand(statement, granted_by, &principal.arn)
            .into_iter()
            .filter(matches)
            .collect()
    }

    fn expand(statement: &Statement, granted_by: &'static str, holder: &str) -> Vec<Self> {
        let classes = statement
            .conditions
            .iter()
            .find(|condition| condition.tells_classes());
        let classes: Vec<Option<&String>> =
            classes.map_or(vec![None], |told| told.values.iter().map(Some).collect());
        let mut permissions = Vec::new();
        for action in &statement.actions {
            for resource in &statement.resources {
                for class in &classes {
                    permissions.push(Self {
                        holder: holder.to_owned(),
                        granted_by,
                        action: action.clone(),
                        resource: resource.clone(),
                        class: class.cloned(),
                        condition: written(&statement.conditions, *class),
                    });
                }
            }
        }
        permissions
    }

    /// The policy without this permission, all else as it was.
    #[must_use]
    pub fn taken_from(&self, policy: &Policy) -> Policy {
        let holds = |statement: &Statement| {
            statement.allows
                && Self::expand(statement, self.granted_by, &self.holder).contains(self)
        };
        let statements = policy.statements.iter();
        Policy {
            statements: statements
                .flat_map(|one| {
                    if holds(one) {
                        self.split(one)
                    } else {
                        vec![one.clone()]
                    }
                })
                .collect(),
        }
    }

    /// The statement's other actions; the action on other resources; and on this one, what is of
    /// other classes.
    fn split(&self, statement: &Statement) -> Vec<Statement> {
        let mut others = statement.clone();
        others.actions.retain(|action| *action != self.action);
        let mut elsewhere = Statement {
            actions: vec![self.action.clone()],
            ..statement.clone()
        };
        elsewhere
            .resources
            .retain(|resource| *resource != self.resource);
        let mut rest = vec![others, elsewhere];
        if let Some(class) = &self.class {
            let mut of_other_classes = statement.clone();
            of_other_classes.actions = vec![self.action.clone()];
            of_other_classes.resources = vec![self.resource.clone()];
            for told in of_other_classes
                .conditions
                .iter_mut()
                .filter(|condition| condition.tells_classes())
            {
                told.values.retain(|value| value != class);
            }
            rest.push(of_other_classes);
        }
        rest.retain(|statement| {
            let conditions_stand = statement
                .conditions
                .iter()
                .all(|condition| !condition.values.is_empty());
            !statement.actions.is_empty() && !statement.resources.is_empty() && conditions_stand
        });
        rest
    }
}

impl Condition {
    /// Whether its values are permissions of their own. A key is told apart where it is compared,
    /// not where it must exist.
    fn tells_classes(&self) -> bool {
        CLASSES
            .iter()
            .any(|key| key.eq_ignore_ascii_case(&self.key))
            && self.operator() != "Null"
    }
}

/// The conditions as `permissions.csv` has them: each operator, key and values, in order, with
/// semicolons between.
fn written(conditions: &[Condition], class: Option<&String>) -> String {
    let mut parts: Vec<String> = conditions
        .iter()
        .map(|condition| {
            let values = match class.filter(|_| condition.tells_classes()) {
                Some(class) => class.clone(),
                None => condition.values.join(" "),
            };
            format!("{} {} {values}", condition.operator(), condition.key)
        })
        .collect();
    parts.sort_unstable();
    parts.join("; ")
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            holder,
            granted_by,
            action,
            resource,
            condition,
            ..
        } = self;
        write!(
            f,
            "{holder}: {action} on {resource} [{condition}] by {granted_by}"
        )
    }
}
