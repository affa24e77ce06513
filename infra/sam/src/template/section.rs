//! One mapping of the template, read member by member; what nobody took at the end is an error.
//! That is the whole mechanism behind "never silently ignored".

use serde_json::{Map, Value};

use super::{TemplateError, below, intrinsics::Evaluator};

pub(super) struct Section<'a> {
    at: String,
    members: Map<String, Value>,
    evaluator: &'a Evaluator<'a>,
}

impl<'a> Section<'a> {
    pub(super) fn new(
        at: impl Into<String>,
        members: Map<String, Value>,
        evaluator: &'a Evaluator<'a>,
    ) -> Self {
        Self {
            at: at.into(),
            members,
            evaluator,
        }
    }

    pub(super) fn at(&self) -> &str {
        &self.at
    }

    pub(super) fn error(&self, member: &str, reason: impl std::fmt::Display) -> TemplateError {
        TemplateError::new(below(&self.at, member), reason)
    }

    /// A member with its intrinsic functions resolved.
    pub(super) fn value(&mut self, member: &str) -> Result<Option<Value>, TemplateError> {
        let Some(value) = self.members.remove(member) else {
            return Ok(None);
        };
        self.evaluator.evaluate(&value, &below(&self.at, member))
    }

    /// A member as `CloudFormation`'s string, which numbers and booleans become too.
    pub(super) fn text(&mut self, member: &str) -> Result<Option<String>, TemplateError> {
        let Some(value) = self.value(member)? else {
            return Ok(None);
        };
        text(&value)
            .map(Some)
            .ok_or_else(|| self.error(member, "not a string"))
    }

    pub(super) fn required_text(&mut self, member: &str) -> Result<String, TemplateError> {
        self.text(member)?
            .ok_or_else(|| self.error(member, "is required"))
    }

    pub(super) fn number(&mut self, member: &str) -> Result<Option<u64>, TemplateError> {
        let Some(number) = self.text(member)? else {
            return Ok(None);
        };
        number
            .parse()
            .map(Some)
            .map_err(|_| self.error(member, format!("{number} is not a whole number")))
    }

    pub(super) fn flag(&mut self, member: &str) -> Result<Option<bool>, TemplateError> {
        match self.text(member)?.as_deref() {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(other) => Err(self.error(member, format!("{other} is neither true nor false"))),
        }
    }

    /// A list of strings.
    pub(super) fn texts(&mut self, member: &str) -> Result<Vec<String>, TemplateError> {
        match self.value(member)? {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => items
                .iter()
                .map(|item| text(item).ok_or_else(|| self.error(member, "not a list of strings")))
                .collect(),
            Some(_) => Err(self.error(member, "not a list")),
        }
    }

    /// A mapping of strings.
    pub(super) fn map(&mut self, member: &str) -> Result<Vec<(String, String)>, TemplateError> {
        match self.value(member)? {
            None => Ok(Vec::new()),
            Some(Value::Object(members)) => members
                .into_iter()
                .map(|(name, value)| {
                    let value = text(&value)
                        .ok_or_else(|| self.error(&below(member, &name), "not a string"))?;
                    Ok((name, value))
                })
                .collect(),
            Some(_) => Err(self.error(member, "not a mapping")),
        }
    }

    /// A member that is itself read member by member.
    pub(super) fn section(&mut self, member: &str) -> Result<Option<Section<'a>>, TemplateError> {
        let Some(value) = self.members.remove(member) else {
            return Ok(None);
        };
        let at = below(&self.at, member);
        match self.evaluator.choose(value, &at)? {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(members)) => Ok(Some(Section::new(at, members, self.evaluator))),
            Some(_) => Err(TemplateError::new(at, "not a mapping")),
        }
    }

    /// The members as sections of their own, for mappings whose keys are names.
    pub(super) fn sections(self) -> Result<Vec<(String, Section<'a>)>, TemplateError> {
        let names: Vec<String> = self.members.keys().cloned().collect();
        let mut whole = self;
        let mut found = Vec::new();
        for name in names {
            if let Some(section) = whole.section(&name)? {
                found.push((name, section));
            }
        }
        Ok(found)
    }

    /// Drops members that mean nothing on a laptop.
    pub(super) fn ignore(&mut self, members: &[&str]) {
        for member in members {
            self.members.remove(*member);
        }
    }

    /// Everything that is left, resolved.
    pub(super) fn rest(mut self) -> Result<Value, TemplateError> {
        let members = Value::Object(std::mem::take(&mut self.members));
        Ok(self
            .evaluator
            .evaluate(&members, &self.at)?
            .unwrap_or(Value::Null))
    }

    /// Refuses what nobody took.
    pub(super) fn done(self) -> Result<(), TemplateError> {
        match self.members.keys().next() {
            None => Ok(()),
            Some(unknown) => Err(self.error(unknown, "is not understood by the local stack")),
        }
    }
}

/// `CloudFormation`'s string form of a scalar.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}
