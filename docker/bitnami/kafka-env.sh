# shellcheck shell=bash
# Read by the other scripts: values that commands of the user's give.
if [ -n "${KAFKA_NODE_ID_COMMAND:-}" ]; then
  KAFKA_CFG_NODE_ID=$(eval "$KAFKA_NODE_ID_COMMAND")
  export KAFKA_CFG_NODE_ID
fi
if [ -n "${KAFKA_CONTROLLER_QUORUM_VOTERS_COMMAND:-}" ]; then
  KAFKA_CFG_CONTROLLER_QUORUM_VOTERS=$(eval "$KAFKA_CONTROLLER_QUORUM_VOTERS_COMMAND")
  export KAFKA_CFG_CONTROLLER_QUORUM_VOTERS
fi
