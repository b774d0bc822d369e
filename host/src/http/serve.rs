//! Serving over HTTP/1.1, with an end to everything: who sends half a request, or does not take his answer, holds a connection
//! for seconds, not for ever, and there are only so many of them.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ConnectInfo;
use axum::http::header::{CONNECTION, HeaderValue, TRANSFER_ENCODING};
use axum::http::{Request, Response};
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

/// How a server treats those who connect.
#[derive(Debug, Clone)]
pub struct Manners {
    /// Connections at once; who comes when all are taken waits. Default: 1,024.
    pub connections: usize,
    /// Time for the head of a request, also while a connection waits for its next one. Default: 15 s.
    pub head: Duration,
    /// Time for the body of a request. Default: 30 s.
    pub body: Duration,
    /// Time for a client to take an answer that fills what the system keeps for him. Default: 30 s.
    pub answer: Duration,
    /// Bytes of bodies that are being read, of all connections together, the first 16 KiB of each not counted: what goes
    /// beyond ends with [`NoRoom`]. Default: 64 MiB.
    pub bodies: usize,
}

/// Others are sending so much that a body of this size is not read just now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("others are sending large bodies just now")]
pub struct NoRoom;

/// Bytes of a body that are read whatever others send: a form or a call has a few thousand.
const SMALL: usize = 16 * 1024;
/// Bytes of a request's head at most: what nobody has shown a key for fills no more of the memory, on each connection.
const HEAD: usize = 64 * 1024;

impl Default for Manners {
    fn default() -> Self {
        Self {
            connections: 1_024,
            head: Duration::from_secs(15),
            body: Duration::from_secs(30),
            answer: Duration::from_secs(30),
            bodies: 64 * 1024 * 1024,
        }
    }
}

/// Serves until `until`, then finishes what was begun. Requests carry [`ConnectInfo`] of the client's address.
///
/// # Errors
/// None that a server could not outlive: a connection that cannot be accepted is logged.
pub async fn serve(listener: TcpListener, router: Router, manners: Manners, until: impl Future<Output = ()>) {
    let places = Arc::new(Semaphore::new(manners.connections.max(1)));
    let room = Arc::new(Semaphore::new(manners.bodies.min(Semaphore::MAX_PERMITS)));
    let begun = GracefulShutdown::new();
    let mut until = std::pin::pin!(until);
    loop {
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, (stream, client)) = tokio::select! {
            () = &mut until => break,
            accepted = accepted => match accepted {
                (Ok(place), Ok(accepted)) => (place, accepted),
                (_, Err(cause)) => {
                    tracing::warn!("a connection was not accepted: {cause}");
                    // Out of descriptors, most likely: some will be given back.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
                (Err(_), _) => break,
            },
        };
        let (router, patience, room) = (router.clone(), manners.body, Arc::clone(&room));
        let service = service_fn(move |request: Request<Incoming>| {
            let mut request = request.map(|body| Body::new(Timely::new(body, patience, &room)));
            request.extensions_mut().insert(ConnectInfo(client));
            let ends = request.headers().contains_key(TRANSFER_ENCODING);
            let router = router.clone();
            async move {
                let answer = router.oneshot(request).await.unwrap_or_else(|never| match never {});
                Ok::<_, Infallible>(if ends { last(answer) } else { answer })
            }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(manners.head)
            .max_buf_size(HEAD)
            .serve_connection(TokioIo::new(Patient::new(stream, manners.answer)), service);
        let connection = begun.watch(connection);
        tokio::spawn(async move {
            if let Err(cause) = connection.await {
                tracing::debug!(%client, "a connection ended: {cause}");
            }
            drop(place);
        });
    }
    drop(listener);
    begun.shutdown().await;
}

/// The connection ends with this answer. Of a request with a length beside its chunks hyper takes the length away unseen; a
/// proxy that went by the length would take what follows for another client's, so nothing may follow (RFC 9112, section 6.1).
fn last(mut answer: Response<Body>) -> Response<Body> {
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}

/// A connection whose client has to take what he has asked for in time. A byte now and then does not help him: the time begins
/// when the system takes no more, and goes on until all is taken.
struct Patient {
    stream: TcpStream,
    patience: Duration,
    end: Option<Pin<Box<Sleep>>>,
}

impl Patient {
    fn new(stream: TcpStream, patience: Duration) -> Self {
        Self { stream, patience, end: None }
    }

    fn in_time<T>(&mut self, written: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            return written;
        }
        let patience = self.patience;
        let end = self.end.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + patience)));
        end.as_mut().poll(cx).map(|()| Err(io::Error::new(io::ErrorKind::TimedOut, "the answer was not taken in time")))
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

    /// Asked when all that was to be written is.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.end = None;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A body that has to be there in time, and for which there has to be room.
struct Timely {
    body: Incoming,
    end: Pin<Box<Sleep>>,
    read: usize,
    room: Arc<Semaphore>,
    taken: Option<OwnedSemaphorePermit>,
}

impl Timely {
    fn new(body: Incoming, patience: Duration, room: &Arc<Semaphore>) -> Self {
        let end = Box::pin(sleep_until(Instant::now() + patience));
        Self { body, end, read: 0, room: Arc::clone(room), taken: None }
    }

    /// Takes room for more bytes, until the body is read or given up.
    fn take(&mut self, bytes: usize) -> Result<(), NoRoom> {
        let large = |read: usize| read.saturating_sub(SMALL);
        let more = large(self.read + bytes) - large(self.read);
        self.read += bytes;
        let more = u32::try_from(more).map_err(|_| NoRoom)?;
        let taken = Arc::clone(&self.room).try_acquire_many_owned(more).map_err(|_| NoRoom)?;
        match &mut self.taken {
            Some(before) => before.merge(taken),
            None => self.taken = Some(taken),
        }
        Ok(())
    }
}

impl http_body::Body for Timely {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Pending => match self.end.as_mut().poll(cx) {
                Poll::Ready(()) => Poll::Ready(Some(Err(axum::Error::new("the request's body did not come in time")))),
                Poll::Pending => Poll::Pending,
            },
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

    use axum::routing::{get, post};

    use super::*;

    /// A server with little patience, and what `client` answers against it.
    fn against<T: Send + 'static>(manners: Manners, client: impl FnOnce(SocketAddr) -> T + Send + 'static) -> T {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("runs");
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let address = listener.local_addr().expect("an address");
            let echo = |client: ConnectInfo<SocketAddr>,
                        body: Result<Bytes, axum::extract::rejection::BytesRejection>| async move {
                match body {
                    Ok(body) => format!("{} bytes from {}", body.len(), client.0.ip()),
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
            let routes = Router::new().route("/", post(echo)).route("/long", get(long)).route("/short", get("short"));
            serve(listener, routes, manners, stop).await;
            waited.await.expect("ends")
        })
    }

    fn brief() -> Manners {
        let short = Duration::from_millis(200);
        Manners { head: short, body: short, answer: short, ..Manners::default() }
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
        let answer = against(Manners { connections: 1, ..brief() }, |address| {
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
        let answer = against(Manners { connections: 1, ..brief() }, |address| {
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
            let answer = against(Manners { connections: 1, ..brief() }, move |address| {
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
        let manners = Manners { bodies: 100 * 1024, body: Duration::from_secs(20), ..brief() };
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
