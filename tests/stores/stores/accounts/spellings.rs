//! Names and addresses in all their spellings.

use std::cell::RefCell;

use keyturn_accounts::{Severity, Sql};
use keyturn_core::fold::{equals, fold};
use keyturn_store::database::{Connection, Each, ValueRef};
use keyturn_store::{Provider as _, StorageError};
use keyturn_store_tests::{Engine, Panel, every_engine};

use super::{id, people};

every_engine!(
    an_address_is_one_address_in_all_its_spellings_typed_and_stored,
    accounts_whose_names_differ_only_by_their_spelling_are_found_together_and_the_older_ones_first,
    a_thousand_people_in_many_spellings_are_found_as_if_each_were_compared,
    nobody_disappears_behind_others_whose_names_only_an_index_takes_for_the_same,
    no_name_that_is_typed_makes_the_table_be_read,
    a_plain_name_is_one_search_by_the_index_and_what_was_read_of_the_odd_ones_is_only_a_lead,
    check_counts_odd_spellings_and_addresses_of_too_many_and_shows_none,
);

/// What is asked of the database, and how many rows it answers.
struct Asked<'a>(&'a dyn Connection, RefCell<Vec<(String, usize)>>);

impl Asked<'_> {
    /// Of the people.
    fn of_people(&self) -> Vec<(String, usize)> {
        self.1.take().into_iter().filter(|(sql, _)| sql.contains("\"people\"")).collect()
    }
}

impl Connection for Asked<'_> {
    fn query(&self, sql: &str, parameters: &[ValueRef<'_>], each: &mut Each<'_>) -> Result<(), StorageError> {
        let mut rows = 0;
        let answer = self.0.query(sql, parameters, &mut |row| {
            rows += 1;
            each(row)
        });
        self.1.borrow_mut().push((sql.to_owned(), rows));
        answer
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
            // What is read ahead has no parameters.
            let searches = asked.of_people().iter().filter(|(sql, _)| sql.contains("?1")).count();
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
    // As it was typed, it is found before anything is read ahead, and so are the spellings that people use.
    for (stored, typed) in [("ÉVA ", "ÉVA "), ("ÉVA", "éva"), ("e\u{301}va", "éva"), ("Éva", "ÉVA")] {
        panel.run(&format!("UPDATE people SET login = '{stored}' WHERE id = 3"));
        assert_eq!(find(typed).0, ["3"], "{stored:?}, {typed:?}");
    }
}

/// Accounts of the first realm by their login, as if every row were compared.
fn compared(rows: &[(String, String)], typed: &str, most: usize) -> Vec<String> {
    let folded = fold(typed);
    rows.iter().filter(|(_, login)| equals(login, &folded)).map(|(id, _)| id.clone()).take(most).collect()
}

fn keys(sql: &Sql, db: &dyn Connection, typed: &str, most: usize) -> Result<Vec<String>, StorageError> {
    Ok(sql.find(db, typed, &["p"], most)?.into_iter().map(|(id, _)| id.key().to_owned()).collect())
}

fn a_thousand_people_in_many_spellings_are_found_as_if_each_were_compared(engine: Engine) {
    let names = [
        "ana",
        "josé",
        "straße",
        "åsa öst",
        "müller@bücher.example",
        "ΣΊΣΥΦΟΣ",
        "ꭰꭱꭲ",
        "жук",
        "ana@vidal.example",
        "ﬁn",
        "ı",
    ];
    let mut ways: Vec<String> = Vec::new();
    for name in names {
        let mixed: String =
            name.chars().enumerate().map(|(at, c)| if at % 2 == 0 { upper(c) } else { c.to_string() }).collect();
        for spelling in [name.to_owned(), name.to_uppercase(), name.to_lowercase(), mixed, fold(name)] {
            ways.extend(["", " ", "\u{200B}"].map(|end| format!("{spelling}{end}")));
            ways.push(format!(" {spelling}"));
        }
    }
    let panel = spellings(engine);
    let rows = (1..=1_000_usize).map(|id| {
        let odd = id.is_multiple_of(4);
        let login = if odd { ways[id / 4 % ways.len()].clone() } else { format!("user{id}") };
        format!("({id}, {})", engine.text(&login))
    });
    panel.run(&format!("INSERT INTO people (id, login) VALUES {}", rows.collect::<Vec<_>>().join(", ")));
    let rows = panel.rows("SELECT id, login FROM people ORDER BY id");
    let rows: Vec<(String, String)> = rows.into_iter().map(|row| (row[0].clone(), row[1].clone())).collect();
    let people = people(&panel, "p = { table = 'people', id = 'id', login = 'login', hash = 'pw' }");
    people
        .store
        .read(|db| {
            for typed in
                ways.iter().map(String::as_str).chain(["user7", "USER7 ", "nobody", "jose", "strase", "Ünbekannt"])
            {
                for most in [1, 3, 100] {
                    assert_eq!(keys(&people.sql, db, typed, most)?, compared(&rows, typed, most), "{typed:?}, {most}");
                }
            }
            Ok(())
        })
        .expect("read");
}

fn upper(c: char) -> String {
    c.to_uppercase().collect()
}

fn nobody_disappears_behind_others_whose_names_only_an_index_takes_for_the_same(engine: Engine) {
    let panel = spellings(engine);
    // As many as fit into one answer, and more, before the one that is meant.
    for (id, c) in (1..=30).zip(["à", "á", "â", "ä", "ã", "å"].into_iter().cycle()) {
        panel.run(&format!("INSERT INTO people (id, email) VALUES ({id}, 'an{c}@vidal.example')"));
    }
    panel.run("INSERT INTO people (id, email) VALUES (99, 'ana@vidal.example')");
    let people = people(&panel, SPELLED);
    for most in [1, 3, 10, 100] {
        let found = people.find("ana@vidal.example", &["p"], most).expect("found");
        assert_eq!(found.iter().map(|(id, _)| id.key()).collect::<Vec<_>>(), ["99"], "{most}");
    }
}

fn no_name_that_is_typed_makes_the_table_be_read(engine: Engine) {
    const STEP: usize = 5_000;
    let panel = spellings(engine);
    let rows = engine.counted(u32::try_from(STEP + 1).expect("few"));
    panel.run(&format!(
        "INSERT INTO people (login, email) SELECT concat('user ', i), concat('user', i, '@x.example') FROM {rows};
         UPDATE people SET login = concat('Ünï ', id), email = concat(' ', id, '@x.example') WHERE id % 100 = 7"
    ));
    // Nobody else reads ahead for it.
    let (sql, store) = (panel.provider(SPELLED), panel.open());
    store
        .read(|db| {
            let asked = Asked(db, Default::default());
            assert_eq!(keys(&sql, &asked, "ünï 107", 10)?, ["107"]);
            let read = asked.of_people();
            assert!(read.iter().all(|(_, rows)| *rows <= STEP), "a step is a step: {read:?}");
            assert!(read.len() >= 2 * 2 + 2, "the first one reads both columns: {read:?}");
            for typed in 0..50 {
                let typed = ["ÜNÏ", "ünbekannt\u{200B}", "nobody", "üni@bücher.example"][typed % 4].to_owned()
                    + &typed.to_string();
                assert!(keys(&sql, &asked, &typed, 10)?.len() <= 1);
                let read = asked.of_people();
                let rows: usize = read.iter().map(|(_, rows)| rows).sum();
                assert!(read.len() <= 3 && rows <= 2, "{typed}: {read:?}");
            }
            Ok(())
        })
        .expect("read");
    // However often it is asked for: what nobody has read yet is not found, and is found when it was.
    panel.run("UPDATE people SET login = ' nEW' WHERE id = 5001");
    let find = |typed: &str| store.read(|db| keys(&sql, db, typed, 10)).expect("read");
    for _ in 0..50 {
        assert_eq!(find("new"), [""; 0]);
    }
    assert!(keyturn_store_tests::settled(|| {
        let ahead = store.read(|db| {
            let asked = Asked(db, Default::default());
            sql.look_ahead(&asked)?;
            Ok(asked.of_people())
        });
        let ahead = ahead.expect("read");
        assert!(ahead.len() <= 2 && ahead.iter().all(|(_, rows)| *rows <= STEP), "one step in each column: {ahead:?}");
        find("new") == ["5001"]
    }));
}

/// A million people take minutes to be made.
fn a_look_up_among_a_million_asks_what_it_asks_among_a_thousand(engine: Engine) {
    let mut asked_of = Vec::new();
    for people in [1_000, 1_000_000] {
        let panel = spellings(engine);
        let rows = engine.counted(people);
        if engine == Engine::MariaDb {
            panel.run(&format!("SET max_recursive_iterations = {people}"));
        }
        panel.run(&format!(
            "INSERT INTO people (login, email) SELECT concat('user', i), concat('user', i, '@x.example') FROM {rows};
             UPDATE people SET login = concat('ÜseR ', id) WHERE id % 1000 = 7"
        ));
        let (sql, store) = (panel.provider(SPELLED), panel.open());
        let find = |typed: &str| {
            store.read(|db| {
                let (asked, began) = (Asked(db, Default::default()), std::time::Instant::now());
                let found = keys(&sql, &asked, typed, 10)?;
                let read = asked.of_people();
                Ok((found, read.len(), read.iter().map(|(_, rows)| rows).sum::<usize>(), began.elapsed()))
            })
        };
        let (found, _, _, first) = find("üser 7").expect("read");
        assert_eq!(found, ["7"]);
        println!("{engine:?}, {people} people: the first look-up took {first:?}");
        for typed in ["user500", "USER 500", "ÜSEr 7", "üseR 7\u{200B}", "nobody", "ünbekannt", "a@bücher.example"]
        {
            let all: Vec<_> = (0..50).map(|_| find(typed).expect("read")).collect();
            let (_, statements, rows, _) = all[0];
            let mut times: Vec<_> = all.into_iter().map(|(_, _, _, took)| took).collect();
            times.sort();
            println!("  {typed:?}: {statements} statements, {rows} rows, {:?}", times[times.len() / 2]);
            asked_of.push((typed, statements, rows));
        }
    }
    let (few, many) = asked_of.split_at(asked_of.len() / 2);
    assert_eq!(few, many);
}

mod million {
    use super::Engine;

    #[test]
    #[ignore = "makes a million people: run by cargo xtask faults million"]
    fn sqlite() {
        super::a_look_up_among_a_million_asks_what_it_asks_among_a_thousand(Engine::Sqlite);
    }

    #[test]
    #[ignore = "makes a million people: run by cargo xtask faults million"]
    fn postgres() {
        super::a_look_up_among_a_million_asks_what_it_asks_among_a_thousand(Engine::Postgres);
    }

    #[test]
    #[ignore = "makes a million people: run by cargo xtask faults million"]
    fn mariadb() {
        super::a_look_up_among_a_million_asks_what_it_asks_among_a_thousand(Engine::MariaDb);
    }
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
