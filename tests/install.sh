#!/bin/sh
# Installs what the tests need and pip cannot bring. Needs root or sudo only where something is missing.
set -eu

have() { command -v "$1" >/dev/null 2>&1; }
have_nginx() { have nginx || [ -x /usr/sbin/nginx ]; }
node_is_new_enough() { have node && node -e 'process.exit(parseInt(process.versions.node, 10) < 18 ? 1 : 0)'; }
missing=""
have chromium || have chromium-browser || have google-chrome || missing="$missing chromium"
node_is_new_enough || missing="$missing nodejs"
have npm || missing="$missing npm"
have curl || missing="$missing curl"
have_nginx || missing="$missing nginx"

if [ -n "$missing" ] && have apt-get; then
    sudo=""
    [ "$(id -u)" = 0 ] || sudo="sudo"
    if [ -z "$sudo" ] || have sudo; then
        echo "installing:$missing"
        export DEBIAN_FRONTEND=noninteractive
        $sudo apt-get update -qq >/dev/null
        # shellcheck disable=SC2086
        $sudo apt-get install -y -qq --no-install-recommends $missing >/dev/null
        # The tests start servers of their own; those that Debian starts would only be in somebody's way.
        case "$missing" in *nginx*)
            [ ! -d /run/systemd/system ] || $sudo systemctl disable --quiet --now nginx || true
        esac
        missing=""
    fi
fi

if ! node_is_new_enough || ! have npm; then
    echo "The tests compare with the real express-session: please install Node.js 18 or newer, with npm, then run this again." >&2
    exit 1
fi

if ! have curl || ! have_nginx; then
    echo "The tests serve behind a real nginx and visit it with curl: please install both, then run this again." >&2
    exit 1
fi

npm install --prefix tests/node --no-package-lock --no-audit --no-fund --silent

# No apt, and no browser: Playwright brings its own.
case "$missing" in *chromium*) .venv/bin/playwright install chromium ;; esac
