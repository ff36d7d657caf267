#!/bin/bash
set -o nounset -o errexit
. /opt/bitnami/scripts/kafka-env.sh
exec ottla container start --entry bitnami --final /opt/bitnami/kafka/config/server.properties
