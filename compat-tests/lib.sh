# shellcheck shell=bash disable=SC2034,SC2015
# Shared by every script of compat-tests. Source it; it sets no shell option.

COMPAT_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
REPO_ROOT=$(dirname "$COMPAT_ROOT")
COMPAT_CACHE=${COMPAT_CACHE:-$COMPAT_ROOT/.cache}
mkdir -p "$COMPAT_CACHE"

KAFKA_NEWEST=4.3.1 # behaviour is compared with this one
KAFKA_RANGES=4.1.2 # version ranges are compared with this one

note() { printf '%s\n' "$*" >&2; }
die() {
  note "error: $*"
  exit 1
}

now_ms() { date +%s%3N; }

# A TCP port of 127.0.0.1 that nobody listens on right now, and that the system gives to nobody who does not ask for it: a broker
# that is started again finds it free.
free_port() {
  python3 - <<'END'
import random, socket

with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as given:
    first = int(given.read().split()[0])
# Few are left on some machines: then it is any.
candidates = [random.randrange(10_000, first) for _ in range(100)] if first >= 12_000 else []
for port in [*candidates, 0]:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        print(probe.getsockname()[1])
        break
END
}

# port_open PORT: does anybody accept on 127.0.0.1:PORT?
port_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# wait_for SECONDS COMMAND...: polls until the command succeeds.
wait_for() {
  local deadline=$(($(date +%s) + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$(date +%s)" -lt "$deadline" ] || return 1
    sleep 0.1
  done
}

# stop_pid PID SECONDS: SIGTERM, then SIGKILL when the time is over. Fails if it had to be killed.
stop_pid() {
  local pid=$1 deadline=$(($(date +%s) + ${2:-30}))
  kill -TERM "$pid" 2>/dev/null || return 0
  while kill -0 "$pid" 2>/dev/null; do
    if [ "$(date +%s)" -ge "$deadline" ]; then
      kill -KILL "$pid" 2>/dev/null
      return 1
    fi
    sleep 0.05
  done
}

# prepared: with PREPARE=1 a suite ends here; what it fetches and compiles is there.
prepared() { [ -z "${PREPARE:-}" ] || exit 0; }

# quietly COMMAND...: its output is shown only when it fails.
quietly() {
  local log code=0
  log=$(mktemp)
  "$@" >"$log" 2>&1 || code=$?
  [ "$code" = 0 ] || tail -40 "$log" >&2
  rm -f "$log"
  return "$code"
}

# need_packages PACKAGE...: Debian packages, installed when missing (as root or through sudo).
need_packages() {
  local missing=() package
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  local sudo=()
  [ "$(id -u)" = 0 ] || sudo=(sudo -n)
  note "installing ${missing[*]}"
  # Somebody else may be installing.
  quietly "${sudo[@]}" timeout 300 apt-get -o DPkg::Lock::Timeout=200 update -qq || true
  quietly "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive timeout 900 \
    apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends "${missing[@]}" ||
    die "cannot install ${missing[*]}"
}

# need_command COMMAND PACKAGE: the package is installed only where the command is missing.
need_command() { command -v "$1" >/dev/null || need_packages "$2"; }

# need_java / need_node / need_go: toolchains that may come from elsewhere than Debian.
need_java() {
  command -v javac >/dev/null && command -v mvn >/dev/null || need_packages openjdk-17-jdk-headless maven
}
need_node() {
  command -v node >/dev/null && command -v npm >/dev/null || need_packages nodejs npm
}
need_go() { command -v go >/dev/null || need_packages golang-go; }

# lock NAME: the file of the lock under which this entry of the cache is made. Who asks for one at the same time waits, and looks
# again: suites run side by side, and beside what is made ahead for others.
lock() {
  mkdir -p "$COMPAT_CACHE/locks"
  printf '%s\n' "$COMPAT_CACHE/locks/$1"
}

# hold FD: takes the lock of this file, after whoever has it now.
hold() { flock -w 1800 "$1" || die "what another run makes in $COMPAT_CACHE does not come to its end"; }

# venv NAME REQUIREMENTS: a virtual environment with exactly the locked packages; prints its python.
venv() {
  local home=$COMPAT_CACHE/venv/$1 stamp
  stamp=$(sha256sum <"$2")
  (
    hold 7
    [ "$(cat "$home/stamp" 2>/dev/null)" != "$stamp" ] || exit 0
    command -v python3 >/dev/null && python3 -c 'import venv, ensurepip' 2>/dev/null || need_packages python3 python3-venv
    rm -rf "$home"
    quietly python3 -m venv "$home" || die "cannot create $home"
    quietly timeout 600 "$home/bin/pip" install -q --disable-pip-version-check --require-hashes --only-binary :all: -r "$2" ||
      die "cannot install $2"
    printf '%s\n' "$stamp" >"$home/stamp"
  ) 7>"$(lock "venv-$1")" || exit 1
  printf '%s\n' "$home/bin/python"
}

# node_modules DIR: the locked packages of one Node project; prints their folder.
node_modules() {
  local home stamp
  home=$COMPAT_CACHE/node/$(basename "$1")
  stamp=$(sha256sum <"$1/package-lock.json")
  (
    hold 7
    [ "$(cat "$home/stamp" 2>/dev/null)" != "$stamp" ] || exit 0
    need_node
    rm -rf "$home"
    mkdir -p "$home"
    cp "$1/package.json" "$1/package-lock.json" "$home/"
    (cd "$home" && quietly timeout 600 npm ci --no-audit --no-fund --ignore-scripts) || die "cannot install $1"
    printf '%s\n' "$stamp" >"$home/stamp"
  ) 7>"$(lock "node-$(basename "$1")")" || exit 1
  printf '%s\n' "$home/node_modules"
}

# go_program DIR: the program of one Go module, built with its locked dependencies; prints its path.
go_program() {
  local program
  program=$COMPAT_CACHE/go/$(basename "$1")
  need_go
  mkdir -p "$COMPAT_CACHE/go"
  # Several suites have one program.
  (hold 7 && cd "$1" && quietly timeout 900 go build -mod=readonly -o "$program" .) 7>"$(lock "go-$(basename "$1")")" ||
    die "cannot build $1"
  printf '%s\n' "$program"
}

# kafka_libs [VERSION]: the jars of one Kafka release, fetched once; prints their directory.
kafka_libs() {
  local version=${1:-$KAFKA_NEWEST}
  local home=$COMPAT_CACHE/kafka-$version
  (
    hold 7
    [ ! -e "$home/complete" ] || exit 0
    need_java
    rm -rf "$home"
    quietly timeout 900 mvn -q -B -f "$COMPAT_ROOT/oracle/pom.xml" -Dkafka.version="$version" \
      dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$home/libs" ||
      die "cannot fetch Kafka $version"
    # Kafka 3 brings another way of logging along.
    rm -f "$home"/libs/slf4j-reload4j-*.jar
    touch "$home/complete"
  ) 7>"$(lock "kafka-$version")" || exit 1
  printf '%s\n' "$home/libs"
}

# Short-lived JVMs: no second compiler tier, no collector threads, a small heap.
JAVA_SHORT=(-Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData -Xshare:auto)

# What a test program prints, see tally.py.
ok() { printf 'ok %s\n' "$1"; }
not_ok() { printf 'not ok %s: %s\n' "$1" "$2"; }

# tally DIR [PROGRAMS]: the results of one suite, with its allow.txt; ends with the summary line.
tally() { python3 "$COMPAT_ROOT/tally.py" "$@"; }

# crate_source NAME VERSION: the published source of one crate, as a workspace of its own; prints its folder.
crate_source() {
  local home=$COMPAT_CACHE/crates/$1-$2 fetched probe
  (
    hold 7
    [ ! -e "$home/Cargo.toml" ] || exit 0
    probe=$(mktemp -d)
    mkdir "$probe/src"
    touch "$probe/src/lib.rs"
    printf '[package]\nname = "probe"\nversion = "0.0.0"\nedition = "2021"\n[dependencies]\n%s = "=%s"\n[workspace]\n' "$1" "$2" >"$probe/Cargo.toml"
    fetched=$(cd "$probe" && timeout 300 cargo metadata -q --format-version 1 |
      python3 -c 'import json, sys; print(next(p["manifest_path"] for p in json.load(sys.stdin)["packages"] if p["name"] == sys.argv[1]))' "$1") ||
      die "cannot fetch $1 $2"
    rm -rf "$probe" "$home.part"
    mkdir -p "$COMPAT_CACHE/crates"
    cp -r "$(dirname "$fetched")" "$home.part"
    chmod -R u+w "$home.part"
    rm -f "$home.part/rust-toolchain.toml"
    printf '\n[workspace]\n' >>"$home.part/Cargo.toml"
    mv "$home.part" "$home"
  ) 7>"$(lock "crate-$1-$2")" || exit 1
  printf '%s\n' "$home"
}

# crate_tests DIR NAME VERSION ARGUMENT...: the crate's own tests, without those that DIR/allow.txt names, and their tally.
crate_tests() {
  local dir=$1 crate=$2 home skip=() name
  home=$(crate_source "$2" "$3") || exit 1
  shift 3
  while read -r name; do skip+=(--skip "$name"); done < <(sed 's/[[:space:]]*#.*//; /^$/d' "$dir/allow.txt")
  # A lock file of our own where the published one no longer builds.
  [ ! -e "$dir/Cargo.lock" ] || cp "$dir/Cargo.lock" "$home/Cargo.lock"
  cd "$home" || exit 1
  # Of its own: in a common one the tests of one crate wait for the lock of another's, within their time.
  export CARGO_TARGET_DIR=$COMPAT_CACHE/rust-target/$crate CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_DEBUG=0
  quietly timeout 1500 cargo test --locked --no-run "$@" || die "cannot build the tests of $home"
  prepared
  {
    timeout 300 cargo test --locked --no-fail-fast "$@" -- --test-threads=4 --exact "${skip[@]}" 2>&1 |
      python3 "$COMPAT_ROOT/convert.py" cargo "$dir"
    [ "${PIPESTATUS[0]}" != 124 ] && echo end
  } | tally "$dir"
}
