import type { AttemptStatus, CloudStatus, CommitterStatus, ModelStatus } from "./cloud-status.ts";

/** The cloud's page: plain HTML that needs no script and renews itself. Pure. */
export function renderPage(status: CloudStatus): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="5">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>Sluice cloud</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; color: #1c2430; background: #fff }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 1.5rem } th, td { text-align: left; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid #d9dee5 }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums } pre { background: #f4f6f8; padding: .75rem; overflow-x: auto }
.bad { color: #a3260f } .good { color: #17693a }
</style></head><body>
<h1>Sluice cloud ${escapeHtml(status.softwareVersion)}</h1>
${health(status)}
<p>${escapeHtml(committer(status.committer))}</p>
<h2>Tables</h2>
${table(
  ["table", "#version", "#files", "#rows", "#bytes"],
  status.tables.map((t) => [t.name, t.version, t.files, t.rows, t.bytes]),
)}
<h2>Gateways</h2>
${table(
  ["gateway", "is to run", "runs", "last report", "refusal"],
  status.gateways.map((g) => [g.gateway, g.desired, g.running, g.reportedAt, g.refusal ?? ""]),
)}
${status.models.map(model).join("\n")}
</body></html>
`;
}

function health(status: CloudStatus): string {
  if (status.healthy)
    return `<p class="good">Healthy. Last commit: ${escapeHtml(status.lastCommitAt ?? "none yet")}.</p>`;
  return `<ul class="bad">${status.problems.map((problem) => `<li>${escapeHtml(problem)}</li>`).join("")}</ul>`;
}

function committer(status: CommitterStatus): string {
  switch (status.state) {
    case "committing":
      return "This service commits what lands.";
    case "standing_by":
      return `Standing by: ${status.holder} commits what lands, by a lease until ${status.until}.`;
    case "unknown":
      return "Who commits what lands is not known yet.";
  }
}

function model(status: ModelStatus): string {
  const share = status.progress === undefined ? "" : ` (${Math.round(status.progress * 100)} %)`;
  const champion = status.champion === undefined ? "none yet" : `version ${status.champion}`;
  return `<h2>Model ${escapeHtml(status.model)}</h2>
<p>Champion: ${champion}. Now: ${escapeHtml(status.activity)}${share}.</p>
${status.attempts.map(attempt).join("\n")}`;
}

function attempt(status: AttemptStatus): string {
  const version = status.version === undefined ? "" : `, version ${status.version}`;
  return `<h3>Attempt ${status.attempt}: ${escapeHtml(status.decision)}${version}</h3>
<p>Started by ${escapeHtml(status.trigger.replaceAll("_", " "))} at ${escapeHtml(status.startedAt)}. ${escapeHtml(status.reasons.join(" "))}</p>
<pre>${escapeHtml(status.table)}</pre>`;
}

/** A table; a heading that begins with # is a column of numbers. */
function table(headings: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const isNumber = headings.map((heading) => heading.startsWith("#"));
  const cell = (tag: string, value: string | number, column: number): string =>
    `<${tag}${isNumber[column] === true ? ' class="number"' : ""}>${escapeHtml(typeof value === "number" ? value.toLocaleString("en") : value)}</${tag}>`;
  const head = headings.map((heading, column) => cell("th", heading.replace("#", ""), column)).join("");
  const body = rows.map(
    (row) => `<tr>${row.map((value, column) => cell("td", value, column)).join("")}</tr>`,
  );
  return `<table><tr>${head}</tr>${body.join("")}</table>`;
}

function escapeHtml(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
