//! Which entries a change writes to the revocation feed: its own within the budgets of the minute,
//! and otherwise none or a cover of the key or organization, which readers then look up
//! (`domain::feed::Rules`, Covers). No change is refused for what it would write.

use domain::{
    audit::{Actor, Origin},
    ids::{ClientId, Guid},
    time::Timestamp,
};

use crate::{
    Store,
    budget::{
        Counted, FIRST_ENTRIES, KEY_BUDGET, ORGANIZATION_BUDGET, PLATFORM_BUDGET,
        PLATFORM_BUDGET_WITH_FIRST,
    },
    covers::CoverSubject,
    item_keys,
};

/// Whose budgets a change counts against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BudgetOwner {
    /// The tenant.
    pub(crate) organization: Guid,
    /// The key that the change is about, or whose token is revoked.
    pub(crate) key: Option<ClientId>,
}

/// Which entries a change writes. Only [`Store::plan_entries`] makes one, and
/// [`Store::commit_and_publish`] requires one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EntryPlan(PlannedEntries);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PlannedEntries {
    /// Its own entries.
    Own,
    /// No entry: a cover that ends then stands in for them.
    Omitted { covered_until: Timestamp },
    /// One entry that opens a cover, in place of its own.
    Cover(CoverSubject),
}

impl EntryPlan {
    pub(crate) const fn entries(self) -> PlannedEntries {
        self.0
    }
}

impl BudgetOwner {
    /// What may be covered so that the change needs no entry: its key, its organization.
    pub(crate) fn cover_subjects(self) -> Vec<CoverSubject> {
        let of_key = self.key.map(|key| CoverSubject {
            key: Some(key),
            ..self.whole_organization()
        });
        of_key
            .into_iter()
            .chain([self.whole_organization()])
            .collect()
    }

    const fn whole_organization(self) -> CoverSubject {
        CoverSubject {
            organization: self.organization,
            key: None,
        }
    }

    /// The key, where it changes itself: by a call of its own, or by the first use of its newer
    /// secret.
    fn own_key(self, origin: &Origin) -> Option<ClientId> {
        self.key.filter(|key| match &origin.actor {
            Actor::Key { client_id, .. } | Actor::User { client_id, .. } => {
                *client_id == key.to_string()
            }
            Actor::System => true,
            Actor::Operator => false,
        })
    }
}

impl Store {
    /// Which entries a change writes that has so many of its own. They count against the budgets
    /// even if the change fails.
    pub(crate) async fn plan_entries(
        &self,
        owner: BudgetOwner,
        entries: usize,
        origin: &Origin,
    ) -> EntryPlan {
        let entries = u64::try_from(entries).unwrap_or(u64::MAX);
        EntryPlan(if entries == 0 || self.is_of_staff(owner, origin) {
            PlannedEntries::Own
        } else {
            self.within_budgets(owner, entries, origin).await
        })
    }

    async fn within_budgets(
        &self,
        owner: BudgetOwner,
        mut entries: u64,
        origin: &Origin,
    ) -> PlannedEntries {
        let (organization, now) = (owner.organization, self.now());
        let mut planned = PlannedEntries::Own;
        if let Some(key) = owner.own_key(origin) {
            let budget = item_keys::budget_of_key(organization, key, now);
            if self.count(budget, entries, KEY_BUDGET).await == Counted::Full {
                if let Some(covered_until) = self.covered_until(owner).await {
                    return PlannedEntries::Omitted { covered_until };
                }
                planned = PlannedEntries::Cover(CoverSubject {
                    organization,
                    key: Some(key),
                });
                // A cover is one entry, however many it stands in for.
                entries = 1;
            }
        }
        let budget = item_keys::budget_of_organization(organization, now);
        let fits = match self.count(budget, entries, ORGANIZATION_BUDGET).await {
            Counted::Fits(sum) => self.platform_takes(entries, sum, now).await,
            Counted::Full => false,
        };
        if fits {
            return planned;
        }
        match self.covered_until(owner).await {
            Some(covered_until) => PlannedEntries::Omitted { covered_until },
            None => PlannedEntries::Cover(owner.whole_organization()),
        }
    }

    /// Whether the platform's budget has room for the entries. Where it is spent, a second budget
    /// takes the first [`FIRST_ENTRIES`] entries of each organization.
    async fn platform_takes(&self, entries: u64, sum: Option<u64>, now: Timestamp) -> bool {
        let fits = async |max| {
            let budget = item_keys::budget_of_platform(now);
            self.count(budget, entries, max).await != Counted::Full
        };
        fits(PLATFORM_BUDGET).await
            || sum.is_none_or(|sum| sum <= FIRST_ENTRIES) && fits(PLATFORM_BUDGET_WITH_FIRST).await
    }

    /// Whether the change is made by the operator, or by or about the platform's staff. Such
    /// changes always write their entries, and count against no budget: tenants cannot delay them.
    fn is_of_staff(&self, owner: BudgetOwner, origin: &Origin) -> bool {
        let is_by_staff = self
            .behalf
            .as_ref()
            .is_some_and(|caller| caller.authority().organization() == Guid::PLATFORM);
        origin.actor == Actor::Operator || is_by_staff || owner.organization == Guid::PLATFORM
    }
}
