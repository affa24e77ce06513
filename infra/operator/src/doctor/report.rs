//! What was found, as lines for people and as JSON for programs.

use std::fmt;

use serde_json::{Value, json};

/// What a check came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As it must be.
    Ok(String),
    /// Not as it must be.
    Wrong {
        /// What is seen.
        what: String,
        /// What to do about it.
        remedy: &'static str,
    },
    /// Not looked at, and why.
    Unknown(String),
}

/// One check and what it came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The check's name.
    pub check: &'static str,
    /// What it came to.
    pub verdict: Verdict,
}

/// Every check, in the order in which they were made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What was found.
    pub findings: Vec<Finding>,
}

/// A check's name, and what to do when it finds something wrong.
#[derive(Clone, Copy)]
pub(super) struct Check(pub(super) &'static str, pub(super) &'static str);

/// What keeps a check from being fine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    Wrong(String),
    Unknown(String),
}

/// What a check found: a word about what is fine, or trouble.
pub(super) type Outcome = Result<String, Trouble>;

/// What was found of several things that one check looks at.
#[derive(Default)]
pub(super) struct Several {
    wrong: Vec<String>,
    unknown: Vec<String>,
}

impl Report {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        !self
            .findings
            .iter()
            .any(|finding| matches!(finding.verdict, Verdict::Wrong { .. }))
    }

    /// For programs.
    #[must_use]
    pub fn json(&self) -> Value {
        let shown = |Finding { check, verdict }: &Finding| match verdict {
            Verdict::Ok(detail) => json!({"check": check, "verdict": "ok", "detail": detail}),
            Verdict::Wrong { what, remedy } => {
                json!({"check": check, "verdict": "wrong", "detail": what, "remedy": remedy})
            }
            Verdict::Unknown(why) => json!({"check": check, "verdict": "unknown", "detail": why}),
        };
        json!({
            "sound": self.is_sound(),
            "findings": self.findings.iter().map(shown).collect::<Vec<_>>(),
        })
    }

    pub(super) fn add(&mut self, Check(check, remedy): Check, outcome: Outcome) {
        let verdict = match outcome {
            Ok(detail) => Verdict::Ok(clean(&detail)),
            Err(Trouble::Wrong(what)) => Verdict::Wrong {
                what: clean(&what),
                remedy,
            },
            Err(Trouble::Unknown(why)) => Verdict::Unknown(clean(&why)),
        };
        self.findings.push(Finding { check, verdict });
    }
}

/// What others sent may hold anything: no credential, no end of line.
fn clean(text: &str) -> String {
    const LONGEST: usize = 1000;
    let text = runtime::log::redact(text.as_bytes());
    String::from_utf8_lossy(&text)
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(LONGEST)
        .collect()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Finding { check, verdict } in &self.findings {
            match verdict {
                Verdict::Ok(detail) => writeln!(f, "{check}: ok: {detail}")?,
                Verdict::Wrong { what, remedy } => writeln!(f, "{check}: wrong: {what}. {remedy}")?,
                Verdict::Unknown(why) => writeln!(f, "{check}: unknown: {why}")?,
            }
        }
        let count = |wanted: fn(&Verdict) -> bool| {
            self.findings
                .iter()
                .filter(|finding| wanted(&finding.verdict))
                .count()
        };
        let wrong = count(|verdict| matches!(verdict, Verdict::Wrong { .. }));
        let unknown = count(|verdict| matches!(verdict, Verdict::Unknown(_)));
        writeln!(
            f,
            "{} checks: {wrong} wrong, {unknown} unknown",
            self.findings.len()
        )
    }
}

impl Several {
    pub(super) fn wrong(&mut self, what: impl Into<String>) {
        self.wrong.push(what.into());
    }

    /// Notes trouble; gives what there is without.
    pub(super) fn take<T>(&mut self, result: Result<T, Trouble>) -> Option<T> {
        match result {
            Ok(value) => return Some(value),
            Err(Trouble::Wrong(what)) => self.wrong.push(what),
            Err(Trouble::Unknown(why)) => self.unknown.push(why),
        }
        None
    }

    /// Whether there is no trouble so far.
    pub(super) fn is_fine(&self) -> bool {
        self.wrong.is_empty() && self.unknown.is_empty()
    }

    /// What is wrong goes before what is unknown.
    pub(super) fn outcome(self, fine: impl Into<String>) -> Outcome {
        // One permission that is missing is missed at every call.
        let joined = |mut all: Vec<String>| {
            all.dedup();
            all.join("; ")
        };
        match (self.wrong.is_empty(), self.unknown.is_empty()) {
            (false, _) => Err(Trouble::Wrong(joined(self.wrong))),
            (true, false) => Err(Trouble::Unknown(joined(self.unknown))),
            (true, true) => Ok(fine.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unknown_does_not_make_it_fail_and_what_is_wrong_does() {
        let mut report = Report::default();
        report.add(Check("a", "Do this."), Ok("fine".into()));
        report.add(
            Check("b", "Do that."),
            Err(Trouble::Unknown("no permission".into())),
        );
        assert!(report.is_sound());
        report.add(
            Check("c", "Do this."),
            Err(Trouble::Wrong("it is off".into())),
        );
        assert!(!report.is_sound());
        let lines = "a: ok: fine\nb: unknown: no permission\nc: wrong: it is off. Do this.\n3 \
                     checks: 1 wrong, 1 unknown\n";
        assert_eq!(report.to_string(), lines);
        assert_eq!(report.json()["findings"][2]["remedy"], "Do this.");
        assert_eq!(report.json()["sound"], false);
    }

    #[test]
    fn leak_1_what_others_sent_is_shown_without_credentials_and_on_one_line() {
        let mut report = Report::default();
        report.add(
            Check("a", ""),
            Err(Trouble::Wrong(format!(
                "it said lk_test_{}\nok",
                "a1B".repeat(24)
            ))),
        );
        assert_eq!(
            report.to_string().lines().next(),
            Some("a: wrong: it said [redacted] ok. ")
        );
    }

    #[test]
    fn of_several_what_is_wrong_goes_before_what_is_unknown() {
        let mut several = Several::default();
        assert_eq!(
            several.take::<()>(Err(Trouble::Unknown("hidden".into()))),
            None
        );
        several.wrong("off");
        assert_eq!(several.outcome("fine"), Err(Trouble::Wrong("off".into())));
    }
}
