//! A mail server for one test: aiosmtpd, which takes and refuses as the recipient's name says (`tests/mail/server.py`).

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::Stopped;

/// The Python of the tests' own virtual environment.
///
/// # Panics
/// If it was not made.
#[must_use]
pub fn python() -> PathBuf {
    let target = Path::new(env!("OUT_DIR")).ancestors().nth(4).expect("OUT_DIR lies in the target folder");
    let folder = target.join("python");
    let python = folder.join("bin/python");
    let folder = folder.display();
    assert!(
        python.exists(),
        "the mail tests need Python with the packages of tests/requirements.txt. `cargo xtask test` makes it; by hand:\n\n  \
         python3 -m venv {folder} && {folder}/bin/pip install --requirement tests/requirements.txt\n"
    );
    python
}

/// A running aiosmtpd.
pub struct Aiosmtpd {
    _process: Stopped,
    lines: Receiver<Value>,
    /// On 127.0.0.1.
    pub port: u16,
}

impl Aiosmtpd {
    /// Starts `server.py` with what it is told.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start(told: &Value) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/mail/server.py");
        let mut process = Command::new(python())
            .args([script, &told.to_string()])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Python starts");
        let output = BufReader::new(process.stdout.take().expect("piped"));
        let process = Stopped(process);
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let _ = sender.send(serde_json::from_str(&line).expect("JSON"));
            }
        });
        let port: Value = lines.recv_timeout(Duration::from_secs(30)).expect("the server says its port");
        let port = port.as_u64().and_then(|port| u16::try_from(port).ok()).expect("a port");
        Self { _process: process, lines, port }
    }

    /// One without TLS or login.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn plain() -> Self {
        Self::start(&json!({}))
    }

    /// The next mail that it took.
    ///
    /// # Panics
    /// If none comes within ten seconds.
    #[must_use]
    pub fn took(&self) -> Value {
        self.lines.recv_timeout(Duration::from_secs(10)).expect("a mail was taken")
    }

    /// The text of the next mail that it took, as it came.
    ///
    /// # Panics
    /// As [`Aiosmtpd::took`]; or if it is no text.
    #[must_use]
    pub fn text(&self) -> String {
        let data = STANDARD.decode(self.took()["data"].as_str().expect("a mail")).expect("base64");
        String::from_utf8(data).expect("UTF-8")
    }

    /// Whether it took no more mails.
    #[must_use]
    pub fn took_no_more(&self) -> bool {
        self.lines.recv_timeout(Duration::from_millis(200)).is_err()
    }
}
