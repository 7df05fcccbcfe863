//! `pawl provider new`: what it writes is right, and what it suggests as well.

use pawl::provider::{Provider, Trust};

use super::pawl;

const WAYS: [(&str, Trust); 7] = [
    ("hmac", Trust::Claims),
    ("rsa", Trust::Claims),
    ("ed25519", Trust::Claims),
    ("standard-webhooks", Trust::Claims),
    ("basic", Trust::Claims),
    ("token", Trust::Claims),
    ("none", Trust::Hint),
];

fn load(text: &str) -> Provider {
    Provider::load("new.toml", text).unwrap_or_else(|mistakes| panic!("{mistakes}\n{text}"))
}

/// The file with each of its suggestions followed: settings that stand together are taken together.
fn followed(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    // The first line is for editors.
    let is_setting = |line: &str| {
        line.starts_with('#')
            && !line.starts_with("# ")
            && !matches!(line, "#" | "#:schema ./schema.json")
    };
    let mut followed = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let count = lines[at..].iter().take_while(|line| is_setting(line)).count();
        if count > 0 {
            let own = |(number, line): (usize, &&str)| {
                let is_own = (at..at + count).contains(&number);
                if is_own { line[1..].to_owned() } else { (*line).to_owned() }
            };
            followed.push(lines.iter().enumerate().map(own).collect::<Vec<_>>().join("\n"));
        }
        at += count.max(1);
    }
    followed
}

#[test]
fn what_is_written_passes_the_check_and_so_does_each_suggestion() {
    let folder = tempfile::tempdir().unwrap();
    for (way, trust) in WAYS {
        let path = folder.path().join(format!("{way}.toml")).display().to_string();
        let output = pawl(&["new", "acme_pay", "--out", &path, "--signature", way], &[]);
        assert_eq!(output.status.code(), Some(0), "{way}");
        let checked = pawl(&["check", &path], &[]);
        let said = [checked.stdout, checked.stderr].concat();
        assert_eq!(checked.status.code(), Some(0), "{}", String::from_utf8_lossy(&said));
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(&format!("pawl provider check {path} ")), "{text}");
        let provider = load(&text);
        assert_eq!((provider.name.as_str(), provider.title.as_str()), ("acme_pay", "Acme_pay"));
        assert_eq!(provider.signature.trust(), trust, "{way}");
        assert_eq!(provider.samples.len(), 2);
        let followed = followed(&text);
        assert!(followed.len() >= 12, "{}", followed.len());
        followed.iter().for_each(|text| drop(load(text)));
    }
}

#[test]
fn nothing_is_overwritten_and_no_bad_name_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.toml");
    std::fs::write(&path, "mine").unwrap();
    let refused = |name: &str, out: &str, why: &str| {
        let output = pawl(&["new", name, "--out", out], &[]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(why), "no `{why}` in: {said}");
    };
    refused("acme", path.to_str().unwrap(), "is there already");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
    let other = folder.path().join("other.toml");
    for name in ["Acme", "1acme", "acme pay", "", "../acme", "acme\"", "{title}", "{signature}"] {
        refused(name, other.to_str().unwrap(), "is no name");
    }
    refused("flypay", other.to_str().unwrap(), "comes with Pawl");
    assert!(!other.exists());
    refused("acme", "/nowhere/acme.toml", "cannot write /nowhere/acme.toml");
    let way = pawl(&["new", "acme", "--signature", "md5"], &[]);
    assert_eq!(way.status.code(), Some(2));
}
