//! What a person should know first where the servers replicate by themselves: who keeps the target, what would be lost, and
//! how it takes over.

use super::super::cloud::RdsKind;
use super::super::facts::{Contact, ReadinessFacts};
use super::super::page::duration;
use super::{Keeper, keeper, proved_age_ms};
use crate::policy::Platform;
use crate::replication::Channel;

/// Says who keeps the target where it is not Leeward alone, and what promotion is.
pub(in super::super) fn statement(facts: &ReadinessFacts) -> Vec<String> {
    match keeper(facts) {
        Keeper::Leeward => Vec::new(),
        Keeper::Replication(channel) => vec![
            format!(
                "the servers keep the target themselves: {}; nothing of Leeward's is on it, and its sync checks read \
                 replication status",
                channel.value.label()
            ),
            promotion(facts),
        ],
        Keeper::Both(channel) => {
            vec![format!("both Leeward and {} write the target: one of them must go", channel.value.label())]
        }
        Keeper::Nobody(_, instead) => {
            vec![format!(
                "neither Leeward nor replication keeps the target: nothing of Leeward's is on it, and {instead}"
            )]
        }
        // What is not known is told with what would be lost.
        Keeper::Unseen(_) => Vec::new(),
    }
}

/// Says what would be lost; nothing where Leeward's own marks tell it.
pub(in super::super) fn lost(facts: &ReadinessFacts) -> Option<Vec<String>> {
    let channel = match keeper(facts) {
        Keeper::Replication(channel) => channel,
        Keeper::Unseen(missing) => return Some(vec![format!("nobody knows what would be lost: {}", missing.why)]),
        Keeper::Leeward | Keeper::Both(_) | Keeper::Nobody(..) => return None,
    };
    let Channel { applied, received, .. } = channel.value;
    let mut words = vec![match proved_age_ms(facts) {
        Some(age_ms) => format!(
            "if the source died now, writes of at most the last {} would be lost: the replica had applied all before",
            duration(age_ms)
        ),
        None => format!(
            "if the source died now, what it wrote after {applied} of its log would be lost, or after {received} if the replica \
             still applies what it has received; how much time that is, nobody has proved"
        ),
    }];
    if let Contact::Silent { why, .. } = &facts.contact {
        words.push(format!("the source does not answer: {why}"));
    }
    Some(words)
}

/// Says how the replica becomes the writer: by hand, after the source was stopped from writing.
fn promotion(facts: &ReadinessFacts) -> String {
    let before = "to take over: stop writes on the source if it lives, wait until SYNC-01 shows that the replica has all of it, \
                  then promote it, which cannot be undone:";
    let server = facts.cloud.target.server.value();
    let command = match (facts.settings.platform, server) {
        (Platform::Rds, Some(server)) if matches!(server.kind, RdsKind::Cluster) => format!(
            "aws rds promote-read-replica-db-cluster --db-cluster-identifier {} --region {}",
            server.id, server.region
        ),
        (Platform::Rds, server) => {
            let (id, region) =
                server.map_or(("TARGET", "REGION"), |server| (server.id.as_str(), server.region.as_str()));
            format!(
                "aws rds promote-read-replica --db-instance-identifier {id} --region {region} (not while it is backing up)"
            )
        }
        (Platform::SelfManaged, _) => {
            "STOP REPLICA; RESET REPLICA ALL; SET GLOBAL read_only=0 (MariaDB: STOP SLAVE; RESET SLAVE ALL)".to_owned()
        }
    };
    format!("{before} {command}; then enable its events (SCH-05), and lead the application there (CUT-01, CUT-02)")
}
