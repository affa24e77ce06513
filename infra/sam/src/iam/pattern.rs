//! Wildcards: `*` stands for any characters, `?` for exactly one.

/// Whether the text is one that the pattern stands for, case and all.
pub(super) fn like(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut from) = (0, 0);
    // The last star, and how far the text was when it was met: where to go back to with the star
    // standing for one more.
    let mut star: Option<(usize, usize)> = None;
    while from < text.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(&wanted) if wanted == '?' || wanted == text[from] => {
                at += 1;
                from += 1;
            }
            _ => match star {
                Some((place, reached)) => {
                    star = Some((place, reached + 1));
                    at = place + 1;
                    from = reached + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|&rest| rest == '*')
}

/// [`like`] without regard to case, as actions are compared.
pub(super) fn like_ignoring_case(pattern: &str, text: &str) -> bool {
    like(&pattern.to_ascii_lowercase(), &text.to_ascii_lowercase())
}

/// Whether an ARN is one that the pattern stands for: each of the six parts between colons by
/// itself, so that a star does not reach across a colon, but for the last part, which has all that
/// is left.
pub(super) fn arn_like(pattern: &str, arn: &str) -> bool {
    if pattern == "*" {
        return true;
    }
    let (pattern, arn): (Vec<&str>, Vec<&str>) = (
        pattern.splitn(6, ':').collect(),
        arn.splitn(6, ':').collect(),
    );
    pattern.len() == arn.len()
        && pattern
            .iter()
            .zip(arn)
            .all(|(pattern, part)| like(pattern, part))
}
