//! A world with a past: accounts that have repositories, which have histories, before anything is watched.

use rand::RngExt;

use super::{
    account::AccountKind,
    act::NewRepository,
    id::AccountId,
    life::{Life, Weights},
    refused::Refused,
    words,
    world::World,
};

/// People without repositories, who star, fork and contribute.
const CROWD: usize = 12;
/// How many days back the past reaches.
const PAST_DAYS: i64 = 300;
/// Things that happened per account in that time.
const PAST_STEPS: usize = 60;

impl World {
    /// Makes so many accounts (every third an organisation) with repositories and a past of some months, and
    /// a crowd around them. Nobody hears of the past. Returns the accounts, people first.
    ///
    /// # Errors
    /// When a made-up name cannot be had, which does not happen in a world of ordinary size.
    pub fn populate(&mut self, accounts: usize) -> Result<Vec<AccountId>, Refused> {
        let present = self.now();
        self.staged = Some(present.plus(-PAST_DAYS * 86_400));
        let made = self.make_past(accounts);
        self.staged = None;
        self.take_events();
        made
    }

    fn make_past(&mut self, accounts: usize) -> Result<Vec<AccountId>, Refused> {
        let mut people = Vec::new();
        for _ in 0..accounts.div_ceil(3) * 2 + CROWD {
            people.push(self.make_person()?);
        }
        let mut owners: Vec<AccountId> = people.iter().copied().take(accounts - accounts / 3).collect();
        for index in 0..accounts / 3 {
            let login = self.free_login();
            let organization = self.create_organization(&login, people[index % people.len()])?;
            let description = words::line(&mut self.rng);
            self.account_mut(organization)?.description = Some(description);
            owners.push(organization);
        }
        for owner in &owners {
            for _ in 0..self.rng.random_range(2..5) {
                let mut new = NewRepository::public(words::name(&mut self.rng));
                new.description = Some(words::line(&mut self.rng));
                let repo = self.create_repository(*owner, new)?;
                let count = self.rng.random_range(1..60);
                self.push_commits(repo, "main", count)?;
                let languages = words::languages(&mut self.rng);
                self.set_languages(repo, &languages)?;
            }
        }
        let steps = PAST_STEPS * accounts;
        let mut life = Life::new(self.rng.random(), Weights::default()).within(owners.clone());
        let gap = PAST_DAYS * 86_400 / i64::try_from(steps + 1).unwrap_or(i64::MAX);
        for _ in 0..steps {
            self.staged = self.staged.map(|second| second.plus(gap));
            life.step(self);
        }
        Ok(owners)
    }

    fn make_person(&mut self) -> Result<AccountId, Refused> {
        let login = self.free_login();
        let id = self.create_user(&login)?;
        let name = words::person(&mut self.rng);
        let email = self.rng.random_bool(0.6).then(|| format!("{login}@example.com"));
        self.set_profile(id, Some(&name), email.as_deref())?;
        let followers = self.rng.random_range(0..400);
        self.set_followers(id, followers)?;
        let gists = self.rng.random_range(0..20);
        self.set_public_gists(id, gists)?;
        debug_assert_eq!(self.view().account(id).kind, AccountKind::User);
        Ok(id)
    }

    fn free_login(&mut self) -> String {
        loop {
            let login = words::name(&mut self.rng);
            if self.account_id(&login).is_none() {
                return login;
            }
        }
    }
}
