use super::*;

fn template(body: &str) -> Template {
    toml::from_str(&format!(
        r#"
        variables = {{ link = "link", until = "time", n = "number", word = "secret", reason = "text" }}
        [texts.en]
        subject = "Choose a new password for {{{{ brand.name }}}}"
        preheader = "Until {{{{ until }}}}."
        body = [{{ button = ["Choose", "link"] }}, {{ secret = "word" }}, {body}]
        "#
    ))
    .expect("TOML")
}

#[test]
fn a_template_that_uses_what_it_has_is_good() {
    template(r#"{ heading = "Hello {{ account.name }}" }, { text = "{% if n == 1 and not reason %}one{% elif n > 2 %}{{ n }}{% else %}a { b }{%- endif -%}" }"#)
        .check()
        .expect("good");
}

#[test]
fn what_is_wrong_is_named_by_language_and_block() {
    for (body, place, problem) in [
        (r#"{ text = "Hello {{ nobody }}" }"#, "block 3 (text)", "uses `nobody`, which is neither"),
        (r#"{ text = "{{ account.password }}" }"#, "block 3 (text)", "`account.password`"),
        (r#"{ text = "{{ link }}" }"#, "block 3 (text)", "uses `link`, which is secret"),
        (r#"{ heading = "{% if word %}x{% endif %}" }"#, "block 3 (heading)", "uses `word`, which is secret"),
        (r#"{ button = ["{{ word }}", "link"] }"#, "block 3 (button)", "uses `word`, which is secret"),
        (r#"{ button = ["Go", "until"] }"#, "block 3 (button)", "shows `until`, which is a time, not a link"),
        (r#"{ button = ["Go", "else"] }"#, "block 3 (button)", "shows `else`, which is not one of its variables"),
        (r#"{ secret = "link" }"#, "block 3 (secret)", "which is a link, not a secret"),
        (r#"{ text = " " }"#, "block 3 (text)", "is empty"),
        (r#"{ text = "{{ until " }"#, "block 3 (text)", "lacks }}"),
        (r#"{ text = "{% if n %}x" }"#, "block 3 (text)", "syntax error"),
        (r#"{ text = "{% for x in n %}x{% endfor %}" }"#, "block 3 (text)", "{% for %}"),
        (r#"{ text = "{% set n = 2 %}" }"#, "block 3 (text)", "{% set %}"),
        (r#"{ text = "{% include 'x' %}" }"#, "block 3 (text)", "{% include %}"),
        (r#"{ text = "{{ n * 9999999 }}" }"#, "block 3 (text)", "`*`"),
        (r#"{ text = "{{ n ~ n }}" }"#, "block 3 (text)", "`~`"),
        (r#"{ text = "{{ reason|upper }}" }"#, "block 3 (text)", "`|`"),
        (r#"{ text = "{{ 'x' }}" }"#, "block 3 (text)", "`'`"),
        (r#"{ text = "{{ [n] }}" }"#, "block 3 (text)", "`[`"),
        (r#"{ text = "{# x #}" }"#, "block 3 (text)", "comment"),
        (r#"{ text = "a\u202eb" }"#, "block 3 (text)", "U+202E"),
    ] {
        let cause = template(body).check().expect_err(body);
        assert_eq!((cause.locale.as_deref(), cause.place.as_str()), (Some("en"), place), "{cause}");
        let said = cause.of("forgotten").to_string();
        assert!(said.starts_with(&format!("email template forgotten, en, {place} ")), "{said}");
        assert!(said.contains(problem), "{said}");
    }
}

#[test]
fn secrets_stand_neither_in_the_subject_nor_in_the_preheader() {
    for name in ["link", "word"] {
        for place in ["subject", "preheader"] {
            let mut bad = template(r#"{ text = "x" }"#);
            let text = bad.texts.get_mut("en").expect("there");
            let string = if place == "subject" { &mut text.subject } else { &mut text.preheader };
            *string = format!("Your {{{{ {name} }}}}");
            assert_eq!(bad.check().expect_err("secret").place, place);
        }
    }
}

#[test]
fn every_link_and_secret_has_its_block_in_every_language() {
    for (block, word) in [(0, "lacks the button with `link`"), (1, "lacks the secret with `word`")] {
        let mut bad = template(r#"{ text = "x" }"#);
        let mut spanish = bad.texts["en"].clone();
        spanish.body.remove(block);
        bad.texts.insert("es".to_owned(), spanish);
        let cause = bad.check().expect_err("missing");
        assert_eq!((cause.locale.as_deref(), cause.problem.as_str()), (Some("es"), word));
    }
    let mut bad = template(r#"{ text = "x" }"#);
    let english = bad.texts.remove("en").expect("there");
    bad.texts.insert("es".to_owned(), english);
    assert!(bad.check().expect_err("no English").to_string().contains("is missing"));
}

#[test]
fn a_variable_has_a_name_that_means_nothing_else() {
    for name in ["account", "Until", "a-b", "1st", "if", "", "größe"] {
        let mut bad = template(r#"{ text = "x" }"#);
        bad.variables.insert(name.to_owned(), Kind::Text);
        assert_eq!(bad.check().expect_err(name).place, format!("variable {name}"));
    }
}

#[test]
fn values_fit_or_are_named() {
    let template = template(r#"{ text = "x" }"#);
    let good: BTreeMap<String, Value> = [
        ("link", Value::Link("https://panel.example/x".to_owned().into())),
        ("until", Value::Time(0)),
        ("n", Value::Number(2)),
        ("word", Value::Secret("tavo-meki".to_owned().into())),
        ("reason", Value::Text(String::new())),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    template.fits(&good, false).expect("fits");
    for (name, value, word) in [
        ("n", Some(Value::Time(2)), "another kind"),
        ("n", None, "no value"),
        ("word", None, "no value"),
        ("more", Some(Value::Number(1)), "not one of its variables"),
        ("link", Some(Value::Link("javascript:alert(1)".to_owned().into())), "absolute address"),
        ("link", Some(Value::Link("https://x/ y".to_owned().into())), "absolute address"),
        ("link", Some(Value::Link("https://x/\"onclick=".to_owned().into())), "absolute address"),
        ("word", Some(Value::Secret("a\r\nb".to_owned().into())), "invisible character"),
    ] {
        let mut bad = good.clone();
        match value {
            Some(value) => bad.insert(name.to_owned(), value),
            None => bad.remove(name),
        };
        let cause = template.fits(&bad, false).expect_err(word);
        assert_eq!(cause.place, format!("variable {name}"));
        assert!(cause.problem.contains(word), "{cause}");
    }
    let mut wiped = good;
    wiped.remove("link");
    wiped.remove("word");
    template.fits(&wiped, true).expect("masked");
}

#[test]
fn a_recipient_gets_his_language_or_the_nearest_or_english() {
    let mut template = template(r#"{ text = "x" }"#);
    let english = template.texts["en"].clone();
    template.texts.insert("es".to_owned(), english.clone());
    template.texts.insert("pt-BR".to_owned(), english);
    for (asked, found) in [
        ("es", "es"),
        ("es-MX", "es"),
        ("ES_mx", "es"),
        ("pt-br", "pt-BR"),
        ("pt-PT", "en"),
        ("", "en"),
        ("en-GB", "en"),
    ] {
        assert_eq!(template.text(asked).map(|(locale, _)| locale), Some(found), "{asked}");
    }
}
