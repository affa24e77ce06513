//! What stands in front of many keys of one organization, read once.

use std::collections::{BTreeSet, HashMap};

use domain::{
    error::Error,
    gate::{Gates, OrganizationGate},
    ids::Guid,
    key::Key,
    user::User,
};

use crate::api::Api;

/// The organization's gate, the users of the personal keys, and whom their secrets were shown.
pub(crate) struct GateCache {
    gates: Gates,
    users: HashMap<Guid, User>,
}

impl GateCache {
    /// Reads the gates of these keys of one organization.
    pub(crate) async fn read(
        api: &Api,
        organization: OrganizationGate,
        keys: &[Key],
    ) -> Result<Self, Error> {
        let people: BTreeSet<Guid> = keys
            .iter()
            .flat_map(|key| key.owner.user().into_iter().chain(key.minters()))
            .collect();
        let users = api.store.users(people).await?;
        let users = users.into_iter().map(|user| (user.guid, user)).collect();
        Ok(Self {
            gates: Gates {
                organization,
                user: None,
                minters: Vec::new(),
            },
            users,
        })
    }

    /// The gates of one of the keys. The organization's may hold hundreds of cohorts: it is not
    /// copied for each key.
    pub(crate) fn of(&mut self, key: &Key) -> &Gates {
        self.gates.user = key
            .owner
            .user()
            .and_then(|guid| self.users.get(&guid).cloned());
        let minters = key.minters().filter_map(|guid| self.users.get(&guid));
        self.gates.minters = minters.cloned().collect();
        &self.gates
    }
}
