//! One customer gets a new password in every way there is, on the panel's pages and by its hooks, and some ways are tried
//! wrong. Afterwards nothing that was secret on the way is found anywhere but in the mails themselves.

#[path = "../browser/panels.rs"]
mod panels;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use keyturn_host::Host;
use keyturn_host::accounts::Reach;
use keyturn_host::caller::{Actor, Caller};
use keyturn_host::config::Config;
use keyturn_host::plugin::grants::digest;
use keyturn_host::service_key::{NewKey, WITHOUT_STEP_UP};
use keyturn_host::storage::AuditFilter;
use keyturn_tests::COURIER;
use keyturn_tests::canary::{Arguments, Canaries, password, unbroken, word};
use keyturn_tests::client::{Answer, Client, percent};
use keyturn_tests::mail_server::Aiosmtpd;
use panels::{Differs, PASSWORD, Panel};
use serde_json::{Value, json};

const LOGIN: &str = "gmarchetti";
const ADDRESS: &str = "giulia@ondalibera.example";

/// Where her mails arrive.
enum Mailbox {
    Server(Aiosmtpd),
    Folder(PathBuf, Vec<PathBuf>),
}

impl Mailbox {
    /// The next mail in which something is found, and that.
    fn next<T>(&mut self, find: impl Fn(&str) -> Option<T>) -> (String, T) {
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(mail) = self.any() {
                let mail = unbroken(&mail);
                if let Some(found) = find(&mail) {
                    assert!(mail.contains(ADDRESS), "{mail}");
                    return (mail, found);
                }
            }
            assert!(Instant::now() < until, "no such mail came");
        }
    }

    fn any(&mut self) -> Option<String> {
        match self {
            Mailbox::Server(server) => Some(server.text()),
            Mailbox::Folder(folder, seen) => {
                let files = std::fs::read_dir(&*folder).into_iter().flatten().flatten().map(|entry| entry.path());
                let mut new: Vec<PathBuf> = files.filter(|path| is_mail(path) && !seen.contains(path)).collect();
                new.sort();
                let Some(path) = new.into_iter().next() else {
                    std::thread::sleep(Duration::from_millis(20));
                    return None;
                };
                seen.push(path.clone());
                Some(std::fs::read_to_string(path).expect("reads"))
            }
        }
    }
}

fn is_mail(path: &Path) -> bool {
    path.extension().is_some_and(|kind| kind == "eml")
}

/// What is a mail itself, or the same as JSON: it carries secrets, and only its owner reads it.
fn is_filed(path: &Path) -> bool {
    is_mail(path) || (path.extension().is_some_and(|kind| kind == "json") && path.with_extension("eml").exists())
}

/// A listener to what the password plugin tells others.
fn admit_listener(folder: &Path) {
    let heard = "listens = [\"password.changed\", ";
    let component = COURIER.packed_as(&COURIER.manifest.replace("listens = [", heard));
    let grants = format!(
        "component = \"courier.wasm\"\nsha256 = \"{}\"\n[grants]\ndatabase = true\njobs = true\nevents = true\ninput = true\n\
         passwords = true\n[grants.mail]\noperators = true\ntext = true\n",
        digest(&component)
    );
    std::fs::write(folder.join("plugins.d/courier.wasm"), component).expect("written");
    std::fs::write(folder.join("plugins.d/courier.toml"), grants).expect("written");
}

fn console() -> Caller {
    Caller::new(Actor::Console, Reach::none())
}

/// The whole of a test.
struct Flow<'a> {
    base: &'a str,
    address: SocketAddr,
    id: i64,
    canaries: Canaries,
    mailbox: Mailbox,
}

impl Flow<'_> {
    fn client(&self) -> Client {
        Client::new(self.address)
    }

    fn sign_in(&mut self, login: &str, typed: &str) -> (Client, Answer) {
        let mut client = self.client();
        let form = client.get("/sign-in");
        let answer = client.post("/sign-in", &[("kt", form.hidden("kt")), ("name", login), ("password", typed)]);
        (client, answer)
    }

    /// Signs her in, which leads to choosing another one; chooses it.
    fn sign_in_and_choose(&mut self, typed: &str, new: &str) {
        let (client, answer) = self.sign_in(LOGIN, typed);
        let link = answer.header("location").expect("the page to choose").to_owned();
        self.choose(client, &link, new);
    }

    /// Chooses a password by a link, after two tries that are refused.
    fn choose(&mut self, mut client: Client, link: &str, new: &str) {
        let path = link.strip_prefix(self.base).unwrap_or(link);
        let token = path.rsplit('/').next().and_then(|last| last.split('?').next()).expect("a token");
        self.canaries.add("a link's token", token);
        let opened = client.get(path);
        let clean = opened.header("location").expect("the clean address").to_owned();
        for (typed, again, status) in
            [("too short 77", "too short 77", 422), (new, "quite another one 31", 422), (new, new, 303)]
        {
            self.canaries.add("a chosen password", typed);
            self.canaries.add("a chosen password", again);
            let page = client.get(&clean);
            let answer = client.post(&clean, &[("kt", page.hidden("kt")), ("new", typed), ("new~again", again)]);
            assert_eq!(answer.status, status, "{}", answer.body);
        }
    }

    /// The next mail with a link, which stands in it.
    fn mailed_link(&mut self) -> String {
        let beginning = format!("{}/choose/", self.base);
        let (mail, link) = self.mailbox.next(|mail| word(mail, &beginning).map(str::to_owned));
        let token = link.rsplit('/').next().and_then(|last| last.split('?').next()).expect("a token").to_owned();
        self.canaries.add("a mailed token", &token);
        assert!(self.canaries.found(mail.as_bytes()).contains("a mailed token, as it is"));
        link
    }

    /// The next mail with a generated password, which stands in it.
    fn mailed_password(&mut self) -> String {
        let (mail, generated) = self.mailbox.next(|mail| password(mail).map(str::to_owned));
        self.canaries.add("a generated password", &generated);
        assert!(self.canaries.found(mail.as_bytes()).contains("a generated password, as it is"));
        generated
    }

    fn manage(&mut self, ana: &mut Client, typed: &str, again: &str) -> u16 {
        self.canaries.add("a typed password", typed);
        self.canaries.add("a typed password", again);
        let path = format!("/customers/{}/details", self.id);
        let page = ana.get(&path);
        let at = page.body.find(".new\"").expect("the part's password");
        let part = page.body[..at].rsplit('"').next().expect("its beginning").to_owned();
        let [kt, new, twice, tick] = ["kt", "new", "new~again", "must-change"].map(|name| format!("{part}.{name}"));
        let form = [(kt.as_str(), page.hidden(&kt)), (&new, typed), (&twice, again), (&tick, "1")];
        ana.post(&path, &form).status
    }

    fn reset_and_mail(&mut self, ana: &mut Client, mode: &str) {
        let path = format!("/plugins/keyturn-password/reset?for={}", percent(&format!("customer:{}", self.id)));
        let page = ana.get(&path);
        let answer = ana.post(&path, &[("kt", page.hidden("kt")), ("mode", mode)]);
        assert_eq!(answer.status, 303, "{}", answer.body);
    }

    fn pages(&mut self) {
        self.canaries.add("everybody's password", PASSWORD);
        let wrong = self.canaries.add("a wrong password", "not the right one 83").to_owned();
        assert_eq!(self.sign_in(LOGIN, &wrong).1.status, 422);
        let (mut ana, answer) = self.sign_in("ana", PASSWORD);
        assert_eq!(answer.status, 303, "{}", answer.body);

        assert_eq!(self.manage(&mut ana, "granite pelican 17", "granite pelican 18"), 422);
        assert_eq!(self.manage(&mut ana, "no good pw 5", "no good pw 5"), 422);
        assert_eq!(self.manage(&mut ana, "granite pelican 17 orchard", "granite pelican 17 orchard"), 303);
        self.sign_in_and_choose("granite pelican 17 orchard", "velvet compass 29 harbour");

        let mut somebody = self.client();
        let forgot = "/plugins/keyturn-password/forgot";
        let form = somebody.get(forgot);
        let asked = somebody.post(forgot, &[("kt", form.hidden("kt")), ("login-or-email", ADDRESS)]);
        assert_eq!(asked.status, 303, "{}", asked.body);
        let link = self.mailed_link();
        self.choose(self.client(), &link, "lantern thistle 38 meadow");

        self.reset_and_mail(&mut ana, "temporary");
        let generated = self.mailed_password();
        self.sign_in_and_choose(&generated, "juniper mortar 41 sail");
        self.reset_and_mail(&mut ana, "link");
        let link = self.mailed_link();
        self.choose(self.client(), &link, "saffron anchor 56 cellar");

        let (mut own, answer) = self.sign_in(LOGIN, "saffron anchor 56 cellar");
        assert_eq!(answer.status, 303, "{}", answer.body);
        let page = own.get("/account");
        let new = self.canaries.add("her own new password", "copper mandolin 63 fjord").to_owned();
        let current = "saffron anchor 56 cellar";
        let form = [("kt", page.hidden("kt")), ("current", current), ("new", &new), ("new~again", &new)];
        assert_eq!(own.post("/account", &form).status, 303);
    }

    fn hooks(&mut self, host: &Host) {
        let scopes = host.scopes().into_iter().chain([WITHOUT_STEP_UP.to_owned()]).collect();
        let new =
            NewKey { name: "billing".to_owned(), scopes, realms: ["customer".to_owned()].into(), ..NewKey::default() };
        let (_, token) = host.add_service_key(&console(), new).expect("a key");
        self.canaries.add("a service key", token.rsplit('_').next().expect("its secret"));
        let mut machine = Client::bearing(self.address, &token);
        let account = format!("customer:{}", self.id);
        let mut call = |function: &str, arguments: Value| {
            let answer = machine.json(&format!("/v1/hooks/password/{function}"), &arguments);
            (answer.status, serde_json::from_str::<Value>(&answer.body).unwrap_or_default())
        };
        let canary =
            |flow: &mut Self, secret: &'static str| flow.canaries.add("a password to a hook", secret).to_owned();

        let typed = canary(self, "walnut trolley 71 marsh");
        let arguments = json!({ "account": account, "new": typed, "must_change": false });
        assert_eq!(call("set-password", arguments).0, 200);
        let right = json!({ "login_or_email": LOGIN, "password": typed });
        let verdict = call("verify", right).1;
        assert_eq!(verdict["kind"], "accepted");
        let device = self.canaries.add("a device", verdict["value"]["device"].as_str().expect("a device")).to_owned();
        let again = json!({ "login_or_email": LOGIN, "password": typed, "device": device });
        assert_eq!(call("verify", again).1["kind"], "accepted");
        let wrong = canary(self, "walnut trolley 72 wrong");
        assert_eq!(call("verify", json!({ "login_or_email": LOGIN, "password": wrong })).1["kind"], "rejected");
        let short = canary(self, "hook short 4");
        assert_eq!(call("set-password", json!({ "account": account, "new": short, "must_change": false })).0, 422);
        let misfit = canary(self, "walnut trolley 73 misfit");
        assert_eq!(call("set-password", json!({ "account": account, "new": misfit, "must_change": misfit })).0, 400);
        assert_eq!(call("set-password", json!({ "account": account, "new": { &misfit: misfit } })).0, 400);
        let weighed = canary(self, "walnut trolley 74 weighed");
        assert_eq!(call("check-password", json!({ "password": weighed })).0, 200);

        let link = call("make-link", json!({ "account": account })).1["link"].as_str().expect("a link").to_owned();
        let token = link.rsplit('/').next().expect("a token").to_owned();
        self.canaries.add("a made link's token", &token);
        assert_eq!(call("inspect-link", json!({ "token": token })).1["kind"], "good");
        let chosen = canary(self, "walnut trolley 75 chosen");
        assert_eq!(call("complete-reset", json!({ "token": token, "new": chosen })).0, 200);
        assert_eq!(call("complete-reset", json!({ "token": token, "new": chosen })).0, 422);

        assert_eq!(call("reset-and-mail", json!({ "account": account, "mode": "temporary" })).0, 200);
        self.mailed_password();
        assert_eq!(call("request-reset", json!({ "login_or_email": ADDRESS })).0, 204);
        let link = self.mailed_link();
        let asked =
            call("inspect-link", json!({ "token": link.rsplit('/').next().and_then(|it| it.split('?').next()) }));
        assert_eq!(asked.1["kind"], "good");
    }
}

/// Until nothing waits any more, neither a mail nor an event.
fn settled(panel: &Panel) {
    let database = rusqlite::Connection::open(panel.file("panel.db")).expect("opens");
    let waiting = "SELECT (SELECT count(*) FROM keyturnhost_outbox WHERE state NOT IN ('accepted', 'withdrawn'))
        + (SELECT count(*) FROM keyturnhost_tasks)";
    let until = Instant::now() + Duration::from_secs(30);
    while database.query_row(waiting, [], |row| row.get::<_, i64>(0)).expect("counted") > 0 {
        assert!(Instant::now() < until, "something waits for ever");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn walked(differs: &Differs<'_>, mailbox: impl FnOnce(&Panel) -> Mailbox) {
    let arguments = Arguments::watch();
    let panel = Panel::start(&Differs { before: Some(&admit_listener), logs: true, ..*differs });
    let database = rusqlite::Connection::open(panel.file("panel.db")).expect("opens");
    let id = database.query_row("SELECT id FROM people WHERE login = ?1", [LOGIN], |row| row.get(0)).expect("there");
    let mut flow = Flow {
        base: &panel.base,
        address: panel.base.strip_prefix("http://").and_then(|address| address.parse().ok()).expect("an address"),
        id,
        canaries: Canaries::default(),
        mailbox: mailbox(&panel),
    };
    let host =
        Config::read(&panel.file("keyturn.toml")).and_then(|config| config.beside_server().host()).expect("a host");
    flow.pages();
    flow.hooks(&host);
    settled(&panel);

    let canaries = flow.canaries;
    let folder = panel.file("");
    let looked = canaries.absent_below(&folder, &is_filed);
    assert!(looked >= 7, "only {looked} files were looked into");
    let audit = host.audit(&AuditFilter { limit: 1_000, ..AuditFilter::default() }).expect("read");
    assert!(audit.iter().filter(|(_, entry)| entry.operation == "set-password").count() >= 3);
    canaries.absent(
        "the audit",
        serde_json::to_string(&audit.iter().map(|(_, entry)| entry).collect::<Vec<_>>()).expect("JSON").as_bytes(),
    );
    let heard = host.call(&console(), "courier/noted", &json!({ "key": "whole" }), None).expect("answers").to_string();
    assert!(heard.matches("password.changed").count() >= 5, "{heard}");
    canaries.absent("the events", heard.as_bytes());
    canaries.absent("arguments of a process", &arguments.seen());

    // Had it been there, it would have been found: in the write-ahead log and in the log.
    let mut control = Canaries::default();
    control.add("the control", "no-such-hook-7Rk2q");
    let log = std::fs::read(panel.file("log")).expect("reads");
    assert!(control.found(&log).is_empty());
    let mut anybody =
        Client::new(panel.base.strip_prefix("http://").and_then(|it| it.parse().ok()).expect("an address"));
    assert_eq!(anybody.json("/v1/hooks/password/no-such-hook-7Rk2q", &json!({})).status, 401);
    database.execute_batch("CREATE TABLE control AS SELECT 'no-such-hook-7Rk2q' AS secret").expect("written");
    let found = |names: &[&str]| {
        names.iter().any(|name| std::fs::read(panel.file(name)).is_ok_and(|bytes| !control.found(&bytes).is_empty()))
    };
    assert!(found(&["log"]) && found(&["panel.db-wal", "panel.db"]));
}

#[test]
fn after_a_server_took_the_mails_nothing_secret_is_left_anywhere() {
    let server = Aiosmtpd::plain();
    let smtp = format!(
        "[mail]\ntransport = \"smtp\"\n[mail.smtp]\nhost = \"127.0.0.1\"\nport = {}\nencryption = \"none\"\n",
        server.port
    );
    let config = [("[mail.folder]\npath = \"mail\"\n", smtp.as_str())];
    walked(&Differs { config: &config, ..Differs::default() }, |_| Mailbox::Server(server));
}

#[test]
fn after_the_mails_were_written_into_a_folder_nothing_secret_is_left_beside_them() {
    walked(&Differs::default(), |panel| Mailbox::Folder(panel.file("mail"), Vec::new()));
}
