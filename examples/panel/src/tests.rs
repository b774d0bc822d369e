//! The panel over its own router, on a host without plugins: sessions, reach and forged requests are the panel's own.

use std::io::{Read as _, Write as _};
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use axum::http::{Request as HttpRequest, Response, StatusCode};
use keyturn_host::config::Config;
use keyturn_host::http::serve::{Budget, Manners, serve};
use tempfile::TempDir;
use tower::ServiceExt as _;

use crate::people::{Kind, NewPerson};
use crate::serve::router;
use crate::session::Origin;
use crate::site::Site;

struct Panel {
    site: Arc<Site>,
    router: Router,
    _folder: TempDir,
}

/// The demo's own configuration, so that its mapping is tried too.
fn panel() -> Panel {
    panel_at("http://panel.example")
}

fn panel_at(origin: &str) -> Panel {
    let folder = TempDir::new().expect("folder");
    let text = include_str!("../demo/keyturn.toml").replace("@ORIGIN@", origin);
    let file = folder.path().join("keyturn.toml");
    std::fs::write(&file, text).expect("configuration");
    let config = Config::read(&file).expect("configuration");
    let site = Arc::new(Site::of(&config, Config::empty_host).expect("site"));
    Panel { router: router(Arc::clone(&site)), site, _folder: folder }
}

impl Panel {
    fn person(&self, kind: Kind, login: &str, reseller: Option<i64>) -> i64 {
        let new = NewPerson {
            kind,
            login,
            email: None,
            name: login,
            locale: "en",
            suspended: false,
            reseller,
            hash: None,
            since: "2026-01-02T03:04:05Z",
        };
        let id = self.site.people.add(&new).expect("person");
        self.set_hash(id, "$argon2id$one");
        id
    }

    fn change(&self, id: i64, name: &str, email: Option<&str>, locale: &str) {
        let person = self.site.people.person(id).expect("person").expect("there");
        self.site.people.change(&person, name, email, locale).expect("change");
    }

    fn set_hash(&self, id: i64, hash: &str) {
        let sql = "UPDATE people SET password_hash = ?2 WHERE id = ?1";
        self.site.people.with(|db| db.execute(sql, rusqlite::params![id, hash])).expect("hash");
    }

    /// A session without the sign-in, which needs the plugin.
    fn signed_in(&self, id: i64) -> String {
        let person = self.site.people.person(id).expect("person").expect("there");
        let account = person.account().expect("account");
        let epoch = self.site.host.epoch(&account).expect("epoch").expect("there");
        let origin = Origin { address: None, agent: "test" };
        let now = self.site.host.now();
        self.site.people.begin_session(id, &epoch, origin, None, now).expect("session")
    }

    async fn ask(&self, request: HttpRequest<Body>) -> (Response<()>, String) {
        let answer = self.router.clone().oneshot(request).await.expect("an answer");
        let (parts, body) = answer.into_parts();
        let body = to_bytes(body, usize::MAX).await.expect("body");
        (Response::from_parts(parts, ()), String::from_utf8(body.to_vec()).expect("UTF-8"))
    }

    async fn get(&self, session: &str, path: &str) -> (StatusCode, String) {
        let request = HttpRequest::get(path).header(COOKIE, format!("session={session}"));
        let (answer, body) = self.ask(request.body(Body::empty()).expect("request")).await;
        (answer.status(), body)
    }

    async fn post<S: AsRef<str>>(
        &self,
        session: &str,
        path: &str,
        form: &[(S, S)],
        site: &str,
    ) -> (Response<()>, String) {
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(form.iter().map(|(name, value)| (name.as_ref(), value.as_ref())));
        let request = HttpRequest::post(path)
            .header(COOKIE, format!("session={session}; kt-visit=00000000000000000000000000000000"))
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header("sec-fetch-site", site);
        self.ask(request.body(Body::from(body.finish())).expect("request")).await
    }
}

/// The sealed part of the `n`th form in a page that has one.
fn sealed(html: &str, n: usize) -> String {
    let rest = html.split("kt\" value=\"").nth(n + 1).expect("a sealed form");
    rest.split('"').next().expect("its value").to_owned()
}

/// An administrator who has opened a customer's account details.
struct Managed {
    panel: Panel,
    ana: i64,
    marta: i64,
    session: String,
    details: String,
    page: String,
}

async fn managed() -> Managed {
    let panel = panel();
    let ana = panel.person(Kind::Administrator, "ana", None);
    let marta = panel.person(Kind::Customer, "marta", None);
    let session = panel.signed_in(ana);
    let details = format!("/customers/{marta}/details");
    let (_, page) = panel.get(&session, &details).await;
    Managed { panel, ana, marta, session, details, page }
}

/// The details as a browser posts them: in names that begin as the part's own do.
fn details_form(html: &str, kt: &str, typed: [&str; 3]) -> Vec<(String, String)> {
    let (before, _) = html.split_once(".kt\" value=\"").expect("a part");
    let part = before.rsplit('"').next().expect("its beginning").to_owned();
    let [name, email, language] = typed;
    [("kt", kt), ("name", name), ("email", email), ("language", language)]
        .map(|(name, value)| (format!("{part}.{name}"), value.to_owned()))
        .into()
}

fn hidden<'h>(html: &'h str, name: &str) -> &'h str {
    let opening = format!("name=\"{name}\" value=\"");
    html.split(opening.as_str()).nth(1).and_then(|rest| rest.split('"').next()).expect("a hidden input")
}

#[tokio::test]
async fn a_session_ends_with_the_password_that_it_began_under_whoever_changed_it() {
    let panel = panel();
    let ana = panel.person(Kind::Administrator, "ana", None);
    let session = panel.signed_in(ana);
    assert_eq!(panel.get(&session, "/customers").await.0, StatusCode::OK);
    // Behind our back and the plugin's, as another program of the panel would.
    panel.set_hash(ana, "$argon2id$two");
    assert_eq!(panel.get(&session, "/customers").await.0, StatusCode::SEE_OTHER);
    panel.set_hash(ana, "$argon2id$one");
    assert_eq!(panel.get(&session, "/customers").await.0, StatusCode::SEE_OTHER, "it was taken away");
}

#[tokio::test]
async fn a_session_ends_when_its_person_is_suspended_or_gone() {
    let panel = panel();
    let [one, other] = ["one", "other"].map(|login| panel.person(Kind::Customer, login, None));
    let (first, second) = (panel.signed_in(one), panel.signed_in(other));
    let change = |sql: &str, id: i64| panel.site.people.with(|db| db.execute(sql, [id])).expect("change");
    change("UPDATE people SET state = 'suspended' WHERE id = ?1", one);
    change("DELETE FROM people WHERE id = ?1", other);
    for session in [first, second] {
        assert_eq!(panel.get(&session, "/account").await.0, StatusCode::SEE_OTHER);
    }
}

#[tokio::test]
async fn a_session_ends_with_time() {
    let panel = panel();
    let id = panel.person(Kind::Customer, "marta", None);
    let hours = |n: i64| n * 60 * 60 * 1000;
    for (since, seen, holds) in [(1, 1, true), (20, 13, false), (24 * 8, 0, false), (24 * 6, 11, true)] {
        let session = panel.signed_in(id);
        let now = panel.site.host.now();
        let (since, seen) = (now - hours(since), now - hours(seen));
        let sql = "UPDATE sessions SET created_at = ?1, last_seen = ?2";
        panel.site.people.with(|db| db.execute(sql, [since, seen])).expect("times");
        assert_eq!(panel.get(&session, "/account").await.0 == StatusCode::OK, holds, "{since} {seen}");
        panel.site.people.end_sessions(id).expect("end");
    }
}

#[tokio::test]
async fn a_reseller_sees_his_own_customers_and_others_as_if_they_were_not() {
    let panel = panel();
    let costa = panel.person(Kind::Reseller, "costa", None);
    let sud = panel.person(Kind::Reseller, "sud", None);
    let own = panel.person(Kind::Customer, "own-customer", Some(costa));
    let foreign = panel.person(Kind::Customer, "foreign-customer", Some(sud));
    let session = panel.signed_in(costa);
    let (status, list) = panel.get(&session, "/customers").await;
    assert_eq!(status, StatusCode::OK);
    assert!(list.contains("own-customer") && !list.contains("foreign-customer"));
    assert!(!list.contains("Reseller</th>"), "no column for what is always himself");
    for rest in ["", "/details"] {
        assert_eq!(panel.get(&session, &format!("/customers/{own}{rest}")).await.0, StatusCode::OK);
        let (status, page) = panel.get(&session, &format!("/customers/{foreign}{rest}")).await;
        let (gone, nobody) = panel.get(&session, &format!("/customers/999999{rest}")).await;
        assert_eq!((status, gone), (StatusCode::NOT_FOUND, StatusCode::NOT_FOUND));
        assert!(page.contains("No such customer, or not one of yours."));
        let without = |page: &str, id: &str| page.replace(&format!("/customers/{id}{rest}"), "");
        assert_eq!(without(&page, &foreign.to_string()), without(&nobody, "999999"), "told apart");
    }
    assert_eq!(panel.get(&session, "/resellers").await.0, StatusCode::FORBIDDEN);
    assert_eq!(panel.get(&session, &format!("/resellers/{sud}")).await.0, StatusCode::NOT_FOUND);
    // The row is there, but it is no reseller.
    let administrator = panel.signed_in(panel.person(Kind::Administrator, "ana", None));
    assert_eq!(panel.get(&administrator, &format!("/resellers/{own}")).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn each_role_is_given_the_lists_that_it_reaches() {
    let panel = panel();
    let lists = ["/customers", "/resellers", "/administrators"];
    for (kind, seen) in [
        (Kind::Owner, [true, true, true]),
        (Kind::Administrator, [true, true, false]),
        (Kind::Reseller, [true, false, false]),
        (Kind::Customer, [false, false, false]),
    ] {
        let session = panel.signed_in(panel.person(kind, kind.name(), None));
        let (status, account) = panel.get(&session, "/account").await;
        assert_eq!(status, StatusCode::OK);
        for (list, seen) in lists.into_iter().zip(seen) {
            let expected = if seen { StatusCode::OK } else { StatusCode::FORBIDDEN };
            assert_eq!(panel.get(&session, list).await.0, expected, "{kind:?} {list}");
            assert_eq!(account.contains(&format!("href=\"{list}\"")), seen, "{kind:?} {list} in the navigation");
        }
    }
    assert_eq!(panel.get("", "/customers").await.0, StatusCode::SEE_OTHER, "nobody");
}

#[tokio::test]
async fn a_form_of_another_session_or_site_changes_nothing() {
    let panel = panel();
    let [ana, tomas] = ["ana", "tomas"].map(|login| panel.person(Kind::Administrator, login, None));
    let [marta, elena] = ["marta", "elena"].map(|login| panel.person(Kind::Customer, login, None));
    let (own, other) = (panel.signed_in(ana), panel.signed_in(tomas));
    let details = format!("/customers/{marta}/details");
    let (_, page) = panel.get(&own, &details).await;
    let (_, others) = panel.get(&other, &details).await;
    let name = || panel.site.people.person(marta).expect("person").expect("there").name;
    let form = |kt| details_form(&page, kt, ["Forged", "", "en"]);
    let (mine, his) = (sealed(&page, 0), sealed(&others, 0));
    for (kt, path, site) in [
        (his.as_str(), details.as_str(), "same-origin"),
        (&mine, &details, "cross-site"),
        (&mine, &details, "same-site"),
        ("", &details, "same-origin"),
        (&mine[1..], &details, "same-origin"),
        (&mine, &format!("/customers/{elena}/details"), "same-origin"),
    ] {
        let (answer, _) = panel.post(&own, path, &form(kt), site).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{path} {site}");
        assert_eq!(name(), "marta");
    }
    let (answer, _) = panel.post(&own, &details, &form(&mine), "same-origin").await;
    assert_eq!((answer.status(), name().as_str()), (StatusCode::SEE_OTHER, "Forged"), "and the right one does");
    assert_eq!(panel.site.people.person(elena).expect("person").expect("there").name, "elena");
}

#[tokio::test]
async fn only_a_button_of_this_session_signs_out() {
    let panel = panel();
    let ana = panel.person(Kind::Administrator, "ana", None);
    let (own, other) = (panel.signed_in(ana), panel.signed_in(ana));
    let (_, page) = panel.get(&other, "/account").await;
    for token in ["", hidden(&page, "token")] {
        let (answer, _) = panel.post(&own, "/sign-out", &[("token", token)], "same-origin").await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN);
        assert_eq!(panel.get(&own, "/account").await.0, StatusCode::OK);
    }
    let (_, page) = panel.get(&own, "/account").await;
    let (answer, _) = panel.post(&own, "/sign-out", &[("token", hidden(&page, "token"))], "same-origin").await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert_eq!(panel.get(&own, "/account").await.0, StatusCode::SEE_OTHER);
    assert_eq!(panel.get(&other, "/account").await.0, StatusCode::OK, "the other one stays");
}

#[tokio::test]
async fn what_was_typed_comes_back_when_the_session_ended_meanwhile() {
    let Managed { panel, ana, marta, session, details, page } = managed().await;
    let kt = sealed(&page, 0);
    panel.site.people.end_sessions(ana).expect("end");
    let form = details_form(&page, &kt, ["Marta Typed", "", "es"]);
    let (answer, page) = panel.post(&session, &details, &form, "same-origin").await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert!(page.contains("You were signed out") && page.contains("current-password"));
    assert_eq!(panel.site.people.person(marta).expect("person").expect("there").name, "marta");

    // The sign-in itself needs the plugin; what it carries is what the next session is given.
    let caller = keyturn_host::caller::Caller {
        session: format!("visit {}", "0".repeat(32)),
        ..keyturn_host::caller::Caller::new(keyturn_host::caller::Actor::Anonymous, Default::default())
    };
    let body = form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("kt", sealed(&page, 0).as_str()), ("name", "ana"), ("password", "x")])
        .finish();
    let now = panel.site.host.now();
    let read =
        keyturn_host::view::form::read(body.as_bytes(), panel.site.host.keys(), &caller, now).expect("a form of ours");
    let keyturn_host::view::form::Posted::Submission(submission) = read else { panic!("no submission") };
    let carried = crate::pages::forms::text(&submission, "carried").to_owned();
    assert_eq!(crate::pages::forms::text(&submission, "next"), details);

    let session = panel.signed_in(ana);
    let sql = "UPDATE sessions SET carried = ?1";
    panel.site.people.with(|db| db.execute(sql, [&carried])).expect("carried");
    let (_, page) = panel.get(&session, &details).await;
    assert!(page.contains("value=\"Marta Typed\""), "{page}");
    let (_, page) = panel.get(&session, &details).await;
    assert!(!page.contains("Marta Typed"), "it is shown once");
}

#[tokio::test]
async fn names_are_text_wherever_they_stand() {
    let panel = panel();
    let hostile = "<script>alert(1)</script>\"'&\u{202e}";
    let ana = panel.person(Kind::Administrator, "ana", None);
    let costa = panel.person(Kind::Reseller, "costa", None);
    let marta = panel.person(Kind::Customer, "marta", Some(costa));
    for id in [ana, costa, marta] {
        panel.change(id, hostile, Some("\"><img src=x>@x.example"), "en");
    }
    let session = panel.signed_in(ana);
    for path in [
        "/customers".to_owned(),
        "/customers?q=%3Cscript%3E%22%3E".to_owned(),
        "/resellers".to_owned(),
        format!("/customers/{marta}"),
        format!("/customers/{marta}/details"),
        "/account".to_owned(),
        "/sign-in?next=%22%3E%3Cscript%3E".to_owned(),
        "/%3Cscript%3E".to_owned(),
    ] {
        let (_, page) = panel.get(&session, &path).await;
        assert!(!page.contains("<script>") && !page.contains("<img src=x") && !page.contains('\u{202e}'), "{path}");
    }
}

#[tokio::test]
async fn a_search_finds_names_logins_and_addresses_and_says_what_it_did_not_find() {
    let panel = panel();
    let session = panel.signed_in(panel.person(Kind::Administrator, "ana", None));
    let (_, page) = panel.get(&session, "/customers").await;
    assert!(page.contains("No customers yet"));
    let adrian = panel.person(Kind::Customer, "aquesada", None);
    panel.change(adrian, "Adrián Quesada", Some("a@radioquesada.example"), "es");
    panel.person(Kind::Customer, "epetrova", None);
    for (path, rows) in [
        ("/customers", 2),
        ("/customers?q=ADRIAN", 1),
        ("/customers?q=radioq", 1),
        ("/customers?q=petrova", 1),
        ("/customers?q=%25", 0),
        ("/customers?show=no-email", 1),
        ("/customers?show=suspended", 0),
    ] {
        let (_, page) = panel.get(&session, path).await;
        assert_eq!(page.matches("role=\"rowheader\"").count(), rows, "{path}");
    }
    let (_, page) = panel.get(&session, "/customers?q=nobody%20like%20this").await;
    assert!(page.contains("“nobody like this”") && page.contains("Show all"));
}

#[tokio::test]
async fn every_answer_bears_the_headers_that_keep_it_private() {
    let panel = panel();
    let session = panel.signed_in(panel.person(Kind::Customer, "marta", None));
    for path in ["/", "/account", "/customers", "/sign-in", "/nothing/at/all/here", "/.well-known/other"] {
        let request = HttpRequest::get(path).header(COOKIE, format!("session={session}"));
        let (answer, _) = panel.ask(request.body(Body::empty()).expect("request")).await;
        let header = |name| answer.headers().get(name).map(|value| value.to_str().expect("text")).unwrap_or_default();
        assert!(header("content-security-policy").contains("frame-ancestors 'none'"), "{path}");
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header("cache-control"), "no-store", "{path}");
        assert_eq!(header("referrer-policy"), "same-origin", "{path}");
    }
}

#[tokio::test]
async fn cookies_are_kept_from_scripts_and_other_sites_and_well_known_addresses_lead_where_they_should() {
    let panel = panel();
    let (answer, page) = panel.ask(HttpRequest::get("/sign-in").body(Body::empty()).expect("request")).await;
    let cookie = answer.headers().get(SET_COOKIE).expect("a cookie").to_str().expect("text");
    assert!(cookie.starts_with("kt-visit=") && cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"));
    assert!(!cookie.contains("Secure"), "the origin is http");
    assert!(page.contains("autocomplete=\"username\"") && page.contains("autocomplete=\"current-password\""));

    let known = HttpRequest::get("/.well-known/change-password").body(Body::empty()).expect("request");
    let (answer, _) = panel.ask(known).await;
    assert_eq!(answer.status(), StatusCode::FOUND);
    assert_eq!(answer.headers()[LOCATION], "/account");
    let other = HttpRequest::get("/.well-known/resource-that-should-not-exist-whose-status-code-should-not-be-200");
    assert_eq!(panel.ask(other.body(Body::empty()).expect("request")).await.0.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn under_https_cookies_are_for_https_and_this_very_host_alone() {
    let panel = panel_at("https://panel.example");
    let ana = panel.person(Kind::Administrator, "ana", None);
    let session = panel.signed_in(ana);
    let ask = |cookie: &str| {
        let request = HttpRequest::get("/account").header(COOKIE, format!("{cookie}={session}"));
        panel.ask(request.body(Body::empty()).expect("request"))
    };
    let (answer, page) = ask("__Host-session").await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["strict-transport-security"], "max-age=31536000");
    assert_eq!(ask("session").await.0.status(), StatusCode::SEE_OTHER, "one that any host of the domain could set");
    let token = hidden(&page, "token");
    let request = HttpRequest::post("/sign-out")
        .header(COOKIE, format!("__Host-session={session}"))
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header("sec-fetch-site", "same-origin");
    let (answer, _) = panel.ask(request.body(Body::from(format!("token={token}"))).expect("request")).await;
    let cookies: Vec<&str> =
        answer.headers().get_all(SET_COOKIE).iter().map(|cookie| cookie.to_str().expect("text")).collect();
    assert!(cookies.iter().any(|cookie| cookie.starts_with("__Host-session=;")), "{cookies:?}");
    assert!(cookies.iter().all(|cookie| cookie.contains("; Secure") && cookie.contains("; Path=/;")), "{cookies:?}");
}

#[tokio::test]
async fn nobody_takes_an_address_from_its_owner_or_learns_who_has_it() {
    let panel = panel();
    let ana = panel.person(Kind::Administrator, "ana", None);
    panel.change(ana, "Ana", Some("ana@northwind.example"), "en");
    // As a sign-in does.
    let account = |id| panel.site.people.person(id).expect("person").expect("there").account().expect("account");
    panel.site.host.note_address(&account(ana)).expect("seen");
    let costa = panel.person(Kind::Reseller, "costa", None);
    let (marta, omar) =
        (panel.person(Kind::Customer, "marta", Some(costa)), panel.person(Kind::Customer, "omar", Some(costa)));
    panel.change(omar, "Omar", Some("both@vidal.example"), "en");
    let session = panel.signed_in(costa);
    let details = format!("/customers/{marta}/details");
    let mut answers = Vec::new();
    for email in ["nobody@vidal.example", "both@vidal.example", "Ana@Northwind.example"] {
        let (_, page) = panel.get(&session, &details).await;
        let form = details_form(&page, &sealed(&page, 0), ["m", email, "es"]);
        let (answer, body) = panel.post(&session, &details, &form, "same-origin").await;
        let (_, next) = panel.get(&session, answer.headers()[LOCATION].to_str().expect("text")).await;
        assert!(next.contains(email), "it is saved");
        let said = next.split("role=\"status\"").nth(1).map(|said| said.chars().take(200).collect::<String>());
        answers.push((answer.status(), answer.headers()[LOCATION].clone(), body, said));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    panel.site.host.note_address(&account(marta)).expect("seen");
    let realms = crate::folk::Folk::ALL.map(crate::folk::Folk::realm);
    let found = panel.site.host.find("ana@northwind.example", &realms).expect("found");
    let found: Vec<_> = found.into_iter().map(|(id, _)| id).collect();
    assert_eq!(found, [account(ana), account(marta)], "whoever has had it longest comes first, and each gets email");
}

#[tokio::test]
async fn another_address_is_saved_only_for_who_has_proved_himself_of_late() {
    let Managed { panel, marta, session, details, page, .. } = managed().await;
    let known = || {
        let person = panel.site.people.person(marta).expect("person").expect("there");
        (person.name, person.email)
    };
    panel.site.people.with(|db| db.execute("UPDATE sessions SET verified_at = 0", [])).expect("long ago");
    let form = details_form(&page, &sealed(&page, 0), ["Marta", "thief@evil.example", "en"]);
    let (answer, _) = panel.post(&session, &details, &form, "same-origin").await;
    assert!(answer.headers()[LOCATION].to_str().expect("text").starts_with("/step-up?"));
    assert_eq!(known(), ("marta".to_owned(), None), "nothing is saved before");
    // A name leads nobody into the account.
    let form = details_form(&page, &sealed(&page, 0), ["Marta", "", "en"]);
    let (answer, _) = panel.post(&session, &details, &form, "same-origin").await;
    assert_eq!(answer.headers()[LOCATION], format!("/customers/{marta}"));
    assert_eq!(known(), ("Marta".to_owned(), None));
}

#[tokio::test]
async fn who_changes_nothing_is_told_so() {
    let Managed { panel, marta, session, details, page, .. } = managed().await;
    let before = panel.site.people.person(marta).expect("person").expect("there").name;
    // Somebody else changes it in between: a field that this form left unchanged isn't written back over it.
    panel.change(marta, "Marta Newer", None, "en");
    let form = details_form(&page, &sealed(&page, 0), [&before, "", "en"]);
    let (answer, _) = panel.post(&session, &details, &form, "same-origin").await;
    let said = answer
        .headers()
        .get_all(SET_COOKIE)
        .iter()
        .any(|cookie| cookie.as_bytes().starts_with(b"kt-said=said-unchanged"));
    assert!(said && answer.status() == StatusCode::SEE_OTHER);
    assert_eq!(panel.site.people.person(marta).expect("person").expect("there").name, "Marta Newer");
}

#[tokio::test]
async fn beyond_the_end_of_a_list_is_its_last_page() {
    let panel = panel();
    let ana = panel.person(Kind::Administrator, "ana", None);
    for n in 0..30 {
        panel.person(Kind::Customer, &format!("customer{n}"), None);
    }
    let session = panel.signed_in(ana);
    for (asked, last) in
        [("page=99", "page=2"), ("q=customer&page=3", "q=customer&page=2"), ("q=customer7&page=2", "q=customer7")]
    {
        let request = HttpRequest::get(format!("/customers?{asked}")).header(COOKIE, format!("session={session}"));
        let (answer, _) = panel.ask(request.body(Body::empty()).expect("request")).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{asked}");
        assert_eq!(answer.headers()[LOCATION], format!("/customers?{last}"));
        assert_eq!(panel.get(&session, &format!("/customers?{last}")).await.0, StatusCode::OK);
    }
    let (status, none) = panel.get(&session, "/customers?q=nobody&page=9").await;
    assert!(status == StatusCode::OK && none.contains("Nothing here matches"), "{none}");
}

#[tokio::test]
async fn every_page_names_an_icon_that_is_there() {
    let panel = panel();
    for path in ["/sign-in", "/nowhere"] {
        let (_, page) = panel.get("", path).await;
        let icon =
            page.split("<link rel=\"icon\"").nth(1).and_then(|rest| rest.split("href=\"").nth(1)).expect("an icon");
        let icon = icon.split('"').next().expect("its address");
        let (answer, svg) = panel.ask(HttpRequest::get(icon).body(Body::empty()).expect("request")).await;
        assert_eq!(
            (answer.status(), &answer.headers()[CONTENT_TYPE]),
            (StatusCode::OK, &"image/svg+xml".parse().expect("value"))
        );
        assert!(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\"") && !svg.contains("style"), "{svg}");
    }
}

#[tokio::test]
async fn a_page_that_is_not_there_leads_to_no_other_site() {
    let panel = panel();
    let request = HttpRequest::get("//evil.example/x").body(Body::empty()).expect("request");
    let (_, page) = panel.ask(request).await;
    assert!(page.contains("/evil.example/x?lang=es") && !page.contains("\"//evil"), "{page}");
}

#[tokio::test]
async fn a_customer_does_not_see_where_the_staff_sit() {
    let panel = panel();
    let (ana, marta) = (panel.person(Kind::Administrator, "ana", None), panel.person(Kind::Customer, "marta", None));
    let sql = format!(
        "INSERT INTO keyturnhost_audit (id, at, plugin, operation, actor, outcome, address, request) VALUES
             (1, 1764000000000, 'p', 'set-password', 'staff:{ana}', 'done', '192.0.2.1', 'r'),
             (2, 1764000000000, 'p', 'verify', 'anonymous', 'must_change', '192.0.2.2', 'r');
         INSERT INTO keyturnhost_audit_subjects VALUES
             ('customer:{marta}', 1, 0, 'subject'), ('customer:{marta}', 2, 0, 'checked')"
    );
    panel.site.people.with(|db| db.execute_batch(&sql)).expect("rows");
    let (_, own) = panel.get(&panel.signed_in(marta), "/account").await;
    assert!(own.contains("192.0.2.2") && !own.contains("192.0.2.1"), "{own}");
    assert!(own.contains("Signed in, and must choose a new password"), "{own}");
    let (_, overview) = panel.get(&panel.signed_in(ana), &format!("/customers/{marta}")).await;
    assert!(overview.contains("192.0.2.2") && overview.contains("192.0.2.1"), "{overview}");
}

#[tokio::test]
async fn a_mailed_link_is_not_told_as_a_reset() {
    let panel = panel();
    let (ana, marta) = (panel.person(Kind::Administrator, "ana", None), panel.person(Kind::Customer, "marta", None));
    let told = async |subjects: &str, outcome: &str| {
        let sql = format!(
            "DELETE FROM keyturnhost_audit; DELETE FROM keyturnhost_audit_subjects;
             INSERT INTO keyturnhost_audit (id, at, plugin, operation, actor, outcome, address, request) VALUES
                 (1, 1764000000000, 'p', 'reset-and-mail', 'staff:{ana}', '{outcome}', NULL, 'r');
             INSERT INTO keyturnhost_audit_subjects VALUES ('customer:{marta}', 1, 0, 'subject'){subjects}"
        );
        panel.site.people.with(|db| db.execute_batch(&sql)).expect("rows");
        panel.get(&panel.signed_in(ana), &format!("/customers/{marta}")).await.1
    };
    let link = told("", "done").await;
    assert!(link.contains("Link to choose a password, email queued") && !link.contains("Password reset"), "{link}");
    let password = told(&format!(", ('customer:{marta}', 1, 1, 'password')"), "done").await;
    assert!(password.contains("Password reset, email queued"), "{password}");
    let refused = told("", "refused: no-address").await;
    assert!(refused.contains("Password reset, email queued: not done"), "{refused}");
}

#[tokio::test]
async fn ending_all_sessions_of_somebody_is_asked_first_and_says_how_many() {
    let panel = panel();
    let (ana, marta) = (panel.person(Kind::Administrator, "ana", None), panel.person(Kind::Customer, "marta", None));
    let (session, overview) = (panel.signed_in(ana), format!("/customers/{marta}"));
    let hers: Vec<String> = (0..2).map(|_| panel.signed_in(marta)).collect();
    let (_, page) = panel.get(&session, &overview).await;
    assert!(page.contains(&format!("href=\"{overview}?ask=end-sessions\">End all sessions</a>")), "{page}");
    assert!(!page.contains(">End all sessions</button>"), "{page}");

    let ask = format!("{overview}?ask=end-sessions");
    let (_, page) = panel.get(&session, &ask).await;
    for part in ["End all sessions of marta?", "2 sessions are open. They end at once.", "The password stays the same"]
    {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert_eq!(panel.get(&hers[0], "/account").await.0, StatusCode::OK, "nothing is done by looking");
    let before = page.split(">End all sessions</button>").next().expect("a button");
    let kt = before.rsplit("name=\"kt\" value=\"").next().and_then(|rest| rest.split('"').next()).expect("a form");
    let (answer, _) = panel.post(&session, &ask, &[("kt", kt)], "same-origin").await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert_eq!(answer.headers()[LOCATION], overview);
    assert_eq!(panel.get(&hers[0], "/account").await.0, StatusCode::SEE_OTHER);

    let (_, page) = panel.get(&session, &ask).await;
    assert!(page.contains("No session is open") && !page.contains(">End all sessions</button>"), "{page}");
    // Where they ended between the question and its answer.
    let request =
        HttpRequest::get(&overview).header(COOKIE, format!("session={session}; kt-said=said-sessions-ended.0"));
    let (_, page) = panel.ask(request.body(Body::empty()).expect("request")).await;
    assert!(page.contains("No session was open.") && !page.contains("kt-success\" role"), "{page}");
}

#[tokio::test]
async fn who_manages_others_sees_the_outbox_and_who_runs_the_panel_the_rest_of_the_mail() {
    let panel = panel();
    for (kind, outbox, rest, settings) in [
        (Kind::Owner, StatusCode::OK, StatusCode::OK, StatusCode::OK),
        (Kind::Administrator, StatusCode::OK, StatusCode::OK, StatusCode::FORBIDDEN),
        (Kind::Reseller, StatusCode::OK, StatusCode::FORBIDDEN, StatusCode::FORBIDDEN),
        (Kind::Customer, StatusCode::FORBIDDEN, StatusCode::FORBIDDEN, StatusCode::FORBIDDEN),
    ] {
        let session = panel.signed_in(panel.person(kind, kind.name(), None));
        let (_, account) = panel.get(&session, "/account").await;
        for (path, status) in [
            ("/operator/outbox", outbox),
            ("/operator/email-settings", settings),
            ("/operator/webhooks", settings),
            ("/operator/keys", settings),
        ] {
            assert_eq!(panel.get(&session, path).await.0, status, "{kind:?} {path}");
            let linked = account.contains(&format!("href=\"{path}\""));
            assert_eq!(linked, status == StatusCode::OK, "{kind:?} {path} in the navigation");
        }
        for path in ["/operator/inbox", "/operator/inbox-mail?name=one.eml", "/operator/inbox-html?name=one.eml"] {
            // The panel's links lead elsewhere, so there is no inbox even for those who may see one.
            let expected = if rest == StatusCode::OK { StatusCode::NOT_FOUND } else { StatusCode::FORBIDDEN };
            assert_eq!(panel.get(&session, path).await.0, expected, "{kind:?} {path}");
        }
    }
}

#[tokio::test]
async fn a_page_that_the_script_asks_for_takes_away_nothing_that_is_shown_once() {
    let panel = panel();
    let marta = panel.person(Kind::Customer, "marta", None);
    let session = panel.signed_in(panel.person(Kind::Administrator, "ana", None));
    let ask = async |quiet: bool| {
        let mut request = HttpRequest::get(format!("/customers/{marta}"))
            .header(COOKIE, format!("session={session}; kt-said=said-saved.0"));
        if quiet {
            request = request.header(keyturn_host::embed::QUIET_HEADER, "1");
        }
        let (answer, page) = panel.ask(request.body(Body::empty()).expect("request")).await;
        (page.contains("Details saved."), answer.headers().get_all(SET_COOKIE).iter().count())
    };
    assert_eq!(ask(true).await, (false, 0));
    assert_eq!(ask(false).await, (true, 1));
}

#[test]
fn nobody_else_on_the_machine_reads_the_database() {
    use std::os::unix::fs::PermissionsExt as _;
    let panel = panel();
    for entry in std::fs::read_dir(panel._folder.path()).expect("read") {
        let entry = entry.expect("read");
        if entry.file_name().to_string_lossy().starts_with("panel.db") {
            assert_eq!(entry.metadata().expect("there").permissions().mode() & 0o077, 0, "{:?}", entry.file_name());
        }
    }
}

#[tokio::test]
async fn email_settings_are_the_owners_and_his_password_is_asked_for_before_they_change() {
    let panel = panel();
    let owner = panel.signed_in(panel.person(Kind::Owner, "owner", None));
    let (status, page) = panel.get(&owner, "/operator/email-settings").await;
    assert_eq!(status, StatusCode::OK);
    assert!(
        page.contains("href=\"/operator/email-settings\"") && page.contains("Set in keyturn.toml, line "),
        "{page}"
    );
    for kind in [Kind::Administrator, Kind::Reseller, Kind::Customer] {
        let other = panel.signed_in(panel.person(kind, kind.name(), None));
        let (status, answer) = panel.get(&other, "/operator/email-settings").await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{kind:?}");
        assert!(!answer.contains("href=\"/operator/email-settings\""), "{kind:?}");
        let form = [("kt", sealed(&page, 0)), ("transport", "folder".to_owned())];
        let form = form.each_ref().map(|(name, value)| (*name, value.as_str()));
        let (answer, _) = panel.post(&other, "/operator/email-settings", &form, "same-origin").await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{kind:?}");
    }
    panel.site.people.with(|db| db.execute("UPDATE sessions SET verified_at = 1", [])).expect("long ago");
    let form = [
        ("kt", sealed(&page, 0)),
        ("transport", "folder".to_owned()),
        ("encryption", "starttls".to_owned()),
        ("from", "accounts@northwind.example".to_owned()),
    ];
    let form = form.each_ref().map(|(name, value)| (*name, value.as_str()));
    let (answer, _) = panel.post(&owner, "/operator/email-settings", &form, "same-origin").await;
    assert_eq!(answer.headers()[LOCATION], "/step-up?next=%2Foperator%2Femail-settings");
    assert!(panel.site.host.mail_setup().expect("read").chosen.from.is_none());
    // A mistake is shown before anybody is asked for anything.
    let (_, page) = panel.get(&owner, "/operator/email-settings").await;
    let form = [("kt", sealed(&page, 0)), ("transport", "smtp".to_owned()), ("encryption", "tls".to_owned())];
    let form = form.each_ref().map(|(name, value)| (*name, value.as_str()));
    let (answer, page) = panel.post(&owner, "/operator/email-settings", &form, "same-origin").await;
    assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.contains("<title>Error: Email settings") && page.contains("Fill in “Host”"), "{page}");
}

#[tokio::test]
async fn a_body_for_which_there_is_no_room_is_answered_so_that_it_is_sent_again() {
    let panel = panel();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let bodies = Budget { all: 0, each: 0, known: 0 };
    let manners = Manners { bodies, ..panel.site.manners.clone() };
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(serve(listener, panel.router.clone(), manners, async {
        let _ = stopped.await;
    }));
    let ask = move || {
        let mut stream = std::net::TcpStream::connect(address).expect("connects");
        let head = "POST /sign-in HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\nConnection: close\r\n\r\n";
        let _ = stream.write_all(&[head.as_bytes(), &[b'x'; 60_000]].concat());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).to_ascii_lowercase()
    };
    let answer = tokio::task::spawn_blocking(ask).await.expect("asked");
    let _ = stop.send(());
    serving.await.expect("ends");
    assert!(answer.starts_with("http/1.1 503 ") && answer.contains("\r\nretry-after: 5\r\n"), "{answer}");
}
