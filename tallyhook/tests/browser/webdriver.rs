//! A browser of a test's own, driven over WebDriver (W3C). It runs no JavaScript unless a test wants it to.

use std::{process::Stdio, time::Duration};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use super::{
    program,
    support::{process::Lines, reader::http_client, seconds, until},
};

/// A browser takes a second to start, and on a busy machine many.
const WITHIN: Duration = seconds(60);

/// Widths and heights of a desk's screen and of a phone's, in CSS pixels.
pub(crate) const SCREENS: [(u32, u32); 2] = [(1280, 800), (390, 844)];

/// A driver with one window.
pub(crate) struct Browser {
    client: reqwest::Client,
    /// Of the driver's session.
    session: String,
    _driver: Child,
    _log: Lines,
}

/// Whether a page's scripts run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scripts {
    On,
    Off,
}

/// An element of the page that is shown.
pub(crate) struct Element<'b> {
    browser: &'b Browser,
    path: String,
}

/// Runs a test in a browser with a window of this size, and ends the browser however the test ends.
pub(crate) async fn in_browser(size: (u32, u32), test: impl AsyncFnOnce(&Browser) + Send + 'static) {
    in_a_browser(Browser::start(size, Scripts::Off).await, test).await;
}

/// The same in one that runs the page's scripts.
pub(crate) async fn in_live_browser(size: (u32, u32), test: impl AsyncFnOnce(&Browser) + Send + 'static) {
    in_a_browser(Browser::start(size, Scripts::On).await, test).await;
}

async fn in_a_browser(browser: Browser, test: impl AsyncFnOnce(&Browser) + Send + 'static) {
    let ended = futures::FutureExt::catch_unwind(std::panic::AssertUnwindSafe(test(&browser))).await;
    browser.ask(Method::DELETE, "", None).await;
    if let Err(panic) = ended {
        std::panic::resume_unwind(panic);
    }
}

/// Whether there is a browser to drive.
pub(crate) fn is_there() -> bool {
    program::is_there("chromedriver", "chromium-driver")
}

impl Browser {
    async fn start((width, height): (u32, u32), scripts: Scripts) -> Self {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let log = Lines::of(driver.stdout.take().unwrap());
        let started = log.find(WITHIN, |line| port(line).is_some()).await;
        let started = started.unwrap_or_else(|| panic!("it ended: {}", log.text()));
        let address = format!("http://127.0.0.1:{}", port(&started).unwrap());
        let client = http_client();
        // No sandbox: CI runs as root, where the browser has none. The pages are our own.
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-dev-shm-usage",
            &format!("--window-size={width},{height}"),
        ];
        let javascript = match scripts {
            Scripts::On => 1,
            Scripts::Off => 2,
        };
        let preferences = json!({"profile.managed_default_content_settings.javascript": javascript});
        // Without touch: the driver's taps wait for JavaScript.
        let options = json!({"args": arguments, "prefs": preferences, "mobileEmulation": {
            "deviceMetrics": {"width": width, "height": height, "pixelRatio": 1.0, "touch": false, "mobile": false}
        }});
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": options
        }}});
        let made = client.post(format!("{address}/session")).json(&wanted).send().await.unwrap();
        let made: Value = made.json().await.unwrap();
        let id = made["value"]["sessionId"].as_str().unwrap_or_else(|| panic!("{made}"));
        Browser { client, session: format!("{address}/session/{id}"), _driver: driver, _log: log }
    }

    /// Shows a page.
    pub(crate) async fn open(&self, url: &str) {
        self.ask(Method::POST, "/url", Some(json!({"url": url}))).await;
    }

    /// The address of the page that is shown.
    pub(crate) async fn address(&self) -> String {
        self.ask(Method::GET, "/url", None).await.as_str().unwrap().to_owned()
    }

    /// The first element that a CSS selector fits, once there is one.
    pub(crate) async fn find(&self, selector: &str) -> Element<'_> {
        let wanted = json!({"using": "css selector", "value": selector});
        let id = until(WITHIN, selector, async || {
            let found = self.try_ask(Method::POST, "/element", Some(wanted.clone())).await?;
            let id = found.as_object().and_then(|found| found.values().next()).and_then(Value::as_str);
            id.map(str::to_owned).ok_or(found)
        })
        .await;
        Element { browser: self, path: format!("/element/{id}") }
    }

    /// The text of the first element that a CSS selector fits, unless it is being replaced at this moment.
    pub(crate) async fn text_of(&self, selector: &str) -> Option<String> {
        let wanted = json!({"using": "css selector", "value": selector});
        let found = self.try_ask(Method::POST, "/element", Some(wanted)).await.ok()?;
        let id = found.as_object()?.values().next()?.as_str()?.to_owned();
        let text = self.try_ask(Method::GET, &format!("/element/{id}/text"), None).await.ok()?;
        text.as_str().map(str::to_owned)
    }

    /// How many elements a CSS selector fits.
    pub(crate) async fn count(&self, selector: &str) -> usize {
        let wanted = json!({"using": "css selector", "value": selector});
        self.ask(Method::POST, "/elements", Some(wanted)).await.as_array().unwrap().len()
    }

    /// Keeps a picture of the whole page, in base64, in the folder that `TALLYHOOK_TEST_SCREENSHOTS` names, for people to
    /// look at.
    pub(crate) async fn keep_screenshot(&self, name: &str) {
        let Some(folder) = std::env::var_os("TALLYHOOK_TEST_SCREENSHOTS") else { return };
        let options = json!({"cmd": "Page.captureScreenshot", "params": {"captureBeyondViewport": true}});
        let taken = self.ask(Method::POST, "/goog/cdp/execute", Some(options)).await;
        let file = std::path::Path::new(&folder).join(format!("{name}.png.base64"));
        std::fs::write(file, taken["data"].as_str().unwrap()).unwrap();
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        self.try_ask(method, path, body).await.unwrap_or_else(|refusal| panic!("{path}: {refusal}"))
    }

    async fn try_ask(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value, Value> {
        let mut request = self.client.request(method, format!("{}{path}", self.session));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        let is_done = answer.status().is_success();
        let mut answer: Value = answer.json().await.unwrap();
        let value = answer["value"].take();
        if is_done { Ok(value) } else { Err(value) }
    }
}

impl Element<'_> {
    /// Types a text into it.
    pub(crate) async fn write(&self, text: &str) {
        self.ask(Method::POST, "/value", Some(json!({"text": text}))).await;
    }

    pub(crate) async fn click(&self) {
        self.ask(Method::POST, "/click", Some(json!({}))).await;
    }

    /// The text that is to be seen.
    pub(crate) async fn text(&self) -> String {
        self.ask(Method::GET, "/text", None).await.as_str().unwrap().to_owned()
    }

    /// What assistive programs are told that it is called.
    pub(crate) async fn label(&self) -> String {
        self.ask(Method::GET, "/computedlabel", None).await.as_str().unwrap().to_owned()
    }

    /// Where its right edge is, in CSS pixels from the page's left one.
    pub(crate) async fn right(&self) -> f64 {
        let place = self.ask(Method::GET, "/rect", None).await;
        place["x"].as_f64().unwrap() + place["width"].as_f64().unwrap()
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        self.browser.ask(method, &format!("{}{path}", self.path), body).await
    }
}

/// The port, from the line that says so.
fn port(line: &str) -> Option<u16> {
    let said = line.strip_suffix('.')?;
    said.split_once("started successfully on port ")?.1.parse().ok()
}
