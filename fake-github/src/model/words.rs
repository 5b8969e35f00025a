//! Names and texts that the world makes up, and what may be a branch's name.

use rand::{Rng, RngExt};

const ADJECTIVES: [&str; 16] = [
    "quiet", "brave", "tiny", "rapid", "amber", "lucid", "sunny", "misty", "polar", "crisp", "vivid",
    "noble", "early", "solid", "plain", "merry",
];
const NOUNS: [&str; 16] = [
    "otter", "falcon", "harbor", "lantern", "meadow", "pixel", "ledger", "compass", "anchor", "beacon",
    "canyon", "ember", "glacier", "thicket", "willow", "zephyr",
];
const SUBJECTS: [&str; 10] = [
    "Fix the off-by-one in the parser",
    "Teach the cache to forget",
    "Rename things while they are small",
    "Übersetze die Meldungen \u{2728}",
    "Say why, \"not\" what",
    "Bump C:\\deps\tand see",
    "読みやすくする",
    "Remove dead code",
    "Add the missing test",
    "Make the slow path fast",
];
const TOPICS: [&str; 10] =
    ["rust", "webhooks", "cli", "database", "parser", "http", "demo", "c-plus-plus", "maps", "testing"];
const LANGUAGES: [&str; 9] =
    ["Rust", "Python", "C", "C++", "Jupyter Notebook", "TypeScript", "Shell", "Objective-C", "Go"];
const ZENS: [&str; 5] = [
    "Keep it logically awesome.",
    "Anything added dilutes everything else.",
    "Design for failure.",
    "It's not fully shipped until it's fast.",
    "Favor focus over features.",
];

fn pick<'a>(rng: &mut impl Rng, list: &[&'a str]) -> &'a str {
    list[rng.random_range(0..list.len())]
}

/// Two words and a number, good for logins, repositories and branches.
pub(crate) fn name(rng: &mut impl Rng) -> String {
    format!("{}-{}-{}", pick(rng, &ADJECTIVES), pick(rng, &NOUNS), rng.random_range(10..1000))
}

/// A person's name.
pub(crate) fn person(rng: &mut impl Rng) -> String {
    let capital = |word: &str| word[..1].to_uppercase() + &word[1..];
    format!("{} {}", capital(pick(rng, &ADJECTIVES)), capital(pick(rng, &NOUNS)))
}

/// A line of text, some of it beyond ASCII and some of it in need of escaping.
pub(crate) fn line(rng: &mut impl Rng) -> String {
    pick(rng, &SUBJECTS).to_owned()
}

/// A commit message; some have a body.
pub(crate) fn message(rng: &mut impl Rng) -> String {
    if rng.random_bool(0.2) {
        format!("{}\n\n{}.\n", pick(rng, &SUBJECTS), pick(rng, &SUBJECTS))
    } else {
        line(rng)
    }
}

/// A branch's name; some have a slash, some are not ASCII.
pub(crate) fn branch(rng: &mut impl Rng) -> String {
    let number = rng.random_range(10..10_000);
    match rng.random_range(0..4) {
        0 => format!("feature/{}-{number}", pick(rng, &NOUNS)),
        1 => format!("fix/größe#{number}"),
        _ => format!("{}-{number}", pick(rng, &NOUNS)),
    }
}

/// A tag's name.
pub(crate) fn tag(rng: &mut impl Rng) -> String {
    format!("v{}.{}.{}", rng.random_range(0..4), rng.random_range(0..20), rng.random_range(0..100))
}

/// Up to four topics.
pub(crate) fn topics(rng: &mut impl Rng) -> Vec<&'static str> {
    (0..rng.random_range(0..5)).map(|_| pick(rng, &TOPICS)).collect()
}

/// Up to four languages with their bytes.
pub(crate) fn languages(rng: &mut impl Rng) -> Vec<(&'static str, u64)> {
    let mut list: Vec<(&str, u64)> =
        (0..rng.random_range(1..5)).map(|_| (pick(rng, &LANGUAGES), rng.random_range(20..400_000))).collect();
    list.sort_unstable();
    list.dedup_by_key(|(name, _)| *name);
    list
}

/// What a ping says.
pub(crate) fn zen(rng: &mut impl Rng) -> &'static str {
    pick(rng, &ZENS)
}

/// Whether git takes it as a branch's name (`git check-ref-format --branch`).
pub(crate) fn is_branch(name: &str) -> bool {
    let bad_char = |c: char| c.is_ascii_control() || " ~^:?*[\\".contains(c);
    !name.is_empty()
        && !name.starts_with('-')
        && !name.ends_with('.')
        && name != "@"
        && !name.contains("..")
        && !name.contains("@{")
        && !name.contains(bad_char)
        && name.split('/').all(|part| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock"))
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn made_up_branches_are_taken_by_git() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for _ in 0..100 {
            let name = branch(&mut rng);
            assert!(is_branch(&name), "{name}");
        }
        for bad in ["", "a b", "a..b", "/a", "a/", "a.lock", "-a", "a.", "@", "a@{b", "a\\b", ".a", "a//b"] {
            assert!(!is_branch(bad), "{bad}");
        }
    }
}
