// SPDX-License-Identifier: Apache-2.0

/// Readable on light and dark, wide and narrow, and on paper. Colours tell nothing that a word does not tell, too.
let htmlStyle = """
    :root { color-scheme: light dark; --ink: #1c2128; --soft: #57606a; --line: #d5dae0; --paper: #ffffff; --panel: #f5f7f9;
      --good: #1a7f37; --bad: #b3261e; --warn: #8a5a00; --calm: #6e7781; --link: #0b57a4; }
    @media (prefers-color-scheme: dark) { :root { --ink: #e3e8ee; --soft: #9aa5b1; --line: #363d46; --paper: #14181d; --panel: #1c2229;
      --good: #57c271; --bad: #ff8a80; --warn: #e0b050; --calm: #8b96a3; --link: #7fb4ff; } }
    * { box-sizing: border-box; }
    body { margin: 0 auto; max-width: 76rem; padding: 1.5rem; font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); }
    h1 { margin: 0; font-size: 1.7rem; overflow-wrap: anywhere; } h2 { margin: 2rem 0 .6rem; font-size: 1.15rem; }
    .kicker { margin: 0; color: var(--soft); font-size: .85rem; }
    .claim { display: inline-block; margin: .7rem 0 0; padding: .45rem .8rem; border-left: .3rem solid var(--calm); background: var(--panel); font-weight: 600; }
    .claim.good { border-color: var(--good); } .claim.bad { border-color: var(--bad); }
    .wide { overflow-x: auto; }
    table { border-collapse: collapse; width: 100%; } th, td { padding: .35rem .7rem; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
    thead th { color: var(--soft); font-weight: 600; font-size: .85rem; } tbody th { font-weight: 500; } .number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
    tr.total > * { border-top: 2px solid var(--line); font-weight: 600; }
    .facts th { width: 11rem; color: var(--soft); } .facts td { overflow-wrap: anywhere; }
    code, pre { font: .88em/1.45 ui-monospace, monospace; } code { overflow-wrap: anywhere; }
    pre { margin: .3rem 0; padding: .5rem .7rem; white-space: pre-wrap; overflow-wrap: anywhere; background: var(--panel); max-height: 22rem; overflow-y: auto; }
    .bar { display: flex; min-width: 9rem; height: .55rem; margin: .35rem 0 .15rem; overflow: hidden; background: var(--panel); }
    .bar i { background: var(--calm); min-width: 2px; } .bar i + i { border-left: 1px solid var(--paper); }
    .bar .passed { background: var(--good); } .bar .failed, .bar .crashed, .bar .timedOut, .bar .unexpectedPass { background: var(--bad); }
    .bar .flaky, .bar .mistrusted, .bar .infrastructure { background: var(--warn); } .bar .unsupported, .bar .notRun { opacity: .45; }
    .counts { color: var(--soft); font-size: .85rem; }
    .status, .outcome { white-space: nowrap; font-weight: 600; color: var(--calm); } .passed { color: var(--good); }
    .failed, .crashed, .timedOut, .unexpectedPass { color: var(--bad); } .flaky, .mistrusted, .infrastructure, .expectedFailure { color: var(--warn); }
    .attention { list-style: none; padding: 0; } .attention li { margin: .8rem 0; padding-left: .8rem; border-left: .2rem solid var(--line); } .again { margin: .2rem 0; color: var(--soft); }
    form { display: flex; flex-wrap: wrap; gap: .6rem 1.2rem; align-items: center; padding: .7rem; background: var(--panel); }
    fieldset { display: flex; flex-wrap: wrap; gap: .2rem 1rem; margin: 0; padding: 0; border: 0; } legend { float: left; margin-right: .8rem; padding: 0; color: var(--soft); }
    input[type=search], select, button { font: inherit; color: inherit; background: var(--paper); border: 1px solid var(--line); border-radius: .3rem; padding: .25rem .5rem; max-width: 100%; }
    input[type=search] { width: 17rem; } button { cursor: pointer; } :focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
    .cases td:first-child { overflow-wrap: anywhere; min-width: 14rem; } .cases summary { cursor: pointer; } details > summary { color: var(--link); }
    #shown { margin: .5rem 0; color: var(--soft); }
    @media (max-width: 40rem) { body { padding: .8rem; } th, td { padding: .3rem .4rem; } .facts th { width: 6rem; } }
    @media print { form, #more { display: none; } body { max-width: none; } pre { max-height: none; } }
    """

/// Fills the list of cases, a few hundred rows at a time, and filters it. Writes text only: nothing of a report becomes markup.
let htmlScript = """
    "use strict";
    const cases = JSON.parse(document.getElementById("cases").textContent);
    const form = document.getElementById("filter"), rows = document.getElementById("rows"), more = document.getElementById("more"), shown = document.getElementById("shown");
    const step = 200;
    let matching = [], count = 0;
    function element(name, text, className) {
      const made = document.createElement(name);
      if (text !== undefined) made.textContent = text;
      if (className) made.className = className;
      return made;
    }
    function details(one) {
      const box = element("details");
      box.append(element("summary", one.id));
      if (one.message) box.append(element("pre", one.message));
      if (one.reproducer) { const again = element("p", "again: ", "again"); again.append(element("code", one.reproducer)); box.append(again); }
      if (one.specification.length) box.append(element("p", "tests " + one.specification.join(", "), "again"));
      return box;
    }
    function row(one) {
      const line = element("tr"), id = element("td");
      if (one.message || one.reproducer || one.specification.length) id.append(details(one)); else id.textContent = one.id;
      const status = element("td");
      status.append(element("span", one.status + (one.failure ? " · " + one.failure : ""), "status " + one.status));
      const placement = Object.entries(one.placement || {}).map(([device, nodes]) => device + " " + nodes).join(", ");
      line.append(id, status, element("td", one.operator || ""), element("td", one.dataType || ""), element("td", placement), element("td", one.ms.toFixed(1), "number"));
      return line;
    }
    function extend() {
      const next = matching.slice(count, count + step);
      rows.append(...next.map(row));
      count += next.length;
      more.hidden = count >= matching.length;
      shown.textContent = matching.length + " of " + cases.length + " cases match; " + count + " shown";
    }
    function apply() {
      const data = new FormData(form), statuses = new Set(data.getAll("status")), operator = data.get("operator"), text = data.get("text").toLowerCase();
      matching = cases.filter(one => statuses.has(one.status) && (!operator || one.operator === operator)
        && (!text || (one.id + " " + (one.message || "")).toLowerCase().includes(text)));
      rows.replaceChildren();
      count = 0;
      extend();
    }
    form.addEventListener("input", apply);
    form.addEventListener("submit", event => event.preventDefault());
    more.addEventListener("click", extend);
    apply();
    """
