//! `examples/php-panel` under PHP's own server, on SQLite and MariaDB: a panel that was not written for Keyturn accepts a password
//! that Keyturn set, and Keyturn verifies the one that the panel had stored; and its own pages show what Keyturn draws.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use keyturn_host::plugin::grants::digest;
use keyturn_servers::{Database, mariadb};
use keyturn_tests::browser::walk;
use keyturn_tests::{PASSWORD, Stopped, free_port};
use serde_json::{Value, json};

use super::{done, err, keyturn};

const OLD: &str = "flour water and salt";
const NEW: &str = "copper lantern oats";

struct PhpPanel {
    _server: Stopped,
    folder: tempfile::TempDir,
    port: u16,
}

fn php() -> Command {
    Command::new("php")
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/php-panel")
}

fn answers(port: u16, who: &str) {
    let until = Instant::now() + Duration::from_secs(30);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < until, "{who} did not start");
        std::thread::sleep(Duration::from_millis(20));
    }
}

impl PhpPanel {
    /// On a database of this server's, or on a file.
    fn start(database: Option<&Database<'_>>) -> Self {
        Self::serve(Self::folder(database), database, free_port(), &[("KEYTURN_TOKEN_FILE", "/nowhere")])
    }

    /// Where its tables are, as PHP has it.
    fn at(folder: &Path, database: Option<&Database<'_>>) -> String {
        match database {
            Some(Database { server, name, .. }) => {
                format!("mysql:host=127.0.0.1;port={};dbname={name};user=keyturn", server.port)
            }
            None => folder.join("panel.db").display().to_string(),
        }
    }

    /// What stands beside the panel, and its people.
    fn folder(database: Option<&Database<'_>>) -> tempfile::TempDir {
        let source = source();
        let folder = tempfile::tempdir().expect("a folder");
        let component = PASSWORD.packed();
        std::fs::create_dir(folder.path().join("plugins.d")).expect("a folder");
        std::fs::write(folder.path().join("plugins.d/keyturn-password.wasm"), &component).expect("written");
        let grants = std::fs::read_to_string(source.join("plugins.d/keyturn-password.toml")).expect("reads");
        let grants = grants.replace("@SHA256@", &digest(&component));
        std::fs::write(folder.path().join("plugins.d/keyturn-password.toml"), grants).expect("written");
        let config = std::fs::read_to_string(source.join("keyturn.toml")).expect("reads");
        let config = match database {
            Some(database) => config.replace("sqlite = \"panel.db\"", &format!("url = \"{}\"", database.url)),
            None => config,
        };
        std::fs::write(folder.path().join("keyturn.toml"), config).expect("written");
        let at = Self::at(folder.path(), database);
        let seeded = php().arg(source.join("seed.php")).env("PANEL_DB", at).stdout(Stdio::null()).status();
        assert!(
            seeded.expect("php runs; `cargo xtask test` installs what this test needs").success(),
            "the panel's people could not be made"
        );
        folder
    }

    fn serve(folder: tempfile::TempDir, database: Option<&Database<'_>>, port: u16, own: &[(&str, &str)]) -> Self {
        let server = php()
            .args(["-S", &format!("127.0.0.1:{port}"), "-t"])
            .arg(source().join("public"))
            .env("PANEL_DB", Self::at(folder.path(), database))
            .envs(own.iter().copied())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let server = Stopped(server.expect("php starts"));
        answers(port, "PHP's server");
        Self { _server: server, folder, port }
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("keyturn.toml")
    }

    /// One request, whole: the head and the body of its answer.
    fn request(&self, method: &str, path: &str, cookie: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("connects");
        let request = format!(
            "{method} {path} HTTP/1.0\r\nHost: 127.0.0.1:{}\r\nCookie: {cookie}\r\nContent-Type: \
             application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            self.port,
            body.len()
        );
        // In one piece: PHP's server answers when it has the head, and takes what follows for a line that is cut.
        stream.write_all(request.as_bytes()).expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    }

    /// Signs in by the panel's own form and code. The session's cookie, if it let him in.
    fn sign_in(&self, login: &str, password: &str) -> Option<String> {
        let page = self.request("GET", "/index.php", "", "");
        let cookie = cookie_of(&page).expect("a session");
        let csrf =
            page.split("name=\"csrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a token");
        let form = format!("csrf={csrf}&login={login}&password={}", password.replace(' ', "+"));
        let answer = self.request("POST", "/index.php", &cookie, &form);
        let status = answer.split(' ').nth(1).unwrap_or_default().to_owned();
        match status.as_str() {
            "303" => cookie_of(&answer).or(Some(cookie)),
            "401" => None,
            other => panic!("{other}: {answer}"),
        }
    }

    fn signed_in(&self, cookie: &str) -> bool {
        self.request("GET", "/home.php", cookie, "").starts_with("HTTP/1.0 200")
    }
}

fn cookie_of(answer: &str) -> Option<String> {
    let headers = answer.lines().filter_map(|line| line.split_once(": "));
    let mut set = headers.filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"));
    set.next_back().and_then(|(_, value)| value.split(';').next()).map(str::to_owned)
}

fn accepts_what_keyturn_set(panel: &PhpPanel) {
    let config = panel.config();
    let verify = |login: &str, password: &str| -> Value {
        let input = json!({"login_or_email": login, "password": password}).to_string();
        serde_json::from_str(&done(&keyturn(&config, &["call", "password/verify", "-"], &input))).expect("JSON")
    };
    // Before: PHP's own bcrypt hash is verified by Keyturn, and by PHP.
    assert_eq!(verify("carmen", OLD)["kind"], "accepted");
    assert_eq!(verify("carmen", "flour water and sand")["kind"], "rejected");
    assert_eq!(verify("pavel", "gone fishing until spring")["kind"], "suspended");
    let session = panel.sign_in("carmen", OLD).expect("the old password signs in");
    assert!(panel.signed_in(&session));

    let text = done(&keyturn(&config, &["reset-password", "carmen"], NEW));
    assert!(text.contains("has been changed"), "{text}");

    assert!(!panel.signed_in(&session), "the session that was open is gone");
    assert!(panel.sign_in("carmen", OLD).is_none(), "the old password no longer signs in");
    let session = panel.sign_in("carmen", NEW).expect("the new password signs in, through PHP's own password_verify");
    assert!(panel.signed_in(&session));
    // What Keyturn verifies at sign-in it may not rewrite into what PHP could not read.
    assert_eq!(verify("carmen", NEW)["kind"], "accepted");
    assert!(panel.sign_in("carmen", NEW).is_some());
    // Its administrators are not mapped.
    let output = keyturn(&config, &["reset-password", "admin"], NEW);
    assert_eq!(output.status.code(), Some(4), "{}", err(&output));
    assert!(panel.sign_in("admin", "keeper of the rack keys").is_some());
}

#[test]
fn a_panel_that_is_not_ours_accepts_a_password_that_keyturn_set() {
    accepts_what_keyturn_set(&PhpPanel::start(None));
}

#[test]
fn a_panel_that_is_not_ours_accepts_a_password_that_keyturn_set_on_mariadb() {
    accepts_what_keyturn_set(&PhpPanel::start(Some(&mariadb().database())));
}

#[test]
fn what_bcrypt_would_cut_is_refused_by_name() {
    let panel = PhpPanel::start(None);
    let output = keyturn(&panel.config(), &["reset-password", "carmen"], &"copper lantern oats and ".repeat(4));
    assert_eq!(output.status.code(), Some(5), "{}", err(&output));
    assert!(err(&output).contains("72"), "{}", err(&output));
    assert!(panel.sign_in("carmen", OLD).is_some(), "nothing was changed");
}

/// The host beside the panel, and the panel with a key for it.
struct Beside {
    panel: PhpPanel,
    host: Stopped,
    links: String,
}

impl Beside {
    fn start(database: Option<&Database<'_>>) -> Self {
        let (port, panel) = (free_port(), free_port());
        let links = format!("http://127.0.0.1:{port}");
        let folder = PhpPanel::folder(database);
        let config = folder.path().join("keyturn.toml");
        let text = std::fs::read_to_string(&config).expect("reads");
        let own = [
            ("http://127.0.0.1:8089", links.clone()),
            ("127.0.0.1:8089", format!("127.0.0.1:{port}")),
            ("http://127.0.0.1:8090/", format!("http://127.0.0.1:{panel}/")),
        ];
        let text = own.iter().fold(text, |text, (old, new)| {
            assert!(text.contains(old), "keyturn.toml has no {old}");
            text.replace(old, new)
        });
        std::fs::write(&config, text).expect("written");
        let token = done(&keyturn(&config, &["keys", "add", "panel", "--accounts", "customer", "--may", "views"], ""));
        let file = folder.path().join("keyturn.token");
        std::fs::write(&file, token).expect("written");
        let host = Command::new(env!("CARGO_BIN_EXE_keyturn"))
            .arg("--config")
            .arg(&config)
            .arg("serve")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let host = Stopped(host.expect("keyturn starts"));
        answers(port, "the host");
        let own = [("KEYTURN_HOST", links.as_str()), ("KEYTURN_TOKEN_FILE", file.to_str().expect("text"))];
        Self { panel: PhpPanel::serve(folder, database, panel, &own), host, links }
    }
}

fn shows_all_three_ways(database: Option<&Database<'_>>) {
    let beside = Beside::start(database);
    let facts = json!({
        "base": format!("http://127.0.0.1:{}", beside.panel.port), "links": beside.links,
        "admin": "keeper of the rack keys", "mails": beside.panel.folder.path().join("mails"),
    });
    walk("foreign.mjs", &facts);
}

#[test]
fn its_own_pages_show_all_three_ways_to_a_new_password() {
    shows_all_three_ways(None);
}

#[test]
fn its_own_pages_show_all_three_ways_to_a_new_password_on_mariadb() {
    shows_all_three_ways(Some(&mariadb().database()));
}

#[test]
fn its_pages_stand_where_the_host_does_not_answer() {
    let beside = Beside::start(None);
    drop(beside.host);
    let page = beside.panel.request("GET", "/index.php", "", "");
    assert!(page.starts_with("HTTP/1.0 200") && page.contains("You can't manage passwords right now."), "{page}");
    assert!(beside.panel.sign_in("carmen", OLD).is_some());
}
