"""An aggregated API server and a mutating webhook on one port, for test/e2e/addons."""
import base64
import http.server
import json
import ssl

GROUP = "e2e.kubewright.dev"


class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, document):
        body = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        resources = [{"name": "callers", "singularName": "caller", "namespaced": False, "kind": "Caller", "verbs": ["list"]}]
        if self.path.split("?")[0] == f"/apis/{GROUP}/v1":
            self.answer({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": f"{GROUP}/v1", "resources": resources})
        else:
            # As the API server forwards it: who asks, in headers that its own certificate vouches for.
            user = self.headers.get("X-Remote-User")
            groups = self.headers.get_all("X-Remote-Group")
            items = [{"apiVersion": f"{GROUP}/v1", "kind": "Caller", "metadata": {"name": "you"}, "user": user, "groups": groups}]
            self.answer({"kind": "CallerList", "apiVersion": f"{GROUP}/v1", "metadata": {}, "items": items})

    def do_POST(self):
        review = json.loads(self.rfile.read(int(self.headers["content-length"])))
        patch = [{"op": "add", "path": "/metadata/labels/mutated", "value": "yes"}]
        self.answer({
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "response": {
                "uid": review["request"]["uid"],
                "allowed": True,
                "patchType": "JSONPatch",
                "patch": base64.b64encode(json.dumps(patch).encode()).decode(),
            },
        })


server = http.server.ThreadingHTTPServer(("", 8443), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/tls/tls.crt", "/tls/tls.key")
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
