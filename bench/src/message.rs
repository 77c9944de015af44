//! Reads HTTP/1.1 messages from bytes as they come, as much of the format as two programs on one machine need.
//!
//! It does no I/O, so that the closed loop reads with it on a task and the open loop on a thread.

use std::fmt;

use memchr::memmem;

/// The longest head that is read.
const LONGEST_HEAD: usize = 64 * 1024;
/// How much of what came is looked at for a head's end at a time, so that a long body behind it is not copied.
const HEAD_PIECE: usize = 2 * 1024;

/// Reads one message after another.
#[derive(Debug, Default)]
pub struct Reader {
    head: Vec<u8>,
    line: Vec<u8>,
    at: At,
}

/// Where in a message the reader is.
#[derive(Debug, Default, Clone, Copy)]
enum At {
    #[default]
    Start,
    Head,
    Sized(usize),
    ChunkSize,
    Chunk(usize),
    ChunkEnd,
    Trailer,
}

/// How far one call to [`Reader::read`] came.
#[derive(Debug, PartialEq, Eq)]
pub struct Step {
    /// How many of the bytes are used up. The rest belongs to what follows.
    pub used: usize,
    /// Whether the message is whole; the next call begins the next one.
    pub whole: bool,
}

/// What is not HTTP/1.1 as it is read here.
#[derive(Debug, PartialEq, Eq)]
pub struct Broken(&'static str);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Reader {
    /// Reads on from `bytes`, up to the end of the message at most, and hands each piece of its body to `body`.
    ///
    /// # Errors
    /// [`Broken`], after which the connection is of no use.
    pub fn read(&mut self, bytes: &[u8], mut body: impl FnMut(&[u8])) -> Result<Step, Broken> {
        let mut used = 0;
        loop {
            let rest = &bytes[used..];
            if rest.is_empty() && !matches!(self.at, At::Sized(0)) {
                return Ok(Step { used, whole: false });
            }
            match self.at {
                At::Start => {
                    self.head.clear();
                    self.at = At::Head;
                }
                At::Head => used += self.read_head(rest)?,
                At::Sized(0) => {
                    self.at = At::Start;
                    return Ok(Step { used, whole: true });
                }
                At::Sized(left) => {
                    let piece = &rest[..left.min(rest.len())];
                    body(piece);
                    used += piece.len();
                    self.at = At::Sized(left - piece.len());
                }
                At::Chunk(left) => {
                    let piece = &rest[..left.min(rest.len())];
                    body(piece);
                    used += piece.len();
                    self.at = if piece.len() == left { At::ChunkEnd } else { At::Chunk(left - piece.len()) };
                }
                At::ChunkSize | At::ChunkEnd | At::Trailer => used += self.read_line(rest)?,
            }
        }
    }

    /// The first line of the message being read, or of the one just read.
    pub fn first_line(&self) -> &[u8] {
        self.head.split(|byte| *byte == b'\r').next().unwrap_or_default()
    }

    /// The status of an answer; 0 if the message is none.
    pub fn status(&self) -> u16 {
        let word = self.first_line().split(|byte| *byte == b' ').nth(1);
        word.and_then(|word| std::str::from_utf8(word).ok()).and_then(|word| word.parse().ok()).unwrap_or(0)
    }

    fn read_head(&mut self, bytes: &[u8]) -> Result<usize, Broken> {
        let before = self.head.len();
        self.head.extend_from_slice(&bytes[..bytes.len().min(HEAD_PIECE)]);
        let from = before.saturating_sub(3);
        let Some(found) = memmem::find(&self.head[from..], b"\r\n\r\n") else {
            if self.head.len() > LONGEST_HEAD {
                return Err(Broken("a head without an end"));
            }
            return Ok(self.head.len() - before);
        };
        self.head.truncate(from + found + 4);
        self.at = framing(&self.head)?;
        Ok(self.head.len() - before)
    }

    /// Reads up to a line's end, and acts on the line once it is whole.
    fn read_line(&mut self, bytes: &[u8]) -> Result<usize, Broken> {
        let Some(end) = memchr::memchr(b'\n', bytes) else {
            self.line.extend_from_slice(bytes);
            return if self.line.len() > HEAD_PIECE {
                Err(Broken("a chunk's line without an end"))
            } else {
                Ok(bytes.len())
            };
        };
        self.line.extend_from_slice(&bytes[..end]);
        let line = self.line.trim_ascii();
        self.at = match self.at {
            At::ChunkSize => match chunk_size(line)? {
                0 => At::Trailer,
                size => At::Chunk(size),
            },
            At::Trailer if line.is_empty() => At::Sized(0),
            At::Trailer => At::Trailer,
            _ if line.is_empty() => At::ChunkSize,
            _ => return Err(Broken("a chunk longer than its size")),
        };
        self.line.clear();
        Ok(end + 1)
    }
}

fn chunk_size(line: &[u8]) -> Result<usize, Broken> {
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    let digits = std::str::from_utf8(digits).map_err(|_| Broken("a chunk's size is not a number"))?;
    usize::from_str_radix(digits, 16).map_err(|_| Broken("a chunk's size is not a number"))
}

/// How the body behind a whole head ends.
fn framing(head: &[u8]) -> Result<At, Broken> {
    let mut at = At::Sized(0);
    for line in head.split(|byte| *byte == b'\n').skip(1) {
        let Some(colon) = memchr::memchr(b':', line) else { continue };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            return Ok(At::ChunkSize);
        }
        if name.eq_ignore_ascii_case(b"content-length") {
            let length = std::str::from_utf8(value).ok().and_then(|value| value.parse().ok());
            at = At::Sized(length.ok_or(Broken("a content-length that is not a number"))?);
        }
    }
    Ok(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZED: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    const CHUNKED: &[u8] =
        b"HTTP/1.1 429 No\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nage: 1\r\n\r\n";

    /// The status and body of each message in `pieces`, read by one reader.
    fn messages<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<(u16, String)> {
        let mut reader = Reader::default();
        let (mut messages, mut body) = (Vec::new(), Vec::new());
        for mut bytes in pieces {
            while !bytes.is_empty() {
                let step = reader.read(bytes, |piece| body.extend_from_slice(piece)).unwrap();
                bytes = &bytes[step.used..];
                if step.whole {
                    messages.push((reader.status(), String::from_utf8(std::mem::take(&mut body)).unwrap()));
                }
            }
        }
        messages
    }

    #[test]
    fn messages_in_a_row_are_told_apart_wherever_they_are_cut() {
        let all = [SIZED, CHUNKED, b"HTTP/1.1 204 Empty\r\n\r\n", SIZED].concat();
        let expected = [(200, "hello"), (429, "hello world"), (204, ""), (200, "hello")];
        let expected: Vec<(u16, String)> = expected.map(|(status, body)| (status, body.to_owned())).into();
        assert_eq!(messages([&all[..]]), expected);
        assert_eq!(messages(all.chunks(1)), expected);
        for cut in 1..all.len() {
            let (left, right) = all.split_at(cut);
            assert_eq!(messages([left, right]), expected, "cut at {cut}");
        }
    }

    #[test]
    fn what_is_not_framed_is_refused() {
        for bytes in [
            &b"POST / HTTP/1.1\r\ncontent-length: many\r\n\r\n"[..],
            b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
            b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1\r\nab\r\n",
        ] {
            assert!(Reader::default().read(bytes, |_| ()).is_err(), "{}", String::from_utf8_lossy(bytes));
        }
    }
}
