#!/usr/bin/env python3
"""Kills `millwork serve` with -9 again and again, and looks whether anything is lost or done twice.

    chaos.py --binary PATH [--seconds N] [--seed S] [--port P]

An outside client, that knows only the OpenAPI document, starts runs, sends webhooks, answers approvals, calls pipelines
and follows the streams of events, while the server dies at random moments. It keeps ledgers of its own; at the end they
are compared with what the service says, with the effects that steps left in a file, and with `audit verify` and
`db check`. What does not agree is printed, and the exit code is 1.
"""

import argparse
import base64
import collections
import hashlib
import hmac
import http.client
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
from datetime import datetime, timedelta, timezone

SECRET = b"a key of the ledger's own"
FINAL = {"succeeded", "failed", "cancelled"}
OPEN = "queued,running,waiting"
# A stream shows every 15 s that it lives.
SILENT = 40
LONG_CALL = 30

# `LINE STEP` leaves who ran when. The time is taken first: what is written later than its step was recorded shows.
LINE = """printf '%s %s %s %s\\n' "$MILLWORK_RUN" "$1" "$MILLWORK_KEY" "$(date +%s%N)" >> EFFECTS"""
EFFECT = "[sh, -c, 'LINE; printf %s \"$SAID\"', sh, STEP]"
PIPELINES = {
    "work": """
inputs: {n: {type: int}}
concurrency: {group: work, limit: 3, on_conflict: queue}
steps:
  - id: first
    uses: shell
    env: {SAID: "${{ string(inputs.n) }}"}
    with: {command: EFFECT(first), output: json, type: int}
  - id: each
    needs: first
    for_each: ${{ [0, 1, 2, 3, 4] }}
    max_parallel: 2
    uses: shell
    env: {SAID: "${{ string(item * item) }}"}
    with: {command: EFFECT(each), output: json, type: int}
  - id: pause
    needs: each
    uses: wait
    with: {for: 300ms}
  - id: last
    needs: pause
    uses: shell
    env: {SAID: "last"}
    with: {command: EFFECT(last)}
outputs: {n: "${{ steps.first.outputs.value }}", squares: "${{ steps.each.outputs.value }}"}
""",
    "tick": """
on: {schedule: [{cron: "* * * * *", catchup: all, overlap: allow}]}
steps:
  - id: note
    uses: shell
    env: {SAID: "tick"}
    with: {command: EFFECT(note)}
outputs: {said: "${{ steps.note.outputs.stdout }}"}
""",
    "tock": """
on: {schedule: [{cron: "* * * * *", catchup: all, overlap: queue}]}
steps:
  - id: note
    uses: shell
    env: {SAID: "tock"}
    with: {command: EFFECT(note)}
outputs: {said: "${{ steps.note.outputs.stdout }}"}
""",
    "hooked": """
on:
  webhook: {path: /orders, secret: hook, body: "object{order: int}", inputs: {order: "${{ event.body.order }}"}}
inputs: {order: {type: int}}
steps:
  - id: note
    uses: shell
    env: {SAID: "${{ string(inputs.order) }}"}
    with: {command: EFFECT(note), output: json, type: int}
outputs: {order: "${{ steps.note.outputs.value }}"}
""",
    "after": """
on:
  pipeline:
    - {name: work, status: any, inputs: {of: "${{ event.run }}"}}
    - {name: hooked, status: succeeded, inputs: {of: "${{ event.run }}"}}
    - {name: ask, status: any, inputs: {of: "${{ event.run }}"}}
inputs: {of: {type: string}}
steps:
  - id: note
    uses: shell
    env: {SAID: "${{ inputs.of }}"}
    with: {command: EFFECT(note)}
outputs: {of: "${{ steps.note.outputs.stdout }}"}
""",
    "ask": """
inputs: {n: {type: int}}
steps:
  - id: review
    uses: approval
    with:
      prompt: Go on with ${{ string(inputs.n) }}?
      form: {note: {type: string}}
  - id: note
    uses: shell
    env: {SAID: "${{ steps.review.outputs.values.note }}"}
    with: {command: EFFECT(note)}
outputs: {n: "${{ inputs.n }}", note: "${{ steps.note.outputs.stdout }}"}
""",
    "quick": """
inputs: {x: {type: int}}
steps:
  - id: sum
    uses: sql
    with: {query: "select $x + 1 as y", params: {x: "${{ inputs.x }}"}}
  - id: note
    needs: sum
    uses: shell
    env: {SAID: "${{ string(inputs.x * 2) }}"}
    with: {command: EFFECT(note), output: json, type: int}
outputs: {rows: "${{ steps.sum.outputs.table.rows }}", twice: "${{ steps.note.outputs.value }}"}
""",
}
# Effects of a run that succeeded: by step, how many.
EFFECTS = {
    "work": {"first": 1, "each": 5, "last": 1},
    "tick": {"note": 1},
    "tock": {"note": 1},
    "hooked": {"note": 1},
    "after": {"note": 1},
    "ask": {"note": 1},
    "quick": {"note": 1},
}
TICKING = ("tick", "tock")
# They do nothing but make the start of the server longer.
IDLE = [f"idle_{number}" for number in range(60)]


def pipelines(folder, effects):
    folder.mkdir()
    for name, text in PIPELINES.items():
        for step in ("first", "each", "last", "note"):
            command = EFFECT.replace("STEP", step).replace("LINE", LINE.replace("'", "''"))
            text = text.replace(f"EFFECT({step})", command.replace("EFFECTS", str(effects)))
        (folder / f"{name}.yaml").write_text(f"version: 1\nname: {name}{text}")
    for name in IDLE:
        text = PIPELINES["quick"].replace("EFFECT(note)", "[printf, '1']")
        (folder / f"{name}.yaml").write_text(f"version: 1\nname: {name}{text}")


def moment(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def minute_of(at):
    return at.replace(second=0, microsecond=0)


class Server:
    """The program, again and again on one port and one home."""

    def __init__(self, binary, folder, home, port):
        self.binary, self.folder, self.home, self.port = binary, folder, home, port
        self.log = folder.parent / "stderr"
        self.process, self.kills = None, 0

    def start(self):
        command = [self.binary, "serve", self.folder, "--home", self.home, "--listen", f"127.0.0.1:{self.port}"]
        env = os.environ | {"MILLWORK_SECRET_hook": "whsec_" + base64.b64encode(SECRET).decode()}
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log, env=env)

    def kill(self):
        code = self.process.poll()
        if code is not None:
            raise SystemExit(f"the server ended by itself with {code}; {self.log} may say why")
        self.process.kill()
        self.process.wait()
        self.kills += 1

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


class Client:
    """Requests, and what was wrong with answers."""

    def __init__(self, port):
        self.port = port
        self.wrong = []
        self.broken, self.early = 0, 0
        self.lock = threading.Lock()
        self.sent = threading.Event()  # something that changes things is on its way

    def complain(self, text):
        with self.lock:
            self.wrong.append(text)

    def once(self, method, path, body=None, headers=None, timeout=60):
        """Status and JSON of one request; `None` if the connection broke, or the server is just starting."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            headers = {"content-type": "application/json"} | (headers or {})
            connection.request(method, path, body, headers)
            if method != "GET":
                self.sent.set()
            response = connection.getresponse()
            text = response.read()
        except TimeoutError:
            self.complain(f"{method} {path}: no answer in {timeout} s")
            return None
        except (OSError, http.client.HTTPException):
            with self.lock:
                self.broken += 1
            return None
        finally:
            connection.close()
        if response.status == 503 and b'"service.starting"' in text:
            # It says that it does not know its pipelines yet, which is soon over: `ask` sends the same again.
            with self.lock:
                self.early += 1
            return None
        if response.status >= 500 and path != "/readyz":
            self.complain(f"{method} {path}: {response.status} {text[:400]!r}")
        return response.status, (json.loads(text) if text else None)

    def ask(self, method, path, body=None, headers=None, timeout=60):
        """The same again until it is answered; how often it had to be sent, too."""
        body = None if body is None else json.dumps(body).encode()
        sent = 1
        while (answer := self.once(method, path, body, headers, timeout)) is None or answer[0] >= 500:
            time.sleep(0.02)
            sent += 1
        return *answer, sent

    def get(self, path):
        status, body, _ = self.ask("GET", path)
        if status != 200:
            raise SystemExit(f"GET {path}: {status} {body}")
        return body

    def all(self, path):
        """All pages of a list."""
        items, cursor = [], None
        while True:
            page = self.get(path + (f"&cursor={cursor}" if cursor else ""))
            items += page["items"]
            cursor = page.get("next")
            if not cursor:
                return items

    def ready(self):
        answer = self.once("GET", "/readyz")
        return answer is not None and answer[0] == 200


class Stream:
    """Follows a stream of events over as many connections as it takes.

    Where a connection breaks, what came without an id behind it is not taken over: it comes again.
    """

    def __init__(self, client, path, first=None):
        self.client, self.path, self.last = client, path, first
        self.events, self.ids, self.connections, self.torn, self.gaps = [], [], 0, 0, []
        self.ended = False

    def run(self, stop):
        while not stop.is_set() and not self.ended:
            connection = http.client.HTTPConnection("127.0.0.1", self.client.port, timeout=SILENT)
            try:
                self.follow(connection, stop)
            except TimeoutError:
                self.client.complain(f"{self.path}: silent for {SILENT} s")
            except (OSError, http.client.HTTPException, ValueError):
                pass
            finally:
                connection.close()
            if not self.ended:
                stop.wait(0.05)

    def follow(self, connection, stop):
        headers = {"accept": "text/event-stream"} | ({"last-event-id": self.last} if self.last else {})
        connection.request("GET", self.path, headers=headers)
        response = connection.getresponse()
        if response.status != 200:
            self.client.complain(f"GET {self.path} from {self.last}: {response.status} {response.read()[:300]!r}")
            stop.wait(0.5)
            return
        self.connections += 1
        pending, event = [], {}
        try:
            while not stop.is_set() and (line := response.readline()):
                if not line.endswith(b"\n"):
                    return
                line = line.decode().rstrip("\r\n")
                if line.startswith(":"):
                    continue
                if line:
                    name, _, value = line.partition(":")
                    event[name] = value.removeprefix(" ")
                    continue
                if event:
                    pending.append(event)
                    if "id" in event:
                        self.take(pending)
                        pending = []
                    event = {}
                if self.ended:
                    return
        finally:
            self.torn += len(pending)

    def take(self, batch):
        self.last = batch[-1]["id"]
        self.ids.append(self.last)
        for event in batch:
            if "data" not in event:
                continue
            name, data = event["event"], json.loads(event["data"])
            if name == "gap":
                self.gaps.append(data)
            elif name == "end":
                self.ended = True
            else:
                self.events.append((name, data))

    def rises(self):
        """Where an id does not follow the one before. The one of `end` is that of the last event."""
        places = [[place(part.partition(":")[2]) for part in one.split(";")] for one in self.ids]
        if self.ended:
            places = places[:-1]
        return [(a, b) for a, b in zip(places, places[1:]) if b <= a]


def place(text):
    """`12.1` stands inside of what `12` is the end of."""
    whole, _, part = text.partition(".")
    return int(whole), int(part) if part else sys.maxsize


class Ledger:
    """What the client did and was told."""

    def __init__(self):
        self.lock = threading.Lock()
        self.keys = {}  # Idempotency-Key: (pipeline, n, run)
        self.deliveries = {}  # delivery: (order, run)
        self.answers = {}  # run: (approved, note, whether it was acknowledged)
        self.calls = {}  # x: (run, outputs), acknowledged
        self.tries = collections.Counter()  # x: how often it was called
        self.again = collections.Counter()
        self.streams = []


class Workers:
    """Threads that use the service as if nothing could happen to it."""

    def __init__(self, client, ledger, seed):
        self.client, self.ledger, self.seed = client, ledger, seed
        self.stop, self.answering, self.following = threading.Event(), threading.Event(), threading.Event()
        self.all, self.number, self.lock = [], 0, threading.Lock()

    def next(self):
        with self.lock:
            self.number += 1
            return self.number

    def spawn(self, work, name, until):
        def run():
            rng = random.Random(f"{self.seed} {name}")
            try:
                while not until.is_set():
                    work(rng)
            except Exception as e:  # a worker that is gone would find nothing any more
                self.client.complain(f"{name}: {type(e).__name__}: {e}")

        thread = threading.Thread(target=run, name=name, daemon=True)
        thread.start()
        self.all.append((thread, until))

    def follow(self, stream):
        thread = threading.Thread(target=stream.run, args=(self.following,), name=stream.path, daemon=True)
        self.ledger.streams.append(stream)
        thread.start()
        self.all.append((thread, self.following))

    def start(self, rng):
        n, pipeline = self.next(), rng.choices(["work", "ask"], [3, 2])[0]
        key, body = f"key-{n}", {"pipeline": pipeline, "inputs": {"n": n}}
        headers = {"idempotency-key": key}
        status, run, sent = self.client.ask("POST", "/api/v1/runs", body, headers)
        if status not in (200, 201) or (status == 200 and sent == 1):
            return self.client.complain(f"start {key}, sent {sent} times: {status} {run}")
        self.ledger.again["start"] += status == 200
        with self.ledger.lock:
            self.ledger.keys[key] = (pipeline, n, run["id"])
        if rng.random() < 0.2:
            status, again, _ = self.client.ask("POST", "/api/v1/runs", body, headers)
            if status != 200 or again["id"] != run["id"]:
                self.client.complain(f"start {key} again: {status} {again}, at first {run['id']}")
        if rng.random() < 0.1:
            body["inputs"]["n"] = -n
            status, other, _ = self.client.ask("POST", "/api/v1/runs", body, headers)
            if status != 409:
                self.client.complain(f"start {key} with something else: {status} {other}")
        if rng.random() < 0.3:
            logs = "?logs=1" if rng.random() < 0.3 else ""
            self.follow(Stream(self.client, f"/api/v1/runs/{run['id']}/events{logs}"))
        self.stop.wait(rng.uniform(0, 0.8))

    def deliver(self, rng):
        order = self.next()
        delivery, at = f"msg_{order}", str(int(time.time()))
        body = {"order": order}
        text = json.dumps(body).encode()
        mac = hmac.new(SECRET, f"{delivery}.{at}.".encode() + text, hashlib.sha256).digest()
        signature = f"v1,{base64.b64encode(mac).decode()}"
        headers = {"webhook-id": delivery, "webhook-timestamp": at, "webhook-signature": signature}
        status, hooked, sent = self.client.ask("POST", "/hooks/orders", body, headers)
        if status not in (200, 202) or (status == 200 and sent == 1):
            return self.client.complain(f"delivery {delivery}, sent {sent} times: {status} {hooked}")
        self.ledger.again["delivery"] += status == 200
        runs = [one["run"] for one in hooked["runs"] if one["pipeline"] == "hooked"]
        if len(runs) != 1 or not runs[0]:
            return self.client.complain(f"delivery {delivery}: {hooked}")
        with self.ledger.lock:
            self.ledger.deliveries[delivery] = (order, runs[0])
        if rng.random() < 0.2:
            status, again, _ = self.client.ask("POST", "/hooks/orders", body, headers)
            if status != 200 or [(one["pipeline"], one["run"], one["again"]) for one in again["runs"]] != [("hooked", runs[0], True)]:
                self.client.complain(f"delivery {delivery} again: {status} {again}, at first {runs[0]}")
        if rng.random() < 0.05:
            status, other, _ = self.client.ask("POST", "/hooks/orders", {"order": -order}, headers)
            if status != 401:
                self.client.complain(f"a delivery with a wrong signature: {status} {other}")
        self.stop.wait(rng.uniform(0, 1))

    def answer(self, rng):
        status, page, _ = self.client.ask("GET", "/api/v1/approvals")
        for question in page["items"] if status == 200 else []:
            run, step = question["run"], question["step"]
            with self.ledger.lock:
                known = self.ledger.answers.get(run)
            if known:
                # It was asked for before the answer was there.
                if known[2] and known[3] < time.monotonic() - 10:
                    self.client.complain(f"{run} asks again, though the answer was taken: {known}")
                continue
            note, approved = f"note for {run}", rng.random() < 0.8
            body = {"shown": question["shown"], "answer": {"approved": approved, "values": {"note": note}}}
            status, view, sent = self.client.ask("POST", f"/api/v1/approvals/{run}/{step}", body)
            if status != 200 and not (status == 409 and sent > 1 and view["code"] in ("answer.none", "answer.given")):
                self.client.complain(f"answer to {run}/{step}, sent {sent} times: {status} {view}")
            self.ledger.again["answer"] += status == 409
            with self.ledger.lock:
                self.ledger.answers[run] = (approved, note, status == 200, time.monotonic())
        self.answering.wait(rng.uniform(0.1, 1))

    def look(self, rng):
        """Lists are whole, or there are none yet."""
        for path, there in (("pipelines", [*PIPELINES, *IDLE]), ("schedules", TICKING)):
            _, page, _ = self.client.ask("GET", f"/api/v1/{path}?limit=500")
            names = {item.get("name") or item.get("pipeline") for item in page["items"]}
            if names != set(there):
                self.client.complain(f"GET /api/v1/{path}: {len(set(there) - names)} of {len(there)} are missing")
        with self.ledger.lock:
            known = rng.sample(sorted(self.ledger.keys.values()), min(3, len(self.ledger.keys)))
        for pipeline, n, run in known:
            status, detail, _ = self.client.ask("GET", f"/api/v1/runs/{run}")
            if status != 200 or (detail["pipeline"], detail["inputs"]) != (pipeline, {"n": n}):
                self.client.complain(f"GET /api/v1/runs/{run}: {status} {detail}")
        self.stop.wait(rng.uniform(0, 0.3))

    def call(self, rng):
        x = self.next()
        path, body = f"/api/v1/pipelines/quick/call?timeout_s={LONG_CALL}", {"inputs": {"x": x}}
        streamed = rng.random() < 0.4
        while True:
            self.ledger.tries[x] += 1
            answer = self.streamed(path, body) if streamed else self.client.once("POST", path, json.dumps(body))
            if answer:
                break
            time.sleep(0.1)
        status, view = answer
        if status != 200:
            return self.client.complain(f"call with {x}: {status} {view}")
        with self.ledger.lock:
            self.ledger.calls[x] = (view["run"], view["outputs"])
        self.stop.wait(rng.uniform(0, 1))

    def streamed(self, path, body):
        """A call whose changes are told: `result` is its answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.client.port, timeout=60)
        try:
            headers = {"content-type": "application/json", "accept": "text/event-stream"}
            connection.request("POST", path, json.dumps(body), headers)
            self.client.sent.set()
            response = connection.getresponse()
            text = response.read()
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()
        if response.status == 503 and b'"service.starting"' in text:
            return None
        if response.status != 200:
            return response.status, text
        blocks = [dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
                  for block in text.decode().strip().split("\n\n")]
        names = [block.get("event") for block in blocks]
        if names[-1:] == ["problem"]:
            return 0, blocks[-1]["data"]
        if names[-2:] != ["end", "result"]:
            return 0, f"a stream without an end: {names}"
        return 200, json.loads(blocks[-1]["data"])

    def join(self, until, patience):
        until.set()
        over = time.monotonic() + patience
        for thread, its in self.all:
            if its is until:
                thread.join(max(0.1, over - time.monotonic()))
                if thread.is_alive():
                    self.client.complain(f"{thread.name} does not come to an end")


def killer(server, client, rng, seconds):
    """Kills at random moments; more often where minutes begin, while requests are answered, and while it starts."""
    over = time.monotonic() + seconds
    while (left := over - time.monotonic()) > 0:
        kind, wait = rng.random(), 0.3 + 7.7 * rng.random() ** 2
        if kind < 0.15:
            wait = rng.uniform(0.02, 0.5)
        minute = 60 - time.time() % 60
        if minute < wait and rng.random() < 0.6:
            kind, wait = 1, minute + rng.uniform(-0.1, 0.6)
        time.sleep(max(0.02, min(wait, left)))
        if 0.15 <= kind < 0.75:
            client.sent.clear()
            client.sent.wait(1)
            time.sleep(rng.uniform(0, 0.015))
        server.kill()
        server.start()


def settle(client, ledger, patience=120):
    """Waits until no run is under way, twice in a row: what has ended may start others."""
    over, quiet = time.monotonic() + patience, 0
    while quiet < 3:
        under_way = client.get(f"/api/v1/runs?status={OPEN}&limit=500")["items"]
        quiet = 0 if under_way else quiet + 1
        if time.monotonic() > over:
            for run in under_way:
                why = client.get(f"/api/v1/runs/{run['id']}/why")["text"]
                client.complain(f"{run['id']} of {run['pipeline']} is still {run['status']}: {why}")
            return
        time.sleep(1)


class Judge:
    """Compares ledgers."""

    def __init__(self, client, ledger, effects, window):
        self.client, self.ledger, self.window = client, ledger, window
        self.wrong = client.complain
        self.runs = {run["id"]: run for run in client.all("/api/v1/runs?limit=500")}
        self.detail = {id: client.get(f"/api/v1/runs/{id}") for id in self.runs}
        for id, detail in self.detail.items():
            detail["steps"] = client.get(f"/api/v1/runs/{id}/steps?limit=5000")["items"]
        self.of = collections.defaultdict(list)
        for detail in self.detail.values():
            self.of[detail["pipeline"]].append(detail)
        self.effects = collections.defaultdict(list)
        for line in effects.read_text().splitlines():
            run, step, key, at = line.split(" ")
            self.effects[run].append((step, key, int(at)))
        self.ticks = 0

    def judge(self):
        for check in (self.states, self.starts, self.hooks, self.schedules, self.downstream, self.approvals,
                      self.called, self.done, self.streams, self.audit):
            check()

    def states(self):
        for id, run in self.detail.items():
            if run["status"] not in FINAL:
                self.wrong(f"{id} of {run['pipeline']} is {run['status']}")
            elif run["status"] != "succeeded" and not (run["pipeline"] == "ask" and run["status"] == "failed"):
                self.wrong(f"{id} of {run['pipeline']} is {run['status']}: {run['fault']}, cause {run['cause']}")
            if run["status"] == "succeeded" and not run["outputs"]:
                self.wrong(f"{id} of {run['pipeline']} succeeded without outputs")
            if run["status"] == "succeeded" and any(s["status"] != "succeeded" for s in run["steps"]):
                self.wrong(f"{id} of {run['pipeline']} succeeded, its steps: {run['steps']}")

    def exactly_one(self, what, found, expected):
        """`found`: runs by what they are about. `expected`: what was asked for, and the run that was told."""
        for about, run in expected.items():
            ids = found.get(about, [])
            if len(ids) != 1 or (run and ids != [run]):
                self.wrong(f"{what} {about}: told {run}, there are {ids}")
        for about in found.keys() - expected.keys():
            self.wrong(f"{what} {about}: never asked for, there are {found[about]}")

    def by(self, pipelines, about):
        found = collections.defaultdict(list)
        for pipeline in pipelines:
            for run in self.of[pipeline]:
                found[about(run)].append(run["id"])
        return found

    def starts(self):
        found = self.by(("work", "ask"), lambda run: (run["pipeline"], run["inputs"].get("n")))
        expected = {(pipeline, n): run for pipeline, n, run in self.ledger.keys.values()}
        self.exactly_one("start", found, expected)
        for run in self.of["work"]:
            wanted = {"n": run["inputs"].get("n"), "squares": [0, 1, 4, 9, 16]}
            if run["status"] == "succeeded" and run["outputs"] != wanted:
                self.wrong(f"{run['id']} of work: {run['outputs']}")

    def hooks(self):
        found = self.by(("hooked",), lambda run: run["inputs"].get("order"))
        self.exactly_one("delivery", found, dict(self.ledger.deliveries.values()))
        for run in self.of["hooked"]:
            if run["status"] == "succeeded" and run["outputs"]["order"] != run["inputs"]["order"]:
                self.wrong(f"{run['id']} of hooked: {run['outputs']}")

    def schedules(self):
        since, until = self.window
        minutes, at = [], minute_of(since) + timedelta(minutes=1)
        while at <= until:
            minutes.append(at)
            at += timedelta(minutes=1)
        for pipeline in TICKING:
            found = self.by((pipeline,), lambda run: moment(run["interval"]["end"]))
            self.exactly_one(f"tick of {pipeline}", found, dict.fromkeys(minutes))
            self.ticks += len(found)
            for run in self.of[pipeline]:
                start, end = (moment(run["interval"][side]) for side in ("start", "end"))
                if end - start != timedelta(minutes=1) or run["cause"]["kind"] != "schedule":
                    self.wrong(f"{run['id']} of {pipeline}: {run['interval']}, cause {run['cause']}")

    def downstream(self):
        found = self.by(("after",), lambda run: run["inputs"].get("of"))
        fits = [run["id"] for run in self.of["work"] + self.of["ask"] if run["status"] in FINAL]
        fits += [run["id"] for run in self.of["hooked"] if run["status"] == "succeeded"]
        self.exactly_one("downstream of", found, dict.fromkeys(fits))
        for run in self.of["after"]:
            if run["cause"]["run"] != run["inputs"]["of"]:
                self.wrong(f"{run['id']} of after: cause {run['cause']}, inputs {run['inputs']}")

    def approvals(self):
        for run in self.of["ask"]:
            approved, note, acknowledged, _ = self.ledger.answers.get(run["id"], (None, None, None, None))
            got = (run["status"], run["outputs"], run["fault"] and run["fault"]["code"])
            wanted = ("succeeded", {"n": run["inputs"]["n"], "note": note}, None)
            if not approved:
                wanted = ("failed", None, "approval.refused")
            if approved is None or got != wanted:
                self.wrong(f"answer to {run['id']} (acknowledged: {acknowledged}): {wanted}, it is {got}")

    def called(self):
        found = self.by(("quick",), lambda run: run["inputs"].get("x"))
        for x, (run, outputs) in self.ledger.calls.items():
            if run not in found.get(x, []):
                self.wrong(f"call with {x}: told {run}, there are {found.get(x)}")
            elif outputs != self.detail[run]["outputs"] or outputs != {"rows": 1, "twice": 2 * x}:
                self.wrong(f"call with {x}: told {outputs}, {run} says {self.detail[run]['outputs']}")
        for x, ids in found.items():
            # A call has no key: one that broke may have led to a run.
            if len(ids) > self.ledger.tries[x]:
                self.wrong(f"call with {x}, tried {self.ledger.tries[x]} times: {ids}")

    def done(self):
        """Effects: one key a step or item, none missing, and none after its step was recorded as done."""
        for run in self.effects.keys() - self.detail.keys():
            self.wrong(f"effects of {run}, which is not there")
        for id, run in self.detail.items():
            keys = collections.defaultdict(set)
            for step, key, _ in self.effects[id]:
                keys[step].add(key)
            if run["status"] == "succeeded":
                found = {step: len(some) for step, some in keys.items()}
                if found != EFFECTS[run["pipeline"]]:
                    self.wrong(f"effects of {id} of {run['pipeline']}: {found}")
            ended = {step["id"]: step["ended_at"] for step in run["steps"] if step["status"] == "succeeded"}
            for step, key, at in self.effects[id]:
                late = ended.get(step) and at / 1e9 - moment(ended[step]).timestamp()
                if late and late > 0.001:
                    self.wrong(f"effect {key} came {late:.3f} s after its step was recorded as done")
        lines = sum(map(len, self.effects.values()))
        self.repeated = lines - len({key for some in self.effects.values() for _, key, _ in some})

    def streams(self):
        """What streams told is what streams of the runs tell now, from their start, each once."""
        whole = {}
        for id in self.runs:
            stream = Stream(self.client, f"/api/v1/runs/{id}/events")
            stream.run(threading.Event())
            whole[id] = stream.events
            self.rising(stream)
            statuses = [data["status"] for name, data in stream.events if name == "run"]
            if statuses[0] != "queued" or statuses[-1] != self.runs[id]["status"]:
                self.wrong(f"{id} is {self.runs[id]['status']}, its stream tells {statuses}")
        for stream in self.ledger.streams:
            self.rising(stream)
            if stream.gaps:
                self.wrong(f"{stream.path}: gaps, though nothing was removed: {stream.gaps}")
            if "/runs/" in stream.path:
                id = stream.path.split("/")[4]
                if not stream.ended:
                    self.wrong(f"{stream.path} did not end")
                lines = [line["n"] for name, data in stream.events if name == "log" for line in data["lines"]]
                if lines != list(range(len(lines))):
                    self.wrong(f"{stream.path}: lines {lines}")
                told = {id: [event for event in stream.events if event[0] != "log"]}
            else:
                query = urllib.parse.parse_qs(stream.path.partition("?")[2])
                told = collections.defaultdict(list)
                for event in stream.events:
                    told[event[1]["run"]].append(event)
                pipeline = query.get("pipeline", [None])[0]
                for id in self.runs:
                    if pipeline in (None, self.runs[id]["pipeline"]):
                        told[id] += []
            for id, events in told.items():
                self.same(stream, id, events, whole.get(id, []))

    def rising(self, stream):
        if falls := stream.rises():
            self.wrong(f"{stream.path}: ids that do not rise: {falls[:5]}")

    def same(self, stream, id, got, wanted):
        if got == wanted:
            return
        text = lambda event: f"{event[0]} {json.dumps(event[1], sort_keys=True)}"
        have, want = collections.Counter(map(text, got)), collections.Counter(map(text, wanted))
        missing, twice = list((want - have).elements()), list((have - want).elements())
        self.wrong(f"{stream.path}: events of {id}: missing {missing[:5]}, too many {twice[:5]}, or in another order")

    def audit(self):
        answer = self.client.get("/api/v1/audit/verify")
        if not answer["ok"]:
            self.wrong(f"the audit log: {answer}")
        entries, after = [], 0
        while after is not None:
            page = self.client.get(f"/api/v1/audit?limit=500&after={after}")
            entries, after = entries + page["items"], page["next"]
        noted = collections.defaultdict(set)
        for entry in entries:
            noted[entry["action"]] |= {entry["target"].partition("/")[0], *(entry["detail"].get("runs") or [])}
        ledger = self.ledger
        acts = {
            "run.start": {run for _, _, run in ledger.keys.values()},
            "hook.accepted": {run for _, run in ledger.deliveries.values()},
            "approval.answer": set(ledger.answers),
            "run.call": {run for run, _ in ledger.calls.values()},
        }
        # What was done, but died before it was noted, and was acknowledged at the second try.
        self.unnoted = {action: len(runs - noted[action]) for action, runs in acts.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", required=True, type=pathlib.Path)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--port", type=int)
    args = parser.parse_args()
    print(f"seed {args.seed}", flush=True)
    rng = random.Random(args.seed)
    port = args.port
    if not port:
        with socket.socket() as some:
            some.bind(("127.0.0.1", 0))
            port = some.getsockname()[1]

    folder = pathlib.Path(tempfile.mkdtemp(prefix="millwork-chaos-"))
    effects, home = folder / "effects", folder / "home"
    effects.touch()
    pipelines(folder / "pipelines", effects)
    binary = args.binary.resolve()
    subprocess.run([binary, "check", *sorted((folder / "pipelines").glob("*.yaml"))], check=True, capture_output=True)
    server, client, ledger = Server(binary, folder / "pipelines", home, port), Client(port), Ledger()
    server.start()
    try:
        good = chaos(args, rng, server, client, ledger, effects)
    finally:
        if server.process.poll() is None:
            server.process.kill()
    if good:
        shutil.rmtree(folder)
    else:
        print(f"what is left lies in {folder}; again with --seed {args.seed}")
    return 0 if good else 1


def chaos(args, rng, server, client, ledger, effects):
    workers = Workers(client, ledger, args.seed)
    # Schedules count from when they are listed.
    while not client.ready() or len(client.get("/api/v1/schedules")["items"]) < len(TICKING):
        time.sleep(0.05)
    since = datetime.now(timezone.utc)
    for path in ("/api/v1/events", "/api/v1/events?pipeline=work"):
        # From the first commit: a stream without an id begins now, which a kill moves on.
        workers.follow(Stream(client, path, "p:0"))
    for work, many in ((workers.start, 2), (workers.deliver, 2), (workers.call, 2)):
        for number in range(many):
            workers.spawn(work, f"{work.__name__} {number}", workers.stop)
    workers.spawn(workers.look, "look", workers.stop)
    workers.spawn(workers.answer, "answer", workers.answering)
    killer(server, client, rng, args.seconds)

    workers.join(workers.stop, 90)
    # Not where a minute begins, so that the last tick is no matter of opinion.
    while not 5 < time.time() % 60 < 55:
        time.sleep(0.2)
    until = datetime.now(timezone.utc)
    for pipeline in TICKING:
        status, view, _ = client.ask("POST", f"/api/v1/pipelines/{pipeline}/schedules/0/pause")
        if status != 200 or not view["paused"]:
            client.complain(f"{pipeline} cannot be paused: {status} {view}")
    settle(client, ledger)
    workers.join(workers.answering, 30)
    # Those of runs end by themselves; one of all runs is read up to its end.
    quiet = time.monotonic() + 30
    while time.monotonic() < quiet and any("/runs/" in s.path and not s.ended for s in ledger.streams):
        time.sleep(0.2)
    time.sleep(1)
    threading.Thread(target=workers.join, args=(workers.following, 60), daemon=True).start()
    judge = Judge(client, ledger, effects, (since, until))
    # A stream that is silent is left at its next beat.
    for thread, its in workers.all:
        if its is workers.following:
            thread.join(SILENT)
    judge.judge()

    code = server.stop()
    if code != 0:
        client.complain(f"told to stop, the server ended with {code}")
    for command in (["audit", "verify"], ["db", "check"]):
        done = subprocess.run([server.binary, *command, "--home", server.home], capture_output=True, text=True)
        if done.returncode != 0:
            client.complain(f"{' '.join(command)}: {done.returncode} {done.stdout} {done.stderr}")
    for line in server.log.read_text(errors="replace").splitlines():
        if "panicked" in line or " ERROR " in line or "internal" in line:
            client.complain(f"the server said: {line}")

    events = sum(len(stream.events) for stream in ledger.streams)
    connections = sum(stream.connections for stream in ledger.streams)
    counts = [
        (server.kills, "kills"), (len(judge.runs), "runs"), (judge.ticks, "ticks"),
        (len(ledger.deliveries), "deliveries"), (len(ledger.answers), "approvals"), (len(ledger.calls), "calls"),
    ]
    counts = ", ".join(f"{number} {what}" for number, what in counts)
    again = ", ".join(f"{number} {what}" for what, number in sorted(ledger.again.items()))
    torn = sum(stream.torn for stream in ledger.streams)
    print(f"connections broke {client.broken} times, {client.early} times it was just starting; told at the second try that the first had come through: {again};")
    print(f"{torn} events came without an id behind them, and again; {judge.repeated} effects came again with their key")
    unnoted = ", ".join(f"{number} {action}" for action, number in judge.unnoted.items())
    print(f"acknowledged, but not in the audit log: {unnoted}")
    for text in client.wrong[:50]:
        print(f"- {text}")
    verdict = f"{len(client.wrong)} differences" if client.wrong else "all ledgers agree"
    print(f"{counts}, {events} events over {connections} connections: {verdict}")
    return not client.wrong


if __name__ == "__main__":
    sys.exit(main())
