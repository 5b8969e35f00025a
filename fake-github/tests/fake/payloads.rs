//! The quirks of GitHub's payloads and rules that schemas do not tell.

use fake_github::{
    AccountId, Clock, HookTarget, Kind, Life, NewCommits, NewHook, NewRepository, RepoId, Second, Urls,
    Weights, World,
};
use serde_json::{Value, json};

const START: Second = Second(1_795_000_000);

/// A world with one user and one public repository of three commits.
struct Setup {
    world: World,
    clock: Clock,
    ada: AccountId,
    repo: RepoId,
}

fn setup() -> Setup {
    let clock = Clock::scripted(START);
    let mut world = World::new(1, clock.clone(), Urls::default());
    let ada = world.create_user("ada").unwrap();
    let repo = world.create_repository(ada, NewRepository::public("engine")).unwrap();
    world.push_commits(repo, "main", 3).unwrap();
    world.take_events();
    Setup { world, clock, ada, repo }
}

impl Setup {
    /// The payloads of what is done, with `event.action` before each.
    fn events<T>(&mut self, act: impl FnOnce(&mut World, RepoId, AccountId) -> T) -> Vec<(String, Value)> {
        act(&mut self.world, self.repo, self.ada);
        let name = |event: &str, action: Option<&str>| match action {
            Some(action) => format!("{event}.{action}"),
            None => event.to_owned(),
        };
        let events = self.world.take_events().into_iter();
        events.map(|it| (name(it.event, it.action), serde_json::from_slice(&it.body).unwrap())).collect()
    }

    fn names<T>(&mut self, act: impl FnOnce(&mut World, RepoId, AccountId) -> T) -> Vec<String> {
        self.events(act).into_iter().map(|(name, _)| name).collect()
    }

    /// The first push that what is done brings.
    fn push<T>(&mut self, act: impl FnOnce(&mut World, RepoId, AccountId) -> T) -> Value {
        self.events(act).into_iter().find(|(name, _)| name == "push").unwrap().1
    }
}

fn distinct(push: &Value) -> Vec<bool> {
    push["commits"].as_array().unwrap().iter().map(|commit| commit["distinct"].as_bool().unwrap()).collect()
}

#[test]
fn a_push_writes_its_repository_in_its_own_way() {
    let mut setup = setup();
    let acme = setup.world.create_organization("Acme", setup.ada).unwrap();
    setup.world.transfer_repository(setup.repo, acme).unwrap();
    setup.world.take_events();
    setup.clock.advance_ms(2_500);
    let push = setup.push(|world, repo, _| world.push_commits(repo, "main", 1).unwrap());
    let repo = &push["repository"];
    assert_eq!(repo["created_at"], START.0);
    assert_eq!(repo["pushed_at"], START.0 + 2, "unix seconds, and the push's own");
    assert_eq!(repo["updated_at"], START.to_string(), "a push moves pushed_at, not updated_at");
    assert_eq!(repo["url"], "https://github.com/Acme/engine");
    assert_eq!(repo["master_branch"], "main");
    assert_eq!(repo["stargazers"], 0);
    assert_eq!(repo["organization"], "Acme", "here a login");
    assert_eq!(push["organization"]["login"], "Acme", "there an object");
    assert_eq!(repo["owner"]["name"], "Acme");
    assert!(repo["owner"]["email"].is_string());
    let issue = setup.events(|world, repo, ada| world.open_issue(repo, "i", ada).unwrap());
    let repo = &issue[0].1["repository"];
    assert_eq!(repo["url"], "https://api.github.com/repos/Acme/engine");
    assert_eq!(repo["pushed_at"], START.plus(2).to_string());
    assert!(repo["owner"].get("name").is_none() && repo.get("master_branch").is_none());
}

#[test]
fn commits_that_were_pushed_before_are_new_on_the_branch_but_not_distinct() {
    let mut setup = setup();
    setup.push(|world, repo, ada| world.create_branch(repo, "side", "main", ada).unwrap());
    let side = setup.push(|world, repo, _| world.push_commits(repo, "side", 2).unwrap());
    assert_eq!(distinct(&side), [true, true]);
    setup.push(|world, repo, _| world.push_commits(repo, "main", 1).unwrap());
    let merge = setup.push(|world, repo, ada| world.push_merge(repo, "side", "main", ada).unwrap());
    assert_eq!(distinct(&merge), [false, false, true]);
    assert_eq!(setup.world.truth(setup.repo).unwrap().commits, 3 + 1 + 3);
    let forward = setup.push(|world, repo, ada| {
        let head = world.branch_head(repo, "main").unwrap();
        world.push_existing(repo, "side", head, ada).unwrap();
    });
    assert_eq!((distinct(&forward), &forward["forced"]), (vec![false, false], &json!(false)));
    assert_eq!(forward["head_commit"]["distinct"], false);
}

#[test]
fn a_force_push_does_not_tell_what_vanished() {
    let mut setup = setup();
    let rewind = setup.push(|world, repo, ada| {
        world.push(repo, "main", NewCommits { back: 2, count: 0 }, ada).unwrap();
    });
    assert_eq!((&rewind["forced"], &rewind["commits"]), (&json!(true), &json!([])));
    assert_eq!(rewind["head_commit"]["id"], rewind["after"]);
    assert_eq!(setup.world.truth(setup.repo).unwrap().commits, 1);
    setup.push(|world, repo, _| world.push_commits(repo, "main", 2).unwrap());
    let pushes = setup.events(|world, repo, ada| world.force_there_and_back(repo, "main", ada).unwrap());
    let [(_, there), (_, back)] = pushes.as_slice() else { panic!("two pushes: {pushes:?}") };
    assert_eq!((&there["before"], &there["after"]), (&back["after"], &back["before"]));
    assert_eq!((&there["forced"], &back["forced"]), (&json!(true), &json!(false)));
    assert_eq!(there["repository"]["pushed_at"], back["repository"]["pushed_at"], "in one second");
    assert_eq!(back["commits"].as_array().unwrap().len(), 1);
}

#[test]
fn payloads_hold_2048_commits_at_most() {
    let mut setup = setup();
    let huge = setup.push(|world, repo, _| world.push_commits(repo, "main", 2_050).unwrap());
    assert_eq!(huge["commits"].as_array().unwrap().len(), 2_048);
    assert_eq!(setup.world.truth(setup.repo).unwrap().commits, 2_053);
}

#[test]
fn branches_and_tags_come_and_go_with_a_push() {
    let mut setup = setup();
    let zero = "0".repeat(40);
    let made = setup.events(|world, repo, ada| {
        world.create_branch(repo, "side", "main", ada).unwrap();
        world.push_commits(repo, "side", 1).unwrap();
        world.create_branch(repo, "twig", "side", ada).unwrap();
        world.create_tag(repo, "v1", "side", ada).unwrap();
        world.delete_branch(repo, "side", ada).unwrap();
        world.delete_tag(repo, "v1", ada).unwrap();
    });
    let names: Vec<&str> = made.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        ["push", "create", "push", "push", "create", "push", "create", "push", "delete", "push", "delete"]
    );
    let push = |index: usize| &made[index].1;
    assert_eq!((&push(0)["before"], &push(0)["commits"]), (&json!(zero), &json!([])));
    assert_eq!((&push(0)["created"], &push(0)["base_ref"]), (&json!(true), &json!("refs/heads/main")));
    assert_eq!(push(3)["commits"].as_array().unwrap().len(), 1, "relative to the default branch");
    assert_eq!((&push(5)["ref"], &push(5)["commits"]), (&json!("refs/tags/v1"), &json!([])));
    assert_eq!((&push(7)["after"], &push(7)["deleted"]), (&json!(zero), &json!(true)));
    assert_eq!(push(7)["head_commit"], Value::Null);
    assert_eq!((&made[8].1["ref"], &made[8].1["ref_type"]), (&json!("side"), &json!("branch")));
    assert!(setup.world.delete_branch(setup.repo, "main", setup.ada).is_err(), "not the default branch");
}

#[test]
fn the_first_push_makes_its_branch_the_default_one_and_shows_all_commits() {
    let mut setup = setup();
    let fresh = setup.world.create_repository(setup.ada, NewRepository::public("fresh")).unwrap();
    assert_eq!(setup.world.truth(fresh).unwrap().commits, 0);
    setup.world.take_events();
    let push = setup.push(|world, _, _| world.push_commits(fresh, "trunk", 4).unwrap());
    assert_eq!(push["repository"]["default_branch"], "trunk");
    assert_eq!(distinct(&push), [true; 4]);
    assert_eq!(setup.world.truth(fresh).unwrap().commits, 4);
}

#[test]
fn another_default_branch_is_an_edit() {
    let mut setup = setup();
    setup.events(|world, repo, ada| {
        world.create_branch(repo, "next", "main", ada).unwrap();
        world.push_commits(repo, "next", 5).unwrap();
    });
    setup.clock.advance_ms(1_000);
    let edited = setup.events(|world, repo, _| world.set_default_branch(repo, "next").unwrap());
    assert_eq!(edited[0].0, "repository.edited");
    assert_eq!(edited[0].1["changes"], json!({"default_branch": {"from": "main"}}));
    assert_eq!(edited[0].1["repository"]["updated_at"], START.plus(1).to_string());
    assert_eq!(setup.world.truth(setup.repo).unwrap().commits, 8);
    let renamed = setup.names(|world, repo, ada| world.rename_branch(repo, "next", "trunk", ada).unwrap());
    assert_eq!(renamed, ["push", "create", "repository.edited", "push", "delete"]);
    assert_eq!(setup.world.truth(setup.repo).unwrap().commits, 8);
}

#[test]
fn pull_requests_follow_their_branches() {
    let mut setup = setup();
    setup.events(|world, repo, ada| {
        for branch in ["one", "two", "three"] {
            world.create_branch(repo, branch, "main", ada).unwrap();
            world.push_commits(repo, branch, 2).unwrap();
            world.open_pull(repo, (repo, branch), "main", "t", ada).unwrap();
        }
    });
    let pushed = setup.events(|world, repo, _| world.push_commits(repo, "one", 1).unwrap());
    assert_eq!(pushed[1].0, "pull_request.synchronize");
    assert_eq!(pushed[1].1["after"], pushed[0].1["after"]);
    assert_eq!(pushed[1].1["pull_request"]["commits"], 3);

    let merged = setup.events(|world, repo, ada| world.merge_pull(repo, 1, false, ada).unwrap());
    let names: Vec<&str> = merged.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["push", "pull_request.closed"]);
    let pull = &merged[1].1["pull_request"];
    assert_eq!((&pull["merged"], &pull["merge_commit_sha"]), (&json!(true), &merged[0].1["after"]));
    assert_eq!(merged[1].1["repository"]["open_issues_count"], 2);

    // Pushing the commits of a pull request to its base merges it.
    let by_push = setup.events(|world, repo, ada| world.push_merge(repo, "two", "main", ada).unwrap());
    assert_eq!(by_push[1].0, "pull_request.closed");
    assert_eq!(by_push[1].1["pull_request"]["merged"], true);
    // Without its branch a pull request is closed, and cannot be reopened.
    let orphaned = setup.events(|world, repo, ada| world.delete_branch(repo, "three", ada).unwrap());
    assert_eq!(orphaned.last().unwrap().0, "pull_request.closed");
    assert_eq!(orphaned.last().unwrap().1["pull_request"]["merged"], false);
    assert!(setup.world.reopen_pull(setup.repo, 3, setup.ada).is_err());
    let pulls = setup.world.truth(setup.repo).unwrap().pulls;
    assert_eq!((pulls.open, pulls.merged, pulls.closed, pulls.total, pulls.newest), (0, 2, 1, 3, 3));
}

#[test]
fn a_pull_request_of_a_fork_that_is_gone_stays() {
    let mut setup = setup();
    let eve = setup.world.create_user("eve").unwrap();
    let fork = setup.world.fork(setup.repo, eve).unwrap();
    setup.events(|world, repo, _| {
        world.push_commits(fork, "main", 2).unwrap();
        world.open_pull(repo, (fork, "main"), "main", "t", eve).unwrap();
    });
    assert_eq!(setup.world.truth(setup.repo).unwrap().forks, 1);
    let deleted = setup.names(|world, _, _| world.delete_repository(fork).unwrap());
    assert_eq!(deleted, ["repository.deleted"], "the parent is told nothing");
    assert_eq!(setup.world.truth(setup.repo).unwrap().forks, 0);
    let merged = setup.events(|world, repo, ada| world.merge_pull(repo, 1, false, ada).unwrap());
    let pull = &merged.last().unwrap().1["pull_request"];
    assert_eq!((&pull["head"]["repo"], &pull["head"]["label"]), (&Value::Null, &json!("eve:main")));
    assert_eq!(setup.world.truth(setup.repo).unwrap().commits, 3 + 2 + 1);
}

#[test]
fn going_private_erases_stars_and_watchers_and_lets_forks_go() {
    let mut setup = setup();
    let forks: Vec<RepoId> = ["eve", "bob", "joe"]
        .into_iter()
        .map(|login| {
            let user = setup.world.create_user(login).unwrap();
            setup.world.star(setup.repo, user).unwrap();
            setup.world.fork(setup.repo, user).unwrap()
        })
        .collect();
    setup.world.set_subscribers(setup.repo, 9).unwrap();
    setup.world.take_events();
    setup.clock.advance_ms(1_000);
    let events = setup.events(|world, repo, _| world.privatize_repository(repo).unwrap());
    assert_eq!(events.len(), 1);
    let shown = &events[0].1["repository"];
    assert_eq!((&shown["private"], &shown["stargazers_count"]), (&json!(true), &json!(0)));
    assert_eq!((&shown["forks_count"], &shown["updated_at"]), (&json!(0), &json!(START.plus(1).to_string())));
    assert_eq!(setup.world.truth(setup.repo).unwrap().watchers, 0);
    let of = |id: RepoId| setup.world.truth(id).unwrap();
    assert_eq!(forks.iter().map(|id| of(*id).fork).collect::<Vec<_>>(), [false, true, true]);
    assert_eq!(of(forks[0]).forks, 2, "the oldest is the root of the others now");
    let back = setup.names(|world, repo, _| world.publicize_repository(repo).unwrap());
    assert_eq!(back, ["public", "repository.publicized"]);
    assert!(setup.world.privatize_repository(forks[1]).is_err(), "a fork's visibility is fixed");
}

#[test]
fn stars_move_updated_at_and_issues_do_not() {
    let mut setup = setup();
    setup.clock.advance_ms(1_000);
    let star = setup.events(|world, repo, ada| world.star(repo, ada).unwrap());
    assert_eq!(
        star.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
        ["star.created", "watch.started"]
    );
    assert_eq!(star[0].1["starred_at"], START.plus(1).to_string());
    assert_eq!(star[0].1["sender"]["id"], setup.ada.0);
    setup.clock.advance_ms(1_000);
    let issue = setup.events(|world, repo, ada| world.open_issue(repo, "i", ada).unwrap());
    assert_eq!(issue[0].1["repository"]["updated_at"], START.plus(1).to_string());
    assert_eq!(issue[0].1["issue"]["updated_at"], START.plus(2).to_string());
    let unstar = setup.events(|world, repo, ada| world.unstar(repo, ada).unwrap());
    assert_eq!(
        (&unstar[0].1["starred_at"], &unstar[0].1["repository"]["stargazers_count"]),
        (&Value::Null, &json!(0))
    );
    let silent = setup.names(|world, repo, ada| {
        world.set_subscribers(repo, 5).unwrap();
        world.set_languages(repo, &[("Rust", 1)]).unwrap();
        world.set_followers(ada, 5).unwrap();
        world.purge_stars(ada).unwrap();
        world.set_profile(ada, None, None).unwrap();
    });
    assert!(silent.is_empty());
}

#[test]
fn what_github_would_not_do_is_refused_and_changes_nothing() {
    let mut setup = setup();
    let eve = setup.world.create_user("eve").unwrap();
    let before = setup.world.truth(setup.repo);
    let Setup { world, ada, repo, .. } = &mut setup;
    let (ada, repo) = (*ada, *repo);
    assert!(world.create_user("ADA").is_err(), "logins ignore case");
    assert!(world.create_user("a/b").is_err());
    assert!(world.create_repository(ada, NewRepository::public("Engine")).is_err());
    assert!(world.rename_repository(repo, "a b").is_err());
    assert!(world.transfer_repository(repo, ada).is_err());
    assert!(world.push_commits(repo, "nowhere", 1).is_err());
    assert!(world.push(repo, "main", NewCommits { back: 9, count: 1 }, ada).is_err());
    assert!(world.open_pull(repo, (repo, "main"), "main", "t", ada).is_err());
    assert!(world.close_issue(repo, 1, ada).is_err());
    assert!(world.unstar(repo, ada).is_err());
    assert!(world.fork(repo, ada).is_err());
    assert!(world.star(RepoId(1), ada).is_err());
    world.archive_repository(repo, true).unwrap();
    assert!(world.push_commits(repo, "main", 1).is_err(), "archived repositories take no pushes");
    world.archive_repository(repo, false).unwrap();
    let fork = world.fork(repo, eve).unwrap();
    world.delete_repository(fork).unwrap();
    assert_eq!(world.truth(repo), before);
}

#[test]
fn hooks_hear_only_what_they_subscribe_to_as_they_stood_then() {
    let mut setup = setup();
    let target = HookTarget::Repository(setup.repo);
    let hook = NewHook { events: vec!["star".into()], ..NewHook::new(target, "http://h/", "s") };
    let hook = setup.world.create_hook(hook).unwrap();
    setup.world.push_commits(setup.repo, "main", 1).unwrap();
    setup.world.star(setup.repo, setup.ada).unwrap();
    setup.world.delete_hook(hook).unwrap();
    setup.world.unstar(setup.repo, setup.ada).unwrap();
    let heard: Vec<&str> = setup
        .world
        .take_events()
        .iter()
        .filter(|event| event.hooks().any(|id| id == hook))
        .map(|it| it.event)
        .collect();
    assert_eq!(heard, ["ping", "star", "meta"]);
    let organization = setup.world.create_organization("acme", setup.ada).unwrap();
    let https = NewHook::new(HookTarget::Organization(organization), "https://h/", "s");
    assert!(setup.world.create_hook(https).is_err(), "deliveries are sent without TLS");
}

#[test]
fn life_stays_where_it_is_told_and_does_what_it_is_told() {
    let mut setup = setup();
    let eve = setup.world.create_user("eve").unwrap();
    let other = setup.world.create_repository(eve, NewRepository::public("quiet")).unwrap();
    setup.world.push_commits(other, "main", 1).unwrap();
    setup.world.take_events();
    let quiet = setup.world.truth(other);
    let mut life =
        Life::new(1, Weights::only(&[Kind::Push, Kind::Star, Kind::Unstar])).within(vec![setup.ada]);
    for _ in 0..100 {
        life.step(&mut setup.world).unwrap();
    }
    let events = setup.world.take_events();
    assert!(events.iter().all(|event| event.repository == Some(setup.repo)));
    assert!(events.iter().all(|event| ["push", "star", "watch"].contains(&event.event)));
    assert_eq!(setup.world.truth(other), quiet);
    let mut nothing = Life::new(1, Weights::only(&[Kind::ReopenPull]));
    assert!(nothing.step(&mut setup.world).is_none(), "there is nothing to reopen");
}
