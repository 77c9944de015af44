//! gzip as files have it: members one behind the other, and at times zeros behind the last.

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;

/// The bytes of all members.
pub(super) struct Members<R> {
    /// None only while the next member is begun, and at the end.
    decoder: Option<GzDecoder<R>>,
}

impl<R: BufRead> Members<R> {
    pub(super) fn new(input: R) -> Self {
        Self { decoder: Some(GzDecoder::new(input)) }
    }

    /// Begins the next member; false if there is none.
    fn next(&mut self) -> io::Result<bool> {
        let Some(decoder) = self.decoder.take() else { return Ok(false) };
        let mut input = decoder.into_inner();
        loop {
            let begin = match input.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                begin => begin?,
            };
            // Tapes and disks fill up what they hold.
            let zeros = begin.iter().take_while(|byte| **byte == 0).count();
            match begin.get(zeros) {
                None if begin.is_empty() => return Ok(false),
                None => input.consume(zeros),
                Some(0x1F) => {
                    input.consume(zeros);
                    self.decoder = Some(GzDecoder::new(input));
                    return Ok(true);
                }
                Some(_) => {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "what is behind its end is no gzip"));
                }
            }
        }
    }
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let Some(decoder) = &mut self.decoder else { return Ok(0) };
            let read = decoder.read(into)?;
            if read > 0 || into.is_empty() || !self.next()? {
                return Ok(read);
            }
        }
    }
}
