//! Resource paths with variables, and the concrete paths that are theirs.

use domain::percent;
/// A resource path. Its segments sort from the specific to the general, so the least of those that
/// fit is the most specific.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Template {
    pub(super) segments: Vec<Segment>,
    pub(super) path: String,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Segment {
    Literal(String),
    Variable,
    Rest,
}

impl Template {
    pub(super) fn parse(path: &str) -> Option<Self> {
        let segments: Vec<_> = split(path)?.map(Segment::parse).collect::<Option<_>>()?;
        let rest = segments
            .iter()
            .position(|segment| *segment == Segment::Rest);
        let rest_is_last = rest.is_none_or(|at| at + 1 == segments.len());
        rest_is_last.then(|| Self {
            path: path.to_owned(),
            segments,
        })
    }

    /// Whether it stands for all paths below it.
    pub(super) fn is_greedy(&self) -> bool {
        self.segments.last() == Some(&Segment::Rest)
    }

    /// Whether a concrete path is one of this resource. A path that could be read in two ways
    /// (escapes, dots, empty segments) fits nothing.
    pub(super) fn fits(&self, path: &str) -> bool {
        let ambiguous = |segment: &str| {
            segment.is_empty()
                || matches!(segment, "." | "..")
                || segment.contains(['%', '\\', '{', '}'])
        };
        split(path).is_some_and(|mut segments| !segments.any(ambiguous)) && self.covers(path)
    }

    /// Whether a concrete path is one of this resource, its segments taken as they stand.
    pub(super) fn covers(&self, path: &str) -> bool {
        let Some(concrete) = split(path).map(Iterator::collect::<Vec<_>>) else {
            return false;
        };
        let (fixed, rest) = match self.segments.split_last() {
            Some((Segment::Rest, fixed)) => (fixed, true),
            _ => (self.segments.as_slice(), false),
        };
        let long_enough = if rest {
            concrete.len() > fixed.len()
        } else {
            concrete.len() == fixed.len()
        };
        long_enough
            && fixed
                .iter()
                .zip(&concrete)
                .all(|(segment, text)| segment.fits(text))
    }
}

/// The segments of a path; the root has none.
fn split(path: &str) -> Option<impl Iterator<Item = &str>> {
    let path = path.strip_prefix('/')?;
    Some(path.split('/').filter(move |_| !path.is_empty()))
}

impl Segment {
    fn parse(text: &str) -> Option<Self> {
        let plain = |name: &str| {
            !name.is_empty()
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_graphic() && !b"{}%\\+".contains(&byte))
        };
        match text.strip_prefix('{').map(|text| text.strip_suffix('}')) {
            None => plain(text).then(|| Self::Literal(text.to_owned())),
            Some(None) => None,
            Some(Some(name)) => match name.strip_suffix('+') {
                Some(name) => plain(name).then_some(Self::Rest),
                None => plain(name).then_some(Self::Variable),
            },
        }
    }

    fn fits(&self, text: &str) -> bool {
        match self {
            Self::Literal(literal) => literal == text,
            Self::Variable | Self::Rest => true,
        }
    }
}

/// A path as the API behind the gateway might read it: escapes decoded, `\\` for `/`, empty
/// segments and `.` left out, `..` followed.
pub(super) fn lenient(path: &str) -> String {
    let decoded = percent::decode_fully(path);
    let mut segments = Vec::new();
    for segment in decoded.split(['/', '\\']) {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            segment => segments.push(segment),
        }
    }
    format!("/{}", segments.join("/"))
}
