//! Paging links: whatever a server says, an address that comes out is one, and no page number is made up.

use bolero::{check, generator::*};
use github::client::Links;
use http::{HeaderMap, HeaderValue, header};
use url::Url;

/// Pieces that links are made of.
const PIECES: [&str; 14] = [
    "<",
    ">",
    "; ",
    ", ",
    "rel=\"next\"",
    "rel=\"last\"",
    "rel=next",
    "rel=\"prev first\"",
    "https://forge.test/repositories/1/commits?per_page=1&page=7",
    "/repositories?page=2",
    "?page=99999999999999999999",
    "//elsewhere.test/",
    "\"",
    "javascript:alert(1)",
];

#[test]
fn links() {
    let base = Url::parse("https://forge.test/repos/o/n/commits?per_page=1").unwrap();
    let piece = (0..PIECES.len() + 4, produce::<Vec<u8>>().with().len(0usize..6));
    check!().with_generator(produce::<Vec<_>>().with().values(piece).len(0usize..16)).for_each(|pieces| {
        let mut value = Vec::new();
        for (piece, bytes) in pieces {
            value.extend_from_slice(PIECES.get(*piece).map_or(bytes.as_slice(), |piece| piece.as_bytes()));
        }
        let Ok(value) = HeaderValue::from_bytes(&value) else { return };
        let mut headers = HeaderMap::new();
        headers.insert(header::LINK, value);
        let links = Links::parse(&headers, &base);
        for rel in ["next", "last", "prev", "first"] {
            assert!(links.rel(rel).is_none_or(|link| Url::parse(link).is_ok()));
        }
        if let Some(page) = links.last_page() {
            let last = links.rel("last").unwrap();
            assert!(last.contains(&page.to_string()), "{page} does not stand in {last}");
        }
    });
}
