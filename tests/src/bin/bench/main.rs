//! What it costs, measured side by side in one run: `cargo xtask bench`. Medians; ratios where there is a yardstick. With the
//! name of a part (`calls`, `forgotten`, `hooks`, `serve`, `engines`) only that is measured. `serve CHECKOUT PROGRAMS` measures
//! another build.

mod engines;
mod forgotten;
mod hooks;
mod load;
mod panel;
mod serve;

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use argon2::{Algorithm, Argon2, Block, Params, Version};
use keyturn_host::accounts::{AccountId, Reach, Scope};
use keyturn_host::caller::{Actor, Caller};
use keyturn_host::embed::Surface;
use keyturn_host::host::Settings;
use keyturn_host::plugin::cache::Folder;
use keyturn_host::plugin::grants::Grants;
use keyturn_host::plugin::{limits::HostLimits, pack};
use keyturn_host::seal::Keys;
use keyturn_host::sqlite::{self, Options};
use keyturn_host::view::{Links, look, nodes::Target};
use keyturn_host::{Host, HostBuilder};
use keyturn_tests::{FOREIGN, PASSWORD, SCHEMA, all_grants, provider};
use serde_json::json;

const PASSWORD_TEXT: &str = "copper lantern oats";
const IDLE: &str = "KEYTURN_BENCH_IDLE";
/// When the memory that sign-ins hash in has been given back.
const IDLE_AFTER: Duration = Duration::from_secs(12);

struct Nowhere;

impl Links for Nowhere {
    fn url(&self, _: &str, _: &Target) -> String {
        "/".to_owned()
    }
}

fn surface(caller: &Caller) -> Surface<'_> {
    Surface { caller, submit_url: "/here", join: None, links: &Nowhere, corrections: None }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn timed(rounds: usize, mut work: impl FnMut()) -> Duration {
    median(
        (0..rounds)
            .map(|_| {
                let began = Instant::now();
                work();
                began.elapsed()
            })
            .collect(),
    )
}

fn us(time: Duration) -> String {
    format!("{:.1} µs", time.as_secs_f64() * 1e6)
}

fn ms(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

fn say(what: &str, figure: &str) {
    println!("{what:<58} {figure}");
}

/// A host on a fresh database in `folder`.
fn host(folder: &std::path::Path, group_commit: bool, cache: bool) -> Host {
    let path = folder.join("panel.db");
    let fresh = !path.exists();
    let database = rusqlite::Connection::open(&path).expect("opens");
    if fresh {
        database.execute_batch(SCHEMA).expect("the schema");
        database
            .execute_batch(
                "INSERT INTO people (id, kind, login, email, name) VALUES (1, 'customer', 'marta', 'm@v.example', 'Marta');",
            )
            .expect("a row");
    }
    let keys = Arc::new(Keys::new([7; 32]));
    let options = Options { group_commit, ..Options::default() };
    let storage = sqlite::open(&path, Arc::clone(&keys), Arc::new(provider()), options).expect("opens");
    let limits = HostLimits {
        calls_at_once: 64,
        calls_queue: 10_000,
        compute_queue: 10_000,
        queue_ms: 60_000,
        ..HostLimits::default()
    };
    let cache = cache.then(|| Folder { path: folder.join("cache"), keeps: true });
    let settings = Settings { even_grid: Duration::ZERO, limits, cache, ..Settings::default() };
    HostBuilder::new(Arc::new(storage), keys).with(|host| host.settings = settings).build().expect("a host")
}

fn admit(host: &Host, password: &[u8], foreign: &[u8]) {
    let mut grants = Grants::of(password, all_grants());
    // Thousands of sign-ins of one name are the point here.
    for setting in ["attempts-per-name", "attempts-per-address"] {
        grants.settings.insert(setting.to_owned(), keyturn_host::plugin::manifest::SettingValue::Number(1_000));
    }
    host.admit("keyturn-password", password, &grants).expect("admitted");
    host.admit("acme-report", foreign, &Grants::of(foreign, all_grants())).expect("admitted");
}

fn console() -> Caller {
    Caller::new(Actor::Console, Reach::none())
}

fn pss() -> Option<u64> {
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup").ok()?;
    rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?.split_whitespace().next()?.parse().ok()
}

fn main() {
    keyturn_host::plugin::compile::serve_compiler();
    let folder = tempfile::tempdir().expect("a folder");
    if let Some(folder) = std::env::var_os(IDLE) {
        return idle(std::path::Path::new(&folder));
    }
    let only = std::env::args().nth(1);
    let wanted = |part: &str| only.as_deref().is_none_or(|only| only == part);
    println!("keyturn bench, {} cores\n", std::thread::available_parallelism().map_or(0, usize::from));
    if wanted("calls") {
        calls(folder.path());
        println!();
    }
    if wanted("forgotten") {
        forgotten::measure();
        println!();
    }
    if wanted("hooks") {
        hooks::measure();
        println!();
    }
    if wanted("engines") {
        engines::measure();
        println!();
    }
    if wanted("serve") {
        let other = std::env::args_os().nth(2).zip(std::env::args_os().nth(3));
        let other = other.map(|(root, release)| serve::Build { root: root.into(), release: release.into() });
        serve::measure(&other.unwrap_or_else(serve::Build::own));
    }
}

/// Calls by a program that embeds the host, and what starting it takes.
fn calls(folder: &std::path::Path) {
    let (password, foreign) = (PASSWORD.packed(), FOREIGN.packed());
    let sizes = [look::CSS.content.len(), look::JS.content.len()];
    say("style sheet and script", &format!("{} and {} bytes", sizes[0], sizes[1]));
    say("component, packed", &format!("{} bytes", password.len()));
    let (imports, _) = pack::interfaces(&password).expect("a component");
    println!("  imports {}\n", imports.join("\n          "));

    let began = Instant::now();
    let cold = host(folder, true, true);
    admit(&cold, &password, &foreign);
    cold.call(&console(), "password/account-status", &json!({"account": "customer:1"}), None).expect("answers");
    say("start to first answer, compiling", &ms(began.elapsed()));
    drop(cold);
    let began = Instant::now();
    let host_ = host(folder, true, true);
    admit(&host_, &password, &foreign);
    host_.call(&console(), "password/account-status", &json!({"account": "customer:1"}), None).expect("answers");
    say("start to first answer, from the cache", &ms(began.elapsed()));
    println!();

    let call =
        |hook: &str, arguments: serde_json::Value| host_.call(&console(), hook, &arguments, None).expect("answers");
    say("no-op call", &us(timed(5_000, || drop(call("report/greet", json!({"name": "x"}))))));
    say(
        "account-status",
        &us(timed(5_000, || drop(call("password/account-status", json!({"account": "customer:1"}))))),
    );
    let manager =
        Caller::new(Actor::Account("staff:9".parse().expect("an account")), Reach::none().with("customer", Scope::All));
    let subject: AccountId = "customer:1".parse().expect("an account");
    let slot = |name| host_.slot(name, Some(&subject), 2, &surface(&manager));
    say("page region with a form, drawn as HTML", &us(timed(2_000, || drop(slot("customer.details")))));
    say("call with one effect, committed", &us(timed(500, || drop(call("report/visit", json!({"page_name": "one"}))))));
    println!();

    sign_in(&host_);
    println!();
    drop(host_);
    commits(&password, &foreign);
    println!();

    let idle = Command::new(std::env::current_exe().expect("this program")).env(IDLE, folder).output().expect("runs");
    say("idle memory after 1,000 calls and 20 sign-ins, PSS", String::from_utf8_lossy(&idle.stdout).trim());
}

/// A sign-in, whole, against Argon2id alone: the same crate with reused memory, and Debian's libargon2 by its own tool.
fn sign_in(host: &Host) {
    let set = json!({"account": "customer:1", "new": PASSWORD_TEXT, "must_change": false});
    host.call(&console(), "password/set-password", &set, None).expect("set");
    let params = Params::new(19_456, 2, 1, Some(32)).expect("parameters");
    let native = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
    let mut memory = vec![Block::default(); params.block_count()];
    let mut out = [0; 32];
    let anonymous = Caller::new(Actor::Anonymous, Reach::none());
    let arguments = json!({"login_or_email": "marta", "password": PASSWORD_TEXT});
    let (mut hashes, mut sign_ins) = (Vec::new(), Vec::new());
    // Turn by turn, so that whatever else the machine does falls on both.
    for _ in 0..100 {
        let began = Instant::now();
        native
            .hash_password_into_with_memory(PASSWORD_TEXT.as_bytes(), b"saltsaltsaltsalt", &mut out, &mut memory[..])
            .expect("hashes");
        hashes.push(began.elapsed());
        let began = Instant::now();
        let verdict = host.call(&anonymous, "password/verify", &arguments, None).expect("answers");
        sign_ins.push(began.elapsed());
        assert_eq!(verdict["kind"], "accepted");
    }
    let (hash, sign_in) = (median(hashes), median(sign_ins));
    say("Argon2id m=19456 t=2 p=1, native, memory reused", &ms(hash));
    say("sign-in", &format!("{}   {:.3} × the native hash", ms(sign_in), sign_in.as_secs_f64() / hash.as_secs_f64()));
    let time = libargon2().expect("Debian's package argon2 is installed");
    say(
        "the same hash by libargon2 (tool `argon2`)",
        &format!("{}   sign-in is {:.3} × of it", ms(time), sign_in.as_secs_f64() / time.as_secs_f64()),
    );
}

/// What the tool itself measured, to its millisecond.
fn libargon2() -> Option<Duration> {
    let mut times = Vec::new();
    for _ in 0..20 {
        let mut child = Command::new("argon2")
            .args(["saltsaltsaltsalt", "-id", "-t", "2", "-k", "19456", "-p", "1", "-l", "32"])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .ok()?;
        std::io::Write::write_all(&mut child.stdin.take()?, PASSWORD_TEXT.as_bytes()).ok()?;
        let output = child.wait_with_output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let seconds = text.lines().find_map(|line| line.strip_suffix(" seconds"))?.trim().parse().ok()?;
        times.push(Duration::from_secs_f64(seconds));
    }
    Some(median(times))
}

/// Commits a second of calls with one effect, each on a key of its own.
fn commits(password: &[u8], foreign: &[u8]) {
    for group in [true, false] {
        let folder = tempfile::tempdir().expect("a folder");
        let host = host(folder.path(), group, false);
        admit(&host, password, foreign);
        for callers in [1, 8, 64] {
            let (stop, done) = (AtomicBool::new(false), AtomicU64::new(0));
            let began = Instant::now();
            std::thread::scope(|scope| {
                for caller in 0..callers {
                    let (host, stop, done) = (&host, &stop, &done);
                    scope.spawn(move || {
                        let arguments = json!({"page_name": format!("caller {caller}")});
                        while !stop.load(Ordering::Relaxed) {
                            host.call(&console(), "report/visit", &arguments, None).expect("commits");
                            done.fetch_add(1, Ordering::Relaxed);
                        }
                    });
                }
                std::thread::sleep(Duration::from_secs(2));
                stop.store(true, Ordering::Relaxed);
            });
            let rate = done.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64();
            let how = if group { "group commit" } else { "a transaction each" };
            say(&format!("commits a second, {callers} callers, {how}"), &format!("{rate:.0}"));
        }
    }
}

/// A process that has served and waits.
fn idle(folder: &std::path::Path) {
    let host = host(folder, true, true);
    let (password, foreign) = (PASSWORD.packed(), FOREIGN.packed());
    admit(&host, &password, &foreign);
    drop((password, foreign));
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                for _ in 0..63 {
                    host.call(&console(), "report/greet", &json!({"name": "x"}), None).expect("answers");
                }
            });
        }
    });
    let arguments = json!({"login_or_email": "marta", "password": PASSWORD_TEXT});
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..10 {
                    let anonymous = Caller::new(Actor::Anonymous, Reach::none());
                    host.call(&anonymous, "password/verify", &arguments, None).expect("answers");
                }
            });
        }
    });
    let mib = || pss().map_or_else(|| "unknown".to_owned(), |kib| format!("{:.1} MiB", kib as f64 / 1024.0));
    let busy = mib();
    std::thread::sleep(IDLE_AFTER);
    println!("{}   ({busy} at once after them)", mib());
}
