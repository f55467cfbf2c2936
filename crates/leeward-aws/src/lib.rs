//! Every AWS call that Leeward makes: loading of the AWS configuration, two sources of a database password, and the bucket in
//! which dumps are kept.
//!
//! [`Bucket`] answers the core's port of a store. [`SecretSource`] reads a Secrets Manager secret, [`TokenSource`] signs an RDS IAM authentication token; these two are
//! asked again for every fresh password; neither caches one, because an RDS-managed secret rotates every seven days
//! and a token lives for 15 minutes.
//!
//! The crate does not connect to a database, does not decide when to ask again (the caller does, once, after the
//! server has answered 1045) and writes nothing to AWS but those objects.

mod account;
mod arn;
mod bucket;
mod error;
mod password;
mod secret;
mod token;

#[cfg(test)]
mod emulator;

pub use account::AwsSettings;
pub use bucket::{Bucket, BucketSettings};
pub use error::{AwsError, AwsErrorKind};
pub use password::{Credentials, Secret};
pub use secret::SecretSource;
pub use token::{TokenSource, TokenUser};
