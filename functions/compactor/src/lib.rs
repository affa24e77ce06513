//! The compactor: once a minute it makes segments of what the revocation feed says, so that a cold
//! authorizer need not read each of its entries (CBM-4; `domain::feed::Rules`, Segments).
//!
//! It is no part of the promise: without it cold starts are slower. Nothing that it leaves half
//! done is visible, and two of them may run at the same time.

use std::time::Duration;

use domain::feed::{Compaction, Rules};
use runtime::{Ambient, Env, StartError};
use serde_json::{Value, json};
use store::{Store, Tables};

const RULES: Rules = Rules::STANDARD;
/// How many entries a page of the feed may have; `DynamoDB` ends it at 1 MB anyway.
const PAGE_ENTRIES: u32 = 13_000;
/// How long a page may take.
const PAGE_TIME: Duration = Duration::from_secs(4);

/// The compactor of one feed.
#[derive(Debug)]
pub struct Compactor {
    store: Store,
}

/// Opens the compactor over what `env` names.
///
/// # Errors
/// A setting that is missing.
pub fn start(env: &Env, ambient: &Ambient) -> Result<Compactor, StartError> {
    // It reads and writes the feed's table alone: its role admits no other (LEAK-5).
    let feed = env.required("LATCHKEY_FEED_TABLE")?.to_owned();
    let tables = Tables {
        core: feed.clone(),
        audit: feed.clone(),
        feed,
    };
    let entropy = ambient.entropy.clone();
    let store = Store::new(&ambient.aws, tables, ambient.clock.clone(), move || {
        entropy.guid()
    });
    Ok(Compactor { store })
}

/// Makes every segment that there is enough for. Answers with how many it stored, and with the end
/// of the last one, if there is one.
///
/// # Errors
/// What reading and writing the feed can meet, and a clock that is not proven: nothing is made by
/// it.
pub async fn run(compactor: &Compactor) -> Result<Value, StartError> {
    let store = &compactor.store;
    let (mut newest_end, exchange) = store.newest_segment_end().await?;
    let mut compaction = Compaction::after(RULES, newest_end, &exchange)?;
    let mut stored = 0;
    loop {
        while let Some(query) = compaction.query() {
            let page = store.read_feed_page(&query.start, PAGE_ENTRIES, PAGE_TIME);
            compaction.absorb(&query, page.await?)?;
        }
        let Some(segment) = compaction.segment()? else {
            break;
        };
        if !store.create_segment(&segment).await? {
            tracing::info!("another compactor is at work");
            break;
        }
        stored += 1;
        newest_end = Some(segment.until);
        tracing::info!(
            from = %segment.from,
            until = %segment.until,
            hints = segment.hints.len(),
            whole = segment.whole.len(),
            "a segment of the revocation feed is stored"
        );
        compaction.go_on_after(&segment);
    }
    Ok(json!({
        "stored": stored,
        "newest_end": newest_end.map(|end| end.to_string()),
    }))
}
