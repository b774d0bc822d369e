//! The host's own words, and how it writes times, durations and numbers. A plugin brings its own words.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

static ENGLISH: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::read(include_str!("words/en.toml")));
static SPANISH: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::read(include_str!("words/es.toml")));

/// Languages that the host speaks: BCP 47 and each one's own name.
pub const LANGUAGES: [(&str, &str); 2] = [("en", "English"), ("es", "Español")];

const MONTHS_EN: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const MONTHS_ES: [&str; 12] = ["ene", "feb", "mar", "abr", "may", "jun", "jul", "ago", "sept", "oct", "nov", "dic"];

/// The entries of one language, by key, with placeholders such as `{name}`. The host's own, or an embedder's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Catalogue(BTreeMap<String, String>);

/// A piece of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part<'a> {
    /// As it stands.
    Text(&'a str),
    /// To be filled.
    Placeholder(&'a str),
}

impl Catalogue {
    /// Reads a TOML table of strings. One that does not parse is empty, and its keys stand for themselves: a test of
    /// completeness catches it.
    #[must_use]
    pub fn read(text: &str) -> Self {
        Self(toml::from_str(text).unwrap_or_default())
    }

    /// All entries.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, entry)| (key.as_str(), entry.as_str()))
    }

    /// One entry, as it stands.
    #[must_use]
    pub fn find(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// The pieces of an entry; without one, the key.
    pub fn parts<'a>(&'a self, key: &'a str) -> impl Iterator<Item = Part<'a>> {
        let mut rest = self.find(key).unwrap_or(key);
        std::iter::from_fn(move || {
            if let Some((name, after)) = rest.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
                rest = after;
                return Some(Part::Placeholder(name));
            }
            let end = rest.find('{').filter(|end| *end > 0).unwrap_or(rest.len());
            let (text, after) = rest.split_at(end);
            rest = after;
            (!text.is_empty()).then_some(Part::Text(text))
        })
    }

    /// One entry, its placeholders filled. A value that looks like a placeholder is not filled again.
    #[must_use]
    pub fn fill(&self, key: &str, values: &[(&str, &str)]) -> String {
        self.parts(key)
            .map(|part| match part {
                Part::Text(text) => text,
                Part::Placeholder(name) => values.iter().find(|(key, _)| *key == name).map_or("", |(_, value)| value),
            })
            .collect()
    }
}

/// The words of one language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Words {
    /// English, and whatever the host does not speak.
    English,
    /// Spanish of any country.
    Spanish,
}

impl Words {
    /// The language that fits a BCP 47 tag.
    #[must_use]
    pub fn of(locale: &str) -> Self {
        match locale.split(['-', '_']).next() {
            Some(language) if language.eq_ignore_ascii_case("es") => Words::Spanish,
            _ => Words::English,
        }
    }

    /// For `lang`.
    #[must_use]
    pub fn tag(self) -> &'static str {
        match self {
            Words::English => "en",
            Words::Spanish => "es",
        }
    }

    fn catalogue(self) -> &'static Catalogue {
        match self {
            Words::English => &ENGLISH,
            Words::Spanish => &SPANISH,
        }
    }

    /// One entry without placeholders.
    #[must_use]
    pub fn get(self, key: &str) -> &str {
        self.catalogue().find(key).unwrap_or(key)
    }

    /// One entry, its placeholders filled. A value that looks like a placeholder is not filled again.
    #[must_use]
    pub fn fill(self, key: &str, values: &[(&str, &str)]) -> String {
        self.catalogue().fill(key, values)
    }

    /// That nobody sends what `key` is about: since the last sign of life, if there ever was one.
    #[must_use]
    pub fn stopped(self, key: &str, since: Option<i64>, now: i64, zone: &TimeZone) -> String {
        match since {
            Some(since) => self.fill(&format!("{key}-since"), &[("time", &self.time(since, now, zone))]),
            None => self.get(&format!("{key}-never")).to_owned(),
        }
    }

    /// The key of `n` of something, in the plural form that CLDR gives for this language, and its number written out.
    #[must_use]
    pub fn plural(self, key: &str, n: u64) -> (String, String) {
        let form = match (self, n) {
            (_, 1) => "one",
            (Words::Spanish, n) if n != 0 && n.is_multiple_of(1_000_000) => "many",
            _ => "other",
        };
        (format!("{key}.{form}"), self.number(i64::try_from(n).unwrap_or(i64::MAX)))
    }

    /// `n` of something.
    #[must_use]
    pub fn count(self, key: &str, n: u64) -> String {
        let (key, number) = self.plural(key, n);
        self.fill(&key, &[("n", &number)])
    }

    /// A whole number with its groups; four digits stand together in Spanish.
    #[must_use]
    pub fn number(self, number: i64) -> String {
        let digits = number.unsigned_abs().to_string();
        let (mark, least) = match self {
            Words::English => (',', 4),
            Words::Spanish => ('.', 5),
        };
        let mut text = if number < 0 { "−".to_owned() } else { String::new() };
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && digits.len() >= least && (digits.len() - at).is_multiple_of(3) {
                text.push(mark);
            }
            text.push(digit);
        }
        text
    }

    /// The two largest units, the second only where it is not zero.
    #[must_use]
    pub fn duration(self, seconds: u64) -> String {
        const UNITS: [(&str, u64); 4] = [("days", 86_400), ("hours", 3_600), ("minutes", 60), ("seconds", 1)];
        let first = UNITS.iter().position(|(_, size)| seconds >= *size).unwrap_or(UNITS.len() - 1);
        let (key, size) = UNITS[first];
        let text = self.count(key, seconds / size);
        match UNITS.get(first + 1).map(|(key, smaller)| (key, seconds % size / smaller)) {
            Some((key, n)) if n > 0 => self.fill("unit-and", &[("first", &text), ("second", &self.count(key, n))]),
            _ => text,
        }
    }

    /// Unix milliseconds: "today 15:02", else "24 Nov 2026, 14:02". Seconds are in [`Words::moment`].
    #[must_use]
    pub fn time(self, at: i64, now: i64, zone: &TimeZone) -> String {
        let (Ok(at), Ok(now)) = (Timestamp::from_millisecond(at), Timestamp::from_millisecond(now)) else {
            return self.get("not-shown").to_owned();
        };
        let (at, now) = (at.to_zoned(zone.clone()), now.to_zoned(zone.clone()));
        let clock = format!("{:02}:{:02}", at.hour(), at.minute());
        if at.date() == now.date() {
            return self.fill("today", &[("time", &clock)]);
        }
        format!("{}, {clock}", self.date(&at))
    }

    /// Unix milliseconds: "24 Nov 2026", without the clock.
    #[must_use]
    pub fn day(self, at: i64, zone: &TimeZone) -> String {
        match Timestamp::from_millisecond(at) {
            Ok(at) => self.date(&at.to_zoned(zone.clone())),
            Err(_) => self.get("not-shown").to_owned(),
        }
    }

    fn date(self, at: &Zoned) -> String {
        let months = match self {
            Words::English => MONTHS_EN,
            Words::Spanish => MONTHS_ES,
        };
        let month = usize::try_from(at.month() - 1).ok().and_then(|month| months.get(month)).unwrap_or(&"");
        format!("{} {month} {}", at.day(), at.year())
    }

    /// Unix milliseconds for what is read elsewhere and later, such as a mail: "24 Nov 2026, 14:02 (Madrid time)".
    #[must_use]
    pub fn dated(self, at: i64, zone: &TimeZone) -> String {
        let Ok(stamp) = Timestamp::from_millisecond(at) else {
            return self.get("not-shown").to_owned();
        };
        let zoned = stamp.to_zoned(zone.clone());
        let city = zone.iana_name().and_then(|name| name.rsplit_once('/')).filter(|(area, _)| *area != "Etc");
        let zone_name = match city {
            Some((_, city)) => self.fill("zone-of-city", &[("city", &city.replace('_', " "))]),
            None => zoned.strftime("%Z").to_string(),
        };
        let time = format!("{}, {}", self.date(&zoned), zoned.strftime("%H:%M"));
        self.fill("time-in-zone", &[("time", &time), ("zone", &zone_name)])
    }

    /// Unix milliseconds for `datetime`, and the same with seconds and zone for people.
    #[must_use]
    pub fn moment(self, at: i64, zone: &TimeZone) -> Option<(String, String)> {
        let stamp = Timestamp::from_millisecond(at).ok()?;
        let zoned = stamp.to_zoned(zone.clone());
        Some((stamp.to_string(), format!("{}, {}", self.date(&zoned), zoned.strftime("%H:%M:%S %Z"))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placeholders<'a>(catalogue: &'a Catalogue, key: &'a str) -> Vec<Part<'a>> {
        let mut found: Vec<_> = catalogue.parts(key).filter(|part| matches!(part, Part::Placeholder(_))).collect();
        found.sort_unstable();
        found
    }

    #[test]
    fn both_catalogues_have_the_same_keys_and_placeholders() {
        assert!(ENGLISH.entries().count() > 50, "the English catalogue does not parse");
        assert_eq!(ENGLISH.entries().count(), SPANISH.entries().count());
        for (key, english) in ENGLISH.entries() {
            let spanish = SPANISH.find(key).expect(key);
            assert_eq!(placeholders(&ENGLISH, key), placeholders(&SPANISH, key), "{key}");
            assert!(!english.is_empty() && !spanish.is_empty(), "{key}");
        }
    }

    #[test]
    fn a_filled_value_is_not_filled_again() {
        assert_eq!(Words::English.fill("unit-and", &[("first", "{second}"), ("second", "x")]), "{second} x");
    }

    #[test]
    fn an_entry_without_an_end_of_its_placeholder_still_ends() {
        assert_eq!(ENGLISH.parts("{open").collect::<Vec<_>>(), [Part::Text("{open")]);
    }

    #[test]
    fn numbers_durations_and_plurals_read_as_in_each_language() {
        assert_eq!(Words::English.number(1_284), "1,284");
        assert_eq!(Words::Spanish.number(1_284), "1284");
        assert_eq!(Words::Spanish.number(-1_234_567), "−1.234.567");
        assert_eq!(Words::English.number(i64::MIN), "−9,223,372,036,854,775,808");
        assert_eq!(Words::English.duration(1), "1 second");
        assert_eq!(Words::English.duration(0), "0 seconds");
        assert_eq!(Words::Spanish.duration(5_400), "1 hora y 30 minutos");
        assert_eq!(Words::English.duration(23 * 3_600), "23 hours");
    }

    #[test]
    fn a_time_is_today_or_a_date_in_the_readers_zone() {
        let zone = TimeZone::get("Europe/Madrid").expect("zone");
        let at = "2026-11-24T13:02:11Z".parse::<Timestamp>().expect("time").as_millisecond();
        assert_eq!(Words::English.time(at, at, &zone), "today 14:02");
        assert_eq!(Words::Spanish.time(at, at - 86_400_000, &zone), "24 nov 2026, 14:02");
        let (iso, long) = Words::English.moment(at, &zone).expect("in range");
        assert_eq!((iso.as_str(), long.as_str()), ("2026-11-24T13:02:11Z", "24 Nov 2026, 14:02:11 CET"));
        assert_eq!(Words::English.time(i64::MAX, at, &zone), "—");
        assert_eq!(Words::English.dated(at, &zone), "24 Nov 2026, 14:02 (Madrid time)");
        assert_eq!(Words::Spanish.dated(at, &zone), "24 nov 2026, 14:02 (hora de Madrid)");
        assert_eq!(Words::English.dated(at, &TimeZone::UTC), "24 Nov 2026, 13:02 (UTC)");
    }
}
