// The audit: the most suspicious events, and beside them all events of the chosen user.

import { h, note } from "./dom.js";
import { address, get } from "./api.js";
import { count, decimal, name, percent, plural } from "./format.js";
import { bar, choices, itemLink, runName, userLink } from "./parts.js";

export async function render(body, state, { runs, go }) {
  const audited = runs.map((run, place) => [place, run]).filter(([, run]) => run.has.audit);
  body.append(h("h1", {}, "Audit"));
  if (!audited.length) {
    body.append(note("No run has an audit: it lists events by their training loss, and these models were not trained by a loss. Runs of models such as mf have one."));
    return "Audit";
  }
  const run = Number(state.get("run") ?? audited[0][0]);
  const page = Number(state.get("page") || 0);
  const found = await get("/api/audit", { run, page });
  const chosen = { user: state.get("user"), item: state.get("item") };
  const link = (values) => address("/audit", { run: run || "0", page: page || "", ...chosen, ...values });
  body.append(
    h("p", { class: "lead" }, "Training events whose loss is far above that of the same user’s other events. ",
      `${count(found.likely)} of ${plural(found.total, "event")} have a noise probability above 50 %.`),
    h("div", { class: "controls" },
      audited.length > 1 ? choices("Run", audited.map(([place, each]) => [place, each.name]), run, (value) => go(address("/audit", { run: value }))) : runName(runs, run),
      pager(found, page, link)));
  const list = h("ol", { class: "rows events" }, found.events.map((event) => {
    const here = event.user === chosen.user && event.item.id === chosen.item;
    return h("li", { class: here ? "chosen" : "" },
      h("a", { class: "cover", "data-beside": true, href: link({ user: event.user, item: event.item.id }), "aria-current": here && "true", "aria-label": `${name(event.item)}, user ${event.user}: ${event.explanation}` }),
      h("span", { class: "label" }, h("span", { class: "title" }, name(event.item)), h("span", { class: "muted" }, [`user ${event.user}`, event.time].filter(Boolean).join(" · "))),
      h("span", { class: "value" }, h("span", {}, `z ${decimal(event.z, 1)}`), h("span", { class: "muted" }, percent(event.noise))));
  }));
  const beside = h("section", { class: "detail" });
  if (chosen.user) await detail(beside, run, chosen);
  else beside.append(note("Choose an event to see the user’s other events beside it."));
  body.append(h("div", { class: `beside audit${chosen.user ? " open" : ""}` }, h("div", {}, list), beside));
  return "Audit";
}

function pager(found, page, link) {
  const step = (to, text) => (to < 0 || to >= found.pages ? h("span", { class: "muted" }, text) : h("a", { href: link({ page: to || "", user: null, item: null }) }, text));
  return h("span", { class: "pager" }, step(page - 1, "← Previous"), h("span", { class: "muted" }, `page ${count(page + 1)} of ${count(found.pages)}`), step(page + 1, "Next →"));
}

async function detail(beside, run, chosen) {
  const { events, total } = await get("/api/audit/user", { run, user: chosen.user });
  const event = events.find((each) => each.item.id === chosen.item);
  const most = Math.max(...events.map((each) => each.loss ?? 0)) || 1;
  beside.append(
    h("h2", {}, userLink(chosen.user), h("span", { class: "muted" }, `${total > events.length ? `${count(events.length)} of ` : ""}${plural(total, "event")}, the most suspicious first`)),
    event && h("p", { class: "explanation" }, h("strong", {}, itemLink(event.item)), `: ${event.explanation}.`) || "",
    h("div", { class: "scroll" }, h("table", { class: "events" },
      h("thead", {}, h("tr", {}, h("th", {}, "Item"), h("th", { class: "number" }, "Mean loss"), h("th", {}, ""), h("th", { class: "number" }, "z"), h("th", { class: "number" }, "Noise"))),
      h("tbody", {}, events.map((each) => h("tr", { class: each === event ? "chosen" : "" },
        h("td", {}, itemLink(each.item), h("span", { class: "muted" }, ` ${each.time ?? ""}`)),
        h("td", { class: "number" }, decimal(each.loss, 3)), h("td", { class: "wide" }, bar((each.loss ?? 0) / most, run)),
        h("td", { class: "number" }, decimal(each.z, 1)), h("td", { class: "number" }, percent(each.noise))))))));
}
