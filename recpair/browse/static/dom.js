// Elements from data: every text goes through textContent, so markup in titles is shown, not run.

export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") for (const [key, text] of Object.entries(value)) element.style.setProperty(key, text);
    else element.setAttribute(name, value === true ? "" : value);
  }
  append(element, children);
  return element;
}

export function append(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === undefined || child === null || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
}

export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  append(element, children);
  return element;
}

export function show(element, ...children) {
  element.replaceChildren();
  append(element, children);
  return element;
}

export function note(text, kind = "empty") {
  return h("p", { class: `note ${kind}`, role: kind === "error" ? "alert" : undefined }, text.charAt(0).toUpperCase() + text.slice(1));
}

export function waiting(lines = 6) {
  return h("div", { class: "waiting", "aria-label": "loading" }, Array.from({ length: lines }, () => h("span")));
}
