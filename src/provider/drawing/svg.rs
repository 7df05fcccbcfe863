//! The drawing as SVG: one file without scripts, readable in light and in dark.

use std::fmt::{self, Write};

use super::layout::{LOOP_HEAD, LOOP_PAD, Layout, NAME_LINE, NOTE_LETTER, NOTE_LINE, Point, Rect};
use super::{Drawing, Node, TrackDrawing};
use crate::order::machine::Outcome;

/// Every style. Plain colours first, for readers that know neither variables nor queries.
const STYLE: &str = include_str!("svg.css");

/// Room around everything, and around a track in its frame.
const EDGE: f64 = 20.0;
const PAD: f64 = 20.0;
/// Room above for the title, and in a track's frame for its name.
const TITLE: f64 = 44.0;
const TRACK_HEAD: f64 = 26.0;
/// Tracks stand side by side up to this width.
const WIDTH: f64 = 1240.0;

/// The drawing as a whole SVG element.
#[must_use]
pub fn print(drawing: &Drawing) -> String {
    let mut text = String::new();
    // Writing into a text cannot fail.
    let _ = write(drawing, &mut text);
    text
}

fn write(drawing: &Drawing, out: &mut String) -> fmt::Result {
    let layouts: Vec<Layout> = drawing.tracks.iter().map(Layout::of).collect();
    let frames = shelve(&layouts);
    let right = |frame: &Rect| frame.x + frame.width;
    let width = frames.iter().map(right).fold(420.0, f64::max) + EDGE;
    let tracks_end = frames.iter().map(|frame| frame.y + frame.height).fold(TITLE, f64::max);
    let (key, key_end) = lay_key(&key(drawing), width, tracks_end + 30.0);
    let height = key_end + EDGE;
    let name = escape(&drawing.name);
    writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:.0} {1:.0}\" width=\"{0:.0}\" \
         height=\"{1:.0}\" class=\"machine\" style=\"max-width:100%;height:auto\" role=\"img\" aria-labelledby=\"{name}-title {name}-desc\">",
        width, height
    )?;
    writeln!(out, "<title id=\"{name}-title\">{}: statuses</title>", escape(&drawing.title))?;
    writeln!(out, "<desc id=\"{name}-desc\">{}</desc>", escape(&describe(drawing)))?;
    writeln!(out, "<style>\n{STYLE}</style>")?;
    writeln!(
        out,
        "<defs><marker id=\"{name}-arrow\" viewBox=\"0 0 8 8\" refX=\"7.5\" refY=\"4\" markerWidth=\"8\" \
         markerHeight=\"8\" orient=\"auto\"><path class=\"arrow\" d=\"M0 0.5 8 4 0 7.5z\"/></marker></defs>"
    )?;
    writeln!(out, "<rect class=\"paper\" width=\"{width:.0}\" height=\"{height:.0}\"/>")?;
    writeln!(out, "<text class=\"title\" x=\"{EDGE}\" y=\"30\">{}</text>", escape(&drawing.title))?;
    for ((track, layout), frame) in drawing.tracks.iter().zip(&layouts).zip(&frames) {
        write_track(&name, track, layout, *frame, out)?;
    }
    for (sort, words, at) in key {
        write_key(sort, words, at, out)?;
    }
    writeln!(out, "</svg>")
}

/// Puts tracks beside each other as long as there is room, then below.
fn shelve(layouts: &[Layout]) -> Vec<Rect> {
    let (mut frames, mut x, mut y, mut next) = (Vec::new(), EDGE, TITLE, TITLE);
    for layout in layouts {
        let (width, height) =
            (layout.width.max(120.0) + 2.0 * PAD, layout.height + 2.0 * PAD + TRACK_HEAD);
        if x > EDGE && x + width > WIDTH {
            (x, y) = (EDGE, next);
        }
        frames.push(Rect { x, y, width, height });
        next = f64::max(next, y + height + PAD);
        x += width + PAD;
    }
    frames
}

fn write_track(
    name: &str,
    track: &TrackDrawing,
    layout: &Layout,
    frame: Rect,
    out: &mut String,
) -> fmt::Result {
    let Rect { x, y, width, height } = frame;
    writeln!(out, "<g class=\"track\"><title>the {} track</title>", escape(&track.name))?;
    write_rect("track-frame", frame, 10.0, out)?;
    let (head_x, head_y) = (x + PAD, y + 25.0);
    writeln!(
        out,
        "<text class=\"track-name\" x=\"{head_x:.1}\" y=\"{head_y:.1}\">{}</text>",
        escape(&track.name)
    )?;
    let shift = ((width - layout.width) / 2.0, y + height - PAD - layout.height);
    writeln!(out, "<g transform=\"translate({:.1} {:.1})\">", x + shift.0, shift.1)?;
    for way in &layout.ways {
        write!(out, "<path class=\"way\" marker-end=\"url(#{name}-arrow)\" d=\"")?;
        let Point { x, y } = way.start;
        write!(out, "M{x:.1} {y:.1}")?;
        for (from, to) in &way.bends {
            let middle = (from.y + to.y) / 2.0;
            write!(
                out,
                "V{:.1}C{:.1} {middle:.1} {:.1} {middle:.1} {:.1} {:.1}",
                from.y, from.x, to.x, to.x, to.y
            )?;
        }
        writeln!(out, "V{:.1}\"/>", way.end.y)?;
    }
    for ((group, frame), boxes) in track.groups.iter().zip(&layout.frames).zip(&layout.boxes) {
        if group.is_loop() {
            writeln!(out, "<g class=\"loop\">")?;
            write_rect("loop-frame", *frame, 12.0, out)?;
            let (x, y) = (frame.x + LOOP_PAD, frame.y + LOOP_HEAD - 7.0);
            writeln!(out, "<text class=\"note\" x=\"{x:.1}\" y=\"{y:.1}\">{LOOP}</text>")?;
        }
        for (node, at) in group.nodes.iter().zip(boxes) {
            write_node(node, *at, out)?;
        }
        if group.is_loop() {
            writeln!(out, "</g>")?;
        }
    }
    writeln!(out, "</g></g>")
}

/// What stands above a loop.
const LOOP: &str = "a loop: time decides";

fn write_node(node: &Node, at: Rect, out: &mut String) -> fmt::Result {
    let (outcome, last) = (node.outcome.as_str(), if node.is_final { " final" } else { "" });
    writeln!(
        out,
        "<g class=\"status {outcome}{last}\" data-status=\"{}\"><title>{}</title>",
        escape(&node.name),
        escape(&node.sentence())
    )?;
    write_rect("box", at, 7.0, out)?;
    if node.is_final {
        let inner =
            Rect { x: at.x + 3.0, y: at.y + 3.0, width: at.width - 6.0, height: at.height - 6.0 };
        write_rect("inner", inner, 5.0, out)?;
    }
    let x = at.x + at.width / 2.0;
    let notes = node.notes();
    // In the middle, also where a neighbour in the same loop needs more lines.
    let text = NAME_LINE + NOTE_LINE * notes.len() as f64;
    let top = at.y + (at.height - text) / 2.0;
    let y = top + 13.5;
    writeln!(out, "<text class=\"name\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>", escape(&node.name))?;
    let money = node.money();
    for (number, note) in notes.iter().enumerate() {
        let y = top + NAME_LINE + NOTE_LINE * number as f64 + 10.5;
        let is_money = money.as_ref() == Some(note);
        let x = if is_money { x + 6.0 } else { x };
        if is_money {
            let coin = x - note.chars().count() as f64 * NOTE_LETTER / 2.0 - 8.0;
            writeln!(
                out,
                "<circle class=\"coin\" cx=\"{coin:.1}\" cy=\"{:.1}\" r=\"3.5\"/>",
                y - 3.5
            )?;
        }
        writeln!(
            out,
            "<text class=\"note middle\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>",
            escape(note)
        )?;
    }
    writeln!(out, "</g>")
}

fn write_rect(class: &str, at: Rect, round: f64, out: &mut String) -> fmt::Result {
    let Rect { x, y, width, height } = at;
    writeln!(
        out,
        "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" \
         rx=\"{round}\"/>"
    )
}

/// What the key explains.
#[derive(Clone, Copy)]
enum Sort {
    Outcome(Outcome),
    Final,
    Money,
    Loop,
}

/// What of the drawing needs a word, in the order in which it is explained.
fn key(drawing: &Drawing) -> Vec<(Sort, &'static str)> {
    let outcomes = [
        (Outcome::Pending, "pending"),
        (Outcome::Succeeded, "succeeded"),
        (Outcome::Partially, "partially"),
        (Outcome::Failed, "failed"),
        (Outcome::External, "outside of the provider"),
    ];
    let has = |wanted: &dyn Fn(&Node) -> bool| drawing.nodes().any(wanted);
    let mut key = Vec::new();
    for (outcome, words) in outcomes {
        if has(&|node| node.outcome == outcome) {
            key.push((Sort::Outcome(outcome), words));
        }
    }
    if has(&|node| node.is_final) {
        key.push((Sort::Final, "final"));
    }
    if has(&|node| !node.moves.is_empty()) {
        key.push((Sort::Money, "counters that rise"));
    }
    if drawing.tracks.iter().flat_map(|track| &track.groups).any(super::Group::is_loop) {
        key.push((Sort::Loop, "any of them may come again"));
    }
    key
}

type KeyPlaces = Vec<(Sort, &'static str, Point)>;

/// Where the entries of the key stand, and where it ends.
fn lay_key(key: &[(Sort, &'static str)], width: f64, top: f64) -> (KeyPlaces, f64) {
    let (mut places, mut x, mut y) = (Vec::new(), EDGE, top);
    for (sort, words) in key {
        let needs = 34.0 + words.chars().count() as f64 * NOTE_LETTER + 20.0;
        if x > EDGE && x + needs > width {
            (x, y) = (EDGE, y + 22.0);
        }
        places.push((*sort, *words, Point { x, y }));
        x += needs;
    }
    (places, y)
}

fn write_key(sort: Sort, words: &str, at: Point, out: &mut String) -> fmt::Result {
    let sample = Rect { x: at.x, y: at.y - 11.0, width: 24.0, height: 14.0 };
    let class = match sort {
        Sort::Outcome(outcome) => outcome.as_str(),
        Sort::Final => "pending",
        Sort::Money | Sort::Loop => "",
    };
    writeln!(out, "<g class=\"key {class}\">")?;
    match sort {
        Sort::Outcome(_) => write_rect("box", sample, 4.0, out)?,
        Sort::Final => {
            write_rect("box", sample, 4.0, out)?;
            let Rect { x, y, width, height } = sample;
            let inner = Rect { x: x + 2.5, y: y + 2.5, width: width - 5.0, height: height - 5.0 };
            write_rect("inner", inner, 2.5, out)?;
        }
        Sort::Money => {
            let (x, y) = (at.x + 12.0, at.y - 4.0);
            writeln!(out, "<circle class=\"coin\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\"/>")?;
        }
        Sort::Loop => write_rect("loop-frame", sample, 4.0, out)?,
    }
    let x = at.x + 32.0;
    writeln!(out, "<text class=\"note\" x=\"{x:.1}\" y=\"{:.1}\">{words}</text></g>", at.y)
}

/// All that is drawn, in words.
fn describe(drawing: &Drawing) -> String {
    let mut text = String::new();
    for track in &drawing.tracks {
        let _ = write!(text, "The {} track. ", track.name);
        for (place, group) in track.groups.iter().enumerate() {
            let sentences: Vec<String> = group.nodes.iter().map(Node::sentence).collect();
            let names = |group: &super::Group| {
                group.nodes.iter().map(|node| node.name.as_str()).collect::<Vec<_>>().join(" or ")
            };
            let next: Vec<String> = track
                .edges
                .iter()
                .filter(|(from, _)| *from == place)
                .map(|(_, to)| names(&track.groups[*to]))
                .collect();
            let lead = if group.is_loop() { "A loop of " } else { "" };
            let next = if next.is_empty() {
                String::new()
            } else {
                format!("; leads to {}", next.join(", to "))
            };
            let _ = write!(text, "{lead}{}{next}. ", sentences.join("; "));
        }
    }
    text.trim_end().to_owned()
}

fn escape(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;")
}
