//! What SIGHUP, SIGTERM and a second signal do, seen from outside: this test runs itself as a child process.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdout, Command, Stdio},
};

use boot::shutdown::Signals;

/// The child's part. It only does something when the other test starts it.
#[test]
#[ignore = "run by the other test as a process of its own"]
fn child() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut signals = Signals::listen().unwrap();
        say("listening");
        signals.reload.changed().await.unwrap();
        say("reload");
        signals.shutdown.cancelled().await;
        say("shutdown");
        // A drain that would never end by itself.
        std::future::pending::<()>().await;
    });
}

fn say(line: &str) {
    println!("\n{line}");
    std::io::stdout().flush().unwrap();
}

fn wait_for(lines: &mut impl Iterator<Item = std::io::Result<String>>, wanted: &str) {
    assert!(lines.any(|line| line.unwrap() == wanted), "the child ended before it said {wanted}");
}

fn send(signal: &str, child: &Child) {
    let sent = Command::new("sh").args(["-c", &format!("kill -{signal} {}", child.id())]).status().unwrap();
    assert!(sent.success());
}

fn start() -> (Child, std::io::Lines<BufReader<ChildStdout>>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "child", "--nocapture"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    wait_for(&mut lines, "listening");
    (child, lines)
}

#[test]
fn hang_up_reloads_one_signal_drains_and_a_second_one_ends_at_once() {
    for (second, code) in [("TERM", 143), ("INT", 130)] {
        let (mut child, mut lines) = start();
        send("HUP", &child);
        wait_for(&mut lines, "reload");
        send("TERM", &child);
        wait_for(&mut lines, "shutdown");
        send(second, &child);
        assert_eq!(child.wait().unwrap().code(), Some(code));
    }
}
