//! Who may call which route; a route that is not listed is closed.

mod template;

use std::{collections::BTreeMap, fmt};

use domain::{
    error::Kind,
    operation,
    role::Role,
    scope::{Scope, ScopeSet},
};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};

use self::template::Template;
use crate::{
    decision::DenyReason,
    request::{Request, Route},
};

/// The route table: a JSON object of route to scopes. Any one of the listed scopes opens the route,
/// an empty list any valid credential but those of the platform's staff, who see no customers'
/// data.
///
/// A route is `METHOD /resource/{template}`, or `ANY /…` for the methods that are not listed beside
/// it, or `$default` (HTTP APIs) or `$connect` (WebSocket APIs). The method that was called
/// decides, in every shape of event, also where the API's own route is made for `ANY`. A method
/// that is none of the seven opens nothing.
///
/// List every resource of the API. Where the event has only a concrete path (TOKEN authorizers),
/// the most specific template *of this table* that fits decides. Where the API's route stands for
/// many paths (`$default`, `/{rest+}`), a more specific row that fits the path must open as well.
///
/// The word `operations` in its place stands for the management API's own table of role and scope
/// (`domain::operation`).
#[derive(Clone, Debug, Default)]
pub struct Routes {
    rules: BTreeMap<String, Rule>,
    templates: Vec<Template>,
}

/// What opens one route.
#[derive(Clone, Debug)]
pub(crate) enum Rule {
    /// Of a guarded API: any one of these scopes, or none at all.
    Scopes(Vec<Scope>),
    /// Of the management API: a row of its table.
    Operation(&'static operation::Rule),
}

/// Who asks for a route.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Who<'a> {
    /// A person's.
    pub(crate) role: Option<Role>,
    /// Whether a token acts for a customer (CYB-8).
    pub(crate) is_customer: bool,
    pub(crate) scopes: &'a ScopeSet,
}

impl Rule {
    /// Why the route is closed to this caller.
    pub(crate) fn deny_reason(&self, who: Who<'_>) -> Option<DenyReason> {
        match self {
            Self::Scopes(_) if who.role.is_some_and(Role::is_staff) => Some(DenyReason::Forbidden),
            Self::Scopes(any_of) => {
                let open =
                    any_of.is_empty() || any_of.iter().any(|scope| who.scopes.has(scope.as_str()));
                (!open).then_some(DenyReason::InsufficientScope)
            }
            // A customer's token is for the APIs that the platform guards, never for the platform.
            Self::Operation(_) if who.is_customer => Some(DenyReason::Forbidden),
            // How far it reaches is for the function to say: it depends on what is asked for.
            Self::Operation(row) => match row.reach(who.role, who.scopes) {
                Ok(_) => None,
                Err(error) if error.kind == Kind::InsufficientScope => {
                    Some(DenyReason::InsufficientScope)
                }
                Err(_) => Some(DenyReason::Forbidden),
            },
        }
    }
}

/// What stands for the management API's own table.
const OPERATIONS: &str = "operations";

/// The methods that API Gateway has. Any other, another case included, could be one of them to the
/// API behind it, so it is not among those that `ANY` stands for.
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

const ANY: &str = "ANY";

/// The route of an HTTP API that takes what no other takes.
const DEFAULT: &str = "$default";

impl Routes {
    /// Reads the table, or the word that stands for the management API's.
    ///
    /// # Errors
    /// One sentence that names the route or scope at fault.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == OPERATIONS {
            return Self::operations();
        }
        let Unique(rules) = serde_json::from_str(text).map_err(|error| {
            format!(
                "is neither the word operations nor a JSON object of route to list of scopes: \
                 {error}"
            )
        })?;
        let mut routes = Self::default();
        for (route, scopes) in rules {
            let scope = |name: &String| {
                name.parse()
                    .map_err(|reason| format!("has a wrong scope for '{route}': '{name}' {reason}"))
            };
            let rule = Rule::Scopes(scopes.iter().map(scope).collect::<Result<_, _>>()?);
            routes.list(route, rule)?;
        }
        Ok(routes)
    }

    /// Every operation that is a route: some are a part of another.
    fn operations() -> Result<Self, String> {
        let mut routes = Self::default();
        for row in operation::rules()
            .iter()
            .filter(|row| !row.method.is_empty())
        {
            routes.list(format!("{} {}", row.method, row.path), Rule::Operation(row))?;
        }
        Ok(routes)
    }

    fn list(&mut self, route: String, rule: Rule) -> Result<(), String> {
        self.list_template(&route)?;
        self.rules.insert(route, rule);
        Ok(())
    }

    /// The rule of a route, and the name it is listed under; nothing when it is closed.
    pub(crate) fn rule(&self, route: &Route) -> Option<(&str, &Rule)> {
        match route {
            Route::Matched(route) => match route.split_once(' ') {
                Some((method, resource)) => self.rule_of(method, resource),
                None => self.listed(route),
            },
            Route::Concrete { method, path } => {
                self.rule_of(method, &self.most_specific(path)?.path)
            }
        }
    }

    /// The rules that a call must pass beside that of its route, which stands for many paths: those
    /// of the more specific rows that fit the path, as it stands and as the API might read it.
    /// Nobody who is kept from `POST /b` comes there by `$default`.
    pub(crate) fn narrower_rules(&self, request: &Request) -> Vec<&Rule> {
        let (Route::Matched(route), Some(path)) = (&request.route, &request.path) else {
            return Vec::new();
        };
        let Some((method, resource)) = route.split_once(' ') else {
            return Vec::new();
        };
        let wide = Template::parse(resource);
        if resource != DEFAULT && !wide.as_ref().is_some_and(Template::is_greedy) {
            return Vec::new();
        }
        let narrower = |template: &&Template| {
            wide.as_ref().is_none_or(|wide| *template < wide)
                && self.rule_of(method, &template.path).is_some()
        };
        let narrowest = |path: &str| {
            self.templates
                .iter()
                .filter(|template| template.covers(path))
                .filter(narrower)
                .min()
        };
        [narrowest(path), narrowest(&template::lenient(path))]
            .into_iter()
            .flatten()
            .filter_map(|template| self.rule_of(method, &template.path))
            .map(|(_, rule)| rule)
            .collect()
    }

    /// The rule of a method that was called, of a resource by its name in this table.
    fn rule_of(&self, method: &str, resource: &str) -> Option<(&str, &Rule)> {
        if !METHODS.contains(&method) {
            return None;
        }
        if resource == DEFAULT {
            return self.listed(DEFAULT);
        }
        self.listed(&format!("{method} {resource}"))
            .or_else(|| self.listed(&format!("{ANY} {resource}")))
    }

    fn listed(&self, route: &str) -> Option<(&str, &Rule)> {
        self.rules
            .get_key_value(route)
            .map(|(name, rule)| (name.as_str(), rule))
    }

    /// As API Gateway does it: the resource first, by the path alone, then the method.
    fn most_specific(&self, path: &str) -> Option<&Template> {
        self.templates
            .iter()
            .filter(|template| template.fits(path))
            .min()
    }

    fn list_template(&mut self, route: &str) -> Result<(), String> {
        let wrong =
            || format!("has a wrong route '{route}': expected METHOD /path, $default or $connect");
        let Some((method, path)) = route.split_once(' ') else {
            return if matches!(route, DEFAULT | "$connect") {
                Ok(())
            } else {
                Err(wrong())
            };
        };
        let template = Template::parse(path)
            .filter(|_| method == ANY || METHODS.contains(&method))
            .ok_or_else(wrong)?;
        match self
            .templates
            .iter()
            .find(|other| other.segments == template.segments)
        {
            Some(other) if other.path != template.path => Err(format!(
                "has two names for one resource: '{}' and '{path}'",
                other.path
            )),
            Some(_) => Ok(()),
            None => {
                self.templates.push(template);
                Ok(())
            }
        }
    }
}

/// An object whose members stand once: of a route listed twice, JSON would keep the last alone.
struct Unique(BTreeMap<String, Vec<String>>);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Unique;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of route to list of scopes")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Unique, A::Error> {
                let mut members = BTreeMap::new();
                while let Some((route, scopes)) = map.next_entry::<String, Vec<String>>()? {
                    if members.contains_key(&route) {
                        return Err(A::Error::custom(format!("'{route}' stands twice")));
                    }
                    members.insert(route, scopes);
                }
                Ok(Unique(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name<'a>(routes: &'a Routes, route: &Route) -> Option<&'a str> {
        routes.rule(route).map(|(name, _)| name)
    }

    #[test]
    fn a_route_that_is_not_listed_is_closed() {
        let routes =
            Routes::parse(r#"{"GET /a": ["banks:read"], "ANY /b": [], "POST /b": ["banks:write"], "$connect": []}"#).unwrap();
        let matched = |route: &str| name(&routes, &Route::Matched(route.into()));
        assert_eq!(matched("GET /a"), Some("GET /a"));
        assert_eq!(matched("POST /b"), Some("POST /b"));
        assert_eq!(matched("PUT /b"), Some("ANY /b"));
        assert_eq!(matched("$connect"), Some("$connect"));
        for closed in [
            "POST /a",
            "get /a",
            "GET /a/",
            "GET /A",
            "GET  /a",
            "$default",
            "",
            "/a",
            "ANY /a",
            "ANY /b",
            "post /b",
            "TRACE /b",
            "GET $default",
            "GET $connect",
        ] {
            assert_eq!(matched(closed), None, "{closed}");
        }
    }

    #[test]
    fn any_one_of_the_listed_scopes_opens_a_route_and_an_empty_list_opens_it_to_all_but_staff() {
        let routes =
            Routes::parse(r#"{"GET /a": ["banks:read", "accounts:read"], "GET /b": []}"#).unwrap();
        let deny_reason = |route: &str, role: Option<Role>, held: &str| {
            let who = Who {
                role,
                is_customer: false,
                scopes: &held.parse().unwrap(),
            };
            routes
                .rule(&Route::Matched(route.into()))
                .unwrap()
                .1
                .deny_reason(who)
        };
        for role in [None, Some(Role::Viewer), Some(Role::Owner)] {
            assert_eq!(deny_reason("GET /a", role, "accounts:read"), None);
            assert_eq!(deny_reason("GET /a", role, "banks:read"), None);
            assert_eq!(deny_reason("GET /b", role, ""), None);
            assert_eq!(
                deny_reason("GET /a", role, "banks:write"),
                Some(DenyReason::InsufficientScope)
            );
            assert_eq!(
                deny_reason("GET /a", role, ""),
                Some(DenyReason::InsufficientScope)
            );
        }
        for role in Role::ALL.into_iter().filter(|role| role.is_staff()) {
            assert_eq!(
                deny_reason("GET /a", Some(role), "banks:read"),
                Some(DenyReason::Forbidden)
            );
            assert_eq!(
                deny_reason("GET /b", Some(role), ""),
                Some(DenyReason::Forbidden)
            );
        }
    }

    #[test]
    fn a_concrete_path_is_that_of_the_most_specific_resource() {
        let table = r#"{"GET /": [], "GET /a/{x}": [], "GET /a/me": [], "POST /a/{x}": [], "GET /a/{x}/b": [], "ANY /{rest+}": [], "GET /c/d/{rest+}": []}"#;
        let routes = Routes::parse(table).unwrap();
        let concrete = |method: &str, path: &str| {
            name(
                &routes,
                &Route::Concrete {
                    method: method.into(),
                    path: path.into(),
                },
            )
        };
        assert_eq!(concrete("GET", "/"), Some("GET /"));
        assert_eq!(concrete("GET", "/a/me"), Some("GET /a/me"));
        assert_eq!(concrete("GET", "/a/you"), Some("GET /a/{x}"));
        assert_eq!(
            concrete("POST", "/a/me"),
            None,
            "the resource is /a/me, and its POST is not listed"
        );
        assert_eq!(concrete("GET", "/a/you/b"), Some("GET /a/{x}/b"));
        assert_eq!(concrete("PUT", "/a/you/c"), Some("ANY /{rest+}"));
        assert_eq!(concrete("GET", "/c/d/e/f"), Some("GET /c/d/{rest+}"));
        assert_eq!(
            concrete("GET", "/c/d"),
            Some("ANY /{rest+}"),
            "a greedy variable takes at least one segment"
        );
        for ambiguous in [
            "/a/me%2Fb",
            "/a/../c",
            "/a/./b",
            "/a//b",
            "/a/",
            "//",
            "a/b",
            "",
            "/a/{x}",
            "/a\\b",
        ] {
            assert_eq!(concrete("GET", ambiguous), None, "{ambiguous}");
        }
    }

    #[test]
    fn a_wrong_table_is_refused_by_name() {
        for (table, word) in [
            ("", "JSON"),
            ("[]", "JSON"),
            (r#"{"GET /a": "banks:read"}"#, "JSON"),
            (r#"{"GET /a": [], "GET /a": ["banks:read"]}"#, "twice"),
            (r#"{"GET /a": ["banks"]}"#, "'banks'"),
            (r#"{"GET a": []}"#, "'GET a'"),
            (r#"{"FETCH /a": []}"#, "'FETCH /a'"),
            (r#"{"get /a": []}"#, "'get /a'"),
            (r#"{"GET /a/": []}"#, "'GET /a/'"),
            (r#"{"GET /a/{b": []}"#, "'GET /a/{b'"),
            (r#"{"GET /a/{}": []}"#, "'GET /a/{}'"),
            (r#"{"GET /a/{b+}/c": []}"#, "'GET /a/{b+}/c'"),
            (r#"{"GET /a b": []}"#, "'GET /a b'"),
            (r#"{"$disconnect": []}"#, "$disconnect"),
            (r#"{"GET /a/{b}": [], "POST /a/{c}": []}"#, "two names"),
        ] {
            let error = Routes::parse(table).unwrap_err();
            assert!(error.contains(word), "{table}: {error}");
        }
    }
}
