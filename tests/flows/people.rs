//! The panel's own part in keeping an account its owner's: who guesses at a password in an open session, who changes an address, who
//! ends sessions; and names that are longer than any page takes. Against the built panel, without a browser.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::panels::{Differs, PASSWORD, Panel};
use keyturn_tests::client::{Answer, Client, percent};

const MARTA: &str = "marta@estudiovidal.example";

struct Flow {
    panel: Panel,
    address: SocketAddr,
}

impl Flow {
    fn new() -> Self {
        let panel = Panel::start(&Differs::default());
        let address = panel.base.strip_prefix("http://").and_then(|address| address.parse().ok()).expect("an address");
        Self { panel, address }
    }

    fn database(&self) -> rusqlite::Connection {
        let db = rusqlite::Connection::open(self.panel.file("panel.db")).expect("opens");
        db.busy_timeout(Duration::from_secs(10)).expect("set");
        db
    }

    fn number(&self, sql: &str) -> i64 {
        self.database().query_row(sql, [], |row| row.get(0)).expect("reads")
    }

    fn id(&self, login: &str) -> i64 {
        self.number(&format!("SELECT id FROM people WHERE login = '{login}'"))
    }

    fn sign_in(&self, login: &str) -> Client {
        let mut client = Client::new(self.address);
        let form = client.get("/sign-in");
        let answer = client.post("/sign-in", &[("kt", form.hidden("kt")), ("name", login), ("password", PASSWORD)]);
        assert_eq!(answer.status, 303, "{}", answer.body);
        client
    }

    /// Nobody has typed a password of late.
    fn a_while_later(&self) {
        self.database().execute("UPDATE sessions SET verified_at = 0", []).expect("written");
    }

    fn audited(&self, deed: &str, about: &str) -> i64 {
        self.number(&format!(
            "SELECT count(*) FROM keyturnhost_audit a JOIN keyturnhost_audit_subjects s ON s.entry = a.id
             WHERE a.operation = '{deed}' AND a.outcome = 'done' AND s.account = '{about}'"
        ))
    }

    /// The mails in the folder that are to this address.
    fn mails_to(&self, address: &str) -> Vec<String> {
        let files = std::fs::read_dir(self.panel.file("mail")).into_iter().flatten().flatten();
        let mails = files.filter_map(|file| std::fs::read_to_string(file.path()).ok());
        mails.filter(|mail| mail.lines().any(|line| line.starts_with("To:") && line.contains(address))).collect()
    }
}

/// A form of the page as it stands there, by the action's button.
fn save_details(client: &mut Client, path: &str, email: &str, name: &str) -> Answer {
    let page = client.get(path);
    assert_eq!(page.status, 200, "{}", page.body);
    let at = page.body.find(".email\"").expect("the address");
    let part = page.body[..at].rsplit('"').next().expect("its beginning").to_owned();
    let [kt, typed_name, typed_email, language] =
        ["kt", "name", "email", "language"].map(|name| format!("{part}.{name}"));
    let sealed = page.hidden(&kt).to_owned();
    client.post(path, &[(&kt, &sealed), (&typed_name, name), (&typed_email, email), (&language, "en")])
}

fn eventually(what: &str, so: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(60);
    while !so() {
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_wrong_password_of_ones_own_five_times_ends_each_session() {
    let flow = Flow::new();
    let (mut ana, mut elsewhere) = (flow.sign_in("ana"), flow.sign_in("ana"));
    flow.a_while_later();
    let details = format!("/customers/{}/details", flow.id("marta.vidal"));
    let asked = save_details(&mut ana, &details, "thief@evil.example", "Marta");
    let step_up = asked.header("location").expect("the page that asks").to_owned();
    assert!(step_up.starts_with("/step-up?"), "{step_up}");
    let guess = |client: &mut Client, typed: &str| {
        let page = client.get(&step_up);
        client.post("/step-up", &[("kt", page.hidden("kt")), ("password", typed)])
    };
    for _ in 0..4 {
        assert_eq!(guess(&mut ana, "not her password 7").status, 422);
    }
    // Whoever gives the right one begins again.
    assert_eq!(guess(&mut elsewhere, PASSWORD).status, 303);
    flow.a_while_later();
    for nth in 1..=5 {
        let answer = guess(if nth % 2 == 0 { &mut ana } else { &mut elsewhere }, "not her password 7");
        assert_eq!(answer.status, if nth < 5 { 422 } else { 303 }, "{nth}: in whichever session");
        if nth == 5 {
            assert_eq!(answer.header("location"), Some("/sign-in"));
        }
    }
    let said = elsewhere.get("/sign-in").body;
    assert!(said.contains("wrong five times"), "{said}");
    for client in [&mut ana, &mut elsewhere] {
        assert_eq!(client.get("/customers").status, 303, "signed out");
    }
    let staff = format!("staff:{}", flow.id("ana"));
    assert_eq!(flow.audited("end-sessions", &staff), 1);
    assert_eq!(flow.sign_in("ana").get("/customers").status, 200, "and signs in as before");
}

#[test]
fn a_changed_address_leaves_a_trail_and_both_holders_are_told() {
    let flow = Flow::new();
    let mut ana = flow.sign_in("ana");
    let id = flow.id("marta.vidal");
    let details = format!("/customers/{id}/details");
    assert_eq!(save_details(&mut ana, &details, "new@elsewhere.example", "Marta Vidal").status, 303);
    let account = format!("customer:{id}");
    assert_eq!((flow.audited("change-address", &account), flow.audited("address-changed", &account)), (1, 1));
    eventually("both are told", || {
        !flow.mails_to(MARTA).is_empty() && !flow.mails_to("new@elsewhere.example").is_empty()
    });
    let [old] = flow.mails_to(MARTA).try_into().expect("one mail");
    assert!(!old.contains("new@elsewhere.example") && !old.contains("Marta Vidal"), "fixed words: {old}");
    assert_eq!(flow.mails_to("new@elsewhere.example").len(), 1);
    let overview = ana.get(&format!("/customers/{id}")).body;
    assert!(overview.contains("Email address changed"), "{overview}");
    // What else is changed tells nobody.
    assert_eq!(save_details(&mut ana, &details, "new@elsewhere.example", "Marta V.").status, 303);
    assert_eq!(flow.audited("change-address", &account), 1);
}

#[test]
fn sessions_are_ended_by_a_button_and_the_audit_says_so() {
    let flow = Flow::new();
    let (mut marta, mut elsewhere, mut ana) =
        (flow.sign_in("marta.vidal"), flow.sign_in("marta.vidal"), flow.sign_in("ana"));
    let account = format!("customer:{}", flow.id("marta.vidal"));
    let press = |client: &mut Client, label: &str| {
        let page = client.get("/account?lang=en").body;
        let form =
            page.split("<form").find(|form| form.contains(label)).unwrap_or_else(|| panic!("no {label}: {page}"));
        let sealed = form.split("kt\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a form");
        client.post("/account", &[("kt", sealed)])
    };
    assert_eq!(press(&mut marta, ">End<").status, 303);
    assert_eq!((elsewhere.get("/account").status, flow.audited("end-session", &account)), (303, 1));
    let mut elsewhere = flow.sign_in("marta.vidal");
    let answer = press(&mut marta, "Sign out everywhere");
    assert_eq!((answer.status, answer.header("location")), (303, Some("/sign-in")), "{}", answer.body);
    assert!(marta.get("/sign-in").body.contains("You are signed out everywhere"));
    for client in [&mut marta, &mut elsewhere] {
        assert_eq!(client.get("/account").status, 303);
    }
    assert_eq!(flow.audited("end-sessions", &account), 1);
    assert_eq!(ana.get("/customers").status, 200, "somebody else's stay");
}

#[test]
fn no_name_is_too_long_for_a_page() {
    let flow = Flow::new();
    let long = "Ñandú ".repeat(2_000);
    let (marta, ana) = (flow.id("marta.vidal"), flow.id("ana"));
    let db = flow.database();
    let columns = "UPDATE people SET name = ?1, email = ?1 || '@vidal.example' WHERE id = ?2";
    // A reseller's name stands with each of the customers, and an administrator's in the activity.
    let reseller: i64 = db
        .query_row("SELECT reseller_id FROM people WHERE reseller_id IS NOT NULL LIMIT 1", [], |row| row.get(0))
        .expect("a reseller");
    for id in [marta, reseller, ana] {
        db.execute(columns, rusqlite::params![long, id]).expect("written");
    }
    db.execute("UPDATE people SET reseller_id = ?1 WHERE id = ?2", [reseller, marta]).expect("written");
    let mut client = flow.sign_in("ana");
    let account = percent(&format!("customer:{marta}"));
    let long_word = "a".repeat(5_000);
    for path in [
        "/customers".to_owned(),
        "/customers?q=%C3%B1andu".to_owned(),
        format!("/customers?q={long_word}"),
        format!("/customers?show={long_word}"),
        format!("/customers/{marta}"),
        format!("/customers/{marta}/details"),
        format!("/resellers/{reseller}"),
        format!("/resellers/{reseller}/details"),
        format!("/plugins/keyturn-password/reset?for={account}"),
        "/account".to_owned(),
        "/operator/outbox".to_owned(),
        format!("/operator/outbox?q={long_word}"),
        format!("/sign-in?next=/{long_word}"),
        format!("/step-up?next=/{long_word}"),
        format!("/plugins/keyturn-password/forgot?step={long_word}"),
    ] {
        let answer = client.get(&path);
        assert!(
            [200, 303].contains(&answer.status),
            "{}: {} {}",
            &path[..path.len().min(60)],
            answer.status,
            answer.body
        );
        assert!(answer.body.len() < 400_000, "{}: cut", &path[..path.len().min(60)]);
    }
    let details = format!("/customers/{marta}/details");
    // What is typed is refused with the limit; what stands in the table stays, also when something else is changed.
    let refused = save_details(&mut client, &details, MARTA, &long_word[..4_090]);
    assert!(refused.status == 422 && refused.body.contains("200"), "{} {}", refused.status, refused.body);
    let refused = save_details(&mut client, &details, MARTA, &long_word);
    assert_eq!(refused.status, 422, "{}", refused.body);
    let shown = client.get(&details).body;
    let shown = shown.split(".name\"").nth(1).and_then(|rest| rest.split("value=\"").nth(1)).expect("the name");
    let shown = shown.split('"').next().expect("a value").to_owned();
    assert_eq!(save_details(&mut client, &details, MARTA, &shown).status, 303);
    let kept: (String, String) = db
        .query_row("SELECT name, email FROM people WHERE id = ?1", [marta], |row| Ok((row.get(0)?, row.get(1)?)))
        .expect("reads");
    assert!(kept == (long, MARTA.to_owned()), "{kept:?}");

    // A name that nobody can have is nobody's.
    let mut somebody = Client::new(flow.address);
    for typed in [&long_word[..4_090], &long_word[..600], &long_word] {
        let form = somebody.get("/sign-in");
        let answer = somebody.post("/sign-in", &[("kt", form.hidden("kt")), ("name", typed), ("password", PASSWORD)]);
        assert_eq!(answer.status, 422, "{}", answer.body);
        let forgot = "/plugins/keyturn-password/forgot";
        let form = somebody.get(forgot);
        let answer = somebody.post(forgot, &[("kt", form.hidden("kt")), ("login-or-email", typed)]);
        assert!([303, 422].contains(&answer.status), "{} {}", answer.status, answer.body);
        if answer.status == 303 {
            let location = answer.header("location").expect("the answer's page").to_owned();
            assert_eq!(somebody.get(&location).status, 200);
        }
    }
}
