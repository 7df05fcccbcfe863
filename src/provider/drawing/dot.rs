//! The drawing in the language of Graphviz: `dot -Tsvg`.

use std::fmt::{self, Write};

use super::{Drawing, Group, Node, TrackDrawing};
use crate::order::machine::Outcome;

/// The drawing as a directed graph.
#[must_use]
pub fn print(drawing: &Drawing) -> String {
    let mut text = String::new();
    // Writing into a text cannot fail.
    let _ = write(drawing, &mut text);
    text
}

fn write(drawing: &Drawing, out: &mut String) -> fmt::Result {
    writeln!(out, "digraph {} {{", quote(&drawing.name))?;
    writeln!(out, "  graph [label={}, labelloc=t, compound=true,", quote(&drawing.title))?;
    writeln!(out, "    fontname=\"sans-serif\", style=rounded, color=\"#a8b1bd\"]")?;
    writeln!(out, "  node [shape=box, style=\"rounded,filled\", fontname=\"monospace\"]")?;
    writeln!(out, "  edge [color=\"#5b6675\"]")?;
    for (number, track) in drawing.tracks.iter().enumerate() {
        write_track(number, track, out)?;
    }
    writeln!(out, "}}")
}

fn write_track(number: usize, track: &TrackDrawing, out: &mut String) -> fmt::Result {
    writeln!(out, "  subgraph cluster_{number} {{\n    label={}", quote(&track.name))?;
    for (place, group) in track.groups.iter().enumerate() {
        if group.is_loop() {
            writeln!(out, "    subgraph {} {{", cluster(number, place))?;
            writeln!(out, "      label=\"a loop\"; style=\"rounded,dashed\"")?;
        }
        group.nodes.iter().try_for_each(|node| write_node(node, out))?;
        if group.is_loop() {
            // Three side by side: without edges, they would all stand in one row.
            for (upper, lower) in group.nodes.iter().zip(group.nodes.iter().skip(3)) {
                let (upper, lower) = (quote(&upper.name), quote(&lower.name));
                writeln!(out, "      {upper} -> {lower} [style=invis]")?;
            }
            writeln!(out, "    }}")?;
        }
    }
    for (from, to) in &track.edges {
        let (tail, head) = (&track.groups[*from], &track.groups[*to]);
        // An edge joins statuses, and is cut where the loop's frame is.
        let cut = |name: &str, group: &Group, place: usize| {
            group.is_loop().then(|| format!("{name}={}", cluster(number, place)))
        };
        let cuts = [cut("ltail", tail, *from), cut("lhead", head, *to)];
        let cuts: Vec<String> = cuts.into_iter().flatten().collect();
        let cuts = if cuts.is_empty() { String::new() } else { format!(" [{}]", cuts.join(", ")) };
        let (tail, head) = (tail.nodes.last(), head.nodes.first());
        if let (Some(tail), Some(head)) = (tail, head) {
            writeln!(out, "    {} -> {}{cuts}", quote(&tail.name), quote(&head.name))?;
        }
    }
    writeln!(out, "  }}")
}

fn write_node(node: &Node, out: &mut String) -> fmt::Result {
    let (fill, line) = colours(node.outcome);
    let label: Vec<String> = std::iter::once(node.name.clone()).chain(node.notes()).collect();
    let twice = if node.is_final { ", peripheries=2" } else { "" };
    writeln!(
        out,
        "      {} [label={}, fillcolor=\"{fill}\", color=\"{line}\", tooltip={}{twice}]",
        quote(&node.name),
        quote(&label.join("\n")),
        quote(&node.sentence()),
    )
}

/// What a status is filled with, and its line.
pub(super) fn colours(outcome: Outcome) -> (&'static str, &'static str) {
    match outcome {
        Outcome::Pending => ("#f3f5f8", "#7c8796"),
        Outcome::Succeeded => ("#e2f4e8", "#23824a"),
        Outcome::Partially => ("#fdf2d4", "#a87a05"),
        Outcome::Failed => ("#fde7e4", "#bd3a2b"),
        Outcome::External => ("#e7ebfb", "#4259bd"),
    }
}

fn cluster(track: usize, place: usize) -> String {
    format!("cluster_{track}_{place}")
}

fn quote(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{text}\"")
}
