//! From a server's name to a connection that accepts email.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use base64::Engine as _;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use zeroize::Zeroizing;

use super::dialogue::{Answer, Dialogue, Offers, Trouble};
use super::{Encryption, HANDSHAKE, Login, Route, Server, Step, StepKind};
use keyturn_core::network::{Wire, dial, tls};

/// A connection that accepts email.
pub(super) struct Connection {
    pub(super) smtp: Dialogue,
    pub(super) offers: Offers,
}

/// Waits for `work` until the limit.
pub(super) async fn timed<T, E: Into<Trouble>>(
    limit: Duration,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, Trouble> {
    match tokio::time::timeout(limit, work).await {
        Ok(result) => result.map_err(Into::into),
        Err(_) => Err(Trouble::Lost(dial::silence(limit))),
    }
}

/// Records each step.
struct Log<'a> {
    route: &'a Route,
    steps: &'a mut Vec<Step>,
}

impl Log<'_> {
    /// The step's result, if it succeeded.
    async fn step<T>(&mut self, kind: StepKind, work: impl Future<Output = Result<(T, String), Trouble>>) -> Option<T> {
        let started = Instant::now();
        let (result, said) = match work.await {
            Ok((result, said)) => (Some(result), said),
            Err(trouble) => (None, trouble.said()),
        };
        self.steps.push(Step { kind, took: started.elapsed(), said: self.route.secrets.hidden_in(&said) });
        result
    }
}

/// A connection that accepts email; or none, and the last step says why.
pub(super) async fn open(route: &Route, steps: &mut Vec<Step>) -> Option<Connection> {
    let server = &route.server;
    let command = || server.limits.left(server.limits.command);
    let mut log = Log { route, steps };
    let addresses = log.step(StepKind::LookUp, look_up(server)).await?;
    let (mut smtp, own_name, mut offers) = log
        .step(StepKind::Connect, async {
            let (stream, own_name, peer) = connect(server, &addresses).await?;
            let mut smtp = Dialogue::new(stream);
            // An encrypted one speaks when it is.
            if server.encryption == Encryption::Tls {
                return Ok(((smtp, own_name, Offers::default()), peer.to_string()));
            }
            let said = timed(command(), smtp.greeting()).await?.said();
            let offers = timed(command(), smtp.hello(&own_name)).await?;
            Ok(((smtp, own_name, offers), said))
        })
        .await?;
    if let Some(config) = &route.tls {
        (smtp, offers) = log
            .step(StepKind::Tls, async {
                let stream = match server.encryption {
                    Encryption::Starttls => start_tls(server, smtp, &offers).await?,
                    _ => smtp.into_stream(),
                };
                let handshake = tls::handshake(config, &server.host, stream);
                let stream = timed(server.limits.left(HANDSHAKE), handshake).await?;
                let mut said = privacy(&stream);
                let mut smtp = Dialogue::new(stream);
                if server.encryption == Encryption::Tls {
                    said = format!("{said}; {}", timed(command(), smtp.greeting()).await?.said());
                }
                let offers = timed(command(), smtp.hello(&own_name)).await?;
                Ok(((smtp, offers), said))
            })
            .await?;
    }
    let mut connection = Connection { smtp, offers };
    if let Some(login) = &server.login {
        log.step(StepKind::Login, log_in(server, login, &mut connection)).await?;
    }
    Some(connection)
}

async fn look_up(server: &Server) -> Result<(Vec<SocketAddr>, String), Trouble> {
    let limits = &server.limits;
    let found =
        timed(limits.left(limits.connect), tokio::net::lookup_host((server.host.as_str(), server.port))).await?;
    let mut addresses: Vec<SocketAddr> = found.collect();
    if server.encryption == Encryption::None {
        // Whatever a name server says about "localhost".
        addresses.retain(|address| address.ip().is_loopback());
    }
    if addresses.is_empty() {
        return Err(Trouble::Lost("the name has no address".to_owned()));
    }
    let said: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
    Ok((addresses, said.join(", ")))
}

/// The stream, the name for EHLO, and the address that answered.
async fn connect(server: &Server, addresses: &[SocketAddr]) -> Result<(TcpStream, String, SocketAddr), Trouble> {
    let (stream, peer) =
        dial::connect(server.limits.left(server.limits.connect), addresses).await.map_err(Trouble::Lost)?;
    let own_name = match &server.hello {
        Some(name) => name.clone(),
        None => literal(stream.local_addr()?.ip()),
    };
    Ok((stream, own_name, peer))
}

/// Our end's address, which is always true. (RFC 5321, 4.1.3)
fn literal(own: IpAddr) -> String {
    match own {
        IpAddr::V4(own) => format!("[{own}]"),
        IpAddr::V6(own) => format!("[IPv6:{own}]"),
    }
}

fn privacy(stream: &TlsStream<Box<dyn Wire>>) -> String {
    let (_, session) = stream.get_ref();
    let version = session.protocol_version().and_then(|version| version.as_str()).unwrap_or("TLS");
    format!("{}, the certificate is valid", version.replace('_', "."))
}

/// RFC 3207. Unencrypted data after the answer to STARTTLS could be anybody's: it ends the connection.
async fn start_tls(server: &Server, mut clear: Dialogue, offers: &Offers) -> Result<Box<dyn Wire>, Trouble> {
    if !offers.has("STARTTLS") {
        return Err(Trouble::Lost("the server does not offer STARTTLS".to_owned()));
    }
    timed(server.limits.left(server.limits.command), clear.ask("STARTTLS")).await?;
    if clear.has_more() {
        return Err(Trouble::Lost("the server continued without encryption after STARTTLS".to_owned()));
    }
    Ok(clear.into_stream())
}

async fn log_in(server: &Server, login: &Login, to: &mut Connection) -> Result<((), String), Trouble> {
    let ways = to.offers.mechanisms();
    let plain = ways.contains(&"PLAIN");
    if !plain && !ways.contains(&"LOGIN") {
        return Err(Trouble::Lost(match ways.as_slice() {
            [] => "the server offers no login (AUTH)".to_owned(),
            ways => format!("the server offers only {}; this program supports PLAIN and LOGIN", ways.join(" and ")),
        }));
    }
    let answer = timed(server.limits.left(server.limits.command), identified(&mut to.smtp, login, plain)).await?;
    Ok(((), answer.said()))
}

/// RFC 4616, or LOGIN, which no RFC describes: it first asks for the name, then for the password.
async fn identified(smtp: &mut Dialogue, login: &Login, plain: bool) -> Result<Answer, Trouble> {
    let encoded = |text: &str| Zeroizing::new(base64::engine::general_purpose::STANDARD.encode(text));
    let Login { username, password } = login;
    if plain {
        let both = encoded(&Zeroizing::new(format!("\0{username}\0{}", password.as_str())));
        return smtp.ask(&Zeroizing::new(format!("AUTH PLAIN {}", both.as_str()))).await;
    }
    smtp.ask_for(3, "AUTH LOGIN").await?;
    smtp.ask_for(3, &encoded(username)).await?;
    smtp.ask(&encoded(password)).await
}
