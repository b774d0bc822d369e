//! What a request says about its reader: language, colours, cookies.

use std::borrow::Cow;

use axum::http::{HeaderMap, Uri, header};

use keyturn_core::words::Language;
use keyturn_ui::shell::Theme;

/// The cookie that keeps a chosen language.
pub const LANGUAGE_COOKIE: &str = "kt-lang";
/// The cookie that keeps chosen colours.
pub const THEME_COOKIE: &str = "kt-theme";

/// The value of the first cookie with this name.
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(found, _)| *found == name)
        .map(|(_, value)| value)
}

/// The reader's language, one of ours: what the address asks for (`?lang=es`), what was chosen before, what the browser
/// prefers, or English.
pub fn locale(uri: &Uri, headers: &HeaderMap) -> String {
    asked_locale(uri)
        .or_else(|| known(cookie(headers, LANGUAGE_COOKIE)?))
        .or_else(|| preferred(headers.get(header::ACCEPT_LANGUAGE)?.to_str().ok()?))
        .unwrap_or(Language::default().tag())
        .to_owned()
}

/// The language that the address asks for.
pub fn asked_locale(uri: &Uri) -> Option<&'static str> {
    // An emailed address ends with it, and people write `>`, `.` or `)` after an address.
    known(asked(uri, "lang")?.trim_end_matches(|c: char| !c.is_ascii_alphanumeric()))
}

/// The first value of a parameter of the address.
pub fn asked<'a>(uri: &'a Uri, name: &str) -> Option<Cow<'a, str>> {
    form_urlencoded::parse(uri.query()?.as_bytes()).find(|(found, _)| found == name).map(|(_, value)| value)
}

/// The chosen colours.
pub fn theme(headers: &HeaderMap) -> Theme {
    cookie(headers, THEME_COOKIE).and_then(Theme::named).unwrap_or_default()
}

fn known(tag: &str) -> Option<&'static str> {
    Language::known(tag).map(Language::tag)
}

/// The language of ours that is highest in `Accept-Language` (RFC 9110, section 12.5.4).
fn preferred(header: &str) -> Option<&'static str> {
    let mut best: Option<(&'static str, f32)> = None;
    for item in header.split(',').take(20) {
        let (tag, quality) = item.trim().split_once(";q=").unwrap_or((item.trim(), "1"));
        let quality = quality.trim().parse::<f32>().unwrap_or(0.0);
        if let Some(tag) = known(tag)
            && quality > best.map_or(0.0, |(_, best)| best)
        {
            best = Some((tag, quality));
        }
    }
    best.map(|(tag, _)| tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_language_of_ours_is_chosen() {
        for (header, expected) in [
            ("es-MX,es;q=0.9,en;q=0.8", Some("es")),
            ("xx, en;q=0.5, es;q=0.7", Some("es")),
            ("xx", None),
            ("es;q=0", None),
            (";;;=,", None),
        ] {
            assert_eq!(preferred(header), expected, "{header}");
        }
    }

    #[test]
    fn the_address_outranks_the_cookie_and_the_cookie_the_browser() {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_LANGUAGE, "en".parse().expect("header"));
        headers.insert(header::COOKIE, "a=b; kt-lang=es".parse().expect("header"));
        assert_eq!(locale(&"/x".parse().expect("address"), &headers), "es");
        assert_eq!(locale(&"/x?lang=en".parse().expect("address"), &headers), "en");
        for bent in ["/x?lang=en%3E", "/x?lang=en.", "/x?lang=en),", "/x?lang=en%0D%0A"] {
            assert_eq!(locale(&bent.parse().expect("address"), &headers), "en", "{bent}");
        }
        assert_eq!(locale(&"/x?lang=xx".parse().expect("address"), &headers), "es");
    }
}
