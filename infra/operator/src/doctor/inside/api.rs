//! The REST API's authorizers, and which methods they guard.

use aws_sdk_apigateway::types::{AuthorizerType, Resource};
use runtime::Env;

use super::{
    super::{
        expected::{Expected, Operation},
        report::{Check, Outcome, Several, Trouble},
    },
    aws::{Aws, answered},
    named,
};

pub(super) const AUTHORIZERS: Check = Check(
    "api.authorizers",
    "Deploy the template again: a REQUEST authorizer without identity sources, whose results are \
     not kept (ReauthorizeEvery: 0), or a revoked credential passes until they are forgotten.",
);
pub(super) const METHODS: Check = Check(
    "api.methods",
    "Deploy the template again: each of these methods has an authorizer there.",
);

/// As many items as a page can have.
const PAGE: i32 = 500;

/// One REST API and its stage.
pub(super) struct Api<'a> {
    pub(super) aws: &'a Aws,
    pub(super) id: &'a str,
    pub(super) stage: &'a str,
}

impl<'a> Api<'a> {
    pub(super) fn named(env: &'a Env, aws: &'a Aws) -> Result<Self, Trouble> {
        Ok(Self {
            aws,
            id: named(env, "LATCHKEY_REST_API_ID")?,
            stage: named(env, "LATCHKEY_STAGE")?,
        })
    }

    async fn resources(&self) -> Result<Vec<Resource>, Trouble> {
        let (mut resources, mut position) = (Vec::new(), None);
        loop {
            let asked = self
                .aws
                .gateway
                .get_resources()
                .rest_api_id(self.id)
                .embed("methods")
                .limit(PAGE)
                .set_position(position);
            let page = answered("apigateway:GetResources", asked.send().await)?;
            resources.extend(page.items.unwrap_or_default());
            match page.position {
                Some(next) => position = Some(next),
                None => return Ok(resources),
            }
        }
    }
}

/// A result that is kept, or asked for only where an identity source is there, undoes the bound of
/// five seconds (CBM-4).
pub(super) async fn authorizers(api: Result<&Api<'_>, &Trouble>, expected: &Expected) -> Outcome {
    let api = api.map_err(Trouble::clone)?;
    let asked = api
        .aws
        .gateway
        .get_authorizers()
        .rest_api_id(api.id)
        .limit(PAGE)
        .send()
        .await;
    let found = answered("apigateway:GetAuthorizers", asked)?
        .items
        .unwrap_or_default();
    let mut several = Several::default();
    for authorizer in &found {
        let name = authorizer.name().unwrap_or("an authorizer without a name");
        if authorizer.r#type() != Some(&AuthorizerType::Request) {
            several.wrong(format!("{name} is no REQUEST authorizer"));
        }
        // API Gateway's own default is five minutes.
        match authorizer.authorizer_result_ttl_in_seconds().unwrap_or(300) {
            0 => {}
            seconds => several.wrong(format!("{name} has its results kept for {seconds} s")),
        }
        if let Some(source) = authorizer
            .identity_source()
            .filter(|source| !source.is_empty())
        {
            several.wrong(format!("{name} is not asked about calls without {source}"));
        }
    }
    for name in expected.template.api.authorizers.keys() {
        if !found
            .iter()
            .any(|authorizer| authorizer.name() == Some(name))
        {
            several.wrong(format!("there is no {name}"));
        }
    }
    several.outcome(format!(
        "{} authorizers, none of which has its results kept",
        found.len()
    ))
}

/// Every documented call that takes a credential has an authorizer.
pub(super) async fn methods(api: Result<&Api<'_>, &Trouble>, expected: &Expected) -> Outcome {
    let api = api.map_err(Trouble::clone)?;
    let resources = api.resources().await?;
    let (mut several, mut count) = (Several::default(), 0);
    for Operation { method, path, .. } in expected
        .operations
        .iter()
        .filter(|operation| operation.guarded)
    {
        // API Gateway has no path with a slash at its end.
        let resource = resources
            .iter()
            .find(|resource| resource.path() == Some(path.trim_end_matches('/')));
        let found = resource.and_then(|resource| resource.resource_methods()?.get(method.as_str()));
        match found {
            None => several.wrong(format!("{method} {path} is not there")),
            // Whoever leaves out a method's details has told nothing of its authorizer.
            Some(found) if found.authorization_type().is_none() => {
                several.take::<()>(Err(Trouble::Unknown(
                    "apigateway:GetResources does not tell methods here".into(),
                )));
            }
            Some(found)
                if found.authorization_type() != Some("CUSTOM")
                    || found.authorizer_id().is_none() =>
            {
                several.wrong(format!("{method} {path} has no authorizer"));
            }
            Some(_) => count += 1,
        }
    }
    several.outcome(format!("{count} methods have an authorizer"))
}
