//! The admin port: reading, registering, health.

use super::{Pawl, exchange, withdrawal};

#[tokio::test]
async fn wrong_registrations_say_what_is_wrong() {
    let pawl = Pawl::start().await;
    let orders = [
        "{",
        "[]",
        "{}",
        r#"{"source":"shop"}"#,
        r#"{"source":"shopp","order_id":"1","kind":"withdraw"}"#,
        r#"{"source":"shop","order_id":"1"}"#,
        r#"{"source":"shop","order_id":"1","kind":"payout"}"#,
        r#"{"source":"shop","order_id":"1","kind":"withdraw","amount":5,"currency":"EUR"}"#,
        r#"{"source":"shop","order_id":"1","kind":"withdraw","amount":"-5","currency":"EUR"}"#,
        r#"{"source":"shop","order_id":"1","kind":"withdraw","amount":"5"}"#,
        r#"{"source":"shop","order_id":"1","kind":"withdraw","amount":"5","currency":"E R"}"#,
        r#"{"source":"shop","order_id":"1","kind":"exchange","amount":"5","currency":"EUR"}"#,
        r#"{"source":"shop","order_id":"1","kind":"withdraw","booked":{"held":"5"}}"#,
        r#"{"source":"shop","order_id":" ","kind":"withdraw"}"#,
        r#"{"source":"shop","order_id":"1","kind":"withdraw","amout":"5"}"#,
        r#"{"orders":{}}"#,
        r#"{"orders":[{"source":"shop","order_id":"ok","kind":"withdraw"},{"source":"shop"}]}"#,
    ];
    let mut answers = String::new();
    for order in orders {
        let answer = pawl.post("/api/v1/orders", order).await;
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{order}");
        answers.push_str(&format!("{order}\n  {} {}\n", answer.status, answer.json()["detail"]));
    }
    insta::assert_snapshot!(answers);
    let list = pawl.get("/api/v1/orders").await.json();
    assert!(
        list["items"].as_array().unwrap().is_empty(),
        "all are checked before any is registered"
    );
}

/// Some providers are asked by their own id: whoever created the order knows it first.
#[tokio::test]
async fn an_order_is_registered_with_the_providers_own_id() {
    let pawl = Pawl::start().await;
    let order = r#"{"source":"shop","order_id":"wd-1","provider_id":"uuid-1","kind":"withdraw",
        "amount":"1","currency":"USDT","other_ids":["r-1"]}"#;
    assert_eq!(pawl.post("/api/v1/orders", order).await.status, 201);
    let shown = pawl.order("uuid-1").await;
    let roles: std::collections::BTreeMap<&str, &str> = shown["ids"]
        .as_array()
        .unwrap()
        .iter()
        .map(|id| (id["id"].as_str().unwrap(), id["role"].as_str().unwrap()))
        .collect();
    let wanted = [("wd-1", "merchant"), ("uuid-1", "provider"), ("r-1", "other")];
    assert_eq!(roles, wanted.into_iter().collect());
}

#[tokio::test]
async fn many_orders_are_registered_in_one_request() {
    let pawl = Pawl::start().await;
    let order = |id: usize, amount: &str| {
        format!(
            r#"{{"source":"shop","order_id":"{id}","kind":"withdraw","amount":"{amount}","currency":"USDT"}}"#
        )
    };
    let orders: Vec<String> = (0..20).map(|id| order(id, "5")).collect();
    let body = format!(r#"{{"orders":[{}]}}"#, orders.join(","));
    let results = |answer: serde_json::Value| -> Vec<String> {
        let items = answer["items"].as_array().unwrap().clone();
        items.iter().map(|item| item["result"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(results(pawl.post("/api/v1/orders", &body).await.json()), vec!["created"; 20]);
    let body = format!(r#"{{"orders":[{},{}]}}"#, order(0, "5.00"), order(1, "6"));
    assert_eq!(results(pawl.post("/api/v1/orders", &body).await.json()), ["unchanged", "conflict"]);
}

#[tokio::test]
async fn lists_go_on_where_they_ended() {
    let pawl = Pawl::start().await;
    for n in 0..7 {
        pawl.send(&withdrawal(&format!("l-{n}"), if n % 2 == 0 { "new" } else { "completed" }))
            .await;
        pawl.wait_until_drained().await;
    }
    let ids = |list: &serde_json::Value| -> Vec<String> {
        let items = list["items"].as_array().unwrap();
        items.iter().map(|item| item["order_id"].as_str().unwrap().to_owned()).collect()
    };
    let first = pawl.get("/api/v1/orders?limit=4").await.json();
    assert_eq!(ids(&first), ["l-6", "l-5", "l-4", "l-3"]);
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = pawl.get(&format!("/api/v1/orders?limit=4&cursor={cursor}")).await.json();
    assert_eq!(ids(&second), ["l-2", "l-1", "l-0"]);
    assert!(second["next_cursor"].is_null());
    let done = pawl.get("/api/v1/orders?status=completed&source=shop").await.json();
    assert_eq!(ids(&done), ["l-5", "l-3", "l-1"]);
    assert_eq!(pawl.get("/api/v1/orders?colour=red").await.status, 400);
    assert_eq!(pawl.get("/api/v1/orders?limit=many").await.status, 400);
}

#[tokio::test]
async fn what_is_not_there_is_a_problem_with_a_reason() {
    let pawl = Pawl::start().await;
    for path in [
        "/api/v1/orders/shop/none",
        "/api/v1/orders/none/1",
        "/api/v1/orders/shop/none/events",
        "/api/v1/dead-letters/none",
        "/api/v1/orders/shop/%00",
        "/api/v1/orders/%00/1",
        "/api/v1/dead-letters/01890000-0000-7000-8000-000000000000",
        "/nowhere",
    ] {
        let answer = pawl.get(path).await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.json()["detail"].is_string(), "{path}");
    }
    // An id with a slash in it is one segment.
    pawl.send(&withdrawal("a/b c", "new")).await;
    pawl.wait_for("/api/v1/orders/shop/a%2Fb%20c", |order| order["order_id"] == "a/b c").await;
}

#[tokio::test]
async fn the_port_tells_whether_it_is_alive_and_ready() {
    let pawl = Pawl::start().await;
    assert_eq!(pawl.get("/livez").await.status, 200);
    assert_eq!(pawl.get("/readyz").await.body, "ready\n");
    let metrics = pawl.get("/metrics").await.body;
    for name in [
        "pawl_build_info",
        "pawl_queue_depth 0",
        "pawl_queue_oldest_age_seconds 0",
        "pawl_dead_letters 0",
        "pawl_attention{code=\"conflict\"} 0",
        "process_resident_memory_bytes",
    ] {
        assert!(metrics.contains(name), "{name} is missing");
    }
}

#[tokio::test]
async fn a_name_of_somebody_elses_does_not_reach_a_port_without_a_token() {
    let pawl = Pawl::start().await;
    let get = |host: &str| {
        format!("GET /api/v1/orders HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n")
    };
    for host in
        ["localhost", "localhost:8081", "127.0.0.1:8081", "[::1]:8081", "[::1]", "127.0.0.1"]
    {
        assert_eq!(exchange(pawl.admin, &get(host)).await.status, 200, "{host}");
    }
    for host in [
        "evil.example",
        "localhost.evil.example:8081",
        "10.0.0.1",
        // A name that anybody can own and point at this machine.
        "127.evil.example:8081",
        "127.0.0.1.evil.example",
    ] {
        assert_eq!(exchange(pawl.admin, &get(host)).await.status, 401, "{host}");
    }
}

#[tokio::test]
async fn with_a_token_only_who_carries_it_is_answered() {
    let pawl = Pawl::start_with("[admin.token]\nenv = \"SECRET\"\n").await;
    let get = |more: &str| {
        format!(
            "GET /api/v1/orders HTTP/1.1\r\nhost: pawl.internal\r\nconnection: close\r\n{more}\r\n"
        )
    };
    for more in ["", "authorization: Bearer nonsense\r\n", "authorization: fp_secret_demo\r\n"] {
        let answer = exchange(pawl.admin, &get(more)).await;
        assert_eq!(
            (answer.status, answer.header("www-authenticate")),
            (401, Some("Bearer")),
            "{more}"
        );
    }
    let answer = exchange(pawl.admin, &get("authorization: Bearer fp_secret_demo\r\n")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(pawl.get("/livez").await.status, 200, "probes carry none");
    assert_eq!(pawl.get("/metrics").await.status, 401);
}
