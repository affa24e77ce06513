//! `docs/requirements.md` against the repository: every name and section that is cited is on that
//! page, and a test cites each requirement that the page calls built, wholly or in part.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use regex::Regex;

const PAGE: &str = "docs/requirements.md";

/// May name the documents that the page replaced.
const HISTORY: [&str; 2] = [PAGE, "CHANGELOG.md"];

/// What others made, and what is built.
const SKIPPED: [&str; 7] = [
    "target",
    "node_modules",
    ".git",
    ".aws-sam",
    "cdk.out",
    "__pycache__",
    ".latchkey",
];

/// Files that carry citations, beside the scripts in `.ci` and `tests/conformance`, some of which
/// have no extension.
const EXTENSIONS: [&str; 10] = [
    "rs", "md", "yaml", "csv", "toml", "ts", "js", "json", "py", "sh",
];

/// npm's, not ours.
const FOREIGN: [&str; 1] = ["package-lock.json"];

const BUILT: [&str; 2] = ["built", "partly built"];
const NOT_BUILT: &str = "not built";

static NAME: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\b(CYB|LEAK|CBM|APT|ARZ|PORTAL|X)-(\d+)\b").unwrap());
/// Inside the name of a test. `_` is part of a word, so that no `\b` stands between two names:
/// `arz_3_cbm_2_a_gate`.
static NAME_IN_TEST: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?:\b|_)(cyb|leak|cbm|apt|arz|portal|x)_(\d+)(?:_|\b)").unwrap());

/// A file of the repository, its path relative to the root.
struct File {
    path: String,
    text: String,
}

/// A requirement as the page has it.
struct Requirement {
    line: usize,
    status: String,
}

#[test]
fn every_requirement_that_is_cited_is_on_the_page() {
    let files = files();
    require_none(
        &unknown_names(&page(&files), &files),
        "docs/requirements.md does not define these",
    );
}

#[test]
fn every_requirement_that_is_built_has_a_test_that_cites_it() {
    let files = files();
    require_none(
        &built_without_a_test(&page(&files), &files),
        "cite each in the test that shows it, or correct its status",
    );
}

#[test]
fn every_section_that_is_cited_is_on_the_page() {
    let files = files();
    let hint = "a citation is the path of the page, a comma, and one of its headings, all on the \
                same line";
    require_none(&unknown_sections(&page(&files), &files), hint);
}

#[test]
fn nothing_cites_a_document_that_is_not_in_the_repository() {
    require_none(
        &absent_documents(&files()),
        "cite docs/requirements.md instead",
    );
}

#[test]
fn every_requirement_is_defined_once_with_a_known_status() {
    let page = page(&files());
    require_none(&page.mistakes, "correct these definitions");
    assert!(
        page.requirements.len() > 60,
        "only {} requirements were read",
        page.requirements.len()
    );
}

#[track_caller]
fn require_none(found: &[String], hint: &str) {
    assert!(found.is_empty(), "{hint}:\n{}", found.join("\n"));
}

/// Each check finds the mistake that it is for, names file and line, and leaves the right spelling
/// alone.
#[test]
fn each_check_finds_its_mistake() {
    let file = |path: &str, text: &str| File {
        path: path.to_owned(),
        text: text.to_owned(),
    };
    let text = "# A\n\n## Key states\n\n- **CYB-5** · built. One.\n- **X-3** · partly built. Two.\n\
                - **APT-1** · not built. Three.\n";
    let page = Page::read(text);
    assert_eq!(page.mistakes, Vec::<String>::new());

    // Assembled, so that this file cites nothing that is not there.
    let unknown = |number: u8| format!("CYB-{number}");
    let text = format!(
        "CYB-5\n{} UUID-1 X-Forwarded-For\nfn cyb_{}_it_does() fn cyb_5_x_3_both()",
        unknown(99),
        98
    );
    let found = unknown_names(&page, &[file("a.rs", &text)]);
    assert_eq!(
        found,
        [
            format!("a.rs:2: {}", unknown(99)),
            format!("a.rs:3: {}", unknown(98))
        ]
    );

    let text = "#[cfg(test)]\nmod tests;\n/// CYB-5\nfn a() {}\n#[cfg(test)]\nmod tests \
                {\n    fn x_3_first_use() {} }";
    let beside = file("shared/a/src/a.rs", text);
    assert_eq!(
        built_without_a_test(&page, &[beside]),
        ["docs/requirements.md:5: CYB-5 is built, and no test cites it"]
    );
    let tests = [
        file("tests/api/a.rs", "/// CYB-5: so."),
        file("infra/cdk/test/a.test.ts", "test('x_3_so', () => {})"),
    ];
    assert_eq!(built_without_a_test(&page, &tests), Vec::<String>::new());

    let sections = [
        format!("({PAGE}, Key states)"),
        format!("{PAGE}, Key statesman"),
        format!("{PAGE}, key states"),
        [
            "requirements.md",
            "#key-states and requirements.md",
            "#key-stats",
        ]
        .concat(),
        format!("{PAGE}, X-3"),
        format!("{PAGE},"),
    ];
    let found = unknown_sections(&page, &[file("b.md", &sections.join("\n"))]);
    assert_eq!(
        found,
        [
            "b.md:2: Key statesman",
            "b.md:3: key states",
            "b.md:4: #key-stats",
            "b.md:6: "
        ]
    );

    let absent = ["Product", "product", "architecture"].map(|name| format!("see {name}.md"));
    let text = format!("{}\nARCHITECTURE.md", absent.join("\n"));
    let found = absent_documents(&[file("c.yaml", &text), file("CHANGELOG.md", &text)]);
    assert_eq!(
        found,
        [0, 1, 2].map(|line| format!("c.yaml:{}: {}", line + 1, absent[line]))
    );

    let page =
        Page::read("- **CYB-5** · done. One.\n- **CYB-5** · built. Again.\n- **X-3**: built.\n");
    assert_eq!(page.mistakes.len(), 3, "{:?}", page.mistakes);
}

/// `docs/requirements.md`.
#[derive(Default)]
struct Page {
    requirements: BTreeMap<String, Requirement>,
    headings: BTreeSet<String>,
    /// Lines that define nothing although they look like it.
    mistakes: Vec<String>,
}

impl Page {
    fn read(text: &str) -> Self {
        let definition = Regex::new(r"^- \*\*([A-Z]+-\d+)\*\* · ([a-z ]+)\. \S").unwrap();
        let mut page = Self::default();
        for (number, line) in numbered(text) {
            if line.starts_with('#') {
                page.headings
                    .insert(line.trim_start_matches('#').trim().to_owned());
            }
            let Some(named) = NAME
                .find(line)
                .filter(|named| line.starts_with("- **") && named.start() == "- **".len())
            else {
                continue;
            };
            let at = format!("{PAGE}:{number}: {}", named.as_str());
            let Some(defined) = definition.captures(line) else {
                page.mistakes.push(format!(
                    "{at} is not written as `- **{}** · <status>. <sentence>`",
                    named.as_str()
                ));
                continue;
            };
            let status = defined[2].to_owned();
            if !BUILT.contains(&status.as_str()) && status != NOT_BUILT {
                page.mistakes.push(format!(
                    "{at} has the status `{status}`; it must be built, partly built or not built"
                ));
            }
            if page
                .requirements
                .insert(
                    defined[1].to_owned(),
                    Requirement {
                        line: number,
                        status,
                    },
                )
                .is_some()
            {
                page.mistakes.push(format!("{at} is defined twice"));
            }
        }
        page
    }

    /// Whether `text` begins with a heading, or with the name of a requirement.
    fn begins_with_a_section(&self, text: &str) -> bool {
        let ends = |rest: &str| {
            !rest.starts_with(|next: char| next.is_alphanumeric() || next == '_' || next == '-')
        };
        let mut sections = self.headings.iter().chain(self.requirements.keys());
        sections.any(|section| text.strip_prefix(section.as_str()).is_some_and(ends))
    }

    /// The headings as GitHub makes anchors of them.
    fn anchors(&self) -> BTreeSet<String> {
        let anchor = |heading: &String| {
            let kept = heading.to_lowercase().replace(' ', "-");
            kept.chars()
                .filter(|kept| kept.is_alphanumeric() || matches!(kept, '-' | '_'))
                .collect()
        };
        self.headings.iter().map(anchor).collect()
    }
}

fn page(files: &[File]) -> Page {
    Page::read(
        &files
            .iter()
            .find(|file| file.path == PAGE)
            .unwrap_or_else(|| panic!("{PAGE} is not there"))
            .text,
    )
}

/// Names of requirements that the page does not define, each with its place.
fn unknown_names(page: &Page, files: &[File]) -> Vec<String> {
    let unknown = |line: &str| {
        names(line)
            .into_iter()
            .filter(|name| !page.requirements.contains_key(name))
            .collect()
    };
    places(files, unknown)
}

/// Requirements that are built, wholly or in part, and that no test cites.
fn built_without_a_test(page: &Page, files: &[File]) -> Vec<String> {
    // This file names some as examples.
    let tests = files.iter().filter(|file| !file!().ends_with(&file.path));
    let tested: BTreeSet<_> = tests.flat_map(|file| names(tests_of(file))).collect();
    let untested = page
        .requirements
        .iter()
        .filter(|(name, of)| BUILT.contains(&of.status.as_str()) && !tested.contains(*name));
    untested
        .map(|(name, of)| {
            format!(
                "{PAGE}:{}: {name} is {}, and no test cites it",
                of.line, of.status
            )
        })
        .collect()
}

/// Citations of a section by its heading, or of an anchor, that the page does not have.
fn unknown_sections(page: &Page, files: &[File]) -> Vec<String> {
    let cited = Regex::new(r"requirements\.md(?:, ?(.*)|#([\w-]+))").unwrap();
    let anchors = page.anchors();
    places(files, |line| {
        let mut unknown = Vec::new();
        // Citations on the same line overlap: what follows the comma is the rest of the line.
        let (mut rest, mut from) = (line, 0);
        while let Some(found) = cited.captures(rest) {
            if let Some(section) = found.get(1).map(|section| section.as_str())
                && !page.begins_with_a_section(section)
            {
                unknown.push(section.to_owned());
            }
            if let Some(anchor) = found.get(2).map(|anchor| anchor.as_str())
                && !anchors.contains(anchor)
            {
                unknown.push(format!("#{anchor}"));
            }
            from += found.get(0).unwrap().start() + "requirements.md".len();
            rest = &line[from..];
        }
        unknown
    })
}

/// Mentions of the documents that the page replaced. `ARCHITECTURE.md`, in capitals, is the
/// repository's own.
fn absent_documents(files: &[File]) -> Vec<String> {
    // In pieces, so that this line is none.
    let absent =
        Regex::new(&["(?i:\\bproduct)", "\\.md|\\b[Aa]rchitecture", "\\.md"].concat()).unwrap();
    let outside: Vec<_> = files
        .iter()
        .filter(|file| !HISTORY.contains(&file.path.as_str()))
        .collect();
    places(outside, |line| {
        absent
            .is_match(line)
            .then(|| line.trim().to_owned())
            .into_iter()
            .collect()
    })
}

/// What `find` finds in each line, as `path:line: what`.
fn places<'a>(
    files: impl IntoIterator<Item = &'a File>,
    find: impl Fn(&str) -> Vec<String>,
) -> Vec<String> {
    let mut places = Vec::new();
    for file in files {
        for (number, line) in numbered(&file.text) {
            places.extend(
                find(line)
                    .into_iter()
                    .map(|what| format!("{}:{number}: {what}", file.path)),
            );
        }
    }
    places
}

/// Every requirement that `text` names, in either spelling.
fn names(text: &str) -> Vec<String> {
    let spelled = NAME
        .captures_iter(text)
        .map(|name| format!("{}-{}", &name[1], &name[2]));
    let mut names: Vec<_> = spelled.collect();
    // Two names in one test share the `_` between them.
    let mut from = 0;
    while let Some(name) = NAME_IN_TEST.captures_at(text, from) {
        names.push(format!("{}-{}", name[1].to_uppercase(), &name[2]));
        from = name.get(2).unwrap().end();
    }
    names
}

/// The part of a file that tests: all of a test's file, and of another Rust file what follows the
/// head of its module of tests.
fn tests_of(file: &File) -> &str {
    static MODULE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"#\[cfg\(test\)\]\n(?:#\[.*\]\n)*mod \w+ \{").unwrap());
    let path = &file.path;
    let below =
        |directory: &str| path.starts_with(directory) || path.contains(&format!("/{directory}"));
    let whole = match path.rsplit_once('.') {
        // `tests/src` is the harness.
        Some((_, "rs")) => {
            (below("tests/") && !path.starts_with("tests/src/")) || path.ends_with("/tests.rs")
        }
        Some((_, "ts")) => path.starts_with("infra/cdk/test/"),
        // The scripts that run the platform.
        _ => path.starts_with("tests/conformance/"),
    };
    if whole {
        return &file.text;
    }
    MODULE
        .find(&file.text)
        .map_or("", |module| &file.text[module.start()..])
}

fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..).zip(text.lines())
}

/// Every file of ours that may cite, in order.
fn files() -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut paths = Vec::new();
    walk(root, &mut paths);
    paths.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).ok()?;
        Some(File {
            path: path
                .strip_prefix(root)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned(),
            text,
        })
    };
    paths.into_iter().filter_map(read).collect()
}

fn walk(directory: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let (path, name) = (entry.path(), entry.file_name().into_string().unwrap());
        let kind = entry.file_type().unwrap();
        if kind.is_dir() && !SKIPPED.contains(&name.as_str()) {
            walk(&path, paths);
        }
        let extension = path.extension().and_then(|extension| extension.to_str());
        let cites = extension.map_or_else(
            || {
                directory
                    .file_name()
                    .is_some_and(|name| name == ".ci" || name == "conformance")
            },
            |extension| EXTENSIONS.contains(&extension),
        );
        if kind.is_file() && cites && !FOREIGN.contains(&name.as_str()) {
            paths.push(path);
        }
    }
}
