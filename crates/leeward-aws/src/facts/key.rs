//! `kms:DescribeKey`: whether the key that encrypts the storage can be used.

use aws_sdk_kms::Client;
use leeward_core::readiness::cloud::{Asked, KeyFacts, RdsServer};

use super::call::{Call, Line, failed, misunderstood};
use super::{Reach, needed};

/// Asks for the key of a server's storage.
pub(super) async fn ask(caller: &Reach, server: &Asked<RdsServer>, mut line: Line) -> Asked<KeyFacts> {
    let (caller, server) = match (caller, needed(server)) {
        (Ok(caller), Ok(server)) => (caller, server),
        (Err(untold), _) => return Asked::Untold(untold.clone()),
        (_, Err(untold)) => return Asked::Untold(untold),
    };
    let Some(key) = server.key.as_deref() else {
        return Asked::untold(format!("RDS names no key of {}", server.id));
    };
    let call = Call {
        action: "kms:DescribeKey",
        about: key.to_owned(),
        region: caller.region.clone(),
        resource: key.to_owned(),
    };
    let client = Client::new(&caller.config);
    line.ask(&call, async {
        let answer = client.describe_key().key_id(key).send().await.map_err(|error| failed(&call, &error))?;
        let found = answer.key_metadata().ok_or_else(|| misunderstood(&call, "the answer describes no key"))?;
        Ok(KeyFacts {
            arn: found.arn().unwrap_or(key).to_owned(),
            state: found.key_state().map(|state| state.as_str().to_owned()),
            manager: found.key_manager().map(|manager| manager.as_str().to_owned()),
        })
    })
    .await
}
