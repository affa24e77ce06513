//! Makes a key of any owner and shows its secret, once (ARZ-1, CBM-1, CYB-2).

use axum::{
    Json,
    extract::{Request, State},
    http::StatusCode,
    response::IntoResponse,
};
use domain::{
    allowlist::Allowlist,
    error::{Error, Kind},
    gate::Gates,
    ids::{ClientId, Guid},
    key::{Draft, Key, Owner},
    key_mode::KeyMode,
    operation::Operation,
    organization::Name,
    scope::ScopeSet,
    text::Note,
    time::Timestamp,
    user::User,
    webhook_url::WebhookUrl,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use web::{
    dialect::Management,
    extract, idempotency,
    openapi::{BadBody, CommonErrors, Conflict, IdempotencyKey, schema},
};

use super::{
    access::{Target, reaches_bank, require_now},
    members::Reader,
    shape::{OwnerType, Response},
};
use crate::api::{Api, Caller, CallerAuthority, Outcome, replayed};

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

/// A new key.
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
    request: Request,
) -> Result<axum::response::Response, Management> {
    caller.require(Operation::CreateKey)?;
    let (parts, body) = request.into_parts();
    let (body, bytes): (Body, _) = extract::json_and_bytes(&parts.headers, body).await?;
    let wanted = Wanted::read(&caller, body)?;
    let authority = api.caller_authority(&caller).await?;
    let target = Target {
        organization: caller.organization,
        owner: wanted.owner,
        kind: caller.kind,
    };
    require_now(&api, &caller, &authority, Operation::CreateKey, target).await?;
    let client_id = api.entropy.client_id();
    let record = match api
        .check_idempotency(&caller, &parts, &bytes, client_id)
        .await?
    {
        Outcome::Created(record) => record,
        Outcome::Replayed(made) => return Ok(replay(&api, &caller, &made).await?),
    };
    let user = require_owner(&api, &caller, &authority, wanted.owner).await?;
    let organization = api
        .store
        .organization(caller.organization)
        .await?
        .ok_or_else(Error::unauthenticated)?;
    let (plain, secret) = api.mint(caller.kind, client_id).await?;
    // Past the window of every incident that would cover it (LEAK-8).
    let creation = organization
        .gate
        .creation(wanted.owner, caller.kind, secret.created_at);
    let draft = wanted.draft(
        &api,
        &caller,
        &authority,
        organization.organization.latest_end(creation),
        creation,
    )?;
    let key = Key::create(draft, client_id, secret.id, creation)?.shown_to(caller.user());
    let (store, origin) = (api.store.on_behalf_of(&authority.behalf), caller.origin());
    let created = match user
        .as_ref()
        .filter(|user| caller.user() != Some(user.guid))
    {
        Some(user) => {
            store
                .create_key_for(user, &key, &secret, record.as_ref(), &origin)
                .await
        }
        None => {
            store
                .create_key(&key, &secret, record.as_ref(), &origin)
                .await
        }
    };
    if let Outcome::Replayed(made) = api.resolve(created, record).await? {
        return Ok(replay(&api, &caller, &made).await?);
    }
    let gates = Gates {
        organization: organization.gate,
        user,
    };
    let created = Created {
        key: Response::new(&api, &caller, &key, &gates),
        secret: &plain.expose(),
    };
    Ok((
        StatusCode::CREATED,
        [("cache-control", "no-store")],
        Json(created),
    )
        .into_response())
}

/// What an earlier request of the same `Idempotency-Key` made, as it is now.
async fn replay(api: &Api, caller: &Caller, made: &str) -> Result<axum::response::Response, Error> {
    let key = made_before(api, caller, made).await?;
    let gates = api.store.gates(&key).await?;
    Ok(replayed(Response::new(api, caller, &key, &gates)))
}

/// The key that an earlier request of the same `Idempotency-Key` made. The same words ask for
/// another key when a person says them by a credential of the other kind.
pub(crate) async fn made_before(api: &Api, caller: &Caller, made: &str) -> Result<Key, Error> {
    let client_id: ClientId = made.parse().map_err(|_| Error::internal())?;
    let key = api
        .store
        .key(client_id)
        .await?
        .ok_or_else(Error::internal)?;
    if key.kind == caller.kind {
        Ok(key)
    } else {
        Err(idempotency::reused())
    }
}

/// What a body asks for, each member acceptable by itself.
struct Wanted {
    owner: Owner,
    name: Name,
    description: Option<Note>,
    scopes: Option<Vec<String>>,
    ip_allowlist: Allowlist,
    expires_at: Option<Timestamp>,
    destination: Option<Name>,
    webhook_url: Option<WebhookUrl>,
}

impl Wanted {
    fn read(caller: &Caller, body: Body) -> Result<Self, Error> {
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
        Ok(Self {
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

    /// The key to be made: what is asked for, as far as the caller may delegate it.
    fn draft(
        self,
        api: &Api,
        caller: &Caller,
        authority: &CallerAuthority,
        latest_end: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Draft, Error> {
        let delegator = authority.delegator();
        delegator.require_allowlist(&self.ip_allowlist)?;
        let scopes = match self.owner.holder() {
            Some(holder) => delegator.scopes(&api.catalogue, holder, self.scopes.as_deref())?,
            None => ScopeSet::default(),
        };
        Ok(Draft {
            owner: self.owner,
            organization: caller.organization,
            kind: caller.kind,
            name: self.name,
            description: self.description,
            scopes,
            ip_allowlist: self.ip_allowlist,
            expires_at: delegator.expiry(self.expires_at, latest_end, now)?,
            destination: self.destination,
            webhook_url: self.webhook_url,
        })
    }
}

/// Refuses an owner that the caller makes no keys for; gives the user, of a personal key. What is
/// not the caller's organization's is refused with the words for what does not exist.
async fn require_owner(
    api: &Api,
    caller: &Caller,
    authority: &CallerAuthority,
    owner: Owner,
) -> Result<Option<User>, Error> {
    let none = |what: &str| {
        Error::field(
            "owner.guid",
            format!("names no {what} of this organization"),
        )
    };
    match owner {
        _ if caller.owner.bank().is_some() && owner != caller.owner => Err(Error::new(
            Kind::Forbidden,
            "A bank's token makes keys of its bank alone",
        )),
        Owner::Organization(guid) if guid == caller.organization => Ok(None),
        Owner::Organization(_) => Err(Error::field(
            "owner.guid",
            "is not the caller's own organization",
        )),
        Owner::Bank(guid) if reaches_bank(api, caller, guid).await? => Ok(None),
        Owner::Bank(_) => Err(none(&format!("{} bank", caller.kind))),
        Owner::User(_) if caller.user().is_none() => Err(Error::new(
            Kind::Forbidden,
            "Only people make personal keys, by a personal key",
        )),
        Owner::User(guid) if caller.user() == Some(guid) => Ok(authority.behalf.user.clone()),
        Owner::User(guid) => {
            let user = api
                .store
                .user(guid)
                .await?
                .filter(|user| user.organization == caller.organization);
            let user = user.ok_or_else(|| none("user"))?;
            if user.is_disabled() {
                return Err(Error::new(
                    Kind::Conflict,
                    "The user is disabled and gets no keys",
                ));
            }
            authority.delegator().require_user(&api.catalogue, &user)?;
            Ok(Some(user))
        }
    }
}
