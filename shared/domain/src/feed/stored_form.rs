//! What an entry says, in few bytes: every reader reads every entry.
//!
//! | bytes | what |
//! |---|---|
//! | 1 | the effect, plus 16 times the subject (`EFFECTS`, `SUBJECTS`) |
//! | 16 | the subject's identifier |
//! | 8 | of a suspend, resume or expire: the version |
//! | 8 | of an expire or a cover: the end, in milliseconds since 1970 |
//! | 1 | of an organization: what its cohort names, as the bits of [`Cohort`]'s flags below |
//! | 8, 8, 16 | of a cohort, as far as it names them: created from, created until, owner |
//! | 1, 16 each | of a cohort that spares owners: how many, and each |
//!
//! Numbers are big-endian. What a reader does not understand is an error, not skipped: a reader
//! that does not understand the feed must not decide by it. Bytes behind these are ignored: a later
//! version may narrow what a revoke, suspend or refresh is about, never a resume or an expire.
//! Older readers then refuse too much, never too little.

use super::{Cohort, Effect, Subject};
use crate::{
    ids::{ClientId, Guid, SecretId},
    key_mode::KeyMode,
    time::Timestamp,
};

const REVOKE: u8 = 0;
const SUSPEND: u8 = 1;
const RESUME: u8 = 2;
const EXPIRE: u8 = 3;
const REFRESH: u8 = 4;
const COVER: u8 = 5;

const KEY: u8 = 0;
const SECRET: u8 = 1;
const TOKEN: u8 = 2;
const USER: u8 = 3;
const OWNER: u8 = 4;
const ORGANIZATION: u8 = 5;

const SANDBOX: u8 = 1;
const LIVE: u8 = 2;
const CREATED_FROM: u8 = 4;
const CREATED_UNTIL: u8 = 8;
const OF_OWNER: u8 = 16;
const SPARES: u8 = 32;
const FLAGS: u8 = 63;

/// Writes what became of a subject.
#[must_use]
pub fn encode(subject: &Subject, effect: Effect) -> Vec<u8> {
    let (subject_code, id) = match subject {
        Subject::Key(id) => (KEY, id.guid().bytes()),
        Subject::Secret(id) => (SECRET, id.bytes()),
        Subject::Token(id) => (TOKEN, id.bytes()),
        Subject::User(id) => (USER, id.bytes()),
        Subject::Owner(id) => (OWNER, id.bytes()),
        Subject::Organization { guid, .. } => (ORGANIZATION, guid.bytes()),
    };
    let (effect_code, version, end) = match effect {
        Effect::Revoke => (REVOKE, None, None),
        Effect::Suspend { version } => (SUSPEND, Some(version), None),
        Effect::Resume { version } => (RESUME, Some(version), None),
        Effect::Expire { at, version } => (EXPIRE, Some(version), Some(at)),
        Effect::Refresh => (REFRESH, None, None),
        Effect::Cover { until } => (COVER, None, Some(until)),
    };
    let mut bytes = vec![subject_code << 4 | effect_code];
    bytes.extend(id);
    bytes.extend(version.into_iter().flat_map(u64::to_be_bytes));
    bytes.extend(end.into_iter().flat_map(moment));
    if let Subject::Organization { cohort, .. } = subject {
        encode_cohort(cohort, &mut bytes);
    }
    bytes
}

fn encode_cohort(cohort: &Cohort, bytes: &mut Vec<u8>) {
    let environment = match cohort.environment {
        None => 0,
        Some(KeyMode::Sandbox) => SANDBOX,
        Some(KeyMode::Live) => LIVE,
    };
    let flag = |is_set, flag| if is_set { flag } else { 0 };
    bytes.push(
        environment
            | flag(cohort.created_from.is_some(), CREATED_FROM)
            | flag(cohort.created_until.is_some(), CREATED_UNTIL)
            | flag(cohort.owner.is_some(), OF_OWNER)
            | flag(!cohort.spared.is_empty(), SPARES),
    );
    bytes.extend(cohort.created_from.into_iter().flat_map(moment));
    bytes.extend(cohort.created_until.into_iter().flat_map(moment));
    bytes.extend(cohort.owner.into_iter().flat_map(Guid::bytes));
    if !cohort.spared.is_empty() {
        // No change spares more than `Cohort::MAX_SPARED`. Sparing fewer would refuse too much.
        let spared = cohort.spared.iter().take(usize::from(u8::MAX));
        bytes.push(u8::try_from(spared.len()).unwrap_or(u8::MAX));
        bytes.extend(spared.flat_map(|owner| owner.bytes()));
    }
}

fn moment(at: Timestamp) -> [u8; 8] {
    at.millis().to_be_bytes()
}

/// Reads what [`encode`] wrote.
///
/// # Errors
/// When it is cut short, or names an effect, subject or limit that this version does not know.
pub fn decode(bytes: &[u8]) -> Result<(Subject, Effect), &'static str> {
    let mut rest = Rest(bytes);
    let [code] = rest.take()?;
    let id = Guid::from_bytes(rest.take()?);
    let effect = match code & 15 {
        REVOKE => Effect::Revoke,
        SUSPEND => Effect::Suspend {
            version: rest.number()?,
        },
        RESUME => Effect::Resume {
            version: rest.number()?,
        },
        EXPIRE => {
            let version = rest.number()?;
            let at = rest.moment()?;
            Effect::Expire { at, version }
        }
        REFRESH => Effect::Refresh,
        COVER => Effect::Cover {
            until: rest.moment()?,
        },
        _ => return Err("an effect that this version does not know"),
    };
    let subject = match code >> 4 {
        KEY => Subject::Key(ClientId::of(id)),
        SECRET => Subject::Secret(SecretId::from_bytes(id.bytes())),
        TOKEN => Subject::Token(id),
        USER => Subject::User(id),
        OWNER => Subject::Owner(id),
        ORGANIZATION => Subject::Organization {
            guid: id,
            cohort: rest.cohort()?,
        },
        _ => return Err("a subject that this version does not know"),
    };
    Ok((subject, effect))
}

struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], &'static str> {
        let (taken, rest) = self.0.split_first_chunk().ok_or("it is cut short")?;
        self.0 = rest;
        Ok(*taken)
    }

    fn number(&mut self) -> Result<u64, &'static str> {
        self.take().map(u64::from_be_bytes)
    }

    fn moment(&mut self) -> Result<Timestamp, &'static str> {
        let millis = self.take().map(i64::from_be_bytes)?;
        let moment = Timestamp::from_millis(millis);
        if moment.millis() == millis {
            Ok(moment)
        } else {
            Err("a time outside the years 1970 to 9999")
        }
    }

    fn cohort(&mut self) -> Result<Cohort, &'static str> {
        let [flags] = self.take()?;
        let has = |flag| flags & flag != 0;
        if flags & !FLAGS != 0 {
            return Err("a limit of a cohort that this version does not know");
        }
        let environment = match flags & (SANDBOX | LIVE) {
            0 => None,
            SANDBOX => Some(KeyMode::Sandbox),
            LIVE => Some(KeyMode::Live),
            _ => return Err("an environment that this version does not know"),
        };
        let created_from = has(CREATED_FROM).then(|| self.moment()).transpose()?;
        let created_until = has(CREATED_UNTIL).then(|| self.moment()).transpose()?;
        let owner = has(OF_OWNER).then(|| self.take()).transpose()?;
        let spared = if has(SPARES) { self.take()? } else { [0] };
        let spared = (0..spared[0]).map(|_| self.take().map(Guid::from_bytes));
        Ok(Cohort {
            environment,
            created_from,
            created_until,
            owner: owner.map(Guid::from_bytes),
            spared: spared.collect::<Result<_, _>>()?,
        })
    }
}
