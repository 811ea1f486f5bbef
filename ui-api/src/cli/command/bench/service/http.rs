//! As much of HTTP/1.1 as a load generator needs: little work for each request, so that the service is measured and not
//! the client.

use std::{
    net::SocketAddr,
    sync::{Mutex, PoisonError},
};

use millwork_engine::model::Fault;
use serde_json::Value as Json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// An answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as JSON; null where it is none.
    pub(super) fn json(&self) -> Json {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// A text of the body.
    pub(super) fn text(&self, field: &str) -> String {
        self.json().get(field).and_then(Json::as_str).unwrap_or_default().to_owned()
    }
}

/// Asks one server, over connections that are kept.
#[derive(Debug)]
pub(super) struct Client {
    address: SocketAddr,
    kept: Mutex<Vec<TcpStream>>,
}

impl Client {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self { address, kept: Mutex::default() }
    }

    pub(super) async fn get(&self, path: &str) -> Result<Answer, Fault> {
        self.ask("GET", path, "").await
    }

    pub(super) async fn post(&self, path: &str, body: &str) -> Result<Answer, Fault> {
        self.ask("POST", path, body).await
    }

    async fn ask(&self, method: &str, path: &str, body: &str) -> Result<Answer, Fault> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut stream = match kept {
            Some(stream) => stream,
            None => connect(self.address).await.map_err(broken)?,
        };
        let request = request(self.address, method, path, body);
        stream.write_all(request.as_bytes()).await.map_err(broken)?;
        let answer = read(&mut stream).await?;
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).push(stream);
        Ok(answer)
    }
}

async fn connect(address: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A request as it is sent.
pub(super) fn request(address: SocketAddr, method: &str, path: &str, body: &str) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn broken(error: std::io::Error) -> Fault {
    Fault::external("bench.http", format!("the service does not answer: {error}"))
}

async fn read(stream: &mut TcpStream) -> Result<Answer, Fault> {
    let mut bytes = Vec::with_capacity(16 << 10);
    loop {
        if stream.read_buf(&mut bytes).await.map_err(broken)? == 0 {
            return Err(broken(std::io::ErrorKind::UnexpectedEof.into()));
        }
        if let Some(answer) = whole(&bytes) {
            return Ok(answer);
        }
    }
}

/// The answer, if it is all there.
fn whole(bytes: &[u8]) -> Option<Answer> {
    let end = find(bytes, b"\r\n\r\n")?;
    let (head, body) = (std::str::from_utf8(bytes.get(..end)?).ok()?, bytes.get(end + 4..)?);
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let header = |name: &str| {
        let line = head.lines().find(|line| line.get(..name.len()).is_some_and(|s| s.eq_ignore_ascii_case(name)))?;
        Some(line.get(name.len()..)?.trim())
    };
    if let Some(length) = header("content-length:") {
        let body = body.get(..length.parse().ok()?)?.to_vec();
        return Some(Answer { status, body });
    }
    if header("transfer-encoding:").is_none() {
        return Some(Answer { status, body: Vec::new() });
    }
    unchunked(body).map(|body| Answer { status, body })
}

fn unchunked(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = find(rest, b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(rest.get(..line)?).ok()?, 16).ok()?;
        let chunk = rest.get(line + 2..line + 2 + size)?;
        rest = rest.get(line + 2 + size + 2..)?;
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(chunk);
    }
}

/// Where a text begins.
pub(super) fn find(bytes: &[u8], text: &[u8]) -> Option<usize> {
    bytes.windows(text.len()).position(|window| window == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_when_they_are_whole() {
        let sized = b"HTTP/1.1 201 Created\r\nContent-Length: 5\r\n\r\nhello";
        assert_eq!(whole(sized), Some(Answer { status: 201, body: b"hello".to_vec() }));
        assert_eq!(whole(&sized[..sized.len() - 1]), None);
        let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n";
        assert_eq!(whole(chunked), Some(Answer { status: 200, body: b"hello".to_vec() }));
        assert_eq!(whole(&chunked[..chunked.len() - 2]), None);
        let empty = b"HTTP/1.1 304 Not Modified\r\netag: x\r\n\r\n";
        assert_eq!(whole(empty), Some(Answer { status: 304, body: Vec::new() }));
    }
}
