#!/usr/bin/env bash
# quickstart.sh - A Holdfast cluster on this machine, and a shop on top of it
# that keeps its logins while the nodes are killed one after the other.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
demo=$root/deploy/express-demo
# Programs built elsewhere may be tried instead: nothing is built then.
build=${HOLDFAST_BUILD:-$root/build}

node_count=3
port_base=7379
keep=no
user_count=30
node_count_max=9
settle_seconds=60

usage() {
    cat <<END
usage: deploy/quickstart.sh [--nodes N] [--port-base P] [--keep]

Installs what is missing, builds Holdfast, starts N nodes and the demo shop,
logs users in, and kills one node after the other until a single one is left.
Ends with 0 if no session was lost and no request failed.

  --nodes N      nodes to start, 2 to $node_count_max (default 3)
  --port-base P  first port to use (default 7379); all are on 127.0.0.1:
                   P + i          node i, for clients (i from 0)
                   P + 10000 + i  node i, for other nodes
                   P + 1000 + i   application process i, beside node i
                   P + 2000       the front: open this one in a browser
  --keep         start the killed nodes again and leave all of it running
  --help         this text

HOLDFAST_BUILD=DIR uses the programs in DIR instead of building them.
END
}

refuse() {
    echo "quickstart.sh: $1" >&2
    exit 2
}

# Prints the number, or says which option takes what.
number() {
    local option=$1 text=$2 least=$3 most=$4
    if ! [[ $text =~ ^[0-9]{1,5}$ ]] || ((10#$text < least)) ||
        ((10#$text > most)); then
        refuse "$option '$text': a number from $least to $most is needed"
    fi
    echo $((10#$text))
}

while [ $# -gt 0 ]; do
    case "$1" in
    --nodes) node_count=$(number "$1" "${2-}" 2 "$node_count_max") ;;
    --port-base) port_base=$(number "$1" "${2-}" 1024 55000) ;;
    --keep) keep=yes ;;
    --help) usage && exit 0 ;;
    *) refuse "unknown option '$1'; --help lists them" ;;
    esac
    case "$1" in
    --nodes | --port-base) shift ;;
    esac
    shift
done

front_port=$((port_base + 2000))
front=http://127.0.0.1:$front_port/
node_port() { echo $((port_base + $1)); }
peer_port() { echo $((port_base + 10000 + $1)); }
app_port() { echo $((port_base + 1000 + $1)); }

# --- What we started, and how to stop it -------------------------------------

run_dir=
declare -A pids=() # Name to process id, of what should be running.

started=$SECONDS
say() { printf '\n[%3d s] %s\n' $((SECONDS - started)) "$1"; }
tell() { printf '    %s\n' "$*"; }

# start NAME COMMAND...: in a session of its own, so that Ctrl-C reaches this
# script alone, which then stops things in order.
start() {
    local name=$1
    shift
    setsid "$@" >>"$run_dir/$name.log" 2>&1 </dev/null &
    pids[$name]=$!
    printf '%s\n' "${pids[@]}" >"$run_dir/pids"
}

# Only a child of ours: a process id may belong to somebody else by now.
is_running() {
    local pid=${pids[$1]-}
    [ -n "$pid" ] && jobs -rp | grep -qx "$pid"
}

stop() {
    local name=$1 signal=${2:-TERM} pid=${pids[$1]-}
    if is_running "$name"; then
        kill -s "$signal" "$pid" 2>/dev/null || true
    fi
}

# reap NAME: waits for it to end and forgets it. Its exit code.
reap() {
    local pid=${pids[$1]} result=0
    wait "$pid" 2>/dev/null || result=$?
    unset "pids[$1]"
    return "$result"
}

all_have_ended() {
    local name
    for name in "${!pids[@]}"; do
        if is_running "$name"; then
            return 1
        fi
    done
}

clean_up() {
    local result=$? name
    trap - EXIT
    trap '' INT TERM HUP
    [ -n "$run_dir" ] || exit "$result"
    for name in "${!pids[@]}"; do
        stop "$name"
    done
    poll 5 all_have_ended || true
    for name in "${!pids[@]}"; do
        stop "$name" KILL
    done
    if [ "$result" -eq 0 ] || [ "$result" -gt 128 ]; then
        rm -rf "$run_dir"
    else
        printf '\nThe logs are in %s\n' "$run_dir" >&2
    fi
    exit "$result"
}

# poll SECONDS COMMAND...: until it succeeds; 1 if it does not in time.
poll() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$deadline" ] || return 1
        sleep 0.1
    done
}

# --- The parts ---------------------------------------------------------------

is_busy() { (: <>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

check_ports() {
    local i port busy=()
    for port in "$front_port" $(for ((i = 0; i < node_count; i++)); do
        node_port "$i" && peer_port "$i" && app_port "$i"
    done); do
        if is_busy "$port"; then
            busy+=("$port")
        fi
    done
    if [ "${#busy[@]}" -gt 0 ]; then
        echo "quickstart.sh: ports in use: ${busy[*]}." \
            "Stop what uses them, or choose others with --port-base." >&2
        exit 1
    fi
}

build_programs() {
    local generator=()
    if [ ! -e "$build/CMakeCache.txt" ]; then
        generator=(-G Ninja)
    fi
    cmake -S "$root" -B "$build" "${generator[@]}" \
        -DCMAKE_BUILD_TYPE=Release >"$run_dir/cmake.log" ||
        { cat "$run_dir/cmake.log" >&2 && exit 1; }
    cmake --build "$build" --target holdfastd holdfast
}

# npm writes what it installed; if that is from this lock file, it is there.
install_demo() {
    local mark=$demo/node_modules/.quickstart
    if ! cmp -s "$demo/package-lock.json" "$mark"; then
        (cd "$demo" && npm ci --no-audit --no-fund)
        cp "$demo/package-lock.json" "$mark"
    fi
}

# start_node INDEX. Any node may be a seed, so all of them are given.
start_node() {
    local i seeds=()
    for ((i = 0; i < node_count; i++)); do
        seeds+=("127.0.0.1:$(peer_port "$i")")
    done
    start "node$(($1 + 1))" "$build/holdfastd" \
        --name "node$(($1 + 1))" --port "$(node_port "$1")" \
        --peer-port "$(peer_port "$1")" \
        --seeds "$(IFS=, && echo "${seeds[*]}")"
}

start_app() {
    start "app$(($1 + 1))" env PORT="$(app_port "$1")" \
        HOLDFAST_URL="redis://127.0.0.1:$(node_port "$1")" \
        SESSION_SECRET="$secret" APP_NAME="app$(($1 + 1))" \
        NODE_ENV=production node "$demo/server.js"
}

# A request that one process cannot answer goes to the next one, also if it is
# a POST: the shop's actions may be repeated. max_fails=0, because a front that
# has given up on all processes answers 502 without asking any: being refused
# takes a process a millisecond, so it costs nothing to ask again.
write_front() {
    local i servers="" user=""
    for ((i = 0; i < node_count; i++)); do
        servers+="        server 127.0.0.1:$(app_port "$i") max_fails=0;"$'\n'
    done
    if [ "$(id -u)" -eq 0 ]; then
        user="user root;" # The folder below is ours alone.
    fi
    cat >"$run_dir/front.conf" <<END
daemon off;
worker_processes 1;
pid $run_dir/front.pid;
error_log $run_dir/front-errors.log;
$user
events {
    worker_connections 256;
}
http {
    access_log off;
    client_body_temp_path $run_dir/front-body;
    proxy_temp_path $run_dir/front-proxy;
    fastcgi_temp_path $run_dir/front-fastcgi;
    uwsgi_temp_path $run_dir/front-uwsgi;
    scgi_temp_path $run_dir/front-scgi;
    upstream shop {
$servers    }
    server {
        listen 127.0.0.1:$front_port;
        location / {
            proxy_pass http://shop;
            proxy_set_header Host \$http_host;
            proxy_set_header X-Forwarded-For \$remote_addr;
            proxy_connect_timeout 1s;
            proxy_read_timeout 5s;
            proxy_next_upstream error timeout http_502 http_503 non_idempotent;
        }
    }
}
END
}

start_front() {
    write_front
    start front "$nginx" -p "$run_dir" -c "$run_dir/front.conf" \
        -e "$run_dir/front-errors.log"
}

app_is_ready() {
    curl -fs -o /dev/null "http://127.0.0.1:$(app_port "$1")/health"
}
front_is_ready() { curl -fs -o /dev/null "$front"; }

# The node whose word is taken: the first one that should be running.
some_node() {
    local i
    for ((i = 0; i < node_count; i++)); do
        if [ -n "${pids[node$((i + 1))]-}" ]; then
            echo "$i"
            return
        fi
    done
}

# settled COUNT: every session has all its copies, and the members are as many
# as that. (Just after a kill, all may still look well with the dead one.)
settled() {
    local port json
    port=$(node_port "$(some_node)")
    json=$(timeout 5 "$build/holdfast" status --port "$port" --json \
        2>/dev/null) || return 1
    node -e '
        const { members } = JSON.parse(process.argv[1]);
        process.exit(members.length === Number(process.argv[2]) ? 0 : 1);
    ' "$json" "$1"
}

await_settled() {
    local from=$SECONDS
    if ! poll "$settle_seconds" settled "$1"; then
        echo "quickstart.sh: not settled after $settle_seconds s:" >&2
        "$build/holdfast" status --port "$(node_port "$(some_node)")" >&2 ||
            true
        exit 1
    fi
    tell "settled on $1 of $node_count nodes after $((SECONDS - from)) s"
}

must_run() {
    if ! is_running "$1"; then
        echo "quickstart.sh: $1 has ended by itself. Its last words:" >&2
        tail -n 5 "$run_dir/$1.log" >&2
        exit 1
    fi
}

# --- The story ---------------------------------------------------------------

story() { node "$demo/story.js" "$1" "$front" "$run_dir" "$user_count"; }

failures=0
tell_story() { story "$1" || failures=$((failures + 1)); }

start_everything() {
    local i
    say "Starting $node_count nodes"
    for ((i = 0; i < node_count; i++)); do
        start_node "$i"
        tell "node$((i + 1)): 127.0.0.1:$(node_port "$i")," \
            "process ${pids[node$((i + 1))]}"
    done
    await_settled "$node_count"
    for ((i = 0; i < node_count; i++)); do
        must_run "node$((i + 1))"
    done

    say "Starting $node_count application processes and the front"
    secret=$(od -An -N 32 -t x1 /dev/urandom | tr -d ' \n')
    for ((i = 0; i < node_count; i++)); do
        start_app "$i"
    done
    start_front
    for ((i = 0; i < node_count; i++)); do
        poll 20 app_is_ready "$i" || must_run "app$((i + 1))"
        tell "app$((i + 1)): http://127.0.0.1:$(app_port "$i")/," \
            "beside node$((i + 1))"
    done
    poll 20 front_is_ready || must_run front
    tell "front: $front"
}

# kill_node INDEX LEFT: and see that nobody notices, before and after the
# cluster has healed.
kill_node() {
    local name=node$(($1 + 1))
    say "kill -9 $name (process ${pids[$name]}); $2 left"
    must_run "$name"
    stop "$name" KILL
    reap "$name" || true
    tell_story check
    if [ "$2" -gt 1 ]; then
        tell "making new copies of what $name held"
    fi
    await_settled "$2"
}

tell_all() {
    local i
    say "Logging in $user_count users through the front"
    tell_story login
    start shoppers node "$demo/story.js" shop "$front" "$run_dir"
    tell "from now on, some more users change their carts all the time"

    for ((i = 0; i < node_count - 1; i++)); do
        kill_node "$i" $((node_count - 1 - i))
    done

    say "Everybody on the last node"
    tell_story check
    must_run shoppers
    stop shoppers
    reap shoppers || failures=$((failures + 1))
    cat "$run_dir/shoppers.log"

    say "Summary"
    tell_story sum
}

leave_running() {
    local i last=$((node_count - 1))
    say "Starting the killed nodes again"
    for ((i = 0; i < last; i++)); do
        start_node "$i"
    done
    await_settled "$node_count"
    for ((i = 0; i < last; i++)); do
        poll 20 app_is_ready "$i" || true
    done
    cat <<END

All of it is running. Try:

  $front                       in a browser
  curl -si ${front}whoami
  curl -si -c /tmp/jar -d user=you ${front}login
  curl -s -b /tmp/jar ${front}whoami
  redis-cli -p $(node_port 0) set greeting hello
  redis-cli -p $(node_port "$last") get greeting
  ${build#"$PWD"/}/holdfast status --port $(node_port "$last")

Kill a node, and look again:

END
    for ((i = 0; i < node_count; i++)); do
        echo "  kill -9 ${pids[node$((i + 1))]}    # node$((i + 1))," \
            "port $(node_port "$i")"
    done
    cat <<END

The logs are in $run_dir. To stop everything:

  kill \$(cat $run_dir/pids)
END
}

trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP
check_ports
run_dir=$(mktemp -d "${TMPDIR:-/tmp}/holdfast-quickstart.XXXXXX")
say "Packages"
"$root/deploy/packages.sh" build demo
nginx=$(PATH=$PATH:/usr/sbin:/sbin command -v nginx)
tell "all there"
if [ -z "${HOLDFAST_BUILD:-}" ]; then
    say "Building $build/holdfastd and holdfast"
    build_programs
fi
say "The shop's npm packages"
install_demo
tell "all there"

start_everything
tell_all
if [ "$failures" -gt 0 ]; then
    echo "quickstart.sh: FAILED: see above" >&2
    exit 1
fi
tell "nobody was logged out"
if [ "$keep" = yes ]; then
    leave_running
    trap - EXIT
fi
