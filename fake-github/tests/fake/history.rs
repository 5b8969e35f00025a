//! Random histories as a receiver sees them: payloads agree with the truth and with each other.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use fake_github::{Clock, Emitted, Life, RepoId, RepoTruth, Second, Sha, Urls, Weights, World};
use serde_json::Value;

const SEEDS: u64 = 20;
const STEPS: usize = 200;
const START: Second = Second(1_795_000_000);

/// A world, its clock and a life that goes on in it.
fn world(seed: u64, accounts: usize) -> (World, Clock, Life) {
    let clock = Clock::scripted(START);
    let mut world = World::new(seed, clock.clone(), Urls::default());
    world.populate(accounts).unwrap();
    (world, clock, Life::new(seed, Weights::default()))
}

fn body(event: &Emitted) -> Value {
    serde_json::from_slice(&event.body).unwrap()
}

#[test]
fn a_seed_is_a_history() {
    let history = |seed| {
        let (mut world, clock, mut life) = world(seed, 2);
        let mut texts = Vec::new();
        for _ in 0..60 {
            texts.extend(life.step(&mut world).map(|step| step.text));
            clock.advance_ms(life.pause_ms());
        }
        let events: Vec<_> = world.take_events().into_iter().map(|it| (it.event, it.guid, it.body)).collect();
        let truths: Vec<RepoTruth> =
            world.repositories().into_iter().filter_map(|id| world.truth(id)).collect();
        (texts, events, truths)
    };
    assert_eq!(history(7), history(7));
    assert_ne!(history(7).0, history(8).0);
}

#[test]
fn payloads_show_the_moment_at_which_they_were_made() {
    for seed in 0..SEEDS {
        let (mut world, clock, mut life) = world(seed, 2);
        for step in 0..STEPS {
            let Some(done) = life.step(&mut world) else { continue };
            let events = world.take_events();
            for (place, event) in events.iter().enumerate() {
                let context = format!("seed {seed} step {step} ({}): {}", done.text, event.event);
                assert_eq!(event.at, world.now(), "{context}");
                let payload = body(event);
                assert_eq!(payload["action"].as_str(), event.action, "{context}");
                // Only what comes last shows the end of the step.
                let is_last = events[place + 1..].iter().all(|later| later.repository != event.repository);
                let Some(truth) = event.repository.and_then(|id| world.truth(id)).filter(|_| is_last) else {
                    continue;
                };
                check_repository(&payload["repository"], &truth, &context);
            }
            clock.advance_ms(life.pause_ms());
        }
    }
}

fn check_repository(shown: &Value, truth: &RepoTruth, context: &str) {
    assert_eq!(shown["id"], truth.id.0, "{context}");
    assert_eq!(shown["full_name"], truth.full_name.as_str(), "{context}");
    assert_eq!(shown["owner"]["id"], truth.owner.0, "{context}");
    assert_eq!(shown["visibility"], truth.visibility.as_str(), "{context}");
    assert_eq!(shown["default_branch"], truth.default_branch.as_str(), "{context}");
    assert_eq!(shown["stargazers_count"], truth.stars, "{context}");
    assert_eq!(shown["watchers_count"], truth.stars, "{context}");
    assert_eq!(shown["forks_count"], truth.forks, "{context}");
    assert_eq!(shown["open_issues_count"], truth.open_issues, "{context}");
    assert_eq!(shown["updated_at"], truth.updated_at.to_string(), "{context}");
    assert!(shown.get("subscribers_count").is_none(), "{context}: no payload tells the watchers");
}

/// A branch as somebody would know it who saw every push: its head, and how many commits that reaches.
type Branches = HashMap<(RepoId, String), (Sha, u64)>;

#[test]
fn pushes_add_up() {
    let mut plain = 0;
    let mut doubtful = 0;
    for seed in 0..SEEDS {
        let (mut world, clock, mut life) = world(seed, 2);
        let mut branches = Branches::new();
        for id in world.repositories() {
            for name in world.branches(id) {
                let head = world.branch_head(id, &name).unwrap();
                branches.insert((id, name), (head, world.commit_count(head).unwrap()));
            }
        }
        for _ in 0..STEPS {
            life.step(&mut world);
            for event in world.take_events() {
                if event.event == "push" {
                    let counted = follow_push(&mut branches, &world, &event);
                    plain += usize::from(counted);
                    doubtful += usize::from(!counted);
                } else if event.event == "fork" {
                    learn_fork(&mut branches, &world, &body(&event));
                }
            }
            clock.advance_ms(life.pause_ms());
        }
        let gone = |id: &RepoId| world.truth(*id).is_none();
        branches.retain(|(id, _), _| !gone(id));
        for id in world.repositories() {
            let here: BTreeSet<String> = world.branches(id).into_iter().collect();
            let known: BTreeSet<String> =
                branches.keys().filter(|(repo, _)| *repo == id).map(|(_, name)| name.clone()).collect();
            assert_eq!(known, here, "seed {seed}: every branch came and went with a push");
        }
    }
    assert!(plain > 300 && doubtful > 100, "the histories are too tame: {plain} plain, {doubtful} others");
}

/// Follows one push; says whether its commits could simply be added.
fn follow_push(branches: &mut Branches, world: &World, event: &Emitted) -> bool {
    let payload = body(event);
    let Some(branch) = payload["ref"].as_str().unwrap().strip_prefix("refs/heads/") else { return false };
    let key = (event.repository.unwrap(), branch.to_owned());
    let sha = |field: &str| payload[field].as_str().unwrap().parse::<Sha>().unwrap();
    let (before, after) = (sha("before"), sha("after"));
    let known = branches.get(&key).copied();
    assert_eq!(known.map_or(Sha::ZERO, |(head, _)| head), before, "a push starts where the last one ended");
    assert_eq!(payload["created"], before == Sha::ZERO);
    assert_eq!(payload["deleted"], after == Sha::ZERO);
    let commits = payload["commits"].as_array().unwrap();
    if after == Sha::ZERO {
        assert_eq!(payload["head_commit"], Value::Null);
        branches.remove(&key);
        return false;
    }
    assert_eq!(payload["head_commit"]["id"], after.to_string());
    let count = world.commit_count(after).unwrap();
    branches.insert(key, (after, count));
    let Some((_, old)) = known.filter(|_| payload["forced"] == false) else { return false };
    assert_eq!(count, old + commits.len() as u64, "a fast-forward adds its commits, distinct or not");
    assert_eq!(commits.last().unwrap()["id"], after.to_string());
    true
}

/// A fork starts with its parent's branches, and no push says so.
fn learn_fork(branches: &mut Branches, world: &World, payload: &Value) {
    let id = RepoId(payload["forkee"]["id"].as_u64().unwrap());
    for name in world.branches(id) {
        let head = world.branch_head(id, &name).unwrap();
        branches.insert((id, name), (head, world.commit_count(head).unwrap()));
    }
}

#[test]
fn stars_and_pulls_can_be_counted_from_events() {
    for seed in 0..SEEDS {
        let (mut world, clock, mut life) = world(seed, 2);
        let mut stars: BTreeMap<RepoId, BTreeSet<u64>> = BTreeMap::new();
        let mut pulls: BTreeMap<RepoId, BTreeMap<u64, &str>> = BTreeMap::new();
        let first: BTreeMap<RepoId, RepoTruth> =
            world.repositories().into_iter().map(|id| (id, world.truth(id).unwrap())).collect();
        for _ in 0..STEPS {
            let step = life.step(&mut world).unwrap();
            let purged = matches!(step.action, fake_github::Action::PurgeStars { .. });
            for event in world.take_events() {
                let payload = body(&event);
                let Some(id) = event.repository else { continue };
                let starrer = payload["sender"]["id"].as_u64().unwrap();
                match (event.event, event.action) {
                    ("star", Some("created")) => {
                        assert_eq!(payload["starred_at"], payload["repository"]["updated_at"]);
                        stars.entry(id).or_default().insert(starrer);
                    }
                    ("star", Some("deleted")) => {
                        stars.entry(id).or_default().remove(&starrer);
                    }
                    ("repository", Some("privatized")) => {
                        assert_eq!(payload["repository"]["stargazers_count"], 0);
                        stars.remove(&id);
                    }
                    ("pull_request", _) => {
                        let pull = &payload["pull_request"];
                        assert_eq!(pull["updated_at"], event.at.to_string());
                        let state = match (pull["state"].as_str().unwrap(), pull["merged"].as_bool().unwrap())
                        {
                            (_, true) => "merged",
                            ("open", _) => "open",
                            _ => "closed",
                        };
                        pulls.entry(id).or_default().insert(pull["number"].as_u64().unwrap(), state);
                    }
                    _ => {}
                }
            }
            if purged {
                // Nobody is told; start over from the truth, as a reading would.
                for (id, known) in &mut stars {
                    let now: BTreeSet<u64> = world.stargazers(*id).keys().map(|user| user.0).collect();
                    known.retain(|user| now.contains(user));
                }
            }
            clock.advance_ms(life.pause_ms());
        }
        for id in world.repositories() {
            let now: BTreeSet<u64> = world.stargazers(id).keys().map(|user| user.0).collect();
            if let Some(known) = stars.get(&id) {
                assert!(known.is_subset(&now), "seed {seed}");
            }
            let truth = world.truth(id).unwrap();
            let seen = pulls.remove(&id).unwrap_or_default();
            let newest_before = first.get(&id).map_or(0, |truth| truth.pulls.newest);
            let total_before = first.get(&id).map_or(0, |truth| truth.pulls.total);
            let new = seen.keys().filter(|number| **number > newest_before).count() as u64;
            assert_eq!(truth.pulls.total, total_before + new, "seed {seed}: total = N + numbers above M");
            assert_eq!(truth.pulls.total, truth.pulls.open + truth.pulls.merged + truth.pulls.closed);
        }
    }
}
