//! How long routing and translating take: `cargo run --release -p github --example translate_timing`.
//!
//! The payload is a push of 7 kB with one commit. It measures, it does not judge.

use std::{hint::black_box, time::Instant};

use domain::{Millis, StreamKey};
use github::{
    routing::route,
    translate::{Delivery, translate},
};

/// Enough rounds that a clock's grain does not matter.
const ROUNDS: u32 = 50_000;

fn main() {
    let body = push();
    let streams = route("push", body.as_bytes()).expect("the payload is JSON");
    let stream: StreamKey = streams[0];
    let delivery =
        Delivery { stream, event: "push", received_at: Millis(1_795_255_200_000), body: body.as_bytes() };
    println!("a push of {} bytes, {ROUNDS} rounds", body.len());
    time("route", || black_box(route("push", black_box(body.as_bytes()))).is_ok());
    time("translate", || black_box(translate(black_box(&delivery))).is_ok());
}

fn time(what: &str, mut once: impl FnMut() -> bool) {
    for _ in 0..ROUNDS / 10 {
        assert!(once(), "{what} of a good payload");
    }
    let started = Instant::now();
    for _ in 0..ROUNDS {
        black_box(once());
    }
    println!("{what}: {:.2} µs", started.elapsed().as_secs_f64() * 1e6 / f64::from(ROUNDS));
}

/// A push with one commit, as GitHub sends it.
fn push() -> String {
    let api = "https://api.github.com/repos/Codertocat/Hello-World";
    let templates = [
        "keys{/key_id}",
        "collaborators{/collaborator}",
        "teams",
        "hooks",
        "issues/events{/number}",
        "events",
        "assignees{/user}",
        "branches{/branch}",
        "tags",
        "git/blobs{/sha}",
        "git/tags{/sha}",
        "git/refs{/sha}",
        "git/trees{/sha}",
        "statuses/{sha}",
        "languages",
        "stargazers",
        "contributors",
        "subscribers",
        "subscription",
        "commits{/sha}",
        "git/commits{/sha}",
        "comments{/number}",
        "issues/comments{/number}",
        "contents/{+path}",
        "compare/{base}...{head}",
        "merges",
        "{archive_format}{/ref}",
        "downloads",
        "issues{/number}",
        "pulls{/number}",
        "milestones{/number}",
        "notifications{?since,all,participating}",
        "labels{/name}",
        "releases{/id}",
        "deployments",
    ];
    let urls: Vec<String> = templates
        .iter()
        .map(|path| {
            let name = path.split(['{', '/']).find(|part| !part.is_empty()).unwrap_or("archive");
            format!(r#""{name}_{}_url":"{api}/{path}""#, path.len())
        })
        .collect();
    let user = |login: &str, id: u64| {
        let api = format!("https://api.github.com/users/{login}");
        format!(
            r#"{{"login":"{login}","id":{id},"node_id":"MDQ6VXNlcjIxMDMxMDY3","name":"{login}","email":"21031067+{login}@users.noreply.github.com","avatar_url":"https://avatars1.githubusercontent.com/u/{id}?v=4","gravatar_id":"","url":"{api}","html_url":"https://github.com/{login}","followers_url":"{api}/followers","following_url":"{api}/following{{/other_user}}","gists_url":"{api}/gists{{/gist_id}}","starred_url":"{api}/starred{{/owner}}{{/repo}}","subscriptions_url":"{api}/subscriptions","organizations_url":"{api}/orgs","repos_url":"{api}/repos","events_url":"{api}/events{{/privacy}}","received_events_url":"{api}/received_events","type":"User","site_admin":false}}"#
        )
    };
    let sha = "6113728f27ae82c7b1a177c8d03f9e96e0adf246";
    let commit = format!(
        r#"{{"id":"{sha}","tree_id":"4b825dc642cb6eb9a060e54bf8d69288fbee4904","distinct":true,"message":"Adding a .gitignore file\n\nIt keeps \"target\" out.","timestamp":"2019-05-15T15:20:41Z","url":"https://github.com/Codertocat/Hello-World/commit/{sha}","author":{{"name":"Codertocat","email":"21031067+Codertocat@users.noreply.github.com","username":"Codertocat"}},"committer":{{"name":"Codertocat","email":"21031067+Codertocat@users.noreply.github.com","username":"Codertocat"}},"added":[".gitignore"],"removed":[],"modified":[]}}"#
    );
    format!(
        r#"{{"ref":"refs/heads/master","before":"0d1a26e67d8f5eaf1f6ba5c57fc3c7d91ac0fd1c","after":"{sha}","repository":{{"id":186853002,"node_id":"MDEwOlJlcG9zaXRvcnkxODY4NTMwMDI=","name":"Hello-World","full_name":"Codertocat/Hello-World","private":false,"owner":{},"html_url":"https://github.com/Codertocat/Hello-World","description":null,"fork":false,"url":"https://github.com/Codertocat/Hello-World",{},"created_at":1557933565,"updated_at":"2019-05-15T15:20:41Z","pushed_at":1557933657,"git_url":"git://github.com/Codertocat/Hello-World.git","size":0,"stargazers_count":0,"watchers_count":0,"language":"Ruby","has_issues":true,"forks_count":1,"archived":false,"disabled":false,"open_issues_count":2,"license":null,"forks":1,"open_issues":2,"watchers":0,"default_branch":"master","stargazers":0,"master_branch":"master"}},"pusher":{{"name":"Codertocat","email":"21031067+Codertocat@users.noreply.github.com"}},"sender":{},"created":false,"deleted":false,"forced":false,"base_ref":null,"compare":"https://github.com/Codertocat/Hello-World/compare/0d1a26e67d8f...6113728f27ae","commits":[{commit}],"head_commit":{commit}}}"#,
        user("Codertocat", 21_031_067),
        urls.join(","),
        user("Codertocat", 21_031_067),
    )
}
