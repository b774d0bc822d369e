//! `keyturn plugin`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use keyturn_host::plugin::grants::{Grants, digest};
use keyturn_host::plugin::manifest::{Setting, SettingType, Wants};
use keyturn_host::plugin::pack;
use serde_json::{Value, json};

use crate::output::{Output, cut};

#[derive(clap::Subcommand)]
pub enum Command {
    /// Show what a component imports, exports and wants, and what is granted. Runs none of its code.
    Inspect {
        /// The packed component.
        file: PathBuf,
        /// Its grants file, to show what is granted.
        #[arg(long)]
        grants: Option<PathBuf>,
    },
    /// Put a manifest into a component, with the docs of its WIT and the email templates in the folder mail/ beside the manifest.
    #[command(after_help = "\
Example:
  keyturn plugin pack report.wasm --manifest manifest.toml --wit wit/panel --wit wit/report -o plugins.d/report.wasm")]
    Pack {
        /// The component from the compiler.
        component: PathBuf,
        /// The manifest.
        #[arg(long, default_value = "manifest.toml")]
        manifest: PathBuf,
        /// Its WIT, a file or folder. Repeat it for each package, after the packages that it uses. Without it, hooks have no docs.
        #[arg(long)]
        wit: Vec<PathBuf>,
        /// Where to write the packed component.
        #[arg(long, short)]
        output: PathBuf,
    },
}

pub fn run(command: &Command, output: &Output) -> anyhow::Result<ExitCode> {
    match command {
        Command::Inspect { file, grants } => inspect(file, grants.as_ref(), output),
        Command::Pack { component, manifest, wit, output: to } => {
            let bytes = std::fs::read(component).with_context(|| component.display().to_string())?;
            let text = std::fs::read_to_string(manifest).with_context(|| manifest.display().to_string())?;
            let folder = manifest.parent().unwrap_or(std::path::Path::new("")).join("mail");
            let mails = pack::mails_in(&folder).with_context(|| folder.display().to_string())?;
            let beside = pack::Beside { mails, wit: wit.clone() };
            let packed = pack::pack(&bytes, &text, &beside)
                .map_err(|cause| anyhow::Error::from(cause).context(format!("can't pack {}", component.display())))?;
            std::fs::write(to, &packed).with_context(|| to.display().to_string())?;
            let (bytes, sha256) = (packed.len(), digest(&packed));
            output.answer(&json!({ "file": to, "bytes": bytes, "sha256": sha256 }), |output| {
                output.line(&format!("{}  {bytes} bytes\nsha256 = \"{sha256}\"", to.display()));
            })
        }
    }
}

fn inspect(file: &PathBuf, grants: Option<&PathBuf>, output: &Output) -> anyhow::Result<ExitCode> {
    let bytes = std::fs::read(file).with_context(|| file.display().to_string())?;
    let (imports, exports) = pack::interfaces(&bytes)?;
    let manifest = pack::manifest(&bytes)?;
    let grants = grants.map(|path| Grants::read(path)).transpose()?.map(|(grants, _)| grants);
    let granted = grants.as_ref().map(|grants| &grants.grants);
    if output.json {
        output.document(&json!({
            "file": file, "bytes": bytes.len(), "sha256": digest(&bytes), "imports": imports, "exports": exports,
            "manifest": manifest, "granted": granted,
        }));
        return Ok(ExitCode::SUCCESS);
    }
    output.line(&format!("{} {}  {}", manifest.name, manifest.version, manifest.description));
    output.line(&format!("sha256 {}  {} bytes\n", digest(&bytes), bytes.len()));
    let held = granted.map(rights);
    output.table(
        &["MAY", "WANTED", "GRANTED"],
        rights(&manifest.wants).into_iter().map(|(right, wanted)| {
            let granted = held.as_ref().map(|held| held.iter().find(|(other, _)| *other == right));
            let granted = granted.map_or("?", |found| found.map_or("", |(_, granted)| granted));
            vec![right.to_owned(), wanted, granted.to_owned()]
        }),
    );
    output.line("");
    output.table(
        &["OPERATION", "HOOK", "FORM", "WHO MAY"],
        manifest.operations.iter().map(|row| {
            let actors: Vec<Value> = row.actors.iter().map(|actor| json!(actor)).collect();
            let actors: Vec<&str> = actors.iter().filter_map(Value::as_str).collect();
            let form = if row.form { "form" } else { "" };
            vec![row.name.clone(), row.scope().unwrap_or_default(), form.to_owned(), actors.join(", ")]
        }),
    );
    if !manifest.settings.is_empty() {
        output.line("");
        let row = |(name, setting): (&String, &Setting)| {
            let set = grants.as_ref().and_then(|grants| grants.settings.get(name));
            // A value is written alike in JSON and in TOML; `--json` has the whole of a long one.
            let value = cut(&json!(set.unwrap_or(&setting.default)).to_string(), 30);
            let whose = if set.is_some() { "set" } else { "default" };
            vec![name.clone(), value, whose.to_owned(), bounds(setting), setting.title.clone()]
        };
        output.table(&["SETTING", "VALUE", "FROM", "ALLOWED", "MEANING"], manifest.settings.iter().map(row));
    }
    for (head, names) in [("Imports", &imports), ("Exports", &exports)] {
        output.line(&format!("\n{head}"));
        names.iter().for_each(|name| output.line(&format!("  {name}")));
    }
    if granted.is_none() {
        output.remark("\nTo see what is granted, name its grants file: --grants plugins.d/NAME.toml");
    }
    Ok(ExitCode::SUCCESS)
}

/// The values that a setting accepts.
fn bounds(setting: &Setting) -> String {
    match (setting.kind, &setting.choices) {
        (SettingType::Truth, _) => "true, false".to_owned(),
        (SettingType::Text, Some(choices)) => choices.join(", "),
        (SettingType::Text, None) => "text".to_owned(),
        (SettingType::Texts, _) => "texts".to_owned(),
        (SettingType::Number, _) => match (setting.min, setting.max) {
            (Some(min), Some(max)) => format!("{min} to {max}"),
            (Some(min), None) => format!("{min} or more"),
            (None, Some(max)) => format!("{max} or less"),
            (None, None) => "a number".to_owned(),
        },
    }
}

/// The rights that a plugin may want or have, in words, the strongest first.
fn rights(wants: &Wants) -> Vec<(&'static str, String)> {
    let yes = |right: bool| if right { "yes" } else { "no" }.to_owned();
    let listed = |names: Vec<&str>, none: &str| if names.is_empty() { none.to_owned() } else { names.join(", ") };
    let accounts = wants.accounts.as_ref();
    let read = accounts.iter().flat_map(|a| &a.read).map(|field| field.name()).collect();
    let realms = accounts.iter().flat_map(|a| &a.realms).map(String::as_str).collect();
    let mail = wants.mail.as_ref();
    let operators = mail.filter(|mail| mail.operators).map(|_| "the operators");
    let whom = mail.iter().flat_map(|mail| &mail.recipients).map(String::as_str).chain(operators).collect();
    vec![
        ("read and replace stored passwords", yes(accounts.is_some_and(|a| a.credential))),
        ("ask for passwords in its forms", yes(wants.passwords)),
        ("speak for the panel", yes(wants.speaks_for_panel)),
        ("draw forms", yes(wants.input)),
        ("email", listed(whom, if mail.is_some() { "as granted" } else { "nobody" })),
        ("put free text into emails", yes(mail.is_some_and(|mail| mail.text))),
        ("read these account fields", listed(read, "nothing")),
        ("accounts of realms", listed(realms, "as granted")),
        ("work in the background", yes(wants.jobs)),
        ("send events to other plugins and receive theirs", yes(wants.events)),
        ("keep data of its own", yes(wants.database)),
        ("compute MACs with its own keys", yes(wants.keys)),
        ("compute slow hashes", yes(wants.kdf)),
    ]
}
