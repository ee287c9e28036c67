// Models: what each promises; and, of a VAE, samples, a walk through its latents, ways and reconstructions.

import { getBlob, getJson, query } from "./api.js";
import { choice, guarded, make, mark, number, slider } from "./dom.js";
import * as pictures from "./pictures.js";

const TASKS = { restore: "restores pictures", images: "VAE of a set of pictures", codec: "compresses pictures" };
const WORDS = { name: "Name", task: "Task", summary: "Summary", limits: "Limits", measured: "Measured", trained_on: "Trained on", training_minutes: "Minutes of training", trained_with: "Trained with", data_licences: "Licences of the data", weights_licence: "Licence of the weights", recipe: "Recipe", sha256: "SHA-256" };

const told = value => typeof value === "number" ? String(Number(value.toPrecision(5))) : Array.isArray(value) ? value.join("; ") : String(value);

export function models() {
  const list = make("ul", { class: "plain pictures" }), card = make("div", {}), element = make("div", {}, make("h1", {}, "Models"), make("div", { class: "desk two" }, make("section", { class: "card side", "aria-label": "Models" }, list), card));
  let chosen = null, leave = () => {};
  const open = guarded(async name => {
    chosen = name;
    mark(list.children, line => line.dataset.name === name);
    const found = await getJson(`/api/models/card?${query({ model: name })}`);
    const explored = found.task === "images" ? await explorer(name) : { parts: [], leave() {} };
    if (chosen !== name) { explored.leave(); return; }  // another one was clicked meanwhile
    leave();
    leave = explored.leave;
    card.replaceChildren(...explored.parts, cardOf(found));
  });
  return { element, onShow: guarded(async () => {
    const all = await getJson("/api/models");
    list.replaceChildren(...all.map(one => make("li", { dataset: { name: one.name } }, make("button", { type: "button", onclick: () => open(one.name) }, make("span", {}, make("b", {}, one.name), make("br"), make("span", { class: "quiet" }, one.error ?? TASKS[one.task] ?? one.task))))));
    mark(list.children, line => line.dataset.name === chosen);
    if (!all.some(one => one.name === chosen) && all.length) await open(all[0].name);
  }) };
}

function cardOf(found) {
  const numbers = Object.entries(found.measured ?? {});
  const facts = Object.entries(WORDS).filter(([key]) => found[key] !== undefined && !["measured", "limits", "summary", "name"].includes(key));
  return make("section", { class: "card", "aria-label": `Card of ${found.name}` }, make("h2", {}, found.name), make("p", {}, found.summary),
    found.limits?.length > 0 && make("div", {}, make("h3", {}, "What it cannot do"), make("ul", {}, found.limits.map(line => make("li", {}, line)))),
    make("h3", {}, "Where it comes from"), make("table", {}, facts.map(([key, words]) => make("tr", {}, make("th", { scope: "row" }, words), make("td", {}, told(found[key]))))),
    numbers.length > 0 && make("details", {}, make("summary", {}, `${numbers.length} measurements on held-out pictures`), make("table", {}, numbers.map(([key, value]) => make("tr", {}, make("th", { scope: "row" }, key.replaceAll("_", " ")), make("td", { class: "number" }, told(value)))))));
}

// An image that follows its address: while one is on its way, only the latest wish is kept.
function following(alt) {
  const image = make("img", { class: "pixels", alt, hidden: true });
  let wanted = null, isBusy = false;
  const next = guarded(async () => {
    if (isBusy || wanted === null) return;
    const address = wanted; wanted = null; isBusy = true;
    try {
      const before = image.src, blob = await getBlob(address);
      image.src = URL.createObjectURL(blob); image.hidden = false;
      if (before.startsWith("blob:")) URL.revokeObjectURL(before);
    } finally { isBusy = false; }
    await next();
  });
  return { image, show(address) { wanted = address; next(); }, leave() { if (image.src.startsWith("blob:")) URL.revokeObjectURL(image.src); } };
}

// Does the model repeat what it was shown? For the first row of samples, the nearest pictures of the set.
function nearestOf(asked, near, sets) {
  if (!sets.length) return make("p", { class: "quiet" }, "To see the training pictures nearest to samples, start the studio with the folder that holds the set.");
  let dataset = sets[0];
  const show = guarded(async () => {
    near.replaceChildren(make("p", { class: "quiet", role: "status" }, "comparing …"));
    try {
      const first = { ...asked, count: 8 }, found = await getJson(`/api/vaes/nearest?${query({ ...first, dataset })}`);
      near.replaceChildren(make("img", { class: "pixels row-of-eight", alt: "the first eight samples", src: `/api/vaes/samples?${query(first)}` }),
        make("div", { class: "eight" }, found.map(one => make("figure", { class: "thumb" }, make("img", { src: `/api/sets/picture?${query({ dataset, name: one.name })}`, alt: one.name, title: one.name }), make("figcaption", {}, one.rms.toFixed(0))))),
        make("p", { class: "quiet" }, "Above: the first eight samples. Below: the training picture nearest to each, and the root mean square of their difference, in 1/255 of white. Near 0, a sample repeats a training picture."));
    } catch (error) { near.replaceChildren(make("p", { class: "bad" }, error.message)); }
  });
  return make("details", {}, make("summary", {}, "Nearest training pictures"), make("div", { class: "row ends" }, choice("Set that it was trained on", sets.map(one => [one, one === "." ? "the whole folder" : one]), dataset, v => { dataset = v; near.replaceChildren(); }), make("button", { type: "button", onclick: show }, "Compare")), near);
}

async function explorer(model) {
  const about = await getJson(`/api/vaes?${query({ model })}`);
  const asked = { model, count: 32, sampler: "auto", temperature: 1, seed: 0, label: "" }, near = make("div", {});
  const sheet = following("samples of the model, in rows of eight");
  const wide = Math.max(1, Math.floor(1024 / (8 * about.width)));
  sheet.image.style.width = `${8 * about.width * wide}px`;
  const draw = () => { near.replaceChildren(); sheet.show(`/api/vaes/samples?${query(asked)}`); };
  const classes = [["", "any"], ...about.classes.map((name, k) => [String(k), name])];
  const samples = make("section", { class: "card", "aria-label": "Samples" }, make("h2", {}, "New pictures"), make("div", { class: "split" },
    make("div", {}, choice("Sampler", [["auto", `best: ${about.samplers[0]}`], ...about.samplers.map(one => [one, one])], "auto", v => { asked.sampler = v; draw(); }),
      about.classes.length > 1 && choice("Class", classes, "", v => { asked.label = v; draw(); }),
      slider("Temperature", { min: 0, max: 2, step: 0.05, value: 1, format: v => v.toFixed(2), help: "Less: calmer. At 0 all are one picture.", oninput: v => { asked.temperature = v; draw(); } }).field,
      number("Seed", { min: 0, max: 2147483647, value: 0, onchange: v => { asked.seed = v; draw(); } })), make("div", {}, sheet.image)), nearestOf(asked, near, (await getJson("/api/folder")).sets));
  draw();

  const places = Array.from({ length: about.directions }, () => 0), walk = following("the picture at this place of the latents");
  walk.image.style.width = `${Math.max(about.width, about.width * Math.floor(256 / about.width))}px`;
  const step = () => walk.show(`/api/vaes/walk?${query({ model })}&${places.map(value => `at=${value}`).join("&")}`);
  const sliders = places.map((_, k) => slider(`Direction ${k + 1}`, { min: -3, max: 3, step: 0.1, value: 0, format: v => v.toFixed(1), oninput: v => { places[k] = v; step(); } }));
  const explored = make("section", { class: "card", "aria-label": "Latents" }, make("h2", {}, "A walk through the latents"), make("p", { class: "quiet" }, "Pictures of the set differ most along these directions. One step is one standard deviation."),
    make("div", { class: "split" }, make("div", {}, walk.image, make("p", {}, make("button", { type: "button", class: "small", onclick: () => { places.fill(0); for (const one of sliders) one.set(0); step(); } }, "Back to the mean"))), make("div", {}, sliders.map(one => one.field))));
  step();

  const way = following("from the first picture to the last"), again = following("the picture, its reconstruction, and the error");
  const ends = { first: "", last: "" }, choices = make("div", { class: "tiles" });
  const update = () => {
    if (ends.first) again.show(`/api/vaes/reconstruction?${query({ model, picture: ends.first })}`);
    if (ends.first && ends.last) way.show(`/api/vaes/between?${query({ model, first: ends.first, last: ends.last })}`);
  };
  const fill = () => {
    const options = [["", "choose"], ...pictures.all().map(one => [one.id, one.name])];
    choices.replaceChildren(choice("First picture", options, ends.first, v => { ends.first = v; update(); }), choice("Last picture", options, ends.last, v => { ends.last = v; update(); }));
  };
  const stop = pictures.onChange(what => { if (what === "list") fill(); });
  await pictures.refresh();
  fill();
  for (const one of [way, again]) one.image.style.width = "100%";
  const ways = make("section", { class: "card", "aria-label": "Ways" }, make("h2", {}, "Your pictures in this model"), make("p", { class: "quiet" }, "Choose from the pictures that are open in Restore. Left: the picture as the model takes it. Middle: its reconstruction. Right: where they differ."), choices, again.image, make("p", {}), way.image);
  return { parts: [samples, explored, ways], leave() { stop(); for (const one of [sheet, walk, way, again]) one.leave(); } };
}
