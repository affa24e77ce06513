//! The clients, and what their errors mean to a doctor.

use std::{error::Error, time::Duration};

use aws_config::{SdkConfig, timeout::TimeoutConfig};
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use domain::error::causes;

use super::super::report::Trouble;

/// One try of a call, and all of them.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
const OPERATION_TIMEOUT: Duration = Duration::from_secs(25);

/// The services that know of the stack.
pub(super) struct Aws {
    pub(super) gateway: aws_sdk_apigateway::Client,
    pub(super) logs: aws_sdk_cloudwatchlogs::Client,
    pub(super) tables: aws_sdk_dynamodb::Client,
    pub(super) keys: aws_sdk_kms::Client,
    pub(super) secrets: aws_sdk_secretsmanager::Client,
}

impl Aws {
    pub(super) fn new(aws: &SdkConfig) -> Self {
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .operation_timeout(OPERATION_TIMEOUT)
            .build();
        let aws = aws.to_builder().timeout_config(timeouts).build();
        Self {
            gateway: aws_sdk_apigateway::Client::new(&aws),
            logs: aws_sdk_cloudwatchlogs::Client::new(&aws),
            tables: aws_sdk_dynamodb::Client::new(&aws),
            keys: aws_sdk_kms::Client::new(&aws),
            secrets: aws_sdk_secretsmanager::Client::new(&aws),
        }
    }
}

/// A call's answer, or what it means that there is none.
pub(super) fn answered<T, E>(
    call: &str,
    result: Result<T, SdkError<E, HttpResponse>>,
) -> Result<T, Trouble>
where
    E: ProvideErrorMetadata + Error + 'static,
{
    result.map_err(|error| match &error {
        SdkError::ServiceError(refused) => {
            let (error, status) = (refused.err(), refused.raw().status().as_u16());
            aws_error(
                call,
                error.code().unwrap_or_default(),
                error.message().unwrap_or("no message"),
                status,
            )
        }
        SdkError::ResponseError(_) => {
            Trouble::Unknown(format!("{call} was answered by what is no answer to it"))
        }
        other => Trouble::Unknown(format!("{call} was not answered: {}", causes(other))),
    })
}

fn aws_error(call: &str, code: &str, message: &str, status: u16) -> Trouble {
    const DENIED: [&str; 4] = [
        "AccessDenied",
        "NotAuthorized",
        "Forbidden",
        "UnauthorizedOperation",
    ];
    const CREDENTIALS: [&str; 6] = [
        "UnrecognizedClientException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "ExpiredToken",
        "MissingAuthenticationToken",
        "IncompleteSignature",
    ];
    const ABSENT: [&str; 3] = [
        "NotFoundException",
        "ResourceNotFoundException",
        "TableNotFoundException",
    ];
    if DENIED.iter().any(|denied| code.starts_with(denied)) {
        return Trouble::Unknown(format!("these credentials may not call {call}"));
    }
    if CREDENTIALS.iter().any(|wrong| code.starts_with(wrong)) {
        return Trouble::Unknown(format!("{call} does not take these credentials ({code})"));
    }
    if code.starts_with("UnknownOperation")
        || matches!(
            code,
            "" | "InvalidAction" | "NotImplemented" | "UnsupportedOperation"
        )
    {
        return Trouble::Unknown(format!("{call} is not offered here ({status})"));
    }
    if ABSENT.contains(&code) {
        return Trouble::Wrong(format!("{call}: {message}"));
    }
    Trouble::Unknown(format!("{call} was refused: {code}: {message}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_permission_or_call_is_unknown_and_a_missing_thing_is_wrong() {
        for (code, words) in [
            ("AccessDeniedException", "may not call X"),
            ("NotAuthorizedException", "may not call X"),
            ("ExpiredTokenException", "does not take these credentials"),
            ("UnknownOperationException", "not offered here"),
            ("", "not offered here"),
            (
                "ThrottlingException",
                "was refused: ThrottlingException: slow",
            ),
        ] {
            let Trouble::Unknown(why) = aws_error("X", code, "slow", 400) else {
                panic!("{code}")
            };
            assert!(why.contains(words), "{code}: {why}");
        }
        let Trouble::Wrong(what) =
            aws_error("X", "ResourceNotFoundException", "no such table", 400)
        else {
            panic!()
        };
        assert_eq!(what, "X: no such table");
    }
}
