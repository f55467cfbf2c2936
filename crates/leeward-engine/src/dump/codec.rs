//! A chunk as bytes of an object: rows as text, compressed by zstd, with the SHA-256 of what is stored.

use std::io::Write;

use bytes::Bytes;
use leeward_core::dump::hex;
use leeward_core::row::RowBatch;
use leeward_core::row_text::{self, NotRows, Reader};
use sha2::{Digest, Sha256};
use zstd::stream::raw::{DParameter, Decoder, Operation};
use zstd::stream::write::Encoder;

/// zstd's own default: a processor packs several times what a link to another region carries, and ever more of it would be
/// spent for ever fewer bytes.
const LEVEL: i32 = 3;

/// Largest window that is read, as a power of two: 8 MiB. What is written here takes 2 MiB; an object that asks for more memory
/// was not written here.
const WINDOW_LOG_MAX: u32 = 23;

/// Text is put into an object, and taken out of one, in pieces of this many bytes at most, whatever its compressed piece holds.
pub const PIECE_BYTES: usize = 128 * 1024;

/// Compressed bytes that are held back until so many are there.
const HELD_BYTES: usize = 256 * 1024;

/// What was put into an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// SHA-256 of the object's bytes, in hex.
    pub sha256: String,
    /// The object's length.
    pub stored_bytes: u64,
    /// Rows.
    pub rows: u64,
    /// Bytes of their cells.
    pub bytes: u64,
}

/// Packs rows into an object's bytes.
pub struct Packer {
    encoder: Encoder<'static, Vec<u8>>,
    hash: Sha256,
    stored_bytes: u64,
    rows: u64,
    bytes: u64,
}

impl Packer {
    /// Begins an object.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn new() -> std::io::Result<Packer> {
        let encoder = Encoder::new(Vec::new(), LEVEL)?;
        Ok(Packer { encoder, hash: Sha256::new(), stored_bytes: 0, rows: 0, bytes: 0 })
    }

    /// Prints rows that are to be added next, whole and in this order.
    pub fn print(&mut self, rows: &RowBatch) -> Vec<u8> {
        self.rows += rows.rows() as u64;
        self.bytes += rows.bytes() as u64;
        row_text::print(rows, rows.width())
    }

    /// Adds a piece of what was printed. Returns bytes to be stored next, if there are enough of them: a wide row whose bytes do
    /// not compress would otherwise be here once more.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn add(&mut self, piece: &[u8]) -> std::io::Result<Option<Bytes>> {
        self.encoder.write_all(piece)?;
        if self.encoder.get_ref().len() < HELD_BYTES {
            return Ok(None);
        }
        let ready = std::mem::take(self.encoder.get_mut());
        Ok(Some(self.count(ready)))
    }

    /// Ends the object. Returns its last bytes and what it holds.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn end(mut self) -> std::io::Result<(Bytes, Packed)> {
        self.encoder.do_finish()?;
        let ready = std::mem::take(self.encoder.get_mut());
        let last = self.count(ready);
        let Packer { hash, stored_bytes, rows, bytes, .. } = self;
        Ok((last, Packed { sha256: hex(&hash.finalize()), stored_bytes, rows, bytes }))
    }

    fn count(&mut self, ready: Vec<u8>) -> Bytes {
        self.hash.update(&ready);
        self.stored_bytes += ready.len() as u64;
        Bytes::from(ready)
    }
}

/// Why bytes of an object are not those of a chunk.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// They cannot be decompressed.
    #[error("it cannot be decompressed")]
    Compression(#[from] std::io::Error),
    /// Decompressed, they are no rows of the table.
    #[error(transparent)]
    Rows(#[from] NotRows),
    /// They end too early.
    #[error("it is cut short")]
    Short,
}

/// Takes rows out of an object's bytes.
pub struct Unpacker {
    decoder: Decoder<'static>,
    /// Whether the compressed text has come to an end of its own.
    is_at_end: bool,
    reader: Reader,
    /// Bytes past which a row is wide, until [`Unpacker::let_wide_pass`].
    wide_from: u64,
    piece: Vec<u8>,
    hash: Sha256,
    stored_bytes: u64,
    rows: u64,
    bytes: u64,
}

impl Unpacker {
    /// Begins with an object of rows of `width` cells. It stops in a row of more than `wide_from` bytes.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn new(width: usize, wide_from: u64) -> Result<Unpacker, Unreadable> {
        let mut decoder = Decoder::new()?;
        decoder.set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX))?;
        Ok(Unpacker {
            decoder,
            is_at_end: false,
            reader: Reader::new(width),
            wide_from,
            piece: vec![0; PIECE_BYTES],
            hash: Sha256::new(),
            stored_bytes: 0,
            rows: 0,
            bytes: 0,
        })
    }

    /// Takes in the object's next bytes, as many as make some batches of rows, which are added to `full`. Returns how many
    /// bytes were taken. When all were, no batch came and no row is wide, there is nothing left to do with them.
    ///
    /// # Errors
    /// When they are not those of a chunk of this table.
    pub fn take(&mut self, stored: &[u8], full: &mut Vec<RowBatch>) -> Result<usize, Unreadable> {
        let mut at = 0;
        loop {
            let status = self.decoder.run_on_buffers(&stored[at..], &mut self.piece)?;
            at += status.bytes_read;
            // Asked for more after its end, zstd speaks of the frame that would come next.
            if status.bytes_read > 0 || status.bytes_written > 0 {
                self.is_at_end = status.remaining == 0;
            }
            self.reader.read(&self.piece[..status.bytes_written], full)?;
            let is_drained = at == stored.len() && status.bytes_written < self.piece.len();
            let is_stuck = status.bytes_read == 0 && status.bytes_written == 0;
            if !full.is_empty() || is_drained || is_stuck || self.is_wide() {
                break;
            }
        }
        self.hash.update(&stored[..at]);
        self.stored_bytes += at as u64;
        full.iter().for_each(|batch| self.count(batch.rows(), batch.bytes()));
        Ok(at)
    }

    /// Returns whether it has stopped in a wide row, of which it holds no more than one piece past that width.
    pub fn is_wide(&self) -> bool {
        self.reader.row_bytes() > self.wide_from
    }

    /// Lets wide rows pass from now on: there is room for them.
    pub fn let_wide_pass(&mut self) {
        self.wide_from = u64::MAX;
    }

    /// Ends the object. Returns its last rows and what it held.
    ///
    /// # Errors
    /// When it is cut short.
    pub fn end(mut self) -> Result<(RowBatch, Packed), Unreadable> {
        if !self.is_at_end {
            return Err(Unreadable::Short);
        }
        let last = std::mem::replace(&mut self.reader, Reader::new(0)).end()?;
        self.count(last.rows(), last.bytes());
        let Unpacker { hash, stored_bytes, rows, bytes, .. } = self;
        Ok((last, Packed { sha256: hex(&hash.finalize()), stored_bytes, rows, bytes }))
    }

    fn count(&mut self, rows: usize, bytes: usize) {
        self.rows += rows as u64;
        self.bytes += bytes as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(number: u32) -> RowBatch {
        let mut batch = RowBatch::new(2);
        for row in 0..number {
            batch.push_cell(Some(format!("{row}").as_bytes()));
            batch.push_cell((row % 7 > 0).then(|| vec![b'x'; 900]).as_deref());
        }
        batch
    }

    #[test]
    fn a_wide_row_stops_until_it_may_pass_and_comes_whole() {
        let mut batch = rows(3);
        for cell in [Some(&b"wide"[..]), Some(&vec![b'w'; 5 << 20])] {
            batch.push_cell(cell);
        }
        let (stored, packed) = pack(std::slice::from_ref(&batch));
        let mut unpacker = Unpacker::new(2, 1 << 20).unwrap();
        let mut full = Vec::new();
        let mut at = unpacker.take(&stored, &mut full).unwrap();
        assert!(unpacker.is_wide() && full.is_empty());
        assert!(unpacker.reader.row_bytes() <= (1 << 20) + PIECE_BYTES as u64, "{}", unpacker.reader.row_bytes());
        unpacker.let_wide_pass();
        while full.is_empty() {
            at += unpacker.take(&stored[at..], &mut full).unwrap();
        }
        assert_eq!((full.len(), full[0].rows(), full[0].cell(3, 1)), (1, 4, batch.cell(3, 1)));
        assert!(!unpacker.is_wide(), "the row has come to its end");
        at += unpacker.take(&stored[at..], &mut Vec::new()).unwrap();
        assert_eq!((at, unpacker.end().unwrap().1), (stored.len(), packed));
    }

    fn pack(batches: &[RowBatch]) -> (Vec<u8>, Packed) {
        let mut packer = Packer::new().unwrap();
        let mut stored = Vec::new();
        for batch in batches {
            let text = packer.print(batch);
            for piece in text.chunks(PIECE_BYTES) {
                stored.extend(packer.add(piece).unwrap().into_iter().flatten());
            }
        }
        let (last, packed) = packer.end().unwrap();
        stored.extend_from_slice(&last);
        (stored, packed)
    }

    /// Unpacks pieces of some bytes; returns the rows, the largest batch and what it held.
    fn unpack(stored: &[u8], piece: usize) -> Result<(usize, usize, Packed), Unreadable> {
        let mut unpacker = Unpacker::new(2, u64::MAX)?;
        let (mut rows, mut largest) = (0, 0);
        for piece in stored.chunks(piece) {
            let mut at = 0;
            loop {
                let mut full = Vec::new();
                at += unpacker.take(&piece[at..], &mut full)?;
                if full.is_empty() && at == piece.len() {
                    break;
                }
                assert!(full.len() <= 2, "{} batches at once", full.len());
                rows += full.iter().map(RowBatch::rows).sum::<usize>();
                largest = full.iter().map(RowBatch::bytes).max().unwrap_or(0).max(largest);
            }
        }
        let (last, packed) = unpacker.end()?;
        Ok((rows + last.rows(), largest, packed))
    }

    #[test]
    fn what_was_packed_is_unpacked_in_bounded_batches() {
        let batches = [rows(5000), rows(0), rows(3000)];
        let (stored, packed) = pack(&batches);
        assert_eq!((packed.rows, packed.stored_bytes), (8000, stored.len() as u64));
        // Seven megabytes of text lie in some kilobytes: a piece holds far more than may be in memory.
        assert!(stored.len() < 100_000);
        for piece in [1, 100, stored.len()] {
            let (rows, largest, unpacked) = unpack(&stored, piece).unwrap();
            assert_eq!((rows, &unpacked), (8000, &packed));
            assert!(largest < 300 * 1024, "{largest}");
        }
    }

    #[test]
    fn no_rows_are_an_object_too() {
        let (stored, packed) = pack(&[]);
        assert_eq!(unpack(&stored, 3).unwrap().2, packed);
        assert_eq!(packed.rows, 0);
    }

    #[test]
    fn an_object_that_was_spoilt_is_noticed() {
        let (stored, packed) = pack(&[rows(2000)]);
        assert!(unpack(&stored[..stored.len() / 2], 1000).is_err());
        assert!(unpack(&[], 1000).is_err());
        for at in [0, 10, stored.len() / 2, stored.len() - 1] {
            let mut spoilt = stored.clone();
            spoilt[at] ^= 1;
            let found = unpack(&spoilt, 1000);
            assert!(found.is_err() || found.unwrap().2 != packed, "a flipped bit at {at} went unnoticed");
        }
    }
}
