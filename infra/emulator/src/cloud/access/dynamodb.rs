//! `DynamoDB` requests as the actions that IAM decides on.
//!
//! The items of a transaction are decided on by action and table together, all their keys at once.
//! AWS does not say whether it takes them together or one by one; what passes together under
//! `ForAllValues` also passes one by one.
//!
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_dynamodb.html>,
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html>

use sam::iam::Context;
use serde_json::{Map, Value};

use super::{
    super::arn::{ACCOUNT, REGION},
    calls::Call,
    expressions,
    rules::Rules,
};

const ATTRIBUTES: &str = "dynamodb:Attributes";
const LEADING_KEYS: &str = "dynamodb:LeadingKeys";

/// Members of an item or of a transaction that are expressions over attributes.
const EXPRESSIONS: [&str; 5] = [
    "ConditionExpression",
    "FilterExpression",
    "KeyConditionExpression",
    "ProjectionExpression",
    "UpdateExpression",
];

/// Members of old requests whose members are attributes.
const BY_ATTRIBUTE: [&str; 5] = [
    "AttributeUpdates",
    "Expected",
    "KeyConditions",
    "QueryFilter",
    "ScanFilter",
];

/// Items in a transaction: the member, the action, and whether it holds a whole item rather than a
/// key.
const PARTS: [(&str, &str); 5] = [
    ("ConditionCheck", "dynamodb:ConditionCheckItem"),
    ("Delete", "dynamodb:DeleteItem"),
    ("Get", "dynamodb:GetItem"),
    ("Put", "dynamodb:PutItem"),
    ("Update", "dynamodb:UpdateItem"),
];

/// What the request comes to: every action that it needs, the opening of sealed tables included.
pub(super) fn calls(rules: &Rules, operation: &str, body: &Value) -> Vec<Call> {
    let mut request = Gathered {
        rules,
        calls: Vec::new(),
        opened: Vec::new(),
    };
    match operation {
        "GetItem" | "PutItem" | "UpdateItem" | "DeleteItem" | "Query" | "Scan" => {
            request.item(operation, body);
        }
        "BatchGetItem" | "BatchWriteItem" => request.batch(operation, body),
        "TransactGetItems" | "TransactWriteItems" => request.transaction(operation, body),
        "ExecuteStatement" => request.statement(body),
        "BatchExecuteStatement" => {
            elements(&body["Statements"]).for_each(|statement| request.statement(statement));
        }
        "ExecuteTransaction" => {
            elements(&body["TransactStatements"])
                .for_each(|statement| request.statement(statement));
        }
        _ => request.other(operation, body),
    }
    let Gathered {
        mut calls, opened, ..
    } = request;
    calls.extend(opened.iter().filter_map(|table| opening(rules, table)));
    calls
}

/// What a sealed table's key is asked for. KMS decides for whoever asked the table.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/services-dynamodb.html>
pub(super) fn opening(rules: &Rules, table: &str) -> Option<Call> {
    let key = rules.table(table)?.sealed_under.as_ref()?;
    let mut call = Call::on("kms:Decrypt", key);
    call.context = Context::default()
        .with("kms:ViaService", format!("dynamodb.{REGION}.amazonaws.com"))
        .with("kms:CallerAccount", ACCOUNT)
        .with("kms:EncryptionContext:aws:dynamodb:tableName", table)
        .with("kms:EncryptionContext:aws:dynamodb:subscriberId", ACCOUNT);
    Some(call)
}

struct Gathered<'a> {
    rules: &'a Rules,
    calls: Vec<Call>,
    /// The tables whose items the request reads or writes.
    opened: Vec<String>,
}

impl Gathered<'_> {
    /// A request about one table.
    fn item(&mut self, operation: &str, body: &Value) {
        let table = named_table(body);
        let mut context = self.context_of(&table, body);
        let query = matches!(operation, "Query" | "Scan");
        if let Some(select) = select(body, query) {
            context = context.with("dynamodb:Select", select);
        }
        let arn = self.rules.arn_of_table(&table);
        let resource = body["IndexName"]
            .as_str()
            .map_or(arn.clone(), |index| format!("{arn}/index/{index}"));
        self.calls.push(Call {
            action: format!("dynamodb:{operation}"),
            resource,
            context,
        });
        self.open(table);
    }

    /// Keys or items of several tables, each table by itself.
    fn batch(&mut self, operation: &str, body: &Value) {
        for (table, asked) in members(&body["RequestItems"]) {
            let table = name_of(table);
            let mut context = Context::default();
            let key = self.partition_key(&table).to_owned();
            let puts_and_deletes = elements(asked)
                .flat_map(|one| [&one["PutRequest"]["Item"], &one["DeleteRequest"]["Key"]]);
            for item in puts_and_deletes.chain(elements(&asked["Keys"])) {
                add_item(&mut context, &key, item);
            }
            add_expressions(&mut context, asked);
            if operation == "BatchGetItem" {
                context.add("dynamodb:Select", select(asked, false));
            }
            let resource = self.rules.arn_of_table(&table);
            self.calls.push(Call {
                action: format!("dynamodb:{operation}"),
                resource,
                context,
            });
            self.open(table);
        }
    }

    fn transaction(&mut self, operation: &str, body: &Value) {
        for item in elements(&body["TransactItems"]) {
            for (member, action) in PARTS {
                let part = &item[member];
                if !part.is_object() {
                    continue;
                }
                let table = named_table(part);
                let resource = self.rules.arn_of_table(&table);
                let key = self.partition_key(&table).to_owned();
                let known = self
                    .calls
                    .iter()
                    .position(|call| call.action == action && call.resource == resource);
                let index = known.unwrap_or_else(|| {
                    let context = Context::default().with("dynamodb:EnclosingOperation", operation);
                    self.calls.push(Call {
                        action: action.to_owned(),
                        resource,
                        context,
                    });
                    self.calls.len() - 1
                });
                let context = &mut self.calls[index].context;
                add_item(context, &key, &part["Key"]);
                add_item(context, &key, &part["Item"]);
                add_expressions(context, part);
                self.open(table);
            }
        }
    }

    /// `PartiQL`: no function of ours may use it, so it is enough to know which of the four actions
    /// it is.
    fn statement(&mut self, body: &Value) {
        let statement = body["Statement"].as_str().unwrap_or_default();
        let verb = statement
            .split_whitespace()
            .next()
            .unwrap_or_default()
            .to_ascii_lowercase();
        let verb = match verb.as_str() {
            "insert" => "Insert",
            "update" => "Update",
            "delete" => "Delete",
            _ => "Select",
        };
        let named = self
            .rules
            .tables()
            .find(|(name, _)| statement.contains(name.as_str()));
        let resource = named.map_or_else(|| "*".to_owned(), |(_, table)| table.arn.clone());
        self.calls
            .push(Call::on(&format!("dynamodb:PartiQL{verb}"), &resource));
    }

    /// What is about tables and not about their items.
    fn other(&mut self, operation: &str, body: &Value) {
        let resource = match (
            body["StreamArn"].as_str(),
            body["ResourceArn"].as_str(),
            body["TableName"].as_str(),
        ) {
            (Some(arn), _, _) | (None, Some(arn), _) => arn.to_owned(),
            (None, None, Some(table)) => self.rules.arn_of_table(&name_of(table)),
            (None, None, None) => "*".to_owned(),
        };
        self.calls
            .push(Call::on(&format!("dynamodb:{operation}"), &resource));
    }

    fn context_of(&self, table: &str, body: &Value) -> Context {
        let mut context = Context::default();
        let key = self.partition_key(table);
        add_item(&mut context, key, &body["Key"]);
        add_item(&mut context, key, &body["Item"]);
        add_expressions(&mut context, body);
        let (none, names) = (Map::new(), body["ExpressionAttributeNames"].as_object());
        let asked = body["KeyConditionExpression"]
            .as_str()
            .and_then(|expression| expressions::equals(expression, names.unwrap_or(&none), key))
            .map(|placeholder| &body["ExpressionAttributeValues"][placeholder])
            .or_else(|| body["KeyConditions"][key]["AttributeValueList"].get(0));
        context.add(LEADING_KEYS, asked.and_then(value));
        context.add("dynamodb:ReturnValues", body["ReturnValues"].as_str());
        context
    }

    fn partition_key(&self, table: &str) -> &str {
        self.rules
            .table(table)
            .map_or("", |table| table.partition_key.as_str())
    }

    fn open(&mut self, table: String) {
        if !self.opened.contains(&table) {
            self.opened.push(table);
        }
    }
}

fn named_table(body: &Value) -> String {
    name_of(body["TableName"].as_str().unwrap_or_default())
}

/// A table's name, of its name or its ARN.
fn name_of(table: &str) -> String {
    table
        .rsplit_once(":table/")
        .map_or(table, |(_, name)| name)
        .to_owned()
}

fn add_item(context: &mut Context, key: &str, item: &Value) {
    context.add(LEADING_KEYS, value(&item[key]));
    context.add(ATTRIBUTES, members(item).map(|(attribute, _)| attribute));
}

fn add_expressions(context: &mut Context, body: &Value) {
    let none = Map::new();
    let names = body["ExpressionAttributeNames"]
        .as_object()
        .unwrap_or(&none);
    for expression in EXPRESSIONS
        .iter()
        .filter_map(|member| body[*member].as_str())
    {
        context.add(ATTRIBUTES, expressions::attributes(expression, names));
    }
    for member in BY_ATTRIBUTE {
        context.add(
            ATTRIBUTES,
            members(&body[member]).map(|(attribute, _)| attribute),
        );
    }
    context.add(
        ATTRIBUTES,
        elements(&body["AttributesToGet"]).filter_map(Value::as_str),
    );
}

/// What a reading asks for: what it says, or what it means by naming attributes, or all of them.
fn select(body: &Value, query: bool) -> Option<&str> {
    let reads = query || body.get("Key").is_some() || body.get("Keys").is_some();
    let writes = body.get("UpdateExpression").is_some() || body.get("AttributeUpdates").is_some();
    let names = body.get("ProjectionExpression").is_some() || body.get("AttributesToGet").is_some();
    let implied = if names {
        "SPECIFIC_ATTRIBUTES"
    } else {
        "ALL_ATTRIBUTES"
    };
    (reads && !writes).then(|| body["Select"].as_str().unwrap_or(implied))
}

/// A key's value as a condition sees it.
fn value(attribute: &Value) -> Option<&str> {
    ["S", "N", "B"]
        .into_iter()
        .find_map(|kind| attribute[kind].as_str())
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn elements(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn core(operation: &str, body: &Value) -> Vec<(String, Vec<String>, Vec<String>)> {
        let rules = Rules::of_one_table("Core", "PK");
        let calls = calls(&rules, operation, body).into_iter();
        let told = calls.map(|call| {
            let sorted = |key: &str| {
                let mut values = call.context.values(key).to_vec();
                values.sort();
                values.dedup();
                values
            };
            let resource = call.resource.rsplit_once('/').map_or("", |(_, name)| name);
            (
                format!("{} {resource}", call.action),
                sorted(LEADING_KEYS),
                sorted(ATTRIBUTES),
            )
        });
        told.collect()
    }

    fn told(call: &str, keys: &[&str], attributes: &[&str]) -> (String, Vec<String>, Vec<String>) {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        (call.to_owned(), owned(keys), owned(attributes))
    }

    /// Deviation: attributes-in-conditions.
    #[test]
    fn each_request_tells_its_partition_keys_and_attributes() {
        let key = |pk: &str| json!({"PK": {"S": pk}, "SK": {"S": "KEY"}});
        let get = core("GetItem", &json!({"TableName": "Core", "Key": key("K#1")}));
        assert_eq!(
            get,
            [told("dynamodb:GetItem Core", &["K#1"], &["PK", "SK"])]
        );
        let by_arn = json!({
            "TableName": "arn:aws:dynamodb:eu-west-1:000000000000:table/Core",
            "Key": key("K#1"),
        });
        assert_eq!(core("GetItem", &by_arn), get);
        let put = json!({
            "TableName": "Core",
            "Item": {"PK": {"S": "K#1"}, "v": {"N": "1"}},
            "ConditionExpression": "w = :w",
        });
        assert_eq!(
            core("PutItem", &put),
            [told("dynamodb:PutItem Core", &["K#1"], &["PK", "v", "w"])]
        );
        let query = json!({
            "TableName": "Core", "KeyConditionExpression": "#pk = :pk AND SK > :sk",
            "ExpressionAttributeNames": {"#pk": "PK"},
            "ExpressionAttributeValues": {":pk": {"S": "L#1"}, ":sk": {"S": "a"}},
        });
        assert_eq!(
            core("Query", &query),
            [told("dynamodb:Query Core", &["L#1"], &["PK", "SK"])]
        );
        assert_eq!(
            core("Scan", &json!({"TableName": "Core"})),
            [told("dynamodb:Scan Core", &[], &[])]
        );
        let batch = json!({"RequestItems": {"Core": {"Keys": [key("K#1"), key("G#2")]}}});
        assert_eq!(
            core("BatchGetItem", &batch),
            [told(
                "dynamodb:BatchGetItem Core",
                &["G#2", "K#1"],
                &["PK", "SK"]
            )]
        );
        let batch = json!({
            "RequestItems": {
                "Core": [
                    {"PutRequest": {"Item": key("K#1")}},
                    {"DeleteRequest": {"Key": key("K#2")}},
                ],
            },
        });
        assert_eq!(
            core("BatchWriteItem", &batch),
            [told(
                "dynamodb:BatchWriteItem Core",
                &["K#1", "K#2"],
                &["PK", "SK"]
            )]
        );
        assert_eq!(
            core("DescribeTable", &json!({"TableName": "Core"})),
            [told("dynamodb:DescribeTable Core", &[], &[])]
        );
    }

    /// Deviation: transactions-together.
    #[test]
    fn a_transaction_is_its_items_by_action() {
        let item = |pk: &str| json!({"TableName": "Core", "Item": {"PK": {"S": pk}}});
        let key = |pk: &str| {
            json!({
                "TableName": "Core",
                "Key": {"PK": {"S": pk}},
                "ConditionExpression": "version = :v",
            })
        };
        let body = json!({"TransactItems": [
            {"Put": item("K#1")}, {"Put": item("L#1")}, {"ConditionCheck": key("G#1")},
            {"Delete": key("K#2")}, {"Update": key("U#1")},
        ]});
        let expected = [
            told("dynamodb:PutItem Core", &["K#1", "L#1"], &["PK"]),
            told(
                "dynamodb:ConditionCheckItem Core",
                &["G#1"],
                &["PK", "version"],
            ),
            told("dynamodb:DeleteItem Core", &["K#2"], &["PK", "version"]),
            told("dynamodb:UpdateItem Core", &["U#1"], &["PK", "version"]),
        ];
        assert_eq!(core("TransactWriteItems", &body), expected);
        let body =
            json!({"TransactItems": [{"Get": {"TableName": "Core", "Key": {"PK": {"S": "K#1"}}}}]});
        assert_eq!(
            core("TransactGetItems", &body),
            [told("dynamodb:GetItem Core", &["K#1"], &["PK"])]
        );
    }

    #[test]
    fn partiql_is_an_action_of_its_own() {
        for (statement, action) in [
            ("SELECT * FROM \"Core\"", "dynamodb:PartiQLSelect Core"),
            ("update Core set a = 1", "dynamodb:PartiQLUpdate Core"),
            (" DELETE FROM Core", "dynamodb:PartiQLDelete Core"),
            ("insert into Core value {}", "dynamodb:PartiQLInsert Core"),
        ] {
            assert_eq!(
                core("ExecuteStatement", &json!({"Statement": statement})),
                [told(action, &[], &[])]
            );
            let several = json!({"Statements": [{"Statement": statement}]});
            assert_eq!(
                core("BatchExecuteStatement", &several),
                [told(action, &[], &[])]
            );
        }
    }
}
