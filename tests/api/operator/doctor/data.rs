//! Tables, keys and peppers as `DynamoDB`, KMS and Secrets Manager tell them.

use serde_json::{Value, json};

use super::{Case, Patient, Seen};

const SERVICES: Seen = Seen::Services;
const TABLES: Seen = Seen::Tables;

const TABLE_SETTINGS: &[Case] = &[
    Case {
        check: "tables.expiry",
        words: "do not expire",
        also: &[],
        at: TABLES,
        change: |asked, answered| {
            if asked.is("DescribeTimeToLive") {
                answered.say(
                    200,
                    &json!({"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}}),
                );
            }
        },
    },
    Case {
        check: "tables.expiry",
        words: "expire by \"ttl\"",
        also: &[],
        at: TABLES,
        change: |asked, answered| {
            if asked.is("DescribeTimeToLive") {
                answered.set("/TimeToLiveDescription/AttributeName", "ttl".into());
            }
        },
    },
    Case {
        check: "tables.recovery",
        words: "has no point-in-time recovery",
        also: &[],
        at: TABLES,
        change: |asked, answered| {
            if asked.is("DescribeContinuousBackups") {
                let off = "/ContinuousBackupsDescription/PointInTimeRecoveryDescription/\
                           PointInTimeRecoveryStatus";
                answered.set(off, "DISABLED".into());
            }
        },
    },
    Case {
        check: "tables.deletion_protection",
        words: "is not protected from deletion",
        also: &[],
        at: TABLES,
        change: |asked, answered| {
            if asked.is("DescribeTable") {
                answered.set("/Table/DeletionProtectionEnabled", false.into());
            }
        },
    },
    Case {
        check: "tables.encryption",
        words: "is under a key of AWS's",
        also: &[],
        at: TABLES,
        change: |asked, answered| {
            if asked.is("DescribeTable") {
                answered.set("/Table/SSEDescription", Value::Null);
            }
        },
    },
    Case {
        check: "tables.encryption",
        words: "and not under the data key",
        also: &[],
        at: TABLES,
        change: |asked, answered| {
            if asked.is("DescribeTable") {
                let another = "arn:aws:kms:eu-west-1:000000000000:key/another";
                answered.set("/Table/SSEDescription/KMSMasterKeyArn", another.into());
            }
        },
    },
    Case {
        check: "tables.streams",
        words: "has no stream",
        also: &[],
        at: TABLES,
        change: |asked, answered| {
            if asked.is("DescribeTable") {
                answered.set("/Table/StreamSpecification", Value::Null);
            }
        },
    },
];

#[tokio::test]
async fn tables_that_forget_too_little_or_too_much_are_named() {
    Patient::admit().await.suffers(TABLE_SETTINGS).await;
}

const KEYS: &[Case] = &[
    Case {
        check: "keys.signing",
        words: "is PendingDeletion",
        also: &[],
        at: SERVICES,
        change: |asked, answered| {
            if asked.is("DescribeKey")
                && answered.json()["KeyMetadata"]["KeySpec"] == "ECC_NIST_P256"
            {
                answered.set("/KeyMetadata/KeyState", "PendingDeletion".into());
            }
        },
    },
    Case {
        check: "keys.signing",
        words: "is no ECC_NIST_P256 key",
        also: &[],
        at: SERVICES,
        change: |asked, answered| {
            if asked.is("DescribeKey")
                && answered.json()["KeyMetadata"]["KeySpec"] == "ECC_NIST_P256"
            {
                answered.set("/KeyMetadata/KeySpec", "RSA_2048".into());
            }
        },
    },
    Case {
        check: "keys.data",
        words: "does not rotate",
        also: &[],
        at: SERVICES,
        change: |asked, answered| {
            if asked.is("GetKeyRotationStatus") {
                answered.say(200, &json!({"KeyRotationEnabled": false}));
            }
        },
    },
    Case {
        check: "keys.data",
        words: "the data key is Disabled",
        also: &[],
        at: SERVICES,
        change: |asked, answered| {
            if asked.is("DescribeKey")
                && answered.json()["KeyMetadata"]["KeySpec"] == "SYMMETRIC_DEFAULT"
            {
                answered.set("/KeyMetadata/KeyState", "Disabled".into());
            }
        },
    },
    Case {
        check: "keys.peppers",
        words: "is not a JSON object of versions",
        also: &[],
        at: SERVICES,
        change: |asked, answered| {
            if asked.is("GetSecretValue") {
                answered.set(
                    "/SecretString",
                    "{\"2\": \"a pepper whose predecessor was thrown away\"}".into(),
                );
            }
        },
    },
    Case {
        check: "keys.published",
        words: "tokens are signed by another, which is not published",
        also: &[],
        at: TABLES,
        change: |asked, answered| {
            if asked.is("GetItem") {
                answered.set("/Item/kid/S", "another".into());
            }
        },
    },
    Case {
        check: "keys.published",
        words: "no sandbox key is published",
        also: &[],
        at: TABLES,
        change: |asked, answered| {
            if asked.is("Query") {
                answered.say(200, &json!({"Items": [], "Count": 0, "ScannedCount": 0}));
            }
        },
    },
];

#[tokio::test]
async fn keys_and_peppers_that_are_out_of_order_are_named() {
    Patient::admit().await.suffers(KEYS).await;
}
