// A user: the history beside the recommendations of each run, with the items that explain them.

import { h, note, show, waiting } from "./dom.js";
import { address, get } from "./api.js";
import { decimal, name, plural } from "./format.js";
import { bar, choices, itemLink, label, runName } from "./parts.js";

const REASONS = {
  term: "Contribution: the part of the score that comes from this item of the history.",
  similarity: "Cosine with this item of the history: this model's user vector is not a function of the history.",
  leave_one_out: "How much the score falls without this item in the history.",
};

export async function render(body, state, { runs, go }) {
  const id = state.get("id") || "";
  const options = { k: state.get("k") || "10", diversity: state.get("diversity") || "0", seen: state.get("seen") === "1" };
  const found = await get("/api/user", { id });
  const change = (key) => (value) => go(address("/user", { id, ...options, seen: options.seen && "1", [key]: value }), true);
  body.append(
    h("h1", {}, `User ${found.id}`),
    h("div", { class: "controls" },
      choices("Items", [5, 10, 20, 50].map((k) => [k, k]), options.k, change("k")),
      choices("Diversity", [["0", "off"], ["0.3", "0.3"], ["0.6", "0.6"], ["0.9", "0.9"]], options.diversity, change("diversity")),
      choices("Seen items", [["", "excluded"], ["1", "ranked too"]], options.seen ? "1" : "", change("seen"))),
  );
  const history = historyList(found);
  const columns = runs.map((_, place) => h("section", { class: `column run-${place % 6}` }, h("h2", {}, runName(runs, place)), h("div", { class: "status", "aria-live": "polite" }, waiting(8))));
  body.append(h("div", { class: "beside" }, h("aside", { class: "history" }, h("h2", {}, "History", h("span", { class: "muted" }, plural(found.events, "training event"))), history), h("div", { class: "columns" }, columns)));
  const asked = { user: found.id, k: options.k, diversity: options.diversity, seen: options.seen && "1" };
  const lists = runs.map((_, run) => get("/api/recommendations", { run, ...asked }).catch((error) => ({ error: error.message, items: [] })));
  fill(body, runs, columns, lists, asked);
  return `User ${found.id}`;
}

function historyList(found) {
  const item = (event) => h("li", { "data-item": event.id, tabindex: "-1" }, label(event), h("span", { class: "value muted" }, event.rating !== null && h("span", {}, `★ ${event.rating}`), event.time && h("span", {}, event.time)));
  const first = 25;
  const list = h("ol", { class: "rows" }, found.history.slice(0, first).map(item));
  if (found.history.length <= first) return list;
  const rest = found.history.length < found.events ? `Show the latest ${found.history.length}` : `Show all ${found.history.length}`;
  const more = h("button", { type: "button", class: "more", onclick: () => { list.append(...found.history.slice(first).map(item)); more.remove(); } }, rest);
  list.dataset.more = "1";
  return [list, more];
}

async function fill(body, runs, columns, lists, asked) {
  const answers = await Promise.all(lists);
  const places = answers.map((answer) => new Map(answer.items.map((item) => [item.id, item.rank])));
  answers.forEach((answer, run) => {
    const status = columns[run].querySelector(".status");
    if (answer.error) return show(status, note(answer.error, "error"));
    if (!answer.items.length) return show(status, note("This user has seen every item."));
    const scores = answer.items.map((item) => item.score);
    const low = Math.min(...scores, 0);
    const width = Math.max(...scores) - low || 1;
    show(status,
      runs.length > 1 && shared(runs, places, run),
      h("ol", { class: "rows recommendations" }, answer.items.map((item) => h("li", { "data-item": item.id },
        h("span", { class: "rank" }, item.rank), label(item),
        h("span", { class: "value" }, h("span", { class: "score", title: `score ${item.score}` }, decimal(item.score, 3)), runs.length > 1 && mark(runs, places, run, item)),
        bar((item.score - low) / width, run), h("span", { class: "because muted" }, "…")))),
      h("p", { class: "muted small" }, REASONS[answer.kind]));
    explain(body, columns[run], run, asked);
  });
}

function shared(runs, places, run) {
  const other = run === 0 ? places.slice(1) : [places[0]];
  const both = [...places[run].keys()].filter((id) => other.some((ranks) => ranks.has(id))).length;
  const whom = run > 0 ? runs[0].name : runs.length === 2 ? runs[1].name : "another run";
  return h("p", { class: "muted small" }, `${both} of ${places[run].size} also in ${whom}`);
}

// The difference of the rank from that of the first run; "only here" if no other run has the item.
function mark(runs, places, run, item) {
  if (!places.some((ranks, other) => other !== run && ranks.has(item.id))) return h("span", { class: "only" }, "only here");
  const base = places[0].get(item.id);
  if (run === 0) return null;
  if (base === undefined) return h("span", { class: "move muted", title: `not in ${runs[0].name}` }, "new");
  const up = base - item.rank;
  if (up === 0) return h("span", { class: "move muted", title: `the same rank in ${runs[0].name}` }, "=");
  return h("span", { class: `move ${up > 0 ? "up" : "down"}`, title: `rank ${base} in ${runs[0].name}` }, `${up > 0 ? "▲" : "▼"} ${Math.abs(up)}`);
}

async function explain(body, column, run, asked) {
  let because = new Map();
  let reason = "";
  try {
    const answer = await get("/api/recommendations", { run, ...asked, explain: "1" });
    because = new Map(answer.items.map((item) => [item.id, item.because]));
  } catch (error) {
    reason = error.message;
  }
  for (const row of column.querySelectorAll("li[data-item]")) {
    const parts = because.get(row.dataset.item) || [];
    show(row.querySelector(".because"), parts.length
      ? [h("span", {}, "because of"), parts.map((part) => itemLink(part, { title: `${name(part)}: ${decimal(part.contribution, 3)}` }))]
      : h("span", { title: reason }, reason ? "no explanation" : "no item of the history stands out"));
    row.parts = new Set(parts.map((part) => part.id));
    const light = (on) => () => highlight(body, on ? row.parts : null);
    row.addEventListener("mouseenter", light(true));
    row.addEventListener("mouseleave", light(false));
    row.addEventListener("focusin", light(true));
    row.addEventListener("focusout", light(false));
  }
  for (const event of body.querySelectorAll(".history")) {
    event.addEventListener("mouseover", (e) => explained(column, e.target.closest("li[data-item]")));
    event.addEventListener("mouseleave", () => explained(column, null));
  }
}

function highlight(body, ids) {
  for (const event of body.querySelectorAll(".history li")) event.classList.toggle("lit", Boolean(ids?.has(event.dataset.item)));
}

function explained(column, event) {
  for (const row of column.querySelectorAll("li[data-item]")) row.classList.toggle("lit", Boolean(event && row.parts?.has(event.dataset.item)));
}
