//! Decompresses what is compressed, by its first bytes and not by its name: gzip with any number of members, zstd with any
//! number of frames. What is in UTF-16 becomes UTF-8.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::members::Members;
use super::utf16::{self, Utf16};

/// Bytes that are read at once.
const CHUNK: usize = 256 * 1024;

/// zstd takes windows up to this many bits of size, 128 MiB, which is the most that its own tool takes unasked.
const WINDOW: u32 = 27;

/// How bytes were packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// Not at all.
    Plain,
    /// gzip.
    Gzip,
    /// zstd.
    Zstd,
    /// In some way that is not read here; its name, and how it is undone.
    Other(&'static str),
}

/// First bytes of what is not unpacked here, its name, and what unpacks it.
const OTHERS: &[(&[u8], &str)] = &[
    (b"BZh", "a bzip2 archive: unpack it first, with `bzip2 -d`"),
    (b"\xFD7zXZ\0", "an xz archive: unpack it first, with `xz -d`"),
    (b"PK\x03\x04", "a zip archive: unpack it first, with `unzip`"),
    (b"7z\xBC\xAF\x27\x1C", "a 7z archive: unpack it first"),
    (b"\x04\x22\x4D\x18", "an lz4 archive: unpack it first, with `lz4 -d`"),
    (b"PAR1", "a Parquet file: write its rows as JSON Lines or CSV"),
    (b"SQLite format 3\0", "a database of SQLite: write its rows as JSON Lines or CSV"),
];

/// Where a tar archive says that it is one.
const TAR: std::ops::Range<usize> = 257..262;

/// What a file is whose content cannot be read, by its first bytes.
fn other(begin: &[u8]) -> Option<&'static str> {
    if begin.get(TAR) == Some(b"ustar") {
        return Some("a tar archive: unpack it first, with `tar -xf`");
    }
    OTHERS.iter().find(|(magic, _)| begin.starts_with(magic)).map(|(_, what)| *what)
}

/// Bytes as they were before they were packed.
pub struct Unpacked {
    /// Where they come from.
    pub reader: Box<dyn Read + Send>,
    /// How they were packed.
    pub packing: Packing,
    /// How many packed bytes were read so far, for whoever shows how far it is.
    pub taken: Arc<AtomicU64>,
}

/// Finds out how `input` is packed, and unpacks it.
///
/// # Errors
/// When it cannot be read.
pub fn unpack(input: impl Read + Send + 'static) -> io::Result<Unpacked> {
    let taken = Arc::new(AtomicU64::new(0));
    let mut input = BufReader::with_capacity(CHUNK, Counted { input, taken: Arc::clone(&taken) });
    let begin = loop {
        match input.fill_buf() {
            Ok(begin) => break begin,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    };
    let packing = match begin {
        [0x1F, 0x8B, ..] => Packing::Gzip,
        // A frame, or one that is to be skipped: the tools that cut a file into seekable parts begin with such.
        [0x28, 0xB5, 0x2F, 0xFD, ..] | [0x50..=0x5F, 0x2A, 0x4D, 0x18, ..] => Packing::Zstd,
        begin => other(begin).map_or(Packing::Plain, Packing::Other),
    };
    let reader: Box<dyn Read + Send> = match packing {
        Packing::Plain => Box::new(input),
        Packing::Gzip => Box::new(Members::new(input)),
        Packing::Zstd => {
            let mut decoder = zstd::Decoder::with_buffer(input)?;
            decoder.window_log_max(WINDOW)?;
            Box::new(decoder)
        }
        Packing::Other(_) => Box::new(io::empty()),
    };
    let mut text = BufReader::with_capacity(CHUNK, reader);
    let begin = match text.fill_buf() {
        Ok(begin) => begin,
        // A damaged archive says so when it is read.
        Err(error) => return Ok(Unpacked { reader: Box::new(Failed(Some(error))), packing, taken }),
    };
    let (inside, order) = (other(begin), utf16::order(begin));
    let (reader, packing): (Box<dyn Read + Send>, Packing) = match (packing, inside, order) {
        (Packing::Gzip | Packing::Zstd, Some(what), _) => (Box::new(io::empty()), Packing::Other(what)),
        (packing, _, Some(order)) => (Box::new(Utf16::new(text, order)), packing),
        (packing, _, None) => (Box::new(text), packing),
    };
    Ok(Unpacked { reader, packing, taken })
}

/// What cannot be read from its begin on.
struct Failed(Option<io::Error>);

impl Read for Failed {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

/// Counts what is read.
struct Counted<R> {
    input: R,
    taken: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(into)?;
        self.taken.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn read(bytes: Vec<u8>) -> (Packing, Vec<u8>, Option<io::ErrorKind>) {
        let mut unpacked = unpack(io::Cursor::new(bytes)).unwrap();
        let mut text = Vec::new();
        let error = unpacked.reader.read_to_end(&mut text).err();
        (unpacked.packing, text, error.map(|error| error.kind()))
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn all_members_and_frames_are_read() {
        let members = [gzip(b"one\n"), gzip(b"two\n")].concat();
        assert_eq!(read(members), (Packing::Gzip, b"one\ntwo\n".to_vec(), None));
        let frames =
            [zstd::encode_all(&b"one\n"[..], 3).unwrap(), zstd::encode_all(&b"two\n"[..], 3).unwrap()].concat();
        assert_eq!(read(frames), (Packing::Zstd, b"one\ntwo\n".to_vec(), None));
        assert_eq!(read(b"plain".to_vec()), (Packing::Plain, b"plain".to_vec(), None));
        assert_eq!(read(Vec::new()), (Packing::Plain, Vec::new(), None));
    }

    #[test]
    fn an_archive_that_is_cut_gives_what_it_has_and_an_error() {
        let text: Vec<u8> = (0..20_000_u32).flat_map(|n| format!("line {n}\n").into_bytes()).collect();
        for packed in [gzip(&text), zstd::encode_all(&text[..], 3).unwrap()] {
            let (_, read, error) = read(packed[..packed.len() / 2].to_vec());
            assert!(error.is_some(), "the cut is told");
            assert!(text.starts_with(&read));
        }
    }

    #[test]
    fn zeros_behind_the_last_member_are_nothing_and_other_bytes_are_told() {
        let packed = gzip(b"one\n");
        let filled = [packed.clone(), vec![0; 700_000]].concat();
        assert_eq!(read(filled), (Packing::Gzip, b"one\n".to_vec(), None));
        let (_, text, error) = read([packed, b"more".to_vec()].concat());
        assert_eq!((text, error), (b"one\n".to_vec(), Some(io::ErrorKind::InvalidData)));
        assert!(read(b"\x1F\x8Bno archive".to_vec()).2.is_some());
    }

    #[test]
    fn what_is_not_unpacked_is_named_also_within_gzip() {
        let mut tar = vec![b'x'; 512];
        tar[TAR].copy_from_slice(b"ustar");
        for (bytes, word) in
            [(b"PK\x03\x04more".to_vec(), "zip"), (b"BZh91AY".to_vec(), "bzip2"), (gzip(&tar), "tar"), (tar, "tar")]
        {
            let (packing, text, error) = read(bytes);
            assert!(matches!(packing, Packing::Other(what) if what.contains(word)), "{packing:?}");
            assert_eq!((text, error), (Vec::new(), None));
        }
    }

    #[test]
    fn utf_16_is_read_also_from_an_archive() {
        let text = "\u{FEFF}{\"model\":\"gpt\"}\n";
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(read(little.clone()).1, text.as_bytes());
        assert_eq!(read(gzip(&little)).1, text.as_bytes());
    }
}
