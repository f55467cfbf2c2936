//! Which instance or cluster a side is, and in which Region: as configured, else as its RDS host name says.

use leeward_core::readiness::cloud::CloudSide;

use crate::arn;

/// Where a server is in AWS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// The Region, if it is known.
    pub region: Option<String>,
    /// Identifier of the instance or Multi-AZ cluster, if it is known.
    pub id: Option<String>,
    /// The Region of the secret that Leeward logs in with, if it has one that names it.
    pub secret_region: Option<String>,
    /// The role to assume in that account, where it is another than the whole configuration's.
    pub role_arn: Option<String>,
    /// The word before `.instance` and `.region` in `leeward.toml`: `source` or `target`.
    pub key: &'static str,
}

impl Place {
    /// Finds a side: what was configured, then what the host name says. `region` is the one of the whole configuration.
    pub fn of(key: &'static str, host: &str, configured: (Option<&str>, Option<&str>), secret: Option<&str>) -> Place {
        let (region, id) = configured;
        let from_host = arn::server_of_rds_host(host);
        let secret_region = secret.and_then(|id| arn::region_of_secret(id).ok().flatten());
        Place {
            region: region.or_else(|| arn::region_of_rds_host(host)).map(str::to_owned),
            id: id.or(from_host).map(str::to_owned),
            secret_region: secret_region.map(str::to_owned),
            role_arn: None,
            key,
        }
    }

    /// Writes where it is on what was told of it.
    pub(super) fn on(&self, side: CloudSide) -> CloudSide {
        CloudSide { region: self.region.clone(), secret_region: self.secret_region.clone(), ..side }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_what_was_configured_else_what_the_host_says() {
        let host = "shop.c1x2.us-east-1.rds.amazonaws.com";
        let found = Place::of("source", host, (None, None), None);
        assert_eq!((found.region.as_deref(), found.id.as_deref()), (Some("us-east-1"), Some("shop")));
        let cluster = Place::of("source", "shop.cluster-c1x2.us-east-1.rds.amazonaws.com", (None, None), None);
        assert_eq!(cluster.id.as_deref(), Some("shop"));
        let told = Place::of("target", "127.0.0.1", (Some("us-west-2"), Some("shop-dr")), None);
        assert_eq!((told.region.as_deref(), told.id.as_deref()), (Some("us-west-2"), Some("shop-dr")));
        let proxy = Place::of("target", "p.proxy-c1x2.us-west-2.rds.amazonaws.com", (None, None), None);
        assert_eq!((proxy.region.as_deref(), proxy.id), (Some("us-west-2"), None));
        let secret = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop-AbCdEf";
        assert_eq!(Place::of("target", "db", (None, None), Some(secret)).secret_region.as_deref(), Some("eu-west-1"));
    }
}
