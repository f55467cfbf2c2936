//! Where dumps are kept, from what was typed to something that reads and writes objects.

use std::sync::Arc;

use leeward_core::port::store::ObjectStore;
use leeward_store::Folder;

use crate::Failure;
use crate::config::Settings;
use crate::config::store::StoreUrl;

/// Opens a store. A bucket is asked for a name, so that what is wrong with it is found out before anything is done; a folder
/// need not be there yet.
///
/// # Errors
/// What keeps it from being used, with the way out.
#[cfg_attr(not(feature = "aws"), expect(unused_variables, reason = "only a bucket needs more than its URL"))]
pub async fn open(settings: &Settings, url: &StoreUrl) -> Result<Arc<dyn ObjectStore>, Failure> {
    match url {
        StoreUrl::Folder(path) => Ok(Arc::new(Folder::open(path).await?)),
        #[cfg(feature = "aws")]
        StoreUrl::Bucket { bucket, prefix } => Ok(Arc::new(super::aws::bucket(&settings.store, bucket, prefix).await?)),
        #[cfg(not(feature = "aws"))]
        StoreUrl::Bucket { .. } => {
            Err(Failure::Machine(anyhow::anyhow!("the dumps are in S3, and this leeward was built without AWS")))
        }
    }
}
