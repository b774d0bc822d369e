//! The operator's colours: overrides of the style sheet's custom properties, refused where somebody could not read them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

use super::look::CSS_SOURCE;

/// Light and dark, each red, green, blue.
type Colour = [[u8; 3]; 2];
type Palette = BTreeMap<String, Colour>;

/// What stands on what, and the least contrast (WCAG 2.2: 4.5 for text, 3 for the edges of controls and marks).
pub const PAIRS: &[(&str, &str, f64)] = &[
    ("text", "bg", 4.5),
    ("text", "surface", 4.5),
    ("text", "sunken", 4.5),
    ("text", "accent-soft", 4.5),
    ("text", "ok-bg", 4.5),
    ("text", "warn-bg", 4.5),
    ("text", "bad-bg", 4.5),
    ("muted", "bg", 4.5),
    ("muted", "surface", 4.5),
    ("muted", "sunken", 4.5),
    ("link", "bg", 4.5),
    ("link", "surface", 4.5),
    ("link", "sunken", 4.5),
    ("link", "accent-soft", 4.5),
    ("link", "ok-bg", 4.5),
    ("link", "warn-bg", 4.5),
    ("link", "bad-bg", 4.5),
    ("info", "accent-soft", 4.5),
    ("focus", "bg", 3.0),
    ("focus", "surface", 3.0),
    ("edge", "bg", 3.0),
    ("edge", "surface", 3.0),
    ("on-accent", "accent", 4.5),
    ("on-accent", "accent-hover", 4.5),
    ("accent", "bg", 3.0),
    ("accent", "surface", 3.0),
    ("on-danger", "danger", 4.5),
    ("on-danger", "danger-hover", 4.5),
    ("danger", "bg", 3.0),
    ("danger", "surface", 3.0),
    ("ok", "ok-bg", 4.5),
    ("ok", "surface", 3.0),
    ("warn", "warn-bg", 4.5),
    ("warn", "surface", 3.0),
    ("bad", "bad-bg", 4.5),
    ("bad", "surface", 4.5),
    ("bad", "bg", 4.5),
];

/// Lengths that may be set, with the greatest pixels of each.
const LENGTHS: [(&str, u32); 3] = [("radius", 24), ("row", 80), ("control", 80)];

static DEFAULT: LazyLock<Palette> = LazyLock::new(|| palette(CSS_SOURCE));

/// Why colours are not taken.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ThemeError {
    /// No such property.
    #[error("theme: there is no --kt-{0}")]
    Unknown(String),
    /// Not a colour, pair of colours or length.
    #[error(
        "theme: --kt-{token} = {value:?} is neither one colour (#1f4e8c), nor two (light, then dark), nor a length (6px, for radius, row and control)"
    )]
    Value {
        /// The property, without `--kt-`.
        token: String,
        /// What was set.
        value: String,
    },
    /// A pair that cannot be read.
    #[error("theme: --kt-{over} on --kt-{under} has a contrast of {ratio:.2} in {scheme}; at least {least} is needed")]
    Contrast {
        /// What stands on it.
        over: &'static str,
        /// The ground.
        under: &'static str,
        /// The ratio.
        ratio: f64,
        /// The least.
        least: f64,
        /// `light` or `dark`.
        scheme: &'static str,
    },
}

/// A style sheet that overrides the custom properties named in `tokens` (without `--kt-`): a colour (`#1f4e8c`), two of
/// them (`#1f4e8c #8fb7f2`, light and dark), or a length in whole pixels.
///
/// # Errors
/// [`ThemeError`]; a pair below its least contrast is named with its ratio.
pub fn theme_css(tokens: &BTreeMap<String, String>) -> Result<String, ThemeError> {
    let mut palette = DEFAULT.clone();
    let (mut plain, mut both) = (String::new(), String::new());
    for (token, value) in tokens {
        let wrong = || ThemeError::Value { token: token.clone(), value: value.clone() };
        if let Some((name, most)) = LENGTHS.iter().find(|(name, _)| name == token) {
            let pixels =
                value.strip_suffix("px").and_then(|n| n.parse::<u32>().ok()).filter(|n| n <= most).ok_or_else(wrong)?;
            let _ = write!(plain, "--kt-{name}:{pixels}px;");
            continue;
        }
        let (name, slot) =
            palette.iter_mut().find(|(name, _)| *name == token).ok_or_else(|| ThemeError::Unknown(token.clone()))?;
        let colours: Option<Vec<_>> = value.split_whitespace().map(colour).collect();
        *slot = match colours.as_deref() {
            Some([one]) => [*one, *one],
            Some([light, dark]) => [*light, *dark],
            _ => return Err(wrong()),
        };
        let [light, dark] = slot.map(written);
        let _ = write!(plain, "--kt-{name}:{light};");
        let _ = write!(both, "--kt-{name}:light-dark({light},{dark});");
    }
    for (over, under, least) in PAIRS {
        for (at, scheme) in ["light", "dark"].into_iter().enumerate() {
            let ratio = palette.get(*over).zip(palette.get(*under)).map_or(1.0, |(a, b)| contrast(a[at], b[at]));
            if ratio < *least {
                return Err(ThemeError::Contrast { over, under, ratio, least: *least, scheme });
            }
        }
    }
    Ok(format!(":root{{{plain}}}@supports(color:light-dark(#000,#fff)){{:root{{{both}}}}}\n"))
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
        for (over, under, _) in PAIRS {
            assert!(DEFAULT.contains_key(*over) && DEFAULT.contains_key(*under), "{over} {under}");
        }
        theme_css(&BTreeMap::new()).expect("the default palette");
        assert!((contrast([0, 0, 0], [255, 255, 255]) - 21.0).abs() < 1e-9);
    }

    #[test]
    fn the_fallback_is_the_light_palette() {
        for (name, [light, _]) in DEFAULT.iter() {
            let declared = format!("--kt-{name}: {};", written(*light));
            assert!(CSS_SOURCE.contains(&declared), "{declared}");
        }
    }

    #[test]
    fn colours_that_cannot_be_read_are_refused_by_pair_and_ratio() {
        let refused = theme_css(&tokens(&[("on-accent", "#7799bb #0d1726")])).expect_err("too close");
        let ThemeError::Contrast { over: "on-accent", under: "accent", ratio, least, scheme: "light" } = refused else {
            panic!("{refused}")
        };
        assert!(least == 4.5 && ratio < least, "{ratio}");
        let css = theme_css(&tokens(&[
            ("accent", "#0b5d3b #7fd6ac"),
            ("accent-hover", "#08452b #a5e5c7"),
            ("radius", "2px"),
        ]));
        assert!(css.expect("fine").contains("--kt-accent:light-dark(#0b5d3b,#7fd6ac);"));
    }

    #[test]
    fn nothing_but_colours_and_lengths_reaches_the_style_sheet() {
        for value in ["red", "#fff", "#1f4e8c;}body{display:none", "url(x)", "#1f4e8c #8fb7f2 #000000", ""] {
            assert!(matches!(theme_css(&tokens(&[("accent", value)])), Err(ThemeError::Value { .. })), "{value}");
        }
        assert!(matches!(theme_css(&tokens(&[("radius", "9999px")])), Err(ThemeError::Value { .. })));
        assert!(matches!(theme_css(&tokens(&[("accent;x", "#000000")])), Err(ThemeError::Unknown(_))));
    }
}
