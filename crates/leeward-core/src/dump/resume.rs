//! What of a dump that was killed can be kept: chunks whose objects are there, as one chain of key ranges for each table.

use std::collections::BTreeMap;

use super::{DumpedChunk, Kept};
use crate::name::TableName;
use crate::port::ChunkRecord;
use crate::row::KeyRange;

/// What a dump goes on with.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Resumed {
    /// All chunks of the tables that were begun, in order; those that lie between others and were not finished among them.
    pub chunks: Vec<ChunkRecord>,
    /// The finished ones, by table.
    pub kept: Vec<(TableName, DumpedChunk)>,
}

/// Puts together what was noted. Of two notes that overlap, as two processes that went on with one dump leave them, one is
/// kept; what lies between two chunks becomes one chunk that is still to be made.
pub fn resume(notes: Vec<Kept>) -> Resumed {
    let mut tables = BTreeMap::<TableName, Vec<DumpedChunk>>::new();
    for note in notes {
        tables.entry(note.table).or_default().push(note.chunk);
    }
    let mut resumed = Resumed::default();
    for (table, mut chunks) in tables {
        chunks.sort_by_key(|chunk| chunk.seq);
        chain(&table, chunks, &mut resumed);
    }
    resumed
}

/// Adds the chain of one table. Keys are compared for equality alone: their order is the server's.
fn chain(table: &TableName, chunks: Vec<DumpedChunk>, resumed: &mut Resumed) {
    let mut end: Option<KeyRange> = None;
    let mut seq = 0;
    for chunk in chunks {
        let Some(keys) = chunk.keys() else { continue };
        let upto = end.as_ref().map(|range| range.upto.clone());
        let joins = match &upto {
            None => chunk.seq == 0 && keys.after.is_none(),
            Some(upto) => upto.is_some() && *upto == keys.after && chunk.seq >= seq,
        };
        if !joins {
            // A gap takes at least one number: what claims to follow at once, from elsewhere, belongs to another chain.
            let has_room = chunk.seq > seq && keys.after.is_some() && upto != Some(None);
            if !has_room {
                continue;
            }
            let after = upto.flatten();
            let gap = KeyRange { after, upto: keys.after.clone() };
            resumed.chunks.push(unfinished(table, chunk.seq - 1, gap));
        }
        seq = chunk.seq + 1;
        resumed.chunks.extend(chunk.record(table));
        resumed.kept.push((table.clone(), chunk));
        end = Some(keys);
    }
}

fn unfinished(table: &TableName, seq: u32, keys: KeyRange) -> ChunkRecord {
    ChunkRecord { table: table.clone(), seq, keys, last: false, done: false, rows: 0, bytes: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(seq: u32, after: Option<&str>, upto: Option<&str>) -> Kept {
        let border = |key: Option<&str>| key.map(|key| vec![key.to_owned()]);
        let chunk = DumpedChunk {
            seq,
            object: format!("chunks/{seq}"),
            sha256: String::new(),
            stored_bytes: 1,
            rows: 1,
            bytes: 1,
            after: border(after),
            upto: border(upto),
        };
        Kept { table: TableName::new("shop", "orders"), chunk }
    }

    fn shown(resumed: &Resumed) -> Vec<(u32, bool, String)> {
        let border =
            |key: &Option<crate::row::KeyCells>| key.as_ref().map_or("-".to_owned(), |key| key.to_hex().join(","));
        let line = |chunk: &ChunkRecord| {
            (chunk.seq, chunk.done, format!("{}..{}", border(&chunk.keys.after), border(&chunk.keys.upto)))
        };
        resumed.chunks.iter().map(line).collect()
    }

    #[test]
    fn what_is_finished_is_kept_and_what_lies_between_is_made_again() {
        let resumed = resume(vec![
            note(5, Some("50"), Some("60")),
            note(0, None, Some("10")),
            note(1, Some("10"), Some("20")),
            note(4, Some("40"), Some("50")),
        ]);
        let expected = [
            (0, true, "-..10".to_owned()),
            (1, true, "10..20".to_owned()),
            (3, false, "20..40".to_owned()),
            (4, true, "40..50".to_owned()),
            (5, true, "50..60".to_owned()),
        ];
        assert_eq!(shown(&resumed), expected);
        assert_eq!(resumed.kept.len(), 4);
    }

    #[test]
    fn a_lost_beginning_is_a_gap_too() {
        let resumed = resume(vec![note(1, Some("10"), None)]);
        assert_eq!(shown(&resumed), [(0, false, "-..10".to_owned()), (1, true, "10..-".to_owned())]);
        assert!(resumed.chunks[1].last);
    }

    #[test]
    fn of_two_chains_one_is_kept_whole() {
        // Two processes went on from 10 by borders of their own.
        let resumed = resume(vec![
            note(0, None, Some("10")),
            note(1, Some("10"), Some("20")),
            note(1, Some("10"), Some("25")),
            note(2, Some("25"), Some("35")),
            note(2, Some("20"), Some("30")),
        ]);
        let expected = [(0, true, "-..10".to_owned()), (1, true, "10..20".to_owned()), (2, true, "20..30".to_owned())];
        assert_eq!(shown(&resumed), expected);
    }
}
