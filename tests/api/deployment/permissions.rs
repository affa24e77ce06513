//! Least privilege, shown by the policies themselves (LEAK-5, LEAK-12): `infra/permissions.csv` has
//! every permission of every function and nothing else, none can be taken away without something
//! failing, and what is not in the table is refused.

mod operator;
mod refused;
mod removal;
mod scenarios;

use std::collections::BTreeMap;

use emulator::cloud::{
    REGION,
    access::{Granted, Rules},
};
use local::services::{Options, Services};

/// The table, as it stands in the repository.
const TABLE: &str = include_str!("../../../infra/permissions.csv");

/// Everything that a parameter can turn on, so that the table has it.
pub fn everything_on() -> BTreeMap<String, String> {
    let secret =
        |name: &str| format!("arn:aws:secretsmanager:{REGION}:000000000000:secret:{name}-AbCdEf");
    [
        (
            "TrustedProxyAddressHeader",
            "CloudFront-Viewer-Address".to_owned(),
        ),
        ("TrustedProxyProofHeader", "X-Proof".to_owned()),
        ("TrustedProxySecretArn", secret("TrustedProxySecretArn")),
        ("CanarySecretArn", secret("CanarySecretArn")),
        ("SandboxSigningKeys", "ab".to_owned()),
        ("LiveSigningKeys", "ab".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

/// One row: function, action, resource, condition, granted by, why.
fn rows() -> Vec<[String; 6]> {
    let mut lines = TABLE.lines();
    assert_eq!(
        lines.next(),
        Some("function,action,resource,condition,granted_by,why")
    );
    lines
        .map(|line| {
            let cells: Vec<String> = line.split(',').map(str::to_owned).collect();
            cells
                .try_into()
                .unwrap_or_else(|_| panic!("not six cells, or a comma in one: {line}"))
        })
        .collect()
}

/// As the table writes a permission. What a parameter decides stands there by the parameter's name.
fn written(rules: &Rules) -> Vec<[String; 5]> {
    let of = |granted: Granted| {
        let Granted {
            function,
            permission,
            resource,
        } = granted;
        let condition = permission
            .condition
            .replace(REGION, "${AWS::Region}")
            .replace("P#sandbox", "P#${SampleEnvironment}");
        let sandbox_is_fixed = function != "SampleAuthorizerFunction";
        let condition = if sandbox_is_fixed {
            condition.replace("P#${SampleEnvironment}", "P#sandbox")
        } else {
            condition
        };
        let granted_by = if permission.granted_by == "role" {
            "role"
        } else {
            "key policy"
        };
        let resource = resource.trim_end_matches("-AbCdEf").to_owned();
        [
            function,
            permission.action,
            resource,
            condition,
            granted_by.to_owned(),
        ]
    };
    let mut written: Vec<[String; 5]> = rules.granted().into_iter().map(of).collect();
    written.sort();
    written
}

#[tokio::test]
async fn leak_5_the_table_has_every_permission_and_no_other() {
    let options = Options {
        parameters: everything_on(),
        ..Options::default()
    };
    let services = Services::start(options, "http://127.0.0.1:1")
        .await
        .unwrap();
    let existing = written(&services.cloud().authority().rules());
    let mut told: Vec<[String; 5]> = Vec::new();
    for [function, action, resource, condition, granted_by, why] in rows() {
        assert!(
            why.len() > 5,
            "{function} {action} {resource} does not say why"
        );
        told.push([function, action, resource, condition, granted_by]);
    }
    told.sort();
    let show = |rows: &[[String; 5]]| rows.iter().map(|row| row.join(",")).collect::<Vec<_>>();
    let (told, existing) = (show(&told), show(&existing));
    let missing: Vec<_> = existing.iter().filter(|row| !told.contains(row)).collect();
    let stale: Vec<_> = told.iter().filter(|row| !existing.contains(row)).collect();
    assert!(
        missing.is_empty() && stale.is_empty(),
        "not in permissions.csv: {missing:#?}\nnot in the template: {stale:#?}"
    );
    assert_eq!(told.len(), existing.len(), "a row twice");
}

/// What no function may do, whatever else: each of these is a way around the classes of partition
/// keys, or destroys.
#[test]
fn leak_5_no_function_scans_deletes_or_speaks_partiql() {
    for [function, action, resource, ..] in rows() {
        let of_table = ["DeleteItem", "Scan", "BatchWriteItem"]
            .iter()
            .any(|name| action.ends_with(name));
        assert!(
            !of_table && !action.contains("PartiQL") && !action.contains('*'),
            "{function} {action} {resource}"
        );
        assert!(resource != "*", "{function} {action}");
    }
}

/// LEAK-5: who signs, who reads the pepper, who writes keys.
#[test]
fn leak_5_each_power_is_where_it_belongs() {
    let who = |wanted: &dyn Fn(&[String; 6]) -> bool| {
        let mut who: Vec<String> = rows()
            .iter()
            .filter(|row| wanted(row))
            .map(|row| row[0].clone())
            .collect();
        who.dedup();
        who
    };
    assert_eq!(who(&|row| row[1] == "kms:Sign"), ["TokensFunction"]);
    for row in rows().iter().filter(|row| row[1] == "kms:Sign") {
        assert_eq!(
            row[3],
            "StringEquals kms:MessageType DIGEST; StringEquals kms:SigningAlgorithm ECDSA_SHA_256"
        );
        assert_eq!(
            row[4], "key policy",
            "the key names who signs, and nobody's own policy can"
        );
    }
    let pepper = who(&|row| row[1] == "secretsmanager:GetSecretValue" && row[2] == "PepperSecret");
    let expected = [
        "KeysFunction",
        "ManagementAuthorizerFunction",
        "ManagementFunction",
        "SampleAuthorizerFunction",
        "TokensFunction",
    ];
    assert_eq!(pepper, expected, "those that check secrets");
    let all = rows();
    let of_items: Vec<_> = all
        .iter()
        .filter(|row| row[1].starts_with("dynamodb:") && !row[2].contains("/stream/"))
        .collect();
    assert!(!of_items.is_empty());
    for row in of_items {
        let conditions: Vec<&str> = row[3].split("; ").collect();
        assert!(
            conditions.contains(&"Null dynamodb:LeadingKeys false"),
            "ForAllValues is true of an absent key: {row:?}"
        );
        let class = conditions.iter().find_map(|condition| {
            condition.strip_prefix("ForAllValues:StringLike dynamodb:LeadingKeys ")
        });
        assert!(
            class.is_some_and(|class| class != "*" && class.contains('#')),
            "of no class of keys: {row:?}"
        );
    }
}
