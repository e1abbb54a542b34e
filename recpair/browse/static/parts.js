// Pieces that several pages share.

import { h } from "./dom.js";
import { address } from "./api.js";
import { name } from "./format.js";

export const itemLink = (item, attributes = {}) => h("a", { href: address("/item", { id: item.id }), ...attributes }, name(item));
export const userLink = (id) => h("a", { href: address("/user", { id }) }, `user ${id}`);

export function label(item) {
  return h("span", { class: "label" }, itemLink(item, { class: "title", title: item.title && `${item.title}, id ${item.id}` }), item.detail && h("span", { class: "muted" }, item.detail));
}

// Colour and name of a run; colours repeat after six.
export function runName(runs, place) {
  return h("span", { class: `run run-${place % 6}` }, h("i", { "aria-hidden": "true" }), runs[place].name);
}

export function choices(title, values, current, change) {
  const field = h("select", { name: title, onchange: (event) => change(event.target.value) },
    values.map(([value, text]) => h("option", { value, selected: String(value) === String(current) }, text)));
  return h("label", { class: "choice" }, h("span", {}, title), field);
}

export function bar(share, place = 0) {
  const width = `${Math.max(0, Math.min(100, 100 * share)).toFixed(1)}%`;
  return h("span", { class: `bar run-${place % 6}`, "aria-hidden": "true" }, h("span", { style: { width } }));
}
