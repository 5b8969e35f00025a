//! Encodings, tags and conditions of answers.

use std::io::Read as _;

use http::Request;

use crate::{
    bench::{Bench, Reply, patient},
    forge::OCTO,
};

/// More than a kilobyte of S0 payload.
const LARGE: [(u64, &str); 12] = [
    (1, "a"),
    (2, "b"),
    (3, "c"),
    (4, "d"),
    (5, "e"),
    (6, "f"),
    (7, "g"),
    (8, "h"),
    (9, "i"),
    (10, "j"),
    (11, "k"),
    (12, "l"),
];

const PATH: &str = "/githubPayload?user=octo";

async fn large() -> Bench {
    let bench = Bench::new(patient()).await;
    OCTO.settle(&bench, &LARGE).await;
    bench
}

fn unzipped(reply: &Reply) -> Vec<u8> {
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(&reply.body[..]).read_to_end(&mut bytes).unwrap();
    bytes
}

#[tokio::test]
async fn each_encoding_has_its_own_strong_tag() {
    let bench = large().await;
    let plain = bench.get(PATH).await;
    let gzip = bench.get_with(PATH, &[("accept-encoding", "br;q=1.0, gzip;q=0.8")]).await;
    assert_eq!(plain.header("content-encoding"), "");
    assert_eq!(gzip.header("content-encoding"), "gzip");
    assert_eq!(unzipped(&gzip), plain.body);
    assert!(gzip.body.len() < plain.body.len());
    for reply in [&plain, &gzip] {
        assert_eq!(reply.header("vary"), "Accept-Encoding");
        assert_eq!(reply.header("content-length"), reply.body.len().to_string());
        assert_eq!(reply.header("cache-control"), "public, no-cache");
    }
    let tag = plain.header("etag").trim_matches('"').to_owned();
    assert_eq!(tag.len(), 16);
    assert!(tag.bytes().all(|byte| byte.is_ascii_hexdigit()));
    assert_eq!(gzip.header("etag"), format!("\"{tag}-g\""));

    for refused in ["gzip;q=0", "identity", "*;q=0", "br"] {
        let reply = bench.get_with(PATH, &[("accept-encoding", refused)]).await;
        assert_eq!(reply.body, plain.body, "{refused}");
    }
}

#[tokio::test]
async fn a_list_page_comes_compressed_too() {
    let bench = large().await;
    let path = "/v1/accounts/octo/repos";
    let plain = bench.get(path).await;
    let gzip = bench.get_with(path, &[("accept-encoding", "gzip")]).await;
    assert_eq!(unzipped(&gzip), plain.body);
    assert_ne!(gzip.header("etag"), plain.header("etag"));
}

#[tokio::test]
async fn a_small_payload_is_sent_as_it_is() {
    let bench = Bench::new(patient()).await;
    OCTO.settle(&bench, &[(1, "a")]).await;
    let reply = bench.get_with(PATH, &[("accept-encoding", "gzip")]).await;
    assert!(reply.body.len() < 1024);
    assert_eq!(reply.header("content-encoding"), "");
    assert_eq!(reply.header("etag").len(), 18);
    assert_eq!(reply.header("vary"), "Accept-Encoding");
}

#[tokio::test]
async fn who_has_the_payload_is_told_so_with_every_header_and_no_body() {
    let bench = large().await;
    for encoding in ["identity", "gzip"] {
        let whole = bench.get_with(PATH, &[("accept-encoding", encoding)]).await;
        let etag = whole.header("etag").to_owned();
        let weak = format!("W/{etag}");
        let list = format!("\"other\", {etag}");
        for known in [etag.as_str(), weak.as_str(), list.as_str(), "*"] {
            let headers = [("accept-encoding", encoding), ("if-none-match", known)];
            let reply = bench.get_with(PATH, &headers).await;
            assert_eq!(reply.status, 304, "{known}");
            assert!(reply.body.is_empty());
            for name in [
                "etag",
                "vary",
                "cache-control",
                "tallyhook-as-of",
                "tallyhook-checked-at",
                "tallyhook-position",
                "tallyhook-complete",
            ] {
                assert!(!whole.header(name).is_empty(), "{name}");
                assert_eq!(reply.header(name), whole.header(name), "{name}");
            }
            assert_eq!(reply.header("content-type"), "");
            assert_eq!(reply.header("content-encoding"), "");
        }
        let reply =
            bench.get_with(PATH, &[("accept-encoding", encoding), ("if-none-match", "\"other\"")]).await;
        assert_eq!((reply.status.as_u16(), reply.body), (200, whole.body));
    }
}

#[tokio::test]
async fn a_tag_lasts_as_long_as_the_bytes_whatever_stands_beside_them() {
    let bench = large().await;
    let before = bench.get(PATH).await;
    bench.pass(std::time::Duration::from_secs(60));
    // Confirmed without news: the payload is the same, the time of its check is not.
    OCTO.settle(&bench, &LARGE).await;
    let after = bench.get(PATH).await;
    assert_eq!(after.header("etag"), before.header("etag"));
    assert_ne!(after.header("tallyhook-checked-at"), before.header("tallyhook-checked-at"));
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let bench = large().await;
    for path in [PATH, "/v1/accounts/octo", "/v1/accounts/octo/repos", "/v1/repos/octo/a", "/version"] {
        let get = bench.get(path).await;
        let head = bench.ask(Request::head(path).body(axum::body::Body::empty()).unwrap()).await;
        assert_eq!(head.status, 200);
        assert_eq!(head.headers, get.headers, "{path}");
        assert!(head.body.is_empty());
    }
    let etag = bench.get(PATH).await.header("etag").to_owned();
    let request = Request::head(PATH).header("if-none-match", etag).body(axum::body::Body::empty());
    assert_eq!(bench.ask(request.unwrap()).await.status, 304);
    let head = bench.ask(Request::head("/nothing").body(axum::body::Body::empty()).unwrap()).await;
    assert_eq!(head.status, 404);
}
