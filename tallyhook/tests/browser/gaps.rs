//! Gaps and budget on the console, and the page of an account's gaps.

use fake_github::{FakeConfig, HookTarget, NewHook, NewRepository, RepoId};
use tempfile::TempDir;

use super::{
    support::{
        SECRET,
        forge::{Forge, TOKEN},
        process::{Service, Setup},
        seconds,
        truth::until_true,
        until,
    },
    webdriver::{Browser, SCREENS, in_browser, is_there},
};

const WITHIN: std::time::Duration = seconds(60);

/// An organisation whose webhook has lost something that cannot be taken from its record.
struct Scene {
    service: Service,
    forge: Forge,
    _folder: TempDir,
}

impl Scene {
    async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let config = FakeConfig { seed: 65, limit_authorised: 1_000_000, ..FakeConfig::default() };
        let mut forge = Forge::empty(config).await;
        let (guild, hall): (_, RepoId) = forge.fake.world(|world| {
            let ada = world.create_user("ada").unwrap();
            world.accept_token(TOKEN, ada);
            let guild = world.create_organization("guild-of-many-repositories", ada).unwrap();
            let hall = world.create_repository(guild, NewRepository::public("the-hall-of-all")).unwrap();
            world.push_commits(hall, "main", 3).unwrap();
            (guild, hall)
        });
        forge.owners = vec![guild];
        let setup =
            Setup::of(folder.path(), &forge).with("TRACK", &forge.track()).with("DELIVERIES_POLL", "500ms");
        let service = setup.serve().await;
        until_true(&forge, &service.reader(), WITHIN).await;
        let hook = NewHook::new(HookTarget::Organization(guild), service.hook_url(), SECRET);
        forge.fake.world(|world| world.create_hook(hook)).unwrap();
        forge.push(hall, 2);
        forge.fake.settle().await;
        let faults = forge.fake.faults();
        faults.lose_deliveries(true);
        faults.hide_payloads(true);
        forge.push(hall, 1);
        until(WITHIN, "a gap is known", async || {
            let told = service.reader().get("/v1/gaps").await.ok().json();
            if told["accounts"][0]["open_hours"] == 1 { Ok(()) } else { Err(told) }
        })
        .await;
        Scene { service, forge, _folder: folder }
    }

    fn page(&self, path: &str) -> String {
        format!("http://{}{path}", self.service.api)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn gaps_and_budget_are_readable_without_scripts_on_any_screen() {
    if !is_there() {
        return;
    }
    let scene = Scene::new().await;
    for size in SCREENS {
        let (console, login) = (scene.page("/console"), scene.forge.logins().remove(0));
        in_browser(size, async move |browser: &Browser| {
            let fits = async |parts: &[&str]| {
                for part in parts {
                    let right = browser.find(part).await.right().await;
                    assert!(right <= f64::from(size.0), "{part} ends at {right} of {}", size.0);
                }
            };
            browser.open(&console).await;
            let text = browser.find("table.webhooks").await.text().await;
            assert!(text.contains(&login) && text.contains("1 hour open"), "{text}");
            let text = browser.find("table.budget").await.text().await;
            assert!(text.contains("github core") && text.contains("1000000"), "{text}");
            fits(&["body", "table.webhooks", "table.budget", "footer"]).await;
            browser.keep_screenshot(&format!("console-{}", size.0)).await;

            browser.find("table.webhooks a").await.click().await;
            until(WITHIN, "the account's page", async || {
                let address = browser.address().await;
                if address.contains("/console/gaps/") { Ok(()) } else { Err(address) }
            })
            .await;
            let text = browser.find("table.hours").await.text().await;
            assert!(text.contains("the-hall-of-all") && text.contains("open"), "{text}");
            fits(&["body", "table.webhooks", "table.hours", "footer"]).await;
            browser.keep_screenshot(&format!("gaps-{}", size.0)).await;
            browser.find("header a").await.click().await;
            until(WITHIN, "the way back", async || {
                let address = browser.address().await;
                if address.ends_with("/console") { Ok(()) } else { Err(address) }
            })
            .await;
        })
        .await;
    }
}
