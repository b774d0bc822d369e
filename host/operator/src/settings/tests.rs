//! The page on settings that were made in each way, and against mail servers that say what they are told to.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use base64::Engine as _;

use super::{TRIALS_ALL, TRIALS_EACH};
use crate::host::Operator;
use crate::stage::{Ground, Routes, operate, operators};
use keyturn_core::accounts::{Reach, Scope};
use keyturn_core::caller::OWN;
use keyturn_core::caller::{Actor, Caller};
use keyturn_core::time::now;
use keyturn_mail::config::Way;
use keyturn_mail::setup::{Chosen, ChosenServer, Fixed};
use keyturn_mail::transport::smtp::Encryption;
use keyturn_pages::{SubmitError, Submitted, Surface};
use keyturn_runtime::CallError;
use keyturn_store::settings::NewSecret;
use keyturn_store::{AuditEntry, AuditFilter};
use keyturn_ui::Corrections;
use keyturn_ui::form::FormError;

const PANEL: &str = "
    CREATE TABLE customers (id INTEGER PRIMARY KEY, login TEXT, password TEXT, reseller TEXT);
    CREATE TABLE staff (id INTEGER PRIMARY KEY, login TEXT, password TEXT);
";
const REALMS: &str = "
    customer = { table = 'customers', id = 'id', login = 'login', hash = 'password', manager = 'reseller' }
    staff = { table = 'staff', id = 'id', login = 'login', hash = 'password' }
";
const PASSWORD: &str = "hush-hush-52";

struct Stage {
    host: Operator,
    folder: tempfile::TempDir,
}

/// What the file fixes, of its text.
fn fixed(text: &str, origin: Option<&str>, folder: &tempfile::TempDir) -> Fixed {
    let lines = [
        ("mail.from", 21),
        ("mail.smtp", 24),
        ("mail.smtp.host", 25),
        ("mail.smtp.username", 26),
        ("mail.smtp.password-file", 27),
        ("brand.link-origin", 7),
    ];
    Fixed {
        mail: toml::from_str(text).expect("TOML"),
        origin: origin.map(str::to_owned),
        file: "keyturn.toml".to_owned(),
        folder: folder.path().to_owned(),
        lines: lines.map(|(name, line)| (name.to_owned(), line)).into(),
    }
}

impl Stage {
    /// A panel whose file names a folder, and nothing else of mail.
    fn new() -> Self {
        Self::on("folder = { path = 'sent' }", Some("https://panel.example"))
    }

    fn on(text: &str, origin: Option<&str>) -> Self {
        Self::standing_on(Ground::new(PANEL, REALMS), text, origin)
    }

    /// The same panel, and another file.
    fn again(self, text: &str, origin: Option<&str>) -> Self {
        let (storage, keys) = (Arc::clone(&self.host.storage), Arc::clone(&self.host.keys));
        Self::standing_on(Ground { folder: self.folder, storage, keys }, text, origin)
    }

    fn standing_on(ground: Ground, text: &str, origin: Option<&str>) -> Self {
        let fixed = fixed(text, origin, &ground.folder);
        let host = ground.host().with(|host| host.mail = fixed).build().expect("a host");
        Self { host, folder: ground.folder }
    }

    /// Mail by this server, as somebody has saved it.
    fn with_server(port: u16) -> Self {
        let stage = Self::new();
        let chosen = Chosen {
            transport: Some(Way::Smtp),
            server: Some(ChosenServer {
                host: "127.0.0.1".to_owned(),
                port: Some(port),
                encryption: Encryption::None,
                username: Some("panel".to_owned()),
                password_at: None,
            }),
            from: Some("accounts@panel.example".to_owned()),
            ..Chosen::default()
        };
        stage.host.set_mail(&owner(), chosen, Some(PASSWORD.to_owned().into())).expect("set");
        stage
    }

    fn page_with(&self, caller: &Caller, corrections: Option<&Corrections>) -> String {
        let surface = Surface { corrections, ..surface(caller) };
        operators(&self.host, ("email-settings", &[]), &surface).expect("drawn").html.to_string()
    }

    fn page(&self, caller: &Caller) -> String {
        self.page_with(caller, None)
    }

    /// Sends the form of a page with these fields.
    fn send(&self, caller: &Caller, page: &str, fields: &[(&str, &str)]) -> Result<Submitted, SubmitError> {
        let (_, sealed) = page.split_once("name=\"kt\" value=\"").expect("a form");
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.append_pair("kt", sealed.split_once('"').expect("its end").0).extend_pairs(fields);
        operate(&self.host, body.finish().as_bytes(), &surface(caller))
    }

    /// The same with the page as it is now.
    fn fill(&self, caller: &Caller, fields: &[(&str, &str)]) -> Result<Submitted, SubmitError> {
        self.send(caller, &self.page(caller), fields)
    }

    #[track_caller]
    fn saved(&self, submitted: Result<Submitted, SubmitError>) -> String {
        match submitted.expect("run") {
            Submitted::Done { url, notice, .. } => {
                assert_eq!(url, "/settings");
                let readers = [owner(), signed_in("staff:3", Scope::All, Scope::All)];
                let mut read = readers.iter().filter_map(|reader| self.host.notice(&notice, &surface(reader)));
                read.next().expect("for him").to_string()
            }
            Submitted::Again(corrections) => panic!("{corrections:?}"),
            _ => panic!("not done"),
        }
    }

    /// The page of a test.
    #[track_caller]
    fn tested(&self, submitted: Result<Submitted, SubmitError>) -> String {
        match submitted.expect("run") {
            Submitted::Reveal(page) => page.html.to_string(),
            Submitted::Again(corrections) => panic!("{corrections:?}"),
            _ => panic!("not tested"),
        }
    }

    fn chosen(&self) -> Chosen {
        self.host.mail_setup().expect("read").chosen
    }

    fn way(&self) -> Option<String> {
        self.host.mail.outgoing().transport.as_ref().map(|transport| transport.name())
    }

    fn audit(&self) -> Vec<(String, String)> {
        let entries = self.host.audit(&AuditFilter { limit: 100, ..AuditFilter::default() }).expect("read");
        entries.into_iter().rev().map(|(_, entry)| (entry.operation, entry.outcome)).collect()
    }
}

fn surface(caller: &Caller) -> Surface<'_> {
    Surface { caller, submit_url: "/settings", join: None, links: &Routes, corrections: None }
}

#[track_caller]
fn again(submitted: Result<Submitted, SubmitError>) -> Corrections {
    match submitted.expect("run") {
        Submitted::Again(corrections) => corrections,
        Submitted::Done { .. } => panic!("done"),
        Submitted::Reveal(page) => panic!("{}", page.html),
        _ => panic!("something else"),
    }
}

fn signed_in(account: &str, customers: Scope, staff: Scope) -> Caller {
    let reach = Reach::none().with("customer", customers).with("staff", staff);
    let mut caller = Caller::new(Actor::Account(account.parse().expect("id")), reach);
    caller.session = format!("session of {account}");
    caller.verified_at = Some(now());
    caller
}

fn owner() -> Caller {
    signed_in("staff:1", Scope::All, Scope::All)
}

fn administrator() -> Caller {
    signed_in("staff:2", Scope::All, Scope::None)
}

/// A server in clear that takes one mail after a login, or answers otherwise to the login; tells what it heard.
fn server(login: &'static str, times: usize) -> (u16, Receiver<String>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for _ in 0..times {
            let (mut stream, _) = listener.accept().expect("somebody comes");
            let mut heard = BufReader::new(stream.try_clone().expect("a second handle"));
            let mut say = |text: &str| stream.write_all(text.as_bytes()).is_ok();
            say("220 mx1.example ESMTP\r\n");
            let (mut line, mut text) = (String::new(), false);
            while heard.read_line(&mut line).unwrap_or(0) > 0 {
                let _ = tell.send(line.trim_end().to_owned());
                let end = line == ".\r\n";
                let answer = match line.get(..4).unwrap_or_default() {
                    _ if text && !end => "",
                    _ if text => "250 2.0.0 Ok: queued as 4WQ7\r\n",
                    "EHLO" => "250-mx1.example\r\n250 AUTH PLAIN\r\n",
                    "AUTH" => login,
                    "DATA" => "354 go\r\n",
                    "QUIT" => "221 bye\r\n",
                    _ => "250 ok\r\n",
                };
                text = if text { !end } else { answer.starts_with("354") };
                say(answer);
                line.clear();
            }
        }
    });
    (port, told)
}

const IN: &str = "235 2.7.0 welcome\r\n";

/// What a login sends of this password.
fn plain(password: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(format!("\0panel\0{password}"))
}

/// The form's fields for mail by a server on this machine.
fn by_server<'a>(port: &'a str, password: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("transport", "smtp"),
        ("host", "127.0.0.1"),
        ("port", port),
        ("encryption", "none"),
        ("username", "panel"),
        ("password", password),
        ("from", "accounts@panel.example"),
    ]
}

const FOLDER: [(&str, &str); 3] =
    [("transport", "folder"), ("encryption", "starttls"), ("from", "accounts@panel.example")];

#[test]
fn only_who_reaches_everybody_sees_and_sets_how_mail_goes() {
    let stage = Stage::new();
    let page = stage.page(&owner());
    let nobody = Caller::new(Actor::Anonymous, Reach::none());
    let key = Caller::new(Actor::ServiceKey("whmcs".to_owned()), owner().reach);
    let reseller = signed_in("customer:7", Scope::Own, Scope::None);
    for other in [&administrator(), &reseller, &nobody, &key] {
        let drawn = operators(&stage.host, ("email-settings", &[]), &surface(other));
        assert!(matches!(drawn, Err(CallError::Denied { .. })), "{:?}", other.actor);
        let set = stage.host.set_mail(other, Chosen::default(), None);
        assert!(set.is_err() && !stage.host.reaches_everybody(other), "{:?}", other.actor);
    }
    // The caller had access when the page was drawn.
    let mut demoted = owner();
    demoted.reach = administrator().reach;
    let sent = stage.send(&demoted, &page, &FOLDER);
    assert!(matches!(sent, Err(SubmitError::Call(CallError::Denied { .. }))));
    assert_eq!(stage.chosen(), Chosen::default());
    assert!(stage.host.reaches_everybody(&Caller::new(Actor::Console, Reach::none())));
}

#[test]
fn what_is_saved_holds_at_once_is_written_down_and_is_sealed() {
    let stage = Stage::new();
    assert_eq!(stage.way(), None);
    let mut fields = by_server("2525", PASSWORD);
    fields.push(("reply-to", "help@panel.example"));
    let said = stage.saved(stage.fill(&owner(), &fields));
    assert!(said.contains("Email settings saved") && said.contains("Email is now sent"), "{said}");
    assert_eq!(stage.way().as_deref(), Some("127.0.0.1:2525"));
    let outcome = "changed: mail.transport mail.smtp.host mail.smtp.port mail.smtp.encryption mail.smtp.username \
        mail.smtp.password mail.from mail.reply-to";
    assert_eq!(stage.audit(), [("email-settings".to_owned(), outcome.to_owned())]);
    let page = stage.page(&owner());
    assert!(page.contains("value=\"127.0.0.1\"") && page.contains("value=\"accounts@panel.example\""), "{page}");
    assert!(page.contains("A password was stored: today") && !page.contains(PASSWORD), "{page}");
    assert!(!page.contains(">settings-"), "a word is missing: {page}");
    let mut spanish = owner();
    spanish.locale = "es".to_owned();
    assert!(
        !stage.page(&spanish).contains(">settings-") && stage.page(&spanish).contains("Hay una contraseña guardada")
    );
    // All of it: the file has no log.
    let bytes = std::fs::read(stage.folder.path().join("panel.db")).expect("read");
    for secret in [PASSWORD, "127.0.0.1", "help@panel.example"] {
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret} in it");
    }
    assert!(
        stage.saved(stage.fill(&owner(), &[("transport", "off"), ("encryption", "starttls")])).contains("No email")
    );
    assert_eq!(stage.way(), None);
}

#[test]
fn a_stored_password_stays_where_its_field_is_left_empty_and_the_login_can_be_removed() {
    let stage = Stage::with_server(2525);
    let mut fields = by_server("2525", "");
    fields.retain(|(name, _)| *name != "from");
    fields.push(("from", "other@panel.example"));
    stage.saved(stage.fill(&owner(), &fields));
    assert_eq!(stage.audit().last().expect("one").1, "changed: mail.from");
    let setup = stage.host.mail_setup().expect("read");
    assert_eq!(setup.value("mail.smtp.password").as_deref(), Some("••••"));
    fields.push(("forget", "1"));
    stage.saved(stage.fill(&owner(), &fields));
    let server = stage.chosen().server.expect("it stays");
    assert_eq!((server.username, server.password_at), (None, None));
    assert_eq!(stage.audit().last().expect("one").1, "changed: mail.smtp.username mail.smtp.password");
    let panel = rusqlite::Connection::open(stage.folder.path().join("panel.db")).expect("opened");
    let secret = panel.query_row("SELECT secret IS NULL FROM keyturnhost_settings", [], |row| row.get::<_, bool>(0));
    assert!(secret.expect("a row"), "nothing of it is left");
}

#[test]
fn a_stored_password_goes_to_no_other_server_neither_in_a_test_nor_by_a_change_that_is_saved() {
    let thief = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    thief.set_nonblocking(true).expect("set");
    let elsewhere = thief.local_addr().expect("an address").port().to_string();
    let (port, heard) = server(IN, 1);
    let stage = Stage::with_server(port);
    let own = port.to_string();
    let before = stage.chosen();
    for (name, value) in
        [("host", "localhost"), ("port", elsewhere.as_str()), ("encryption", "starttls"), ("username", "other")]
    {
        for test in [true, false] {
            let mut fields = by_server(&own, "");
            fields.retain(|(field, _)| *field != name);
            fields.push((name, value));
            if test {
                fields.extend([("to", "ops@panel.example"), ("kt-also", "test")]);
            }
            let corrections = again(stage.fill(&owner(), &fields));
            let [wrong] = corrections.errors.as_slice() else { panic!("{name}: {corrections:?}") };
            assert!(wrong.field == "password" && wrong.message.contains("for another server"), "{name}: {wrong:?}");
        }
    }
    assert_eq!(thief.accept().expect_err("nobody came").kind(), std::io::ErrorKind::WouldBlock);
    assert_eq!(stage.chosen(), before);
    // To its own it goes.
    let mut fields = by_server(&own, "");
    fields.extend([("to", "ops@panel.example"), ("kt-also", "test")]);
    let page = stage.tested(stage.fill(&owner(), &fields));
    assert!(page.contains("Test email accepted by 127.0.0.1"), "{page}");
    assert!(page.contains("These are the saved settings."), "{page}");
    assert!(heard.iter().any(|line| line.contains(&plain(PASSWORD))));
}

#[test]
fn a_row_put_together_from_two_writings_sends_no_password_anywhere() {
    let stage = Stage::with_server(2525);
    let panel = rusqlite::Connection::open(stage.folder.path().join("panel.db")).expect("opened");
    panel.busy_timeout(std::time::Duration::from_secs(5)).expect("set");
    panel.execute_batch("CREATE TABLE old AS SELECT * FROM keyturnhost_settings").expect("copied");
    let mut fields = by_server("2526", "another password 7");
    fields[1] = ("host", "localhost");
    stage.saved(stage.fill(&owner(), &fields));
    panel
        .execute_batch("UPDATE keyturnhost_settings SET value = (SELECT value FROM old)")
        .expect("the old server, with the new password");
    let setup = stage.host.mail_setup().expect("read");
    assert_eq!((setup.value("mail.smtp.port").as_deref(), setup.value("mail.smtp.password")), (Some("2525"), None));
    assert!(setup.transport(None).is_err());
    panel.execute_batch("UPDATE keyturnhost_settings SET value = x'00'").expect("forged");
    assert!(stage.host.mail_setup().is_err());
}

#[test]
fn a_test_shows_each_step_says_what_to_change_and_saves_nothing() {
    let (port, heard) = server("535 5.7.8 no, not <b>hush-hush-52</b>\r\n", 1);
    let stage = Stage::new();
    let port = port.to_string();
    let mut fields = by_server(&port, PASSWORD);
    fields.extend([("to", "ops@panel.example"), ("kt-also", "test")]);
    let page = stage.tested(stage.fill(&owner(), &fields));
    for part in [
        &format!("Test failed at 127.0.0.1:{port}: Login"),
        "Check User name and Password.",
        "These settings are not saved yet.",
        "220 mx1.example ESMTP",
        "535 5.7.8 no, not &lt;b&gt;••••&lt;/b&gt;",
        "It is not kept from the test.",
        "value=\"ops@panel.example\"",
        &format!("value=\"{port}\""),
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains(PASSWORD), "{page}");
    assert!(heard.iter().any(|line| line.contains(&plain(PASSWORD))), "what stands in the form was tried");
    assert_eq!((stage.chosen(), stage.way()), (Chosen::default(), None));
    assert_eq!(stage.audit(), [("test-mail".to_owned(), format!("delayed: login at 127.0.0.1:{port}"))]);
    // The page that shows it can be saved as it stands.
    let (port, heard) = server(IN, 1);
    let port = port.to_string();
    let mut fields = by_server(&port, PASSWORD);
    fields.extend([("to", "ops@panel.example"), ("kt-also", "test")]);
    let page = stage.tested(stage.fill(&owner(), &fields));
    assert!(page.contains(&format!("Test email accepted by 127.0.0.1:{port}")), "{page}");
    assert!(page.contains("The email to ops@panel.example is on its way"), "{page}");
    let heard: Vec<String> = heard.iter().collect();
    assert!(heard.iter().any(|line| line == "RCPT TO:<ops@panel.example>"), "{heard:?}");
    stage.saved(stage.send(&owner(), &page, &by_server(&port, PASSWORD)));
    assert_eq!(stage.way(), Some(format!("127.0.0.1:{port}")));
}

#[test]
fn each_step_that_fails_has_its_sentence() {
    let closed = TcpListener::bind(("127.0.0.1", 0)).expect("a port").local_addr().expect("an address").port();
    let (clear, _heard) = server(IN, 1);
    for (host, port, encryption, step, advice) in [
        ("nobody.invalid", 25, "starttls", "Look-up", "Check Host."),
        ("127.0.0.1", closed, "none", "Connection", "Check Host, Port and Encryption"),
        ("127.0.0.1", clear, "starttls", "Encryption", "the name in the server"),
    ] {
        let stage = Stage::new();
        let port = port.to_string();
        let fields = [
            ("transport", "smtp"),
            ("host", host),
            ("port", &port),
            ("encryption", encryption),
            ("from", "accounts@panel.example"),
            ("to", "ops@panel.example"),
            ("kt-also", "test"),
        ];
        let page = stage.tested(stage.fill(&owner(), &fields));
        assert!(page.contains(&format!("Test failed at {host}:{port}: {step}")), "{page}");
        assert!(page.contains(advice), "{step}: {page}");
    }
}

/// Labels and values of what the page shows as the file has it.
fn shown(page: &str) -> Vec<(&str, &str)> {
    let fields = page.split("<p class=\"kt-label\">").skip(1);
    fields
        .filter_map(|field| {
            let (label, rest) = field.split_once("</p>")?;
            Some((label, rest.split_once("<bdi>")?.1.split_once("</bdi>")?.0))
        })
        .collect()
}

#[test]
fn a_group_that_the_file_begins_is_all_shown_with_its_line_and_none_of_it_can_be_sent() {
    let text = "transport = 'smtp'\nfrom = 'file@panel.example'\n[smtp]\nhost = 'smtp.panel.example'\n\
        username = 'panel'\npassword-file = 'p'";
    let stage = Stage::on(text, Some("https://panel.example"));
    let page = stage.page(&owner());
    let expected = [
        ("Send email", "Through a mail server (SMTP)"),
        ("Host", "smtp.panel.example"),
        ("Port", "587"),
        ("Encryption", "STARTTLS"),
        ("User name", "panel"),
        ("Password", "••••"),
        ("From", "file@panel.example"),
        ("Replies go to", "—"),
        ("Links lead to", "https://panel.example"),
    ];
    assert_eq!(shown(&page), expected);
    for line in [24, 21, 7] {
        assert!(page.contains(&format!("Set in keyturn.toml, line {line}.")), "{line}: {page}");
    }
    assert!(!page.contains(">Save</button>") && page.contains("Send test email"), "{page}");
    for name in ["transport", "from", "reply-to", "host", "port", "username", "password", "link-origin", "forget"] {
        assert!(!page.contains(&format!("name=\"{name}\"")), "{name}: {page}");
        let sent = stage.fill(&owner(), &[(name, "thief.example")]);
        assert!(matches!(sent, Err(SubmitError::Form(FormError::Malformed(_)))), "{name}");
    }
    assert_eq!(stage.audit(), []);
}

#[test]
fn what_the_file_leaves_is_set_and_what_was_set_before_stays_for_when_the_file_says_nothing() {
    let stage = Stage::with_server(2525);
    let before = stage.chosen();
    let text = "transport = 'smtp'\n[smtp]\nhost = 'smtp.panel.example'\nusername = 'panel'\npassword-file = 'p'";
    let stage = stage.again(text, None);
    let setup = stage.host.mail_setup().expect("read");
    assert!(setup.mail.smtp.as_ref().is_some_and(|smtp| smtp.host == "smtp.panel.example"));
    assert_eq!(setup.password, None, "the page's password is for the page's server");
    std::fs::write(stage.folder.path().join("p"), "another").expect("written");
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(stage.folder.path().join("p"), private).expect("mode");
    let fields = [("from", "other@panel.example"), ("link-origin", "https://panel.example")];
    stage.saved(stage.fill(&owner(), &fields));
    let outcome = "changed: mail.from brand.link-origin".to_owned();
    assert_eq!(stage.audit().last().expect("one"), &("email-settings".to_owned(), outcome));
    assert_eq!(stage.way().as_deref(), Some("smtp.panel.example:587"));
    assert_eq!(stage.chosen().server, before.server);
    // Taken out of the file: the page's server again, with its password.
    let stage = stage.again("", None);
    let setup = stage.host.mail_setup().expect("read");
    assert_eq!(setup.password.as_ref().map(|password| password.as_str()), Some(PASSWORD));
    assert_eq!(stage.way().as_deref(), Some("127.0.0.1:2525"));
}

#[test]
fn what_an_older_program_has_stored_goes_on() {
    let stage = Stage::new();
    let written = br#"{"transport":"smtp","server":{"host":"127.0.0.1","port":2525,"encryption":"none",
        "username":"panel","password-at":1795525331000},"from":"accounts@panel.example","reply-to":null,
        "link-origin":"https://page.example"}"#;
    let secret = NewSecret::Set { purpose: "127.0.0.1 2525 none panel".to_owned(), secret: PASSWORD.to_owned().into() };
    let audit = AuditEntry::of(&owner(), now(), OWN, "email-settings", "changed".to_owned());
    stage.host.storage.set_settings("mail", None, written, secret, audit).expect("stored");
    let setup = stage.host.mail_setup().expect("read");
    assert_eq!(setup.problems(), []);
    assert_eq!(setup.password.as_ref().map(|password| password.as_str()), Some(PASSWORD));
    let server = ChosenServer {
        host: "127.0.0.1".to_owned(),
        port: Some(2525),
        encryption: Encryption::None,
        username: Some("panel".to_owned()),
        password_at: Some(1_795_525_331_000),
    };
    let chosen = Chosen {
        transport: Some(Way::Smtp),
        server: Some(server),
        from: Some("accounts@panel.example".to_owned()),
        reply_to: None,
        link_origin: Some("https://page.example".to_owned()),
    };
    assert_eq!(setup.chosen, chosen);
    // Saved again with another sender, it keeps its password, and since when.
    let chosen = Chosen { from: Some("other@panel.example".to_owned()), ..chosen };
    assert_eq!(stage.host.set_mail(&owner(), chosen.clone(), None).expect("set"), ["mail.from"]);
    assert_eq!(stage.chosen(), chosen);
    assert_eq!(stage.way().as_deref(), Some("127.0.0.1:2525"));
}

#[test]
fn what_is_wrong_is_said_at_its_field_and_what_was_typed_stays_but_for_the_password() {
    let stage = Stage::on("", None);
    let good = {
        let mut fields = by_server("2525", PASSWORD);
        fields.push(("link-origin", "https://panel.example"));
        fields
    };
    for (name, value, word) in [
        ("host", "", "Fill in “Host”"),
        ("host", "smtp example", "host name"),
        ("host", "smtp.exämple", "host name"),
        ("port", "0", "port"),
        ("port", "70000", "port"),
        ("username", "", "Fill in “User name”"),
        ("from", "", "Fill in “From”"),
        ("from", "nobody", "email address"),
        ("from", "a@b.example\r\nBcc: x@y.example", "can't be used"),
        ("reply-to", "a@b..example", "email address"),
        ("reply-to", "mar ta@b.example", "email address"),
        ("link-origin", "", "Fill in “Links lead to”"),
        ("link-origin", "http://panel.example", "Use http for this machine only"),
        ("link-origin", "https://panel.example/path", "without a path"),
        ("link-origin", "https://thief@panel.example", "web address"),
        ("link-origin", "javascript:alert(1)", "web address"),
        ("transport", "pigeon", "one of the options"),
        ("transport", "folder", "one of the options"),
    ] {
        let mut fields = good.clone();
        fields.retain(|(field, _)| *field != name);
        fields.push((name, value));
        let corrections = again(stage.fill(&owner(), &fields));
        let [wrong] = corrections.errors.as_slice() else { panic!("{name} {value}: {corrections:?}") };
        assert!(wrong.field == name && wrong.message.contains(word), "{name} {value}: {wrong:?}");
        let page = stage.page_with(&owner(), Some(&corrections));
        assert!(page.contains("kt-summary") && page.contains(&wrong.message.replace('\'', "&#39;")), "{page}");
        assert!(page.contains("value=\"panel\"") || name == "username", "{page}");
        assert!(!page.contains(PASSWORD), "{page}");
    }
    let mut clear = good.clone();
    clear[1] = ("host", "smtp.panel.example");
    let corrections = again(stage.fill(&owner(), &clear));
    assert_eq!(corrections.errors[0].field, "encryption");
    let mut none = good.clone();
    none[5] = ("password", "");
    assert_eq!(again(stage.fill(&owner(), &none)).errors[0].field, "password");
    let mut button = good.clone();
    button.push(("kt-also", "delete"));
    assert!(matches!(stage.fill(&owner(), &button), Err(SubmitError::Form(FormError::Malformed(_)))), "no such button");
    for (to, field, transport) in [("", "to", "smtp"), ("nobody", "to", "smtp"), ("a@b.example", "transport", "off")] {
        let mut test = good.clone();
        test[0] = ("transport", transport);
        test.extend([("to", to), ("kt-also", "test")]);
        assert_eq!(again(stage.fill(&owner(), &test)).errors[0].field, field);
    }
    assert_eq!((stage.chosen(), stage.audit()), (Chosen::default(), Vec::new()));
    // The address of a test keeps nobody from saving.
    let mut save = good;
    save.push(("to", "nobody"));
    stage.saved(stage.fill(&owner(), &save));
    assert_eq!(stage.host.origin(), "https://panel.example");
}

#[test]
fn who_has_not_proved_himself_of_late_does_so_first_and_then_it_is_done() {
    let stage = Stage::new();
    let mut late = owner();
    late.verified_at = Some(now() - 16 * 60 * 1000);
    let mut test = FOLDER.to_vec();
    test.extend([("to", "ops@panel.example"), ("kt-also", "test")]);
    for (fields, tests) in [(test.as_slice(), true), (&FOLDER, false)] {
        let Ok(Submitted::StepUp(held)) = stage.fill(&late, fields) else { panic!("not asked") };
        assert_eq!((stage.chosen(), stage.audit().len()), (Chosen::default(), usize::from(!tests)));
        let mut other = signed_in("staff:3", Scope::All, Scope::All);
        assert!(stage.host.held(&other, &held).is_err());
        other = owner();
        other.session = "another".to_owned();
        assert!(stage.host.held(&other, &held).is_err());
        let body = stage.host.held(&owner(), &held).expect("his");
        assert!(stage.host.read_form(&owner(), &body).is_ok_and(|form| form.plugin() == keyturn_core::caller::OWN));
        match (operate(&stage.host, &body, &surface(&owner())), tests) {
            (Ok(Submitted::Reveal(page)), true) => assert!(page.html.as_str().contains("Test email accepted")),
            (Ok(Submitted::Done { .. }), false) => {}
            _ => panic!("not done"),
        }
    }
    assert_eq!(stage.way().as_deref(), Some("folder sent"));
}

#[test]
fn of_two_who_change_it_at_once_the_second_is_told_and_a_second_press_changes_nothing() {
    let stage = Stage::new();
    let first = stage.page(&owner());
    let other = signed_in("staff:3", Scope::All, Scope::All);
    let second = stage.page(&other);
    stage.saved(stage.send(&owner(), &first, &FOLDER));
    stage.saved(stage.send(&owner(), &first, &FOLDER));
    assert_eq!(stage.audit().len(), 1);
    let mut fields = FOLDER.to_vec();
    fields[2] = ("from", "other@panel.example");
    let corrections = again(stage.send(&other, &second, &fields));
    assert!(corrections.message.as_deref().is_some_and(|said| said.contains("Somebody else has changed")));
    assert_eq!(stage.chosen().from.as_deref(), Some("accounts@panel.example"));
    let page = stage.page_with(&other, Some(&corrections));
    assert!(page.contains("value=\"other@panel.example\""), "{page}");
    stage.saved(stage.send(&other, &page, &fields));
    assert_eq!(stage.chosen().from.as_deref(), Some("other@panel.example"));
}

#[test]
fn a_person_sends_only_so_many_test_mails() {
    let stage = Stage::new();
    let mut test = FOLDER.to_vec();
    test.extend([("to", "ops@panel.example"), ("kt-also", "test")]);
    for _ in 0..TRIALS_EACH {
        stage.tested(stage.fill(&owner(), &test));
    }
    let corrections = again(stage.fill(&owner(), &test));
    assert!(corrections.message.as_deref().is_some_and(|said| said.contains("Wait 10 minutes")), "{corrections:?}");
    let sent = || {
        let files = std::fs::read_dir(stage.folder.path().join("sent")).expect("made").flatten();
        files.filter(|file| file.path().extension().is_some_and(|kind| kind == "eml")).count() as u64
    };
    assert_eq!(sent(), TRIALS_EACH);
    let others: Vec<Caller> = (3..6).map(|n| signed_in(&format!("staff:{n}"), Scope::All, Scope::All)).collect();
    for other in others.iter().cycle().take(20) {
        stage.tested(stage.fill(other, &test));
    }
    again(stage.fill(&others[0], &test));
    assert_eq!(sent(), TRIALS_ALL, "all together");
}

#[test]
fn an_address_that_was_set_on_the_page_makes_no_inbox() {
    for (origin, there) in [(Some("http://127.0.0.1:8080"), true), (None, false)] {
        let stage = Stage::on("folder = { path = 'sent' }", origin);
        let mut fields = FOLDER.to_vec();
        if origin.is_none() {
            fields.push(("link-origin", "http://127.0.0.1:8080"));
        }
        stage.saved(stage.fill(&owner(), &fields));
        assert_eq!((stage.host.origin().as_str(), stage.host.has_inbox()), ("http://127.0.0.1:8080", there));
    }
}
