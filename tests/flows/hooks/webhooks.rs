//! Webhooks, received by the published library in Python and by plain PHP as the documentation has them, and by servers that do
//! worse.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use keyturn_tests::free_port;
use serde_json::{Value, json};

use crate::flows::python;
use crate::hooks::server::{ANOTHER, PASSWORD, Panel, Server};

/// The blocks of this language in docs/webhooks.md.
fn documented(language: &str) -> Vec<String> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/webhooks.md");
    let docs = std::fs::read_to_string(docs).expect("reads");
    let begins = format!("```{language}\n");
    let blocks = docs.split(&begins).skip(1);
    blocks.map(|rest| rest.split("```").next().expect("its end").to_owned()).collect()
}

/// A receiver of the documentation's, with its log.
pub struct Documented {
    child: Child,
    pub url: String,
    log: PathBuf,
}

impl Documented {
    pub fn php(folder: &Path, secret: &Path) -> Self {
        let port = free_port();
        let script = folder.join("receiver.php");
        std::fs::write(&script, documented("php").concat()).expect("written");
        let mut command = Command::new("php");
        command.args(["-d", "log_errors=1", "-S", &format!("127.0.0.1:{port}")]).arg(&script);
        Self::start(command, folder, secret, port, "php")
    }

    fn python(folder: &Path, secret: &Path) -> Self {
        let port = free_port();
        let script = folder.join("receiver.py");
        std::fs::write(&script, documented("python").concat()).expect("written");
        let mut command = Command::new(python("standardwebhooks"));
        command.arg(&script).arg(port.to_string());
        Self::start(command, folder, secret, port, "python")
    }

    fn start(mut command: Command, folder: &Path, secret: &Path, port: u16, name: &str) -> Self {
        let log = folder.join(format!("{name}.log"));
        let file = std::fs::File::create(&log).expect("a log");
        let seen = folder.join(format!("{name}-seen"));
        std::fs::create_dir(&seen).expect("a folder");
        let child = command
            .env("WEBHOOK_SECRET_FILE", secret)
            .env("WEBHOOK_FOLDER", seen)
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("the same"))
            .stderr(file)
            .spawn()
            .unwrap_or_else(|cause| panic!("{name} starts: {cause}"));
        let receiver = Self { child, url: format!("http://127.0.0.1:{port}/hook"), log };
        let until = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < until, "{name} does not listen: {}", receiver.said());
            std::thread::sleep(Duration::from_millis(20));
        }
        receiver
    }

    fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    #[track_caller]
    pub fn says(&self, text: &str) {
        let until = Instant::now() + Duration::from_secs(20);
        while !self.said().contains(text) {
            assert!(Instant::now() < until, "“{text}” never stood in the log:\n{}", self.said());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Documented {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server by hand: answers the n-th request by `answers`, the last for ever, and tells each head. An empty answer never comes.
pub fn scripted(answers: &'static [&'static str]) -> (SocketAddr, Receiver<String>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let address = listener.local_addr().expect("an address");
    let (tell, told) = channel();
    std::thread::spawn(move || {
        let mut unanswered = Vec::new();
        for (n, mut stream) in listener.incoming().map_while(Result::ok).enumerate() {
            let mut reader = BufReader::new(stream.try_clone().expect("the same"));
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).is_ok_and(|read| read > 0) {}
            let mut body = vec![0; header(&head, "content-length").parse().unwrap_or(0)];
            let _ = reader.read_exact(&mut body);
            match answers[n.min(answers.len() - 1)] {
                "" => unanswered.push(stream),
                status => _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n"),
            }
            if tell.send(head).is_err() {
                return;
            }
        }
    });
    (address, told)
}

pub fn header(head: &str, name: &str) -> String {
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map_or_else(String::new, |(_, value)| value.to_owned())
}

impl Panel {
    /// A file with these secrets, for its owner only.
    pub fn secrets(&self, name: &str, secrets: &[&str]) -> PathBuf {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.folder.path().join(name);
        std::fs::write(&path, secrets.join("\n")).expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("mode");
        path
    }

    /// Names a webhook in the configuration.
    pub fn webhook(&self, name: &str, url: &str, secret_file: &Path, more: &str) {
        let mut text = std::fs::read_to_string(&self.config).expect("reads");
        text.push_str(&format!(
            "\n[[webhooks]]\nname = \"{name}\"\nurl = \"{url}\"\nsecret-file = \"{}\"\nevents = [\"password.changed\"]\n{more}\n",
            secret_file.display()
        ));
        std::fs::write(&self.config, text).expect("writes");
    }

    pub fn made(&self) -> String {
        self.done(&["webhooks", "secret"]).trim().to_owned()
    }

    fn list(&self, more: &[&str]) -> Vec<Value> {
        let out = self.done(&[&["--json", "webhooks", "list"][..], more].concat());
        serde_json::from_str::<Vec<Value>>(&out).expect("JSON")
    }

    #[track_caller]
    pub fn comes_to(&self, destination: &str, state: &str) -> Value {
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            let list = self.list(&["--to", destination]);
            if let Some(one) = list.first().filter(|one| one["state"] == state) {
                return one.clone();
            }
            assert!(Instant::now() < until, "{destination}: {list:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

pub const PRIVATE: &str = "allow-private = true";

/// Sets Marta's password by a hook.
pub fn change(server: &Server, token: &str, password: &str) {
    let arguments = json!({ "account": "customer:1", "new": password, "must_change": false });
    let answer = server.call(token, "password/set-password", &arguments);
    assert!(matches!(answer.status, 200 | 204), "{} {}", answer.status, answer.body);
}

pub fn key(panel: &Panel) -> String {
    panel.key("billing", "password/set-password,without-step-up", &[])
}

#[test]
fn an_event_is_verified_by_the_published_library_and_by_plain_php_and_refused_by_both_under_another_secret() {
    let panel = Panel::new();
    let (one, other, next) = (panel.made(), panel.made(), panel.made());
    assert!(one.starts_with("whsec_") && one != other);
    let (shared, wrong) = (panel.secrets("shared", &[&one]), panel.secrets("wrong", &[&other]));
    // While one secret follows another, what goes out is signed with both: the receiver still knows the older one.
    let both = panel.secrets("both", &[&next, &one]);
    let folder = panel.folder.path().to_owned();
    let (php, python) = (Documented::php(&folder, &shared), Documented::python(&folder, &shared));
    for (name, receiver) in [("php", &php), ("python", &python)] {
        panel.webhook(name, &receiver.url, &shared, PRIVATE);
        panel.webhook(&format!("{name}-wrong"), &receiver.url, &wrong, PRIVATE);
        panel.webhook(&format!("{name}-both"), &receiver.url, &both, PRIVATE);
    }
    let token = key(&panel);
    let server = panel.serve();
    change(&server, &token, PASSWORD);
    for (name, receiver) in [("php", &php), ("python", &python)] {
        receiver.says("new password of customer:1, by manager");
        let accepted = server.panel.comes_to(name, "accepted");
        assert_eq!((&accepted["attempts"], &accepted["tried"][0]["status"]), (&json!(1), &json!(204)), "{accepted}");
        assert_eq!((&accepted["event"], &accepted["account"]), (&json!("password.changed"), &json!("customer:1")));
        server.panel.comes_to(&format!("{name}-both"), "accepted");
        let refused = server.panel.comes_to(&format!("{name}-wrong"), "delayed");
        assert_eq!(refused["tried"][0]["status"], 401, "{refused}");
        assert_eq!(receiver.said().matches("new password of customer:1, by manager").count(), 2, "{}", receiver.said());
    }
    let id = server.panel.list(&["--to", "php"])[0]["id"].as_str().expect("an id").to_owned();
    let shown: Value = serde_json::from_str(&server.panel.done(&["--json", "webhooks", "show", &id])).expect("JSON");
    assert_eq!(shown["body"]["type"], "password.changed");
    assert_eq!(
        shown["body"]["data"],
        json!({ "plugin": "keyturn-password", "account": "customer:1", "fields": { "way": "manager" } })
    );
    // The same id once more: verified, and not done again.
    server.panel.done(&["webhooks", "send-again", &id]);
    server.panel.comes_to("php", "accepted");
    let seen = std::fs::read_dir(folder.join("php-seen")).expect("read").count();
    assert_eq!((seen, php.said().matches("new password of").count()), (2, 2), "{}", php.said());
    for secret in [&one, &other, &next] {
        assert!(!server.log().contains(secret.as_str()), "a secret stands in the log");
    }
    assert!(!shown.to_string().contains(PASSWORD));
}

#[test]
fn what_was_not_taken_comes_again_under_the_same_id_with_a_signature_of_its_own() {
    let (address, told) = scripted(&["500 Oops", "204 No Content"]);
    let panel = Panel::new();
    let secret = panel.secrets("secret", &[&panel.made()]);
    panel.webhook("here", &format!("http://{address}/"), &secret, PRIVATE);
    let token = key(&panel);
    let server = panel.serve();
    change(&server, &token, PASSWORD);
    let first = told.recv_timeout(Duration::from_secs(20)).expect("posted");
    let second = told.recv_timeout(Duration::from_secs(20)).expect("posted again");
    let of = |name| (header(&first, name), header(&second, name));
    let (id, same) = of("webhook-id");
    assert!(id.starts_with("msg_") && id == same, "{id} {same}");
    let (before, after) = of("webhook-timestamp");
    assert!(before.parse::<i64>().expect("seconds") + 4 <= after.parse().expect("seconds"), "{before} {after}");
    let (signature, other) = of("webhook-signature");
    assert!(signature.starts_with("v1,") && signature != other);
    let accepted = server.panel.comes_to("here", "accepted");
    let statuses: Vec<&Value> = accepted["tried"].as_array().expect("two").iter().map(|one| &one["status"]).collect();
    assert_eq!(statuses, [500, 204]);
}

#[test]
fn a_dead_letter_is_sent_again_from_the_command_line_and_one_of_a_removed_destination_says_so() {
    let (address, told) = scripted(&["410 Gone", "204 No Content"]);
    let panel = Panel::new();
    let secret = panel.secrets("secret", &[&panel.made()]);
    panel.webhook("here", &format!("http://{address}/"), &secret, PRIVATE);
    let token = key(&panel);
    let server = panel.serve();
    change(&server, &token, PASSWORD);
    let id = server.panel.comes_to("here", "gave-up")["id"].as_str().expect("an id").to_owned();
    change(&server, &token, ANOTHER);
    let told_ids = || header(&told.recv_timeout(Duration::from_secs(20)).expect("posted"), "webhook-id");
    assert_eq!(told_ids(), id);
    let panel = &server.panel;
    let destinations = panel.done(&["webhooks", "destinations"]);
    assert!(destinations.contains("gone since"), "{destinations}");
    assert!(panel.done(&["webhooks", "list"]).contains("queued: gone since"));
    let check = String::from_utf8(panel.run(&["check"]).stdout).expect("text");
    assert!(check.contains("webhook here answered 410 Gone: nothing is sent there, and 1 wait"), "{check}");
    let again = panel.run(&["webhooks", "send-again", "--failed", "--to", "here"]);
    assert_eq!(String::from_utf8_lossy(&again.stdout), "1 of 1 are sent again.\n");
    let held = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(held.contains("here is gone since"), "{held}");
    assert!(told.recv_timeout(Duration::from_millis(1_500)).is_err(), "it went although the destination is gone");
    assert_eq!(panel.done(&["webhooks", "enable", "here"]), "here is enabled again; 2 are waiting.\n");
    let ids = [told_ids(), told_ids()];
    assert!(ids.contains(&id) && ids[0] != ids[1], "{ids:?}");
    panel.comes_to("here", "accepted");
    let audit = panel.done(&["audit", "list"]);
    assert!(audit.contains("webhook-send-again") && audit.contains("webhook-enable"), "{audit}");
    for (arguments, code) in [
        (&["webhooks", "send-again", "msg_00000000000000000000000000000000"][..], 4),
        (&["webhooks", "show", "msg_0"], 2),
        (&["webhooks", "enable", "nobody"], 4),
        (&["webhooks", "test", "nobody"], 4),
        (&["webhooks", "send-again"], 2),
    ] {
        assert_eq!(panel.run(arguments).status.code(), Some(code), "{arguments:?}");
    }
    // Taken out of the file, while something waits for it.
    server.signal("TERM");
    let (_, panel) = server.ends();
    let waits = "UPDATE keyturnhost_deliveries SET state = 'delayed', due = 0";
    panel.database().execute(waits, []).expect("written");
    panel.edit("[[webhooks]]\nname = \"here\"", "[[webhooks]]\nname = \"there\"");
    assert!(panel.done(&["webhooks", "list"]).contains("delayed: not in the configuration"));
    assert!(panel.done(&["webhooks", "show", &id]).contains("not in the configuration"));
    let check = String::from_utf8(panel.run(&["check"]).stdout).expect("text");
    assert!(check.contains("webhook here is no longer in the configuration; 2 wait for it"), "{check}");
}

#[test]
fn webhooks_are_taken_on_sighup_as_they_are_then_and_a_wrong_file_leaves_those_before() {
    let (old, told_old) = scripted(&["204 No Content"]);
    let (new, told_new) = scripted(&["204 No Content"]);
    let panel = Panel::new();
    let (first, second) = (panel.made(), panel.made());
    let secret = panel.secrets("secret", &[&first]);
    panel.webhook("here", &format!("http://{old}/"), &secret, PRIVATE);
    let token = key(&panel);
    let server = panel.serve();
    let reload = |wanted: &str| {
        let before = server.log().matches(wanted).count();
        server.signal("HUP");
        let until = Instant::now() + Duration::from_secs(30);
        while server.log().matches(wanted).count() == before {
            assert!(Instant::now() < until, "“{wanted}” never stood in the log:\n{}", server.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    let posted = |told: &Receiver<String>| told.recv_timeout(Duration::from_secs(20)).expect("posted");
    change(&server, &token, PASSWORD);
    posted(&told_old);

    // Another place, and one secret that follows another.
    let config = &server.panel;
    config.edit(&format!("http://{old}/"), &format!("http://{new}/"));
    config.secrets("secret", &[&second, &first]);
    reload("reload finished");
    assert!(!server.log().contains("from the next start"), "{}", server.log());
    change(&server, &token, ANOTHER);
    assert_eq!(header(&posted(&told_new), "webhook-signature").split(' ').count(), 2);

    // A file that is wrong, and one whose secret is.
    config.edit(PRIVATE, "");
    reload("webhooks stay as they were: ");
    assert!(server.log().contains("webhooks.here.url must begin with https://"), "{}", server.log());
    config.edit(&format!("url = \"http://{new}/\""), &format!("url = \"http://{new}/\"\n{PRIVATE}"));
    config.secrets("secret", &["whsec_short"]);
    reload("webhooks stay as they were: ");
    assert!(server.log().contains("line 1 must be like whsec_"), "{}", server.log());
    change(&server, &token, PASSWORD);
    posted(&told_new);

    // What is off has its events when it is on again; what else has changed is named.
    config.secrets("secret", &[&first]);
    config.edit(PRIVATE, &format!("{PRIVATE}\nenabled = false"));
    config.edit("[database]", "[limits]\nrequests-per-minute = 1000\n\n[database]");
    reload("keyturn.toml: limits.requests-per-minute changed; this applies from the next start");
    change(&server, &token, ANOTHER);
    let destinations = config.done(&["webhooks", "destinations"]);
    assert!(destinations.contains("here  off"), "{destinations}");
    let check = String::from_utf8(config.run(&["check"]).stdout).expect("text");
    assert!(check.contains("webhook here is disabled: nothing is sent there, and 1 wait"), "{check}");
    assert!(told_new.recv_timeout(Duration::from_millis(1_500)).is_err(), "it went although the destination is off");

    // One that is taken out keeps what waits, and says so; there again, it has it.
    config.edit("name = \"here\"", "name = \"there\"");
    config.edit("enabled = false", "");
    reload("is no longer in the configuration; events that wait for it are on hold");
    config.edit("name = \"there\"", "name = \"here\"");
    reload("reload finished");
    posted(&told_new);
    assert!(told_old.try_recv().is_err() && told_new.recv_timeout(Duration::from_millis(300)).is_err());
    assert_eq!(config.list(&["--state", "accepted"]).len(), 4);
    for secret in [&first, &second] {
        assert!(!server.log().contains(secret.as_str()), "a secret stands in the log");
    }
}

#[test]
fn what_was_too_much_for_a_destination_is_said_in_the_log_and_by_the_commands() {
    let panel = Panel::new();
    let secret = panel.secrets("secret", &[&panel.made()]);
    panel.webhook("down", &format!("http://127.0.0.1:{}/", free_port()), &secret, PRIVATE);
    let grants = panel.folder.path().join("plugins.d/keyturn-password.toml");
    let text = std::fs::read_to_string(&grants).expect("reads");
    std::fs::write(&grants, format!("{text}\n[limits]\nwaiting-deliveries = 1\n")).expect("writes");
    let token = key(&panel);
    let server = panel.serve();
    for password in [PASSWORD, ANOTHER, PASSWORD] {
        change(&server, &token, password);
    }
    server.logs("1 events are already waiting for it: more are dropped and counted");
    assert_eq!(server.log().matches("dropped and counted").count(), 1, "each occasion is said once");
    let output = server.panel.run(&["webhooks", "destinations"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("2 events for down were dropped, because too many were waiting, the last at "), "{said}");
    let check = String::from_utf8(server.panel.run(&["check"]).stdout).expect("text");
    assert!(check.contains("webhook down: 2 events were dropped, because too many were waiting"), "{check}");
}

#[test]
fn a_test_that_is_not_answered_is_called_neither_accepted_nor_refused() {
    let silent = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let panel = Panel::new();
    let secret = panel.secrets("secret", &[&panel.made()]);
    let url = format!("http://{}/?token=s3cret", silent.local_addr().expect("an address"));
    panel.webhook("silent", &url, &secret, &format!("{PRIVATE}\ntimeout-seconds = 1"));
    let output = panel.run(&["webhooks", "test", "silent"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(75), "{said}");
    assert!(said.contains("webhook silent gave no answer: it is not known whether it accepted the test"), "{said}");
    assert!(said.contains("request: no answer within 1 s") && !said.contains("s3cret"), "{said}");
    let output = panel.run(&["--json", "webhooks", "test", "silent"]);
    let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&told["accepted"], &told["status"]), (&Value::Null, &Value::Null), "{told}");
    let audit = panel.done(&["audit", "list", "--json", "--operation", "webhook-test"]);
    let audit: Value = serde_json::from_str(&audit).expect("JSON");
    assert_eq!(audit.as_array().map(Vec::len), Some(2), "{audit}");
    assert_eq!(
        (&audit[0]["entry"]["outcome"], &audit[0]["entry"]["actor"]),
        (&json!("unknown: silent"), &json!("console"))
    );
}

#[test]
fn tls_is_verified_against_the_systems_authorities_or_those_of_the_file() {
    let panel = Panel::new();
    let folder = panel.folder.path();
    let (certificate, key) = (folder.join("tls.pem"), folder.join("tls.key"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .expect("openssl runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let port = free_port();
    // The receiver of the documentation, with TLS around its socket.
    let serve = "http.server.ThreadingHTTPServer((\"127.0.0.1\", int(sys.argv[1])), Receiver).serve_forever()";
    let script = documented("python").concat();
    assert!(script.contains(serve));
    let script = script.replace(
        serve,
        "import ssl\nserver = http.server.ThreadingHTTPServer((\"127.0.0.1\", int(sys.argv[1])), Receiver)\n\
         context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)\ncontext.load_cert_chain(sys.argv[2], sys.argv[3])\n\
         server.socket = context.wrap_socket(server.socket, server_side=True)\nserver.serve_forever()",
    );
    let file = folder.join("tls.py");
    std::fs::write(&file, script).expect("written");
    let secret = panel.secrets("secret", &[&panel.made()]);
    let mut command = Command::new(python("standardwebhooks"));
    command.arg(&file).arg(port.to_string()).arg(&certificate).arg(&key);
    let receiver = Documented::start(command, folder, &secret, port, "tls");
    let ca = format!("{PRIVATE}\nca-file = \"{}\"", certificate.display());
    panel.webhook("trusted", &format!("https://localhost:{port}/"), &secret, &ca);
    panel.webhook("other-name", &format!("https://127.0.0.1:{port}/"), &secret, &ca);
    panel.webhook("unknown", &format!("https://localhost:{port}/"), &secret, PRIVATE);
    panel.webhook("not-allowed", &format!("https://localhost:{port}/"), &secret, "");
    let said = panel.done(&["webhooks", "test", "trusted"]);
    assert!(said.starts_with("trusted accepted the test in "), "{said}{}", receiver.said());
    for (name, word) in
        [("other-name", "TLS: "), ("unknown", "TLS: "), ("not-allowed", "look-up: 127.0.0.1 is on this machine")]
    {
        let output = panel.run(&["webhooks", "test", name]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(word) && said.contains(&format!("webhook {name} did not accept the test")), "{said}");
    }
    assert_eq!(receiver.said().matches("\"POST / HTTP/1.1\" 204").count(), 1, "{}", receiver.said());
}

#[test]
fn what_is_wrong_with_a_webhook_is_told_by_check_and_stops_a_start() {
    use std::os::unix::fs::PermissionsExt as _;
    let panel = Panel::new();
    let secret = panel.secrets("secret", &[&panel.made()]);
    panel.webhook("billing", "https://billing.example/hook", &secret, "");
    let check = || String::from_utf8(panel.run(&["check"]).stdout).expect("text");
    let said = check();
    assert!(said.contains("webhook billing: password.changed to https://billing.example/hook"), "{said}");
    panel.edit("events = [\"password.changed\"]", "events = [\"password.chnged\"]");
    let said = check();
    assert!(said.contains("webhooks.billing.events names password.chnged, which no plugin emits"), "{said}");
    assert!(said.contains("plugins emit: password.changed"), "{said}");
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o644)).expect("mode");
    let said = check();
    assert!(said.contains("webhooks.billing.secret-file names") && said.contains("mode 644"), "{said}");
    let output = panel.run(&["webhooks", "list"]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("keyturn.toml: webhooks.billing.secret-file names"), "{error}");
    panel.edit("https://billing.example/hook", "http://billing.example/hook");
    let output = panel.run(&["check"]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("webhooks.billing.url must begin with https://"), "{error}");
}

/// The shell and the settings of docs/webhooks.md, as they stand there, in their order.
#[test]
fn the_steps_of_the_documentation_work() {
    let panel = Panel::new();
    let folder = panel.folder.path().to_owned();
    let run = |script: &str| {
        let keyturn = Path::new(env!("CARGO_BIN_EXE_keyturn")).parent().expect("a folder").to_owned();
        let output = Command::new("bash")
            .args(["-euo", "pipefail", "-c", script])
            .current_dir(&folder)
            .env("PATH", format!("{}:{}", keyturn.display(), std::env::var("PATH").expect("set")))
            .env("KEYTURN_CONFIG", &panel.config)
            .stdin(Stdio::null())
            .output()
            .expect("bash runs");
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.success(), format!("{out}{err}"))
    };
    let scripts = documented("sh");
    let of = |word: &str| {
        scripts.iter().find(|script| script.contains(word)).unwrap_or_else(|| panic!("no example with {word}"))
    };
    assert!(run(of("> billing.secret")).0);
    let receiver = Documented::php(&folder, &folder.join("billing.secret"));
    let settings = documented("toml").concat();
    assert!(settings.contains("https://billing.example/hooks/keyturn") && settings.contains("# allow-private"));
    let settings = settings
        .replace("https://billing.example/hooks/keyturn", &receiver.url)
        .replace("# allow-private", "allow-private");
    let config = std::fs::read_to_string(&panel.config).expect("reads");
    std::fs::write(&panel.config, format!("{config}\n{settings}")).expect("written");
    let (_, said) = run(of("keyturn webhooks test billing"));
    let (checked, said_of_test) = run("keyturn webhooks test billing");
    assert!(checked && said_of_test.contains("billing accepted the test"), "{said}{said_of_test}");
    let (done, said) = run(of("keyturn webhooks destinations"));
    assert!(done && said.contains("billing") && said.contains("No delivery was given up."), "{said}");
    assert!(run(of("both billing.secret")).0);
    assert_eq!(std::fs::read_to_string(folder.join("billing.secret")).expect("reads").lines().count(), 2);
}
