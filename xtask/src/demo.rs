//! The example panel with people in it, in a folder of its own under the target folder.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use sha2::{Digest as _, Sha256};

use crate::places::Places;
use crate::run::{cargo, cargo_for_guests, program, say};

/// Where the panel listens by default.
pub(crate) const LISTEN: &str = "127.0.0.1:8080";

const GRANTS: &str = "plugins.d/keyturn-password.toml";
const COMPONENT: &str = "plugins.d/keyturn-password.wasm";

/// Builds, lays the folder, and runs the panel until it is stopped.
pub(crate) fn start(places: &Places, listen: &str) -> Result<()> {
    // Before the build, which takes minutes; the panel binds it again.
    std::net::TcpListener::bind(listen).with_context(|| {
        format!("can't listen on {listen}; choose another address, such as --listen 127.0.0.1:8091")
    })?;
    let component = build_plugin(places)?;
    say("building the command line and the panel");
    cargo(places)
        .args(["build", "--package", "keyturn", "--package", "keyturn-example-panel"])
        .quiet_off_a_terminal()
        .done("the build failed")?;
    let folder = places.demo();
    let packed = pack(places, &component, &folder)?;
    lay(places, &folder, &packed, listen)?;
    say(format!("starting the panel; its folder is {}", places.shown(&folder)));
    serve(places, &folder.join("keyturn.toml"), listen)
}

fn build_plugin(places: &Places) -> Result<PathBuf> {
    say("building the plugin, a WebAssembly component");
    cargo_for_guests(places)
        .args(["build", "--package", "keyturn-password", "--target", "wasm32-wasip2", "--profile", "guest"])
        .quiet_off_a_terminal()
        .done("the plugin doesn't build")?;
    Ok(places.guests().join("wasm32-wasip2/guest/keyturn_password.wasm"))
}

/// Puts the manifest into the component, by the command line that was just built.
fn pack(places: &Places, component: &Path, folder: &Path) -> Result<PathBuf> {
    let packed = folder.join(COMPONENT);
    fs::create_dir_all(folder.join("plugins.d")).context("creating the demo's folder")?;
    program(places.target.join("debug/keyturn"))
        .args(["plugin", "pack"])
        .arg(component)
        .arg("--manifest")
        .arg(places.root.join("plugin/manifest.toml"))
        .args(
            ["wit/panel", "wit/ui", "wit/password"]
                .into_iter()
                .flat_map(|folder| [PathBuf::from("--wit"), places.root.join(folder)]),
        )
        .arg("--output")
        .arg(&packed)
        .done("can't pack the plugin")?;
    Ok(packed)
}

/// Writes configuration and grants again from the templates; the database and the key stay.
fn lay(places: &Places, folder: &Path, packed: &Path, listen: &str) -> Result<()> {
    let templates = places.root.join("examples/panel/demo");
    let component = fs::read(packed).with_context(|| format!("reading {}", packed.display()))?;
    let digest: String = Sha256::digest(component).iter().map(|byte| format!("{byte:02x}")).collect();
    for (file, mark, value) in [("keyturn.toml", "@ORIGIN@", format!("http://{listen}")), (GRANTS, "@SHA256@", digest)]
    {
        let template = templates.join(file);
        let text = fs::read_to_string(&template).with_context(|| format!("reading {}", template.display()))?;
        ensure!(text.contains(mark), "{} lacks {mark}", template.display());
        let path = folder.join(file);
        fs::write(&path, text.replace(mark, &value)).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

fn serve(places: &Places, config: &Path, listen: &str) -> Result<()> {
    // Not by cargo: alone, the panel would be built with other features of its dependencies, so all of them would be built
    // again.
    program(places.target.join("debug/keyturn-example-panel"))
        .arg("--config")
        .arg(config)
        .args(["serve", "--listen", listen, "--demo"])
        .done("the panel stopped")
}
