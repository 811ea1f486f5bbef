#!/usr/bin/env python3
"""The web UI as a person uses it, in a real browser, against the real server.

    flows.py --binary target/debug/millwork --out FOLDER      starts the server itself, in a temporary folder
    flows.py --base http://127.0.0.1:7411 --out FOLDER        takes one that runs, with the pipelines beside this file

Needs the package `playwright` and a Chromium: that of --chromium or of the variable CHROMIUM, else the system's, else
playwright's own. The folder gets a picture of each flow, and of each flow that failed. Flows whose pipelines a given
server lacks are told as skipped, and so are those that must stop the server or make tokens on it.

Ends with 0 if no flow failed, with 1 otherwise, with 2 if it was called wrongly.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

try:
    from playwright.sync_api import expect, sync_playwright
except ImportError:
    sys.exit("flows.py needs `pip install playwright`")

PIPELINES = pathlib.Path(__file__).resolve().parent / "pipelines"
STEPS = 10_000
LAYER = 200
FLOWS = []


class Skip(Exception):
    """A flow that this server has nothing for."""


def flow(fn):
    FLOWS.append(fn)
    return fn


def ten_thousand():
    """A pipeline of ten thousand steps in layers; every seventh needs two steps of the layer before."""
    lines = ["version: 1", "name: ten_thousand", "description: Ten thousand steps in fifty layers.", "steps:"]
    for i in range(STEPS):
        before = [i - LAYER, i - LAYER + 1 if (i + 1) % LAYER else i - 2 * LAYER + 1]
        wanted = before[: 2 if i % 7 == 0 else 1] if i >= LAYER else []
        needs = ", ".join(f"s{n:05}" for n in wanted)
        lines.append(f"  - {{id: s{i:05}{f', needs: [{needs}]' if needs else ''}, uses: assert, with: {{that: {{condition: true}}}}}}")
    return "\n".join(lines) + "\n"


class Server:
    """The server under test, in a folder of its own."""

    def __init__(self, binary, folder):
        self.binary, self.folder, self.process = str(binary), folder, None
        self.pipelines, self.home = folder / "pipelines", folder / "home"
        shutil.copytree(PIPELINES, self.pipelines)
        (self.pipelines / "ten_thousand.yaml").write_text(ten_thousand())
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.base = f"http://127.0.0.1:{self.port}"

    def start(self):
        with (self.folder / "serve.log").open("ab") as log:
            command = [self.binary, "serve", str(self.pipelines), "--listen", f"127.0.0.1:{self.port}", "--home", str(self.home)]
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)
        self.wait_ready()

    def wait_ready(self, seconds=60):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended with {self.process.returncode}:\n{self.log()}")
            try:
                urllib.request.urlopen(f"{self.base}/readyz", timeout=5).close()
                return
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)
        raise RuntimeError(f"the server is not ready after {seconds} s:\n{self.log()}")

    def stop(self):
        """Asks it to end; gives its exit status."""
        if self.process is None or self.process.poll() is not None:
            return self.process and self.process.returncode
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return "killed: it did not end within 60 s of SIGTERM"

    def log(self):
        return (self.folder / "serve.log").read_text(errors="replace")[-2000:]

    def token(self, name, role):
        command = [self.binary, "token", "create", name, "--role", role, "--home", str(self.home)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=self.folder)
        found = re.search(r"mw_\S+", done.stdout)
        if not found:
            raise RuntimeError(f"no token was made: {done.stdout}{done.stderr}")
        return found[0]


class World:
    """What a flow needs: pages, the server, and where to put pictures."""

    def __init__(self, browser, args, server):
        self.browser, self.args, self.server = browser, args, server
        self.base, self.token = args.base, args.token
        self.errors, self.allowed = [], []

    def allow(self, *texts):
        """Errors on the console that belong to this flow, as a refusal does."""
        self.allowed += texts

    def context(self, **options):
        page = self.browser.new_context(**{"viewport": {"width": 1360, "height": 880}, **options}).new_page()
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: self.errors.append(f"page error: {error}"))
        page.on("console", self._console)
        return page

    def page(self, path="/", **options):
        page = self.context(**options)
        page.goto(self.base + path)
        heading = page.get_by_role("heading", level=1)
        expect(heading.first).to_be_visible()
        if self.token and page.get_by_test_id("token").count():
            self.sign_in(page, self.token)
            page.goto(self.base + path)
        return page

    def sign_in(self, page, token):
        page.get_by_test_id("token").fill(token)
        page.get_by_role("button", name="Sign in").click()

    def _console(self, message):
        if message.type == "error":
            self.errors.append(f"console: {message.text} {message.location.get('url', '')}")

    def wrong(self):
        """What went wrong in the pages, without what was expected to."""
        return [error for error in self.errors if not any(text in error for text in self.allowed)]

    def api(self, path, body=None):
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {self.token}"} if self.token else {})}
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(f"{self.base}/api/v1{path}", data, headers), timeout=30) as answer:
            return json.load(answer)

    def needs(self, *pipelines):
        names = {item["name"] for item in self.api("/pipelines?limit=500")["items"]}
        if missing := [name for name in pipelines if name not in names]:
            raise Skip(f"no pipeline {', '.join(missing)}")

    def run(self, pipeline, inputs=None, status="succeeded", seconds=60):
        """Starts a run beside the pages and waits for its state."""
        self.needs(pipeline)
        run = self.api("/runs", {"pipeline": pipeline, "inputs": inputs or {}})["id"]
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            now = self.api(f"/runs/{run}")["status"]
            if now == status:
                return run
            if now in ("succeeded", "failed", "cancelled"):
                raise AssertionError(f"{run} of {pipeline} is {now}, not {status}")
            time.sleep(0.1)
        raise AssertionError(f"{run} of {pipeline} is not {status} after {seconds} s")

    def shot(self, page, name):
        page.screenshot(path=str(self.args.out / f"{name}.png"))


def go(page, name):
    page.get_by_role("navigation", name="Pages").get_by_role("link", name=name).click()
    expect(page.get_by_role("heading", level=1, name=name, exact=True)).to_be_visible()


def open_pipeline(page, name):
    go(page, "Pipelines")
    page.get_by_test_id("pipeline-row").filter(has=page.get_by_text(name, exact=True)).click()
    expect(page.get_by_role("heading", level=1, name=name)).to_be_visible()


def start(page, name, fill=None):
    """Starts a run by the form; gives its id."""
    open_pipeline(page, name)
    page.get_by_test_id("start").click()
    dialog = page.get_by_role("dialog", name=f"Start {name}")
    for field, value in (fill or {}).items():
        dialog.get_by_test_id(f"input-{field}").locator("input, textarea").fill(value)
    dialog.get_by_role("button", name="Start run").click()
    expect(page).to_have_url(re.compile(r"/runs/run_"))
    return re.search(r"run_\w+", page.url)[0]


def wait_status(page, words, seconds=60):
    expect(page.get_by_test_id("run-status")).to_have_text(re.compile(f"^({words})$"), timeout=seconds * 1000)


@flow
def empty_pages(world):
    """What a new installation shows: nothing yet, and what to do about it."""
    if world.server is None:
        raise Skip("a given server may have data")
    page = world.page()
    expect(page.get_by_text("No run yet")).to_be_visible()
    expect(page.get_by_test_id("tile-running").locator("b")).to_have_text("0")
    world.shot(page, "empty_overview")
    for name in ["Runs", "Approvals", "Tokens"]:
        go(page, name)
        expect(page.get_by_test_id("empty").filter(visible=True).first).to_be_visible()
        world.shot(page, f"empty_{name.lower()}")


@flow
def start_by_form_and_watch(world):
    """Start by the form and watch steps and lines move, without a reload, until the run ends."""
    world.needs("slow_import")
    page = world.page()
    run = start(page, "slow_import", {"lines": "30"})
    page.evaluate("window.__same = true")
    download = page.get_by_test_id("node-download")
    expect(download).to_have_attribute("data-state", "running")
    world.shot(page, "run_live")
    page.get_by_test_id("tab-logs").click()
    log = page.get_by_test_id("log")
    expect(log.get_by_text("downloaded part 5 of 30", exact=True)).to_be_visible()
    wait_status(page, "Succeeded")
    expect(log.get_by_text("unpacked archive 3", exact=True)).to_be_visible()
    total = world.api(f"/runs/{run}/logs?limit=1")["total"]
    expect(log.get_by_text(f"{total} lines")).to_be_visible()
    page.get_by_test_id("tab-steps").click()
    expect(download).to_have_attribute("data-state", "succeeded")
    expect(page.get_by_test_id("node-release")).to_have_attribute("data-state", "succeeded")
    assert page.evaluate("window.__same") is True, "the page was loaded anew"
    expect(page.get_by_test_id("live")).to_have_text("Up to date")
    world.shot(page, "run")


@flow
def refuse_wrong_inputs(world):
    """A form with every type says what is wrong before anything is sent, and sends what was chosen."""
    world.needs("every_type")
    page = world.page()
    open_pipeline(page, "every_type")
    page.get_by_test_id("start").click()
    dialog = page.get_by_role("dialog", name="Start every_type")
    part = lambda name: dialog.get_by_test_id(f"input-{name}")
    expect(part("city").locator("input")).to_be_focused()
    send = dialog.get_by_role("button", name="Start run")
    send.click()
    expect(part("city").get_by_text("This is needed.")).to_be_visible()
    expect(part("level").get_by_text("This is needed.")).to_be_visible()
    part("city").locator("input").fill("Hue")
    part("level").locator("select").select_option(label="2")
    part("workers").locator("input").fill("four")
    part("since").locator("input").fill("yesterday")
    send.click()
    expect(part("workers").get_by_text("A whole number")).to_be_visible()
    expect(part("since").get_by_text("A time with seconds")).to_be_visible()
    world.shot(page, "form")
    part("workers").locator("input").fill("8")
    part("since").locator("input").fill("")
    part("sizes").locator("textarea").fill("5\n7")
    send.click()
    wait_status(page, "Succeeded")
    inputs = world.api(f"/runs/{re.search(r'run_[a-z0-9]+', page.url)[0]}")["inputs"]
    assert (inputs["city"], inputs["level"], inputs["workers"], inputs["sizes"], inputs["dry_run"]) == ("Hue", 2, 8, [5, 7], True), inputs
    page.get_by_test_id("tab-outputs").click()
    expect(page.get_by_test_id("outputs").get_by_text("8 workers in Hue (south)")).to_be_visible()


@flow
def read_logs(world):
    """Read the log of a run that is over, of one step of it, and search in it."""
    run = world.run("slow_import", {"lines": 400, "pause": "0"})
    page = world.page(f"/runs/{run}?tab=logs")
    log = page.get_by_test_id("log")
    expect(log.get_by_text("planning", exact=True)).to_be_visible()
    page.keyboard.press("/")
    search = page.get_by_test_id("log-search")
    expect(search).to_be_focused()
    page.keyboard.type("part 399 of")
    expect(log.get_by_role("option")).to_have_count(1)
    expect(log.locator("mark")).to_have_text("part 399 of")
    search.fill("zzz no such text")
    expect(log.get_by_text("No lines here")).to_be_visible()
    search.fill("")
    page.get_by_test_id("log-step").fill("unpack")
    page.get_by_test_id("log-step").press("Enter")
    expect(log.get_by_text("3 lines of unpack")).to_be_visible()
    expect(page).to_have_url(re.compile("of=unpack"))
    page.get_by_test_id("log-step").fill("")
    page.get_by_test_id("log-step").press("Enter")
    expect(log.get_by_text("planning", exact=True)).to_be_visible()
    log.get_by_role("listbox", name="Log lines").evaluate("el => { el.scrollTop = el.scrollHeight }")
    expect(log.get_by_text("unpacked archive 3", exact=True)).to_be_visible()
    world.shot(page, "logs")


@flow
def preview_a_table(world):
    """Open a step, look at its table and its charts, go on by a page."""
    run = world.run("daily_sales")
    page = world.page(f"/runs/{run}")
    page.get_by_test_id("node-by_product").click()
    panel = page.get_by_test_id("step-panel")
    expect(panel.get_by_role("columnheader", name="product")).to_be_visible()
    expect(panel.get_by_role("cell", name="coffee")).to_be_visible()
    expect(panel.get_by_test_id("charts")).to_be_visible()
    world.shot(page, "table_panel")
    page.get_by_test_id("node-by_day").click()
    expect(panel.get_by_text("1–20 of 90")).to_be_visible()
    panel.get_by_role("button", name="Rows after").click()
    expect(panel.get_by_text("21–40 of 90")).to_be_visible()
    panel.get_by_test_id("table-large").click()
    dialog = page.get_by_test_id("table-dialog")
    expect(dialog.get_by_text("1–90 of 90")).to_be_visible()
    expect(dialog.get_by_test_id("charts")).to_be_visible()
    world.shot(page, "table")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()


@flow
def look_at_a_report(world):
    """A report is shown in a frame that can do nothing."""
    run = world.run("daily_sales")
    files = [output["file"] for output in world.api(f"/runs/{run}/steps/page")["outputs"] if output["file"]]
    page = world.page(f"/runs/{run}?tab=outputs")
    expect(page.get_by_test_id("outputs").get_by_text("sales.html").first).to_be_visible()
    world.shot(page, "outputs")
    assert files, "the step gives a file"
    expect(page.frame_locator("[data-testid=report]").get_by_text("What sells")).to_be_visible()


@flow
def approve(world):
    """A run waits for a person; the inbox has the question; the answer with its values lets it go on."""
    world.needs("publish_review")
    page = world.page()
    run = start(page, "publish_review", {"edition": "evening"})
    wait_status(page, "Waiting")
    expect(page.get_by_test_id("waits")).to_contain_text("Publish the evening edition")
    go(page, "Approvals")
    link = page.locator(f"a[href^='/runs/{run}']")
    expect(link).to_be_visible()
    expect(page.get_by_label(re.compile(r"^\d+ waiting$"))).to_be_visible()
    world.shot(page, "approvals")
    link.click()
    panel = page.get_by_test_id("step-panel")
    panel.get_by_test_id("approve").click()
    expect(panel.get_by_text("This is needed.")).to_be_visible()
    panel.get_by_test_id("input-pages").locator("input").fill("12")
    panel.get_by_test_id("input-urgent").locator("select").select_option("true")
    panel.get_by_test_id("approve").click()
    wait_status(page, "Succeeded")
    assert world.api(f"/runs/{run}")["outputs"]["text"] == "published 12 pages"
    world.shot(page, "approved")


@flow
def refuse(world):
    """A refusal in the inbox fails the run, which says so."""
    run = world.run("publish_review", status="waiting")
    page = world.page("/approvals")
    card = page.locator("section.card").filter(has=page.locator(f"a[href^='/runs/{run}']"))
    card.get_by_test_id("refuse").click()
    expect(card).to_be_hidden()
    page.goto(f"{world.base}/runs/{run}")
    wait_status(page, "Failed")
    expect(page.get_by_test_id("fault")).to_contain_text("refused by")


@flow
def look_at_a_failure(world):
    """A failed run says which step and why, and what came after; a retried step lists its attempts."""
    run = world.run("failing_check", status="failed")
    page = world.page(f"/runs/{run}")
    fault = page.get_by_test_id("fault")
    expect(fault).to_contain_text("the table is not as expected")
    expect(page.get_by_test_id("node-publish")).to_have_attribute("data-state", "skipped")
    expect(page.get_by_test_id("node-tell")).to_have_attribute("data-state", "succeeded")
    fault.get_by_role("link", name="Open check").click()
    panel = page.get_by_test_id("step-panel")
    expect(panel).to_contain_text("check.failed")
    world.shot(page, "failed")
    page.get_by_test_id("node-fetch").click()
    expect(panel).to_contain_text("the far side is busy")
    page.get_by_test_id("node-publish").click()
    expect(panel.get_by_test_id("why-text")).to_contain_text("did not succeed")


@flow
def rerun_from_a_step(world):
    """Rerun from a step: first what would be done again and why, then the new run."""
    before = world.run("daily_sales")
    page = world.page(f"/runs/{before}?step=by_product")
    page.get_by_test_id("rerun").click()
    dialog = page.get_by_test_id("rerun-dialog")
    expect(dialog.get_by_text("2 steps done again")).to_be_visible()
    expect(dialog.get_by_text("it was asked for")).to_be_visible()
    world.shot(page, "rerun")
    dialog.get_by_role("button", name="Rerun").click()
    expect(page).not_to_have_url(re.compile(before))
    after = re.search(r"run_\w+", page.url)[0]
    expect(page.get_by_test_id("run-facts")).to_contain_text(after)
    expect(page.get_by_test_id("run-facts").locator(f"a[href='/runs/{before}']")).to_be_visible()
    wait_status(page, "Succeeded")
    expect(page.get_by_test_id("node-sales")).to_contain_text("taken over")


@flow
def queue_and_cancel(world):
    """A second run of a group waits and says for whom; cancelling the first lets it in; a cancelled run says so."""
    world.needs("slow_import")
    first = world.run("slow_import", {"lines": 100_000}, status="running")
    page = world.page()
    second = start(page, "slow_import", {"lines": "100000"})
    wait_status(page, "Queued")
    queue = page.get_by_test_id("queue")
    expect(queue).to_contain_text("Number 1 in the queue")
    world.shot(page, "queued")
    queue.locator(f"a[href='/runs/{first}']").click()
    wait_status(page, "Running")
    page.get_by_test_id("cancel").click()
    wait_status(page, "Cancelled")
    expect(page.get_by_test_id("node-release")).to_have_attribute("data-state", "succeeded")
    world.shot(page, "cancelled")
    page.goto(f"{world.base}/runs/{second}")
    wait_status(page, "Running")
    page.get_by_test_id("cancel").click()
    wait_status(page, "Cancelled")


@flow
def thousands_of_items(world):
    """A fan-out shows its items by place and by state, and the log of one that failed."""
    world.needs("many_items")
    page = world.page()
    run = start(page, "many_items", {"count": "3000"})
    wait_status(page, "Succeeded")
    page.get_by_test_id("node-each").click()
    items = page.get_by_test_id("step-panel").get_by_test_id("items")
    expect(items.get_by_test_id("items-all")).to_have_text("All 3,000")
    listed = items.get_by_role("listbox", name="Items")
    listed.evaluate("el => { el.scrollTop = el.scrollHeight }")
    expect(items.get_by_text("#2999", exact=True)).to_be_visible()
    items.get_by_test_id("items-failed").click()
    expect(items.get_by_text("number 100 is odd somehow")).to_be_visible()
    world.shot(page, "items")
    items.get_by_text("number 100 is odd somehow").click()
    expect(page.get_by_test_id("item-dialog")).to_contain_text("assert.failed")
    assert world.api(f"/runs/{run}")["outputs"] == {"succeeded": 2970, "failed": 30}


@flow
def runs_of_runs(world):
    """A run that started others lists them, and each of them leads back."""
    run = world.run("weekly")
    page = world.page(f"/runs/{run}?tab=children")
    rows = page.get_by_test_id("run-row")
    expect(rows).to_have_count(2)
    rows.first.click()
    expect(page.get_by_role("heading", level=1, name="daily_sales")).to_be_visible()
    expect(page.get_by_test_id("run-facts").locator(f"a[href='/runs/{run}']")).to_be_visible()


@flow
def filter_runs(world):
    """Runs by state and by pipeline, in the address."""
    world.run("failing_check", status="failed")
    page = world.page("/runs")
    page.get_by_test_id("filter-failed").click()
    expect(page).to_have_url(re.compile("status=failed"))
    expect(page.get_by_test_id("run-row").first).to_be_visible()
    expect(page.get_by_test_id("run-row").filter(has_text="Succeeded")).to_have_count(0)
    page.get_by_label("Only runs of the pipeline").fill("failing_ch")
    expect(page).to_have_url(re.compile("q=failing_ch"))
    expect(page.get_by_test_id("run-row").filter(has_not_text="failing_check")).to_have_count(0)
    page.reload()
    expect(page.get_by_test_id("filter-failed")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_test_id("run-row").first).to_be_visible()


@flow
def broken_pipeline(world):
    """What is wrong with a file stands at its lines; it cannot be started."""
    world.needs("broken")
    page = world.page()
    page.get_by_test_id("broken").get_by_role("link", name="broken").click()
    expect(page.get_by_test_id("diagnostic")).to_have_count(4)
    expect(page.get_by_test_id("diagnostic").nth(1)).to_contain_text("there is no kind of step shel")
    expect(page.get_by_test_id("diagnostic").nth(1)).to_contain_text("Did you mean shell?")
    expect(page.locator("[data-line='10'] u")).to_have_text("shel")
    expect(page.get_by_test_id("start")).to_be_disabled()
    world.shot(page, "broken")
    page.get_by_test_id("tab-runs").click()
    expect(page.get_by_text("There is no graph while the text has errors")).to_be_visible()


@flow
def schedules(world):
    """Times of a schedule, pausing it, and the days on which clocks change."""
    world.needs("nightly_rollup")
    page = world.page("/schedules")
    row = page.get_by_test_id("schedules").get_by_role("row").filter(has_text="Europe/Berlin")
    expect(row).to_contain_text("Every day at 02:30")
    row.get_by_test_id("pause").click()
    expect(row).to_contain_text("Paused")
    row.get_by_test_id("pause").click()
    expect(row).not_to_contain_text("Paused")
    world.shot(page, "schedules")
    row.get_by_role("link", name="nightly_rollup").click()
    calendar = page.get_by_test_id("calendar").first
    expect(calendar.locator(".has-ticks").first).to_be_visible()
    after = page.get_by_role("button", name="Month after").first
    for _ in range(13):
        if page.get_by_role("heading", level=3, name=re.compile("^March")).count():
            break
        shown = page.get_by_role("heading", level=3).first.inner_text()
        after.click()
        expect(page.get_by_role("heading", level=3).first).not_to_have_text(shown)
    expect(calendar.get_by_text("clocks skip")).to_have_count(1)
    calendar.scroll_into_view_if_needed()
    world.shot(page, "calendar")


@flow
def backfill(world):
    """Times of a range: first only shown, then run; the page lists how far they are."""
    world.needs("nightly_rollup")
    with urllib.request.urlopen(f"{world.base}/openapi.json", timeout=30) as answer:
        if "/api/v1/backfills" not in json.load(answer)["paths"]:
            raise Skip("this server has no backfills")
    page = world.page("/schedules")
    row = page.get_by_test_id("schedules").get_by_role("row").filter(has_text="Europe/Berlin")
    row.get_by_test_id("backfill").click()
    dialog = page.get_by_test_id("backfill-dialog")
    dialog.get_by_label("Also times that have a run already").check()
    dialog.get_by_role("button", name="Show the times").click()
    expect(dialog.get_by_test_id("backfill-times")).to_contain_text("7 times to run")
    world.shot(page, "backfill")
    dialog.get_by_role("button", name="Start 7 runs").click()
    expect(dialog).to_be_hidden()
    card = page.get_by_test_id("backfills")
    expect(card.get_by_text("7 of 7 done").first).to_be_visible(timeout=60_000)
    world.shot(page, "backfilled")


@flow
def revisions(world):
    """A changed file is another revision, and the page shows what changed."""
    if world.server is None:
        raise Skip("the files of a given server are not ours")
    file = world.server.pipelines / "weekly.yaml"
    file.write_text(file.read_text().replace("days: 30", "days: 31"))
    end = time.monotonic() + 30
    while len(world.api("/pipelines/weekly/revisions")["items"]) < 2 and time.monotonic() < end:
        time.sleep(0.1)
    page = world.page("/pipelines/weekly?tab=revisions")
    diff = page.get_by_test_id("diff")
    expect(diff.locator(".add")).to_contain_text("days: 31")
    expect(diff.locator(".del")).to_contain_text("days: 30")
    world.shot(page, "revisions")


@flow
def audit_and_tokens(world):
    """The audit log, newest first and verified; the dialog of a new token."""
    world.run("weekly")
    page = world.page("/audit")
    rows = page.get_by_test_id("audit").get_by_role("row")
    expect(rows.nth(1)).to_contain_text("run.start")
    page.get_by_test_id("verify").click()
    expect(page.get_by_text("unbroken")).to_be_visible()
    world.shot(page, "audit")
    go(page, "Tokens")
    page.get_by_test_id("token-new").click()
    dialog = page.get_by_test_id("token-dialog")
    dialog.get_by_role("button", name="Make the token").click()
    expect(dialog.get_by_text("A name is needed")).to_be_visible()
    world.shot(page, "token_dialog")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


@flow
def dark(world):
    """The theme button changes the theme, and the choice is kept."""
    page = world.page()
    for _ in range(2):
        page.get_by_role("button", name=re.compile("^Theme")).click()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    light = page.evaluate("getComputedStyle(document.body).color")
    page.reload()
    expect(page.get_by_role("heading", name="Overview", exact=True)).to_be_visible()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark", "the theme was not kept"
    assert page.evaluate("getComputedStyle(document.body).color") == light
    world.shot(page, "dark")
    run = world.run("daily_sales")
    page.goto(f"{world.base}/runs/{run}?step=by_product")
    expect(page.get_by_test_id("charts")).to_be_visible()
    world.shot(page, "dark_run")


@flow
def phone(world):
    """At 360 pixels nothing is wider than the window, and a run can be started."""
    world.needs("broken", "nightly_rollup")
    run = world.run("daily_sales")
    page = world.page(viewport={"width": 360, "height": 740}, has_touch=True)
    # Each page, and what it has when it is whole.
    paths = {
        "overview": ("/", "[data-testid=run-row]"), "runs": ("/runs", "[data-testid=run-row]"),
        "pipelines": ("/pipelines", "[data-testid=pipeline-row]"), "approvals": ("/approvals", "h1"),
        "schedules": ("/schedules", "[data-testid=pause]"), "audit": ("/audit", "[data-testid=audit] td"), "tokens": ("/tokens", "h1"),
        "run": (f"/runs/{run}", "[data-testid=node-page]"), "step": (f"/runs/{run}?step=by_product", "[data-testid=charts]"),
        "timeline": (f"/runs/{run}?tab=timeline", ".time-row"), "logs": (f"/runs/{run}?tab=logs", ".log-line"),
        "outputs": (f"/runs/{run}?tab=outputs", "[data-testid=outputs]"), "pipeline": ("/pipelines/daily_sales", "[data-testid=run-row]"),
        "source": ("/pipelines/broken?tab=source", "[data-testid=diagnostic]"), "calendar": ("/pipelines/nightly_rollup?tab=schedules", ".has-ticks"),
        "revisions": ("/pipelines/daily_sales?tab=revisions", "[data-testid=source]"),
    }
    for name, (path, whole) in paths.items():
        page.goto(world.base + path)
        expect(page.locator(whole).first).to_be_visible()
        over = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert over <= 0, f"{path} is {over} px too wide"
        world.shot(page, f"phone_{name}")
    page.goto(f"{world.base}/pipelines/daily_sales")
    page.get_by_test_id("start").click()
    page.get_by_role("dialog").get_by_role("button", name="Start run").click()
    wait_status(page, "Succeeded")


@flow
def ten_thousand_steps(world):
    """A run of ten thousand steps opens quickly and holds few elements."""
    run = world.run("ten_thousand", seconds=120)
    page = world.page()
    began = time.monotonic()
    page.goto(f"{world.base}/runs/{run}")
    expect(page.get_by_test_id("graph-map")).to_be_visible()
    steps = page.get_by_role("listbox", name="Steps")
    expect(steps.get_by_role("option").first).to_be_visible()
    opened = time.monotonic() - began
    elements = page.evaluate("document.querySelectorAll('*').length")
    began = time.monotonic()
    steps.evaluate("el => { el.scrollTop = el.scrollHeight }")
    expect(steps.get_by_text("s09999", exact=True)).to_be_visible()
    scrolled = time.monotonic() - began
    steps.get_by_text("s09999", exact=True).click()
    expect(page.get_by_test_id("step-panel").get_by_text("assert")).to_be_visible()
    expect(page.get_by_test_id("node-s09799")).to_be_visible()
    world.shot(page, "ten_thousand")
    print(f"        opened in {opened:.2f} s, to the end in {scrolled:.2f} s, {elements} elements")
    assert elements < 5000, f"{elements} elements in the page"
    assert opened < 10, f"it took {opened:.1f} s to open"


@flow
def keyboard_only(world):
    """Without a mouse: the list of shortcuts, to a pipeline, start it, read a step, leave."""
    world.needs("daily_sales")
    page = world.page()
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    page.keyboard.press("g")
    page.keyboard.press("p")
    expect(page.get_by_role("heading", level=1, name="Pipelines")).to_be_visible()
    expect(page.get_by_test_id("pipeline-row").first).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type("daily_sales")
    expect(page.get_by_test_id("pipeline-row")).to_have_count(1)
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    expect(page.get_by_test_id("pipeline-row")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name="daily_sales")).to_be_focused()
    begin = page.get_by_test_id("start")
    expect(begin).to_be_visible()
    page.keyboard.press("Tab")
    expect(begin).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog").locator("textarea, input").first).to_be_focused()
    send = page.get_by_role("dialog").get_by_role("button", name="Start run")
    for _ in range(12):
        page.keyboard.press("Tab")
        if send.evaluate("el => el === document.activeElement"):
            break
    page.keyboard.press("Enter")
    wait_status(page, "Succeeded")
    page.get_by_test_id("node-enriched").focus()
    page.keyboard.press("ArrowRight")
    focused = page.evaluate("document.activeElement.dataset.testid")
    assert focused.startswith("node-by_"), focused
    page.keyboard.press("Enter")
    panel = page.get_by_test_id("step-panel")
    expect(panel).to_be_visible()
    world.shot(page, "keyboard")
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()


@flow
def survive_a_lost_connection(world):
    """Without the server's events the page says so and keeps what it shows."""
    world.allow("ERR_FAILED")
    page = world.page()
    live = page.get_by_test_id("live")
    expect(live).to_have_text("Live")
    page.route("**/api/v1/events*", lambda route: route.abort())
    page.reload()
    expect(live).to_have_text("Reconnecting…")
    expect(page.get_by_test_id("tile-running").locator("b")).to_have_text(re.compile(r"\d"))
    world.shot(page, "reconnecting")
    page.unroute("**/api/v1/events*")
    expect(live).to_have_text("Live", timeout=40_000)


@flow
def survive_a_restart(world):
    """The server stops and starts again; the open page goes on, and a run that was under way ends."""
    if world.server is None:
        raise Skip("a given server is not stopped")
    world.allow("ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_EMPTY_RESPONSE", "ERR_CONNECTION_RESET")
    run = world.run("publish_review", status="waiting")
    page = world.page(f"/runs/{run}?step=review")
    live = page.get_by_test_id("live")
    expect(live).to_have_text("Live")
    status = world.server.stop()
    assert status == 0, f"the server ended with {status}"
    expect(live).to_have_text("Reconnecting…")
    expect(page.get_by_test_id("run-status")).to_have_text("Waiting")
    world.server.start()
    expect(live).to_have_text("Live", timeout=40_000)
    page.get_by_test_id("input-pages").locator("input").fill("3")
    page.get_by_test_id("approve").click()
    wait_status(page, "Succeeded")


def until_closed(base):
    """Waits until nobody is let in without a token."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            urllib.request.urlopen(f"{base}/api/v1/session", timeout=5).close()
        except urllib.error.HTTPError as refused:
            if refused.code == 401:
                return
        time.sleep(0.05)
    raise AssertionError("the service stays open though there is a token")


@flow
def sign_in_with_a_token(world):
    """Once there is a token, nobody is let in without one; a viewer sees no button that it may not press."""
    if world.server is None:
        raise Skip("no token is made on a given server")
    admin = world.server.token("admin", "admin")
    viewer = world.server.token("looker", "viewer")
    world.allow("401")
    # Tokens made by another process are known within a second.
    until_closed(world.base)
    page = world.context()
    page.goto(f"{world.base}/pipelines/daily_sales")
    expect(page.get_by_test_id("token")).to_be_focused()
    world.sign_in(page, "mw_wrong")
    expect(page.get_by_test_id("error")).to_contain_text("not known here")
    world.shot(page, "sign_in")
    world.sign_in(page, admin)
    expect(page.get_by_role("heading", level=1, name="daily_sales")).to_be_visible()
    page.get_by_test_id("start").click()
    page.get_by_role("dialog").get_by_role("button", name="Start run").click()
    wait_status(page, "Succeeded")
    expect(page.get_by_test_id("run-facts")).to_contain_text("started by admin")
    go(page, "Tokens")
    expect(page.get_by_test_id("tokens")).to_contain_text("looker")
    world.shot(page, "tokens")
    page.get_by_test_id("token-new").click()
    dialog = page.get_by_test_id("token-dialog")
    dialog.get_by_label("Name").fill("ci")
    dialog.get_by_label("Role").select_option("operator")
    dialog.get_by_label("Requests a minute").fill("600")
    dialog.get_by_role("button", name="Make the token").click()
    expect(page.get_by_test_id("token-text")).to_have_value(re.compile("^mw_"))
    page.keyboard.press("Escape")
    row = page.get_by_test_id("tokens").get_by_role("row").filter(has_text="ci")
    expect(row).to_contain_text("600 a minute")
    row.get_by_role("button", name="Take back").click()
    page.get_by_role("dialog").get_by_role("button", name="Take back").click()
    expect(row).to_be_hidden()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_test_id("token")).to_be_visible()
    world.sign_in(page, viewer)
    expect(page.get_by_role("heading", level=1, name="Overview")).to_be_visible()
    expect(page.get_by_role("link", name="Tokens")).to_have_count(0)
    open_pipeline(page, "daily_sales")
    expect(page.get_by_test_id("run-row").first).to_be_visible()
    expect(page.get_by_test_id("start")).to_be_hidden()


def chromium(args):
    wanted = args.chromium or os.environ.get("CHROMIUM")
    if wanted:
        return wanted
    names = ["chromium", "chromium-browser", "google-chrome"]
    return next((path for name in names if (path := shutil.which(name))), None)


def run_flows(browser, args, server):
    failed = passed = skipped = 0
    for fn in FLOWS:
        if args.only and fn.__name__ not in args.only.split(","):
            continue
        world = World(browser, args, server)
        began = time.monotonic()
        try:
            fn(world)
            if wrong := world.wrong():
                raise AssertionError("; ".join(wrong[:3]))
            passed += 1
            print(f"ok      {fn.__name__} ({time.monotonic() - began:.1f} s)", flush=True)
        except Skip as why:
            skipped += 1
            print(f"skipped {fn.__name__}: {why}", flush=True)
        except Exception as error:  # one flow that fails must not hide the others
            failed += 1
            text = " ".join(str(error).split())[:900]
            print(f"FAILED  {fn.__name__} ({time.monotonic() - began:.1f} s): {text} {world.wrong()[:3] or ''}", flush=True)
            for number, context in enumerate(browser.contexts):
                for page in context.pages:
                    page.screenshot(path=str(args.out / f"failed_{fn.__name__}_{number}.png"))
        for context in browser.contexts:
            context.close()
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--binary", type=pathlib.Path, help="the server, which is started")
    which.add_argument("--base", help="one that runs, such as http://127.0.0.1:7411")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="the folder for pictures")
    parser.add_argument("--chromium", help="the browser")
    parser.add_argument("--token", help="for --base")
    parser.add_argument("--only", help="names of flows, with commas between")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="millwork_ui_") as folder:
        server = None
        if args.binary:
            server = Server(args.binary.resolve(), pathlib.Path(folder))
            args.base = server.base
        args.base = args.base.rstrip("/")
        try:
            if server:
                server.start()
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=chromium(args), args=["--no-sandbox"])
                failed = run_flows(browser, args, server)
                browser.close()
        finally:
            ended = server.stop() if server else 0
        if ended != 0:
            failed += 1
            print(f"FAILED  the server ended with {ended}:\n{server.log()}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
