//! A network that fails: between a host and its server, in the midst of a COMMIT.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::Server;

/// What becomes of a COMMIT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The server gets it, and its answer is lost; the client waits.
    Swallow,
    /// The server never gets it; the client waits.
    Withhold,
    /// The server gets it when the client has gone away.
    Late,
    /// The server gets it, and the client's connection is cut.
    Cut,
    /// Nothing goes through any more, on no connection, until [`Proxy::resume`]; then all goes on.
    Stall,
}

/// A way to a server.
pub struct Proxy {
    /// Where hosts connect.
    pub port: u16,
    plan: Arc<Plan>,
}

#[derive(Default)]
struct Plan {
    /// What the next one is, and what its transaction says.
    next: Mutex<Option<(Vec<u8>, Fault)>>,
    struck: AtomicUsize,
    stalled: AtomicBool,
}

impl Proxy {
    /// In front of a server.
    ///
    /// # Panics
    /// If there is no port.
    #[must_use]
    pub fn before(server: &Server) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let (port, there, plan) = (listener.local_addr().expect("a port").port(), server.port, Arc::<Plan>::default());
        let planned = Arc::clone(&plan);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let plan = Arc::clone(&planned);
                std::thread::spawn(move || {
                    // A server that is away is away for whoever connects, too.
                    if let Ok(server) = TcpStream::connect(("127.0.0.1", there)) {
                        both_ways(&client, &server, &plan);
                    }
                });
            }
        });
        Self { port, plan }
    }

    /// The next COMMIT of a transaction that says `marker` fares like that.
    pub fn strike(&self, marker: &str, fault: Fault) {
        *self.plan.next.lock().unwrap_or_else(PoisonError::into_inner) = Some((marker.as_bytes().to_vec(), fault));
    }

    /// How many did.
    #[must_use]
    pub fn struck(&self) -> usize {
        self.plan.struck.load(Ordering::SeqCst)
    }

    /// What was stalled goes on.
    pub fn resume(&self) {
        self.plan.stalled.store(false, Ordering::SeqCst);
    }
}

impl Plan {
    /// Whether this is the one; it is so once.
    fn strikes(&self, said: &[u8]) -> Option<Fault> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, fault) = next.take_if(|(marker, _)| contains(said, marker))?;
        self.struck.fetch_add(1, Ordering::SeqCst);
        Some(fault)
    }

    fn waits(&self) {
        while self.stalled.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn contains(said: &[u8], marker: &[u8]) -> bool {
    said.windows(marker.len()).any(|part| part == marker)
}

fn both_ways(client: &TcpStream, server: &TcpStream, plan: &Plan) {
    for stream in [client, server] {
        stream.set_nodelay(true).expect("set");
    }
    let deaf = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (mut from, mut to) = (server, client);
            let _ = passing(&mut from, |part| {
                plan.waits();
                if deaf.load(Ordering::SeqCst) { Ok(()) } else { to.write_all(part) }
            });
            let _ = to.shutdown(Shutdown::Both);
        });
        let (mut from, mut to) = (client, server);
        let mut said = Vec::new();
        let (mut held, mut mute) = (None, false);
        let _ = passing(&mut from, |part| {
            plan.waits();
            if mute {
                return Ok(());
            }
            said.extend_from_slice(part);
            // Nothing is sent with it, since what follows waits for its answer. One protocol ends it with a NUL.
            let ends =
                |word: &[u8]| part.ends_with(word) || part.strip_suffix(b"\0").is_some_and(|part| part.ends_with(word));
            let commits = ends(b"COMMIT");
            let fault = if commits { plan.strikes(&said) } else { None };
            if commits || ends(b"ROLLBACK") {
                said.clear();
            }
            match fault {
                None => return to.write_all(part),
                Some(Fault::Swallow) => {
                    deaf.store(true, Ordering::SeqCst);
                    return to.write_all(part);
                }
                Some(Fault::Cut) => {
                    deaf.store(true, Ordering::SeqCst);
                    to.write_all(part)?;
                    client.shutdown(Shutdown::Both)?;
                }
                Some(Fault::Stall) => {
                    plan.stalled.store(true, Ordering::SeqCst);
                    plan.waits();
                    return to.write_all(part);
                }
                Some(Fault::Withhold) => {}
                Some(Fault::Late) => held = Some(part.to_vec()),
            }
            mute = true;
            Ok(())
        });
        if let Some(held) = held {
            let _ = to.write_all(&held);
            // It is read first, and then the end: no server looks at a connection before it has done what it was asked.
            let _ = to.shutdown(Shutdown::Write);
        } else if mute && deaf.load(Ordering::SeqCst) {
            let _ = to.shutdown(Shutdown::Write);
        } else {
            let _ = to.shutdown(Shutdown::Both);
        }
    });
}

fn passing(from: &mut &TcpStream, mut to: impl FnMut(&[u8]) -> std::io::Result<()>) -> std::io::Result<()> {
    let mut part = vec![0; 64 * 1024];
    loop {
        match from.read(&mut part)? {
            0 => return Ok(()),
            read => to(&part[..read])?,
        }
    }
}
