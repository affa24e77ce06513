//! A feed of many pages, of which not all arrive.

#![expect(
    clippy::disallowed_methods,
    reason = "tokio's own time, which stands while anything runs"
)]

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::{DateTime, body::SdkBody, date_time::Format};
use base64::{Engine, engine::general_purpose::STANDARD};
use domain::{
    audit::{Actor, Origin},
    feed::{Effect, Entry, Freshness, Hints, Segment, Subject, encode},
    time::{Clock, Timestamp},
};
use serde_json::{Value, json};
use store::{Store, Tables, TokenToRevoke};
use tokio::time::Instant;

use super::fake_aws::{asks_for_segments, items, slow_sdk_config};
use crate::{
    feed_reader::FeedReader,
    testing::world::{NOW, claims, later},
};

/// The feed's table.
struct Table {
    entries: Vec<Entry>,
    /// How many of them a page holds, whatever it is asked for.
    page: usize,
    /// How many pages arrive before none does.
    pages_left: usize,
    now: Timestamp,
    /// What was asked for: from where, and how many.
    asked: Vec<(String, u64)>,
    segments: Vec<Segment>,
    segments_fail: bool,
    /// From where segments were asked for.
    asked_for_segments: Vec<String>,
}

fn segment_item(segment: &Segment) -> Value {
    let bytes = |bytes: &[u8]| json!({"B": STANDARD.encode(bytes)});
    json!({
        "PK": {"S": "C#0"},
        "SK": {"S": segment.from.to_string()},
        "until": {"S": segment.until.to_string()},
        "h": bytes(segment.hints.bytes()),
        "x": bytes(&segment.encode_whole().unwrap()),
        "v": {"N": "1"},
    })
}

impl Table {
    fn of(entries: usize) -> Arc<Mutex<Self>> {
        let entry = |number: usize| Entry {
            time: later(i64::try_from(number).unwrap() - 4_000_000),
            id: number.to_string(),
            effect: Effect::Revoke,
            subject: Subject::Key(claims().client_id),
        };
        Arc::new(Mutex::new(Self {
            entries: (0..entries).map(entry).collect(),
            page: 1,
            pages_left: usize::MAX,
            now: NOW,
            asked: Vec::new(),
            segments: Vec::new(),
            segments_fail: false,
            asked_for_segments: Vec::new(),
        }))
    }

    fn answer(&mut self, body: &Value) -> (u16, Value) {
        let Some(from) = body["ExpressionAttributeValues"][":from"]["S"].as_str() else {
            // A write, or a read of something else.
            return (200, json!({}));
        };
        if asks_for_segments(body) {
            self.asked_for_segments.push(from.to_owned());
            if self.segments_fail {
                return (500, json!({}));
            }
            let asked_for = self.segments.iter();
            let asked_for = asked_for.filter(|segment| segment.from.to_string().as_str() >= from);
            // One a page.
            let mut found: Vec<_> = asked_for.map(segment_item).collect();
            let has_more = found.len() > 1;
            found.truncate(1);
            let mut answer = items(found.clone());
            if has_more {
                answer["LastEvaluatedKey"] = json!({"PK": {"S": "C#0"}, "SK": found[0]["SK"]});
            }
            return (200, answer);
        }
        let limit = body["Limit"].as_u64().unwrap();
        self.asked.push((from.to_owned(), limit));
        if self.pages_left == 0 {
            return (500, json!({}));
        }
        self.pages_left -= 1;
        let inclusive = body["KeyConditionExpression"]
            .as_str()
            .unwrap()
            .contains(">=");
        let is_asked_for = |entry: &&Entry| {
            let key = entry.key().to_string();
            key.as_str() > from || inclusive && key == from
        };
        let found: Vec<_> = self.entries.iter().filter(is_asked_for).collect();
        let items: Vec<Value> = found
            .iter()
            .take(self.page)
            .map(|entry| {
                json!({
                    "PK": {"S": "F#0"},
                    "SK": {"S": entry.key().to_string()},
                    "e": {"B": STANDARD.encode(encode(&entry.subject, entry.effect))},
                })
            })
            .collect();
        let mut answer = json!({"Items": items});
        if found.len() > self.page {
            answer["LastEvaluatedKey"] =
                json!({"PK": {"S": "F#0"}, "SK": items[self.page - 1]["SK"]});
        }
        (200, answer)
    }
}

fn reader(table: &Arc<Mutex<Table>>) -> FeedReader {
    slow_reader(table, &Arc::default()).0
}

/// A reader of pages that take so many milliseconds, and the store that it reads from.
fn slow_reader(table: &Arc<Mutex<Table>>, takes: &Arc<AtomicU64>) -> (FeedReader, Store) {
    let (served, time) = (Arc::clone(table), Arc::clone(table));
    let aws = slow_sdk_config(takes.clone(), move |request: &HttpRequest| {
        let body: Value = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
        let mut table = served.lock().unwrap();
        let (status, answer) = table.answer(&body);
        let body = SdkBody::from(answer.to_string());
        let mut response = HttpResponse::new(status.try_into().unwrap(), body);
        let date = DateTime::from_millis(table.now.millis());
        let date = date.fmt(Format::HttpDate).unwrap();
        response.headers_mut().insert("date", date);
        response
    });
    let tables = Tables {
        core: "core".into(),
        feed: "feed".into(),
        audit: "audit".into(),
    };
    let clock: Clock = Arc::new(move || time.lock().unwrap().now);
    let store = Store::new(&aws, tables, clock.clone(), || claims().jti);
    (FeedReader::new(store.clone(), clock), store)
}

fn asked(table: &Mutex<Table>) -> Vec<(String, u64)> {
    std::mem::take(&mut table.lock().unwrap().asked)
}

async fn freshness(reader: &FeedReader, now: Timestamp) -> Freshness {
    reader.current(None).await.freshness(now, None)
}

/// A table of 40 entries, and segments of a quarter of an hour up to the last of them.
fn table_with_segments() -> Arc<Mutex<Table>> {
    let table = Table::of(40);
    let begins = (0..5).map(|quarter| later(900_000 * quarter - 4_800_000));
    let segments = begins.map(|from| Segment {
        from,
        until: from + Duration::from_mins(15),
        hints: Hints::default(),
        whole: Vec::new(),
    });
    table.lock().unwrap().segments = segments.collect();
    table
}

#[tokio::test]
async fn cbm_4_a_cold_reader_reads_segments_page_after_page_and_the_entries_behind_them() {
    let table = table_with_segments();
    let reader = reader(&table);
    assert_eq!(freshness(&reader, NOW).await, Freshness::Fresh);
    let begins = [-5_700_000, -3_900_000, -3_000_000, -2_100_000, -1_200_000];
    let begins = begins.map(|begin| later(begin).to_string());
    assert_eq!(table.lock().unwrap().asked_for_segments, begins);
    let behind = later(-300_000).to_string();
    assert_eq!(asked(&table).first().unwrap().0, behind);
    assert_eq!(freshness(&reader, NOW).await, Freshness::Fresh);
    assert_eq!(table.lock().unwrap().asked_for_segments.len(), 5);
}

/// They would take the time that the entries need.
#[tokio::test]
async fn cbm_4_after_segments_that_failed_entries_are_read_and_no_segments_for_five_seconds() {
    let table = table_with_segments();
    table.lock().unwrap().segments_fail = true;
    let reader = reader(&table);
    let mut asked_for_segments = Vec::new();
    for advance in [0, 0, 4_999, 1] {
        let now = {
            let mut table = table.lock().unwrap();
            table.pages_left = 3;
            table.now = table.now + Duration::from_millis(advance);
            table.now
        };
        assert_eq!(freshness(&reader, now).await, Freshness::Stale);
        assert!(asked(&table).len() >= 3, "it reads entries");
        asked_for_segments.push(table.lock().unwrap().asked_for_segments.len());
    }
    assert_eq!(asked_for_segments, [1, 1, 1, 2]);
    table.lock().unwrap().pages_left = usize::MAX;
    let now = table.lock().unwrap().now;
    assert_eq!(freshness(&reader, now).await, Freshness::Fresh);
}

#[tokio::test]
async fn all_pages_are_read_for_one_decision_if_they_arrive() {
    let table = Table::of(40);
    let reader = reader(&table);
    assert_eq!(freshness(&reader, NOW).await, Freshness::Fresh);
    assert_eq!(asked(&table).len(), 40);
    assert_eq!(freshness(&reader, NOW).await, Freshness::Fresh);
    assert!(asked(&table).is_empty());
}

/// Each decision makes progress: a reader that never gets all pages at once comes up all the same.
#[tokio::test]
async fn cbm_4_a_reading_that_was_cut_off_goes_on_after_its_last_page() {
    let table = Table::of(40);
    let reader = reader(&table);
    let mut decisions = 0;
    loop {
        table.lock().unwrap().pages_left = 7;
        let freshness = freshness(&reader, NOW).await;
        let asked = asked(&table);
        let read = 7 * decisions;
        assert!(asked.len() <= 9, "{asked:?}");
        assert!(
            decisions == 0 || asked[0].0.starts_with(&later(read - 4_000_001).to_string()),
            "{read} pages were read: {asked:?}"
        );
        if freshness == Freshness::Fresh {
            break;
        }
        assert_eq!(freshness, Freshness::Stale, "part of a feed is none");
        decisions += 1;
    }
    assert_eq!(decisions, 5);
}

#[tokio::test]
async fn a_reading_that_takes_minutes_ends_and_counts_from_its_last_stretch() {
    let table = Table::of(40);
    let reader = reader(&table);
    for decision in 0..6 {
        let now = later(decision * 30_000);
        table.lock().unwrap().now = now;
        table.lock().unwrap().pages_left = 7;
        let expected = if decision < 5 {
            Freshness::Stale
        } else {
            Freshness::Fresh
        };
        assert_eq!(freshness(&reader, now).await, expected, "{decision}");
    }
}

/// What shut every authorizer for good: more entries than come in the time that a decision has.
/// Each page has its 300 ms, and all together up to two seconds while nobody can be let in.
#[tokio::test(start_paused = true)]
async fn cbm_4_a_stale_feed_is_read_for_two_seconds_while_pages_arrive() {
    let (table, takes) = (Table::of(12), Arc::new(AtomicU64::new(240)));
    let (reader, _) = slow_reader(&table, &takes);
    let began = Instant::now();
    assert_eq!(freshness(&reader, NOW).await, Freshness::Stale);
    assert_eq!(began.elapsed(), Duration::from_secs(2));
    assert_eq!(asked(&table).len(), 7, "that came, after one of segments");
    assert_eq!(freshness(&reader, NOW).await, Freshness::Fresh);
    assert_eq!(asked(&table).len(), 5, "the first seven are known");
}

#[tokio::test(start_paused = true)]
async fn a_usable_feed_is_read_for_600_milliseconds() {
    let (table, takes) = (Table::of(0), Arc::default());
    let (reader, _) = slow_reader(&table, &takes);
    assert_eq!(freshness(&reader, NOW).await, Freshness::Fresh);
    takes.store(250, Ordering::SeqCst);
    let now = later(2_000);
    let mut of_now = Table::of(12).lock().unwrap().entries.clone();
    for entry in &mut of_now {
        entry.time = now;
    }
    table.lock().unwrap().entries = of_now;
    table.lock().unwrap().now = now;
    let began = Instant::now();
    assert_eq!(freshness(&reader, now).await, Freshness::Ageing);
    assert_eq!(began.elapsed(), Duration::from_millis(600));
}

#[tokio::test(start_paused = true)]
async fn cbm_4_a_table_that_hangs_is_given_up_after_two_pages() {
    let (table, takes) = (Table::of(1), Arc::new(AtomicU64::new(60_000)));
    let (reader, _) = slow_reader(&table, &takes);
    let began = Instant::now();
    assert_eq!(freshness(&reader, NOW).await, Freshness::Stale);
    assert_eq!(began.elapsed(), Duration::from_millis(600));
}

/// An instance that was frozen between two pages ends its pass and makes another: what it read
/// before is too old to decide by.
#[tokio::test]
async fn a_pass_that_is_too_old_at_its_end_is_followed_by_another_one() {
    let table = Table::of(40);
    // All of them within the last half minute, so that no page ends a pass.
    for entry in &mut table.lock().unwrap().entries {
        entry.time = later(entry.time.millis() - NOW.millis() + 3_999_000);
    }
    let reader = reader(&table);
    table.lock().unwrap().pages_left = 7;
    assert_eq!(freshness(&reader, NOW).await, Freshness::Stale);
    let woken = later(10_000);
    table.lock().unwrap().pages_left = usize::MAX;
    table.lock().unwrap().now = woken;
    assert_eq!(freshness(&reader, woken).await, Freshness::Fresh);
}

/// What this instance wrote may stand before the page that comes next.
#[tokio::test]
async fn a_pass_that_began_before_this_instance_wrote_is_followed_by_another_one() {
    let table = Table::of(40);
    for entry in &mut table.lock().unwrap().entries {
        entry.time = later(entry.time.millis() - NOW.millis() + 3_999_000);
    }
    let (reader, store) = slow_reader(&table, &Arc::default());
    table.lock().unwrap().pages_left = 7;
    assert_eq!(freshness(&reader, NOW).await, Freshness::Stale);
    table.lock().unwrap().pages_left = usize::MAX;
    let (claims, operator) = (claims(), Origin::of(Actor::Operator));
    let token = TokenToRevoke {
        jti: claims.jti,
        client_id: claims.client_id,
        organization: claims.org,
        expires_at: claims.exp,
    };
    store.revoke_token(&token, &operator).await.unwrap();
    drop(asked(&table));
    assert_eq!(freshness(&reader, NOW).await, Freshness::Fresh);
    let queries = asked(&table);
    let (first, again) = (&queries[0].0, &queries[33].0);
    assert!(again < first, "it begins before what was read: {queries:?}");
}

#[tokio::test]
async fn a_page_that_does_not_arrive_is_asked_for_shorter_and_in_time_longer_again() {
    let table = Table::of(1);
    let reader = reader(&table);
    let limits = async |pages| {
        table.lock().unwrap().pages_left = pages;
        reader.current(None).await;
        let asked = asked(&table);
        asked
            .into_iter()
            .map(|(_, limit)| limit)
            .collect::<Vec<_>>()
    };
    assert_eq!(limits(0).await, [13_000, 6_500]);
    for _ in 0..3 {
        limits(0).await;
    }
    assert_eq!(limits(0).await, [250, 250]);
    assert_eq!(limits(1).await, [250]);
    table.lock().unwrap().now = later(2_000);
    assert_eq!(limits(1).await, [500]);
}
