//! How an authorizer reads a large revocation feed (CBM-4): how soon a cold one comes up with a
//! million entries, and whether a warm one refuses anybody while 100,000 come in a minute. It
//! prints what it measured.
//!
//! `LATCHKEY_AUTHORIZER` names the program of the authorizer. It has 0.29 of a CPU, the share of
//! 512 MB, by a control group (`cpu`, version 1), which needs root.

#![expect(clippy::disallowed_methods, reason = "a benchmark of real time")]

use std::{
    env, fs,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use domain::{
    feed::{Effect, Rules, Subject, encode},
    ids::Guid,
    time::Timestamp,
};
use local::services::Options;
use rand::{RngCore, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use tests::{
    Platform,
    lambda::FunctionProcess,
    proxy::{Fault, Proxy, Request, Response},
};
use tokio::time::sleep;

use crate::{
    authorizer_processes::{Processes, effect, event},
    durations::Durations,
};

const RULES: Rules = Rules::STANDARD;
/// How long the table takes for a page of the feed.
const PAGE_TIME: Duration = Duration::from_millis(40);
/// How many entries, or segments, a page of 1 MB has.
const ENTRIES_OF_PAGE: usize = 12_000;
const SEGMENTS_OF_PAGE: usize = 3;
/// How far the entries reach back, and the segments end.
const REACH: Duration = Duration::from_mins(80);
const BEHIND_SEGMENTS: Duration = Duration::from_mins(2);

/// A feed in which an entry comes every so often, from its reach before `began` on.
struct BigFeed {
    from: Timestamp,
    interval_micros: u64,
    /// The entries that are read one by one: their times, and their items as JSON.
    entries: Vec<(Timestamp, String)>,
    segments: Vec<(Timestamp, Value)>,
    /// How many pages of each were asked for.
    pages_of_entries: AtomicU32,
    pages_of_segments: AtomicU32,
}

impl BigFeed {
    /// One with so many entries a minute, from the reach before `now` until `until`; segments say
    /// what is older than two minutes.
    fn new(now: Timestamp, until: Timestamp, entries_a_minute: u64) -> Self {
        let mut random = StdRng::seed_from_u64(1);
        let interval_micros = 60_000_000 / entries_a_minute;
        let from = now.earlier_by(REACH);
        let folded_until = now.earlier_by(BEHIND_SEGMENTS);
        let mut feed = Self {
            from,
            interval_micros,
            entries: Vec::new(),
            segments: Vec::new(),
            pages_of_entries: AtomicU32::new(0),
            pages_of_segments: AtomicU32::new(0),
        };
        feed.fold(folded_until, &mut random);
        for number in 0.. {
            let time = feed.time(number);
            if time >= until {
                break;
            }
            if time >= folded_until {
                let item = entry(time, number, &mut random);
                feed.entries.push((time, item));
            }
        }
        feed
    }

    fn time(&self, number: u64) -> Timestamp {
        self.from + Duration::from_micros(number * self.interval_micros)
    }

    fn fold(&mut self, until: Timestamp, random: &mut StdRng) {
        let hints = RULES.segment_hints;
        let each = Duration::from_micros(self.interval_micros * hints as u64);
        let mut from = self.from;
        while from < until {
            let end = (from + each.min(RULES.longest_segment)).min(until);
            let millis = u64::try_from(end.millis() - from.millis()).unwrap();
            let number = usize::try_from(millis * 1_000 / self.interval_micros).unwrap();
            let mut hints: Vec<[u8; 5]> = Vec::new();
            hints.resize_with(number, || {
                let mut hint = [0; 5];
                random.fill_bytes(&mut hint);
                hint
            });
            hints.sort_unstable();
            hints.dedup();
            let item = json!({
                "PK": {"S": "C#0"},
                "SK": {"S": from.to_string()},
                "until": {"S": end.to_string()},
                "h": {"B": STANDARD.encode(hints.as_flattened())},
                "x": {"B": ""},
                "v": {"N": "1"},
            });
            self.segments.push((from, item));
            from = end;
        }
    }

    /// Answers queries of the feed in place of the table.
    fn answer(&self, request: &Request, response: &mut Response) {
        if request.operation != "Query" {
            return;
        }
        let query: Value = serde_json::from_slice(&request.body).unwrap();
        let values = &query["ExpressionAttributeValues"];
        let began = Instant::now();
        let answer = if values[":segments"].is_object() {
            self.pages_of_segments.fetch_add(1, Ordering::Relaxed);
            self.page_of_segments(&values[":from"])
        } else if values[":feed"].is_object() {
            self.pages_of_entries.fetch_add(1, Ordering::Relaxed);
            self.page_of_entries(&query)
        } else {
            return;
        };
        response.status = 200;
        response.body = answer.into_bytes();
        thread::sleep(PAGE_TIME.saturating_sub(began.elapsed()));
    }

    fn page_of_segments(&self, from: &Value) -> String {
        let from: Timestamp = from["S"].as_str().unwrap().parse().unwrap();
        let begin = self.segments.partition_point(|(time, _)| *time < from);
        let rest = &self.segments[begin..];
        let page = &rest[..rest.len().min(SEGMENTS_OF_PAGE)];
        let items: Vec<_> = page.iter().map(|(_, item)| item.to_string()).collect();
        let last = page.last().filter(|_| page.len() < rest.len());
        of_page(
            &items,
            last.map(|(_, item)| item["SK"]["S"].as_str().unwrap()),
        )
    }

    fn page_of_entries(&self, query: &Value) -> String {
        let now = Timestamp::from_millis(
            i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap(),
        );
        let from = query["ExpressionAttributeValues"][":from"]["S"]
            .as_str()
            .unwrap();
        let is_after = !query["KeyConditionExpression"]
            .as_str()
            .unwrap()
            .contains(">=");
        let time: Timestamp = from.split('#').next().unwrap().parse().unwrap();
        let begin = self.entries.partition_point(|(other, item)| {
            *other < time || is_after && *other == time && sort_key(item) <= from
        });
        let end = self.entries.partition_point(|(time, _)| *time <= now);
        let rest = &self.entries[begin..end.max(begin)];
        let limit = usize::try_from(query["Limit"].as_u64().unwrap()).unwrap();
        let page = &rest[..rest.len().min(ENTRIES_OF_PAGE).min(limit)];
        let items: Vec<_> = page.iter().map(|(_, item)| item.clone()).collect();
        let last = page.last().filter(|_| page.len() < rest.len());
        of_page(&items, last.map(|(_, item)| sort_key(item)))
    }
}

fn of_page(items: &[String], last: Option<&str>) -> String {
    let items = items.join(",");
    let last = last.map_or(String::new(), |last| {
        format!(r#","LastEvaluatedKey":{{"PK":{{"S":"_"}},"SK":{{"S":"{last}"}}}}"#)
    });
    format!(r#"{{"Items":[{items}]{last}}}"#)
}

/// The item of an entry that revokes a token which nobody presents.
fn entry(time: Timestamp, number: u64, random: &mut StdRng) -> String {
    let mut id = [0; 16];
    random.fill_bytes(&mut id);
    let statement = encode(&Subject::Token(Guid::from_bytes(id)), Effect::Revoke);
    let statement = STANDARD.encode(statement);
    format!(r#"{{"SK":{{"S":"{time}#{number:08}"}},"PK":{{"S":"F#0"}},"e":{{"B":"{statement}"}}}}"#)
}

fn sort_key(item: &str) -> &str {
    let rest = &item[r#"{"SK":{"S":""#.len()..];
    &rest[..rest.find('"').unwrap()]
}

/// The authorizer's process, at 0.29 of a CPU.
struct Limited {
    process: FunctionProcess,
    group: PathBuf,
}

impl Limited {
    async fn start(platform: &Platform, proxy: &Proxy) -> Self {
        let endpoint = (
            "AWS_ENDPOINT_URL_DYNAMODB".to_owned(),
            proxy.url().to_owned(),
        );
        let program = env::var("LATCHKEY_AUTHORIZER").expect("LATCHKEY_AUTHORIZER is not set");
        let environment = Processes::environment(platform, &[endpoint].into());
        let process = FunctionProcess::start(&program, &environment).await;
        let group = PathBuf::from(format!("/sys/fs/cgroup/cpu/latchkey-{}", process.id()));
        fs::create_dir(&group).expect("a control group");
        let set = |name: &str, value: String| fs::write(group.join(name), value).unwrap();
        set("cpu.cfs_period_us", "100000".into());
        set("cpu.cfs_quota_us", "29000".into());
        set("cgroup.procs", process.id().to_string());
        Self { process, group }
    }

    async fn effect(&self, token: &str) -> String {
        effect(&self.process.invoke(event(token)).await)
    }

    /// How often it waited for its share of the CPU.
    fn throttled(&self) -> String {
        let stat = fs::read_to_string(self.group.join("cpu.stat")).unwrap();
        let waits = stat.lines().find(|line| line.starts_with("nr_throttled"));
        waits.unwrap_or_default().to_owned()
    }

    /// The most memory that it has had.
    fn peak_mib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .unwrap();
        line.trim()
            .trim_end_matches(" kB")
            .parse::<u64>()
            .unwrap()
            .div_ceil(1_024)
    }
}

impl Drop for Limited {
    fn drop(&mut self) {
        // It is empty once its process has ended; what is left then is harmless.
        drop(fs::remove_dir(&self.group));
    }
}

struct Bench {
    platform: Platform,
    proxy: Proxy,
    token: String,
    feed: Arc<BigFeed>,
}

impl Bench {
    /// How many pages of segments and of entries were asked for since this was asked last.
    fn pages(&self) -> [u32; 2] {
        [&self.feed.pages_of_segments, &self.feed.pages_of_entries]
            .map(|pages| pages.swap(0, Ordering::Relaxed))
    }

    async fn with(entries_a_minute: u64, lasts: Duration) -> Self {
        let platform = Platform::with(Options::default()).await;
        let proxy = Proxy::to(platform.stack.services().cloud().dynamodb_address()).await;
        let token = platform.token(&platform.seed.bank.key).await;
        let now = (platform.stack.services().ambient().clock)();
        let feed = Arc::new(BigFeed::new(now, now + lasts, entries_a_minute));
        let answering = feed.clone();
        proxy.set(Fault::rewrite(move |request, response| {
            answering.answer(request, response);
        }));
        Self {
            platform,
            proxy,
            token,
            feed,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it measures, and needs a control group"]
async fn cbm_4_a_cold_authorizer_comes_up_with_a_million_entries_within_two_seconds() {
    let bench = Bench::with(1_000_000 / 80, Duration::from_mins(2)).await;
    let mut durations = Durations::default();
    for _ in 0..9 {
        let began = Instant::now();
        let authorizer = Limited::start(&bench.platform, &bench.proxy).await;
        let mut refused = 0;
        while authorizer.effect(&bench.token).await != "Allow" {
            refused += 1;
        }
        let took = began.elapsed();
        let peak = authorizer.peak_mib();
        let [segments, entries] = bench.pages();
        println!(
            "{took:.2?}, {refused} refused before, {segments} pages of segments, {entries} of \
             entries, at most {peak} MiB, {}",
            authorizer.throttled()
        );
        assert!(peak <= 64);
        durations.0.push(took);
    }
    println!("from the start of the process to the first Allow: {durations}");
    assert!(durations.percentile(50) <= Duration::from_secs(2));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it measures, and needs a control group"]
async fn cbm_4_a_warm_authorizer_refuses_nothing_at_100_000_entries_in_a_minute() {
    let lasts = Duration::from_secs(90);
    let bench = Bench::with(100_000, lasts + Duration::from_mins(1)).await;
    let authorizer = Limited::start(&bench.platform, &bench.proxy).await;
    let began = Instant::now();
    while authorizer.effect(&bench.token).await != "Allow" {}
    println!("it came up after {:.2?}", began.elapsed());
    let (mut durations, mut refused, began) = (Durations::default(), 0, Instant::now());
    while began.elapsed() < lasts {
        let sent = Instant::now();
        refused += usize::from(authorizer.effect(&bench.token).await != "Allow");
        durations.0.push(sent.elapsed());
        sleep(Duration::from_millis(50)).await;
    }
    let peak = authorizer.peak_mib();
    let [_, entries] = bench.pages();
    println!(
        "{durations}; {refused} refused, {entries} pages of entries, at most {peak} MiB, {}",
        authorizer.throttled()
    );
    assert_eq!(refused, 0);
}
