//! The setup page, gone through as a browser without JavaScript does: from a plain process to one that asks as an App
//! of its own, whose secrets nobody saw.

use std::{fs, os::unix::fs::PermissionsExt as _};

use fake_github::AppKeys;
use serde_json::Value;
use tempfile::TempDir;
use url::Url;

use super::{
    app::assert_hidden,
    support::{
        forge::Forge,
        process::{Service, Setup},
        reader::http_client,
        seconds,
        truth::until_true,
    },
};

/// A page, as a browser has it.
struct Page {
    status: u16,
    html: String,
    policy: String,
}

impl Page {
    async fn of(response: reqwest::Response) -> Self {
        let policy = response.headers().get("content-security-policy");
        let policy = policy.map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
        Page { status: response.status().as_u16(), policy, html: response.text().await.unwrap() }
    }

    /// Where its form leads, and what is hidden in it.
    fn form(&self) -> (String, String) {
        let after = |mark: &str| {
            let (_, rest) =
                self.html.split_once(mark).unwrap_or_else(|| panic!("no {mark} in {}", self.html));
            let (value, _) = rest.split_once('"').unwrap();
            value
                .replace("&quot;", "\"")
                .replace("&#39;", "'")
                .replace("&lt;", "<")
                .replace("&gt;", ">")
                .replace("&amp;", "&")
        };
        (after("action=\""), after("name=\"manifest\" value=\""))
    }
}

async fn get(url: &str) -> Page {
    Page::of(http_client().get(url).send().await.unwrap()).await
}

async fn send(url: &str, fields: &[(&str, &str)]) -> reqwest::Response {
    let mut body = url::form_urlencoded::Serializer::new(String::new());
    body.extend_pairs(fields);
    let request = http_client().post(url).header("content-type", "application/x-www-form-urlencoded");
    request.header("user-agent", "a browser").body(body.finish()).send().await.unwrap()
}

fn ops(service: &Service, path: &str) -> String {
    format!("http://{}{path}", service.ops)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_is_set_up_with_three_clicks_and_used_from_the_next_start() {
    let folder = TempDir::new().unwrap();
    let forge = Forge::with_past(96, 1).await;
    let setup = Setup::of(folder.path(), &forge).without("GITHUB_TOKEN").with("RECONCILE", "off");
    let service = setup.serve().await;
    service.ready().await;

    let first = get(&ops(&service, "/setup")).await;
    assert_eq!(first.status, 200);
    assert!(first.html.contains("name=\"hook_url\"") && !first.html.contains("<script"), "{}", first.html);
    let hook_url = service.hook_url();
    let wanted = [("name", "ours \"<1>"), ("hook_url", hook_url.as_str()), ("organization", "")];
    let second = Page::of(send(&ops(&service, "/setup"), &wanted).await).await;
    let (action, manifest) = second.form();
    assert!(action.starts_with(&format!("{}/settings/apps/new?state=", forge.fake.url())), "{action}");
    assert!(second.policy.contains(forge.fake.url()) && second.policy.contains("default-src 'none'"));
    let read: Value = serde_json::from_str(&manifest).unwrap();
    assert_eq!((&read["name"], &read["public"]), (&Value::from("ours \"<1>"), &Value::from(false)));
    assert_eq!(read["hook_attributes"]["url"], hook_url);

    // Somebody agrees there, and is led back.
    let agreed = send(&action, &[("manifest", &manifest)]).await;
    let back = agreed.headers()["location"].to_str().unwrap().to_owned();
    assert!(back.starts_with(&ops(&service, "/setup/done?")), "{back}");
    let mut forged = Url::parse(&back).unwrap();
    forged.set_query(Some("code=c0de&state=guessed"));
    assert_eq!(get(forged.as_str()).await.status, 400);
    let last = get(&back).await;
    assert!(last.status == 200 && last.html.contains("Restart"), "{}", last.html);
    assert_eq!(get(&back).await.status, 400, "a state is good once");
    let already = get(&ops(&service, "/setup")).await;
    assert!(already.status == 409 && already.html.contains("already"), "{}", already.html);

    let file = setup.data().join("github-app.json");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let kept: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let text = |field: &str| kept[field].as_str().unwrap().to_owned();
    let keys = AppKeys {
        id: kept["id"].as_u64().unwrap(),
        private_key: text("private_key"),
        webhook_secret: text("webhook_secret"),
    };
    for page in [&first, &second, &last, &already] {
        assert_hidden(&keys, &page.html);
    }

    // What it sends is verified at once, with no restart.
    forge.fake.world(|world| world.install_app(forge.owners[0])).unwrap();
    forge.fake.settle().await;
    let arrived = forge.fake.deliveries().into_iter().rfind(|delivery| delivery.event == "installation");
    assert!(arrived.unwrap().outcome.is_success());
    assert_hidden(&keys, &service.terminate().await.stderr);

    let service = setup.serve().await;
    until_true(&forge, &service.reader(), seconds(90)).await;
    assert!(forge.fake.requests().iter().any(|request| request.installation == Some(forge.owners[0])));
    assert_hidden(&keys, &service.terminate().await.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_set_up_is_told_so() {
    let folder = TempDir::new().unwrap();
    let setup = Setup::new(folder.path());
    let service = setup.clone().with("ADMIN_TOKEN", "open sesame").serve().await;
    let url = ops(&service, "/setup");
    assert!(get(&url).await.html.contains("name=\"admin_token\""));
    let fields =
        |token| [("name", "ours"), ("hook_url", "https://a/webhooks/github"), ("admin_token", token)];
    let wrong = Page::of(send(&url, &fields("closed")).await).await;
    assert!(wrong.html.contains("not the admin token") && !wrong.html.contains("manifest"), "{}", wrong.html);
    let right = Page::of(send(&url, &fields("open sesame")).await).await;
    assert!(right.form().1.contains("ours") && !right.html.contains("open sesame"), "{}", right.html);
    service.terminate().await;

    // Without a token it is for those who reach this machine by its address, or not at all.
    let service = setup.clone().serve().await;
    let named = http_client().post(ops(&service, "/setup")).header("host", "elsewhere.example");
    let named = named.body("name=ours&hook_url=https%3A%2F%2Fa%2Fwebhooks%2Fgithub").send().await.unwrap();
    let named = Page::of(named).await;
    assert!(named.html.contains("by the address") && !named.html.contains("manifest"), "{}", named.html);
    service.terminate().await;
    let service = setup.with("OPS_LISTEN", "0.0.0.0:0").serve().await;
    let shut = get(&format!("http://127.0.0.1:{}/setup", service.ops.port())).await;
    assert!(shut.status == 403 && shut.html.contains("TALLYHOOK_ADMIN_TOKEN"), "{}", shut.html);
    service.terminate().await;
}
