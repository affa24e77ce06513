//! The names of attributes in `DynamoDB`'s expressions, for conditions on `dynamodb:Attributes` and
//! `dynamodb:LeadingKeys`.
//!
//! Only names are looked for; whether an expression is one is for the tables to say.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// What is no attribute though it is a word.
const WORDS: [&str; 9] = [
    "SET", "REMOVE", "ADD", "DELETE", "AND", "OR", "NOT", "BETWEEN", "IN",
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    /// A name, a `#placeholder` or a `:value`; of a path, what stands before the first point.
    Word(&'a str),
    Sign(char),
}

/// The top-level attributes that an expression names.
pub(super) fn attributes(expression: &str, names: &Map<String, Value>) -> BTreeSet<String> {
    let tokens = tokens(expression);
    let followed = tokens
        .iter()
        .zip(tokens.iter().skip(1).map(Some).chain([None]));
    followed
        .filter_map(|(token, next)| match token {
            Token::Word(word) if next != Some(&Token::Sign('(')) => attribute(word, names),
            _ => None,
        })
        .collect()
}

/// The placeholder of the value that a key condition asks this attribute to equal.
pub(super) fn equals<'a>(
    expression: &'a str,
    names: &Map<String, Value>,
    wanted: &str,
) -> Option<&'a str> {
    let tokens = tokens(expression);
    tokens.windows(3).find_map(|window| match window {
        [Token::Word(name), Token::Sign('='), Token::Word(value)] if value.starts_with(':') => {
            (attribute(name, names).as_deref() == Some(wanted)).then_some(*value)
        }
        _ => None,
    })
}

fn attribute(word: &str, names: &Map<String, Value>) -> Option<String> {
    match word.chars().next()? {
        '#' => names.get(word)?.as_str().map(str::to_owned),
        ':' => None,
        first if first.is_ascii_digit() => None,
        _ if WORDS.iter().any(|known| known.eq_ignore_ascii_case(word)) => None,
        _ => Some(word.to_owned()),
    }
}

fn tokens(expression: &str) -> Vec<Token<'_>> {
    let part_of_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '#' | ':' | '-');
    let mut tokens = Vec::new();
    let mut rest = expression;
    // After a point or in brackets stand parts of a path.
    let mut inner = false;
    while let Some(first) = rest.chars().next() {
        if part_of_word(first) {
            let end = rest.find(|c| !part_of_word(c)).unwrap_or(rest.len());
            if !inner {
                tokens.push(Token::Word(&rest[..end]));
            }
            inner = false;
            rest = &rest[end..];
            continue;
        }
        inner = matches!(first, '.' | '[');
        if !inner && !first.is_whitespace() && first != ']' {
            tokens.push(Token::Sign(first));
        }
        rest = &rest[first.len_utf8()..];
    }
    tokens
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn attributes_are_found_wherever_an_expression_names_them() {
        let names = json!({"#s": "secrets", "#p": "PK"});
        let names = names.as_object().unwrap();
        for (expression, expected) in [
            (
                "SET #s = :s, version = version + :one REMOVE unannounced",
                "secrets unannounced version",
            ),
            (
                "ADD n :one SET expires = if_not_exists(expires, :end)",
                "expires n",
            ),
            (
                "attribute_not_exists(PK) OR (a.b.#s[0].c > :x AND NOT contains(d, :y))",
                "PK a d",
            ),
            ("#p = :pk AND begins_with(SK, :prefix)", "PK SK"),
            ("a BETWEEN :a AND :b or c in (:d)", "a c"),
            ("", ""),
        ] {
            let found: Vec<String> = attributes(expression, names).into_iter().collect();
            assert_eq!(found.join(" "), expected, "{expression}");
        }
        assert_eq!(
            equals("#p = :pk AND begins_with(SK, :prefix)", names, "PK"),
            Some(":pk")
        );
        assert_eq!(equals("SK > :sk and PK=:pk", names, "PK"), Some(":pk"));
        assert_eq!(equals("PK > :pk", names, "PK"), None);
    }
}
