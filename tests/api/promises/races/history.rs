//! What was asked and answered, and whether some serial order explains it.

use std::{collections::HashSet, fmt, time::Duration};

/// A secret, told apart by its text and shown by its end alone.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Secret(String);

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "…{}", &self.0[self.0.len() - 4..])
    }
}

/// A call, when it was asked and answered, and what came of it.
#[derive(Clone, Debug)]
pub struct Call {
    pub asked: Duration,
    pub answered: Duration,
    pub did: Did,
}

/// What came of a call.
#[derive(Clone)]
pub enum Did {
    /// Another secret with an open-ended grace; nothing when refused.
    Rotate {
        made: Option<String>,
    },
    /// Another secret in the place of the current one; nothing when refused.
    Replace {
        made: Option<String>,
    },
    Finish {
        done: bool,
    },
    Patch {
        name: String,
        done: bool,
    },
    Revoke,
    Token {
        secret: Secret,
        done: bool,
    },
    /// What the key says of itself; asked last.
    Read {
        name: String,
        revoked: bool,
        secrets: usize,
    },
}

impl Did {
    /// Whether it was refused.
    pub fn was_refused(&self) -> bool {
        match self {
            Self::Rotate { made } | Self::Replace { made } => made.is_none(),
            Self::Finish { done } | Self::Patch { done, .. } | Self::Token { done, .. } => !done,
            Self::Revoke | Self::Read { .. } => false,
        }
    }
}

impl fmt::Debug for Did {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let made = |made: &Option<String>| made.as_deref().map(Secret::from);
        match self {
            Self::Rotate { made: secret } => write!(f, "rotate -> {:?}", made(secret)),
            Self::Replace { made: secret } => write!(f, "replace -> {:?}", made(secret)),
            Self::Finish { done } => write!(f, "finish -> {done}"),
            Self::Patch { name, done } => write!(f, "patch {name} -> {done}"),
            Self::Revoke => write!(f, "revoke"),
            Self::Token { secret, done } => write!(f, "token by {secret:?} -> {done}"),
            Self::Read {
                name,
                revoked,
                secrets,
            } => write!(f, "read -> {name}, revoked: {revoked}, secrets: {secrets}"),
        }
    }
}

/// A key, by the plainest reading of CBM-3, ARZ-5 and X-8.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    current: Secret,
    previous: Option<Secret>,
    name: String,
    revoked: bool,
}

impl Key {
    /// The key after the call, if the call could have come out so.
    fn after(&self, did: &Did) -> Option<Self> {
        let same = || Some(self.clone());
        match did {
            Did::Rotate { made: None } => {
                (self.revoked || self.previous.is_some()).then(|| self.clone())
            }
            Did::Rotate { made: Some(secret) } if !self.revoked && self.previous.is_none() => {
                Some(Self {
                    current: Secret::from(&**secret),
                    previous: Some(self.current.clone()),
                    ..self.clone()
                })
            }
            Did::Replace { made: Some(secret) } if !self.revoked => Some(Self {
                current: Secret::from(&**secret),
                ..self.clone()
            }),
            Did::Finish { done: true } if !self.revoked => Some(Self {
                previous: None,
                ..self.clone()
            }),
            // Of a revoked key there is nothing to finish: it may say so, or that this is done.
            Did::Finish { .. } | Did::Replace { made: None } | Did::Patch { done: false, .. }
                if self.revoked =>
            {
                same()
            }
            Did::Patch { done: true, name } if !self.revoked => Some(Self {
                name: name.clone(),
                ..self.clone()
            }),
            Did::Revoke => Some(Self {
                revoked: true,
                ..self.clone()
            }),
            Did::Token { secret, done } => {
                let works = !self.revoked
                    && (*secret == self.current || Some(secret) == self.previous.as_ref());
                (works == *done).then(|| self.clone())
            }
            Did::Read {
                name,
                revoked,
                secrets,
            } => {
                let working = 1 + usize::from(self.previous.is_some());
                (*name == self.name
                    && *revoked == self.revoked
                    && (self.revoked || *secrets == working))
                    .then(|| self.clone())
            }
            _ => None,
        }
    }
}

/// Whether some order of the calls, one after the other and none before one that was answered
/// before it was asked, explains what came of each (Wing and Gong's search).
pub fn explains(first: &Secret, history: &[Call]) -> bool {
    let key = Key {
        current: first.clone(),
        previous: None,
        name: "first".into(),
        revoked: false,
    };
    search(&key, history, 0, &mut HashSet::new())
}

fn search(key: &Key, history: &[Call], done: u64, seen: &mut HashSet<(u64, Key)>) -> bool {
    let pending = || {
        history
            .iter()
            .enumerate()
            .filter(|(index, _)| done & (1 << index) == 0)
    };
    if pending().next().is_none() {
        return true;
    }
    if !seen.insert((done, key.clone())) {
        return false;
    }
    let earliest_answer = pending()
        .map(|(_, call)| call.answered)
        .min()
        .unwrap_or_default();
    pending()
        .filter(|(_, call)| call.asked <= earliest_answer)
        .any(|(index, call)| {
            key.after(&call.did)
                .is_some_and(|after| search(&after, history, done | (1 << index), seen))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(asked: u64, answered: u64, did: Did) -> Call {
        Call {
            asked: Duration::from_millis(asked),
            answered: Duration::from_millis(answered),
            did,
        }
    }

    fn token(secret: &str, done: bool) -> Did {
        Did::Token {
            secret: Secret::from(secret),
            done,
        }
    }

    #[test]
    fn what_no_serial_order_explains_is_found_out() {
        let first = Secret::from("first secret");
        let rotate = |made: &str| Did::Rotate {
            made: Some(made.into()),
        };
        let overlapping = [
            call(0, 10, rotate("second secret")),
            call(0, 10, Did::Finish { done: true }),
        ];
        for works in [true, false] {
            let history = [
                overlapping.as_slice(),
                &[call(20, 30, token("first secret", works))],
            ]
            .concat();
            assert!(explains(&first, &history), "either came first");
        }
        let three = [
            call(0, 10, rotate("second secret")),
            call(0, 10, rotate("third secret")),
        ];
        assert!(
            !explains(&first, &three),
            "two rotations, and nothing finished in between"
        );
        let dead = [
            call(0, 10, Did::Revoke),
            call(20, 30, token("first secret", true)),
        ];
        assert!(
            !explains(&first, &dead),
            "a token after the answer of the revoke"
        );
        let lost = [
            call(
                0,
                10,
                Did::Patch {
                    name: "a".into(),
                    done: true,
                },
            ),
            call(
                20,
                30,
                Did::Read {
                    name: "first".into(),
                    revoked: false,
                    secrets: 1,
                },
            ),
        ];
        assert!(!explains(&first, &lost), "a lost update");
    }
}
