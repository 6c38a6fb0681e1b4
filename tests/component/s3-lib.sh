# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What the tests of S3 share: a lab of their own, whose credentials are in the environment. Source it.
. "$(dirname "${BASH_SOURCE[0]}")/cli-lib"
unset "${!AWS_@}"
export AWS_EC2_METADATA_DISABLED=true # whatever this machine is
export LAB_STATE=$TEST_TMP/lab
lab=$root/tests/lab
s3=$lab/s3/client.py
trap '"$lab/lab" down' EXIT
"$lab/lab" up s3
eval "$("$lab/lab" env s3)"
export AWS_ACCESS_KEY_ID=$LAB_S3_KEY AWS_SECRET_ACCESS_KEY AWS_CA_BUNDLE=$LAB_S3_CA
AWS_SECRET_ACCESS_KEY=$(cat "$LAB_S3_SECRET_FILE")

lacks() { ! grep -qF -- "$1" err || die "standard error says \"$1\""; }
back() { # path, arguments...: one backup, its record in out
    expect 0 "$firn" backup "image:$1" -o json "${@:2}"
}
same() { # path: the latest snapshot of it is what it is
    rm -f restored
    expect 0 "$firn" restore "latest:image:$(realpath -s "$1")" --target restored
    cmp "$1" restored
}
whole() { # everything in the repository is sound
    expect 0 "$firn" check --read-data -o json
    json '.findings == [] or .findings == 0 or (.findings | length) == 0'
}
# A proxy in front of the server, at $proxy, which does harm as it is told and counts.
proxy_up() {
    python3 "$lab/s3/proxy.py" port 2> proxy.log &
    proxy_pid=$!
    trap 'kill "$proxy_pid"; "$lab/lab" down' EXIT
    for ((i = 0; i < 100; i++)); do
        [ ! -e port ] || break
        sleep 0.1
    done
    proxy=localhost:$(cat port)
}
# What it does to the next requests, see tests/lab/s3/proxy.py.
faults() { printf '%s\n' "$@" | curl -sf --cacert "$LAB_S3_CA" -X PUT --data-binary @- "https://$proxy/.faults"; }
# What was asked since the last time, as JSON, in out.
proxy_counts() { curl -sf --cacert "$LAB_S3_CA" "https://$proxy/.counts" > out; cat out; echo; }
begun=$(date +%s%N)
chapter() {
    local elapsed=$((($(date +%s%N) - begun) / 1000000))
    printf -- '-- [%3d.%03d s] %s\n' $((elapsed / 1000)) $((elapsed % 1000)) "$*"
}
