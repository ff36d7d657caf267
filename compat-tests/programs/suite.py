"""Programs that people run beside a broker."""
import collections
import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.request

from harness import BOOTSTRAP, case, equal, eventually, main, topic

ROOT = os.environ["COMPAT_ROOT"]
JAVA = os.environ["JAVA"].split()


def kcat(*arguments, data=None, seconds=60):
    answer = subprocess.run(["kcat", "-b", BOOTSTRAP, *arguments], input=data, capture_output=True, timeout=seconds)
    if answer.returncode != 0:
        raise AssertionError(f"kcat {arguments}: {answer.stderr.decode()[-300:]}")
    return answer.stdout.decode()


def tool(name, *arguments, bootstrap=BOOTSTRAP):
    command = [f"{ROOT}/oracle/tool", f"org.apache.kafka.tools.{name}", "--bootstrap-server", bootstrap, *arguments]
    answer = subprocess.run(command, capture_output=True, timeout=90)
    return answer.stdout.decode() + answer.stderr.decode()


def create(name, partitions=4):
    equal("Created topic" in tool("TopicCommand", "--create", "--topic", name, "--partitions", str(partitions)), True, "topic created")


def produce(name, lines, *arguments):
    kcat("-P", "-t", name, *arguments, data="".join(f"{line}\n" for line in lines).encode())


def read_all(name, *arguments):
    return kcat("-C", "-e", "-q", "-t", name, *arguments).splitlines()


@contextlib.contextmanager
def folder():
    path = tempfile.mkdtemp()
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def program(log, *command):
    """A process that is killed at the end, if it still lives."""
    with open(log, "ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def free_port():
    """See lib.sh."""
    done = subprocess.run(["bash", "-c", '. "$0/lib.sh"; free_port', ROOT], capture_output=True, text=True, check=True)
    return int(done.stdout)


def last_lines(log):
    with open(log, encoding="utf-8", errors="replace") as lines:
        return " | ".join(line.strip() for line in lines.readlines()[-5:])[:500]


@case
def kcat_balanced_consumer():
    name = topic("kcat")
    create(name)
    produce(name, [f"line {n}" for n in range(1000)])
    read = kcat("-G", f"{name}-group", "-e", "-q", "-X", "auto.offset.reset=earliest", name).splitlines()
    equal(sorted(read), sorted(f"line {n}" for n in range(1000)), "what the group read")
    produce(name, ["later"])
    equal(kcat("-G", f"{name}-group", "-e", "-q", "-X", "auto.offset.reset=earliest", name).splitlines(), ["later"], "after its commit")


@case
def consumer_groups_tool():
    name = topic("tool")
    group = f"{name}-group"
    create(name, 1)
    produce(name, range(10))
    kcat("-G", group, "-e", "-q", "-X", "auto.offset.reset=earliest", name)
    produce(name, range(5))

    def groups(*arguments):
        return tool("consumer.group.ConsumerGroupCommand", *arguments)

    def row():
        words = [line.split() for line in groups("--describe", "--group", group).splitlines() if line.startswith(group)]
        return words[0][1:6] if words else []

    equal(group in groups("--list").split(), True, "listed")
    equal(row(), [name, "0", "10", "15", "5"], "topic, partition, offset, end, lag")
    equal("Empty" in groups("--describe", "--group", group, "--state"), True, "state")
    groups("--group", group, "--reset-offsets", "--to-offset", "3", "--topic", name, "--execute")
    equal(row()[2], "3", "reset")
    equal("successful" in groups("--group", group, "--delete-offsets", "--topic", name).lower(), True, "offsets deleted")
    equal("was successful" in groups("--delete", "--group", group), True, "deleted")
    equal(group in groups("--list").split(), False, "listed after its deletion")


@case
def kafka_go():
    name = topic("kafka-go")
    create(name)
    produce(name, [f"line {n}" for n in range(200)])

    def read(count):
        answer = subprocess.run([os.environ["KAFKA_GO"], name, f"{name}-group", str(count)], capture_output=True, timeout=90)
        equal(answer.returncode, 0, answer.stderr.decode()[-300:])
        return answer.stdout.decode().splitlines()

    equal(sorted(read(120) + read(80)), sorted(f"line {n}" for n in range(200)), "what two readers in turn read")


def word_count(guarantee):
    name = topic(f"streams-{guarantee.replace('_', '-')}")
    create(name, 2)
    create(f"{name}-out", 2)

    def counts():
        found = {}
        arguments = ["-K", "\t", "-X", "isolation.level=read_committed"]
        for line in read_all(f"{name}-out", *arguments):
            word, count = line.split("\t")
            found[word] = max(found.get(word, 0), int(count))
        return found

    with folder() as state:
        log = f"{state}/log"
        want = collections.Counter()
        for turn in range(2):
            lines = [f"turn{turn} word{n % 7} word{n % 3}" for n in range(300)]
            want.update(word for line in lines for word in line.split())
            with program(log, *JAVA, "WordCount", name, f"{name}-out", name, f"{state}/{turn}", guarantee) as application:
                produce(name, lines, "-X", "partitioner=random")
                if not eventually(lambda: counts() == dict(want), 90):
                    raise AssertionError(f"counted {counts()}, want {dict(want)}: {last_lines(log)}")
                application.terminate()
                application.wait(60)


@case
def streams_at_least_once():
    word_count("at_least_once")


@case
def streams_exactly_once():
    """Two instances, of which one is killed and comes back, and a broker that is killed: every word is counted 1, 2, 3 and so on,
    each count once."""
    name = topic("streams-exactly-once")
    words = [f"word{n}" for n in range(10)]
    create(name, 4)
    create(f"{name}-out", 4)

    def counts():
        found = collections.defaultdict(list)
        for line in read_all(f"{name}-out", "-K", "\t", "-X", "isolation.level=read_committed"):
            word, count = line.split("\t")
            found[word].append(int(count))
        return found

    def reached(count):
        if not eventually(lambda: all(len(counts()[word]) >= count for word in words), 90):
            raise AssertionError(f"counted {({word: len(found) for word, found in counts().items()})} of {count}: {last_lines(log)}")

    def feed(lines):
        produce(name, [f"{words[n % 10]} {words[(n + 3) % 10]}" for n in range(lines)], "-X", "partitioner=random")

    with folder() as state, contextlib.ExitStack() as running:
        log = f"{state}/log"

        def start(number):
            command = [*JAVA, "WordCount", name, f"{name}-out", name, f"{state}/{number}", "exactly_once_v2"]
            return running.enter_context(program(log, *command))

        instances = [start(0), start(1)]
        feed(500)
        reached(100)
        feed(500)
        instances[1].kill()
        feed(500)
        instances[1] = start(1)
        reached(300)
        feed(500)
        subprocess.run([*os.environ["RESTART"].split(), "kill"], check=True, stdout=subprocess.DEVNULL, timeout=180)
        feed(500)
        reached(500)
        for instance in instances:
            instance.terminate()
        for instance in instances:
            instance.wait(60)
        equal(dict(counts()), {word: list(range(1, 501)) for word in words}, "the counts of each word")


class Worker:
    """One Kafka Connect worker, distributed mode."""

    def __init__(self, path, cluster, number):
        self.port, self.log = free_port(), f"{path}/worker{number}.log"
        self.properties = f"{path}/worker{number}.properties"
        converters = "".join(f"{kind}.converter=org.apache.kafka.connect.storage.StringConverter\n" for kind in ("key", "value"))
        stores = "".join(
            f"{kind}.storage.topic={cluster}-{kind}\n{kind}.storage.replication.factor=1\n" for kind in ("offset", "config", "status")
        )
        with open(self.properties, "w", encoding="utf-8") as file:
            file.write(
                f"bootstrap.servers={BOOTSTRAP}\ngroup.id={cluster}\n{converters}{stores}"
                f"listeners=http://127.0.0.1:{self.port}\nrest.advertised.host.name=127.0.0.1\n"
                "offset.flush.interval.ms=500\nsession.timeout.ms=6000\nheartbeat.interval.ms=500\n"
                "scheduled.rebalance.max.delay.ms=1000\n"
            )

    def run(self):
        return program(self.log, *JAVA, "org.apache.kafka.connect.cli.ConnectDistributed", self.properties)

    def ask(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)

    def answers(self, path="/connectors", body=None):
        try:
            return self.ask(path, body) or True
        except OSError:
            return None


@case
def connect_with_two_workers():
    name = topic("connect")
    create(name, 3)
    with folder() as path:
        one, two = Worker(path, name, 1), Worker(path, name, 2)
        source, sink = f"{path}/in", f"{path}/out"
        written = []

        def write(count):
            with open(source, "a", encoding="utf-8") as file:
                for _ in range(count):
                    written.append(f"line {len(written)}")
                    file.write(written[-1] + "\n")

        def copied():
            with contextlib.suppress(FileNotFoundError), open(sink, encoding="utf-8") as file:
                return set(file.read().splitlines()) >= set(written)

        def file_connector(kind, file, key):
            config = {"connector.class": f"org.apache.kafka.connect.file.FileStream{kind}Connector", "tasks.max": "1", "file": file, key: name}
            return {"name": f"file-{kind.lower()}", "config": config}

        def workers_of_tasks():
            status = one.answers("/connectors/file-source/status"), one.answers("/connectors/file-sink/status")
            return [state["tasks"][0]["worker_id"] for state in status if isinstance(state, dict) and state["tasks"]]

        write(500)
        with one.run(), two.run() as second:
            if not eventually(lambda: one.answers() and two.answers(), 90):
                raise AssertionError(f"the workers do not answer: {last_lines(one.log)}")
            eventually(lambda: one.answers("/connectors", file_connector("Source", source, "topic")), 20)
            eventually(lambda: one.answers("/connectors", file_connector("Sink", sink, "topics")), 20)
            equal(eventually(copied, 90), True, f"first lines copied, {last_lines(one.log)}")
            eventually(lambda: len(set(workers_of_tasks())) == 2)
            second.kill()
            write(500)
            equal(eventually(copied, 90), True, f"all lines copied after a worker was killed, {last_lines(one.log)}")


@case
def mirror_maker_from_kafka():
    name = topic("mirror")
    with folder() as path:
        subprocess.run([f"{ROOT}/oracle/start", str(free_port()), f"{path}/kafka"], check=True, stdout=subprocess.DEVNULL, timeout=120)
        try:
            with open(f"{path}/kafka/port", encoding="utf-8") as port:
                kafka = f"127.0.0.1:{port.read().strip()}"
            mirror(name, kafka, path)
        finally:
            subprocess.run([f"{ROOT}/oracle/stop", f"{path}/kafka"], check=False, stdout=subprocess.DEVNULL, timeout=60)


def mirror(name, kafka, path):
    tool("TopicCommand", "--create", "--topic", name, "--partitions", "2", "--config", "retention.ms=7654321", bootstrap=kafka)
    lines = [f"line {n}" for n in range(400)]

    def source(*arguments, data=None):
        subprocess.run(["kcat", "-b", kafka, *arguments], input=data, check=True, capture_output=True, timeout=60)

    source("-P", "-t", name, data="".join(f"{line}\n" for line in lines).encode())
    source("-G", f"{name}-group", "-e", "-q", "-X", "auto.offset.reset=earliest", name)
    settings = {
        "clusters": "kafka, here", "kafka.bootstrap.servers": kafka, "here.bootstrap.servers": BOOTSTRAP, "kafka->here.enabled": "true",
        "here->kafka.enabled": "false", "kafka->here.topics": name, "kafka->here.groups": f"{name}-group", "replication.factor": "1",
        "checkpoints.topic.replication.factor": "1", "heartbeats.topic.replication.factor": "1", "offset-syncs.topic.replication.factor": "1",
        "offset.storage.replication.factor": "1", "status.storage.replication.factor": "1", "config.storage.replication.factor": "1",
        "sync.group.offsets.enabled": "true", "sync.group.offsets.interval.seconds": "1", "emit.checkpoints.interval.seconds": "1",
        "refresh.topics.interval.seconds": "2", "refresh.groups.interval.seconds": "2", "tasks.max": "2",
    }
    with open(f"{path}/mirror.properties", "w", encoding="utf-8") as file:
        file.writelines(f"{key}={value}\n" for key, value in settings.items())
    log, copy = f"{path}/mirror.log", f"kafka.{name}"

    def copied():
        with contextlib.suppress(AssertionError):
            return sorted(read_all(copy)) == sorted(lines)

    with program(log, *JAVA, "org.apache.kafka.connect.mirror.MirrorMaker", f"{path}/mirror.properties"):
        equal(eventually(copied, 90), True, f"the copy has the source's records, {last_lines(log)}")
        equal("retention.ms=7654321" in tool("TopicCommand", "--describe", "--topic", copy), True, "its configuration")
        listed = eventually(lambda: copy in tool("consumer.group.ConsumerGroupCommand", "--describe", "--group", f"{name}-group"), 40)
        equal(listed, True, "the group's offsets came along")


main()
