//! What one cycle compares: keys and content, chosen before the cut is opened, and compared once the deltas are applied.

use chrono::NaiveDateTime;
use leeward_core::fault::Fault;
use leeward_core::port::Border;

use crate::apply::BorderOutcome;
use crate::census;
use crate::lane::Lane;
use crate::pace::ScrubPace;
use crate::scrub::{self, Bench, Compared, Pick};
use crate::sweep;

/// The ranges that a cycle compares, with their borders once the cut has told them.
#[derive(Default)]
pub struct Picks {
    keys: Vec<Pick>,
    key_borders: Vec<BorderOutcome>,
    content: Vec<Pick>,
    content_borders: Vec<BorderOutcome>,
}

impl Picks {
    /// Chooses them.
    pub fn choose(lane: &Lane, pace: &mut ScrubPace, now: NaiveDateTime) -> Picks {
        let keys = census::pick(lane, pace, now);
        let content = scrub::pick(lane, pace, now, &keys);
        Picks { keys, content, ..Picks::default() }
    }

    /// Returns what to ask the cut for.
    pub fn borders<'a>(&'a self, lane: &'a Lane) -> Vec<Border<'a>> {
        scrub::borders(lane, self.keys.iter().chain(&self.content))
    }

    /// Drops the picks of tables that do not equal the cut, with their borders.
    pub fn keep_comparable(&mut self, borders: Vec<BorderOutcome>, comparable: impl Fn(usize) -> bool) {
        let mut borders = borders.into_iter();
        for (picks, kept_borders) in
            [(&mut self.keys, &mut self.key_borders), (&mut self.content, &mut self.content_borders)]
        {
            picks.retain(|pick| {
                let border = pick.rows.and_then(|_| borders.next());
                let kept = comparable(pick.table);
                kept_borders.extend(border.filter(|_| kept));
                kept
            });
        }
    }

    /// Counts keys and compares content.
    pub async fn compare(self, bench: &mut Bench<'_>, pace: &mut ScrubPace) -> Result<Vec<Compared>, Fault> {
        let mut compared = census::count(bench, &self.keys, self.key_borders, pace).await?;
        compared.extend(match pace.is_sweep() {
            true => sweep::compare(bench, &self.content, self.content_borders, pace).await?,
            false => scrub::compare(bench, &self.content, self.content_borders, pace).await?,
        });
        Ok(compared)
    }
}
