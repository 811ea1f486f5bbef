#!/usr/bin/env python3
"""Compares our calendars with croniter, an independent implementation, on generated cron lines.

    cron_oracle.py TICKS [--lines N] [--seed S]

TICKS is the program `ticks` of the testkit. croniter says what times a line names, with no zone; zoneinfo says when
those are in a zone, and this script applies the rules for days on which clocks change by itself.
"""

import argparse
import json
import multiprocessing
import random
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from croniter import croniter

# Zones, and days about which their clocks change; and one that never changes.
PLACES = [
    ("UTC", "2026-05-17"),
    ("America/New_York", "2026-03-08"),
    ("America/New_York", "2026-11-01"),
    ("Europe/Berlin", "2026-03-29"),
    ("Europe/Berlin", "2026-10-25"),
    ("Australia/Lord_Howe", "2026-04-05"),
    ("Australia/Lord_Howe", "2026-10-04"),
    ("America/Sao_Paulo", "2017-10-15"),
    ("America/Sao_Paulo", "2018-02-18"),
    ("America/Sao_Paulo", "2018-11-04"),
    ("Pacific/Apia", "2011-12-30"),
]
FIELDS = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)]
DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
ALIASES = ["@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually"]


def element(rng, field):
    least, most = FIELDS[field]
    low = rng.randint(least, most - 1)
    # croniter takes a range of one number for the whole range, so there are none here.
    high = rng.randint(low + 1, most)
    kind = rng.random()
    if kind < 0.45:
        return str(rng.randint(least, most))
    if kind < 0.65:
        return f"{low}-{high}"
    if kind < 0.8:
        return f"{low}-{high}/{rng.randint(1, max(1, (high - low) // 2))}"
    if kind < 0.9:
        return f"*/{rng.randint(1, max(2, most // 2))}"
    if field == 3:
        return rng.choice(MONTHS)
    if field == 4:
        return rng.choice([rng.choice(DAYS), f"{rng.randint(0, 6)}#{rng.randint(1, 4)}"])
    return str(rng.randint(least, most))


def line(rng):
    if rng.random() < 0.02:
        return rng.choice(ALIASES)
    fields = []
    for field in range(5):
        if rng.random() < (0.5 if field > 1 else 0.25):
            fields.append("*")
            continue
        elements = [element(rng, field) for _ in range(1 if rng.random() < 0.7 else rng.randint(2, 4))]
        if any("#" in e for e in elements):
            elements = elements[:1]
        if field == 2 and rng.random() < 0.05:
            elements = ["L"]
        fields.append(",".join(elements))
    return " ".join(fields)


def means_something_else(cron):
    """Where croniter departs from Unix, or from our word that a field which is not `*` is given.

    It ANDs a day of month with `5#2`, and takes a field of days that names every one, such as `*/1`, for `*`.
    """
    if cron.startswith("@"):
        return False
    day, weekday = cron.split()[2], cron.split()[4]
    if day == "*" or weekday == "*":
        return False
    expanded = croniter.expand(cron)[0]
    return "#" in weekday or expanded[2] == ["*"] or expanded[4] == ["*"]


def moments(local, zone, gap, overlap, by_the_hour):
    """When a time on the wall is: nothing, one moment or two."""
    first, second = (local.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    first, second = first.astimezone(timezone.utc), second.astimezone(timezone.utc)
    if first == second:
        return [first]
    if first < second:
        return [first, second] if overlap == "twice" or by_the_hour else [first]
    # It does not exist: zoneinfo gives what it would be by the clock before (first) and after (second).
    if gap == "skip" or by_the_hour:
        return []
    # The first second after the gap, found by halves.
    low, high = int(second.timestamp()) - 1, int(first.timestamp()) + 1
    while high - low > 1:
        half = (low + high) // 2
        shown = datetime.fromtimestamp(half, timezone.utc).astimezone(zone).replace(tzinfo=None)
        low, high = (low, half) if shown > local else (half, high)
    return [datetime.fromtimestamp(high, timezone.utc)]


def answer(asked):
    """The next moments, as seconds since 1970."""
    cron, gap, overlap, count = asked["cron"], asked["gap"], asked["overlap"], asked["count"]
    after = datetime.fromtimestamp(asked["after"], timezone.utc)
    hour = cron.split()[1] if not cron.startswith("@") else ("*" if cron == "@hourly" else "0")
    zone = ZoneInfo(asked["zone"])
    start = after.astimezone(zone).replace(tzinfo=None) - timedelta(hours=27)
    found, last = set(), None
    times = croniter(cron, start, max_years_between_matches=40)
    while True:
        try:
            local = times.get_next(datetime)
        except Exception:  # no time within forty years
            break
        found.update(at for at in moments(local, zone, gap, overlap, hour.startswith("*")) if at > after)
        # Times on the wall may be out of the order of time by 26 hours at most.
        if last is None and len(found) >= count:
            last = local + timedelta(hours=27)
        if last is not None and local > last:
            break
    return [int(at.timestamp()) for at in sorted(found)[:count]]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("ticks")
    parser.add_argument("--lines", type=int, default=12_000)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    args = parser.parse_args()
    rng = random.Random(args.seed)
    asked = []
    while len(asked) < args.lines:
        cron = line(rng)
        if means_something_else(cron):
            continue
        place, day = rng.choice(PLACES)
        after = datetime.fromisoformat(day).replace(tzinfo=timezone.utc) - timedelta(minutes=rng.randint(0, 2880))
        gap, overlap = rng.choice(["run_after", "skip"]), rng.choice(["once", "twice"])
        asked.append({"cron": cron, "zone": place, "gap": gap, "overlap": overlap,
                      "after": int(after.timestamp()), "count": 5})
    with multiprocessing.Pool() as pool:
        wanted = pool.map(answer, asked, chunksize=100)
    lines = "".join(json.dumps(one) + "\n" for one in asked)
    found = subprocess.run([args.ticks], input=lines, capture_output=True, text=True, check=True).stdout.splitlines()
    wrong = [(a, w, f) for a, w, f in zip(asked, wanted, map(json.loads, found), strict=True) if w != f]
    for one, theirs, ours in wrong[:20]:
        show = lambda ats: None if ats is None else [datetime.fromtimestamp(at, timezone.utc).isoformat() for at in ats]
        print(f"{one}\n  croniter {show(theirs)}\n  ours     {show(ours)}")
    print(f"seed {args.seed}: {len(asked)} lines, {len(asked) - len(wrong)} agree with croniter")
    sys.exit(bool(wrong))


main()
