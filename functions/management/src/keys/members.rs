//! Reads the members of a body that can be wrong by themselves, and says of all of them at once
//! what is wrong.

use domain::{
    allowlist::Allowlist,
    error::{Error, FieldError},
};

/// What was refused so far.
#[derive(Default)]
pub(crate) struct Reader {
    refused: Vec<FieldError>,
}

impl Reader {
    /// A member's value, where it is there and acceptable.
    pub(crate) fn text<T>(
        &mut self,
        field: &str,
        text: Option<&str>,
        parse: impl Fn(&str) -> Result<T, &'static str>,
    ) -> Option<T> {
        match text.map(parse).transpose() {
            Ok(value) => value,
            Err(reason) => {
                self.refuse(field, reason);
                None
            }
        }
    }

    /// The same of a member whose `null` clears.
    #[expect(
        clippy::option_option,
        reason = "left out, null and a value are three things"
    )]
    pub(crate) fn nullable<T>(
        &mut self,
        field: &str,
        text: Option<&Option<String>>,
        parse: impl Fn(&str) -> Result<T, &'static str>,
    ) -> Option<Option<T>> {
        match text? {
            None => Some(None),
            Some(text) => self.text(field, Some(text), parse).map(Some),
        }
    }

    /// A member's list of addresses, where it is there and acceptable.
    pub(crate) fn allowlist(&mut self, entries: Option<&[String]>) -> Option<Allowlist> {
        match entries.map(Allowlist::parse).transpose() {
            Ok(list) => list,
            Err(mut refused) => {
                self.refused.append(&mut refused);
                None
            }
        }
    }

    pub(crate) fn refuse(&mut self, field: &str, reason: &str) {
        self.refused.push(FieldError {
            field: field.into(),
            reason: reason.into(),
        });
    }

    /// What was made of a member that must be there, unless any member was refused.
    pub(crate) fn finish<T>(self, read: Option<T>) -> Result<T, Error> {
        match read {
            Some(read) if self.refused.is_empty() => Ok(read),
            _ => Err(Error::fields(self.refused)),
        }
    }
}
