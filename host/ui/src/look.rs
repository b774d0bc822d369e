//! The only style sheet, the only script and the icon, and the policy that lets nothing else in.

use std::sync::LazyLock;

use sha2::{Digest as _, Sha256};

use keyturn_core::seal;

/// The header of requests that the script makes in the background, to see an email's progress. Nobody reads the answer's
/// notices: don't take away anything that is shown once.
pub const QUIET_HEADER: &str = "kt-quiet";

/// The source; [`CSS`] is served.
pub const CSS_SOURCE: &str = include_str!("look/keyturn.css");
/// The source; [`JS`] is served.
pub const JS_SOURCE: &str = include_str!("look/keyturn.js");

/// The style sheet.
pub static CSS: LazyLock<Asset> = LazyLock::new(|| Asset::new(squeezed(CSS_SOURCE, "", CSS_SPACE), "css"));
/// The style sheet for parts in another panel's pages, in an element of the class `kt`: it touches nothing else there. The
/// panel can override `--kt-*` on that element, and its own `color-scheme` counts.
pub static EMBED_CSS: LazyLock<Asset> =
    LazyLock::new(|| Asset::new(squeezed(&embedded(CSS_SOURCE), "", CSS_SPACE), "embed.css"));
/// The script; load it with `defer`.
pub static JS: LazyLock<Asset> = LazyLock::new(|| Asset::new(squeezed(JS_SOURCE, "\n", JS_SPACE), "js"));
/// The icon beside a page's title.
pub static ICON: LazyLock<Asset> = LazyLock::new(|| Asset::new(ICON_SOURCE.to_owned(), "svg"));

/// The mark if the operator has no logo, and the icon beside a page's title.
const ICON_SOURCE: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 30 30\" fill=\"none\" stroke=\"#e8b256\" \
     stroke-width=\"2.4\" stroke-linecap=\"round\"><rect width=\"30\" height=\"30\" rx=\"7\" fill=\"#2a2e35\" stroke=\"none\"/>\
     <circle cx=\"12\" cy=\"12\" r=\"4.2\"/><path d=\"m15 15 8.5 8.5M20 20l2.5-2.5M22.6 22.6l1.8-1.8\"/></svg>";

/// A file whose name changes with its content, so browsers can keep it forever.
#[derive(Debug, PartialEq, Eq)]
pub struct Asset {
    /// `keyturn.<hash>.css`.
    pub name: String,
    /// The content.
    pub content: String,
}

impl Asset {
    /// `kind` is the name's ending, such as `css`.
    pub fn new(content: String, kind: &str) -> Self {
        let hash = seal::hex(&Sha256::digest(content.as_bytes()));
        Self { name: format!("keyturn.{}.{kind}", &hash[..12]), content }
    }

    /// Its address, as `keyturn_http::router` serves it.
    pub fn url(&self) -> String {
        format!("/kt/{}", self.name)
    }
}

/// The header `Content-Security-Policy` of every page.
pub const CSP: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; \
     base-uri 'none'; frame-ancestors 'none'";

/// Spaces that mean nothing in the style sheet; no string there has any of these.
const CSS_SPACE: &[&str] = &[": ", " {", "{ ", " }", "; ", ", ", " > ", " + "];
/// The same in the script, where only selectors have any of these, and they mean nothing there either.
const JS_SPACE: &[&str] = &[
    " => ", " = ", " === ", " !== ", " *= ", " ||= ", " && ", " || ", " ? ", " : ", " + ", " - ", " / ", " < ", " > ",
    " <= ", ": ", ", ", "; ", " {", "{ ", " }", ";\n", "{\n", ",\n",
];

/// Removes comments, indentation and meaningless spaces. The sources are written so that this is enough: `/* */` only around
/// whole lines, and no string over several lines.
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

/// The end of the properties and the beginning of the rules.
const RULES: &str = "\n*, ::before, ::after {";

/// What concerns only our own whole pages: beginnings of selectors and properties.
const OF_PAGES: [&str; 20] = [
    "html",
    "body",
    "[data-theme",
    "color-scheme:",
    "iframe",
    ".kt-brand",
    ".kt-crumbs",
    ".kt-document",
    ".kt-footer",
    ".kt-group",
    ".kt-logo",
    ".kt-menu",
    ".kt-nav",
    ".kt-page",
    ".kt-panel",
    ".kt-public",
    ".kt-side",
    ".kt-skip",
    ".kt-who",
    ".kt-wide",
];

/// Precedes the rules, so a region looks the same whatever the panel says about bare elements. Drawings are left out, because
/// this would undo their attributes, too.
const ALONE: &str = "color: var(--kt-text); font: 1rem/1.5 var(--kt-font); overflow-wrap: break-word; text-align: start; \
     letter-spacing: normal; text-transform: none;\n:not(:where(svg, svg *)) { all: revert; }";

/// The style sheet for an element of the class `kt`. Its properties have no weight, so the panel's own win. The rules are
/// nested (CSS Nesting) in the class twice: so they reach nothing outside, and outweigh the panel's rules for elements and
/// their attributes, such as `input:not([type=radio])`, wherever its style sheet is.
fn embedded(source: &str) -> String {
    let (properties, rules) = source.split_once(RULES).unwrap_or((source, ""));
    let lines =
        |part: &str| part.lines().filter_map(of_region).map(|line| in_units(&line)).collect::<Vec<_>>().join("\n");
    let properties = lines(properties)
        .replacen(":root {", ":root {\n--kt-unit: max(1rem, 16px);", 1)
        .replace(":root", ":where(.kt)");
    let rules = lines(rules).replace(":root", ":where(&)").replace("\n:not(.kt-section) >", "\n>");
    format!("{properties}\n.kt.kt {{\n{}{RULES}{rules}\n}}\n", in_units(ALONE))
}

/// A line without the selectors for pages; none if there is no other.
fn of_region(line: &str) -> Option<String> {
    let of_page = |part: &str| OF_PAGES.iter().any(|of| part.trim_start().starts_with(of));
    let Some((selectors, rule)) = line.split_once(" {") else {
        return (!of_page(line)).then(|| line.to_owned());
    };
    let kept: Vec<_> = selectors.split(", ").filter(|selector| !of_page(selector)).collect();
    (!kept.is_empty()).then(|| format!("{} {{{rule}", kept.join(", ")))
}

/// `rem` in our own pages becomes a unit that a panel may set: in its pages, `rem` belongs to the panel and may be 10 pixels.
/// Window widths keep `rem`, because there it always means the browser's own.
fn in_units(line: &str) -> String {
    if line.starts_with("@media") {
        return line.to_owned();
    }
    let mut parts = line.split("rem");
    let mut written = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let begin = written.rfind(|c: char| !c.is_ascii_digit() && c != '.').map_or(0, |at| at + 1);
        match written.split_off(begin) {
            none if none.is_empty() => written.push_str("rem"),
            number if number == "1" => written.push_str("var(--kt-unit)"),
            number => written.push_str(&format!("calc({number} * var(--kt-unit))")),
        }
        written.push_str(part);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_style_sheet_and_the_script_stay_within_their_budgets() {
        println!("css {} bytes, js {} bytes", CSS.content.len(), JS.content.len());
        assert!(CSS.content.len() <= 15_000, "css: {}", CSS.content.len());
        assert!(JS.content.len() <= 5_000, "js: {}", JS.content.len());
        assert!(!CSS.content.contains("/*") && CSS.content.matches('{').count() == CSS.content.matches('}').count());
    }

    #[test]
    fn the_style_sheet_knows_no_left_and_right_and_loads_nothing() {
        for word in ["-left", "-right", "left:", "right:", "url(", "@import", "!important;}}"] {
            assert!(!CSS.content.contains(word), "{word}");
        }
    }

    #[test]
    fn within_another_panels_page_nothing_outside_of_ours_is_touched() {
        let css = &EMBED_CSS.content;
        let (properties, rules) = css.split_once(".kt.kt{").expect("two parts");
        assert!(properties.contains(":where(.kt){--kt-bg:") && !properties.contains("color-scheme"), "{properties}");
        for of_page in [":root", "}body{", "}html{", "data-theme", ".kt-side", ".kt-nav", ".kt-public"] {
            assert!(!css.contains(of_page), "{of_page}");
        }
        assert!(rules.contains(".kt-button{") && rules.ends_with('}'), "{rules}");
        assert_eq!(css.matches('{').count(), css.matches('}').count());
        println!("embedded {} bytes", css.len());
        assert!(css.len() <= 15_000, "{}", css.len());
    }

    #[test]
    fn within_another_panels_page_all_sizes_hang_on_one_property() {
        let css = &EMBED_CSS.content;
        assert!(css.contains("--kt-unit:max(1rem,16px);"));
        let sized = |rule: &str| rule.replace("max(1rem,16px)", "").replace(" and (", "");
        let stray: Vec<_> = css.split(['{', '}', ';']).filter(|rule| !rule.starts_with("@media")).map(sized).collect();
        assert!(!stray.iter().any(|rule| rule.contains("rem")), "{stray:?}");
        assert!(css.contains("@media (max-width:44rem){"), "widths of windows are the reader's");
        assert_eq!(
            in_units("font: 600 .9375rem/1.35 x; gap: 12px 1rem; margin: remy"),
            "font: 600 calc(.9375 * var(--kt-unit))/1.35 x; gap: 12px var(--kt-unit); margin: remy"
        );
    }

    #[test]
    fn what_a_panel_sets_outweighs_ours_and_what_it_says_of_bare_elements_does_not() {
        let css = &EMBED_CSS.content;
        assert!(
            css.contains("{:where(&){--kt-control:44px;}") || css.contains("{:where(&){--kt-control:44px}"),
            "{css}"
        );
        assert!(css.contains(":not(:where(svg,svg *)){all:revert}"), "{css}");
    }

    #[test]
    fn the_script_says_when_nobody_reads_what_it_asks_for() {
        assert!(JS.content.contains(&format!("'{}':", super::QUIET_HEADER)));
    }

    #[test]
    fn a_name_changes_with_the_content() {
        assert_ne!(Asset::new("a".to_owned(), "css").name, Asset::new("b".to_owned(), "css").name);
        assert!(CSS.name.starts_with("keyturn.") && CSS.name.ends_with(".css"));
    }
}
