//! `infra/local/DEVIATIONS.md`, which says what is otherwise on a laptop or in an emulator than on AWS, is made here: of
//! `infra/deviations.csv` and of the tests that show it. A test names what it shows in the comment above it, by the rows' ids:
//!
//! ```text
//! /// Deviation: no-tls, stage-not-in-url.
//! ```
//!
//! Rust tests are read, and so are what stands in `.ci` and the tests of `infra/cdk`, where `//` or `#` begins the comment. A row
//! that nothing shows must say why, in its column `unshown`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use regex::Regex;

const DOCUMENT: &str = "infra/local/DEVIATIONS.md";
/// Set to anything, it writes the document in place of comparing it.
const WRITE: &str = "LATCHKEY_WRITE_DEVIATIONS";
const SOURCES: [&str; 6] = [".ci", "functions", "infra/cdk", "infra/local/src", "shared", "tests"];
const NOT_SOURCES: [&str; 5] = ["cdk.out", "dist", "node_modules", "proptest-regressions", "target"];
const WIDTH: usize = 130;

/// Where something is otherwise: the column `on`, the heading of its part, and what comes before the words about AWS.
const PARTS: [(&str, &str, &str); 4] = [
    ("local", "The local stack does otherwise than AWS", "On AWS: "),
    ("ministack", "ministack does otherwise than AWS", "On AWS: "),
    ("everywhere", "The same here and there, and worth knowing", ""),
    ("aws", "Believed to be as on AWS, unproven until a deployment shows it", "On AWS: "),
];

const INTRODUCTION: &str = "\
# What is otherwise here than on AWS

<!-- Made of infra/deviations.csv and of the tests that show it; see tests/tests/api/deviations.rs. -->

The local stack (`cargo run`) reads `infra/template.yaml` and behaves as an API Gateway REST API with Lambda proxy integrations and
Lambda authorizers, over embedded services. [ministack](https://pypi.org/project/ministack/) is the emulator to which `.ci/ministack`
deploys the same template. Each entry says what happens here, what AWS does, and which test shows it.
";

struct Row {
    id: String,
    on: String,
    area: String,
    here: String,
    aws: String,
    source: String,
    unshown: String,
}

/// A test by its name and its file, as a path from the root of the repository.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Test {
    file: String,
    name: String,
}

#[test]
fn the_document_is_what_the_table_and_the_tests_say() {
    let document = document(&rows(), &shown());
    if std::env::var_os(WRITE).is_some() {
        fs::write(root().join(DOCUMENT), &document).unwrap();
    }
    let kept = fs::read_to_string(root().join(DOCUMENT)).unwrap();
    assert!(kept == document, "run `{WRITE}=1 cargo test -p tests --test api deviations::`");
}

#[test]
fn every_row_is_whole_and_shown_by_a_test_or_says_why_not() {
    let (rows, shown) = (rows(), shown());
    let mut ids = BTreeSet::new();
    for row in &rows {
        let id = &row.id;
        assert!(ids.insert(id), "{id} stands twice");
        assert!(PARTS.iter().any(|(on, ..)| on == &row.on), "{id}: {} is no place", row.on);
        assert!(!row.area.is_empty() && !row.aws.is_empty(), "{id}: an empty column");
        assert_eq!(row.here.is_empty(), row.on == "everywhere", "{id}: `here` is for what is otherwise here");
        for sentence in [&row.here, &row.aws].into_iter().filter(|text| !text.is_empty()) {
            assert!(sentence.ends_with('.') || sentence.ends_with(".)"), "{id}: no sentence: {sentence}");
        }
        match (shown.contains_key(id), row.unshown.is_empty()) {
            (false, true) => panic!("{id}: no test names it; see tests/tests/api/deviations.rs"),
            (true, false) => panic!("{id}: is shown, but says that it is not"),
            _ => {}
        }
    }
    let unknown: Vec<_> = shown.keys().filter(|id| !ids.contains(id)).collect();
    assert!(unknown.is_empty(), "not in infra/deviations.csv, but named by tests: {unknown:?}");
}

/// What reads the comments finds those that it should, and refuses what is no comment of a test.
#[test]
fn a_comment_names_what_the_next_test_shows() {
    let file = "x.rs";
    let named = |text: &str| {
        let mut shown = BTreeMap::new();
        read(file, text, &mut shown);
        shown.into_iter().map(|(id, tests)| (id, tests.into_iter().map(|test| test.name).collect())).collect::<Vec<_>>()
    };
    let one = |id: &str, test: &str| (id.to_owned(), vec![test.to_owned()]);
    let marker = ["/// Devi", "ation: a-b, c.\n"].concat();
    assert_eq!(
        named(&format!("{marker}/// More words.\n#[tokio::test]\nasync fn it_does() {{")),
        [one("a-b", "it_does"), one("c", "it_does")]
    );
    assert_eq!(named("#[test]\nfn it_does() {}"), []);
    let helper = std::panic::catch_unwind(|| named(&format!("{marker}fn helper() {{")));
    assert!(helper.is_err(), "a function that is no test shows nothing");
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn rows() -> Vec<Row> {
    let mut table = csv::Reader::from_path(root().join("infra/deviations.csv")).unwrap();
    let columns: Vec<String> = table.headers().unwrap().iter().map(str::to_owned).collect();
    assert_eq!(columns, ["id", "on", "area", "here", "aws", "source", "unshown"]);
    table
        .records()
        .map(|record| {
            let record = record.unwrap();
            let [id, on, area, here, aws, source, unshown] = [0, 1, 2, 3, 4, 5, 6].map(|column| record[column].to_owned());
            Row { id, on, area, here, aws, source, unshown }
        })
        .collect()
}

/// Every id that a comment names, with the tests below those comments.
fn shown() -> BTreeMap<String, BTreeSet<Test>> {
    let mut shown = BTreeMap::new();
    for directory in SOURCES {
        walk(&root().join(directory), &mut |path| {
            let file = path.strip_prefix(root()).unwrap().to_str().unwrap();
            // What is not text has no comments.
            if let Ok(text) = fs::read_to_string(path) {
                read(file, &text, &mut shown);
            }
        });
    }
    shown
}

fn walk(directory: &Path, visit: &mut impl FnMut(&Path)) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() && !NOT_SOURCES.iter().any(|name| path.ends_with(name)) {
            walk(&path, visit);
        } else if path.is_file() {
            visit(&path);
        }
    }
}

fn read(file: &str, text: &str, shown: &mut BTreeMap<String, BTreeSet<Test>>) {
    static COMMENT: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^\s*(?:///?|#) Deviation: ([a-z0-9, -]+)\.$").unwrap());
    static NAME: LazyLock<Regex> = LazyLock::new(|| {
        let forms = [r"\bfn (\w+)", r"^\s*(?:async )?def (\w+)", r"^(\w+)\(\) \{", r#"^\s*(?:it|test)\(['"`](.+?)['"`],"#];
        Regex::new(&forms.join("|")).unwrap()
    });
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(found) = COMMENT.captures(line) else { continue };
        let rest = lines.clone().take_while(|line| {
            let line = line.trim_start();
            line.starts_with("//") || line.starts_with('#') || line.starts_with('@')
        });
        let (count, is_test) = rest.fold((0, false), |(count, is_test), line| (count + 1, is_test || line.ends_with("test]")));
        let name = lines.clone().nth(count).and_then(|line| NAME.captures(line));
        let name = name.unwrap_or_else(|| panic!("{file}: no test comes after `{}`", line.trim()));
        let name = name.iter().skip(1).flatten().next().unwrap().as_str();
        assert!(
            Path::new(file).extension().is_none_or(|extension| extension != "rs") || is_test,
            "{file}: {name} is no test, but its comment says what it shows"
        );
        for id in found[1].split(", ") {
            shown.entry(id.to_owned()).or_default().insert(Test { file: file.to_owned(), name: name.to_owned() });
        }
    }
}

fn document(rows: &[Row], shown: &BTreeMap<String, BTreeSet<Test>>) -> String {
    let mut document = INTRODUCTION.to_owned();
    for (on, heading, before) in PARTS {
        write!(document, "\n## {heading}\n").unwrap();
        let mut areas: Vec<(&str, Vec<&Row>)> = Vec::new();
        for row in rows.iter().filter(|row| row.on == on) {
            match areas.iter_mut().find(|(area, _)| *area == row.area) {
                Some((_, entries)) => entries.push(row),
                None => areas.push((&row.area, vec![row])),
            }
        }
        for (area, entries) in areas {
            write!(document, "\n**{}{}**\n\n", area[..1].to_uppercase(), &area[1..]).unwrap();
            for row in entries {
                document.push_str(&entry(row, before, shown.get(&row.id)));
            }
        }
    }
    document
}

fn entry(row: &Row, before: &str, tests: Option<&BTreeSet<Test>>) -> String {
    let mut text = format!("- `{}`: ", row.id);
    if !row.here.is_empty() {
        write!(text, "{} ", row.here).unwrap();
    }
    write!(text, "{before}{}", row.aws).unwrap();
    if !row.source.is_empty() {
        write!(text, " (Source: {}.)", row.source).unwrap();
    }
    let mut entry = wrapped(&text);
    match tests {
        Some(tests) => {
            let links: Vec<String> = tests.iter().map(|test| format!("[{}](../../{})", test.name, test.file)).collect();
            writeln!(entry, "  Shown by {}.", links.join(", ")).unwrap();
        }
        None => entry.push_str(&wrapped(&format!("  Not shown: {}.", row.unshown))),
    }
    entry
}

/// The text in lines of at most the width, those after the first indented as the entry of a list.
fn wrapped(text: &str) -> String {
    let (mut lines, mut line) = (String::new(), String::new());
    for (position, word) in text.split(' ').enumerate() {
        if position > 0 && line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push_str(&line);
            lines.push('\n');
            line = format!("  {word}");
        } else {
            if position > 0 {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines + &line + "\n"
}
