//! The component's side of the ports: imports answer the traits, exports call the use cases. It has no logic.

use crate::bindings::exports::keyturn::panel::background as work;
use crate::bindings::exports::keyturn::password::password as hooks;
use crate::bindings::exports::keyturn::ui::views as exported_views;
use crate::bindings::nodes::{Node, Strength, View};
use crate::bindings::types::{Event, Failure};
use crate::bindings::{accounts, call, database, events, jobs, kdf, keys, mail, settings};
use crate::password::PlainPassword;
use crate::ports::{Accounts, Call, Database, Events, Jobs, Kdf, Keys, Mail, Settings};
use crate::{address, background, change, check, links, recognise, recovery, reset_and_mail, sign_in, status, views};

struct Imports;

impl Call for Imports {
    fn caller(&self) -> call::Actor {
        call::caller()
    }
    fn address(&self) -> Option<String> {
        call::address()
    }
    fn locale(&self) -> String {
        call::locale()
    }
    fn now(&self) -> i64 {
        call::now()
    }
}

impl Accounts for Imports {
    fn find(&self, login_or_email: &str) -> Result<Vec<accounts::Match>, accounts::Error> {
        accounts::find(login_or_email)
    }
    fn fold(&self, login_or_email: &str) -> String {
        accounts::fold(login_or_email)
    }
    fn fields(&self, account: &str, names: &[&str]) -> Result<Vec<Option<String>>, accounts::Error> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        accounts::get(account, &names)
    }
    fn credential(&self, account: &str) -> Result<accounts::StoredCredential, accounts::Error> {
        accounts::credential(account)
    }
    fn sessions(&self, account: &str) -> Result<Option<u32>, accounts::Error> {
        accounts::sessions(account)
    }
    fn replace(&self, account: &str, hash: &str, why: accounts::Replacement) -> Result<String, accounts::Error> {
        accounts::replace(account, hash, why)
    }
}

impl Database for Imports {
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, database::Error> {
        database::get(key)
    }
    fn put(&self, key: &str, value: &[u8], expires: Option<i64>) -> Result<(), database::Error> {
        database::put(key, value, expires)
    }
    fn count(&self, counters: &[database::Counter]) -> Result<database::Counted, database::Error> {
        database::count(counters)
    }
    fn forget(&self, key: &str) -> Result<(), database::Error> {
        database::forget(key)
    }
}

impl Mail for Imports {
    fn ready(&self, recipient: Option<&mail::Recipient>) -> Result<(), mail::Error> {
        mail::ready(recipient)
    }
    fn state(&self, mail: &str) -> Result<mail::MailState, mail::Error> {
        mail::state(mail)
    }
    fn current(&self, mail: &str) -> Result<bool, mail::Error> {
        mail::current(mail)
    }
    fn send(
        &self,
        recipient: &mail::Recipient,
        template: &str,
        variables: Vec<(String, mail::Variable)>,
        expires: Option<i64>,
    ) -> Result<String, mail::Error> {
        mail::send(recipient, template, &variables, expires)
    }
    fn withdraw(&self, mail: &str) -> Result<(), mail::Error> {
        mail::withdraw(mail)
    }
}

impl Jobs for Imports {
    fn enqueue(&self, job: &str, payload: &str, not_before: Option<i64>, key: Option<&str>) -> Result<(), jobs::Error> {
        jobs::enqueue(job, payload, not_before, key)
    }
}

impl Events for Imports {
    fn emit(&self, event: &Event) -> Result<(), events::Error> {
        events::emit(event)
    }
}

impl Keys for Imports {
    fn mac(&self, purpose: &str, data: &[u8]) -> Vec<u8> {
        keys::mac(purpose, data)
    }
}

impl Kdf for Imports {
    fn ceilings(&self) -> kdf::Argon2Ceilings {
        kdf::ceilings()
    }
    fn argon2(&self, password: &[u8], salt: &[u8], parameters: kdf::Argon2Parameters) -> Result<Vec<u8>, kdf::Error> {
        kdf::argon2(password, salt, parameters)
    }
}

impl Settings for Imports {
    fn setting(&self, name: &str) -> Option<settings::Value> {
        settings::get(name)
    }
}

struct Plugin;

impl hooks::Guest for Plugin {
    fn request_reset(login_or_email: String) -> Result<(), Failure> {
        recovery::request_reset(&Imports, &login_or_email)
    }
    fn reset_and_mail(account: String, mode: hooks::Mode) -> Result<hooks::Reset, Failure> {
        reset_and_mail::reset_and_mail(&Imports, &account, mode)
    }
    fn inspect_link(token: String) -> Result<hooks::LinkState, Failure> {
        links::inspect(&Imports, &token)
    }
    fn complete_reset(token: String, new: String) -> Result<hooks::Changed, Failure> {
        change::complete_reset(&Imports, &token, PlainPassword::new(new))
    }
    fn verify(login_or_email: String, password: String, device: Option<String>) -> Result<hooks::Verdict, Failure> {
        sign_in::verify(&Imports, &login_or_email, PlainPassword::new(password), device.as_deref())
    }
    fn change_own(current: String, new: String) -> Result<hooks::Changed, Failure> {
        change::change_own(&Imports, PlainPassword::new(current), PlainPassword::new(new))
    }
    fn set_password(account: String, new: String, must_change: bool) -> Result<hooks::Changed, Failure> {
        change::set_password(&Imports, &account, PlainPassword::new(new), must_change)
    }
    fn make_link(account: String) -> Result<hooks::MadeLink, Failure> {
        links::make(&Imports, &account)
    }
    fn address_changed(account: String) -> Result<hooks::Notices, Failure> {
        address::address_changed(&Imports, &account)
    }
    fn recognise_hash(hash: String) -> Result<String, Failure> {
        recognise::recognise_hash(&Imports, &hash)
    }
    fn sample_hash() -> Result<String, Failure> {
        recognise::sample_hash(&Imports)
    }
    fn compare_hash(hash: String) -> Result<(), Failure> {
        recognise::compare_hash(&Imports, &hash)
    }
    fn check_password(password: String, account: Option<String>) -> Result<Strength, Failure> {
        check::check_password(&Imports, &PlainPassword::new(password), account.as_deref())
    }
    fn account_status(account: String) -> Result<hooks::Status, Failure> {
        status::account_status(&Imports, &account)
    }
}

impl work::Guest for Plugin {
    fn run(task: work::Task) -> Result<(), Failure> {
        background::run(&Imports, &task)
    }
}

impl exported_views::Guest for Plugin {
    fn slot(name: String, subjects: Vec<Option<String>>) -> Result<Vec<Vec<Node>>, Failure> {
        views::slot(&Imports, &name, &subjects)
    }
    fn page(
        name: String,
        subject: Option<String>,
        token: Option<String>,
        arguments: Vec<(String, String)>,
    ) -> Result<View, Failure> {
        views::page(&Imports, &name, subject.as_deref(), token.as_deref(), &arguments)
    }
    fn submit(
        action: String,
        subject: Option<String>,
        token: Option<String>,
        inputs: Vec<(String, exported_views::Input)>,
    ) -> Result<exported_views::Answer, Failure> {
        views::submit(&Imports, &action, subject.as_deref(), token.as_deref(), inputs)
    }
}

/// The macro writes the exports' C functions here. Keep everything else out of this module.
#[allow(unsafe_code)]
mod exports {
    use super::Plugin;
    crate::bindings::export!(Plugin with_types_in crate::bindings);
}
