"""The flows by which Apache Kafka accepts an image of its own: defaults, environment alone, a mounted file with environment on
top, and a restart. Brokers are reached from outside, through mapped ports, by the Java tools of Kafka itself.

What Kafka's flows have and these have not: peers and TLS, which are refused (another test), and JMX, in whose place the
counter of records is read from the Prometheus endpoint.
"""
import concurrent.futures
import contextlib
import json
import os
import re
import shlex
import subprocess

CLUSTER = "Nk018hRAQFytWskYqtQduw"
TOOLS = {
    "topics": "org.apache.kafka.tools.TopicCommand",
    "producer": "org.apache.kafka.tools.ConsoleProducer",
    "consumer": "org.apache.kafka.tools.consumer.ConsoleConsumer",
}
# As the environment of one node is written for Kafka's image, with every name that its flows use.
ENVIRONMENT = {
    "CLUSTER_ID": CLUSTER,
    "KAFKA_NODE_ID": "1",
    "KAFKA_PROCESS_ROLES": "broker,controller",
    "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@first:19093",
    "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
    "KAFKA_INTER_BROKER_LISTENER_NAME": "PLAINTEXT",
    "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,PLAINTEXT_HOST:PLAINTEXT",
    "KAFKA_LISTENERS": "CONTROLLER://:19093,PLAINTEXT_HOST://:9092,PLAINTEXT://:29092",
    "KAFKA_ADVERTISED_LISTENERS": "PLAINTEXT_HOST://localhost:19092,PLAINTEXT://first:29092",
    "KAFKA_LOG_DIRS": "/tmp/kraft-combined-logs",
    "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
    "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
    "KAFKA_SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR": "1",
    "KAFKA_SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR": "1",
    "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
    "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
    "KAFKA_JMX_PORT": "9101",
    "KAFKA_JMX_HOSTNAME": "localhost",
    "KAFKA_OTTLA_METRICS_LISTENER": "0.0.0.0:9404",
}
FILE = """# Everything but who the node is and where it listens, and one value that the environment replaces.
advertised.listeners=PLAINTEXT_HOST://localhost:39092,PLAINTEXT://second:29092
controller.listener.names=CONTROLLER
group.initial.rebalance.delay.ms=0
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,PLAINTEXT_HOST:PLAINTEXT
log.dirs=/tmp/kraft-combined-logs
num.partitions=2
offsets.topic.replication.factor=1
process.roles=controller
transaction.state.log.min.isr=1
transaction.state.log.replication.factor=1
"""
OVER_FILE = {
    "CLUSTER_ID": CLUSTER,
    "KAFKA_NODE_ID": "2",
    "KAFKA_PROCESS_ROLES": "broker,controller",
    "KAFKA_CONTROLLER_QUORUM_VOTERS": "2@second:19093",
    "KAFKA_LISTENERS": "CONTROLLER://:19093,PLAINTEXT_HOST://:9092,PLAINTEXT://:29092",
}
# Less than JavaTools waits for a tool.
WAIT_SECONDS = 40


class Java:
    """Kafka's tools in one JVM, where the mapped ports of the engine are."""

    def __init__(self, engine):
        command = ["nsenter", "-t", engine, "-n", "timeout", "900", *shlex.split(os.environ["JAVA_TOOLS"])]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, encoding="utf-8")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.terminate()

    def run(self, tool, port, *arguments, stdin=""):
        call = {"class": TOOLS[tool], "args": ["--bootstrap-server", f"localhost:{port}", *arguments], "stdin": stdin}
        print(json.dumps(call), file=self.process.stdin, flush=True)
        answer = json.loads(self.process.stdout.readline())
        assert answer["rc"] == 0, f"{tool} {' '.join(arguments)}: status {answer['rc']}: {(answer['out'] + answer['err'])[-500:]}"
        return answer["out"]


class Flow:
    """One broker and what is to be there of it."""

    def __init__(self, name, port, java):
        self.name, self.port, self.java, self.topic, self.group = name, port, java, f"flow-{name}", f"readers-{name}"

    def make(self):
        made = self.java.run("topics", self.port, "--create", "--topic", self.topic)
        assert f"Created topic {self.topic}." in made, made
        self.listed()

    def listed(self):
        names = self.java.run("topics", self.port, "--list").split()
        assert self.topic in names, f"{self.topic} is not among {names}"

    def send(self, *pairs):
        words = ["--topic", self.topic, "--reader-property", "parse.key=true", "--reader-property", "key.separator=:"]
        self.java.run("producer", self.port, *words, stdin="".join(f"{pair}\n" for pair in pairs))

    def reads(self, *pairs, more=()):
        words = ["--topic", self.topic, "--formatter-property", "print.key=true", "--formatter-property", "key.separator=:",
                 "--max-messages", str(len(pairs)), "--timeout-ms", str(WAIT_SECONDS * 1000)]
        got = self.java.run("consumer", self.port, *words, *more).splitlines()
        assert sorted(got) == sorted(pairs), f"{self.name}: {got} came, not {list(pairs)}"

    def before(self):
        self.make()
        self.send("key:message", "key:another", "other:third")
        self.reads("key:message", "key:another", "other:third", more=["--from-beginning"])
        self.reads("key:message", "key:another", "other:third", more=["--from-beginning", "--group", self.group])

    def after(self):
        self.listed()
        self.reads("key:message", "key:another", "other:third", more=["--from-beginning"])
        self.send("key:fourth")
        # Its offsets are kept too: it goes on behind what it has read.
        self.reads("key:fourth", more=["--group", self.group])


def run(engine, started, docker, folder):
    """`started` runs a node of the image; the nodes of the flows live side by side, as in Kafka's own."""
    with contextlib.ExitStack() as kept:
        java = kept.enter_context(Java(engine))
        mounted = kept.enter_context(folder({"server.properties": FILE}))
        nodes = {
            "defaults": (9092, started("-p", "9092:9092", alias="zeroth")),
            "environment": (19092, started("-p", "19092:9092", "-p", "9404:9404", environment=ENVIRONMENT, alias="first")),
            "file": (39092, started("-p", "39092:9092", "-v", f"{mounted}:/mnt/shared/config:ro", environment=OVER_FILE, alias="second")),
        }
        for _, node in nodes.values():
            kept.enter_context(node)
        for _, node in nodes.values():
            node.running()
        flows = [Flow(name, port, java) for name, (port, _) in nodes.items()]
        told = nodes["environment"][1].shell("cat /tmp/kraft-combined-logs/meta.properties")
        assert CLUSTER in told and "node.id=1" in told, told
        told = nodes["file"][1].shell("cat /opt/kafka/config/server.properties")
        assert "node.id=2" in told and "process.roles=broker,controller" in told, told
        counted = messages(engine)
        for flow in flows:
            flow.before()
        assert messages(engine) - counted >= 3, "the records are not counted"
        partitions = java.run("topics", 39092, "--describe", "--topic", "flow-file")
        assert "PartitionCount: 2" in partitions, partitions
        with concurrent.futures.ThreadPoolExecutor(len(nodes)) as lanes:
            for done in [lanes.submit(restart, node, docker) for _, node in nodes.values()]:
                done.result()
        for flow in flows:
            flow.after()


def restart(node, docker):
    """The same container once more, as `docker stop` and `docker start` do it."""
    docker("stop", "-t", "30", node.name)
    status = node.state()["ExitCode"]
    assert status in (0, 143), f"the exit status is {status}"
    docker("start", node.name)
    node.healthy()


def messages(engine):
    """Records that the broker has taken, of Prometheus' text."""
    ask = "import urllib.request as r; print(r.urlopen('http://localhost:9404/metrics', timeout=20).read().decode())"
    done = subprocess.run(["nsenter", "-t", engine, "-n", "python3", "-c", ask], capture_output=True, timeout=60, text=True, check=True)
    found = re.search(r"^kafka_server_brokertopicmetrics_messagesin_total (\S+)", done.stdout, re.M)
    assert found, "there is no counter of records"
    return float(found[1])
