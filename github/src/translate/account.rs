//! `organization` and `installation_target`: what became of the account itself.

use domain::{AccountId, Event, NeedKey, Text, event::OwnerReading};

use super::{Telling, TranslateError, Understood};
use crate::wire::{Account, Field};

pub(super) fn tell_organization(telling: &mut Telling<'_>) -> Result<Understood, TranslateError> {
    match telling.action() {
        "renamed" => {
            let organization = std::mem::take(&mut telling.payload.organization);
            tell_renamed(telling, &organization, Some("Organization"));
        }
        // Whether it is gone, and for good, the forge must say.
        "deleted" if telling.is_home() => telling.tell(Event::Unclear(NeedKey::Profile)),
        "deleted" | "member_added" | "member_invited" | "member_removed" => {}
        _ => return Ok(Understood::No),
    }
    Ok(Understood::Yes)
}

pub(super) fn tell_installation_target(telling: &mut Telling<'_>) -> Result<Understood, TranslateError> {
    match telling.action() {
        "renamed" => {
            let account = std::mem::take(&mut telling.payload.account);
            tell_renamed(telling, &account, None);
        }
        _ => return Ok(Understood::No),
    }
    Ok(Understood::Yes)
}

/// Tells the new login; where the payload lacks it, that it must be asked. `kind` stands in for one that
/// the object lacks, as `organization` objects do.
fn tell_renamed<'a>(telling: &mut Telling<'a>, account: &Field<Account<'a>>, kind: Option<&'static str>) {
    let id = telling.account;
    if !telling.is_home() {
        return;
    }
    let account = account.value().filter(|account| account.id.get().map(AccountId::github) == Some(id));
    telling.tell(match account.and_then(|account| account.reading(id)) {
        Some(owner) => Event::Owner(OwnerReading { kind: owner.kind.or(kind.map(Text::from)), ..owner }),
        None => Event::Unclear(NeedKey::Profile),
    });
}
