import { h, note, show, waiting } from "./dom.js";
import { get } from "./api.js";
import { startSearch } from "./search.js";
import * as audit from "./audit.js";
import * as item from "./item.js";
import * as overview from "./overview.js";
import * as results from "./results.js";
import * as training from "./training.js";
import * as user from "./user.js";

const pages = { "/": overview, "/search": results, "/user": user, "/item": item, "/audit": audit, "/training": training };
const main = document.getElementById("main");
let shown = 0;

// The address is the whole state: pages read it, links and controls change it.
export function go(url, keep = false) {
  if (url === location.pathname + location.search) return;
  history.pushState(null, "", url);
  render(keep);
}

// Keep: the same page with other options, so neither scroll position nor focus changes.
async function render(keep = false) {
  const turn = ++shown;
  const control = document.activeElement?.name;
  const page = pages[location.pathname];
  for (const link of document.querySelectorAll("nav a")) {
    if (link.getAttribute("href") === location.pathname) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const body = h("div", { class: "page" });
  const timer = setTimeout(() => turn === shown && show(main, waiting()), 150);
  try {
    if (!page) throw new Error("This page does not exist.");
    const runs = (await get("/api/overview")).runs;
    const title = await page.render(body, new URLSearchParams(location.search), { runs, go });
    if (turn !== shown) return;
    document.title = `${title} – recpair`;
  } catch (error) {
    if (turn !== shown) return;
    show(body, note(error.message, "error"), h("p", {}, h("a", { href: "/" }, "All runs"), " or search above by id or title."));
    document.title = "recpair";
  } finally {
    clearTimeout(timer);
  }
  show(main, body);
  if (keep) return control && main.querySelector(`[name="${CSS.escape(control)}"]`)?.focus();
  window.scrollTo(0, 0);
  main.focus({ preventScroll: true });
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href]");
  if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  if (link.origin !== location.origin || link.classList.contains("skip")) return;
  event.preventDefault();
  const beside = "beside" in link.dataset && matchMedia("(min-width: 52rem)").matches;
  go(link.pathname + link.search, beside);
});
window.addEventListener("popstate", () => render(true));
startSearch(go);
render();
