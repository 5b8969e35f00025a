//! Pages of a list: which one is asked for, and the `Link` header to the others.

use std::fmt::Write as _;

use http::{HeaderValue, Uri};

use super::problem::Problem;

/// GitHub's own default and bound.
const PER_PAGE_DEFAULT: usize = 30;
const PER_PAGE_MAX: usize = 100;

/// Which part of a list is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Paging {
    /// From 1.
    pub(crate) page: usize,
    /// 1 to 100.
    pub(crate) per_page: usize,
}

impl Paging {
    /// Reads `page` and `per_page`; more than 100 on a page are not given.
    pub(crate) fn read(uri: &Uri) -> Result<Self, Problem> {
        let page = number(uri, "page")?.unwrap_or(1);
        let per_page = number(uri, "per_page")?.unwrap_or(PER_PAGE_DEFAULT).min(PER_PAGE_MAX);
        Ok(Paging { page, per_page })
    }

    /// The header that leads from this page of `total` things under `path`; `None` when it is the only one.
    pub(crate) fn link(self, path: &str, total: usize) -> Option<HeaderValue> {
        let last = total.div_ceil(self.per_page).max(1);
        let mut links = String::new();
        let mut link = |page: usize, rel: &str| {
            let comma = if links.is_empty() { "" } else { ", " };
            let per_page = self.per_page;
            write!(links, "{comma}<{path}?page={page}&per_page={per_page}>; rel=\"{rel}\"")
                .expect("writing to memory does not fail");
        };
        if self.page > 1 {
            link(1, "first");
            link((self.page - 1).min(last), "prev");
        }
        if self.page < last {
            link(self.page + 1, "next");
            link(last, "last");
        }
        (!links.is_empty()).then(|| HeaderValue::try_from(links).expect("paths are percent-encoded"))
    }
}

fn number(uri: &Uri, name: &'static str) -> Result<Option<usize>, Problem> {
    let Some(text) = super::path::query(uri, name) else { return Ok(None) };
    match text.parse() {
        Ok(number) if number >= 1 => Ok(Some(number)),
        _ => Err(Problem::bad_request(format!("`{name}` must be a whole number from 1"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Option<(usize, usize)> {
        let uri = format!("/list{query}").parse().unwrap();
        Paging::read(&uri).ok().map(|paging| (paging.page, paging.per_page))
    }

    fn links(page: usize, per_page: usize, total: usize) -> String {
        let link = Paging { page, per_page }.link("/list", total);
        link.map_or(String::new(), |link| link.to_str().unwrap().to_owned())
    }

    #[test]
    fn numbers_are_read_with_githubs_defaults_and_bound() {
        assert_eq!(read(""), Some((1, 30)));
        assert_eq!(read("?page=3&per_page=100"), Some((3, 100)));
        assert_eq!(read("?per_page=5000"), Some((1, 100)));
        for query in ["?page=0", "?page=-1", "?page=x", "?page=", "?per_page=0", "?per_page=1.5"] {
            assert_eq!(read(query), None, "{query}");
        }
        assert_eq!(read("?page=99999999999999999999999"), None);
    }

    #[test]
    fn links_lead_to_every_other_page() {
        assert_eq!(links(1, 30, 30), "");
        assert_eq!(links(1, 30, 0), "");
        assert_eq!(
            links(1, 10, 25),
            "</list?page=2&per_page=10>; rel=\"next\", </list?page=3&per_page=10>; rel=\"last\""
        );
        assert_eq!(
            links(2, 10, 25),
            "</list?page=1&per_page=10>; rel=\"first\", </list?page=1&per_page=10>; rel=\"prev\", \
             </list?page=3&per_page=10>; rel=\"next\", </list?page=3&per_page=10>; rel=\"last\""
        );
        assert_eq!(
            links(9, 10, 25),
            "</list?page=1&per_page=10>; rel=\"first\", </list?page=3&per_page=10>; rel=\"prev\""
        );
    }
}
