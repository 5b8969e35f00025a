//! Sends deliveries: concurrently, in no promised order, once each, as GitHub does.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::{
    runtime::Handle,
    sync::{Semaphore, watch},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    log::{Delivery, Log, Outcome, Wanted},
    signature,
};
use crate::{
    clock::Clock,
    faults::{DeliveryFault, Faults},
    model::{ContentType, Emitted, HookId, HookTarget, Second, hook::Hook},
};

/// GitHub does not deliver larger payloads.
const PAYLOAD_BYTES_MAX: usize = 25 * 1024 * 1024;
/// Deliveries under way or waiting at most; more are lost, rather than the memory.
const PENDING_MAX: usize = 50_000;
/// What is read of a receiver's answer, so that its connection can be used again.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Sends deliveries until it is dropped.
pub(crate) struct Dispatcher(Arc<Inner>);

struct Inner {
    client: Client<HttpConnector, Full<Bytes>>,
    runtime: Handle,
    tasks: TaskTracker,
    stop: CancellationToken,
    places: Semaphore,
    timeout: Duration,
    pending: watch::Sender<usize>,
    log: Mutex<Log>,
    held: Mutex<Vec<Held>>,
    faults: Faults,
    clock: Clock,
}

/// A delivery that waits for so many later ones.
struct Held {
    behind: usize,
    job: Job,
}

#[derive(Clone)]
struct Job {
    /// In the log; the second copy of a doubled delivery has none.
    id: Option<u64>,
    hook: Arc<Hook>,
    event: &'static str,
    guid: String,
    payload: Bytes,
    delay: Duration,
}

impl Job {
    fn of(delivery: &Delivery) -> Self {
        Job {
            id: None,
            hook: delivery.to.clone(),
            event: delivery.event,
            guid: delivery.guid.clone(),
            payload: delivery.payload.clone(),
            delay: Duration::ZERO,
        }
    }
}

impl Dispatcher {
    pub(crate) fn new(
        faults: Faults,
        clock: Clock,
        runtime: Handle,
        stop: CancellationToken,
        concurrent_max: usize,
        timeout: Duration,
    ) -> Self {
        Dispatcher(Arc::new(Inner {
            // A connection for each delivery: one that is kept may be closed by the receiver just when the
            // next delivery is written, and would lose it.
            client: Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http(),
            runtime,
            tasks: TaskTracker::new(),
            stop,
            places: Semaphore::new(concurrent_max),
            timeout,
            pending: watch::Sender::new(0),
            log: Mutex::default(),
            held: Mutex::default(),
            faults,
            clock,
        }))
    }

    /// Sends an event to every hook that hears of it. Returns at once.
    pub(crate) fn send(&self, event: &Emitted) {
        for hook in &event.recipients {
            let is_app = hook.settings.target.is_app() && event.event != "ping";
            self.send_one(Delivery {
                id: 0,
                guid: event.guid.clone(),
                hook: hook.id,
                event: event.event,
                action: event.action,
                at: event.at,
                outcome: Outcome::Pending,
                concluded: None,
                redelivery: false,
                payload: if is_app { event.body_for_app() } else { event.body.clone() },
                is_listed: true,
                ended: None,
                repository: event.repository,
                to: hook.clone(),
            });
        }
    }

    /// Sends an event that was sent before again, with its GUID. No faults. Returns how many hooks get it.
    pub(crate) fn redeliver(&self, guid: &str, now: Second) -> usize {
        let again = self.0.log().first_attempts(guid);
        for delivery in &again {
            let delivery = Delivery {
                at: now,
                redelivery: true,
                outcome: Outcome::Pending,
                concluded: None,
                ended: None,
                ..delivery.clone()
            };
            self.0.clone().start(self.note(delivery));
        }
        again.len()
    }

    /// Sends one delivery again, as the API does when it is asked to: it may go wrong like any other.
    pub(crate) fn attempt_again(&self, delivery: Delivery, now: Second) {
        self.send_one(Delivery {
            at: now,
            redelivery: true,
            outcome: Outcome::Pending,
            concluded: None,
            ended: None,
            ..delivery
        });
    }

    /// A page of a hook's deliveries, as GitHub shows them now: the newest first.
    pub(crate) fn page(&self, wanted: Wanted, now: Second) -> Vec<Delivery> {
        self.0.log().page(wanted, now)
    }

    /// One of a hook's deliveries, if GitHub still shows it, with the headers that it was sent with.
    pub(crate) fn one(&self, hook: HookId, id: u64, now: Second) -> Option<(Delivery, HeaderMap)> {
        let delivery = self.0.log().one(hook, id, now)?;
        let headers = request(&Job::of(&delivery)).ok()?.headers().clone();
        Some((delivery, headers))
    }

    /// Whether GitHub shows payloads with deliveries.
    pub(crate) fn shows_payloads(&self) -> bool {
        self.0.faults.shows_payloads()
    }

    /// What came of the latest attempt to deliver something to a hook.
    pub(crate) fn latest(&self, hook: HookId) -> Option<Outcome> {
        self.0.log().latest(hook)
    }

    pub(crate) fn deliveries(&self) -> Vec<Delivery> {
        self.0.log().all()
    }

    /// Lets go what is held back, and waits until nothing is under way.
    pub(crate) async fn settle(&self) {
        let held = std::mem::take(&mut *self.0.held());
        for held in held {
            self.0.clone().start(held.job);
        }
        let mut pending = self.0.pending.subscribe();
        // An error would mean that the sender is gone, and with it everything that was pending.
        let _ = pending.wait_for(|count| *count == 0).await;
    }

    /// Returns when nothing is sent any more, after the stop.
    pub(crate) async fn stopped(&self) {
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    fn send_one(&self, mut delivery: Delivery) {
        let (event, at) = (delivery.event, delivery.at);
        let too_much = delivery.payload.len() > PAYLOAD_BYTES_MAX || *self.0.pending.borrow() >= PENDING_MAX;
        let fault = if too_much { Some(DeliveryFault::Forget) } else { self.0.faults.of_delivery(event, at) };
        delivery.is_listed = fault != Some(DeliveryFault::Forget);
        let mut job = self.note(delivery);
        let id = job.id;
        self.release_held();
        match fault {
            Some(DeliveryFault::Drop | DeliveryFault::Forget) => self.0.conclude(id, Outcome::Lost),
            Some(DeliveryFault::HoldBack(behind)) => self.0.held().push(Held { behind, job }),
            Some(DeliveryFault::Double) => {
                self.0.clone().start(Job { id: None, ..job.clone() });
                self.0.clone().start(job);
            }
            Some(DeliveryFault::Delay(delay)) => {
                job.delay = delay;
                self.0.clone().start(job);
            }
            None => self.0.clone().start(job),
        }
    }

    fn note(&self, delivery: Delivery) -> Job {
        let job = Job::of(&delivery);
        Job { id: Some(self.0.log().add(delivery)), ..job }
    }

    /// One more delivery has come after those that are held back.
    fn release_held(&self) {
        let mut held = self.0.held();
        for held in held.iter_mut() {
            held.behind -= 1;
        }
        let due: Vec<Held> = held.extract_if(.., |held| held.behind == 0).collect();
        drop(held);
        for held in due {
            self.0.clone().start(held.job);
        }
    }
}

impl Inner {
    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn held(&self) -> MutexGuard<'_, Vec<Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn conclude(&self, id: Option<u64>, outcome: Outcome) {
        if let Some(id) = id {
            let now = self.clock.now();
            self.log().conclude(id, outcome, now);
        }
    }

    fn start(self: Arc<Self>, job: Job) {
        self.pending.send_modify(|count| *count += 1);
        let inner = self.clone();
        let runtime = self.runtime.clone();
        self.tasks.spawn_on(
            async move {
                let outcome = tokio::select! {
                    () = inner.stop.cancelled() => Outcome::Lost,
                    outcome = inner.attempt(&job) => outcome,
                };
                inner.conclude(job.id, outcome);
                inner.pending.send_modify(|count| *count -= 1);
            },
            &runtime,
        );
    }

    async fn attempt(&self, job: &Job) -> Outcome {
        if !job.delay.is_zero() {
            tokio::time::sleep(job.delay).await;
        }
        let Ok(_place) = self.places.acquire().await else { return Outcome::Lost };
        let Ok(request) = request(job) else { return Outcome::Unreachable };
        let exchange = async {
            let answer = self.client.request(request).await?;
            let status = answer.status().as_u16();
            // Whatever it says is not for us; a broken body is still an answer.
            let _ = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
            Ok::<u16, hyper_util::client::legacy::Error>(status)
        };
        match tokio::time::timeout(self.timeout, exchange).await {
            Ok(Ok(status)) => Outcome::Answered(status),
            Ok(Err(_)) => Outcome::Unreachable,
            Err(_) => Outcome::TimedOut,
        }
    }
}

fn request(job: &Job) -> Result<Request<Full<Bytes>>, http::Error> {
    let settings = &job.hook.settings;
    let (content_type, body) = match settings.content_type {
        ContentType::Json => ("application/json", job.payload.clone()),
        ContentType::Form => {
            let text = std::str::from_utf8(&job.payload).unwrap_or_default();
            let form = form_urlencoded::Serializer::new(String::new()).append_pair("payload", text).finish();
            ("application/x-www-form-urlencoded", form.into())
        }
    };
    let (target_type, target_id) = match settings.target {
        HookTarget::Repository(id) => ("repository", id.0),
        HookTarget::Organization(id) => ("organization", id.0),
        HookTarget::App | HookTarget::Installations => ("integration", 1),
    };
    let mut request = Request::post(&settings.url)
        .header(header::ACCEPT, "*/*")
        .header(header::CONTENT_TYPE, content_type)
        .header(header::USER_AGENT, "GitHub-Hookshot/fa4e001")
        .header("X-GitHub-Delivery", &job.guid)
        .header("X-GitHub-Event", job.event)
        .header("X-GitHub-Hook-ID", job.hook.id.0)
        .header("X-GitHub-Hook-Installation-Target-ID", target_id)
        .header("X-GitHub-Hook-Installation-Target-Type", target_type);
    if let Some(secret) = &settings.secret {
        request = request
            .header("X-Hub-Signature", HeaderValue::from_str(&signature::sha1(secret, &body))?)
            .header("X-Hub-Signature-256", HeaderValue::from_str(&signature::sha256(secret, &body))?);
    }
    request.body(Full::new(body))
}
