//! The operator's grants: a file for each plugin, `plugins.d/NAME.toml`. Nothing in the database grants anything.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::limits::Limits;
use super::manifest::{Accounts, Mail, SettingValue, Wants};
use keyturn_core::masked;
use keyturn_core::seal::hex;

/// One grants file.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Grants {
    /// The component's file, relative to the grants file.
    pub component: PathBuf,
    /// The component's SHA-256, hexadecimal. Another file at that path is not run.
    pub sha256: String,
    /// What the plugin may do.
    #[serde(default)]
    pub grants: Wants,
    /// Settings that differ from the manifest's defaults.
    #[serde(default)]
    pub settings: BTreeMap<String, SettingValue>,
    /// Limits that differ from the host's defaults.
    #[serde(default)]
    pub limits: Limits,
}

/// What is wrong with a grants file, or with its component.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct GrantsError(String);

impl Grants {
    /// Reads a grants file and the component that it names.
    ///
    /// # Errors
    /// [`GrantsError`].
    pub fn read(path: &Path) -> Result<(Self, Vec<u8>), GrantsError> {
        let wrong = |path: &Path, cause: String| GrantsError(format!("{}: {cause}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|cause| wrong(path, cause.to_string()))?;
        let grants: Self = toml::from_str(&text).map_err(|cause| wrong(path, masked::syntax(&text, &cause)))?;
        let component = path.parent().unwrap_or(Path::new(".")).join(&grants.component);
        let bytes = std::fs::read(&component).map_err(|cause| wrong(&component, cause.to_string()))?;
        let (found, granted) = (digest(&bytes), &grants.sha256);
        if !found.eq_ignore_ascii_case(granted.trim()) {
            let (component, path) = (component.display(), path.display());
            return Err(GrantsError(format!(
                "{component} is not the component that {path} grants: its SHA-256 is {found}, and {granted} is granted. If the new \
                 file is the one you want, set sha256 to it"
            )));
        }
        Ok((grants, bytes))
    }

    /// Grants for a component in memory.
    #[must_use]
    pub fn of(component: &[u8], grants: Wants) -> Self {
        Self {
            component: PathBuf::new(),
            sha256: digest(component),
            grants,
            settings: BTreeMap::new(),
            limits: Limits::default(),
        }
    }
}

/// SHA-256, hexadecimal.
#[must_use]
pub fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// The rights that apply: wanted by the manifest and granted by the operator.
#[must_use]
pub fn authority(wanted: &Wants, granted: &Wants) -> Wants {
    Wants {
        database: wanted.database && granted.database,
        keys: wanted.keys && granted.keys,
        kdf: wanted.kdf && granted.kdf,
        input: wanted.input && granted.input,
        passwords: wanted.passwords && granted.passwords,
        speaks_for_panel: wanted.speaks_for_panel && granted.speaks_for_panel,
        jobs: wanted.jobs && granted.jobs,
        events: wanted.events && granted.events,
        mail: wanted.mail.as_ref().zip(granted.mail.as_ref()).map(|(wanted, granted)| Mail {
            recipients: granted.recipients.clone(),
            operators: wanted.operators && granted.operators,
            text: wanted.text && granted.text,
            per_minute: granted.per_minute,
        }),
        accounts: wanted.accounts.as_ref().zip(granted.accounts.as_ref()).map(|(wanted, granted)| Accounts {
            realms: granted.realms.clone(),
            read: wanted.read.intersection(&granted.read).copied().collect(),
            credential: wanted.credential && granted.credential,
        }),
    }
}
