//! The `Link` header: where a list's other pages are.
//!
//! Addresses come back with numeric ids and parameters in any order, and other relations (`deprecation`)
//! may stand between; pages are followed as they are given, never built (reference A3).

use http::{HeaderMap, header};
use url::Url;

/// A response's links, by relation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Links {
    links: Vec<(String, String)>,
}

impl Links {
    /// Reads every `Link` header of a response from `url`, to which relative addresses refer. What
    /// cannot be read is left out.
    pub fn parse(headers: &HeaderMap, url: &Url) -> Self {
        let mut links = Links::default();
        for value in headers.get_all(header::LINK) {
            let Ok(value) = value.to_str() else { continue };
            for link in split_outside(value, ',') {
                links.take(link, url);
            }
        }
        links
    }

    /// The address of the next page, as it was given; absolute.
    pub fn next(&self) -> Option<&str> {
        self.rel("next")
    }

    /// The number of the last page.
    pub fn last_page(&self) -> Option<u64> {
        let last = Url::parse(self.rel("last")?).ok()?;
        let page = last.query_pairs().find(|(name, _)| name == "page")?.1;
        page.parse().ok()
    }

    /// The address with this relation.
    pub fn rel(&self, rel: &str) -> Option<&str> {
        self.links.iter().find(|(name, _)| name == rel).map(|(_, url)| url.as_str())
    }

    fn take(&mut self, link: &str, base: &Url) {
        let Some((target, parameters)) = link.trim().strip_prefix('<').and_then(|rest| rest.split_once('>'))
        else {
            return;
        };
        let target = match Url::parse(target) {
            Ok(_) => target.to_owned(),
            Err(_) => match base.join(target) {
                Ok(resolved) => resolved.into(),
                Err(_) => return,
            },
        };
        for parameter in split_outside(parameters, ';') {
            let Some((name, value)) = parameter.split_once('=') else { continue };
            if name.trim().eq_ignore_ascii_case("rel") {
                let rels = value.trim().trim_matches('"').split_ascii_whitespace();
                self.links.extend(rels.map(|rel| (rel.to_ascii_lowercase(), target.clone())));
            }
        }
    }
}

/// Splits at a separator that stands neither in `<…>` nor in quotes.
fn split_outside(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut in_angles, mut in_quotes) = (false, false);
    text.split(move |character| {
        match character {
            '"' if !in_angles => in_quotes = !in_quotes,
            '<' if !in_quotes => in_angles = true,
            '>' if !in_quotes => in_angles = false,
            _ => {}
        }
        character == separator && !in_angles && !in_quotes
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn links(values: &[&'static str]) -> Links {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::LINK, HeaderValue::from_static(value));
        }
        Links::parse(&headers, &Url::parse("https://api.github.com/users/o/repos?page=1").unwrap())
    }

    #[test]
    fn relations_are_found_in_any_order_and_form() {
        for value in [
            r#"<https://api.github.com/repositories/3/commits?page=2&sha=a>; rel="next", <https://api.github.com/repositories/3/commits?sha=a&page=1044>; rel="last""#,
            r#"<https://api.github.com/repositories/3/commits?sha=a&page=1044>;rel=last,<https://api.github.com/repositories/3/commits?page=2&sha=a>;rel=next"#,
            r#"<https://developer.github.com/v3, and more>; rel="deprecation"; title="a, b; c", <https://api.github.com/repositories/3/commits?page=2&sha=a>; title="n"; REL="prefetch next", <https://api.github.com/repositories/3/commits?per_page=1&page=1044>; rel="last""#,
        ] {
            let links = links(&[value]);
            assert_eq!(
                links.next(),
                Some("https://api.github.com/repositories/3/commits?page=2&sha=a"),
                "{value}"
            );
            assert_eq!(links.last_page(), Some(1044), "{value}");
        }
    }

    #[test]
    fn addresses_are_kept_as_given_and_relative_ones_resolved() {
        let given = links(&["<https://API.github.com/x?q=%7e~&page=2>; rel=\"next\""]);
        assert_eq!(given.next(), Some("https://API.github.com/x?q=%7e~&page=2"));
        let relative = links(&["</repositories/3/pulls?page=2>; rel=\"next\"", "<?page=9>; rel=last"]);
        assert_eq!(relative.next(), Some("https://api.github.com/repositories/3/pulls?page=2"));
        assert_eq!(relative.rel("last"), Some("https://api.github.com/users/o/repos?page=9"));
        assert_eq!(relative.last_page(), Some(9));
    }

    #[test]
    fn what_is_no_link_says_nothing() {
        for value in
            ["", "next", "<https://a.b/?page=2>", "https://a.b/?page=2; rel=next", "<>; rel", ";;,,<"]
        {
            assert_eq!(links(&[value]).next(), None, "{value}");
        }
        assert_eq!(links(&["<https://a.b/?per_page=1>; rel=last"]).last_page(), None);
        assert_eq!(links(&["<https://a.b/?page=x>; rel=last"]).last_page(), None);
    }
}
