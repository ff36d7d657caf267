"""A transactional application on librdkafka; app.py describes what it does and writes down."""
import time

import app
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

COMMON = {
    "bootstrap.servers": app.BOOTSTRAP, "client.id": app.NAME, "reconnect.backoff.max.ms": 500, "log_level": 0,
    # A client that starts over with its only broker away can wait for ever in send_offsets_to_transaction (librdkafka #5511).
    "metadata.recovery.strategy": "none",
}
FENCED = (KafkaError._FENCED, KafkaError.PRODUCER_FENCED)


def main():
    while not app.stopping:
        try:
            producer = Producer(COMMON | {"transactional.id": app.TXID, "transaction.timeout.ms": 10000})
            copy(producer) if app.ROLE == "copy" else write(producer)
        except KafkaException as error:
            if error.args[0].code() in FENCED:
                app.event("fenced")
                return
            app.event("anew", error)
            time.sleep(0.2)


def begin(producer):
    producer.init_transactions(30)
    app.event("init", app.TXID)


def write(producer):
    begin(producer)
    while not app.stopping:
        transaction(producer, app.written(), lambda: None)
        time.sleep(0.1)


def copy(producer):
    consumer = Consumer(COMMON | {
        "group.id": app.GROUP, "auto.offset.reset": "earliest", "enable.auto.commit": False, "isolation.level": "read_committed",
        "session.timeout.ms": 6000, "heartbeat.interval.ms": 500,
    })
    consumer.subscribe(sorted({topic for topic, _ in app.INPUTS}))
    try:
        begin(producer)
        while not app.stopping:
            read = [(m.topic(), m.partition(), m.offset()) for m in consumer.consume(40, 0.2) if m.error() is None]
            if not read:
                continue
            places, following = app.copied(read)
            offsets = [TopicPartition(*partition, offset) for partition, offset in following.items()]
            send_offsets = lambda: producer.send_offsets_to_transaction(offsets, consumer.consumer_group_metadata(), 30)
            if transaction(producer, places, send_offsets):
                continue
            for topic, partition, offset in {(topic, partition): (topic, partition, offset) for topic, partition, offset in reversed(read)}.values():
                consumer.seek(TopicPartition(topic, partition, offset))
    finally:
        consumer.close()


def transaction(producer, places, last):
    """One transaction; is it committed?"""
    number, records = app.next_transaction(places)
    commit = app.shall_commit()
    producer.begin_transaction()
    try:
        for topic, partition, value in records:
            producer.produce(topic, value, partition=partition)
        # Records that an abort finds on their way can make this client number the next ones wrongly.
        if not commit or app.DICE.randrange(2):
            producer.flush(30)
        if commit:
            last()
        app.event("ending", number, "commit" if commit else "abort")
        again_and_again(producer.commit_transaction if commit else producer.abort_transaction)
    except KafkaException as error:
        if error.args[0].txn_requires_abort():
            again_and_again(producer.abort_transaction)
            app.event("ended", number, "aborted")
        raise
    app.event("ended", number, "committed" if commit else "aborted")
    return commit


def again_and_again(end):
    """What may be tried again is tried again."""
    for turn in range(5):
        try:
            end(30)
            return
        except KafkaException as error:
            if not error.args[0].retriable() or turn == 4:
                raise


main()
