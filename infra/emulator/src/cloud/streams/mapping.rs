//! What a mapping says, as the template's `DynamoDB` event of a function.

use serde::{Deserialize, de::IgnoredAny};
use serde_json::Value;

use super::{super::error::CloudError, filter::Filter};

/// Which records go where, and how many at once.
#[derive(Clone, Debug)]
pub struct Mapping {
    /// Names the mapping among all; its position is kept under it.
    pub name: String,
    /// The table's stream, as the table's `StreamArn` says it.
    pub stream_arn: String,
    /// Where to begin at the mapping's first start.
    pub starting_position: StartingPosition,
    /// The most records in one event, 1 to 10,000.
    pub batch_size: usize,
    /// Whether the function's `batchItemFailures` are heeded (`ReportBatchItemFailures`).
    pub reports_item_failures: bool,
    /// How old a record may be, in seconds, before it is given up; without a bound it is tried as
    /// long as it is in the stream.
    pub maximum_age: Option<i64>,
    /// How often a batch is tried again before it is given up; without a bound it is tried as long
    /// as it is in the stream.
    pub maximum_attempts: Option<u64>,
    /// The ARN of the queue that is told of what was given up.
    pub dead_letters: Option<String>,
    /// The function in whose name the stream is read, by logical id; without one nobody's
    /// permission is needed.
    pub function: Option<String>,
    filters: Vec<Filter>,
}

/// Where a stream is begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StartingPosition {
    /// The oldest record there is.
    TrimHorizon,
    /// The first record after the mapping's first start.
    Latest,
}

/// The event's properties; with an underscore those that only concern failure handling and timing,
/// see the module's differences.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Properties {
    stream: String,
    starting_position: StartingPosition,
    #[serde(default = "default_batch_size")]
    batch_size: usize,
    filter_criteria: Option<FilterCriteria>,
    enabled: Option<bool>,
    #[serde(default)]
    function_response_types: Vec<ResponseType>,
    #[serde(rename = "BisectBatchOnFunctionError")]
    _bisect: Option<IgnoredAny>,
    destination_config: Option<DestinationConfig>,
    #[serde(rename = "MaximumBatchingWindowInSeconds")]
    _window: Option<IgnoredAny>,
    maximum_record_age_in_seconds: Option<i64>,
    maximum_retry_attempts: Option<i64>,
    #[serde(rename = "ParallelizationFactor")]
    _parallel: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct FilterCriteria {
    filters: Vec<FilterText>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct FilterText {
    pattern: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct DestinationConfig {
    on_failure: OnFailure,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct OnFailure {
    destination: String,
    /// SAM's, for the policy that it would add.
    #[serde(rename = "Type")]
    _type: Option<IgnoredAny>,
}

#[derive(Deserialize)]
enum ResponseType {
    ReportBatchItemFailures,
}

impl Mapping {
    /// Reads the `Properties` of an event of type `DynamoDB` (SAM), its intrinsic functions
    /// resolved.
    ///
    /// # Errors
    /// A property is missing, wrong, or not supported here.
    pub fn from_properties(name: &str, properties: &Value) -> Result<Self, CloudError> {
        let refuse = |problem: String| CloudError::new(format!("event source {name}: {problem}"));
        let properties = Properties::deserialize(properties).map_err(|e| refuse(e.to_string()))?;
        if !(1..=10_000).contains(&properties.batch_size) {
            return Err(refuse("BatchSize must be 1 to 10000".to_owned()));
        }
        if properties.enabled == Some(false) {
            return Err(refuse("Enabled: false is not supported here".to_owned()));
        }
        let dead_letters = properties
            .destination_config
            .map(|config| config.on_failure.destination);
        if let Some(arn) = dead_letters
            .as_deref()
            .filter(|arn| !arn.starts_with("arn:aws:sqs:"))
        {
            return Err(refuse(format!("DestinationConfig: {arn} is no queue")));
        }
        let maximum_age = bound(
            "MaximumRecordAgeInSeconds",
            properties.maximum_record_age_in_seconds,
            60..=604_800,
        );
        let maximum_attempts = bound(
            "MaximumRetryAttempts",
            properties.maximum_retry_attempts,
            0..=10_000,
        );
        let filters = properties
            .filter_criteria
            .map(|criteria| criteria.filters)
            .unwrap_or_default();
        let filters = filters
            .iter()
            .map(|filter| Filter::parse(&filter.pattern))
            .collect::<Result<_, _>>();
        Ok(Self {
            name: name.to_owned(),
            stream_arn: properties.stream,
            starting_position: properties.starting_position,
            batch_size: properties.batch_size,
            maximum_age: maximum_age.map_err(refuse)?,
            maximum_attempts: maximum_attempts.map_err(refuse)?.map(i64::unsigned_abs),
            dead_letters,
            reports_item_failures: !properties.function_response_types.is_empty(),
            function: None,
            filters: filters.map_err(refuse)?,
        })
    }

    /// The same mapping, its stream read in this function's name.
    #[must_use]
    pub fn of_function(self, logical_id: &str) -> Self {
        Self {
            function: Some(logical_id.to_owned()),
            ..self
        }
    }

    /// Whether some filter matches, or there is none.
    pub(super) fn wants(&self, record: &Value) -> bool {
        self.filters.is_empty() || self.filters.iter().any(|filter| filter.matches(record))
    }
}

/// -1, like nothing, is no bound.
fn bound(
    name: &str,
    value: Option<i64>,
    range: std::ops::RangeInclusive<i64>,
) -> Result<Option<i64>, String> {
    match value {
        None | Some(-1) => Ok(None),
        Some(value) if range.contains(&value) => Ok(Some(value)),
        Some(_) => Err(format!(
            "{name} must be -1 or {} to {}",
            range.start(),
            range.end()
        )),
    }
}

/// Lambda's.
fn default_batch_size() -> usize {
    100
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_honoured_is_refused() {
        let mapping = |extra: Value| {
            let mut properties = json!({"Stream": "arn", "StartingPosition": "TRIM_HORIZON"});
            properties
                .as_object_mut()
                .unwrap()
                .extend(extra.as_object().unwrap().clone());
            Mapping::from_properties("m", &properties).map_err(|e| e.to_string())
        };
        assert_eq!(mapping(json!({})).unwrap().batch_size, 100);
        assert!(
            mapping(json!({"FunctionResponseTypes": ["ReportBatchItemFailures"]}))
                .unwrap()
                .reports_item_failures
        );
        for refused in [
            json!({"TumblingWindowInSeconds": 3}),
            json!({"BatchSize": 0}),
            json!({"MaximumRecordAgeInSeconds": 59}),
            json!({"MaximumRetryAttempts": -2}),
            json!({
                "DestinationConfig": {
                    "OnFailure": {"Destination": "arn:aws:sns:eu-west-1:000000000000:topic"},
                },
            }),
            json!({
                "DestinationConfig": {
                    "OnSuccess": {"Destination": "arn:aws:sqs:eu-west-1:000000000000:queue"},
                },
            }),
            json!({"StartingPosition": "AT_TIMESTAMP"}),
            json!({
                "FilterCriteria": {"Filters": [{"Pattern": "{\"a\":[{\"numeric\":[\">\",1]}]}"}]},
            }),
        ] {
            let error = mapping(refused).unwrap_err();
            assert!(error.starts_with("event source m: "), "{error}");
        }
    }
}
