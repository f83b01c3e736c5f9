"""results.py meson|junit FILE NAME: one line per test of a result file: PASS, FAIL or SKIP, its name,
for a skipped one the reason."""

import json
import sys
import xml.etree.ElementTree as xml


def meson(path):
    words = {"OK": "PASS", "EXPECTEDFAIL": "PASS", "SKIP": "SKIP"}
    with open(path) as f:
        for line in f:
            test = json.loads(line)
            yield words.get(test["result"], "FAIL"), test["name"], ""


def junit(path):
    for case in xml.parse(path).iter("testcase"):
        tags = {child.tag: child for child in case}
        if "failure" in tags or "error" in tags:
            yield "FAIL", case.get("name"), ""
        elif "skipped" in tags:
            yield "SKIP", case.get("name"), tags["skipped"].get("message", "")
        else:
            yield "PASS", case.get("name"), ""


def main():
    kind, path, name = sys.argv[1:]
    results = list({"meson": meson, "junit": junit}[kind](path))
    for word, test, reason in results:
        print(f"{word} {name}: {test} {reason}".rstrip())
    if not results:
        sys.exit(1)


main()
