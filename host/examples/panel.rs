use axum::extract::{ConnectInfo, Request, State};
use axum::http::{Method, StatusCode, header::SET_COOKIE, request::Parts};
use axum::response::{AppendHeaders, Html, IntoResponse, Redirect, Response};
use axum::{Router, routing::any};
use keyturn_host::accounts::Reach;
use keyturn_host::caller::{Actor, Caller};
use keyturn_host::embed::{NOTICE_COOKIE, Submitted, Surface};
use keyturn_host::http::{self, body::whole, reader, serve::serve};
use keyturn_host::seal::{hex, random};
use keyturn_host::view::look::{EMBED_CSS, JS};
use keyturn_host::view::{Links, form, nodes::Target, shell::within, words::Words};
use keyturn_host::{Host, config::Config, plugin::compile::serve_compiler};
use std::{error::Error, net::SocketAddr, path::Path, sync::Arc};

/// A panel with one page, Forgotten password. All links of plugins lead there; yours looks at the target.
struct Panel(Host);

impl Links for Panel {
    fn url(&self, _plugin: &str, _target: &Target) -> String {
        "/".to_owned()
    }
}

impl Panel {
    fn answer(&self, client: SocketAddr, parts: &Parts, body: &[u8]) -> Result<Response, Box<dyn Error>> {
        // The panel says who asks: here nobody is signed in. Forms are bound to the session; a random number serves as one.
        let mut caller = Caller::new(Actor::Anonymous, Reach::none());
        caller.session = reader::cookie(&parts.headers, "visit").map_or_else(|| hex(&random::<16>()), str::to_owned);
        (caller.address, caller.locale) = (Some(client.ip()), reader::locale(&parts.uri, &parts.headers));
        let mut surface = Surface { caller: &caller, submit_url: "/", join: None, links: self, corrections: None };
        // A posted form is run. If something in it is wrong, the page is drawn again, with the errors and what was typed.
        let posted = (parts.method == Method::POST).then(|| self.0.submit(body, &surface)).transpose()?;
        let corrections = match posted {
            None => None,
            Some(Submitted::Done { url, notice, .. }) => {
                let notice = format!("{NOTICE_COOKIE}={notice}; Path=/; Max-Age=60; HttpOnly; SameSite=Lax");
                return Ok(([(SET_COOKIE, notice)], Redirect::to(&url)).into_response());
            }
            Some(Submitted::Again(corrections)) => Some(corrections),
            Some(Submitted::Stale(stale)) => Some(stale.corrections),
            Some(_) => return Err("the page Forgotten password has no such form".into()),
        };
        surface.corrections = corrections.as_ref();
        let notice = reader::cookie(&parts.headers, NOTICE_COOKIE).and_then(|it| self.0.notice(it, &surface));
        let page = self.0.page("keyturn-password", "forgot", None, &[], &surface)?;
        let (words, css, js) = (Words::of(&caller.locale), EMBED_CSS.url(), JS.url());
        let (notice, html) = (within(&notice.unwrap_or_default(), words), within(&page.html, words));
        let html = format!("<!doctype html><link rel=stylesheet href={css}>{notice}{html}<script src={js}></script>");
        let visit = format!("visit={}; Path=/; HttpOnly; SameSite=Lax", caller.session);
        let shown = format!("{NOTICE_COOKIE}=; Path=/; Max-Age=0");
        Ok((AppendHeaders([(SET_COOKIE, visit), (SET_COOKIE, shown)]), Html(html)).into_response())
    }
}

async fn answer(State(panel): State<Arc<Panel>>, from: ConnectInfo<SocketAddr>, request: Request) -> impl IntoResponse {
    let (parts, body) = request.into_parts();
    let body = whole(body, form::BODY).await.map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)?;
    // The host waits for disks and hashes, so it is never called on a thread of the server's.
    let blocking = move || panel.answer(from.0, &parts, &body).map_err(|cause| eprintln!("{cause}"));
    tokio::task::spawn_blocking(blocking).await.ok().and_then(Result::ok).ok_or(StatusCode::INTERNAL_SERVER_ERROR)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    serve_compiler(); // first: plugins are compiled in a process of their own
    let config = Config::read(Path::new("keyturn.toml"))?;
    let host = config.host()?;
    let (panel, workers) = (Arc::new(Panel(host.clone())), host.start_workers()?); // workers send the emails
    let router = Router::new().route("/", any(answer)).with_state(panel.clone()).merge(http::router(host, panel));
    let listener = tokio::net::TcpListener::bind(config.server.listen).await?;
    serve(listener, router, config.manners(), async { drop(tokio::signal::ctrl_c().await) }).await;
    workers.finish();
    Ok(())
}
