#!/usr/bin/env bash
# Writes requirements.txt (what Azure installs) and requirements-dev.txt (what `make` installs) from
# pyproject.toml, with hashes and without the name of any registry. With --check it only compares.
set -euo pipefail
cd "$(dirname "$0")/.."
uv="${UV:-uv}"

compile() { # compile OUTPUT ARGUMENTS...: keeps the versions that OUTPUT already names
  local output="$1"
  shift
  "$uv" pip compile --quiet --generate-hashes --no-header --no-emit-index-url --no-annotate \
    pyproject.toml "$@" --output-file "$output"
}

runtime() { compile "$1" --python-version 3.13 --python-platform linux; }
development() { compile "$1" --universal --python-version 3.11 --all-extras --group dev; }

if [ "${1:-}" != "--check" ]; then
  runtime requirements.txt
  development requirements-dev.txt
  exit 0
fi

scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
cp requirements.txt requirements-dev.txt "$scratch/"
runtime "$scratch/requirements.txt"
development "$scratch/requirements-dev.txt"
for file in requirements.txt requirements-dev.txt; do
  diff -u "$file" "$scratch/$file" || { echo "$file is stale: run make requirements" >&2; exit 1; }
done
