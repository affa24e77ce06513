//! `AWS::DynamoDB::Table`, made through the same client and endpoint that the functions use.

use aws_sdk_dynamodb::{
    Client,
    config::{BehaviorVersion, Credentials, Region},
    error::DisplayErrorContext,
    operation::describe_table::DescribeTableError,
    types::{
        AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
        SseSpecification, SseType, StreamSpecification, StreamViewType, TableDescription,
        TimeToLiveDescription, TimeToLiveSpecification, TimeToLiveStatus,
    },
};
use sam::template::PhysicalResource;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::Value;

use super::super::{Cloud, arn::REGION, error::CloudError, streams};

/// No indexes: the tables have none (`ARCHITECTURE.md`), and one would be refused as an unknown
/// property.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct TableProperties {
    table_name: Option<String>,
    attribute_definitions: Vec<Attribute>,
    key_schema: Vec<KeyElement>,
    billing_mode: Option<String>,
    stream_specification: Option<Stream>,
    time_to_live_specification: Option<TimeToLive>,
    #[serde(rename = "PointInTimeRecoverySpecification")]
    _recovery: Option<IgnoredAny>,
    #[serde(rename = "SSESpecification")]
    encryption: Option<Encryption>,
    #[serde(rename = "DeletionProtectionEnabled")]
    protection: Option<Flag>,
    #[serde(rename = "ContributorInsightsSpecification")]
    _insights: Option<IgnoredAny>,
    #[serde(rename = "OnDemandThroughput")]
    _throughput: Option<IgnoredAny>,
    #[serde(rename = "TableClass")]
    _class: Option<IgnoredAny>,
    #[serde(rename = "ResourcePolicy")]
    _policy: Option<IgnoredAny>,
    #[serde(rename = "Tags")]
    _tags: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Attribute {
    attribute_name: String,
    attribute_type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct KeyElement {
    attribute_name: String,
    key_type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Stream {
    stream_view_type: String,
    #[serde(rename = "ResourcePolicy")]
    _policy: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct TimeToLive {
    attribute_name: Option<String>,
    enabled: bool,
}

/// What is said of it is told again by `DescribeTable`; nothing is sealed here.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Encryption {
    #[serde(rename = "SSEEnabled")]
    enabled: Flag,
    #[serde(rename = "SSEType")]
    kind: Option<String>,
    #[serde(rename = "KMSMasterKeyId")]
    key: Option<String>,
}

/// A flag, which parameters make a string.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "Value")]
struct Flag(bool);

impl TryFrom<Value> for Flag {
    type Error = &'static str;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        match (value.as_bool(), value.as_str()) {
            (Some(flag), _) => Ok(Self(flag)),
            (None, Some("true")) => Ok(Self(true)),
            (None, Some("false")) => Ok(Self(false)),
            _ => Err("is neither true nor false"),
        }
    }
}

/// A client of the embedded service.
pub(crate) fn client(cloud: &Cloud) -> Client {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(format!("http://{}", cloud.dynamodb_address()))
        .region(Region::new(REGION))
        .credentials_provider(Credentials::new("local", "local", None, None, "latchkey"))
        .build();
    Client::from_conf(config)
}

pub(super) async fn provision(
    client: &Client,
    logical_id: &str,
    wanted: TableProperties,
) -> Result<PhysicalResource, CloudError> {
    if let Some(mode) = wanted
        .billing_mode
        .as_deref()
        .filter(|mode| *mode != "PAY_PER_REQUEST")
    {
        return Err(CloudError::new(format!(
            "BillingMode {mode} is not supported here, only PAY_PER_REQUEST"
        )));
    }
    let name = wanted.table_name.as_deref().unwrap_or(logical_id);
    let table = match existing(client, name).await? {
        Some(table) => reconcile(client, name, &table, &wanted).await?,
        None => create(client, name, &wanted).await?,
    };
    expire(client, name, wanted.time_to_live_specification.as_ref()).await?;
    let arns = [
        ("Arn", table.table_arn()),
        ("StreamArn", table.latest_stream_arn()),
    ];
    let arns = arns
        .into_iter()
        .filter_map(|(attribute, arn)| Some((attribute.to_owned(), streams::in_region(arn?))));
    Ok(PhysicalResource {
        reference: name.to_owned(),
        attributes: arns.collect(),
    })
}

async fn existing(client: &Client, name: &str) -> Result<Option<TableDescription>, CloudError> {
    match client.describe_table().table_name(name).send().await {
        Ok(answer) => Ok(answer.table),
        Err(e)
            if e.as_service_error()
                .is_some_and(DescribeTableError::is_resource_not_found_exception) =>
        {
            Ok(None)
        }
        Err(e) => Err(failed("DescribeTable", e)),
    }
}

async fn create(
    client: &Client,
    name: &str,
    wanted: &TableProperties,
) -> Result<TableDescription, CloudError> {
    let request = client
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest)
        .set_attribute_definitions(Some(attributes(wanted)?))
        .set_key_schema(Some(key_schema(wanted)?))
        .set_sse_specification(encryption(wanted))
        .deletion_protection_enabled(protected(wanted))
        .set_stream_specification(stream(wanted)?);
    let answer = request.send().await.map_err(|e| failed("CreateTable", e))?;
    answer
        .table_description
        .ok_or_else(|| CloudError::new("CreateTable answered without a table"))
}

/// A table from an earlier start keeps its items, so its keys must still be the template's; its
/// stream may come or go.
async fn reconcile(
    client: &Client,
    name: &str,
    table: &TableDescription,
    wanted: &TableProperties,
) -> Result<TableDescription, CloudError> {
    let mut declared = attributes(wanted)?;
    let mut existing = table.attribute_definitions().to_vec();
    declared.sort_by(|a, b| a.attribute_name().cmp(b.attribute_name()));
    existing.sort_by(|a, b| a.attribute_name().cmp(b.attribute_name()));
    if declared != existing || key_schema(wanted)? != table.key_schema() {
        return Err(CloudError::new(format!(
            "the stored table {name} has other keys than the template: start with a new data \
             directory"
        )));
    }
    let (declared, existing) = (
        stream(wanted)?,
        table
            .stream_specification()
            .filter(|stream| stream.stream_enabled()),
    );
    if declared.as_ref() == existing {
        return Ok(table.clone());
    }
    // DynamoDB cannot change a stream's view, only end the stream and start another.
    let off = StreamSpecification::builder()
        .stream_enabled(false)
        .build()
        .map_err(|e| failed("UpdateTable", e))?;
    let mut table = table.clone();
    for change in [existing.map(|_| off), declared].into_iter().flatten() {
        let answer = client
            .update_table()
            .table_name(name)
            .stream_specification(change)
            .send()
            .await;
        let answer = answer.map_err(|e| failed("UpdateTable", e))?;
        table = answer
            .table_description
            .ok_or_else(|| CloudError::new("UpdateTable answered without a table"))?;
    }
    Ok(table)
}

/// Brings the TTL to what the template says.
async fn expire(
    client: &Client,
    name: &str,
    wanted: Option<&TimeToLive>,
) -> Result<(), CloudError> {
    let existing = client.describe_time_to_live().table_name(name).send().await;
    let existing = existing
        .map_err(|e| failed("DescribeTimeToLive", e))?
        .time_to_live_description;
    let existing = existing
        .as_ref()
        .filter(|ttl| ttl.time_to_live_status() == Some(&TimeToLiveStatus::Enabled));
    let existing = existing.and_then(TimeToLiveDescription::attribute_name);
    let wanted = wanted
        .filter(|ttl| ttl.enabled)
        .and_then(|ttl| ttl.attribute_name.as_deref());
    if existing == wanted {
        return Ok(());
    }
    for (attribute, enabled) in [(existing, false), (wanted, true)] {
        let Some(attribute) = attribute else { continue };
        let change = TimeToLiveSpecification::builder()
            .attribute_name(attribute)
            .enabled(enabled)
            .build();
        let change = change.map_err(|e| failed("UpdateTimeToLive", e))?;
        let changed = client
            .update_time_to_live()
            .table_name(name)
            .time_to_live_specification(change)
            .send()
            .await;
        changed.map_err(|e| failed("UpdateTimeToLive", e))?;
    }
    Ok(())
}

fn attributes(wanted: &TableProperties) -> Result<Vec<AttributeDefinition>, CloudError> {
    let definitions = wanted.attribute_definitions.iter().map(|attribute| {
        AttributeDefinition::builder()
            .attribute_name(&attribute.attribute_name)
            .attribute_type(ScalarAttributeType::from(attribute.attribute_type.as_str()))
            .build()
            .map_err(|e| failed("AttributeDefinitions", e))
    });
    definitions.collect()
}

fn key_schema(wanted: &TableProperties) -> Result<Vec<KeySchemaElement>, CloudError> {
    let elements = wanted.key_schema.iter().map(|element| {
        KeySchemaElement::builder()
            .attribute_name(&element.attribute_name)
            .key_type(KeyType::from(element.key_type.as_str()))
            .build()
            .map_err(|e| failed("KeySchema", e))
    });
    elements.collect()
}

fn encryption(wanted: &TableProperties) -> Option<SseSpecification> {
    let Encryption {
        enabled: Flag(enabled),
        kind,
        key,
    } = wanted.encryption.as_ref()?;
    let kind = kind.as_deref().map(SseType::from);
    Some(
        SseSpecification::builder()
            .enabled(*enabled)
            .set_sse_type(kind)
            .set_kms_master_key_id(key.clone())
            .build(),
    )
}

fn protected(wanted: &TableProperties) -> bool {
    wanted.protection.is_some_and(|Flag(protected)| protected)
}

fn stream(wanted: &TableProperties) -> Result<Option<StreamSpecification>, CloudError> {
    let build = |stream: &Stream| {
        let view = StreamViewType::from(stream.stream_view_type.as_str());
        StreamSpecification::builder()
            .stream_enabled(true)
            .stream_view_type(view)
            .build()
    };
    wanted
        .stream_specification
        .as_ref()
        .map(build)
        .transpose()
        .map_err(|e| failed("StreamSpecification", e))
}

fn failed(operation: &str, error: impl std::error::Error) -> CloudError {
    CloudError::new(format!(
        "{operation} failed: {}",
        DisplayErrorContext(error)
    ))
}
