//! The page of the API.

use tempfile::TempDir;

use super::{
    support::{forge::Forge, process::Setup},
    webdriver::{Browser, SCREENS, in_browser, is_there},
};

#[tokio::test(flavor = "multi_thread")]
async fn every_endpoint_can_be_read_on_any_screen() {
    if !is_there() {
        return;
    }
    let folder = TempDir::new().unwrap();
    let forge = Forge::with_past(62, 1).await;
    let service = Setup::of(folder.path(), &forge).serve().await;
    let page = format!("http://{}/docs", service.api);
    for size in SCREENS {
        let page = page.clone();
        in_browser(size, async move |browser: &Browser| {
            browser.open(&page).await;
            let body = browser.find("body").await;
            let text = body.text().await;
            for path in
                ["/githubPayload", "/health-check", "/repos", "/v1/repos/{owner}/{name}", "/webhooks/github"]
            {
                assert!(text.contains(path), "{path} is not to be seen");
            }
            let right = body.right().await;
            assert!(right <= f64::from(size.0), "the page ends at {right} of {}", size.0);
        })
        .await;
    }
}
