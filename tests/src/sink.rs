//! A mail server that takes everything and keeps nothing but its count: as quick as one can be, so that what is measured
//! with it is who sends.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The server. It runs until the process ends.
pub struct Sink {
    /// Where it listens.
    pub address: SocketAddr,
    taken: Arc<Taken>,
}

#[derive(Default)]
struct Taken {
    count: AtomicU64,
    /// When each came, by its recipient; kept only if that is wished.
    when: Option<Mutex<Vec<(String, Instant)>>>,
}

impl Sink {
    /// Starts one on a free loopback port. `remembers`: who was written to, and when.
    ///
    /// # Panics
    /// If there is no port.
    #[must_use]
    pub fn start(remembers: bool) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let taken = Arc::new(Taken { when: remembers.then(Mutex::default), ..Taken::default() });
        let shared = Arc::clone(&taken);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let taken = Arc::clone(&shared);
                std::thread::spawn(move || serve(stream, &taken));
            }
        });
        Self { address, taken }
    }

    /// Mails that it has taken.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.taken.count.load(Ordering::Relaxed)
    }

    /// Waits until it has taken as many, and answers whether it has.
    #[must_use]
    pub fn has_taken(&self, count: u64, within: Duration) -> bool {
        let until = Instant::now() + within;
        while self.count() < count {
            if Instant::now() > until {
                return false;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        true
    }

    /// Whom it has taken mails for, and when, since this was asked last.
    #[must_use]
    pub fn remembered(&self) -> Vec<(String, Instant)> {
        let when = self.taken.when.as_ref();
        when.map(|when| std::mem::take(&mut *when.lock().unwrap_or_else(PoisonError::into_inner))).unwrap_or_default()
    }
}

/// RFC 5321, section 4.1, with PIPELINING (RFC 2920). An answer waits until all of what was sent at once is read.
fn serve(stream: TcpStream, taken: &Taken) {
    stream.set_nodelay(true).expect("set");
    let Ok(mut out) = stream.try_clone() else { return };
    let mut heard = BufReader::with_capacity(64 << 10, stream);
    let (mut line, mut answers) = (Vec::new(), b"220 sink.example ESMTP\r\n".to_vec());
    let (mut in_text, mut to) = (false, String::new());
    loop {
        if heard.buffer().is_empty() && !answers.is_empty() {
            if out.write_all(&answers).is_err() {
                return;
            }
            answers.clear();
        }
        line.clear();
        if heard.read_until(b'\n', &mut line).unwrap_or(0) == 0 {
            return;
        }
        if in_text {
            if line == b".\r\n" {
                in_text = false;
                if let Some(when) = &taken.when {
                    when.lock().unwrap_or_else(PoisonError::into_inner).push((std::mem::take(&mut to), Instant::now()));
                }
                taken.count.fetch_add(1, Ordering::Relaxed);
                answers.extend_from_slice(b"250 2.0.0 taken\r\n");
            }
            continue;
        }
        let answer: &[u8] = match line.get(..4).unwrap_or_default().to_ascii_uppercase().as_slice() {
            b"EHLO" => b"250-sink.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n",
            b"DATA" => {
                in_text = true;
                b"354 go\r\n"
            }
            b"RCPT" => {
                let text = String::from_utf8_lossy(&line);
                to = text.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
                b"250 2.1.5 ok\r\n"
            }
            b"QUIT" => b"221 2.0.0 bye\r\n",
            _ => b"250 2.0.0 ok\r\n",
        };
        answers.extend_from_slice(answer);
    }
}
