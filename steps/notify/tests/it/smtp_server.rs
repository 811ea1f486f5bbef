//! A server that speaks SMTP without encryption, and remembers the mails it took.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
};

/// A mail that was taken.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mail {
    pub from: String,
    pub to: Vec<String>,
    pub text: String,
}

impl Mail {
    /// A line of its head, without what stands before the colon.
    pub(crate) fn header(&self, name: &str) -> &str {
        let head = self.text.split("\r\n\r\n").next().unwrap_or_default();
        head.split("\r\n").find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).unwrap_or("")
    }
}

pub(crate) struct SmtpServer {
    pub port: u16,
    mails: Arc<Mutex<Vec<Mail>>>,
    said: Arc<Mutex<Vec<String>>>,
}

impl SmtpServer {
    /// Takes every mail, unless `reply` has other words for a line of the n-th connection (from 0).
    pub(crate) fn start(reply: impl Fn(usize, &str) -> Option<&'static str> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let server = Self { port, mails: Arc::default(), said: Arc::default() };
        let (mails, said, reply) = (server.mails.clone(), server.said.clone(), Arc::new(reply));
        std::thread::spawn(move || {
            for (number, stream) in listener.incoming().flatten().enumerate() {
                let (mails, said, reply) = (mails.clone(), said.clone(), reply.clone());
                std::thread::spawn(move || serve(&stream, &mails, &said, &|line| reply(number, line)));
            }
        });
        server
    }

    pub(crate) fn mails(&self) -> Vec<Mail> {
        self.mails.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Every line that a client said outside of mails.
    pub(crate) fn said(&self) -> Vec<String> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn serve(
    mut stream: &TcpStream,
    mails: &Mutex<Vec<Mail>>,
    said: &Mutex<Vec<String>>,
    reply: &dyn Fn(&str) -> Option<&'static str>,
) -> Option<()> {
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
    let mut say = |text: &str| stream.write_all(format!("{text}\r\n").as_bytes()).ok();
    say("220 here ESMTP")?;
    let mut mail = Mail::default();
    while let Some(Ok(line)) = lines.next() {
        said.lock().unwrap_or_else(PoisonError::into_inner).push(line.clone());
        let other = reply(&line);
        let good = other.is_none_or(|words| words.starts_with(['2', '3']));
        let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        let address = || line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
        match verb.as_str() {
            "EHLO" => say(other.unwrap_or("250-here\r\n250-8BITMIME\r\n250 AUTH PLAIN LOGIN"))?,
            "AUTH" => say(other.unwrap_or("235 welcome"))?,
            "MAIL" => {
                mail = Mail { from: address(), ..Mail::default() };
                say(other.unwrap_or("250 ok"))?;
            }
            "RCPT" => {
                if good {
                    mail.to.push(address());
                }
                say(other.unwrap_or("250 ok"))?;
            }
            "DATA" => {
                say("354 go on")?;
                let text = lines.by_ref().map_while(Result::ok).take_while(|line| line != ".");
                mail.text = text.map(|line| format!("{line}\r\n")).collect();
                let other = reply(".");
                if other.is_none() {
                    mails.lock().unwrap_or_else(PoisonError::into_inner).push(mail.clone());
                }
                say(other.unwrap_or("250 taken"))?;
            }
            "QUIT" => {
                say("221 bye")?;
                return None;
            }
            _ => say("250 ok")?,
        }
    }
    None
}
