//! The demo as a newcomer sees it.

use std::{fs, time::Duration};

use tempfile::TempDir;

use super::support::{
    process::{Lines, Running, Setup},
    reader::http_client,
    seconds, until,
};

/// A newcomer sees it within a minute on a machine that has nothing else to do.
const SHOWN_WITHIN: Duration = seconds(180);

const ARGUMENTS: &[&str] = &["demo", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"];

fn setup(folder: &TempDir) -> Setup {
    Setup::new(folder.path())
        .without("DATA_DIR")
        .without("WEBHOOK_SECRET")
        .with_variable("TMPDIR", folder.path().to_str().unwrap())
}

/// Lines that tell of a change.
fn changes(lines: &Lines) -> Vec<String> {
    let text = lines.text();
    let told = text.lines().filter(|line| line.contains("visible after") || line.contains("in doubt after"));
    told.map(str::to_owned).collect()
}

async fn until_told(demo: &Running, count: usize) -> Vec<String> {
    until(SHOWN_WITHIN, "changes on the screen", async || {
        let changes = changes(&demo.stdout);
        let has_doubt =
            changes.iter().any(|line| line.contains("in doubt") && line.contains("settled with GitHub"));
        if changes.len() >= count && has_doubt { Ok(changes) } else { Err(demo.stdout.text()) }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newcomer_sees_it_load_change_and_end() {
    let folder = TempDir::new().unwrap();
    let demo = setup(&folder).start(&[ARGUMENTS, &["--accounts", "2", "--speed", "3"]].concat());
    let changes = until_told(&demo, 8).await;
    let shown = demo.stdout.text();
    assert!(!shown.contains("not visible yet"), "{shown}");
    assert_eq!(shown.lines().filter(|line| line.starts_with("backfill ")).count(), 2, "{shown}");
    for word in ["ms", "commits", "stars"] {
        assert!(changes.iter().any(|line| line.contains(word)), "no {word} in {shown}");
    }

    let urls: Vec<&str> = shown.lines().filter_map(|line| line.strip_prefix("  http://")).collect();
    assert_eq!(urls.len(), 8, "{shown}");
    for url in urls {
        // What nobody read before, Bitbucket's, may take a moment.
        let text = until(SHOWN_WITHIN, url, async || {
            let answer = http_client().get(format!("http://{url}")).send().await.unwrap();
            if answer.status() == 200 { Ok(answer.text().await.unwrap()) } else { Err(answer.status()) }
        })
        .await;
        assert!(!text.is_empty());
    }
    assert!(fs::read_dir(folder.path()).unwrap().count() > 0, "its data is in a temporary folder");
    demo.signal("INT").await;
    let ended = demo.ended().await;
    assert!(ended.stdout.contains("The demo has ended."), "{ended:?}");
    ended.done();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seed_shows_the_same_accounts_and_a_folder_is_kept() {
    let mut told = Vec::new();
    for signal in ["INT", "TERM"] {
        let folder = TempDir::new().unwrap();
        let data = folder.path().join("kept");
        let data = data.to_str().unwrap();
        let demo = setup(&folder).start(
            &[ARGUMENTS, &["--seed", "7", "--accounts", "1", "--speed", "20", "--data-dir", data]].concat(),
        );
        let line = demo.stdout.find(SHOWN_WITHIN, |line| line.starts_with("backfill ")).await.unwrap();
        told.push(line.split(" after ").next().unwrap().to_owned());
        demo.signal(signal).await;
        demo.ended().await.done();
        assert!(fs::read_dir(data).unwrap().count() > 0, "a folder that was named is kept");
    }
    assert_eq!(told[0], told[1]);

    let folder = TempDir::new().unwrap();
    for wrong in [["--speed", "0"], ["--accounts", "0"], ["--seed", "x"]] {
        setup(&folder).run(&[ARGUMENTS, &wrong].concat()).await.failed(2);
    }
}
