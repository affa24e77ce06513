//! The rules, and the traps in them.

#![expect(
    clippy::needless_pass_by_value,
    reason = "documents are written where they are used"
)]

use serde_json::{Value, json};

use super::{pattern, *};

const ROLE: &str = "arn:aws:iam::000000000000:role/reader";
const TABLE: &str = "arn:aws:dynamodb:eu-west-1:000000000000:table/Core";

fn principal(policies: &[Value]) -> Principal {
    Principal {
        arn: ROLE.into(),
        session: "arn:aws:sts::000000000000:assumed-role/reader/session".into(),
        policies: policies
            .iter()
            .map(|policy| Policy::of_role(policy).unwrap())
            .collect(),
        root: false,
    }
}

fn document(statement: Value) -> Value {
    json!({"Version": "2012-10-17", "Statement": statement})
}

fn get(context: Context) -> Request<'static> {
    Request {
        action: "dynamodb:GetItem",
        resource: TABLE,
        context,
    }
}

fn keys(values: &[&str]) -> Context {
    let mut context = Context::default();
    context.add("dynamodb:LeadingKeys", values.iter().copied());
    context
}

/// Whether a statement with this condition lets the request through.
fn holds(condition: Value, context: Context) -> bool {
    let allow = json!({
        "Effect": "Allow",
        "Action": "dynamodb:GetItem",
        "Resource": TABLE,
        "Condition": condition,
    });
    decide(
        &principal(&[document(allow)]),
        &get(context),
        Resource::Unguarded,
    )
    .is_ok()
}

#[test]
fn nothing_is_allowed_that_no_policy_allows_and_the_refusal_says_so() {
    let denied = decide(
        &principal(&[]),
        &get(Context::default()),
        Resource::Unguarded,
    )
    .unwrap_err();
    assert_eq!(
        denied.to_string(),
        "User: arn:aws:sts::000000000000:assumed-role/reader/session is not authorized to perform: \
         dynamodb:GetItem on resource: arn:aws:dynamodb:eu-west-1:000000000000:table/Core because \
         no identity-based policy allows the dynamodb:GetItem action"
    );
}

#[test]
fn an_explicit_deny_wins_wherever_it_stands() {
    let allow = document(json!({"Effect": "Allow", "Action": "dynamodb:*", "Resource": "*"}));
    let deny = document(json!([{"Effect": "Deny", "Action": "dynamodb:get*", "Resource": TABLE}]));
    let request = get(Context::default());
    assert!(
        decide(
            &principal(std::slice::from_ref(&allow)),
            &request,
            Resource::Unguarded
        )
        .is_ok()
    );
    let denied = decide(
        &principal(&[allow.clone(), deny]),
        &request,
        Resource::Unguarded,
    )
    .unwrap_err();
    assert!(
        denied
            .to_string()
            .ends_with("with an explicit deny in an identity-based policy"),
        "{denied}"
    );
    let guard = |condition: Value| {
        let deny = json!({
            "Effect": "Deny",
            "Principal": "*",
            "Action": "dynamodb:*",
            "Resource": "*",
            "Condition": condition,
        });
        Policy::of_resource(&document(deny)).unwrap()
    };
    let others = guard(json!({
        "ArnNotEquals": {"aws:PrincipalArn": [ROLE]},
        "Bool": {"aws:PrincipalIsAWSService": "false"},
    }));
    assert!(
        decide(
            &principal(std::slice::from_ref(&allow)),
            &request,
            Resource::Guarded(&others)
        )
        .is_ok()
    );
    let this = guard(
        json!({"ArnNotEquals": {"aws:PrincipalArn": "arn:aws:iam::000000000000:role/other"}}),
    );
    let denied = decide(&principal(&[allow]), &request, Resource::Guarded(&this)).unwrap_err();
    assert!(
        denied
            .to_string()
            .ends_with("with an explicit deny in a resource-based policy"),
        "{denied}"
    );
}

#[test]
fn a_resource_s_policy_lets_in_whom_it_names_but_delegates_to_an_account() {
    let naming = |principal: Value| {
        let allow = json!({
            "Effect": "Allow",
            "Principal": principal,
            "Action": "dynamodb:GetItem",
            "Resource": "*",
        });
        Policy::of_resource(&document(allow)).unwrap()
    };
    let request = get(Context::default());
    let asked =
        |policy: &Policy| decide(&principal(&[]), &request, Resource::Guarded(policy)).is_ok();
    assert!(asked(&naming(json!({"AWS": ROLE}))) && asked(&naming(json!("*"))));
    assert!(!asked(&naming(
        json!({"AWS": "arn:aws:iam::000000000000:root"})
    )));
    assert!(!asked(&naming(
        json!({"AWS": "arn:aws:iam::000000000000:role/other"})
    )));
    assert!(!asked(&naming(json!({"Service": "lambda.amazonaws.com"}))));
}

#[test]
fn a_key_s_policy_is_needed_and_delegates_only_by_naming_the_account() {
    let key = "arn:aws:kms:eu-west-1:000000000000:key/k";
    let request = Request {
        action: "kms:Sign",
        resource: key,
        context: Context::default(),
    };
    let policy = |principal: Value, action: &str| {
        let allow =
            json!({"Effect": "Allow", "Principal": principal, "Action": action, "Resource": "*"});
        Policy::of_resource(&document(allow)).unwrap()
    };
    let root = json!({"AWS": "arn:aws:iam::000000000000:root"});
    let by_role = principal(&[document(
        json!({"Effect": "Allow", "Action": "kms:Sign", "Resource": key}),
    )]);
    let nobody = principal(&[]);
    let asked = |who: &Principal, policy: &Policy| {
        decide(who, &request, Resource::Key(policy)).map_err(|e| e.to_string())
    };
    assert!(asked(&by_role, &policy(root.clone(), "kms:*")).is_ok());
    assert!(asked(&nobody, &policy(root.clone(), "kms:*")).is_err());
    assert!(asked(&nobody, &policy(json!({"AWS": ROLE}), "kms:Sign")).is_ok());
    // Without delegation the role's own policy counts for nothing, nor does the root's might.
    let denied = asked(&by_role, &policy(root.clone(), "kms:DescribeKey")).unwrap_err();
    assert!(
        denied.ends_with("because no resource-based policy allows the kms:Sign action"),
        "{denied}"
    );
    let account = Principal {
        arn: "arn:aws:iam::000000000000:root".into(),
        root: true,
        ..principal(&[])
    };
    assert!(asked(&account, &policy(root.clone(), "kms:DescribeKey")).is_err());
    assert!(asked(&account, &policy(root, "kms:Sign")).is_ok());
}

#[test]
fn for_all_values_is_true_of_an_absent_key_unless_null_forbids_it() {
    let like = json!({"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["K#*", "G#*"]}});
    let mut both = like.clone();
    both["Null"] = json!({"dynamodb:LeadingKeys": "false"});
    for (values, expected) in [
        (&["K#1"][..], true),
        (&["K#1", "G#2"], true),
        (&["K#1", "O#2"], false),
        (&["k#1"], false),
    ] {
        assert_eq!(holds(like.clone(), keys(values)), expected, "{values:?}");
        assert_eq!(holds(both.clone(), keys(values)), expected, "{values:?}");
    }
    assert!(holds(like, keys(&[])));
    assert!(!holds(both, keys(&[])));
    assert!(holds(
        json!({"Null": {"dynamodb:LeadingKeys": true}}),
        keys(&[])
    ));
    assert!(!holds(
        json!({"Null": {"dynamodb:LeadingKeys": true}}),
        keys(&["K#1"])
    ));
}

#[test]
fn for_any_value_needs_one_that_matches() {
    let any = json!({"ForAnyValue:StringLike": {"dynamodb:LeadingKeys": "K#*"}});
    assert!(holds(any.clone(), keys(&["O#1", "K#1"])));
    assert!(!holds(any.clone(), keys(&["O#1"])) && !holds(any, keys(&[])));
    // Negated, it asks for one that does not match, which is not the same as that none does.
    let other = json!({"ForAnyValue:StringNotLike": {"dynamodb:LeadingKeys": "K#*"}});
    assert!(
        holds(other.clone(), keys(&["O#1", "K#1"]))
            && !holds(other.clone(), keys(&["K#1"]))
            && !holds(other, keys(&[]))
    );
    let none = json!({"ForAllValues:StringNotLike": {"dynamodb:LeadingKeys": "K#*"}});
    assert!(
        !holds(none.clone(), keys(&["O#1", "K#1"]))
            && holds(none.clone(), keys(&["O#1"]))
            && holds(none, keys(&[]))
    );
}

#[test]
fn an_absent_key_fails_a_comparison_and_fulfils_a_negated_one_or_one_if_it_exists() {
    let absent = Context::default;
    let returning = |value: &str| Context::default().with("dynamodb:ReturnValues", value);
    for (operator, of_none, of_same, of_other) in [
        ("StringEquals", false, true, false),
        ("StringEqualsIfExists", true, true, false),
        ("StringNotEquals", true, false, true),
        ("StringLike", false, true, false),
        ("StringLikeIfExists", true, true, false),
    ] {
        let condition = json!({operator: {"dynamodb:returnvalues": ["NONE", "UPDATED_NEW"]}});
        let got = [absent(), returning("NONE"), returning("ALL_OLD")]
            .map(|context| holds(condition.clone(), context));
        assert_eq!(got, [of_none, of_same, of_other], "{operator}");
    }
}

#[test]
fn every_condition_must_hold() {
    let both = json!({
        "StringEquals": {"kms:SigningAlgorithm": "ECDSA_SHA_256", "kms:MessageType": "DIGEST"},
    });
    let context = |kind: &str| {
        Context::default()
            .with("kms:SigningAlgorithm", "ECDSA_SHA_256")
            .with("kms:MessageType", kind)
    };
    assert!(holds(both.clone(), context("DIGEST")) && !holds(both, context("RAW")));
}

#[test]
fn what_is_not_understood_is_refused_when_it_is_read() {
    let read = |statement: Value| {
        Policy::of_role(&document(statement))
            .map(drop)
            .map_err(|e| e.to_string())
    };
    let with = |member: &str, value: Value| {
        let mut statement =
            json!({"Sid": "It", "Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": "*"});
        statement[member] = value;
        read(statement).unwrap_err()
    };
    for (member, value, expected) in [
        (
            "NotAction",
            json!("dynamodb:*"),
            "statement It: unknown field `NotAction`",
        ),
        ("NotResource", json!("*"), "unknown field `NotResource`"),
        ("Effect", json!("Maybe"), "unknown variant `Maybe`"),
        ("Action", json!("GetItem"), "GetItem is not an action"),
        ("Action", json!([]), "an empty list"),
        ("Resource", json!("Core"), "Core is not an ARN"),
        (
            "Resource",
            json!("arn:aws:s3:::${aws:username}"),
            "policy variables",
        ),
        ("Principal", json!("*"), "names no Principal"),
        (
            "Condition",
            json!({"StringMatches": {"aws:PrincipalArn": "x"}}),
            "operator StringMatches is not",
        ),
        (
            "Condition",
            json!({"ForNoValue:StringLike": {"aws:PrincipalArn": "x"}}),
            "operator ForNoValue:StringLike is not",
        ),
        (
            "Condition",
            json!({"NullIfExists": {"aws:PrincipalArn": "true"}}),
            "operator NullIfExists is not",
        ),
        (
            "Condition",
            json!({"StringEquals": {"dynamodb:LeadingKey": "x"}}),
            "condition key dynamodb:LeadingKey is not",
        ),
        (
            "Condition",
            json!({"StringLike": {"dynamodb:LeadingKeys": "K#*"}}),
            "needs ForAllValues or ForAnyValue",
        ),
        (
            "Condition",
            json!({"Null": {"dynamodb:LeadingKeys": "no"}}),
            "neither true nor false",
        ),
        (
            "Condition",
            json!({"Bool": {"aws:PrincipalIsAWSService": "0"}}),
            "neither true nor false",
        ),
        (
            "Condition",
            json!({"StringEquals": {"aws:PrincipalArn": []}}),
            "are not texts",
        ),
        (
            "Condition",
            json!({"StringEquals": {"aws:PrincipalArn": "${aws:x}"}}),
            "policy variables",
        ),
    ] {
        let error = with(member, value);
        assert!(error.contains(expected), "{error:?} lacks {expected:?}");
    }
    assert!(Policy::of_role(&json!({"Version": "2008-10-17", "Statement": []})).is_err());
    let resource = |principal: Value| {
        let allow =
            json!({"Effect": "Allow", "Principal": principal, "Action": "kms:*", "Resource": "*"});
        Policy::of_resource(&document(allow)).is_err()
    };
    assert!(
        resource(json!({"AWS": "arn:aws:iam::000000000000:role/*"}))
            && resource(json!({"Federated": "x"}))
    );
    assert!(resource(json!("me")) && resource(json!({})) && resource(Value::Null));
}

#[test]
fn wildcards_stand_for_any_characters_but_do_not_leave_their_part_of_an_arn() {
    for (pattern, text, expected) in [
        ("*", "", true),
        ("K#*", "K#", true),
        ("K#*", "AK#", false),
        ("a?c", "abc", true),
        ("a?c", "ac", false),
        ("*b*d", "abcbd", true),
        ("*b*d", "abcbde", false),
        ("a**", "a", true),
    ] {
        assert_eq!(pattern::like(pattern, text), expected, "{pattern} {text}");
    }
    let stream = format!("{TABLE}/stream/2026-11-23T00:00:00.000");
    assert!(
        pattern::arn_like(&format!("{TABLE}/stream/*"), &stream) && pattern::arn_like("*", TABLE)
    );
    assert!(!pattern::arn_like(TABLE, &stream));
    assert!(
        !pattern::arn_like("arn:aws:dynamodb:*", TABLE),
        "a star does not reach across a colon"
    );
    let statement = json!({
        "Effect": "Allow",
        "Action": "DynamoDB:getitem",
        "Resource": "arn:*:dynamodb:*:*:table/Co?e",
    });
    assert!(
        decide(
            &principal(&[document(statement)]),
            &get(Context::default()),
            Resource::Unguarded
        )
        .is_ok()
    );
}

#[test]
fn a_permission_is_one_action_on_one_resource_for_one_class_and_can_be_taken_away_alone() {
    let statement = json!({
        "Effect": "Allow", "Action": ["dynamodb:GetItem", "dynamodb:PutItem"],
        "Resource": [TABLE, format!("{TABLE}2")],
        "Condition": {
            "ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["K#*", "G#*"]},
            "Null": {"dynamodb:LeadingKeys": "false"},
        },
    });
    let policy = Policy::of_role(&document(statement)).unwrap();
    let all = Permission::of(&policy, "role", ROLE);
    assert_eq!(all.len(), 8);
    assert_eq!(
        all[0].condition,
        "ForAllValues:StringLike dynamodb:LeadingKeys K#*; Null dynamodb:LeadingKeys false"
    );
    for taken in &all {
        let mut left = Permission::of(&taken.taken_from(&policy), "role", ROLE);
        left.sort();
        let mut expected: Vec<Permission> =
            all.iter().filter(|one| *one != taken).cloned().collect();
        expected.sort();
        assert_eq!(left, expected, "without {taken}");
    }
    // What a request used is what it would miss.
    let mut holder = principal(&[]);
    holder.policies = vec![policy.clone()];
    let request = get(keys(&["K#1"]));
    let used = decide(&holder, &request, Resource::Unguarded).unwrap();
    assert_eq!(used.len(), 1);
    assert_eq!(
        (used[0].action.as_str(), used[0].class.as_deref()),
        ("dynamodb:GetItem", Some("K#*"))
    );
    holder.policies = vec![used[0].taken_from(&policy)];
    assert!(decide(&holder, &request, Resource::Unguarded).is_err());
    assert!(decide(&holder, &get(keys(&["G#1"])), Resource::Unguarded).is_ok());
}
