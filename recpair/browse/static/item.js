import { h, note, show, waiting } from "./dom.js";
import { address, get } from "./api.js";
import { decimal, name, plural } from "./format.js";
import { choices, label, runName } from "./parts.js";

export async function render(body, state, { runs, go }) {
  const id = state.get("id") || "";
  const k = state.get("k") || "10";
  const found = await get("/api/item", { id, k });
  const facts = Object.entries(found.columns).filter(([, text]) => text !== found.title);
  const alike = h("div", { class: "status" }, waiting(8));
  body.append(
    h("h1", {}, name(found)),
    h("p", { class: "lead" }, `${found.title ? `id ${found.id} · ` : ""}${plural(found.events, "training event")} of ${plural(found.users, "user")}`),
    facts.length > 0 && h("dl", { class: "facts" }, facts.map(([key, text]) => [h("dt", {}, key.replaceAll("_", " ")), h("dd", {}, text)])) || "",
    h("h2", {}, "Latest users"),
    h("ul", { class: "chips" }, found.latest.map((user) => h("li", {}, h("a", { href: address("/user", { id: user }) }, user)))),
    h("div", { class: "controls" }, choices("Items", [5, 10, 20, 50].map((n) => [n, n]), k, (value) => go(address("/item", { id, k: value }), true))),
    h("div", { class: "columns" },
      runs.map((_, place) => similar(runs, place, found.similar)),
      h("section", { class: "column" }, h("h2", {}, "Similar texts"), alike)));
  get("/api/alike", { id: found.id, k }).then(
    (answer) => show(alike, answer.error ? note(answer.error) : [h("p", { class: "muted small" }, `Cosine of the item texts by ${answer.encoder}`), list(answer.items)]),
    (error) => show(alike, note(error.message, "error")));
  return name(found);
}

function similar(runs, place, all) {
  const answer = all[place];
  const kinds = { weight: "Weight from this item in the model", cosine: "Cosine of the item vectors" };
  const elsewhere = new Set(all.flatMap((other, at) => (at === place ? [] : other.items.map((item) => item.id))));
  const only = (item) => all.length > 1 && !elsewhere.has(item.id) && h("span", { class: "only" }, "only here");
  return h("section", { class: `column run-${place % 6}` }, h("h2", {}, runName(runs, place)),
    answer.error ? note(answer.error) : [h("p", { class: "muted small" }, kinds[answer.kind]), list(answer.items, only)]);
}

function list(items, mark = () => null) {
  if (!items.length) return note("No item is similar.");
  return h("ol", { class: "rows" }, items.map((item, place) => h("li", {}, h("span", { class: "rank" }, place + 1), label(item), h("span", { class: "value" }, mark(item), h("span", {}, decimal(item.score, 3))))));
}
