use std::{
    io::{self, BufRead, Read},
    sync::{Arc, OnceLock},
};

/// The text of a csv on its way to the reader, watched for a quote that is opened and never closed: the reader would
/// take the rest of the file for one value.
pub(super) struct Quotes<R> {
    text: R,
    watch: Watch,
    /// Bytes of the buffer that were looked at.
    seen: usize,
}

/// Where the quote was opened that the text left open, once that is known.
#[derive(Debug, Clone, Default)]
pub(super) struct Unclosed(Arc<OnceLock<u64>>);

impl Unclosed {
    /// The byte of the text.
    pub(super) fn at(&self) -> Option<u64> {
        self.0.get().copied()
    }
}

struct Watch {
    delimiter: u8,
    quote: u8,
    place: Place,
    /// The byte before the next one, if there is one.
    last: Option<u8>,
    /// Bytes that were looked at.
    passed: u64,
    opened: u64,
    unclosed: Unclosed,
}

/// Where in the text the next byte is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Not between quotes.
    Outside,
    /// Between quotes.
    Inside,
    /// After a quote between quotes: one more is a quote that belongs to the text, anything else comes after its end.
    Quote,
}

impl<R: BufRead> Quotes<R> {
    pub(super) fn new(text: R, delimiter: u8, quote: u8) -> Self {
        let unclosed = Unclosed::default();
        let watch = Watch { delimiter, quote, place: Place::Outside, last: None, passed: 0, opened: 0, unclosed };
        Self { text, watch, seen: 0 }
    }

    /// Tells afterwards whether a quote stayed open.
    pub(super) fn unclosed(&self) -> Unclosed {
        self.watch.unclosed.clone()
    }
}

impl Watch {
    /// A quote opens only at the start of a field, as the reader sees it.
    fn look(&mut self, bytes: &[u8]) {
        let mut at = 0;
        while at < bytes.len() {
            if self.place == Place::Quote {
                self.place = Place::Outside;
                if bytes[at] == self.quote {
                    self.place = Place::Inside;
                    at += 1;
                }
                continue;
            }
            let Some(ahead) = find(self.quote, &bytes[at..]) else { break };
            at += ahead;
            if self.place == Place::Inside {
                self.place = Place::Quote;
            } else {
                let before = if at == 0 { self.last } else { Some(bytes[at - 1]) };
                if before.is_none_or(|before| before == self.delimiter || before == b'\n' || before == b'\r') {
                    self.place = Place::Inside;
                    self.opened = self.passed + at as u64;
                }
            }
            at += 1;
        }
        self.last = bytes.last().copied().or(self.last);
        self.passed += bytes.len() as u64;
    }

    fn end(&self) -> io::Result<()> {
        if self.place != Place::Inside {
            return Ok(());
        }
        let opened = self.unclosed.0.get_or_init(|| self.opened);
        Err(io::Error::other(format!("the quote at byte {opened} is never closed")))
    }
}

/// The first place of a byte: looked for one by one nearby, where quotes are many, and eight at once beyond.
fn find(byte: u8, bytes: &[u8]) -> Option<usize> {
    const NEAR: usize = 16;
    const LOW: u64 = 0x0101_0101_0101_0101;
    let mut from = 0;
    while from < bytes.len().min(NEAR) {
        if bytes[from] == byte {
            return Some(from);
        }
        from += 1;
    }
    let wanted = LOW * u64::from(byte);
    while let Some((block, _)) = bytes[from..].split_first_chunk::<8>() {
        // A byte that is the one looked for is zero here, and a zero byte sets its high bit.
        let other = u64::from_ne_bytes(*block) ^ wanted;
        if other.wrapping_sub(LOW) & !other & (LOW << 7) != 0 {
            break;
        }
        from += block.len();
    }
    bytes[from..].iter().position(|b| *b == byte).map(|at| from + at)
}

impl<R: BufRead> BufRead for Quotes<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let bytes = self.text.fill_buf()?;
        if bytes.is_empty() {
            self.watch.end()?;
        } else if bytes.len() > self.seen {
            self.watch.look(&bytes[self.seen..]);
            self.seen = bytes.len();
        }
        Ok(bytes)
    }

    fn consume(&mut self, amount: usize) {
        self.seen = self.seen.saturating_sub(amount);
        self.text.consume(amount);
    }
}

impl<R: BufRead> Read for Quotes<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let bytes = self.fill_buf()?;
        let amount = bytes.len().min(into.len());
        into[..amount].copy_from_slice(&bytes[..amount]);
        self.consume(amount);
        Ok(amount)
    }
}

/// The line that a byte of a text is in, counted from 1.
#[expect(clippy::naive_bytecount, reason = "only where a file is broken")]
pub(super) fn line_of(text: impl BufRead, byte: u64) -> io::Result<u64> {
    let (mut feeds, mut returns) = (0, 0);
    let mut text = text.take(byte);
    loop {
        let bytes = text.fill_buf()?;
        if bytes.is_empty() {
            break;
        }
        feeds += bytes.iter().filter(|b| **b == b'\n').count() as u64;
        returns += bytes.iter().filter(|b| **b == b'\r').count() as u64;
        let amount = bytes.len();
        text.consume(amount);
    }
    Ok(1 + if feeds == 0 { returns } else { feeds })
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    /// The line of the quote that stays open, read in steps of `step` bytes.
    fn open(text: &str, step: usize) -> Option<u64> {
        let mut quotes = Quotes::new(BufReader::with_capacity(step, text.as_bytes()), b',', b'"');
        let mut whole = Vec::new();
        let read = quotes.read_to_end(&mut whole);
        assert_eq!(read.is_err(), quotes.unclosed().at().is_some());
        if read.is_ok() {
            assert_eq!(whole, text.as_bytes());
        }
        quotes.unclosed().at().map(|byte| line_of(text.as_bytes(), byte).expect("counted"))
    }

    #[test]
    fn a_quote_that_stays_open_is_found_with_its_line() {
        for (text, line) in [
            ("a,b\n1,\"x\n2,y\n", Some(2)),
            ("a,b\r\n1,2\r\n\"x,y\r\n", Some(3)),
            ("a,b\r1,2\r\"x,y\r", Some(3)),
            ("\"a,b\n", Some(1)),
            ("a\n\"x\n\ny\"\n\"z", Some(5)),
            ("a\n\"x\"\"\n", Some(2)),
            ("a\n\"x\"\"\"\n", None),
            ("a\n\"x\"", None),
            ("a\n5\" wide\n", None),
            ("a,b\n5\",\"\"\n", None),
            ("a\n\"x\" \"y\n", None),
            ("a,b\n'x,y\n", None),
            ("", None),
        ] {
            for step in [1, 2, 3, 7, 4096] {
                assert_eq!(open(text, step), line, "{text:?} in steps of {step}");
            }
        }
        let long = format!("a\n\"{}", "x,y\n".repeat(100));
        assert_eq!((open(&long, 64), open(&(long.clone() + "\"\n"), 64)), (Some(2), None));
    }
}
