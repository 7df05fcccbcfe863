//! Where everything of a track stands: in layers from above, each status below all that lead to it.
//!
//! The usual four steps (Sugiyama): layers by the longest way; the order within a layer by where the neighbours
//! are, until fewer edges cross; places in that order, as straight above each other as there is room; edges from
//! layer to layer, bent only where no box is, so that none is crossed.

use std::cmp::Ordering;

use super::{Group, TrackDrawing};

/// A place, in the drawing's own units: one is a pixel where nothing is scaled.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Point {
    pub x: f64,
    pub y: f64,
}

/// A box.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Rect {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
}

/// A way from one box to another: from `start` down, and in each of `bends` from one place above it to one
/// below, at last down to `end`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Way {
    pub start: Point,
    pub bends: Vec<(Point, Point)>,
    pub end: Point,
}

/// A track with its places.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub width: f64,
    pub height: f64,
    /// The frame of each group: its only status' box, or what is drawn around a loop.
    pub frames: Vec<Rect>,
    /// The boxes of each group's statuses.
    pub boxes: Vec<Vec<Rect>>,
    /// The ways, as the drawing has them.
    pub ways: Vec<Way>,
}

/// How wide a letter of a status' name is, and of what is noted beneath.
pub(super) const NAME_LETTER: f64 = 7.9;
pub(super) const NOTE_LETTER: f64 = 6.5;
/// How high a name stands, and each line beneath it.
pub(super) const NAME_LINE: f64 = 18.0;
pub(super) const NOTE_LINE: f64 = 14.0;
/// Room left and right of a text in its box.
const SIDE: f64 = 15.0;
/// Room around a loop, and above it for its words.
pub(super) const LOOP_PAD: f64 = 14.0;
pub(super) const LOOP_HEAD: f64 = 22.0;
/// Room between two boxes of a layer, and beside an edge that passes it.
const BESIDE: f64 = 26.0;
const BEND_WIDTH: f64 = 6.0;
/// How straight the last piece of a way is, so that its arrow points down.
const STRAIGHT: f64 = 10.0;
/// How often the order and the places are gone over.
const ROUNDS: usize = 24;

/// What stands in a layer: a group, or an edge that passes.
#[derive(Clone, Debug)]
struct Cell {
    width: f64,
    layer: usize,
    /// The middle.
    x: f64,
    above: Vec<usize>,
    below: Vec<usize>,
}

impl Layout {
    pub(super) fn of(track: &TrackDrawing) -> Self {
        let sizes: Vec<(f64, f64)> = track.groups.iter().map(size).collect();
        let (mut cells, chains) = cells(track, &sizes);
        let mut layers = rows(&cells);
        order(&mut layers, &cells);
        place(&layers, &mut cells);
        let left = |cell: &Cell| cell.x - cell.width / 2.0;
        let shift = cells.iter().map(left).fold(f64::INFINITY, f64::min);
        cells.iter_mut().for_each(|cell| cell.x -= shift);
        let width = cells.iter().map(|cell| cell.x + cell.width / 2.0).fold(0.0, f64::max);
        let bands = bands(&layers, &cells, &sizes);
        let frame = |place: usize| {
            let (cell, (width, height)) = (&cells[place], sizes[place]);
            let (top, bottom) = bands[cell.layer];
            Rect { x: left(cell), y: (top + bottom - height) / 2.0, width, height }
        };
        let frames: Vec<Rect> = (0..sizes.len()).map(frame).collect();
        let boxes = track.groups.iter().zip(&frames).map(|(group, frame)| inner(group, *frame));
        let height = bands.last().map_or(0.0, |(_, bottom)| *bottom);
        let boxes = boxes.collect();
        let ways = chains.iter().map(|chain| way(chain, &cells, &frames, &bands)).collect();
        Self { width, height, boxes, ways, frames }
    }
}

/// How large the box of one status is.
fn box_size(node: &super::Node) -> (f64, f64) {
    let letters = |text: &str| text.chars().count() as f64;
    let notes = node.notes();
    // A coin stands before the counters.
    let noted = notes.iter().map(|note| letters(note) * NOTE_LETTER + 12.0);
    let text = noted.fold(letters(&node.name) * NAME_LETTER, f64::max);
    let height = NAME_LINE + NOTE_LINE * notes.len() as f64 + 16.0;
    ((text + 2.0 * SIDE).max(92.0), height)
}

/// How many statuses of a loop stand side by side.
fn columns(group: &Group) -> usize {
    match group.nodes.len() {
        0..=1 => 1,
        2..=4 => 2,
        _ => 3,
    }
}

/// The boxes of a loop are all as large as the largest.
fn cell_size(group: &Group) -> (f64, f64) {
    let sizes = group.nodes.iter().map(box_size);
    sizes.fold((0.0, 0.0), |most, size| (most.0.max(size.0), most.1.max(size.1)))
}

fn size(group: &Group) -> (f64, f64) {
    let (width, height) = cell_size(group);
    if !group.is_loop() {
        return (width, height);
    }
    let columns = columns(group);
    let (across, down) = (columns as f64, group.nodes.len().div_ceil(columns) as f64);
    let width = across * width + (across - 1.0) * LOOP_PAD + 2.0 * LOOP_PAD;
    (width, down * height + (down - 1.0) * LOOP_PAD + LOOP_PAD + LOOP_HEAD)
}

fn inner(group: &Group, frame: Rect) -> Vec<Rect> {
    if !group.is_loop() {
        return vec![frame];
    }
    let (width, height) = cell_size(group);
    let columns = columns(group);
    let place = |number: usize| Rect {
        x: frame.x + LOOP_PAD + (number % columns) as f64 * (width + LOOP_PAD),
        y: frame.y + LOOP_HEAD + (number / columns) as f64 * (height + LOOP_PAD),
        width,
        height,
    };
    (0..group.nodes.len()).map(place).collect()
}

/// The layer of each group: as many as the longest way that leads to it has.
fn depths(track: &TrackDrawing) -> Vec<usize> {
    let mut depths = vec![0; track.groups.len()];
    // Between groups no way leads back, so this ends.
    for _ in 0..track.groups.len() {
        for (from, to) in &track.edges {
            depths[*to] = depths[*to].max(depths[*from] + 1);
        }
    }
    depths
}

/// The groups and, behind them, the edges that pass a layer; and for each edge the cells that it goes by.
fn cells(track: &TrackDrawing, sizes: &[(f64, f64)]) -> (Vec<Cell>, Vec<Vec<usize>>) {
    let cell = |width, layer| Cell { width, layer, x: 0.0, above: Vec::new(), below: Vec::new() };
    let depths = depths(track);
    let mut cells: Vec<Cell> =
        sizes.iter().zip(&depths).map(|((width, _), depth)| cell(*width, *depth)).collect();
    let mut chains = Vec::new();
    for (from, to) in &track.edges {
        let mut chain = vec![*from];
        for layer in depths[*from] + 1..depths[*to] {
            chain.push(cells.len());
            cells.push(cell(BEND_WIDTH, layer));
        }
        chain.push(*to);
        for pair in chain.windows(2) {
            cells[pair[0]].below.push(pair[1]);
            cells[pair[1]].above.push(pair[0]);
        }
        chains.push(chain);
    }
    (cells, chains)
}

fn rows(cells: &[Cell]) -> Vec<Vec<usize>> {
    let count = cells.iter().map(|cell| cell.layer + 1).max().unwrap_or_default();
    let mut rows = vec![Vec::new(); count];
    for (number, cell) in cells.iter().enumerate() {
        rows[cell.layer].push(number);
    }
    rows
}

/// Orders each layer so that few edges cross.
fn order(layers: &mut Vec<Vec<usize>>, cells: &[Cell]) {
    let mut best = (crossings(layers, cells), layers.clone());
    for round in 0..ROUNDS {
        let ranks = ranks(layers, cells.len());
        let downward = round % 2 == 0;
        let middle = |cell: &usize| {
            let near = if downward { &cells[*cell].above } else { &cells[*cell].below };
            let sum: f64 = near.iter().map(|near| ranks[*near]).sum();
            if near.is_empty() { ranks[*cell] } else { sum / near.len() as f64 }
        };
        for layer in layers.iter_mut() {
            layer.sort_by(|a, b| middle(a).partial_cmp(&middle(b)).unwrap_or(Ordering::Equal));
        }
        let crossed = crossings(layers, cells);
        if crossed < best.0 {
            best = (crossed, layers.clone());
        }
    }
    *layers = best.1;
}

/// Where each cell stands in its layer, from 0 to 1.
fn ranks(layers: &[Vec<usize>], count: usize) -> Vec<f64> {
    let mut ranks = vec![0.0; count];
    for layer in layers {
        for (place, cell) in layer.iter().enumerate() {
            ranks[*cell] = (place as f64 + 0.5) / layer.len() as f64;
        }
    }
    ranks
}

fn crossings(layers: &[Vec<usize>], cells: &[Cell]) -> usize {
    let ranks = ranks(layers, cells.len());
    let mut crossed = 0;
    for layer in layers {
        let edges: Vec<(f64, f64)> = layer
            .iter()
            .flat_map(|from| cells[*from].below.iter().map(|to| (ranks[*from], ranks[*to])))
            .collect();
        for (number, a) in edges.iter().enumerate() {
            let crosses = |b: &&(f64, f64)| (a.0 - b.0) * (a.1 - b.1) < 0.0;
            crossed += edges[..number].iter().filter(crosses).count();
        }
    }
    crossed
}

/// Gives each cell its place: as near to the middle of its neighbours as the order and its room allow.
fn place(layers: &[Vec<usize>], cells: &mut [Cell]) {
    for layer in layers {
        let whole: f64 = layer.iter().map(|cell| cells[*cell].width + BESIDE).sum();
        let mut x = -whole / 2.0;
        for cell in layer {
            let half = (cells[*cell].width + BESIDE) / 2.0;
            cells[*cell].x = x + half;
            x += 2.0 * half;
        }
    }
    for round in 0..ROUNDS {
        let downward = round % 2 == 0;
        for number in 0..layers.len() {
            let number = if downward { number } else { layers.len() - 1 - number };
            settle(&layers[number], cells, downward);
        }
    }
}

/// Moves the cells of one layer: the least sum of squares under which all keep their distance (pooled, as
/// isotonic regression is).
fn settle(layer: &[usize], cells: &mut [Cell], downward: bool) {
    let mut pools: Vec<(f64, f64, usize)> = Vec::new();
    let (mut offsets, mut offset) = (Vec::new(), 0.0);
    for (place, number) in layer.iter().enumerate() {
        let cell = &cells[*number];
        if let Some(before) = place.checked_sub(1).map(|before| &cells[layer[before]]) {
            offset += (before.width + cell.width) / 2.0 + BESIDE;
        }
        offsets.push(offset);
        let near = if downward { &cell.above } else { &cell.below };
        let sum: f64 = near.iter().map(|near| cells[*near].x).sum();
        let (wanted, weight) = match near.len() {
            0 => (cell.x, 0.2),
            count => (sum / count as f64, 1.0),
        };
        // Edges that pass are to be straight.
        let weight = if cell.width <= BEND_WIDTH { weight * 4.0 } else { weight };
        pools.push((wanted - offset, weight, 1));
        while let [.., (a, of_a, _), (b, of_b, _)] = pools[..]
            && a > b
        {
            let count = pools.pop().map_or(0, |pool| pool.2);
            if let Some(pool) = pools.last_mut() {
                *pool = ((a * of_a + b * of_b) / (of_a + of_b), of_a + of_b, pool.2 + count);
            }
        }
    }
    let places = pools.into_iter().flat_map(|(x, _, count)| std::iter::repeat_n(x, count));
    for ((number, x), offset) in layer.iter().zip(places).zip(offsets) {
        cells[*number].x = x + offset;
    }
}

/// Top and bottom of each layer.
fn bands(layers: &[Vec<usize>], cells: &[Cell], sizes: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let (mut bands, mut y) = (Vec::new(), 0.0);
    for layer in layers {
        let heights = layer.iter().filter_map(|cell| sizes.get(*cell)).map(|(_, height)| *height);
        let height = heights.fold(0.0, f64::max);
        bands.push((y, y + height));
        let aside = layer.iter().flat_map(|from| {
            cells[*from].below.iter().map(|to| (cells[*to].x - cells[*from].x).abs())
        });
        // The farther an edge goes aside, the more room it needs to be told from the next one.
        y += height + (40.0 + aside.fold(0.0, f64::max) * 0.1).min(96.0);
    }
    bands
}

/// The way of an edge by the cells that it passes.
fn way(chain: &[usize], cells: &[Cell], frames: &[Rect], bands: &[(f64, f64)]) -> Way {
    let last = chain.len() - 1;
    let x = |place: usize, other: usize, near: fn(&Cell) -> &Vec<usize>| {
        let cell = &cells[chain[place]];
        if chain[place] >= frames.len() {
            return cell.x;
        }
        // Where several edges meet a box, each has a place of its own, in the order of their other ends.
        let mut others: Vec<usize> = near(cell).clone();
        others.sort_by(|a, b| cells[*a].x.partial_cmp(&cells[*b].x).unwrap_or(Ordering::Equal));
        let at = others.iter().position(|near| *near == chain[other]).unwrap_or_default() as f64;
        let count = others.len() as f64;
        let step = 16.0_f64.min((cell.width - 30.0) / count);
        cell.x + (at - (count - 1.0) / 2.0) * step
    };
    let mut bends = Vec::new();
    for place in 0..last {
        let from = x(place, place + 1, |cell| &cell.below);
        let to = x(place + 1, place, |cell| &cell.above);
        let band = |place: usize| bands[cells[chain[place]].layer];
        let (upper, lower) = (band(place).1, band(place + 1).0 - STRAIGHT);
        bends.push((Point { x: from, y: upper }, Point { x: to, y: lower }));
    }
    let bottom = |frame: &Rect| frame.y + frame.height;
    let start = bends.first().map_or(0.0, |(from, _)| from.x);
    let end = bends.last().map_or(0.0, |(_, to)| to.x);
    Way {
        start: Point { x: start, y: bottom(&frames[chain[0]]) },
        bends,
        end: Point { x: end, y: frames[chain[last]].y },
    }
}
