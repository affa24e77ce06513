//! Each permission is taken away in turn, and something fails that worked before.
//!
//! First every story is told with all permissions, to learn which each one needs: a permission that none needs is in excess.
//! Then, for each permission, the quickest story that needs it is told by fresh functions without it.

#![expect(clippy::disallowed_methods, reason = "how long a story takes is this machine's own time")]

use std::{collections::BTreeMap, time::Instant};

use latchkey::{cloud::access::Granted, stack::Options};
use tests::Platform;

use super::scenarios::{ALL, Outcome, play};

/// A platform whose functions are fresh: what an instance remembers would hide what it may no longer read.
async fn told_by_fresh_functions(platform: &mut Platform, story: &str) -> Outcome {
    platform.stack = platform.stack.renewed().await.map_err(|error| format!("does not start: {error}"))?;
    play(story, platform).await
}

/// Which stories need a permission, the quickest first.
type Needs = BTreeMap<Granted, Vec<(u128, &'static str)>>;

async fn needs(platform: &mut Platform, stories: &[&'static str]) -> Needs {
    let mut needs = Needs::new();
    let authority = platform.stack.services().cloud().authority().clone();
    for &story in stories {
        let _before = authority.take_seen();
        let begun = Instant::now();
        let outcome = told_by_fresh_functions(platform, story).await;
        let took = begun.elapsed().as_millis();
        let seen = authority.take_seen();
        assert_eq!((outcome, &seen.refused[..]), (Ok(()), &[][..]), "{story}, with every permission");
        for granted in authority.rules().granted() {
            if seen.used.contains(&granted.permission) {
                needs.entry(granted).or_default().push((took, story));
            }
        }
    }
    for stories in needs.values_mut() {
        stories.sort_unstable();
    }
    needs
}

/// Takes away each permission of these in turn, and says of which nothing failed.
async fn in_excess(
    parameters: BTreeMap<String, String>,
    stories: &[&'static str],
    which: impl Fn(&Granted) -> bool,
) -> Vec<String> {
    let mut platform = Platform::with(Options { parameters, ..Options::default() }).await;
    let needs = needs(&mut platform, stories).await;
    let authority = platform.stack.services().cloud().authority().clone();
    let rules = (*authority.rules()).clone();
    let mut in_excess = Vec::new();
    let (begun, mut taken) = (Instant::now(), 0);
    for granted in rules.granted().into_iter().filter(|granted| which(granted)) {
        let Some(stories) = needs.get(&granted) else {
            in_excess.push(format!("{}: no story needs it", granted.permission));
            continue;
        };
        authority.enforce(rules.without(&granted.permission)).unwrap();
        let (mut missed, mut told) = (false, Vec::new());
        for (_, story) in stories {
            let _before = authority.take_seen();
            let outcome = told_by_fresh_functions(&mut platform, story).await;
            let refused = authority.take_seen().refused;
            let named = refused.iter().any(|refusal| refusal.action == granted.permission.action);
            if outcome.is_err() && named {
                missed = true;
                break;
            }
            told.push(format!("{story}: {outcome:?}, refused {refused:?}"));
        }
        taken += 1;
        if !missed {
            in_excess.push(format!("{}: nothing fails for the lack of it: {told:#?}", granted.permission));
        }
    }
    eprintln!("{taken} permissions taken away in {:?}", begun.elapsed());
    assert!(taken > 0);
    in_excess
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leak_5_without_any_one_permission_something_fails() {
    assert_eq!(in_excess(BTreeMap::new(), &ALL, |_| true).await, Vec::<String>::new());
}

/// The second slot of each kind of signing key, while it is the one that there is.
///
/// Deviation: policies-at-once.
#[tokio::test]
async fn leak_5_the_other_slot_s_keys_are_needed_too() {
    let slots = ["SandboxSigningKeys", "LiveSigningKeys"].map(|name| (name.to_owned(), "b".to_owned()));
    let of_slot_b = |granted: &Granted| granted.resource.ends_with("SigningKeyB");
    let excess = in_excess(slots.into(), &["a deployment's first keys are published"], of_slot_b).await;
    assert_eq!(excess, Vec::<String>::new());
}
