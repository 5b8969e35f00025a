//! Word of changed views, as listeners hear it.

use std::time::Instant;

use axum::body::{Body, BodyDataStream};
use domain::{Event, RepoId, Second, StreamKey, event::HiddenWhy};
use futures::StreamExt as _;
use serde_json::Value;
use tower::ServiceExt as _;

use crate::{
    bench::{Bench, PATIENCE, patient, request, start, with_headers},
    forge::{Account, HUBOT, OCTO},
};

struct Listener {
    body: BodyDataStream,
    text: String,
}

/// An event: its id, its name, its data.
type Heard = (String, String, Value);

impl Listener {
    async fn new(bench: &Bench, headers: &[(&str, &str)]) -> Self {
        let request = with_headers(request("/v1/events"), headers);
        let response = bench.api.router().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        Listener { body: Body::new(response.into_body()).into_data_stream(), text: String::new() }
    }

    /// The next event; `None` at the end.
    async fn next(&mut self) -> Option<Heard> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    let mut lines =
                        event.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                    lines.next().unwrap_or_default().to_owned()
                };
                let heard =
                    (field("id"), field("event"), serde_json::from_str(&field("data")).unwrap_or_default());
                self.text = rest.to_owned();
                if heard.1.is_empty() {
                    continue;
                }
                return Some(heard);
            }
            let more = tokio::time::timeout(PATIENCE, self.body.next()).await.expect("an event comes");
            self.text.push_str(std::str::from_utf8(&more?.unwrap()).unwrap());
        }
    }

    /// Everything up to the event about `view`.
    async fn until(&mut self, view: &str) -> Vec<Heard> {
        let mut heard = Vec::new();
        loop {
            let event = self.next().await.expect("it goes on");
            let is_it = event.2["view"] == view;
            heard.push(event);
            if is_it {
                return heard;
            }
        }
    }
}

async fn star(bench: &Bench, account: Account, id: u64, name: &'static str, stars: u64) {
    let mut starred = account.repository(id, name);
    starred.stars = Some(stars);
    starred.updated_at = Some(Second(start().0 + i64::try_from(stars).unwrap()));
    bench.deliver(account.stream(), vec![Event::Repository(Box::new(starred))]).await;
}

#[tokio::test]
async fn a_listener_hears_which_views_changed_with_their_tags() {
    let bench = Bench::new(patient()).await;
    OCTO.settle(&bench, &[(1, "alpha"), (2, "bravo")]).await;
    let mut listener = Listener::new(&bench, &[]).await;
    star(&bench, OCTO, 1, "alpha", 1000).await;
    let heard = listener.until("/v1/repos/Octo/alpha").await;
    assert!(heard.iter().all(|(_, event, data)| event == "view" && data["view"] != "/v1/repos/Octo/bravo"));
    assert!(heard.iter().any(|(_, _, data)| data["view"] == "/v1/accounts/Octo"), "{heard:?}");
    for (_, _, data) in &heard {
        let reply = bench.get(data["view"].as_str().unwrap()).await;
        assert_eq!(data["etag"], reply.header("etag"), "{data}");
        assert_eq!(data["position"], reply.header("tallyhook-position"), "{data}");
    }
}

#[tokio::test]
async fn a_view_is_told_of_at_most_once_a_second() {
    let bench = Bench::new(patient()).await;
    OCTO.settle(&bench, &[(1, "alpha")]).await;
    let mut listener = Listener::new(&bench, &[]).await;
    let began = Instant::now();
    for stars in 1000..1060 {
        star(&bench, OCTO, 1, "alpha", stars).await;
    }
    let etag = bench.get("/v1/repos/octo/alpha").await.header("etag").to_owned();
    let mut told = 0;
    loop {
        let heard = listener.until("/v1/repos/Octo/alpha").await;
        told += 1;
        if heard.last().unwrap().2["etag"] == etag {
            break;
        }
    }
    let seconds = began.elapsed().as_secs();
    assert!(told <= seconds + 2, "{told} times in {seconds} s");
}

#[tokio::test]
async fn who_comes_back_goes_on_and_who_missed_too_much_is_told() {
    let bench = Bench::new(patient()).await;
    OCTO.settle(&bench, &[(1, "alpha"), (2, "bravo")]).await;
    let mut listener = Listener::new(&bench, &[]).await;
    star(&bench, OCTO, 1, "alpha", 1000).await;
    let (id, ..) = listener.until("/v1/repos/Octo/alpha").await.pop().unwrap();
    drop(listener);
    let mut other = Listener::new(&bench, &[]).await;
    star(&bench, OCTO, 2, "bravo", 2000).await;
    other.until("/v1/repos/Octo/bravo").await;

    let mut back = Listener::new(&bench, &[("last-event-id", &id)]).await;
    let heard = back.until("/v1/repos/Octo/bravo").await;
    assert!(heard.iter().all(|(other, ..)| *other != id), "{heard:?}");
    for unknown in ["", "12", "0-0", "zz-1", &id.replace('-', "-9999")] {
        let mut stranger = Listener::new(&bench, &[("last-event-id", unknown)]).await;
        assert_eq!(stranger.next().await.unwrap().1, "missed", "{unknown}");
    }
    bench.hints.overrun();
    loop {
        if back.next().await.unwrap().1 == "missed" {
            break;
        }
    }
}

#[tokio::test]
async fn what_is_hidden_leaves_no_trace_not_even_of_what_was_to_be_told() {
    let bench = Bench::new(patient()).await;
    OCTO.settle(&bench, &[(1, "alpha"), (2, "bravo")]).await;
    let mut late = Listener::new(&bench, &[]).await;
    let mut quick = Listener::new(&bench, &[]).await;
    star(&bench, OCTO, 1, "alpha", 1000).await;
    let first = quick.until("/v1/repos/Octo/alpha").await;
    let (repo, at) = (RepoId::github(1), Second(start().0 + 5000));
    let hidden = Event::RepositoryHidden { repo, at, why: HiddenWhy::Private };
    bench.deliver(OCTO.stream(), vec![hidden]).await;
    assert_eq!(bench.get("/v1/repos/octo/alpha").await.status, 404);
    star(&bench, OCTO, 2, "bravo", 2000).await;
    quick.until("/v1/repos/Octo/bravo").await;
    // Its events wait since before the hiding.
    let heard = late.until("/v1/repos/Octo/bravo").await;
    assert!(!format!("{heard:?}").contains("alpha"), "{heard:?}");
    let before = first.first().unwrap().0.clone();
    let mut back = Listener::new(&bench, &[("last-event-id", &before)]).await;
    let heard = back.until("/v1/repos/Octo/bravo").await;
    assert!(!format!("{heard:?}").contains("alpha"), "{heard:?}");
}

#[tokio::test]
async fn listeners_are_bounded_and_end_with_the_process() {
    let bench = Bench::new(patient()).await;
    HUBOT.settle(&bench, &[]).await;
    let mut listeners = Vec::new();
    for _ in 0..256 {
        listeners.push(Listener::new(&bench, &[]).await);
    }
    let refused = bench.get("/v1/events").await;
    refused.problem(503, "unavailable");
    assert_eq!(refused.header("retry-after"), "5");
    listeners.pop();
    let mut last = Listener::new(&bench, &[]).await;
    bench.api.hang_up();
    assert_eq!(last.next().await, None);
    bench.deliver(StreamKey::Service, Vec::new()).await;
}
