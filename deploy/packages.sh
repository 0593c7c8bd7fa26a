#!/usr/bin/env bash
# packages.sh [build] [demo] [tests] - Installs what is missing from Debian.
#
# This is the one list of what it takes to build Holdfast, to show its demo and
# to run tests/check.sh; without an argument, the first two. Says nothing and
# asks for no rights when all is there. A node and npm from elsewhere are kept.
set -euo pipefail

build=(cmake gcc libc6-dev ninja-build pkg-config
    libcmocka-dev libhiredis-dev liblua5.1-0-dev libnng-dev libuv1-dev
    libxxhash-dev)
demo=(ca-certificates curl nginx-light redis-tools)
tests=(binutils clang clang-format git iproute2 iptables libclang-rt-dev python3
    redis-server shellcheck valgrind
    php-cli php-illuminate-cache php-illuminate-redis php-illuminate-session
    php-predis php-redis php-symfony-http-foundation
    python3-django python3-django-redis python3-django-redis-sessions
    python3-flask-session python3-redis
    ruby ruby-actionpack ruby-activesupport ruby-redis-rack)
command -v node >/dev/null || demo+=(nodejs)
command -v npm >/dev/null || demo+=(npm)

usage="usage: deploy/packages.sh [build] [demo] [tests]"
wanted=()
for group in "${@:-default}"; do
    case "$group" in
    build) wanted+=("${build[@]}") ;;
    demo) wanted+=("${demo[@]}") ;;
    tests) wanted+=("${tests[@]}") ;;
    default) wanted+=("${build[@]}" "${demo[@]}") ;;
    --help) echo "$usage" && exit 0 ;;
    *) echo "$usage" >&2 && exit 2 ;;
    esac
done

missing=()
for package in "${wanted[@]}"; do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) ||
        state=none
    [ "$state" = installed ] || missing+=("$package")
done
[ "${#missing[@]}" -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "packages.sh: run as root: apt-get install ${missing[*]}" >&2
        exit 1
    fi
    as_root=(sudo)
fi

# Installing a server starts it, on the port of the real one. Not here: for as
# long as this runs, services are told not to start, and one that was not there
# before is not started at boot either.
policy=/usr/sbin/policy-rc.d
policy_is_ours=no
allow_services() {
    if [ "$policy_is_ours" = yes ]; then
        "${as_root[@]}" rm -f "$policy"
    fi
}
trap allow_services EXIT
if [ ! -e "$policy" ]; then
    policy_is_ours=yes
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
    "${as_root[@]}" chmod 755 "$policy"
fi

echo "Installing ${missing[*]}"
"${as_root[@]}" apt-get update -q
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y \
    --no-install-recommends "${missing[@]}"

for package in "${missing[@]}"; do
    case "$package" in
    nginx-light) service=nginx ;;
    redis-server) service=redis-server ;;
    *) continue ;;
    esac
    if command -v systemctl >/dev/null; then
        "${as_root[@]}" systemctl disable -q "$service" 2>/dev/null || true
    fi
done
