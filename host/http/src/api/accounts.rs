//! `GET /v1/accounts?named=…`: which accounts have that login or address; and an account's session epoch. Both need the scope
//! [`SCOPE`], and find only accounts that the key reaches.

use axum::response::Response;
use serde_json::json;

use super::problem::{self, Problem};
use super::request::{Asked, json_answer};
use keyturn_core::accounts::{AccountId, Field, Matched};
use keyturn_core::fold::same_address;
use keyturn_operator::service_key::ACCOUNTS as SCOPE;
use keyturn_store::Known;

/// Accounts whose folded login or address is the one asked for: matches by login first, then older ones first, at most
/// `accounts-per-address`. Whether it is exactly the account's own address is answered too: texts that fold to the same, such
/// as `ß` and `ss`, can be the mailboxes of two people.
pub(super) fn find(asked: &Asked) -> Result<Response, Problem> {
    asked.needs(SCOPE)?;
    let named = asked.word("named").filter(|named| !named.is_empty());
    let named = named.ok_or_else(|| Problem::argument("named", "named must be a login or an address."))?;
    let realms: Vec<&str> = asked.key.realms.iter().map(String::as_str).collect();
    let found = asked.served.host.find(&named, &realms).map_err(Problem::of_storage)?;
    let mut accounts = Vec::new();
    for (account, matched) in found {
        if let Some(known) = known(asked, &account)? {
            let is_own = |address: &str| same_address(address, &named);
            let is_address = known.account.value(Field::Email).is_some_and(is_own);
            let matched = match matched {
                Matched::Login => "login",
                Matched::Email => "email",
            };
            accounts.push(json!({ "account": account, "matched": matched, "is_address": is_address }));
        }
    }
    Ok(json_answer(&json!({ "accounts": accounts })))
}

/// The epoch to compare with a session's at each request: another epoch ends the session.
pub(super) fn epoch(asked: &Asked) -> Result<Response, Problem> {
    asked.needs(SCOPE)?;
    let account = asked.parameter("account").parse().ok();
    let known = account.map(|account: AccountId| known(asked, &account)).transpose()?.flatten();
    let known = known.ok_or_else(|| Problem::from(&problem::NOT_FOUND))?;
    Ok(json_answer(&json!({ "epoch": known.epoch })))
}

/// An account that the key reaches.
fn known(asked: &Asked, account: &AccountId) -> Result<Option<Known>, Problem> {
    let known = asked.served.host.storage.account(account).map_err(Problem::of_storage)?;
    Ok(known.filter(|known| asked.caller.reaches(&known.account)))
}
