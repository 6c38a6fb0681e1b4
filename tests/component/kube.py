# SPDX-License-Identifier: Apache-2.0
"""What the tests of Kubernetes share: a lab of their own, an administrator's way to the API server that is not Firn's, and the
test driver kube_client. Nothing here waits without an end."""
import atexit
import base64
import http.client
import json
import os
import pathlib
import shlex
import ssl
import subprocess
import threading
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
TMP = pathlib.Path(os.environ["TEST_TMP"])
O = pathlib.Path(os.environ["O"])
CLIENT = O / "tests" / "component" / "kube_client"
MEMCHECK = os.environ.get("TEST_MEMCHECK", "").split()
PATIENCE = int(os.environ.get("TEST_PATIENCE", "300"))  # seconds until a condition has to hold: for a hung test, not a slow machine

CONFIGMAPS = "v1/configmaps/ConfigMap"
NAMESPACES = "v1/namespaces/Namespace/cluster"
SERVICE_ACCOUNTS = "v1/serviceaccounts/ServiceAccount"


def clean_environment():
    return {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy") and not k.startswith("KUBE")}


class Lab:
    """A control plane of its own, stopped when the test ends."""

    def __init__(self, service="kube-control", **settings):
        self.service = service
        self.environment = {**os.environ, "LAB_STATE": str(TMP / "lab"), **settings}
        atexit.register(self.run, "down")
        self.run("up", service)
        self.env = {}
        for line in self.run("env", service).splitlines():
            name, value = shlex.split(line.removeprefix("export "))[0].split("=", 1)
            self.env[name] = value
        self.kubeconfig = self.env["KUBECONFIG"]
        self.url = self.env["LAB_KUBE_URL"]
        self.has_controllers = os.path.exists(os.path.join(self.env["LAB_KUBE_PROGRAMS"], "kube-controller-manager"))
        self.pki = pathlib.Path(self.env["LAB_KUBE_PKI"])
        self.tls = ssl.create_default_context(cafile=self.pki / "ca.crt")
        self.connections = threading.local()
        self.tls.load_cert_chain(self.pki / "admin.crt", self.pki / "admin.key")

    def run(self, *arguments):
        return subprocess.run([ROOT / "tests/lab/lab", *arguments], env=self.environment, check=True, text=True,
                              stdout=subprocess.PIPE, timeout=3600).stdout

    def apiserver(self, *arguments):
        subprocess.run([ROOT / "tests/lab" / self.service / "apiserver", *arguments], env=self.environment, check=True, timeout=600)

    def etcdctl(self, *arguments):
        return subprocess.run(["etcdctl", "--endpoints", self.env["LAB_KUBE_ETCD"], *arguments], check=True, text=True,
                              stdout=subprocess.PIPE, timeout=60, env={**os.environ, "ETCDCTL_API": "3"}).stdout

    def compact(self):
        """The history of etcd up to now is gone, and the API server's cache is not asked."""
        status = json.loads(self.etcdctl("endpoint", "status", "-w", "json"))
        self.etcdctl("compact", str(status[0]["Status"]["header"]["revision"]))

    def api(self, method, path, body=None, content_type="application/json", token=None):
        """(status, answer) as the administrator, or with a token. A connection a thread is kept."""
        kept = self.connections
        headers = {"Content-Type": content_type}
        if token:
            headers["Authorization"] = "Bearer " + token
        for fresh in (False, True):
            connection = getattr(kept, "it", None)
            if connection is None or fresh or token:
                tls = ssl.create_default_context(cafile=self.pki / "ca.crt") if token else self.tls
                connection = http.client.HTTPSConnection(urllib.parse.urlsplit(self.url).netloc, context=tls, timeout=60)
            kept.it = None if token else connection
            try:
                connection.request(method, path, None if body is None else json.dumps(body).encode(), headers)
                answer = connection.getresponse()
                text = answer.read().decode()
                return answer.status, json.loads(text) if text.startswith("{") else {"message": text}
            except (http.client.HTTPException, OSError):
                if fresh:
                    raise
        raise AssertionError("not reached")

    def make(self, path, body):
        status, answer = self.api("POST", path, body)
        assert status in (200, 201), answer
        return answer

    def namespace(self, name):
        self.make("/api/v1/namespaces", {"metadata": {"name": name}})

    def service_account(self, namespace, name):
        return self.make(f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": name}})

    def token(self, namespace, name):
        return self.make(f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token",
                         {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}})["status"]["token"]

    def allow(self, namespace, account, rules):
        """A Role of these rules, bound to the ServiceAccount."""
        group = "/apis/rbac.authorization.k8s.io/v1/namespaces/" + namespace
        self.make(group + "/roles", {"metadata": {"name": account}, "rules": rules})
        self.make(group + "/rolebindings", {
            "metadata": {"name": account},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": account},
            "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}]})

    def write_kubeconfig(self, name, user, namespace="default", **cluster):
        """A kubeconfig of this cluster with that user; members of the cluster in place of, or besides, the usual ones. None: without."""
        authority = base64.b64encode((self.pki / "ca.crt").read_bytes()).decode()
        members = {"server": self.url, "certificate-authority-data": authority, **cluster}
        path = TMP / name
        path.write_text(json.dumps({
            "clusters": [{"name": "lab", "cluster": {k: v for k, v in members.items() if v is not None}}],
            "users": [{"name": "user", "user": user}],
            "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "user", "namespace": namespace}}],
            "current-context": "lab"}))
        return path

    def client(self, *arguments, kubeconfig=None, body=None, env=None, **options):
        """The lines that kube_client printed, the only one if it is one. An error is a line with "error"."""
        done = subprocess.run(self.command(*arguments, kubeconfig=kubeconfig, **options), text=True, timeout=PATIENCE, check=False,
                              input="" if body is None else json.dumps(body), env={**clean_environment(), **(env or {})},
                              stdout=subprocess.PIPE)
        lines = [json.loads(line) for line in done.stdout.split("\n") if line]
        assert done.returncode == (1 if any("error" in line for line in lines if isinstance(line, dict)) else 0), done
        return lines[0] if len(lines) == 1 else lines

    def command(self, *arguments, kubeconfig=None, **options):
        result = [*MEMCHECK, str(CLIENT), "--kubeconfig", str(kubeconfig or self.kubeconfig)]
        for name, value in options.items():
            result += ["--" + name.replace("_", "-"), str(value)]
        return result + [str(argument) for argument in arguments]

    def start(self, *arguments, env=None, **options):
        return Running(self.command(*arguments, **options), env)


class Running:
    """A kube_client that goes on: its lines are collected as they come."""

    def __init__(self, command, env=None):
        self.lines = []
        self.changed = threading.Condition()
        self.ended = False
        self.process = subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        env={**clean_environment(), **(env or {})})
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        atexit.register(self.kill)

    def read(self):
        for line in self.process.stdout:
            with self.changed:
                self.lines.append(json.loads(line))
                self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def wait(self, condition, what):
        """Until condition(lines) is true; its value."""
        with self.changed:
            end = time.monotonic() + PATIENCE
            while not (value := condition(self.lines)):
                if self.ended or not self.changed.wait(max(0, end - time.monotonic())):
                    raise AssertionError(f"no {what} in {self.lines[-20:]}")
            return value

    def wait_line(self, after=0, **members):
        """Until a line with these members came, looking from line number `after` on; how many lines there were up to it."""
        def find(lines):
            for number, line in enumerate(lines[after:], after + 1):
                if all(line.get(name) == value for name, value in members.items()):
                    return number
            return 0
        return self.wait(find, members)

    def say(self, text="\n"):
        self.process.stdin.write(text)
        self.process.stdin.flush()

    def counts(self):
        before = len(self.lines)
        self.say()
        return self.lines[self.wait_line(after=before, what="counts") - 1]

    def stop(self):
        """Ends it in good order."""
        self.process.stdin.close()
        code = self.process.wait(timeout=PATIENCE)
        self.reader.join()
        return code

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def wait_for(condition, what):
    end = time.monotonic() + PATIENCE
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"no {what} after {PATIENCE} s")
        time.sleep(0.1)
    return value


class Proxy:
    """The lab's proxy that misbehaves as it is told (tests/lab/kube-control/proxy.py)."""

    def __init__(self, lab):
        port_file = TMP / "proxy-port"
        self.process = subprocess.Popen([ROOT / "tests/lab/kube-control/proxy.py", lab.url, lab.pki / "ca.crt", port_file])
        atexit.register(self.stop)
        wait_for(port_file.exists, "port of the proxy")
        self.url = "http://127.0.0.1:" + port_file.read_text()

    def stop(self):
        self.process.kill()
        self.process.wait()

    def ask(self, method, path, body=None):
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(self.url).netloc, timeout=60)
        connection.request(method, path, body)
        counts = json.loads(connection.getresponse().read())
        connection.close()
        return counts

    def faults(self, *lines):
        """From now on these, and the counts begin anew."""
        self.ask("PUT", "/.faults", "\n".join(lines).encode())

    def counts(self):
        """Of requests, by method; and "early"."""
        counts = self.ask("GET", "/.counts")
        del counts["streams"]
        return counts

    def streams(self):
        return self.ask("GET", "/.counts")["streams"]

    def go(self):
        self.ask("GET", "/.go")

    def drop(self):
        self.ask("GET", "/.drop")
