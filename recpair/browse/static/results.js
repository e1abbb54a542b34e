import { h, note } from "./dom.js";
import { get } from "./api.js";
import { plural } from "./format.js";
import { label, userLink } from "./parts.js";

const MOST = 50;

export async function render(body, state) {
  const query = state.get("q") || "";
  body.append(h("h1", {}, `“${query}”`));
  const { items, users } = await get("/api/search", { q: query, limit: MOST });
  if (!items.length && !users.length) {
    body.append(note("No item or user matches. Search compares ids and words of titles, without case and accents."));
  }
  const more = (list) => (list.length === MOST ? ` (the first ${MOST})` : "");
  if (items.length) {
    body.append(h("h2", {}, `Items${more(items)}`), h("ol", { class: "rows" }, items.map((item) => h("li", {}, label(item), h("span", { class: "value muted" }, plural(item.events, "event"))))));
  }
  if (users.length) {
    body.append(h("h2", {}, `Users${more(users)}`), h("ol", { class: "rows" }, users.map((user) => h("li", {}, userLink(user.id), h("span", { class: "value muted" }, plural(user.events, "event"))))));
  }
  return `Search: ${query}`;
}
