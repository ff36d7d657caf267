#!/bin/bash
# Checks the settings, writes them down, and runs the user's scripts once in the life of a volume.
set -o nounset -o errexit
. /opt/bitnami/scripts/kafka-env.sh
ottla container configure --entry bitnami --final /opt/bitnami/kafka/config/server.properties

done_with_scripts=/bitnami/kafka/.user_scripts_initialized
if [ ! -e "$done_with_scripts" ]; then
  found=no
  for script in /docker-entrypoint-initdb.d/*.sh; do
    [ -f "$script" ] || continue
    found=yes
    echo "===> Running $script ..."
    if [ -x "$script" ]; then
      "$script"
    else
      . "$script"
    fi
  done
  if [ "$found" = yes ]; then
    touch "$done_with_scripts"
  fi
fi
