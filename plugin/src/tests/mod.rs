//! What the plugin promises, one file for each part of it. All on the panel in memory.

mod address;
mod change;
mod generate;
mod hash;
mod letter;
mod links;
mod manifest;
mod pages;
mod policy;
mod recovery;
mod reset_and_mail;
mod sign_in;
mod store;
mod told;
mod typed;
mod unicode;
mod views;
mod words;

use crate::bindings::call::Actor;
use crate::bindings::mail::{MailState, Variable};
use crate::bindings::password::{Changed, Verdict};
use crate::bindings::settings::Value;
use crate::bindings::types::Failure;
use crate::password::PlainPassword;
use crate::store::{AccountRecord, PasswordRecord, State};
use crate::testing::Panel;
use crate::{change as using, sign_in as signing, store as records};

const MARTA: &str = "customer:1";
const OMAR: &str = "customer:2";
const FIRST: &str = "copper lantern oats";
const SECOND: &str = "velvet tractor sunrise";
const MINUTE: i64 = 60_000;

/// Marta has a password, Omar has none. The cheapest Argon2id that the settings allow.
fn panel() -> Panel {
    let panel = Panel::new();
    panel.settings.borrow_mut().insert("argon2-memory-kib", Value::Number(7_168));
    panel.settings.borrow_mut().insert("argon2-passes", Value::Number(1));
    panel.add_customer(MARTA, "marta.vidal", "marta@estudiovidal.example", "Marta Vidal");
    panel.add_customer(OMAR, "omar", "omar@sawtalmadina.example", "Omar Haddad");
    // So that the outbox begins empty.
    panel.mail_off.set(true);
    set(&panel, MARTA, FIRST, false);
    panel.mail_off.set(false);
    panel.kdf_calls.set(0);
    panel
}

fn secret(text: &str) -> PlainPassword {
    PlainPassword::new(text.to_owned())
}

fn set(panel: &Panel, account: &str, password: &str, must_change: bool) -> Changed {
    panel.run(|ports| using::set_password(ports, account, secret(password), must_change)).unwrap()
}

fn sign_in(panel: &Panel, name: &str, password: &str) -> Result<Verdict, Failure> {
    sign_in_showing(panel, name, password, None)
}

/// In a browser that shows what an earlier sign-in has answered.
fn sign_in_showing(panel: &Panel, name: &str, password: &str, device: Option<&str>) -> Result<Verdict, Failure> {
    panel.run(|ports| signing::verify(ports, name, secret(password), device))
}

fn accepted(panel: &Panel, name: &str, password: &str) -> bool {
    matches!(sign_in(panel, name, password), Ok(Verdict::Accepted(_)))
}

fn act_as(panel: &Panel, account: &str) {
    *panel.caller.borrow_mut() = Actor::Account(account.to_owned());
}

/// As Reset & mail does, but with the password that there is.
fn make_temporary(panel: &Panel, account: &str, until: i64) {
    let password = PasswordRecord {
        epoch: panel.person(account).epoch.to_string(),
        state: State::Temporary { until },
        changed: panel.now.get(),
    };
    let record = AccountRecord { password: Some(password), ..AccountRecord::default() };
    panel.run(|ports| records::put_account(ports, account, &record)).unwrap();
}

/// The link of the latest mail that carries one, as its reader has it.
fn mailed_link(panel: &Panel) -> String {
    let links = panel.outbox().into_iter().rev().flat_map(|posted| posted.variables);
    let link = links.filter_map(|(_, value)| match value {
        Variable::Link(link) => Some(link.token),
        _ => None,
    });
    link.into_iter().next().expect("no mail carries a link")
}

/// The password of the latest mail that carries one, as its reader has it.
fn mailed_password(panel: &Panel) -> String {
    let secrets = panel.outbox().into_iter().rev().flat_map(|posted| posted.variables);
    let password = secrets.filter_map(|(_, value)| match value {
        Variable::Secret(password) => Some(password),
        _ => None,
    });
    password.into_iter().next().expect("no mail carries a password")
}

/// Template and account of every mail, in order.
fn letters(panel: &Panel) -> Vec<(String, String)> {
    panel.outbox().into_iter().map(|posted| (posted.template, posted.account)).collect()
}

fn refusal_code<T: std::fmt::Debug>(result: Result<T, Failure>) -> String {
    match result {
        Err(Failure::Refused(refusal)) => refusal.code,
        other => panic!("not refused: {other:?}"),
    }
}

/// Codes by field, in order.
fn codes(failure: Failure) -> Vec<(String, String)> {
    match failure {
        Failure::Invalid(errors) => errors.into_iter().map(|error| (error.field, error.code)).collect(),
        other => panic!("not invalid: {other:?}"),
    }
}
