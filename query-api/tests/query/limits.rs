//! How often one address may read.

use std::{net::SocketAddr, num::NonZeroU32};

use axum::body::Body;
use boot::http::PeerAddress;
use http::Request;
use query_api::Quota;

use crate::{
    bench::{Bench, Reply, patient, request, with_headers},
    forge::OCTO,
};

const PATH: &str = "/v1/accounts/octo";

async fn limited(per_hour: u32, trusted: &[&str]) -> Bench {
    let mut settings = patient();
    settings.read_limit = Some(Quota::per_hour(NonZeroU32::new(per_hour).unwrap()));
    settings.trusted_proxies = trusted.iter().map(|network| network.parse().unwrap()).collect();
    let bench = Bench::new(settings).await;
    OCTO.settle(&bench, &[]).await;
    bench
}

fn from(peer: &str, mut request: Request<Body>) -> Request<Body> {
    request.extensions_mut().insert(PeerAddress(SocketAddr::new(peer.parse().unwrap(), 9)));
    request
}

async fn get_from(bench: &Bench, peer: &str, forwarded: &str) -> Reply {
    bench.ask(from(peer, with_headers(request(PATH), &[("x-forwarded-for", forwarded)]))).await
}

#[tokio::test]
async fn each_address_has_its_own_limit_and_is_told_when_to_come_back() {
    let bench = limited(2, &[]).await;
    for _ in 0..2 {
        assert_eq!(bench.ask(from("192.0.2.1", request(PATH))).await.status, 200);
    }
    let reply = bench.ask(from("192.0.2.1", request(PATH))).await;
    reply.problem(429, "rate-limited");
    let wait: u64 = reply.header("retry-after").parse().unwrap();
    assert!((1790..=1800).contains(&wait), "{wait}");
    assert_eq!(reply.header("access-control-allow-origin"), "*", "a page may read the refusal");
    assert_eq!(bench.ask(from("192.0.2.2", request(PATH))).await.status, 200);
    let head = Request::head(PATH).body(Body::empty()).unwrap();
    assert_eq!(bench.ask(from("192.0.2.1", head)).await.status, 429, "HEAD is a read too");
    assert_eq!(bench.ask(from("192.0.2.1", request("/version"))).await.status, 200);
}

#[tokio::test]
async fn only_trusted_proxies_name_the_client() {
    let bench = limited(1, &["10.0.0.0/8"]).await;
    assert_eq!(get_from(&bench, "10.0.0.1", "203.0.113.1").await.status, 200);
    assert_eq!(get_from(&bench, "10.0.0.1", "203.0.113.2").await.status, 200);
    assert_eq!(get_from(&bench, "10.0.0.2", "198.51.100.9, 203.0.113.1").await.status, 429);

    assert_eq!(get_from(&bench, "192.0.2.9", "203.0.113.50").await.status, 200);
    assert_eq!(get_from(&bench, "192.0.2.9", "203.0.113.51").await.status, 429, "a stranger cannot pretend");
}

#[tokio::test]
async fn preflights_are_free_and_requests_without_an_address_share_one_limit() {
    let bench = limited(1, &[]).await;
    for _ in 0..5 {
        let preflight = Request::options(PATH).body(Body::empty()).unwrap();
        assert_eq!(bench.ask(preflight).await.status, 204);
    }
    assert_eq!(bench.get(PATH).await.status, 200);
    assert_eq!(bench.get(PATH).await.status, 429);
}
