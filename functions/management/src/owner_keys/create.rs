//! Creates a key and shows its secret, once (CYB-2, CYB-3).

use axum::extract::State;
use domain::{authority::KeyWanted, error::Error, organization::Name, time::Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use web::{
    dialect::Management,
    extract,
    openapi::{BadBody, CommonErrors, Conflict, IdempotencyKey, schema},
};

use super::{Family, OwnerKey};
use crate::{
    api::{Api, Caller},
    idempotent::Request,
    keys::{
        creation::{Creation, Made},
        members::Reader,
    },
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CreateApplication)]
pub(crate) struct Body {
    #[schema(min_length = 1, max_length = 128)]
    name: String,
    /// Whose the key will be: required of everybody but a bank's token on the route of banks' keys,
    /// and refused on the other.
    #[serde(default)]
    #[schema(value_type = Option<schema::Guid>)]
    bank_guid: Option<Value>,
    /// Every default of such a key that the caller holds, where they are left out.
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
}

/// A new key, as `Creation` answers with it.
#[derive(Serialize, ToSchema)]
#[schema(as = NewApplication)]
pub(crate) struct Created<'a> {
    #[serde(flatten)]
    key: OwnerKey,
    /// Shown here and never again; not when the request is repeated.
    #[schema(required = false)]
    secret: &'a str,
}

/// Makes a key.
///
/// The secret is in this answer alone.
#[utoipa::path(
    post,
    path = "",
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
pub(crate) async fn create<F: Family>(
    State(api): State<Api>,
    caller: Caller,
    request: axum::extract::Request,
) -> Result<axum::response::Response, Management> {
    caller.require(F::CREATE)?;
    let (parts, bytes) = request.into_parts();
    let (body, bytes): (Body, _) = extract::json_and_bytes(&parts.headers, bytes).await?;
    let wanted = read::<F>(&caller, body)?;
    let creation = Creation {
        operation: F::CREATE,
        owner_field: "bank_guid",
    };
    let request = Request {
        caller: &caller,
        parts: &parts,
        body: &bytes,
    };
    let shape = |made: &Made<'_>| OwnerKey::from(&made.key);
    Ok(creation.run(&api, request, wanted, shape).await?)
}

/// Reads what a body asks for, and says of all its members at once what is wrong.
fn read<F: Family>(caller: &Caller, body: Body) -> Result<KeyWanted, Error> {
    let mut reader = Reader::default();
    let name = reader.text("name", Some(&body.name), Name::parse);
    let ip_allowlist = reader
        .allowlist(body.ip_allowlist.as_deref())
        .unwrap_or_default();
    let expires_at = reader.text("expires_at", body.expires_at.as_deref(), Timestamp::parse);
    Ok(KeyWanted {
        name: reader.finish(name)?,
        owner: F::owner(caller, body.bank_guid.as_ref())?,
        description: None,
        scopes: body.scopes,
        ip_allowlist,
        expires_at,
        destination: None,
        webhook_url: None,
    })
}
