//! The commit graph against git itself: same names, same counts.

use std::{
    fs,
    io::Write as _,
    process::{Command, Stdio},
};

use fake_github::{Clock, Kind, Life, Second, Sha, Urls, Weights, World};

/// Histories that are checked; each has several repositories.
const SEEDS: u64 = 12;
/// Things that happen in each.
const STEPS: usize = 150;

#[test]
fn git_knows_every_commit_by_our_name_and_counts_as_we_do() {
    if Command::new("git").arg("--version").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "git is missing, and CI needs it");
        println!("skipped: git is missing");
        return;
    }
    let mut merges = 0;
    let mut roots = 0;
    for seed in 0..SEEDS {
        let world = lived_in_world(seed);
        for id in world.repositories() {
            let truth = world.truth(id).unwrap();
            let (stream, shas) = world.export(id).unwrap();
            if shas.is_empty() {
                assert_eq!((truth.head, truth.commits), (None, 0), "seed {seed}");
                continue;
            }
            let folder = tempfile::tempdir().unwrap();
            let git = |arguments: &[&str]| {
                let output =
                    Command::new("git").arg("-C").arg(folder.path()).args(arguments).output().unwrap();
                let error = String::from_utf8_lossy(&output.stderr).into_owned();
                assert!(output.status.success(), "seed {seed}: git {arguments:?}: {error}");
                String::from_utf8(output.stdout).unwrap().trim().to_owned()
            };
            git(&["init", "--quiet", "--bare"]);
            let marks = folder.path().join("marks");
            let mut import = Command::new("git")
                .arg("-C")
                .arg(folder.path())
                .args(["fast-import", "--quiet", "--done"])
                .arg(format!("--export-marks={}", marks.display()))
                .stdin(Stdio::piped())
                .spawn()
                .unwrap();
            import.stdin.take().unwrap().write_all(stream.as_bytes()).unwrap();
            assert!(import.wait().unwrap().success(), "seed {seed}: fast-import");
            assert_eq!(names_by_mark(&fs::read_to_string(marks).unwrap()), shas, "seed {seed}");

            let default = format!("refs/heads/{}", truth.default_branch);
            assert_eq!(git(&["rev-list", "--count", &default]), truth.commits.to_string(), "seed {seed}");
            assert_eq!(git(&["rev-parse", &default]), truth.head.unwrap().to_string(), "seed {seed}");
            for branch in world.branches(id) {
                let head = world.branch_head(id, &branch).unwrap();
                let count = git(&["rev-list", "--count", &format!("refs/heads/{branch}")]);
                assert_eq!(count, world.commit_count(head).unwrap().to_string(), "seed {seed} {branch}");
            }
            let number = |text: String| text.parse::<u64>().unwrap();
            merges += number(git(&["rev-list", "--all", "--merges", "--count"]));
            roots += number(git(&["rev-list", "--all", "--max-parents=0", "--count"])) - 1;
        }
    }
    assert!(merges > 20 && roots > 5, "the histories are too tame: {merges} merges, {roots} further roots");
}

/// A world in which repositories stay long enough to have a history.
fn lived_in_world(seed: u64) -> World {
    let clock = Clock::scripted(Second(1_795_000_000));
    let mut world = World::new(seed, clock.clone(), Urls::default());
    world.populate(1).unwrap();
    let weights = Weights::default().with(Kind::DeleteRepository, 0).with(Kind::PushRoot, 20);
    let mut life = Life::new(seed, weights);
    for _ in 0..STEPS {
        life.step(&mut world);
        clock.advance_ms(life.pause_ms());
    }
    world
}

/// The names in a file of marks, in the order of the marks.
fn names_by_mark(text: &str) -> Vec<Sha> {
    let mut marks: Vec<(usize, Sha)> = text
        .lines()
        .map(|line| {
            let (mark, sha) = line.split_once(' ').unwrap();
            (mark.trim_start_matches(':').parse().unwrap(), sha.parse().unwrap())
        })
        .collect();
    marks.sort_unstable();
    marks.into_iter().map(|(_, sha)| sha).collect()
}
