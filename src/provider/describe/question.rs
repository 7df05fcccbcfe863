//! How a provider is asked, in words: a name and a text each.

use super::{lasting, says, time_format};
use crate::provider::Provider;
use crate::provider::body::Body;
use crate::provider::envelope::Envelope;
use crate::provider::feed::{Feed, Paging};
use crate::provider::meaning::Meaning;
use crate::provider::read::Matching;
use crate::provider::request::{Ask, CLIENT_CERTIFICATE, Request};
use crate::provider::template::Template;

/// A name and a text.
pub(super) type Words = Vec<(&'static str, String)>;

/// How we prove who we are. Only places are shown: an author may have written a credential into a text.
pub(super) fn auth(provider: &Provider) -> Words {
    let auth = &provider.auth;
    let mut words = Words::new();
    let places = |template: &Template| {
        let places: Vec<String> =
            template.places().iter().map(|name| format!("{{{name}}}")).collect();
        places.join(" ")
    };
    for (name, template) in &auth.headers {
        words.push(("header", format!("{name} with {}", places(template))));
    }
    if let Some((user, password)) = &auth.basic {
        let text = format!("user {}, password {}", places(user), places(password));
        words.push(("basic", text));
    }
    if let Some((credential, signature)) = &auth.sign {
        let signed: Vec<String> =
            signature.describe().into_iter().take(4).map(|(_, text)| text).collect();
        words.push(("signed", format!("{}, with {{{credential}}}", signed.join(", "))));
    }
    if let Some(login) = &auth.login {
        let sent: Vec<&str> = login.send.keys().map(String::as_str).collect();
        let request = line(&login.request);
        let life = lasting(login.life);
        let text = format!(
            "{request} brings a token at {}, sent as {}, good for {life} where nothing else is said",
            login.token,
            sent.join(", ")
        );
        words.push(("login", text));
    }
    if auth.has_client_certificate {
        let pem: Vec<String> =
            CLIENT_CERTIFICATE.iter().map(|name| format!("{{{name}}}")).collect();
        let text = format!("shown when we connect (mutual TLS): {}", pem.join(" and "));
        words.push(("certificate", text));
    }
    words
}

/// How an order is asked about.
pub(super) fn ask(ask: &Ask) -> Words {
    let mut words = vec![("request", line(&ask.request))];
    words.extend(bodies(&ask.request));
    words.extend(envelope(&ask.envelope));
    if let Some(batch) = &ask.batch {
        let missing = if batch.is_complete {
            "; what the list at {items} does not mention is not known"
        } else {
            ", in a list at {items}"
        };
        let missing = missing.replace("{items}", &batch.items.to_string());
        let text = format!("{}: up to {} orders at once{missing}", line(&batch.request), batch.max);
        words.push(("batch", text));
        words.extend(bodies(&batch.request));
    }
    words
}

/// How the feed is read.
pub(super) fn feed(feed: &Feed) -> Words {
    let mut words = vec![("request", line(&feed.request))];
    words.extend(bodies(&feed.request));
    words.extend(envelope(&feed.envelope));
    words.push(("items", format!("each of {}", place(&feed.items.to_string()))));
    let only = feed.only.iter().map(|only| format!("all but where {}", says(only)));
    for ignored in only.chain(feed.ignore.iter().map(|own| format!("where {}", says(own)))) {
        words.push(("ignored", ignored));
    }
    let pages = match &feed.paging {
        Paging::One => "one page".to_owned(),
        Paging::Cursor { next, .. } => format!("the cursor at {next} is sent back"),
        Paging::Page { first, size, total } => {
            let size = size.map(|size| format!(", of {size} items")).unwrap_or_default();
            let total = total.as_ref().map(|total| format!(", up to the number at {total}"));
            format!("numbered from {first}{size}{}", total.unwrap_or_default())
        }
        Paging::Link { at } => format!("the URL at {at} leads to the next one"),
    };
    words.push(("pages", format!("{pages}; {} at once", feed.pages_max)));
    if let Some(window) = &feed.window {
        let (format, reach) = (time_format(window.format), lasting(window.reach));
        words.push(("window", format!("from and until in {format}; at first {reach} back")));
    }
    let (every, overlap) = (lasting(feed.every), lasting(feed.overlap));
    words.push(("every", format!("{every}, and the last {overlap} again")));
    words
}

fn line(request: &Request) -> String {
    format!("{} {}", request.method.as_str(), request.path)
}

fn place(pointer: &str) -> String {
    if pointer.is_empty() { "the whole answer".to_owned() } else { pointer.to_owned() }
}

fn bodies(request: &Request) -> Words {
    let body = |body: &Body| ("body", written(body).to_string());
    request.bodies.iter().map(body).collect()
}

/// A body with its places as they are written in a definition.
fn written(body: &Body) -> serde_json::Value {
    match body {
        Body::Text(template) => template.to_string().into(),
        Body::Number(place) => format!("{{{place}:number}}").into(),
        Body::List { place, as_numbers: true } => format!("{{{place}:number}}").into(),
        Body::List { place, as_numbers: false } => format!("{{{place}}}").into(),
        Body::Fixed(value) => value.clone(),
        Body::Array(items) => items.iter().map(written).collect(),
        Body::Object(members) => {
            let member = |(name, body): &(String, Body)| (name.clone(), written(body));
            serde_json::Value::Object(members.iter().map(member).collect())
        }
    }
}

/// What makes an answer one, and what errors mean.
fn envelope(envelope: &Envelope) -> Words {
    let mut words = Words::new();
    if let Some((at, is)) = &envelope.ok {
        words.push(("answer", format!("is one where {at} is {is}")));
    }
    if let Some((credential, signature)) = &envelope.signature {
        let signed: Vec<String> =
            signature.describe().into_iter().take(4).map(|(_, text)| text).collect();
        words.push(("answer", format!("is signed: {}, with {{{credential}}}", signed.join(", "))));
    }
    for rule in &envelope.errors.0 {
        let statuses: Vec<String> = rule.statuses.iter().map(u16::to_string).collect();
        let when = rule.says.as_ref().map(|(at, is)| {
            format!(" where {}", says(&Matching { at: vec![at.clone()], is: is.clone() }))
        });
        let means = match rule.means {
            Meaning::NotFound => "it knows no such order",
            Meaning::Throttled => "it is asked too often",
            Meaning::Forbidden => "it does not take our credentials",
            Meaning::NoInformation => "nothing",
        };
        let when = when.unwrap_or_default();
        words.push(("error", format!("{}{when}: means {means}", statuses.join(", "))));
    }
    words
}
