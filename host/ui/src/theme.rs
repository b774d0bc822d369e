//! The operator's colours: overrides of the style sheet's custom properties. Unreadable combinations are refused.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

use super::look::CSS_SOURCE;

/// Light and dark, each red, green, blue.
type Colour = [[u8; 3]; 2];
type Palette = BTreeMap<String, Colour>;

/// What is on which grounds, with the least contrast (WCAG 2.2: 4.5 for text, 3 for the edges of controls and marks).
pub const PAIRS: &[(&str, &[&str], f64)] = &[
    ("text", &["bg", "surface", "sunken", "accent-soft", "ok-bg", "warn-bg", "bad-bg"], 4.5),
    ("muted", &["bg", "surface", "sunken"], 4.5),
    ("link", &["bg", "surface", "sunken", "accent-soft", "ok-bg", "warn-bg", "bad-bg"], 4.5),
    ("info", &["accent-soft"], 4.5),
    ("focus", &["bg", "surface"], 3.0),
    ("edge", &["bg", "surface"], 3.0),
    ("on-accent", &["accent", "accent-hover"], 4.5),
    ("accent", &["bg", "surface"], 3.0),
    ("on-danger", &["danger", "danger-hover"], 4.5),
    ("danger", &["bg", "surface"], 3.0),
    ("ok", &["ok-bg"], 4.5),
    ("ok", &["surface"], 3.0),
    ("warn", &["warn-bg"], 4.5),
    ("warn", &["surface"], 3.0),
    ("bad", &["bad-bg", "surface", "bg"], 4.5),
];

/// Lengths that may be set, each with its greatest pixels.
const LENGTHS: [(&str, u32); 3] = [("radius", 24), ("row", 80), ("control", 80)];

/// Colours that are mixed from others if nobody sets them, as the style sheet does: from which, with how many hundredths. Each
/// comes after the colours that it needs.
const DERIVED: [(&str, &str, u32, &str); 6] = [
    ("bad", "danger", 100, "text"),
    ("link", "accent", 100, "text"),
    ("focus", "link", 100, "text"),
    ("info", "link", 100, "text"),
    ("accent-hover", "accent", 75, "text"),
    ("accent-soft", "accent", 12, "surface"),
];

/// What the style sheet itself sets.
static SET: LazyLock<Palette> = LazyLock::new(|| palette(CSS_SOURCE));
static DEFAULT: LazyLock<Palette> = LazyLock::new(|| whole(SET.clone()));

/// Why colours are refused: one sentence that names the property.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ThemeError(String);

/// A style sheet that overrides the custom properties in `tokens` (without `--kt-`): a colour (`#1f4e8c`), two of them
/// (`#1f4e8c #8fb7f2`, light and dark), or a length in whole pixels.
///
/// # Errors
/// [`ThemeError`]; it names a combination below its least contrast, with the ratio.
pub fn theme_css(tokens: &BTreeMap<String, String>) -> Result<String, ThemeError> {
    let mut set = SET.clone();
    let (mut plain, mut both) = (String::new(), String::new());
    for (token, value) in tokens {
        let wrong = || {
            let forms =
                "one colour (#1f4e8c), two colours (light, then dark), or a length (6px; for radius, row and control)";
            ThemeError(format!("--kt-{token} = {value:?} must be {forms}"))
        };
        if let Some((name, most)) = LENGTHS.iter().find(|(name, _)| name == token) {
            let pixels =
                value.strip_suffix("px").and_then(|n| n.parse::<u32>().ok()).filter(|n| n <= most).ok_or_else(wrong)?;
            let _ = write!(plain, "--kt-{name}:{pixels}px;");
            continue;
        }
        if !DEFAULT.contains_key(token) {
            return Err(ThemeError(format!("there is no --kt-{token}")));
        }
        let colours: Option<Vec<_>> = value.split_whitespace().map(colour).collect();
        let pair = match colours.as_deref() {
            Some([one]) => [*one, *one],
            Some([light, dark]) => [*light, *dark],
            _ => return Err(wrong()),
        };
        set.insert(token.clone(), pair);
    }
    let palette = whole(set);
    // Also mixed colours: not every browser without light-dark() can mix.
    for (name, pair) in palette.iter().filter(|(name, pair)| DEFAULT.get(*name) != Some(pair)) {
        let [light, dark] = pair.map(written);
        let _ = write!(plain, "--kt-{name}:{light};");
        let _ = write!(both, "--kt-{name}:light-dark({light},{dark});");
    }
    for (over, unders, least) in PAIRS {
        for (under, (at, scheme)) in unders.iter().flat_map(|under| [(0, "light"), (1, "dark")].map(|of| (under, of))) {
            let ratio = palette.get(*over).zip(palette.get(*under)).map_or(1.0, |(a, b)| contrast(a[at], b[at]));
            if ratio < *least {
                let text = format!("has a contrast of {ratio:.2} in {scheme}; at least {least} is needed");
                return Err(ThemeError(format!("--kt-{over} on --kt-{under} {text}")));
            }
        }
    }
    Ok(format!(":root{{{plain}}}@supports(color:light-dark(#000,#fff)){{:root{{{both}}}}}\n"))
}

/// With the mixed colours.
fn whole(mut set: Palette) -> Palette {
    for (name, of, hundredths, within) in DERIVED {
        if let (false, Some(over), Some(under)) = (set.contains_key(name), set.get(of), set.get(within)) {
            let pair = [mixed(over[0], under[0], hundredths), mixed(over[1], under[1], hundredths)];
            set.insert(name.to_owned(), pair);
        }
    }
    set
}

/// As `color-mix(in srgb, over H%, under)`.
fn mixed(over: [u8; 3], under: [u8; 3], hundredths: u32) -> [u8; 3] {
    let mix = |at: usize| (u32::from(over[at]) * hundredths + u32::from(under[at]) * (100 - hundredths) + 50) / 100;
    [0, 1, 2].map(|at| u8::try_from(mix(at)).unwrap_or(u8::MAX))
}

fn palette(css: &str) -> Palette {
    css.split("--kt-")
        .filter_map(|part| {
            let (name, rest) = part.split_once(": light-dark(")?;
            let named = name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
            if !named {
                return None;
            }
            let (light, rest) = rest.split_once(", ")?;
            Some((name.to_owned(), [colour(light)?, colour(rest.split_once(')')?.0)?]))
        })
        .collect()
}

fn colour(text: &str) -> Option<[u8; 3]> {
    let digits =
        text.strip_prefix('#').filter(|digits| digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
    let [_, r, g, b] = u32::from_str_radix(digits, 16).ok()?.to_be_bytes();
    Some([r, g, b])
}

fn written([r, g, b]: [u8; 3]) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// WCAG 2.2, from 1 to 21.
fn contrast(a: [u8; 3], b: [u8; 3]) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

fn luminance(colour: [u8; 3]) -> f64 {
    let [r, g, b] = colour.map(|channel| {
        let part = f64::from(channel) / 255.0;
        if part <= 0.040_45 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
    });
    0.2126 * r + 0.7152 * g + 0.0722 * b
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn both_palettes_of_the_style_sheet_can_be_read() {
        assert_eq!(DEFAULT.len(), 23, "{:?}", DEFAULT.keys());
        for (over, unders, _) in PAIRS {
            assert!(DEFAULT.contains_key(*over) && unders.iter().all(|under| DEFAULT.contains_key(*under)), "{over}");
        }
        theme_css(&BTreeMap::new()).expect("the default palette");
        assert!((contrast([0, 0, 0], [255, 255, 255]) - 21.0).abs() < 1e-9);
    }

    #[test]
    fn the_fallback_is_the_light_palette() {
        for (name, [light, _]) in SET.iter() {
            let declared = format!("--kt-{name}: {};", written(*light));
            assert!(CSS_SOURCE.contains(&declared), "{declared}");
        }
    }

    #[test]
    fn what_is_made_of_others_is_made_as_the_style_sheet_makes_it_and_goes_with_an_accent() {
        let css = crate::look::CSS_SOURCE;
        for (name, of, hundredths, within) in DERIVED {
            let made = match hundredths {
                100 => format!("--kt-{name}: var(--kt-{of});"),
                part => format!("--kt-{name}: color-mix(in srgb, var(--kt-{of}) {part}%, var(--kt-{within}));"),
            };
            assert!(css.contains(&made), "{made}");
        }
        let css = theme_css(&tokens(&[("accent", "#0b5d3b #7fd6ac")])).expect("fine");
        for name in ["link", "focus", "info"] {
            assert!(css.contains(&format!("--kt-{name}:light-dark(#0b5d3b,#7fd6ac);")), "{css}");
        }
        assert!(css.contains("--kt-accent-hover:light-dark(#0f4d35,") && !css.contains("--kt-ok"), "{css}");
        let css = theme_css(&tokens(&[("accent", "#0b5d3b #7fd6ac"), ("link", "#1f4e8c #9cc0f5")])).expect("fine");
        assert!(css.contains("--kt-focus:light-dark(#1f4e8c,#9cc0f5);"), "{css}");
    }

    #[test]
    fn colours_that_cannot_be_read_are_refused_by_pair_and_ratio() {
        let refused = theme_css(&tokens(&[("on-accent", "#7799bb #0d1726")])).expect_err("too close");
        let (ratio, least) = ("--kt-on-accent on --kt-accent has a contrast of 2.", "in light; at least 4.5 is needed");
        assert!(refused.0.starts_with(ratio) && refused.0.ends_with(least), "{refused}");
        let css = theme_css(&tokens(&[
            ("accent", "#0b5d3b #7fd6ac"),
            ("accent-hover", "#08452b #a5e5c7"),
            ("radius", "2px"),
        ]));
        assert!(css.expect("fine").contains("--kt-accent:light-dark(#0b5d3b,#7fd6ac);"));
    }

    #[test]
    fn nothing_but_colours_and_lengths_reaches_the_style_sheet() {
        let refused = |token: &str, value: &str| theme_css(&tokens(&[(token, value)])).expect_err("refused").0;
        for value in ["red", "#fff", "#1f4e8c;}body{display:none", "url(x)", "#1f4e8c #8fb7f2 #000000", ""] {
            assert!(refused("accent", value).contains("must be one colour"), "{value}");
        }
        assert!(refused("radius", "9999px").contains("must be one colour"));
        assert_eq!(refused("accent;x", "#000000"), "there is no --kt-accent;x");
    }
}
