//! What people read of the template: its parameters, in groups and explained; the environments that
//! `samconfig.toml` deploys; and the findings of checkov that it answers with a reason.

use std::collections::BTreeSet;

use super::*;

const REAL: &str = include_str!("../../../template.yaml");
const SAMCONFIG: &str = include_str!("../../../../samconfig.toml");
const CHECKOV: &str = include_str!("../../../../docs/checkov.md");

fn real() -> Map<String, Value> {
    let Value::Object(root) = yaml::read(REAL).unwrap() else {
        panic!("not a mapping")
    };
    root
}

#[test]
fn every_parameter_is_explained_and_in_one_group() {
    let root = real();
    let mut shown = Vec::new();
    for group in root["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
        .as_array()
        .unwrap()
    {
        assert!(group["Label"]["default"].is_string(), "{group}");
        shown.extend(
            group["Parameters"]
                .as_array()
                .unwrap()
                .iter()
                .map(|name| name.as_str().unwrap().to_owned()),
        );
    }
    shown.sort_unstable();
    let declared: Vec<String> = root["Parameters"]
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect();
    assert_eq!(
        shown, declared,
        "each in one group of Metadata, and none that is not there"
    );
    for (name, parameter) in root["Parameters"].as_object().unwrap() {
        assert!(
            parameter["Description"]
                .as_str()
                .is_some_and(|text| text.len() > 20),
            "{name}"
        );
        assert_eq!(
            parameter.get("Default").is_some(),
            name != "Issuer",
            "{name}: only the issuer has no safe default"
        );
    }
}

/// Every `Name=Value` of an environment, those in comments among them.
fn overrides(environment: &str) -> BTreeMap<String, String> {
    let section = SAMCONFIG
        .split(&format!("[{environment}.deploy.parameters]"))
        .nth(1)
        .unwrap();
    let list = section
        .split("parameter_overrides = [")
        .nth(1)
        .unwrap()
        .split("\n]")
        .next()
        .unwrap();
    let text = |line: &str| line.split('"').nth(1).map(str::to_owned);
    let pairs = list.lines().filter_map(text).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap();
        (name.to_owned(), value.to_owned())
    });
    pairs.collect()
}

#[test]
fn the_environments_of_samconfig_are_accepted_and_differ() {
    for (environment, protection) in [("dev", "false"), ("prod", "true")] {
        let parameters = overrides(environment);
        assert_eq!(parameters["DeletionProtection"], protection);
        assert!(
            parameters.contains_key("Issuer") && parameters.len() >= 5,
            "{parameters:?}"
        );
        Template::parse(
            REAL,
            Settings {
                parameters,
                ..Settings::default()
            },
        )
        .unwrap();
        assert!(SAMCONFIG.contains(&format!("stack_name = \"latchkey-{environment}\"")));
    }
}

#[test]
fn what_contradicts_itself_is_refused_by_a_rule() {
    let refused = |given: &[(&str, &str)]| {
        let given = given
            .iter()
            .chain(&[("Issuer", "https://latchkey.example")]);
        let parameters = given
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Template::parse(
            REAL,
            Settings {
                parameters,
                ..Settings::default()
            },
        )
        .err()
        .map(|error| error.to_string())
    };
    let (vpc, subnets) = (
        ("VpcId", "vpc-0123456789abcdef0"),
        (
            "SubnetIds",
            "subnet-0123456789abcdef0,subnet-0123456789abcdef1",
        ),
    );
    let routes = ("RouteTableIds", "rtb-0123456789abcdef0");
    assert_eq!(refused(&[vpc, subnets, routes]), None);
    assert_eq!(refused(&[vpc, subnets, ("VpcEndpoints", "keep")]), None);
    for (given, rule) in [
        (&[vpc, routes][..], "Rules.SubnetsOfTheVpc"),
        (&[subnets], "Rules.SubnetsOfTheVpc"),
        (&[vpc, subnets], "Rules.RoutesToDynamoDb"),
        (
            &[
                ("AlarmEmail", "oncall@latchkey.example"),
                ("AlarmTopicArn", "arn:aws:sns:eu-west-1:000000000000:alarms"),
            ],
            "Rules.OneAlarmTopic",
        ),
        (&[("AlarmEmail", "nobody")], "Parameters.AlarmEmail"),
        (&[("VpcId", "vpc")], "Parameters.VpcId"),
        (&[("WebAcl", "some")], "Parameters.WebAcl"),
    ] {
        let error = refused(given).unwrap_or_default();
        assert!(error.starts_with(rule), "{given:?}: {error}");
    }
}

/// What would change answers and is not emulated is refused; what would not is passed over.
/// Deviation: web-acl, vpc.
#[test]
fn a_web_acl_is_refused_on_a_laptop_and_a_vpc_is_passed_over() {
    let read = |text: &str, given: &[(&str, &str)]| {
        let given = given
            .iter()
            .chain(&[("Issuer", "https://latchkey.example")]);
        let parameters = given
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let template = Template::parse(
            text,
            Settings {
                parameters,
                ..Settings::default()
            },
        )
        .unwrap();
        let attributes = |id: &str| {
            ["Arn", "StreamArn", "QueueName"]
                .map(|name| (name.to_owned(), format!("{id}.{name}")))
                .into()
        };
        let one = |id: String| {
            (
                id.clone(),
                PhysicalResource {
                    reference: format!("{id}.ref"),
                    attributes: attributes(&id),
                },
            )
        };
        let physical = template
            .resources()
            .unwrap()
            .into_iter()
            .map(|planned| one(planned.logical_id))
            .collect();
        template.resolve(&physical)?;
        template.access(&physical)
    };
    let refused = |given: &[(&str, &str)]| read(REAL, given).err().map(|error| error.to_string());
    let vpc = [
        ("VpcId", "vpc-0123456789abcdef0"),
        ("SubnetIds", "subnet-0123456789abcdef0"),
        ("VpcEndpoints", "keep"),
    ];
    // What a function may do is the same with a VPC and without one: EC2 is asked for nothing here.
    let policies = |text: &str, given: &[(&str, &str)]| {
        let access = read(text, given).unwrap();
        access
            .functions
            .into_iter()
            .map(|(function, role)| (function, role.policies))
            .collect::<BTreeMap<_, _>>()
    };
    let without = policies(REAL, &[]);
    assert!(
        without.len() >= 7 && without.values().all(|policies| !policies.is_empty()),
        "{without:?}"
    );
    assert_eq!(policies(REAL, &vpc), without);
    // What the same policy said of anything else would count.
    let more = REAL.replace(
        "- ec2:AssignPrivateIpAddresses\n",
        "- ec2:AssignPrivateIpAddresses\n              - dynamodb:Scan\n",
    );
    for (function, policies) in policies(&more, &vpc) {
        let (id, document) = policies.last().unwrap();
        let statements = document["Statement"].as_array().unwrap();
        assert_eq!(
            (id.as_str(), statements.len()),
            ("VpcPolicy", 1),
            "{function}"
        );
        assert_eq!(statements[0]["Sid"], "LambdaConnects", "{function}");
    }
    assert_eq!(
        refused(&[
            ("AuthorizerReservedConcurrency", "100"),
            ("AccessLogRole", "create")
        ]),
        None
    );
    assert_eq!(
        refused(&[("WebAcl", "managed")]).as_deref(),
        Some("WebAclAssociation: the local stack has no web ACL")
    );
}

/// No finding is suppressed without a reason that people find in the documentation.
#[test]
fn every_suppression_of_checkov_is_on_its_page() {
    let mut said = BTreeSet::new();
    for (id, resource) in real()["Resources"].as_object().unwrap() {
        for skip in resource["Metadata"]["checkov"]["skip"]
            .as_array()
            .into_iter()
            .flatten()
        {
            let (check, comment) = (
                skip["id"].as_str().unwrap(),
                skip["comment"].as_str().unwrap(),
            );
            assert!(comment.len() > 20, "{id}: {check}");
            let row = format!("| {check} | {comment} |");
            assert!(CHECKOV.contains(&row), "{id}: docs/checkov.md lacks {row}");
            said.insert(row);
        }
    }
    let inline = REAL
        .lines()
        .filter_map(|line| line.trim().strip_prefix("# checkov:skip="))
        .map(|skip| {
            let (check, comment) = skip.split_once(':').unwrap();
            format!("| {check} | {comment} |")
        });
    said.extend(inline);
    let rows: BTreeSet<String> = CHECKOV
        .lines()
        .filter(|line| line.starts_with("| CKV"))
        .map(str::to_owned)
        .collect();
    assert_eq!(rows, said, "each row is a suppression of the template's");
}
