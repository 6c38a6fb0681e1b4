# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What the tests of the libvirt plugin share: a lab of their own with a guest, a repository, and the questions they ask.
# Sourced first thing.
set -euo pipefail

LAB=$(dirname "$(realpath "${BASH_SOURCE[0]}")")/../lab/lab
export LAB_STATE=$TEST_TMP/lab FIRN_REPOSITORY=$TEST_TMP/repository FIRN_KEY_FILE=$TEST_TMP/key
export XDG_CONFIG_HOME=$TEST_TMP/config
cd "$TEST_TMP"
trap '"$LAB" down' EXIT
trap 'exit 1' INT TERM

say() { printf '%s\n' "--- $*" >&2; }
die() {
    printf 'FAILED: %s\n' "$*" >&2
    exit 1
}
# has PATTERN: whether its input does. Reads all of it: whoever writes it must not fail for a closed pipe.
has() { grep -e "$1" >/dev/null; }
# expect WHAT ACTUAL WANTED
expect() { [ "$2" = "$3" ] || die "$1 is \"$2\", not \"$3\""; }
# expect_match WHAT ACTUAL PATTERN
expect_match() { [[ $2 =~ $3 ]] || die "$1 is \"$2\", which does not match \"$3\""; }

# eventually WHAT COMMAND...: waits until the command succeeds, for two minutes at most.
eventually() {
    local what=$1 end=$((SECONDS + 120))
    shift
    until "$@"; do
        [ $SECONDS -lt $end ] || die "not after two minutes: $what"
        sleep 0.05
    done
}

start_lab() {
    "$LAB" up vm
    eval "$("$LAB" env vm)"
    PATH=$PATH:$LAB_HOME/vm
    # QEMU, which runs as another user, writes to the one; the other is where domains are restored to.
    scratch=$LAB_VM_FOLDER/scratch images=$LAB_VM_FOLDER/images
    mkdir "$scratch" "$images"
    [ "$(id -u)" != 0 ] || chown "$LAB_VM_USER" "$scratch" "$images"
    "$FIRN" init --new-key "$FIRN_KEY_FILE" >/dev/null
}

# backup [OPTION...]: one snapshot of the guest; the result, as JSON, in last.json.
backup() { "$FIRN" backup libvirt:lab0 --scratch-directory "$scratch" -o json "$@" >last.json; }
# last FIELD: of the last backup.
last() { jq -r ".[0].$1" last.json; }
# volume NAME FILE: a disk of the latest snapshot.
volume() { "$FIRN" cat "latest:libvirt:lab0:$1" >"$2"; }
# bytes_read DISK: what the last backup read of it.
disk_field() { "$FIRN" cat latest:libvirt:lab0:disks.json | jq -r ".disks[] | select(.target == \"$1\") | .$2"; }

# same_as_now: both disks of the latest snapshot are, byte for byte, what the domain's images hold. Only while nobody writes.
same_as_now() {
    local disk format
    for disk in vda:qcow2 vdb:raw; do
        format=${disk#*:} disk=${disk%:*}
        volume "$disk" "$disk.snapshot"
        qemu-img convert -U -f "$format" -O raw "$LAB_VM_FOLDER/$disk.$format" "$disk.now"
        cmp "$disk.snapshot" "$disk.now" || die "$disk differs from the snapshot of it"
        rm "$disk.snapshot" "$disk.now"
    done
}

# holds_records COUNT0 COUNT1 [OPTION]: the latest snapshot has a clean file system on both disks, with so many records.
holds_records() {
    local number counts=("$1" "$2")
    shift 2
    for number in 0 1; do
        local disk=vda
        [ $number = 0 ] || disk=vdb
        volume $disk $disk.snapshot
        verify $disk.snapshot --acknowledged "${counts[$number]}" "$@" || die "$disk does not hold what it must"
        rm $disk.snapshot
    done
}

# write_to_guest MIB
write_to_guest() { guest exec "dd if=/dev/urandom of=/data0/big bs=1M count=$1 conv=fsync,notrunc 2>/dev/null"; }

# nothing_left: neither a frozen guest, nor a job, its files, a marker, or more than one checkpoint.
nothing_left() {
    local checkpoints
    expect "the guest" "$(guest frozen)" thawed
    [ -z "$(ls -A "$scratch")" ] || die "files are left: $(ls -A "$scratch")"
    ! virsh dumpxml lab0 | has 'firn:' || die "a marker is left"
    ! virsh domjobinfo lab0 | has Backup || die "a job is left"
    checkpoints=$(virsh -q checkpoint-list lab0 --name | grep -c firn || true)
    [ "$checkpoints" -le 1 ] || die "$checkpoints checkpoints are left"
}

guest_is() { [ "$(guest frozen)" = "$1" ]; }
job_runs() { virsh domjobinfo lab0 | has Backup; }
marked_frozen() { virsh metadata lab0 https://firn.dev/libvirt/1 --live 2>/dev/null | has 'frozen="yes"'; }

# A library to preload, which makes the beginning of a backup job take SLOW seconds, or as long as the file HOLD is there, or
# its end as long as the file HOLD_AFTER is.
backup_begin_library() {
    local library=$TEST_TMP/backup-begin.so
    [ -e "$library" ] || gcc -D_GNU_SOURCE -shared -fPIC -o "$library" -x c - <<'C'
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>
typedef int begin(void *domain, const char *backup, const char *checkpoint, unsigned flags);
static void hold(const char *file)
{
    for (int i = 0; file != NULL && i < 6000 && access(file, F_OK) == 0; i++)
        usleep(100000);
}
int virDomainBackupBegin(void *domain, const char *backup, const char *checkpoint, unsigned flags)
{
    const char *slow = getenv("SLOW");
    sleep(slow == NULL ? 0 : atoi(slow));
    hold(getenv("HOLD"));
    /* The plugin was loaded privately: libvirt is not among what RTLD_NEXT looks through. */
    void *library = dlopen("libvirt.so.0", RTLD_LAZY | RTLD_NOLOAD);
    int result = ((begin *)dlsym(library, "virDomainBackupBegin"))(domain, backup, checkpoint, flags);
    hold(getenv("HOLD_AFTER"));
    return result;
}
C
    echo "$library"
}

# begin_held_backup HOLD|HOLD_AFTER OPTION...: in the background ($!), until the file "hold" is gone. Its errors go to the
# file "error"; the variable launch may hold a command to start it with.
begin_held_backup() {
    local variable=$1
    shift
    : >hold
    env "$variable=$TEST_TMP/hold" LD_PRELOAD="$(backup_begin_library)" ${launch:+"$launch"} \
        "$FIRN" -q backup libvirt:lab0 --scratch-directory "$scratch" "$@" 2>error 9<hold &
}

# The watchdogs of this lab.
watchdogs() {
    local folder
    for folder in /proc/[0-9]*; do
        case "$(tr '\0' ' ' 2>/dev/null <"$folder/cmdline")" in
        *libvirt-watchdog*"$LAB_VM_FOLDER"*) echo "${folder#/proc/}" ;;
        esac
    done
}
no_watchdog() { [ -z "$(watchdogs)" ]; }
