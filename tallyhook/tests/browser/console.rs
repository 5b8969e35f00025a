//! The console.

use std::time::Duration;

use tempfile::TempDir;

use super::{
    support::{
        forge::Forge,
        process::{Service, Setup},
        seconds,
        truth::until_true,
        until,
    },
    webdriver::{Browser, SCREENS, in_browser, in_live_browser, is_there},
};

const WITHIN: Duration = seconds(60);

/// A service that keeps two accounts, and hears of what happens.
struct Scene {
    forge: Forge,
    service: Service,
    _folder: TempDir,
}

impl Scene {
    async fn new(seed: u64) -> Self {
        let folder = TempDir::new().unwrap();
        let forge = Forge::with_past(seed, 2).await;
        forge.open_repository(0);
        let setup = Setup::of(folder.path(), &forge).with("TRACK", &forge.track());
        let service = setup.serve().await;
        until_true(&forge, &service.reader(), WITHIN).await;
        forge.hook(&service);
        Scene { forge, service, _folder: folder }
    }

    fn page(&self) -> String {
        format!("http://{}/console", self.service.api)
    }

    /// The cell of the first account's commits.
    fn commits_cell(&self) -> String {
        format!("[data-key=\"{}/Commits\"]", self.forge.logins()[0])
    }

    fn commits(&self) -> u64 {
        self.forge.truths()[0].repositories.iter().map(|repo| repo.commits).sum()
    }
}

/// A number on the page, without the commas between its thousands and the word before it on a phone.
fn number(text: &str) -> Option<u64> {
    text.lines().last()?.replace(',', "").trim().parse().ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_are_readable_without_scripts_on_any_screen() {
    if !is_there() {
        return;
    }
    let scene = Scene::new(63).await;
    for size in SCREENS {
        let (page, cell, commits) = (scene.page(), scene.commits_cell(), scene.commits());
        let logins = scene.forge.logins();
        in_browser(size, async move |browser: &Browser| {
            browser.open(&page).await;
            let text = browser.find("body").await.text().await;
            for login in logins {
                assert!(text.contains(&login), "{login}: {text}");
            }
            assert!(text.contains("Load the page again"), "it does not promise what it cannot do: {text}");
            assert_eq!(number(&browser.find(&cell).await.text().await), Some(commits), "{text}");
            for part in ["body", "table.accounts", "footer"] {
                let right = browser.find(part).await.right().await;
                assert!(right <= f64::from(size.0), "{part} ends at {right} of {}", size.0);
            }
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_change_while_somebody_looks() {
    if !is_there() {
        return;
    }
    let scene = Scene::new(64).await;
    let (page, cell, before) = (scene.page(), scene.commits_cell(), scene.commits());
    let repo = scene.forge.open_repository(0).id;
    in_live_browser(SCREENS[1], async move |browser: &Browser| {
        browser.open(&page).await;
        until(WITHIN, "it listens", async || {
            let status = browser.find("#live").await.text().await;
            if status.ends_with("Live") { Ok(()) } else { Err(status) }
        })
        .await;
        assert_eq!(number(&browser.find(&cell).await.text().await), Some(before));
        scene.forge.push(repo, 3);
        until(WITHIN, "the push is seen", async || {
            let text = browser.text_of(&cell).await.unwrap_or_default();
            if number(&text) == Some(before + 3) { Ok(()) } else { Err(text) }
        })
        .await;
        until(WITHIN, "the delivery is listed", async || {
            let text = browser.text_of("table.deliveries").await.unwrap_or_default();
            if text.contains("push") { Ok(()) } else { Err(text) }
        })
        .await;
    })
    .await;
}
