//! The account's policies, gathered from the template once its resources exist.

use std::collections::BTreeMap;

use sam::{
    iam::{AccessDenied, Permission, Policy, PolicyError, Principal, Request, Resource, decide},
    template::{Access, Description, Physical},
};
use serde_json::Value;

use super::{
    super::{arn, error::CloudError},
    calls::Call,
};

/// Everything that has a say.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// By the function's logical id.
    principals: BTreeMap<String, Principal>,
    /// By name.
    tables: BTreeMap<String, Table>,
    /// Policies of tables, streams, secrets and keys, by ARN.
    guards: BTreeMap<String, Policy>,
    /// The key that a secret or a queue is sealed under, by its ARN.
    sealed: BTreeMap<String, String>,
    /// The logical ids of what policies name, by ARN.
    names: BTreeMap<String, String>,
}

/// A permission of a function's role.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Granted {
    /// By logical id.
    pub function: String,
    /// What is permitted.
    pub permission: Permission,
    /// The permission's resource, by logical id where the template has it.
    pub resource: String,
}

/// What has to be known of a table.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) arn: String,
    /// The name of the partition key.
    pub(super) partition_key: String,
    /// The key that it is sealed under.
    pub(super) sealed_under: Option<String>,
}

impl Rules {
    /// The policies of a template whose resources are made.
    ///
    /// # Errors
    /// A policy that is malformed or not understood, by its place.
    pub fn of(
        access: &Access,
        description: &Description,
        physical: &Physical,
    ) -> Result<Self, CloudError> {
        let mut rules = Self::default();
        for (function, role) in &access.functions {
            let policies = role
                .policies
                .iter()
                .map(|(id, document)| Policy::of_role(document).map_err(at(id)));
            let principal = Principal {
                arn: role.arn.clone(),
                session: role.session.clone(),
                policies: policies.collect::<Result<_, _>>()?,
                root: false,
            };
            rules.principals.insert(function.clone(), principal);
        }
        let attribute = |logical_id: &str, name: &str| {
            let resource = physical.get(logical_id)?;
            resource.attributes.get(name).cloned()
        };
        for table in &description.tables {
            let id = &table.logical_id;
            let name = physical
                .get(id)
                .map_or(id.clone(), |made| made.reference.clone());
            let arn = attribute(id, "Arn").unwrap_or_else(|| arn::table(&name));
            rules.guard(
                id,
                &arn,
                &table.properties["ResourcePolicy"]["PolicyDocument"],
            )?;
            if let Some(stream) = attribute(id, "StreamArn") {
                rules.guard(
                    id,
                    &stream,
                    &table.properties["StreamSpecification"]["ResourcePolicy"]["PolicyDocument"],
                )?;
            }
            let sealed_under = key_arn(&table.properties["SSESpecification"]["KMSMasterKeyId"]);
            let partition_key = partition_key(&table.properties).unwrap_or_default();
            rules.tables.insert(
                name,
                Table {
                    arn,
                    partition_key,
                    sealed_under,
                },
            );
        }
        for key in &description.keys {
            if let Some(arn) = attribute(&key.logical_id, "Arn") {
                rules.guard(&key.logical_id, &arn, &key.properties["KeyPolicy"])?;
            }
        }
        for secret in &description.secrets {
            let arn = physical
                .get(&secret.logical_id)
                .map(|made| made.reference.clone());
            rules.name(&secret.logical_id, arn.as_ref());
            if let (Some(arn), Some(key)) = (arn, key_arn(&secret.properties["KmsKeyId"])) {
                rules.sealed.insert(arn, key);
            }
        }
        for queue in &description.queues {
            let arn = attribute(&queue.logical_id, "Arn");
            if let (Some(arn), Some(key)) = (&arn, key_arn(&queue.properties["KmsMasterKeyId"])) {
                rules.sealed.insert(arn.clone(), key);
            }
        }
        for resource in [&description.tables, &description.keys, &description.queues]
            .into_iter()
            .flatten()
        {
            rules.name(
                &resource.logical_id,
                attribute(&resource.logical_id, "Arn").as_ref(),
            );
        }
        for group in &description.log_groups {
            let name = group.properties["LogGroupName"]
                .as_str()
                .unwrap_or(&group.logical_id);
            rules.name(
                &group.logical_id,
                Some(&format!("{}:*", arn::log_group(name))),
            );
        }
        for (id, secret, document) in &access.secret_policies {
            rules.guard(id, secret, document)?;
        }
        Ok(rules)
    }

    fn name(&mut self, logical_id: &str, arn: Option<&String>) {
        self.names
            .extend(arn.map(|arn| (arn.clone(), logical_id.to_owned())));
    }

    fn guard(&mut self, id: &str, arn: &str, document: &Value) -> Result<(), CloudError> {
        if !document.is_null() {
            self.guards.insert(
                arn.to_owned(),
                Policy::of_resource(document).map_err(at(id))?,
            );
        }
        Ok(())
    }

    /// The functions, by logical id.
    pub fn functions(&self) -> impl Iterator<Item = &String> {
        self.principals.keys()
    }

    /// All that any function's role is permitted, by its own policy or by a resource's that names
    /// it.
    #[must_use]
    pub fn granted(&self) -> Vec<Granted> {
        let mut all = Vec::new();
        for (function, principal) in &self.principals {
            let mut permissions: Vec<Permission> = principal
                .policies
                .iter()
                .flat_map(|policy| Permission::of(policy, "role", &principal.arn))
                .collect();
            for (arn, policy) in &self.guards {
                // In a resource's policy `*` is that resource.
                permissions.extend(
                    Permission::of(policy, "resource", &principal.arn)
                        .into_iter()
                        .map(|one| one.on(arn)),
                );
            }
            all.extend(permissions.into_iter().map(|permission| {
                let resource = self.named(&permission.resource);
                Granted {
                    function: function.clone(),
                    permission,
                    resource,
                }
            }));
        }
        all
    }

    /// What an ARN in a policy stands for, by the logical id of what it names or begins with.
    fn named(&self, arn: &str) -> String {
        let known = self
            .names
            .iter()
            .find(|(known, _)| arn.strip_prefix(known.as_str()).is_some_and(begins_anew));
        known.map_or_else(
            || arn.rsplit(':').next().unwrap_or(arn).to_owned(),
            |(known, logical_id)| format!("{logical_id}{}", &arn[known.len()..]),
        )
    }

    /// These policies without one permission.
    #[must_use]
    pub fn without(&self, permission: &Permission) -> Self {
        let mut rules = self.clone();
        if permission.granted_by == "role" {
            for principal in rules
                .principals
                .values_mut()
                .filter(|principal| principal.arn == permission.holder)
            {
                principal.policies = principal
                    .policies
                    .iter()
                    .map(|policy| permission.taken_from(policy))
                    .collect();
            }
        } else {
            for (arn, policy) in &mut rules.guards {
                if *arn == permission.resource {
                    *policy = permission.clone().on("*").taken_from(policy);
                }
            }
        }
        rules
    }

    pub(super) fn principal(&self, function: &str) -> Option<&Principal> {
        self.principals.get(function)
    }

    pub(super) fn table(&self, name: &str) -> Option<&Table> {
        self.tables.get(name)
    }

    pub(super) fn tables(&self) -> impl Iterator<Item = (&String, &Table)> {
        self.tables.iter()
    }

    /// The rules of an account with one open table and nobody in it.
    #[cfg(test)]
    pub(super) fn of_one_table(name: &str, partition_key: &str) -> Self {
        let table = Table {
            arn: arn::table(name),
            partition_key: partition_key.to_owned(),
            sealed_under: None,
        };
        Self {
            tables: [(name.to_owned(), table)].into(),
            ..Self::default()
        }
    }

    /// The table's ARN, whether or not the template has such a table.
    pub(super) fn arn_of_table(&self, name: &str) -> String {
        self.tables
            .get(name)
            .map_or_else(|| arn::table(name), |table| table.arn.clone())
    }

    /// The name of the table whose stream this is.
    pub(super) fn table_of_stream(&self, stream: &str) -> Option<String> {
        let (table, _) = stream.split_once("/stream/")?;
        self.tables
            .iter()
            .find(|(_, known)| known.arn == table)
            .map(|(name, _)| name.clone())
    }

    /// The key that a secret or a queue is sealed under.
    pub(super) fn key_of(&self, arn: &str) -> Option<&String> {
        self.sealed.get(arn)
    }

    pub(super) fn decide(
        &self,
        principal: &Principal,
        call: &Call,
    ) -> Result<Vec<Permission>, AccessDenied> {
        let request = Request {
            action: &call.action,
            resource: &call.resource,
            context: call.context.clone(),
        };
        let resource = match self.guards.get(&call.resource) {
            Some(policy) if is_key(&call.resource) => Resource::Key(policy),
            Some(policy) => Resource::Guarded(policy),
            // The policy that KMS gives a key without one delegates everything to the account,
            // which comes to the same.
            None => Resource::Unguarded,
        };
        let used = decide(principal, &request, resource)?;
        Ok(used
            .into_iter()
            .map(|one| {
                if one.granted_by == "role" {
                    one
                } else {
                    one.on(&call.resource)
                }
            })
            .collect())
    }
}

fn at(id: &str) -> impl Fn(PolicyError) -> CloudError {
    move |problem| CloudError::new(format!("the policy in {id}: {problem}"))
}

fn is_key(arn: &str) -> bool {
    arn.starts_with("arn:aws:kms:") && arn.contains(":key/")
}

/// A key's ARN, of what a resource says it is sealed under: an ARN or an id.
fn key_arn(named: &Value) -> Option<String> {
    let named = named.as_str()?;
    Some(if named.starts_with("arn:") {
        named.to_owned()
    } else {
        arn::kms(&format!("key/{named}"))
    })
}

fn partition_key(properties: &Value) -> Option<String> {
    let mut schema = properties["KeySchema"].as_array()?.iter();
    schema.find(|element| element["KeyType"] == "HASH")?["AttributeName"]
        .as_str()
        .map(str::to_owned)
}

/// Whether what follows an ARN in a longer one is a part of what it names.
fn begins_anew(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with('/')
}
