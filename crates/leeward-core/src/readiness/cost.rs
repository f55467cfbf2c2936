//! What the copy costs, beside whether it could take over. Nobody is asked for it: sizes stand in the stored plan, what passes in a
//! day was counted by `sync`, or follows from counters that were read with everything else about the source (or stored by the
//! last process), and AWS has just described the target.

use super::cloud::Cloud;
use super::facts::{ReadinessFacts, seen};
use super::outcome::Missing;
use crate::cost::{Estimate, Place, Prices, Volume, of_volume};
use crate::server::Observed;
use crate::traffic::Traffic;

/// The type of storage that the prices are of.
const STORAGE: &str = "gp3";

/// Reckons what the copy costs. What the prices say of where the servers are goes before what AWS says, and that before
/// `named`, what the servers' names say.
pub fn reckon(facts: &ReadinessFacts, traffic: &Traffic, (prices, named): (&Prices, Place)) -> Estimate {
    let place = prices.place.clone().or(described(&facts.cloud)).or(named);
    let volume = volume(facts).unwrap_or_else(|Missing { why, .. }| Volume::unknown(&why));
    of_volume(&volume.beside(traffic, facts.now), &place, prices)
}

fn volume(facts: &ReadinessFacts) -> Result<Volume, Missing> {
    let plan = facts.plan()?;
    Ok(match seen(&facts.source.writes, "the source's counters of writes") {
        Ok(writes) => Volume::of(plan, writes.at, |name| {
            let of_table = writes.value.iter().find(|counted| counted.table == *name);
            let unseen = || Observed::Unknown("the source has no such table any more".to_owned());
            of_table.map_or_else(unseen, |counted| counted.writes.clone())
        }),
        Err(Missing { why, .. }) => Volume::of(plan, facts.now, |_| Observed::Unknown(why.clone())),
    })
}

fn described(cloud: &Cloud) -> Place {
    let target = cloud.target.server.value();
    let storage = target.filter(|target| target.storage_type.as_deref() == Some(STORAGE));
    Place {
        source_region: cloud.source.region.clone(),
        target_region: cloud.target.region.clone(),
        target_class: target.and_then(|target| target.class.clone()),
        target_storage_gb: storage.and_then(|target| target.storage_gib),
        target_multi_az: target.and_then(|target| target.multi_az),
    }
}
