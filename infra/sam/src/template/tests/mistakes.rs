//! A template that is not understood is an error that names the place.

use super::{SMALL, read};

/// What to replace in the small template, by what, and what the error says.
const MISTAKES: &[(&str, &str, &str)] = &[
    (
        "Transform: AWS::Serverless-2016-10-31",
        "Transform: Other",
        "Transform: must be",
    ),
    ("Mappings:", "Hooks: {}\nMappings:", "Hooks: this part"),
    (
        "AWS::KMS::Alias",
        "AWS::S3::Bucket",
        "Alias: the type AWS::S3::Bucket is not understood",
    ),
    (
        "CodeUri: ../functions/work/",
        "CodeUris: x",
        "Work.Properties.CodeUris: is not understood",
    ),
    (
        "StageName: v1",
        "StageName: v1\n      Cors: '*'",
        "Api.Properties.Cors: is not understood",
    ),
    (
        "StageName: v1",
        "Name: v1",
        "Api.Stage is neither a parameter nor a resource",
    ),
    (
        "Type: DynamoDB,",
        "Type: Cron,",
        "Work.Properties.Events.Stream.Type: Cron is not understood",
    ),
    (
        "Method: post",
        "Method: fetch",
        "Work.Properties.Events.Other.Properties.Method: FETCH is not a method",
    ),
    (
        "Authorizer: Token",
        "Authorizer: Tokn",
        "Other.Properties.Auth.Authorizer: the authorizer Tokn does not exist",
    ),
    (
        "Authorizer: Token",
        "Authorizer: Token, Scopes: x",
        "Other.Properties.Auth.Scopes: is not understood",
    ),
    (
        "DefaultAuthorizer: Guard",
        "DefaultAuthorizer: G",
        "Auth.DefaultAuthorizer: the authorizer G does not",
    ),
    (
        "Path: /b, Method: post",
        "Path: /a, Method: get",
        "GET /a is declared twice",
    ),
    (
        "FunctionPayloadType: REQUEST",
        "FunctionPayloadType: OTHER",
        "Guard.FunctionPayloadType: OTHER is neither",
    ),
    (
        "QueryStrings: [key]",
        "Querys: [key]",
        "Guard.Identity.Querys: is not understood",
    ),
    (
        "Headers: [Authorization], QueryStrings: [key], StageVariables: [v], Context: \
         [identity.sourceIp]",
        "ReauthorizeEvery: 1",
        "Guard.Identity: a cached REQUEST authorizer",
    ),
    (
        "ReauthorizeEvery: 0",
        "ReauthorizeEvery: 3601",
        "Token.Identity.ReauthorizeEvery: is more than 3600",
    ),
    (
        "!GetAtt Work.Arn",
        "arn:aws:lambda:x",
        "Guard.FunctionArn: arn:aws:lambda:x is no function",
    ),
    (
        "UNAUTHORIZED:",
        "UNAUTHORISED:",
        "GatewayResponses.UNAUTHORISED: is not a gateway response type",
    ),
    (
        "StatusCode: 401",
        "StatusCode: 4010",
        "UNAUTHORIZED.StatusCode: 4010 is not a status",
    ),
    (
        "!Sub '''${Life}'''",
        "plain",
        "ResponseParameters.Headers.Retry-After: plain is neither",
    ),
    (
        "StatusCode: 401",
        "ResponseTemplates: {application/json: '#if(true)'}",
        "only substitute $context",
    ),
    (
        "NUMBER: 7",
        "NUMBER: !ImportValue x",
        "the tag !ImportValue is not understood",
    ),
    (
        "NUMBER: 7",
        "NUMBER: {'Fn::Base64': x}",
        "Variables.NUMBER: Fn::Base64 is not understood",
    ),
    (
        "NUMBER: 7",
        "NUMBER: !Ref Nobody",
        "Variables.NUMBER: Nobody is neither a parameter nor a resource",
    ),
    (
        "NUMBER: 7",
        "NUMBER: !GetAtt Table.Other",
        "Variables.NUMBER: Table has no attribute Other here",
    ),
    (
        "NUMBER: 7",
        "NUMBER: !GetAtt OnlyLive.Arn",
        "Variables.NUMBER: OnlyLive does not exist",
    ),
    ("NUMBER: 7", "NUMBER: [a]", "Variables.NUMBER: not a string"),
    (
        "NUMBER: 7",
        "NUMBER: '{{resolve:ssm:x}}'",
        "Variables.NUMBER: dynamic references",
    ),
    (
        "NUMBER: 7",
        "NUMBER: !Sub '${Kind'",
        "Variables.NUMBER: ${Kind has an unclosed",
    ),
    (
        "NUMBER: 7",
        "NUMBER: !If [Never, a, b]",
        "the condition Never does not exist",
    ),
    (
        "NUMBER: 7",
        "NUMBER: !FindInMap [Sizes, other, memory]",
        "Mappings has no Sizes.other.memory",
    ),
    (
        "IsLive: !Equals [!Ref Kind, live]",
        "IsLive: !Condition IsSandbox",
        "conditions name each other in a circle",
    ),
    (
        "KeySpec: ECC_NIST_P256",
        "Description: !Ref Alias",
        "Alias, Key, Pepper, Table: refer to each other",
    ),
    (
        "Default: 1800",
        "NoEcho: true",
        "Parameters.Life: has no default",
    ),
    (
        "Default: sandbox",
        "Default: other",
        "Parameters.Kind: other is not among its AllowedValues",
    ),
    (
        "Default: sandbox",
        "Default: sandbox, AllowedPattern: '[a-c]+'",
        "Parameters.Kind: sandbox does not match",
    ),
    (
        "Default: sandbox",
        "Default: sandbox, MaxLength: 6",
        "Parameters.Kind: sandbox is longer than its MaxLength",
    ),
    (
        "Type: Number",
        "Type: AWS::SSM::Parameter::Value<String>",
        "Parameters.Life.Type: is not understood",
    ),
    (
        "Resources:",
        "Rules: {Never: {Assertions: [{Assert: !Equals [a, b], AssertDescription: so}]}}\n\
         Resources:",
        "Rules.Never: so",
    ),
    (
        "Metadata: {BuildMethod: rust-cargolambda, BuildProperties: {Binary: worker}}",
        "Connectors: {}",
        "Work.Connectors: is not understood",
    ),
];

/// Deviation: intrinsics, one-api.
#[test]
fn what_is_not_understood_is_an_error_that_names_the_place() {
    let mut wrong = Vec::new();
    for (from, to, expected) in MISTAKES {
        assert!(SMALL.contains(from), "{from}");
        let error = read(&SMALL.replacen(from, to, 1), &[])
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default();
        if !error.contains(expected) {
            wrong.push(format!("{to}: {error:?} lacks {expected:?}"));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    let error = read(SMALL, &[("Wrong", "x")]).unwrap_err().to_string();
    assert_eq!(error, "Parameters.Wrong: was given but is not declared");
}
