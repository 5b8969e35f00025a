//! The App as its keeper finds it: a JWT is verified for what it says, tokens of installations last an hour, and what
//! the App was sent is told to nobody else.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use fake_github::{AppKeys, Clock, FakeConfig, FakeGithub, NewRepository, Second};
use ring::{
    rand::SystemRandom,
    signature::{RSA_PKCS1_SHA256, RsaKeyPair},
};
use rustls_pki_types::{PrivatePkcs1KeyDer, pem::PemObject as _};
use serde_json::{Value, json};

use crate::{client::Api, receiver::Receiver};

const NOW: i64 = 1_795_000_000;

fn jwt(keys: &AppKeys, claims: &Value) -> String {
    let der = PrivatePkcs1KeyDer::from_pem_slice(keys.private_key.as_bytes()).unwrap();
    let key = RsaKeyPair::from_der(der.secret_pkcs1_der()).unwrap();
    let header = BASE64.encode(r#"{"alg":"RS256","typ":"JWT"}"#);
    let signed = format!("{header}.{}", BASE64.encode(claims.to_string()));
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
    format!("{signed}.{}", BASE64.encode(signature))
}

fn good(keys: &AppKeys, now: i64) -> String {
    jwt(keys, &json!({ "iat": now - 60, "exp": now + 540, "iss": keys.id }))
}

/// An App that is installed on `ada`, and what was sent for it.
async fn installed() -> (FakeGithub, Clock, AppKeys, Receiver) {
    let clock = Clock::scripted(Second(NOW));
    let config = FakeConfig { clock: clock.clone(), ..FakeConfig::default() };
    let fake = FakeGithub::start(config).await.unwrap();
    let receiver = Receiver::start().await;
    let keys = fake.world(|world| {
        let ada = world.create_user("ada").unwrap();
        world.create_user("eve").unwrap();
        world.create_repository(ada, NewRepository::public("engine")).unwrap();
        let keys = world.create_app("an app", &receiver.url, &["push"]).unwrap();
        world.install_app(ada).unwrap();
        keys
    });
    fake.settle().await;
    (fake, clock, keys, receiver)
}

#[tokio::test]
async fn a_jwt_is_looked_at_closely() {
    let (fake, _, keys, _) = installed().await;
    let api = Api::new(fake.url());
    let status = async |jwt: &str| api.token(jwt).get("/app").await.status;
    assert_eq!(status(&good(&keys, NOW)).await, 200);
    assert_eq!(status(&good(&keys, NOW - 600)).await, 401, "it has ended");
    assert_eq!(status(&good(&keys, NOW + 120)).await, 401, "it was made in the future");
    let claims = |exp: i64, iss: u64| json!({ "iat": NOW - 60, "exp": exp, "iss": iss });
    assert_eq!(status(&jwt(&keys, &claims(NOW + 601, keys.id))).await, 401, "it lasts too long");
    assert_eq!(status(&jwt(&keys, &claims(NOW + 60, 7))).await, 404, "another App");
    let signed = good(&keys, NOW);
    let (head, _) = signed.rsplit_once('.').unwrap();
    assert_eq!(status(&format!("{head}.{}", BASE64.encode([0; 256]))).await, 401, "nobody signed it");
    assert_eq!(status("no jwt").await, 401);
    assert_eq!(api.token(&signed).get("/users/ada").await.status, 401, "it is for the App's own affairs");
    assert_eq!(api.get("/app").await.status, 401);
}

#[tokio::test]
async fn a_token_of_an_installation_lasts_an_hour_and_not_longer_than_the_installation() {
    let (fake, clock, keys, receiver) = installed().await;
    let told = receiver.received();
    let created = told.iter().find(|told| told.header("x-github-event") == "installation").unwrap();
    let created: Value = serde_json::from_slice(&created.body).unwrap();
    assert_eq!(
        (&created["action"], &created["installation"]["account"]["login"]),
        (&json!("created"), &json!("ada"))
    );
    assert_eq!(created["repositories"][0]["full_name"], "ada/engine");

    let app = Api::new(fake.url()).token(&good(&keys, NOW));
    let all = app.get("/app/installations").await.json();
    assert_eq!(all[0]["id"], created["installation"]["id"]);
    let make = format!("/app/installations/{}/access_tokens", all[0]["id"]);
    let made = app.post(&make, "").await;
    assert_eq!((made.status, made.json()["expires_at"].as_str().map(str::len)), (201, Some(20)));
    let api = Api::new(fake.url()).token(made.json()["token"].as_str().unwrap());
    assert_eq!(api.get("/repos/ada/engine").await.status, 200);
    assert_eq!(api.get("/user").await.status, 403, "it is nobody");
    assert_eq!(api.get("/repos/ada/engine/hooks").await.status, 403);
    assert_eq!(fake.requests().last().unwrap().installation, fake.world(|world| world.account_id("ada")));

    let ada = fake.world(|world| world.account_id("ada")).unwrap();
    fake.world(|world| world.suspend_installation(ada, true)).unwrap();
    assert_eq!((api.get("/repos/ada/engine").await.status, app.post(&make, "").await.status), (403, 403));
    fake.world(|world| world.suspend_installation(ada, false)).unwrap();
    assert_eq!(api.get("/repos/ada/engine").await.status, 200);
    clock.advance_ms(60 * 60 * 1000);
    assert_eq!(api.get("/repos/ada/engine").await.status, 401, "it has ended");
    let app = Api::new(fake.url()).token(&good(&keys, NOW + 3600));
    let made = app.post(&make, "").await;
    let api = Api::new(fake.url()).token(made.json()["token"].as_str().unwrap());
    fake.world(|world| world.uninstall_app(ada)).unwrap();
    assert_eq!((api.get("/repos/ada/engine").await.status, app.post(&make, "").await.status), (401, 404));
}

#[tokio::test]
async fn the_app_hears_of_whom_it_is_installed_on_and_its_record_is_its_own() {
    let (fake, _, keys, receiver) = installed().await;
    let count = || receiver.received().iter().filter(|told| told.header("x-github-event") == "push").count();
    fake.world(|world| {
        let (ada, eve) = (world.account_id("ada").unwrap(), world.account_id("eve").unwrap());
        let own = world.repository_id("ada", "engine").unwrap();
        let other = world.create_repository(eve, NewRepository::public("wheel")).unwrap();
        world.push_commits(own, "main", 1).unwrap();
        world.push_commits(other, "main", 1).unwrap();
        world.withdraw_from_app(own, true).unwrap();
        world.push_commits(own, "main", 1).unwrap();
        world.suspend_installation(ada, true).unwrap();
    });
    fake.settle().await;
    assert_eq!(count(), 1, "neither others' pushes nor those of what was withdrawn");
    let app = Api::new(fake.url()).token(&good(&keys, NOW));
    assert_eq!(app.get("/app/hook/config").await.json()["url"], receiver.url);
    let sent = app.get("/app/hook/deliveries").await.json();
    let push = sent.as_array().unwrap().iter().find(|sent| sent["event"] == "push").unwrap();
    let again = format!("/app/hook/deliveries/{}/attempts", push["id"]);
    assert_eq!(app.post(&again, "").await.status, 202);
    fake.settle().await;
    assert_eq!(count(), 2);
    assert_eq!(Api::new(fake.url()).get("/app/hook/deliveries").await.status, 401);
}
