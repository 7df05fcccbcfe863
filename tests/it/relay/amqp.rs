//! A topic exchange on a real broker.

use std::collections::BTreeMap;

use futures_util::StreamExt;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, ConnectionProperties};
use serde_json::Value;

use super::{FAST, send, wait_for_gauge};
use crate::daemon::Pawl;
use crate::daemon::form::{Form, Own};

/// A queue of the integrator's, bound to topics.
async fn bind(pawl: &Pawl, own: &str, queue: &str, topic: &str) -> (Connection, Channel) {
    let (_, url) = pawl.urls().unwrap();
    let connection =
        Connection::connect(url.expose(), ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let options = QueueDeclareOptions::durable();
    channel.queue_declare(queue.into(), options, FieldTable::default()).await.unwrap();
    let exchange = format!("{own}.events");
    let (options, arguments) = (QueueBindOptions::default(), FieldTable::default());
    channel
        .queue_bind(queue.into(), exchange.as_str().into(), topic.into(), options, arguments)
        .await
        .unwrap();
    (connection, channel)
}

/// Takes so many messages: the topic, the message id, the body.
async fn take(channel: &Channel, queue: &str, count: usize) -> Vec<(String, String, Value)> {
    let options = BasicConsumeOptions::default();
    let mut consumer = channel
        .basic_consume(queue.into(), "".into(), options, FieldTable::default())
        .await
        .unwrap();
    let mut taken = Vec::new();
    while taken.len() < count {
        let next = tokio::time::timeout(crate::daemon::patience(), consumer.next()).await;
        let delivery = next.unwrap_or_else(|_| panic!("only {taken:?}")).unwrap().unwrap();
        delivery.ack(BasicAckOptions::default()).await.unwrap();
        let id = delivery.properties.message_id().as_ref().unwrap().to_string();
        let kind = delivery.properties.content_type().as_ref().unwrap().to_string();
        assert!(kind.starts_with("application/cloudevents+json"));
        assert_eq!(*delivery.properties.delivery_mode(), Some(2), "it outlives the broker");
        let body = serde_json::from_slice(&delivery.data).unwrap();
        taken.push((delivery.routing_key.to_string(), id, body));
    }
    taken
}

#[tokio::test]
async fn what_is_bound_gets_it_by_topic_and_what_is_not_bound_loses_nothing() {
    let own = Own::new(Form::Distributed).await;
    let name = own.name.clone();
    let text = own.config(&format!("[sink.books]\nkind = \"amqp\"\n{FAST}"));
    let pawl = Pawl::start_by(own, text).await;
    // Nobody has bound a queue yet: the broker gives the message back, and it waits.
    send(&pawl, "w-1", "processing").await;
    wait_for_gauge(&pawl, "pawl_outbox_orders", |waiting| waiting == 1.0).await;
    pawl.wait_for("/api/v1/orders/shop/w-1", |order| {
        let reason = order["undelivered"][0]["reason"].as_str();
        reason.is_some_and(|reason| reason.contains("no queue"))
    })
    .await;
    let (money, all) = (format!("{name}.money"), format!("{name}.all"));
    let (_one, of_money) = bind(&pawl, &name, &money, "pawl.effect.#").await;
    let (_two, of_all) = bind(&pawl, &name, &all, "#.shop").await;
    send(&pawl, "w-1", "completed").await;
    wait_for_gauge(&pawl, "pawl_outbox_orders", |waiting| waiting == 0.0).await;
    let taken = take(&of_money, &money, 3).await;
    let topics: Vec<&str> = taken.iter().map(|(topic, ..)| topic.as_str()).collect();
    assert_eq!(
        topics,
        ["pawl.effect.held.shop", "pawl.effect.debited.shop", "pawl.effect.released.shop"]
    );
    let effects = pawl.order("w-1").await["effects"].clone();
    for ((_, id, body), effect) in taken.iter().zip(effects.as_array().unwrap()) {
        assert_eq!(
            (id.as_str(), body["id"].as_str()),
            (effect["id"].as_str().unwrap(), Some(id.as_str()))
        );
    }
    let seqs: BTreeMap<String, Value> = take(&of_all, &all, 5)
        .await
        .into_iter()
        .map(|(_, id, body)| (id, body["sequence"].clone()))
        .collect();
    assert_eq!(seqs.len(), 5);
    for (channel, queue) in [(of_money, money), (of_all, all)] {
        channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await.unwrap();
    }
}
