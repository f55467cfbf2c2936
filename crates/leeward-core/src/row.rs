//! Rows and keys as bytes: one buffer a batch, no value objects. A cell holds the column's *wire form*, the text or raw
//! bytes that `leeward-mysql` selects and writes back unchanged; nothing here knows what it means.

use std::hash::{Hash, Hasher};

/// A key's cells in wire form. Keys never hold NULL (see [`crate::table::Table::row_key`]).
///
/// `Debug` prints only the number of cells: a key is data of the user.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyCells(pub Vec<Vec<u8>>);

impl KeyCells {
    /// Prints each cell in hex, which stores any bytes as text.
    pub fn to_hex(&self) -> Vec<String> {
        self.0.iter().map(|cell| cell.iter().map(|byte| format!("{byte:02x}")).collect()).collect()
    }

    /// Prints a key for a person who has asked for keys: text as it is, other bytes in hex.
    pub fn shown(&self) -> String {
        let cell = |cell: &Vec<u8>| match std::str::from_utf8(cell) {
            Ok(text) if !text.chars().any(char::is_control) => text.to_owned(),
            _ => cell.iter().fold("0x".to_owned(), |hex, byte| hex + &format!("{byte:02x}")),
        };
        self.0.iter().map(cell).collect::<Vec<_>>().join(",")
    }

    /// Reads what [`KeyCells::to_hex`] prints; nothing for anything else.
    pub fn from_hex<'a>(cells: impl IntoIterator<Item = &'a str>) -> Option<KeyCells> {
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        let cell = |cell: &str| cell.as_bytes().chunks(2).map(byte).collect::<Option<Vec<u8>>>();
        cells.into_iter().map(cell).collect::<Option<Vec<_>>>().map(KeyCells)
    }
}

impl Hash for KeyCells {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl std::fmt::Debug for KeyCells {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyCells({} cells)", self.0.len())
    }
}

/// A range of keys, `(after, upto]` in the server's own order; an open end reaches to the table's end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyRange {
    /// Exclusive lower border in *border form* (see `leeward-mysql`'s `sql`).
    pub after: Option<KeyCells>,
    /// Inclusive upper border in border form.
    pub upto: Option<KeyCells>,
}

/// Rows of one table, all cells in one buffer. A cell is NULL or a slice of the buffer.
#[derive(Clone, Default)]
pub struct RowBatch {
    width: usize,
    data: Vec<u8>,
    /// End of each cell in `data`; NULL is told apart by [`NULL_BIT`].
    ends: Vec<u64>,
}

/// Marks a NULL cell in `RowBatch::ends`; offsets stay far below it.
const NULL_BIT: u64 = 1 << 63;

impl std::fmt::Debug for RowBatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RowBatch({} rows, {} bytes)", self.rows(), self.data.len())
    }
}

impl RowBatch {
    /// Makes an empty batch for rows of `width` cells.
    pub fn new(width: usize) -> Self {
        RowBatch { width, data: Vec::new(), ends: Vec::new() }
    }

    /// Appends one cell; a row is complete after `width` of them.
    pub fn push_cell(&mut self, cell: Option<&[u8]>) {
        match cell {
            Some(bytes) => {
                self.data.extend_from_slice(bytes);
                self.ends.push(self.data.len() as u64);
            }
            None => self.ends.push(self.data.len() as u64 | NULL_BIT),
        }
    }

    /// Appends row `row` of `other`, which has the same width.
    pub fn push_row_of(&mut self, other: &RowBatch, row: usize) {
        debug_assert_eq!(self.width, other.width);
        for column in 0..self.width {
            self.push_cell(other.cell(row, column));
        }
    }

    /// Returns the number of cells in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Returns the number of complete rows.
    pub fn rows(&self) -> usize {
        self.ends.len().checked_div(self.width).unwrap_or(0)
    }

    /// Returns whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows() == 0
    }

    /// Returns the bytes held by all cells.
    pub fn bytes(&self) -> usize {
        self.data.len()
    }

    /// Returns a cell, or `None` for NULL.
    pub fn cell(&self, row: usize, column: usize) -> Option<&[u8]> {
        let index = row * self.width + column;
        let end = self.ends[index];
        if end & NULL_BIT != 0 {
            return None;
        }
        let start = if index == 0 { 0 } else { self.ends[index - 1] & !NULL_BIT };
        Some(&self.data[start as usize..end as usize])
    }

    /// Returns the cells at `positions` as a key; a NULL cell, which a row key cannot hold, reads as empty.
    pub fn key(&self, row: usize, positions: &[usize]) -> KeyCells {
        KeyCells(positions.iter().map(|&at| self.cell(row, at).unwrap_or_default().to_vec()).collect())
    }

    /// Returns a copy that holds only the rows for which `keep` says so.
    pub fn filter(&self, mut keep: impl FnMut(usize) -> bool) -> RowBatch {
        let mut kept = RowBatch::new(self.width);
        for row in 0..self.rows() {
            if keep(row) {
                kept.push_row_of(self, row);
            }
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_survive_being_stored_as_text() {
        let key = KeyCells(vec![b"a\0,".to_vec(), vec![], b"9".to_vec()]);
        let hex = key.to_hex();
        assert_eq!(hex, ["61002c", "", "39"]);
        assert_eq!(KeyCells::from_hex(hex.iter().map(String::as_str)), Some(key));
        assert_eq!(KeyCells::from_hex(["6x"]), None);
        assert_eq!(KeyCells(vec![b"de".to_vec(), vec![0xff, 0]]).shown(), "de,0xff00");
    }

    #[test]
    fn null_and_empty_cells_stay_apart() {
        let mut batch = RowBatch::new(3);
        for cell in [Some(&b"a"[..]), None, Some(b""), None, Some(b"bc"), None] {
            batch.push_cell(cell);
        }
        assert_eq!(batch.rows(), 2);
        assert_eq!(batch.cell(0, 0), Some(&b"a"[..]));
        assert_eq!(batch.cell(0, 1), None);
        assert_eq!(batch.cell(0, 2), Some(&b""[..]));
        assert_eq!(batch.cell(1, 0), None);
        assert_eq!(batch.cell(1, 1), Some(&b"bc"[..]));
        let second = batch.filter(|row| row == 1);
        assert_eq!((second.rows(), second.cell(0, 1)), (1, Some(&b"bc"[..])));
    }
}
