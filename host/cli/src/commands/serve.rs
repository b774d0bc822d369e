//! `keyturn serve`: the host beside a panel, as a server of its own.

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use tokio::net::TcpListener;

use super::{ended, own_configuration};
use crate::exit;
use crate::output::Output;
use crate::serve::{Server, run};

#[derive(clap::Args)]
pub struct Arguments {
    /// Where to listen, instead of server.listen.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
}

pub fn run_command(path: &Path, arguments: &Arguments, output: &Output) -> anyhow::Result<ExitCode> {
    let config = own_configuration(path)?;
    let listen = arguments.listen.unwrap_or(config.server.listen);
    // First, so that a second server on the same database and port is told about the database.
    let server = Arc::new(Server::new(config)?);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(listen).await.map_err(|cause| {
            let text = format!("can't listen on {listen}: {cause}. Set server.listen or --listen to another address");
            ended(exit::CONFIGURATION, text)
        })?;
        run(server, listener, output).await
    })?;
    Ok(ExitCode::SUCCESS)
}
