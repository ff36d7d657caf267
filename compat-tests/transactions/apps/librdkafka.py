"""Copies INPUT to OUTPUT in transactions, on librdkafka; every ABORT_EVERY-th transaction is aborted and done again."""
import os
import signal

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

stopping = False


def stop(*_):
    global stopping
    stopping = True


def main():
    signal.signal(signal.SIGTERM, stop)
    while not stopping:
        try:
            copy()
        except KafkaException as error:
            print(f"starts anew after {error}", flush=True)


def copy():
    common = {"bootstrap.servers": os.environ["BOOTSTRAP"], "reconnect.backoff.max.ms": 500, "log_level": 0}
    consumer = Consumer(common | {
        "group.id": os.environ["GROUP"], "auto.offset.reset": "earliest", "enable.auto.commit": False,
        "isolation.level": "read_committed", "session.timeout.ms": 6000, "heartbeat.interval.ms": 500,
    })
    producer = Producer(common | {"transactional.id": os.environ["TXID"], "transaction.timeout.ms": 10000})
    lost = []
    consumer.subscribe([os.environ["INPUT"]], on_lost=lambda _, partitions: lost.extend(partitions))
    producer.init_transactions(30)
    turn = 0
    try:
        while not stopping:
            messages = [message for message in consumer.consume(20, 0.2) if message.error() is None]
            if not messages:
                continue
            turn += 1
            producer.begin_transaction()
            for message in messages:
                producer.produce(os.environ["OUTPUT"], message.value(), key=message.key())
            if turn % int(os.environ["ABORT_EVERY"]) == 0:
                producer.flush(30)
                producer.abort_transaction(30)
                print("aborted", len(messages), flush=True)
                first = {}
                for message in messages:
                    first.setdefault(message.partition(), message.offset())
                for partition, offset in first.items():
                    consumer.seek(TopicPartition(os.environ["INPUT"], partition, offset))
                continue
            producer.send_offsets_to_transaction(consumer.position(consumer.assignment()), consumer.consumer_group_metadata(), 30)
            commit(producer)
            print("committed", len(messages), flush=True)
    finally:
        consumer.close()


def commit(producer):
    """A commit that may be tried again is tried again; one that must be aborted is aborted, and everything starts anew."""
    while True:
        try:
            producer.commit_transaction(30)
            return
        except KafkaException as error:
            if error.args[0].txn_requires_abort():
                producer.abort_transaction(30)
                raise
            if not error.args[0].retriable():
                raise


main()
