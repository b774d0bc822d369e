//! Names and addresses in all their spellings.

use std::cell::RefCell;

use keyturn_accounts::Severity;
use keyturn_store::database::{Connection, Each, ValueRef};
use keyturn_store::{Provider as _, StorageError};
use keyturn_store_tests::{Engine, Panel, every_engine};

use super::{id, people};

every_engine!(
    an_address_is_one_address_in_all_its_spellings_typed_and_stored,
    accounts_whose_names_differ_only_by_their_spelling_are_found_together_and_the_older_ones_first,
    a_plain_name_is_one_search_by_the_index_and_what_was_read_of_the_odd_ones_is_only_a_lead,
    check_counts_odd_spellings_and_addresses_of_too_many_and_shows_none,
);

/// What is asked of the database.
struct Asked<'a>(&'a dyn Connection, RefCell<Vec<String>>);

impl Connection for Asked<'_> {
    fn query(&self, sql: &str, parameters: &[ValueRef<'_>], each: &mut Each<'_>) -> Result<(), StorageError> {
        self.1.borrow_mut().push(sql.to_owned());
        self.0.query(sql, parameters, each)
    }

    fn execute(&self, sql: &str, parameters: &[ValueRef<'_>]) -> Result<u64, StorageError> {
        self.0.execute(sql, parameters)
    }

    fn insert(&self, sql: &str, parameters: &[ValueRef<'_>]) -> Result<i64, StorageError> {
        self.0.insert(sql, parameters)
    }

    fn now(&self) -> Result<i64, StorageError> {
        self.0.now()
    }

    fn has_table(&self, name: &str) -> Result<bool, StorageError> {
        self.0.has_table(name)
    }

    fn goes_on(&self) -> bool {
        self.0.goes_on()
    }
}

/// People with an index over each name, as a check offers it.
fn spellings(engine: Engine) -> Panel {
    let over = |column| engine.dialect().index_over(column);
    Panel::of(
        engine,
        &format!(
            "CREATE TABLE people (id NUMBER, login NAME, email NAME, pw TEXT);
             CREATE INDEX people_login ON people ({});
             CREATE INDEX people_email ON people ({});",
            over("login"),
            over("email"),
        ),
    )
}

const SPELLED: &str = "p = { table = 'people', id = 'id', login = 'login', email = 'email', hash = 'pw' }";

fn an_address_is_one_address_in_all_its_spellings_typed_and_stored(engine: Engine) {
    let spaced = |name: &str| {
        let around = ["", " ", "\t", "\r", "\r\n", "\u{A0}", "\u{200B}", "\u{FEFF}", "\u{3000}", " \u{2060} ", "\0"];
        let mut all: Vec<String> = around.iter().flat_map(|c| [format!("{name}{c}"), format!("{c}{name}")]).collect();
        let middle = name.len() / 2;
        all.extend(["\u{200B}", "\u{AD}", "\u{200D}"].map(|c| format!("{}{c}{}", &name[..middle], &name[middle..])));
        all.push(name.to_uppercase());
        all
    };
    for (ways, others) in [
        (spaced("ana@vidal.example"), "ana@vidal.examples"),
        (spaced("ana"), "a na"),
        (
            [spaced("ana@xn--bcher-kva.example"), spaced("ana@bücher.example"), spaced("ana@bu\u{308}cher.example")]
                .concat(),
            "ana@bucher.example",
        ),
        ([spaced("josé"), spaced("jose\u{301}")].concat(), "jose"),
        (vec!["straße".to_owned(), "STRASSE".to_owned(), "Stra\u{1E9E}e".to_owned()], "strase"),
    ] {
        for column in ["login", "email"] {
            let panel = spellings(engine);
            let store = people(&panel, SPELLED).store;
            let stored = ways.iter().filter(|stored| engine.holds_nul() || !stored.contains('\0'));
            for (at, stored) in stored.enumerate() {
                let (one, other) = (engine.text(stored), engine.text(others));
                panel.run(&format!(
                    "DELETE FROM people; INSERT INTO people (id, {column}) VALUES (1, {one}), (2, {other})"
                ));
                // One that has walked through no table yet.
                let sql = panel.provider(SPELLED);
                // A server sees little of how it was typed, and each question takes its time.
                let typed = ways.iter().enumerate().filter(|(n, _)| !engine.is_server() || n % 8 == at % 8);
                store
                    .read(|db| {
                        for (_, typed) in typed {
                            let found = sql.find(db, typed, &["p"], 10)?;
                            let found: Vec<&str> = found.iter().map(|(id, _)| id.as_str()).collect();
                            assert_eq!(found, ["p:1"], "{column}: typed {typed:?}, stored {stored:?}");
                        }
                        let account = sql.account(db, &id("p:1"))?.expect("there");
                        let shown = if column == "login" { &account.values[1] } else { &account.values[2] };
                        assert_eq!(shown.as_ref(), Some(stored), "it is shown as it is stored");
                        Ok(())
                    })
                    .expect("read");
            }
        }
    }
}

fn accounts_whose_names_differ_only_by_their_spelling_are_found_together_and_the_older_ones_first(engine: Engine) {
    let panel = spellings(engine);
    let rows = ["ana@x.example ", "ANA@x.example", "\u{200B}ana@x.example", "ana@x.example", "ana@x.example\r"];
    for email in rows {
        panel.run(&format!("INSERT INTO people (email) VALUES ({})", engine.text(email)));
    }
    let people = people(&panel, SPELLED);
    let find = |most| {
        let found = people.find("ana@x.example", &["p"], most).expect("found");
        found.into_iter().map(|(id, _)| id.key().to_owned()).collect::<Vec<_>>()
    };
    let ids = panel.column("SELECT id FROM people ORDER BY id");
    assert_eq!(find(10), ids);
    assert_eq!(find(3), ids[..3]);
}

fn a_plain_name_is_one_search_by_the_index_and_what_was_read_of_the_odd_ones_is_only_a_lead(engine: Engine) {
    let panel = spellings(engine);
    panel.run("INSERT INTO people (id, login) VALUES (1, 'ana'), (2, 'BÉN '), (3, 'Carla ')");
    let people = people(&panel, SPELLED);
    let find = |typed: &str| {
        people.store.read(|db| {
            let asked = Asked(db, Default::default());
            let found = people.sql.find(&asked, typed, &["p"], 10)?;
            let keys: Vec<String> = found.into_iter().map(|(id, _)| id.key().to_owned()).collect();
            // A walk is made when the last one is old, and that hangs on the machine; it has no parameters.
            let searches = asked.1.take().iter().filter(|sql| sql.contains("\"people\"") && sql.contains("?1")).count();
            Ok((keys, searches))
        })
    };
    let find = |typed: &str| find(typed).expect("read");
    assert_eq!(find("Ana"), (vec!["1".to_owned()], 2), "one in each column");
    assert_eq!(find("nobody"), (vec![], 2));
    assert_eq!(find("bén").0, ["2"]);
    panel.run("UPDATE people SET login = 'other' WHERE id = 2");
    assert_eq!(find("bén").0, [""; 0]);
    assert_eq!(find("other").0, ["2"]);
    // As it was typed, it is found before any walk.
    panel.run("UPDATE people SET login = 'ÉVA ' WHERE id = 3");
    assert_eq!(find("ÉVA ").0, ["3"]);
}

fn check_counts_odd_spellings_and_addresses_of_too_many_and_shows_none(engine: Engine) {
    let panel = spellings(engine);
    for (login, email) in [
        ("a", "ana@vidal.example "),
        ("b", "\tben@vidal.example\u{A0}"),
        ("c", "c\u{200B}arla@vidal.example"),
        ("d\r", "dina@bücher.example"),
        ("MÜLLER", "eva@xn--bcher-kva.example"),
        ("f", "ANA@vidal.example"),
    ] {
        let (login, email) = (engine.text(login), engine.text(email));
        panel.run(&format!("INSERT INTO people (login, email) VALUES ({login}, {email})"));
    }
    let check = |most| people(&panel, SPELLED).check(most);
    let said = check(100);
    let find = |part: &str| said.iter().find(|(_, text, _)| text.contains(part));
    let (severity, text, fix) = find("email: column email has odd spellings").expect("said");
    assert!(
        text.contains("2 with white space around them; 1 with invisible characters; 1 with an international domain"),
        "{text}"
    );
    assert_eq!(*severity, Severity::Note);
    assert!(find("login: column login has odd spellings: 1 with white space").is_some(), "{said:?}");
    assert!(find("belong to more than").is_none(), "{said:?}");
    assert!(check(1).iter().any(|(_, text, _)| text.contains("email: 1 addresses belong to more than 1 accounts")));
    assert!(!format!("{said:?}").contains("vidal"), "no address is shown");
    panel.run(fix);
    assert!(!check(100).iter().any(|(_, text, _)| text.contains("email: column") && text.contains("white space")));
}
