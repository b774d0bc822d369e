//! Email settings across processes: one host sets how mail goes, another one, on the same database with storage and keys of its
//! own, works. What was set holds there without a new start, for what waits too.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use keyturn_host::Host;
use keyturn_host::accounts::Reach;
use keyturn_host::caller::{Actor, Caller};
use keyturn_host::config::Config;
use keyturn_host::mail::config::Way;
use keyturn_host::mail::setup::Chosen;
use keyturn_host::mail::template::{Block, Template, Text};
use keyturn_host::storage::outbox::{Kept, MailId, MailState, NewMail, Recipient};
use keyturn_host::storage::{Commit, Effect};
use keyturn_host::work::Shutdown;

const FILE: &str = r#"
[brand]
name = "Northwind"
contact = "help"
link-origin = "https://panel.example"
[database]
sqlite = "panel.db"
[mail.folder]
path = "sent"
[accounts.customer]
table = "people"
id = "id"
login = "login"
email = "email"
hash = "hash"
"#;

struct Panel {
    config: Config,
    folder: tempfile::TempDir,
}

impl Panel {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("keyturn.toml");
        std::fs::write(&file, FILE).expect("written");
        let database = rusqlite::Connection::open(folder.path().join("panel.db")).expect("opens");
        let people = "CREATE TABLE people (id INTEGER PRIMARY KEY, login TEXT, email TEXT, hash TEXT);
            INSERT INTO people VALUES (1, 'marta', 'marta@vidal.example', NULL);";
        database.execute_batch(people).expect("rows");
        Self { config: Config::read(&file).expect("reads").beside_server(), folder }
    }

    fn host(&self) -> Host {
        self.config.empty_host().expect("a host")
    }

    fn mail(&self) -> MailId {
        let (storage, keys) = self.config.storage().expect("opens");
        let text = Text {
            subject: "Hello".to_owned(),
            preheader: "News".to_owned(),
            body: vec![Block::Text("Hello there.".to_owned())],
        };
        let template = Template { variables: Default::default(), texts: [("en".to_owned(), text)].into() };
        let now = i64::try_from(std::time::UNIX_EPOCH.elapsed().expect("after 1970").as_millis()).expect("in range");
        let id = MailId::random();
        let mail = NewMail {
            message_id: format!("{id}@panel.example"),
            address: None,
            id: id.clone(),
            to: Recipient::Account("customer:1".parse().expect("id")),
            template: Arc::new(Kept::new(&keys, "hello", &template)),
            variables: Vec::new(),
            expires: now + 3_600_000,
            per_minute: 100,
            origin: None,
        };
        let effects = vec![Effect::Send(Box::new(mail))];
        storage.commit(Commit::bare("p", now, effects)).expect("queued");
        id
    }

    /// What the worker has written of a mail, as soon as it was accepted.
    #[track_caller]
    fn arrives(&self, id: &MailId) -> String {
        let (storage, _) = self.config.storage().expect("opens");
        let until = Instant::now() + Duration::from_secs(20);
        while Instant::now() < until {
            if storage.mail(id).expect("read").expect("there").state == MailState::Accepted {
                return written(&self.folder.path().join("sent"), id.as_str());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("{:?}", storage.mail(id));
    }
}

fn written(folder: &Path, id: &str) -> String {
    let files = std::fs::read_dir(folder).expect("made").flatten().map(|entry| entry.path());
    let of_it = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(id) && name.ends_with(".eml")
    };
    std::fs::read_to_string(files.into_iter().find(of_it).expect("its file")).expect("read")
}

fn chosen(transport: Way, from: &str) -> Chosen {
    Chosen { transport: Some(transport), from: Some(from.to_owned()), ..Chosen::default() }
}

#[test]
fn what_one_process_sets_another_ones_workers_do_without_a_new_start() {
    let panel = Panel::new();
    let (sets, works) = (panel.host(), panel.host());
    let console = Caller::new(Actor::Console, Reach::none());
    let set = |chosen| sets.set_mail(&console, chosen, None).expect("set");
    let shutdown = Shutdown::new();
    std::thread::scope(|scope| {
        scope.spawn(|| works.run_workers(&shutdown));
        let walk = std::panic::AssertUnwindSafe(|| {
            let waits = panel.mail();
            assert_eq!(set(chosen(Way::Folder, "one@panel.example")), ["mail.transport", "mail.from"]);
            assert!(panel.arrives(&waits).contains("<one@panel.example>"), "what waited goes");
            set(chosen(Way::Folder, "two@panel.example"));
            // Seen within a second; until then it may go by what was there.
            let until = Instant::now() + Duration::from_secs(20);
            while !panel.arrives(&panel.mail()).contains("<two@panel.example>") {
                assert!(Instant::now() < until, "the other process never saw it");
            }
            assert_eq!(set(chosen(Way::Folder, "two@panel.example")), [""; 0], "nothing to do");
        });
        let ended = std::panic::catch_unwind(walk);
        shutdown.stop();
        if let Err(cause) = ended {
            std::panic::resume_unwind(cause);
        }
    });
}

#[test]
fn the_command_line_sees_the_same_settings_and_makes_no_database_to_look_for_them() {
    let panel = Panel::new();
    let console = Caller::new(Actor::Console, Reach::none());
    panel.host().set_mail(&console, chosen(Way::Folder, "one@panel.example"), None).expect("set");
    let setup = panel.config.mail_setup().expect("read");
    assert_eq!((setup.way(), setup.value("mail.from").as_deref()), (Way::Folder, Some("one@panel.example")));
    let of_file = |setting| setup.fixed.fixes(setting).then(|| setup.fixed.line(setting));
    assert_eq!((of_file("mail.from"), of_file("brand.link-origin")), (None, Some(Some(5))));
    std::fs::remove_file(panel.folder.path().join("panel.db")).expect("gone");
    let empty = panel.config.mail_setup().expect("read");
    assert_eq!((empty.way(), panel.folder.path().join("panel.db").exists()), (Way::Off, false));
}

#[test]
fn what_is_wrong_on_the_page_keeps_nobody_from_the_page_and_what_is_wrong_in_the_file_stops_the_start() {
    let panel = Panel::new();
    let console = Caller::new(Actor::Console, Reach::none());
    panel.host().set_mail(&console, chosen(Way::Folder, "one@panel.example"), None).expect("set");
    let file = panel.folder.path().join("keyturn.toml");
    std::fs::write(&file, FILE.replace("[mail.folder]\npath = \"sent\"\n", "")).expect("written");
    let host = Config::read(&file).expect("reads").beside_server().empty_host().expect("it starts");
    let (setting, problem) = host.mail_problem().expect("one");
    assert_eq!((setting, problem.contains("keyturn.toml")), ("mail.folder", true), "{problem}");
    let smtp =
        "[mail.smtp]\nhost = \"h\"\nusername = \"u\"\npassword-file = \"nowhere\"\n[mail]\ntransport = \"smtp\"\n";
    std::fs::write(&file, format!("{FILE}{smtp}")).expect("written");
    let refused = Config::read(&file).expect("reads").beside_server().empty_host().err().expect("refused").to_string();
    assert!(refused.contains("mail.smtp.password-file names"), "{refused}");
}
