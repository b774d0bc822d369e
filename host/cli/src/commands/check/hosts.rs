//! The hosts that serve this database now, and in what they differ from these files.

use anyhow::anyhow;
use keyturn_host::config::Config;
use keyturn_host::seal::Keys;
use keyturn_host::storage::Store;
use keyturn_host::storage::hosts::{State, is_off, said_ahead};

use super::Report;

const FIX_CLOCK: &str = "synchronize the clocks of all hosts and of the database server, for example with chrony";

pub fn running(config: &Config, storage: &Store, keys: &Keys, report: &mut Report<'_>) -> anyhow::Result<()> {
    let clock = storage.clock().map_err(|cause| anyhow!("clock: {cause}"))?;
    if clock.is_off() {
        report.wrong(format!("this machine's clock is {}", said_ahead(clock.ahead))).fix(FIX_CLOCK);
    }
    let own = config.compared(keys);
    let hosts = storage.hosts().map_err(|cause| anyhow!("hosts: {cause}"))?;
    for host in hosts.iter().filter(|host| host.state == State::Running) {
        let name = host.name();
        if is_off(host.ahead) {
            report
                .wrong(format!("host {name}: its clock is {}, so it claims no work", said_ahead(host.ahead)))
                .fix(FIX_CLOCK);
        }
        let Some(about) = &host.about else { continue };
        match own.differences(about) {
            none if none.is_empty() => report.good(format!("host {name} {} runs with these files", about.version)),
            names => report
                .note(format!("host {name} runs with other settings or grants than these files: {}", names.join(", ")))
                .fix("use the same settings and grants on all hosts, and restart those that are named"),
        }
        if about.version != own.version {
            report.note(format!("host {name} has version {}, and this program {}", about.version, own.version));
        }
    }
    Ok(())
}
