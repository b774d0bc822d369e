//! Whether somebody is known here shows in no answer and in no answer's time. Thousands of requests for known and unknown
//! names are mixed at random and compared: every byte that can be compared, and the distribution of the times. Nothing is
//! said of how long anything takes, so the tests hold on a slow machine and on one that does other things; that they would
//! find a difference is shown on the same samples, with one side put off by a little.

mod difference;
#[path = "../browser/panels.rs"]
#[allow(dead_code)]
mod panels;

use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use difference::{chance, median};
use keyturn_host::seal;
use keyturn_tests::client::{Answer, Client};
use keyturn_tests::sink::Sink;
use panels::{Differs, Panel};

/// Of two equal sides one run in ten thousand looks as different as this.
const SIGNIFICANT: f64 = 1e-4;
/// What must be found, of the median: of a request of a millisecond a quarter of one.
const FOUND: f64 = 0.25;

/// A panel whose throttles and whose mail's limit are far away, and which sends to this server.
fn panel(sink: &Sink) -> Panel {
    let smtp = format!(
        "[mail]\ntransport = \"smtp\"\n[mail.smtp]\nhost = \"127.0.0.1\"\nport = {}\nencryption = \"none\"\n",
        sink.address.port()
    );
    let settings = "[settings]\nrequests-per-address = 100000\nattempts-per-address = 100000\n";
    Panel::start(&Differs {
        config: &[("[mail.folder]\npath = \"mail\"\n", &smtp)],
        grants: &[("[settings]\n", settings), ("per-minute = 600", "per-minute = 1000000")],
        ..Differs::default()
    })
}

fn address(panel: &Panel) -> SocketAddr {
    panel.base.strip_prefix("http://").and_then(|address| address.parse().ok()).expect("an address")
}

/// Somebody's login, which is in their address, too.
struct Name {
    login: String,
    known: bool,
}

/// So many who are known and as many who are not, with nothing to tell them by, in random order.
fn mixed(panel: &Panel, each: usize) -> Vec<Name> {
    let mut names: Vec<Name> =
        (0..2 * each).map(|at| Name { login: seal::hex(&seal::random::<8>()), known: at < each }).collect();
    let mut database = rusqlite::Connection::open(panel.file("panel.db")).expect("opens");
    database.busy_timeout(Duration::from_secs(30)).expect("set");
    let all = database.transaction().expect("begins");
    for name in names.iter().filter(|name| name.known) {
        let sql = "INSERT INTO people (kind, login, email, name, password_hash, created_at, updated_at)
             SELECT 'customer', ?1, ?1 || '@mail.example', ?1, password_hash, '', '' FROM people WHERE login = 'o.haddad'";
        all.execute(sql, [&name.login]).expect("a row");
    }
    all.commit().expect("committed");
    for at in (1..names.len()).rev() {
        let other = usize::try_from(u64::from_be_bytes(seal::random()) % (at as u64 + 1)).expect("small");
        names.swap(at, other);
    }
    names
}

/// All of an answer but what was typed, what is sealed again each time, and the date.
fn comparable(answer: &Answer, typed: &str) -> String {
    let mut text = answer.status.to_string();
    for (name, value) in &answer.headers {
        let value = match (name.as_str(), value.split_once('=')) {
            ("date", _) => String::new(),
            ("set-cookie", Some((cookie, value))) => {
                let (sealed, rest) = value.split_once(';').unwrap_or((value, ""));
                format!("{cookie}={} bytes;{rest}", sealed.len())
            }
            _ => value.clone(),
        };
        text.push_str(&format!("\n{name}: {value}"));
    }
    let body = answer.body.replace(typed, "TYPED");
    let mut parts = body.split("name=\"kt\" value=\"");
    text.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let (sealed, rest) = part.split_once('"').expect("a value");
        text.push_str(&format!("name=\"kt\" value=\"{} bytes\"{rest}", sealed.len()));
    }
    text
}

/// The times of one kind of request, known and unknown apart.
#[derive(Default)]
struct Times {
    known: Vec<Duration>,
    unknown: Vec<Duration>,
}

impl Times {
    fn note(&mut self, name: &Name, time: Duration) {
        if name.known { self.known.push(time) } else { self.unknown.push(time) }
    }

    /// No difference is found; and one would be, if either side were slower by a little.
    #[track_caller]
    fn tell_nothing(&self, of: &str) {
        let found = chance(&self.known, &self.unknown);
        let (known, unknown) = (median(&self.known), median(&self.unknown));
        println!("{of}: known {known:?}, unknown {unknown:?} (medians), chance of a difference like this {found:.4}");
        assert!(found > SIGNIFICANT, "{of}: the times tell known from unknown, {known:?} from {unknown:?}");
        for (slower, other) in [(&self.known, &self.unknown), (&self.unknown, &self.known)] {
            let later: Vec<Duration> = slower.iter().map(|time| *time + median(other).mul_f64(FOUND)).collect();
            let control = chance(&later, other);
            assert!(
                control <= SIGNIFICANT,
                "{of}: a difference of {FOUND} of the median would not be found: {control}"
            );
        }
    }
}

/// Every answer is the first one over again.
#[track_caller]
fn same(first: &mut Option<String>, answer: &Answer, typed: &str) {
    let comparable = comparable(answer, typed);
    match first {
        None => *first = Some(comparable),
        Some(first) => assert_eq!(*first, comparable),
    }
}

/// Each known name is a different customer's, and each gets an email while the others ask: its work shows neither in the
/// request for it nor in the one that comes next.
#[test]
fn who_forgot_his_password_is_answered_alike_in_the_same_time_whether_he_is_known_or_not() {
    const EACH: usize = 2_000;
    const FORGOT: &str = "/plugins/keyturn-password/forgot";
    let sink = Sink::start(false);
    let panel = panel(&sink);
    let names = mixed(&panel, EACH);
    let mut client = Client::new(address(&panel));
    let (mut posts, mut nexts) = (Times::default(), Times::default());
    let (mut answered, mut shown) = (None, None);
    for (at, name) in names.iter().enumerate() {
        let typed = format!("{}@mail.example", name.login);
        let form = client.get(FORGOT);
        let began = Instant::now();
        let answer = client.post(FORGOT, &[("kt", form.hidden("kt")), ("login-or-email", &typed)]);
        let posted = began.elapsed();
        let began = Instant::now();
        let page = client.get(answer.header("location").expect("an answer page"));
        let next = began.elapsed();
        assert_eq!((answer.status, page.status), (303, 200));
        assert!(page.body.contains(&typed), "what was typed is said on the answer page");
        same(&mut answered, &answer, &typed);
        same(&mut shown, &page, &typed);
        // The first ones find everything cold.
        if at >= EACH / 20 {
            posts.note(name, posted);
            nexts.note(name, next);
        }
    }
    // Emails were sent in that time, so their work had the chance to show.
    assert!(sink.count() > EACH as u64 / 2, "{} mails went while people asked", sink.count());
    assert!(sink.has_taken(EACH as u64, Duration::from_secs(60)), "{} of {EACH} mails went", sink.count());
    posts.tell_nothing("Forgotten password");
    nexts.tell_nothing("the request after it");
}

/// By several at once, since each answer waits for the time grid.
#[test]
fn a_wrong_password_is_answered_alike_in_the_same_time_whether_the_name_is_known_or_not() {
    const EACH: usize = 150;
    const AT_ONCE: usize = 4;
    let sink = Sink::start(false);
    let panel = panel(&sink);
    let names = mixed(&panel, EACH);
    let told = Mutex::new((Times::default(), None::<String>));
    std::thread::scope(|scope| {
        for some in names.chunks(names.len() / AT_ONCE) {
            let (told, panel) = (&told, &panel);
            scope.spawn(move || {
                let mut client = Client::new(address(panel));
                for name in some {
                    let form = client.get("/sign-in");
                    let typed = [("kt", form.hidden("kt")), ("name", &name.login), ("password", "not the right one")];
                    let began = Instant::now();
                    let answer = client.post("/sign-in", &typed);
                    let time = began.elapsed();
                    assert_eq!(answer.status, 422);
                    let mut told = told.lock().expect("no other has failed");
                    told.0.note(name, time);
                    same(&mut told.1, &answer, &name.login);
                }
            });
        }
    });
    told.into_inner().expect("none has failed").0.tell_nothing("sign-in");
}
