//! The form page of S1.

use fake_bitbucket::{FakeBitbucket, Repository};
use serde_json::Value;
use tempfile::TempDir;

use super::{
    support::{
        forge::Forge,
        process::{Service, Setup},
        seconds, until,
    },
    webdriver::{Browser, SCREENS, in_browser, is_there},
};

#[tokio::test(flavor = "multi_thread")]
async fn profiles_are_typed_in_and_their_sums_are_shown() {
    if !is_there() {
        return;
    }
    let folder = TempDir::new().unwrap();
    let forge = Forge::with_past(61, 1).await;
    let bitbucket = FakeBitbucket::start().await.unwrap();
    bitbucket.world(|world| {
        world.create_workspace("team");
        world.create_repository("team", Repository::public("tools", "Rust").watched_by(4));
    });
    let setup = Setup::of(folder.path(), &forge).with("BITBUCKET_API_URL", &bitbucket.url());
    let service = setup.serve().await;
    let page = format!("http://{}/from-git/test", service.api);
    for size in SCREENS {
        let page = page.clone();
        in_browser(size, async move |browser: &Browser| {
            browser.open(&page).await;
            let lines = browser.find("textarea").await;
            assert!(
                lines.label().await.starts_with("One profile per line"),
                "who cannot see it hears what it is"
            );
            lines.write("https://bitbucket.org/team\n\n  https://bitbucket.org/nobody/  ").await;
            browser.find("button").await.click().await;
            // A click may return before the form is on its way.
            until(seconds(60), "the form's answer", async || {
                let address = browser.address().await;
                if address.contains('?') { Ok(()) } else { Err(address) }
            })
            .await;
            // The first time it is asked for; the browser's own way of trying again is to load the page anew.
            let shown = until(seconds(60), "the sums", async || {
                browser.open(&browser.address().await).await;
                let shown = browser.find("#answer").await.text().await;
                let answer: Value = serde_json::from_str(&shown).map_err(|error| error.to_string())?;
                if answer["error"] == "OK" { Ok(answer) } else { Err(shown) }
            })
            .await;
            assert_eq!(shown["data"]["watchers"], 4, "{shown}");
            assert_eq!(shown["missing"], serde_json::json!(["https://bitbucket.org/nobody/"]));
            let typed = browser.find("textarea").await.text().await;
            assert!(typed.contains("https://bitbucket.org/team"), "what was typed is still there: {typed}");
            for part in ["h1", "textarea", "button"] {
                let right = browser.find(part).await.right().await;
                assert!(right <= f64::from(size.0), "{part} ends at {right} of {}", size.0);
            }
        })
        .await;
    }
    hostile(&service).await;
}

/// What somebody types is text, whatever it looks like.
async fn hostile(service: &Service) {
    let page = format!("http://{}/from-git/test", service.api);
    in_browser(SCREENS[0], async move |browser: &Browser| {
        browser.open(&page).await;
        let typed = "</textarea><h1 id=\"mine\">mine</h1>";
        browser.find("textarea").await.write(typed).await;
        browser.find("button").await.click().await;
        assert!(browser.find("#answer").await.text().await.contains("ERR3"));
        assert_eq!(browser.count("#mine").await, 0);
        assert_eq!(browser.find("textarea").await.text().await, typed);
    })
    .await;
}
