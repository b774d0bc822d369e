//! SMTP to one server, with each step's time and the server's own words.
//!
//! The dialogue is our own: lettre, which writes the messages, treats an answer that is not UTF-8 as none, and would send again
//! what a server has accepted. Each step is separate, TLS may begin at once or with STARTTLS, and nothing unencrypted after
//! STARTTLS counts as an answer.

mod connection;
mod dialogue;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio_rustls::rustls;
use zeroize::Zeroizing;

use self::connection::{Connection, open, timed};
use self::dialogue::Trouble;
use super::said::Secrets;
use super::{Attempt, Session, Step, StepKind, Transport, Verdict, of_answer};
use crate::Message;
use crate::message::{Wire, Writer};
use keyturn_core::network::tls;
use keyturn_core::origin::names_this_machine;

keyturn_core::named! {
    /// How a connection is encrypted. Certificates are always checked.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub enum Encryption {
        /// TLS after STARTTLS; a server without it is not used.
        #[default]
        Starttls = "starttls",
        /// TLS from the first byte.
        Tls = "tls",
        /// None: only to a server on this machine.
        None = "none",
    }
}

/// The login for a server.
pub struct Login {
    /// The user's name.
    pub username: String,
    /// The password.
    pub password: Zeroizing<String>,
}

keyturn_core::with_defaults! {
    /// How long each step may take, and how long a connection is kept. For a server's answers, as long as RFC 5321, 4.5.3.2 says:
    /// some servers delay their greeting to see who is impatient.
    #[derive(Debug, Clone, Copy)]
    pub struct Limits {
        /// Look-up; and connecting to all addresses together.
        pub connect: Duration = Duration::from_secs(10),
        /// The greeting, and the answer to each command.
        pub command: Duration = Duration::from_secs(300),
        /// The text of an email, until the server has answered its end.
        pub data: Duration = Duration::from_secs(600),
        /// An idle connection is reused until then.
        pub idle: Duration = Duration::from_secs(10),
        /// The most messages on one connection.
        pub messages: u32 = 100,
        /// When everything must have ended, whatever each step may take. None: each step's limit is enough.
        pub end: Option<Instant> = None,
    }
}

impl Limits {
    /// For one email that somebody waits for: everything together takes at most `total`.
    #[must_use]
    pub fn within(total: Duration) -> Self {
        Self { end: Some(Instant::now() + total), ..Self::default() }
    }

    /// The rest of a step's limit.
    fn left(&self, limit: Duration) -> Duration {
        self.end.map_or(limit, |end| limit.min(end.saturating_duration_since(Instant::now())))
    }
}

/// The TLS handshake, which no server delays on purpose; and resetting a connection after a refusal.
const HANDSHAKE: Duration = Duration::from_secs(30);
/// How often to check whether an attempt must stop.
const STOPPING: Duration = Duration::from_millis(100);

/// The server to send to.
pub struct Server {
    /// Name or address.
    pub host: String,
    /// Usually 587; 465 for TLS from the first byte.
    pub port: u16,
    /// How the connection is encrypted.
    pub encryption: Encryption,
    /// The name in EHLO; none: our end's address, in brackets.
    pub hello: Option<String>,
    /// None: the server accepts email from here without a login.
    pub login: Option<Login>,
    /// The trusted CA certificates, PEM. None: the system's.
    pub ca_file: Option<PathBuf>,
    /// Time limits.
    pub limits: Limits,
}

/// Sends through a mail server.
pub struct Smtp(Arc<Route>);

/// Shared by all sessions.
struct Route {
    server: Server,
    /// None: the connection is not encrypted.
    tls: Option<Arc<rustls::ClientConfig>>,
    secrets: Secrets,
    writer: Writer,
}

impl Smtp {
    /// Sends with this server. Reads the certificates; doesn't connect.
    ///
    /// # Errors
    /// What is wrong with the certificates; or that a connection without encryption would leave this machine.
    pub fn new(server: Server, writer: Writer) -> Result<Self, String> {
        let encrypted = server.encryption != Encryption::None;
        if !encrypted && !names_this_machine(&server.host) {
            let only = "a connection without encryption is only for a server on this machine (localhost), not for";
            return Err(format!("{only} {}", server.host));
        }
        let tls = encrypted.then(|| tls::trusting(server.ca_file.as_deref())).transpose()?;
        let secrets = server
            .login
            .as_ref()
            .map_or_else(Secrets::default, |login| Secrets::of_login(&login.username, &login.password));
        Ok(Self(Arc::new(Route { server, tls, secrets, writer })))
    }

    fn open(&self) -> SmtpSession {
        SmtpSession { route: Arc::clone(&self.0), runtime: None, kept: None }
    }
}

impl Transport for Smtp {
    fn name(&self) -> String {
        let Server { host, port, .. } = &self.0.server;
        match host.parse::<IpAddr>() {
            Ok(IpAddr::V6(_)) => format!("[{host}]:{port}"),
            _ => format!("{host}:{port}"),
        }
    }

    fn session(&self) -> Box<dyn Session> {
        Box::new(self.open())
    }

    fn probe(&self) -> Attempt {
        let route = &*self.0;
        self.open().blocking(async |kept| {
            let mut steps = Vec::new();
            *kept = open(route, &mut steps).await.map(Kept::new);
            Attempt { steps, verdict: if kept.is_some() { Verdict::Accepted } else { Verdict::Delayed } }
        })
    }
}

/// One worker's session. It has its own runtime, so its user needs none.
struct SmtpSession {
    route: Arc<Route>,
    runtime: Option<Runtime>,
    kept: Option<Kept>,
}

/// A connection that can take another email.
struct Kept {
    connection: Connection,
    messages: u32,
    last_used: Instant,
}

impl Kept {
    fn new(connection: Connection) -> Self {
        Self { connection, messages: 0, last_used: Instant::now() }
    }

    fn may_go_on(&self, limits: &Limits) -> bool {
        self.messages < limits.messages && self.last_used.elapsed() < limits.idle
    }

    /// Ends the session by the protocol, if the server answers soon.
    async fn leave(mut self) {
        let _ = tokio::time::timeout(Duration::from_secs(1), self.connection.smtp.say("QUIT")).await;
    }
}

impl Session for SmtpSession {
    fn send(&mut self, message: &Message) -> Attempt {
        self.send_unless(message, &|| false)
    }

    fn send_unless(&mut self, message: &Message, stopped: &(dyn Fn() -> bool + Sync)) -> Attempt {
        let route = Arc::clone(&self.route);
        let wire = match route.writer.wire(message) {
            Ok(wire) => wire,
            Err(unsent) => return Attempt::one(StepKind::Handover, || Err(unsent)),
        };
        let secrets = route.secrets.and_of(message);
        self.blocking(async |kept| deliver(&route, &secrets, &wire, kept, stopped).await)
    }
}

impl SmtpSession {
    /// Runs `work` with the kept connection, on the session's own runtime.
    fn blocking(&mut self, work: impl AsyncFnOnce(&mut Option<Kept>) -> Attempt) -> Attempt {
        match self.runtime.take().map_or_else(runtime, Ok) {
            Ok(runtime) => self.runtime.insert(runtime).block_on(work(&mut self.kept)),
            Err(cause) => Attempt::one(StepKind::LookUp, || Err(cause.into())),
        }
    }
}

fn runtime() -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

impl Drop for SmtpSession {
    fn drop(&mut self) {
        let Some(runtime) = self.runtime.take() else {
            return;
        };
        // Nothing may block inside another runtime, so there the connection is just closed.
        if let Some(kept) = self.kept.take()
            && tokio::runtime::Handle::try_current().is_err()
        {
            runtime.block_on(kept.leave());
        }
        // A hanging look-up would block a plain drop.
        runtime.shutdown_background();
    }
}

async fn deliver(
    route: &Route,
    secrets: &Secrets,
    wire: &Wire,
    place: &mut Option<Kept>,
    stopped: &(dyn Fn() -> bool + Sync),
) -> Attempt {
    let limits = &route.server.limits;
    if let Some(old) = place.take_if(|kept| !kept.may_go_on(limits)) {
        old.leave().await;
    }
    let mut kept = place.take();
    let mut steps = Vec::new();
    loop {
        let was_kept = kept.is_some();
        let mut now = match kept.take() {
            Some(kept) => kept,
            None => match unless(stopped, open(route, &mut steps)).await {
                Some(Some(opened)) => Kept::new(opened),
                Some(None) => return Attempt { steps, verdict: Verdict::Delayed },
                None => return put_off(steps, Instant::now()),
            },
        };
        let started = Instant::now();
        let Some(named) = unless(stopped, name(&mut now.connection, limits, wire)).await else {
            return put_off(steps, started);
        };
        let outcome = match named {
            Err(Untaken::Before(trouble)) if was_kept && trouble.may_be_the_connections() => {
                // Nothing of the email was sent, so a new connection is as good as the first.
                continue;
            }
            Err(untaken) => Err(untaken),
            Ok(()) => hand_over(&mut now.connection, limits, wire).await.map_err(Untaken::After),
        };
        let (verdict, said, usable) = judged(outcome);
        steps.push(Step { kind: StepKind::Handover, took: started.elapsed(), said: secrets.hidden_in(&said) });
        now.messages += 1;
        now.last_used = Instant::now();
        let clean = verdict == Verdict::Accepted;
        if usable && (clean || timed(limits.left(HANDSHAKE), now.connection.smtp.ask("RSET")).await.is_ok()) {
            *place = Some(now);
        }
        return Attempt { steps, verdict };
    }
}

/// The result of `work`; none if it must stop before.
async fn unless<T>(stopped: &(dyn Fn() -> bool + Sync), work: impl Future<Output = T>) -> Option<T> {
    let stop = async {
        while !stopped() {
            tokio::time::sleep(STOPPING).await;
        }
    };
    tokio::select! {
        done = work => Some(done),
        () = stop => None,
    }
}

/// The sender is being stopped, and nothing of the email was sent.
fn put_off(mut steps: Vec<Step>, started: Instant) -> Attempt {
    let said = "the program was stopped before the email was sent".to_owned();
    steps.push(Step { kind: StepKind::Handover, took: started.elapsed(), said });
    Attempt { steps, verdict: Verdict::Delayed }
}

/// Why an email was not accepted.
enum Untaken {
    /// This server can't transport it: because of the recipient or the sender.
    Impossible(String, Verdict),
    /// Before anything of its text was sent.
    Before(Trouble),
    /// The recipient was refused, or something after that.
    After(Trouble),
}

/// Sender and recipient.
async fn name(to: &mut Connection, limits: &Limits, wire: &Wire) -> Result<(), Untaken> {
    let parameters = parameters(to, wire)?;
    let sender = format!("MAIL FROM:<{}>{parameters}", wire.from);
    timed(limits.left(limits.command), to.smtp.ask(&sender)).await.map_err(Untaken::Before)?;
    let recipient = format!("RCPT TO:<{}>", wire.to);
    timed(limits.left(limits.command), to.smtp.ask(&recipient)).await.map_err(|trouble| {
        // The server accepted the sender, so the connection is fine: an answer about a recipient counts, even "not now".
        match trouble {
            Trouble::Answer { code, said } if code != 421 => Untaken::After(Trouble::Answer { code, said }),
            trouble => Untaken::Before(trouble),
        }
    })?;
    Ok(())
}

/// The text. From here on the server may have the email, so the attempt continues to its end.
async fn hand_over(to: &mut Connection, limits: &Limits, wire: &Wire) -> Result<String, Trouble> {
    timed(limits.left(limits.command), to.smtp.ask_for(3, "DATA")).await?;
    let answer = timed(limits.left(limits.data), to.smtp.text(&wire.bytes)).await.map_err(|trouble| match trouble {
        Trouble::Lost(said) => Trouble::Lost(format!("{said}; the server may still have accepted the email")),
        answer => answer,
    })?;
    Ok(answer.said())
}

/// The parameters of the sender's command. RFC 6531: letters beyond a-z before an @ need a server that supports them.
fn parameters(to: &Connection, wire: &Wire) -> Result<String, Untaken> {
    let Some((address, verdict)) = wire.international() else {
        return Ok(String::new());
    };
    if !to.offers.has("SMTPUTF8") {
        return Err(Untaken::Impossible(
            format!(
                "the address {address} has letters beyond a-z before its @, which this server can't handle (it does not offer SMTPUTF8)"
            ),
            verdict,
        ));
    }
    Ok(if to.offers.has("8BITMIME") { " SMTPUTF8 BODY=8BITMIME" } else { " SMTPUTF8" }.to_owned())
}

/// The verdict, the answer, and whether the connection can be reused.
fn judged(outcome: Result<String, Untaken>) -> (Verdict, String, bool) {
    let trouble = match outcome {
        Ok(said) => return (Verdict::Accepted, said, true),
        Err(Untaken::Impossible(said, verdict)) => return (verdict, said, true),
        Err(Untaken::Before(trouble) | Untaken::After(trouble)) => trouble,
    };
    match trouble {
        Trouble::Lost(said) => (Verdict::Delayed, said, false),
        Trouble::Answer { code, said } => (of_answer(code), said, code != 421),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_in_clear_is_for_this_machine_only() {
        let smtp = |host: &str| {
            let server = Server {
                host: host.to_owned(),
                port: 25,
                encryption: Encryption::None,
                hello: None,
                login: None,
                ca_file: None,
                limits: Limits::default(),
            };
            Smtp::new(server, Writer::default()).map(|smtp| smtp.name())
        };
        assert_eq!(smtp("localhost").expect("here"), "localhost:25");
        assert_eq!(smtp("::1").expect("here"), "[::1]:25");
        for host in ["smtp.example", "192.0.2.1", "localhost.example", "127.0.0.1.example"] {
            assert!(smtp(host).expect_err(host).starts_with("a connection without encryption"), "{host}");
        }
    }

    #[test]
    fn what_a_server_says_decides_what_becomes_of_a_mail() {
        let answer = |code| Err(Untaken::After(Trouble::Answer { code, said: String::new() }));
        for (code, verdict, usable) in [
            (421, Verdict::Delayed, false),
            (451, Verdict::Delayed, true),
            (530, Verdict::Delayed, true),
            (550, Verdict::Refused, true),
            (554, Verdict::Refused, true),
        ] {
            let (found, _, again) = judged(answer(code));
            assert_eq!((found, again), (verdict, usable), "{code}");
        }
        assert_eq!(judged(Err(Untaken::After(Trouble::Lost(String::new())))).0, Verdict::Delayed);
        assert_eq!(judged(Ok(String::new())).0, Verdict::Accepted);
    }
}
