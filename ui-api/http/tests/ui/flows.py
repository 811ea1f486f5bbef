#!/usr/bin/env python3
"""The web UI as a person uses it, in a real browser.

    flows.py BASE_URL FOLDER_FOR_SCREENSHOTS [--token mw_...] [--only NAME,NAME]

Needs the package `playwright` and a Chromium (CHROMIUM names it, else /usr/bin/chromium). The server at BASE_URL needs
these pipelines; a flow whose pipeline is missing is told as skipped:

    flights_etl     succeeds, has a step `by_carrier` with a table and takes `origins: list<string>`
    nightly_delays  takes `workers: int` (required) and waits at an approval, step `review`, that asks for `publish: bool`
    ten_thousand    has 10,000 steps (or any number above 240)

Ends with 0 if no flow failed, with 1 otherwise, with 2 if it was called wrongly.
"""

import argparse
import json
import os
import pathlib
import re
import sys
import time
import urllib.request

try:
    from playwright.sync_api import expect, sync_playwright
except ImportError:
    sys.exit("flows.py needs `pip install playwright`")

FLOWS = []


class Skip(Exception):
    """A flow that this server has nothing for."""


def flow(fn):
    FLOWS.append(fn)
    return fn


class World:
    """What a flow needs: the page, the server, and where to put pictures."""

    def __init__(self, browser, args):
        self.browser, self.args = browser, args
        self.errors = []

    def page(self, **options):
        context = self.browser.new_context(**{"viewport": {"width": 1360, "height": 880}, **options})
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: self.errors.append(f"page error: {error}"))
        page.on("console", self._console)
        page.goto(self.args.base)
        if self.args.token and page.get_by_test_id("token").or_(page.get_by_role("heading", name="Overview")).first.get_attribute("data-testid") == "token":
            page.get_by_test_id("token").fill(self.args.token)
            page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", name="Overview", exact=True)).to_be_visible()
        return page

    def _console(self, message):
        # A refused script in a sandboxed report is what the sandbox is for; a 401 is how the UI learns to ask for a token.
        if message.type == "error" and "sandboxed" not in message.text and "401" not in message.text:
            self.errors.append(f"console: {message.text}")

    def api(self, path):
        headers = {"Authorization": f"Bearer {self.args.token}"} if self.args.token else {}
        with urllib.request.urlopen(urllib.request.Request(f"{self.args.base}/api/v1{path}", headers=headers)) as answer:
            return json.load(answer)

    def needs(self, pipeline):
        names = [item["name"] for item in self.api("/pipelines?limit=500")["items"]]
        if pipeline not in names:
            raise Skip(f"no pipeline {pipeline}")

    def shot(self, page, name):
        page.screenshot(path=str(self.args.folder / f"{name}.png"))


def open_pipeline(page, name):
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="Pipelines").click()
    page.get_by_test_id("pipeline-row").filter(has_text=name).first.click()
    expect(page.get_by_role("heading", level=1, name=name)).to_be_visible()


def start(page, name, fill=None):
    open_pipeline(page, name)
    page.get_by_test_id("start").click()
    dialog = page.get_by_role("dialog", name=f"Start {name}")
    for label, value in (fill or {}).items():
        dialog.get_by_label(label).fill(value)
    dialog.get_by_role("button", name="Start run").click()
    expect(page).to_have_url(re.compile(r"/runs/run_"))
    return page.url.split("/runs/")[1].split("?")[0]


def wait_status(page, words, seconds=90):
    expect(page.get_by_test_id("run-status")).to_have_text(re.compile(words), timeout=seconds * 1000)


def newest(world, pipeline, status=None):
    for run in world.api(f"/runs?pipeline={pipeline}&limit=200")["items"]:
        if run["pipeline"] == pipeline and (status is None or run["status"] == status):
            return run["id"]
    raise Skip(f"no run of {pipeline}")


@flow
def start_by_form_and_watch(world):
    """Start by the form, refuse a wrong value first, watch the graph move without a reload until the run ends."""
    world.needs("flights_etl")
    page = world.page()
    start(page, "flights_etl", {"origins": "EWR\nJFK"})
    expect(page.get_by_test_id("graph")).to_be_visible()
    page.evaluate("window.__same = true")
    wait_status(page, "Succeeded|Failed")
    assert page.evaluate("window.__same") is True, "the page was loaded anew"
    wait_status(page, "Succeeded")
    expect(page.get_by_test_id("node-by_carrier")).to_have_attribute("data-state", "succeeded")
    world.shot(page, "run")


@flow
def refuse_wrong_inputs(world):
    """The form says what is wrong before anything is sent."""
    world.needs("nightly_delays")
    page = world.page()
    open_pipeline(page, "nightly_delays")
    page.get_by_test_id("start").click()
    dialog = page.get_by_role("dialog", name="Start nightly_delays")
    dialog.get_by_role("button", name="Start run").click()
    expect(dialog.get_by_text("This is needed.")).to_be_visible()
    dialog.get_by_label("workers").fill("four")
    dialog.get_by_role("button", name="Start run").click()
    expect(dialog.get_by_text("A whole number")).to_be_visible()
    world.shot(page, "form")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


@flow
def read_logs(world):
    """Read the log of a run, of one step, and search in it."""
    world.needs("flights_etl")
    run = newest(world, "flights_etl", "succeeded")
    page = world.page()
    page.goto(f"{world.args.base}/runs/{run}?tab=logs")
    lines = page.get_by_role("option").filter(has_text=re.compile(r"\S"))
    if world.api(f"/runs/{run}/logs?limit=1")["total"] == 0:
        expect(page.get_by_test_id("empty").first).to_be_visible()
        raise Skip("the run wrote no lines")
    expect(lines.first).to_be_visible()
    page.keyboard.press("/")
    expect(page.get_by_test_id("log-search")).to_be_focused()
    page.keyboard.type("zzz no such text")
    expect(page.get_by_text("No lines here")).to_be_visible()
    page.get_by_test_id("log-search").fill("")
    expect(lines.first).to_be_visible()
    world.shot(page, "logs")


@flow
def preview_a_table(world):
    """Open a step, look at its table and its charts."""
    world.needs("flights_etl")
    page = world.page()
    page.goto(f"{world.args.base}/runs/{newest(world, 'flights_etl', 'succeeded')}")
    page.get_by_test_id("node-by_carrier").click()
    panel = page.get_by_test_id("step-panel")
    expect(panel.get_by_role("columnheader").first).to_be_visible()
    expect(panel.get_by_test_id("charts").first).to_be_visible()
    panel.get_by_test_id("table-large").first.click()
    dialog = page.get_by_test_id("table-dialog")
    expect(dialog.get_by_role("row").nth(1)).to_be_visible()
    world.shot(page, "table")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()


@flow
def approve(world):
    """A run waits for a person; the inbox has the question; the answer lets it go on."""
    world.needs("nightly_delays")
    page = world.page()
    run = start(page, "nightly_delays", {"workers": "4"})
    wait_status(page, "Waiting")
    world.shot(page, "waiting")
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="Approvals").click()
    link = page.locator(f"a[href^='/runs/{run}']")
    expect(link.first).to_be_visible()
    world.shot(page, "approvals")
    link.first.click()
    panel = page.get_by_test_id("step-panel")
    answer = panel.get_by_label("publish")
    expect(answer).to_be_visible()
    if answer.get_attribute("type") == "checkbox":
        answer.check()
    else:
        answer.select_option("true")
    panel.get_by_test_id("approve").click()
    wait_status(page, "Succeeded|Failed")
    world.shot(page, "approved")


@flow
def rerun_from_a_step(world):
    """Rerun from a step: first what would be done again, then the new run."""
    world.needs("flights_etl")
    page = world.page()
    before = newest(world, "flights_etl", "succeeded")
    page.goto(f"{world.args.base}/runs/{before}?step=by_carrier")
    page.get_by_test_id("rerun").click()
    dialog = page.get_by_test_id("rerun-dialog")
    expect(dialog.get_by_text("done again")).to_be_visible()
    world.shot(page, "rerun")
    dialog.get_by_role("button", name="Rerun").click()
    expect(page).not_to_have_url(re.compile(before))
    after = page.url.split("/runs/")[1].split("?")[0]
    expect(page.get_by_test_id("run-facts")).to_contain_text(after)
    wait_status(page, "Succeeded|Failed")


@flow
def cancel(world):
    """Cancel a run that is under way."""
    world.needs("nightly_delays")
    page = world.page()
    start(page, "nightly_delays", {"workers": "2"})
    wait_status(page, "Running|Waiting|Queued")
    page.get_by_test_id("cancel").click()
    wait_status(page, "Cancelled")
    world.shot(page, "cancelled")


@flow
def survive_a_lost_connection(world):
    """Without the server's events the page says so and keeps what it shows."""
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
def dark(world):
    """The theme button changes the theme, and the choice is kept."""
    page = world.page()
    for _ in range(2):
        page.get_by_role("button", name=re.compile("^Theme")).click()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.reload()
    expect(page.get_by_role("heading", name="Overview", exact=True)).to_be_visible()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark", "the theme was not kept"
    world.shot(page, "dark")


@flow
def keyboard(world):
    """The skip link, the list of shortcuts, going by keys, and moving in a list."""
    page = world.page()
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    page.keyboard.press("g")
    page.keyboard.press("p")
    expect(page.get_by_role("heading", level=1, name="Pipelines")).to_be_visible()
    if world.api("/pipelines?limit=1")["items"]:
        expect(page.get_by_test_id("pipeline-row").first).to_be_visible()
        page.keyboard.press("j")
        expect(page.get_by_test_id("pipeline-row").first).to_be_focused()


@flow
def phone(world):
    """At 360 pixels nothing is wider than the window."""
    page = world.page(viewport={"width": 360, "height": 740})
    paths = ["/", "/runs", "/pipelines", "/approvals", "/schedules"]
    runs = world.api("/runs?limit=1")["items"]
    if runs:
        paths += [f"/runs/{runs[0]['id']}", f"/runs/{runs[0]['id']}?tab=timeline", f"/pipelines/{runs[0]['pipeline']}"]
    for number, path in enumerate(paths):
        page.goto(world.args.base + path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        page.wait_for_timeout(500)
        over = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert over <= 0, f"{path} is {over} px too wide"
        world.shot(page, f"phone_{number}")


@flow
def ten_thousand_steps(world):
    """A run of ten thousand steps opens quickly and holds few elements."""
    world.needs("ten_thousand")
    run = newest(world, "ten_thousand")
    page = world.page()
    began = time.monotonic()
    page.goto(f"{world.args.base}/runs/{run}")
    expect(page.get_by_test_id("graph-map")).to_be_visible()
    expect(page.get_by_role("option").first).to_have_count(1)
    opened = time.monotonic() - began
    elements = page.evaluate("document.querySelectorAll('*').length")
    assert elements < 5000, f"{elements} elements in the page"
    steps = page.get_by_role("listbox", name="Steps")
    began = time.monotonic()
    steps.evaluate("el => { el.scrollTop = el.scrollHeight }")
    expect(steps.get_by_role("option").last).to_be_visible()
    scrolled = time.monotonic() - began
    print(f"    opened in {opened:.2f} s, to the end in {scrolled:.2f} s, {elements} elements")
    assert opened < 10, f"it took {opened:.1f} s to open"
    world.shot(page, "ten_thousand")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", help="such as http://127.0.0.1:7700")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--token")
    parser.add_argument("--only", help="names of flows, with commas between")
    args = parser.parse_args()
    args.base = args.base.rstrip("/")
    args.folder.mkdir(parents=True, exist_ok=True)
    wanted = set(args.only.split(",")) if args.only else None
    failed = passed = skipped = 0
    with sync_playwright() as playwright:
        path = os.environ.get("CHROMIUM", "/usr/bin/chromium")
        browser = playwright.chromium.launch(executable_path=path if os.path.exists(path) else None, args=["--no-sandbox"])
        for fn in FLOWS:
            if wanted and fn.__name__ not in wanted:
                continue
            world = World(browser, args)
            began = time.monotonic()
            try:
                fn(world)
                if world.errors and fn.__name__ != "survive_a_lost_connection":
                    raise AssertionError("; ".join(world.errors[:3]))
                passed += 1
                print(f"ok      {fn.__name__} ({time.monotonic() - began:.1f} s)", flush=True)
            except Skip as why:
                skipped += 1
                print(f"skipped {fn.__name__}: {why}", flush=True)
            except Exception as error:  # one flow that fails must not hide the others
                failed += 1
                print(f"FAILED  {fn.__name__}: {str(error).strip()[:900]}", flush=True)
                for number, context in enumerate(browser.contexts):
                    for page in context.pages:
                        page.screenshot(path=str(args.folder / f"failed_{fn.__name__}_{number}.png"))
            for context in browser.contexts:
                context.close()
        browser.close()
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
