//! Whether the deployment has live keys: what the doctor asks before it says that a protection
//! which is off must be on. It scans the table, which no function may (LEAK-5).

use aws_sdk_dynamodb::types::AttributeValue;
use domain::key_mode::KeyMode;

use crate::{Store, error::StoreError, item_keys::Class, record};

impl Store {
    /// Whether any organization's list, the platform's own included, has a live key that was not
    /// revoked by itself. Reads the table until it meets one, the whole of it where there is none.
    /// Eventually consistent.
    ///
    /// # Errors
    /// What any read can meet.
    pub async fn has_live_keys(&self) -> Result<bool, StoreError> {
        let mut pages = self
            .client
            .scan()
            .table_name(&self.tables.core)
            .filter_expression(
                "begins_with(PK, :lists) AND begins_with(SK, :keys) AND #kind = :live AND \
                 revoked = :no",
            )
            .projection_expression("PK")
            .expression_attribute_names("#kind", "kind")
            .expression_attribute_values(":lists", AttributeValue::S("L#".into()))
            .expression_attribute_values(":keys", AttributeValue::S(Class::Key.prefix().into()))
            .expression_attribute_values(":live", record::value(&KeyMode::Live)?)
            .expression_attribute_values(":no", AttributeValue::Bool(false))
            .into_paginator()
            .send();
        while let Some(page) = pages.next().await {
            if page.map_err(StoreError::unavailable)?.count() > 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
