// Runs: training that is begun, watched, stopped and gone on with.

import { getJson, onJobs, post, query } from "./api.js";
import { choice, guarded, make, mark, number } from "./dom.js";
import { jobList } from "./jobs.js";

const NAMES = { loss: "Loss of this stage, while training", val_loss: "Loss of this stage, held-out pictures", val_neg_elbo_nats: "Negative ELBO of held-out pictures, nats", val_mse: "Squared error of held-out pictures", val_rate_nats: "Rate of held-out pictures, nats", val_detail_loss: "Loss of the detail on held-out pictures", val_flow_loss: "Loss of the prior on held-out pictures", val_psnr_db: "PSNR of held-out pictures, dB" };
const svg = (name, attributes, ...children) => { const element = document.createElementNS("http://www.w3.org/2000/svg", name); for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value)); element.append(...children); return element; };

// One number of one run or of two: a list of [name of the run, its points].
function plot(title, series) {
  const width = 320, height = 150, left = 60, bottom = 24, all = series.flatMap(([, points]) => points), sorted = all.map(([, y]) => y).sort((a, b) => a - b);
  const first = Math.min(...all.map(([x]) => x)), last = Math.max(first + 1, ...all.map(([x]) => x));
  const low = sorted[Math.floor(0.01 * (sorted.length - 1))], high = sorted[Math.ceil(0.98 * (sorted.length - 1))], span = high - low || 1;
  const x = value => left + (width - left - 10) * (value - first) / (last - first), y = value => 10 + (height - bottom - 14) * (1 - (Math.min(high, Math.max(low, value)) - low) / span);
  const told = value => Number(value.toPrecision(4)).toString(), now = points => told(points.at(-1)[1]);
  const words = series.map(([name, points]) => `${name}: ${told(points[0][1])} at first, ${now(points)} now`).join("; ");
  return make("figure", { class: "card plot" }, make("figcaption", {}, title), svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${title}. ${words}` },
    svg("text", { x: left - 6, y: 16, "text-anchor": "end" }, told(high)), svg("text", { x: left - 6, y: height - bottom, "text-anchor": "end" }, told(low)), svg("text", { x: left, y: height - 6 }, "begin"), svg("text", { x: width - 10, y: height - 6, "text-anchor": "end" }, "now"),
    svg("path", { class: "axis", d: `M${left} 8V${height - bottom}H${width - 8}` }), ...series.map(([, points], k) => svg("polyline", { class: k ? "curve other" : "curve", points: points.map(([a, b]) => `${x(a).toFixed(1)},${y(b).toFixed(1)}`).join(" ") }))),
    series.map(([name, points], k) => make("p", { class: "quiet" }, series.length > 1 && make("span", { class: k ? "swatch other" : "swatch", "aria-hidden": "true" }), series.length > 1 ? `${name}: ${now(points)}` : `now ${now(points)}`)));
}

export function runs() {
  const jobs = jobList(), list = make("ul", { class: "plain pictures" }), shown = make("div", {}), training = make("section", { class: "card", "aria-label": "Train" });
  const empty = make("div", { class: "card empty" }, make("h2", {}, "No training run"), make("p", {}, "Batches of pictures stand under Restore and Compress. Start the studio with a folder: safelight studio FOLDER. Training runs in it are shown here, and recipes in it can be trained."));
  const body = make("div", { class: "desk three", hidden: true }, make("div", { class: "side" }, make("section", { class: "card", "aria-label": "Runs" }, make("h2", {}, "Runs"), list)), make("div", {}, shown), make("div", { class: "side" }, training, jobs.element));
  const state = { run: null, other: "", recipe: "", data: "", name: "runs/mine", minutes: 10 };
  let seen = "";
  const curvesOf = run => getJson(`/api/runs/curves?${query({ run })}`);
  const title = make("h1", { hidden: true }), beside = make("div", { class: "narrow" }), plots = make("div", {});
  const at = make("input", { type: "range", min: "0", "aria-label": "Preview, from first to last" }), image = make("img", { class: "pixels", alt: "preview of the run" }), words = make("p", { class: "quiet" });
  const looks = make("section", { class: "card", "aria-label": "Previews", hidden: true }, make("h2", {}, "Previews"), at, words, image);
  let previews = [], all = [];
  const showPreview = () => { const name = previews[Number(at.value)]; image.src = `/api/runs/preview?${query({ run: state.run, name })}`; words.textContent = `${Number(at.value) + 1} of ${previews.length}: ${name}`; };
  at.addEventListener("input", showPreview);
  const draw = guarded(async () => {
    const { run, other } = state;
    if (!run) return;
    const [curves, others, found] = await Promise.all([curvesOf(run), other ? curvesOf(other) : {}, getJson(`/api/runs/previews?${query({ run })}`)]);
    const now = JSON.stringify([run, other, [curves, others].map(one => Object.values(one).map(points => points.length)), found.length]);
    if (now === seen || run !== state.run || other !== state.other) return;  // nothing new, or another run was clicked meanwhile
    seen = now;
    const drawn = Object.entries(curves).filter(([, points]) => points.length > 1).map(([key, points]) => plot(NAMES[key] ?? key, [[run, points], ...(others[key]?.length > 1 ? [[other, others[key]]] : [])]));
    plots.replaceChildren(drawn.length ? make("div", { class: "tiles plots" }, drawn) : make("p", { class: "card quiet" }, "Nothing has been measured yet."));
    const isAtEnd = title.textContent !== run || Number(at.value) >= previews.length - 1;
    title.textContent = run; title.hidden = false;
    previews = found;
    looks.hidden = !found.length;
    at.max = String(Math.max(0, found.length - 1));
    if (isAtEnd) at.value = at.max;
    if (found.length && isAtEnd) showPreview();
  });
  shown.append(title, beside, plots, looks);
  const showList = () => {
    list.replaceChildren(...(all.length ? all.map(run => make("li", { dataset: { name: run } }, make("button", { type: "button", onclick: () => open(run) }, make("span", {}, run)))) : [make("li", { class: "quiet" }, "none yet")]));
    showChosen();
  };
  const showChosen = () => {
    mark(list.children, line => line.dataset.name === state.run);
    const rest = all.filter(run => run !== state.run);
    beside.replaceChildren(...(rest.length ? [choice("Compare with", [["", "no other run"], ...rest.map(run => [run, run])], state.other, v => { state.other = v; draw(); })] : []));
  };
  const open = run => { state.run = run; if (state.other === run) state.other = ""; seen = ""; showChosen(); return draw(); };
  onJobs(guarded(async told => { if (body.isConnected && told.some(one => one.verb === "train" && !all.includes(one.names[0]))) { all = (await getJson("/api/folder")).runs; showList(); } }));
  setInterval(() => { if (body.isConnected && state.run) draw(); }, 3000);
  return { element: make("div", {}, empty, body), onShow: guarded(async () => {
    const found = await getJson("/api/folder"), is = found.runs.length || found.recipes.length;
    empty.hidden = Boolean(is); body.hidden = !is;
    all = found.runs;
    await jobs.refresh();
    showList();
    if (found.recipes.length) {
      state.recipe = found.recipes.includes(state.recipe) ? state.recipe : found.recipes[0];
      state.data = found.sets.includes(state.data) ? state.data : found.sets[0] ?? "";
      const name = make("input", { type: "text", id: "run-name", value: state.name, oninput: event => { state.name = event.target.value; } });
      training.replaceChildren(make("h2", {}, "Train"), choice("Recipe", found.recipes.map(one => [one, one]), state.recipe, v => { state.recipe = v; }), choice("Pictures", [["", "those of the recipe"], ...found.sets.map(one => [one, one === "." ? "the whole folder" : one])], state.data, v => { state.data = v; }),
        make("div", { class: "field" }, make("label", { for: "run-name" }, "Folder of the run"), name), number("Minutes", { min: 1, max: 100000, value: state.minutes, onchange: v => { state.minutes = v; } }),
        make("button", { type: "button", class: "main", onclick: guarded(async () => { await post("/api/jobs/train", { recipe: state.recipe, data: state.data || null, run: state.name, minutes: state.minutes }); await jobs.refresh(); }) }, "Train"), make("p", { class: "quiet" }, "Cancel writes a checkpoint; “Go on” resumes it. A run with the same folder and numbers goes on, too."));
    } else training.replaceChildren(make("h2", {}, "Train"), make("p", { class: "quiet" }, "Put a recipe (.toml) into the folder to train it here."));
    if (!state.run && found.runs.length) await open(found.runs[0]);
  }) };
}
