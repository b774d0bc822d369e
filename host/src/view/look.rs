//! The one style sheet, the one script and the icon, and the policy that lets nothing else in.

use std::sync::LazyLock;

use sha2::{Digest as _, Sha256};

use crate::seal;

/// As written by hand; [`css`] is what is served.
pub const CSS_SOURCE: &str = include_str!("look/keyturn.css");
/// As written by hand; [`js`] is what is served.
pub const JS_SOURCE: &str = include_str!("look/keyturn.js");

static CSS: LazyLock<Asset> = LazyLock::new(|| Asset::new(squeezed(CSS_SOURCE, "", CSS_SPACE), "css"));
static EMBED_CSS: LazyLock<Asset> =
    LazyLock::new(|| Asset::new(squeezed(&embedded(CSS_SOURCE), "", CSS_SPACE), "embed.css"));
static JS: LazyLock<Asset> = LazyLock::new(|| Asset::new(squeezed(JS_SOURCE, "\n", JS_SPACE), "js"));
static ICON: LazyLock<Asset> = LazyLock::new(|| Asset::new(ICON_SOURCE.to_owned(), "svg"));

/// The mark where the operator has no logo of his own, and what browsers show beside a title.
const ICON_SOURCE: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 30 30\" fill=\"none\" stroke=\"#e8b256\" \
     stroke-width=\"2.4\" stroke-linecap=\"round\"><rect width=\"30\" height=\"30\" rx=\"7\" fill=\"#2a2e35\" stroke=\"none\"/>\
     <circle cx=\"12\" cy=\"12\" r=\"4.2\"/><path d=\"m15 15 8.5 8.5M20 20l2.5-2.5M22.6 22.6l1.8-1.8\"/></svg>";

/// A file under a name that changes with its content, so that it can be kept for ever.
#[derive(Debug)]
pub struct Asset {
    /// `keyturn.<hash>.css`.
    pub name: String,
    /// The content.
    pub content: String,
}

impl Asset {
    fn new(content: String, kind: &str) -> Self {
        let hash = seal::hex(&Sha256::digest(content.as_bytes()));
        Self { name: format!("keyturn.{}.{kind}", &hash[..12]), content }
    }
}

/// The style sheet.
#[must_use]
pub fn css() -> &'static Asset {
    &CSS
}

/// The style sheet for what stands within another panel's pages, in an element of the class `kt`: it touches nothing else there.
/// The panel overrides `--kt-*` on that element, and its own `color-scheme` holds.
#[must_use]
pub fn embed_css() -> &'static Asset {
    &EMBED_CSS
}

/// What browsers show beside a page's title.
#[must_use]
pub fn icon() -> &'static Asset {
    &ICON
}

/// The script; load it with `defer`.
#[must_use]
pub fn js() -> &'static Asset {
    &JS
}

/// The header `Content-Security-Policy` of every page.
#[must_use]
pub fn csp() -> &'static str {
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; \
     base-uri 'none'; frame-ancestors 'none'"
}

/// Space that says nothing in the style sheet; no string there holds any of these.
const CSS_SPACE: &[&str] = &[": ", " {", "{ ", " }", "; ", ", ", " > ", " + "];
/// The same in the script, where the only strings that hold any of these are selectors, in which it says nothing either.
const JS_SPACE: &[&str] = &[
    " => ", " = ", " === ", " !== ", " *= ", " ||= ", " && ", " || ", " ? ", " : ", " + ", " - ", " / ", " < ", " > ",
    " <= ", ": ", ", ", "; ", " {", "{ ", " }", ";\n", "{\n", ",\n",
];

/// Without comments, indentation and space that says nothing. The sources are written so that nothing more is needed: `/* */`
/// only around whole lines, and no string over several lines.
fn squeezed(source: &str, between: &str, space: &[&str]) -> String {
    let mut lines = Vec::new();
    let mut comment = false;
    for line in source.lines().map(str::trim).filter(|line| !line.is_empty()) {
        comment |= line.starts_with("/*");
        if !comment {
            lines.push(line);
        }
        comment &= !line.ends_with("*/");
    }
    let text = lines.join(between);
    space.iter().fold(text, |text, spaced| text.replace(spaced, spaced.trim())).replace(";}", "}")
}

/// Where the properties end and the rules begin.
const RULES: &str = "\n*, ::before, ::after {";

/// The style sheet, for within an element of the class `kt`. Properties weigh nothing there, so that the panel's own win; the
/// rules are nested (CSS Nesting), so that they outweigh the panel's for bare elements and reach nothing outside.
fn embedded(source: &str) -> String {
    let (properties, rules) = source.split_once(RULES).unwrap_or((source, ""));
    let of_page =
        |line: &&str| !["html {", "body {", "[data-theme", "  color-scheme:"].iter().any(|of| line.starts_with(of));
    let properties: Vec<&str> = properties.lines().filter(of_page).collect();
    let rules: Vec<&str> = rules.lines().filter(of_page).collect();
    format!(
        "{}\n.kt {{\ncolor: var(--kt-text); font: 1rem/1.5 var(--kt-font); overflow-wrap: break-word;\n\
         label, table, td, th, dt {{ margin: 0; }}{RULES}{}\n}}\n",
        properties.join("\n").replace(":root", ":where(.kt)"),
        rules.join("\n").replace(":root", "&"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_style_sheet_and_the_script_stay_within_their_budgets() {
        println!("css {} bytes, js {} bytes", css().content.len(), js().content.len());
        assert!(css().content.len() <= 15_000, "css: {}", css().content.len());
        assert!(js().content.len() <= 5_000, "js: {}", js().content.len());
        assert!(
            !css().content.contains("/*") && css().content.matches('{').count() == css().content.matches('}').count()
        );
    }

    #[test]
    fn the_style_sheet_knows_no_left_and_right_and_loads_nothing() {
        for word in ["-left", "-right", "left:", "right:", "url(", "@import", "!important;}}"] {
            assert!(!css().content.contains(word), "{word}");
        }
    }

    #[test]
    fn within_another_panels_page_nothing_outside_of_ours_is_touched() {
        let css = &embed_css().content;
        let (properties, rules) = css.split_once(".kt{").expect("two parts");
        assert!(properties.contains(":where(.kt){--kt-bg:") && !properties.contains("color-scheme"), "{properties}");
        for of_page in [":root", "}body{", "}html{", "data-theme"] {
            assert!(!css.contains(of_page), "{of_page}");
        }
        assert!(rules.contains(".kt-button{") && rules.ends_with('}'), "{rules}");
        assert_eq!(css.matches('{').count(), css.matches('}').count());
        assert!(css.len() <= 15_000, "{}", css.len());
    }

    #[test]
    fn the_script_says_when_nobody_reads_what_it_asks_for() {
        assert!(js().content.contains(&format!("'{}':", crate::embed::QUIET_HEADER)));
    }

    #[test]
    fn a_name_changes_with_the_content() {
        assert_ne!(Asset::new("a".to_owned(), "css").name, Asset::new("b".to_owned(), "css").name);
        assert!(css().name.starts_with("keyturn.") && css().name.ends_with(".css"));
    }
}
