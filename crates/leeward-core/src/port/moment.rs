//! Several readers that see the source at one moment.

use chrono::NaiveDateTime;

use super::ChunkReader;
use crate::dump::MomentBy;

/// Whether the source may be locked for as long as it takes to open some read views.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Locks {
    /// Briefly, and given up when they are not had at once.
    Brief,
    /// Not at all.
    Never,
}

/// Readers that all see the source at one moment, each over a connection that keeps its read view for as long as it lives.
/// A reader that fails in the middle of a read has lost it.
pub struct OneMoment {
    /// The source's clock then.
    pub at: NaiveDateTime,
    /// How it was had.
    pub by: MomentBy,
    /// The readers; at least one.
    pub readers: Vec<Box<dyn ChunkReader>>,
    /// What a person should know, such as the privilege for want of which there is one reader alone.
    pub notes: Vec<String>,
}
