//! Conditions: which resources and values exist, and the rules that parameters must obey together.

use serde_json::{Map, Value};

use super::{
    TemplateError, below,
    globals::is_intrinsic,
    intrinsics::{Evaluator, name},
    section::text,
};

/// How deep conditions may name each other; deeper is a circle.
const CONDITION_DEPTH: usize = 32;

impl Evaluator<'_> {
    /// Whether a resource's condition holds.
    pub(super) fn exists(&self, logical_id: &str) -> Result<bool, TemplateError> {
        match self
            .template
            .declared
            .get(logical_id)
            .and_then(|declared| declared.condition.as_deref())
        {
            None => Ok(true),
            Some(condition) => self.condition(condition, &below(logical_id, "Condition"), 0),
        }
    }

    /// Refuses parameters that break one of the template's `Rules`.
    pub(super) fn check_rules(&self, rules: &Map<String, Value>) -> Result<(), TemplateError> {
        for (name, rule) in rules {
            let at = below("Rules", name);
            if let Some(condition) = rule.get("RuleCondition")
                && !self.truth(condition, &at, 0)?
            {
                continue;
            }
            let Some(Value::Array(assertions)) = rule.get("Assertions") else {
                return Err(TemplateError::new(below(&at, "Assertions"), "is required"));
            };
            for assertion in assertions {
                if !self.truth(&assertion["Assert"], &at, 0)? {
                    let description = assertion.get("AssertDescription").and_then(Value::as_str);
                    return Err(TemplateError::new(
                        at,
                        description.unwrap_or("the rule is broken"),
                    ));
                }
            }
        }
        Ok(())
    }

    pub(super) fn branch<'v>(
        &self,
        argument: &'v Value,
        at: &str,
    ) -> Result<&'v Value, TemplateError> {
        match argument.as_array().map(Vec::as_slice) {
            Some([Value::String(condition), then, otherwise]) => {
                Ok(if self.condition(condition, at, 0)? {
                    then
                } else {
                    otherwise
                })
            }
            _ => Err(TemplateError::new(
                at,
                "Fn::If takes a condition's name and two values",
            )),
        }
    }

    fn condition(&self, name: &str, at: &str, depth: usize) -> Result<bool, TemplateError> {
        let body = self.template.conditions.get(name).ok_or_else(|| {
            TemplateError::new(at, format!("the condition {name} does not exist"))
        })?;
        self.truth(body, &below("Conditions", name), depth)
    }

    pub(super) fn truth(
        &self,
        body: &Value,
        at: &str,
        depth: usize,
    ) -> Result<bool, TemplateError> {
        if depth > CONDITION_DEPTH {
            return Err(TemplateError::new(
                at,
                "conditions name each other in a circle",
            ));
        }
        match body
            .as_object()
            .filter(|members| is_intrinsic(members))
            .and_then(|members| members.iter().next())
        {
            Some((function, argument)) => self.decide(function, argument, at, depth),
            None => Err(TemplateError::new(at, "not a condition")),
        }
    }

    pub(super) fn decide(
        &self,
        function: &str,
        argument: &Value,
        at: &str,
        depth: usize,
    ) -> Result<bool, TemplateError> {
        let operands = argument.as_array().map(Vec::as_slice);
        match (function, operands) {
            ("Condition", _) => self.condition(name(argument, at)?, at, depth + 1),
            ("Fn::Equals", Some([left, right])) => {
                let (left, right) = (self.evaluate(left, at)?, self.evaluate(right, at)?);
                let same_text = || Some(text(left.as_ref()?)? == text(right.as_ref()?)?);
                Ok(same_text().unwrap_or(left == right))
            }
            ("Fn::Not", Some([operand])) => Ok(!self.truth(operand, at, depth + 1)?),
            ("Fn::And" | "Fn::Or", Some(operands)) if (2..=10).contains(&operands.len()) => {
                let truths: Vec<bool> = operands
                    .iter()
                    .map(|operand| self.truth(operand, at, depth + 1))
                    .collect::<Result<_, _>>()?;
                Ok(if function == "Fn::And" {
                    !truths.contains(&false)
                } else {
                    truths.contains(&true)
                })
            }
            _ => Err(TemplateError::new(
                at,
                format!("{function} is not a condition of that form"),
            )),
        }
    }
}
