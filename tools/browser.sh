#!/usr/bin/env bash
# Chromium for the tests of the page: one that is installed, else Debian's or Ubuntu's, else Playwright's own.
# Without any the tests of the page are skipped and say so, and nothing else is different.
set -euo pipefail
cd "$(dirname "$0")/.."

if .venv/bin/python -m tests.browser.chromium; then
  exit 0
fi
if [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
  echo "installing chromium with apt-get"
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends chromium > /dev/null || true
else
  echo "installing chromium with playwright"
  .venv/bin/python -m playwright install chromium || true
fi
.venv/bin/python -m tests.browser.chromium || echo "there is no Chromium: the tests of the page will be skipped" >&2
