//! What goes out, and what a destination can do to us.

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::send::{Resolve, Sender, System, Verdict};
use super::testing::*;
use super::*;
use keyturn_contract::keyturn::panel::types::Event;
use keyturn_core::time::now;
use keyturn_store::deliveries::Tried;

fn post(to: &Destination) -> (Verdict, Tried) {
    Sender::new(Arc::new(System)).post(to, "msg_1", "{\"a\":1}", 1_700_000_000_999)
}

const FAILED: Verdict = Verdict::Failed { retry_after: None };

#[test]
fn what_goes_out_is_a_signed_post_of_the_body_as_it_is() {
    let (address, told) = answering(OK);
    let (verdict, tried) = post(&private(address));
    assert_eq!((verdict, tried.status, tried.said.as_str()), (Verdict::Accepted, Some(200), "200 OK"));
    let posted = told.recv().expect("posted");
    assert!(posted.head.starts_with("POST /hook?x=1 HTTP/1.1\r\n"), "{}", posted.head);
    assert_eq!(posted.body, "{\"a\":1}");
    assert_eq!(posted.header("host"), address.to_string());
    assert_eq!(posted.header("content-type"), "application/json");
    assert_eq!(posted.header("webhook-id"), "msg_1");
    assert_eq!(posted.header("webhook-timestamp"), "1700000000");
    let secret = Secret::read(SECRET).expect("a secret");
    assert_eq!(posted.header("webhook-signature"), secret.signature("msg_1", 1_700_000_000, b"{\"a\":1}"));
}

#[test]
fn the_body_is_the_event_as_it_was_emitted_and_no_more() {
    let event = Event {
        name: "password.changed".to_owned(),
        subject: Some("customer:42".to_owned()),
        fields: vec![
            ("way".to_owned(), EventField::Text("link".to_owned())),
            ("account".to_owned(), EventField::Account("staff:9".to_owned())),
            ("tries".to_owned(), EventField::Number(-3)),
            ("since".to_owned(), EventField::Time(1_700_000_000_000)),
        ],
    };
    let received = Received { id: "e".to_owned(), source: "p".to_owned(), at: 1_700_000_000_120, event };
    let destination = private(SocketAddr::from(([127, 0, 0, 1], 9)));
    let delivery = destination.delivery(&received).expect("it goes there");
    assert_eq!(
        delivery.body,
        "{\"type\":\"password.changed\",\"timestamp\":\"2023-11-14T22:13:20.120Z\",\"data\":{\"plugin\":\"p\",\
         \"account\":\"customer:42\",\"fields\":{\"way\":\"link\",\"account\":\"staff:9\",\"tries\":-3,\
         \"since\":\"2023-11-14T22:13:20.000Z\"}}}"
    );
    assert_eq!(delivery.account, Some("customer:42".parse().expect("an id")));
    let other = Received { event: Event { name: "password.checked".to_owned(), ..received.event }, ..received };
    assert!(destination.delivery(&other).is_none());
}

#[test]
fn each_answer_has_its_verdict() {
    let seconds = |seconds| Verdict::Failed { retry_after: Some(Duration::from_secs(seconds)) };
    for (status, headers, verdict, said) in [
        ("200 OK", "", Verdict::Accepted, "200 OK"),
        ("204 No Content", "", Verdict::Accepted, "204 No Content"),
        ("299 Fine", "", Verdict::Accepted, "299"),
        ("301 Moved", "Location: http://10.0.0.1/\r\n", FAILED, "301 Moved Permanently, to http://10.0.0.1/"),
        ("400 Bad Request", "", FAILED, "400 Bad Request: no such panel"),
        ("401 Unauthorized", "", FAILED, "401 Unauthorized: no such panel"),
        ("404 Not Found", "", FAILED, "404 Not Found: no such panel"),
        ("410 Gone", "", Verdict::Gone, "410 Gone: no such panel"),
        ("429 Too Many Requests", "Retry-After: 120\r\n", seconds(120), "429 Too Many Requests"),
        ("503 Service Unavailable", "Retry-After: 99999999\r\n", seconds(86_400), "503"),
        (
            "503 Service Unavailable",
            "Retry-After: Tue, 14 Nov 2023 22:14:20 GMT\r\n",
            Verdict::Failed { retry_after: Some(Duration::from_millis(59_001)) },
            "503",
        ),
        ("503 Service Unavailable", "Retry-After: Tue, 14 Nov 2000 22:14:20 GMT\r\n", FAILED, "503"),
        ("503 Service Unavailable", "Retry-After: soon\r\n", FAILED, "503"),
        ("500 Oops", "", FAILED, "500 Internal Server Error: no such panel"),
    ] {
        let body = if status.starts_with('2') { "" } else { "no such\r\n\tpanel\u{1b}" };
        let (address, _told) =
            answering(format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len()));
        let (found, tried) = post(&private(address));
        assert_eq!(found, verdict, "{status} {headers}");
        assert!(tried.said.starts_with(said), "{status}: {}", tried.said);
        assert_eq!(tried.status, status[..3].parse().ok());
    }
}

#[test]
fn a_redirect_to_a_private_address_is_not_followed() {
    let (secret_place, reached) = answering(OK);
    let (address, told) =
        answering(format!("HTTP/1.1 307 X\r\nLocation: http://{secret_place}/admin\r\nContent-Length: 0\r\n\r\n"));
    let (verdict, tried) = post(&private(address));
    assert_eq!((verdict, tried.status), (FAILED, Some(307)));
    assert!(tried.said.contains("redirects are not followed"), "{}", tried.said);
    told.recv().expect("posted");
    assert!(reached.recv_timeout(Duration::from_millis(200)).is_err(), "it was followed");
}

#[test]
fn what_is_no_web_server_is_told_by_its_step() {
    let closed = TcpListener::bind(("127.0.0.1", 0)).expect("a port").local_addr().expect("an address");
    let (_, tried) = post(&private(closed));
    assert!(tried.said.starts_with(&format!("connect: {closed}: ")), "{}", tried.said);
    let (nonsense, _told) = answering("220 mail.example ESMTP\r\n");
    let (verdict, tried) = post(&private(nonsense));
    assert_eq!((verdict, tried.status), (Verdict::Unknown, None));
    assert!(tried.said.starts_with("request: "), "{}", tried.said);
    let (_, tried) = post(&to("nowhere", "https://nobody.invalid/", "timeout-seconds = 5"));
    assert!(tried.said.starts_with("look-up: "), "{}", tried.said);
}

/// Answers its list one after another, the last for ever, and counts.
struct Scripted {
    answers: Vec<Vec<SocketAddr>>,
    asked: AtomicUsize,
}

impl Resolve for Scripted {
    fn resolve(&self, _: &str, _: u16) -> std::io::Result<Vec<SocketAddr>> {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        Ok(self.answers[asked.min(self.answers.len() - 1)].clone())
    }
}

fn scripted(answers: &[&[SocketAddr]]) -> Arc<Scripted> {
    Arc::new(Scripted { answers: answers.iter().map(|one| one.to_vec()).collect(), asked: AtomicUsize::new(0) })
}

#[test]
fn private_places_are_refused_after_the_look_up_and_never_connected_to() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    listener.set_nonblocking(true).expect("set");
    let port = listener.local_addr().expect("an address").port();
    for (address, word) in [
        ("127.0.0.1", "on this machine"),
        ("::1", "on this machine"),
        ("::ffff:127.0.0.1", "on this machine"),
        ("64:ff9b::7f00:1", "on this machine"),
        ("2002:7f00:1::", "on this machine"),
        ("0.0.0.0", "no address"),
        ("10.1.2.3", "in a private network"),
        ("172.20.0.1", "in a private network"),
        ("192.168.0.1", "in a private network"),
        ("fd00::1", "in a private network"),
        ("169.254.169.254", "a cloud's metadata address"),
        ("fe80::1", "link-local"),
        ("100.64.0.1", "in a provider's own network"),
        ("224.0.0.1", "a multicast address"),
    ] {
        let found = SocketAddr::new(address.parse().expect("an address"), port);
        let resolver = scripted(&[&[found]]);
        let destination = to("there", "https://innocent.example/", "timeout-seconds = 2");
        let (verdict, tried) = Sender::new(resolver.clone()).post(&destination, "msg_1", "{}", now());
        assert_eq!((verdict, tried.status), (FAILED, None), "{address}");
        assert!(tried.said.starts_with("look-up: ") && tried.said.contains(word), "{address}: {}", tried.said);
        // As it stands in the address itself, too, whatever the system makes of it.
        let host = if address.contains(':') { format!("[{address}]") } else { address.to_owned() };
        let (_, tried) = post(&to("there", &format!("https://{host}:{port}/"), "timeout-seconds = 2"));
        assert!(tried.said.contains(word), "{address}: {}", tried.said);
    }
    for hidden in ["2130706433", "127.1", "localhost"] {
        let (_, tried) = post(&to("there", &format!("https://{hidden}:{port}/"), "timeout-seconds = 5"));
        assert!(tried.said.starts_with("look-up: "), "{hidden}: {}", tried.said);
    }
    let allowed = to("there", "http://innocent.example/", "allow-private = true\ntimeout-seconds = 2");
    for never in ["239.1.1.1", "0.0.0.0", "169.254.169.254", "::ffff:169.254.169.254", "fd00:ec2::254"] {
        let found = SocketAddr::new(never.parse().expect("an address"), port);
        let (_, tried) = Sender::new(scripted(&[&[found]])).post(&allowed, "msg_1", "{}", now());
        let refused = tried.said.starts_with("look-up: ") && !tried.said.contains("allow-private");
        assert!(refused, "{never}, not even where private places are allowed: {}", tried.said);
    }
    assert!(listener.accept().is_err(), "somebody connected");
}

#[test]
fn a_name_is_looked_up_once_so_that_the_second_answer_is_nobodys() {
    let (here, told) = answering(OK);
    let public = SocketAddr::from(([9, 9, 9, 9], 80));
    // In clear this destination may be in a private place only, so of two answers the first one counts, whichever it is.
    let destination = to("rebound", "http://rebound.example/", "allow-private = true\ntimeout-seconds = 2");
    let resolver = scripted(&[&[here], &[public]]);
    let (verdict, _) = Sender::new(resolver.clone()).post(&destination, "msg_1", "{}", now());
    assert_eq!((verdict, resolver.asked.load(Ordering::Relaxed)), (Verdict::Accepted, 1));
    assert_eq!(told.recv().expect("posted").header("host"), "rebound.example");
    let resolver = scripted(&[&[public], &[here]]);
    let (verdict, tried) = Sender::new(resolver.clone()).post(&destination, "msg_1", "{}", now());
    assert_eq!((verdict, resolver.asked.load(Ordering::Relaxed)), (FAILED, 1));
    assert!(tried.said.contains("9.9.9.9 is public, where webhooks go only by https"), "{}", tried.said);
    assert!(told.recv_timeout(Duration::from_millis(100)).is_err(), "the second answer was used");
    // Of several addresses only the good ones are tried, wherever they stand.
    let (verdict, _) = Sender::new(scripted(&[&[public, here, public]])).post(&destination, "msg_2", "{}", now());
    assert_eq!((verdict, told.recv().expect("posted").header("webhook-id")), (Verdict::Accepted, "msg_2"));
}

#[test]
fn what_stands_in_the_query_is_not_told_again_by_an_answer_that_repeats_it() {
    let (address, told) = server(|stream, posted| {
        let path = posted.head.split(' ').nth(1).expect("a path");
        let body = format!("Cannot POST {path}");
        let _ = write!(stream, "HTTP/1.1 404 X\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    });
    let destination = to("here", &format!("http://{address}/hook?token=s3cret"), "allow-private = true");
    let (_, tried) = post(&destination);
    assert!(told.recv().expect("posted").head.contains("s3cret"));
    assert_eq!(tried.said, "404 Not Found: Cannot POST /hook?••••");
}

#[test]
fn an_answer_in_drips_ends_with_the_time_of_the_attempt() {
    let drips = |start: &'static str, drip: &'static str| {
        server(move |stream, _| {
            let _ = stream.write_all(start.as_bytes());
            while stream.write_all(drip.as_bytes()).is_ok() {
                std::thread::sleep(Duration::from_millis(50));
            }
        })
        .0
    };
    let one_second = |address| to("slow", &format!("http://{address}/"), "allow-private = true\ntimeout-seconds = 1");
    let silent = server(|_, _| std::thread::sleep(Duration::from_secs(10))).0;
    for (address, verdict, status, said) in [
        (drips("HTTP/1.1 200 OK\r\nX-Slow: ", "x"), Verdict::Unknown, None, "request: no answer within 1 s"),
        (drips("HTTP/1.1 500 X\r\n\r\n", "x"), FAILED, Some(500), "500 Internal Server Error: xx"),
        (drips("HTTP/1.1 200 OK\r\n\r\n", "x"), Verdict::Accepted, Some(200), "200 OK"),
        (drips("", "HTTP/1.1 100 Continue\r\n\r\n"), Verdict::Unknown, None, "request: no answer within 1 s"),
        (silent, Verdict::Unknown, None, "request: no answer within 1 s"),
    ] {
        let began = Instant::now();
        let (found, tried) = post(&one_second(address));
        assert_eq!(found, verdict, "{}", tried.said);
        assert!(began.elapsed() < Duration::from_millis(1_600), "{:?}", began.elapsed());
        assert_eq!(tried.status, status, "{}", tried.said);
        assert!(tried.said.starts_with(said), "{}", tried.said);
    }
}

#[test]
fn of_an_endless_answer_a_little_is_read() {
    let written = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&written);
    let (body, _told) = server(move |stream, _| {
        let _ = stream.write_all(b"HTTP/1.1 500 X\r\n\r\n");
        while count.load(Ordering::Relaxed) < 512 << 20 && stream.write_all(&[b'x'; 65_536]).is_ok() {
            count.fetch_add(65_536, Ordering::Relaxed);
        }
    });
    let (_, tried) = post(&private(body));
    assert_eq!(tried.said.chars().count(), 200);
    std::thread::sleep(Duration::from_millis(200));
    assert!(written.load(Ordering::Relaxed) < 16 << 20, "{}", written.load(Ordering::Relaxed));
    let (head, _told) = answering(format!("HTTP/1.1 200 OK\r\nX-Long: {}\r\n\r\n", "x".repeat(100_000)));
    let (verdict, tried) = post(&private(head));
    assert_eq!((verdict, tried.status), (Verdict::Unknown, None), "{}", tried.said);
    let (heads, _told) = answering(format!("HTTP/1.1 200 OK\r\n{}\r\n", "X-Many: 1\r\n".repeat(200)));
    assert_eq!(post(&private(heads)).0, Verdict::Unknown);
}
