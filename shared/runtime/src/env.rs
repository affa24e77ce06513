//! Settings from environment variables, read once at start-up and never ambiently, so that several
//! functions with different settings live in one process.

use std::{collections::BTreeMap, fmt, str::FromStr};

use domain::{key_mode::KeyMode, scope::Catalogue, secret::Brand};

/// The environment variables of one function.
#[derive(Clone, Default)]
pub struct Env(BTreeMap<String, String>);

/// A setting is missing or wrong. The sentence names the variable; it shows no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingError(String);

/// A function cannot start. The sentence names the setting or service at fault.
pub type StartError = Box<dyn std::error::Error + Send + Sync>;

/// The names alone: among the values of a process are its AWS credentials.
impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Env {
    /// The variables of this process.
    #[must_use]
    pub fn process() -> Self {
        Self(std::env::vars().collect())
    }

    /// These variables and no others.
    #[must_use]
    pub const fn from_map(variables: BTreeMap<String, String>) -> Self {
        Self(variables)
    }

    /// These variables with one more, or with another value for one.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.0.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The value of `name`; an empty one counts as absent, since a template cannot leave a variable
    /// out.
    #[must_use]
    pub fn optional(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// The value of `name`.
    ///
    /// # Errors
    /// When it is absent or empty.
    pub fn required(&self, name: &str) -> Result<&str, SettingError> {
        self.optional(name)
            .ok_or_else(|| SettingError::new(name, "is not set"))
    }

    /// The value of `name` read as a `T`, or `default` when it is absent.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn parsed<T: FromStr>(&self, name: &str, default: T) -> Result<T, SettingError>
    where
        T::Err: fmt::Display,
    {
        let Some(value) = self.optional(name) else {
            return Ok(default);
        };
        value
            .parse()
            .map_err(|error: T::Err| SettingError::new(name, &error.to_string()))
    }
}

impl SettingError {
    /// `name` and what is wrong with it.
    #[must_use]
    pub fn new(name: &str, problem: &str) -> Self {
        Self(format!("{name} {problem}"))
    }
}

impl fmt::Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SettingError {}

/// `LATCHKEY_ISSUER`: an origin, `https://host[:port]` (or `http://` on loopback), without a path
/// or trailing slash.
///
/// # Errors
/// When it is absent or anything else.
pub fn issuer(env: &Env) -> Result<String, SettingError> {
    let name = "LATCHKEY_ISSUER";
    let issuer = env.required(name)?;
    match web_address(issuer) {
        Some(uri) if uri.path() == "/" => Ok(issuer.to_owned()),
        _ => Err(SettingError::new(
            name,
            "must be an https origin without a path, such as https://auth.example.com",
        )),
    }
}

/// `LATCHKEY_PORTAL_URL`: where people find the portal, an https address (or `http://` on
/// loopback); nothing where there is none.
///
/// # Errors
/// When it is anything else.
pub fn portal_url(env: &Env) -> Result<Option<String>, SettingError> {
    let name = "LATCHKEY_PORTAL_URL";
    let Some(portal) = env
        .optional(name)
        .map(|portal| portal.trim_end_matches('/'))
    else {
        return Ok(None);
    };
    match web_address(portal) {
        Some(_) => Ok(Some(portal.to_owned())),
        None => Err(SettingError::new(
            name,
            "must be an https address, such as https://portal.example.com",
        )),
    }
}

/// An address that people or programs are sent to: by https, or on this machine.
fn web_address(text: &str) -> Option<http::Uri> {
    text.parse::<http::Uri>().ok().filter(|uri| {
        let loopback = matches!(uri.host(), Some("localhost" | "127.0.0.1" | "[::1]"));
        let scheme =
            uri.scheme_str() == Some("https") || (uri.scheme_str() == Some("http") && loopback);
        scheme && uri.query().is_none() && !text.ends_with('/')
    })
}

/// `LATCHKEY_BRAND`: the word that begins every secret; default `lk`.
///
/// # Errors
/// When it is not 2 to 12 lower-case letters.
pub fn brand(env: &Env) -> Result<Brand, SettingError> {
    Brand::parse(env.optional("LATCHKEY_BRAND").unwrap_or("lk"))
        .map_err(|problem| SettingError::new("LATCHKEY_BRAND", problem))
}

/// `LATCHKEY_SCOPE_CATALOGUE_FILE`: a CSV file that replaces the built-in catalogue of scopes
/// (CYB-11).
///
/// # Errors
/// When it names a file that cannot be read or is no catalogue.
pub fn catalogue(env: &Env) -> Result<Catalogue, SettingError> {
    let name = "LATCHKEY_SCOPE_CATALOGUE_FILE";
    let Some(file) = env.optional(name) else {
        return Ok(Catalogue::default());
    };
    let csv = std::fs::read_to_string(file)
        .map_err(|error| SettingError::new(name, &format!("cannot be read: {error}")))?;
    Catalogue::parse(&csv)
        .map_err(|problem| SettingError::new(name, &format!("is no catalogue: {problem}")))
}

/// `LATCHKEY_SANDBOX_SIGNING_KEYS` and `LATCHKEY_LIVE_SIGNING_KEYS`: the ids or ARNs of the KMS
/// keys that may sign tokens of a kind, comma-separated: one, or two while one takes over from the
/// other. No key is of both kinds.
///
/// # Errors
/// When one of them is absent or anything else.
pub fn signing_keys(env: &Env, kind: KeyMode) -> Result<Vec<String>, SettingError> {
    const LIVE: &str = "LATCHKEY_LIVE_SIGNING_KEYS";
    let (sandbox, live) = (
        list_of_keys(env, "LATCHKEY_SANDBOX_SIGNING_KEYS")?,
        list_of_keys(env, LIVE)?,
    );
    if live.iter().any(|key| sandbox.contains(key)) {
        return Err(SettingError::new(
            LIVE,
            "must not name a key that LATCHKEY_SANDBOX_SIGNING_KEYS names",
        ));
    }
    Ok(match kind {
        KeyMode::Sandbox => sandbox,
        KeyMode::Live => live,
    })
}

fn list_of_keys(env: &Env, name: &str) -> Result<Vec<String>, SettingError> {
    let keys: Vec<String> = env
        .required(name)?
        .split(',')
        .map(|key| key.trim().to_owned())
        .collect();
    let twice = keys.len() == 2 && keys[0] == keys[1];
    if keys.len() > 2 || twice || keys.iter().any(String::is_empty) {
        return Err(SettingError::new(
            name,
            "must be the id or ARN of a KMS key, or of two different ones with a comma in between",
        ));
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signing_keys_are_one_or_two_of_each_kind_and_none_of_both() {
        let read = |sandbox: &str, live: &str| {
            let env = Env::default()
                .with("LATCHKEY_SANDBOX_SIGNING_KEYS", sandbox)
                .with("LATCHKEY_LIVE_SIGNING_KEYS", live);
            Ok::<_, SettingError>((
                signing_keys(&env, KeyMode::Sandbox)?,
                signing_keys(&env, KeyMode::Live)?,
            ))
        };
        let owned = |keys: &[&str]| keys.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(read("a", "c"), Ok((owned(&["a"]), owned(&["c"]))));
        assert_eq!(
            read("a, b", "c,d"),
            Ok((owned(&["a", "b"]), owned(&["c", "d"])))
        );
        for (sandbox, live, at_fault) in [
            ("", "c", "SANDBOX"),
            ("a", "", "LIVE"),
            ("a,", "c", "SANDBOX"),
            (",a", "c", "SANDBOX"),
            ("a,a", "c", "SANDBOX"),
            ("a,b,e", "c", "SANDBOX"),
            ("a", "c,,d", "LIVE"),
            ("a", "a", "LIVE"),
            ("a,b", "c,b", "LIVE"),
        ] {
            let refused = read(sandbox, live).unwrap_err().to_string();
            assert!(
                refused.starts_with(&format!("LATCHKEY_{at_fault}_SIGNING_KEYS ")),
                "{sandbox:?} {live:?}: {refused}"
            );
        }
    }

    #[test]
    fn the_portal_is_an_https_address_or_one_on_this_machine_or_none() {
        let read = |portal: &str| portal_url(&Env::default().with("LATCHKEY_PORTAL_URL", portal));
        assert_eq!(portal_url(&Env::default()), Ok(None));
        assert_eq!(read(""), Ok(None));
        for portal in [
            "https://portal.example.com",
            "https://example.com/portal",
            "http://localhost:3000",
            "http://127.0.0.1:3000",
        ] {
            assert_eq!(read(portal), Ok(Some(portal.to_owned())));
            assert_eq!(read(&format!("{portal}/")), Ok(Some(portal.to_owned())));
        }
        for portal in [
            "portal.example.com",
            "http://portal.example.com",
            "https://example.com/?a=b",
            "ftp://localhost",
            "/",
            "https://",
        ] {
            assert!(read(portal).is_err(), "{portal}");
        }
    }
}
