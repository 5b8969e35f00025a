//! Which paths a rule is for.

/// A path in which `*` stands for anything, slashes too.
#[derive(Debug, Clone)]
pub(super) struct Pattern(Vec<String>);

impl Pattern {
    pub(super) fn new(pattern: &str) -> Self {
        Pattern(pattern.split('*').map(str::to_owned).collect())
    }

    pub(super) fn matches(&self, path: &str) -> bool {
        let [first, middle @ .., last] = self.0.as_slice() else {
            return self.0.first().is_some_and(|whole| whole == path);
        };
        let Some(mut rest) = path.strip_prefix(first.as_str()) else { return false };
        for part in middle {
            match rest.find(part.as_str()) {
                Some(at) => rest = &rest[at + part.len()..],
                None => return false,
            }
        }
        rest.ends_with(last.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, path, matches) in [
            ("*", "/user", true),
            ("/user", "/user", true),
            ("/user", "/users", false),
            ("*/languages", "/repos/a/b/languages", true),
            ("*/languages", "/repos/a/languages/pulls", false),
            ("/repos/*/pulls*", "/repos/a/b/pulls/1", true),
            ("/repos/*/pulls", "/repositories/1/pulls", false),
            ("/a*a", "/a", false),
        ] {
            assert_eq!(Pattern::new(pattern).matches(path), matches, "{pattern} {path}");
        }
    }
}
