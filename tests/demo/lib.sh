# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What the demo prints, keeps and cleans up. Sourced by `run`.
#
# Everything that the demo makes lies in $WORK, a new folder that is removed at the end, whatever happens; what it said, and
# what its servers said, is kept in $LOGS. Processes are the lab's, which stops them by pid. That none is left is checked: each
# has the name of $WORK, which is unique, in its environment.

STARTED=$(date +%s%N)
STEP=
STEP_STARTED=
STEPS=()

tenths_since() {
    echo $((($(date +%s%N) - $1) / 100000000))
}

seconds() { # tenths of a second
    printf '%d.%d s' $(($1 / 10)) $(($1 % 10))
}

say() {
    printf '%s\n' "$*" | tee -a "$LOGS/demo.log"
}

# note TEXT...: what a step found out.
note() {
    say "            $*"
}

end_step() {
    [ -n "$STEP" ] || return 0
    local took
    took=$(tenths_since "$STEP_STARTED")
    STEPS+=("$took $STEP")
    note "($(seconds "$took"))"
    STEP=
}

# step TEXT...: ends the step before it, and begins another.
step() {
    end_step
    STEP="$*"
    STEP_STARTED=$(date +%s%N)
    say "$(printf '[%7s] %s' "$(seconds "$(tenths_since "$STARTED")")" "$STEP")"
}

# shows COMMAND...: runs it, with what it says indented. Its exit status is that of the command.
shows() {
    { "$@" 2>&1; } | sed -u 's/^/            /' | tee -a "$LOGS/demo.log"
}

# firn_shown ARGUMENTS...: the same for firn, with the command line as a user would type it.
firn_shown() {
    note "\$ firn $*"
    shows firn "$@"
}

# claim TEXT CONDITION...: a `test` that must hold; says what was claimed and does not hold.
claim() {
    local text=$1
    shift
    test "$@" || fail "not as claimed: $text (test $*)"
}

fail() {
    say "demo: $*" >&2
    exit 1
}

size() { # bytes
    awk -v n="$1" 'BEGIN {
        split("B KiB MiB GiB TiB", unit, " ")
        for (i = 1; n >= 1024 && i < 5; i++)
            n /= 1024
        printf (n < 10 && i > 1 ? "%.1f %s" : "%.0f %s"), n, unit[i]
    }'
}

ratio() { # bytes, bytes: "a : 1"
    awk -v a="$1" -v b="$2" 'BEGIN { printf "%.1f : 1", b ? a / b : 0 }'
}

percent() { # part, whole
    awk -v a="$1" -v b="$2" 'BEGIN { printf "%.1f %%", b ? 100 * a / b : 0 }'
}

# ---- the end

# Processes whose environment names $WORK: all that were started here and still run.
survivors() {
    local file
    for file in $(env -i "$(command -v grep)" -lsF "$WORK/" /proc/[0-9]*/environ); do
        file=${file#/proc/}
        echo "${file%/environ}"
    done
}

keep_logs() {
    local folder=${LAB_VM_FOLDER:-$WORK/none} file
    for file in "$folder"/libvirtd.log "$folder"/serial.log "$LAB_STATE"/registry/*.log; do
        [ ! -e "$file" ] || cp "$file" "$LOGS/"
    done
}

show_failure() { # exit status
    local file
    say "demo FAILED (exit $1)${STEP:+ in the step: $STEP}" >&2
    for file in "$LOGS"/*.log; do
        [ -s "$file" ] && [ "$file" != "$LOGS/demo.log" ] || continue
        echo "--- the end of $file"
        tail -n 4 "$file" | cut -c 1-200
    done >&2
}

# Stops the lab and removes everything; fails if something does not go.
clean_up() {
    local left
    "$LAB" down >> "$LOGS/lab.log" 2>&1 || echo "the lab did not stop" >&2
    left=$(survivors)
    if [ -n "$left" ]; then
        echo "demo: processes were left behind:" >&2
        # shellcheck disable=SC2086
        ps -o pid=,args= -p ${left//$'\n'/,} | cut -c 1-200 >&2
        # shellcheck disable=SC2086
        kill -TERM $left 2> /dev/null
        return 1
    fi
    if grep -qF " $WORK" /proc/self/mountinfo; then
        echo "demo: a mount was left behind below $WORK" >&2
        return 1
    fi
    rm -rf --one-file-system "$WORK"
}

on_exit() {
    local code=$?
    trap '' INT TERM HUP
    trap - EXIT
    set +e
    keep_logs
    case $code in
    0) ;;
    130 | 143) say "demo: interrupted" >&2 ;;
    *) show_failure $code ;;
    esac
    clean_up || code=1
    exit $code
}
