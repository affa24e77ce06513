//! Segments: what the feed said in an interval, in few bytes, so that a cold reader need not read
//! each of its entries ([`Rules`](super::Rules), Segments).

use super::{Effect, Entry, Exchange, Hints, Subject, decode, encode};
use crate::time::Timestamp;

/// All promised entries with `from <= time < until`. That is true for ever: neither the order of
/// segments nor their repetition matters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Segment {
    /// Where it begins (inclusive).
    pub from: Timestamp,
    /// Where it ends (exclusive).
    pub until: Timestamp,
    /// What most entries were about.
    pub hints: Hints,
    /// Those that no hint can stand for: about owners and organizations, and covers.
    pub whole: Vec<Entry>,
}

/// The next page of segments that a reader asks for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentQuery {
    /// The page begins with the first segment whose `from` is this or later.
    pub from: Timestamp,
    /// The reach before the query, by the reader's clock. A page is refused whose exchange does not
    /// prove it.
    pub(super) floor: Timestamp,
}

/// One page of segments.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentPage {
    /// Its segments, oldest first.
    pub segments: Vec<Segment>,
    /// Whether there are more behind it.
    pub has_more: bool,
    /// The request that brought it.
    pub exchange: Exchange,
}

impl Segment {
    /// The interval, of whose entries these are all.
    pub(super) fn of(entries: &[Entry], from: Timestamp, until: Timestamp) -> Self {
        let (whole, folded): (Vec<Entry>, Vec<Entry>) =
            entries.iter().cloned().partition(is_kept_whole);
        Self {
            from,
            until,
            hints: Hints::of(&folded),
            whole,
        }
    }

    /// Writes the entries that are kept whole. Of each: the length of what follows (2 bytes), its
    /// time in milliseconds since 1970 (8), the length of its id (1), its id, and what [`encode`]
    /// makes of the rest. Numbers are big-endian.
    ///
    /// # Errors
    /// When an entry is too long for that.
    pub fn encode_whole(&self) -> Result<Vec<u8>, &'static str> {
        let mut bytes = Vec::new();
        for entry in &self.whole {
            let entry = encode_entry(entry)?;
            let length = u16::try_from(entry.len()).map_err(|_| TOO_LONG)?;
            bytes.extend(length.to_be_bytes());
            bytes.extend(entry);
        }
        Ok(bytes)
    }

    /// Reads what [`Segment::encode_whole`] wrote.
    ///
    /// # Errors
    /// When it is cut short, or has something that this version does not know.
    pub fn decode_whole(mut bytes: &[u8]) -> Result<Vec<Entry>, &'static str> {
        let mut entries = Vec::new();
        while !bytes.is_empty() {
            let (length, rest) = bytes.split_first_chunk().ok_or(CUT_SHORT)?;
            let length = usize::from(u16::from_be_bytes(*length));
            let (entry, rest) = rest.split_at_checked(length).ok_or(CUT_SHORT)?;
            entries.push(decode_entry(entry)?);
            bytes = rest;
        }
        Ok(entries)
    }
}

const CUT_SHORT: &str = "its entries are cut short";
const TOO_LONG: &str = "an entry is too long";

/// Whether no hint can stand for it.
pub(super) const fn is_kept_whole(entry: &Entry) -> bool {
    let is_cover = matches!(entry.effect, Effect::Cover { .. });
    is_cover
        || matches!(
            entry.subject,
            Subject::Owner(_) | Subject::Organization { .. }
        )
}

pub(super) fn encode_entry(entry: &Entry) -> Result<Vec<u8>, &'static str> {
    let mut bytes = entry.time.millis().to_be_bytes().to_vec();
    bytes.push(u8::try_from(entry.id.len()).map_err(|_| TOO_LONG)?);
    bytes.extend(entry.id.bytes());
    bytes.extend(encode(&entry.subject, entry.effect));
    Ok(bytes)
}

fn decode_entry(bytes: &[u8]) -> Result<Entry, &'static str> {
    let (millis, rest) = bytes.split_first_chunk().ok_or(CUT_SHORT)?;
    let (length, rest) = rest.split_first().ok_or(CUT_SHORT)?;
    let (id, statement) = rest
        .split_at_checked(usize::from(*length))
        .ok_or(CUT_SHORT)?;
    let (subject, effect) = decode(statement)?;
    let id = str::from_utf8(id).map_err(|_| "the id of an entry is not text")?;
    Ok(Entry {
        time: Timestamp::from_millis(i64::from_be_bytes(*millis)),
        id: id.to_owned(),
        effect,
        subject,
    })
}
