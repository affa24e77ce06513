//! Changes a key (ARZ-4): what is left out stays, `null` clears. A changed list applies to tokens
//! issued from then on (CYB-6), to a personal key at once; an earlier end cuts tokens too.

use axum::{
    Json,
    extract::{Request, State},
};
use domain::{
    error::Error, key::Edit, operation::Operation, organization::Name, text::Note, time::Timestamp,
    webhook_url::WebhookUrl,
};
use serde::{Deserialize, de::IgnoredAny};
use utoipa::ToSchema;
use web::{
    dialect::Management,
    extract::{self, Id},
    openapi::{BadBody, CommonErrors, Conflict, KeyPath, NotFound, schema},
};

use super::{members::Reader, shape::Response};
use crate::api::{Api, Caller};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = UpdateKey)]
#[expect(
    clippy::option_option,
    reason = "left out, null and a value are three things"
)]
pub(crate) struct Body {
    #[serde(default, deserialize_with = "extract::not_null")]
    #[schema(nullable = false, min_length = 1, max_length = 128)]
    name: Option<String>,
    #[serde(default, deserialize_with = "extract::nullable")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 512)]
    description: Option<Option<String>>,
    #[serde(default, deserialize_with = "extract::not_null")]
    #[schema(nullable = false, value_type = Option<Vec<schema::AllowlistEntry>>, max_items = 3)]
    ip_allowlist: Option<Vec<String>>,
    /// Never, within the organization's policy, where it is null.
    #[serde(default, deserialize_with = "extract::nullable")]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Option<String>>,
    /// Never of a live key.
    #[serde(default, deserialize_with = "extract::nullable")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 128)]
    destination: Option<Option<String>>,
    #[serde(default, deserialize_with = "extract::nullable")]
    #[schema(value_type = Option<String>, max_length = 2048)]
    webhook_url: Option<Option<String>>,
    /// Accepted from a bank's token, and ignored (CYB-4).
    #[serde(default)]
    #[schema(value_type = Option<schema::Guid>)]
    bank_guid: Option<IgnoredAny>,
}

/// Changes a key.
#[utoipa::path(patch, path = "/api/keys/{client_id}", params(KeyPath), request_body = Body,
    responses((status = 200, body = Response), CommonErrors, NotFound, BadBody, Conflict))]
pub(crate) async fn update(
    State(api): State<Api>,
    caller: Caller,
    Id(text): Id,
    request: Request,
) -> Result<Json<Response>, Management> {
    let (parts, body) = request.into_parts();
    let body: Body = extract::json(&parts.headers, body).await?;
    let edit = read(&caller, &body)?;
    let view = api.view_key(&caller, Operation::UpdateKey, &text).await?;
    let key = api
        .store
        .change_key(&view, &caller.origin(), |key| {
            key.edit(edit.clone(), view.latest_end())
        })
        .await?;
    Ok(Json(Response::changed(&api, &view, &key)))
}

fn read(caller: &Caller, body: &Body) -> Result<Edit, Error> {
    let mut reader = Reader::default();
    if body.bank_guid.is_some() && caller.owner.bank().is_none() {
        reader.refuse(
            "bank_guid",
            "is not a member that this takes: a key belongs to its owner for life",
        );
    }
    let edit = Edit {
        name: reader.text("name", body.name.as_deref(), Name::parse),
        description: reader.nullable("description", body.description.as_ref(), Note::parse),
        ip_allowlist: reader.allowlist(body.ip_allowlist.as_deref()),
        expires_at: reader.nullable("expires_at", body.expires_at.as_ref(), Timestamp::parse),
        destination: reader.nullable("destination", body.destination.as_ref(), Name::parse),
        webhook_url: reader.nullable("webhook_url", body.webhook_url.as_ref(), WebhookUrl::parse),
    };
    reader.finish(Some(edit))
}
