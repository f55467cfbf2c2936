//! Every AWS call that Leeward makes: loading of the AWS configuration and two sources of a database password.
//!
//! [`SecretSource`] reads a Secrets Manager secret, [`TokenSource`] signs an RDS IAM authentication token. Both are
//! asked again for every fresh password; neither caches one, because an RDS-managed secret rotates every seven days
//! and a token lives for 15 minutes.
//!
//! The crate does not connect to a database, does not decide when to ask again (the caller does, once, after the
//! server has answered 1045) and never writes anything to AWS.

mod account;
mod arn;
mod error;
mod password;
mod secret;
mod token;

#[cfg(test)]
mod emulator;

pub use account::AwsSettings;
pub use arn::region_of_rds_host;
pub use error::{AwsError, AwsErrorKind};
pub use password::{Credentials, Secret};
pub use secret::SecretSource;
pub use token::{TokenSource, TokenUser};
