//! Pages of plugins, with the panel's navigation, or public for people who are not signed in.

use axum::response::Response;
use keyturn_host::CallError;
use keyturn_host::accounts::AccountId;
use keyturn_host::view::Corrections;

use crate::answer::Failed;
use crate::pages::{forms, people};
use crate::request::Request;

/// GET.
pub fn show(request: &mut Request) -> Result<Response, Failed> {
    let corrections = forms::carried(request)?;
    draw(request, corrections.as_ref())
}

/// POST.
pub fn post(request: &mut Request) -> Result<Response, Failed> {
    forms::posted(request, |_, _| Err(Failed::Forged), draw)
}

fn draw(request: &mut Request, corrections: Option<&Corrections>) -> Result<Response, Failed> {
    let caller = request.visitor.caller();
    let subject = match request.asked("for") {
        "" => None,
        subject => Some(subject.parse::<AccountId>().map_err(|_| Failed::NoPage)?),
    };
    let arguments: Vec<(String, String)> =
        request.query.iter().filter(|(name, _)| name != "for" && name != "lang").cloned().collect();
    let submit_url = request.address(&[]);
    let page = {
        let surface = request.surface(&caller, &submit_url, corrections);
        let (plugin, name) = (request.param("plugin"), request.param("page"));
        request.site.host.page(plugin, name, subject.as_ref(), &arguments, &surface)
    };
    match page {
        Ok(page) => {
            let about = subject.as_ref().map(|account| people::of_account(request, account)).transpose()?.flatten();
            Ok(forms::plugin_page(request, &page, about.as_ref()))
        }
        // Perhaps it is for somebody: ask who is there.
        Err(CallError::Denied { .. }) if request.visitor.session.is_none() => Err(Failed::SignIn),
        Err(cause) => Err(cause.into()),
    }
}
