//! Scopes, and the catalogue that says which kind of token may hold each (CYB-10, CYB-11).

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::error::{Error, Kind};

/// One scope: `<resource>:<read|write|execute>` or `<resource>:pii:read`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope(String);

impl Scope {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Scope {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (resource, action) = text
            .split_once(':')
            .ok_or("is not a scope such as banks:read")?;
        let named = !resource.is_empty()
            && resource
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        if named && text.len() <= 64 && matches!(action, "read" | "write" | "execute" | "pii:read")
        {
            Ok(Self(text.to_owned()))
        } else {
            Err("is not a scope such as banks:read")
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A set of scopes, in the order of their names. Written as RFC 6749 §3.3 has it: separated by
/// single spaces; in JSON a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScopeSet(BTreeSet<Scope>);

impl ScopeSet {
    /// Whether it has the scope of this name.
    #[must_use]
    pub fn has(&self, scope: &str) -> bool {
        // A BTreeSet<Scope> is asked by a Scope; building one is cheaper than a second index.
        self.0.contains(&Scope(scope.to_owned()))
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those that `keep` keeps.
    #[must_use]
    pub fn filter(&self, keep: impl Fn(&Scope) -> bool) -> Self {
        self.iter().filter(|scope| keep(scope)).cloned().collect()
    }

    /// Those of both.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        self.iter().chain(other.iter()).cloned().collect()
    }

    /// Whether the other set has all of them.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        self.0.is_subset(&other.0)
    }

    /// The scopes, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Scope> {
        self.0.iter()
    }
}

impl FromIterator<Scope> for ScopeSet {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().collect())
    }
}

impl fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, scope) in self.0.iter().enumerate() {
            write!(f, "{}{scope}", if index == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

impl FromStr for ScopeSet {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split_ascii_whitespace()
            .map(|name| {
                name.parse().map_err(|reason| {
                    format!(
                        "'{}' {reason}",
                        name.chars().take(64).collect::<String>().escape_debug()
                    )
                })
            })
            .collect()
    }
}

impl Serialize for ScopeSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(Scope::as_str))
    }
}

impl<'de> Deserialize<'de> for ScopeSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::<String>::deserialize(deserializer)?
            .iter()
            .map(|name| name.parse().map_err(D::Error::custom))
            .collect()
    }
}

/// Who holds a scope: the columns of the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// An organization key and its tokens.
    Organization,
    /// A bank key and its tokens.
    Bank,
    /// A customer token (CYB-8).
    Customer,
}

/// How a holder comes by a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    /// A new key has it unless it asks for less.
    Yes,
    /// Only when granted by name: a management scope.
    Granted,
}

/// Which kind of token may hold each scope. Data that a deployment may replace; the default is
/// `scopes.csv`.
#[derive(Clone, Debug)]
pub struct Catalogue(BTreeMap<Scope, [Option<Grant>; 3]>);

impl Default for Catalogue {
    fn default() -> Self {
        // The test below reads it: the compiled-in file cannot be wrong in a build that passed.
        Self::parse(include_str!("../scopes.csv"))
            .unwrap_or_else(|error| unreachable!("scopes.csv: {error}"))
    }
}

impl Catalogue {
    /// Reads CSV with the header `scope,organization,bank,customer` and the values `yes`, `granted`
    /// or nothing.
    ///
    /// # Errors
    /// One sentence that names the line.
    pub fn parse(csv: &str) -> Result<Self, String> {
        let mut reader = csv::Reader::from_reader(csv.as_bytes());
        let header = reader.headers().map_err(|error| error.to_string())?;
        if header
            .iter()
            .ne(["scope", "organization", "bank", "customer"])
        {
            return Err("the header is not scope,organization,bank,customer".into());
        }
        let mut scopes = BTreeMap::new();
        for (line, record) in reader.records().enumerate() {
            let wrong = |what: &str| format!("line {}: {what}", line + 2);
            let record = record.map_err(|error| wrong(&error.to_string()))?;
            let scope: Scope = record[0].parse().map_err(&wrong)?;
            let mut grants = [None; 3];
            for (grant, word) in grants.iter_mut().zip(record.iter().skip(1)) {
                *grant = match word {
                    "yes" => Some(Grant::Yes),
                    "granted" => Some(Grant::Granted),
                    "" => None,
                    _ => return Err(wrong("a value is not yes, granted or nothing")),
                };
            }
            if scopes.insert(scope, grants).is_some() {
                return Err(wrong("the scope stands twice"));
            }
        }
        Ok(Self(scopes))
    }

    /// How `holder` may come by `scope`; nothing when it may not, or when there is no such scope.
    #[must_use]
    pub fn grant(&self, holder: Holder, scope: &Scope) -> Option<Grant> {
        self.0.get(scope).and_then(|grants| grants[holder as usize])
    }

    /// What a key of `holder` has when it names no scopes: every `yes` (CYB-11).
    #[must_use]
    pub fn defaults(&self, holder: Holder) -> ScopeSet {
        self.with(holder, |grant| grant == Grant::Yes)
    }

    /// Everything a key of `holder` can hold at all.
    #[must_use]
    pub fn all(&self, holder: Holder) -> ScopeSet {
        self.with(holder, |_| true)
    }

    /// Every scope there is, in the order of names.
    pub fn scopes(&self) -> impl Iterator<Item = &Scope> {
        self.0.keys()
    }

    /// Whether somebody holds it only when granted by name.
    fn is_management(&self, scope: &Scope) -> bool {
        self.0
            .get(scope)
            .is_some_and(|grants| grants.contains(&Some(Grant::Granted)))
    }

    fn with(&self, holder: Holder, wanted: impl Fn(Grant) -> bool) -> ScopeSet {
        self.0
            .iter()
            .filter(|(_, grants)| grants[holder as usize].is_some_and(&wanted))
            .map(|(scope, _)| scope.clone())
            .collect()
    }

    /// The scopes of a token that asks for `requested` with a key that has `held` (CYB-10): all of
    /// the key's when it asks for nothing; management scopes that the key lacks are dropped when
    /// others remain.
    ///
    /// # Errors
    /// [`Kind::InvalidScope`] that names the scope.
    pub fn issue(&self, held: &ScopeSet, requested: Option<&str>) -> Result<ScopeSet, Error> {
        let Some(requested) = requested else {
            return Ok(held.clone());
        };
        let requested: ScopeSet = requested
            .parse()
            .map_err(|reason| Error::new(Kind::InvalidScope, reason))?;
        let mut issued = BTreeSet::new();
        for scope in requested.0 {
            if held.0.contains(&scope) {
                issued.insert(scope);
            } else if !self.is_management(&scope) {
                return Err(Error::new(
                    Kind::InvalidScope,
                    format!("The key does not hold the scope {scope}"),
                ));
            }
        }
        if issued.is_empty() {
            return Err(Error::new(
                Kind::InvalidScope,
                "The key holds none of the requested scopes",
            ));
        }
        Ok(ScopeSet(issued))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> ScopeSet {
        text.parse().unwrap()
    }

    #[test]
    fn cyb_11_the_default_catalogue_has_the_columns_of_the_contract() {
        let catalogue = Catalogue::default();
        let grant = |holder, scope: &str| catalogue.grant(holder, &scope.parse().unwrap());
        assert_eq!(
            grant(Holder::Organization, "bank_applications:execute"),
            Some(Grant::Granted)
        );
        assert_eq!(grant(Holder::Bank, "banks:execute"), None);
        assert_eq!(grant(Holder::Customer, "accounts:read"), Some(Grant::Yes));
        assert!(
            !catalogue
                .defaults(Holder::Bank)
                .has("bank_applications:execute")
        );
        assert!(catalogue.all(Holder::Bank).has("bank_applications:execute"));
    }

    #[test]
    fn a_replaced_catalogue_is_read_strictly() {
        let wrong = |rows: &str| {
            Catalogue::parse(&format!("scope,organization,bank,customer\n{rows}")).unwrap_err()
        };
        assert!(wrong("banks:read,yes,maybe,\n").contains("line 2"));
        assert!(wrong("banks:read,yes,,\nbanks:read,yes,,\n").contains("line 3"));
        assert!(wrong("banks,yes,,\n").contains("scope"));
        assert!(
            Catalogue::parse("scope,bank\n")
                .unwrap_err()
                .contains("header")
        );
    }

    #[test]
    fn cyb_10_scopes_not_held_are_invalid_and_management_scopes_are_dropped() {
        let catalogue = Catalogue::default();
        let held = set("banks:read accounts:read");
        let issue = |requested| {
            catalogue
                .issue(&held, requested)
                .map_err(|error| error.kind)
        };
        assert_eq!(issue(None), Ok(held.clone()));
        assert_eq!(issue(Some("banks:read")), Ok(set("banks:read")));
        assert_eq!(
            issue(Some("banks:read bank_applications:write")),
            Ok(set("banks:read"))
        );
        assert_eq!(
            issue(Some("banks:read users:write")),
            Ok(set("banks:read")),
            "a management scope of organizations"
        );
        assert_eq!(
            issue(Some("bank_applications:write")),
            Err(Kind::InvalidScope)
        );
        assert_eq!(
            issue(Some("banks:read trades:read")),
            Err(Kind::InvalidScope)
        );
        assert_eq!(issue(Some("nonsense")), Err(Kind::InvalidScope));
        assert_eq!(issue(Some("")), Err(Kind::InvalidScope));
    }
}
