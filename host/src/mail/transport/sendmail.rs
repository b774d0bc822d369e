//! A program of this machine that takes mail, as every mail server brings one: `sendmail -i -f from -- to`.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt as _;

use super::said::Secrets;
use super::{Attempt, Session, Step, StepKind, Transport, Verdict};
use crate::mail::Message;
use crate::mail::message::{Wire, Writer};

/// The transport.
pub struct Sendmail(Arc<Route>);

struct Route {
    program: PathBuf,
    arguments: Vec<String>,
    limit: Duration,
    writer: Writer,
}

impl Sendmail {
    /// Mail by this program, with `arguments` before ours, in at most `limit` a mail.
    #[must_use]
    pub fn new(program: PathBuf, arguments: Vec<String>, limit: Duration, writer: Writer) -> Self {
        Self(Arc::new(Route { program, arguments, limit, writer }))
    }
}

impl Transport for Sendmail {
    fn name(&self) -> String {
        self.0.program.display().to_string()
    }

    fn session(&self) -> Box<dyn Session> {
        Box::new(SendmailSession(Arc::clone(&self.0)))
    }

    fn probe(&self) -> Attempt {
        let started = Instant::now();
        let (verdict, said) = match std::fs::metadata(&self.0.program) {
            Ok(found) if found.is_file() && found.permissions().mode() & 0o111 != 0 => {
                (Verdict::Accepted, "the program is there".to_owned())
            }
            Ok(_) => (Verdict::Delayed, "this is not a program".to_owned()),
            Err(cause) => (Verdict::Delayed, cause.to_string()),
        };
        Attempt { steps: vec![Step { kind: StepKind::LookUp, took: started.elapsed(), said }], verdict }
    }
}

struct SendmailSession(Arc<Route>);

impl Session for SendmailSession {
    fn send(&mut self, message: &Message) -> Attempt {
        let started = Instant::now();
        let wire = match self.0.writer.wire(message) {
            Ok(wire) => wire,
            Err(cause) => return Attempt::unwritten(&cause, started),
        };
        let (verdict, said) = match run(&self.0, &wire) {
            Ok(output) => judged(&output),
            Err(cause) => (Verdict::Delayed, cause.to_string()),
        };
        let said = Secrets::default().and_of(message).hidden_in(&said);
        Attempt { steps: vec![Step { kind: StepKind::Handover, took: started.elapsed(), said }], verdict }
    }
}

fn run(route: &Route, wire: &Wire) -> io::Result<Output> {
    let mut command = tokio::process::Command::new(&route.program);
    command
        .args(&route.arguments)
        // A line with a single dot is text. What follows -- is an address, whatever it begins with.
        .args(["-i", "-f", wire.from.as_ref(), "--", wire.to.as_ref()])
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    // Such programs want the machine's own line ends.
    let text = zeroize::Zeroizing::new(wire.bytes.split(|b| *b == b'\r').collect::<Vec<_>>().concat());
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let mut child = command.spawn()?;
        let input = child.stdin.take();
        let feed = async {
            if let Some(mut input) = input {
                // One that ends without having read all says why by its exit status.
                let _ = input.write_all(&text).await;
            }
        };
        let work = async { tokio::join!(feed, child.wait_with_output()).1 };
        let late =
            |_| io::Error::new(io::ErrorKind::TimedOut, format!("not done within {} s", route.limit.as_secs_f32()));
        tokio::time::timeout(route.limit, work).await.map_err(late)?
    })
}

/// By the numbers of sysexits.h.
fn judged(output: &Output) -> (Verdict, String) {
    let (verdict, meaning) = match output.status.code() {
        Some(0) => (Verdict::Accepted, "the program took it".to_owned()),
        Some(65) => (Verdict::Refused, "65, the mail is not as it must be".to_owned()),
        Some(67) => (Verdict::Refused, "67, no such recipient".to_owned()),
        Some(68) => (Verdict::Refused, "68, no such host".to_owned()),
        Some(75) => (Verdict::Delayed, "75, try again later".to_owned()),
        Some(code) => (Verdict::Delayed, format!("the program ended with {code}")),
        None => {
            (Verdict::Delayed, format!("the program ended by signal {}", output.status.signal().unwrap_or_default()))
        }
    };
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.trim();
    (verdict, if said.is_empty() { meaning } else { format!("{meaning}: {said}") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::transport::tests::message;

    /// The shell as the program, with a folder to work in.
    fn program(text: &str) -> (tempfile::TempDir, Sendmail) {
        let folder = tempfile::tempdir().expect("a folder");
        let script = format!("cd {}\n{text}", folder.path().display());
        let arguments = vec!["-c".to_owned(), script, "sendmail".to_owned()];
        let sendmail = Sendmail::new("/bin/sh".into(), arguments, Duration::from_secs(2), Writer::default());
        (folder, sendmail)
    }

    #[test]
    fn a_program_gets_the_envelope_and_the_mail_with_the_machines_line_ends() {
        let (folder, sendmail) = program("printf '%s|' \"$@\" > arguments; cat > mail");
        let attempt = sendmail.session().send(&message("-marta@vidal.example"));
        assert_eq!(attempt.verdict, Verdict::Accepted, "{attempt:?}");
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect("there");
        assert_eq!(read("arguments"), "-i|-f|accounts@northwind.example|--|-marta@vidal.example|");
        assert!(read("mail").contains("\n\nHello Marta,\n"), "{}", read("mail"));
        assert!(!read("mail").contains('\r'));
    }

    #[test]
    fn the_exit_status_is_the_verdict() {
        for (end, verdict, said) in [
            ("exit 0", Verdict::Accepted, "the program took it"),
            ("cat >/dev/null; echo no such user >&2; exit 67", Verdict::Refused, "67, no such recipient: no such user"),
            ("exit 68", Verdict::Refused, "68, no such host"),
            ("exit 65", Verdict::Refused, "65, the mail is not as it must be"),
            ("exit 75", Verdict::Delayed, "75, try again later"),
            ("exit 78", Verdict::Delayed, "the program ended with 78"),
            ("kill -9 $$", Verdict::Delayed, "the program ended by signal 9"),
            ("exec sleep 30", Verdict::Delayed, "not done within 2 s"),
        ] {
            let attempt = program(end).1.session().send(&message("marta@vidal.example"));
            assert_eq!((attempt.verdict, attempt.steps[0].said.as_str()), (verdict, said), "{end}");
        }
        let missing = Sendmail::new("/nowhere/sendmail".into(), Vec::new(), Duration::from_secs(2), Writer::default());
        assert_eq!(missing.session().send(&message("marta@vidal.example")).verdict, Verdict::Delayed);
        assert_eq!(missing.probe().verdict, Verdict::Delayed);
        assert_eq!(program("").1.probe().verdict, Verdict::Accepted);
    }
}
