//! Webhooks: made, pinged, removed.

use std::sync::Arc;

use crate::{
    model::{
        hook::{Hook, HookTarget, NewHook},
        id::HookId,
        refused::Refused,
        words,
        world::World,
    },
    wire,
};

impl World {
    /// Makes a webhook and pings it.
    ///
    /// # Errors
    /// When its target is not there, or the URL is not `http://`.
    pub fn create_hook(&mut self, new: NewHook) -> Result<HookId, Refused> {
        let there = match new.target {
            HookTarget::Repository(id) => self.state.repositories.contains_key(&id),
            HookTarget::Organization(id) => self.state.accounts.contains_key(&id),
            HookTarget::App | HookTarget::Installations => true,
        };
        if !there {
            return Err(Refused::Missing("hook's target"));
        }
        if !new.url.starts_with("http://") {
            return Err(Refused::NotAllowed("a hook's URL starts with http://"));
        }
        let now = self.begin();
        let id = HookId(self.new_id());
        let hook = Hook { id, settings: new, active: true, created_at: now, updated_at: now };
        self.state.hooks.insert(id, Arc::new(hook));
        self.ping_hook(id)?;
        Ok(id)
    }

    /// Sends `ping` to a hook.
    ///
    /// # Errors
    /// When it is not there.
    pub fn ping_hook(&mut self, id: HookId) -> Result<(), Refused> {
        self.begin();
        let zen = words::zen(&mut self.rng);
        let view = self.view();
        let hook = view.state.hooks.get(&id).cloned().ok_or(Refused::Missing("hook"))?;
        let body = wire::object(|o| {
            o.text("zen", zen);
            o.number("hook_id", id.0);
            o.object("hook", |o| wire::hook(o, view, &hook, wire::HookForm::Ping));
            wire::hook_subject(o, view, &hook);
        });
        self.emit_to(hook, "ping", None, body);
        Ok(())
    }

    /// Switches a hook off or on, as its owner can. One that is off hears of nothing.
    ///
    /// # Errors
    /// When it is not there.
    pub fn set_hook_active(&mut self, id: HookId, active: bool) -> Result<(), Refused> {
        let now = self.begin();
        let hook = self.state.hooks.get_mut(&id).ok_or(Refused::Missing("hook"))?;
        let hook = Arc::make_mut(hook);
        (hook.active, hook.updated_at) = (active, now);
        Ok(())
    }

    /// Removes a hook, which is the last to hear of it: `meta.deleted`.
    ///
    /// # Errors
    /// When it is not there.
    pub fn delete_hook(&mut self, id: HookId) -> Result<(), Refused> {
        self.begin();
        let view = self.view();
        let hook = view.state.hooks.get(&id).cloned().ok_or(Refused::Missing("hook"))?;
        let body = wire::object(|o| {
            o.text("action", "deleted");
            o.number("hook_id", id.0);
            o.object("hook", |o| wire::hook(o, view, &hook, wire::HookForm::Meta));
            wire::hook_subject(o, view, &hook);
        });
        self.emit_to(hook, "meta", Some("deleted"), body);
        self.state.hooks.remove(&id);
        Ok(())
    }
}
