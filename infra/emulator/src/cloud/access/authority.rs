//! The account's access keys, the policies in force, and what was decided by them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

use sam::iam::{AccessDenied, Permission, Principal};

use super::{
    super::{arn::ACCOUNT, error::CloudError, random},
    calls::Call,
    rules::Rules,
    signature::{Authorization, Signed},
};

/// The access key of the account's root, and its secret.
pub(in super::super) const ROOT: (&str, &str) = ("local", "local");
/// The access key that stands for every function at once. Its secret is the root's.
pub const EVERY_FUNCTION: &str = "local-functions";

/// An access key.
#[derive(Clone)]
pub struct AccessKey {
    /// What requests name.
    pub id: String,
    /// What they are signed with.
    pub secret: String,
}

impl fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AccessKey").field(&self.id).finish()
    }
}

/// The account's access keys and policies, and what came of the requests so far.
#[derive(Default)]
pub struct Authority {
    rules: RwLock<Arc<Rules>>,
    /// By id: the secret, and the function's logical id; the root's is not among them.
    keys: RwLock<BTreeMap<String, Holder>>,
    seen: Mutex<Seen>,
}

#[derive(Clone)]
struct Holder {
    key: AccessKey,
    function: String,
}

/// What was decided, for whoever wants to know which permissions are needed.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The permissions of functions' roles by which requests were allowed.
    pub used: BTreeSet<Permission>,
    /// The refused requests, in order, at most the first hundred.
    pub refused: Vec<AccessDenied>,
}

/// Who makes a request.
pub(super) enum Caller {
    Root,
    EveryFunction,
    /// By logical id.
    Function(String),
}

/// Why nobody is the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stranger {
    /// The access key is none of the account's.
    Unrecognized,
    /// The signature is not by the access key's secret.
    Forged,
}

impl Stranger {
    /// AWS's error and what it says.
    pub(super) fn error(self) -> (&'static str, &'static str) {
        match self {
            Self::Unrecognized => (
                "UnrecognizedClientException",
                "The security token included in the request is invalid.",
            ),
            Self::Forged => (
                "InvalidSignatureException",
                "The request signature we calculated does not match the signature you provided. \
                 Check your AWS Secret Access Key and signing method. Consult the service \
                 documentation for details.",
            ),
        }
    }
}

impl Authority {
    /// Puts these policies in force, and gives every function in them an access key unless it has
    /// one.
    ///
    /// # Errors
    /// The operating system gave no random bytes.
    pub fn enforce(&self, rules: Rules) -> Result<(), CloudError> {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        for function in rules.functions() {
            if !keys.values().any(|holder| holder.function == *function) {
                let secret = random::text(&random::alphanumeric(), 40)
                    .map_err(|_| CloudError::new("the operating system gave no random bytes"))?;
                let key = AccessKey {
                    id: format!("{}-{function}", ROOT.0),
                    secret,
                };
                keys.insert(
                    key.id.clone(),
                    Holder {
                        key,
                        function: function.clone(),
                    },
                );
            }
        }
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
        Ok(())
    }

    /// The policies in force.
    #[must_use]
    pub fn rules(&self) -> Arc<Rules> {
        self.rules
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The function's own access key.
    #[must_use]
    pub fn key_of(&self, function: &str) -> Option<AccessKey> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.values()
            .find(|holder| holder.function == function)
            .map(|holder| holder.key.clone())
    }

    /// What was decided since this was last asked.
    #[must_use]
    pub fn take_seen(&self) -> Seen {
        std::mem::take(&mut *self.seen())
    }

    /// How many requests were refused since [`Authority::take_seen`] was last asked.
    #[must_use]
    pub fn refusals(&self) -> usize {
        self.seen().refused.len()
    }

    /// Decides on all of the calls that a request comes to. One refusal is the request's.
    pub(super) fn permit(&self, caller: &Caller, calls: &[Call]) -> Result<(), AccessDenied> {
        let rules = self.rules();
        let root;
        let principal = match caller {
            Caller::Root => {
                root = account_root();
                &root
            }
            Caller::EveryFunction => return Ok(()),
            Caller::Function(function) => match rules.principal(function) {
                Some(principal) => principal,
                None => return Ok(()),
            },
        };
        for call in calls {
            match rules.decide(principal, call) {
                Ok(used) if principal.root => drop(used),
                Ok(used) => self.seen().used.extend(used),
                Err(denied) => {
                    tracing::warn!(%denied, "the embedded services refused a request");
                    let mut seen = self.seen();
                    if seen.refused.len() < 100 {
                        seen.refused.push(denied.clone());
                    }
                    return Err(denied);
                }
            }
        }
        Ok(())
    }

    /// Who signed this request; nobody if no access key is named. The secret of the root and of
    /// every function at once is no secret, so their signatures are not looked at.
    pub(super) fn caller(&self, request: Signed<'_>) -> Result<Option<Caller>, Stranger> {
        let Some(authorization) = Authorization::of(request.headers) else {
            return Ok(None);
        };
        if authorization.key_id == ROOT.0 {
            return Ok(Some(Caller::Root));
        }
        if authorization.key_id == EVERY_FUNCTION {
            return Ok(Some(Caller::EveryFunction));
        }
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let holder = keys
            .get(authorization.key_id)
            .ok_or(Stranger::Unrecognized)?;
        let signed = authorization.holds(&holder.key.secret, request);
        if signed {
            Ok(Some(Caller::Function(holder.function.clone())))
        } else {
            Err(Stranger::Forged)
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority")
            .field("functions", &self.rules().functions().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

fn account_root() -> Principal {
    let arn = format!("arn:aws:iam::{ACCOUNT}:root");
    Principal {
        session: arn.clone(),
        arn,
        policies: Vec::new(),
        root: true,
    }
}
