//! Bytes of a file to a [`Source`].

use std::sync::Arc;

use crate::diag::{Code, Diagnostic, Source, Span};

/// Bytes that a file may have.
pub const MAX_BYTES: usize = 64 << 20;

/// Takes the bytes of a file as text: at most 64 MiB of UTF-8. A byte-order mark is left out. The
/// problem's place holds in [`shown`] too, for a message that shows the line.
pub fn read_source(name: impl Into<Arc<str>>, bytes: &[u8]) -> Result<Source, Box<Diagnostic>> {
    if bytes.len() > MAX_BYTES {
        let message = format!("the file has {} bytes, and at most {MAX_BYTES} are read", bytes.len());
        let problem = Diagnostic::new(Code::YamlBudget, Span::new(0, 0), message);
        return Err(Box::new(problem.help("move data out of the pipeline into files that steps read")));
    }
    let body = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match std::str::from_utf8(body) {
        Ok(text) => match text.find('\0') {
            None => Ok(Source::new(name, text)),
            Some(at) => {
                let problem = Diagnostic::new(Code::NotUtf8, Span::new(at, at), "byte 0x00 is in no text");
                Err(Box::new(problem.help("is this the right file? a pipeline is YAML text in UTF-8")))
            }
        },
        Err(error) => {
            let at = error.valid_up_to();
            let byte = body.get(at).copied().unwrap_or_default();
            let utf16 = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff");
            let help = if utf16 { "the file is UTF-16: save it as UTF-8" } else { "save the file as UTF-8" };
            let problem = Diagnostic::new(Code::NotUtf8, Span::new(at, at), format!("byte 0x{byte:02x} is not UTF-8"));
            Err(Box::new(problem.help(help)))
        }
    }
}

/// What can be shown of bytes that [`read_source`] refused: the text before the first bad byte.
pub fn shown(name: impl Into<Arc<str>>, bytes: &[u8]) -> Source {
    let body = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let body = &body[..body.len().min(1 << 20)];
    let end = std::str::from_utf8(body).map_or_else(|e| e.valid_up_to(), str::len);
    let end = body[..end].iter().position(|byte| *byte == 0).unwrap_or(end);
    Source::new(name, String::from_utf8_lossy(&body[..end]).as_ref())
}
