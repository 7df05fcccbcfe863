//! The steps as a page of text.

use std::fmt::{self, Write};

use super::trial::{Told, Trial};
use crate::order::report::Content;

/// How much of what was signed is printed, in letters.
const SIGNED_MAX: usize = 4_000;

/// All that became of a request.
pub(super) fn page(trial: &Trial) -> String {
    let mut text = String::new();
    // Writing into a text cannot fail.
    let _ = write(trial, &mut text);
    text
}

fn write(trial: &Trial, out: &mut String) -> fmt::Result {
    line(out, "request", &trial.request)?;
    for step in &trial.steps {
        let mark = if step.ok { "" } else { "NO: " };
        // What was signed, and by which keys, is what a verdict on the signature rests on.
        if matches!(step.what, "trust" | "signature") {
            write_signed(trial, out)?;
        }
        line(out, step.what, &format!("{mark}{}", step.text))?;
    }
    for hint in &trial.hints {
        line(out, "hint", hint)?;
    }
    for (number, told) in trial.reports.iter().enumerate() {
        writeln!(out, "\nreport {}, about order {}", number + 1, told.order)?;
        write_told(told, out)?;
    }
    writeln!(
        out,
        "\n{}",
        if trial.ok { "accepted, and readable" } else { "not good: see NO above" }
    )
}

fn write_signed(trial: &Trial, out: &mut String) -> fmt::Result {
    if let Some(signed) = &trial.signed {
        let (text, sort) = match (&signed.text, &signed.hex) {
            (Some(text), _) => (text.as_str(), ""),
            (None, hex) => (hex.as_deref().unwrap_or_default(), " in hexadecimal"),
        };
        let shown: String = text.chars().take(SIGNED_MAX).collect();
        let rest = if shown.len() < text.len() { " ... (all of it with --json)" } else { "" };
        line(out, "signed", &format!("{} bytes{sort}: {shown}{rest}", signed.bytes))?;
    }
    for (number, key) in trial.keys.iter().enumerate() {
        line(out, &format!("secret {}", number + 1), &key.text)?;
    }
    Ok(())
}

fn write_told(told: &Told, out: &mut String) -> fmt::Result {
    let ids = told.report.names.iter().map(|(id, role)| format!("{id} ({})", role.as_str()));
    line(out, "ids", &ids.collect::<Vec<_>>().join(", "))?;
    line(out, "event", told.report.event_id.as_str())?;
    if let Content::Said(said) = &told.report.content {
        if let Some(status) = &said.status {
            let read = match told.status.as_deref() {
                None => "which the definition does not know".to_owned(),
                Some(name) => format!("read as {name}"),
            };
            line(out, "status", &format!("\"{status}\", {read}"))?;
        }
        if let Some(name) = &said.event {
            let announced =
                said.announced.as_ref().map(|status| format!(", which announces {status}"));
            line(out, "name", &format!("\"{name}\"{}", announced.unwrap_or_default()))?;
        }
        let time = said.time.map(|time| time.to_string());
        line(out, "time", time.as_deref().unwrap_or("none that can be read"))?;
        let facts = [
            ("kind", said.kind.as_ref().map(ToString::to_string)),
            ("account", said.account.clone()),
            ("operation", said.operation.as_ref().map(|own| format!("{} {}", own.name, own.id))),
        ];
        for (name, fact) in facts {
            fact.iter().try_for_each(|fact| line(out, name, fact))?;
        }
        let amounts = said.amounts.iter().map(|(name, amount)| format!("{name} {amount}"));
        list(out, "amounts", amounts)?;
        let currencies = said.currencies.iter().map(|(leg, code)| format!("{code} ({leg})"));
        list(out, "currencies", currencies)?;
    }
    line(out, "verdict", &format!("{}: {}", told.verdict, told.reason))?;
    let heads = told.heads.iter().map(|(track, heads)| match track.as_str() {
        "payment" => heads.join(" and "),
        track => format!("{track}: {}", heads.join(" and ")),
    });
    let last = told.is_final.then(|| "final".to_owned());
    let outcome = told.outcome.map(str::to_owned);
    list(out, "stands", heads.chain(outcome).chain(last))?;
    list(out, "position", told.position.iter().map(|(slot, amount)| format!("{slot} {amount}")))?;
    let effects = told.effects.iter().map(|e| format!("{} {} {}", e.slot, e.amount(), e.currency));
    let effects: Vec<String> = effects.collect();
    let none = [String::from("none")];
    list(
        out,
        "effects",
        if effects.is_empty() { &none[..] } else { &effects[..] }.iter().cloned(),
    )?;
    told.holds.iter().try_for_each(|hold| line(out, "held back", hold))?;
    for attention in &told.attention {
        line(out, "attention", &format!("{}: {}", attention.code, attention.text))?;
    }
    told.asks.iter().try_for_each(|why| line(out, "asks", why))
}

fn list(out: &mut String, name: &str, texts: impl Iterator<Item = String>) -> fmt::Result {
    let texts: Vec<String> = texts.collect();
    if texts.is_empty() { Ok(()) } else { line(out, name, &texts.join(", ")) }
}

fn line(out: &mut String, name: &str, text: &str) -> fmt::Result {
    writeln!(out, "{}", format!("{name:<14}{text}").trim_end())
}
