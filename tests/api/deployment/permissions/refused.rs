//! What the functions' own access keys do not open, asked of the embedded services by the real SDK.

use aws_sdk_dynamodb::{
    Client,
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
    operation::update_item::UpdateItemError,
    types::AttributeValue,
};
use tests::Platform;

use crate::management_keys::seed_organization;

/// The tables, as a function reaches them.
fn tables(platform: &Platform, function: &str) -> Client {
    Client::new(&platform.stack.services().ambient_of(function).unwrap().aws)
}

fn table(platform: &Platform, variable: &str) -> String {
    platform.stack.services().variables("management")[variable].clone()
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

/// The action that the refusal names.
#[track_caller]
fn denied<T: std::fmt::Debug, E: ProvideErrorMetadata + std::fmt::Debug, R: std::fmt::Debug>(
    answer: Result<T, aws_sdk_dynamodb::error::SdkError<E, R>>,
    action: &str,
) {
    let error = answer.unwrap_err();
    let error = error
        .as_service_error()
        .unwrap_or_else(|| panic!("{error:?}"));
    assert_eq!(error.code(), Some("AccessDeniedException"), "{error:?}");
    let message = error.message().unwrap();
    assert!(
        message.starts_with("User: arn:aws:sts::000000000000:assumed-role/"),
        "{message}"
    );
    assert!(
        message.contains(&format!(
            "is not authorized to perform: {action} on resource: arn:aws:"
        )),
        "{message}"
    );
}

#[tokio::test]
async fn leak_5_no_function_reads_a_table_whole_or_deletes_from_it() {
    let platform = Platform::start().await;
    let core = table(&platform, "LATCHKEY_CORE_TABLE");
    let functions: Vec<String> = platform
        .stack
        .services()
        .description()
        .functions
        .keys()
        .cloned()
        .collect();
    assert!(functions.len() >= 7);
    for function in &functions {
        let client = tables(&platform, function);
        denied(
            client.scan().table_name(&core).send().await,
            "dynamodb:Scan",
        );
        denied(
            client
                .execute_statement()
                .statement(format!("SELECT * FROM \"{core}\""))
                .send()
                .await,
            "dynamodb:PartiQLSelect",
        );
        for key in ["K#a", "I#a", "B#a"] {
            let delete = client
                .delete_item()
                .table_name(&core)
                .key("PK", text(key))
                .key("SK", text("KEY"));
            denied(delete.send().await, "dynamodb:DeleteItem");
        }
        denied(
            client.delete_table().table_name(&core).send().await,
            "dynamodb:DeleteTable",
        );
    }
}

#[tokio::test]
async fn leak_5_an_authorizer_reads_no_profiles_and_no_lists_and_changes_no_key() {
    let platform = Platform::start().await;
    let core = table(&platform, "LATCHKEY_CORE_TABLE");
    let organization = seed_organization(&platform);
    let client_id = &platform.seed.bank.key.client_id;
    for function in ["ManagementAuthorizerFunction", "SampleAuthorizerFunction"] {
        let client = tables(&platform, function);
        let get = |key: String| {
            client
                .get_item()
                .table_name(&core)
                .key("PK", text(&key))
                .key("SK", text("KEY"))
        };
        assert!(
            get(format!("K#{client_id}"))
                .send()
                .await
                .unwrap()
                .item
                .is_some()
        );
        for key in [
            format!("O#{organization}"),
            format!("L#{organization}"),
            format!("I#{organization}"),
        ] {
            denied(get(key).send().await, "dynamodb:GetItem");
        }
        let query = client
            .query()
            .table_name(&core)
            .key_condition_expression("PK = :pk");
        let query = query.expression_attribute_values(":pk", text(&format!("L#{organization}")));
        denied(query.send().await, "dynamodb:Query");
        let update = |attribute: &str| {
            let update = client
                .update_item()
                .table_name(&core)
                .key("PK", text(&format!("K#{client_id}")))
                .key("SK", text("KEY"));
            let update = update
                .update_expression("SET #a = :v")
                .expression_attribute_names("#a", attribute);
            update.expression_attribute_values(":v", text("x"))
        };
        for attribute in [
            "ip_allowlist",
            "scopes",
            "state",
            "expires_at",
            "secrets",
            "version",
            "unannounced",
            "expires",
        ] {
            denied(update(attribute).send().await, "dynamodb:UpdateItem");
        }
        denied(
            client
                .put_item()
                .table_name(&core)
                .item("PK", text("K#a"))
                .item("SK", text("KEY"))
                .send()
                .await,
            "dynamodb:PutItem",
        );
    }
}

/// What an authorizer writes can only shorten: the note of a first use, which is nothing but its
/// primary key. It neither changes nor deletes one, nor gives one an end.
#[tokio::test]
async fn leak_5_an_authorizer_writes_notes_of_first_uses_and_nothing_else() {
    let platform = Platform::start().await;
    let [core, feed, audit] = [
        "LATCHKEY_CORE_TABLE",
        "LATCHKEY_FEED_TABLE",
        "LATCHKEY_AUDIT_TABLE",
    ]
    .map(|variable| table(&platform, variable));
    let organization = seed_organization(&platform);
    let note = [("PK", "E#a"), ("SK", "b#1")];
    let with = |more: &[(&'static str, &'static str)]| {
        let members = note.iter().chain(more);
        members
            .map(|(name, value)| ((*name).to_owned(), text(value)))
            .collect()
    };
    let at = |partition: &str| {
        let key = [("PK", partition), ("SK", "2030-01-01T00:00:00.000Z#1")];
        key.map(|(name, value)| (name.to_owned(), text(value)))
            .into()
    };
    for function in ["ManagementAuthorizerFunction", "SampleAuthorizerFunction"] {
        let client = tables(&platform, function);
        let put = async |table: &str, item| {
            let put = client.put_item().table_name(table);
            put.set_item(Some(item)).send().await
        };
        put(&core, with(&[])).await.unwrap();
        for attribute in ["expires", "at", "secrets"] {
            denied(
                put(&core, with(&[(attribute, "1")])).await,
                "dynamodb:PutItem",
            );
        }
        for partition in ["K#a", "U#a", "G#a", "P#sandbox", "E"] {
            denied(put(&core, at(partition)).await, "dynamodb:PutItem");
        }
        // An entry may wake a key or take the place of a revocation, an event may tell of nothing.
        for (table, partition) in [
            (&feed, "F#0".to_owned()),
            (&feed, "C#0".to_owned()),
            (&feed, "E#a".to_owned()),
            (&audit, format!("A#{organization}")),
            (&audit, format!("AC#{organization}")),
            (&audit, "E#a".to_owned()),
        ] {
            denied(put(table, at(&partition)).await, "dynamodb:PutItem");
        }
        let noted = || Some(with(&[]));
        let update = client.update_item().table_name(&core).set_key(noted());
        let update = update
            .update_expression("SET expires = :past")
            .expression_attribute_values(":past", AttributeValue::N("1".into()));
        denied(update.send().await, "dynamodb:UpdateItem");
        let delete = client.delete_item().table_name(&core).set_key(noted());
        denied(delete.send().await, "dynamodb:DeleteItem");
        let get = client
            .get_item()
            .table_name(&audit)
            .set_key(Some(at("A#a")));
        denied(get.send().await, "dynamodb:GetItem");
    }
}

/// What an update may set, of an item of this partition.
async fn sets(
    platform: &Platform,
    function: &str,
    [partition, sort_key]: [&str; 2],
    attribute: &str,
) -> Result<(), SdkError<UpdateItemError, HttpResponse>> {
    tables(platform, function)
        .update_item()
        .table_name(table(platform, "LATCHKEY_CORE_TABLE"))
        .key("PK", text(partition))
        .key("SK", text(sort_key))
        .update_expression("SET #a = :v")
        .expression_attribute_names("#a", attribute)
        .expression_attribute_values(":v", text("x"))
        .send()
        .await
        .map(drop)
}

/// The function that makes users makes no credential, and the function that makes credentials
/// changes nobody's authority: not by an update either, which makes an item where none is.
#[tokio::test]
async fn leak_5_the_management_function_makes_no_key_and_the_keys_function_no_user() {
    let platform = Platform::start().await;
    let client_id = &platform.seed.bank.key.client_id;
    for partition in [format!("K#{client_id}"), "K#a".to_owned()] {
        let of_key = [
            "scopes",
            "owner",
            "organization",
            "kind",
            "ip_allowlist",
            "expires_at",
            "secrets",
        ];
        for attribute in of_key {
            let set = sets(
                &platform,
                "ManagementFunction",
                [&partition, "KEY"],
                attribute,
            );
            denied(set.await, "dynamodb:UpdateItem");
        }
        let set = sets(
            &platform,
            "ManagementFunction",
            [&partition, "SECRET#a"],
            "hash",
        );
        denied(set.await, "dynamodb:UpdateItem");
        let put = tables(&platform, "ManagementFunction")
            .put_item()
            .table_name(table(&platform, "LATCHKEY_CORE_TABLE"))
            .item("PK", text(&partition))
            .item("SK", text("KEY"));
        denied(put.send().await, "dynamodb:PutItem");
    }
    let user = format!("U#{}", platform.seed.users.viewer.guid);
    for partition in [&user, "U#a"] {
        for attribute in [
            "role",
            "disabled",
            "allowed_scopes",
            "organization",
            "email",
        ] {
            let set = sets(&platform, "KeysFunction", [partition, "USER"], attribute);
            denied(set.await, "dynamodb:UpdateItem");
        }
        let put = tables(&platform, "KeysFunction")
            .put_item()
            .table_name(table(&platform, "LATCHKEY_CORE_TABLE"))
            .item("PK", text(partition))
            .item("SK", text("USER"));
        denied(put.send().await, "dynamodb:PutItem");
    }
    for (partition, sort_key) in [("G#a", "GATE"), ("O#a", "ORG"), ("P#sandbox", "a")] {
        let set = sets(&platform, "KeysFunction", [partition, sort_key], "version");
        denied(set.await, "dynamodb:UpdateItem");
    }
    // What they need is not refused with the rest.
    sets(
        &platform,
        "ManagementFunction",
        ["K#b", "KEY"],
        "unannounced",
    )
    .await
    .unwrap();
    sets(&platform, "KeysFunction", ["U#b", "USER"], "version")
        .await
        .unwrap();
}

#[tokio::test]
async fn leak_5_the_tokens_function_signs_digests_alone_and_nobody_else_signs() {
    let platform = Platform::start().await;
    let services = platform.stack.services();
    let function = &services.description().functions["TokensFunction"];
    let key = function.environment["LATCHKEY_SANDBOX_SIGNING_KEYS"].clone();
    let sign = async |aws: &runtime::ambient::SdkConfig, kind: &str| {
        let sign = aws_sdk_kms::Client::new(aws)
            .sign()
            .key_id(&key)
            .message_type(kind.into());
        sign.signing_algorithm("ECDSA_SHA_256".into())
            .message(aws_sdk_kms::primitives::Blob::new([7; 32]))
            .send()
            .await
    };
    let tokens = services.ambient_of("TokensFunction").unwrap().aws;
    sign(&tokens, "DIGEST").await.unwrap();
    denied(sign(&tokens, "RAW").await, "kms:Sign");
    for function in services
        .description()
        .functions
        .keys()
        .filter(|name| *name != "TokensFunction")
    {
        denied(
            sign(&services.ambient_of(function).unwrap().aws, "DIGEST").await,
            "kms:Sign",
        );
    }
    // Not even the account itself: only the key's policy counts, and it names one role.
    let refusal = sign(&services.ambient().aws, "DIGEST").await.unwrap_err();
    assert_eq!(
        refusal.as_service_error().unwrap().code(),
        Some("AccessDeniedException")
    );
}

#[tokio::test]
async fn leak_5_who_checks_no_secrets_does_not_read_the_pepper() {
    let platform = Platform::start().await;
    let services = platform.stack.services();
    let pepper = services.variables("tokens")["LATCHKEY_PEPPER_SECRET"].clone();
    let read = async |function: &str| {
        let client =
            aws_sdk_secretsmanager::Client::new(&services.ambient_of(function).unwrap().aws);
        client.get_secret_value().secret_id(&pepper).send().await
    };
    assert!(read("TokensFunction").await.is_ok());
    for function in ["AuditFunction", "SampleApiFunction"] {
        denied(read(function).await, "secretsmanager:GetSecretValue");
    }
    let tokens =
        aws_sdk_secretsmanager::Client::new(&services.ambient_of("TokensFunction").unwrap().aws);
    denied(
        tokens
            .put_secret_value()
            .secret_id(&pepper)
            .secret_string("{}")
            .send()
            .await,
        "secretsmanager:PutSecretValue",
    );
}

/// Nor does the name of a function's access key.
#[tokio::test]
async fn another_s_access_key_cannot_be_borrowed_without_its_secret() {
    let platform = Platform::start().await;
    let services = platform.stack.services();
    let mut environment = services.environment_of("TokensFunction").unwrap();
    let core = table(&platform, "LATCHKEY_CORE_TABLE");
    for (secret, expected) in [
        (None, None),
        (Some("guessed"), Some("InvalidSignatureException")),
    ] {
        environment
            .extend(secret.map(|secret| ("AWS_SECRET_ACCESS_KEY".to_owned(), secret.to_owned())));
        let aws = local::aws::config(&environment, None);
        let get = Client::new(&aws)
            .get_item()
            .table_name(&core)
            .key("PK", text("K#a"))
            .key("SK", text("KEY"))
            .send()
            .await;
        assert_eq!(
            get.as_ref()
                .err()
                .and_then(|error| error.as_service_error()?.code()),
            expected,
            "{get:?}"
        );
        let pepper = services.variables("tokens")["LATCHKEY_PEPPER_SECRET"].clone();
        let read = aws_sdk_secretsmanager::Client::new(&aws)
            .get_secret_value()
            .secret_id(pepper)
            .send()
            .await;
        assert_eq!(
            read.as_ref()
                .err()
                .and_then(|error| error.as_service_error()?.code()),
            expected
        );
    }
}

/// A key id alone opens nothing.
#[tokio::test]
async fn an_access_key_that_the_account_does_not_have_is_not_recognized() {
    let platform = Platform::start().await;
    let services = platform.stack.services();
    let mut environment = services.cloud().environment();
    environment.insert("AWS_ACCESS_KEY_ID".to_owned(), "somebody".to_owned());
    let stranger = local::aws::config(&environment, None);
    let get = Client::new(&stranger)
        .get_item()
        .table_name("CoreTable")
        .key("PK", text("K#a"))
        .key("SK", text("KEY"));
    let error = get.send().await.unwrap_err();
    assert_eq!(
        error.as_service_error().unwrap().code(),
        Some("UnrecognizedClientException"),
        "{error:?}"
    );
    let secrets = aws_sdk_secretsmanager::Client::new(&stranger)
        .list_secrets()
        .send()
        .await
        .unwrap_err();
    assert_eq!(
        secrets.as_service_error().unwrap().code(),
        Some("UnrecognizedClientException"),
        "{secrets:?}"
    );
}
