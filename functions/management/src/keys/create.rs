//! Makes a key of any owner and shows its secret, once (ARZ-1, CBM-1, CYB-2).

use axum::extract::State;
use domain::{
    authority::KeyWanted,
    error::{Error, Kind},
    ids::Guid,
    key_mode::KeyMode,
    operation::Operation,
    organization::Name,
    text::Note,
    time::Timestamp,
    webhook_url::WebhookUrl,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use web::{
    dialect::Management,
    extract,
    openapi::{BadBody, CommonErrors, Conflict, IdempotencyKey, schema},
};

use super::{
    creation::{Creation, Made},
    members::Reader,
    shape::{OwnerType, Response},
};
use crate::{
    api::{Api, Caller},
    idempotent::Request,
};

/// Whose the key will be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewKeyOwner)]
struct OwnerBody {
    #[serde(rename = "type", deserialize_with = "extract::word")]
    owner_type: OwnerType,
    #[schema(value_type = schema::Guid)]
    guid: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CreateKey)]
pub(crate) struct Body {
    owner: OwnerBody,
    #[schema(min_length = 1, max_length = 128)]
    name: String,
    #[serde(default)]
    #[schema(min_length = 1, max_length = 512)]
    description: Option<String>,
    /// That of the caller's own key, where it is left out; another is refused.
    #[serde(default)]
    #[schema(value_type = Option<schema::Kind>)]
    environment: Option<String>,
    /// Every default of the owner's keys that the caller holds, where they are left out; not for
    /// personal keys.
    #[serde(default)]
    #[schema(value_type = Option<Vec<schema::Scope>>, min_items = 1)]
    scopes: Option<Vec<String>>,
    #[serde(default)]
    #[schema(value_type = Option<Vec<schema::AllowlistEntry>>, max_items = 3)]
    ip_allowlist: Option<Vec<String>>,
    /// Never, within the organization's policy, where it is left out.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<String>,
    /// Where payments made with it arrive; for keys of banks, with a webhook URL. Of a live key for
    /// life.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 128)]
    destination: Option<String>,
    /// Where its webhooks go: HTTPS, at a public host; for keys of banks.
    #[serde(default)]
    #[schema(max_length = 2048)]
    webhook_url: Option<String>,
    /// Accepted from a bank's token, and ignored (CYB-4).
    #[serde(default)]
    #[schema(value_type = Option<schema::Guid>)]
    bank_guid: Option<serde::de::IgnoredAny>,
}

/// A new key, as `Creation` answers with it.
#[derive(Serialize, ToSchema)]
#[schema(as = NewKey)]
pub(crate) struct Created<'a> {
    #[serde(flatten)]
    key: Response,
    /// Shown once, and not when the request is repeated.
    #[schema(required = false)]
    secret: &'a str,
}

/// Makes a key.
///
/// Of the organization, of one of its banks, or of one of its people: a personal key, which has its
/// user's role and scopes as they are whenever it is used. The secret is in this answer alone.
#[utoipa::path(
    post,
    path = "/api/keys",
    params(IdempotencyKey),
    request_body = Body,
    responses(
        (
            status = 201,
            body = Created,
            headers((
                "Idempotency-Replayed" = String,
                description = "`true`: made before; without its secret"
            ))
        ),
        CommonErrors,
        BadBody,
        Conflict
    )
)]
pub(crate) async fn create(
    State(api): State<Api>,
    caller: Caller,
    request: axum::extract::Request,
) -> Result<axum::response::Response, Management> {
    caller.require(Operation::CreateKey)?;
    let (parts, bytes) = request.into_parts();
    let (body, bytes): (Body, _) = extract::json_and_bytes(&parts.headers, bytes).await?;
    let wanted = read(&caller, body)?;
    let creation = Creation {
        operation: Operation::CreateKey,
        owner_field: "owner.guid",
    };
    let request = Request {
        caller: &caller,
        parts: &parts,
        body: &bytes,
    };
    let shape = |made: &Made<'_>| Response::new(&api, made.caller, &made.key, &made.gates);
    Ok(creation.run(&api, request, wanted, shape).await?)
}

/// Reads what a body asks for, and says of all its members at once what is wrong.
fn read(caller: &Caller, body: Body) -> Result<KeyWanted, Error> {
    let mut reader = Reader::default();
    let owner = reader.text("owner.guid", Some(&body.owner.guid), str::parse::<Guid>);
    let name = reader.text("name", Some(&body.name), Name::parse);
    let description = reader.text("description", body.description.as_deref(), Note::parse);
    let kind = reader
        .text(
            "environment",
            body.environment.as_deref(),
            str::parse::<KeyMode>,
        )
        .unwrap_or(caller.kind);
    let ip_allowlist = reader
        .allowlist(body.ip_allowlist.as_deref())
        .unwrap_or_default();
    let expires_at = reader.text("expires_at", body.expires_at.as_deref(), Timestamp::parse);
    let destination = reader.text("destination", body.destination.as_deref(), Name::parse);
    let webhook_url = reader.text(
        "webhook_url",
        body.webhook_url.as_deref(),
        WebhookUrl::parse,
    );
    if body.scopes.is_some() && matches!(body.owner.owner_type, OwnerType::User) {
        reader.refuse(
            "scopes",
            "are not for personal keys, which have their user's; narrow the user's \
             allowed_scopes",
        );
    }
    if body.bank_guid.is_some() && caller.owner.bank().is_none() {
        reader.refuse(
            "bank_guid",
            "is not a member that this takes: name the bank as the owner",
        );
    }
    let (owner, name) = reader.finish(owner.zip(name))?;
    if kind != caller.kind {
        let message = format!(
            "A {} credential makes {0} keys alone, not {kind} ones",
            caller.kind
        );
        return Err(Error::new(Kind::Forbidden, message));
    }
    let (owner, scopes) = (body.owner.owner_type.owner(owner), body.scopes);
    Ok(KeyWanted {
        owner,
        name,
        description,
        scopes,
        ip_allowlist,
        expires_at,
        destination,
        webhook_url,
    })
}
