#!/usr/bin/env python3
"""Asks the API of `millwork serve` for all that its OpenAPI document allows, and for what it does not.

    fuzz_api.py --binary PATH [--seconds N] [--seed S]

Schemathesis (of the Python that runs this) makes requests from the document, good ones and bad ones, and looks whether
every answer is one that the document names: its status, its type, its schema, its headers, and no 5xx. What it cannot
do is checked here: who may ask for what, and streams, which have no end that it could wait for.
"""

import argparse
import http.client
import json
import os
import pathlib
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,"
    "response_schema_conformance,response_headers_conformance"
)
# Streams end with the run, or never. `call` is asked by Schemathesis for JSON only; its stream is checked here.
STREAMS = ["/api/v1/events", "/api/v1/runs/{id}/events"]
ROLES = ["viewer", "operator", "admin"]
PIPELINES = {
    "flow": """
description: One of everything
inputs:
  many: {type: int, default: 3}
steps:
  - id: rows
    uses: table.read
    with: {inline: "k,v\\n1,10\\n1,20\\n2,5\\n"}
  - id: sums
    uses: sql
    with: {query: "select k, sum(v) as v from rows group by k order by k"}
  - id: saved
    uses: table.write
    with: {table: "${{ steps.sums.outputs.table }}", path: ../out/sums.csv}
  - id: each
    for_each: ${{ [1, 2, 3] }}
    uses: shell
    env: {N: "${{ string(item) }}"}
    with: {command: [sh, -c, 'echo "item $N"']}
  - id: large
    uses: shell
    with: {command: [sh, -c, 'head -c 300000 /dev/zero | tr "\\0" l']}
  - id: never
    if: ${{ inputs.many > 3 }}
    uses: wait
    with: {for: 1ms}
outputs: {rows: "${{ steps.sums.outputs.table.rows }}", said: "${{ steps.each.outputs.stdout }}"}
""",
    "fails": """
steps:
  - id: wrong
    uses: shell
    with: {command: [sh, -c, 'echo wrong >&2; exit 3']}
""",
    "asks": """
concurrency: {group: asks, on_conflict: skip}
steps:
  - id: review
    uses: approval
    with: {prompt: "Go on?", form: {note: {type: "string?", description: why}}, default: refuse, timeout: 1h}
""",
    "timed": """
on: {schedule: [{cron: "0 2 * * *", timezone: Europe/Berlin, catchup: all}, {cron: "@hourly", overlap: skip}]}
inputs: {day: {type: date, default: "${{ run.interval.start ?? today() }}"}}
steps:
  - id: check
    uses: assert
    with: {that: {condition: "${{ inputs.day <= today() }}"}}
""",
    "hooked": """
on:
  webhook:
    - {path: /orders, inputs: {what: "${{ event.body }}"}}
    - {path: /signed, secret: hook, inputs: {what: "${{ event.body }}"}}
inputs: {what: {type: any}}
steps:
  - id: check
    uses: assert
    with: {that: {condition: "${{ inputs.what != 1 }}"}}
""",
    "broken": """
steps:
  - id: none
    uses: nothing.known
""",
}


class Wrong(Exception):
    """An answer that is none of those that it should be."""


class Api:
    def __init__(self, port):
        self.port = port

    def open(self, method, path, body=None, token=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        headers = dict(headers or {})
        if body is not None:
            headers["content-type"] = "application/json"
            body = json.dumps(body)
        if token:
            headers["authorization"] = f"Bearer {token}"
        connection.request(method, path, body, headers)
        return connection, connection.getresponse()

    def ask(self, *args, **kwargs):
        connection, response = self.open(*args, **kwargs)
        text = response.read()
        connection.close()
        return response, text

    def get(self, path, token):
        response, text = self.ask("GET", path, token=token)
        self.expect(response, text, {200}, f"GET {path}")
        return json.loads(text)

    @staticmethod
    def expect(response, text, statuses, what):
        if response.status not in statuses:
            raise Wrong(f"{what}: {response.status}, not {statuses}: {text[:300]!r}")
        kind = response.headers.get("content-type", "")
        if response.status >= 400 and kind != "application/problem+json":
            raise Wrong(f"{what}: {response.status} as {kind!r}")

    def events(self, method, path, body=None, token=None, headers=None, most=50):
        """Events of a stream: all, if it ends, or so many."""
        headers = {"accept": "text/event-stream"} | (headers or {})
        connection, response = self.open(method, path, body, token, headers)
        self.expect(response, b"", {200}, f"{method} {path}")
        if response.headers["content-type"] != "text/event-stream":
            raise Wrong(f"{method} {path}: a stream as {response.headers['content-type']}")
        found, event = [], {}
        while len(found) < most and (line := response.readline().decode()):
            name, _, value = line.rstrip("\n").partition(":")
            if name:
                event[name] = value.removeprefix(" ")
            elif event.get("event"):
                found.append(event | {"data": json.loads(event["data"])})
                event = {}
        connection.close()
        return found


def fill(template, known):
    """A path with what is there in place of `{name}`."""
    for name, values in known.items():
        template = template.replace("{" + name + "}", str(values[0]))
    return template


def roles(api, document, tokens, known):
    """Nobody gets 401; who has too small a role gets 403, before anything else is said."""
    count = 0
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            scopes = [one["token"] for one in operation.get("security", []) if "token" in one]
            if not scopes or {} in operation["security"]:
                continue
            what = f"{method.upper()} {path}"
            at = fill(path, known)
            body = {} if "requestBody" in operation else None
            response, text = api.ask(method.upper(), at, body)
            api.expect(response, text, {401}, f"{what} of nobody")
            response, text = api.ask(method.upper(), at, body, "mw_wrong_wrong")
            api.expect(response, text, {401}, f"{what} with a wrong token")
            for role in ROLES[: ROLES.index(scopes[0][0])]:
                response, text = api.ask(method.upper(), at, body, tokens[role])
                api.expect(response, text, {403}, f"{what} of a {role}")
                count += 1
            count += 2
    response, text = api.ask("GET", "/api/v1/runs", token=tokens["admin"], headers={"host": "elsewhere.example"})
    api.expect(response, text, {421}, "GET /api/v1/runs for another host")
    response, text = api.ask("POST", "/hooks/signed", {}, tokens["admin"])
    api.expect(response, text, {401}, "a delivery without a signature")
    return count + 2


def streams(api, tokens, run):
    """What Schemathesis leaves out."""
    token = tokens["operator"]
    path = f"/api/v1/runs/{run}/events"
    whole = api.events("GET", path, token=token, most=1000)
    if [event["event"] for event in whole[-2:]] != ["run", "end"]:
        raise Wrong(f"{path} ends with {whole[-2:]}")
    for at, event in enumerate(whole[:-1]):
        rest = api.events("GET", path, token=token, headers={"last-event-id": event["id"]}, most=1000)
        if rest != whole[at + 1 :]:
            raise Wrong(f"{path} after {event['id']}: {rest}, not {whole[at + 1:]}")
    lines = [event for event in api.events("GET", path + "?logs=1", token=token, most=1000) if event["event"] == "log"]
    if not lines or not all(isinstance(line["text"], str) for event in lines for line in event["data"]["lines"]):
        raise Wrong(f"{path} with lines: {lines}")
    every = api.events("GET", "/api/v1/events", token=token, headers={"last-event-id": "p:0"}, most=20)
    again = api.events("GET", f"/api/v1/events?after={every[9]['id']}", token=token, most=10)
    if again != every[10:]:
        raise Wrong(f"/api/v1/events after {every[9]['id']}: {again}, not {every[10:]}")
    bad = ["12", "p:", "s:", "p:-1", "p:1.x", "s:1;l:", "s:99999999999999999999"]
    for some in (path, "/api/v1/events"):
        for id in bad:
            response, text = api.ask("GET", some, token=token, headers={"last-event-id": id})
            api.expect(response, text, {400}, f"GET {some} after {id!r}")
    response, text = api.ask("GET", "/api/v1/runs/run_none/events", token=token)
    api.expect(response, text, {404}, "GET /api/v1/runs/run_none/events")
    called = api.events("POST", "/api/v1/pipelines/flow/call", {"inputs": {"many": 1}}, token, most=1000)
    if [event["event"] for event in called[-2:]] != ["end", "result"] or called[-1]["data"]["outputs"]["rows"] != 2:
        raise Wrong(f"a call as a stream: {called[-2:]}")
    called = api.events("POST", "/api/v1/pipelines/fails/call", {}, token, most=1000)
    if called[-1]["event"] != "problem" or called[-1]["data"]["run"] != called[0]["data"]["run"]:
        raise Wrong(f"a call that fails, as a stream: {called[-2:]}")
    response, text = api.ask("POST", "/api/v1/pipelines/asks/call?timeout_s=1", {}, token)
    api.expect(response, text, {409, 504}, "a call that takes too long")
    return 2 * len(bad) + len(whole) + 6


def prepare(api, tokens):
    """Runs of every kind, and the names that requests are to use."""
    token = tokens["operator"]

    def start(pipeline, **inputs):
        response, text = api.ask("POST", "/api/v1/runs", {"pipeline": pipeline, "inputs": inputs}, token)
        api.expect(response, text, {201}, f"start of {pipeline}")
        return json.loads(text)["id"]

    runs = [start("flow"), start("flow", many=4), start("fails"), start("asks")]
    over = time.monotonic() + 60
    while (states := [api.get(f"/api/v1/runs/{run}", token)["status"] for run in runs]) != [
        "succeeded", "succeeded", "failed", "waiting",
    ]:
        if time.monotonic() > over:
            raise Wrong(f"runs are {states}")
        time.sleep(0.1)
    artifacts = set()
    for step in ("saved", "large", "sums"):
        for output in api.get(f"/api/v1/runs/{runs[0]}/steps/{step}", token)["outputs"]:
            artifacts.add((output.get("file") or {}).get("artifact"))
    decoys = []
    for number in range(3):
        response, text = api.ask("POST", "/api/v1/tokens", {"name": f"decoy_{number}", "role": "viewer"}, tokens["admin"])
        api.expect(response, text, {201}, "a token")
        decoys.append(json.loads(text)["id"])
    revisions = api.get("/api/v1/pipelines/flow/revisions", token)["items"]
    shown = api.get("/api/v1/approvals", token)["items"][0]["shown"]
    return {
        "runs": runs,
        "pipelines": list(PIPELINES),
        "steps": ["rows", "sums", "saved", "each", "large", "never", "wrong", "review", "none"],
        "revisions": [revision["revision"] for revision in revisions],
        "artifacts": sorted(artifacts - {None}) or ["none"],
        "tokens": decoys,
        "outputs": ["table", "stdout", "none"],
        "numbers": [0, 1],
        "paths": ["orders", "signed", "none"],
        "shown": [shown],
        "roles": ROLES,
    }


# Which requests take which of those; the others have values that are made up, as have these now and then.
USES = [
    ("^/api/v1/pipelines", {"path.name": "pipelines", "path.revision": "revisions", "path.index": "numbers",
                            "query.against": "revisions"}),
    ("^/api/v1/runs", {"path.id": "runs", "path.step": "steps", "path.output": "outputs", "query.step": "steps",
                       "query.from": "steps", "query.cursor": "runs", "query.parent": "runs", "body.from": "steps",
                       "body.pipeline": "pipelines", "query.pipeline": "pipelines"}),
    ("^/api/v1/approvals", {"path.run": "runs", "path.step": "steps", "body.shown": "shown"}),
    ("^/api/v1/artifacts", {"path.id": "artifacts"}),
    ("^/api/v1/tokens", {"path.id": "tokens", "body.role": "roles"}),
    ("^/hooks/", {"path.path": "paths"}),
]


def config(known):
    lines = []
    for name, values in known.items():
        lines += [f"[dictionaries.{name}]", f"values = {json.dumps(values)}"]
    for paths, uses in USES:
        lines += ["[[operations]]", f"include-path-regex = {json.dumps(paths)}", "[operations.parameters]"]
        lines += [f'"{where}" = {{ dictionary = "{name}", probability = 0.8 }}' for where, name in uses.items()]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", required=True, type=pathlib.Path)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--checks", default=CHECKS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    print(f"seed {args.seed}", flush=True)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="millwork-fuzz-"))
    (folder / "pipelines").mkdir()
    for name, text in PIPELINES.items():
        (folder / "pipelines" / f"{name}.yaml").write_text(f"version: 1\nname: {name}{text}")
    binary, home = args.binary.resolve(), folder / "home"
    tokens = {}
    for role in ROLES:
        command = [binary, "token", "create", role, "--role", role, "--home", home]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        tokens[role] = next(word for word in done.stdout.split() if word.startswith("mw_"))
    with socket.socket() as some:
        some.bind(("127.0.0.1", 0))
        port = some.getsockname()[1]
    env = os.environ | {"MILLWORK_SECRET_hook": "a secret"}
    command = [binary, "serve", folder / "pipelines", "--home", home, "--listen", f"127.0.0.1:{port}"]
    with open(folder / "stderr", "wb") as log:
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log, env=env)
    try:
        good = fuzz(args, Api(port), folder, tokens, server)
    finally:
        server.terminate()
        try:
            server.wait(60)
        except subprocess.TimeoutExpired:
            server.kill()
    if good:
        shutil.rmtree(folder)
    else:
        print(f"what is left lies in {folder}")
    return 0 if good else 1


def fuzz(args, api, folder, tokens, server):
    over = time.monotonic() + 60
    while True:
        try:
            if api.ask("GET", "/readyz")[0].status == 200:
                break
        except OSError:
            pass
        if time.monotonic() > over or server.poll() is not None:
            raise SystemExit(f"the server does not come up: {(folder / 'stderr').read_text()}")
        time.sleep(0.1)
    response, text = api.ask("GET", "/openapi.json")
    document, wrong, count = json.loads(text), [], 0
    known = prepare(api, tokens)
    names = {"id": "runs", "name": "pipelines", "step": "steps", "output": "outputs", "revision": "revisions",
             "index": "numbers", "run": "runs"}
    paths = {name: known[of] for name, of in names.items()}
    for check in (lambda: roles(api, document, tokens, paths), lambda: streams(api, tokens, known["runs"][0])):
        try:
            count += check()
        except Wrong as e:
            wrong.append(str(e))

    (folder / "schemathesis.toml").write_text(config(known))
    # One worker: two make Python 3.11 fail now and then ("AST constructor recursion depth mismatch").
    command = [
        sys.executable, "-m", "schemathesis.cli", "--config-file", folder / "schemathesis.toml", "--no-color",
        "run", f"http://127.0.0.1:{api.port}/openapi.json", "--header", f"Authorization: Bearer {tokens['admin']}",
        "--checks", args.checks, "--phases", "examples,coverage,fuzzing", "--mode", "all", "--workers", "1",
        "--max-time", str(args.seconds), "--request-timeout", "20", "--seed", str(args.seed), "--continue-on-failure",
        "--generation-database", "none", "--no-shrink", "--suppress-health-check", "all", "--warnings", "off",
        "--output-sanitize", "false", "--report", "ndjson", "--report-dir", folder,
    ]  # fmt: skip
    for path in STREAMS:
        command += ["--exclude-path", path]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=args.seconds * 3 + 120)
    (folder / "schemathesis.log").write_text(done.stdout + done.stderr)
    if done.returncode != 0:
        found = [place for title in ("= FAILURES =", "= ERRORS =") if (place := done.stdout.find(title)) >= 0]
        report = done.stdout[min(found, default=0) :]
        wrong.append(f"schemathesis ended with {done.returncode}:\n{report[:8000]}{done.stderr[-2000:]}")
    if server.poll() is not None:
        wrong.append(f"the server ended by itself with {server.returncode}")
    for line in (folder / "stderr").read_text(errors="replace").splitlines():
        if "panicked" in line:
            wrong.append(f"the server said: {line}")
    summary = re.findall(r"^ +(?:Tested: \d+|\d+ generated.*)$", done.stdout, re.MULTILINE)
    for text in wrong:
        print(f"- {text}")
    verdict = f"{len(wrong)} differences" if wrong else "every answer is as the document says"
    print(f"{count} requests by hand; schemathesis: {'; '.join(map(str.strip, summary)) or 'no summary'}: {verdict}")
    return not wrong


if __name__ == "__main__":
    sys.exit(main())
