//! From a server's name to a connection that takes mail.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream};
use lettre::transport::smtp::commands::{Ehlo, Starttls};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::response::Response;
use tokio::io::{
    AsyncBufRead, AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
    ReadBuf,
};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::{Encryption, Route, Server, Step, StepKind};
use crate::network::{dial, tls};

/// Bytes of one answer of the server's at most, before TLS and the greeting.
const LONGEST_ANSWER: u64 = 16 << 10;

/// Why a step did not go well.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The server said no.
    Answer {
        /// RFC 5321, 4.2.
        code: u16,
        /// The code and its words.
        said: String,
    },
    /// There was no answer, or none that can be understood; the connection is of no more use.
    Lost(String),
}

impl Trouble {
    /// Whether the cause may lie in a connection that was used before: it has gone, or has carried enough.
    pub(super) fn may_be_the_connections(&self) -> bool {
        matches!(self, Trouble::Lost(_) | Trouble::Answer { code: 400..500, .. })
    }

    fn said(self) -> String {
        match self {
            Trouble::Answer { said, .. } | Trouble::Lost(said) => said,
        }
    }
}

impl From<lettre::transport::smtp::Error> for Trouble {
    fn from(error: lettre::transport::smtp::Error) -> Self {
        let words = std::error::Error::source(&error).map(ToString::to_string);
        match error.status() {
            Some(code) => Trouble::Answer {
                code: number(&code.to_string()),
                said: format!("{code} {}", words.unwrap_or_default()),
            },
            None if error.is_response() => {
                Trouble::Lost("the connection was closed, or the answer made no sense".to_owned())
            }
            None => Trouble::Lost(words.unwrap_or_else(|| error.to_string())),
        }
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Trouble::Lost(error.to_string())
    }
}

fn number(code: &str) -> u16 {
    code.parse().unwrap_or_default()
}

/// An answer's code and words.
pub(super) fn words(response: &Response) -> String {
    let words: Vec<&str> = response.message().collect();
    format!("{} {}", response.code(), words.join(" "))
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

/// Notes each step as it goes.
struct Log<'a> {
    route: &'a Route,
    steps: &'a mut Vec<Step>,
}

impl Log<'_> {
    /// The step's result, if it went well.
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

/// A connection that takes mail; or none, and the last step says why.
pub(super) async fn open(route: &Route, steps: &mut Vec<Step>) -> Option<AsyncSmtpConnection> {
    let server = &route.server;
    let limits = &server.limits;
    let mut log = Log { route, steps };
    let addresses = log.step(StepKind::LookUp, look_up(server)).await?;
    let mut smtp = match server.encryption {
        Encryption::None => {
            log.step(StepKind::Connect, async {
                let (stream, peer) = connect(limits.for_connect(), &addresses).await?;
                let (stream, said) = greeted(server, BufReader::new(stream), peer).await?;
                Ok((speak(server, stream).await?, said))
            })
            .await?
        }
        Encryption::Starttls => {
            let stream = log
                .step(StepKind::Connect, async {
                    let (stream, peer) = connect(limits.for_connect(), &addresses).await?;
                    greeted(server, BufReader::new(stream), peer).await
                })
                .await?;
            log.step(StepKind::Tls, async {
                let stream = start_tls(route, stream).await?;
                let said = privacy(stream.inner.get_ref());
                Ok((speak(server, stream).await?, said))
            })
            .await?
        }
        Encryption::Tls => {
            let (stream, peer) = log
                .step(StepKind::Connect, async {
                    let (stream, peer) = connect(limits.for_connect(), &addresses).await?;
                    Ok(((stream, peer), peer.to_string()))
                })
                .await?;
            log.step(StepKind::Tls, async {
                let stream = handshake(route, stream).await?;
                let said = privacy(&stream);
                let (stream, greeting) = greeted(server, BufReader::new(stream), peer).await?;
                Ok((speak(server, stream).await?, format!("{said}; {greeting}")))
            })
            .await?
        }
    };
    if server.login.is_some() {
        log.step(StepKind::Login, log_in(server, &mut smtp)).await?;
    }
    Some(smtp)
}

async fn look_up(server: &Server) -> Result<(Vec<SocketAddr>, String), Trouble> {
    let limits = &server.limits;
    let found = timed(limits.for_connect(), tokio::net::lookup_host((server.host.as_str(), server.port))).await?;
    let mut addresses: Vec<SocketAddr> = found.collect();
    if server.encryption == Encryption::None {
        // Whatever a name server makes of "localhost".
        addresses.retain(|address| address.ip().is_loopback());
    }
    if addresses.is_empty() {
        return Err(Trouble::Lost("the name has no address".to_owned()));
    }
    let said: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
    Ok((addresses, said.join(", ")))
}

async fn connect(limit: Duration, addresses: &[SocketAddr]) -> Result<(TcpStream, SocketAddr), Trouble> {
    dial::connect(limit, addresses).await.map_err(Trouble::Lost)
}

async fn handshake(route: &Route, stream: TcpStream) -> Result<TlsStream<TcpStream>, Trouble> {
    timed(route.server.limits.for_command(), tls::handshake(&route.tls, &route.server.host, stream)).await
}

fn privacy(stream: &TlsStream<TcpStream>) -> String {
    let (_, session) = stream.get_ref();
    let version = session.protocol_version().and_then(|version| version.as_str()).unwrap_or("TLS");
    format!("{}, the certificate is good", version.replace('_', "."))
}

/// RFC 3207. What came in beside the answer to STARTTLS, in clear, could be anybody's: it ends the connection.
async fn start_tls(
    route: &Route,
    clear: Greeted<BufReader<TcpStream>>,
) -> Result<Greeted<BufReader<TlsStream<TcpStream>>>, Trouble> {
    let Greeted { greeting, inner: mut stream, peer, .. } = clear;
    let limits = &route.server.limits;
    let hello = Ehlo::new(own_name(stream.get_ref())).to_string();
    let offered = timed(limits.for_command(), ask(&mut stream, &hello)).await?;
    if !offered.lines().any(|line| line.get(4..).is_some_and(|word| word.trim().eq_ignore_ascii_case("STARTTLS"))) {
        return Err(Trouble::Lost("the server does not offer STARTTLS".to_owned()));
    }
    timed(limits.for_command(), ask(&mut stream, &Starttls.to_string())).await?;
    if !stream.buffer().is_empty() {
        return Err(Trouble::Lost("the server went on in clear after STARTTLS".to_owned()));
    }
    let inner = BufReader::new(handshake(route, stream.into_inner()).await?);
    Ok(Greeted { greeting, given: 0, inner, peer })
}

/// A command and its answer, if that is 2yz.
async fn ask<S: AsyncBufRead + AsyncWrite + Unpin>(stream: &mut S, command: &str) -> Result<String, Trouble> {
    stream.write_all(command.as_bytes()).await?;
    stream.flush().await?;
    answer(stream).await
}

/// One answer of the server's, all its lines, if it is 2yz.
async fn answer<S: AsyncBufRead + Unpin>(stream: &mut S) -> Result<String, Trouble> {
    let mut text = String::new();
    let mut stream = stream.take(LONGEST_ANSWER);
    loop {
        let start = text.len();
        if stream.read_line(&mut text).await? == 0 {
            return Err(Trouble::Lost("the connection was closed".to_owned()));
        }
        let line = &text.as_bytes()[start..];
        let goes_on = line.get(3) == Some(&b'-') && line[..3].iter().all(u8::is_ascii_digit);
        if !goes_on {
            break;
        }
    }
    match number(text.get(..3).unwrap_or_default()) {
        200..300 => Ok(text),
        400.. => Err(Trouble::Answer { code: number(&text[..3]), said: text }),
        _ => Err(Trouble::Lost(format!("this does not look like a mail server: {text}"))),
    }
}

async fn greeted<S: AsyncBufRead + Unpin>(
    server: &Server,
    mut stream: S,
    peer: SocketAddr,
) -> Result<(Greeted<S>, String), Trouble> {
    let greeting = timed(server.limits.for_command(), answer(&mut stream)).await?;
    Ok((Greeted { greeting: greeting.clone(), given: 0, inner: stream, peer }, greeting))
}

async fn speak<S: Wire>(server: &Server, stream: Greeted<S>) -> Result<AsyncSmtpConnection, Trouble> {
    let hello = own_name(stream.inner.tcp());
    timed(server.limits.for_command(), AsyncSmtpConnection::connect_with_transport(Box::new(stream), &hello)).await
}

/// Our end's address, which is always true. (RFC 5321, 4.1.3)
fn own_name(stream: &TcpStream) -> ClientId {
    match stream.local_addr() {
        Ok(SocketAddr::V4(own)) => ClientId::Ipv4(*own.ip()),
        Ok(SocketAddr::V6(own)) => ClientId::Ipv6(*own.ip()),
        Err(_) => ClientId::default(),
    }
}

async fn log_in(server: &Server, smtp: &mut AsyncSmtpConnection) -> Result<((), String), Trouble> {
    let Some(login) = &server.login else {
        return Ok(((), String::new()));
    };
    if smtp.server_info().get_auth_mechanism(DEFAULT_MECHANISMS).is_none() {
        return Err(Trouble::Lost("the server offers neither AUTH PLAIN nor AUTH LOGIN".to_owned()));
    }
    let credentials = Credentials::new(login.username.clone(), login.password.to_string());
    let answer = timed(server.limits.for_command(), smtp.auth(DEFAULT_MECHANISMS, &credentials)).await?;
    Ok(((), words(&answer)))
}

/// A stream whose greeting was read already, to be shown: lettre is given it once more, since it waits for one.
#[derive(Debug)]
struct Greeted<S> {
    greeting: String,
    given: usize,
    inner: S,
    peer: SocketAddr,
}

/// What lettre can talk through.
trait Wire: AsyncRead + AsyncWrite + Send + Sync + Unpin + std::fmt::Debug + 'static {
    fn tcp(&self) -> &TcpStream;
}

impl Wire for BufReader<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref()
    }
}

impl Wire for BufReader<TlsStream<TcpStream>> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().get_ref().0
    }
}

impl<S: Wire> AsyncTokioStream for Greeted<S> {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.peer)
    }
}

impl<S: Wire> AsyncRead for Greeted<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let left = &self.greeting.as_bytes()[self.given..];
        if left.is_empty() {
            return Pin::new(&mut self.inner).poll_read(context, into);
        }
        let now = left.len().min(into.remaining());
        into.put_slice(&left[..now]);
        self.given += now;
        Poll::Ready(Ok(()))
    }
}

impl<S: Wire> AsyncWrite for Greeted<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
