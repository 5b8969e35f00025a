//! The API token.

use crate::{
    bench::{Bench, patient},
    forge::OCTO,
};

const PATHS: [&str; 4] =
    ["/githubPayload?user=octo", "/v1/accounts/octo", "/v1/accounts/octo/repos", "/v1/repos/octo/a"];

async fn keyed() -> Bench {
    let mut settings = patient();
    settings.api_token = Some("right".to_owned().into());
    let bench = Bench::new(settings).await;
    OCTO.settle(&bench, &[(1, "a")]).await;
    bench
}

#[tokio::test]
async fn data_needs_the_token_and_what_it_opens_is_private() {
    let bench = keyed().await;
    for path in PATHS {
        let reply = bench.get(path).await;
        reply.problem(401, "unauthorized");
        assert_eq!(reply.header("www-authenticate"), "Bearer realm=\"tallyhook\"");
        for wrong in ["Bearer wrong", "Bearer right2", "Bearer ", "Bearer r"] {
            let reply = bench.get_with(path, &[("authorization", wrong)]).await;
            reply.problem(401, "unauthorized");
            assert!(reply.header("www-authenticate").contains("invalid_token"), "{wrong}");
        }
        for other in ["right", "Basic right", "bearerright"] {
            bench.get_with(path, &[("authorization", other)]).await.problem(401, "unauthorized");
        }
        for right in ["Bearer right", "bearer right", "BEARER  right"] {
            let reply = bench.get_with(path, &[("authorization", right)]).await;
            assert_eq!(reply.status, 200, "{right}");
            assert_eq!(reply.header("cache-control"), "private, no-store");
            let etag = reply.header("etag").to_owned();
            let known = [("authorization", right), ("if-none-match", etag.as_str())];
            let reply = bench.get_with(path, &known).await;
            assert_eq!((reply.status.as_u16(), reply.header("cache-control")), (304, "private, no-store"));
        }
    }
}

#[tokio::test]
async fn without_a_token_nothing_is_learned_and_nothing_is_asked_for() {
    let bench = keyed().await;
    let known = bench.get("/v1/accounts/octo").await;
    let unknown = bench.get("/v1/accounts/nobody").await;
    assert_eq!((known.status, known.body), (unknown.status, unknown.body));
    assert_eq!(bench.commands_of(domain::StreamKey::Service).await.len(), 1);
}
