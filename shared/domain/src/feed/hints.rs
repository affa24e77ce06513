//! Hints: in five bytes, that entries were about an identifier. A hint does not say what they were,
//! so whoever finds one looks the identifier up in the tables. Two identifiers may share a hint;
//! then one of them is looked up in vain.

use std::sync::Arc;

use super::{Entry, Subject};

/// The first five bytes of an identifier. Its class changes the top two bits, so that an identifier
/// of one class has no hint in common with the same bytes of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Hint([u8; Self::LENGTH]);

impl Hint {
    const LENGTH: usize = 5;

    /// The hint of what an entry is about; nothing for owners and organizations, whose entries are
    /// always kept whole.
    pub(super) fn of(subject: &Subject) -> Option<Self> {
        let (class, id) = match subject {
            Subject::Key(id) => (0, id.guid().bytes()),
            Subject::Secret(id) => (1, id.bytes()),
            Subject::Token(id) => (2, id.bytes()),
            Subject::User(id) => (3, id.bytes()),
            Subject::Owner(_) | Subject::Organization { .. } => return None,
        };
        let mut hint = [0; Self::LENGTH];
        hint.copy_from_slice(&id[..Self::LENGTH]);
        hint[0] ^= class << 6;
        Some(Self(hint))
    }
}

/// A set of hints, which its copies share.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hints(Arc<[[u8; Hint::LENGTH]]>);

impl Hints {
    /// Reads what [`Hints::bytes`] wrote.
    ///
    /// # Errors
    /// When it is cut short or not in order.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, &'static str> {
        let (hints, []) = bytes.as_chunks() else {
            return Err("its hints are cut short");
        };
        if hints.is_sorted_by(|one, next| one < next) {
            Ok(Self(hints.into()))
        } else {
            Err("its hints are not in order")
        }
    }

    /// One after the other, in ascending order.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.0.as_flattened()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn of(entries: &[Entry]) -> Self {
        let hints = entries.iter().map(|entry| Hint::of(&entry.subject));
        hints.flatten().collect()
    }

    pub(super) fn contains(&self, hint: Hint) -> bool {
        self.0.binary_search(&hint.0).is_ok()
    }

    pub(super) fn union(&self, other: &Self) -> Self {
        let both = self.0.iter().chain(other.0.iter());
        both.copied().map(Hint).collect()
    }
}

impl FromIterator<Hint> for Hints {
    fn from_iter<T: IntoIterator<Item = Hint>>(hints: T) -> Self {
        let mut hints: Vec<_> = hints.into_iter().map(|Hint(hint)| hint).collect();
        hints.sort_unstable();
        hints.dedup();
        Self(hints.into())
    }
}
