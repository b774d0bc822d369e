//! Serves HTTP/1.1 with limits for everything. A client that sends half a request, or doesn't take its answer, holds a
//! connection for seconds only. There is a limit for all connections, and one for each client.

use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ConnectInfo;
use axum::http::header::{CACHE_CONTROL, CONNECTION, HeaderValue, RETRY_AFTER, TRANSFER_ENCODING};
use axum::http::{Request, Response, StatusCode};
use axum::response::IntoResponse as _;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep_until};
use tower::ServiceExt as _;

use super::proxies;
pub use super::shares::Budget;
use super::shares::{Ledger, Share, Whose};
use keyturn_core::network::Network;

keyturn_core::with_defaults! {
    /// The limits of a server.
    #[derive(Debug, Clone)]
    pub struct Manners {
        /// Connections at once. If all are taken, a new one waits; a client that already has its own share is answered 503, and
        /// closed. Through a proxy, each client's requests at once count like its connections. Defaults: 1,024; 128; 768.
        pub connections: Budget = Budget::CONNECTIONS,
        /// Time for the head of a request, also while a connection waits for its next one.
        pub head: Duration = Duration::from_secs(15),
        /// Time for the body of a request.
        pub body: Duration = Duration::from_secs(30),
        /// Time for a client to take an answer that fills the system's buffer.
        pub answer: Duration = Duration::from_secs(30),
        /// Memory for bodies, in bytes, until each request is answered. The first 16 KiB of each body are free; every byte after
        /// that counts three times, which is what it takes: as it came, as parts of a form, and decoded. A body without room ends
        /// with [`NoRoom`]. Defaults: 64 MiB; 8 MiB; 48 MiB.
        pub bodies: Budget = Budget::BODIES,
        /// Whose X-Forwarded-For is believed, see [`proxies::client`].
        pub proxies: Vec<Network> = Vec::new(),
        /// Panels that call from these addresses, for many people.
        pub panels: Vec<Network> = Vec::new(),
        /// This machine. Default: the loopback addresses.
        pub machine: Vec<Network> = Network::loopback().into(),
    }
}

/// Others send so much that a body of this size can't be read now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("others are sending large bodies right now")]
pub struct NoRoom;

impl NoRoom {
    /// Whether it is the reason why a body wasn't read.
    pub fn is_why(error: &(dyn Error + 'static)) -> bool {
        std::iter::successors(Some(error), |&error| error.source()).any(|error| error.is::<NoRoom>())
    }
}

/// Bytes of a body that are read whatever others send: a form or a call has a few thousand.
const SMALL: usize = 16 * 1024;
/// Bytes of memory for each byte of a body.
const COPIES: usize = 3;
/// The most bytes of a request's head, so that clients without a key can't fill the memory.
const HEAD: usize = 64 * 1024;

/// Serves until `until`, then finishes running requests. Requests carry [`ConnectInfo`] with the client's address, as
/// [`proxies::client`] finds it; requests without an address carry none.
///
/// # Errors
/// None: a connection that can't be accepted is logged.
pub async fn serve(listener: TcpListener, router: Router, manners: Manners, until: impl Future<Output = ()>) {
    let places = Arc::new(Semaphore::new(manners.connections.all.max(1)));
    let serving = Arc::new(Serving::new(router, manners));
    let begun = GracefulShutdown::new();
    let mut until = std::pin::pin!(until);
    loop {
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, (stream, peer)) = tokio::select! {
            () = &mut until => break,
            accepted = accepted => match accepted {
                (Ok(place), Ok(accepted)) => (place, accepted),
                (_, Err(cause)) => {
                    tracing::warn!("a connection was not accepted: {cause}");
                    // Probably out of file descriptors: some will be given back.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
                (Err(_), _) => break,
            },
        };
        let here = stream.local_addr().ok().map(|here| here.ip().to_canonical());
        let Ok(share) = serving.connections.take(serving.whose(Some(peer.ip().to_canonical()), here), 1) else {
            turn_away(stream);
            continue;
        };
        let place = Arc::new((share, place));
        let manners = &serving.manners;
        let (head, answer) = (manners.head, manners.answer);
        let serving = Arc::clone(&serving);
        let service = service_fn(move |request| {
            let (serving, place) = (Arc::clone(&serving), Arc::clone(&place));
            async move { Ok::<_, Infallible>(serving.answer(request, peer, here, place).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(head)
            .max_buf_size(HEAD)
            .serve_connection(TokioIo::new(Patient { stream, patience: answer, end: None }), service);
        let connection = begun.watch(connection);
        tokio::spawn(async move {
            if let Err(cause) = connection.await {
                tracing::debug!(%peer, "a connection ended: {cause}");
            }
        });
    }
    drop(listener);
    begun.shutdown().await;
}

/// A connection's place: the client's share is given back first, then the place for one that waits.
type Place = (Share, OwnedSemaphorePermit);

const CROWDED: &str = "Too many connections from your network. Try again in a moment.\n";

/// Answers at once, whatever the request is, and keeps nothing.
fn turn_away(stream: TcpStream) {
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nCache-Control: no-store\r\n\
         Content-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\r\n{CROWDED}",
        CROWDED.len()
    );
    // It never blocks: what the system doesn't take at once isn't sent. If unread data stayed, the system would reset the
    // connection together with the answer.
    if let Ok(mut stream) = stream.into_std() {
        let _ = stream.write(answer.as_bytes());
        let _ = stream.shutdown(Shutdown::Write);
        let _ = stream.read(&mut [0; 4_096]);
    }
}

/// What all connections share.
struct Serving {
    router: Router,
    manners: Manners,
    connections: Arc<Ledger>,
    /// Requests through a proxy, by their clients.
    requests: Arc<Ledger>,
    bodies: Arc<Ledger>,
}

impl Serving {
    fn new(router: Router, manners: Manners) -> Self {
        Self {
            connections: Ledger::new(manners.connections, "limits.connections"),
            requests: Ledger::new(manners.connections, "limits.connections"),
            bodies: Ledger::new(manners.bodies, "limits.body-bytes"),
            router,
            manners,
        }
    }

    /// The owner of the share. `here`: this machine's end of the connection.
    fn whose(&self, address: Option<IpAddr>, here: Option<IpAddr>) -> Whose {
        let Manners { proxies, panels, machine, .. } = &self.manners;
        let mut known = machine.iter().chain(proxies).chain(panels);
        let known = address.is_some_and(|from| here == Some(from) || known.any(|network| network.contains(from)));
        Whose::new(address, known)
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
        peer: SocketAddr,
        here: Option<IpAddr>,
        place: Arc<Place>,
    ) -> Response<Body> {
        let ends = request.headers().contains_key(TRANSFER_ENCODING);
        let client = proxies::client(peer.ip(), request.headers(), &self.manners.proxies, &self.manners.panels);
        let direct = client == Some(peer.ip().to_canonical());
        // A request through a proxy doesn't come from this machine's own address.
        let whose = self.whose(client, here.filter(|_| direct));
        let Ok(turn) = (!direct).then(|| self.requests.take(whose, 1)).transpose() else { return last(crowded()) };
        let room = Arc::new(self.bodies.share(whose));
        let (end, taken) = (Box::pin(sleep_until(Instant::now() + self.manners.body)), Arc::clone(&room));
        let mut request = request.map(|body| Body::new(Timely { body, end, read: 0, room: taken }));
        if let Some(client) = client {
            let port = if direct { peer.port() } else { 0 };
            request.extensions_mut().insert(ConnectInfo(SocketAddr::new(client, port)));
        }
        let router = self.router.clone();
        // In a task of its own: the places and the memory of a client that is gone are freed only when its work has ended.
        // Otherwise one client could have any amount of work running.
        let work = tokio::spawn(async move {
            let answer = router.oneshot(request).await.unwrap_or_else(|never| match never {});
            drop((room, turn, place));
            answer
        });
        let answer = work.await.unwrap_or_else(|cause| {
            tracing::error!("a request's task ended: {cause}");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        });
        if ends { last(answer) } else { answer }
    }
}

fn crowded() -> Response<Body> {
    let headers = [(RETRY_AFTER, HeaderValue::from_static("1")), (CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (StatusCode::SERVICE_UNAVAILABLE, headers, CROWDED).into_response()
}

/// The connection ends with this answer. If a request has both a length and chunks, hyper removes the length. A proxy that used
/// the length would take the rest for another client's request, so nothing may follow (RFC 9112, section 6.1).
fn last(mut answer: Response<Body>) -> Response<Body> {
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}

/// A connection whose client has to take its answer in time. A byte now and then doesn't help: the time starts when the system
/// takes no more, and runs until everything is taken.
struct Patient {
    stream: TcpStream,
    patience: Duration,
    end: Option<Pin<Box<Sleep>>>,
}

impl Patient {
    fn in_time<T>(&mut self, written: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            return written;
        }
        let patience = self.patience;
        let end = self.end.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + patience)));
        end.as_mut()
            .poll(cx)
            .map(|()| Err(io::Error::new(io::ErrorKind::TimedOut, "the client did not take the answer in time")))
    }
}

impl AsyncRead for Patient {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Patient {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.in_time(written, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.in_time(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// Called when everything was written.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.end = None;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A body that has to arrive in time, and needs room.
struct Timely {
    body: Incoming,
    end: Pin<Box<Sleep>>,
    read: usize,
    room: Arc<Share>,
}

impl Timely {
    /// Takes room for more bytes, until the request is answered.
    fn take(&mut self, bytes: usize) -> Result<(), NoRoom> {
        let large = |read: usize| read.saturating_sub(SMALL);
        let more = large(self.read + bytes) - large(self.read);
        self.read += bytes;
        self.room.more(more.saturating_mul(COPIES)).map_err(|_| NoRoom)
    }
}

impl http_body::Body for Timely {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Pending => {
                let late = || Some(Err(axum::Error::new("the request's body did not arrive in time")));
                self.end.as_mut().poll(cx).map(|()| late())
            }
            Poll::Ready(Some(Ok(frame))) => {
                let taken = self.take(frame.data_ref().map_or(0, Bytes::len));
                Poll::Ready(Some(taken.map(|()| frame).map_err(axum::Error::new)))
            }
            Poll::Ready(frame) => Poll::Ready(frame.map(|frame| frame.map_err(axum::Error::new))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{SocketAddr, TcpStream};

    use axum::Extension;
    use axum::routing::{get, post};

    use super::*;

    /// A server with little patience, and what `client` answers against it.
    fn against<T: Send + 'static>(manners: Manners, client: impl FnOnce(SocketAddr) -> T + Send + 'static) -> T {
        against_with(Router::new(), manners, client)
    }

    fn against_with<T: Send + 'static>(
        more: Router,
        manners: Manners,
        client: impl FnOnce(SocketAddr) -> T + Send + 'static,
    ) -> T {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("runs");
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let address = listener.local_addr().expect("an address");
            let echo = |client: Option<Extension<ConnectInfo<SocketAddr>>>,
                        body: Result<Bytes, axum::extract::rejection::BytesRejection>| async move {
                let client = client.map_or_else(|| "nobody".to_owned(), |client| client.0.0.ip().to_string());
                match body {
                    Ok(body) => format!("{} bytes from {client}", body.len()),
                    Err(_) => "no whole body".to_owned(),
                }
            };
            let client = tokio::task::spawn_blocking(move || client(address));
            let (ended, end) = tokio::sync::oneshot::channel::<()>();
            let waited = tokio::spawn(async move {
                let answer = client.await.expect("ends");
                let _ = ended.send(());
                answer
            });
            let stop = async {
                let _ = end.await;
            };
            let long = || async { vec![b'x'; 64 * 1024 * 1024] };
            let routes = Router::new()
                .route("/", post(echo))
                .route("/long", get(long))
                .route("/short", get("short"))
                .merge(more);
            serve(listener, routes, manners, stop).await;
            waited.await.expect("ends")
        })
    }

    fn brief() -> Manners {
        let short = Duration::from_millis(200);
        Manners { head: short, body: short, answer: short, ..Manners::default() }
    }

    fn places(all: usize) -> Budget {
        Budget { all, each: all, known: all }
    }

    fn room(bytes: usize) -> Budget {
        places(COPIES * bytes)
    }

    /// A client at another address of this machine's; strangers, where the server knows none of them.
    fn connected(from: &str, to: SocketAddr) -> TcpStream {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runs");
        let stream = runtime.block_on(async {
            let socket = tokio::net::TcpSocket::new_v4()?;
            socket.bind(SocketAddr::new(from.parse().expect("an address"), 0))?;
            socket.connect(to).await?.into_std()
        });
        let stream = stream.expect("connects");
        stream.set_nonblocking(false).expect("set");
        stream
    }

    const EMPTY: &[u8] = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

    /// A post of so many bytes, some of which are sent, that came through a proxy from `client`.
    fn posted(to: SocketAddr, client: &str, bytes: usize, sent: usize) -> TcpStream {
        let mut stream = TcpStream::connect(to).expect("connects");
        let head = format!(
            "POST / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: {client}\r\nContent-Length: {bytes}\r\n\
             Connection: close\r\n\r\n"
        );
        // A server that has read enough may have closed its end.
        let _ = stream.write_all(&[head.as_bytes(), &vec![b'x'; sent]].concat());
        stream
    }

    /// Asks again until the answer is as it should be, or for so long that it will not be any more.
    fn until(is_so: impl Fn(&str) -> bool, mut ask: impl FnMut() -> String) -> String {
        let end = std::time::Instant::now() + Duration::from_secs(20);
        loop {
            let answer = ask();
            if is_so(&answer) || std::time::Instant::now() > end {
                return answer;
            }
        }
    }

    fn all(mut stream: TcpStream) -> String {
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
        let mut answer = String::new();
        // What the server closes early may end as a reset.
        let _ = stream.read_to_string(&mut answer);
        answer
    }

    #[test]
    fn a_whole_request_is_answered_and_its_client_known() {
        let answer = against(brief(), |address| {
            let mut stream = TcpStream::connect(address).expect("connects");
            stream
                .write_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc")
                .expect("sent");
            all(stream)
        });
        assert!(answer.ends_with("3 bytes from 127.0.0.1"), "{answer}");
    }

    #[test]
    fn half_a_head_half_a_body_and_silence_end_in_time() {
        for half in ["", "POST / HT", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 300\r\n\r\nabc"] {
            let answer = against(brief(), move |address| {
                let mut stream = TcpStream::connect(address).expect("connects");
                stream.write_all(half.as_bytes()).expect("sent");
                let began = std::time::Instant::now();
                let answer = all(stream);
                assert!(began.elapsed() < Duration::from_secs(15), "it was held");
                answer
            });
            assert!(!answer.contains("bytes from"), "{answer}");
        }
    }

    #[test]
    fn who_comes_when_all_connections_are_taken_is_served_when_one_ends() {
        let answer = against(Manners { connections: places(1), ..brief() }, |address| {
            let _silent = TcpStream::connect(address).expect("connects");
            let mut second = TcpStream::connect(address).expect("connects");
            second
                .write_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                .expect("sent");
            all(second)
        });
        assert!(answer.ends_with("0 bytes from 127.0.0.1"), "{answer}");
    }

    #[test]
    fn who_does_not_take_his_answer_or_a_byte_now_and_then_holds_no_connection() {
        let answer = against(Manners { connections: places(1), ..brief() }, |address| {
            let mut slow = TcpStream::connect(address).expect("connects");
            slow.write_all(b"GET /long HTTP/1.1\r\nHost: x\r\n\r\n").expect("sent");
            let mut taken = slow.try_clone().expect("cloned");
            std::thread::spawn(move || {
                while taken.read(&mut [0; 4_096]).is_ok_and(|read| read > 0) {
                    std::thread::sleep(Duration::from_millis(20));
                }
            });
            let mut second = TcpStream::connect(address).expect("connects");
            second
                .write_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                .expect("sent");
            all(second)
        });
        assert!(answer.ends_with("0 bytes from 127.0.0.1"), "{answer}");
    }

    #[test]
    fn who_has_his_answer_and_sends_on_or_says_nothing_more_holds_no_connection() {
        for drips in [false, true] {
            let answer = against(Manners { connections: places(1), ..brief() }, move |address| {
                let mut first = TcpStream::connect(address).expect("connects");
                let length = if drips { 1_000_000 } else { 0 };
                let request = format!("GET /short HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n");
                first.write_all(request.as_bytes()).expect("sent");
                std::thread::spawn(move || {
                    while drips && first.write_all(b"x").is_ok() {
                        std::thread::sleep(Duration::from_millis(20));
                    }
                    all(first)
                });
                let mut second = TcpStream::connect(address).expect("connects");
                second.write_all(b"GET /short HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").expect("sent");
                all(second)
            });
            assert!(answer.ends_with("short"), "{drips}: {answer}");
        }
    }

    #[test]
    fn half_sent_bodies_of_others_take_so_much_memory_and_no_more_and_leave_room_for_small_ones() {
        let manners = Manners { bodies: room(100 * 1024), body: Duration::from_secs(20), ..brief() };
        let [large, small, later] = against(manners, |address| {
            let post = |bytes: usize, sent: usize| {
                let mut stream = TcpStream::connect(address).expect("connects");
                let head =
                    format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {bytes}\r\nConnection: close\r\n\r\n");
                // A server that has read enough may have closed its end.
                let _ = stream.write_all(&[head.as_bytes(), &vec![b'x'; sent]].concat());
                stream
            };
            // Two that are read at once may have the one or the other refused: so it is tried until the first one has its room.
            let until = std::time::Instant::now() + Duration::from_secs(10);
            let (half, large) = loop {
                let half = post(120 * 1024, 90 * 1024);
                std::thread::sleep(Duration::from_millis(50));
                let answer = all(post(60 * 1024, 60 * 1024));
                if !answer.contains("bytes from") || std::time::Instant::now() > until {
                    break (half, answer);
                }
            };
            let small = all(post(16 * 1024, 16 * 1024));
            drop(half);
            let later = loop {
                let answer = all(post(60 * 1024, 60 * 1024));
                if answer.contains("bytes from") || std::time::Instant::now() > until {
                    break answer;
                }
            };
            [large, small, later]
        });
        assert!(large.ends_with("no whole body"), "{large}");
        assert!(small.ends_with("16384 bytes from 127.0.0.1"), "{small}");
        assert!(later.ends_with("61440 bytes from 127.0.0.1"), "{later}");
    }

    #[test]
    fn one_address_holds_its_share_of_the_connections_and_is_told_so_and_others_are_served() {
        let connections = Budget { all: 100, each: 4, known: 100 };
        let long = Duration::from_secs(60);
        let manners = Manners { connections, machine: Vec::new(), head: long, ..brief() };
        let [beyond, other, later] = against(manners, |address| {
            let mut silent: Vec<_> = (0..4).map(|_| connected("127.0.0.2", address)).collect();
            let beyond = all(connected("127.0.0.2", address));
            let asks = |from: &str| {
                let mut stream = connected(from, address);
                let _ = stream.write_all(EMPTY);
                all(stream)
            };
            let other = asks("127.0.0.3");
            silent.pop();
            let later = until(|answer| answer.contains("bytes from"), || asks("127.0.0.2"));
            [beyond, other, later]
        });
        assert!(beyond.starts_with("HTTP/1.1 503 ") && beyond.contains("\r\nRetry-After: 1\r\n"), "{beyond}");
        assert!(beyond.ends_with(CROWDED), "{beyond}");
        assert!(other.ends_with("0 bytes from 127.0.0.3"), "{other}");
        assert!(later.ends_with("0 bytes from 127.0.0.2"), "{later}");
    }

    #[test]
    fn strangers_together_leave_connections_for_whom_we_know() {
        let connections = Budget { all: 8, each: 3, known: 8 };
        let manners = Manners { connections, machine: Vec::new(), head: Duration::from_secs(60), ..brief() };
        let [stranger, known] = against(manners, |address| {
            let silent = ["127.0.0.2", "127.0.0.3"].iter().flat_map(|from| [*from; 3]);
            let _silent: Vec<_> = silent.map(|from| connected(from, address)).collect();
            let stranger = all(connected("127.0.0.4", address));
            // This machine itself: the address that it connects to.
            let mut known = TcpStream::connect(address).expect("connects");
            known.write_all(EMPTY).expect("sent");
            [stranger, all(known)]
        });
        assert!(stranger.starts_with("HTTP/1.1 503 "), "{stranger}");
        assert!(known.ends_with("0 bytes from 127.0.0.1"), "{known}");
    }

    #[test]
    fn through_a_proxy_one_client_has_his_share_of_requests_and_of_memory_and_so_have_those_without_an_address() {
        let proxies = vec!["127.0.0.1".parse().expect("an address")];
        let long = Duration::from_secs(60);
        let connections = Budget { all: 100, each: 3, known: 100 };
        let manners = Manners { connections, proxies: proxies.clone(), body: long, ..brief() };
        for (client, other) in [("203.0.113.9", "203.0.113.10"), ("unknown", "203.0.113.10")] {
            let [beyond, served] = against(manners.clone(), move |address| {
                let mut halves = Vec::new();
                let beyond = until(
                    |answer| !answer.contains("bytes from"),
                    || {
                        halves.push(posted(address, client, 10, 1));
                        all(posted(address, client, 0, 0))
                    },
                );
                [beyond, all(posted(address, other, 0, 0))]
            });
            assert!(beyond.starts_with("HTTP/1.1 503 ") && beyond.ends_with(CROWDED), "{beyond}");
            assert!(served.ends_with("0 bytes from 203.0.113.10"), "{served}");
        }
        let kib = |n: usize| COPIES * n * 1024;
        let bodies = Budget { all: kib(1_000), each: kib(100), known: kib(1_000) };
        let [large, other] = against(Manners { bodies, proxies, body: long, ..brief() }, |address| {
            let mut halves = Vec::new();
            let large = until(
                |answer| !answer.contains("bytes from"),
                || {
                    halves.push(posted(address, "203.0.113.9", 120 * 1024, 90 * 1024));
                    all(posted(address, "203.0.113.9", 60 * 1024, 60 * 1024))
                },
            );
            [large, all(posted(address, "203.0.113.10", 60 * 1024, 60 * 1024))]
        });
        assert!(large.ends_with("no whole body"), "{large}");
        assert!(other.ends_with("61440 bytes from 203.0.113.10"), "{other}");
    }

    #[test]
    fn a_client_whose_proxy_does_not_say_who_he_is_has_no_address() {
        let proxies = vec!["127.0.0.1".parse().expect("an address")];
        let manners = Manners { proxies, ..brief() };
        let answers = against(manners, |address| {
            let told = all(posted(address, "caf\u{e9}, 203.0.113.9", 0, 0));
            let untold = all(posted(address, "203.0.113.9, caf\u{e9}", 0, 0));
            let mut silent = TcpStream::connect(address).expect("connects");
            silent.write_all(EMPTY).expect("sent");
            [told, untold, all(silent)]
        });
        for (answer, client) in answers.iter().zip(["203.0.113.9", "nobody", "nobody"]) {
            assert!(answer.ends_with(&format!("0 bytes from {client}")), "{answer}");
        }
    }

    #[test]
    fn who_is_gone_keeps_his_place_until_the_work_for_him_has_ended() {
        let (begun, begins) = std::sync::mpsc::channel();
        let (end, ends) = std::sync::mpsc::channel::<()>();
        let ends = Arc::new(std::sync::Mutex::new(ends));
        let work = move || {
            let (begun, ends) = (begun.clone(), Arc::clone(&ends));
            async move {
                let work = move || {
                    let _ = begun.send(());
                    let _ = ends.lock().map(|ends| ends.recv());
                };
                let _ = tokio::task::spawn_blocking(work).await;
            }
        };
        let connections = Budget { all: 100, each: 1, known: 100 };
        let manners = Manners { connections, machine: Vec::new(), ..brief() };
        let routes = Router::new().route("/work", get(work));
        let (meanwhile, later) = against_with(routes, manners, move |address| {
            let mut first = connected("127.0.0.2", address);
            first.write_all(b"GET /work HTTP/1.1\r\nHost: x\r\n\r\n").expect("sent");
            begins.recv().expect("begun");
            drop(first);
            let ask = || {
                let mut stream = connected("127.0.0.2", address);
                let _ = stream.write_all(EMPTY);
                all(stream)
            };
            let meanwhile: Vec<String> = (0..20)
                .map(|_| {
                    std::thread::sleep(Duration::from_millis(10));
                    ask()
                })
                .collect();
            end.send(()).expect("it waits");
            (meanwhile, until(|answer| answer.contains("bytes from"), ask))
        });
        assert!(meanwhile.iter().all(|answer| answer.starts_with("HTTP/1.1 503 ")), "{meanwhile:?}");
        assert!(later.ends_with("0 bytes from 127.0.0.2"), "{later}");
    }

    #[test]
    fn a_head_is_read_as_far_as_it_can_make_sense() {
        for (bytes, status) in [(40 * 1024, "200"), (200 * 1024, "431")] {
            let answer = against(brief(), move |address| {
                let mut stream = TcpStream::connect(address).expect("connects");
                let long = "x".repeat(bytes);
                let head = format!("POST / HTTP/1.1\r\nHost: x\r\nX-Long: {long}\r\nContent-Length: 0\r\n");
                // A server that has read enough may have closed its end.
                let _ = stream.write_all(format!("{head}Connection: close\r\n\r\n").as_bytes());
                all(stream)
            });
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{bytes}: {answer}");
        }
    }

    #[test]
    fn what_follows_a_request_whose_length_two_could_read_in_two_ways_is_nobodys() {
        let hidden = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nConnection: close\r\n\r\n!";
        let chunks = "3\r\nabc\r\n0\r\n\r\n";
        for lengths in [
            "Content-Length: 200\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: chunked\r\nContent-Length: 200",
            "Transfer-Encoding: chunked",
            "Transfer-Encoding: identity, chunked",
            "Transfer-Encoding: chunked, identity",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
            "Transfer-Encoding: xchunked",
            "Transfer-Encoding : chunked",
            "Content-Length: 3\r\nContent-Length: 4",
            "Content-Length: 3, 4",
            "Content-Length: +3",
        ] {
            let sent = format!("POST / HTTP/1.1\r\nHost: x\r\n{lengths}\r\n\r\n{chunks}{hidden}");
            let answer = against(brief(), move |address| {
                let mut stream = TcpStream::connect(address).expect("connects");
                stream.write_all(sent.as_bytes()).expect("sent");
                all(stream)
            });
            assert!(!answer.contains("1 bytes from"), "{lengths}: {answer}");
            assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{lengths}: {answer}");
        }
    }
}
