//! What Leeward needs to know about names in AWS: the Region inside an ARN or an RDS host name, and whether an ARN
//! has the form that its setting asks for.
//!
//! It does not check that anything exists; AWS answers that.

/// Number of colon-separated parts in the ARN of a secret: `arn:PARTITION:secretsmanager:REGION:ACCOUNT:secret:NAME`.
/// A secret's name cannot hold a colon, so there are never more.
const SECRET_ARN_PARTS: usize = 7;

/// Returns the Region of a secret's ARN; `Ok(None)` for a plain name.
///
/// # Errors
/// A sentence that says what is wrong and what to write instead.
pub fn region_of_secret(id: &str) -> Result<Option<&str>, String> {
    if id.trim().is_empty() {
        return Err("the name is empty: give the secret's name or ARN".to_owned());
    }
    if !id.starts_with("arn:") {
        return Ok(None);
    }
    let parts: Vec<&str> = id.split(':').collect();
    let is_secret = parts.get(2) == Some(&"secretsmanager") && parts.get(5) == Some(&"secret");
    if !is_secret || parts.len() < SECRET_ARN_PARTS || parts[3].is_empty() || parts[6].is_empty() {
        return Err("this ARN is not a secret's: expected \
                    arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME-SUFFIX"
            .to_owned());
    }
    if parts.len() > SECRET_ARN_PARTS {
        return Err(format!(
            "a secret's ARN ends after its name: write {} without the JSON key or version that ECS task \
             definitions put behind it",
            parts[..SECRET_ARN_PARTS].join(":")
        ));
    }
    Ok(Some(parts[3]))
}

/// Returns the Region inside the host name of an RDS instance, cluster or proxy; `None` for any other name.
///
/// `NAME.HASH.REGION.rds.amazonaws.com`, and in China `NAME.HASH.rds.REGION.amazonaws.com.cn`.
pub fn region_of_rds_host(host: &str) -> Option<&str> {
    let host = host.strip_suffix('.').unwrap_or(host);
    if let Some(front) = host.strip_suffix(".rds.amazonaws.com") {
        return front.rsplit_once('.').map(|(_, region)| region);
    }
    let front = host.strip_suffix(".amazonaws.com.cn")?;
    let (front, region) = front.rsplit_once('.')?;
    front.ends_with(".rds").then_some(region)
}

/// Returns the identifier of the instance or cluster that an RDS host name is of; `None` for a proxy and any other name.
pub fn server_of_rds_host(host: &str) -> Option<&str> {
    region_of_rds_host(host)?;
    let (id, rest) = host.split_once('.')?;
    // A custom endpoint of a cluster has a name of its own.
    (!rest.starts_with("proxy-") && !rest.starts_with("cluster-custom-")).then_some(id)
}

/// Returns the partition (`aws`, `aws-cn`, `aws-us-gov`) that a Region belongs to; policies name it in every ARN.
pub fn partition_of(region: &str) -> &'static str {
    if region.starts_with("cn-") {
        "aws-cn"
    } else if region.starts_with("us-gov-") {
        "aws-us-gov"
    } else {
        "aws"
    }
}

/// Whether the text has the form of an IAM role's ARN, `arn:PARTITION:iam::ACCOUNT:role/NAME`.
pub fn is_role(arn: &str) -> bool {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    parts.len() == 6
        && parts[0] == "arn"
        && parts[2] == "iam"
        && !parts[4].is_empty()
        && parts[5].strip_prefix("role/").is_some_and(|name| !name.is_empty())
}

/// Whether the text can be a Region's name. The SDK puts it into a host name, so nothing else may pass.
pub fn is_region(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:rds!db-1-AbCdEf";

    #[test]
    fn takes_the_region_from_an_arn_and_none_from_a_name() {
        assert_eq!(region_of_secret(SECRET), Ok(Some("eu-west-1")));
        assert_eq!(region_of_secret("shop/leeward"), Ok(None));
    }

    #[test]
    fn names_the_mistake_in_a_wrong_arn() {
        let with_json_key = format!("{SECRET}:password::");
        let advice = region_of_secret(&with_json_key).unwrap_err();
        assert!(advice.contains(&format!("write {SECRET} without")), "{advice}");
        for wrong in [
            "arn:aws:ssm:eu-west-1:123456789012:parameter/shop",
            "arn:aws:secretsmanager:eu-west-1:1:secret:",
            "arn:aws:secretsmanager::1:secret:x",
            "arn:",
        ] {
            let advice = region_of_secret(wrong).unwrap_err();
            assert!(advice.contains("not a secret's"), "{wrong}: {advice}");
        }
        assert!(region_of_secret(" ").unwrap_err().contains("empty"));
    }

    #[test]
    fn finds_the_region_in_rds_host_names() {
        let hosts = [
            ("shop.c1x2.us-east-1.rds.amazonaws.com", Some("us-east-1")),
            ("shop.cluster-ro-c1x2.us-gov-west-1.rds.amazonaws.com.", Some("us-gov-west-1")),
            ("p.proxy-c1x2.ap-south-2.rds.amazonaws.com", Some("ap-south-2")),
            ("shop.c1x2.rds.cn-north-1.amazonaws.com.cn", Some("cn-north-1")),
            ("db.shop.internal", None),
            ("s3.us-east-1.amazonaws.com", None),
            ("127.0.0.1", None),
        ];
        for (host, region) in hosts {
            assert_eq!(region_of_rds_host(host), region, "{host}");
        }
    }

    #[test]
    fn tells_roles_and_regions_from_other_texts() {
        assert!(is_role("arn:aws:iam::123456789012:role/path/leeward"));
        assert!(!is_role("arn:aws:iam::123456789012:user/bob"));
        assert!(!is_role("leeward"));
        assert!(is_region("us-gov-west-1"));
        assert!(!is_region("us east 1"));
        assert!(!is_region(""));
        assert_eq!(partition_of("cn-north-1"), "aws-cn");
    }
}
