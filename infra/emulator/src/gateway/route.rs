//! Which method of which resource serves a request, as API Gateway chooses: a literal segment beats
//! `{param}` beats `{proxy+}`, and only then the method counts, so a resource that lacks the method
//! does not give way to a broader one.

use std::collections::BTreeMap;

use sam::template::{Route, TemplateError};

/// The methods that `ANY` stands for.
const ANY: [&str; 7] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

#[derive(Debug)]
pub(super) struct Router {
    resources: Vec<Resource>,
}

#[derive(Debug)]
struct Resource {
    path: String,
    segments: Vec<Segment>,
    methods: BTreeMap<String, Route>,
}

/// In the order of precedence, the best last.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    Greedy(String),
    Parameter(String),
    Literal(String),
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Matched<'a> {
    pub(super) route: &'a Route,
    pub(super) resource: &'a str,
    pub(super) parameters: BTreeMap<String, String>,
}

impl Router {
    pub(super) fn new(routes: &[Route]) -> Result<Self, TemplateError> {
        let mut resources: Vec<Resource> = Vec::new();
        for route in routes {
            let place = format!("{} {}", route.method, route.path);
            let segments =
                segments(&route.path).map_err(|reason| TemplateError::new(&place, reason))?;
            let known = resources
                .iter()
                .position(|resource| resource.path == route.path);
            let index = known.unwrap_or(resources.len());
            if known.is_none() {
                if let Some(sibling) = resources
                    .iter()
                    .find(|other| clash(&other.segments, &segments))
                {
                    let reason = format!(
                        "names a variable path part otherwise than its sibling {}",
                        sibling.path
                    );
                    return Err(TemplateError::new(place, reason));
                }
                resources.push(Resource {
                    path: route.path.clone(),
                    segments,
                    methods: BTreeMap::new(),
                });
            }
            resources[index]
                .methods
                .insert(route.method.clone(), route.clone());
        }
        Ok(Self { resources })
    }

    pub(super) fn find(&self, method: &str, path: &str) -> Option<Matched<'_>> {
        // Observed on AWS: leading slashes collapse and a trailing slash is ignored.
        let path = path.trim_start_matches('/').trim_end_matches('/');
        let asked: Vec<&str> = if path.is_empty() {
            Vec::new()
        } else {
            path.split('/').collect()
        };
        let (resource, parameters) = self
            .resources
            .iter()
            .filter_map(|resource| Some((resource, parameters(&resource.segments, &asked)?)))
            .max_by_key(|(resource, _)| ranks(&resource.segments))?;
        let any = || {
            resource
                .methods
                .get("ANY")
                .filter(|_| ANY.contains(&method))
        };
        let route = resource.methods.get(method).or_else(any)?;
        Some(Matched {
            route,
            resource: &resource.path,
            parameters,
        })
    }
}

fn segments(path: &str) -> Result<Vec<Segment>, String> {
    let Some(rest) = path.strip_prefix('/') else {
        return Err("the path does not begin with a slash".into());
    };
    if rest.is_empty() {
        return Ok(Vec::new());
    }
    let parts: Vec<&str> = rest.split('/').collect();
    let last = parts.len() - 1;
    parts
        .into_iter()
        .enumerate()
        .map(|(index, part)| segment(part, index == last))
        .collect()
}

fn segment(part: &str, last: bool) -> Result<Segment, String> {
    let named = |name: &str| {
        !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    if let Some(inner) = part
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'))
    {
        return match inner.strip_suffix('+') {
            Some(name) if named(name) && last => Ok(Segment::Greedy(name.into())),
            None if named(inner) => Ok(Segment::Parameter(inner.into())),
            _ => Err(format!("{part} is not a path parameter")),
        };
    }
    let literal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:$,".contains(&byte);
    if part.is_empty() || !part.bytes().all(literal) {
        return Err(format!("{part:?} is not a path part"));
    }
    Ok(Segment::Literal(part.into()))
}

/// API Gateway refuses two differently named variables below one resource.
fn clash(left: &[Segment], right: &[Segment]) -> bool {
    let differing = left.iter().zip(right).find(|(left, right)| left != right);
    matches!(
        differing,
        Some(
            (Segment::Parameter(_), Segment::Parameter(_))
                | (Segment::Greedy(_), Segment::Greedy(_))
        )
    )
}

/// The parameters' values as sent: API Gateway hands them to Lambda still percent-encoded (observed
/// on AWS).
fn parameters(segments: &[Segment], asked: &[&str]) -> Option<BTreeMap<String, String>> {
    let mut parameters = BTreeMap::new();
    for (index, segment) in segments.iter().enumerate() {
        match segment {
            Segment::Literal(literal) => (*asked.get(index)? == literal).then_some(())?,
            Segment::Parameter(name) => {
                let value = asked.get(index).filter(|value| !value.is_empty())?;
                parameters.insert(name.clone(), (*value).to_owned());
            }
            Segment::Greedy(name) => {
                let value = asked.get(index..)?.join("/");
                parameters.insert(name.clone(), Some(value).filter(|value| !value.is_empty())?);
                return Some(parameters);
            }
        }
    }
    (segments.len() == asked.len()).then_some(parameters)
}

fn ranks(segments: &[Segment]) -> Vec<u8> {
    let rank = |segment: &Segment| match segment {
        Segment::Greedy(_) => 1,
        Segment::Parameter(_) => 2,
        Segment::Literal(_) => 3,
    };
    segments.iter().map(rank).collect()
}
