//! The example panel's own commands: customers of another panel are brought along, and listed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use keyturn_host::accounts::Reach;
use keyturn_host::caller::{Actor, Caller};
use keyturn_host::config::Config;
use keyturn_tests::demo_folder;
use keyturn_words::Language;
use rusqlite::Connection;
use serde_json::{Value, json};

/// `password_hash('copper lantern oats', PASSWORD_BCRYPT)` of PHP 8.2.
const BCRYPT: &str = "$2y$10$y6FzoWPtPkdODGAWVfedv.aZ5xEUxszPVOt2sKqBf7Wix7V306Lfq";
const BCRYPT_OF: &str = "copper lantern oats";
/// `password_hash('correct horse battery staple', PASSWORD_ARGON2ID)`.
const ARGON2ID: &str =
    "$argon2id$v=19$m=65536,t=4,p=1$U1VRUkNUSWtjM2RPM3IzZQ$giM1QvuDmhEdG/aXJy1+EGyyzuqrLZGz9KW2KwR6HHo";
const ARGON2ID_OF: &str = "correct horse battery staple";

struct Panel {
    folder: tempfile::TempDir,
    config: PathBuf,
}

impl Panel {
    /// With a reseller and an administrator.
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let config = demo_folder(folder.path(), "http://127.0.0.1:1");
        let panel = Self { folder, config };
        assert!(panel.run(&["list"]).status.success(), "makes the panel's tables");
        let people = "INSERT INTO people (id, kind, login, email, name, created_at, updated_at) VALUES
            (1, 'reseller', 'Costa', 'post@costa.example', 'Costa Media', '', ''),
            (2, 'administrator', 'ana', 'ana@northwind.example', 'Ana', '', '')";
        panel.database().execute_batch(people).expect("rows");
        panel
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keyturn-example-panel"));
        command.env("KEYTURN_CONFIG", &self.config).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the panel starts")
    }

    fn file(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        path.to_str().expect("UTF-8").to_owned()
    }

    fn import(&self, text: impl AsRef<[u8]>) -> Output {
        self.run(&["import", &self.file("customers.csv", text)])
    }

    fn database(&self) -> Connection {
        let database = Connection::open(self.folder.path().join("panel.db")).expect("opens");
        database.busy_timeout(Duration::from_secs(10)).expect("set");
        database
    }

    fn customers(&self) -> i64 {
        let sql = "SELECT count(*) FROM people WHERE kind = 'customer'";
        self.database().query_row(sql, [], |row| row.get(0)).expect("counted")
    }

    fn customer(&self, login: &str) -> BTreeMap<String, Option<String>> {
        let sql = "SELECT json_object('email', email, 'name', name, 'locale', locale, 'state', state, \
             'reseller', CAST(reseller_id AS TEXT), 'hash', password_hash) FROM people WHERE login = ?1";
        let json: String = self.database().query_row(sql, [login], |row| row.get(0)).expect("there");
        serde_json::from_str(&json).expect("JSON")
    }

    fn verdict(&self, login: &str, password: &str) -> Value {
        let host = Config::read(&self.config).and_then(|config| config.beside_server().host()).expect("a host");
        let typed = json!({"login_or_email": login, "password": password});
        let nobody = Caller::new(Actor::Anonymous, Reach::none());
        host.call(&nobody, "password/verify", &typed, None).expect("answers")["kind"].clone()
    }
}

#[track_caller]
fn ended(output: &Output, code: i32) -> String {
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{said}{errors}");
    said.into_owned()
}

/// The same without what differs from run to run.
fn without_time(said: &str) -> String {
    let (before, rest) = said.split_once(" in ").expect("a time");
    let (_, after) = rest.split_once(" s.").expect("seconds");
    format!("{before}.{after}")
}

#[test]
fn customers_are_brought_along_and_sign_in_with_the_passwords_they_have() {
    let panel = Panel::new();
    let said = ended(
        &panel.import(format!(
            "\u{feff}Login,email,name,password,state,reseller,language\r\n\
             marta.vidal,marta@vidal.example,\"Vidal, Marta\",{BCRYPT},,costa,es-MX\r\n\
             \r\n\
             omar,,عمر الحداد,\"{ARGON2ID}\",active,,\r\n\
             late,late@x.example,Late,,suspended,,en\r\n"
        )),
        0,
    );
    assert_eq!(without_time(&said), "Imported 3 of 3 rows.\n");
    let row = |login: &str| panel.customer(login).into_values().map(Option::unwrap_or_default).collect::<Vec<_>>();
    assert_eq!(row("marta.vidal"), ["marta@vidal.example", BCRYPT, "es", "Vidal, Marta", "1", "active"]);
    assert_eq!(row("omar"), ["", ARGON2ID, "en", "عمر الحداد", "", "active"]);
    assert_eq!(row("late"), ["late@x.example", "", "en", "Late", "", "suspended"]);
    assert_eq!(panel.verdict("MARTA@vidal.example", BCRYPT_OF), "accepted");
    assert_eq!(panel.verdict("omar", ARGON2ID_OF), "accepted");
    assert_eq!(panel.verdict("omar", BCRYPT_OF), "rejected");
    assert!(
        panel.customer("marta.vidal")["hash"].as_ref().is_some_and(|hash| hash.starts_with("$argon2id$v=19$m=19456"))
    );
}

#[test]
fn bad_rows_are_told_by_line_field_and_reason_and_the_others_are_in() {
    let panel = Panel::new();
    let short = &BCRYPT[..59];
    let file = format!(
        "login,email,name,password,reseller,state,language\n\
         one,one@x.example,One,{BCRYPT},,,\n\
         two,marta@,Two,{BCRYPT},,,\n\
         ONE,other@x.example,Three,{BCRYPT},,,\n\
         four,One@X.example,Four,{BCRYPT},,,\n\
         five,five@x.example,\"Fi\nve\",{short},,,\n\
         six,six@x.example,Six,$6$rounds=5000$salt$hash,nobody,gone,xx\n\
         seven,seven@x.example,Seven,hunter2,,,\n\
         eight,eight@x.example,Eight\n\
         ana,nine@x.example,Nine,{BCRYPT},,,\n\
         ana@northwind.example,ten@x.example,Ten,{BCRYPT},,,\n\
         ,eleven@x.example,,{BCRYPT},,,\n\
         twelve,twelve@x.example,Twelve,{BCRYPT},,,\n"
    );
    let expected = "\
Imported 2 of 12 rows. 10 rows were not imported:
  line  3  email \"marta@\"                 not an address
  line  4  login \"ONE\"                    already used by line 2
  line  5  email \"One@X.example\"          already used by line 2
  line  6  name \"Fi\u{fffd}ve\"                   has a control character, such as a line break
  line  8  reseller \"nobody\"              no reseller has this login
  line  8  state \"gone\"                   must be active or suspended
  line  8  language \"xx\"                  must be one of LANGUAGES
  line  9  password \"…\"                   the scheme isn't recognised; supported are argon2id, argon2i, argon2d, bcrypt
  line 10  row                            has 3 fields; the first line has 7
  line 11  login \"ana\"                    already used by ana
  line 12  login \"ana@northwind.example\"  already the address of ana
  line 13  login \"\"                       must be 1 to 100 characters without spaces around it
  line 13  name \"\"                        is missing
Good rows are imported. Fix the others and run it again: imported rows are skipped.
"
    .replace("LANGUAGES", &Language::ALL.map(Language::tag).join(", "));
    assert_eq!(without_time(&ended(&panel.import(&file), 3)), expected);
    assert_eq!(panel.customers(), 2);
    // Again: nobody twice, and the same rows are bad for the same reasons.
    let again = without_time(&ended(&panel.import(&file), 3));
    assert_eq!(again, expected.replacen("Imported 2 of 12 rows.", "Imported 0 of 12 rows. 2 already existed.", 1));
    let mended = file.replace("marta@,", "marta@x.example,").replace("hunter2", &format!("\"{ARGON2ID}\""));
    let said = without_time(&ended(&panel.import(mended), 3));
    assert!(said.starts_with("Imported 2 of 12 rows. 2 already existed. 8 rows were not"), "{said}");
    let all_bad = ended(&panel.import("login,email,name,password\n,,,\n"), 1);
    assert!(all_bad.ends_with("Nothing was imported. Fix the rows and run it again.\n"), "{all_bad}");
}

#[test]
fn a_hash_is_judged_by_the_plugin_and_nothing_of_it_is_shown() {
    let panel = Panel::new();
    let said = ended(
        &panel.import(format!(
            "login,email,name,password\n\
             a,,A,{}\nb,,B,$6$rounds=5000$saltsalt$secretpart\nc,,C,\"{}\"\n",
            &BCRYPT[..59],
            ARGON2ID.replace("m=65536", "m=65537"),
        )),
        1,
    );
    for line in [
        "  line 2  password \"$2y$…\"          bcrypt: hash is 59 characters, must be 60\n",
        "  line 3  password \"$6$rounds=…\"    sha512-crypt ($6$) isn't supported; supported are",
        "  line 4  password \"$argon2id$v=…\"  argon2id: m is 65537, must be at most 65536\n",
    ] {
        assert!(said.contains(line), "{line}{said}");
    }
    assert!(!said.contains("secretpart") && !said.contains(&BCRYPT[10..40]), "{said}");
}

#[test]
fn what_is_no_text_is_named_by_its_line() {
    let panel = Panel::new();
    let file = [b"login,email,name,password\na,,\xFFb,\nc,,n\0n,\nd\x1b[2J,,D,\ne,,E,\n".as_slice()].concat();
    let said = ended(&panel.import(file), 3);
    for line in [
        "  line 2  name \"\u{fffd}b\"      is not UTF-8\n",
        "  line 3  name \"n\u{fffd}n\"     has a NUL character\n",
        "  line 4  login \"d\u{fffd}[2J\"  has a control character, such as a line break\n",
    ] {
        assert!(said.contains(line), "{line}{said}");
    }
    assert!(!said.contains('\u{1b}'), "{said}");
    assert_eq!(panel.customers(), 1);
}

#[test]
fn names_are_the_same_by_the_fold_that_finds_them_at_sign_in() {
    let panel = Panel::new();
    let said = ended(
        &panel.import(format!(
            "login,email,name,password\n\
             Straße,ärger@x.example,One,{BCRYPT}\n\
             STRASSE,two@x.example,Two,\n\
             three,ÄRGER@x.example,Three,\n\
             müller,four@x.example,Four,\n\
             mu\u{308}ller,five@x.example,Five,\n\
             six,six@x.example,Six,\n\
             \u{17F}ix,seven@x.example,Seven,\n",
        )),
        3,
    );
    for line in [
        "line 3  login \"STRASSE\"          already used by line 2",
        "line 4  email \"ÄRGER@x.example\"  already used by line 2",
        "line 6  login \"mu\u{308}ller\"           already used by line 5",
        "line 8  login \"\u{17F}ix\"              already used by line 7",
    ] {
        assert!(said.contains(line), "{line}\n{said}");
    }
    assert_eq!(panel.verdict("STRAßE", BCRYPT_OF), "accepted");
    assert_eq!(panel.verdict("ÄRGER@X.example", BCRYPT_OF), "accepted");
}

#[test]
fn a_first_line_that_does_not_say_what_is_where_imports_nothing() {
    let panel = Panel::new();
    let hash = BCRYPT;
    for (file, said) in [
        (String::new(), "is empty; its first line must name the columns"),
        (
            format!("login,email,name,password,passwd\na,,A,{hash},x\n"),
            "the column “passwd”, which is unknown; known columns: login,",
        ),
        ("login,email,name\na,,A\n".to_owned(), "no column “password”"),
        (format!("login,email,name,password,Login\na,,A,{hash},a\n"), "names the column “login” twice"),
        (format!("a,a@x.example,A,{hash}\n"), "the column “a”, which is unknown"),
        (format!("login;email;name;password\na;;A;{hash}\n"), "add --separator ';'"),
    ] {
        let output = panel.import(&file);
        ended(&output, 1);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(errors.starts_with("error: ") && errors.contains(said), "{errors}");
    }
    let utf16: Vec<u8> = "\u{feff}login,email,name,password\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(String::from_utf8_lossy(&panel.import(utf16).stderr).contains("is UTF-16: save it as CSV UTF-8"));
    let semicolons = panel.file("semicolons.csv", format!("login;email;name;password\na;;A;{hash}\n"));
    ended(&panel.run(&["import", &semicolons, "--separator", ";"]), 0);
    assert_eq!(panel.customers(), 1);
}

#[test]
fn each_way_to_end_has_its_code() {
    let panel = Panel::new();
    let file = panel.file("one.csv", "login,email,name,password\none,,One,\n");
    ended(&panel.run(&["import", "/nowhere/customers.csv"]), 4);
    ended(&panel.run(&["import"]), 2);
    ended(&panel.run(&["import", &file, "--separator", "::"]), 2);
    let nowhere = panel.run(&["--config", "/nowhere/keyturn.toml", "import", &file]);
    ended(&nowhere, 6);
    assert!(
        String::from_utf8_lossy(&nowhere.stderr).contains("\n  set    --config FILE, or the variable KEYTURN_CONFIG")
    );
    assert_eq!(panel.customers(), 0);
    ended(&panel.run(&["import", &file]), 0);
}

#[test]
fn a_quote_that_is_not_closed_does_not_take_the_machines_memory() {
    let panel = Panel::new();
    let mut file = "login,email,name,password\none,,One,\ntwo,,\"Two,\n".to_owned();
    for n in 0..100_000 {
        writeln!(file, "more{n},,More than there is room for in one row,").expect("written");
    }
    let output = panel.import(&file);
    let said = ended(&output, 3);
    assert!(said.starts_with("Imported 1 of 1 row in"), "{said}");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("beyond line 3") && errors.contains("look for an unclosed quote"), "{errors}");
}

#[test]
fn a_dry_run_says_the_same_and_changes_nothing() {
    let panel = Panel::new();
    let file = panel.file(
        "customers.csv",
        format!(
            "login,email,name,password\none,one@x.example,One,{BCRYPT}\nOne,o@x.example,Two,\nthree,ONE@x.example,3,\n"
        ),
    );
    let said = ended(&panel.run(&["import", &file, "--dry-run"]), 3);
    assert_eq!(
        said,
        "Would import 1 of 3 rows. 2 rows would not be imported:\n  \
           line 3  login \"One\"            already used by line 2\n  \
           line 4  email \"ONE@x.example\"  already used by line 2\n\
         Nothing was changed.\n"
    );
    assert_eq!(panel.customers(), 0);
    ended(&panel.run(&["import", &file]), 3);
    let said = ended(&panel.run(&["import", &file, "--dry-run"]), 3);
    assert!(said.starts_with("Would import 0 of 3 rows. 1 already existed. 2 rows"), "{said}");
}

#[test]
fn one_json_document_tells_all_of_it() {
    let panel = Panel::new();
    let file = panel.file(
        "customers.csv",
        format!(
            "login,email,name,password\none,one@x.example,One,{BCRYPT}\ntwo,,Two,\"{ARGON2ID}\"\nthree,x@,3,\nfour,,4,\n"
        ),
    );
    let said = ended(&panel.run(&["import", &file, "--json"]), 3);
    let mut told: Value = serde_json::from_str(&said).expect("JSON");
    assert!(told["seconds"].take().is_number());
    let expected = json!({
        "rows": 4, "seen": 4, "imported": 3, "there": 0, "not_imported": 1,
        "schemes": {"": 1, "argon2id": 1, "bcrypt": 1}, "dry_run": false, "seconds": null, "end": "done",
        "problems": [{"line": 4, "field": "email", "value": "x@", "reason": "not an address"}],
    });
    assert_eq!(told, expected);
    let all: Value =
        serde_json::from_str(&ended(&panel.run(&["import", &file, "--json", "--dry-run"]), 3)).expect("JSON");
    assert_eq!((&all["imported"], &all["there"], &all["dry_run"]), (&json!(0), &json!(3), &json!(true)));
}

#[test]
fn customers_share_an_address_only_where_that_is_allowed_and_never_with_staff() {
    let panel = Panel::new();
    let rows =
        "login,email,name,password\none,both@x.example,One,\ntwo,both@x.example,Two,\nthree,ana@northwind.example,3,\n";
    let file = panel.file("customers.csv", rows);
    let said = ended(&panel.run(&["import", &file, "--dry-run"]), 3);
    assert!(said.contains("already used by line 2") && said.contains("already used by ana"), "{said}");
    let said = ended(&panel.run(&["import", &file, "--shared-addresses"]), 3);
    assert!(said.starts_with("Imported 2 of 3 rows") && said.contains("already used by ana"), "{said}");
}

/// Many rows, all good; their hash is the same, since only its form is looked at.
fn many(rows: usize) -> String {
    let mut file = "login,email,name,password,language\n".to_owned();
    for n in 0..rows {
        writeln!(file, "c{n},c{n}@x.example,Customer {n},{BCRYPT},es").expect("written");
    }
    file
}

#[test]
fn whoever_is_in_when_it_is_killed_is_in_whole_and_the_next_run_brings_the_others() {
    const ROWS: usize = 40_000;
    let panel = Panel::new();
    let file = panel.file("customers.csv", many(ROWS));
    let mut import = panel.command(&["import", &file]).spawn().expect("the panel starts");
    while panel.customers() < 1_000 {
        assert!(import.try_wait().expect("asked").is_none(), "it ended before it could be killed");
        std::thread::sleep(Duration::from_millis(2));
    }
    // SIGKILL.
    import.kill().expect("killed");
    import.wait().expect("it ends");
    let there = panel.customers();
    assert!((1_000..ROWS as i64).contains(&there), "{there}");
    let whole = "SELECT count(*) FROM people WHERE kind = 'customer' AND password_hash = ?1 AND locale = 'es' \
         AND email = login || '@x.example' AND name = 'Customer ' || substr(login, 2)";
    let whole = || panel.database().query_row(whole, [BCRYPT], |row| row.get::<_, i64>(0)).expect("counted");
    assert_eq!(whole(), there);
    let said: Value = serde_json::from_str(&ended(&panel.run(&["import", &file, "--json"]), 0)).expect("JSON");
    assert_eq!((said["there"].as_i64(), said["imported"].as_i64()), (Some(there), Some(ROWS as i64 - there)));
    assert_eq!(whole(), ROWS as i64);
    assert_eq!(panel.verdict("c39999", BCRYPT_OF), "accepted");
}

#[test]
fn ctrl_c_ends_it_after_whole_rows_and_it_says_how_far_it_came() {
    const ROWS: usize = 40_000;
    let panel = Panel::new();
    let file = panel.file("customers.csv", many(ROWS));
    let import = panel.command(&["import", &file]).spawn().expect("the panel starts");
    while panel.customers() < 500 {
        std::thread::sleep(Duration::from_millis(2));
    }
    let interrupted = Command::new("sh").args(["-c", &format!("kill -INT {}", import.id())]).status().expect("sh runs");
    assert!(interrupted.success());
    let said = ended(&import.wait_with_output().expect("it ends"), 130);
    let there = panel.customers();
    assert!(there < ROWS as i64, "{there}");
    let grouped =
        |n: i64| format!("{},{:03}", n / 1_000, n % 1_000).trim_start_matches("0,").trim_start_matches('0').to_owned();
    assert!(said.starts_with(&format!("Imported {} of 40,000 rows in ", grouped(there))), "{there}: {said}");
    let left = grouped(ROWS as i64 - there);
    assert!(
        said.ends_with(&format!(
            "Interrupted, with {left} rows to go. Run it again to continue: imported rows are skipped.\n"
        )),
        "{said}"
    );
}

#[test]
fn customers_are_listed_by_text_and_state() {
    let panel = Panel::new();
    let file = "login,email,name,password,reseller,state\n\
         marta.vidal,marta@vidal.example,Marta Vidal,,COSTA,\n\
         aquesada,,Adrián Quesada,,,suspended\n";
    ended(&panel.import(file), 0);
    let listed = ended(&panel.run(&["list"]), 0);
    let day = listed.lines().nth(1).and_then(|line| line.split("suspended").nth(1)).expect("a row").trim();
    assert_eq!(
        listed,
        format!(
            "USER NAME    NAME            EMAIL                STATUS     RESELLER     SINCE\n\
             aquesada     Adrián Quesada                       suspended               {day}\n\
             marta.vidal  Marta Vidal     marta@vidal.example  active     Costa Media  {day}\n"
        )
    );
    let names = |arguments: &[&str]| -> Vec<String> {
        let json = ended(&panel.run(&[&["list", "--json"], arguments].concat()), 0);
        let people: Vec<Value> = serde_json::from_str(&json).expect("JSON");
        people.iter().map(|person| person["login"].as_str().expect("a login").to_owned()).collect()
    };
    assert_eq!(names(&[]), ["aquesada", "marta.vidal"]);
    assert_eq!(names(&["ADRIAN"]), ["aquesada"]);
    assert_eq!(names(&["--state", "active"]), ["marta.vidal"]);
    assert_eq!(names(&["--state", "no-email"]), ["aquesada"]);
    assert_eq!(names(&["nobody at all"]), [""; 0]);
    let marta: Value = serde_json::from_str(&ended(&panel.run(&["list", "--json", "vidal"]), 0)).expect("JSON");
    assert_eq!((&marta[0]["reseller"], &marta[0]["state"]), (&json!("Costa Media"), &json!("active")));
}

#[test]
fn the_help_names_every_column() {
    let help = Command::new(env!("CARGO_BIN_EXE_keyturn-example-panel")).args(["import", "--help"]).output();
    let help = ended(&help.expect("the panel starts"), 0);
    for column in ["login", "email", "name", "password", "reseller", "state", "language"] {
        assert!(help.contains(&format!("\n  {column} ")), "{column}\n{help}");
    }
}
