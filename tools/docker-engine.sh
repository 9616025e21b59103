#!/usr/bin/env bash
# Sees to a Docker engine for the tests on a real Neo4j. Where none answers: installs or starts one if it may (root on
# Debian or Ubuntu, unless KGQA_NO_DOCKER=1), else says what to install. Leaves with 0 either way, because the other
# tests can run and pytest counts what was not; with CI=true a missing engine is a failure.
set -euo pipefail

image=${KGQA_NEO4J_IMAGE:-neo4j:5.26-community}
answers() { timeout 20 docker info >/dev/null 2>&1; }

give_up() {
  {
    echo "No Docker engine: $1"
    echo "The tests on a real Neo4j need one. Install Docker (Debian, Ubuntu: apt-get install docker.io; elsewhere: Docker"
    echo "Desktop or Docker Engine), start it, see that \`docker info\` answers, and run the tests again."
  } >&2
  if [ "${CI:-}" = true ]; then
    echo "CI=true, so this is a failure." >&2
    exit 1
  fi
  exit 0
}

start_engine() {
  if command -v systemctl >/dev/null && [ -d /run/systemd/system ]; then
    systemctl start docker >/dev/null 2>&1 || true
  elif command -v service >/dev/null; then
    service docker start >/dev/null 2>&1 || true
  fi
  for _ in 1 2 3 4 5; do
    if answers; then return 0; fi
    sleep 1
  done
  # Neither started one (a container, say): start the daemon itself, so that it outlives this script.
  setsid nohup dockerd >"$log" 2>&1 </dev/null &
  for _ in $(seq 60); do
    if answers; then return 0; fi
    kill -0 $! 2>/dev/null || break
    sleep 1
  done
  return 1
}

if ! answers; then
  [ "${KGQA_NO_DOCKER:-}" != 1 ] || give_up "none answers, and KGQA_NO_DOCKER=1 forbids to get one."
  [ -z "${DOCKER_HOST:-}" ] || give_up "none answers at DOCKER_HOST=$DOCKER_HOST."
  [ "$(id -u)" = 0 ] || give_up "none answers, and only root may install or start one (is this user in the group docker?)."
  # shellcheck source=/dev/null
  [ -r /etc/os-release ] && . /etc/os-release
  case " ${ID:-} ${ID_LIKE:-} " in
    *" debian "* | *" ubuntu "*) ;;
    *) give_up "none answers, and this is neither Debian nor Ubuntu." ;;
  esac
  if ! command -v dockerd >/dev/null || ! command -v docker >/dev/null; then
    echo "The tests on a real Neo4j need a Docker engine. Installing the packages docker.io and iptables with apt-get"
    echo "(KGQA_NO_DOCKER=1 forbids it) ..."
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq </dev/null || give_up "apt-get update failed."
    apt-get install -y -qq --no-install-recommends docker.io iptables </dev/null >/dev/null ||
      give_up "apt-get install docker.io failed."
  fi
  echo "Starting the Docker engine ..."
  log=$(mktemp -t dockerd.XXXXXX.log)
  start_engine || give_up "it didn't start; what it said is in $log."
fi

# Pulled here rather than inside a test, so that the wait shows and no test's time limit pays for it.
if ! docker image inspect "$image" >/dev/null 2>&1; then
  echo "Pulling $image ..."
  docker pull --quiet "$image" >/dev/null || echo "Couldn't pull $image; the tests that need it will fail." >&2
fi
