# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# The programs of a control plane, each started by one function. Source it with
#   PROGRAMS                   the folder of kube-apiserver and the others
#   PKI                        what `pki` made
#   FOLDER                     where they may write
#   ADDRESS                    the API server's address: 127.0.0.1, or the node's
#   ETCD_PORT PEER_PORT API_PORT MANAGER_PORT SCHEDULER_PORT
#   launch NAME COMMAND...     a function that starts a server in the background
#   await SECONDS WHAT COMMAND...  a function that waits until the command succeeds

# An older program knows options that a newer one refuses.
has_option() { # program, option
    local options
    options=$("$PROGRAMS/$1" --help 2>&1)
    grep -q -- "^ *--$2[ =]" <<<"$options"
}

start_etcd() {
    local etcd=etcd
    [ ! -x "$PROGRAMS/etcd" ] || etcd=$PROGRAMS/etcd
    launch etcd "$etcd" --data-dir "$FOLDER/etcd" --listen-client-urls "http://127.0.0.1:$ETCD_PORT" \
        --advertise-client-urls "http://127.0.0.1:$ETCD_PORT" --listen-peer-urls "http://127.0.0.1:$PEER_PORT" \
        --initial-advertise-peer-urls "http://127.0.0.1:$PEER_PORT" --initial-cluster "default=http://127.0.0.1:$PEER_PORT" \
        --logger zap --log-level warn --unsafe-no-fsync
    await 60 "etcd" curl -sf "http://127.0.0.1:$ETCD_PORT/health"
}

start_apiserver() { # options...
    launch kube-apiserver "$PROGRAMS/kube-apiserver" --etcd-servers="http://127.0.0.1:$ETCD_PORT" \
        --bind-address="$ADDRESS" --advertise-address="$ADDRESS" --secure-port="$API_PORT" --cert-dir="$FOLDER/apiserver" \
        --tls-cert-file="$PKI/apiserver.crt" --tls-private-key-file="$PKI/apiserver.key" --client-ca-file="$PKI/ca.crt" \
        --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction --allow-privileged=true \
        --service-account-issuer=https://kubernetes.default.svc --service-account-key-file="$PKI/service-account.pub" \
        --service-account-signing-key-file="$PKI/service-account.key" --service-cluster-ip-range=10.96.0.0/16 \
        --requestheader-client-ca-file="$PKI/front-proxy-ca.crt" --requestheader-allowed-names=front-proxy-client \
        --requestheader-username-headers=X-Remote-User --requestheader-group-headers=X-Remote-Group \
        --requestheader-extra-headers-prefix=X-Remote-Extra- --proxy-client-cert-file="$PKI/front-proxy-client.crt" \
        --proxy-client-key-file="$PKI/front-proxy-client.key" --kubelet-client-certificate="$PKI/kubelet-client.crt" \
        --kubelet-client-key="$PKI/kubelet-client.key" --kubelet-preferred-address-types=InternalIP,Hostname \
        --profiling=false "$@"
    await 180 "kube-apiserver" curl -sf --cacert "$PKI/ca.crt" "https://$ADDRESS:$API_PORT/readyz"
}

start_controller_manager() { # options...
    local insecure=()
    ! has_option kube-controller-manager port || insecure=(--port=0)
    launch kube-controller-manager "$PROGRAMS/kube-controller-manager" "${insecure[@]}" \
        --kubeconfig="$PKI/controller-manager.kubeconfig" --authentication-kubeconfig="$PKI/controller-manager.kubeconfig" \
        --authorization-kubeconfig="$PKI/controller-manager.kubeconfig" --bind-address=127.0.0.1 --secure-port="$MANAGER_PORT" \
        --cert-dir="$FOLDER/controller-manager" --leader-elect=false --kube-api-qps=500 --kube-api-burst=1000 \
        --service-account-private-key-file="$PKI/service-account.key" --root-ca-file="$PKI/ca.crt" \
        --cluster-signing-cert-file="$PKI/ca.crt" --cluster-signing-key-file="$PKI/ca.key" --client-ca-file="$PKI/ca.crt" \
        --requestheader-client-ca-file="$PKI/front-proxy-ca.crt" --pvclaimbinder-sync-period=2s \
        --attach-detach-reconcile-sync-period=2s --namespace-sync-period=10s --profiling=false \
        --flex-volume-plugin-dir="$FOLDER/flex" "$@"
    await 120 "kube-controller-manager" curl -ksf "https://127.0.0.1:$MANAGER_PORT/healthz"
}

start_scheduler() {
    local insecure=()
    ! has_option kube-scheduler port || insecure=(--port=0)
    launch kube-scheduler "$PROGRAMS/kube-scheduler" "${insecure[@]}" --kubeconfig="$PKI/scheduler.kubeconfig" \
        --authentication-kubeconfig="$PKI/scheduler.kubeconfig" --authorization-kubeconfig="$PKI/scheduler.kubeconfig" \
        --bind-address=127.0.0.1 --secure-port="$SCHEDULER_PORT" --cert-dir="$FOLDER/scheduler" --leader-elect=false \
        --client-ca-file="$PKI/ca.crt" --requestheader-client-ca-file="$PKI/front-proxy-ca.crt" --profiling=false
    await 120 "kube-scheduler" curl -ksf "https://127.0.0.1:$SCHEDULER_PORT/healthz"
}
