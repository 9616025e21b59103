#!/usr/bin/env bash
# The demonstration: the whole film graph into an embedded store under .demo/, then three questions of one, two and
# three hops, in free text. Called by `make demo`.
set -euo pipefail
cd "$(dirname "$0")/.."

store=sqlite:///.demo/films.db

kgqa() {
  printf '\n$ kgqa'
  for word in "$@"; do
    case $word in *[!A-Za-z0-9_./:=-]*) printf ' "%s"' "$word" ;; *) printf ' %s' "$word" ;; esac
  done
  printf '\n'
  .venv/bin/kgqa "$@"
}

rm -rf .demo
mkdir .demo
kgqa ingest examples/films/kb.txt.gz --store "$store"
kgqa ask "who directed Blade Runner?" --store "$store"
kgqa ask "which films share a director with Memento?" --store "$store"
kgqa ask "who starred in the films that share a director with Toy Story?" --store "$store"
printf '\nThe store stays in .demo/. Ask your own: .venv/bin/kgqa ask "..." --store %s\n' "$store"
