//! What it takes to give a key something: another secret, a longer life, more places to be used
//! from, a life again. Who gives must hold what the key holds, or it would be a way around what may
//! be delegated to a new one.

use domain::{
    error::Error,
    gate::Gates,
    key::{Edit, Key},
};

use crate::api::{Api, Caller, CallerAuthority};

/// Refuses whoever does not hold everything that the key holds, for as long as it lives.
pub(crate) fn require_held(
    api: &Api,
    caller: &Caller,
    authority: &CallerAuthority,
    gates: &Gates,
    key: &Key,
) -> Result<(), Error> {
    authority
        .delegator()
        .require_may_rotate(&api.catalogue, key)?;
    require_user(api, caller, authority, gates, key)
}

/// Refuses an edit that gives something, of whoever does not hold what the key holds; its end and
/// its list are bounded for themselves.
pub(crate) fn require_held_for(
    api: &Api,
    caller: &Caller,
    authority: &CallerAuthority,
    gates: &Gates,
    key: &Key,
    edit: &Edit,
) -> Result<(), Error> {
    if !edit.extends(key) {
        return Ok(());
    }
    authority
        .delegator()
        .require_scopes_of(&api.catalogue, key)?;
    require_user(api, caller, authority, gates, key)
}

/// A personal key holds what its user does. Machines got no further than its access rule.
fn require_user(
    api: &Api,
    caller: &Caller,
    authority: &CallerAuthority,
    gates: &Gates,
    key: &Key,
) -> Result<(), Error> {
    if key
        .owner
        .user()
        .is_none_or(|user| caller.user() == Some(user))
    {
        return Ok(());
    }
    let user = gates.user.as_ref().ok_or_else(Error::not_found)?;
    authority.delegator().require_user(&api.catalogue, user)
}
