//! Plays a history by a plan, and looks at what is shown on the way and at the end.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
};

use domain::{
    AccountId, Event, Forge, NeedKey, Second, StreamKey, ViewKey, directory::DirectoryState, event::TrackedBy,
};
use event_log::Record;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use testkit::{
    answers::{Asker, not_before},
    deliveries::{self, Ear},
    forge::Moment,
    script::{Job, Script},
    stage::{Cut, Disks, Stage},
};

use crate::{
    check::{self, Strictness},
    hidden::Hidings,
    history::{Course, History, Untold},
    plan::Plan,
    retention::Forgetting,
};

/// Needs are asked again and again until none is open; so often means that answers end nothing.
const ROUNDS_MAX: usize = 400;

/// Everything that is served: bytes, `as_of`, and whether it is complete.
pub(crate) type Served = BTreeMap<(AccountId, ViewKey), (Vec<u8>, Second, bool)>;

/// What happens next.
enum Entry {
    /// An account is wanted.
    Want(String),
    /// A delivery arrives.
    Deliver(usize, Ear),
    /// Somebody looks what may be asked, and asks some of it; of one need, or of all.
    Look(Option<(StreamKey, NeedKey)>),
    /// Everything has arrived: what is wrong must say so.
    AllIn,
    /// A sweep begins.
    Sweep(AccountId),
    /// A job that waited goes on.
    Resume(usize),
    /// The projector is started anew.
    Restart,
    /// The power goes, while a delivery arrives.
    Cut(Cut),
    /// The log begins to forget.
    Retain,
}

/// A question, or a sweep, on its way.
struct Asked<'p> {
    job: Job<'p>,
    about: Option<(StreamKey, NeedKey)>,
}

/// A history being played.
pub(crate) struct Play<'p> {
    history: &'p History,
    plan: Plan,
    stage: &'p Stage,
    script: &'p Script,
    asker: &'p Asker<'p>,
    disks: Option<&'p Disks>,
    rng: ChaCha8Rng,
    agenda: BinaryHeap<Reverse<(i64, usize)>>,
    entries: Vec<Option<Entry>>,
    jobs: Vec<Option<Asked<'p>>>,
    asking: BTreeSet<(StreamKey, NeedKey)>,
    /// Needs that are on the agenda to be looked at when they may be asked.
    planned: BTreeSet<(StreamKey, NeedKey)>,
    /// When each event was emitted, and when its first copy arrives everywhere.
    arrivals: Vec<(i64, i64)>,
    hidings: Hidings,
    pub(crate) forgetting: Forgetting,
    /// How many questions were asked.
    pub(crate) questions: usize,
}

impl<'p> Play<'p> {
    pub(crate) fn new(
        history: &'p History,
        plan: Plan,
        stage: &'p Stage,
        script: &'p Script,
        asker: &'p Asker<'p>,
        disks: Option<&'p Disks>,
    ) -> Self {
        let mut play = Play {
            history,
            plan,
            stage,
            script,
            asker,
            disks,
            rng: ChaCha8Rng::seed_from_u64(plan.seed ^ 0x00a6_e2da),
            agenda: BinaryHeap::new(),
            entries: Vec::new(),
            jobs: Vec::new(),
            asking: BTreeSet::new(),
            planned: BTreeSet::new(),
            arrivals: Vec::new(),
            hidings: Hidings::default(),
            forgetting: Forgetting::default(),
            questions: 0,
        };
        play.fill_agenda();
        play
    }

    /// Plays it to its end: until everything has arrived, every question is answered, and nothing is open.
    /// Returns the first thing that is wrong.
    pub(crate) async fn run(&mut self) -> Result<(), String> {
        for _ in 0..ROUNDS_MAX {
            self.run_agenda().await?;
            let open = self.stage.open_needs().await;
            let Some(next) = open.iter().map(|(.., need)| not_before(need)).min() else {
                if self.want_again().await {
                    continue;
                }
                let all = match self.history_is_told() {
                    true => Strictness::Exact,
                    false => Strictness::Honest,
                };
                return self.check("when no need is open", all).await;
            };
            self.plan.asked = 100;
            self.at(self.script.theirs(next), Entry::Look(None));
        }
        Err(format!("needs stay open: {:?}", self.stage.open_needs().await))
    }

    /// Wants by their present logins those who had another one by the time they were asked for. Returns
    /// whether there are any.
    async fn want_again(&mut self) -> bool {
        let mut logins = Vec::new();
        for owner in &self.history.owners {
            if self.stage.rows().directory(*owner).await.is_none_or(|row| row.state != DirectoryState::Kept) {
                logins.push(self.history.end().accounts[owner].truth.login.clone());
            }
        }
        for login in &logins {
            self.at(self.script.now_ms(), Entry::Want(login.clone()));
        }
        !logins.is_empty()
    }

    /// Sweeps every account once, then answers what that leaves open. Then everything is exact.
    pub(crate) async fn sweep(&mut self) -> Result<(), String> {
        // The last thing may have happened without a word.
        self.script.set(self.history.end().at_ms);
        for account in self.stage.accounts() {
            self.at(self.script.now_ms() + 2_000, Entry::Sweep(account));
        }
        self.run().await?;
        let found = check::complaints(self.stage, self.history.end(), &[], Strictness::Exact).await;
        complain("after a sweep", &found)
    }

    /// What is served now.
    pub(crate) async fn served(&self) -> Served {
        check::served(self.stage).await
    }

    fn history_is_told(&self) -> bool {
        self.history.course == Course::Told
    }

    fn fill_agenda(&mut self) {
        let history = self.history;
        let start = history.moments[0].at_ms;
        for owner in &history.owners {
            let login = history.moments[0].accounts[owner].truth.login.clone();
            let delay = if self.rng.random_bool(0.7) { 0 } else { self.rng.random_range(0..60_000) };
            self.at(start + delay, Entry::Want(login));
        }
        for (event, (at, emitted)) in history.emitted.iter().enumerate() {
            for ear in history.ears.iter().copied().filter(|ear| history.hears(*ear, emitted)) {
                let mut first = i64::MAX;
                loop {
                    let arrival = at + self.plan.delay(&mut self.rng);
                    first = first.min(arrival);
                    self.at(arrival, Entry::Deliver(event, ear));
                    if self.rng.random_range(0..100) >= self.plan.doubled {
                        break;
                    }
                }
                self.arrivals.push((*at, first));
            }
        }
        // Of its own: what else happens is the same with it and without.
        let mut retains = ChaCha8Rng::seed_from_u64(self.plan.seed ^ 0x000b_a5e5);
        for moment in &history.moments {
            let at = moment.at_ms;
            if self.rng.random_bool(0.6) {
                let delay = self.rng.random_range(0..8_000);
                self.at(at + delay, Entry::Look(None));
            }
            if self.rng.random_range(0..100) < self.plan.swept {
                let owner = history.owners[self.rng.random_range(0..history.owners.len())];
                self.at(at + 500, Entry::Sweep(owner));
            }
            if self.rng.random_range(0..100) < self.plan.restarted {
                self.at(at + 300, Entry::Restart);
            }
            if retains.random_range(0..100) < self.plan.retained {
                let delay = self.plan.delay(&mut retains);
                self.at(at + delay, Entry::Retain);
            }
            if self.rng.random_range(0..100) < self.plan.cut {
                let cut = match self.rng.random_range(0..4) {
                    0 => Cut::Kept,
                    1 => Cut::Lost,
                    _ => Cut::Torn(self.rng.random()),
                };
                self.at(at + 300, Entry::Cut(cut));
            }
        }
        let all_in = self.arrivals.iter().map(|(_, arrival)| *arrival).max().unwrap_or(start);
        self.at(all_in, Entry::AllIn);
    }

    fn at(&mut self, at: i64, entry: Entry) {
        self.agenda.push(Reverse((at, self.entries.len())));
        self.entries.push(Some(entry));
    }

    async fn run_agenda(&mut self) -> Result<(), String> {
        while let Some(Reverse((at, place))) = self.agenda.pop() {
            self.script.set(at);
            let entry = self.entries[place].take().expect("an entry is on the agenda once");
            match entry {
                Entry::Deliver(event, ear) => self.deliver(event, ear).await?,
                Entry::Want(login) => {
                    let wanted = Event::LoginWanted {
                        forge: Forge::GitHub,
                        login: login.into(),
                        by: TrackedBy::Person,
                    };
                    self.stage.command(StreamKey::Service, self.script.ours(), vec![wanted]).await;
                    self.at(at + 10, Entry::Look(None));
                }
                Entry::Look(about) => self.look(about).await?,
                Entry::AllIn => self.check("when all deliveries are in", Strictness::Honest).await?,
                Entry::Sweep(account) => {
                    let asker = self.asker;
                    self.begin(Box::pin(asker.sweep(account)), None).await?;
                }
                Entry::Resume(job) => self.go_on(job).await?,
                Entry::Restart => self.stage.restart().await,
                Entry::Cut(cut) => self.cut(cut).await?,
                Entry::Retain => self.forgetting.begin(self.stage).await,
            }
        }
        Ok(())
    }

    /// Cuts the power, while the next delivery is folded if one comes at once.
    async fn cut(&mut self, cut: Cut) -> Result<(), String> {
        if let Some(Reverse((at, place))) = self.agenda.peek().copied()
            && let Some(Entry::Deliver(event, ear)) = self.entries[place]
        {
            self.agenda.pop();
            self.script.set(at);
            self.stage.append_only(self.records(event, ear)).await;
            for _ in 0..self.rng.random_range(0..6) {
                tokio::task::yield_now().await;
            }
        }
        self.forgetting.kill().await;
        let disks = self.disks.expect("a plan that cuts the power has disks");
        disks.cut(self.stage, cut).await;
        self.look_at_hidden().await
    }

    /// Delivers this, and what arrives within the batch.
    async fn deliver(&mut self, event: usize, ear: Ear) -> Result<(), String> {
        let until = self.script.now_ms() + self.plan.batch_ms;
        let mut records = self.records(event, ear);
        while let Some(Reverse((at, place))) = self.agenda.peek().copied()
            && at <= until
            && let Some(Entry::Deliver(event, ear)) = self.entries[place]
        {
            self.agenda.pop();
            self.script.set(at);
            records.extend(self.records(event, ear));
        }
        self.stage.append(records).await;
        self.look_at_hidden().await
    }

    fn records(&self, event: usize, ear: Ear) -> Vec<Record> {
        deliveries::records(&self.history.emitted[event].1, ear, self.script.ours())
    }

    async fn look(&mut self, at: Option<(StreamKey, NeedKey)>) -> Result<(), String> {
        if let Some(about) = &at {
            self.planned.remove(about);
        } else if self.rng.random_range(0..8) == 0 && self.is_all_in() {
            self.check("when all deliveries so far are in", Strictness::Honest).await?;
        }
        for (stream, key, need) in self.stage.open_needs().await {
            let about = (stream, key.clone());
            if at.as_ref().is_some_and(|at| *at != about) {
                continue;
            }
            let ripe_at = self.script.theirs(not_before(&need));
            let is_asked = self.asking.contains(&about);
            // Two owners may believe that an account is theirs.
            let again = self.rng.random_range(0..20) == 0 && self.plan.late > 0;
            if self.rng.random_range(0..100) >= self.plan.asked || (is_asked && !again) {
                continue;
            }
            if ripe_at <= self.script.now_ms() {
                let asker = self.asker;
                self.begin(Box::pin(asker.ask(stream, key)), Some(about)).await?;
            } else if self.plan.asked < 100 && self.planned.insert(about.clone()) {
                let delay = self.rng.random_range(0..1_000);
                self.at(ripe_at + delay, Entry::Look(Some(about)));
            }
        }
        Ok(())
    }

    /// Whether everything that was emitted by now has arrived.
    fn is_all_in(&self) -> bool {
        let now = self.script.now_ms();
        self.arrivals.iter().all(|(emitted, arrival)| *emitted > now || *arrival < now)
    }

    async fn begin(&mut self, job: Job<'p>, about: Option<(StreamKey, NeedKey)>) -> Result<(), String> {
        self.questions += 1;
        self.asking.extend(about.clone());
        self.jobs.push(Some(Asked { job, about }));
        self.go_on(self.jobs.len() - 1).await
    }

    async fn go_on(&mut self, place: usize) -> Result<(), String> {
        let mut asked = self.jobs[place].take().expect("a job goes on until it ends");
        match self.script.go_on(&mut asked.job).await {
            Some(until) => {
                self.jobs[place] = Some(asked);
                self.at(until, Entry::Resume(place));
            }
            None => {
                if let Some(about) = &asked.about {
                    self.asking.remove(about);
                }
            }
        }
        self.look_at_hidden().await
    }

    async fn check(&self, when: &str, strictness: Strictness) -> Result<(), String> {
        let now = self.script.now_ms();
        let untold: Vec<Untold> =
            self.history.untold.iter().filter(|(at, _)| *at <= now).map(|(_, untold)| *untold).collect();
        let world: &Moment = self.script.world(0);
        // Where more than was told has changed, what is shown may be wrong without knowing.
        if strictness == Strictness::Honest && !self.history_is_told() {
            return Ok(());
        }
        complain(when, &check::complaints(self.stage, world, &untold, strictness).await)
    }

    async fn look_at_hidden(&mut self) -> Result<(), String> {
        complain("of what is hidden", &self.hidings.look(self.stage).await)
    }
}

fn complain(when: &str, complaints: &[String]) -> Result<(), String> {
    if complaints.is_empty() {
        return Ok(());
    }
    Err(format!("{when}:\n{}", complaints.join("\n")))
}
