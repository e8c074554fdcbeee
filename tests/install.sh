#!/bin/sh
# Installs what the tests need and pip cannot bring. Needs root or sudo only where something is missing.
set -eu

missing=""
have() { command -v "$1" >/dev/null 2>&1; }

have chromium || have chromium-browser || have google-chrome || missing="$missing chromium"

have node || missing="$missing nodejs"

have curl || missing="$missing curl"

no_nginx=""
have nginx || [ -x /usr/sbin/nginx ] || no_nginx=yes
[ -z "$no_nginx" ] || missing="$missing nginx"

[ -z "$missing" ] && exit 0

if have apt-get; then
    sudo=""
    [ "$(id -u)" = 0 ] || sudo="sudo"
    if [ -z "$sudo" ] || have sudo; then
        echo "installing:$missing"
        export DEBIAN_FRONTEND=noninteractive
        $sudo apt-get update -qq >/dev/null
        # shellcheck disable=SC2086
        $sudo apt-get install -y -qq --no-install-recommends $missing >/dev/null
        # The tests start an nginx of their own; the one that Debian starts on port 80 would only be in somebody's way.
        if [ -n "$no_nginx" ] && [ -d /run/systemd/system ]; then
            $sudo systemctl disable --quiet --now nginx || true
        fi
        exit 0
    fi
fi

case "$missing" in *nodejs*)
    echo "The tests compare with the real JSON.stringify: please install Node.js 18 or newer, then run this again." >&2
    exit 1
esac

case "$missing" in *curl*|*nginx*)
    echo "The tests serve behind a real nginx and visit it with curl: please install both, then run this again." >&2
    exit 1
esac

# No apt, and no browser: Playwright brings its own.
.venv/bin/playwright install chromium
