//! An API's `Auth`: its authorizers, and which of them guards a method.

use std::{collections::BTreeMap, time::Duration};

use super::{
    Authorizer, AuthorizerKind, Function, IdentitySource, TemplateError, below, function::ApiEvent,
    section::Section,
};

/// API Gateway's default for `authorizerResultTtlInSeconds`, and its maximum.
const REAUTHORIZE_SECONDS: u64 = 300;
const LONGEST_REAUTHORIZE_SECONDS: u64 = 3600;

pub(super) struct Auth {
    default: Option<String>,
    covers_preflight: bool,
    pub(super) authorizers: BTreeMap<String, Authorizer>,
}

impl Auth {
    pub(super) fn read(
        section: Option<Section<'_>>,
        functions: &BTreeMap<String, Function>,
    ) -> Result<Self, TemplateError> {
        let mut auth = Self {
            default: None,
            covers_preflight: true,
            authorizers: BTreeMap::new(),
        };
        let Some(mut section) = section else {
            return Ok(auth);
        };
        auth.covers_preflight = section
            .flag("AddDefaultAuthorizerToCorsPreflight")?
            .unwrap_or(true);
        if let Some(authorizers) = section.section("Authorizers")? {
            for (name, body) in authorizers.sections()? {
                let authorizer = authorizer(&name, body, functions)?;
                auth.authorizers.insert(name, authorizer);
            }
        }
        auth.default = section
            .text("DefaultAuthorizer")?
            .filter(|name| name != "NONE");
        if let Some(name) = &auth.default
            && !auth.authorizers.contains_key(name)
        {
            return Err(section.error(
                "DefaultAuthorizer",
                format!("the authorizer {name} does not exist"),
            ));
        }
        section.done()?;
        Ok(auth)
    }

    /// The authorizer of one method, as SAM chooses it.
    pub(super) fn of(&self, event: &ApiEvent) -> Result<Option<String>, TemplateError> {
        match event.authorizer.as_deref() {
            Some("NONE") => Ok(None),
            Some(name) if self.authorizers.contains_key(name) => Ok(Some(name.to_owned())),
            Some(name) => {
                let at = below(&event.at, "Auth.Authorizer");
                Err(TemplateError::new(
                    at,
                    format!("the authorizer {name} does not exist"),
                ))
            }
            None if event.method == "OPTIONS" && !self.covers_preflight => Ok(None),
            None => Ok(self.default.clone()),
        }
    }
}

fn authorizer(
    name: &str,
    mut body: Section<'_>,
    functions: &BTreeMap<String, Function>,
) -> Result<Authorizer, TemplateError> {
    let arn = body.required_text("FunctionArn")?;
    let function = functions
        .values()
        .find(|function| function.arn == arn)
        .ok_or_else(|| {
            body.error(
                "FunctionArn",
                format!("{arn} is no function of this template"),
            )
        })?;
    let payload = body.text("FunctionPayloadType")?;
    let identity = body.section("Identity")?;
    let (kind, ttl) = match payload.as_deref() {
        None | Some("TOKEN") => token_identity(identity)?,
        Some("REQUEST") => request_identity(identity)?,
        Some(other) => {
            return Err(body.error(
                "FunctionPayloadType",
                format!("{other} is neither TOKEN nor REQUEST"),
            ));
        }
    };
    if ttl > LONGEST_REAUTHORIZE_SECONDS {
        return Err(body.error("Identity.ReauthorizeEvery", "is more than 3600"));
    }
    if ttl > 0 && matches!(&kind, AuthorizerKind::Request { sources } if sources.is_empty()) {
        return Err(body.error(
            "Identity",
            "a cached REQUEST authorizer needs an identity source, or ReauthorizeEvery: 0",
        ));
    }
    body.ignore(&["DisableFunctionDefaultPermissions", "FunctionInvokeRole"]);
    body.done()?;
    let function = function.logical_id.clone();
    Ok(Authorizer {
        name: name.to_owned(),
        function,
        kind,
        ttl: Duration::from_secs(ttl),
    })
}

fn token_identity(identity: Option<Section<'_>>) -> Result<(AuthorizerKind, u64), TemplateError> {
    let (mut header, mut validation, mut ttl) = (None, None, None);
    if let Some(mut identity) = identity {
        header = identity.text("Header")?;
        validation = identity.text("ValidationExpression")?;
        ttl = identity.number("ReauthorizeEvery")?;
        if let Some(expression) = &validation {
            regex::Regex::new(expression)
                .map_err(|_| identity.error("ValidationExpression", "not a regular expression"))?;
        }
        identity.done()?;
    }
    let header = header.unwrap_or_else(|| "Authorization".into());
    Ok((
        AuthorizerKind::Token { header, validation },
        ttl.unwrap_or(REAUTHORIZE_SECONDS),
    ))
}

fn request_identity(identity: Option<Section<'_>>) -> Result<(AuthorizerKind, u64), TemplateError> {
    let (mut sources, mut ttl) = (Vec::new(), None);
    if let Some(mut identity) = identity {
        sources.extend(
            identity
                .texts("Headers")?
                .into_iter()
                .map(IdentitySource::Header),
        );
        sources.extend(
            identity
                .texts("QueryStrings")?
                .into_iter()
                .map(IdentitySource::Query),
        );
        sources.extend(
            identity
                .texts("StageVariables")?
                .into_iter()
                .map(IdentitySource::StageVariable),
        );
        sources.extend(
            identity
                .texts("Context")?
                .into_iter()
                .map(IdentitySource::Context),
        );
        ttl = identity.number("ReauthorizeEvery")?;
        identity.done()?;
    }
    Ok((
        AuthorizerKind::Request { sources },
        ttl.unwrap_or(REAUTHORIZE_SECONDS),
    ))
}
