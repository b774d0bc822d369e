//! The console's and a machine's ways to a new password, beside a server that does not embed the host. Afterwards nothing that
//! was secret on the way is found anywhere but in the mail itself, and where the console was told to print it.

use std::io::Write as _;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use keyturn_tests::canary::{Arguments, Canaries, password, unbroken};
use keyturn_tests::client::Client;
use keyturn_tests::mail_server::Aiosmtpd;
use serde_json::{Value, json};

use crate::hooks::server::{Panel, Server};

struct Console<'a> {
    panel: &'a Panel,
    canaries: Canaries,
}

impl Console<'_> {
    /// Runs a command; what it logs and answers on its standard error holds nothing that is secret.
    fn run(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = self.panel.command(arguments);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
        let _ = child.stdin.take().expect("piped").write_all(input.as_bytes());
        let output = child.wait_with_output().expect("ends");
        self.canaries.absent(&format!("what {arguments:?} says beside its answer"), &output.stderr);
        output
    }

    #[track_caller]
    fn done(&self, arguments: &[&str], input: &str) -> String {
        let output = self.run(arguments, input);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    }

    fn secret(&mut self, what: &str, secret: &str) -> String {
        self.canaries.add(what, secret).to_owned()
    }
}

#[test]
fn nothing_secret_is_left_after_the_consoles_and_a_machines_ways() {
    let watch = Arguments::watch();
    let mails = Aiosmtpd::plain();
    let mut panel = Panel::new();
    panel.level = Some("trace");
    let smtp = format!(
        "[mail]\ntransport = \"smtp\"\nfrom = \"no-reply@northwind.example\"\n[mail.smtp]\nhost = \"127.0.0.1\"\nport = {}\n\
         encryption = \"none\"\n\n[mail.folder]",
        mails.port
    );
    panel.edit("[mail]\ntransport = \"folder\"\nfrom = \"no-reply@northwind.example\"\n\n[mail.folder]", &smtp);
    let may = "password/verify,password/set-password,password/make-link,password/complete-reset,password/reset-and-mail,without-step-up";
    let token = panel.key("billing", may, &[]);
    let server = panel.serve();
    let mut console = Console { panel: &server.panel, canaries: Canaries::default() };
    console.canaries.add("a service key", token.rsplit('_').next().expect("its secret"));

    let short = console.secret("a refused password", "too short 91");
    assert_eq!(console.run(&["reset-password", "marta"], &short).status.code(), Some(5));
    let first = console.secret("a typed password", "granite pelican 92 orchard");
    console.done(&["reset-password", "marta"], &format!("{first}\n"));
    let second = console.secret("a password to a call", "velvet compass 93 harbour");
    let set = ["call", "password/set-password", r#"{"account": "customer:1", "must_change": false}"#];
    console.done(&set, &format!("{second}\n"));
    let third = console.secret("a password in a document", "lantern thistle 94 meadow");
    let document = json!({ "account": "customer:1", "new": third, "must_change": false }).to_string();
    console.done(&["call", "password/set-password", "-"], &document);
    let broken = console.secret("a password in a broken document", "lantern thistle 95 broken");
    assert_eq!(
        console.run(&["call", "password/set-password", "-"], &format!("{{\"new\": \"{broken}\"")).status.code(),
        Some(2)
    );

    let printed = console.done(&["reset-password", "marta", "--link"], "");
    choose(&mut console, &server, printed.trim(), "juniper mortar 96 sail");

    let mut machine = Client::bearing(server.address, &token);
    let wrong = console.secret("a wrong password", "walnut trolley 97 marsh");
    let verdict = machine.json("/v1/hooks/password/verify", &json!({ "login_or_email": "marta", "password": wrong }));
    assert!(verdict.body.contains("rejected"), "{}", verdict.body);
    let made = machine.json("/v1/hooks/password/make-link", &json!({ "account": "customer:1" }));
    let made: Value = serde_json::from_str(&made.body).expect("JSON");
    choose(&mut console, &server, made["link"].as_str().expect("a link"), "saffron anchor 98 cellar");

    console.done(&["call", "password/reset-and-mail", r#"{"account": "customer:1", "mode": "temporary"}"#], "");
    let until = Instant::now() + Duration::from_secs(30);
    let generated = loop {
        assert!(Instant::now() < until, "no mail with a password came");
        let mail = unbroken(&mails.text());
        if let Some(generated) = password(&mail) {
            console.canaries.add("a generated password", generated);
            assert!(!console.canaries.found(mail.as_bytes()).is_empty(), "it is found where it is");
            break generated.to_owned();
        }
    };
    let verify = json!({ "login_or_email": "marta", "password": generated }).to_string();
    let verdict = console.done(&["call", "password/verify", "-"], &verify);
    assert!(verdict.contains("must_change"), "{verdict}");
    let link = serde_json::from_str::<Value>(&verdict).expect("JSON")["value"].as_str().expect("a link").to_owned();
    choose(&mut console, &server, &link, "copper mandolin 99 fjord");

    let waiting = "SELECT count(*) FROM keyturnhost_outbox WHERE state NOT IN ('accepted', 'withdrawn')";
    while server.panel.database().query_row(waiting, [], |row| row.get::<_, i64>(0)).expect("counted") > 0 {
        assert!(Instant::now() < until, "a mail waits for ever");
        std::thread::sleep(Duration::from_millis(50));
    }
    console.canaries.absent("the audit", console.done(&["audit", "list", "--json"], "").as_bytes());
    console.canaries.absent("the outbox", console.done(&["outbox", "list", "--json"], "").as_bytes());
    let looked = console.canaries.absent_below(server.panel.folder.path(), &|_| false);
    assert!(looked >= 7 && server.log().contains("answered"), "only {looked} files were looked into");
    console.canaries.absent("arguments of a process", &watch.seen());
}

/// Chooses a password by a link, on the page that the server has for it.
fn choose(console: &mut Console<'_>, server: &Server, link: &str, new: &str) {
    let path = link.strip_prefix("http://127.0.0.1:8089").expect("the link origin");
    console.canaries.add("a link's token", path.rsplit('/').next().expect("a token"));
    console.canaries.add("a chosen password", new);
    let mut person = Client::new(server.address);
    let clean = person.get(path).header("location").expect("the clean address").to_owned();
    let page = person.get(&clean);
    let saved = person.post(&clean, &[("kt", page.hidden("kt")), ("new", new), ("new~again", new)]);
    assert_eq!(saved.status, 303, "{}", saved.body);
}
