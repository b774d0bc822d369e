//! The one style sheet, the one script and the icon, and the policy that lets nothing else in.

use std::sync::LazyLock;

use sha2::{Digest as _, Sha256};

use keyturn_core::seal;

/// The header of a page that the script asks for behind its reader's back, to see how a mail fares. Nobody reads what it
/// answers: take no notice away with it, nor anything else that is shown once.
pub const QUIET_HEADER: &str = "kt-quiet";

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
#[derive(Debug, PartialEq, Eq)]
pub struct Asset {
    /// `keyturn.<hash>.css`.
    pub name: String,
    /// The content.
    pub content: String,
}

impl Asset {
    pub fn new(content: String, kind: &str) -> Self {
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

/// What is about whole pages of ours, which never stand within another's: beginnings of selectors and properties.
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

/// What comes before the rules: a region looks as it does alone, whatever the panel says of bare elements. Drawings are left
/// alone, since what their attributes say would be taken back as well.
const ALONE: &str = "color: var(--kt-text); font: 1rem/1.5 var(--kt-font); overflow-wrap: break-word; text-align: start; \
     letter-spacing: normal; text-transform: none;\n:not(:where(svg, svg *)) { all: revert; }";

/// The style sheet, for within an element of the class `kt`. Properties weigh nothing there, so that the panel's own win. The
/// rules are nested (CSS Nesting) in the class twice: so they reach nothing outside, and outweigh the panel's for elements and
/// their attributes, such as `input:not([type=radio])`, wherever its style sheet stands.
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

/// A line without the selectors that are of pages; none where no other is in it.
fn of_region(line: &str) -> Option<String> {
    let of_page = |part: &str| OF_PAGES.iter().any(|of| part.trim_start().starts_with(of));
    let Some((selectors, rule)) = line.split_once(" {") else {
        return (!of_page(line)).then(|| line.to_owned());
    };
    let kept: Vec<_> = selectors.split(", ").filter(|selector| !of_page(selector)).collect();
    (!kept.is_empty()).then(|| format!("{} {{{rule}", kept.join(", ")))
}

/// What is `rem` in our own pages is a unit that a panel may set in its own: there `rem` is the panel's, and may be 10 pixels. Not
/// so where widths of windows are asked for, which is always by what the reader's browser has.
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
        let css = &embed_css().content;
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
        let css = &embed_css().content;
        assert!(
            css.contains("{:where(&){--kt-control:44px;}") || css.contains("{:where(&){--kt-control:44px}"),
            "{css}"
        );
        assert!(css.contains(":not(:where(svg,svg *)){all:revert}"), "{css}");
    }

    #[test]
    fn the_script_says_when_nobody_reads_what_it_asks_for() {
        assert!(js().content.contains(&format!("'{}':", super::QUIET_HEADER)));
    }

    #[test]
    fn a_name_changes_with_the_content() {
        assert_ne!(Asset::new("a".to_owned(), "css").name, Asset::new("b".to_owned(), "css").name);
        assert!(css().name.starts_with("keyturn.") && css().name.ends_with(".css"));
    }
}
