//! An object on its way into a bucket: in one request if it is small, else in parts.
//!
//! The requests are made by a task of their own, which is never cut off in the middle of one: whatever becomes of the upload's
//! owner, the task knows what it has begun and takes it back. Only the end of the process leaves parts behind; a lifecycle rule
//! of the bucket (AbortIncompleteMultipartUpload) is for them.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use bytes::{Bytes, BytesMut};
use leeward_core::fault::{Fault, FaultKind};
use leeward_core::port::store::{Condition, ObjectName, Stored, Upload};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::refusal::{Call, code_of, status_of};
use super::{Shared, WRITE_MARK, draw_mark, headers, is_unmet, patient, refusal, tagged};
use crate::error::{AwsError, AwsErrorKind};

/// A part. S3 takes 5 MiB and more; at 70 ms of round trip this size hides most of it. An upload holds three at most: one that
/// is filled, one that waits and one that is sent.
const PART_BYTES: usize = 8 * 1024 * 1024;

/// S3's own limit; with [`PART_BYTES`], 78 GiB.
const PARTS_MAX: usize = 10_000;

/// One thing that the task is told.
enum Step {
    /// A full part.
    Part(Bytes),
    /// The last bytes, and what must be so for the object to be written.
    Finish(Bytes, Condition),
}

/// An upload, in the hands of its owner.
pub struct BucketUpload {
    filling: BytesMut,
    /// Where it ends without a [`Step::Finish`], the upload was given up.
    steps: mpsc::Sender<Step>,
    /// Absent once its end has been told. It returns nothing when the upload was given up.
    work: Option<JoinHandle<Result<Option<Stored>, Fault>>>,
    doing: String,
}

impl BucketUpload {
    /// Begins; nothing is sent yet.
    pub(super) fn begin(shared: Arc<Shared>, name: ObjectName) -> BucketUpload {
        let doing = shared.writing(&name).doing;
        let (steps, told) = mpsc::channel(1);
        let work = tokio::spawn(async move { Work::new(&shared, &name).run(told).await });
        BucketUpload { filling: BytesMut::new(), steps, work: Some(work), doing }
    }

    async fn tell(&mut self, step: Step) -> Result<(), Fault> {
        match self.steps.send(step).await {
            Ok(()) => Ok(()),
            // The task has ended before its time, so it has failed.
            Err(_) => match self.ended().await {
                Err(fault) => Err(fault),
                Ok(_) => Err(Fault::new(FaultKind::Unexpected, &self.doing)),
            },
        }
    }

    async fn ended(&mut self) -> Result<Option<Stored>, Fault> {
        let again = || Fault::new(FaultKind::Unexpected, &self.doing).because("the upload has failed before");
        let work = self.work.take().ok_or_else(again)?;
        work.await.map_err(|error| Fault::new(FaultKind::Unexpected, &self.doing).because(error))?
    }
}

#[async_trait]
impl Upload for BucketUpload {
    async fn write(&mut self, mut piece: Bytes) -> Result<(), Fault> {
        while !piece.is_empty() {
            let room = PART_BYTES - self.filling.len();
            self.filling.extend_from_slice(&piece.split_to(room.min(piece.len())));
            if self.filling.len() == PART_BYTES {
                let part = self.filling.split().freeze();
                self.tell(Step::Part(part)).await?;
            }
        }
        Ok(())
    }

    async fn finish(mut self: Box<Self>, condition: &Condition) -> Result<Stored, Fault> {
        let rest = self.filling.split().freeze();
        self.tell(Step::Finish(rest, condition.clone())).await?;
        self.ended().await?.ok_or_else(|| Fault::new(FaultKind::Unexpected, &self.doing))
    }

    async fn abort(self: Box<Self>) -> Result<(), Fault> {
        let BucketUpload { steps, work, doing, .. } = *self;
        drop(steps);
        let Some(work) = work else { return Ok(()) };
        work.await.map_err(|error| Fault::new(FaultKind::Unexpected, doing).because(error))?.map(|_| ())
    }
}

/// An upload, in the hands of the task that makes its requests.
struct Work<'a> {
    shared: &'a Shared,
    name: &'a ObjectName,
    call: Call,
    mark: String,
    /// S3's name for an upload in parts that was begun.
    id: Option<String>,
    parts: Vec<CompletedPart>,
}

impl<'a> Work<'a> {
    fn new(shared: &'a Shared, name: &'a ObjectName) -> Work<'a> {
        Work { shared, name, call: shared.writing(name), mark: draw_mark(), id: None, parts: Vec::new() }
    }

    /// Does what it is told until the upload is finished, given up or failed, and leaves no parts behind.
    async fn run(mut self, mut told: mpsc::Receiver<Step>) -> Result<Option<Stored>, Fault> {
        let ended = self.follow(&mut told).await;
        if matches!(ended, Ok(Some(Stored::Written(_)))) {
            return ended;
        }
        match self.take_back().await {
            Ok(()) => ended,
            // Whoever gives an upload up is told that something stayed; another fault says more than that.
            Err(error) if ended.is_ok() => Err(error.into_fault()),
            Err(error) => {
                tracing::warn!(%error, remedy = error.remedy(), "parts of an upload that failed stay in the bucket");
                ended
            }
        }
    }

    async fn follow(&mut self, told: &mut mpsc::Receiver<Step>) -> Result<Option<Stored>, Fault> {
        while let Some(step) = told.recv().await {
            match step {
                Step::Part(content) => self.send(content).await.map_err(AwsError::into_fault)?,
                Step::Finish(content, condition) if self.id.is_none() => {
                    return self.shared.put(self.name, content, &condition).await.map(Some);
                }
                Step::Finish(content, condition) => {
                    if !content.is_empty() {
                        self.send(content).await.map_err(AwsError::into_fault)?;
                    }
                    return self.complete(&condition).await.map(Some);
                }
            }
        }
        Ok(None)
    }

    /// Sends a part; before the first one, the upload is begun.
    async fn send(&mut self, content: Bytes) -> Result<(), AwsError> {
        let number = self.parts.len() + 1;
        if number > PARTS_MAX {
            let remedy = format!("make objects of at most {} GiB", (PARTS_MAX * PART_BYTES) >> 30);
            return Err(AwsError::new(AwsErrorKind::ObjectTooLarge, &self.call.doing, remedy));
        }
        let id = match &self.id {
            Some(id) => id.clone(),
            None => self.start().await?,
        };
        let number = i32::try_from(number).unwrap_or(i32::MAX);
        let Shared { client, settings, .. } = self.shared;
        let request = client.upload_part().bucket(&settings.bucket).key(self.shared.key(self.name));
        let request = request
            .upload_id(id)
            .part_number(number)
            .body(ByteStream::from(content))
            .checksum_algorithm(ChecksumAlgorithm::Crc32)
            .set_expected_bucket_owner(settings.owner.clone());
        let sent = request.customize().config_override(patient()).send().await;
        let reply = sent.map_err(|error| self.shared.failed(&self.call, &error))?;
        let etag = reply.e_tag().ok_or_else(|| refusal::not_s3(&self.call))?;
        let part = CompletedPart::builder().part_number(number).e_tag(etag);
        self.parts.push(part.set_checksum_crc32(reply.checksum_crc32().map(str::to_owned)).build());
        Ok(())
    }

    async fn start(&mut self) -> Result<String, AwsError> {
        let Shared { client, settings, .. } = self.shared;
        let request = client.create_multipart_upload().bucket(&settings.bucket).key(self.shared.key(self.name));
        let request = request
            .checksum_algorithm(ChecksumAlgorithm::Crc32)
            .metadata(WRITE_MARK, &self.mark)
            .set_server_side_encryption(self.shared.encryption())
            .set_ssekms_key_id(settings.kms_key.clone())
            .set_expected_bucket_owner(settings.owner.clone());
        let reply = request.send().await.map_err(|error| self.shared.failed(&self.call, &error))?;
        let id = reply.upload_id().ok_or_else(|| refusal::not_s3(&self.call))?;
        Ok(self.id.insert(id.to_owned()).clone())
    }

    /// Makes one object of the parts, if the condition is met.
    async fn complete(&mut self, condition: &Condition) -> Result<Stored, Fault> {
        let (absent, matching) = headers(condition);
        let parts = CompletedMultipartUpload::builder().set_parts(Some(std::mem::take(&mut self.parts))).build();
        let Shared { client, settings, .. } = self.shared;
        let request = client.complete_multipart_upload().bucket(&settings.bucket).key(self.shared.key(self.name));
        let request = request
            .set_upload_id(self.id.clone())
            .multipart_upload(parts)
            .set_if_none_match(absent)
            .set_if_match(matching)
            .set_expected_bucket_owner(settings.owner.clone());
        let error = match request.customize().config_override(patient()).send().await {
            Ok(reply) => return tagged(&self.call, reply.e_tag()).map_err(AwsError::into_fault),
            Err(error) => error,
        };
        let is_unmet = is_unmet(status_of(&error), code_of(&error), condition);
        let error = self.shared.failed(&self.call, &error);
        match is_unmet || error.kind().is_transient() {
            true => self.shared.settle(self.name, &self.mark, is_unmet, error).await,
            false => Err(error.into_fault()),
        }
    }

    /// Takes an upload in parts back.
    async fn take_back(&mut self) -> Result<(), AwsError> {
        let Some(id) = self.id.take() else { return Ok(()) };
        let Shared { client, settings, .. } = self.shared;
        let request = client.abort_multipart_upload().bucket(&settings.bucket).key(self.shared.key(self.name));
        let request = request.upload_id(id).set_expected_bucket_owner(settings.owner.clone());
        let doing = format!("take back the parts of {} in {}", self.name, self.shared.place);
        let call = Call { doing, action: "s3:AbortMultipartUpload" };
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) if code_of(&error) == Some("NoSuchUpload") => Ok(()),
            Err(error) => Err(self.shared.failed(&call, &error)),
        }
    }
}
