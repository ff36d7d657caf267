"""Testcontainers' Kafka module for Python, with the image `ottla` in the place of the one that it is made for."""
import sys

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from testcontainers.community.kafka import KafkaContainer

IMAGE = "confluentinc/cp-kafka:7.6.0"


def functions(container):
    """What the module's own test of each container does: three records are sent to a new topic, and read."""
    with container as kafka:
        bootstrap = kafka.get_bootstrap_server()
        producer = KafkaProducer(bootstrap_servers=[bootstrap])
        for message in (b"foo", b"bar", b"baz"):
            producer.send("test-topic", message).get(timeout=30)
        producer.close()
        consumer = KafkaConsumer(bootstrap_servers=[bootstrap])
        place = TopicPartition("test-topic", 0)
        consumer.assign([place])
        consumer.seek_to_beginning()
        end, read = consumer.end_offsets([place])[place], []
        assert end == 3, f"the topic ends at {end}"
        for message in consumer:
            read.append(message.value)
            if message.offset >= end - 1:
                break
        consumer.close()
        assert read == [b"foo", b"bar", b"baz"], read


for name, container in {
    "testcontainers-python": lambda: KafkaContainer(IMAGE),
    "testcontainers-python-with-kraft": lambda: KafkaContainer(IMAGE).with_kraft(),
    "testcontainers-python-with-a-name-of-its-own": lambda: KafkaContainer(
        IMAGE, port=9888, listener_name="MYLISTENER", security_protocol="PLAINTEXT"
    ).with_kraft(),
}.items():
    try:
        functions(container())
        print(f"ok {name}", flush=True)
    except Exception as error:  # noqa: BLE001 - a test program reports whatever went wrong
        print(f"not ok {name}: {type(error).__name__}: {str(error)[-600:]}".replace("\n", " | "), flush=True)
sys.stdout.flush()
