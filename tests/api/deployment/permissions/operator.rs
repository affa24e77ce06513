//! LEAK-12: with the operator's role named, the tables and the pepper are shut to everybody else in
//! the account.

use aws_sdk_dynamodb::{
    Client, Config,
    config::{BehaviorVersion, Credentials, Region},
    error::ProvideErrorMetadata,
    types::AttributeValue,
};
use aws_sdk_kms::{
    primitives::Blob,
    types::{MessageType, SigningAlgorithmSpec},
};
use emulator::cloud::access::EVERY_FUNCTION;
use local::services::{Options, Services};
use sam::template::{Physical, Settings, Template};
use serde_json::json;

const OPERATOR_ROLE: &str = include_str!("../../../../infra/operator-role.yaml");
const PAGE: &str = include_str!("../../../../docs/permissions.md");
const OPERATOR: &str = "arn:aws:iam::000000000000:role/operator";

#[tokio::test]
async fn leak_12_tables_and_pepper_are_shut_to_all_but_their_functions_and_the_operator() {
    for named in [false, true] {
        let mut options = Options::default();
        if named {
            options
                .parameters
                .insert("OperatorRoleArn".to_owned(), OPERATOR.to_owned());
        }
        let services = Services::start(options, "http://127.0.0.1:1")
            .await
            .unwrap();
        let variables = services.variables("management");
        let key = |value: &str| AttributeValue::S(value.to_owned());
        // The account's root, as an administrator whom nobody named.
        let administrator = Client::new(&services.ambient().aws);
        for (table, class, function) in [
            ("LATCHKEY_CORE_TABLE", "K#a", "TokensFunction"),
            ("LATCHKEY_AUDIT_TABLE", "AC#a", "AuditFunction"),
        ] {
            let get = |client: &Client| {
                client
                    .get_item()
                    .table_name(&variables[table])
                    .key("PK", key(class))
                    .key("SK", key("KEY"))
            };
            let answer = get(&administrator).send().await;
            assert_eq!(answer.is_err(), named, "{answer:?}");
            if let Err(error) = answer {
                let message = error.as_service_error().unwrap().message().unwrap();
                assert!(
                    message.ends_with("with an explicit deny in a resource-based policy"),
                    "{message}"
                );
            }
            let function = Client::new(&services.ambient_of(function).unwrap().aws);
            get(&function).send().await.unwrap();
            // Administration stays open, the policy itself included.
            administrator
                .describe_table()
                .table_name(&variables[table])
                .send()
                .await
                .unwrap();
        }
        let read = |aws: &runtime::ambient::SdkConfig| {
            aws_sdk_secretsmanager::Client::new(aws)
                .get_secret_value()
                .secret_id(&variables["LATCHKEY_PEPPER_SECRET"])
        };
        let answer = read(&services.ambient().aws).send().await;
        assert_eq!(answer.is_err(), named, "{:?}", answer.map(|_| "read"));
        assert!(
            read(&services.ambient_of("TokensFunction").unwrap().aws)
                .send()
                .await
                .is_ok()
        );
        services.stop().await;
    }
}

/// LEAK-12: the role that the documents give to the operator is taken by named people alone, with
/// an MFA device shown a while ago at most, under their own name, and for an hour at most.
#[test]
fn leak_12_the_operators_role_is_taken_with_mfa_under_ones_own_name_for_an_hour() {
    let people = "arn:aws:iam::000000000000:user/ada,arn:aws:iam::000000000000:user/sam";
    let policy = "arn:aws:iam::000000000000:policy/latchkey-operator";
    let parameters = [("PersonArns", people), ("PolicyArns", policy)];
    let settings = Settings {
        parameters: parameters
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        ..Settings::default()
    };
    // The reader of templates is one of SAM's.
    let text = format!("Transform: AWS::Serverless-2016-10-31\n{OPERATOR_ROLE}");
    let template = Template::parse(&text, settings).unwrap();
    let role = template
        .properties("OperatorRole", &Physical::default())
        .unwrap();
    assert_eq!(role["MaxSessionDuration"], 3600);
    assert_eq!(role["ManagedPolicyArns"], json!([policy]));
    let statements = role["AssumeRolePolicyDocument"]["Statement"]
        .as_array()
        .unwrap();
    let [statement] = &statements[..] else {
        panic!("{statements:?}")
    };
    let people: Vec<&str> = people.split(',').collect();
    assert_eq!(statement["Principal"], json!({"AWS": people}));
    assert_eq!(statement["Effect"], "Allow");
    assert_eq!(statement["Action"], "sts:AssumeRole");
    let condition = &statement["Condition"];
    // `Bool` and not `BoolIfExists`, which a session without MFA would pass.
    assert_eq!(
        condition["Bool"],
        json!({"aws:MultiFactorAuthPresent": "true"})
    );
    let age = &condition["NumericLessThan"]["aws:MultiFactorAuthAge"];
    assert_eq!(age.to_string().trim_matches('"'), "900");
    assert_eq!(
        condition["StringEquals"],
        json!({"sts:RoleSessionName": "${aws:username}"})
    );
    assert!(PAGE.contains("(../infra/operator-role.yaml)"));
    assert!(PAGE.contains("role_session_name = "));
}

/// Deviation: root-and-tables.
#[tokio::test]
async fn whoever_names_the_roots_access_key_is_the_root() {
    let services = Services::start(Options::default(), "http://127.0.0.1:1")
        .await
        .unwrap();
    let environment = services.cloud().environment();
    assert_eq!(environment["AWS_ACCESS_KEY_ID"], "local");
    let door = &environment["AWS_ENDPOINT_URL_DYNAMODB"];
    assert!(door.starts_with("http://127.0.0.1:"), "{door}");
    let core = services.variables("management")["LATCHKEY_CORE_TABLE"].clone();
    let of = |id: &str| {
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(door);
        let config = config.region(Region::new("eu-west-1"));
        let config =
            config.credentials_provider(Credentials::new(id, "guessed", None, None, "test"));
        Client::from_conf(config.build())
    };
    of("local").scan().table_name(&core).send().await.unwrap();
    let refused = of("another")
        .scan()
        .table_name(&core)
        .send()
        .await
        .unwrap_err();
    assert_eq!(
        refused.as_service_error().unwrap().code(),
        Some("UnrecognizedClientException")
    );
    // What no single function may, every function at once does: the tokens function signs, the keys
    // function makes keys.
    let mut environment = environment;
    environment.insert("AWS_ACCESS_KEY_ID".to_owned(), EVERY_FUNCTION.to_owned());
    let every = local::aws::config(&environment, None);
    Client::new(&every)
        .scan()
        .table_name(&core)
        .send()
        .await
        .unwrap();
    let key = &services.variables("tokens")["LATCHKEY_SANDBOX_SIGNING_KEYS"];
    let sign = aws_sdk_kms::Client::new(&every)
        .sign()
        .key_id(key)
        .message(Blob::new([0; 32]));
    let sign = sign
        .message_type(MessageType::Digest)
        .signing_algorithm(SigningAlgorithmSpec::EcdsaSha256);
    sign.send().await.unwrap();
    services.stop().await;
}
