#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""registry_cutter.py PORT CUTS BYTES FOLDER: a TCP relay to localhost:PORT that breaks off a connection once BYTES went through
it, CUTS times; then it relays everything. Writes its own port to FOLDER/port and the number of cuts to FOLDER/cuts."""
import socket
import sys
import threading

PORT, CUTS, BYTES, FOLDER = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
lock = threading.Lock()
cuts = 0


def write(name, value):
    with open(FOLDER + "/" + name, "w") as out:
        out.write(str(value))


class Relay:
    def __init__(self, client):
        self.pair = (client, socket.create_connection(("127.0.0.1", PORT)))
        self.passed = 0
        for source, target in (self.pair, self.pair[::-1]):
            threading.Thread(target=self.run, args=(source, target), daemon=True).start()

    def cut(self):
        """Whether this connection is to be broken off now."""
        global cuts
        with lock:
            if self.passed < BYTES or cuts >= CUTS:
                return False
            cuts += 1
            write("cuts", cuts)
            self.passed = 0
            return True

    def run(self, source, target):
        try:
            for data in iter(lambda: source.recv(65536), b""):
                target.sendall(data)
                self.passed += len(data)
                if self.cut():
                    break
        except OSError:
            pass  # the other half has ended it
        for end in self.pair:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # is closed already


write("cuts", 0)
server = socket.create_server(("127.0.0.1", 0))
write("port", server.getsockname()[1])
while True:
    Relay(server.accept()[0])
