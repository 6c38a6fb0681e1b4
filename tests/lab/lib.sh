# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What the services of the lab share. Sourced by `lab` and by the scripts of a service, with LAB_HOME, LAB_STATE, LAB_CACHE
# and LAB_SERVICE set.
#
# A process is recorded as "PID START NAME" in $LAB_STATE/SERVICE/pids, where START is its start time in clock ticks since
# boot (field 22 of /proc/PID/stat): a recycled pid is never mistaken for the process that was started.

LAB_STARTED=${LAB_STARTED:-$(date +%s%N)}
export LAB_STARTED

# step TEXT...: one line that says what is being done, and when.
step() {
    local elapsed=$((($(date +%s%N) - LAB_STARTED) / 1000000))
    printf '[%3d.%03d s] %s: %s\n' $((elapsed / 1000)) $((elapsed % 1000)) "$LAB_SERVICE" "$*" >&2
}

die() {
    printf 'lab: %s\n' "$*" >&2
    exit 1
}

# need PROGRAM PACKAGE: fails with the package to install if a program is missing.
need() {
    PATH=$PATH:/usr/sbin:/sbin command -v "$1" >/dev/null || die "$LAB_SERVICE needs $1: apt-get install $2"
}

process_start_time() {
    local stat
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    stat=${stat##*) }
    set -- $stat
    [ "$1" != Z ] || return 1
    echo "${20}"
}

# lab_record PID NAME: a process that `down` has to stop.
lab_record() {
    local start
    start=$(process_start_time "$1") || die "$LAB_SERVICE: $2 (pid $1) ended at once"
    echo "$1 $start $2" >>"$LAB_STATE/$LAB_SERVICE/pids"
}

# lab_spawn NAME LOG COMMAND...: starts a server in its own session, away from the terminal, and records it.
lab_spawn() {
    local name=$1 log=$2
    shift 2
    setsid "$@" </dev/null >>"$log" 2>&1 &
    lab_record $! "$name"
}

lab_alive() {
    [ "$(process_start_time "$1")" = "$2" ]
}

lab_processes_alive() {
    local pid start name
    while read -r pid start name; do
        lab_alive "$pid" "$start" || return 1
    done <"$LAB_STATE/$LAB_SERVICE/pids"
}

lab_list_processes() {
    local pid start name
    [ -e "$LAB_STATE/$LAB_SERVICE/pids" ] || return 0
    while read -r pid start name; do
        if lab_alive "$pid" "$start"; then
            printf '           %s (pid %s)\n' "$name" "$pid"
        else
            printf '           %s (pid %s) has ended\n' "$name" "$pid"
        fi
    done <"$LAB_STATE/$LAB_SERVICE/pids"
}

# lab_stop PID START: ends one process: TERM, ten seconds, KILL.
lab_stop() {
    local tries
    lab_alive "$1" "$2" || return 0
    kill -TERM "$1" 2>/dev/null || true
    for tries in $(seq 100); do
        lab_alive "$1" "$2" || return 0
        sleep 0.1
    done
    kill -KILL "$1" 2>/dev/null || true
    for tries in $(seq 50); do
        lab_alive "$1" "$2" || return 0
        sleep 0.1
    done
    step "process $1 does not end (tried $tries times)"
}

# lab_stop_all: ends what the service recorded, last started first.
lab_stop_all() {
    local pid start name
    [ -e "$LAB_STATE/$LAB_SERVICE/pids" ] || return 0
    while read -r pid start name; do
        lab_stop "$pid" "$start"
    done < <(tac "$LAB_STATE/$LAB_SERVICE/pids")
}

# lab_wait SECONDS WHAT COMMAND...: until the command succeeds; fails when the time is over.
lab_wait() {
    local seconds=$1 what=$2 until
    shift 2
    until=$(($(date +%s) + seconds))
    until "$@" >/dev/null 2>&1; do
        if [ "$(date +%s)" -ge "$until" ]; then
            step "no $what after $seconds s"
            return 1
        fi
        sleep 0.1
    done
}

# lab_export NAME VALUE: one line for `lab env`.
lab_export() {
    printf 'export %s=%q\n' "$1" "$2"
}
