//! The demonstration: the real program beside the simulator, on both forms; and what the simulator itself
//! must be, for its word to count.

use std::collections::BTreeMap;
use std::time::Duration;

use pawl::simulate::money::{Amounts, ledger};
use pawl::simulate::plan::{Manner, draw};
use pawl::simulate::protocols;
use pawl::simulate::protocols::flypay::FlyPay;
use pawl::simulate::{Faults, Options};
use serde_json::Value;

use crate::daemon::form::{Form, Own};

/// Runs the program; its exit code and what it printed.
async fn demo(form: Form, args: &[&str]) -> (i32, Value) {
    let own = Own::new(form).await;
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_pawl"));
    command.arg("demo").args(args).arg("--json").kill_on_drop(true);
    if let Some((store, queue)) = &own.urls {
        command.args(["--store", store.expose(), "--queue", queue.expose()]);
    }
    let output = command.output().await.unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    let json = serde_json::from_str(&shown)
        .unwrap_or_else(|_| panic!("{shown}{}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code().unwrap(), json)
}

/// What must be true of every run that is fine.
fn check(code: i32, shown: &Value) {
    assert_eq!((code, &shown["ok"]), (0, &true.into()), "{shown:#}");
    for promise in ["lost", "doubled", "backwards", "diverged", "trespasses", "asked_too_early"] {
        assert_eq!(shown[promise], 0, "{promise}: {shown:#}");
    }
    assert_eq!(shown["found_by_polling"], shown["missed_by_simulator"], "{shown:#}");
    assert_ne!(shown["missed_by_simulator"], 0, "{shown:#}");
    let difference = shown["ledger_difference"].as_object().unwrap();
    assert!(difference.len() > 3, "{shown:#}");
    for (currency, by) in difference {
        assert_eq!(by, "0", "{currency}: {shown:#}");
    }
    // How many were not taken at once depends on how many there were on the bad day.
    assert!(shown["notices"]["told"].as_u64() > Some(100), "{shown:#}");
    assert_eq!(shown["schema"], 1);
    assert_eq!(shown["verdicts"].as_object().unwrap().len(), 9, "{shown:#}");
    let by_source = shown["by_source"].as_object().unwrap();
    let names: Vec<&str> = by_source.keys().map(String::as_str).collect();
    let all = ["azpay", "cardaq", "mollie", "newday", "sdk-finance", "shop", "stripe", "wallet"];
    assert_eq!(names, all);
    for (name, of) in by_source {
        assert!(of["ok"] == true && of["orders"].as_u64() > Some(20), "{name}: {of:#}");
        assert!(of["callbacks_accepted"].as_u64() > Some(10), "{name}: {of:#}");
        assert_eq!(of["asks"] == 0, name == "newday", "{name}: {of:#}");
    }
    for what in ["callbacks_accepted", "orders", "final", "missed_by_simulator"] {
        let sum: u64 = by_source.values().map(|of| of[what].as_u64().unwrap()).sum();
        assert_eq!(shown[what], sum, "{what}");
    }
    // Every callback that nobody signs is one, and no other is.
    let hints =
        ["mollie", "sdk-finance"].map(|name| by_source[name]["callbacks_accepted"].as_u64());
    assert_eq!(shown["verdicts"]["hint"].as_u64(), hints.into_iter().sum(), "{shown:#}");
    let refused: u64 =
        shown["refused_by_status"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
    assert_eq!(shown["refused"], refused);
    assert!(shown["callbacks_accepted"].as_u64() > Some(100), "{shown:#}");
}

#[tokio::test]
async fn it_holds_its_promises_embedded() {
    let (code, shown) =
        demo(Form::Embedded, &["--seconds", "6", "--orders", "200", "--seed", "7"]).await;
    check(code, &shown);
    assert_eq!((&shown["store"], &shown["queue"]), (&"sqlite".into(), &"embedded".into()));
}

#[tokio::test]
async fn it_holds_its_promises_on_rabbitmq_and_postgresql() {
    let (code, shown) =
        demo(Form::Distributed, &["--seconds", "6", "--orders", "200", "--seed", "8"]).await;
    check(code, &shown);
    assert_eq!((&shown["store"], &shown["queue"]), (&"postgres".into(), &"amqp".into()));
}

/// Where documents leave open how callbacks are signed, they are otherwise: not at all at FlyPay and Cardaq, without a
/// time at AzPay, and signed at SDK.finance.
#[tokio::test]
async fn it_holds_its_promises_where_what_is_assumed_is_otherwise() {
    let args = ["--seconds", "6", "--orders", "200", "--seed", "9", "--otherwise"];
    let (code, shown) = demo(Form::Embedded, &args).await;
    assert_eq!((code, &shown["ok"]), (0, &true.into()), "{shown:#}");
    let accepted = |name: &str| shown["by_source"][name]["callbacks_accepted"].as_u64().unwrap();
    let hints = ["shop", "wallet", "cardaq", "mollie"].map(accepted);
    assert_eq!(shown["verdicts"]["hint"], hints.iter().sum::<u64>(), "{shown:#}");
}

/// No callback is ever sent: every order is found by asking, and none twice.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_single_callback_every_order_is_found() {
    let demo = pawl::simulate::demo::Demo {
        seconds: 3,
        orders: 100,
        seed: 11,
        faults: Faults { lose: 1.0, bad_answer: 0.2, ..Faults::none() },
        is_otherwise: false,
        urls: None,
    };
    let ended = pawl::simulate::demo::run(&demo, |_| {}, |_| {}).await.unwrap();
    assert!(ended.has_converged && ended.outcome.is_ok(), "{:#?}", ended.outcome);
    let outcome = ended.outcome;
    assert_eq!((outcome.orders, outcome.finals), (100, 100));
    for (name, of) in &ended.by_source {
        // NewDay cannot be asked; of what nobody signs nobody knows whether a callback told it.
        let (is_told, counts) =
            (*name == "newday", !matches!(*name, "newday" | "sdk-finance" | "mollie"));
        assert_eq!(of.sent == 0, !is_told, "{name}: {of:#?}");
        let wanted = if counts { of.orders } else { 0 };
        assert_eq!((of.missed, of.found_by_polling), (wanted, wanted), "{name}");
    }
}

/// Orders that the provider opened itself, of which no callback tells either: its lists have them.
#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_registered_is_found_by_the_feeds_alone() {
    let demo = pawl::simulate::demo::Demo {
        seconds: 3,
        orders: 100,
        seed: 12,
        faults: Faults { lose: 1.0, unregistered: 1.0, bad_answer: 0.2, ..Faults::none() },
        is_otherwise: false,
        urls: None,
    };
    let ended = pawl::simulate::demo::run(&demo, |_| {}, |_| {}).await.unwrap();
    assert!(ended.has_converged && ended.outcome.is_ok(), "{:#?}", ended.outcome);
    for (name, of) in &ended.by_source {
        assert_eq!(of.finals, of.orders, "{name}");
        let registered = of.verdicts.values().sum::<u64>();
        if ["azpay", "stripe", "sdk-finance"].contains(name) {
            assert!(of.sent == 0 && of.orders > 10 && registered > 0, "{name}: {of:#?}");
        }
    }
}

#[tokio::test]
async fn the_simulator_refuses_to_send_load_to_another_machine() {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_pawl"));
    let output =
        command.args(["simulate", "--to", "http://192.0.2.1:8080"]).output().await.unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("192.0.2.1 is not this machine"), "{said}");
}

fn options(seed: u64) -> Options {
    Options {
        protocol: &FlyPay,
        signature: None,
        seed,
        orders: 2000,
        span: Duration::from_secs(10),
        faults: Faults::bad_day(),
        is_cautious: false,
    }
}

#[test]
fn one_seed_draws_one_run_and_one_more_order_changes_no_other() {
    let plans = |options: &Options| format!("{:?}", draw(options));
    assert_eq!(plans(&options(1)), plans(&options(1)));
    assert_ne!(plans(&options(1)), plans(&options(2)));
    let fewer = Options { orders: 10, ..options(1) };
    let (all, first) = (draw(&options(1)), draw(&fewer));
    assert_eq!(format!("{:?}", &all[..10]), format!("{first:?}"));
}

/// What is drawn is what the faults say, so that a run that is fine has seen them all.
#[test]
fn every_fault_happens_as_often_as_it_is_told_to() {
    let plans = draw(&options(3));
    let count = |is: &dyn Fn(&pawl::simulate::plan::Plan) -> bool| {
        plans.iter().filter(|plan| is(plan)).count() as f64 / plans.len() as f64
    };
    let sends = |manner| {
        move |plan: &pawl::simulate::plan::Plan| {
            plan.deliveries.iter().any(|delivery| delivery.manner == manner)
        }
    };
    let is_about =
        |found: f64, wanted: f64| assert!((found / wanted - 1.0).abs() < 0.4, "{found}, {wanted}");
    is_about(count(&|plan| !plan.deliveries.iter().any(|d| d.status == plan.last())), 0.2);
    is_about(count(&|plan| plan.lie.is_some()), 0.03);
    is_about(count(&|plan| plan.is_ghost), 0.01);
    is_about(count(&|plan| sends(Manner::Forged)(plan) || sends(Manner::Unsigned)(plan)), 0.1);
    is_about(count(&|plan| plan.registers.is_none()), 0.08);
    assert!(count(&sends(Manner::HungUp)) > 0.02 && count(&sends(Manner::Again)) > 0.2);
    for plan in &plans {
        assert_eq!(plan.steps[0].1, "new");
        assert!(plan.steps.windows(2).all(|two| two[0].0 < two[1].0), "{plan:?}");
        assert!(
            plan.registers.is_some() || plan.deliveries.iter().any(|d| d.status == plan.last())
        );
        assert!(plan.lie != Some(plan.last()));
    }
}

/// What is simulated is what the documents say of each provider, as far as its definition does: an order goes
/// forward only, ends where it can end, and every status is one.
#[test]
fn every_simulated_order_goes_a_way_that_there_is() {
    let definitions = pawl::provider::Provider::built_in().unwrap();
    for protocol in protocols::ALL {
        let definition = definitions.iter().find(|known| known.name == protocol.name()).unwrap();
        let plans = draw(&Options { protocol, orders: 500, ..options(4) });
        let status = |name: &str| pawl::order::name::Status::new(name);
        for plan in &plans {
            assert!(definition.kinds.contains_key(plan.kind), "{plan:?}");
            let last = definition.machine.get(&status(plan.last())).unwrap();
            assert!(last.is_final, "{plan:?}");
            for two in plan.steps.windows(2) {
                let (from, to) = (status(two[0].1), status(two[1].1));
                assert!(definition.machine.leads(&from, &to), "{}: {plan:?}", protocol.name());
            }
        }
        let ends: std::collections::BTreeSet<&str> = plans.iter().map(|plan| plan.last()).collect();
        assert!(ends.len() >= 2, "{}", protocol.name());
    }
}

/// The simulator's ledger, by hand.
#[test]
fn the_ledger_is_what_the_documents_say() {
    let decimal = |text: &str| text.parse::<rust_decimal::Decimal>().unwrap();
    let amounts = Amounts {
        expected_from: decimal("100"),
        from: decimal("90"),
        from_fee: decimal("2"),
        expected_to: decimal("0.5"),
        to: decimal("0.4"),
        to_fee: decimal("0.01"),
    };
    let mut text = String::new();
    for kind in [
        "deposit",
        "deposit_exchange",
        "deposit_exchange_withdraw",
        "exchange",
        "exchange_withdraw",
        "withdraw",
    ] {
        for status in ["completed", "completed_partially", "canceled", "error"] {
            let worth = ledger(kind, status, &amounts);
            let show = |all: &BTreeMap<&'static str, rust_decimal::Decimal>| {
                all.iter()
                    .map(|(name, amount)| format!("{name} {amount}"))
                    .collect::<Vec<_>>()
                    .join(", ")
            };
            text.push_str(&format!(
                "{kind:<26} {status:<20} {:<36} hold: {}\n",
                show(&worth.totals),
                show(&worth.hold)
            ));
        }
    }
    insta::assert_snapshot!(text);
}
