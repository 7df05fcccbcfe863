//! Drawings of machines: what is drawn says what the machine does, and can be read.

use std::collections::BTreeSet;
use std::time::Duration;

use pawl::order::machine::{Machine, Outcome, StatusRule};
use pawl::order::name::{Status, Track};
use pawl::provider::Provider;
use pawl::provider::drawing::{Drawing, Moves, TrackDrawing, dot, mermaid, svg};

use super::{WHOLE, printed};

fn whole() -> Provider {
    Provider::load("whole.toml", WHOLE).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

/// A machine of statuses and edges that nobody chose.
fn random(seed: u64) -> Machine {
    let mut random = fastrand::Rng::with_seed(seed);
    let count = random.usize(2..14);
    let name =
        |number: usize| Status::new(format!("status_{}{number}", "x".repeat(number % 5 * 3)));
    let back = random.f64() * 0.15;
    let rules = (0..count).map(|from| {
        let to = (0..count).filter(|to| {
            let is_next = *to == from + 1;
            let chance = if *to > from { 0.25 } else { back };
            *to != from && (is_next || random.f64() < chance)
        });
        StatusRule {
            name: name(from),
            track: Track::new(Track::PAYMENT),
            edges: to.map(name).collect(),
            rank: i32::try_from(from).unwrap(),
            is_final: from % 3 == 0,
            outcome: if from % 3 == 0 { Outcome::Failed } else { Outcome::Pending },
            implies: None,
            until: None,
            horizon: Some(Duration::from_secs(1)),
            aliases: Vec::new(),
        }
    });
    Machine::new(rules.collect()).unwrap_or_else(|faults| panic!("{faults:?}"))
}

fn drawings() -> Vec<(Machine, Drawing)> {
    let mut providers = Provider::built_in().unwrap();
    providers.push(whole());
    let drawn = |provider: &Provider| ((*provider.machine).clone(), Drawing::of(provider));
    let machines = (0..60).map(random);
    let undrawn = |machine: Machine| {
        let drawing = Drawing::new("random", "Random", &machine, &Moves::new());
        (machine, drawing)
    };
    providers.iter().map(drawn).chain(machines.map(undrawn)).collect()
}

/// Which groups can be reached from one, by what is drawn.
fn reach(track: &TrackDrawing, edges: &[(usize, usize)], from: usize) -> BTreeSet<usize> {
    let (mut reached, mut waiting) = (BTreeSet::new(), vec![from]);
    while let Some(group) = waiting.pop() {
        let next = edges.iter().filter(|(from, _)| *from == group).map(|(_, to)| *to);
        waiting.extend(next.filter(|to| reached.insert(*to)));
    }
    assert!(!reached.contains(&from), "{}: no way leads back", track.name);
    reached
}

#[test]
fn what_is_drawn_says_all_that_may_follow_and_no_way_twice() {
    for (machine, drawing) in drawings() {
        let drawn: BTreeSet<&str> = drawing.nodes().map(|node| node.name.as_str()).collect();
        assert_eq!(drawn.len(), machine.statuses().len());
        for track in &drawing.tracks {
            let name = |group: usize| Status::new(&track.groups[group].nodes[0].name);
            for group in &track.groups {
                let first = Status::new(&group.nodes[0].name);
                let shares = |node: &pawl::provider::drawing::Node| {
                    machine.share_loop(&first, &Status::new(&node.name))
                };
                assert!(group.nodes.iter().all(shares));
            }
            for from in 0..track.groups.len() {
                let reached = reach(track, &track.edges, from);
                for to in (0..track.groups.len()).filter(|to| *to != from) {
                    assert_eq!(machine.leads(&name(from), &name(to)), reached.contains(&to));
                }
            }
            for (number, (from, to)) in track.edges.iter().enumerate() {
                let mut others = track.edges.clone();
                others.remove(number);
                assert!(!reach(track, &others, *from).contains(to), "{from} to {to} is implied");
            }
        }
    }
}

type Box = (f64, f64, f64, f64);

/// The values of an attribute's numbers.
fn number(line: &str, name: &str) -> f64 {
    let rest = line.split(&format!(" {name}=\"")).nth(1).unwrap();
    rest.split('"').next().unwrap().parse().unwrap()
}

fn boxed(line: &str) -> Box {
    (number(line, "x"), number(line, "y"), number(line, "width"), number(line, "height"))
}

/// The points of a path, close to each other.
fn points(path: &str) -> Vec<(f64, f64)> {
    let path = path.split(" d=\"").nth(1).unwrap().split('"').next().unwrap();
    let spaced = path.replace('V', " V ").replace('C', " C ").replace('M', " M ");
    let mut words = spaced.split_whitespace();
    let (mut all, mut at): (Vec<(f64, f64)>, _) = (Vec::new(), (0.0, 0.0));
    while let Some(word) = words.next() {
        let mut next = || words.next().unwrap().parse::<f64>().unwrap();
        match word {
            "M" => at = (next(), next()),
            "V" => {
                let end = next();
                all.extend(
                    (0..=20).map(|step| (at.0, at.1 + (end - at.1) * f64::from(step) / 20.0)),
                );
                at.1 = end;
            }
            "C" => {
                let curve = [at, (next(), next()), (next(), next()), (next(), next())];
                for step in 0..=20 {
                    let t = f64::from(step) / 20.0;
                    let parts = [
                        (1.0 - t).powi(3),
                        3.0 * t * (1.0 - t).powi(2),
                        3.0 * t * t * (1.0 - t),
                        t.powi(3),
                    ];
                    let sum = |pick: fn(&(f64, f64)) -> f64| {
                        curve.iter().zip(parts).map(|(point, part)| pick(point) * part).sum::<f64>()
                    };
                    all.push((sum(|p| p.0), sum(|p| p.1)));
                }
                at = curve[3];
            }
            other => panic!("{other} in {path}"),
        }
    }
    all
}

#[test]
fn no_box_covers_another_no_text_leaves_its_box_and_no_way_crosses_one() {
    for (_, drawing) in drawings() {
        let picture = svg::print(&drawing);
        for track in picture.split("<g transform").skip(1) {
            let track = track.split("</g></g>").next().unwrap();
            let of_class = |class: &str| -> Vec<&str> {
                let class = format!("class=\"{class}\"");
                track.lines().filter(|line| line.contains(&class)).collect()
            };
            let boxes: Vec<Box> = of_class("box").into_iter().map(boxed).collect();
            let frames: Vec<Box> = of_class("loop-frame").into_iter().map(boxed).collect();
            for (number, a) in boxes.iter().enumerate() {
                for b in &boxes[..number] {
                    let is_apart =
                        a.0 + a.2 < b.0 || b.0 + b.2 < a.0 || a.1 + a.3 < b.1 || b.1 + b.3 < a.1;
                    assert!(is_apart, "{a:?} and {b:?} of {}", drawing.name);
                }
            }
            for (line, at) in of_class("name").iter().zip(&boxes) {
                let text = line.split('>').nth(1).unwrap().split('<').next().unwrap();
                let (half, x) = (text.len() as f64 * 7.9 / 2.0, number(line, "x"));
                assert!(x - half > at.0 && x + half < at.0 + at.2, "{line} leaves {at:?}");
                let y = number(line, "y");
                assert!(y - 12.0 > at.1 && y + 4.0 < at.1 + at.3, "{line} leaves {at:?}");
            }
            for way in of_class("way") {
                for (x, y) in points(way) {
                    let is_in = |b: &&Box| {
                        x > b.0 + 1.0 && x < b.0 + b.2 - 1.0 && y > b.1 + 1.0 && y < b.1 + b.3 - 1.0
                    };
                    let crossed = boxes.iter().chain(&frames).find(is_in);
                    assert!(crossed.is_none(), "{way} crosses {crossed:?} of {}", drawing.name);
                }
            }
        }
    }
}

#[test]
fn a_small_machine_is_drawn_in_every_language() {
    let drawing = Drawing::of(&whole());
    insta::assert_snapshot!("dot", dot::print(&drawing));
    insta::assert_snapshot!("mermaid", mermaid::print(&drawing));
    let (style, rest) = svg::print(&drawing)
        .split_once("</style>")
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    assert!(style.contains("prefers-color-scheme: dark"));
    let head = style.split("<style>").next().unwrap();
    insta::assert_snapshot!("svg", format!("{head}{rest}"));
}

#[test]
fn a_picture_is_told_in_words_and_holds_no_markup_of_others() {
    let text = WHOLE.replace("title = \"Whole & Sons\"", "title = '<b>\"Whole\" & Sons</b>'");
    let provider = Provider::load("whole.toml", &text).unwrap_or_else(|m| panic!("{m}"));
    let drawing = Drawing::of(&provider);
    let picture = svg::print(&drawing);
    assert!(!picture.contains("<b>"), "{picture}");
    assert!(picture.contains("&lt;b&gt;&quot;Whole&quot; &amp; Sons"), "{picture}");
    assert!(picture.contains("role=\"img\" aria-labelledby=\"whole-title whole-desc\""));
    let told = picture.split("<desc").nth(1).unwrap().split("</desc>").next().unwrap();
    for rule in provider.machine.statuses() {
        assert!(told.contains(rule.name.as_str()), "{told}");
    }
    assert!(told.contains("paid: succeeded, final, moves money: released, credited"), "{told}");
    assert!(dot::print(&drawing).contains("label=\"<b>\\\"Whole\\\" & Sons</b>\""));
}

#[test]
fn the_command_prints_each_language() {
    let begins = |language: &str, with: &str| {
        let text = printed(&["show", "flypay", "--draw", language]);
        assert!(text.starts_with(with), "{text}");
    };
    begins("svg", "<svg xmlns=\"http://www.w3.org/2000/svg\"");
    begins("dot", "digraph \"flypay\" {");
    begins("mermaid", "---\ntitle: \"FlyPay\"\n---\nflowchart TD");
}
