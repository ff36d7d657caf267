#!/bin/bash
# Sets up before the broker is run, and runs anything else as it is.
set -o nounset -o errexit
case "$*" in
  */run.sh*) /opt/bitnami/scripts/kafka/setup.sh ;;
esac
exec "$@"
