//! Creates the first owner, at the machine's console: people with access to it own the panel anyway.

use std::io::{BufRead as _, IsTerminal as _, stdin, stdout};

use anyhow::{Context as _, bail};
use keyturn_host::accounts::Reach;
use keyturn_host::caller::{Actor, Caller};
use keyturn_host::{CallError, Failure};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::people::{Kind, NewPerson, account, login_problem, today};
use crate::site::Site;

/// Creates the owner. Their password is set in the same way as everybody's.
pub fn create(site: &Site, login: &str, email: Option<&str>, name: Option<&str>) -> anyhow::Result<()> {
    if site.people.has_owner()? {
        bail!("there is already an owner. To give somebody a new password: keyturn reset-password LOGIN");
    }
    if let Some(problem) = login_problem(login) {
        bail!("the login {problem}");
    }
    if site.people.by_login(login)?.is_some() {
        bail!("somebody else has the login {login}; choose another one");
    }
    let password = read_password()?;
    let id = site.people.add(&NewPerson {
        kind: Kind::Owner,
        login,
        email,
        name: name.unwrap_or(login),
        locale: "en",
        suspended: false,
        reseller: None,
        hash: None,
        since: &today(),
    })?;
    if let Err(refused) = set_password(site, "staff", id, &password, false) {
        site.people.remove(id)?;
        return Err(refused).context("no owner was created");
    }
    println!("{login} owns this panel now. Start it: keyturn-example-panel --config FILE serve");
    Ok(())
}

/// Sets a password with the plugin's hook, as the console.
pub fn set_password(site: &Site, realm: &str, id: i64, password: &str, must_change: bool) -> anyhow::Result<()> {
    let account = account(realm, id).context("the row's id is not an account name")?;
    let mut arguments = json!({"account": account.as_str(), "new": password, "must_change": must_change});
    let caller = Caller::new(Actor::Console, Reach::none());
    let result = site.host.call(&caller, &site.set_password, &arguments, None);
    if let Some(Value::String(text)) = arguments.get_mut("new").map(Value::take) {
        drop(Zeroizing::new(text));
    }
    match result {
        Ok(_) => Ok(()),
        Err(CallError::Failed(Failure::Invalid(errors))) => {
            let reasons: Vec<String> = errors.into_iter().map(|error| error.message).collect();
            bail!("{}", reasons.join(" "))
        }
        Err(cause) => Err(cause).with_context(|| format!("the hook {} did not set the password", site.set_password)),
    }
}

/// Reads one line from standard input; on a terminal it asks twice, without echo.
fn read_password() -> anyhow::Result<Zeroizing<String>> {
    if !stdin().is_terminal() {
        let mut line = Zeroizing::new(String::new());
        stdin().lock().read_line(&mut line).context("the password can't be read from standard input")?;
        let end = line.trim_end_matches(['\r', '\n']).len();
        line.truncate(end);
        if line.is_empty() {
            bail!("standard input is empty: write the password to it, on one line");
        }
        return Ok(line);
    }
    if !stdout().is_terminal() {
        eprintln!("Type the password on the terminal.");
    }
    let first = Zeroizing::new(rpassword::prompt_password("New password (not shown): ")?);
    let again = Zeroizing::new(rpassword::prompt_password("Repeat the new password: ")?);
    if first != again {
        bail!("the two passwords differ");
    }
    Ok(first)
}
