//! Where dumps are kept, as it is typed: `file:///path` or `s3://bucket/prefix`. Whether it is there is found out when it is
//! opened.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use leeward_core::port::store::ObjectName;

use super::resolve::AwsPlace;

/// S3 takes keys of 1024 bytes, of which the names of objects use up to 700.
const PREFIX_BYTES_MAX: usize = 300;

/// How a bucket is reached and written; a folder needs none of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StorePlace {
    /// Where to ask first, who asks, and at which address.
    pub aws: AwsPlace,
    /// The bucket's Region, where a person named it: another one is then a mistake.
    pub region: Option<String>,
    /// The KMS key by which objects are encrypted.
    pub kms_key: Option<String>,
    /// The account that the bucket must belong to.
    pub bucket_owner: Option<String>,
}

/// A place for dumps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreUrl {
    /// A folder, by its absolute path.
    Folder(PathBuf),
    /// A bucket.
    Bucket {
        /// Its name.
        bucket: String,
        /// What keys begin with, without slashes at its ends; may be empty.
        prefix: String,
    },
}

impl FromStr for StoreUrl {
    type Err = String;

    /// Reads a place. No mistake quotes it: people write credentials into URLs.
    fn from_str(text: &str) -> Result<StoreUrl, String> {
        if let Some(rest) = text.strip_prefix("s3://") {
            return bucket(rest);
        }
        match text.starts_with("file:") {
            true => folder(text),
            false => Err("write where dumps are kept as s3://BUCKET/PREFIX or file:///PATH".to_owned()),
        }
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreUrl::Folder(path) => write!(f, "file://{}", path.display()),
            StoreUrl::Bucket { bucket, prefix } if prefix.is_empty() => write!(f, "s3://{bucket}"),
            StoreUrl::Bucket { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
        }
    }
}

fn bucket(rest: &str) -> Result<StoreUrl, String> {
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    if rest.contains(['@', '?', '#']) {
        return Err(
            "a bucket's URL is s3://BUCKET/PREFIX and nothing more; credentials come from the AWS SDK's chain, \
                    Region and key from the settings of [store]"
                .to_owned(),
        );
    }
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'.';
    let has_ends = |name: &str| !name.starts_with(['-', '.']) && !name.ends_with(['-', '.']);
    if !(3..=63).contains(&bucket.len()) || !bucket.bytes().all(is_plain) || !has_ends(bucket) || bucket.contains("..")
    {
        return Err(
            "a bucket's name has 3 to 63 small letters, digits, dots and hyphens: s3://BUCKET/PREFIX".to_owned()
        );
    }
    let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
    if !prefix.is_empty() && (prefix.len() > PREFIX_BYTES_MAX || ObjectName::new(prefix).is_err()) {
        return Err(format!(
            "a prefix has ASCII letters, digits and -_.=+~, between single slashes, no segment with a dot in front, and at most \
             {PREFIX_BYTES_MAX} bytes: s3://BUCKET/PREFIX"
        ));
    }
    Ok(StoreUrl::Bucket { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
}

fn folder(text: &str) -> Result<StoreUrl, String> {
    let wrong = || "write a folder as file:///PATH, with three slashes and its whole path".to_owned();
    let url = url::Url::parse(text).map_err(|_| wrong())?;
    if !text.starts_with("file:///") || url.query().is_some() || url.fragment().is_some() {
        return Err(format!("{}; in it, ? # and % are written %3F %23 and %25", wrong()));
    }
    let path = url.to_file_path().map_err(|()| wrong())?;
    match path.parent() {
        Some(_) => Ok(StoreUrl::Folder(path)),
        None => Err("the root of the file system is no folder for dumps: write file:///PATH".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<StoreUrl, String> {
        text.parse()
    }

    #[test]
    fn a_place_is_a_folder_or_a_bucket() {
        let bucket = |bucket: &str, prefix: &str| StoreUrl::Bucket { bucket: bucket.into(), prefix: prefix.into() };
        for (text, place) in [
            ("s3://dumps-of-shop", bucket("dumps-of-shop", "")),
            ("s3://dumps-of-shop/", bucket("dumps-of-shop", "")),
            ("s3://dumps.of.shop/a/b_c/", bucket("dumps.of.shop", "a/b_c")),
            ("file:///srv/dumps", StoreUrl::Folder("/srv/dumps".into())),
            ("file:///srv/the%20dumps/", StoreUrl::Folder("/srv/the dumps/".into())),
        ] {
            assert_eq!(parse(text).unwrap(), place, "{text}");
        }
    }

    #[test]
    fn no_mistake_quotes_the_place_and_each_says_how_it_is_written() {
        for text in [
            "",
            "/srv/dumps",
            "https://hunter2.s3.amazonaws.com/",
            "s3:/bucket",
            "s3://",
            "s3:///prefix",
            "s3://ab",
            "s3://Hunter2/prefix",
            "s3://hunter2_x/prefix",
            "s3://hunter2./x",
            "s3://key:hunter2@bucket/prefix",
            "s3://bucket/../hunter2",
            "s3://bucket//hunter2",
            "s3://bucket/hunter2 x",
            "s3://bucket/prefix?versionId=hunter2",
            "file:hunter2",
            "file://hunter2/dumps",
            "file:///",
            "file:///dumps?hunter2",
            "file:///dumps#hunter2",
        ] {
            let mistake = parse(text).expect_err(text);
            assert!(!mistake.to_lowercase().contains("hunter2"), "{text}: {mistake}");
            assert!(mistake.contains("s3://BUCKET/PREFIX") || mistake.contains("file:///PATH"), "{text}: {mistake}");
        }
    }
}
