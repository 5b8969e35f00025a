//! `If-None-Match` (RFC 9110, section 13.1.2).

use http::{HeaderMap, header};

/// Whether the reader says that it has the representation with this (strong) tag already.
///
/// For GET and HEAD tags are compared weakly: `W/"x"` names the same as `"x"`.
pub(crate) fn is_known(request: &HeaderMap, etag: &[u8]) -> bool {
    request.get_all(header::IF_NONE_MATCH).iter().any(|value| lists(value.as_bytes(), etag))
}

fn lists(mut list: &[u8], etag: &[u8]) -> bool {
    if list.trim_ascii() == b"*" {
        return true;
    }
    // A tag may hold commas, so the list is read quote by quote; a `W/` before a quote is passed over.
    while let Some(start) = list.iter().position(|&byte| byte == b'"') {
        let Some(length) = list[start + 1..].iter().position(|&byte| byte == b'"') else { return false };
        let end = start + 1 + length + 1;
        if &list[start..end] == etag {
            return true;
        }
        list = &list[end..];
    }
    false
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn is_known_by(lists: &[&'static str]) -> bool {
        let mut request = HeaderMap::new();
        for list in lists {
            request.append(header::IF_NONE_MATCH, HeaderValue::from_static(list));
        }
        is_known(&request, b"\"0123456789abcdef-g\"")
    }

    #[test]
    fn a_tag_is_found_alone_weak_in_a_list_and_by_the_star() {
        assert!(is_known_by(&["\"0123456789abcdef-g\""]));
        assert!(is_known_by(&["W/\"0123456789abcdef-g\""]));
        assert!(is_known_by(&["\"a,b\" , W/\"\",\"0123456789abcdef-g\""]));
        assert!(is_known_by(&["\"other\"", "\"0123456789abcdef-g\""]), "several headers are one list");
        assert!(is_known_by(&[" * "]));
    }

    #[test]
    fn other_tags_and_nonsense_are_not_found() {
        assert!(!is_known_by(&[]));
        assert!(!is_known_by(&["\"0123456789abcdef\""]), "the tag of another encoding is another tag");
        assert!(!is_known_by(&["0123456789abcdef-g"]), "a tag has quotes");
        assert!(!is_known_by(&["\"0123456789abcdef-g"]));
        assert!(!is_known_by(&["\"*\""]));
        assert!(!is_known_by(&["\"x\"0123456789abcdef-g\"x\""]), "what stands between tags is no tag");
    }
}
