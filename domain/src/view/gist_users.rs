//! S2's `/users`.

use serde::Serialize;

use crate::{
    entity::gist_users::{GistUser, GistUsers},
    time::{Millis, Second},
    view::body::{Body, Meta, Stored, hash},
};

/// A user of S2.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = GistUser))]
pub struct User<'a> {
    /// The login as it was given.
    pub login: &'a str,
    /// The id that it was given with.
    pub id: u64,
}

impl<'a> From<&'a GistUser> for User<'a> {
    fn from(user: &'a GistUser) -> Self {
        User { login: &user.login, id: user.id }
    }
}

/// All of them, by login.
pub fn render(users: &GistUsers) -> Stored {
    let mut users: Vec<User<'_>> = users.0.values().map(User::from).collect();
    users.sort_by_key(|user| user.login);
    let payload = serde_json::to_vec(&users).expect("users of plain values serialize");
    let meta = Meta {
        hash: hash(&payload),
        length: u32::try_from(payload.len()).unwrap_or(u32::MAX),
        as_of: Second(0),
        // Nobody but us knows them: nothing to check with a forge.
        checked_ms: Some(Millis(i64::MAX)),
        complete: true,
        name: String::new(),
    };
    Stored::Body(Body::new(&payload, meta))
}
