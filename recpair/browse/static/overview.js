import { h } from "./dom.js";
import { address, get } from "./api.js";
import { count, decimal, plural } from "./format.js";
import { itemLink, runName } from "./parts.js";

export async function render(body, _, { runs }) {
  const found = await get("/api/overview");
  const first = runs[0];
  body.append(
    h("h1", {}, runs.length === 1 ? runs[0].name : `${runs.length} runs`),
    h("p", { class: "lead" }, `${first.data}: ${plural(found.counts.users, "user")}, ${plural(found.counts.items, "item")}, ${plural(first.events, "training event")}.`),
    h("section", { class: "start" },
      h("div", {}, h("h2", {}, "Start with a user"),
        h("ul", { class: "chips" }, found.users.map((user) => h("li", {}, h("a", { href: address("/user", { id: user.id }) }, `user ${user.id}`, h("span", { class: "muted" }, plural(user.events, "event"))))))),
      h("div", {}, h("h2", {}, "or with a popular item"),
        h("ul", { class: "chips" }, found.items.slice(0, 6).map((item) => h("li", {}, itemLink(item)))))),
    h("h2", {}, "Runs"),
    h("div", { class: "scroll" }, h("table", {},
      h("thead", {}, h("tr", {}, ["Run", "Model", "Data"].map((t) => h("th", {}, t)), ["Users", "Items", "Events", "Epochs"].map((t) => h("th", { class: "number" }, t)))),
      h("tbody", {}, runs.map((run, place) => h("tr", {}, h("th", { scope: "row" }, runName(runs, place)), h("td", {}, run.model), h("td", {}, run.data),
        [run.users, run.items, run.events].map((value) => h("td", { class: "number" }, count(value))),
        h("td", { class: "number" }, run.epochs ? `${run.best_epoch} of ${run.epochs}` : "none")))))),
    h("h2", {}, "Test metrics"),
    metrics(runs));
  return runs.length === 1 ? runs[0].name : "Runs";
}

function metrics(runs) {
  const names = [...new Set(runs.flatMap((run) => Object.keys(run.test)))];
  if (!names.length) return h("p", { class: "note empty" }, "Nothing was held out in these runs, so there are no test metrics.");
  const row = (name) => {
    const values = runs.map((run) => run.test[name]);
    const best = Math.max(...values.filter((value) => value !== undefined && value !== null));
    const marked = runs.length > 1 && !/^(popularity|gini)/.test(name);
    return h("tr", {}, h("th", { scope: "row" }, name),
      values.map((value) => h("td", { class: `number${marked && value === best ? " best" : ""}` }, decimal(value))),
      h("td", { class: "number muted" }, decimal(runs[0].popularity[name])));
  };
  return h("div", { class: "scroll" }, h("table", { class: "metrics" },
    h("thead", {}, h("tr", {}, h("th", {}, "Metric"), runs.map((_, place) => h("th", { class: "number" }, runName(runs, place))), h("th", { class: "number muted" }, "most popular"))),
    h("tbody", {}, names.map(row))));
}
