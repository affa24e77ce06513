mod mistakes;

use std::time::Duration;

use serde_json::json;

use super::*;

/// The stack's own template.
const REAL: &str = include_str!("../../../template.yaml");

const SMALL: &str = r"
Transform: AWS::Serverless-2016-10-31
Parameters:
  Kind: {Type: String, Default: sandbox, AllowedValues: [sandbox, live]}
  Life: {Type: Number, Default: 1800}
  Names: {Type: CommaDelimitedList, Default: 'a, b'}
Conditions:
  IsLive: !Equals [!Ref Kind, live]
  IsSandbox: !Not [!Condition IsLive]
  Both: !And [!Condition IsLive, !Condition IsSandbox]
  Either: !Or [!Condition IsLive, !Condition IsSandbox]
Mappings:
  Sizes: {sandbox: {memory: 256}, live: {memory: 512}}
Globals:
  Function:
    Timeout: 7
    Environment: {Variables: {SHARED: global, OWN: global}}
Resources:
  Api:
    Type: AWS::Serverless::Api
    Properties:
      StageName: v1
      Auth:
        DefaultAuthorizer: Guard
        Authorizers:
          Guard:
            FunctionArn: !GetAtt Work.Arn
            FunctionPayloadType: REQUEST
            Identity: {Headers: [Authorization], QueryStrings: [key], StageVariables: [v], Context: [identity.sourceIp]}
          Token: {FunctionArn: !Sub '${Work.Arn}', Identity: {Header: X-Token, ReauthorizeEvery: 0}}
      GatewayResponses:
        UNAUTHORIZED: {StatusCode: 401, ResponseParameters: {Headers: {Retry-After: !Sub '''${Life}'''}}}
  Work:
    Type: AWS::Serverless::Function
    Metadata: {BuildMethod: rust-cargolambda, BuildProperties: {Binary: worker}}
    Properties:
      CodeUri: ../functions/work/
      MemorySize: !FindInMap [Sizes, !Ref Kind, memory]
      Policies: [{Statement: [{Effect: Allow, Action: '*', Resource: !GetAtt Nothing.Arn}]}]
      Environment:
        Variables:
          OWN: own
          NUMBER: 7
          TABLE: !Ref Table
          STREAM: !GetAtt Table.StreamArn
          LONG: {'Fn::GetAtt': [Table, Arn]}
          IF: !If [IsLive, live, !Ref AWS::NoValue]
          SUB: !Sub '${AWS::StackName}-${Table}-${Table.Arn}-${Life}-${!Kept}'
          SUBS: !Sub ['${A}/${Kind}', {A: !Ref AWS::Region}]
          JOIN: !Join ['-', [a, !Ref AWS::AccountId, !Ref AWS::Partition]]
          SELECT: !Select [1, !Split ['/', 'a/b/c']]
          NAMES: !Join ['|', !Ref Names]
          ROLE: !GetAtt WorkRole.Arn
          STAGE: !Ref Api.Stage
          CONDITIONS: !Join ['', [!If [Both, y, n], !If [Either, y, n]]]
      Events:
        Default: {Type: Api, Properties: {RestApiId: !Ref Api, Path: /a, Method: get}}
        Open: {Type: Api, Properties: {RestApiId: !Ref Api, Path: /a, Method: ANY, Auth: {Authorizer: NONE}}}
        Other: {Type: Api, Properties: {RestApiId: !Ref Api, Path: /b, Method: post, Auth: {Authorizer: Token}}}
        Stream: {Type: DynamoDB, Properties: {Stream: !GetAtt Table.StreamArn, StartingPosition: LATEST, BatchSize: 10}}
  OnlyLive:
    Type: AWS::Serverless::Function
    Condition: IsLive
    Properties: {CodeUri: ../functions/only-live/}
  Table:
    Type: AWS::DynamoDB::Table
    DeletionPolicy: Retain
    Properties: {TableName: !Sub '${AWS::StackName}-core', SSESpecification: {KMSMasterKeyId: !GetAtt Key.Arn}}
  Alias:
    Type: AWS::KMS::Alias
    Properties: {AliasName: alias/a, TargetKeyId: !Ref Key}
  Key:
    Type: AWS::KMS::Key
    Properties: {KeySpec: ECC_NIST_P256, KeyPolicy: {Statement: [{Principal: {AWS: !GetAtt WorkRole.Arn}}]}}
  Pepper:
    Type: AWS::SecretsManager::Secret
    DependsOn: Table
    Properties: {KmsKeyId: !Sub '${Key}'}
";

fn physical(template: &Template) -> Result<Physical, TemplateError> {
    let one = |planned: PlannedResource| {
        let id = planned.logical_id;
        let attributes = ["Arn", "StreamArn"].map(|name| (name.to_owned(), format!("{id}.{name}")));
        (
            id.clone(),
            PhysicalResource {
                reference: format!("{id}.ref"),
                attributes: attributes.into(),
            },
        )
    };
    Ok(template.resources()?.into_iter().map(one).collect())
}

fn read(text: &str, parameters: &[(&str, &str)]) -> Result<Description, TemplateError> {
    let parameters = parameters
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let template = Template::parse(
        text,
        Settings {
            parameters,
            ..Settings::default()
        },
    )?;
    template.resolve(&physical(&template)?)
}

#[test]
fn a_function_has_its_program_environment_limits_and_streams() {
    let description = read(SMALL, &[]).unwrap();
    let work = &description.functions["Work"];
    assert_eq!(
        (work.binary.as_str(), work.timeout, work.memory),
        ("worker", Duration::from_secs(7), 256)
    );
    assert_eq!(
        work.arn,
        "arn:aws:lambda:eu-west-1:000000000000:function:latchkey-Work"
    );
    let expected = json!({
        "SHARED": "global", "OWN": "own", "NUMBER": "7", "TABLE": "Table.ref",
        "STREAM": "Table.StreamArn",
        "LONG": "Table.Arn", "SUB": "latchkey-Table.ref-Table.Arn-1800-${Kept}",
        "SUBS": "eu-west-1/sandbox",
        "JOIN": "a-000000000000-aws", "SELECT": "b", "NAMES": "a|b",
        "ROLE": "arn:aws:iam::000000000000:role/latchkey-WorkRole", "STAGE": "v1",
        "CONDITIONS": "ny",
    });
    assert_eq!(json!(work.environment), expected);
    let properties =
        json!({"Stream": "Table.StreamArn", "StartingPosition": "LATEST", "BatchSize": 10});
    let stream = Stream {
        name: "Stream".into(),
        arn: "Table.StreamArn".into(),
        properties,
    };
    assert_eq!(work.streams, [stream]);
}

#[test]
fn parameters_change_conditions_and_mappings() {
    let description = read(SMALL, &[("Kind", "live"), ("Life", "60")]).unwrap();
    let work = &description.functions["Work"];
    assert_eq!(
        (work.environment["IF"].as_str(), work.memory),
        ("live", 512)
    );
    assert_eq!(description.functions["OnlyLive"].binary, "only-live");
    assert!(!read(SMALL, &[]).unwrap().functions.contains_key("OnlyLive"));
}

#[test]
fn routes_have_the_authorizers_that_sam_gives_them() {
    let api = read(SMALL, &[]).unwrap().api;
    let route = |path: &str, method: &str, authorizer: Option<&str>| Route {
        path: path.into(),
        method: method.into(),
        function: "Work".into(),
        authorizer: authorizer.map(Into::into),
        api_key_required: false,
    };
    let expected = [
        route("/a", "GET", Some("Guard")),
        route("/a", "ANY", None),
        route("/b", "POST", Some("Token")),
    ];
    assert_eq!(api.routes, expected);
    let guard = &api.authorizers["Guard"];
    assert_eq!(
        (guard.function.as_str(), guard.ttl),
        ("Work", Duration::from_mins(5))
    );
    let sources = vec![
        IdentitySource::Header("Authorization".into()),
        IdentitySource::Query("key".into()),
        IdentitySource::StageVariable("v".into()),
        IdentitySource::Context("identity.sourceIp".into()),
    ];
    assert_eq!(guard.kind, AuthorizerKind::Request { sources });
    let token = &api.authorizers["Token"];
    assert_eq!(
        token.kind,
        AuthorizerKind::Token {
            header: "X-Token".into(),
            validation: None
        }
    );
    assert_eq!(token.ttl, Duration::ZERO);
    let unauthorized = &api.gateway_responses[&ResponseType::Unauthorized];
    assert_eq!(unauthorized.status, Some(401));
    assert_eq!(
        unauthorized.headers["Retry-After"],
        HeaderValue::Literal("1800".into())
    );
}

#[test]
fn resources_come_in_the_order_of_their_creation() {
    let template = Template::parse(SMALL, Settings::default()).unwrap();
    let planned: Vec<(String, ResourceKind)> = template
        .resources()
        .unwrap()
        .into_iter()
        .map(|planned| (planned.logical_id, planned.kind))
        .collect();
    let expected = [
        ("Key", ResourceKind::Key),
        ("Alias", ResourceKind::Alias),
        ("Table", ResourceKind::Table),
        ("Pepper", ResourceKind::Secret),
    ];
    assert_eq!(
        planned,
        expected.map(|(name, kind)| (name.to_owned(), kind))
    );
    // Each can be created with those before it.
    let mut created = Physical::new();
    for (logical_id, _) in planned {
        template.properties(&logical_id, &created).unwrap();
        let all = physical(&template).unwrap();
        created.insert(logical_id.clone(), all[&logical_id].clone());
    }
    let table = template.properties("Table", &created).unwrap();
    assert_eq!(
        table,
        json!({"TableName": "latchkey-core", "SSESpecification": {"KMSMasterKeyId": "Key.Arn"}})
    );
    let error = template
        .properties("Table", &Physical::new())
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "Table.Properties.SSESpecification.KMSMasterKeyId: GetAtt Key.Arn: AWS::KMS::Key has none \
         here"
    );
    let description = template.resolve(&created).unwrap();
    assert_eq!(description.tables[0].properties, table);
    assert_eq!(
        (
            description.keys.len(),
            description.aliases.len(),
            description.secrets.len()
        ),
        (1, 1, 1)
    );
}

#[test]
fn the_real_template_is_understood() {
    let description = read(REAL, &[("Issuer", "https://latchkey.example")]).unwrap();
    let mut binaries: Vec<&str> = description
        .functions
        .values()
        .map(|function| function.binary.as_str())
        .collect();
    binaries.sort_unstable();
    assert_eq!(
        binaries,
        [
            "audit",
            "authorizer",
            "authorizer",
            "compactor",
            "management",
            "management",
            "sample-api",
            "tokens"
        ]
    );
    assert_eq!(description.tables.len(), 4);
    assert!(description.keys.len() >= 2 && !description.secrets.is_empty());
    // CBM-4: a cached answer would let a revoked token in.
    assert!(
        description
            .api
            .authorizers
            .values()
            .all(|authorizer| authorizer.ttl.is_zero())
    );
    assert!(
        description
            .functions
            .values()
            .any(|function| !function.streams.is_empty())
    );
    let guarded = description
        .api
        .routes
        .iter()
        .filter(|route| route.authorizer.is_some())
        .count();
    assert!(guarded >= 18, "{guarded}");
}
