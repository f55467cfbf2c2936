//! How a schedule is told.

use crate::row::{Micros, SECOND};

/// Prints a time of the model.
pub(crate) fn clock(at: Micros) -> String {
    let (seconds, micros) = (at.div_euclid(SECOND), at.rem_euclid(SECOND));
    format!("{:02}:{:02}:{:02}.{micros:06}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}
