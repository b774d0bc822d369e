//! Small routes: home, sign-out, and colours.

use axum::http::StatusCode;
use axum::response::Response;
use keyturn_host::accounts::Scope;
use keyturn_host::http::reader::THEME_COOKIE;
use keyturn_host::view::shell::Theme;

use crate::answer::{self, Failed};
use crate::folk::{Folk, scope};
use crate::pages::sign_in::local;
use crate::request::Request;
use crate::visitor::session_cookie;

const YEAR: u32 = 365 * 24 * 60 * 60;

/// `/`: the first list that the reader reaches, or their own account.
pub fn show(request: &mut Request) -> Result<Response, Failed> {
    let person = request.person()?;
    let first = Folk::ALL.into_iter().find(|folk| scope(person.kind, *folk) != Scope::None);
    let url = first.map_or("/account".to_owned(), |folk| format!("/{}", folk.path()));
    Ok(answer::see_other(&url))
}

pub fn sign_out(request: &mut Request) -> Result<Response, Failed> {
    let Some(session) = &request.visitor.session else {
        return Ok(answer::see_other("/sign-in"));
    };
    if posted(request, "token") != Some(request.visitor.token()) {
        return Err(Failed::Forged);
    }
    request.site.people.end_session(session.id)?;
    request.set_cookie(session_cookie(request.site.https), "", Some(0));
    request.say("said-signed-out", 0);
    Ok(answer::see_other("/sign-in"))
}

/// Chooses the colours. It changes only a cookie, so the browser's word on where the post comes from is enough.
pub fn theme(request: &mut Request) -> Result<Response, Failed> {
    let theme = posted(request, "theme").and_then(|name| Theme::named(&name)).unwrap_or_default();
    request.set_cookie(THEME_COOKIE, theme.name(), Some(YEAR));
    let back = posted(request, "back").unwrap_or_default();
    Ok(answer::see_other(local(&back)))
}

fn posted(request: &Request, name: &str) -> Option<String> {
    form_urlencoded::parse(&request.body).find_map(|(key, value)| (key == name).then(|| value.into_owned()))
}

/// Where password managers look for the page to change a password (W3C, "A Well-Known URL for Changing Passwords").
pub fn change_password(_: &mut Request) -> Result<Response, Failed> {
    Ok(answer::moved(StatusCode::FOUND, "/account"))
}

/// Everything else.
pub fn nothing(_: &mut Request) -> Result<Response, Failed> {
    Err(Failed::NoPage)
}
