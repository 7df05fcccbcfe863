//! A definition as a page of text.

use std::fmt::{self, Write};

use super::question::{self, Words};
use super::{confirmed, json, lasting, money, says, source, time_format, trust};
use crate::order::machine::StatusRule;
use crate::order::name::{Kind, Track};
use crate::order::rules::KindRules;
use crate::provider::signature::Signature;
use crate::provider::{Format, KindModes, NO_BOOKS, Provider};

/// How wide a line may be, in letters.
const WIDTH: usize = 100;

/// All of a definition, for people.
#[must_use]
pub fn page(provider: &Provider) -> String {
    let mut text = String::new();
    // Writing into a text cannot fail.
    let _ = write(provider, &mut text);
    text
}

fn write(provider: &Provider, out: &mut String) -> fmt::Result {
    writeln!(out, "{} ({})", provider.title, provider.name)?;
    if !provider.about.is_empty() {
        writeln!(out, "{}", fill(&provider.about, 0))?;
    }
    provider.documents.iter().try_for_each(|document| writeln!(out, "  {document}"))?;
    write_callbacks(provider, out)?;
    for track in provider.machine.tracks() {
        write_track(provider, track, out)?;
    }
    if !provider.events.is_empty() {
        writeln!(out, "\nNames of events, and the status that each stands for")?;
        for (name, status) in &provider.events {
            writeln!(out, "  {name:<34}{status}")?;
        }
    }
    for (name, kind) in &provider.kinds {
        write_kind(provider, name, kind, out)?;
    }
    write_words("Proving who we are", &question::auth(provider), out)?;
    match &provider.ask {
        None => writeln!(out, "\nAsking\n  the provider cannot be asked about an order")?,
        Some(ask) => write_words("Asking about an order", &question::ask(ask), out)?,
    }
    if let Some(feed) = &provider.feed {
        write_words("Reading its feed", &question::feed(feed), out)?;
    }
    writeln!(out, "\nA source of it, in pawl.toml\n")?;
    source(provider).lines().try_for_each(|line| writeln!(out, "  {line}"))
}

fn write_callbacks(provider: &Provider, out: &mut String) -> fmt::Result {
    writeln!(out, "\nCallbacks")?;
    let format = match provider.format {
        Format::Json => "JSON",
        Format::Form => "a form",
    };
    entry(out, "format", &format!("{format}, as {}", provider.content_types.join(" or ")))?;
    if let Some(items) = &provider.items {
        entry(out, "reports", &format!("several in one body: each of {items}"))?;
    }
    write_signature("signature", &provider.signature, out)?;
    for (name, signature) in provider.signatures.iter().filter(|(_, own)| !own.is_none()) {
        write_signature(&format!("\"{name}\""), signature, out)?;
    }
    entry(out, "confirmed", &confirmed(provider))?;
    let statuses = provider.called_back.as_ref().map(|statuses| {
        statuses.iter().map(|status| status.as_str()).collect::<Vec<_>>().join(", ")
    });
    let statuses = match statuses.as_deref() {
        None => "every status",
        Some("") => "no status",
        Some(statuses) => statuses,
    };
    entry(out, "sent for", statuses)?;
    let time = &provider.callback;
    if !time.time.is_empty() {
        entry(out, "times", &time_format(time.time_format))?;
    }
    let only = provider.only.iter().map(|only| format!("all but where {}", says(only)));
    for ignored in only.chain(provider.ignore.iter().map(|own| format!("where {}", says(own)))) {
        entry(out, "ignored", &ignored)?;
    }
    if !provider.callback.name_alone.is_empty() {
        let names = provider.callback.name_alone.join(", ");
        entry(out, "names", &format!("of {names}: the name alone is the status"))?;
    }
    if provider.takes_currency() {
        entry(out, "currencies", "none is said: the registered one counts, or the source's")?;
    }
    if let Some(challenge) = &provider.challenge {
        entry(out, "challenge", &json::challenge(challenge))?;
    }
    let reply = &provider.reply;
    let body = match reply.body.as_str() {
        "" => "without a body".to_owned(),
        body => format!("with `{}`, as {}", body.escape_debug(), reply.content_type),
    };
    entry(out, "reply", &format!("{} {body}", reply.status))?;
    entry(out, "tried again", &format!("for {}", lasting(provider.retry_window)))
}

fn write_signature(name: &str, signature: &Signature, out: &mut String) -> fmt::Result {
    let secret = if signature.is_none() {
        String::new()
    } else {
        format!("\nthe secret is {}", signature.wanted_key())
    };
    entry(out, name, &format!("{}{secret}", signature.sentence()))?;
    entry(out, "", trust(signature))
}

fn write_track(provider: &Provider, track: &Track, out: &mut String) -> fmt::Result {
    writeln!(out, "\nStatuses of the {track} track, and what may come directly after each")?;
    let rules: Vec<&StatusRule> =
        provider.machine.statuses().iter().filter(|rule| rule.track == *track).collect();
    for rule in rules {
        let last = rule.is_final.then(|| "final".to_owned());
        let rank = provider.machine.repeats(&rule.name).then(|| format!("rank {}", rule.rank));
        let implies = rule.implies.as_ref().map(|implied| format!("implies {implied}"));
        let until = rule.until.as_ref().map(|until| format!("over with a later {until}"));
        let aliases = (!rule.aliases.is_empty()).then(|| format!("or {}", rule.aliases.join(", ")));
        let horizon = rule.horizon.map(|horizon| format!("may last {}", lasting(horizon)));
        let outcome = std::iter::once(rule.outcome.as_str().to_owned());
        let notes: Vec<String> = outcome
            .chain(last)
            .chain(rank)
            .chain(implies)
            .chain(until)
            .chain(aliases)
            .chain(horizon)
            .collect();
        let edges: Vec<&str> = rule.edges.iter().map(|edge| edge.as_str()).collect();
        let next =
            if edges.is_empty() { String::new() } else { format!("\n-> {}", edges.join(", ")) };
        entry(out, rule.name.as_str(), &format!("{}{next}", notes.join(", ")))?;
    }
    Ok(())
}

fn write_kind(provider: &Provider, name: &Kind, kind: &KindModes, out: &mut String) -> fmt::Result {
    writeln!(out, "\nKind {name}")?;
    for told in money::told_by(provider, name) {
        entry(out, "told by", &told)?;
    }
    let others: Vec<&str> =
        kind.modes.keys().map(String::as_str).filter(|mode| *mode != kind.default).collect();
    entry(out, "books", &format!("\"{}\", or {}", kind.default, others.join(", ")))?;
    if let Some(rules) = money::default_rules(kind) {
        money::notes(rules).iter().try_for_each(|note| entry(out, "", note))?;
        for (operation, adds) in money::operations(provider, rules) {
            entry(out, &operation, &adds.join("\n"))?;
        }
        for (status, when) in money::derived(rules) {
            entry(out, &status, &format!("where {when}"))?;
        }
    }
    // In the mode `none` nothing is on the books, unless a kind has no other.
    let stated = |mode: &&String| **mode != NO_BOOKS || kind.default == NO_BOOKS;
    let modes: Vec<&String> = kind.modes.keys().filter(stated).collect();
    for mode in &modes {
        if modes.len() > 1 {
            writeln!(out, "  with books = \"{mode}\"")?;
        }
        write_mode(provider, &kind.modes[*mode], out)?;
    }
    Ok(())
}

fn write_mode(provider: &Provider, rules: &KindRules, out: &mut String) -> fmt::Result {
    // Statuses that mean the same stand together.
    let mut together: Vec<(Vec<String>, Vec<&str>)> = Vec::new();
    for rule in provider.machine.statuses() {
        let phrases = rules.money.get(&rule.name).map(money::state).unwrap_or_default();
        match together.iter_mut().find(|(known, _)| *known == phrases) {
            Some((_, statuses)) => statuses.push(rule.name.as_str()),
            None => together.push((phrases, vec![rule.name.as_str()])),
        }
    }
    let stated = together.iter().filter(|(phrases, _)| !phrases.is_empty());
    for (phrases, statuses) in stated {
        entry(out, &fill(&statuses.join(", "), 2), &phrases.join("\n"))?;
    }
    Ok(())
}

fn write_words(title: &str, words: &Words, out: &mut String) -> fmt::Result {
    if words.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{title}")?;
    words.iter().try_for_each(|(name, text)| entry(out, name, text))
}

/// Where texts begin, behind their names.
const COLUMN: usize = 24;

/// A name, and a text that may need several lines.
fn entry(out: &mut String, name: &str, text: &str) -> fmt::Result {
    let mut lines = text.lines().map(|line| fill(line, COLUMN));
    let first = lines.next().unwrap_or_default();
    // A name that is too long has a line of its own.
    if name.chars().count() + 4 > COLUMN {
        writeln!(out, "  {name}\n{:COLUMN$}{first}", "")?;
    } else {
        writeln!(out, "  {name:<0$}{first}", COLUMN - 2)?;
    }
    lines.try_for_each(|line| writeln!(out, "{:COLUMN$}{line}", ""))
}

/// Breaks a line between words where it becomes too wide.
fn fill(line: &str, indent: usize) -> String {
    let (mut filled, mut width) = (String::new(), indent);
    for word in line.split(' ') {
        let letters = word.chars().count();
        if width > indent && width + 1 + letters > WIDTH {
            filled.push('\n');
            filled.extend(std::iter::repeat_n(' ', indent + 2));
            width = indent + 2;
        } else if !filled.is_empty() {
            filled.push(' ');
            width += 1;
        }
        filled.push_str(word);
        width += letters;
    }
    filled
}
