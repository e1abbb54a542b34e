// The search field: suggestions while typing, all by keyboard.

import { h, show } from "./dom.js";
import { address, get } from "./api.js";
import { name, plural } from "./format.js";

export function startSearch(go) {
  const field = document.getElementById("find");
  const list = document.getElementById("found");
  let options = [];
  let active = -1;
  let turn = 0;

  function close() {
    list.hidden = true;
    active = -1;
    field.setAttribute("aria-expanded", "false");
    field.removeAttribute("aria-activedescendant");
  }

  function select(place) {
    options[active]?.element.removeAttribute("aria-selected");
    active = options.length ? (place + options.length) % options.length : -1;
    if (active < 0) return;
    options[active].element.setAttribute("aria-selected", "true");
    options[active].element.scrollIntoView({ block: "nearest" });
    field.setAttribute("aria-activedescendant", options[active].element.id);
  }

  function choose(place) {
    const query = field.value.trim();
    if (!query) return;
    const url = place >= 0 ? options[place].url : address("/search", { q: query });
    field.value = "";
    field.blur();
    turn += 1;
    close();
    go(url);
  }

  async function suggest() {
    const query = field.value.trim();
    const asked = ++turn;
    if (!query) return close();
    let found;
    try {
      found = await get("/api/search", { q: query, limit: 8 });
    } catch (error) {
      found = { items: [], users: [], error: error.message };
    }
    if (asked !== turn) return;
    options = [];
    const option = (url, title, detail) => {
      const place = options.length;
      const element = h("div", { class: "option", role: "option", id: `option-${place}`, onmousedown: (e) => e.preventDefault(),
        onclick: () => choose(place) }, h("span", { class: "title" }, title), h("span", { class: "muted" }, detail));
      options.push({ url, element });
      return element;
    };
    const kind = (text) => h("div", { class: "kind", role: "presentation" }, text);
    const users = found.users.slice(0, found.items.length ? 4 : 8);
    const ofUsers = () => users.length > 0 && [kind("Users"), users.map((user) => option(address("/user", { id: user.id }), `user ${user.id}`, plural(user.events, "event")))];
    const ofItems = () => found.items.length > 0 && [kind("Items"), found.items.map((item) => option(address("/item", { id: item.id }), name(item), [item.title && h("span", { class: "id" }, `id ${item.id} · `), plural(item.events, "event")]))];
    const groups = users[0]?.id === query ? [ofUsers(), ofItems()] : [ofItems(), ofUsers()]; // in the order of the options
    show(list, groups,
      options.length === 0 && h("div", { class: "nothing" }, found.error || `Nothing matches “${query}”.`));
    list.hidden = false;
    field.setAttribute("aria-expanded", "true");
    active = -1;
  }

  field.addEventListener("input", suggest);
  field.addEventListener("focus", () => field.value && suggest());
  field.addEventListener("blur", close);
  field.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (list.hidden) suggest();
      else select(active < 0 && event.key === "ArrowUp" ? -1 : active + (event.key === "ArrowDown" ? 1 : -1));
    } else if (event.key === "Enter") {
      event.preventDefault();
      choose(active);
    } else if (event.key === "Escape") {
      if (list.hidden) field.value = "";
      close();
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (/^(input|select|textarea)$/i.test(document.activeElement?.tagName)) return;
    event.preventDefault();
    field.focus();
    field.select();
  });
}
