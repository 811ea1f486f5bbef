//! The least that HTTP on loopback costs here: a server of this process that knows one answer.

use std::net::SocketAddr;

use millwork_engine::model::Fault;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// Serves until it is dropped.
#[derive(Debug)]
pub(super) struct Peer {
    pub address: SocketAddr,
    serving: JoinHandle<()>,
}

impl Peer {
    pub(super) async fn begin() -> Result<Self, Fault> {
        let failed = |e: std::io::Error| Fault::external("bench.peer", format!("no address can be listened at: {e}"));
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream));
            }
        });
        Ok(Self { address, serving })
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(mut stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let mut bytes = vec![0; 4096];
    // Requests are short, and come one at a time.
    while stream.read(&mut bytes).await.is_ok_and(|some| some > 0) {
        if stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await.is_err() {
            return;
        }
    }
}
