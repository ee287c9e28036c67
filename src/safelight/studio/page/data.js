// Data sets: what is wrong with one, a recipe of variants with its contact sheet, a set with variants, and a verdict.

import { getJson, post, postForBlob, query } from "./api.js";
import { check, choice, guarded, make, number } from "./dom.js";
import { jobList } from "./jobs.js";

const EXAMPLE = { steps: [{ op: "flip_horizontal", probability: 0.5 }, { op: "rotate", degrees: [-15, 15] }] };

function parameterWords({ name, unit }) {
  const words = name.replaceAll("_", " ");
  return !unit ? words : unit.startsWith(words) ? unit : `${words}, ${unit}`;
}

const capital = words => words[0].toUpperCase() + words.slice(1);

export function data() {
  const state = { dataset: "", recipe: structuredClone(EXAMPLE), model: "", seed: 0, copies: 4, output: "augmented", balance: false, perClass: null, seeds: 5, steps: 800 };
  const jobs = jobList(), setField = make("div", {}), report = make("div", {}), steps = make("div", {}), sheet = make("img", { class: "sheet", alt: "contact sheet: pictures on the left, variants beside them", hidden: true });
  const empty = make("div", { class: "card empty" }, make("h2", {}, "No data set"), make("p", {}, "Start the studio with a folder that holds sets of pictures: safelight studio FOLDER. A folder with a sub-folder for each class is a set."));
  let operations = [], timer = null, drawing = null;

  const look = make("button", { type: "button", class: "main", onclick: guarded(async () => {
    const dataset = state.dataset, show = (...parts) => { if (dataset === state.dataset) report.replaceChildren(...parts); };
    show(make("p", { class: "quiet", role: "status" }, "reading every picture …"));
    try { show(...reportOf(dataset, await getJson(`/api/sets/report?${query({ dataset })}`))); }
    catch (error) { show(make("p", { class: "bad" }, error.message)); }
  }) }, "Look at the set");
  const busy = make("p", { class: "quiet", role: "status" });
  const draw = () => { clearTimeout(timer); timer = setTimeout(guarded(async () => {
    drawing?.abort();
    const mine = drawing = new AbortController();
    if (!state.dataset || !state.recipe.steps.length) { busy.textContent = state.recipe.steps.length ? "" : "A recipe needs a step; add one."; return; }
    busy.textContent = "drawing the sheet …";
    try {
      const blob = await postForBlob("/api/sets/sheet", { dataset: state.dataset, recipe: state.recipe, model: state.model || null, seed: state.seed }, mine.signal);
      const before = sheet.src;
      sheet.src = URL.createObjectURL(blob); sheet.hidden = false;
      if (before.startsWith("blob:")) URL.revokeObjectURL(before);
      busy.textContent = "";
    } catch (error) { if (mine === drawing) busy.textContent = error.message; }
  }), 400); };

  function stepForm(step, k) {
    const about = operations.find(one => one.name === step.op);
    const fields = about.parameters.map(parameter => {
      const range = step[parameter.name] ?? parameter.usual;
      const set = (end, value) => { const now = [...(step[parameter.name] ?? parameter.usual)]; now[end] = value; step[parameter.name] = now.sort((a, b) => a - b); ends.forEach((input, k) => { input.value = String(now[k]); }); draw(); };
      const ends = ["from", "to"].map((words, end) => make("input", { type: "number", step: "any", min: String(parameter.least), max: String(parameter.most), value: String(range[end]), "aria-label": `${step.op}, ${parameter.name.replaceAll("_", " ")}, ${words}`, onchange: event => { if (event.target.value !== "" && event.target.validity.valid) set(end, Number(event.target.value)); else event.target.value = String((step[parameter.name] ?? range)[end]); } }));
      return make("div", { class: "range" }, make("span", {}, parameterWords(parameter)), ...ends);
    });
    const share = make("input", { type: "number", min: "0", max: "1", step: "0.05", value: String(step.probability ?? 1), "aria-label": `${step.op}, probability`, onchange: event => { if (event.target.validity.valid && event.target.value !== "") { step.probability = Number(event.target.value); draw(); } } });
    const swap = by => { const other = k + by; if (other < 0 || other >= state.recipe.steps.length) return; [state.recipe.steps[k], state.recipe.steps[other]] = [state.recipe.steps[other], state.recipe.steps[k]]; list(); draw(); steps.children[other].querySelector(`[aria-label^="Move step"][aria-label$="${by < 0 ? "up" : "down"}"]`).focus(); };
    return make("article", { class: "step", "aria-label": `Step ${k + 1}: ${step.op}` }, make("h3", {}, `${k + 1}. ${capital(step.op.replaceAll("_", " "))}`), make("p", { class: "quiet" }, `${about.summary} Labels: ${about.labels}.`), ...fields, make("div", { class: "range one" }, make("span", {}, "probability"), share),
      make("div", { class: "row" }, make("button", { type: "button", class: "small", onclick: () => swap(-1), "aria-label": `Move step ${k + 1} up` }, "up"), make("button", { type: "button", class: "small", onclick: () => swap(1), "aria-label": `Move step ${k + 1} down` }, "down"), make("button", { type: "button", class: "small", onclick: () => { state.recipe.steps.splice(k, 1); list(); draw(); (steps.children[Math.min(k, steps.children.length - 1)]?.querySelector("button:last-of-type") ?? add.querySelector("button")).focus(); }, "aria-label": `Remove step ${k + 1}` }, "remove")));
  }
  const list = () => steps.replaceChildren(...state.recipe.steps.map(stepForm));
  const add = make("div", {}), modelField = make("div", { class: "gap" });
  const begin = (path, body) => guarded(async () => { await post(path, body()); await jobs.refresh(); jobs.element.scrollIntoView({ block: "nearest" }); });
  const name = make("input", { type: "text", value: state.output, id: "augment-output", oninput: event => { state.output = event.target.value; } });
  const recipe = make("section", { class: "card", "aria-label": "Recipe" }, make("h2", {}, "A recipe of variants"), steps, add, modelField);
  const writing = make("section", { class: "card", "aria-label": "Write" }, make("h2", {}, "Write the set"), make("div", { class: "field" }, make("label", { for: "augment-output" }, "Folder, inside the studio's"), name),
    number("Variants of each picture", { min: 0, max: 1000, value: 4, onchange: v => { state.copies = v; } }), check("More variants of rarer classes", false, v => { state.balance = v; }),
    make("button", { type: "button", class: "main", onclick: begin("/api/jobs/augment", () => ({ dataset: state.dataset, recipe: state.recipe, model: state.model || null, seed: state.seed, output: state.output, copies: state.copies, balance: state.balance })) }, "Write"));
  const judging = make("section", { class: "card", "aria-label": "Verdict" }, make("h2", {}, "Does it help?"), make("p", { class: "quiet" }, "Classifiers are trained with and without the variants, on equal pictures and steps. It takes minutes to hours."),
    number("Labelled pictures of each class", { min: 1, max: 100000, value: null, placeholder: "all", onchange: v => { state.perClass = v; } }), number("Seeds", { min: 2, max: 100, value: 5, onchange: v => { state.seeds = v; } }), number("Steps of each training", { min: 10, max: 100000, value: 800, onchange: v => { state.steps = v; } }),
    make("button", { type: "button", class: "main", onclick: begin("/api/jobs/verdict", () => ({ dataset: state.dataset, recipe: state.recipe, model: state.model || null, per_class: state.perClass, seeds: state.seeds, steps: state.steps })) }, "Judge"));
  const body = make("div", { class: "desk three", hidden: true }, make("div", { class: "side" }, make("section", { class: "card", "aria-label": "Data set" }, make("h2", {}, "Data set"), setField, look), recipe),
    make("div", {}, make("section", { class: "card", "aria-label": "Contact sheet" }, make("h2", {}, "Contact sheet"), busy, make("div", { class: "wide", tabIndex: 0, role: "region", "aria-label": "The sheet" }, sheet)), make("section", { class: "card", "aria-label": "Report" }, make("h2", {}, "What is in it, and what is wrong"), report)),
    make("div", { class: "side" }, writing, judging, jobs.element));
  report.append(make("p", { class: "quiet" }, "Choose a set and press “Look at the set”."));
  return { element: make("div", {}, empty, body), onShow: guarded(async () => {
    const found = await getJson("/api/folder");
    if (!found.sets.includes(state.dataset)) state.dataset = found.sets[0] ?? "";
    empty.hidden = found.sets.length > 0; body.hidden = !found.sets.length;
    await jobs.refresh();
    if (!found.sets.length) return;
    if (!operations.length) {
      operations = await getJson("/api/operations");
      const options = operations.map(one => [one.name, `${one.name.replaceAll("_", " ")} (${one.kind})`]);
      let chosen = options[0][0];
      add.replaceChildren(choice("One more step", options, chosen, v => { chosen = v; }), make("button", { type: "button", class: "small", onclick: () => { state.recipe.steps.push({ op: chosen }); list(); draw(); } }, "Add this step"));
      const vaes = (await getJson("/api/models")).filter(one => one.task === "images");
      modelField.replaceChildren(choice("Model, for steps in latent space", [["", "none"], ...vaes.map(one => [one.name, one.name])], "", v => { state.model = v; draw(); }));
      list();
    }
    setField.replaceChildren(choice("Which", found.sets.map(one => [one, one === "." ? "the whole folder" : one]), state.dataset, v => { state.dataset = v; report.replaceChildren(); draw(); }));
    draw();
  }) };
}

function reportOf(dataset, told) {
  const named = (words, list, line) => list.length > 0 && make("details", {}, make("summary", {}, `${words}: ${list.length}`), make("ul", { class: "plain" }, list.slice(0, 60).map(line)));
  const thumbnails = group => make("li", {}, make("div", { class: "row" }, group.slice(0, 8).map(name => make("figure", { class: "thumb" }, make("img", { src: `/api/sets/picture?${query({ dataset, name })}`, alt: name, loading: "lazy" }), make("figcaption", {}, name)))));
  const classes = Object.entries(told.classes), most = Math.max(1, ...classes.map(([, count]) => count));
  return [make("p", {}, `${told.pictures} pictures${classes.length ? ` of ${classes.length} classes` : ""}, ${told.grey} of them grey.`),
    ...told.warnings.map(line => make("p", { class: "warning" }, line)), told.warnings.length === 0 && make("p", { class: "good" }, "Nothing to mend was found."),
    classes.length > 0 && make("table", {}, make("tr", {}, make("th", { scope: "col" }, "Class"), make("th", { scope: "col" }, "Pictures")), classes.map(([name, count]) => make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, make("meter", { min: 0, max: most, value: count, "aria-label": `${count} pictures` }), ` ${count}`)))),
    make("p", { class: "quiet" }, `Sizes: ${Object.entries(told.sizes).slice(0, 6).map(([size, count]) => `${size} (${count})`).join(", ")}`),
    named("Pictures with the same pixels", told.duplicates, thumbnails), named("Pictures that are nearly the same", told.alike, thumbnails), named("The same picture under several labels", told.contradictions, thumbnails), named("The same picture in several parts", told.leaks, thumbnails),
    named("Cannot be read", told.unreadable, line => make("li", {}, line)), named("Doubtful", told.doubtful, line => make("li", {}, line))].filter(Boolean);
}
