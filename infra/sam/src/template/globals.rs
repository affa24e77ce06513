//! SAM's `Globals`: mappings are merged member by member, lists are concatenated, anything else is
//! overridden.
//! <https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-specification-template-anatomy-globals.html>

use serde_json::{Map, Value};

/// The properties of a resource after its globals.
pub(super) fn merged(globals: Option<&Value>, own: Map<String, Value>) -> Map<String, Value> {
    match globals {
        Some(Value::Object(globals)) => merge_members(globals, own),
        _ => own,
    }
}

fn merge_members(globals: &Map<String, Value>, own: Map<String, Value>) -> Map<String, Value> {
    let mut merged = globals.clone();
    for (name, value) in own {
        let value = match merged.remove(&name) {
            Some(global) => merge(global, value),
            None => value,
        };
        merged.insert(name, value);
    }
    merged
}

fn merge(global: Value, own: Value) -> Value {
    match (global, own) {
        (Value::Object(global), Value::Object(own))
            if !is_intrinsic(&global) && !is_intrinsic(&own) =>
        {
            Value::Object(merge_members(&global, own))
        }
        (Value::Array(mut global), Value::Array(own)) => {
            global.extend(own);
            Value::Array(global)
        }
        (_, own) => own,
    }
}

/// `{"Ref": …}` and its like are values, not mappings to merge.
pub(super) fn is_intrinsic(members: &Map<String, Value>) -> bool {
    members.len() == 1
        && members
            .keys()
            .all(|key| key == "Ref" || key == "Condition" || key.starts_with("Fn::"))
}
