//! What the door writes to the process's log, and what never.

use std::{cell::RefCell, io, sync::Once};

use crate::{
    delivery::{Delivery, GUID, PREVIOUS_SECRET, PUSH, SECRET},
    server::Server,
};

thread_local! {
    /// What was logged on this thread, which is all of its test: each test's runtime has one thread.
    static LOGGED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

struct ThisThread;

impl io::Write for ThisThread {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOGGED.with_borrow_mut(|logged| logged.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Collects what every test logs, in full detail. A subscriber for one test alone would miss what another test
/// logged first, because whether anybody listens is remembered for each place in the code.
pub(crate) fn collect() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(|| ThisThread)
            .init();
    });
}

fn logged() -> String {
    LOGGED.with_borrow(|logged| String::from_utf8(logged.clone()).unwrap())
}

#[tokio::test]
async fn deliveries_are_traceable_and_nothing_secret_is_written() {
    let server = Server::start();
    let leaking = Delivery::push().with("X-GitHub-Encoded-Secret", "SXQncyBhIFNlY3JldA==");
    let wrong = Delivery::push().badly_signed();
    let mut statuses = Vec::new();
    for delivery in [&leaking, &wrong, &Delivery::of("push", "Hello, World!"), &Delivery::form("push", PUSH)]
    {
        statuses.push(server.status_of(delivery).await);
    }
    assert_eq!(statuses, [202, 401, 400, 202]);
    let text = logged();
    for field in [
        "github_event_type=\"push\"",
        &format!("github_delivery_id=\"{GUID}\""),
        "github_installation_id=2311650",
        "result=\"accepted\"",
        "X-GitHub-Encoded-Secret",
        "signature is missing or does not fit",
    ] {
        assert!(text.contains(field), "no {field} in\n{text}");
    }
    let expected = leaking.header("X-Hub-Signature-256").trim_start_matches("sha256=");
    let claimed = wrong.header("X-Hub-Signature-256").trim_start_matches("sha256=");
    for never in [SECRET, PREVIOUS_SECRET, "SXQnc", expected, claimed, "Codertocat", "Hello, World"] {
        assert!(!text.contains(never), "{never} in\n{text}");
    }
}

#[tokio::test]
async fn strangers_cannot_fill_the_log_with_warnings() {
    let server = Server::start();
    for _ in 0..30 {
        assert_eq!(server.status_of(&Delivery::push().badly_signed()).await, 401);
    }
    for number in 0..5 {
        let leaking = Delivery::push().guid(&number.to_string()).with("X-GitHub-Encoded-Secret", "c2VjcmV0");
        assert_eq!(server.status_of(&leaking).await, 202);
    }
    let text = logged();
    let warnings = |part| text.lines().filter(|line| line.contains("WARN") && line.contains(part)).count();
    assert_eq!((warnings("does not fit"), warnings("X-GitHub-Encoded-Secret")), (10, 1), "{text}");
}
