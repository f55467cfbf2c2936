//! An object of a bucket on its way here.

use async_trait::async_trait;
use aws_sdk_s3::primitives::{ByteStream, ByteStreamError};
use bytes::Bytes;
use leeward_core::fault::{Fault, FaultKind};
use leeward_core::port::store::Reading;

use crate::error::Cause;

/// What the SDK says at the end of a body that does not have the checksum which S3 keeps for it. The type is not public.
const WRONG_CHECKSUM: &str = "checksum mismatch";

/// A body that is being received.
pub struct BucketReading {
    body: ByteStream,
    bytes: u64,
    left: u64,
    doing: String,
}

impl BucketReading {
    pub fn new(body: ByteStream, bytes: u64, doing: String) -> BucketReading {
        BucketReading { body, bytes, left: bytes, doing }
    }

    fn broken(&self, error: &ByteStreamError) -> Fault {
        let cause = Cause::chain(error);
        let kind = match cause.to_string().contains(WRONG_CHECKSUM) {
            true => FaultKind::Refused(
                "the object does not hold what was written: read an earlier version of it, or make a new dump"
                    .to_owned(),
            ),
            false => FaultKind::Unreachable,
        };
        Fault::new(kind, &self.doing).because(cause)
    }
}

#[async_trait]
impl Reading for BucketReading {
    fn bytes(&self) -> u64 {
        self.bytes
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Fault> {
        while let Some(piece) = self.body.next().await {
            let piece = piece.map_err(|error| self.broken(&error))?;
            let Some(left) = self.left.checked_sub(piece.len() as u64) else { return Err(self.of_wrong_length()) };
            self.left = left;
            if !piece.is_empty() {
                return Ok(Some(piece));
            }
        }
        match self.left {
            0 => Ok(None),
            _ => Err(self.of_wrong_length()),
        }
    }
}

impl BucketReading {
    fn of_wrong_length(&self) -> Fault {
        let cause =
            Cause::said(format!("the body has another length than the {} bytes that were announced", self.bytes));
        Fault::new(FaultKind::Unreachable, &self.doing).because(cause)
    }
}
