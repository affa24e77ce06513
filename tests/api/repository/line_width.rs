//! No line of Rust, TypeScript, TOML and the scripts of CI is wider than 100 columns, and none of a
//! paragraph in Markdown and of a comment in YAML.
//!
//! Exempt are lines with a URL, and what cannot be broken without changing it: raw strings in Rust,
//! which hold the tests' data, names of tests, inline tables of TOML, and tables, code and HTML
//! comments in Markdown. Files of other kinds are data, or generated, and not looked at.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

const WIDTH: usize = 100;
/// What is looked at by its extension, beside the scripts of CI, which have none.
const EXTENSIONS: [&str; 6] = ["md", "py", "rs", "toml", "ts", "yaml"];
/// Directories that hold what others wrote, what is built, or data.
const SKIPPED: [&str; 7] = [
    ".aws-sam",
    ".git",
    ".latchkey",
    "cdk.out",
    "dist",
    "node_modules",
    "target",
];

#[test]
fn no_line_is_wider_than_100_columns() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut files = Vec::new();
    find(root, &mut files);
    assert!(files.len() > 300, "only {} files were found", files.len());
    let mut wide = String::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let name = file.strip_prefix(root).unwrap().display();
        let numbers = match extension(&file) {
            "rs" => wide_in_rust(&text),
            "md" => wide_in_markdown(&text),
            "ts" => wide_but(&text, begins_a_test_in_typescript),
            "toml" => wide_but(&text, has_inline_table),
            "yaml" => wide_but(&text, |line| !is_comment(line)),
            _ => wide_but(&text, |_| false),
        };
        for number in numbers {
            writeln!(wide, "{name}:{number}").unwrap();
        }
    }
    assert!(
        wide.is_empty(),
        "over {WIDTH} columns: break these lines, or put test data into a raw string\n{wide}"
    );
}

#[test]
fn raw_strings_and_urls_are_exempt_in_rust() {
    let long = "x ".repeat(60);
    assert_eq!(wide_in_rust(&long), [1]);
    assert!(wide_in_rust(&"ü".repeat(100)).is_empty());
    assert!(wide_in_rust(&format!("// https://example.com {long}")).is_empty());
    assert_eq!(wide_in_rust(&format!("let a = r\"{long}\";\n{long}")), [2]);
    let text = format!("let a = r#\"\n\"{long}\"\n{long}\"#;\n{long}");
    assert_eq!(wide_in_rust(&text), [4]);
    assert_eq!(wide_in_rust(&format!("let your = \"{long}\";")), [1]);
}

#[test]
fn tables_code_and_urls_are_exempt_in_markdown() {
    let long = "x ".repeat(60);
    assert_eq!(wide_in_markdown(&format!("{long}\n\n- {long}")), [1, 3]);
    assert!(wide_in_markdown(&format!("| {long} |\n[a](b) {long}")).is_empty());
    let text = format!("```sh\n{long}\n```\n<!-- {long} -->\n{long}");
    assert_eq!(wide_in_markdown(&text), [5]);
}

#[test]
fn names_of_tests_are_exempt_in_typescript() {
    let long = "x ".repeat(60);
    let text = format!("test('{long}', () => {{\n  const it = '{long}';\n  // {long}\n}});");
    assert_eq!(wide_but(&text, begins_a_test_in_typescript), [2, 3]);
}

#[test]
fn inline_tables_are_exempt_in_toml_and_all_but_comments_in_yaml() {
    let long = "x ".repeat(60);
    let text =
        format!("# a = {{ {long}\na = {{ b = \"{long}\" }}\n  {{ b = 1 }}, # {long}\n{long}");
    assert_eq!(wide_but(&text, has_inline_table), [1, 4]);
    let text = format!("a: {long}\n  # {long}");
    assert_eq!(wide_but(&text, |line| !is_comment(line)), [2]);
}

#[test]
fn scripts_of_ci_are_looked_at_and_data_is_not() {
    for path in [
        "/.ci/run",
        "tests/conformance/tour",
        "a/b.py",
        "infra/template.yaml",
    ] {
        assert!(is_looked_at(Path::new(path)), "{path}");
    }
    for path in [
        "LICENSE",
        "tests/conformance/a.json",
        "infra/permissions.csv",
    ] {
        assert!(!is_looked_at(Path::new(path)), "{path}");
    }
}

fn find(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if !SKIPPED.iter().any(|name| path.ends_with(name)) {
                find(&path, files);
            }
        } else if is_looked_at(&path) {
            files.push(path);
        }
    }
}

fn is_looked_at(path: &Path) -> bool {
    let directory = path.parent().unwrap();
    let is_of_ci = directory
        .file_name()
        .is_some_and(|name| name == ".ci" || name == "conformance");
    EXTENSIONS.contains(&extension(path)) || (is_of_ci && path.extension().is_none())
}

fn extension(path: &Path) -> &str {
    path.extension()
        .and_then(|extension| extension.to_str())
        .unwrap_or_default()
}

fn is_wide(line: &str) -> bool {
    line.chars().count() > WIDTH && !line.contains("://")
}

fn wide_in_rust(text: &str) -> Vec<usize> {
    let mut wide = Vec::new();
    // What ends the raw string that an earlier line began.
    let mut end: Option<String> = None;
    for (number, line) in (1..).zip(text.lines()) {
        let (mut rest, mut raw) = (line, end.is_some());
        loop {
            if let Some(closing) = &end {
                let Some((_, after)) = rest.split_once(closing) else {
                    break;
                };
                (rest, end) = (after, None);
            }
            let Some((after, closing)) = raw_string(rest) else {
                break;
            };
            (rest, end, raw) = (after, Some(closing), true);
        }
        if is_wide(line) && !raw && !begins_a_test(line) {
            wide.push(number);
        }
    }
    wide
}

/// Whether this is the first line of a test, whose name is one word.
fn begins_a_test(line: &str) -> bool {
    let line = line
        .trim_start()
        .trim_start_matches("async ")
        .trim_end_matches(" {");
    let name = line
        .strip_prefix("fn ")
        .and_then(|line| line.strip_suffix("()"));
    name.is_some_and(|name| !name.contains(' '))
}

/// What follows the first `r"` or `r#"` of a line outside its comment, and what ends that string.
fn raw_string(line: &str) -> Option<(&str, String)> {
    if line.trim_start().starts_with("//") {
        return None;
    }
    line.match_indices('r').find_map(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = &line[at + 1..];
        let text = after.trim_start_matches('#').strip_prefix('"')?;
        let hashes = after.len() - text.len() - 1;
        let begins =
            before.is_none_or(|before| matches!(before, ' ' | '(' | '[' | '{' | '&' | '@'));
        begins.then(|| (text, format!("\"{}", "#".repeat(hashes))))
    })
}

fn wide_in_markdown(text: &str) -> Vec<usize> {
    let mut wide = Vec::new();
    let mut is_code = false;
    for (number, line) in (1..).zip(text.lines()) {
        let start = line.trim_start();
        is_code ^= start.starts_with("```");
        let is_kept = is_code || start.starts_with(['|', '<']) || line.contains("](");
        if is_wide(line) && !is_kept {
            wide.push(number);
        }
    }
    wide
}

/// The wide lines but those that `is_kept`.
fn wide_but(text: &str, is_kept: fn(&str) -> bool) -> Vec<usize> {
    (1..)
        .zip(text.lines())
        .filter(|(_, line)| is_wide(line) && !is_kept(line))
        .map(|(number, _)| number)
        .collect()
}

fn begins_a_test_in_typescript(line: &str) -> bool {
    line.trim_start().starts_with("test('") && line.ends_with(" => {")
}

/// Whether a line of TOML has a table in braces, which ends where it began.
fn has_inline_table(line: &str) -> bool {
    !is_comment(line) && (line.trim_start().starts_with('{') || line.contains(" = {"))
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with('#')
}
