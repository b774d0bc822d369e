//! Serving over HTTP/1.1, with an end to everything: who sends half a request holds a connection for seconds, not for ever,
//! and there are only so many of them.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ConnectInfo;
use axum::http::Request;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
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
}

impl Default for Manners {
    fn default() -> Self {
        Self { connections: 1_024, head: Duration::from_secs(15), body: Duration::from_secs(30) }
    }
}

/// Serves until `until`, then finishes what was begun. Requests carry [`ConnectInfo`] of the client's address.
///
/// # Errors
/// None that a server could not outlive: a connection that cannot be accepted is logged.
pub async fn serve(listener: TcpListener, router: Router, manners: Manners, until: impl Future<Output = ()>) {
    let places = Arc::new(Semaphore::new(manners.connections.max(1)));
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
        let (router, patience) = (router.clone(), manners.body);
        let service = service_fn(move |request: Request<Incoming>| {
            let mut request = request.map(|body| Body::new(Timely::new(body, patience)));
            request.extensions_mut().insert(ConnectInfo(client));
            let router = router.clone();
            async move { Ok::<_, Infallible>(router.oneshot(request).await.unwrap_or_else(|never| match never {})) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(manners.head)
            .serve_connection(TokioIo::new(stream), service);
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

/// A body that has to be there in time.
struct Timely {
    body: Incoming,
    end: Pin<Box<Sleep>>,
}

impl Timely {
    fn new(body: Incoming, patience: Duration) -> Self {
        Self { body, end: Box::pin(sleep_until(Instant::now() + patience)) }
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

    use axum::routing::post;

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
            serve(listener, Router::new().route("/", post(echo)), manners, stop).await;
            waited.await.expect("ends")
        })
    }

    fn brief() -> Manners {
        Manners { head: Duration::from_millis(200), body: Duration::from_millis(200), ..Manners::default() }
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
}
