import { h, note } from "./dom.js";
import { address, get } from "./api.js";
import { count } from "./format.js";
import { choices, runName } from "./parts.js";
import { bars, lines } from "./chart.js";

export async function render(body, state, { runs, go }) {
  const asked = { metric: state.get("metric"), test: state.get("test"), by: state.get("by") || "activity" };
  const change = (key) => (value) => go(address("/training", { ...asked, [key]: value }), true);
  body.append(h("h1", {}, "Training"));
  const [curves, groups] = await Promise.all([get("/api/curves", { metric: asked.metric }), get("/api/groups", { metric: asked.test, by: asked.by })]);
  body.append(h("h2", {}, "Learning curves"));
  const drawn = curves.runs.map((run, place) => ({ ...run, place })).filter(known);
  const without = curves.runs.map((run, place) => [run, place]).filter(([run]) => !known(run)).map(([, place]) => runs[place].name);
  if (drawn.length) {
    body.append(h("div", { class: "controls" }, choices("Metric", curves.metrics.map((m) => [m, m]), curves.metric, change("metric")), legend(runs, drawn)),
      lines(drawn, runs, curves.metric));
    if (without.length) body.append(h("p", { class: "muted small" }, `Without this metric: ${without.join(", ")}.`));
  } else {
    body.append(note("These models were fitted without epochs, so there are no learning curves."));
  }
  body.append(h("h2", {}, "Test metrics by group of users"));
  const grouped = groups.runs.map((run, place) => ({ ...run, place })).filter((run) => run.groups.length);
  if (!grouped.length) {
    body.append(note("These runs have no test metrics of each user."));
    return "Training";
  }
  const by = [["activity", "training events of the user"], ["popularity", "popularity of the user’s items"]];
  body.append(
    h("div", { class: "controls" }, choices("Metric", groups.metrics.map((m) => [m, m]), groups.metric, change("test")), choices("Groups by", by, asked.by, change("by")), legend(runs, grouped)),
    bars(grouped, ranges(groups.edges), groups.metric),
    h("p", { class: "muted small" }, asked.by === "activity" ? "Groups of nearly equal size by number of training events." : "Groups by the mean number of training events of the items in the history: niche tastes on the left.", " Lines are 1.96 standard errors."));
  return "Training";
}

const known = (run) => run.points.some(([, value]) => value !== null);

const legend = (runs, drawn) => h("span", { class: "legend" }, drawn.map((run) => runName(runs, run.place)));

function ranges(edges) {
  const low = [null, ...edges];
  return [...edges, null].map((high, place) => {
    if (high === null) return edges.length ? `> ${count(low[place])}` : "all users";
    return place === 0 ? `≤ ${count(high)}` : low[place] + 1 === high ? count(high) : `${count(low[place] + 1)}–${count(high)}`;
  });
}
