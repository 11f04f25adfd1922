#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes a DocC site of docs/ and of the Swift API.

    scripts/docc.py OUTPUT

Articles are the pages of docs/ and docs/decisions/, symbols those of the module SouthbridgeRuntime as it was last built in release. OUTPUT is a folder that any web server serves; it
is replaced as a whole.
"""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / ".build" / "release"

# The landing page's order; what is not listed comes under "Further".
TOPICS = {
    "Port a chip": ["port-in-an-afternoon", "kernel-or-graph-mode", "plan", "read-your-report", "add-an-operator", "graph-compilers", "hardware-model", "describe-your-chip"],
    "The interface": ["header", "versioning"],
    "The runtime": ["swift-api", "partition", "passes", "memory", "scale", "debug", "benchmark"],
    "Verdicts": ["numerics", "onnx-corpus", "networks", "report", "expected-failures", "worker-protocol"],
}


def article(path, names):
    """The page with its links to other pages as DocC's; what lies outside of docs/ becomes plain text."""

    def link(match):
        text, target = match.group(1), match.group(2)
        if "://" in target or target.startswith("#"):
            return match.group(0)
        file = (path.parent / target.split("#")[0]).resolve()
        return f"[{text}](doc:{names[file]})" if file in names else text

    text = re.sub(r"^<!--.*?-->\n", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    # DocC shows a title as it stands.
    text = re.sub(r"^# .*$", lambda heading: heading.group(0).replace("`", ""), text, count=1, flags=re.MULTILINE)
    return re.sub(r"\[([^\]]+)\]\(([^)\s]+)\)", link, text)


def landing(names):
    listed = [name for group in TOPICS.values() for name in group]
    unknown = set(listed) - set(names)
    if unknown:
        sys.exit(f"no page is called {', '.join(sorted(unknown))}")
    lines = ["# ``SouthbridgeRuntime``", "", "Attach an AI chip to one shared software stack, and show how well it does.", "", "## Topics"]
    further = [name for name in names if name not in listed and not name[0].isdigit()]
    decisions = [name for name in names if name[0].isdigit()]
    for group, members in [*TOPICS.items(), ("Further", further), ("Decisions", decisions)]:
        lines += ["", f"### {group}", ""] + [f"- <doc:{name}>" for name in members]
    return "\n".join(lines) + "\n"


def symbols(folder):
    maps = [str(path.parent) for path in (ROOT / ".build" / "checkouts").glob("*/Sources/*/include/module.modulemap")]
    includes = [word for path in [BUILD / "Modules", *maps] for word in ("-I", str(path))]
    for path in BUILD.resolve().glob("*.build/module.modulemap"):
        includes += ["-Xcc", f"-fmodule-map-file={path}"]
    target = subprocess.run(["uname", "-m"], check=True, capture_output=True, text=True).stdout.strip() + "-unknown-linux-gnu"
    subprocess.run(
        ["swift", "symbolgraph-extract", "-module-name", "SouthbridgeRuntime", "-target", target, *includes, "-output-dir", folder,
         "-minimum-access-level", "public"], check=True)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    output = pathlib.Path(sys.argv[1]).resolve()
    pages = [path for path in sorted((ROOT / "docs").rglob("*.md")) if path.name != "README.md"]
    with tempfile.TemporaryDirectory() as folder:
        catalogue = pathlib.Path(folder) / "Southbridge.docc"
        catalogue.mkdir()
        names = {path.resolve(): path.stem.replace(".", "-") for path in pages}
        for path in pages:
            (catalogue / f"{names[path.resolve()]}.md").write_text(article(path, names), encoding="utf-8")
        (catalogue / "SouthbridgeRuntime.md").write_text(landing(sorted(names.values())), encoding="utf-8")
        graphs = pathlib.Path(folder) / "symbols"
        graphs.mkdir()
        symbols(str(graphs))
        site = pathlib.Path(folder) / "site"
        subprocess.run(
            ["docc", "convert", str(catalogue), "--fallback-display-name", "Southbridge", "--fallback-bundle-identifier", "southbridge",
             "--additional-symbol-graph-dir", str(graphs), "--output-path", str(site)], check=True)
        if not list(site.glob("data/documentation/southbridgeruntime/*.json")):
            sys.exit("docc made no pages")
        shutil.rmtree(output, ignore_errors=True)
        output.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(str(site), str(output))
    print(f"{len(pages)} articles and the module SouthbridgeRuntime in {output}")


main()
