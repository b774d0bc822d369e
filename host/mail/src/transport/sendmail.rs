//! A program of this machine that accepts email, as every mail server has one: `sendmail -i -f from -- to`.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;

use super::said::{Secrets, readable};
use super::{Attempt, Session, StepKind, Transport, Unsent, Verdict, of_answer};
use crate::Message;
use crate::message::{Wire, Writer};

/// The transport.
#[derive(Clone)]
pub struct Sendmail {
    /// The program.
    pub program: PathBuf,
    /// Its arguments before ours.
    pub arguments: Vec<String>,
    /// The time limit for each email.
    pub limit: Duration,
    /// Writes the emails.
    pub writer: Writer,
}

impl Transport for Sendmail {
    fn name(&self) -> String {
        self.program.display().to_string()
    }

    fn session(&self) -> Box<dyn Session> {
        Box::new(self.clone())
    }

    fn probe(&self) -> Attempt {
        Attempt::one(StepKind::LookUp, || {
            let found = std::fs::metadata(&self.program)?;
            match found.is_file() && found.permissions().mode() & 0o111 != 0 {
                true => Ok("the program exists".to_owned()),
                false => Err(io::Error::other("this is not a program").into()),
            }
        })
    }
}

impl Session for Sendmail {
    fn send(&mut self, message: &Message) -> Attempt {
        let mut attempt = Attempt::one(StepKind::Handover, || judged(&run(self, &self.writer.wire(message)?)?));
        let secrets = Secrets::default().and_of(message);
        attempt.steps.iter_mut().for_each(|step| step.said = secrets.hidden_in(&step.said));
        attempt
    }
}

fn run(route: &Sendmail, wire: &Wire) -> io::Result<Output> {
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
                // If it ends before it has read everything, its exit status says why.
                let _ = input.write_all(&text).await;
            }
        };
        let work = async { tokio::join!(feed, child.wait_with_output()).1 };
        let late =
            |_| io::Error::new(io::ErrorKind::TimedOut, format!("not done within {} s", route.limit.as_secs_f32()));
        tokio::time::timeout(route.limit, work).await.map_err(late)?
    })
}

/// By the numbers of sysexits.h, as these programs use them; each was tried. A number that one program uses for a temporary
/// failure is never final. If the output quotes a mail server's answer, that decides.
fn judged(output: &Output) -> Result<String, Unsent> {
    let lines: Vec<String> = output.stderr.split(|byte| *byte == b'\n').map(readable).collect();
    let said = lines.join("\n");
    let said = said.trim();
    let unsent = |verdict, meaning: &str| Err(Unsent { verdict, said: with(meaning, said) });
    let answered = |otherwise| answer(said).map_or(otherwise, of_answer);
    let (verdict, meaning) = match output.status.code() {
        Some(0) => return Ok(with("the program accepted it", said)),
        Some(64) => (Verdict::Delayed, "64 (EX_USAGE), the program does not accept these arguments"),
        // msmtp: the server answered 5yz to the sender, the recipient or DATA.
        Some(65) => (answered(Verdict::Refused), "65 (EX_DATAERR), the email or an address was not accepted"),
        Some(67) => (Verdict::Refused, "67 (EX_NOUSER), no such recipient"),
        // msmtp: its own mail server was not found; a name server's short failure can do that.
        Some(68) => (
            Verdict::Delayed,
            "68 (EX_NOHOST), a host was not found: the program's own mail server, or the recipient's",
        ),
        // msmtp: the server answered 4yz, or refused the text; or it offers no TLS.
        Some(69) => (answered(Verdict::Delayed), "69 (EX_UNAVAILABLE), a mail server did not accept it"),
        // OpenSMTPD: any answer of the server to a command.
        Some(70) => (answered(Verdict::Delayed), "70 (EX_SOFTWARE), the program failed"),
        Some(75) => (Verdict::Delayed, "75 (EX_TEMPFAIL), try again later"),
        Some(76) => (Verdict::Delayed, "76 (EX_PROTOCOL), its mail server broke the protocol"),
        Some(77) => (Verdict::Delayed, "77 (EX_NOPERM), its mail server or this machine refused access"),
        Some(78) => (Verdict::Delayed, "78 (EX_CONFIG), its configuration is wrong"),
        Some(code) => return unsent(Verdict::Delayed, &format!("the program ended with {code}")),
        None => {
            let signal = output.status.signal().unwrap_or_default();
            return unsent(Verdict::Delayed, &format!("the program ended by signal {signal}"));
        }
    };
    unsent(verdict, meaning)
}

fn with(meaning: &str, said: &str) -> String {
    if said.is_empty() { meaning.to_owned() } else { format!("{meaning}: {said}") }
}

/// The code of a mail server's last answer, as msmtp and OpenSMTPD quote it.
fn answer(said: &str) -> Option<u16> {
    let quoted = |line: &str| {
        let words = ["server message: ", "command failed: "].into_iter().find_map(|mark| line.split_once(mark))?.1;
        words.get(..3)?.parse().ok().filter(|code| (400..600).contains(code))
    };
    said.lines().rev().find_map(quoted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::tests::message;

    /// The shell as the program, with a folder to work in.
    fn program(text: &str) -> (tempfile::TempDir, Sendmail) {
        let folder = tempfile::tempdir().expect("a folder");
        let script = format!("cd {}\n{text}", folder.path().display());
        let arguments = vec!["-c".to_owned(), script, "sendmail".to_owned()];
        let sendmail =
            Sendmail { program: "/bin/sh".into(), arguments, limit: Duration::from_secs(2), writer: Writer::default() };
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
            ("exit 0", Verdict::Accepted, "the program accepted it"),
            (
                "cat >/dev/null; echo no such user >&2; exit 67",
                Verdict::Refused,
                "67 (EX_NOUSER), no such recipient: no such user",
            ),
            (
                "exit 68",
                Verdict::Delayed,
                "68 (EX_NOHOST), a host was not found: the program's own mail server, or the recipient's",
            ),
            ("exit 65", Verdict::Refused, "65 (EX_DATAERR), the email or an address was not accepted"),
            ("exit 69", Verdict::Delayed, "69 (EX_UNAVAILABLE), a mail server did not accept it"),
            ("exit 70", Verdict::Delayed, "70 (EX_SOFTWARE), the program failed"),
            ("exit 75", Verdict::Delayed, "75 (EX_TEMPFAIL), try again later"),
            ("exit 78", Verdict::Delayed, "78 (EX_CONFIG), its configuration is wrong"),
            ("exit 1", Verdict::Delayed, "the program ended with 1"),
            ("kill -9 $$", Verdict::Delayed, "the program ended by signal 9"),
            ("exec sleep 30", Verdict::Delayed, "not done within 2 s"),
        ] {
            let attempt = program(end).1.session().send(&message("marta@vidal.example"));
            assert_eq!((attempt.verdict, attempt.steps[0].said.as_str()), (verdict, said), "{end}");
        }
        // The exact output of msmtp 1.8.23 and OpenSMTPD 6.8.
        let msmtp = |code: u16, what: &str, answer: &str| {
            format!(
                "printf 'msmtp: {what}\\nmsmtp: server message: {answer}\\nmsmtp: could not send mail\\n' >&2; exit {code}"
            )
        };
        let recipient = "recipient address b@y.example not accepted by the server";
        for (end, verdict) in [
            (msmtp(65, recipient, "550 5.1.1 no such user"), Verdict::Refused),
            (msmtp(65, recipient, "530 5.7.0 Authentication required"), Verdict::Delayed),
            (msmtp(69, recipient, "450 4.7.1 greylisted"), Verdict::Delayed),
            (msmtp(69, "the server did not accept the mail", "550 5.7.1 spam"), Verdict::Refused),
            (msmtp(76, "cannot get initial OK message from server", "554 go away"), Verdict::Delayed),
            (msmtp(77, "authentication failed (method PLAIN)", "535 5.7.8 no"), Verdict::Delayed),
            (
                "echo 'sendmail: command failed: 550 Invalid recipient: <b@y.example>' >&2; exit 70".to_owned(),
                Verdict::Refused,
            ),
            ("echo 'sendmail: command failed: 421 4.3.0 Too busy' >&2; exit 70".to_owned(), Verdict::Delayed),
            ("echo 'sendmail: 550 lines were read' >&2; exit 70".to_owned(), Verdict::Delayed),
            ("printf 'sendmail: command failed: 550 Empf\\344nger\\n' >&2; exit 70".to_owned(), Verdict::Refused),
        ] {
            let attempt = program(&end).1.session().send(&message("marta@vidal.example"));
            assert_eq!(attempt.verdict, verdict, "{end}: {attempt:?}");
        }
        let missing = Sendmail {
            program: "/nowhere/sendmail".into(),
            arguments: Vec::new(),
            limit: Duration::from_secs(2),
            writer: Writer::default(),
        };
        assert_eq!(missing.session().send(&message("marta@vidal.example")).verdict, Verdict::Delayed);
        assert_eq!(missing.probe().verdict, Verdict::Delayed);
        assert_eq!(program("").1.probe().verdict, Verdict::Accepted);
    }
}
