"""suite.py DOCKER ENGINE WORK [TEST...]: the image `ottla` in containers, from outside.

`with-ports` are the tests that take ports of the engine's, `without-ports` are all others: those run beside each other.

Clients are kcat in the network and with the resolver of another container: what is tested is what that container sees.
"""
import concurrent.futures
import contextlib
import glob
import http.client
import json
import os
import queue
import socket
import subprocess
import sys
import tempfile
import time

import flows

DOCKER, ENGINE, WORK = sys.argv[1:4]
HERE = os.path.dirname(os.path.abspath(__file__))
IMAGES = os.path.join(HERE, "..", "..", "docker")
# What several processes of this have at once is called by the process.
NETWORK = f"net-{os.getpid()}"
RUNNING = "Transitioning from RECOVERY to RUNNING"
SIZE_MAX = 30_000_000


def run(*command, stdin=None, timeout=120, check=True):
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=timeout, text=True)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(command[:9])}: status {done.returncode}: {(done.stdout + done.stderr)[-600:]}")
    return done


def docker(*arguments, **options):
    return run(DOCKER, *arguments, **options)


def variables(pairs):
    return [word for name, value in pairs.items() for word in ("-e", f"{name}={value}")]


class Engine(http.client.HTTPConnection):
    """The engine itself: what is asked again and again costs no process there."""

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(os.environ["DOCKER_HOST"].removeprefix("unix://"))


def inspect(name):
    """What the engine says of a container."""
    with contextlib.closing(Engine("engine")) as engine:
        engine.request("GET", f"/containers/{name}/json")
        answer = engine.getresponse()
        told = json.load(answer)
    assert answer.status == 200, told
    return told


def logs(name):
    done = docker("logs", name)
    return done.stdout + done.stderr


class Node:
    """A running container of the image, known as `kafka` to its neighbours."""

    def __init__(self, *options, environment=None, command=(), alias="kafka", network=NETWORK):
        self.started = time.monotonic()
        words = ["run", "-d", "--network", network, "--network-alias", alias, "--health-interval", "500ms"]
        words += variables(environment or {})
        self.name = docker(*words, *options, "ottla", *command).stdout.strip()[:12]

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if error[0]:
            print(f"log of {self.name}:", *logs(self.name).splitlines()[-12:], sep="\n  ", flush=True)
        docker("rm", "-f", "-v", self.name, check=False)

    def state(self):
        return inspect(self.name)["State"]

    def running(self, seconds=60):
        """Waits for the line that Testcontainers waits for; how long it took since the container was asked for."""
        follow = ["timeout", str(seconds), DOCKER, "logs", "-f", self.name]
        with subprocess.Popen(follow, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as told:
            for line in told.stdout:
                if RUNNING in line:
                    told.kill()
                    return time.monotonic() - self.started
        raise AssertionError(f"the broker does not run: {logs(self.name)[-500:]}")

    def healthy(self, seconds=60):
        until(lambda: self.state()["Health"]["Status"] == "healthy", seconds, "the container does not become healthy")

    def stopped(self):
        """Stops it as `docker stop` does: within two seconds, with a status that means no failure."""
        begin = time.monotonic()
        docker("stop", "-t", "10", self.name)
        took, status = time.monotonic() - begin, self.state()["ExitCode"]
        assert took < 2, f"the stop took {took:.1f} s"
        assert status in (0, 143), f"the exit status is {status}"

    def shell(self, text, **options):
        return docker("exec", self.name, "bash", "-c", text, **options).stdout.strip()

    def holds(self, directory):
        """Whether the node's data is there."""
        names = self.shell(f"ls -a {directory}").split()
        assert {"meta.properties", "__cluster_metadata-0"} <= set(names), f"{directory} has {names}"


def until(holds, seconds, complaint):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"{complaint} within {seconds} s"
        time.sleep(0.1)


def kcat(name, *arguments, stdin=None, check=True):
    """kcat in the network of a container, asking that container's name server."""
    told = inspect(name)
    pid, resolver = str(told["State"]["Pid"]), told["ResolvConfPath"]
    script = 'mount --bind "$0" /etc/resolv.conf && exec timeout 20 kcat -X fetch.wait.max.ms=20 "$@"'
    command = ["nsenter", "-t", pid, "-n", "unshare", "-m", "sh", "-c", script, resolver, *arguments]
    return run(*command, stdin=stdin, check=check)


def round_trip(client, broker="kafka:9092", topic="t", lines=100):
    sent = [f"{topic} {n}" for n in range(lines)]
    kcat(client, "-b", broker, "-t", topic, "-P", "-X", "acks=all", stdin="\n".join(sent) + "\n")
    got = consumed(client, broker, topic)
    assert sorted(got) == sorted(sent), f"sent {lines}, got {len(got)}"


def consumed(client, broker="kafka:9092", topic="t"):
    return kcat(client, "-b", broker, "-t", topic, "-C", "-e", "-q", "-o", "beginning").stdout.split("\n")[:-1]


def partitions(client, topic, broker="kafka:9092"):
    told = json.loads(kcat(client, "-b", broker, "-L", "-J", "-t", topic).stdout)
    return len(told["topics"][0]["partitions"])


def advertised(client, broker="kafka:9092"):
    return [broker["name"] for broker in json.loads(kcat(client, "-b", broker, "-L", "-J").stdout)["brokers"]]


@contextlib.contextmanager
def volume(name):
    name = f"{name}-{os.getpid()}"
    docker("volume", "create", name)
    try:
        yield name
    finally:
        docker("volume", "rm", "-f", name, check=False)


@contextlib.contextmanager
def folder(files):
    """A directory of the host to be mounted, readable by every user."""
    with tempfile.TemporaryDirectory(dir=WORK) as home:
        os.chmod(home, 0o755)
        for name, text in files.items():
            path = os.path.join(home, name)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(path, 0o755 if name.endswith(".sh") else 0o644)
        yield home


# What people's files say, in the words of each image's own documentation.
APACHE = {
    "KAFKA_NODE_ID": "1",
    "KAFKA_PROCESS_ROLES": "broker,controller",
    "KAFKA_LISTENERS": "CONTROLLER://localhost:29093,PLAINTEXT_HOST://0.0.0.0:9092,PLAINTEXT://0.0.0.0:19092",
    "KAFKA_ADVERTISED_LISTENERS": "PLAINTEXT_HOST://localhost:9092,PLAINTEXT://kafka:19092",
    "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,PLAINTEXT_HOST:PLAINTEXT",
    "KAFKA_INTER_BROKER_LISTENER_NAME": "PLAINTEXT",
    "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
    "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:29093",
    "CLUSTER_ID": "4L6g3nShT-eMCtK--X86sw",
    "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
    "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
    "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
    "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
    "KAFKA_LOG_DIRS": "/tmp/kraft-combined-logs",
    "KAFKA_JMX_PORT": "9999",
    "KAFKA_HEAP_OPTS": "-Xmx512M",
}
CONFLUENT = APACHE | {
    "KAFKA_LISTENERS": "PLAINTEXT://kafka:29092,CONTROLLER://kafka:29093,PLAINTEXT_HOST://0.0.0.0:9092",
    "KAFKA_ADVERTISED_LISTENERS": "PLAINTEXT://kafka:29092,PLAINTEXT_HOST://localhost:9092",
    "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@kafka:29093",
    "KAFKA_CONFLUENT_SCHEMA_REGISTRY_URL": "http://schema-registry:8081",
    "CONFLUENT_SUPPORT_METRICS_ENABLE": "false",
    "CLUSTER_ID": "MkU3OEVBNTcwNTJENDM2Qk",
}
del CONFLUENT["KAFKA_LOG_DIRS"]
ZOOKEEPER = {
    "KAFKA_BROKER_ID": "1",
    "KAFKA_ZOOKEEPER_CONNECT": "zookeeper:2181",
    "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,PLAINTEXT_HOST:PLAINTEXT",
    "KAFKA_ADVERTISED_LISTENERS": "PLAINTEXT://kafka:29092,PLAINTEXT_HOST://localhost:9092",
    "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
}
BITNAMI = {
    "KAFKA_CFG_NODE_ID": "0",
    "KAFKA_CFG_PROCESS_ROLES": "controller,broker",
    "KAFKA_CFG_LISTENERS": "PLAINTEXT://:9092,CONTROLLER://:9093",
    "KAFKA_CFG_ADVERTISED_LISTENERS": "PLAINTEXT://kafka:9092",
    "KAFKA_CFG_LISTENER_SECURITY_PROTOCOL_MAP": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
    "KAFKA_CFG_CONTROLLER_QUORUM_VOTERS": "0@kafka:9093",
    "KAFKA_CFG_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
    "ALLOW_PLAINTEXT_LISTENER": "yes",
}


def the_image_is_small_and_says_what_it_is():
    told = json.loads(docker("image", "inspect", "ottla").stdout)[0]
    config = told["Config"]
    print(f"image: {told['Size'] / 1e6:.1f} MB")
    assert told["Size"] < SIZE_MAX, f"{told['Size']} bytes"
    assert config["User"].split(":")[0] == "1000", config["User"]
    assert list(config["ExposedPorts"]) == ["9092/tcp"], config["ExposedPorts"]
    assert set(config["Volumes"]) == {"/etc/kafka/secrets", "/var/lib/kafka/data", "/mnt/shared/config"}, config["Volumes"]
    assert config["StopSignal"] == "SIGTERM", config["StopSignal"]


def shells_tools_certificates_and_time_zones_are_there():
    script = """set -e
      sh -c '[[ -n yes ]]'; id -u; awk 'BEGIN { print 6 * 7 }'; TZ=Asia/Tokyo date -d @0 +%H; hostname -i >/dev/null
      grep -c 'BEGIN CERTIFICATE' /etc/ssl/certs/ca-certificates.crt | sed 's/^[1-9][0-9]*$/certificates/'"""
    got = docker("run", "--rm", "ottla", "bash", "-c", script).stdout.split()
    assert got == ["1000", "42", "09", "certificates"], got


def directories_are_there_for_users_of_root_s_group():
    places = """/var/lib/kafka/data /var/lib/kafka/log /etc/kafka /etc/kafka/secrets /etc/kafka/docker /mnt/shared/config
      /opt/kafka /opt/kafka/config /opt/kafka/logs /opt/kafka/bin /usr/logs /tmp/kraft-combined-logs /bitnami/kafka
      /var/log/kafka /home/appuser /tmp /etc/confluent/docker /etc/confluent/docker/configure /etc/kafka/docker/configure"""
    for user in ("1000", "1001:0", "1000:1000"):
        script = f"for place in {' '.join(places.split())}; do [ -w $place ] || echo $place; done"
        got = docker("run", "--rm", "--user", user, "ottla", "bash", "-c", script).stdout.split()
        assert got == [], f"user {user} cannot write {got}"


def entry_points_and_tools_are_at_every_image_s_place():
    paths = """/__cacert_entrypoint.sh /etc/kafka/docker/run /etc/kafka/docker/launch /etc/kafka/docker/configure
      /etc/kafka/docker/configureDefaults /etc/confluent/docker/run /etc/confluent/docker/configure
      /etc/confluent/docker/ensure /etc/confluent/docker/launch /opt/bitnami/scripts/kafka/entrypoint.sh
      /opt/bitnami/scripts/kafka/run.sh /opt/bitnami/scripts/kafka/setup.sh /entrypoint.sh /run.sh
      /opt/kafka/bin/kafka-topics.sh /usr/bin/kafka-topics /usr/bin/kafka-topics.sh /opt/bitnami/kafka/bin/kafka-topics.sh
      /usr/bin/kafka-server-start /usr/bin/nc /usr/bin/cub /usr/bin/ub"""
    script = f"for path in {' '.join(paths.split())}; do [ -x $path ] || echo $path; done"
    got = docker("run", "--rm", "ottla", "sh", "-c", script).stdout.split()
    assert got == [], f"not there: {got}"


# The programs of Kafka's own bin/ that are not built.
NOT_BUILT = """connect-distributed connect-mirror-maker connect-plugin-path connect-standalone kafka-console-share-consumer
  kafka-delegation-tokens kafka-jmx kafka-metadata-shell kafka-replica-verification kafka-share-consumer-perf-test
  kafka-streams-groups kafka-verifiable-share-consumer trogdor""".split()


def what_is_not_built_says_so_in_one_sentence():
    script = f"""for name in {' '.join(NOT_BUILT)}; do
      /opt/kafka/bin/$name.sh --bootstrap-server localhost:9092 --list >/tmp/out 2>/tmp/err
      echo $name $? $(wc -l </tmp/out) $(wc -l </tmp/err) $(grep -c "^$name is not built in Ottla's tools yet: " /tmp/err)
    done"""
    got = docker("run", "--rm", "ottla", "bash", "-c", script).stdout.splitlines()
    assert got == [f"{name} 1 0 1 1" for name in NOT_BUILT], got
    # Options behind the image's name are for the binary, as `docker run ottla --version` reads.
    assert docker("run", "--rm", "ottla", "--version").stdout.startswith("ottla "), "--version is not the binary's"


def without_a_word_it_runs_and_a_neighbour_reaches_it():
    with Node() as node:
        print(f"container to RUNNING: {node.running():.2f} s")
        until(lambda: "Kafka Server started (kafka.server.KafkaRaftServer)" in logs(node.name), 20, "a line is missing")
        round_trip(CLIENT)
        node.holds("/var/lib/kafka/data")
        node.healthy()
        node.stopped()


def a_port_mapping_is_answered_with_localhost():
    with Node("-p", "9092:9092") as node:
        node.running()
        inside = ["nsenter", "-t", ENGINE, "-n", "timeout", "20", "kcat", "-b", "localhost:9092"]
        told = json.loads(run(*inside, "-L", "-J").stdout)
        assert [broker["name"] for broker in told["brokers"]] == ["localhost:9092"], told["brokers"]
        run(*inside, "-t", "mapped", "-P", stdin="one\n")
        assert run(*inside, "-t", "mapped", "-C", "-e", "-q").stdout == "one\n"


def the_static_binary_asks_the_container_s_name_server():
    with Node() as node:
        node.running()
        round_trip(CLIENT, topic="resolved")
        for tool in ("kafka-topics", "/opt/kafka/bin/kafka-topics.sh"):
            got = docker("exec", CLIENT, tool, "--bootstrap-server", "kafka:9092", "--list").stdout.split()
            assert "resolved" in got, got
        for arguments in ("-z kafka 9092", "-vz -w 2 kafka 9092", "-z -w1 kafka 9092"):
            docker("exec", CLIENT, "bash", "-c", f"nc {arguments}")
        assert docker("exec", CLIENT, "nc", "-z", "kafka", "9099", check=False).returncode == 1
        missing = docker("exec", CLIENT, "ottla", "container", "health", "--final", "/none", check=False)
        assert missing.returncode == 1 and "does not answer" in missing.stderr, missing.stderr


def data_in_a_volume_outlives_the_container():
    for environment, path in ((None, "/var/lib/kafka/data"), (CONFLUENT, "/var/lib/kafka/data"), (BITNAMI, "/bitnami"),
                              ({"KAFKA_NUM_PARTITIONS": "1"}, "/tmp/kafka-logs")):
        broker = "kafka:29092" if environment is CONFLUENT else "kafka:9092"
        with volume("kept") as kept:
            with Node("-v", f"{kept}:{path}", environment=environment) as node:
                node.running()
                round_trip(CLIENT, broker)
                node.stopped()
            with Node("-v", f"{kept}:{path}", environment=environment) as node:
                node.running()
                got = consumed(CLIENT, broker)
                assert len(got) == 100, f"{path}: {len(got)} of 100 records are left"


def a_volume_over_kafka_s_own_places_takes_the_data():
    with volume("kept") as kept, Node("-v", f"{kept}:/tmp/kraft-combined-logs") as node:
        node.running()
        node.holds("/tmp/kraft-combined-logs")


def apache_by_environment():
    with Node(environment=APACHE) as node:
        node.running()
        node.healthy()
        round_trip(CLIENT, "kafka:19092")
        assert advertised(CLIENT, "kafka:9092") == ["localhost:9092"]
        assert "4L6g3nShT-eMCtK--X86sw" in node.shell("cat /tmp/kraft-combined-logs/meta.properties")
        rendered = node.shell("cat /opt/kafka/config/server.properties")
        assert "# KAFKA_NODE_ID (environment)\nnode.id=1\n" in rendered, rendered
        node.stopped()


def apache_by_a_mounted_file_and_environment_on_top():
    properties = "node.id=5\nprocess.roles=broker,controller\nnum.partitions=2\nmin.insync.replicas=1\n"
    with folder({"server.properties": properties}) as config:
        with Node("-v", f"{config}:/mnt/shared/config:ro", environment={"KAFKA_NUM_PARTITIONS": "4"}) as node:
            node.running()
            round_trip(CLIENT, topic="four")
            assert partitions(CLIENT, "four") == 4
            assert "node.id=5" in node.shell("cat /var/lib/kafka/data/meta.properties")


def arguments_are_variables():
    for command in (["/etc/kafka/docker/run", "KAFKA_NUM_PARTITIONS=3"], ["KAFKA_NUM_PARTITIONS=3"]):
        with Node(command=command, environment={"KAFKA_NUM_PARTITIONS": "2"}) as node:
            node.running()
            round_trip(CLIENT, topic="three")
            assert partitions(CLIENT, "three") == 3
            node.healthy()


def what_kafka_accepts_its_own_image_by():
    flows.run(ENGINE, Node, docker, folder)


def confluent_by_its_entry_point_and_without():
    for command in ([], ["/etc/confluent/docker/run"]):
        with Node(environment=CONFLUENT, command=command) as node:
            node.running()
            round_trip(CLIENT, "kafka:29092")
            node.holds("/var/lib/kafka/data")
            assert "MkU3OEVBNTcwNTJENDM2Qk" in node.shell("cat /var/lib/kafka/data/meta.properties")
            node.healthy()
            node.stopped()


def a_broker_of_zookeeper_s_days_is_a_node_of_its_own():
    with Node(environment=ZOOKEEPER) as node:
        node.running()
        assert "WARN zookeeper.connect (KAFKA_ZOOKEEPER_CONNECT (environment)) is ignored" in logs(node.name)
        round_trip(CLIENT, "kafka:29092")


def a_zookeeper_in_the_background_keeps_its_port():
    script = """echo clientPort=2199 >/tmp/zookeeper.properties
      zookeeper-server-start -daemon /tmp/zookeeper.properties || exit 1
      for turn in 1 2 3; do
        for attempt in $(seq 300); do nc -z localhost 2199 && echo $turn && continue 2; sleep 0.1; done
        exit 1
      done"""
    done = docker("exec", CLIENT, "bash", "-c", script).stdout.splitlines()
    assert done[0].startswith("zookeeper-server-start is ignored") and done[1:] == ["1", "2", "3"], done


def bitnami_by_environment():
    with folder({"id": "abcdefghijklmnopqrstug\n", "01-topics.sh": "#!/bin/bash\necho script was run\n"}) as home:
        options = ["-v", f"{home}/id:/run/secrets/id:ro", "-v", f"{home}/01-topics.sh:/docker-entrypoint-initdb.d/01.sh:ro"]
        for extra in ({"KAFKA_CLUSTER_ID_FILE": "/run/secrets/id"}, {"KAFKA_KRAFT_CLUSTER_ID": "abcdefghijklmnopqrstug"}):
            environment = BITNAMI | extra | {"KAFKA_NODE_ID_COMMAND": "echo 0"}
            with volume("bitnami") as kept, Node(*options, "-v", f"{kept}:/bitnami/kafka", environment=environment) as node:
                node.running()
                round_trip(CLIENT)
                assert "script was run" in logs(node.name)
                told = node.shell("cat /bitnami/kafka/data/meta.properties")
                assert "node.id=0" in told and "abcdefghijklmnopqrstug" in told, told
                node.healthy()
                node.stopped()


def bitnami_by_entry_point_and_mounted_file():
    properties = "node.id=3\nprocess.roles=broker,controller\nnum.partitions=6\nlog.dirs=/bitnami/kafka/data\n"
    with folder({"server.properties": properties}) as config:
        options = ["-v", f"{config}:/bitnami/kafka/config:ro", "--entrypoint", "/opt/bitnami/scripts/kafka/entrypoint.sh"]
        command = ["/opt/bitnami/scripts/kafka/run.sh"]
        with Node(*options, environment={"KAFKA_CFG_NUM_PARTITIONS": "1"}, command=command) as node:
            node.running()
            round_trip(CLIENT, topic="six")
            assert partitions(CLIENT, "six") == 6


def a_read_only_root_and_foreign_users_are_served():
    with volume("users") as users:
        cases = {
            "read-only": (["--read-only"], None),
            "read-only confluent": (["--read-only", "--tmpfs", "/tmp"], CONFLUENT),
            "1001:0": (["--user", "1001:0"], None),
            "1001:0 bitnami": (["--user", "1001:0", "-v", f"{users}:/bitnami/kafka"], BITNAMI),
            "1001:0 read-only, no privileges": (
                ["--user", "1001:0", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"], APACHE | {
                    "KAFKA_LOG_DIRS": "/var/lib/kafka/data"}),
        }
        for name, (options, environment) in cases.items():
            print(name, flush=True)
            port = {id(None): 9092, id(BITNAMI): 9092, id(CONFLUENT): 29092}.get(id(environment), 19092)
            with Node(*options, environment=environment) as node:
                node.running()
                round_trip(CLIENT, f"kafka:{port}", lines=10)
                node.healthy()
                node.stopped()


def what_names_peers_or_asks_for_security_is_refused_in_a_sentence():
    several = APACHE | {"KAFKA_CONTROLLER_QUORUM_VOTERS": "1@kafka1:9093,2@kafka2:9093,3@kafka3:9093"}
    secure = APACHE | {
        "KAFKA_LISTENERS": "SASL_SSL://:9093,CONTROLLER://:29093,PLAINTEXT://:19092",
        "KAFKA_ADVERTISED_LISTENERS": "SASL_SSL://kafka:9093,PLAINTEXT://kafka:19092",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL",
        "KAFKA_SSL_KEYSTORE_FILENAME": "kafka.keystore.jks",
        "KAFKA_OPTS": "-Djava.security.auth.login.config=/etc/kafka/secrets/jaas.conf",
    }
    cases = [
        (several, "controller.quorum.voters=1@kafka1:9093,2@kafka2:9093,3@kafka3:9093 is refused (KAFKA_CONTROLLER_QUORUM_VOTERS"),
        (APACHE | {"KAFKA_PROCESS_ROLES": "broker", "KAFKA_CONTROLLER_QUORUM_VOTERS": "2@c:9093",
                   "KAFKA_LISTENERS": "PLAINTEXT://:19092", "KAFKA_ADVERTISED_LISTENERS": "PLAINTEXT://kafka:19092"},
         "process.roles=broker is refused (KAFKA_PROCESS_ROLES (environment)): a node can only be both yet: set process.roles=broker,controller"),
        (ZOOKEEPER | {"KAFKA_BROKER_ID": "2"}, "zookeeper.connect=zookeeper:2181 is refused (KAFKA_ZOOKEEPER_CONNECT"),
        (secure, "kafka.keystore.jks (KAFKA_SSL_KEYSTORE_FILENAME (environment)) is a PEM file; "
                 "/etc/kafka/secrets/jaas.conf (KAFKA_OPTS) is a JAAS file with KafkaServer (PlainLoginModule)"),
        ({"KAFKA_NUM_PARTITIONS": "none"}, "Invalid value none for configuration num.partitions: Not a number of type INT (KAFKA_NUM_PARTITIONS (environment))"),
    ]
    jaas = 'KafkaServer { org.apache.kafka.common.security.plain.PlainLoginModule required user_a="b"; };'
    with folder({"kafka.keystore.jks": "-----BEGIN CERTIFICATE-----\n", "jaas.conf": jaas}) as secrets:
        for environment, sentence in cases:
            with volume("empty") as empty:
                options = ["--rm", "-v", f"{empty}:/var/lib/kafka/data", "-v", f"{empty}:/tmp/kraft-combined-logs",
                           "-v", f"{secrets}:/etc/kafka/secrets:ro"]
                done = docker("run", *options, *variables(environment), "ottla", check=False)
                assert done.returncode == 1, f"status {done.returncode}: {sentence}"
                assert sentence in done.stderr, f"{sentence!r} is not in {done.stderr!r}"
                left = docker("run", "--rm", "-v", f"{empty}:/left", "ottla", "ls", "-A", "/left").stdout.split()
                assert left == [], f"{left} was written before {sentence!r}"


def a_directory_of_somebody_else_is_told_by_its_owner():
    with folder({}) as root_s:
        done = docker("run", "--rm", "-v", f"{root_s}:/var/lib/kafka/data", "ottla", check=False)
        assert done.returncode == 1 and "Permission denied" in done.stderr, done.stderr
        assert "what is mounted for the data must belong to user 1000" in done.stderr, done.stderr
        with Node("--user", "0:0", "-v", f"{root_s}:/var/lib/kafka/data") as node:
            node.running()
            node.holds("/var/lib/kafka/data")


def changed_scripts_and_settings_are_obeyed():
    script = """sed -i '/KAFKA_ZOOKEEPER_CONNECT/d' /etc/confluent/docker/configure
      echo 'echo script was changed; echo num.partitions=9 >> /etc/kafka/kafka.properties' >> /etc/confluent/docker/configure
      echo '' > /etc/confluent/docker/ensure
      exec /etc/confluent/docker/run"""
    with Node(environment=CONFLUENT, command=["bash", "-c", script]) as node:
        node.running()
        assert "script was changed" in logs(node.name)
        round_trip(CLIENT, "kafka:29092", topic="nine")
        assert partitions(CLIENT, "nine", "kafka:29092") == 9


def kafka_server_start_obeys_its_file_alone():
    with Node(environment={"KAFKA_NODE_ID": "x"}, command=["kafka-server-start", "/opt/kafka/config/server.properties"]) as node:
        node.running()
        node.holds("/tmp/kafka-logs")
    with folder({"my.properties": "node.id=4\nprocess.roles=broker,controller\nlog.dirs=/tmp/kafka-logs\n"}) as home:
        command = ["/opt/kafka/bin/kafka-server-start.sh", "/my/my.properties", "--override", "num.partitions=2"]
        with Node("-v", f"{home}:/my:ro", environment={"KAFKA_NUM_PARTITIONS": "8"}, command=command) as node:
            node.running()
            round_trip(CLIENT, topic="two")
            assert partitions(CLIENT, "two") == 2
            node.holds("/tmp/kafka-logs")


# How Testcontainers' modules start an image: a loop that waits, then a script that is copied in.
WAITING = "while [ ! -f {0} ]; do sleep 0.1; done; {1} {0}"


def testcontainers_start_protocols():
    listeners = {"KAFKA_LISTENERS": "PLAINTEXT://0.0.0.0:9092,BROKER://0.0.0.0:9093,CONTROLLER://0.0.0.0:9094",
                 "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "BROKER:PLAINTEXT,PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
                 "KAFKA_INTER_BROKER_LISTENER_NAME": "BROKER", "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
                 "KAFKA_PROCESS_ROLES": "broker,controller", "KAFKA_NODE_ID": "1", "KAFKA_BROKER_ID": "1",
                 "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9094", "CLUSTER_ID": "4L6g3nShT-eMCtK--X86sw",
                 "KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS": "1", "KAFKA_LOG_FLUSH_INTERVAL_MESSAGES": "9223372036854775807"}
    advertise = "export KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://kafka:9092,BROKER://$(hostname -i | cut -d' ' -f1):9093\n"
    protocols = {
        "Java, apache/kafka": ("/tmp/testcontainers_start.sh", "", "#!/bin/bash\n" + advertise + "/etc/kafka/docker/run\n"),
        "Java, cp-kafka": ("/tmp/testcontainers_start.sh", "", "#!/bin/bash\n" + advertise + "/etc/confluent/docker/run\n"),
        "Go": ("/usr/sbin/testcontainers_start.sh", "bash", "#!/bin/bash\nsource /etc/confluent/docker/bash-config\n" + advertise
               + "sed -i '/KAFKA_ZOOKEEPER_CONNECT/d' /etc/confluent/docker/configure\n"
               + "echo '' > /etc/confluent/docker/ensure\n/etc/confluent/docker/configure\n/etc/confluent/docker/launch\n"),
        "Python": ("/tc-start.sh", "sh", ". /etc/confluent/docker/bash-config\n" + advertise
                   + "/etc/confluent/docker/configure\n/etc/confluent/docker/launch\n"),
        "Rust": ("/opt/kafka/testcontainers_start.sh", "", "#!/bin/bash\n" + advertise + "/etc/kafka/docker/run\n"),
    }
    legacy = {name: value for name, value in listeners.items() if "CONTROLLER" not in name and "ROLES" not in name and "NODE" not in name}
    legacy["KAFKA_LISTENERS"] = "PLAINTEXT://0.0.0.0:9092,BROKER://0.0.0.0:9093"
    protocols["Java, ZooKeeper"] = ("/testcontainers_start.sh", "", "#!/bin/bash\n" + advertise
        + "echo 'clientPort=2181' > /tmp/zookeeper.properties\nzookeeper-server-start /tmp/zookeeper.properties &\n"
        + "export KAFKA_ZOOKEEPER_CONNECT=localhost:2181\n/etc/confluent/docker/run\n")
    for name, (path, shell, script) in protocols.items():
        print(name, flush=True)
        command = ["-c", WAITING.format(path, shell)]
        environment = legacy if "ZooKeeper" in name else listeners
        with folder({"start.sh": script}) as home, Node("--entrypoint", "sh", environment=environment, command=command) as node:
            # Under its name it is there at once, and whole.
            docker("cp", f"{home}/start.sh", f"{node.name}:{path}.part")
            docker("exec", "--user", "0", node.name, "mv", f"{path}.part", path)
            node.running()
            round_trip(CLIENT, lines=10)
            if environment is legacy:
                until(lambda: "[KafkaServer id=1] started" in logs(node.name), 20, "a line is missing")


def public_definitions_run():
    """Services as public files define them (corpus.json), some at a time: healthy by their own check, and a round trip."""
    with open(os.path.join(HERE, "corpus.json"), encoding="utf-8") as file:
        corpus = json.load(file)
    waiting, wrong = queue.SimpleQueue(), []
    for definition in corpus:
        waiting.put(definition)
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as lanes:
        for lane in [lanes.submit(public_definitions, number, waiting, wrong) for number in range(AT_ONCE)]:
            lane.result()
    print(f"{len(corpus) - len(wrong)} of {len(corpus)} definitions", flush=True)
    assert not wrong, "; ".join(wrong)


AT_ONCE = 4


def public_definitions(number, waiting, wrong):
    """Takes one after the other, in a network of its own: they go by the same few names."""
    network = f"corpus{number}"
    docker("network", "create", network)
    with contextlib.suppress(queue.Empty):
        while True:
            definition = waiting.get_nowait()
            try:
                public_definition(definition, network)
            except Exception as error:  # noqa: BLE001 - all of them are told
                wrong.append(f"{definition['of']}: {type(error).__name__}: {str(error)[-300:]}")
                print(wrong[-1].replace("\n", " | "), flush=True)
    docker("network", "rm", network)


def public_definition(definition, network):
    environment, name = definition["environment"], definition["name"]
    options = ["--hostname", definition.get("hostname", name)]
    if "health" in definition:
        options += ["--health-cmd", definition["health"]]
    with contextlib.ExitStack() as kept:
        for place, path in enumerate(definition.get("volumes", [])):
            options += ["-v", f"{kept.enter_context(volume(f'{network}-{place}'))}:{path}"]
        if "refused" in definition:
            done = docker("run", "--rm", *options, *variables(environment), "ottla", check=False)
            assert done.returncode == 1 and f"{definition['refused']}=" in done.stderr, done.stderr
            assert "is refused" in done.stderr, done.stderr
            return
        with Node(*options, environment=environment, alias=name, network=network) as node:
            # Some say nothing below WARN: the line of a start is not waited for.
            node.healthy()
            reachable = reachable_inside(environment)
            for address in reachable or ["localhost:9092"]:
                # Some switch the creation of topics on first use off.
                tool = ["kafka-topics", "--bootstrap-server", address, "--create", "--if-not-exists", "--topic", "t"]
                docker("exec", node.name, *tool)
            round_trip(node.name, reachable[0] if reachable else "localhost:9092", lines=10)


def reachable_inside(environment):
    """Which of the addresses that a definition advertises lead to its broker from the container itself."""
    places, addresses = [], []
    for setting in ("LISTENERS", "ADVERTISED_LISTENERS"):
        told = environment.get(f"KAFKA_CFG_{setting}", environment.get(f"KAFKA_{setting}", ""))
        entries = [entry.strip().split("://") for entry in told.split(",") if "://" in entry]
        places, addresses = addresses, entries
    bound = {name: address.rsplit(":", 1)[0] for name, address in places}
    everywhere = ("", "0.0.0.0", "localhost", "127.0.0.1")
    return [
        address for name, address in addresses
        if not address.startswith("host.docker.internal")
        # A port mapping leads to one address of the container only.
        and not (address.startswith(("localhost:", "127.0.0.1:")) and bound.get(name, "") not in everywhere)
    ]


def the_compose_files_run():
    files = [os.path.join(IMAGES, "docker-compose.yml"), *sorted(glob.glob(os.path.join(IMAGES, "examples", "*.yml")))]
    assert len(files) >= 4, files
    for file in files:
        begin = time.monotonic()
        project = ["docker-compose", "-f", file, "-p", "example"]
        try:
            run(*project, "up", "-d", "--no-build", timeout=120)
            until(lambda: all(is_done_or_healthy(name) for name in composed()), 90, f"{file} does not come up")
            inside = ["nsenter", "-t", ENGINE, "-n", "timeout", "20", "kcat", "-b", "localhost:9092"]
            run(*inside, "-t", "composed", "-P", stdin="one\n")
            assert run(*inside, "-t", "composed", "-C", "-e", "-q", "-o", "beginning").stdout == "one\n"
        finally:
            docker("rm", "-f", "-v", *composed(), check=False)
            run(*project, "down", "-v", timeout=60, check=False)
        print(f"{os.path.basename(file)}: {time.monotonic() - begin:.1f} s", flush=True)


def composed():
    return docker("ps", "-aq", "--filter", "label=com.docker.compose.project=example").stdout.split()


def is_done_or_healthy(name):
    """The broker becomes healthy; what is there to do something once ends with success."""
    state = inspect(name)["State"]
    if "Health" in state:
        return state["Health"]["Status"] == "healthy"
    assert state["Running"] or state["Restarting"] or state["ExitCode"] == 0, logs(name)[-400:]
    return not state["Running"] and state["ExitCode"] == 0


TESTS = [
    the_image_is_small_and_says_what_it_is,
    shells_tools_certificates_and_time_zones_are_there,
    directories_are_there_for_users_of_root_s_group,
    entry_points_and_tools_are_at_every_image_s_place,
    what_is_not_built_says_so_in_one_sentence,
    without_a_word_it_runs_and_a_neighbour_reaches_it,
    a_port_mapping_is_answered_with_localhost,
    the_static_binary_asks_the_container_s_name_server,
    data_in_a_volume_outlives_the_container,
    a_volume_over_kafka_s_own_places_takes_the_data,
    apache_by_environment,
    apache_by_a_mounted_file_and_environment_on_top,
    arguments_are_variables,
    what_kafka_accepts_its_own_image_by,
    confluent_by_its_entry_point_and_without,
    a_broker_of_zookeeper_s_days_is_a_node_of_its_own,
    a_zookeeper_in_the_background_keeps_its_port,
    bitnami_by_environment,
    bitnami_by_entry_point_and_mounted_file,
    a_read_only_root_and_foreign_users_are_served,
    what_names_peers_or_asks_for_security_is_refused_in_a_sentence,
    a_directory_of_somebody_else_is_told_by_its_owner,
    changed_scripts_and_settings_are_obeyed,
    kafka_server_start_obeys_its_file_alone,
    testcontainers_start_protocols,
    public_definitions_run,
    the_compose_files_run,
]
WITH_PORTS = [
    a_port_mapping_is_answered_with_localhost,
    what_kafka_accepts_its_own_image_by,
    testcontainers_start_protocols,
    the_compose_files_run,
]


def is_wanted(test):
    wanted = sys.argv[4:]
    return not wanted or test.__name__ in wanted or ("with-ports" if test in WITH_PORTS else "without-ports") in wanted


docker("network", "create", NETWORK)
CLIENT = docker("run", "-d", "--network", NETWORK, "--no-healthcheck", "ottla", "sleep", "3600").stdout.strip()[:12]
for test in TESTS:
    if not is_wanted(test):
        continue
    name = test.__name__.replace("_", "-")
    try:
        test()
        print(f"ok {name}", flush=True)
    except Exception as error:  # noqa: BLE001 - a test program reports whatever went wrong
        print(f"not ok {name}: {type(error).__name__}: {str(error)[-900:]}".replace("\n", " | "), flush=True)
docker("rm", "-f", CLIENT)
print("end")
