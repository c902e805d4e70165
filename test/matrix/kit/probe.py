"""Runs in pods of the matrix. `serve NODE`: HTTP on 8080, which answers with the name of the node, and an echo of UDP on
8081. `ask TARGETS`: prints what is wrong as a JSON list of sentences. Packets have the flag "do not fragment"."""
import http.server
import json
import socket
import socketserver
import sys
import threading
import time
import urllib.request

HTTP, ECHO = 8080, 8081
# linux/in.h
IP_MTU_DISCOVER, IP_PMTUDISC_DO = 10, 2
# Bytes of the headers of IPv4 and UDP.
HEADERS = 28
# Rules of services, policies and names follow their objects after some seconds.
PATIENCE_S = 30


def datagrams():
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO)
    return sock


def serve(node):
    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = node.encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    def echo():
        sock = datagrams()
        sock.bind(("", ECHO))
        while True:
            data, sender = sock.recvfrom(65535)
            try:
                sock.sendto(data, sender)
            except OSError as error:
                print("echo of %d bytes to %s: %s" % (len(data), sender, error), flush=True)

    threading.Thread(target=echo, daemon=True).start()

    class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
        daemon_threads = True

    Server(("", HTTP), Page).serve_forever()


def page(url):
    return urllib.request.urlopen(url, timeout=4).read().decode()


def full_size(address):
    mtu = int(open("/sys/class/net/eth0/mtu").read())
    sock = datagrams()
    sock.settimeout(2)
    data = bytes(mtu - HEADERS)
    sock.sendto(data, (address, ECHO))
    got = len(sock.recv(65535))
    if got != len(data):
        raise ValueError("%d bytes came back of %d" % (got, len(data)))
    try:
        sock.sendto(data + b"x", (address, ECHO))
    except OSError:
        return
    raise ValueError("a packet of %d bytes was fragmented: the test of the MTU proves nothing" % (mtu + 1))


def holds(title, test):
    """None, or why the test failed until the end."""
    end = time.time() + PATIENCE_S
    while True:
        try:
            problem = test()
        except Exception as error:
            problem = "%s: %s" % (type(error).__name__, error)
        if not problem:
            return None
        if time.time() > end:
            return "%s: %s" % (title, problem)
        time.sleep(0.5)


def same(got, wanted):
    return None if got == wanted else "%r, not %r" % (got, wanted)


def among(got, wanted):
    return None if got in wanted else "%r is none of %s" % (got, ", ".join(wanted))


def ask(targets):
    pods, service, own = targets["pods"], targets["service"], socket.gethostbyname(socket.gethostname())
    nodes = sorted(pods)
    tests = []
    for node, ip in pods.items():
        tests.append(("HTTP to the pod %s on %s" % (ip, node), lambda ip=ip, node=node: same(page("http://%s:%d/" % (ip, HTTP)), node)))
        # To itself a pod sends through the loopback device, which has another MTU.
        if ip != own:
            tests.append(("packets of the full size to the pod %s on %s" % (ip, node), lambda ip=ip: full_size(ip)))
    for name in service["names"]:
        tests.append(("the name %s" % name, lambda name=name: same(socket.gethostbyname(name), service["ip"])))
        tests.append(("HTTP to the service %s" % name, lambda name=name: among(page("http://%s/" % name), nodes)))
    tests.append(("HTTP to the address of the service", lambda: among(page("http://%s/" % service["ip"]), nodes)))
    for address in service["nodes"]:
        url = "http://%s:%d/" % (address, service["nodePort"])
        tests.append(("the node port %s" % url, lambda url=url: among(page(url), nodes)))
    with_problems = []
    threads = [threading.Thread(target=lambda t=test: with_problems.append(holds(*t))) for test in tests]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [problem for problem in with_problems if problem]


if sys.argv[1] == "serve":
    serve(sys.argv[2])
elif sys.argv[1] == "ask":
    print(json.dumps(ask(json.loads(sys.argv[2]))))
elif sys.argv[1] == "get":
    # One try without patience: `open`, or why not.
    try:
        page(sys.argv[2])
        print("open")
    except Exception as error:
        print("closed: %s: %s" % (type(error).__name__, error))
