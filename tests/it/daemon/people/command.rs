//! The command line of who is on call: what it prints can be run.

use serde_json::Value;

use super::super::process::run;
use super::*;

/// Runs a command as it was printed, in a shell, with the program of this build.
async fn shell(line: &str, why: &str) -> (i32, String, String) {
    let (first, rest) = line.trim().split_once(' ').unwrap();
    assert_eq!(first, "pawl");
    let output = tokio::process::Command::new("bash")
        .args(["-c", &format!("\"$PAWL\" {rest}")])
        .env("PAWL", env!("CARGO_BIN_EXE_pawl"))
        .env("WHY", why)
        .env("USER", "ann")
        .env_remove("PAWL_CONFIG")
        .current_dir(tempfile::tempdir().unwrap().path())
        .output()
        .await
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

/// The command that stands under a line which begins like this.
fn under<'a>(shown: &'a str, begins: &str) -> &'a str {
    let mut lines = shown.lines();
    lines
        .by_ref()
        .find(|line| line.trim().starts_with(begins))
        .unwrap_or_else(|| panic!("{shown}"));
    lines.next().unwrap()
}

#[tokio::test]
async fn what_attention_prints_resolves_it() {
    let pawl = Pawl::start().await;
    let odd = "it's; $(touch x)\u{1b} -1";
    for id in ["c-1", odd, "-c"] {
        let body = |status| withdrawal("c-1", status).replace("\"c-1\"", &json!(id).to_string());
        let body = |status| body(status).replace("uuid-c-1", &format!("uuid-{}", id.len()));
        tell(&pawl, &["new", "completed", "canceled"].map(body)).await;
    }
    let url = format!("http://{}", pawl.admin);
    let list = async |more: &[&str]| {
        let words = [&["attention", "--url", &url], more].concat();
        let (code, shown, error) = run(&words, &[]).await;
        assert_eq!((code, error.as_str()), (0, ""));
        shown
    };
    let shown = list(&["--code", "conflict", "--source", "shop"]).await;
    for text in [
        "conflict         shop         c-1                          conflict: canceled / completed",
        "`canceled` and `completed` were both reported, and neither leads to the other",
        "claimed    canceled: of 2025-11-20T09:00:01.000000Z, received ",
        "not confirmed",
        "WHY=",
    ] {
        assert!(shown.contains(text), "{text} is missing in\n{shown}");
    }
    assert!(!shown.contains('\u{1b}'), "what comes from outside is shown, not obeyed");
    let line = under(&shown, "`canceled` stands, and make up for 101").to_owned();
    let (code, _, error) = shell(&line, "").await;
    assert_eq!(code, 1);
    assert!(error.contains("`why` is empty"), "{error}");
    let (code, tried, error) = shell(&format!("{line} --dry-run"), "to see").await;
    assert_eq!(code, 0, "{error}");
    assert!(tried.contains("would leave to.debit_reversed 101 USDT"), "{tried}");
    let (code, done, error) = shell(&line, "the bank says so").await;
    assert_eq!(code, 0, "{error}");
    for text in [
        "resolved: ",
        "left to.debit_reversed 101 USDT",
        "status     canceled",
        "overruled  completed, by ann at ",
    ] {
        assert!(done.contains(text), "{text} is missing in\n{done}");
    }
    let (code, again, _) = shell(&line, "the bank says so").await;
    assert_eq!((code, again.starts_with("unchanged: ann decided so at ")), (0, true), "{again}");
    // Two are left, with names that a shell must not obey.
    for _ in 0..2 {
        let shown = list(&[]).await;
        let (code, _, error) = shell(under(&shown, "`completed` stands"), "so it is").await;
        assert_eq!(code, 0, "{error}\n{shown}");
    }
    assert_eq!(list(&[]).await, "nothing waits for a person\n");
    let (code, shown, _) = run(&["attention", "--json", "--url", &url], &[]).await;
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((code, shown), (0, json!({ "items": [], "next_cursor": null })));
    let (_, shown, _) = run(&["order", "show", "shop", "c-1", "--url", &url], &[]).await;
    assert!(shown.contains("(by ann: the bank says so)"), "{shown}");
}

#[tokio::test]
async fn what_is_written_wrongly_is_said() {
    let pawl = Pawl::start().await;
    tell(&pawl, &[withdrawal("c-2", "new")]).await;
    let url = format!("http://{}", pawl.admin);
    for (words, code, says) in [
        (&["--compensate", "101"][..], 2, "write to.debit_reversed=10"),
        (&["--overrule-operation", "settle"], 2, "write NAME:ID"),
        (&[], 1, "decides nothing"),
        (
            &["--overrule-operation", "settle:a,b,amount=10"],
            1,
            "`settle` with the id `a,b` was never",
        ),
        (&["--overrule", "new"], 1, "no status would be left"),
        (&["--accept", "x", "--dismiss", "y"], 1, "nothing stands by the key `x`"),
    ] {
        let all = [
            &["order", "resolve", "shop", "c-2", "--why", "so", "--who", "ann", "--url", &url],
            words,
        ]
        .concat();
        let (exit, _, error) = run(&all, &[]).await;
        assert_eq!(exit, code, "{error}");
        assert!(error.contains(says), "{error}");
    }
    let (exit, _, error) =
        run(&["order", "resolve", "shop", "c-2", "--ask", "--url", &url], &[("USER", "ann")]).await;
    assert_eq!(exit, 2, "why is required: {error}");
}
