//! Pages of a list, and the `Link` header that leads through them.

use std::fmt::Write as _;

use super::reply::Reply;

/// The query of a request, decoded, in the order given.
#[derive(Debug, Clone, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn parse(query: &str) -> Self {
        Query(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    fn number(&self, key: &str) -> Option<usize> {
        self.get(key)?.parse().ok()
    }

    /// The query with another value of one parameter; all others are kept.
    fn with(&self, key: &str, value: usize) -> String {
        let mut out = form_urlencoded::Serializer::new(String::new());
        for (name, value) in self.0.iter().filter(|(name, _)| name != key) {
            out.append_pair(name, value);
        }
        out.append_pair(key, &value.to_string()).finish()
    }
}

/// Which page of a list is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) number: usize,
    pub(super) size: usize,
}

impl Page {
    /// `per_page` is 30 unless given, and at most 100; what cannot be read counts as not given.
    pub(super) fn of(query: &Query) -> Self {
        Page {
            number: query.number("page").unwrap_or(1).max(1),
            size: query.number("per_page").filter(|size| *size > 0).unwrap_or(30).min(100),
        }
    }

    /// How many items stand before this page.
    pub(super) fn skip(self) -> usize {
        (self.number - 1).saturating_mul(self.size)
    }

    /// GitHub's answer to those who page too deep, where a list has such a wall.
    pub(super) fn beyond(self, rows_max: Option<usize>) -> Option<Reply> {
        let rows = self.number.saturating_mul(self.size);
        rows_max.filter(|max| rows > *max).map(|_| {
            Reply::error(
                422,
                "In order to keep the API fast for everyone, pagination is limited for this resource.",
            )
        })
    }

    /// The `Link` header of this page of a list of `total` items; none when there is only one page.
    pub(super) fn link(self, base: &str, query: &Query, total: usize) -> Option<String> {
        let last = total.div_ceil(self.size).max(1);
        if last == 1 && self.number == 1 {
            return None;
        }
        let mut out = String::new();
        let mut add = |page: usize, relation: &str| {
            let separator = if out.is_empty() { "" } else { ", " };
            let _ = write!(out, "{separator}<{base}?{}>; rel=\"{relation}\"", query.with("page", page));
        };
        if self.number > 1 {
            add((self.number - 1).min(last), "prev");
        }
        if self.number < last {
            add(self.number + 1, "next");
            add(last, "last");
        }
        if self.number > 1 {
            add(1, "first");
        }
        Some(out)
    }
}

/// The items of a page.
pub(super) fn slice<T>(items: &[T], page: Page) -> &[T] {
    let from = page.skip().min(items.len());
    &items[from..(from + page.size).min(items.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_through_all_pages_and_keep_the_query() {
        let query = Query::parse("state=all&per_page=2&page=2&x=a%20b");
        let page = Page::of(&query);
        assert_eq!(
            page.link("http://h/repositories/1/pulls", &query, 5).unwrap(),
            "<http://h/repositories/1/pulls?state=all&per_page=2&x=a+b&page=1>; rel=\"prev\", \
             <http://h/repositories/1/pulls?state=all&per_page=2&x=a+b&page=3>; rel=\"next\", \
             <http://h/repositories/1/pulls?state=all&per_page=2&x=a+b&page=3>; rel=\"last\", \
             <http://h/repositories/1/pulls?state=all&per_page=2&x=a+b&page=1>; rel=\"first\""
        );
        assert_eq!(slice(&[1, 2, 3, 4, 5], page), [3, 4]);
        assert_eq!(slice(&[1, 2], Page { number: 9, size: 2 }), [0; 0]);
        assert_eq!(Page::of(&Query::parse("")).link("b", &query, 30), None);
        for (text, number, size) in [
            ("", 1, 30),
            ("page=0&per_page=0", 1, 30),
            ("page=x&per_page=-1", 1, 30),
            ("per_page=500", 1, 100),
        ] {
            assert_eq!(Page::of(&Query::parse(text)), Page { number, size }, "{text}");
        }
        assert!(Page { number: 401, size: 100 }.beyond(Some(40_000)).is_some());
        assert!(Page { number: 400, size: 100 }.beyond(Some(40_000)).is_none());
    }
}
