// Restore: a picture before and after, at once; then the batch.

import { getJson, post, query } from "./api.js";
import { check, choice, guarded, make, number, say, slider } from "./dom.js";
import { jobList } from "./jobs.js";
import * as pictures from "./pictures.js";
import { Viewer } from "./viewer.js";

const MOST_PANES = 4, REMEMBERED = "safelight-restore", KEPT = ["model", "strength", "samples", "seed", "temperature", "sigma", "level"];

// The settings of the last visit, where they are still what settings are.
function remembered(usual) {
  try {
    const found = JSON.parse(localStorage.getItem(REMEMBERED)) ?? {};
    return { ...usual, ...Object.fromEntries(KEPT.filter(key => key in found && (key === "sigma" || typeof found[key] === typeof usual[key])).map(key => [key, found[key]])) };
  } catch { return usual; }
}

const layersOf = settings => [["restored", "Restored"], ...Array.from({ length: settings.samples }, (_, k) => [`sample-${k + 1}`, `Sample ${k + 1}`]),
  ["uncertainty", "Uncertainty"], ["low", "Interval, low"], ["high", "Interval, high"]];

const isOfStrength = settings => settings.layer === "restored" || settings.layer.startsWith("sample");

function source(picture, settings) {
  if (!picture) return () => null;
  const [layer, sample] = settings.layer.split("-");
  const fixed = !isOfStrength(settings);  // of the mean at full strength
  const asked = { model: settings.model, strength: fixed ? 1 : settings.strength, seed: settings.samples ? settings.seed : 0, samples: settings.samples, temperature: settings.samples ? settings.temperature : 1,
    sigma: settings.sigma, uncertainty: settings.samples > 0 || fixed, layer, sample: sample ?? "", level: layer === "low" || layer === "high" ? settings.level : "" };
  const words = query(asked);
  return (column, row) => `/api/pictures/${picture.id}/restored/${column}/${row}?${words}`;
}

export function restore() {
  const settings = remembered({ model: "photo", strength: 1, samples: 0, seed: 0, temperature: 1, sigma: null, layer: "restored", level: 0.9 });
  const compared = [];  // settings that stand beside the current ones
  const viewer = new Viewer({ onMove: () => later(), onError: guarded(async why => { throw new Error(why); }) });
  const jobs = jobList();
  const info = make("p", { class: "quiet" }), warning = make("p", { class: "warning", role: "status", hidden: true });
  const strip = make("div", { class: "strip", role: "group", "aria-label": "Layers" });
  const scale = make("div", { class: "scale", hidden: true }, make("div", { role: "img", "aria-label": "Colours from black, for no uncertainty, over red to yellow" }), make("ol", {}, ["0", "2", "8", "18", "32"].map(tick => make("li", {}, tick))), make("p", { class: "quiet" }, "Dark: the model is sure. Bright: it had to guess. The numbers are the standard deviation of each pixel, in 1/255 of white."));
  const line = make("input", { type: "range", min: "0", max: "100", value: "50", "aria-label": "Position of the line between before and after" });
  line.addEventListener("input", () => viewer.setLine(line.value / 100));
  viewer.element.addEventListener("line", event => { line.value = String(100 * event.detail); });
  const flicker = make("button", { type: "button", class: "small", "aria-pressed": "false", onclick: () => viewer.toggleFlicker() }, "Before and after in turn (F)");
  viewer.element.addEventListener("flicker", event => flicker.setAttribute("aria-pressed", String(event.detail)));
  const opening = make("p", { role: "status" });
  const empty = make("div", { class: "card empty" }, make("h2", {}, "Nothing is open"), make("p", {}, "Drop a picture anywhere on this page, or choose one from the list. A part of it is restored at once; the original is never changed."), opening);
  const zoom = make("output", { class: "quiet" });
  const bar = make("div", { class: "row" }, make("button", { type: "button", class: "small", onclick: () => viewer.fit() }, "Fit"), make("button", { type: "button", class: "small", onclick: () => viewer.zoomTo(1) }, "100 %"),
    make("button", { type: "button", class: "small", "aria-label": "Zoom out", onclick: () => viewer.zoomBy(0.8) }, "−"), make("button", { type: "button", class: "small", "aria-label": "Zoom in", onclick: () => viewer.zoomBy(1.25) }, "+"), zoom, flicker,
    make("button", { type: "button", class: "small", onclick: () => { if (compared.length < MOST_PANES - 1) { compared.push({ ...settings }); panes(); say("The left one stays as it is. Change the strength or the model to see the difference."); } else say("Four at most stand side by side."); } }, "Compare with other settings"));
  const stage = make("div", { hidden: true }, viewer.element, make("div", { class: "under" }, line, bar, strip, scale, warning, info));

  const words = one => {  // what differs comes first: a narrow label is cut at its end
    const layer = layersOf(one).find(([key]) => key === one.layer)[1];
    return isOfStrength(one) ? `${one.strength.toFixed(2)} · ${layer}, ${one.model}` : `${layer}, at full strength, ${one.model}`;
  };
  function panes() {
    const own = viewer.panes.find(pane => pane.isCurrent), picture = pictures.current();
    const former = own && own.pictureId === picture?.id ? own.source : null;
    const standIn = isOfStrength(settings) ? { source: source(picture, { ...settings, strength: 1 }), share: settings.strength } : null;
    const list = [...compared.map((one, k) => ({ label: words(one), source: source(picture, one), onClose: () => { compared.splice(k, 1); panes(); } })),
      { label: words(settings), source: source(picture, settings), former, standIn, isCurrent: true, pictureId: picture?.id }];
    if (viewer.panes.length === list.length && list.length === 1) Object.assign(viewer.panes[0], list[0], { canvas: viewer.panes[0].canvas }), viewer.element.querySelector(".tag.right").textContent = list[0].label, viewer.draw();
    else viewer.setPanes(list);
    line.hidden = list.length > 1;
    pictures.lookWith(settings.model);
    localStorage.setItem(REMEMBERED, JSON.stringify(Object.fromEntries(KEPT.map(key => [key, settings[key]]))));
    tellExport();
    scale.hidden = ![settings, ...compared].some(one => one.layer === "uncertainty");
    layers();
  }
  function layers() {
    viewer.extras = layersOf(settings).filter(([key]) => key !== settings.layer).map(([key]) => source(pictures.current(), { ...settings, layer: key }));
    const keys = layersOf(settings).map(([key]) => key);
    if (keys.join() === strip.dataset.keys) {  // the buttons stay, and so does the focus
      keys.forEach((key, k) => strip.children[k].setAttribute("aria-pressed", String(settings.layer === key)));
      thumbs();
      return;
    }
    strip.dataset.keys = keys.join();
    strip.replaceChildren(...layersOf(settings).map(([key, title]) => {
      const canvas = make("canvas", { "aria-hidden": "true", width: 96, height: 72 });
      const button = make("button", { type: "button", "aria-pressed": String(settings.layer === key), onclick: () => { settings.layer = key; panes(); } }, canvas, make("span", {}, title));
      button.thumb = () => viewer.picture && viewer.thumbnail(canvas, source(pictures.current(), { ...settings, layer: key }));
      return button;
    }));
    thumbs();
  }
  let timer = null;
  const thumbs = () => { for (const button of strip.children) button.thumb(); };
  const later = () => { clearTimeout(timer); timer = setTimeout(thumbs, 300); zoom.textContent = `${Math.round(100 * viewer.camera.zoom)} %`; };
  setInterval(() => { if (stage.isConnected && !stage.hidden) thumbs(); }, 1000);

  const modelField = make("div", {});
  const form = make("section", { class: "card", "aria-label": "How it is restored" }, make("h2", {}, "Settings"), modelField,
    slider("Strength", { min: 0, max: 1, step: 0.01, value: settings.strength, format: v => v.toFixed(2), help: "At 0 the picture is as it was. In between, fine grain returns before colour noise.", oninput: v => { settings.strength = v; panes(); } }).field,
    number("Samples", { min: 0, max: 8, value: settings.samples, help: "Equally likely versions, shown below the picture. Where they differ, the detail is invented.", onchange: v => { settings.samples = v; if (settings.layer.startsWith("sample") && Number(settings.layer.split("-")[1]) > v) settings.layer = "restored"; panes(); } }),
    make("details", {}, make("summary", {}, "More"),
      slider("Temperature of samples", { min: 0, max: 2, step: 0.05, value: settings.temperature, format: v => v.toFixed(2), help: "1: as different as they truly may be. Less: closer to the restored picture.", oninput: v => { settings.temperature = v; panes(); } }).field,
      number("Seed", { min: 0, max: 2147483647, value: settings.seed, onchange: v => { settings.seed = v; panes(); } }),
      number("Noise level, if known", { min: 0, max: 255, step: "any", value: settings.sigma, mayBeEmpty: true, placeholder: "unknown", help: "Standard deviation, of 255.", onchange: v => { settings.sigma = v; panes(); } }),
      choice("Interval, low and high: the truth lies between them in", [["0.5", "50 %"], ["0.8", "80 %"], ["0.9", "90 %"], ["0.95", "95 %"]], String(settings.level), v => { settings.level = Number(v); panes(); })));
  const exported = { format: "same", depth: "same", quality: 95, metadata: "keep", provenance: true, samples: false, uncertainty: false, folder: "" };
  const folderField = make("div", {}), whichField = make("div", {});
  let which = null;
  const begin = make("button", { type: "button", class: "main", onclick: guarded(async () => {
    const chosen = which.listed();
    begin.disabled = true;
    try {
      const options = { strength: settings.strength, samples: exported.samples ? settings.samples : 0, seed: settings.seed, sigma: settings.sigma, format: exported.format, depth: exported.depth, quality: exported.quality, metadata: exported.metadata, provenance: exported.provenance, uncertainty: exported.uncertainty };
      if (options.samples) options.temperature = settings.temperature;
      await post("/api/jobs/enhance", { pictures: chosen, model: settings.model, folder: exported.folder || null, settings: options });
      await jobs.refresh();
      jobs.element.scrollIntoView({ block: "nearest" });
    } finally { begin.disabled = false; }
  }) });
  const told = make("p", { class: "quiet" });
  const tellExport = () => {
    const count = which?.count() ?? 0;
    begin.textContent = count > 1 ? `Restore and save ${count} pictures` : "Restore and save";
    told.textContent = `With ${settings.model} at strength ${settings.strength.toFixed(2)}. The originals stay as they are.`;
  };
  const exporting = make("section", { class: "card", "aria-label": "Export" }, make("h2", {}, "Restore whole pictures"),
    whichField, folderField,
    make("details", {}, make("summary", {}, "Files"),
      choice("Format", ["same", "jpeg", "png", "tiff", "webp", "avif"].map(v => [v, v === "same" ? "as the original" : v]), "same", v => { exported.format = v; }),
      choice("Depth", ["same", "8", "10", "12", "16", "float"].map(v => [v, v === "same" ? "as the original" : v === "float" ? v : `${v} bits`]), "same", v => { exported.depth = v; }),
      slider("Quality of jpeg, webp and avif", { min: 1, max: 100, step: 1, value: 95, oninput: v => { exported.quality = v; } }).field,
      choice("Metadata", [["keep", "keep all"], ["strip-gps", "without the place"], ["strip", "none"]], "keep", v => { exported.metadata = v; }),
      check("Say in the file what was done", true, v => { exported.provenance = v; }),
      check("Write the samples, too", false, v => { exported.samples = v; }),
      check("Write the uncertainty, too", false, v => { exported.uncertainty = v; })),
    begin, told);
  const element = make("div", { class: "desk" }, make("div", { class: "side" }, pictures.pictureList()), make("div", {}, empty, stage), make("div", { class: "side" }, form, exporting, jobs.element));

  const look = guarded(async () => {
    const picture = pictures.current(), model = settings.model;
    warning.hidden = true;
    if (!picture) return;
    const found = await getJson(`/api/pictures/${picture.id}/look?${query({ model })}`);
    if (picture.id === pictures.current()?.id && model === settings.model && found.warning) { warning.hidden = false; warning.textContent = found.warning; }
  });
  pictures.onChange(what => {
    const picture = pictures.current();
    empty.hidden = Boolean(picture); stage.hidden = !picture;
    opening.textContent = what === "opening" ? "Opening …" : "";
    if (what === "opening") { info.textContent = "opening …"; return; }
    if (what !== "chosen") return;
    if (!picture) { viewer.show(null); return; }
    info.textContent = [`${picture.name}: ${picture.width} × ${picture.height}, ${picture.kind}, ${picture.bits} bits, ${picture.format}`, picture.has_profile ? "with a colour profile" : null, ...picture.warnings].filter(Boolean).join("; ");
    viewer.show(picture); panes(); look();
  });
  guarded(async () => {
    const [models, about] = [await getJson("/api/models"), await getJson("/api/about")];
    const usable = models.filter(one => one.task === "restore");
    if (!usable.some(one => one.name === settings.model)) settings.model = usable[0]?.name ?? settings.model;
    pictures.lookWith(settings.model);
    modelField.append(choice("Model", usable.map(one => [one.name, one.name]), settings.model, v => { settings.model = v; panes(); look(); }));
    which = pictures.whichPictures(about.folder !== null, tellExport);
    whichField.append(which.field);
    if (about.folder !== null) folderField.append(choice("Where to", [["", "keep here, to download"], ["restored", `a new folder: ${about.folder}/restored`]], "", v => { exported.folder = v; }));
  })();
  return { element, onShow: () => { pictures.refresh(); jobs.refresh(); } };
}
