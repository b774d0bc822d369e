//! HTML for email programs: one column, no tables, backgrounds or images, so Word's engine and forced dark modes have nothing
//! to break. Essential styles are inline, because some programs drop style sheets; the sheet has the dark palette.

use zeroize::Zeroizing;

use super::{Letter, MASK, Piece};
use keyturn_core::html::Html;

const HEAD: &str = "<meta charset=\"utf-8\">\n\
    <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
    <meta name=\"color-scheme\" content=\"light dark\">\n\
    <meta name=\"supported-color-schemes\" content=\"light dark\">\n";

/// No variables: several programs don't support them. The same colours as the panel's pages.
const SHEET: &str = "<style>\n\
    :root { color-scheme: light dark; supported-color-schemes: light dark; }\n\
    @media (prefers-color-scheme: dark) {\n\
    .kt-text { color: #e9eaec !important; }\n\
    .kt-muted { color: #a4a9b2 !important; }\n\
    .kt-link { color: #9cc0f5 !important; }\n\
    .kt-button { color: #9cc0f5 !important; border-color: #8fb7f2 !important; }\n\
    .kt-secret { color: #e9eaec !important; border-color: #757c88 !important; }\n\
    .kt-rule { border-color: #30353d !important; }\n\
    }\n\
    </style>\n";

const BODY: &str = "margin:0;padding:24px 16px";
const COLUMN: &str = "max-width:520px;text-align:start;font-family:system-ui,-apple-system,Segoe UI,Roboto,Helvetica,Arial,sans-serif;\
    font-size:16px;line-height:1.5;color:#1c1e22";
const UNSEEN: &str = "display:none;max-height:0;overflow:hidden";
const BRAND: &str = "margin:0 0 20px;font-size:15px;font-weight:600;color:#5a5d63";
const FIRST: &str = "margin:0 0 16px;font-size:22px;line-height:1.3;font-weight:650;color:#1c1e22";
const HEADING: &str = "margin:24px 0 12px;font-size:17px;line-height:1.3;font-weight:650;color:#1c1e22";
const TEXT: &str = "margin:0 0 16px;color:#1c1e22";
const SMALL: &str = "margin:0 0 16px;font-size:14px;color:#5a5d63";
const BUTTON: &str = "display:inline-block;padding:11px 20px;border:2px solid #1f4e8c;border-radius:6px;font-weight:600;\
    text-decoration:none;color:#1f4e8c";
const LINK: &str = "color:#1f4e8c;word-break:break-all";
const SECRET: &str = "display:inline-block;padding:11px 16px;border:1px solid #83827c;border-radius:6px;font-size:20px;font-weight:600;\
    font-family:ui-monospace,Menlo,Consolas,monospace;color:#1c1e22";
const RULE: &str = "margin:24px 0 20px;border:0;border-top:1px solid #dfddd8";

pub(super) fn draw(letter: &Letter<'_>) -> String {
    let mut html = Html::new();
    html.literal("<!DOCTYPE html>\n").open("html", &[("lang", Some(letter.locale)), ("dir", direction(letter.locale))]);
    html.literal("\n<head>\n").literal(HEAD).element("title", &[], &letter.subject).literal("\n").literal(SHEET);
    html.literal("</head>\n").open("body", &[("style", Some(BODY))]).literal("\n");
    html.element("div", &[("style", Some(UNSEEN))], &letter.preheader).literal("\n");
    html.open("div", &[("class", Some("kt-text")), ("style", Some(COLUMN))]).literal("\n");
    element(&mut html, "p", "kt-muted", BRAND, |html| {
        html.text(&letter.brand);
    });
    let small_print = letter.small_print();
    let last_action = letter.last_action();
    let mut headed = false;
    for (at, piece) in letter.pieces.iter().enumerate() {
        if at == small_print {
            rule(&mut html);
        }
        let is_small = last_action.is_some_and(|last| at > last);
        match piece {
            Piece::Heading(words) => {
                let (name, style) = if headed { ("h2", HEADING) } else { ("h1", FIRST) };
                headed = true;
                element(&mut html, name, "kt-text", style, |html| words.draw(html));
            }
            Piece::Text(words) if is_small => element(&mut html, "p", "kt-muted", SMALL, |html| words.draw(html)),
            Piece::Text(words) => element(&mut html, "p", "kt-text", TEXT, |html| words.draw(html)),
            Piece::Link(label, address) => {
                element(&mut html, "p", "kt-text", TEXT, |html| {
                    let name = if address.is_some() { "a" } else { "span" };
                    let href = address.as_ref().map(|address| address.as_str());
                    html.open(name, &[("href", href), ("class", Some("kt-button")), ("style", Some(BUTTON))]);
                    label.draw(html);
                    html.close(name);
                });
                element(&mut html, "p", "kt-muted", SMALL, |html| pasted(html, letter, address.as_ref()));
            }
            Piece::Secret(secret) => element(&mut html, "p", "kt-text", TEXT, |html| {
                html.element(
                    "code",
                    &[("dir", Some("ltr")), ("class", Some("kt-secret")), ("style", Some(SECRET))],
                    secret,
                );
            }),
        }
    }
    if small_print == letter.pieces.len() {
        rule(&mut html);
    }
    element(&mut html, "p", "kt-muted", SMALL, |html| {
        html.text(&letter.footer);
    });
    html.literal("</div>\n</body>\n</html>\n");
    html.done().to_string()
}

fn element(html: &mut Html, name: &'static str, class: &str, style: &str, inside: impl FnOnce(&mut Html)) {
    html.open(name, &[("class", Some(class)), ("style", Some(style))]);
    inside(html);
    html.close(name).literal("\n");
}

/// The address again, as text: for people who read on one device and browse on another.
fn pasted(html: &mut Html, letter: &Letter<'_>, address: Option<&Zeroizing<String>>) {
    html.text(letter.words.get("mail-paste")).literal("<br>\n");
    match address {
        Some(address) => {
            let attributes = [("href", Some(address.as_str())), ("class", Some("kt-link")), ("style", Some(LINK))];
            html.element("a", &attributes, address);
        }
        None => {
            html.text(MASK);
        }
    }
}

fn rule(html: &mut Html) {
    html.open("hr", &[("class", Some("kt-rule")), ("style", Some(RULE))]).literal("\n");
}

/// Right-to-left scripts, of the languages that panels use.
fn direction(locale: &str) -> Option<&'static str> {
    let language = locale.split(['-', '_']).next().unwrap_or_default();
    ["ar", "fa", "he", "ur"].contains(&language).then_some("rtl")
}
