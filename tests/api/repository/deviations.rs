//! `infra/local/DEVIATIONS.md` and `docs/cost.md` are written by hand. Each function that they name
//! as evidence exists, and each difference that the code cites (`Deviation: no-tls.` in a comment)
//! is an entry of the first page.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use regex::Regex;

const DEVIATIONS: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../infra/local/DEVIATIONS.md"
));
const COST: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/cost.md"));

#[test]
fn every_test_that_the_pages_name_exists() {
    let (sources, shown) = (
        sources(),
        Regex::new(r"(?m)^(?:- )?Shown by (.+(?:\n[^\n#-].*)*)$").unwrap(),
    );
    for page in [DEVIATIONS, COST] {
        let lines: Vec<&str> = shown
            .captures_iter(page)
            .map(|line| line.get(1).unwrap().as_str())
            .collect();
        assert!(!lines.is_empty(), "a page names no test");
        // What stands between backticks.
        for name in lines
            .iter()
            .flat_map(|line| line.split('`').skip(1).step_by(2))
        {
            let found = if name.starts_with("tests/conformance/") {
                usize::from(root().join(name).is_file())
            } else {
                sources.matches(&format!("fn {name}(")).count()
                    + sources.matches(&format!("def {name}(")).count()
            };
            assert_eq!(found, 1, "`{name}`: one function must have this name");
        }
    }
}

#[test]
fn every_difference_that_the_code_cites_is_on_the_page() {
    let mut entries = BTreeSet::new();
    for entry in DEVIATIONS.split("\n### ").skip(1) {
        let name = entry.lines().next().unwrap();
        assert!(entries.insert(name), "{name}: two entries have this name");
        let evidence = ["\n- Shown by `", "\n- Not shown: "]
            .iter()
            .any(|start| entry.contains(start));
        assert!(
            evidence,
            "{name}: name a test (`- Shown by`) or the reason why there is none (`- Not shown:`)"
        );
    }
    let (sources, citation) = (
        sources(),
        Regex::new(r"(?m)^\s*(?:///?|#) Deviation: (.+)$").unwrap(),
    );
    let cited: BTreeSet<&str> = citation
        .captures_iter(&sources)
        .flat_map(|names| {
            names
                .get(1)
                .unwrap()
                .as_str()
                .trim_end_matches('.')
                .split(", ")
        })
        .collect();
    assert!(!cited.is_empty(), "no comment cites an entry");
    let unknown: Vec<_> = cited.difference(&entries).collect();
    assert!(
        unknown.is_empty(),
        "cited in comments, but no entry of infra/local/DEVIATIONS.md: {unknown:?}"
    );
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The text of the Rust sources and of the scripts of `tests/conformance`.
fn sources() -> String {
    let mut directories: Vec<PathBuf> = ["functions", "infra", "shared", "tests"]
        .iter()
        .map(|name| root().join(name))
        .collect();
    let mut text = String::new();
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if !path.ends_with("node_modules") {
                    directories.push(path);
                }
            } else if path
                .extension()
                .is_none_or(|extension| extension == "rs" || extension == "py")
            {
                text += &fs::read_to_string(&path).unwrap_or_default();
            }
        }
    }
    text
}
