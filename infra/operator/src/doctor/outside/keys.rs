//! The keys that verify tokens.

use std::collections::BTreeSet;

use jwt::Jwk;

use super::{
    super::report::{Check, Outcome, Trouble},
    calls::Calls,
};

pub(super) const JWKS: Check = Check(
    "outside.jwks",
    "See the token function's log for \"a signing key cannot be published\", and `latchkey \
     signing-keys list`.",
);

/// Sandbox tokens and live ones are never signed by the same key.
const KINDS: usize = 2;

/// That every published key is a P-256 key under its own thumbprint (RFC 7638), and that there are
/// enough for both kinds. Also their names.
pub(super) async fn published(calls: &Calls) -> (Outcome, Option<Vec<String>>) {
    match read(calls).await {
        Ok(names) if names.len() < KINDS => {
            let what = format!(
                "{} is all that is published: sandbox and live have a key each",
                names.join(", ")
            );
            (Err(Trouble::Wrong(what)), Some(names))
        }
        Ok(names) => (
            Ok(format!(
                "{} P-256 keys, each under its thumbprint",
                names.len()
            )),
            Some(names),
        ),
        Err(trouble) => (Err(trouble), None),
    }
}

async fn read(calls: &Calls) -> Result<Vec<String>, Trouble> {
    let document = calls.get("/.well-known/jwks.json").await?.json()?;
    let keys = document["keys"]
        .as_array()
        .ok_or_else(|| Trouble::Wrong("the document has no keys".into()))?;
    let mut names = BTreeSet::new();
    for (index, key) in keys.iter().enumerate() {
        let key: Jwk = serde_json::from_value(key.clone())
            .map_err(|error| Trouble::Wrong(format!("key {index}: {error}")))?;
        if !names.insert(key.kid().to_owned()) {
            return Err(Trouble::Wrong(format!("key {index} is there twice")));
        }
    }
    Ok(names.into_iter().collect())
}
