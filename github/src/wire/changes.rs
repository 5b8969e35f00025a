//! What an `edited`, `renamed` or `transferred` event says was before.

use domain::Text;
use serde::Deserialize;

use super::{Account, Field, object};

/// The `changes` object.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Changes<'a> {
    #[serde(borrow)]
    pub(crate) default_branch: Field<Former<'a>>,
    #[serde(borrow)]
    pub(crate) repository: Field<FormerName<'a>>,
    #[serde(borrow)]
    pub(crate) owner: Field<FormerOwner<'a>>,
}
object!(Changes<'a>);

impl<'a> Changes<'a> {
    /// The repository's former name.
    pub(crate) fn former_name(&self) -> Option<&Text<'a>> {
        self.repository.value()?.name.value()?.from.value()
    }

    /// Who owned the repository before.
    pub(crate) fn former_owner(&self) -> Option<u64> {
        let from = self.owner.value()?.from.value()?;
        from.user.value().and_then(|user| user.id.get()).or_else(|| from.organization.value()?.id.get())
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Former<'a> {
    #[serde(borrow)]
    pub(crate) from: Field<Text<'a>>,
}
object!(Former<'a>);

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct FormerName<'a> {
    #[serde(borrow)]
    name: Field<Former<'a>>,
}
object!(FormerName<'a>);

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct FormerOwner<'a> {
    #[serde(borrow)]
    from: Field<UserOrOrganization<'a>>,
}
object!(FormerOwner<'a>);

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct UserOrOrganization<'a> {
    #[serde(borrow)]
    user: Field<Account<'a>>,
    #[serde(borrow)]
    organization: Field<Account<'a>>,
}
object!(UserOrOrganization<'a>);
