//! Who may do what: the functions' roles with their policies, and the policies of secrets. Policies
//! of tables and keys stand in the properties of those.
//!
//! What a role could have beside policies of its own is refused: what is not evaluated must not
//! seem to permit or protect.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Physical, Template, TemplateError, below, intrinsics::Evaluator, predicted::FUNCTION};

/// The permissions that a template gives and takes.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// The functions' roles, by the function's logical id.
    pub functions: BTreeMap<String, Role>,
    /// Policies of secrets: the policy's logical id, the secret's ARN, the document.
    pub secret_policies: Vec<(String, String, Value)>,
}

/// What a function runs as.
#[derive(Clone, Debug)]
pub struct Role {
    /// The role's ARN.
    pub arn: String,
    /// The ARN of the role's session, as refusals name it.
    pub session: String,
    /// Where the function's log lines go.
    pub log_group: String,
    /// The role's policies: the logical id of each and its document.
    pub policies: Vec<(String, Value)>,
}

const ROLE: &str = "AWS::IAM::Role";
const ROLE_POLICY: &str = "AWS::IAM::RolePolicy";
/// A policy that several roles have.
const SHARED_POLICY: &str = "AWS::IAM::Policy";
const MANAGED_POLICY: &str = "AWS::IAM::ManagedPolicy";
pub(super) const SECRET_POLICY: &str = "AWS::SecretsManager::ResourcePolicy";

/// What a function's role may say. Its own policies are resources beside it.
const OF_A_ROLE: [&str; 6] = [
    "AssumeRolePolicyDocument",
    "Description",
    "MaxSessionDuration",
    "Path",
    "RoleName",
    "Tags",
];

impl Template {
    /// The permissions, once the resources are created.
    ///
    /// # Errors
    /// A function without a role of its own, a role that has more than is evaluated here, or an
    /// unresolvable policy.
    pub fn access(&self, physical: &Physical) -> Result<Access, TemplateError> {
        let evaluator = Evaluator::new(self, physical);
        let mut access = Access::default();
        for (logical_id, declared) in self.of_type(FUNCTION, &evaluator)? {
            let at = below(logical_id, "Properties.Role");
            let role = declared
                .properties
                .get("Role")
                .and_then(|role| role["Fn::GetAtt"][0].as_str());
            let role = role.ok_or_else(|| {
                TemplateError::new(&at, "must be !GetAtt of a role of the template")
            })?;
            let arn = text(&evaluator, &json!({"Fn::GetAtt": [role, "Arn"]}), &at)?;
            let name = text(&evaluator, &json!({"Ref": role}), &at)?;
            let function = text(&evaluator, &json!({"Ref": logical_id}), logical_id)?;
            let session = arn
                .replacen(":iam:", ":sts:", 1)
                .replacen(":role/", ":assumed-role/", 1);
            let at = below(logical_id, "Properties.LoggingConfig.LogGroup");
            let log_group = declared
                .properties
                .get("LoggingConfig")
                .map_or(&Value::Null, |logging| &logging["LogGroup"]);
            access.functions.insert(
                logical_id.clone(),
                Role {
                    session: format!("{session}/{function}"),
                    log_group: text(&evaluator, log_group, &at)?,
                    policies: self.policies_of(role, &name, physical)?,
                    arn,
                },
            );
        }
        for (logical_id, _) in self.of_type(SECRET_POLICY, &evaluator)? {
            let properties = self.properties(logical_id, physical)?;
            let secret = properties["SecretId"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            access.secret_policies.push((
                logical_id.clone(),
                secret,
                properties["ResourcePolicy"].clone(),
            ));
        }
        Ok(access)
    }

    fn policies_of(
        &self,
        role: &str,
        name: &str,
        physical: &Physical,
    ) -> Result<Vec<(String, Value)>, TemplateError> {
        let evaluator = Evaluator::new(self, physical);
        let roles = self.of_type(ROLE, &evaluator)?;
        let declared = roles
            .into_iter()
            .find(|(id, _)| id.as_str() == role)
            .map(|(_, declared)| declared);
        let declared =
            declared.ok_or_else(|| TemplateError::new(role, "is not a role of the template"))?;
        if let Some(more) = declared
            .properties
            .keys()
            .find(|member| !OF_A_ROLE.contains(&member.as_str()))
        {
            return Err(TemplateError::new(
                below(role, more),
                "is not evaluated here: give the role policies beside it",
            ));
        }
        let mut policies = Vec::new();
        for (logical_id, _) in self.of_type(ROLE_POLICY, &evaluator)? {
            let properties = self.properties(logical_id, physical)?;
            if properties["RoleName"] == name {
                policies.push((logical_id.clone(), properties["PolicyDocument"].clone()));
            }
        }
        let of_the_role = |properties: &Value| {
            let roles = properties["Roles"].as_array();
            roles.is_some_and(|roles| roles.iter().any(|role| role == name))
        };
        for (logical_id, _) in self.of_type(SHARED_POLICY, &evaluator)? {
            let properties = self.properties(logical_id, physical)?;
            if of_the_role(&properties) {
                policies.extend(
                    evaluated(&properties["PolicyDocument"])
                        .map(|document| (logical_id.clone(), document)),
                );
            }
        }
        for (logical_id, _) in self.of_type(MANAGED_POLICY, &evaluator)? {
            if of_the_role(&self.properties(logical_id, physical)?) {
                let reason = format!("{MANAGED_POLICY} of a function's role is not evaluated here");
                return Err(TemplateError::new(logical_id, reason));
            }
        }
        Ok(policies)
    }
}

/// The document without the statements that are about EC2 alone: nothing here asks for any of that,
/// and their conditions have keys that are given nowhere else. Nothing, if there are no others.
fn evaluated(document: &Value) -> Option<Value> {
    let statements = match &document["Statement"] {
        Value::Array(statements) => statements.clone(),
        // Malformed or not, it is read where all policies are.
        one => vec![one.clone()],
    };
    let others: Vec<Value> = statements
        .into_iter()
        .filter(|statement| !of_ec2_alone(statement))
        .collect();
    if others.is_empty() {
        return None;
    }
    let mut document = document.clone();
    document["Statement"] = Value::Array(others);
    Some(document)
}

fn of_ec2_alone(statement: &Value) -> bool {
    let of_ec2 = |action: &Value| {
        action
            .as_str()
            .is_some_and(|action| action.to_ascii_lowercase().starts_with("ec2:"))
    };
    match &statement["Action"] {
        Value::Array(actions) => !actions.is_empty() && actions.iter().all(of_ec2),
        one => of_ec2(one),
    }
}

fn text(evaluator: &Evaluator<'_>, value: &Value, at: &str) -> Result<String, TemplateError> {
    let resolved = evaluator.evaluate(value, at)?;
    let text = resolved.as_ref().and_then(Value::as_str);
    text.map(str::to_owned)
        .ok_or_else(|| TemplateError::new(at, "is required"))
}
