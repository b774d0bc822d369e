//! The yardstick: the same look-up on the same server by a page of PHP, in Debian's FPM behind nginx.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use keyturn_servers::{Database, OWNER};
use keyturn_tests::client::Client;
use keyturn_tests::free_port;
use serde_json::json;

use super::super::load::{Load, cpu_of_all};
use super::super::{ms, say};
use super::{WHILE, account};

const KEY: &str = "bench";

/// Called for a while, by so many callers at once.
pub fn look_up(database: &Database<'_>, callers: usize, people: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let [fpm, nginx] = ["fpm.sock", "nginx"].map(|name| folder.path().join(name));
    let port = free_port();
    let fpm_process = started(
        Command::new(fpm_program())
            .args(["-n", "-F", "-R", "-y"])
            .arg(pool(folder.path(), &fpm, database))
            .args(modules()),
    );
    let nginx_process =
        started(Command::new("nginx").arg("-c").arg(site(folder.path(), &fpm, port)).arg("-p").arg(&nginx));
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let client = || Client::bearing(address, KEY);
    let body = |at| json!({ "account": account(at, people) });
    let until = Instant::now() + Duration::from_secs(20);
    while std::net::TcpStream::connect(address).is_err() || client().json("/", &body(0)).status != 200 {
        assert!(
            Instant::now() < until,
            "PHP does not answer: {}",
            std::fs::read_to_string(folder.path().join("log")).unwrap_or_default()
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    let processes = [fpm_process.0.id(), nginx_process.0.id(), database.server.process()];
    let before = processes.map(cpu_of_all);
    let load = Load::during(WHILE, (0..callers).map(|_| client()).collect(), |client: &mut Client, at| {
        let began = Instant::now();
        let answer = client.json("/", &body(at));
        let took = began.elapsed();
        assert_eq!(answer.status, 200, "{}", answer.body);
        took
    });
    let now = processes.map(cpu_of_all);
    let each = |part: usize| ms((now[part] - before[part]) / load.count() as u32);
    let words = format!("{}   CPU a call {}, nginx {}, database {}", load.words(), each(0), each(1), each(2));
    say(&format!("account-status by PHP's FPM, {callers}, MariaDB"), &words);
}

/// Debian names it by its version.
fn fpm_program() -> std::path::PathBuf {
    let programs = std::fs::read_dir("/usr/sbin").expect("read").flatten().map(|entry| entry.path());
    let fpm =
        |path: &Path| path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with("php-fpm"));
    programs.into_iter().find(|path| fpm(path)).expect("Debian's package php-fpm is installed")
}

/// What the page needs of PHP, and compiled scripts kept as every panel has them.
fn modules() -> [&'static str; 8] {
    ["-d", "extension=mysqlnd", "-d", "extension=pdo", "-d", "extension=pdo_mysql", "-d", "zend_extension=opcache"]
}

fn pool(folder: &Path, socket: &Path, database: &Database<'_>) -> std::path::PathBuf {
    let (path, log) = (folder.join("fpm.conf"), folder.join("log"));
    let server = database.server;
    let text = format!(
        "[global]\nerror_log = {log}\n[www]\nuser = root\ngroup = root\nlisten = {socket}\nlisten.mode = 0666\npm = static\npm.max_children = 16\n\
         env[BENCH_KEY] = {KEY}\nenv[BENCH_USER] = {OWNER}\nenv[BENCH_DATABASE] = \"mysql:host=127.0.0.1;port={port};dbname={name}\"\n",
        log = log.display(),
        socket = socket.display(),
        port = server.port,
        name = database.name,
    );
    std::fs::write(&path, text).expect("written");
    std::fs::write(folder.join("status.php"), include_str!("status.php")).expect("written");
    path
}

fn site(folder: &Path, socket: &Path, port: u16) -> std::path::PathBuf {
    std::fs::create_dir_all(folder.join("nginx")).expect("a folder");
    let (path, at) = (folder.join("nginx.conf"), folder.display());
    let text = format!(
        "daemon off;\nuser root;\nworker_processes 1;\npid {at}/pid;\nerror_log {at}/log;\nevents {{ worker_connections 512; }}\n\
         http {{\n access_log off;\n keepalive_requests 100000000;\n client_body_temp_path {at}/nginx/body;\n fastcgi_temp_path {at}/nginx/fastcgi;\n\
         proxy_temp_path {at}/nginx/proxy;\n uwsgi_temp_path {at}/nginx/uwsgi;\n scgi_temp_path {at}/nginx/scgi;\n\
         server {{\n listen 127.0.0.1:{port};\n location / {{\n  include /etc/nginx/fastcgi_params;\n\
         fastcgi_param SCRIPT_FILENAME {at}/status.php;\n  fastcgi_pass unix:{socket};\n }}\n }}\n}}\n",
        socket = socket.display(),
    );
    std::fs::write(&path, text).expect("written");
    path
}

/// A program with workers, which it ends with itself if it is asked to.
struct Ending(Child);

impl Drop for Ending {
    fn drop(&mut self) {
        let asked = Command::new("kill").args(["-s", "TERM", &self.0.id().to_string()]).status();
        if asked.is_ok_and(|status| status.success()) {
            let _ = self.0.wait();
        }
    }
}

fn started(command: &mut Command) -> Ending {
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    Ending(child.unwrap_or_else(|cause| panic!("{command:?}: {cause}")))
}
