//! Whether sign-in can read what the panel has stored and will store, and whether its time reveals anything. This is about the
//! shipped plugin's settings and operations; plugins without them are skipped. No hash is shown.

use std::time::{Duration, Instant};

use keyturn_host::accounts::sql::{Accepts, HashKind, Sql, kind};
use keyturn_host::config::Config;
use keyturn_host::plugin::admit::Plugin;
use keyturn_host::plugin::manifest::SettingValue;
use keyturn_host::{CallError, Failure, Host};
use serde_json::{Value, json};

use super::Report;
use crate::commands::console;

/// Functions in the same interface: one answers a hash in the form of new ones, one does the work of a comparison.
pub const SAMPLE: &str = "sample-hash";
const COMPARE: &str = "compare-hash";

/// The suggested time grid is so many times the cost of the slowest hash on an idle machine.
const ROOM: u128 = 2;
/// The suggested grid is a multiple of so many milliseconds.
const STEP: u128 = 50;

/// The hashes that sign-in finds in the realms that it searches.
struct SignIn<'a> {
    host: &'a Host,
    config: &'a Config,
    plugin: &'a Plugin,
    /// How new passwords begin, if the plugin shows it.
    written: Option<String>,
    /// One hash of each kind that it can compare with: the kind, the hash, and whether such hashes are stored.
    compared: Vec<(String, String)>,
}

pub fn at_sign_in(config: &Config, host: &Host, provider: &Sql, report: &mut Report<'_>) {
    let plugins = host.plugins();
    let hook = &config.sign_in.hook;
    let has = |plugin: &Plugin| plugin.manifest.operations.iter().any(|row| row.scope().as_ref() == Some(hook));
    let Some(plugin) = plugins.iter().find(|plugin| has(plugin)) else { return };
    if !host.has_hook(&config.sign_in.recognise_hook) {
        return;
    }
    let asked = plugin.settings.get("asked-at-sign-in") != Some(&SettingValue::Truth(false));
    let sample = host.call(&console(), &beside(hook, SAMPLE), &json!({}), None).ok();
    let sample = sample.as_ref().and_then(Value::as_str).map(|sample| (kind(sample).to_owned(), sample.to_owned()));
    let written = sample.as_ref().map(|(kind, _)| kind.clone());
    let mut sign_in = SignIn { host, config, plugin, written, compared: sample.into_iter().collect() };
    let searched = plugin.authority.accounts.iter().flat_map(|rights| &rights.realms);
    for (realm, mapping) in searched.filter_map(|realm| Some((realm, config.accounts.get(realm)?))) {
        // Wrong tables were already reported.
        let kinds =
            config.storage().ok().and_then(|(storage, _)| storage.read(|sql| provider.hash_kinds(sql, realm)).ok());
        let kinds = kinds.unwrap_or_default();
        sign_in.like_written(realm, &kinds, report);
        if asked {
            sign_in.accepted(realm, &mapping.accepts, report);
            sign_in.stored(realm, &kinds, report);
        }
    }
    if asked {
        sign_in.even(report);
    }
}

/// Another function of a hook's interface.
pub fn beside(hook: &str, function: &str) -> String {
    hook.split_once('/').map(|(interface, _)| format!("{interface}/{function}")).unwrap_or_default()
}

impl SignIn<'_> {
    /// Why sign-in can't compare with a hash: a code and a sentence.
    fn unreadable(&self, hash: &str) -> Option<(String, String)> {
        let asked = json!({ "hash": hash });
        match self.host.call(&console(), &self.config.sign_in.recognise_hook, &asked, None) {
            Err(CallError::Failed(Failure::Invalid(errors))) => {
                errors.into_iter().next().map(|error| (error.code, error.message))
            }
            _ => None,
        }
    }

    /// Prefixes that the panel may store and sign-in can't verify.
    fn accepted(&mut self, realm: &str, accepts: &[Accepts], report: &mut Report<'_>) {
        for accepted in accepts {
            let prefix = accepted.prefix.as_str();
            let whole = prefix.matches('$').count() > 1 || prefix.contains('}');
            let unknown = self.unreadable(prefix).is_some_and(|(code, _)| code == "unknown-scheme");
            if whole && unknown {
                let (hook, plugin) = (&self.config.sign_in.hook, &self.plugin.name);
                let text = format!(
                    "accounts.{realm}.accepts names {prefix}, which {hook} can't verify: people whose passwords are stored like \
                     that can't sign in"
                );
                report.wrong(text).fix(format!(
                    "remove {prefix} from accounts.{realm}.accepts; or asked-at-sign-in = false in {plugin}.toml, if the panel \
                     verifies passwords itself"
                ));
            }
            dearest(accepted).iter().for_each(|hash| self.note(hash));
        }
    }

    /// Stored hashes that sign-in can't compare with, counted by reason.
    fn stored(&mut self, realm: &str, kinds: &[HashKind], report: &mut Report<'_>) {
        let (mut unreadable, mut locked): (Vec<(String, i64)>, i64) = (Vec::new(), 0);
        for kind in kinds {
            match self.unreadable(&kind.example) {
                None => self.note(&kind.example),
                Some(_) if is_locked(&kind.example) => locked += kind.count,
                Some((_, why)) => match unreadable.iter_mut().find(|(other, _)| *other == why) {
                    Some((_, count)) => *count += kind.count,
                    None => unreadable.push((why, kind.count)),
                },
            }
        }
        if locked > 0 {
            report.note(format!(
                "accounts.{realm}: hash: {locked} are locked (“!” or “*”): nobody can sign in with them"
            ));
        }
        for (why, count) in unreadable {
            let (hook, plugin) = (&self.config.sign_in.hook, &self.plugin.name);
            let people = if count == 1 { "1 person".to_owned() } else { format!("{count} people") };
            let text =
                format!("accounts.{realm}: {people} can't sign in, because {hook} can't read the stored hash: {why}");
            report.wrong(text).fix(format!(
                "give them links to choose a password; or asked-at-sign-in = false in {plugin}.toml, if the panel verifies \
                 passwords itself"
            ));
        }
    }

    /// Whether any stored hash has the form of new ones. If none has, nobody has shown yet that the panel can read them.
    fn like_written(&self, realm: &str, kinds: &[HashKind], report: &mut Report<'_>) {
        let Some(written) = &self.written else { return };
        let scheme = |kind: &str| kind.split_inclusive('$').take(2).collect::<String>();
        let total: i64 = kinds.iter().filter(|kind| !is_locked(&kind.example)).map(|kind| kind.count).sum();
        if total == 0 || kinds.iter().any(|kind| scheme(&kind.kind) == scheme(written)) {
            return;
        }
        let scheme = scheme(written);
        let text = format!(
            "{realm}: new passwords are stored as {scheme}, and none of the {total} stored hashes is. Use a test account to check \
             that every program that reads this column accepts {scheme}"
        );
        report.note(text).fix(format!("settings.output in {}.toml, if one of them doesn't", self.plugin.name));
    }

    /// Keeps a hash of each kind.
    fn note(&mut self, hash: &str) {
        let kind = kind(hash);
        if !self.compared.iter().any(|(known, _)| known == kind) && self.unreadable(hash).is_none() {
            self.compared.push((kind.to_owned(), hash.to_owned()));
        }
    }

    /// Whether the slowest comparison ends before the time at which all are answered.
    fn even(&self, report: &mut Report<'_>) {
        let hook = beside(&self.config.sign_in.hook, COMPARE);
        if !self.host.has_hook(&hook) {
            return;
        }
        let even = self.config.sign_in.even_ms;
        let mut dearest: Option<(Duration, &str)> = None;
        for (kind, hash) in &self.compared {
            match self.cost(&hook, hash) {
                Ok(cost) if dearest.is_none_or(|(most, _)| cost > most) => dearest = Some((cost, kind)),
                Ok(_) => {}
                Err(cause) => report
                    .wrong(format!("sign-in: can't compare with a hash {kind}: {cause}"))
                    .fix("use cheaper hashes, or raise the limit"),
            }
        }
        let Some((cost, kind)) = dearest else { return };
        let ms = cost.as_millis();
        let set = (ms * ROOM).div_ceil(STEP).max(1) * STEP;
        let fix = format!("sign-in.even-ms = {}", set.clamp(250, 10_000));
        let measured = format!("sign-in: the slowest hash, {kind}, takes {ms} ms here");
        let tells = "the time of an answer reveals which accounts exist";
        match even {
            // If there is only one kind, an unknown name costs the same.
            0 if self.compared.len() < 2 => {
                report.note(format!("{measured}, and sign-in.even-ms is 0: {tells} if hashes differ")).fix(fix);
            }
            even if u128::from(even) < ms.max(1) => {
                report.wrong(format!("{measured}, and sign-in.even-ms is {even}: {tells}")).fix(fix);
            }
            even => report.good(format!("{measured}, and every answer takes {even} ms (sign-in.even-ms)")),
        }
    }

    /// The time of a sign-in: the shorter of two, because the machine may be asleep at the first.
    fn cost(&self, hook: &str, hash: &str) -> Result<Duration, CallError> {
        let mut least = Duration::MAX;
        for _ in 0..2 {
            let began = Instant::now();
            self.host.call(&console(), hook, &json!({ "hash": hash }), None)?;
            least = least.min(began.elapsed());
        }
        Ok(least)
    }
}

/// Whether a value is a locked account's, which matches no password: `!`, also before a hash, and `*`.
fn is_locked(stored: &str) -> bool {
    stored.starts_with('!') || (stored.starts_with('*') && stored.len() <= 2)
}

/// Hashes with the highest costs that the operator has set for a prefix. Presets don't count: they cover what any panel may
/// have.
fn dearest(accepts: &Accepts) -> Vec<String> {
    let preset = Accepts::of(&accepts.prefix);
    let named = |name: &str| {
        let of = |accepts: &Accepts| accepts.limits.iter().find(|(limited, _)| limited == name).map(|(_, most)| *most);
        of(accepts).filter(|most| Some(*most) != of(&preset))
    };
    let prefix = accepts.prefix.as_str();
    let mut hashes = Vec::new();
    if prefix.starts_with("$2") && accepts.max_cost != preset.max_cost {
        hashes.push(format!("$2y${:02}${}", accepts.max_cost, ".".repeat(53)));
    }
    if let (true, Some(memory), Some(passes)) = (prefix.starts_with("$argon2"), named("m"), named("t")) {
        let (lanes, salt, digest) = (named("p").unwrap_or(1), "A".repeat(22), "A".repeat(43));
        hashes.push(format!("$argon2id$v=19$m={memory},t={passes},p={lanes}${salt}${digest}"));
    }
    hashes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dearest_hash_that_is_accepted_has_the_costs_that_were_named() {
        assert_eq!(dearest(&Accepts::of("$2y$")), [""; 0]);
        assert_eq!(dearest(&Accepts::of("$argon2id$")), [""; 0]);
        let bcrypt = Accepts { max_cost: 13, ..Accepts::of("$2y$") };
        assert!(dearest(&bcrypt)[0].starts_with("$2y$13$") && dearest(&bcrypt)[0].len() == 60);
        let limits = vec![("m".to_owned(), 65_536), ("t".to_owned(), 4)];
        let argon2 = Accepts { limits, ..Accepts::of("$argon2id$") };
        assert_eq!(kind(&dearest(&argon2)[0]), "$argon2id$v=19$m=65536,t=4,p=1$");
    }
}
