//! The server: hooks, link pages and the look on one port; workers beside them; signals.

mod health;
mod site;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use keyturn_host::Host;
use keyturn_host::config::Config;
use keyturn_host::http::serve::serve;
use keyturn_host::webhooks::tended::Held;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tower::ServiceExt as _;

use crate::output::Output;
use site::Beside;

/// How long running requests may take to end.
const PATIENCE: Duration = Duration::from_secs(20);

/// The host and its surroundings.
pub struct Server {
    config: Config,
    host: Host,
    /// Link pages have addresses of their own, so a reload may make another.
    router: RwLock<Router>,
    draining: AtomicBool,
}

impl Server {
    pub fn new(config: Config) -> anyhow::Result<Self> {
        let host = config.host()?;
        let router = RwLock::new(pages(&host, &config));
        Ok(Self { config, host, router, draining: AtomicBool::new(false) })
    }

    /// Prints what is served, and where.
    fn greet(&self, address: SocketAddr, output: &Output) {
        output.line(&format!("Listening on http://{address}"));
        for plugin in self.host.plugins() {
            let hooks = plugin.manifest.operations.iter().filter(|operation| operation.hook.is_some()).count();
            output.line(&format!("  {} {}: {hooks} hooks", plugin.name, plugin.manifest.version));
        }
        for (name, cause) in self.host.left_out() {
            output.remark(&format!("  {name} is left out: {cause}"));
        }
        if self.config.server.proxies.is_empty() && !address.ip().is_loopback() {
            output.remark("note: this address is open to the network without TLS; put a proxy with TLS in front");
        }
    }

    /// Reads webhooks, grants and components again. If one of them has an error, it stays as it was.
    fn reload(&self) {
        match self.config.reload_webhooks(&self.host) {
            Ok(others) => {
                self.tell_webhooks();
                if !others.is_empty() {
                    tracing::warn!(
                        "{}: {} changed; this applies from the next start",
                        self.config.file_name(),
                        others.join(", ")
                    );
                }
            }
            Err(cause) => tracing::error!("webhooks stay as they were: {cause}"),
        }
        let outcomes = match self.config.reload(&self.host) {
            Ok(outcomes) => outcomes,
            Err(cause) => return tracing::error!("nothing was reloaded: {cause}"),
        };
        for (name, outcome) in outcomes {
            match outcome {
                Ok(plugin) => tracing::info!(plugin = name, version = plugin.manifest.version, "reloaded"),
                Err(cause) if self.host.plugins().iter().any(|plugin| plugin.name == name) => {
                    tracing::error!(plugin = name, "not reloaded; it stays as it was: {cause}");
                }
                Err(cause) => tracing::error!(plugin = name, "left out: {cause}"),
            }
        }
        *self.router.write().unwrap_or_else(PoisonError::into_inner) = pages(&self.host, &self.config);
        tracing::info!("reload finished");
    }

    /// Logs which webhooks there are, and what waits for a removed one.
    fn tell_webhooks(&self) {
        let destinations = self.host.webhooks();
        let names: Vec<&str> = destinations.iter().map(|to| to.name.as_str()).collect();
        tracing::info!(webhooks = names.join(" "), "reloaded");
        let tended = self.host.tended().unwrap_or_default();
        for one in tended.iter().filter(|one| one.held() == Some(Held::Removed) && one.waiting > 0) {
            let (webhook, waiting) = (&one.name, one.waiting);
            tracing::warn!(webhook, waiting, "is no longer in the configuration; events that wait for it are on hold");
        }
    }
}

fn pages(host: &Host, config: &Config) -> Router {
    let site = Arc::new(Beside { server: config.server.clone() });
    keyturn_host::http::router(host.clone(), site)
}

async fn current(State(server): State<Arc<Server>>, request: Request) -> Response {
    let router = server.router.read().unwrap_or_else(PoisonError::into_inner).clone();
    router.oneshot(request).await.unwrap_or_else(|never| match never {})
}

/// Serves until it is told to stop, then finishes the running requests.
pub async fn run(server: Arc<Server>, listener: TcpListener, output: &Output) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    // Not earlier: people who read it may send a signal at once, and without a handler a signal ends the process.
    server.greet(listener.local_addr()?, output);
    let working = server.host.start_workers()?;
    let router = health::routes().fallback(current).with_state(Arc::clone(&server));
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let serving = tokio::spawn(serve(listener, router, server.config.manners(), async {
        // An error counts as the signal: its sender is gone.
        let _ = stopped.await;
    }));
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hang_up.recv() => {
                let server = Arc::clone(&server);
                tokio::task::spawn_blocking(move || server.reload()).await?;
            }
        }
    }
    tracing::info!("stopping after the running requests");
    server.draining.store(true, Ordering::Relaxed);
    let _ = stop.send(());
    if tokio::time::timeout(PATIENCE, serving).await.is_err() {
        tracing::warn!("some requests were not finished");
    }
    let _ = tokio::task::spawn_blocking(|| working.finish()).await;
    Ok(())
}
