//! Rows as text, the form that LOAD DATA reads: cells apart by tab, rows by line feed, `\N` for NULL. A load streams it, and
//! the chunks of a dump hold it, so that both are exact for every type together. What is read back is what was printed, cell
//! by cell; text that was not printed here is refused.

use crate::row::RowBatch;

/// Bytes of cells in the batches that [`Reader`] makes: as many as a reader of the source hands on at once.
const BATCH_BYTES: usize = 256 * 1024;

/// Prints the first `cells` cells of each row.
pub fn print(batch: &RowBatch, cells: usize) -> Vec<u8> {
    let mut text = Vec::with_capacity(batch.bytes() + batch.bytes() / 8 + batch.rows() * batch.width());
    for row in 0..batch.rows() {
        for at in 0..cells {
            if at > 0 {
                text.push(b'\t');
            }
            match batch.cell(row, at) {
                Some(cell) => push_escaped(&mut text, cell),
                None => text.extend_from_slice(b"\\N"),
            }
        }
        text.push(b'\n');
    }
    text
}

/// The server's scan of a field stops at these alone; every other byte stands for itself.
fn push_escaped(text: &mut Vec<u8>, cell: &[u8]) {
    let mut from = 0;
    for at in memchr::memchr3_iter(b'\t', b'\n', b'\\', cell) {
        text.extend_from_slice(&cell[from..at]);
        text.extend_from_slice(match cell[at] {
            b'\t' => b"\\t",
            b'\n' => b"\\n",
            _ => b"\\\\",
        });
        from = at + 1;
    }
    text.extend_from_slice(&cell[from..]);
}

/// Text that is not what [`print()`] prints for rows of this width.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the text is not that of rows of this table")]
pub struct NotRows;

/// Reads what [`print()`] has printed, in pieces of any length.
pub struct Reader {
    width: usize,
    batch: RowBatch,
    /// Cells of the row that is being read.
    cells: usize,
    cell: Vec<u8>,
    /// Whether the cell is NULL.
    is_null: bool,
    /// Whether a backslash came last.
    is_escaped: bool,
    /// Bytes of the batch before the row that is being read.
    row_from: usize,
}

impl Reader {
    /// Begins with rows of `width` cells.
    pub fn new(width: usize) -> Reader {
        let batch = RowBatch::new(width);
        Reader { width, batch, cells: 0, cell: Vec::new(), is_null: false, is_escaped: false, row_from: 0 }
    }

    /// Reads the next piece. Adds each batch that has become full to `full`.
    ///
    /// # Errors
    /// [`NotRows`], after which nothing more can be read.
    pub fn read(&mut self, piece: &[u8], full: &mut Vec<RowBatch>) -> Result<(), NotRows> {
        let mut from = 0;
        while from < piece.len() {
            if self.is_escaped {
                self.unescape(piece[from])?;
                from += 1;
                continue;
            }
            let rest = &piece[from..];
            let until = memchr::memchr3(b'\t', b'\n', b'\\', rest).unwrap_or(rest.len());
            if until > 0 {
                self.push(&rest[..until])?;
            }
            from += until + 1;
            match rest.get(until) {
                Some(b'\\') => self.is_escaped = true,
                Some(b'\t') => self.end_cell()?,
                Some(_) => self.end_row(full)?,
                None => {}
            }
        }
        Ok(())
    }

    /// Returns how many bytes of the row that is being read are here, which is no whole one yet.
    pub fn row_bytes(&self) -> u64 {
        (self.batch.bytes() - self.row_from + self.cell.len()) as u64
    }

    /// Returns the last rows.
    ///
    /// # Errors
    /// [`NotRows`] when the text ends inside of a row.
    pub fn end(self) -> Result<RowBatch, NotRows> {
        let is_whole = self.cells == 0 && self.cell.is_empty() && !self.is_escaped && !self.is_null;
        if is_whole { Ok(self.batch) } else { Err(NotRows) }
    }

    fn push(&mut self, bytes: &[u8]) -> Result<(), NotRows> {
        if self.is_null {
            return Err(NotRows);
        }
        self.cell.extend_from_slice(bytes);
        Ok(())
    }

    fn unescape(&mut self, byte: u8) -> Result<(), NotRows> {
        self.is_escaped = false;
        match byte {
            b't' => self.push(b"\t"),
            b'n' => self.push(b"\n"),
            b'\\' => self.push(b"\\"),
            b'N' if self.cell.is_empty() && !self.is_null => {
                self.is_null = true;
                Ok(())
            }
            _ => Err(NotRows),
        }
    }

    fn end_cell(&mut self) -> Result<(), NotRows> {
        if self.cells == self.width {
            return Err(NotRows);
        }
        self.batch.push_cell((!self.is_null).then_some(self.cell.as_slice()));
        self.cells += 1;
        self.is_null = false;
        // What one wide cell needed is not kept for the many that follow.
        if self.cell.capacity() > BATCH_BYTES {
            self.cell = Vec::new();
        }
        self.cell.clear();
        Ok(())
    }

    fn end_row(&mut self, full: &mut Vec<RowBatch>) -> Result<(), NotRows> {
        self.end_cell()?;
        if self.cells != self.width {
            return Err(NotRows);
        }
        self.cells = 0;
        if self.batch.bytes() >= BATCH_BYTES {
            full.push(std::mem::replace(&mut self.batch, RowBatch::new(self.width)));
        }
        self.row_from = self.batch.bytes();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hostile() -> RowBatch {
        let mut batch = RowBatch::new(3);
        for cell in [Some(&b"\\N"[..]), None, Some(b"a\tb\n\0c\r\x1a"), Some(b""), Some(b"\\"), Some(b"N\\")] {
            batch.push_cell(cell);
        }
        batch
    }

    fn cells(batch: &RowBatch) -> Vec<Option<Vec<u8>>> {
        (0..batch.rows())
            .flat_map(|row| (0..batch.width()).map(move |at| batch.cell(row, at).map(<[u8]>::to_vec)))
            .collect()
    }

    #[test]
    fn hostile_cells_stay_cells() {
        let text = print(&hostile(), 3);
        assert_eq!(text, b"\\\\N\t\\N\ta\\tb\\n\0c\r\x1a\n\t\\\\\tN\\\\\n");
    }

    #[test]
    fn key_cells_of_generated_columns_need_not_be_printed() {
        let mut batch = RowBatch::new(2);
        batch.push_cell(Some(b"1"));
        batch.push_cell(Some(b"2"));
        assert_eq!(print(&batch, 1), b"1\n");
    }

    #[test]
    fn what_was_printed_is_read_back_wherever_it_is_cut() {
        let text = print(&hostile(), 3);
        for piece in 1..=text.len() {
            let mut reader = Reader::new(3);
            let mut full = Vec::new();
            for piece in text.chunks(piece) {
                reader.read(piece, &mut full).unwrap();
            }
            assert!(full.is_empty());
            assert_eq!(cells(&reader.end().unwrap()), cells(&hostile()));
        }
    }

    #[test]
    fn batches_are_bounded_and_hold_every_row() {
        let mut batch = RowBatch::new(1);
        (0..100).for_each(|byte| batch.push_cell(Some(&vec![byte; 10_000])));
        let mut full = Vec::new();
        let mut reader = Reader::new(1);
        reader.read(&print(&batch, 1), &mut full).unwrap();
        assert!(full.iter().all(|batch| batch.bytes() < BATCH_BYTES + 10_000), "{full:?}");
        full.push(reader.end().unwrap());
        assert!(full.len() > 2);
        assert_eq!(full.iter().flat_map(cells).collect::<Vec<_>>(), cells(&batch));
    }

    #[test]
    fn what_was_not_printed_is_refused() {
        for text in ["1\n", "1\t2\t3\n", "\\Nx\t1\n", "x\\N\t1\n", "\\x\t1\n", "1\t2", "1\t2\n\\", "\\N"] {
            let mut reader = Reader::new(2);
            let read = reader.read(text.as_bytes(), &mut Vec::new());
            assert!(read.and_then(|()| reader.end()).is_err(), "{text:?} was taken");
        }
    }
}
