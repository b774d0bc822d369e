//! One attempt at a delivery: look-up, the check of the addresses, a connection to a checked one, TLS, one request.
//!
//! A name is looked up once in an attempt, so a name server can't give another answer later. Redirects are not followed.
//! Everything ends within the destination's time limit, whatever the other side does.

use std::cell::Cell;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1;
use hyper::{HeaderMap, Method, Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::runtime::Runtime;

use super::Destination;
use super::url::without_query;
use keyturn_core::network::special::Special;
use keyturn_core::network::{Wire, dial, tls};
use keyturn_core::text::line;
use keyturn_store::deliveries::Tried;

/// Bytes of an answer's body that are read.
const EXCERPT: usize = 1 << 10;
/// Characters of an answer that are stored.
const SAID: usize = 200;
/// How long to wait for the body of an answer: its status has arrived already.
const EXCERPT_PATIENCE: Duration = Duration::from_secs(2);
/// The most bytes of an answer's head; hyper accepts no less than 8 KiB.
const HEAD: usize = 16 << 10;
/// The most header lines of an answer.
const HEADERS: usize = 64;
/// The longest pause that a Retry-After can ask for: a day.
const LONGEST_PAUSE: Duration = Duration::from_secs(24 * 3600);

/// Look-ups of one sender at once: a hanging one outlives its attempt.
const LOOK_UPS: usize = 4;

/// Finds the addresses of a name.
pub trait Resolve: Send + Sync + 'static {
    /// All addresses of a name. May block.
    fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>>;
}

/// The system's look-up.
pub struct System;

impl Resolve for System {
    fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok((host, port).to_socket_addrs()?.collect())
    }
}

/// The result of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// 2xx.
    Accepted,
    /// The request was sent, and no answer came: it may have been accepted.
    Unknown,
    /// Anything else: it was not accepted.
    Failed {
        /// The pause that the other side asks for, at most a day.
        retry_after: Option<Duration>,
    },
    /// 410: the destination wants no more.
    Gone,
}

/// Sends; has its own runtime, so that callers need none.
pub struct Sender {
    resolver: Arc<dyn Resolve>,
    runtime: Option<Runtime>,
}

impl Sender {
    /// Names are looked up by `resolver`.
    pub fn new(resolver: Arc<dyn Resolve>) -> Self {
        Self { resolver, runtime: None }
    }

    /// Posts `body` under this id, signed as of `now`, Unix milliseconds.
    pub fn post(&mut self, to: &Destination, id: &str, body: &str, now: i64) -> (Verdict, Tried) {
        self.post_within(to.timeout, to, id, body, now)
    }

    /// The same, within another time limit.
    pub fn post_within(
        &mut self,
        limit: Duration,
        to: &Destination,
        id: &str,
        body: &str,
        now: i64,
    ) -> (Verdict, Tried) {
        let started = Instant::now();
        let made = self.runtime.take().map_or_else(runtime, Ok);
        let answer = match made {
            Ok(runtime) => self.runtime.insert(runtime).block_on(attempt(limit, to, &self.resolver, id, body, now)),
            Err(cause) => Err((Step::LookUp, cause.to_string())),
        };
        let (verdict, status, said) = match answer {
            Ok(answer) => (answer.verdict(now), Some(answer.status.as_u16()), answer.said()),
            Err((step, said)) => {
                let maybe = step == Step::Request;
                let verdict = if maybe { Verdict::Unknown } else { Verdict::Failed { retry_after: None } };
                (verdict, None, format!("{}: {said}", step.name()))
            }
        };
        let took_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        // A page that says what was not found repeats the query.
        let said = match to.url.path.split_once('?') {
            Some((_, query)) if !query.is_empty() => said.replace(&format!("?{query}"), "?••••"),
            _ => said,
        };
        (verdict, Tried { at: now, took_ms, status, said: line(&said, SAID) })
    }
}

fn runtime() -> io::Result<Runtime> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().max_blocking_threads(LOOK_UPS).build()
}

impl Drop for Sender {
    fn drop(&mut self) {
        // A hanging look-up would block a plain drop.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

keyturn_core::named! {
    /// How far an attempt came.
    #[derive(Clone, Copy, PartialEq, Eq)]
    pub enum Step {
        LookUp = "look-up",
        Connect = "connect",
        Tls = "TLS",
        Request = "request",
    }
}

/// The other side's answer.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    excerpt: String,
}

impl Answer {
    fn verdict(&self, now: i64) -> Verdict {
        match self.status {
            status if status.is_success() => Verdict::Accepted,
            StatusCode::GONE => Verdict::Gone,
            _ => Verdict::Failed { retry_after: retry_after(&self.headers, now) },
        }
    }

    fn said(&self) -> String {
        let status = match self.status.canonical_reason() {
            Some(reason) => format!("{} {reason}", self.status.as_str()),
            None => self.status.as_str().to_owned(),
        };
        match self.headers.get(header::LOCATION).and_then(|to| to.to_str().ok()) {
            Some(to) if self.status.is_redirection() => {
                format!("{status}, to {}: redirects are not followed", without_query(to))
            }
            _ if self.excerpt.trim().is_empty() => status,
            _ => format!("{status}: {}", self.excerpt),
        }
    }
}

/// RFC 9110, 10.2.3: seconds, or a date.
fn retry_after(headers: &HeaderMap, now: i64) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let pause = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp().as_millisecond();
            Duration::from_millis(u64::try_from(at - now).ok()?)
        }
    };
    Some(pause.min(LONGEST_PAUSE))
}

/// The answer; or the step that failed, and why.
async fn attempt(
    limit: Duration,
    to: &Destination,
    resolver: &Arc<dyn Resolve>,
    id: &str,
    body: &str,
    now: i64,
) -> Result<Answer, (Step, String)> {
    let step = Cell::new(Step::LookUp);
    let end = Instant::now() + limit;
    let exchange = async {
        let addresses = addresses(to, resolver).await?;
        step.set(Step::Connect);
        let (stream, _) = dial::connect(end.saturating_duration_since(Instant::now()), &addresses).await?;
        let request = request(to, id, body, now)?;
        let stream: Box<dyn Wire> = match &to.tls {
            Some(config) => {
                step.set(Step::Tls);
                Box::new(tls::handshake(config, &to.url.host, stream).await.map_err(|cause| cause.to_string())?)
            }
            None => Box::new(stream),
        };
        step.set(Step::Request);
        exchange(stream, request, end).await
    };
    match tokio::time::timeout_at(end.into(), exchange).await {
        Ok(answer) => answer.map_err(|said| (step.get(), said)),
        Err(_) => Err((step.get(), dial::silence(limit))),
    }
}

/// The destination's addresses that may be connected to.
async fn addresses(to: &Destination, resolver: &Arc<dyn Resolve>) -> Result<Vec<SocketAddr>, String> {
    let (resolver, host, port) = (Arc::clone(resolver), to.url.host.clone(), to.url.port);
    let found = tokio::task::spawn_blocking(move || resolver.resolve(&host, port)).await;
    let found = found.map_err(|_| "it crashed".to_owned())?.map_err(|cause| cause.to_string())?;
    if found.is_empty() {
        return Err("the name has no address".to_owned());
    }
    let (good, refused): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|address| may_connect(to, address.ip()).is_ok());
    if good.is_empty() {
        let why = refused.iter().filter_map(|address| may_connect(to, address.ip()).err());
        return Err(why.collect::<Vec<_>>().join("; "));
    }
    Ok(good)
}

/// Whether a found address may be connected to, or why not.
fn may_connect(to: &Destination, address: IpAddr) -> Result<(), String> {
    match Special::of(address) {
        Some(special) if !special.can_be_meant() => Err(format!("{address} is {}", special.name())),
        Some(special) if !to.allow_private => {
            Err(format!("{address} is {}, where webhooks go only with allow-private", special.name()))
        }
        None if !to.url.encrypted => Err(format!("{address} is public, where webhooks go only by https")),
        _ => Ok(()),
    }
}

fn request(to: &Destination, id: &str, body: &str, now: i64) -> Result<Request<Full<Bytes>>, String> {
    let seconds = now.div_euclid(1000);
    let signatures: Vec<String> =
        to.secrets.iter().map(|secret| secret.signature(id, seconds, body.as_bytes())).collect();
    Request::builder()
        .method(Method::POST)
        .uri(&to.url.path)
        .header(header::HOST, &to.url.authority)
        .header(header::USER_AGENT, concat!("Keyturn/", env!("CARGO_PKG_VERSION")))
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::CONNECTION, "close")
        .header("webhook-id", id)
        .header("webhook-timestamp", seconds)
        .header("webhook-signature", signatures.join(" "))
        .body(Full::new(Bytes::copy_from_slice(body.as_bytes())))
        .map_err(|cause| cause.to_string())
}

async fn exchange(stream: Box<dyn Wire>, request: Request<Full<Bytes>>, end: Instant) -> Result<Answer, String> {
    let mut builder = http1::Builder::new();
    builder.max_buf_size(HEAD).max_headers(HEADERS);
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(|cause| in_words(&cause))?;
    let asking = async {
        let response = sender.send_request(request).await.map_err(|cause| in_words(&cause))?;
        let (parts, body) = response.into_parts();
        let excerpt = if parts.status.is_success() { String::new() } else { excerpt(body, end).await };
        Ok(Answer { status: parts.status, headers: parts.headers, excerpt })
    };
    // The caller gets an error of the connection, too.
    let driving = async {
        let _ = connection.await;
        std::future::pending().await
    };
    tokio::select! {
        answer = asking => answer,
        never = driving => never,
    }
}

/// An error with its causes, which it doesn't show on its own.
fn in_words(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// The beginning of an answer's body, as far as it arrives in time.
async fn excerpt(mut body: Incoming, end: Instant) -> String {
    let mut read = Vec::new();
    let reading = async {
        while read.len() < EXCERPT
            && !body.is_end_stream()
            && let Some(Ok(frame)) = body.frame().await
        {
            read.extend(frame.into_data().unwrap_or_default());
        }
    };
    // A moment before the attempt ends, or its status would be lost, too.
    let patience = end.saturating_duration_since(Instant::now()).mul_f32(0.9).min(EXCERPT_PATIENCE);
    let _ = tokio::time::timeout(patience, reading).await;
    read.truncate(EXCERPT);
    String::from_utf8_lossy(&read).into_owned()
}
