//! Organisations and their repositories.

use super::{Context, users};
use crate::{model::account::Account, server::reply::Reply, wire};

/// `GET /orgs/{org}`, `GET /organizations/{id}`
pub(in crate::server) fn one(context: Context<'_>, organization: &Account) -> Reply {
    Reply::json(wire::object(|o| wire::full_organization(o, context.view, organization)))
        .modified(organization.updated_at)
}

/// `GET /orgs/{org}/repos`: private ones too, for members.
pub(in crate::server) fn repositories(context: Context<'_>, organization: &Account) -> Reply {
    let is_member = context.view.acts_for(context.caller.account, organization.id);
    let list = context.view.repositories_of(organization.id);
    let list = list.into_iter().filter(|repo| is_member || repo.is_public()).collect();
    users::page(context, list, &format!("organizations/{}/repos", organization.id), "created")
}
