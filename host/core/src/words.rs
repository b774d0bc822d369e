//! The host's own words, and how it writes times, durations and numbers. Plugins have words of their own.

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

pub use keyturn_words::{Catalogue, Language};

include!(concat!(env!("OUT_DIR"), "/words.rs"));

/// The words of one language.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Words(pub Language);

impl Words {
    /// In the language that fits a BCP 47 tag.
    #[must_use]
    pub fn of(locale: &str) -> Self {
        Self(Language::of(locale))
    }

    /// The value for `lang`.
    #[must_use]
    pub fn tag(self) -> &'static str {
        self.0.tag()
    }

    /// One entry without placeholders.
    #[must_use]
    pub fn get(self, key: &str) -> &str {
        CATALOGUE.find(self.0, key).unwrap_or(key)
    }

    /// One entry with its placeholders filled. A value that looks like a placeholder is not filled again.
    #[must_use]
    pub fn fill(self, key: &str, values: &[(&str, &str)]) -> String {
        CATALOGUE.fill(self.0, key, values)
    }

    /// `n` of something.
    #[must_use]
    pub fn count(self, key: &str, n: u64) -> String {
        CATALOGUE.count(self.0, key, n)
    }

    /// A whole number with its groups.
    #[must_use]
    pub fn number(self, number: i64) -> String {
        self.0.number(number)
    }

    /// The text that nothing is sent: since the last sign of life, if there ever was one.
    #[must_use]
    pub fn stopped(self, key: &str, since: Option<i64>, now: i64, zone: &TimeZone) -> String {
        match since {
            Some(since) => self.fill(&format!("{key}-since"), &[("time", &self.time(since, now, zone))]),
            None => self.get(&format!("{key}-never")).to_owned(),
        }
    }

    /// The two largest units; the second only if it is not zero.
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

    /// Unix milliseconds: "today 15:02", otherwise "24 Nov 2026, 14:02". For seconds see [`Words::moment`].
    #[must_use]
    pub fn time(self, at: i64, now: i64, zone: &TimeZone) -> String {
        let (Some(at), Some(now)) = (zoned(at, zone), zoned(now, zone)) else {
            return self.get("not-shown").to_owned();
        };
        let clock = format!("{:02}:{:02}", at.hour(), at.minute());
        if at.date() == now.date() {
            return self.fill("today", &[("time", &clock)]);
        }
        format!("{}, {clock}", self.date(&at))
    }

    /// Unix milliseconds: "24 Nov 2026", without the time of day.
    #[must_use]
    pub fn day(self, at: i64, zone: &TimeZone) -> String {
        zoned(at, zone).map_or_else(|| self.get("not-shown").to_owned(), |at| self.date(&at))
    }

    fn date(self, at: &Zoned) -> String {
        let month = usize::try_from(at.month() - 1).ok().and_then(|month| self.get("months").split(' ').nth(month));
        format!("{} {} {}", at.day(), month.unwrap_or_default(), at.year())
    }

    /// Unix milliseconds for texts that are read elsewhere and later, such as emails: "24 Nov 2026, 14:02 (Madrid time)".
    #[must_use]
    pub fn dated(self, at: i64, zone: &TimeZone) -> String {
        let Some(zoned) = zoned(at, zone) else {
            return self.get("not-shown").to_owned();
        };
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
        let zoned = zoned(at, zone)?;
        Some((zoned.timestamp().to_string(), format!("{}, {}", self.date(&zoned), zoned.strftime("%H:%M:%S %Z"))))
    }
}

fn zoned(at: i64, zone: &TimeZone) -> Option<Zoned> {
    Timestamp::from_millisecond(at).ok().map(|at| at.to_zoned(zone.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn english() -> Words {
        Words::of("en")
    }

    fn spanish() -> Words {
        Words::of("es")
    }

    #[test]
    fn a_year_has_twelve_months_in_each_language() {
        for language in Language::ALL {
            assert_eq!(Words(language).get("months").split(' ').count(), 12, "{}", language.name());
        }
    }

    #[test]
    fn durations_read_as_in_each_language() {
        assert_eq!(english().duration(1), "1 second");
        assert_eq!(english().duration(0), "0 seconds");
        assert_eq!(spanish().duration(5_400), "1 hora y 30 minutos");
        assert_eq!(english().duration(23 * 3_600), "23 hours");
    }

    #[test]
    fn a_time_is_today_or_a_date_in_the_readers_zone() {
        let zone = TimeZone::get("Europe/Madrid").expect("zone");
        let at = "2026-11-24T13:02:11Z".parse::<Timestamp>().expect("time").as_millisecond();
        assert_eq!(english().time(at, at, &zone), "today 14:02");
        assert_eq!(spanish().time(at, at - 86_400_000, &zone), "24 nov 2026, 14:02");
        let (iso, long) = english().moment(at, &zone).expect("in range");
        assert_eq!((iso.as_str(), long.as_str()), ("2026-11-24T13:02:11Z", "24 Nov 2026, 14:02:11 CET"));
        assert_eq!(english().time(i64::MAX, at, &zone), "—");
        assert_eq!(english().dated(at, &zone), "24 Nov 2026, 14:02 (Madrid time)");
        assert_eq!(spanish().dated(at, &zone), "24 nov 2026, 14:02 (hora de Madrid)");
        assert_eq!(english().dated(at, &TimeZone::UTC), "24 Nov 2026, 13:02 (UTC)");
    }
}
