"""The page that shows the journal as it is written. It asks for what is new every second, and loads nothing else."""

from typing import Final

WATCH_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Amazon Pay simulator</title>
<meta name="viewport" content="width=device-width">
<style>
body { font: 14px/1.4 system-ui, sans-serif; margin: 1.5rem; color: #222 }
h1 { font-size: 1.2rem } a { color: #06c }
input, button { font: inherit; padding: .2rem .5rem }
#state { color: #666; margin-left: 1rem }
table { border-collapse: collapse; width: 100%; margin-top: 1rem }
th { text-align: left; color: #666; font-weight: normal }
th, td { padding: .2rem .7rem .2rem 0; border-bottom: 1px solid #eee; vertical-align: top; white-space: nowrap }
td:nth-child(4), td:nth-child(5) { white-space: normal; overflow-wrap: anywhere }
tr.entry { cursor: pointer } tr.bad td:nth-child(6) { color: #b00 }
pre { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; background: #f6f6f6; padding: .5rem }
</style></head><body>
<h1>Amazon Pay simulator: requests and notifications</h1>
<p><input id="filter" placeholder="Show only what contains ..." size="40" aria-label="Filter">
<button id="clear">Clear</button> <a href="/docs">Control API</a><span id="state"></span></p>
<table><thead><tr><th>No.</th><th>Time (UTC)</th><th>Merchant</th><th>What</th><th>About</th><th>Outcome</th>
<th>ms</th></tr></thead><tbody id="entries"></tbody></table>
<noscript>This page needs JavaScript. GET /simulator/journal has the same as JSON.</noscript>
<script>
"use strict";
const MOST = 500;
const rows = document.getElementById("entries"), state = document.getElementById("state");
const filter = document.getElementById("filter");
let last = 0;
const shows = row => row.dataset.text.includes(filter.value.toLowerCase());
function cells(entry) {
  if (entry.kind === "notification") {
    return ["IPN " + (entry.object_type || "") + " \\u2192 " + entry.url, entry.object_id || "",
            (entry.status || entry.failure) + (entry.attempt > 1 ? ", try " + entry.attempt : ""), ""];
  }
  return [(entry.operation || entry.method + " " + entry.path), entry.charge_permission_id || entry.path,
          (entry.status || "no answer") + (entry.reason_code ? " " + entry.reason_code : ""),
          (entry.seconds * 1000).toFixed(1)];
}
function add(entry) {
  const row = document.createElement("tr");
  row.className = "entry" + (entry.status === null || entry.status >= 400 ? " bad" : "");
  row.dataset.text = JSON.stringify(entry).toLowerCase();
  row.hidden = !shows(row);
  for (const text of [entry.number, entry.at.slice(11, 23), entry.merchant_id, ...cells(entry)]) {
    row.appendChild(document.createElement("td")).textContent = text;
  }
  row.addEventListener("click", () => {
    const next = row.nextSibling;
    if (next && next.className === "more") { next.remove(); return; }
    const more = document.createElement("tr"), cell = document.createElement("td");
    more.className = "more";
    cell.colSpan = 7;
    cell.appendChild(document.createElement("pre")).textContent = JSON.stringify(entry, null, 2);
    more.appendChild(cell);
    row.after(more);
  });
  rows.prepend(row);
}
async function look() {
  try {
    const answer = await fetch("/simulator/journal?limit=500&after=" + last);
    const page = await answer.json();
    if (page.last < last) { rows.replaceChildren(); last = 0; }
    else {
      page.entries.forEach(add);
      last = page.entries.length ? page.entries[page.entries.length - 1].number : last;
      while (rows.children.length > MOST) rows.lastChild.remove();
      state.textContent = last ? "" : "Nothing was asked yet.";
    }
  } catch (error) { state.textContent = "The simulator does not answer."; }
  setTimeout(look, 1000);
}
filter.addEventListener("input", () => {
  for (const row of rows.querySelectorAll(".entry")) row.hidden = !shows(row);
});
document.getElementById("clear").addEventListener("click", () => fetch("/simulator/journal", {method: "DELETE"}));
look();
</script></body></html>
"""
