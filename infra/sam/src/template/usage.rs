//! Usage plans: whose calls are counted together, and how many of them pass (APT-9).

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    Quota, QuotaPeriod, Template, TemplateError, Throttle, UsagePlan, below, intrinsics::Evaluator,
    section::Section,
};

pub(super) const PLAN: &str = "AWS::ApiGateway::UsagePlan";
pub(super) const KEY: &str = "AWS::ApiGateway::ApiKey";
pub(super) const PLAN_KEY: &str = "AWS::ApiGateway::UsagePlanKey";

/// The usage plans of one stage, each with the values of its API keys.
pub(super) fn read(
    template: &Template,
    evaluator: &Evaluator<'_>,
    api_id: &str,
    stage: &str,
) -> Result<Vec<UsagePlan>, TemplateError> {
    let keys = keys(template, evaluator)?;
    let mut plans = BTreeMap::new();
    for (logical_id, declared) in template.of_type(PLAN, evaluator)? {
        let section = Section::new(
            below(logical_id, "Properties"),
            declared.properties.clone(),
            evaluator,
        );
        plans.insert(
            reference(evaluator, logical_id)?,
            plan(logical_id, section, api_id, stage)?,
        );
    }
    for (logical_id, declared) in template.of_type(PLAN_KEY, evaluator)? {
        let mut section = Section::new(
            below(logical_id, "Properties"),
            declared.properties.clone(),
            evaluator,
        );
        let (plan, key) = (
            section.required_text("UsagePlanId")?,
            section.required_text("KeyId")?,
        );
        let value = keys.get(&key).ok_or_else(|| {
            section.error("KeyId", format!("{key} is no API key of this template"))
        })?;
        let plan = plans.get_mut(&plan).ok_or_else(|| {
            section.error("UsagePlanId", format!("there is no usage plan {plan}"))
        })?;
        section.ignore(&["KeyType"]);
        section.done()?;
        plan.keys.extend(value.clone());
    }
    let plans: Vec<UsagePlan> = plans.into_values().collect();
    let mut values: Vec<&String> = plans.iter().flat_map(|plan| &plan.keys).collect();
    values.sort();
    match values.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(_) => Err(TemplateError::new(
            PLAN_KEY,
            "an API key can be in only one usage plan of a stage",
        )),
        None => Ok(plans),
    }
}

/// The values of the API keys by their ids; of a disabled one nothing, so that it is as unknown as
/// on AWS.
fn keys(
    template: &Template,
    evaluator: &Evaluator<'_>,
) -> Result<BTreeMap<String, Option<String>>, TemplateError> {
    let mut keys = BTreeMap::new();
    for (logical_id, declared) in template.of_type(KEY, evaluator)? {
        let mut section = Section::new(
            below(logical_id, "Properties"),
            declared.properties.clone(),
            evaluator,
        );
        let value = section.required_text("Value")?;
        if !(20..=128).contains(&value.len())
            || !value.bytes().all(|byte| byte.is_ascii_alphanumeric())
        {
            return Err(section.error("Value", "is not 20 to 128 letters and digits"));
        }
        // CloudFormation makes keys disabled unless told otherwise.
        let enabled = section.flag("Enabled")?.unwrap_or(false);
        section.ignore(&[
            "CustomerId",
            "Description",
            "GenerateDistinctId",
            "Name",
            "Tags",
        ]);
        section.done()?;
        keys.insert(reference(evaluator, logical_id)?, enabled.then_some(value));
    }
    Ok(keys)
}

fn plan(
    name: &str,
    mut section: Section<'_>,
    api_id: &str,
    stage: &str,
) -> Result<UsagePlan, TemplateError> {
    let stages = section.value("ApiStages")?.unwrap_or(Value::Null);
    for declared in stages.as_array().map(Vec::as_slice).unwrap_or_default() {
        let of_this = declared["ApiId"] == api_id && declared["Stage"] == stage;
        if !of_this {
            return Err(section.error(
                "ApiStages",
                format!("{declared} is not this template's stage"),
            ));
        }
        if declared.get("Throttle").is_some() {
            return Err(section.error(
                "ApiStages",
                "throttling of single methods is not understood by the local stack",
            ));
        }
    }
    if stages.as_array().is_none_or(Vec::is_empty) {
        return Err(section.error("ApiStages", "names no stage"));
    }
    let throttle = section.section("Throttle")?.map(throttle).transpose()?;
    let quota = section.section("Quota")?.map(quota).transpose()?;
    section.ignore(&["Description", "Tags", "UsagePlanName"]);
    section.done()?;
    Ok(UsagePlan {
        name: name.to_owned(),
        keys: Vec::new(),
        throttle,
        quota,
    })
}

fn throttle(mut section: Section<'_>) -> Result<Throttle, TemplateError> {
    let rate = section.required_text("RateLimit")?;
    let rate = rate
        .parse()
        .ok()
        .filter(|rate: &f64| rate.is_finite() && *rate >= 0.0);
    let rate = rate.ok_or_else(|| section.error("RateLimit", "is not a rate"))?;
    let burst = section
        .number("BurstLimit")?
        .ok_or_else(|| section.error("BurstLimit", "is required"))?;
    section.done()?;
    Ok(Throttle { rate, burst })
}

fn quota(mut section: Section<'_>) -> Result<Quota, TemplateError> {
    let limit = section
        .number("Limit")?
        .ok_or_else(|| section.error("Limit", "is required"))?;
    let period = match section.required_text("Period")?.as_str() {
        "DAY" => QuotaPeriod::Day,
        "WEEK" => QuotaPeriod::Week,
        "MONTH" => QuotaPeriod::Month,
        other => return Err(section.error("Period", format!("{other} is not DAY, WEEK or MONTH"))),
    };
    section.done()?;
    Ok(Quota { limit, period })
}

fn reference(evaluator: &Evaluator<'_>, logical_id: &str) -> Result<String, TemplateError> {
    let reference = evaluator.evaluate(&serde_json::json!({"Ref": logical_id}), logical_id)?;
    Ok(reference
        .and_then(|reference| reference.as_str().map(str::to_owned))
        .unwrap_or_default())
}
