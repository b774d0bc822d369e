//! `keyturn outbox` on mails that were brought to their states by hand.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use keyturn_host::config::Config;
use keyturn_host::mail::template::{Block, Kind, Template, Text, Value as Variable};
use keyturn_host::mail::transport::{Attempt, Step, StepKind, Verdict};
use keyturn_host::storage::outbox::{Kept, MailId, MailState, NewMail, Recipient, Settled};
use keyturn_host::storage::{Commit, Effect};
use serde_json::Value;

use super::{done, err, keyturn, out};

const SECRET: &str = "tavo-meki-rusa-dole-94";

struct Panel {
    folder: tempfile::TempDir,
    config: PathBuf,
}

fn panel() -> Panel {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("plugins.d")).expect("made");
    let config = folder.path().join("keyturn.toml");
    let text = "[brand]\nname = \"Northwind\"\ncontact = \"help\"\nlink-origin = \"https://panel.example\"\n\
        [database]\nsqlite = \"panel.db\"\n\
        [accounts.customer]\ntable = \"people\"\nid = \"id\"\nlogin = \"login\"\nemail = \"email\"\nhash = \"hash\"\n";
    std::fs::write(&config, text).expect("written");
    let panel = Panel { folder, config };
    panel.sql(
        "CREATE TABLE people (id INTEGER PRIMARY KEY, login TEXT, email TEXT, hash TEXT);
         INSERT INTO people VALUES (1, 'marta', 'marta@vidal.example', NULL), (2, 'omar', 'omar@sawt.example', NULL);",
    );
    panel
}

impl Panel {
    fn sql(&self, text: &str) {
        let database = rusqlite::Connection::open(self.folder.path().join("panel.db")).expect("opens");
        database.execute_batch(text).expect("rows");
    }

    /// A mail to this customer; one that is not queued was tried once and answered so.
    fn mail(&self, customer: &str, state: MailState, said: &str) -> String {
        let (storage, keys) = Config::read(&self.config).expect("reads").beside_server().storage().expect("opens");
        let text = Text {
            subject: "Your temporary password".to_owned(),
            preheader: "It ends soon.".to_owned(),
            body: vec![Block::Secret("password".to_owned())],
        };
        let template = Template {
            variables: [("password".to_owned(), Kind::Secret)].into(),
            texts: [("en".to_owned(), text)].into(),
        };
        let now = jiff::Timestamp::now().as_millisecond();
        let id = MailId::random();
        let mail = NewMail {
            id: id.clone(),
            to: Recipient::Account(customer.parse().expect("an account")),
            template: Arc::new(Kept::new(&keys, "temporary", &template)),
            variables: vec![("password".to_owned(), Variable::Secret(SECRET.to_owned().into()))],
            expires: now + 3_600_000,
            per_minute: 100,
            origin: None,
            message_id: format!("{id}@panel.example"),
            address: None,
        };
        let commit = Commit::bare("p", now, vec![Effect::Send(Box::new(mail))]);
        storage.commit(commit).expect("queued");
        if state != MailState::Queued {
            let leased = storage.lease_mail(1, 60_000, None).expect("leased").pop().expect("the mail");
            let step = Step { kind: StepKind::Handover, took: Duration::from_millis(12), said: said.to_owned() };
            let attempt = Attempt { steps: vec![step], verdict: Verdict::Refused };
            let told = Some(("mx.example:25".to_owned(), attempt));
            let settled = Settled { state, again_in: None, told, obstacle: None };
            assert!(storage.settle_mail(&leased.lease, &settled).expect("settled"));
        }
        id.to_string()
    }

    fn state(&self, id: &str) -> String {
        let shown: Value = serde_json::from_str(&done(&outbox(&self.config, &["show", id, "--json"]))).expect("JSON");
        shown["state"].as_str().expect("a state").to_owned()
    }
}

fn outbox(config: &Path, arguments: &[&str]) -> std::process::Output {
    keyturn(config, &[&["outbox"], arguments].concat(), "")
}

#[test]
fn mails_are_listed_by_state_and_shown_without_what_is_secret() {
    let panel = panel();
    assert!(err(&outbox(&panel.config, &["list"])).contains("No emails."));
    let refused = panel.mail("customer:1", MailState::Refused, "550 5.1.1 mailbox unavailable");
    let accepted = panel.mail("customer:2", MailState::Accepted, "250 2.0.0 queued");
    let all = done(&outbox(&panel.config, &["list"]));
    let at = |id: &str| all.find(id).unwrap_or_else(|| panic!("{all}"));
    assert!(all.starts_with("ID ") && at(&accepted) < at(&refused), "newest first: {all}");
    let failed = done(&outbox(&panel.config, &["list", "--state", "failed"]));
    assert!(failed.contains("550 5.1.1") && failed.contains("1 of 8") && !failed.contains(&accepted), "{failed}");
    let found = done(&outbox(&panel.config, &["list", "--to", "OMAR@sawt.example", "--json"]));
    let found: Value = serde_json::from_str(&found).expect("JSON");
    assert_eq!((found[0]["id"].as_str(), found[1].as_str()), (Some(accepted.as_str()), None));
    let shown = done(&outbox(&panel.config, &["show", &refused]));
    for part in ["customer:1 (marta@vidal.example)", "handover", "550 5.1.1", "Your temporary password", "••••"]
    {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let json = done(&outbox(&panel.config, &["show", &refused, "--json"]));
    assert!(!shown.contains(SECRET) && !json.contains(SECRET) && !all.contains(SECRET));
}

#[test]
fn failed_mails_are_retried_and_one_whose_address_moved_only_when_that_is_meant() {
    let panel = panel();
    let still = panel.mail("customer:1", MailState::Refused, "550 no");
    let moved = panel.mail("customer:2", MailState::GaveUp, "451 later");
    panel.sql("UPDATE people SET email = 'omar@new.example' WHERE id = 2");
    let output = outbox(&panel.config, &["retry", "--failed"]);
    assert_eq!((output.status.code(), out(&output).as_str()), (Some(3), "1 of 2 retried.\n"), "{}", err(&output));
    assert!(err(&output).contains(&format!("keyturn outbox retry {moved} --although-moved")), "{}", err(&output));
    assert_eq!((panel.state(&still).as_str(), panel.state(&moved).as_str()), ("queued", "gave-up"));
    assert_eq!(outbox(&panel.config, &["retry", &moved]).status.code(), Some(5));
    done(&outbox(&panel.config, &["retry", &moved, "--although-moved"]));
    assert_eq!(panel.state(&moved), "queued");
    assert!(err(&outbox(&panel.config, &["retry", "--failed"])).contains("There is no failed email to retry"));
}

#[test]
fn a_withdrawn_mail_is_gone_and_wrong_ids_do_nothing() {
    let panel = panel();
    let mail = panel.mail("customer:1", MailState::Queued, "");
    let strange = "0".repeat(32);
    let output = outbox(&panel.config, &["withdraw", &mail, &strange]);
    assert_eq!((output.status.code(), panel.state(&mail).as_str()), (Some(4), "queued"), "{}", err(&output));
    assert_eq!(outbox(&panel.config, &["show", &strange]).status.code(), Some(4));
    assert_eq!(outbox(&panel.config, &["retry"]).status.code(), Some(2));
    assert_eq!(done(&outbox(&panel.config, &["withdraw", &mail])), "1 of 1 withdrawn.\n");
    assert_eq!(panel.state(&mail), "withdrawn");
    assert_eq!(outbox(&panel.config, &["withdraw", &mail]).status.code(), Some(1));
    assert_eq!(outbox(&panel.config, &["retry", &mail]).status.code(), Some(1));
    let audit = done(&keyturn(&panel.config, &["audit", "list"], ""));
    assert!(audit.contains("outbox-withdraw") && audit.contains("console"), "{audit}");
}
