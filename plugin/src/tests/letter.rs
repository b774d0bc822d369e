use crate::bindings::mail::Variable;
use crate::bindings::types::Link;
use crate::letter::Letter;
use crate::password::PlainPassword;
use crate::told::Way;
use keyturn_words::Language;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use toml::{Table, Value};

/// The TOML files of a folder, by name.
fn files(folder: &str) -> BTreeMap<String, Table> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).filter(|path| path.is_file());
    files
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let table = std::fs::read_to_string(&path).unwrap().parse().unwrap_or_else(|e| panic!("{name}: {e}"));
            (name, table)
        })
        .collect()
}

/// Every template, by name, with its texts as packing puts them into it.
pub(super) fn templates() -> BTreeMap<String, Table> {
    let mut templates = files("mail");
    for (language, texts) in files("mail/texts") {
        for (name, text) in texts {
            let template = templates.get_mut(&name).unwrap_or_else(|| panic!("no template {name}"));
            let all = template.entry("texts").or_insert_with(|| Table::new().into());
            all.as_table_mut().unwrap().insert(language.clone(), text);
        }
    }
    templates
}

/// Every mail that the code can send.
fn letters(password: &PlainPassword) -> Vec<Letter<'_>> {
    let link = || Link { page: "choose".to_owned(), token: "7RkTq7RkTq7RkTq7RkTq".to_owned() };
    vec![
        Letter::AskedLink { link: link(), until: 1 },
        Letter::SentLink { link: link(), until: 1 },
        Letter::TemporaryPassword { password, until: 1 },
        Letter::PermanentPassword { password },
        Letter::PasswordChanged { way: Way::Link, at: 1 },
        Letter::PasswordChanged { way: Way::Owner, at: 1 },
        Letter::PasswordChanged { way: Way::Support, at: 1 },
        Letter::AccountSuspended,
        Letter::AddressLeft { at: 1 },
        Letter::AddressTaken { at: 1 },
    ]
}

fn kind(variable: &Variable) -> &'static str {
    match variable {
        Variable::Text(_) => "text",
        Variable::Time(_) => "time",
        Variable::Duration(_) => "duration",
        Variable::Number(_) => "number",
        Variable::Link(_) => "link",
        Variable::Secret(_) => "secret",
    }
}

/// Subject, preheader, and each piece of the body with its kind.
fn pieces(text: &Value) -> Vec<(String, String)> {
    let mut pieces: Vec<(String, String)> =
        ["subject", "preheader"].map(|key| (key.to_owned(), text[key].as_str().unwrap().to_owned())).into();
    for block in text["body"].as_array().unwrap() {
        let (key, value) = block.as_table().unwrap().iter().next().unwrap();
        let value = match value {
            Value::Array(both) => both.iter().map(|part| part.as_str().unwrap()).collect::<Vec<_>>().join(" > "),
            other => other.as_str().unwrap().to_owned(),
        };
        pieces.push((key.clone(), value));
    }
    pieces
}

/// Names within `{{ }}` and after `if`.
fn names(text: &str) -> BTreeSet<String> {
    let between = |open, close: &'static str| {
        text.split(open).skip(1).map(move |rest: &str| rest.split_once(close).expect("not closed").0.trim().to_owned())
    };
    let tags = between("{%", "%}").filter_map(|tag| tag.strip_prefix("if ").map(str::to_owned));
    between("{{", "}}").chain(tags).collect()
}

#[test]
fn every_mail_has_a_template_with_just_its_variables() {
    let password = PlainPassword::new("tavo-meki-rusa-dole-fipa-94".to_owned());
    let mut templates = templates();
    for letter in letters(&password) {
        let template = templates.remove(letter.template()).unwrap_or_else(|| panic!("no {}", letter.template()));
        let declared: BTreeMap<String, String> = match template.get("variables") {
            Some(variables) => variables.clone().try_into().unwrap(),
            None => BTreeMap::new(),
        };
        let given = letter.variables().into_iter().map(|(name, value)| (name, kind(&value).to_owned())).collect();
        assert_eq!(declared, given, "{}", letter.template());
    }
    assert_eq!(templates.keys().collect::<Vec<_>>(), [""; 0], "nobody sends these");
}

#[test]
fn templates_name_only_what_there_is_and_secrets_stand_alone() {
    let known = ["account.name", "account.login", "brand.name", "brand.contact"];
    for (name, template) in templates() {
        let variables = template.get("variables").and_then(Value::as_table).cloned().unwrap_or_default();
        for (locale, text) in template["texts"].as_table().unwrap() {
            let mut blocks = BTreeSet::new();
            for (kind, piece) in pieces(text) {
                match kind.as_str() {
                    "button" => {
                        let (_, variable) = piece.rsplit_once(" > ").unwrap();
                        assert_eq!(variables[variable].as_str(), Some("link"), "{name} {locale}");
                        blocks.insert(variable.to_owned());
                    }
                    "secret" => {
                        assert_eq!(variables[&piece].as_str(), Some("secret"), "{name} {locale}");
                        blocks.insert(piece);
                    }
                    _ => {
                        for used in names(&piece) {
                            let shown = variables.get(&used).and_then(Value::as_str);
                            assert!(
                                known.contains(&used.as_str()) || matches!(shown, Some("time" | "number" | "duration")),
                                "{name} {locale}: {used} in {kind}"
                            );
                        }
                    }
                }
            }
            let secrets = variables.iter().filter(|(_, kind)| matches!(kind.as_str(), Some("link" | "secret")));
            let secrets: BTreeSet<String> = secrets.map(|(name, _)| name.clone()).collect();
            assert_eq!(blocks, secrets, "{name} {locale}");
        }
    }
}

#[test]
fn every_language_says_the_same_facts_in_the_same_order() {
    let shape = |pieces: &[(String, String)]| -> Vec<_> {
        pieces.iter().map(|(kind, piece)| (kind.clone(), names(piece))).collect()
    };
    let tags = Language::ALL.map(Language::tag);
    for (name, template) in templates() {
        let texts = template["texts"].as_table().unwrap();
        let written: BTreeSet<&str> = texts.keys().map(String::as_str).collect();
        assert_eq!(written, tags.into(), "{name}");
        let first = pieces(&texts[tags[0]]);
        for tag in &tags[1..] {
            let other = pieces(&texts[*tag]);
            assert_eq!(shape(&first), shape(&other), "{name} {tag}");
            for ((kind, first), (_, other)) in first.iter().zip(&other) {
                assert!(kind == "secret" || first != other, "{name} {tag}: {first} is not translated");
            }
        }
    }
}

#[test]
fn mails_are_calm_and_keep_to_their_words() {
    for (name, template) in templates() {
        for (locale, text) in template["texts"].as_table().unwrap() {
            for (kind, piece) in pieces(text) {
                assert!(!piece.is_empty() && piece == piece.trim(), "{name} {locale}");
                assert!(!piece.contains(['!', '¡']), "{name} {locale}: {piece}");
                if locale == "es" && kind == "text" {
                    for foreign in ["link", "clave", "email", "password", "bienvenid", "usted"] {
                        assert!(!piece.to_lowercase().contains(foreign), "{name}: {piece}");
                    }
                }
            }
        }
    }
}

#[test]
fn subjects_say_what_it_is_for_and_then_whose() {
    let subject = |name: &str, locale: &str| {
        let text = &templates()[name]["texts"][locale]["subject"];
        text.as_str().unwrap().replace("{{ brand.name }}", "Northwind")
    };
    for (name, en, es) in [
        ("reset-link", "Choose a new password for Northwind", "Elige una contraseña nueva para Northwind"),
        ("temporary-password", "Your temporary password for Northwind", "Tu contraseña temporal para Northwind"),
        (
            "password-changed-by-link",
            "Your password for Northwind was changed",
            "Tu contraseña para Northwind ha cambiado",
        ),
    ] {
        assert_eq!((subject(name, "en").as_str(), subject(name, "es").as_str()), (en, es));
    }
}

/// When, from where, and that nobody asks for passwords by mail: the host's footer.
#[test]
fn what_the_host_says_below_every_mail_is_not_said_twice() {
    for (name, template) in templates() {
        let text = template["texts"].to_string();
        for said in ["request.", "never ask", "unca pedimos"] {
            assert!(!text.contains(said), "{name}: {said}");
        }
    }
}
