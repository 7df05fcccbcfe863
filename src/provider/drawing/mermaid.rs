//! The drawing as a Mermaid flowchart, which many pages and editors show.

use std::fmt::{self, Write};

use super::dot::colours;
use super::{Drawing, Node, TrackDrawing};
use crate::order::machine::Outcome;

/// Every outcome, for the classes.
const OUTCOMES: [Outcome; 5] =
    [Outcome::Pending, Outcome::Succeeded, Outcome::Partially, Outcome::Failed, Outcome::External];

/// The drawing as a flowchart.
#[must_use]
pub fn print(drawing: &Drawing) -> String {
    let mut text = String::new();
    // Writing into a text cannot fail.
    let _ = write(drawing, &mut text);
    text
}

fn write(drawing: &Drawing, out: &mut String) -> fmt::Result {
    // Before the chart stands YAML, of which JSON is a part.
    let title = serde_json::Value::from(drawing.title.as_str());
    writeln!(out, "---\ntitle: {title}\n---\nflowchart TD")?;
    for (number, track) in drawing.tracks.iter().enumerate() {
        write_track(number, track, out)?;
    }
    for outcome in OUTCOMES {
        if drawing.nodes().any(|node| node.outcome == outcome) {
            let (fill, line) = colours(outcome);
            let class = outcome.as_str();
            writeln!(out, "  classDef {class} fill:{fill},stroke:{line},color:#1b2430")?;
        }
    }
    Ok(())
}

fn write_track(number: usize, track: &TrackDrawing, out: &mut String) -> fmt::Result {
    writeln!(out, "  subgraph t{number}[{}]\n    direction TB", quote(&track.name))?;
    for (place, group) in track.groups.iter().enumerate() {
        let name = group_name(number, place);
        if !group.is_loop() {
            group.nodes.iter().try_for_each(|node| write_node(&name, node, out))?;
            continue;
        }
        writeln!(out, "    subgraph {name}[\"a loop\"]")?;
        for (member, node) in group.nodes.iter().enumerate() {
            write_node(&format!("{name}m{member}"), node, out)?;
        }
        // Three side by side: without ways, they would all stand in one row.
        for member in 3..group.nodes.len() {
            writeln!(out, "      {name}m{} ~~~ {name}m{member}", member - 3)?;
        }
        writeln!(out, "    end\n    style {name} stroke-dasharray:5 4")?;
    }
    for (from, to) in &track.edges {
        writeln!(out, "    {} --> {}", group_name(number, *from), group_name(number, *to))?;
    }
    writeln!(out, "  end")
}

fn write_node(name: &str, node: &Node, out: &mut String) -> fmt::Result {
    let label: Vec<String> = std::iter::once(node.name.clone()).chain(node.notes()).collect();
    let label = quote(&label.join("\n"));
    // A final status has double sides.
    let shape = if node.is_final { format!("[[{label}]]") } else { format!("({label})") };
    writeln!(out, "      {name}{shape}:::{}", node.outcome.as_str())
}

fn group_name(track: usize, place: usize) -> String {
    format!("t{track}g{place}")
}

fn quote(text: &str) -> String {
    let text = text.replace('#', "#35;").replace('"', "#quot;").replace('<', "#lt;");
    format!("\"{}\"", text.replace('\n', "<br/>"))
}
