#!/bin/bash
# The whole walk-through: add, back up, lose the database, restore, prove, go on. Uses the `qed` that
# is found first, a temporary directory and ports of its own; a log that runs here already is not
# touched. Stops at the first thing that is not as it should be.
set -euo pipefail

site=$(mktemp -d)
db=$site/qed0/db
server=
cleanup() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$site"
}
trap cleanup EXIT

say() {
    printf '\n\033[1m%s\033[0m\n' "# $*"
}

# Print a command as it is typed, then run it.
run() {
    printf '$'
    printf ' %s' "${@@Q}" | sed -E "s/'([A-Za-z0-9_.:\/=-]+)'/\1/g"
    printf '\n'
    "$@"
}

# A command whose output must hold some text.
expect() {
    local text=$1
    shift
    run "$@" | tee "$site/said"
    grep -qF -- "$text" "$site/said" || { echo "expected: $text" >&2 && exit 1; }
}

free_port() {
    local port
    while port=$((20000 + RANDOM % 10000)) && (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do :; done
    echo "$port"
}

start() {
    echo "\$ qed server start --db-path $db --private-key-path $site/qed_ed25519 &"
    qed server start --http-addr "127.0.0.1:$data" --mgmt-addr "127.0.0.1:$management" \
        --metrics-addr "127.0.0.1:$metrics" --db-path "$db" --private-key-path "$site/qed_ed25519" \
        --log warn &
    server=$!
    for _ in {1..300}; do
        kill -0 "$server" 2>/dev/null || break
        if qed backup list >/dev/null 2>&1; then return; fi
        sleep 0.1
    done
    echo "the server does not answer" >&2
    exit 1
}

stop() {
    echo "\$ kill %1"
    kill "$server"
    wait "$server"
    server=
}

field() {
    sed -n "s/^ *$1: //p" "$site/said"
}

data=$(free_port) management=$(free_port) metrics=$(free_port)
export QED_CLIENT_ENDPOINTS=http://127.0.0.1:$data QED_BACKUP_ENDPOINT=http://127.0.0.1:$management

say "A log of its own in $site"
start

say "Two events, a backup; twice more"
for number in 0 2 4; do
    expect "Version: $number" qed client add --event "event $number"
    expect "Version: $((number + 1))" qed client add --event "event $((number + 1))"
    [ "$number" = 2 ] && hyper=$(field HyperDigest) history=$(field HistoryDigest)
    expect "Backup created!" qed backup create
done
expect "Version: 5" qed backup list

say "The first backup is not needed any more"
expect "Backup deleted!" qed backup delete --backup-id 1
run qed backup list

say "The machine is lost; only the folder with the backups is left"
stop
run mv "$db/backups" "$site/backups"
run rm -rf "$site/qed0" "$site/qed_ed25519" "$site/qed_ed25519.pub"
run mkdir -p "$db"
run mv "$site/backups" "$db/backups"
start
expect "Exists: false" qed client membership --event "event 0"

say "Restore the second backup while the server runs, then restart it"
expect "Restore from backup 2 completed!" \
    qed restore --backup-dir "$db/backups/" --restore-path "$db/" --backup-id 2 --log info
stop
start

say "Events 0 to 3 are there, proven against the snapshot that we kept of event 3"
expect "Verify: OK" qed client membership --event "event 0" --verify \
    --hyper-digest "$hyper" --history-digest "$history"
expect "Exists: false" qed client membership --event "event 4"

say "The log goes on where the backup ended"
expect "Version: 4" qed client add --event "event 6"
expect "Exists: true" qed client membership --event "event 6"
expect "Backup created!" qed backup create
run qed backup list

say "Back to the third backup, then to the one made after the restore"
expect "Restore from backup 3 completed!" \
    qed restore --backup-dir "$db/backups/" --restore-path "$db/" --backup-id 3
stop
start
expect "ActualVersion: 5" qed client membership --event "event 5"
expect "Restore from latest backup completed!" \
    qed restore --backup-dir "$db/backups/" --restore-path "$db/"
stop
start
expect "ActualVersion: 4" qed client membership --event "event 6"
stop
run qed check --db-path "$db"
say "Done"
