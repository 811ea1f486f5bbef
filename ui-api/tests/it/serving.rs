//! `millwork serve` as a child, asked by hand.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
};

use serde_json::Value as Json;

use crate::program::{program, until};

/// A running service.
pub(crate) struct Serving {
    child: Child,
    address: String,
}

impl Serving {
    /// Serves a folder on a port of its own, until it is ready.
    pub(crate) fn begin(folder: &Path) -> Self {
        let mut command = Command::new(program());
        command.args(["serve", ".", "--listen", "127.0.0.1:0", "--drain", "1s"]).current_dir(folder);
        let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("it starts");
        let stderr = child.stderr.take().expect("a pipe");
        let mut lines = BufReader::new(stderr).lines();
        let line = lines.by_ref().map_while(Result::ok).find(|line| line.contains("http://"));
        let address = line.and_then(|line| line.split("http://").nth(1).map(str::to_owned)).expect("an address");
        // Read on, so that it never waits for a reader.
        std::thread::spawn(move || lines.for_each(drop));
        let serving = Self { child, address };
        until("it is ready", || serving.get("/readyz").0 == 200);
        serving
    }

    /// Asks for something; a status and the JSON of the answer, 0 where there was none.
    pub(crate) fn ask(&self, method: &str, path: &str, body: Option<&Json>, more: &str) -> (u16, Json) {
        let text = body.map(Json::to_string).unwrap_or_default();
        let Ok(mut stream) = TcpStream::connect(&self.address) else { return (0, Json::Null) };
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-type: application/json\r\n{more}content-length: {}\r\n\r\n",
            self.address,
            text.len()
        );
        let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(text.as_bytes()));
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or(("", ""));
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        // One object, whether it came in chunks or not.
        let object = body.find('{').zip(body.rfind('}')).map_or("null", |(from, to)| &body[from..=to]);
        (status, serde_json::from_str(object).unwrap_or(Json::Null))
    }

    pub(crate) fn get(&self, path: &str) -> (u16, Json) {
        self.ask("GET", path, None, "")
    }

    /// The status of a run.
    pub(crate) fn status(&self, run: &str) -> Json {
        self.get(&format!("/api/v1/runs/{run}")).1["status"].clone()
    }

    /// SIGKILL.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("SIGKILL");
        self.child.wait().expect("its end");
    }

    /// SIGTERM; its exit code.
    pub(crate) fn stop(mut self) -> Option<i32> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("SIGTERM");
        self.child.wait().expect("its end").code()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Serving {
    /// A test that failed leaves nothing running.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
