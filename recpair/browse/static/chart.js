// Charts as SVG, drawn at the width of the page and again when it changes.

import { h, svg } from "./dom.js";
import { decimal, plural } from "./format.js";

const HEIGHT = 300;
const MARGIN = { top: 16, right: 16, bottom: 36, left: 60 };

function framed(draw, label) {
  const frame = h("figure", { class: "chart", role: "img", "aria-label": label });
  let width = 0;
  new ResizeObserver(([entry]) => {
    const now = Math.round(entry.contentRect.width);
    if (now === width || now < 50) return;
    width = now;
    frame.replaceChildren(...draw(now));
  }).observe(frame);
  return frame;
}

function ticks(low, high, wanted) {
  const rough = (high - low) / wanted || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough);
  const found = [];
  for (let value = Math.ceil(low / step) * step; value <= high + step * 1e-9; value += step) found.push(Math.abs(value) < step * 1e-9 ? 0 : value);
  return { step, found };
}

function axis(y, low, high, width) {
  const { step, found } = ticks(low, high, 5);
  const digits = Math.max(0, Math.min(6, -Math.floor(Math.log10(step) + 1e-9)));
  return found.map((value) => svg("g", { class: "grid" },
    svg("line", { x1: MARGIN.left, x2: width - MARGIN.right, y1: y(value), y2: y(value) }),
    svg("text", { x: MARGIN.left - 8, y: y(value), "text-anchor": "end", "dominant-baseline": "central" }, value.toFixed(digits))));
}

function scale(low, high, from, to) {
  const width = high - low || 1;
  return (value) => from + ((value - low) / width) * (to - from);
}

export function lines(runs, names, metric) {
  const points = runs.flatMap((run) => run.points).filter(([, value]) => value !== null);
  const values = points.map(([, value]) => value);
  const spread = (Math.max(...values) - Math.min(...values)) * 0.06 || 0.5;
  const [low, high] = [Math.min(...values) - spread, Math.max(...values) + spread];
  const last = Math.max(...points.map(([epoch]) => epoch), 2);
  const draw = (width) => {
    const x = scale(1, last, MARGIN.left, width - MARGIN.right);
    const y = scale(low, high, HEIGHT - MARGIN.bottom, MARGIN.top);
    const readout = h("figcaption", { class: "muted small" }, "Move over the chart to read values.");
    const cursor = svg("line", { class: "cursor", y1: MARGIN.top, y2: HEIGHT - MARGIN.bottom, x1: -9, x2: -9 });
    const picture = svg("svg", { width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}` }, axis(y, low, high, width),
      ticks(1, last, Math.min(8, width / 70)).found.filter((e) => Number.isInteger(e)).map((epoch) => svg("text", { class: "tick", x: x(epoch), y: HEIGHT - 14, "text-anchor": "middle" }, epoch)),
      svg("text", { class: "tick", x: MARGIN.left - 8, y: HEIGHT - 14, "text-anchor": "end" }, "epoch"),
      cursor, runs.map((run) => curve(run, x, y)));
    picture.addEventListener("pointermove", (event) => {
      const epoch = Math.round(1 + ((event.offsetX - MARGIN.left) / (width - MARGIN.left - MARGIN.right)) * (last - 1));
      const read = runs.map((run) => [run, run.points.find(([e]) => e === epoch)]).filter(([, point]) => point);
      if (!read.length) return;
      cursor.setAttribute("x1", x(epoch));
      cursor.setAttribute("x2", x(epoch));
      readout.textContent = `epoch ${epoch}: ${read.map(([run, [, value]]) => `${names[run.place].name} ${decimal(value)}`).join(" · ")}`;
    });
    return [picture, readout];
  };
  return framed(draw, `${metric} by epoch`);
}

function curve(run, x, y) {
  const known = run.points.filter(([, value]) => value !== null);
  const path = known.map(([epoch, value], place) => `${place ? "L" : "M"}${x(epoch).toFixed(1)} ${y(value).toFixed(1)}`).join("");
  const best = known.find(([epoch]) => epoch === run.best_epoch);
  return svg("g", { class: `curve run-${run.place % 6}` }, svg("path", { d: path }),
    best ? svg("circle", { cx: x(best[0]), cy: y(best[1]), r: 4.5 }, svg("title", {}, `best epoch ${best[0]}: ${best[1]}`)) : "");
}

export function bars(runs, labels, metric) {
  const ends = runs.flatMap((run) => run.groups.map((group) => (group.mean ?? 0) + (group.error ?? 0)));
  const high = Math.max(...ends) * 1.05 || 1;
  const draw = (width) => {
    const y = scale(0, high, HEIGHT - MARGIN.bottom, MARGIN.top);
    const slot = (width - MARGIN.left - MARGIN.right) / labels.length;
    const thick = Math.min(34, (slot * 0.72) / runs.length);
    const bar = (run, order, group, place) => {
      const x = MARGIN.left + slot * (place + 0.5) + thick * (order - runs.length / 2);
      const top = y(group.mean ?? 0);
      const middle = x + (thick - 2) / 2;
      return svg("g", { class: `block run-${run.place % 6}` },
        svg("rect", { x, y: top, width: Math.max(1, thick - 2), height: Math.max(0, HEIGHT - MARGIN.bottom - top), rx: 2 }),
        group.error ? svg("line", { x1: middle, x2: middle, y1: y(group.mean + group.error), y2: y(Math.max(0, group.mean - group.error)) }) : "",
        svg("title", {}, `${metric} ${decimal(group.mean)}${group.error ? ` ± ${decimal(group.error)}` : ""}, ${plural(group.users, "user")}`));
    };
    return [svg("svg", { width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}` }, axis(y, 0, high, width),
      labels.map((text, place) => svg("text", { class: "tick", x: MARGIN.left + slot * (place + 0.5), y: HEIGHT - 14, "text-anchor": "middle" }, text)),
      runs.map((run, order) => run.groups.map((group, place) => bar(run, order, group, place))))];
  };
  return framed(draw, `${metric} by group of users`);
}
