//! Panels for the walks, each in a folder of its own, with the demo's people in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use keyturn_tests::{Stopped, demo_folder, free_port};
use tempfile::TempDir;

/// What the demo's people type.
pub const PASSWORD: &str = "violet harbour tram 52";

/// How a panel differs from the demo.
#[derive(Default)]
pub struct Differs<'a> {
    /// Replaced in `keyturn.toml`.
    pub config: &'a [(&'a str, &'a str)],
    /// Replaced in the plugin's grants.
    pub grants: &'a [(&'a str, &'a str)],
    /// Whether nobody sends its mail.
    pub without_workers: bool,
    /// Done in its folder before it starts.
    pub before: Option<&'a dyn Fn(&Path)>,
    /// Whether it logs all that there is to log, into the file `log`.
    pub logs: bool,
}

/// A panel that serves, until this is dropped.
pub struct Panel {
    /// Its address.
    pub base: String,
    folder: TempDir,
    _process: Stopped,
}

impl Panel {
    /// The demo, but for what differs.
    pub fn start(differs: &Differs<'_>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for entry in fs::read_dir(PEOPLED.path()).expect("the folder is there").map(|entry| entry.expect("read")) {
            let name = entry.file_name();
            if name.to_string_lossy().starts_with("panel.db") || name == "keyturn.key" {
                fs::copy(entry.path(), folder.path().join(name)).expect("copied");
            }
        }
        let (base, process) = serve(folder.path(), &PEOPLED.path().join("cache"), differs);
        Self { base, folder, _process: process }
    }

    /// A file of its folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// The demo's folder once its people are in it: to hash all their passwords takes longer than a walk.
static PEOPLED: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder");
    drop(serve(folder.path(), &folder.path().join("cache"), &Differs::default()));
    folder
});

fn serve(folder: &Path, cache: &Path, differs: &Differs<'_>) -> (String, Stopped) {
    let port = free_port();
    let base = format!("http://127.0.0.1:{port}");
    let config = demo_folder(folder, &base);
    let compiled = format!("cache = \"{}\"", cache.display());
    replace(&config, &[("cache = \"cache\"", compiled.as_str())]);
    replace(&config, differs.config);
    replace(&folder.join("plugins.d/keyturn-password.toml"), differs.grants);
    let mut panel = Command::new(env!("CARGO_BIN_EXE_keyturn-example-panel"));
    panel.arg("--config").arg(&config).args(["serve", "--listen", &format!("127.0.0.1:{port}"), "--demo"]);
    if differs.without_workers {
        panel.arg("--without-workers");
    }
    if let Some(before) = differs.before {
        before(folder);
    }
    if differs.logs {
        panel.env("RUST_LOG", "trace").stderr(fs::File::create(folder.join("log")).expect("a log"));
    }
    let process = Stopped(panel.stdout(Stdio::null()).spawn().expect("the panel starts"));
    let until = Instant::now() + Duration::from_secs(60);
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < until, "the panel did not start");
        std::thread::sleep(Duration::from_millis(50));
    }
    (base, process)
}

fn replace(file: &Path, pairs: &[(&str, &str)]) {
    let mut text = fs::read_to_string(file).expect("read");
    for (old, new) in pairs {
        assert!(text.contains(old), "{} lacks {old}", file.display());
        text = text.replace(old, new);
    }
    fs::write(file, text).expect("written");
}
