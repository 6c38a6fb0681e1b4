# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What the scripts of this service share. Source it with lib.sh.
STATE=$LAB_STATE/kube-control
PROGRAMS=
[ ! -e "$STATE/settings" ] || . "$STATE/settings" # PROGRAMS and the ports
PKI=$STATE/pki FOLDER=$STATE ADDRESS=127.0.0.1
export PATH=$PATH:/usr/sbin:/sbin no_proxy='*' NO_PROXY='*'
launch() { lab_spawn "$1" "$STATE/$1.log" "${@:2}"; }
await() { lab_wait "$@"; }
. "$LAB_HOME/kube/control-plane.sh"
